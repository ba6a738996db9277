/* The HTTP client against a server of our own on loopback that answers as it is told: lies about
 * lengths, hangs up, never ends. And what a tracking URI means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/temp_folder.h"
#include "tracking/client/credentials.h"
#include "tracking/client/http.h"
#include "tracking/client/mlflow.h"
#include "tracking/client/s3_listing.h"

enum { MOST_ANSWERS = 4, MOST_HEARD = 65536 };

/* Reads a request, sends the next answer as it stands, and hangs up where it says so. */
typedef struct server {
    int listening, port;
    pthread_t thread;
    const char *answers[MOST_ANSWERS]; /* NULL ends; "" hangs up unanswered */
    bool keeps;                        /* the connection, between answers */
    char heard[MOST_HEARD];
    size_t heard_bytes;
    int n_requests;
} server;

static size_t length_of(const char *headers) {
    const char *at = strcasestr(headers, "Content-Length:");
    return at ? (size_t)strtoul(at + 15, NULL, 10) : 0;
}

/* Until the headers and the length they promise are there; false: the peer hung up. */
static bool hear(server *s, int fd) {
    const size_t begin = s->heard_bytes;
    while (s->heard_bytes < MOST_HEARD - 1) {
        const ssize_t n = recv(fd, s->heard + s->heard_bytes, MOST_HEARD - 1 - s->heard_bytes, 0);
        if (n <= 0)
            return false;
        s->heard_bytes += (size_t)n;
        s->heard[s->heard_bytes] = '\0';
        const char *end = strstr(s->heard + begin, "\r\n\r\n");
        if (end && s->heard_bytes - (size_t)(end + 4 - s->heard) >= length_of(s->heard + begin))
            return true;
    }
    return false;
}

/* The connection on which the next request comes: a new one, for which the kept one (-1: none) is left,
 * or the kept one; -1: the server is stopped. */
static int next_caller(const server *s, int kept) {
    struct pollfd ends[] = {{.fd = s->listening, .events = POLLIN}, {.fd = kept, .events = POLLIN}};
    if (poll(ends, 2, -1) > 0 && ends[0].revents == 0)
        return kept;
    if (kept >= 0)
        (void)close(kept);
    return accept(s->listening, NULL, NULL);
}

static void *serve(void *self) {
    server *s = self;
    int fd = -1;
    for (int i = 0; i < MOST_ANSWERS && s->answers[i];) {
        fd = next_caller(s, fd);
        if (fd < 0)
            break;
        const bool is_heard = hear(s, fd);
        if (is_heard) {
            s->n_requests++;
            (void)send(fd, s->answers[i], strlen(s->answers[i]), MSG_NOSIGNAL);
            i++;
        }
        if (!is_heard || !s->keeps || s->answers[i - 1][0] == '\0') {
            (void)close(fd);
            fd = -1;
        }
    }
    if (fd >= 0)
        (void)close(fd);
    return NULL;
}

static void start(server *s) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof at;
    s->listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->listening, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(s->listening, 8), 0);
    assert_int_equal(getsockname(s->listening, (struct sockaddr *)&at, &bytes), 0);
    s->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void stop(server *s) {
    if (s->listening < 0)
        return;
    (void)shutdown(s->listening, SHUT_RDWR);
    assert_int_equal(pthread_join(s->thread, NULL), 0);
    (void)close(s->listening);
    s->listening = -1;
}

static const char *no_variables(const char *name) {
    (void)name;
    return NULL;
}

typedef struct rig {
    ty_ctx ctx;
    ty_http *http;
    server server;
    char url[64];
    ty_http_reply reply;
} rig;

static void rig_open(rig *r) {
    ty_ctx_init(&r->ctx);
    r->ctx.getenv = no_variables;
    assert_int_equal(ty_http_open(&r->ctx, &(ty_http_options){0}, &r->http), TY_OK);
    start(&r->server);
    (void)snprintf(r->url, sizeof r->url, "http://127.0.0.1:%d/x", r->server.port);
}

/* Afterwards the server's thread is over, and what it heard and counted may be looked at: an answer that has come
 * orders nothing between two threads. */
static void hang_up(rig *r) {
    ty_http_close(r->http);
    r->http = NULL;
    stop(&r->server);
}

