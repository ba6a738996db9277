/* Where a server is and what opens its door: the tracking URI, the MLFLOW_* variables and
 * ~/.mlflow/credentials. Secrets stay in here, in the header that is sent and, while it is sent, in
 * libcurl; no message, log line or record ever holds one. */
#ifndef TY_TRACKING_CLIENT_CREDENTIALS_H
#define TY_TRACKING_CLIENT_CREDENTIALS_H

#include "base/base.h"

typedef struct ty_credentials {
    char *base;                  /* clean URI: no user, no slash at the end */
    char *authorization;         /* "Authorization: ..."; NULL: none. Secret */
    char *workspace;             /* NULL: none */
    char *ca_file, *client_cert; /* NULL: none */
    bool is_insecure;
} ty_credentials;

/* A password in the URI comes before one in the variables, these before the file's; a user and
 * password before a token, as MLflow's own client has it.
 * Errors: TY_ERR_ARG the URI or a variable is wrong; TY_ERR_FAILED the credentials file belongs to
 * another user or may be read by others; TY_ERR_NOT_FOUND a certificate's file. */
ty_status ty_credentials_open(ty_ctx *ctx, const char *uri, ty_credentials *out) TY_MUST_USE;

/* Wipes and frees; leaves a zeroed one. Accepts a zeroed one. */
void ty_credentials_close(ty_credentials *credentials);

/* Wipes a string and frees it; accepts NULL. */
void ty_secret_free(char *secret);

/* From now on this process writes no core file: it would hold the secret. */
void ty_secret_forbid_core(void);

#endif
