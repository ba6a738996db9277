/* libcurl's callbacks: what goes out comes from memory or a file, what comes in goes to memory (up
 * to a limit) or to a file. */
#include "tracking/client/http_private.h"

#include <string.h>

static size_t read_file(char *out, size_t size, size_t n, void *self) {
    http_exchange *x = self;
    const ty_http_request *request = x->request;
    const int64_t left = request->body_bytes - x->sent_bytes;
    size_t now = size * n;
    if ((int64_t)now > left)
        now = (size_t)left;
    if (now == 0)
        return 0;
    x->st = ty_file_pread(x->ctx, request->body_path, request->body_fd, out, now,
                          request->body_offset + x->sent_bytes);
    if (x->st != TY_OK)
        return CURL_READFUNC_ABORT;
    x->sent_bytes += (int64_t)now;
    return now;
}

static int rewind_file(void *self, curl_off_t offset, int origin) {
    http_exchange *x = self;
    if (origin != SEEK_SET || offset < 0 || offset > x->request->body_bytes)
        return CURL_SEEKFUNC_CANTSEEK;
    x->sent_bytes = offset;
    return CURL_SEEKFUNC_OK;
}

static CURLcode set_file(http_exchange *x) {
    CURL *easy = x->http->easy;
    (void)curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_READFUNCTION, read_file);
    (void)curl_easy_setopt(easy, CURLOPT_READDATA, x);
    (void)curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, rewind_file);
    (void)curl_easy_setopt(easy, CURLOPT_SEEKDATA, x);
    return curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)x->request->body_bytes);
}

CURLcode http_set_body(http_exchange *x) {
    CURL *easy = x->http->easy;
    const ty_http_request *request = x->request;
    CURLcode code = CURLE_OK;
    if (request->body_path) {
        code = set_file(x);
    } else if (request->body || strcmp(request->method, "POST") == 0) {
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body ? request->body : "");
        code = curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_bytes);
    }
    /* Last, because the options above choose methods of their own. */
    return code == CURLE_OK ? curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method) : code;
}

static bool is_success(http_exchange *x) {
    long status = 0;
    (void)curl_easy_getinfo(x->http->easy, CURLINFO_RESPONSE_CODE, &status);
    return status >= 200 && status < 300;
}

static size_t write_reply(char *data, size_t size, size_t n, void *self) {
    http_exchange *x = self;
    const size_t bytes = size * n;
    ty_http_reply *reply = x->reply;
    if (x->request->reply_path && is_success(x)) {
        x->st = ty_file_write(x->ctx, x->request->reply_path, x->request->reply_fd, data, bytes);
        if (x->st != TY_OK)
            return 0;
        reply->file_bytes += (int64_t)bytes;
        return bytes;
    }
    if (bytes > TY_HTTP_MAX_BODY - reply->body.length) {
        x->is_too_big = true;
        return 0;
    }
    ty_text_add_n(&reply->body, data, bytes);
    if (!reply->body.is_short)
        return bytes;
    x->st = ty_fail_nomem(x->ctx, "a server's answer");
    return 0;
}

static size_t count_headers(char *data, size_t size, size_t n, void *self) {
    http_exchange *x = self;
    (void)data;
    x->header_bytes += size * n;
    if (x->header_bytes <= TY_HTTP_MAX_HEADERS)
        return size * n;
    x->is_too_big = true;
    return 0;
}

static int look_up(void *self, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                   curl_off_t up) {
    http_exchange *x = self;
    (void)down_total, (void)down, (void)up_total, (void)up;
    const ty_http_options *options = &x->http->options;
    x->is_cancelled = options->is_cancelled && options->is_cancelled(x->ctx, options->self);
    return x->is_cancelled;
}

CURLcode http_set_reply(http_exchange *x) {
    CURL *easy = x->http->easy;
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, write_reply);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, x);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, count_headers);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, x);
    (void)curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, look_up);
    (void)curl_easy_setopt(easy, CURLOPT_XFERINFODATA, x);
    return curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
}