static void rig_close(rig *r) {
    ty_http_reply_clear(&r->reply);
    hang_up(r);
    ty_ctx_clear(&r->ctx);
}

static void send_one(rig *r, ty_http_request request) {
    ty_http_reply_clear(&r->reply);
    request.url = r->url;
    request.timeout_ms = 20000;
    assert_int_equal(ty_http_send(&r->ctx, r->http, &request, &r->reply), TY_OK);
}

static void check_one(const char *answer, ty_http_outcome outcome, int status) {
    rig *r = calloc(1, sizeof *r);
    assert_non_null(r);
    r->server.answers[0] = answer;
    rig_open(r);
    send_one(r, (ty_http_request){.method = "GET"});
    if (r->reply.outcome != outcome || r->reply.status != status)
        print_error("after: %.60s: %s\n", answer, r->reply.trouble);
    assert_int_equal(r->reply.outcome, outcome);
    assert_int_equal(r->reply.status, status);
    rig_close(r);
    free(r);
}

static void each_answer_has_its_outcome(void **state) {
    (void)state;
    check_one("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", TY_HTTP_DONE, 200);
    check_one("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", TY_HTTP_REFUSED, 404);
    check_one("HTTP/1.1 501 No\r\nContent-Length: 0\r\n\r\n", TY_HTTP_REFUSED, 501);
    check_one("HTTP/1.1 429 No\r\nContent-Length: 0\r\n\r\n", TY_HTTP_LATER, 429);
    check_one("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", TY_HTTP_LATER, 503);
    check_one("HTTP/1.1 302 No\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
              TY_HTTP_IMPOSSIBLE, 302);
    check_one("HTTP/1.1 304 No\r\nContent-Length: 0\r\n\r\n", TY_HTTP_IMPOSSIBLE, 304);
    check_one("", TY_HTTP_UNKNOWN, 0);
    check_one("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}", TY_HTTP_UNKNOWN, 200);
    check_one("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", TY_HTTP_UNKNOWN, 200);
    check_one("HELLO WORLD\r\n\r\n", TY_HTTP_IMPOSSIBLE, 0);
}

static void nobody_there_is_surely_not_done(void **state) {
    (void)state;
    rig *r = calloc(1, sizeof *r);
    assert_non_null(r);
    rig_open(r);
    (void)snprintf(r->url, sizeof r->url, "http://127.0.0.1:1/");
    send_one(r, (ty_http_request){.method = "POST", .body = "{}", .body_bytes = 2});
    assert_int_equal(r->reply.outcome, TY_HTTP_NOT_SENT);
    assert_false(r->reply.is_sent);
    (void)snprintf(r->url, sizeof r->url, "file:///etc/passwd");
    send_one(r, (ty_http_request){.method = "GET"});
    assert_int_equal(r->reply.outcome, TY_HTTP_IMPOSSIBLE);
    rig_close(r);
    free(r);
}

static void an_answer_is_cut_before_it_is_too_big(void **state) {
    (void)state;
    static const char head[] = "HTTP/1.1 200 OK\r\n\r\n";
    const size_t bytes = TY_HTTP_MAX_BODY + 2 * sizeof head;
    char *answer = malloc(bytes);
    assert_non_null(answer);
    memset(answer, ' ', bytes);
    memcpy(answer, head, sizeof head - 1);
    answer[bytes - 1] = '\0';
    check_one(answer, TY_HTTP_IMPOSSIBLE, 200);
    memset(answer, 'a', bytes - 1);
    memcpy(answer, "HTTP/1.1 200 OK\r\nX: ", 20);
    check_one(answer, TY_HTTP_IMPOSSIBLE, 200);
    free(answer);
}

#define EMPTY_200 "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

