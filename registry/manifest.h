/* tiltyard.json: the SHA-256 of every file of a package. Its own digest is what a registry keeps of
 * a version (tag tiltyard.manifest.sha256), so that neither a file nor the list can change unseen.
 *
 *     {"format": "tiltyard package 1",
 *      "files": [{"path": "MLmodel", "size": 0, "sha256": "..."}, ...]}       sorted by path
 *
 * A server gives a model an id of its own, and with it changes the lines artifact_path, model_id
 * and run_id of MLmodel. They are left out of MLmodel's digest, and its size is 0: the same model
 * has the same manifest wherever it lies. */
#ifndef TY_REGISTRY_MANIFEST_H
#define TY_REGISTRY_MANIFEST_H

#include "base/base.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TY_MANIFEST_MAX_FILES = 4096, TY_MANIFEST_MAX_BYTES = 4 * 1024 * 1024 };

#define TY_MANIFEST_NAME "tiltyard.json"
#define TY_MANIFEST_TAG "tiltyard.manifest.sha256"

typedef struct ty_manifest_file {
    const char *path;           /* relative, safe */
    int64_t size;               /* bytes; of MLmodel too where files were listed, 0 in a manifest */
    char sha256[TY_SHA256_HEX]; /* "" where files were only listed */
} ty_manifest_file;

typedef struct ty_manifest {
    const ty_manifest_file *files;
    int64_t n_files;
    char sha256[TY_SHA256_HEX]; /* of tiltyard.json itself */
} ty_manifest;

/* All regular files below folder but tiltyard.json, sorted by path, with sizes and no digests.
 * Errors: TY_ERR_INTEGRITY links, odd names, too many; TY_ERR_IO. */
ty_status ty_manifest_list(ty_ctx *ctx, const char *folder, ty_arena *arena,
                           ty_manifest *out) TY_MUST_USE;

/* Hashes what is in folder and writes its tiltyard.json. */
ty_status ty_manifest_write(ty_ctx *ctx, const char *folder) TY_MUST_USE;

/* Reads folder's tiltyard.json. Errors: TY_ERR_NOT_FOUND; TY_ERR_INTEGRITY. */
ty_status ty_manifest_read(ty_ctx *ctx, const char *folder, ty_arena *arena,
                           ty_manifest *out) TY_MUST_USE;

/* The same from memory; name stands for the file in messages. */
ty_status ty_manifest_parse(ty_ctx *ctx, const char *name, const char *text, size_t bytes,
                            ty_arena *arena, ty_manifest *out) TY_MUST_USE;

/* Every file that the manifest names is there and is what it was, and the manifest is the one whose
 * digest is expected (NULL: any). Files that it does not name are left alone. *n_files (may be
 * NULL) says how many were compared.
 * Errors: TY_ERR_NOT_FOUND no manifest; TY_ERR_INTEGRITY naming the first file that differs. */
ty_status ty_manifest_verify(ty_ctx *ctx, const char *folder, const char *expected,
                             int64_t *n_files) TY_MUST_USE;

/* The SHA-256 of a package's file as a manifest has it (MLmodel: without the lines of its place). */
ty_status ty_manifest_hash(ty_ctx *ctx, const char *folder, const char *path,
                           char out[TY_SHA256_HEX]) TY_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
