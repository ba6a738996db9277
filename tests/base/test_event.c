/* Which observer's answer wins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/event.h"

typedef struct listener {
    ty_answer answer;
    const char *reason;
    int64_t heard_step;
} listener;

static ty_answer notify(void *self, const ty_event *event, const char **reason) {
    listener *l = self;
    l->heard_step = event->step;
    if (l->answer != TY_CONTINUE)
        *reason = l->reason;
    return l->answer;
}

enum { N_LISTENERS = 3 };

static ty_answer ask(listener listeners[N_LISTENERS], const char **reason) {
    ty_observer observers[N_LISTENERS];
    for (int i = 0; i < N_LISTENERS; i++)
        observers[i] = (ty_observer){.notify = notify, .self = &listeners[i]};
    const ty_event event = {.kind = TY_EVENT_EVAL, .step = 12, .eval = {.split = "val"}};
    return ty_observers_notify(&(ty_observers){.v = observers, .n = N_LISTENERS}, &event, reason);
}

static void every_observer_hears_although_the_first_says_stop(void **state) {
    (void)state;
    listener listeners[] = {{TY_STOP, "first", 0}, {TY_CONTINUE, NULL, 0}, {TY_PAUSE, "p", 0}};
    const char *reason = NULL;
    assert_int_equal(ask(listeners, &reason), TY_STOP);
    assert_string_equal(reason, "first");
    for (int i = 0; i < N_LISTENERS; i++)
        assert_int_equal(listeners[i].heard_step, 12);
}

static void stop_beats_pause(void **state) {
    (void)state;
    listener listeners[] = {{TY_PAUSE, "pause", 0}, {TY_STOP, "stop", 0}, {TY_PAUSE, "p", 0}};
    const char *reason = NULL;
    assert_int_equal(ask(listeners, &reason), TY_STOP);
    assert_string_equal(reason, "stop");
}

static void the_first_of_equal_answers_gives_the_reason(void **state) {
    (void)state;
    listener listeners[] = {{TY_CONTINUE, NULL, 0}, {TY_PAUSE, "one", 0}, {TY_PAUSE, "two", 0}};
    const char *reason = NULL;
    assert_int_equal(ask(listeners, &reason), TY_PAUSE);
    assert_string_equal(reason, "one");
}

static void nobody_listening_means_continue(void **state) {
    (void)state;
    const ty_event event = {.kind = TY_EVENT_STEP};
    const char *reason = "stale";
    assert_int_equal(ty_observers_notify(&(ty_observers){0}, &event, &reason), TY_CONTINUE);
    assert_null(reason);
}

typedef struct waiter {
    int rounds; /* until its word comes */
    ty_answer answer;
} waiter;

static bool waits(void *self, ty_answer *answer, const char **reason) {
    waiter *w = self;
    if (w->rounds-- > 0)
        return true;
    *answer = w->answer;
    *reason = "word";
    return false;
}

static void as_long_as_one_waits_all_wait_and_the_strongest_word_counts(void **state) {
    (void)state;
    listener deaf = {TY_STOP, "not asked", 0};
    waiter slow = {2, TY_PAUSE}, quick = {0, TY_CONTINUE};
    const ty_observer rows[] = {{.notify = notify, .self = &deaf},
                                {.notify = notify, .waits = waits, .self = &slow},
                                {.notify = notify, .waits = waits, .self = &quick}};
    const ty_observers observers = {.v = rows, .n = 3};
    const char *reason = "stale";
    ty_answer answer = TY_STOP;
    for (int round = 0; round < 2; round++) {
        assert_true(ty_observers_wait(&observers, &answer, &reason));
        assert_int_equal(answer, TY_CONTINUE);
        assert_null(reason);
    }
    assert_false(ty_observers_wait(&observers, &answer, &reason));
    assert_int_equal(answer, TY_PAUSE);
    assert_string_equal(reason, "word");
}

static void count_keep(ty_ctx *ctx, void *self) {
    (void)ctx;
    ++*(int *)self;
}

static void who_has_something_to_keep_is_asked_to(void **state) {
    (void)state;
    listener deaf = {TY_CONTINUE, NULL, 0};
    int kept = 0;
    const ty_observer rows[] = {{.notify = notify, .self = &deaf},
                                {.notify = notify, .keep = count_keep, .self = &kept}};
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    ty_observers_keep(&ctx, &(ty_observers){.v = rows, .n = 2});
    assert_int_equal(kept, 1);
    ty_ctx_clear(&ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_observer_hears_although_the_first_says_stop),
        cmocka_unit_test(stop_beats_pause),
        cmocka_unit_test(the_first_of_equal_answers_gives_the_reason),
        cmocka_unit_test(nobody_listening_means_continue),
        cmocka_unit_test(as_long_as_one_waits_all_wait_and_the_strongest_word_counts),
        cmocka_unit_test(who_has_something_to_keep_is_asked_to),
    };
    return cmocka_run_group_tests_name("base.event", tests, NULL, NULL);
}
