/* A study whose space is another one when it goes on: what was known and is still one of its points stays
 * known, what runs goes on as it is, and the sweep is the same whatever the number of workers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include <math.h>

#include "tests/hpo/study_case.h"

enum { FIRST = 12, MORE = 5 };

/* --- spaces ------------------------------------------------------------------------------------- */

/* A space of its own beside the fixture's, and the identity that says it. */
typedef struct other {
    ty_param params[MORE];
    ty_space space;
    json_t *choices;
    ty_text identity;
} other;

static void describe(const ty_space *space, const char *fixed, const char *rest, ty_text *out) {
    ty_text_clear(out);
    ty_text_add(out, "config 0123, {");
    ty_space_add_params(space, out);
    ty_text_addf(out, ",\"fixed\":%s,", fixed);
    ty_space_add_constraints(space, out);
    ty_text_addf(out, ",\"metric.name\":\"loss\"%s}", rest);
}

/* The fixture's, to be changed. */
static void open_other(study_case *f, other *o) {
    *o = (other){.space = {.params = o->params, .count = FIXTURE_DIMS},
                 .choices = json_pack("[s, s, s]", "a", "b", "c")};
    memcpy(o->params, f->hpo.params, sizeof f->hpo.params);
    for (size_t d = 0; d < FIXTURE_DIMS; d++)
        o->params[d].from = o->params[d].to = 0;
    describe(&f->hpo.space, "{}", "", &o->identity);
    f->hpo.options.identity = strdup(ty_text_string(&o->identity));
    assert_non_null(f->hpo.options.identity);
}

/* The study is opened with it from here on. */
static void use(study_case *f, other *o, const char *fixed) {
    study_case_ok(f, ty_space_seal(&f->ctx, &o->space));
    describe(&o->space, fixed, "", &o->identity);
    free((char *)(uintptr_t)f->hpo.options.identity);
    f->hpo.options.identity = strdup(ty_text_string(&o->identity));
    f->hpo.options.space = &o->space;
}

static void close_other(study_case *f, other *o) {
    free((char *)(uintptr_t)f->hpo.options.identity);
    json_decref(o->choices);
    ty_text_clear(&o->identity);
}

/* The first trials in the first space; then the study is opened with the other. */
static ty_study *go_on(study_case *f, other *o, const char *fixed) {
    f->hpo.options.max_trials = FIRST;
    ty_study *s = study_case_open(f);
    assert_true(study_case_run(f, s, 3, 5, 100000));
    ty_study_close(s);
    f->hpo.options.max_trials = 30;
    use(f, o, fixed);
    return study_case_open(f);
}

static size_t count_known(const ty_study *s) {
    size_t n = 0;
    for (size_t i = 0; i < ty_study_count(s); i++)
        n += ty_study_trial(s, i)->is_known;
    return n;
}

/* --- tests -------------------------------------------------------------------------------------- */

static void a_narrowed_range_leaves_out_what_lies_outside(void **state) {
    study_case *f = *state;
    other o;
    open_other(f, &o);
    o.params[0].low = 1e-3;
    ty_study *s = go_on(f, &o, "{}");
    assert_int_equal(ty_study_version(s)->number, 2);
    assert_int_equal(ty_study_version(s)->first_trial, FIRST);
    for (size_t i = 0; i < FIRST; i++) {
        const ty_trial *t = ty_study_trial(s, i);
        assert_int_equal(t->version->number, 1);
        assert_int_equal(t->is_known, t->asked[0] >= 1e-3);
        assert_true(t->is_known ? t->x[0] == t->asked[0] : isnan(t->x[0]));
        assert_true(t->x[1] == t->asked[1]);
    }
    assert_true(count_known(s) > 0 && count_known(s) < FIRST);
    assert_true(study_case_run(f, s, 2, 7, 100000));
    for (size_t i = FIRST; i < 30; i++) {
        assert_int_equal(ty_study_trial(s, i)->version->number, 2);
        assert_true(ty_study_trial(s, i)->asked[0] >= 1e-3);
    }
    ty_study_close(s);
    close_other(f, &o);
}