static void bodies_have_a_length_and_files_are_sent_from_where_it_is_said(void **state) {
    (void)state;
    rig *r = calloc(1, sizeof *r);
    assert_non_null(r);
    for (int i = 0; i < 3; i++)
        r->server.answers[i] = EMPTY_200;
    r->server.keeps = true;
    temp_folder folder = temp_folder_make();
    char path[2 * TEMP_FOLDER_BYTES];
    (void)snprintf(path, sizeof path, "%s/f", folder.path);
    const int fd = open(path, O_RDWR | O_CREAT, 0600);
    assert_int_equal(write(fd, "0123456789", 10), 10);
    rig_open(r);
    send_one(r, (ty_http_request){.method = "PUT", .body_path = path, .body_fd = fd});
    send_one(
        r,
        (ty_http_request){
            .method = "PUT", .body_path = path, .body_fd = fd, .body_offset = 2, .body_bytes = 5});
    send_one(r, (ty_http_request){.method = "PATCH", .body = "{\"a\":1}", .body_bytes = 7});
    assert_int_equal(r->reply.outcome, TY_HTTP_DONE);
    hang_up(r);
    assert_non_null(strstr(r->server.heard, "Content-Length: 0\r\n"));
    assert_non_null(strstr(r->server.heard, "Content-Length: 5\r\n"));
    assert_non_null(strstr(r->server.heard, "\r\n\r\n23456PATCH /x HTTP/1.1"));
    assert_non_null(strstr(r->server.heard, "\r\n\r\n{\"a\":1}"));
    assert_null(strcasestr(r->server.heard, "Transfer-Encoding"));
    assert_null(strcasestr(r->server.heard, "Expect:"));
    assert_null(strcasestr(r->server.heard, "Origin:"));
    rig_close(r);
    (void)close(fd);
    temp_folder_remove(&folder);
    free(r);
}

static void what_may_happen_once_is_never_sent_again_by_itself(void **state) {
    (void)state;
    rig *r = calloc(1, sizeof *r);
    assert_non_null(r);
    r->server.keeps = true;
    r->server.answers[0] = EMPTY_200;
    r->server.answers[1] = ""; /* hangs up: on a kept connection libcurl would send it again */
    r->server.answers[2] = EMPTY_200;
    rig_open(r);
    send_one(r, (ty_http_request){.method = "GET"});
    send_one(r,
             (ty_http_request){.method = "POST", .body = "{}", .body_bytes = 2, .is_once = true});
    assert_int_equal(r->reply.outcome, TY_HTTP_UNKNOWN);
    assert_true(r->reply.is_sent);
    send_one(r, (ty_http_request){.method = "GET"});
    assert_int_equal(r->reply.outcome, TY_HTTP_DONE);
    hang_up(r);
    assert_int_equal(r->server.n_requests, 3);
    rig_close(r);
    free(r);
}

static bool always(ty_ctx *ctx, void *self) {
    (void)ctx, (void)self;
    return true;
}

static void a_request_can_be_given_up_by_another(void **state) {
    (void)state;
    ty_ctx ctx;
    ty_http *http = NULL;
    ty_http_reply reply;
    ty_ctx_init(&ctx);
    ctx.getenv = no_variables;
    server s = {.answers = {EMPTY_200}};
    start(&s);
    char url[64];
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d/", s.port);
    const ty_http_options options = {.is_cancelled = always};
    assert_int_equal(ty_http_open(&ctx, &options, &http), TY_OK);
    const ty_http_request request = {.method = "GET", .url = url, .timeout_ms = 20000};
    assert_int_equal(ty_http_send(&ctx, http, &request, &reply), TY_OK);
    assert_int_equal(reply.outcome, TY_HTTP_CANCELLED);
    ty_http_reply_clear(&reply);
    ty_http_close(http);
    stop(&s);
    ty_ctx_clear(&ctx);
}

static void origins_are_compared_whole(void **state) {
    (void)state;
    assert_true(ty_http_is_same_origin("http://a/x", "HTTP://A:80/y?z"));
    assert_true(ty_http_is_same_origin("https://[::1]:443", "https://[::1]/"));
    assert_false(ty_http_is_same_origin("http://a/", "https://a/"));
    assert_false(ty_http_is_same_origin("http://a/", "http://a:81/"));
    assert_false(ty_http_is_same_origin("http://a/", "http://b/"));
    assert_false(ty_http_is_same_origin("http://a/", "//a/"));
}

static void check_uri(ty_ctx *ctx, const char *uri, const char *want) {
    ty_arena arena = {0};
    const char *out = NULL;
    const ty_status st = ty_mlflow_uri(ctx, uri, &arena, &out);
    if (want) {
        assert_int_equal(st, TY_OK);
        assert_string_equal(out, want);
    } else {
        assert_int_equal(st, TY_ERR_ARG);
        assert_null(strstr(ctx->message, "canary"));
    }
    ty_arena_clear(&arena);
}

