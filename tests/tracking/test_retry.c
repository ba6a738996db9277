/* Patience on a clock that the test moves: ten minutes of outage take no time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "tracking/client/retry.h"

#define SECOND INT64_C(1000000000)

/* Every look at the clock takes `stride`. */
typedef struct fake_time {
    ty_clock clock;
    atomic_int_least64_t now_ns;
    int64_t stride;
} fake_time;

static int64_t look(void *self) {
    fake_time *time = self;
    return atomic_fetch_add(&time->now_ns, time->stride);
}

static void start_time(ty_ctx *ctx, fake_time *time, int64_t stride) {
    ty_ctx_init(ctx);
    *time = (fake_time){.stride = stride};
    atomic_init(&time->now_ns, SECOND);
    time->clock = (ty_clock){.wall_ns = look, .monotonic_ns = look, .self = time};
    ctx->clock = &time->clock;
}

static const char *no_variables(const char *name) {
    (void)name;
    return NULL;
}

static const char *odd_variables(const char *name) {
    if (strcmp(name, "MLFLOW_HTTP_REQUEST_MAX_RETRIES") == 0)
        return "2";
    if (strcmp(name, "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR") == 0)
        return "3.5";
    return strcmp(name, "MLFLOW_HTTP_REQUEST_TIMEOUT") == 0 ? "0.25" : NULL;
}

static const char *wrong_variables(const char *name) {
    return strcmp(name, "MLFLOW_HTTP_REQUEST_TIMEOUT") == 0 ? "soon" : NULL;
}

static ty_retry *open_retry(ty_ctx *ctx, ty_patience patience) {
    ty_retry *retry = NULL;
    assert_int_equal(ty_retry_open(ctx, &patience, &retry), TY_OK);
    return retry;
}

static void variables_fill_what_is_not_said(void **state) {
    (void)state;
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    ctx.getenv = no_variables;
    ty_retry *retry = open_retry(&ctx, (ty_patience){0});
    assert_int_equal(ty_retry_patience(retry)->max_retries, 7);
    assert_int_equal(ty_retry_patience(retry)->request_ms, 120000);
    ty_retry_close(retry);
    ctx.getenv = odd_variables;
    retry = open_retry(&ctx, (ty_patience){0});
    assert_int_equal(ty_retry_patience(retry)->max_retries, 2);
    assert_int_equal(ty_retry_patience(retry)->request_ms, 250);
    assert_true(ty_retry_patience(retry)->backoff == 3.5);
    ty_retry_close(retry);
    ctx.getenv = wrong_variables;
    assert_int_equal(ty_retry_open(&ctx, &(ty_patience){0}, &retry), TY_ERR_ARG);
    assert_non_null(strstr(ctx.message, "MLFLOW_HTTP_REQUEST_TIMEOUT is \"soon\""));
}

static void an_endless_patience_outlasts_ten_minutes(void **state) {
    (void)state;
    ty_ctx ctx;
    fake_time time;
    start_time(&ctx, &time, SECOND);
    ty_retry *retry = open_retry(&ctx, (ty_patience){.kind = TY_PATIENCE_ENDLESS, .backoff = 2});
    int tries = 0;
    while (atomic_load(&time.now_ns) < 601 * SECOND) {
        ty_retry_failed(&ctx, retry, ++tries, 0);
        assert_true(ty_retry_wait(&ctx, retry, tries));
    }
    /* Waits of at most a minute, and not a storm of them: each lasts half its bound on average. */
    assert_in_range(tries, 11, 80);
    ty_retry_close(retry);
}

static void waits_grow_to_a_minute_and_begin_anew_after_an_answer(void **state) {
    (void)state;
    ty_ctx ctx;
    fake_time time;
    start_time(&ctx, &time, 0);
    ty_retry *retry = open_retry(&ctx, (ty_patience){.kind = TY_PATIENCE_NONE, .backoff = 2});
    const int64_t now = atomic_load(&time.now_ns);
    int64_t longest = 0;
    for (int i = 0; i < 300; i++) {
        ty_retry_failed(&ctx, retry, 1, 0);
        const int64_t wait = ty_retry_next_ns(retry) - now;
        assert_in_range(wait, 0, 60 * SECOND);
        if (i == 0)
            assert_in_range(wait, 0, SECOND / 2);
        longest = wait > longest ? wait : longest;
    }
    assert_true(longest > 45 * SECOND);
    ty_retry_answered(retry);
    assert_int_equal(ty_retry_next_ns(retry), 0);
    ty_retry_failed(&ctx, retry, 1, 0);
    assert_in_range(ty_retry_next_ns(retry) - now, 0, SECOND / 2);
    ty_retry_close(retry);
}