static void choices_keep_their_values_where_they_stand_elsewhere(void **state) {
    study_case *f = *state;
    static const double was[] = {1, NAN, 0}; /* a, b, c in [c, a, d] */
    other o;
    size_t seen[3] = {0};
    open_other(f, &o);
    json_decref(o.choices);
    o.choices = json_pack("[s, s, s]", "c", "a", "d");
    o.params[2].choices = o.choices;
    o.params[3].fallback = 0.5; /* momentum plays its part with "a" now, that had none */
    o.params[3].has_fallback = true;
    ty_study *s = go_on(f, &o, "{}");
    for (size_t i = 0; i < FIRST; i++) {
        const ty_trial *t = ty_study_trial(s, i);
        const size_t kind = (size_t)t->asked[2];
        assert_true(isnan(was[kind]) ? isnan(t->x[2]) : t->x[2] == was[kind]);
        assert_int_equal(t->is_known, !isnan(was[kind]));
        assert_true(kind == 0 ? t->x[3] == 0.5 : isnan(t->x[3]));
        seen[kind]++;
    }
    assert_true(seen[0] > 0 && seen[1] > 0 && seen[2] > 0);
    ty_study_close(s);
    close_other(f, &o);
}

static void a_new_parameter_is_known_by_its_default(void **state) {
    study_case *f = *state;
    other o;
    open_other(f, &o);
    o.space.count = MORE;
    o.params[4] = (ty_param){.name = "width", .prior = TY_PRIOR_UNIFORM, .low = 1, .high = 3};
    ty_study *s = go_on(f, &o, "{}");
    assert_int_equal(count_known(s), 0);
    ty_study_close(s);
    o.params[4].fallback = 2;
    o.params[4].has_fallback = true;
    use(f, &o, "{}");
    s = study_case_open(f);
    assert_int_equal(ty_study_version(s)->number, 3);
    assert_int_equal(count_known(s), FIRST);
    assert_true(ty_study_trial(s, 0)->x[4] == 2);
    ty_study_close(s);
    close_other(f, &o);
}

static void without_a_parameter_the_others_are_what_is_known(void **state) {
    study_case *f = *state;
    other o;
    open_other(f, &o);
    memmove(&o.params[0], &o.params[1], 3 * sizeof o.params[0]); /* layers, kind, momentum */
    const ty_clause clause = {.parent = 1, .accepted = &f->hpo.one, .accepted_count = 1};
    o.params[2].clauses = &clause;
    o.space.count = 3;
    ty_study *s = go_on(f, &o, "{}");
    assert_int_equal(count_known(s), FIRST);
    for (size_t i = 0; i < FIRST; i++) {
        const ty_trial *t = ty_study_trial(s, i);
        assert_true(t->x[0] == t->asked[1] && t->x[1] == t->asked[2]);
        assert_true(isnan(t->asked[3]) ? isnan(t->x[2]) : t->x[2] == t->asked[3]);
    }
    ty_study_close(s);
    close_other(f, &o);
}

static void a_constant_is_a_parameter_of_one_value(void **state) {
    study_case *f = *state;
    other o;
    open_other(f, &o);
    o.params[2] = o.params[1]; /* kind is a constant now, and momentum plays no part */
    o.params[1] = o.params[0];
    o.params[0] = o.params[2];
    o.space.count = 2;
    ty_study *s = go_on(f, &o, "{\"kind\": \"c\"}");
    for (size_t i = 0; i < FIRST; i++) {
        const ty_trial *t = ty_study_trial(s, i);
        assert_int_equal(t->is_known, t->asked[2] == 2);
        json_t *params = ty_trial_params(t);
        assert_int_equal(json_object_size(params), isnan(t->asked[3]) ? 3 : 4);
        json_decref(params);
    }
    ty_ask ask;
    study_case_ok(f, ty_study_ask(&f->ctx, s, "w", &ask));
    json_t *params = ty_trial_params(ask.trial);
    assert_string_equal(json_string_value(json_object_get(params, "kind")), "c");
    assert_int_equal(json_object_size(params), 3);
    json_decref(params);
    ty_study_close(s);
    close_other(f, &o);
}

