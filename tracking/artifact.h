/* MLflow lists what lies in a run's artifacts folder, so what a run publishes appears there too: as
 * a second name of the same file (a hard link costs no space), or as a copy where the file system
 * has no links. */
#ifndef TY_TRACKING_ARTIFACT_H
#define TY_TRACKING_ARTIFACT_H

#include "base/base.h"

/* Makes `to` show the content of `from`, atomically and also where `to` exists; its folder is made.
 * Errors: TY_ERR_NOT_FOUND, TY_ERR_IO. */
ty_status ty_artifact_publish(ty_ctx *ctx, const char *from, const char *to) TY_MUST_USE;

/* Relative, without "." and ".." and empty parts, without control characters and backslashes. */
bool ty_artifact_name_is_safe(const char *name);

#endif
