/* Folders of files moved about whole: copied, given their name when complete, removed. */
#ifndef TY_REGISTRY_FILES_H
#define TY_REGISTRY_FILES_H

#include "base/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Copies one file under the name `to`, replacing what was there when the copy is whole. Errors:
 * TY_ERR_IO, TY_ERR_NOT_FOUND. */
ty_status ty_file_copy(ty_ctx *ctx, const char *from, const char *to) TY_MUST_USE;

/* Copies the regular files below `from` into folder `to` (made where missing), each synced. Links
 * and odd names are refused. Errors: TY_ERR_INTEGRITY, TY_ERR_IO, TY_ERR_NOT_FOUND. */
ty_status ty_folder_copy(ty_ctx *ctx, const char *from, const char *to) TY_MUST_USE;

/* Removes a folder and what is below it; links are removed, not followed. One that is missing is
 * fine. */
ty_status ty_folder_remove(ty_ctx *ctx, const char *path) TY_MUST_USE;

/* Removes a folder that something failed in, and passes the failure on with its own words. */
ty_status ty_folder_drop(ty_ctx *ctx, const char *path, ty_status st);

/* Makes an empty folder ".tmp-<name>-<random>" beside path (whose parent is made), for what is going
 * to be published there. *out is in arena. */
ty_status ty_folder_temp(ty_ctx *ctx, const char *path, ty_arena *arena,
                         const char **out) TY_MUST_USE;

/* Gives a folder its name, durably. Errors: TY_ERR_ARG something that is no empty folder has it. */
ty_status ty_folder_publish(ty_ctx *ctx, const char *temp, const char *path) TY_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
