/* The digest of a data set: what is in its files, and what the config makes of it. Private to
 * data/. */
#ifndef TY_DATA_FINGERPRINT_H
#define TY_DATA_FINGERPRINT_H

#include "data/reader.h"

/* SHA-256 of `treatment` and of the Merkle root (tree and prefixes as RFC 6962, section 2.1) over
 * the content's files in the order of their names; a leaf is name, size and SHA-256 of a file.
 * Without files, of treatment alone. Digests of files are kept in cache_folder (NULL: nowhere) by
 * device, inode, mtime, ctime and size, so that a file is read for it once. A file that changed
 * within the last two seconds is not kept: it could change again unseen. *out_bytes receives the
 * files' size.
 * Errors: TY_ERR_IO; TY_ERR_DATA a file changes while it is read. A cache that cannot be written is
 * only warned of. */
ty_status ty_fingerprint(ty_ctx *ctx, const ty_content *content, const char *treatment,
                         const char *cache_folder, char out[TY_SHA256_HEX],
                         int64_t *out_bytes) TY_MUST_USE;

#endif
