/* The XML in which S3 stores list a folder (ListObjectsV2) and say what is wrong. */
#ifndef TY_TRACKING_CLIENT_S3_LISTING_H
#define TY_TRACKING_CLIENT_S3_LISTING_H

#include "base/base.h"

/* Calls take for every file and folder; next_token gets the next page's token, "" after the last.
 * false: it is no such listing (what was taken until then stays taken). */
bool ty_s3_read_listing(const char *xml, size_t bytes,
                        void (*take)(void *self, const char *key, bool is_folder, int64_t size),
                        void *self, ty_text *next_token) TY_MUST_USE;

/* Code and Message of an error, each "" where it has none. */
void ty_s3_read_error(const char *xml, size_t bytes, ty_text *code, ty_text *message);

#endif
