/* One HTTP(S) exchange at a time over libcurl, with a connection kept between them. What libcurl
 * would do by itself and must not is off: chunked uploads (MLflow answers 200 and stores nothing),
 * redirects (followed here, to the same origin only), netrc, other protocols, signals, and sending
 * again what may have been carried out. */
#ifndef TY_TRACKING_CLIENT_HTTP_H
#define TY_TRACKING_CLIENT_HTTP_H

#include "base/base.h"

enum {
    TY_HTTP_MAX_BODY = 4 * 1024 * 1024, /* of an answer kept in memory */
    TY_HTTP_MAX_HEADERS = 256 * 1024,
    TY_HTTP_MAX_REDIRECTS = 5
};

typedef struct ty_http ty_http;

typedef struct ty_http_options {
    const char *ca_file;     /* PEM; NULL: the system's */
    const char *client_cert; /* PEM with certificate and key; NULL: none */
    bool is_insecure;        /* any certificate will do */
    /* Asked from libcurl's callbacks about once a second and whenever bytes move. */
    bool (*is_cancelled)(ty_ctx *ctx, void *self);
    void *self;
} ty_http_options;

/* Proxies come from the variables http_proxy, https_proxy, all_proxy and no_proxy. *out is the
 * caller's to close. One thread at a time. */
ty_status ty_http_open(ty_ctx *ctx, const ty_http_options *options, ty_http **out) TY_MUST_USE;
void ty_http_close(ty_http *http); /* accepts NULL */

typedef struct ty_http_request {
    const char *method, *url;
    const char *const *headers; /* "Name: value" */
    int64_t n_headers;
    const char *secret_header; /* likewise, wiped from memory afterwards; NULL: none */
    const void *body;          /* memory; NULL with body_bytes 0: none */
    int64_t body_bytes;
    const char *body_path; /* or a file: this part of it, through ctx->io; NULL: none */
    int body_fd;
    int64_t body_offset;
    const char *reply_path; /* a 2xx answer's body goes there through ctx->io; NULL: to memory */
    int reply_fd;
    int64_t timeout_ms;     /* the whole exchange; with a file, how long it may stand still */
    bool is_once;           /* a second sending does harm: takes a connection of its own */
    const char *sigv4;      /* "aws:amz:REGION:s3": sign so, with sigv4_user; NULL: do not */
    const char *sigv4_user; /* "KEY:SECRET" */
} ty_http_request;

typedef enum ty_http_outcome {
    TY_HTTP_DONE,       /* 2xx and a whole answer */
    TY_HTTP_REFUSED,    /* 4xx, 501, 505: will be refused again */
    TY_HTTP_LATER,      /* 408, 429, 5xx: may go well later; may have been done where is_sent */
    TY_HTTP_NOT_SENT,   /* surely not done: no connection */
    TY_HTTP_UNKNOWN,    /* sent and not answered whole: may have been done */
    TY_HTTP_IMPOSSIBLE, /* no use trying: certificate refused, redirect elsewhere, answer too big */
    TY_HTTP_CANCELLED   /* is_cancelled said so; may have been done where is_sent */
} ty_http_outcome;

enum { TY_HTTP_HEADER_BYTES = 512 };

typedef struct ty_http_reply {
    ty_http_outcome outcome;
    int status;         /* 0: none */
    bool is_sent;       /* the request may have reached the server */
    ty_text body;       /* the reply's to clear */
    int64_t file_bytes; /* written to reply_fd */
    char retry_after[TY_HTTP_HEADER_BYTES], etag[TY_HTTP_HEADER_BYTES], location[2048];
    char trouble[512]; /* in words, for every outcome but DONE, REFUSED and LATER */
} ty_http_reply;

/* Sends and waits. Whatever the network and the server do is an outcome in *reply, which the caller
 * clears after every call; the status tells of us.
 * Errors: TY_ERR_NOMEM; TY_ERR_IO the file sent or written to; TY_ERR_INTERNAL libcurl. */
ty_status ty_http_send(ty_ctx *ctx, ty_http *http, const ty_http_request *request,
                       ty_http_reply *reply) TY_MUST_USE;
void ty_http_reply_clear(ty_http_reply *reply);

/* What a whole answer with that status means. */
ty_http_outcome ty_http_outcome_of(int status);

/* Whether b may be asked what a was asked, credentials and all: same scheme, host and port. */
bool ty_http_is_same_origin(const char *a, const char *b);

/* Adds text percent-encoded, all but letters, digits and -._~; keep_slashes: and /. */
void ty_http_add_encoded(ty_text *out, const char *text, bool keep_slashes);

#endif