static void a_constraint_leaves_out_what_it_rules_out(void **state) {
    study_case *f = *state;
    other o;
    ty_arena arena = {0};
    const ty_expression *small = NULL;
    open_other(f, &o);
    study_case_ok(f, ty_expression_parse(&f->ctx, "layers < 5", &o.space, &arena, &small));
    o.space.constraints = &small;
    o.space.constraint_count = 1;
    ty_study *s = go_on(f, &o, "{}");
    for (size_t i = 0; i < FIRST; i++)
        assert_int_equal(ty_study_trial(s, i)->is_known, ty_study_trial(s, i)->asked[1] < 5);
    assert_true(study_case_run(f, s, 1, 1, 100000));
    for (size_t i = FIRST; i < 30; i++)
        assert_true(ty_study_trial(s, i)->asked[1] < 5);
    ty_study_close(s);
    ty_arena_clear(&arena);
    close_other(f, &o);
}

/* --- bit for bit -------------------------------------------------------------------------------- */

static void narrow(other *o) {
    o->params[0].low = 1e-4;
    o->params[1].high = 6;
}

static void go_on_to_the_end(study_case *f, int workers, uint64_t delays, ty_text *out) {
    other o;
    open_other(f, &o);
    f->hpo.options.space = &f->hpo.space;
    f->hpo.options.max_trials = FIRST;
    ty_text first = {0};
    study_case_run_all(f, workers, delays, &first);
    f->hpo.options.max_trials = 30;
    narrow(&o);
    use(f, &o, "{}");
    study_case_run_all(f, workers, delays + 1, out);
    size_t decisions = 0;
    study_case_ok(f, ty_study_replay(&f->ctx, f->path, &f->hpo.options, NULL, NULL, &decisions));
    assert_true(decisions >= 30 + 30 * EPOCHS);
    ty_text_clear(&first);
    close_other(f, &o);
}

static void the_number_of_workers_changes_nothing_through_a_change(void **state) {
    study_case *f = *state;
    ty_text one = {0};
    go_on_to_the_end(f, 1, 1, &one);
    for (int workers = 2; workers <= MAX_WORKERS; workers *= 2) {
        ty_text many = {0};
        assert_int_equal(unlink(f->path), 0);
        go_on_to_the_end(f, workers, 3 + (uint64_t)workers, &many);
        assert_string_equal(ty_text_string(&one), ty_text_string(&many));
        ty_text_clear(&many);
    }
    ty_text_clear(&one);
}

static void in_order_of_telling_each_decision_is_derived_again(void **state) {
    study_case *f = *state;
    ty_text text = {0};
    f->hpo.options.order = TY_ORDER_REPLAY;
    go_on_to_the_end(f, 4, 9, &text);
    ty_text_clear(&text);
}

/* The change comes while trials run: these go on as they were asked for, and count. */
static void what_runs_goes_on_as_it_was_asked_for(void **state) {
    study_case *f = *state;
    other o;
    open_other(f, &o);
    ty_study *s = study_case_open(f);
    assert_false(study_case_run(f, s, 4, 2, 120));
    size_t running = 0;
    const size_t before = ty_study_count(s);
    double asked[MAX_TRIALS][FIXTURE_DIMS];
    for (size_t i = 0; i < before; i++) {
        running += ty_study_trial(s, i)->state == TY_TRIAL_RUNNING;
        memcpy(asked[i], ty_study_trial(s, i)->asked, sizeof asked[i]);
    }
    assert_true(running > 1);
    ty_study_close(s);
    narrow(&o);
    use(f, &o, "{}");
    s = study_case_open(f);
    for (size_t i = 0; i < running; i++) {
        ty_ask ask;
        study_case_ok(f, ty_study_ask(&f->ctx, s, "w", &ask));
        assert_true(ask.goes_on && ask.trial->number < before && ask.trial->version->number == 1);
        assert_memory_equal(ask.trial->asked, asked[ask.trial->number], sizeof asked[0]);
    }
    ty_study_close(s);
    ty_text text = {0};
    study_case_run_all(f, 4, 3, &text);
    size_t decisions = 0;
    study_case_ok(f, ty_study_replay(&f->ctx, f->path, &f->hpo.options, NULL, NULL, &decisions));
    ty_text_clear(&text);
    close_other(f, &o);
}