static void uris_are_cleaned_and_keep_their_path(void **state) {
    (void)state;
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    check_uri(&ctx, "http://Host:80/", "http://host");
    check_uri(&ctx, "HTTPS://u:canary@Host:443/team/mlflow//", "https://host/team/mlflow");
    check_uri(&ctx, "http://[::1]:5000/x", "http://[::1]:5000/x");
    check_uri(&ctx, "https://h:8443", "https://h:8443");
    check_uri(&ctx, "http://", NULL);
    check_uri(&ctx, "ftp://u:canary@h/", NULL);
    check_uri(&ctx, "http://u:canary@h/ x", NULL);
    check_uri(&ctx, "http://u:canary@h:99999/", NULL);
    check_uri(&ctx, "http://h/?token=canary", NULL);
    check_uri(&ctx, "http://h/#canary", NULL);
    check_uri(&ctx, "http://h\r\nX: canary", NULL);
    check_uri(&ctx, "mlflow.db", NULL);
    ty_ctx_clear(&ctx);
}

static void keys_follow_the_rules_of_mlflow(void **state) {
    (void)state;
    assert_null(ty_mlflow_key_slip("train/loss.x-y_z a:b"));
    assert_null(ty_mlflow_key_slip("\xc3\xa9"));
    assert_non_null(ty_mlflow_key_slip("\xc3"));
    assert_non_null(ty_mlflow_key_slip("a\n"));
    assert_non_null(ty_mlflow_key_slip("a/../b"));
    assert_non_null(ty_mlflow_key_slip(""));
    assert_non_null(ty_mlflow_key_slip(NULL));
    assert_null(ty_mlflow_alias_slip("champion"));
    assert_null(ty_mlflow_alias_slip("v1x"));
    assert_non_null(ty_mlflow_alias_slip("V12"));
    assert_non_null(ty_mlflow_alias_slip("Latest"));
}

typedef struct listed {
    ty_text text;
} listed;

static void take(void *self, const char *key, bool is_folder, int64_t size) {
    listed *l = self;
    ty_text_addf(&l->text, "%s%s %lld,", key, is_folder ? " folder" : "", (long long)size);
}

static bool list(const char *xml, listed *l, ty_text *token) {
    return ty_s3_read_listing(xml, strlen(xml), take, l, token);
}

static void a_bucket_is_listed_and_an_entity_is_not(void **state) {
    (void)state;
    listed l = {0};
    ty_text token = {0};
    assert_true(list("<?xml version='1.0'?><ListBucketResult xmlns='x'><Prefix>p/</Prefix>"
                     "<Contents><Key>p/a&amp;b</Key><Size>7</Size></Contents>"
                     "<CommonPrefixes><Prefix>p/c/</Prefix></CommonPrefixes>"
                     "<NextContinuationToken>next</NextContinuationToken></ListBucketResult>",
                     &l, &token));
    assert_string_equal(ty_text_string(&l.text), "p/a&b 7,p/c/ folder 0,");
    assert_string_equal(ty_text_string(&token), "next");
    ty_text_clear(&l.text);
    assert_false(list("<!DOCTYPE x [<!ENTITY a 'b'>]><ListBucketResult><Contents><Key>&a;</Key>"
                      "</Contents></ListBucketResult>",
                      &l, &token));
    assert_string_equal(ty_text_string(&l.text), "");
    assert_false(list("<html></html>", &l, &token));
    assert_false(list("<ListBucketResult>", &l, &token));
    assert_false(list("", &l, &token));
    ty_text_clear(&l.text);
    ty_text_clear(&token);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_answer_has_its_outcome),
        cmocka_unit_test(nobody_there_is_surely_not_done),
        cmocka_unit_test(an_answer_is_cut_before_it_is_too_big),
        cmocka_unit_test(bodies_have_a_length_and_files_are_sent_from_where_it_is_said),
        cmocka_unit_test(what_may_happen_once_is_never_sent_again_by_itself),
        cmocka_unit_test(a_request_can_be_given_up_by_another),
        cmocka_unit_test(origins_are_compared_whole),
        cmocka_unit_test(uris_are_cleaned_and_keep_their_path),
        cmocka_unit_test(keys_follow_the_rules_of_mlflow),
        cmocka_unit_test(a_bucket_is_listed_and_an_entity_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
