/* A trial's conversation with its sweep, whose side is played here: each report waits for its answer, and
 * the run is told to wait with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/sweep/trial.h"

enum { MOST = 8 };

typedef struct sweep_side {
    ty_ctx ctx;
    trial *t;
    ty_observer observer;
    bool is_deaf; /* nothing can be said to it */
    int64_t said[MOST];
    int n_said;
    trial_heard next; /* what is heard now */
    const char *answer;
} sweep_side;

static bool say(void *self, const char *text, size_t bytes) {
    sweep_side *s = self;
    json_t *line = json_loadb(text, bytes, 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(line, "trial")), 3);
    assert_in_range(s->n_said, 0, MOST - 1);
    s->said[s->n_said++] = json_integer_value(json_object_get(line, "step"));
    json_decref(line);
    return !s->is_deaf;
}

static trial_heard hear(void *self, const char **text) {
    sweep_side *s = self;
    *text = s->answer;
    return s->next;
}

static int set_up(void **state) {
    sweep_side *s = calloc(1, sizeof *s);
    assert_non_null(s);
    ty_ctx_init(&s->ctx);
    const trial_line way = {.say = say, .hear = hear, .self = s};
    assert_int_equal(trial_open_on(&s->ctx, 3, &way, &s->t), TY_OK);
    s->observer = trial_observer(s->t);
    *state = s;
    return 0;
}

static int tear_down(void **state) {
    sweep_side *s = *state;
    trial_close(s->t);
    ty_ctx_clear(&s->ctx);
    free(s);
    return 0;
}

static ty_answer tell(sweep_side *s, ty_event event) {
    const char *reason = NULL;
    return s->observer.notify(s->observer.self, &event, &reason);
}

/* A run of 10 samples a step and 100 an epoch, which has just evaluated. */
static void evaluate(sweep_side *s, int64_t step) {
    assert_int_equal(
        tell(s, (ty_event){.kind = TY_EVENT_START,
                           .start = {.samples_per_epoch = 100, .samples_per_step = 10}}),
        TY_CONTINUE);
    (void)tell(s, (ty_event){.kind = TY_EVENT_METRIC,
                             .step = step,
                             .metric = {.key = "val/loss", .value = 0.5}});
    (void)tell(s, (ty_event){.kind = TY_EVENT_EVAL, .step = step, .eval = {.split = "val"}});
}

static bool still_waits(sweep_side *s, trial_heard heard, const char *text, ty_answer *answer,
                        const char **reason) {
    s->next = heard;
    s->answer = text;
    return s->observer.waits(s->observer.self, answer, reason);
}

static void a_report_is_said_once_and_the_run_waits_for_its_answer(void **state) {
    sweep_side *s = *state;
    ty_answer answer = TY_STOP;
    const char *reason = NULL;
    evaluate(s, 20);
    for (int i = 0; i < 5; i++)
        assert_true(still_waits(s, TRIAL_HEARD_NOTHING, NULL, &answer, &reason));
    assert_int_equal(s->n_said, 1);
    assert_int_equal(s->said[0], 20);
    assert_false(still_waits(s, TRIAL_HEARD_WORD, "{\"answer\": \"continue\"}", &answer, &reason));
    assert_int_equal(answer, TY_CONTINUE);
    assert_false(still_waits(s, TRIAL_HEARD_NOTHING, NULL, &answer, &reason));
}

static void the_answer_is_the_runs_and_nothing_is_said_after_it(void **state) {
    sweep_side *s = *state;
    ty_answer answer = TY_CONTINUE;
    const char *reason = NULL;
    evaluate(s, 20);
    assert_true(still_waits(s, TRIAL_HEARD_NOTHING, NULL, &answer, &reason));
    assert_false(still_waits(s, TRIAL_HEARD_WORD, "{\"answer\": \"stop\", \"reason\": \"behind\"}",
                             &answer, &reason));
    assert_int_equal(answer, TY_STOP);
    assert_string_equal(reason, "behind");
    assert_int_equal(tell(s, (ty_event){.kind = TY_EVENT_EVAL, .step = 40}), TY_STOP);
    assert_int_equal(s->n_said, 1);
}

static void two_reports_are_said_one_after_the_others_answer(void **state) {
    sweep_side *s = *state;
    ty_answer answer = TY_CONTINUE;
    const char *reason = NULL;
    evaluate(s, 20);
    (void)tell(s, (ty_event){.kind = TY_EVENT_EVAL, .step = 40});
    assert_int_equal(s->n_said, 1);
    assert_true(still_waits(s, TRIAL_HEARD_WORD, "{\"answer\": \"continue\"}", &answer, &reason));
    assert_int_equal(s->n_said, 2);
    assert_int_equal(s->said[1], 40);
    assert_false(still_waits(s, TRIAL_HEARD_WORD, "{\"answer\": \"pause\"}", &answer, &reason));
    assert_int_equal(answer, TY_PAUSE);
}

static void a_sweep_that_is_gone_pauses_the_run(void **state) {
    sweep_side *s = *state;
    ty_answer answer = TY_CONTINUE;
    const char *reason = NULL;
    evaluate(s, 20);
    assert_false(still_waits(s, TRIAL_HEARD_END, NULL, &answer, &reason));
    assert_int_equal(answer, TY_PAUSE);
    assert_string_equal(reason, "the sweep is gone");
}

static void a_sweep_that_hears_nothing_is_not_waited_for(void **state) {
    sweep_side *s = *state;
    ty_answer answer = TY_CONTINUE;
    const char *reason = NULL;
    s->is_deaf = true;
    evaluate(s, 20);
    assert_false(still_waits(s, TRIAL_HEARD_NOTHING, NULL, &answer, &reason));
    assert_int_equal(answer, TY_PAUSE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_report_is_said_once_and_the_run_waits_for_its_answer,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_answer_is_the_runs_and_nothing_is_said_after_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(two_reports_are_said_one_after_the_others_answer, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_sweep_that_is_gone_pauses_the_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_sweep_that_hears_nothing_is_not_waited_for, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests_name("cli.trial", tests, NULL, NULL);
}