/* Killed anywhere, also round the change itself. */
static void cut_anywhere_it_is_the_same_sweep(void **state) {
    study_case *f = *state;
    ty_text whole = {0}, first = {0};
    struct stat st;
    other o;
    open_other(f, &o);
    f->hpo.options.max_trials = FIRST;
    study_case_run_all(f, 2, 3, &first);
    assert_int_equal(stat(f->path, &st), 0);
    const size_t from = (size_t)st.st_size;
    f->hpo.options.max_trials = 30;
    narrow(&o);
    use(f, &o, "{}");
    study_case_run_all(f, 2, 3, &whole);
    assert_int_equal(stat(f->path, &st), 0);
    ty_draws draws = ty_draws_open(13, TY_DRAW_PRIOR, 0, 0);
    for (int i = 0; i < 20; i++) {
        ty_text again = {0};
        const size_t at = from + ty_draw_below(&draws, (size_t)st.st_size - from);
        assert_int_equal(truncate(f->path, (off_t)at), 0);
        study_case_run_all(f, 2, 30 + (uint64_t)i, &again);
        assert_string_equal(ty_text_string(&whole), ty_text_string(&again));
        ty_text_clear(&again);
    }
    ty_text_clear(&whole);
    ty_text_clear(&first);
    close_other(f, &o);
}

/* --- what is no space --------------------------------------------------------------------------- */

static void another_metric_is_refused_in_one_line(void **state) {
    study_case *f = *state;
    ty_study *s = NULL;
    other o;
    open_other(f, &o);
    ty_study_close(study_case_open(f));
    o.params[0].low = 1e-3;
    study_case_ok(f, ty_space_seal(&f->ctx, &o.space));
    describe(&o.space, "{}", ",\"pruner.type\":\"none\"", &o.identity);
    ty_study_options options = f->hpo.options;
    options.identity = ty_text_string(&o.identity);
    assert_int_equal(ty_study_open(&f->ctx, f->path, &options, &s), TY_ERR_CONFIG);
    assert_non_null(strstr(f->ctx.message, "pruner.type was nothing and is \"none\" now"));
    assert_null(strchr(f->ctx.message, '\n'));
    options.identity = "config 0124, {}";
    assert_int_equal(ty_study_open(&f->ctx, f->path, &options, &s), TY_ERR_CONFIG);
    assert_non_null(strstr(f->ctx.message, "another identity"));
    close_other(f, &o);
}

/* The fixture's space, with another goal. */
static void turn(study_case *f, other *o) {
    describe(&f->hpo.space, "{}", ",\"metric.goal\":\"maximize\"", &o->identity);
    f->hpo.options.maximize = true;
}

static void a_sweep_without_a_result_may_be_measured_otherwise(void **state) {
    study_case *f = *state;
    ty_study *s = NULL;
    ty_ask ask;
    ty_decision decision;
    size_t decisions = 0;
    other o;
    open_other(f, &o);
    const char *first = f->hpo.options.identity;
    s = study_case_open(f);
    study_case_ok(f, ty_study_ask(&f->ctx, s, "w", &ask));
    ty_study_close(s);
    turn(f, &o);
    f->hpo.options.identity = ty_text_string(&o.identity);
    s = study_case_open(f);
    assert_int_equal(ty_study_version(s)->number, 1);
    study_case_ok(f, ty_study_ask(&f->ctx, s, "w", &ask));
    assert_true(ask.goes_on && ask.trial->number == 0);
    const ty_report report = {.step = 1, .resource = NAN, .value = 3};
    study_case_ok(f, ty_study_report(&f->ctx, s, 0, &report, &decision));
    assert_true(ask.trial->reported[0] == -3);
    ty_study_close(s);
    study_case_ok(f, ty_study_replay(&f->ctx, f->path, &f->hpo.options, NULL, NULL, &decisions));
    assert_int_equal(decisions, 2);
    f->hpo.options.identity = first;
    f->hpo.options.maximize = false;
    assert_int_equal(ty_study_open(&f->ctx, f->path, &f->hpo.options, &s), TY_ERR_CONFIG);
    assert_non_null(strstr(f->ctx.message, "metric.goal was \"maximize\" and is nothing now"));
    close_other(f, &o);
}