static void a_bounded_patience_ends(void **state) {
    (void)state;
    ty_ctx ctx;
    fake_time time;
    start_time(&ctx, &time, SECOND);
    ty_retry *retry = open_retry(&ctx, (ty_patience){.max_retries = 3, .backoff = 2});
    for (int tries = 1; tries <= 3; tries++) {
        ty_retry_failed(&ctx, retry, tries, 0);
        assert_true(ty_retry_wait(&ctx, retry, tries));
    }
    ty_retry_failed(&ctx, retry, 4, 0);
    assert_false(ty_retry_wait(&ctx, retry, 4));
    ty_retry_close(retry);
}

static void what_the_server_asks_for_it_gets(void **state) {
    (void)state;
    ty_ctx ctx;
    fake_time time;
    start_time(&ctx, &time, 0);
    ty_retry *retry = open_retry(&ctx, (ty_patience){.kind = TY_PATIENCE_NONE, .backoff = 2});
    ty_retry_failed(&ctx, retry, 1, 90 * SECOND);
    assert_in_range(ty_retry_next_ns(retry) - SECOND, 90 * SECOND, 91 * SECOND);
    assert_int_equal(ty_retry_begin(&ctx, retry), TY_ERR_BUSY);
    assert_non_null(strstr(ctx.message, "not asked again before"));
    atomic_store(&time.now_ns, 100 * SECOND);
    assert_int_equal(ty_retry_begin(&ctx, retry), TY_OK);
    ty_retry_close(retry);
}

static void retry_after_is_seconds_or_a_date(void **state) {
    (void)state;
    const int64_t wall = INT64_C(784111770) * SECOND; /* 7 s before the date below */
    assert_int_equal(ty_retry_after_ns("120", wall), 120 * SECOND);
    assert_int_equal(ty_retry_after_ns("0", wall), 0);
    assert_int_equal(ty_retry_after_ns("Sun, 06 Nov 1994 08:49:37 GMT", wall), 7 * SECOND);
    assert_int_equal(ty_retry_after_ns("Sun, 06 Nov 1994 08:49:37 GMT", 2 * wall), 0);
    assert_int_equal(ty_retry_after_ns("999999999999", wall), 3600 * SECOND);
    assert_int_equal(ty_retry_after_ns("", wall), 0);
    assert_int_equal(ty_retry_after_ns("-5", wall), 0);
    assert_int_equal(ty_retry_after_ns("5 apples", wall), 5 * SECOND);
    assert_int_equal(ty_retry_after_ns("soon", wall), 0);
}

static void *set_deadline_soon(void *self) {
    (void)usleep(50000);
    ty_retry_set_deadline(self, 0);
    return NULL;
}

static void a_deadline_from_another_thread_ends_a_wait(void **state) {
    (void)state;
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    ty_retry *retry = open_retry(&ctx, (ty_patience){.kind = TY_PATIENCE_ENDLESS});
    pthread_t thread;
    ty_retry_failed(&ctx, retry, 1, 3600 * SECOND);
    assert_int_equal(pthread_create(&thread, NULL, set_deadline_soon, retry), 0);
    assert_false(ty_retry_wait(&ctx, retry, 1));
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(ty_retry_begin(&ctx, retry), TY_ERR_BUSY);
    ty_retry_set_deadline(retry, INT64_MAX);
    ty_retry_answered(retry);
    assert_int_equal(ty_retry_begin(&ctx, retry), TY_OK);
    ty_retry_close(retry);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variables_fill_what_is_not_said),
        cmocka_unit_test(an_endless_patience_outlasts_ten_minutes),
        cmocka_unit_test(waits_grow_to_a_minute_and_begin_anew_after_an_answer),
        cmocka_unit_test(a_bounded_patience_ends),
        cmocka_unit_test(what_the_server_asks_for_it_gets),
        cmocka_unit_test(retry_after_is_seconds_or_a_date),
        cmocka_unit_test(a_deadline_from_another_thread_ends_a_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
