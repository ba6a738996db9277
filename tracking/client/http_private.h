/* The inside of one exchange, shared by http.c and http_body.c. */
#ifndef TY_TRACKING_CLIENT_HTTP_PRIVATE_H
#define TY_TRACKING_CLIENT_HTTP_PRIVATE_H

#include <curl/curl.h>

#include "tracking/client/http.h"

struct ty_http {
    CURL *easy;
    ty_http_options options; /* its strings are copies, ours */
    char *proxy_http, *proxy_https, *no_proxy;
};

/* One sending, redirects excluded; what the callbacks know. */
typedef struct http_exchange {
    ty_ctx *ctx;
    ty_http *http;
    const ty_http_request *request;
    ty_http_reply *reply;
    int64_t sent_bytes; /* of the body's file */
    size_t header_bytes;
    ty_status st; /* a file's trouble, told in ctx->message */
    bool is_too_big, is_cancelled;
    char words[CURL_ERROR_SIZE];
} http_exchange;

/* Gives libcurl the request's body, with its length, and the callbacks for the answer's. */
CURLcode http_set_body(http_exchange *x);
CURLcode http_set_reply(http_exchange *x);

#endif
