/* Taking folders away, and how much room that makes. */
#ifndef TY_TRACKING_RUNS_REMOVE_H
#define TY_TRACKING_RUNS_REMOVE_H

#include "base/base.h"

/* Bytes that path and all below it take; of a file with several names the share of this one, so that
 * the sum over all names is the file. Links are not followed. */
int64_t ty_remove_bytes(ty_ctx *ctx, const char *path);

/* Removes a file, a link or a folder with all below it; links are removed, not followed. What is not
 * there is fine. Errors: TY_ERR_IO, with the first path that stays. */
ty_status ty_remove(ty_ctx *ctx, const char *path) TY_MUST_USE;

/* The same for what is in a folder, but for the names in keep (ended by NULL). */
ty_status ty_remove_within(ty_ctx *ctx, const char *folder, const char *const *keep) TY_MUST_USE;

#endif
