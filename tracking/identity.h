/* Who runs this, and names that nobody else has. */
#ifndef TY_TRACKING_IDENTITY_H
#define TY_TRACKING_IDENTITY_H

#include "base/base.h"

/* 32 random hex digits, as MLflow's ids are. Errors: TY_ERR_IO. */
ty_status ty_identity_random(ty_ctx *ctx, char out[33]) TY_MUST_USE;

/* The user's name: LOGNAME, USER, the password file, or "uid 1000". In arena; NULL: no memory. */
char *ty_identity_user(ty_ctx *ctx, ty_arena *arena);

#endif