static ty_status refuse_change(ty_ctx *ctx, void *self) {
    ++*(int *)self;
    return ty_fail(ctx, TY_ERR_IO, "no room for it");
}

static void a_change_that_cannot_be_kept_did_not_happen(void **state) {
    study_case *f = *state;
    ty_study *s = NULL;
    struct stat before, after;
    int calls = 0;
    other o;
    open_other(f, &o);
    ty_study_close(study_case_open(f));
    assert_int_equal(stat(f->path, &before), 0);
    narrow(&o);
    use(f, &o, "{}");
    ty_study_options options = f->hpo.options;
    options.changes = refuse_change;
    options.changes_self = &calls;
    assert_int_equal(ty_study_open(&f->ctx, f->path, &options, &s), TY_ERR_IO);
    assert_int_equal(calls, 1);
    study_case_ok(f, ty_study_read(&f->ctx, f->path, &f->hpo.options, &s));
    assert_int_equal(ty_study_version(s)->number, 2); /* as it is looked at; not in the journal */
    ty_study_close(s);
    assert_int_equal(stat(f->path, &after), 0);
    assert_int_equal(after.st_size, before.st_size);
    close_other(f, &o);
}

static void a_written_space_reads_back_to_the_same(void **state) {
    study_case *f = *state;
    other o;
    ty_arena arena = {0};
    ty_space back;
    ty_text again = {0};
    open_other(f, &o);
    o.space.count = MORE;
    o.params[4] = (ty_param){.name = "noise",
                             .prior = TY_PRIOR_LOG_NORMAL,
                             .low = 0,
                             .high = INFINITY,
                             .mu = 0.1,
                             .sigma = 1.0 / 3,
                             .fallback = 0.7,
                             .has_fallback = true};
    use(f, &o, "{}");
    json_t *json = json_loads(strchr(f->hpo.options.identity, '{'), 0, NULL);
    study_case_ok(f, ty_space_from_json(&f->ctx, json, &arena, &back));
    describe(&back, "{}", "", &again);
    assert_string_equal(ty_text_string(&again), f->hpo.options.identity);
    for (size_t d = 0; d < MORE; d++) {
        assert_memory_equal(&back.params[d].z_low, &o.params[d].z_low, sizeof(double));
        assert_memory_equal(&back.params[d].z_high, &o.params[d].z_high, sizeof(double));
    }
    ty_text_clear(&again);
    json_decref(json);
    ty_arena_clear(&arena);
    close_other(f, &o);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, study_case_set_up, study_case_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_narrowed_range_leaves_out_what_lies_outside),
        TEST(choices_keep_their_values_where_they_stand_elsewhere),
        TEST(a_new_parameter_is_known_by_its_default),
        TEST(without_a_parameter_the_others_are_what_is_known),
        TEST(a_constant_is_a_parameter_of_one_value),
        TEST(a_constraint_leaves_out_what_it_rules_out),
        TEST(the_number_of_workers_changes_nothing_through_a_change),
        TEST(in_order_of_telling_each_decision_is_derived_again),
        TEST(what_runs_goes_on_as_it_was_asked_for),
        TEST(cut_anywhere_it_is_the_same_sweep),
        TEST(another_metric_is_refused_in_one_line),
        TEST(a_sweep_without_a_result_may_be_measured_otherwise),
        TEST(a_change_that_cannot_be_kept_did_not_happen),
        TEST(a_written_space_reads_back_to_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
