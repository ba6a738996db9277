/* Points that are tried first: whole or in part, over openings, kills and changes of the space. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <unistd.h>

#include <math.h>

#include "hpo/space/expression.h"
#include "tests/hpo/study_case.h"

static json_t *parse(const char *text) {
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    return json;
}

static void enqueue(study_case *f, ty_study *s, const char *text) {
    json_t *point = parse(text);
    study_case_ok(f, ty_study_enqueue(&f->ctx, s, point));
    json_decref(point);
}

static const ty_trial *ask(study_case *f, ty_study *s) {
    ty_ask out;
    study_case_ok(f, ty_study_ask(&f->ctx, s, "w", &out));
    assert_int_equal(out.kind, TY_ASK_TRIAL);
    return out.trial;
}

static void what_is_not_given_is_chosen(void **state) {
    study_case *f = *state;
    ty_study *s = study_case_open(f);
    enqueue(f, s, "{\"layers\": 3}");
    enqueue(f, s, "{\"momentum\": 0.25}");
    enqueue(f, s, "{\"kind\": \"b\", \"rate\": null}");
    enqueue(f, s, "{}");
    assert_int_equal(ty_study_queued(s), 4);
    const ty_trial *t = ask(f, s);
    assert_true(t->x[1] == 3 && t->x[0] > 0);
    t = ask(f, s); /* which only "b" has */
    assert_true(t->x[3] == 0.25 && t->x[2] == 1);
    t = ask(f, s);
    assert_true(t->x[2] == 1 && t->x[3] >= 0 && t->x[0] > 0);
    (void)ask(f, s);
    assert_int_equal(ty_study_queued(s), 0);
    ty_study_close(s);
}

static void what_is_no_point_is_refused(void **state) {
    static const struct {
        const char *point, *words;
    } cases[] = {
        {"{\"layer\": 3}", "did you mean \"layers\"?"},
        {"{\"layers\": 9}", "layers is never 9"},
        {"{\"kind\": \"d\"}", "kind is never \"d\""},
        {"{\"kind\": \"a\", \"momentum\": 0.5}", "no trial can have these values together"},
    };
    study_case *f = *state;
    ty_study *s = study_case_open(f);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *point = parse(cases[i].point);
        assert_int_equal(ty_study_enqueue(&f->ctx, s, point), TY_ERR_CONFIG);
        if (!strstr(f->ctx.message, cases[i].words))
            fail_msg("%s: %s", cases[i].point, f->ctx.message);
        json_decref(point);
    }
    assert_int_equal(ty_study_queued(s), 0);
    ty_study_close(s);
}

/* The least rate that the first draws of a point have: a constraint that leaves just that. */
static double least_of_first_draws(const ty_param *rate) {
    double least = INFINITY;
    for (uint32_t attempt = 0; attempt < TY_SAMPLER_ATTEMPTS; attempt++) {
        ty_draws draws = ty_draws_open(0, TY_DRAW_COMPLETE, 0, attempt);
        least = fmin(least, ty_param_quantile(rate, ty_draw_open(&draws)));
    }
    return least;
}

/* What was taken is a point of the space, however seldom other draws find it: one trial in three would
 * miss it. */
static void a_point_that_was_taken_is_tried_whatever_the_constraints_leave(void **state) {
    study_case *f = *state;
    char text[64];
    ty_arena arena = {0};
    const ty_expression *constraint = NULL;
    size_t by_first_draws = 0;
    const double least = least_of_first_draws(&f->hpo.params[0]);
    (void)snprintf(text, sizeof text, "rate <= %.17g", least);
    study_case_ok(f, ty_expression_parse(&f->ctx, text, &f->hpo.space, &arena, &constraint));
    f->hpo.space.constraints = &constraint;
    f->hpo.space.constraint_count = 1;
    ty_study *s = study_case_open(f);
    for (size_t i = 0; i < 8; i++)
        enqueue(f, s, "{\"layers\": 3}");
    for (size_t i = 0; i < 8; i++) {
        const ty_trial *t = ask(f, s);
        assert_true(t->x[0] <= least && t->x[1] == 3);
        by_first_draws += t->x[0] == least;
    }
    assert_true(by_first_draws > 0);
    ty_study_close(s);
    ty_arena_clear(&arena);
}

/* With a list in the options, as a sweep file has one. */
static void each_is_tried_once_over_all_openings_and_workers(void **state) {
    study_case *f = *state;
    ty_text one = {0};
    json_t *points = parse("[{\"layers\": 3, \"kind\": \"b\"}, {\"rate\": 0.01}, {\"layers\": 7}]");
    f->hpo.options.points = points;
    study_case_run_all(f, 1, 1, &one);
    for (int workers = 2; workers <= MAX_WORKERS; workers *= 2) {
        ty_text many = {0};
        bool is_done = false;
        uint64_t sittings = 0;
        assert_int_equal(unlink(f->path), 0);
        while (!is_done) {
            ty_study *s = study_case_open(f);
            is_done = study_case_run(f, s, workers, ++sittings, 100);
            if (is_done)
                study_case_describe(s, &many);
            ty_study_close(s);
        }
        assert_true(sittings > 2);
        assert_string_equal(ty_text_string(&one), ty_text_string(&many));
        ty_text_clear(&many);
    }
    size_t decisions = 0;
    study_case_ok(f, ty_study_replay(&f->ctx, f->path, &f->hpo.options, NULL, NULL, &decisions));
    assert_true(decisions >= 30 + 30 * EPOCHS);
    ty_text_clear(&one);
    json_decref(points);
}

static void a_point_that_the_space_has_no_more_is_passed_over(void **state) {
    study_case *f = *state;
    ty_text identity = {0};
    ty_text_add(&identity, "{");
    ty_space_add_params(&f->hpo.space, &identity);
    ty_text_add(&identity, "}");
    f->hpo.options.identity = ty_text_string(&identity);
    ty_study *s = study_case_open(f);
    enqueue(f, s, "{\"layers\": 7}");
    enqueue(f, s, "{\"layers\": 2}");
    ty_study_close(s);
    ty_text narrow = {0};
    f->hpo.params[1].high = 4;
    f->hpo.params[1].from = f->hpo.params[1].to = 0;
    study_case_ok(f, ty_space_seal(&f->ctx, &f->hpo.space));
    ty_text_add(&narrow, "{");
    ty_space_add_params(&f->hpo.space, &narrow);
    ty_text_add(&narrow, "}");
    f->hpo.options.identity = ty_text_string(&narrow);
    s = study_case_open(f);
    assert_true(ask(f, s)->x[1] == 2);
    assert_int_equal(ty_study_queued(s), 0);
    ty_study_close(s);
    ty_text_clear(&identity);
    ty_text_clear(&narrow);
}

/* --- a sampler with an end ---------------------------------------------------------------------- */

enum { WIDTHS = 3, KINDS = 2 };

static void grid_space(study_case *f, ty_param *params, json_t *kinds, ty_space *space,
                       ty_text *identity) {
    params[0] = (ty_param){
        .name = "width", .prior = TY_PRIOR_UNIFORM, .is_int = true, .low = 1, .high = WIDTHS};
    params[1] = (ty_param){.name = "kind",
                           .prior = TY_PRIOR_CHOICE,
                           .choices = kinds,
                           .choice_count = json_array_size(kinds)};
    *space = (ty_space){.params = params, .count = 2};
    study_case_ok(f, ty_space_seal(&f->ctx, space));
    ty_text_clear(identity);
    ty_text_add(identity, "{");
    ty_space_add_params(space, identity);
    ty_text_add(identity, "}");
    f->hpo.options.space = space;
    f->hpo.options.identity = ty_text_string(identity);
}

static void try_all(study_case *f, ty_study *s) {
    ty_ask out;
    study_case_ok(f, ty_study_ask(&f->ctx, s, "w", &out));
    while (out.kind == TY_ASK_TRIAL) {
        study_case_ok(f, ty_study_tell(&f->ctx, s, out.trial->number,
                                       &(ty_told){.state = TY_TRIAL_COMPLETE, .value = 1}));
        study_case_ok(f, ty_study_ask(&f->ctx, s, "w", &out));
    }
    assert_int_equal(out.kind, TY_ASK_DONE);
}

static void a_grid_has_each_combination_once_whatever_came_before(void **state) {
    study_case *f = *state;
    ty_param params[2];
    ty_space space;
    ty_text identity = {0};
    ty_doc *doc = NULL;
    bool has[WIDTHS + 1][KINDS + 1] = {{false}};
    json_t *kinds = parse("[\"a\", \"b\"]"), *more = parse("[\"c\", \"b\", \"a\"]");
    study_case_ok(f, ty_sampler_read_json(&f->ctx, "\"grid\"", &doc, &f->hpo.sampler));
    grid_space(f, params, kinds, &space, &identity);
    f->hpo.options.window = 1;
    ty_study *s = study_case_open(f);
    enqueue(f, s, "{\"width\": 2, \"kind\": \"b\"}");
    try_all(f, s);
    assert_int_equal(ty_study_count(s), WIDTHS * KINDS);
    ty_study_close(s);
    grid_space(f, params, more, &space, &identity);
    s = study_case_open(f);
    try_all(f, s);
    assert_int_equal(ty_study_count(s), WIDTHS * (KINDS + 1));
    for (size_t i = 0; i < ty_study_count(s); i++) {
        bool *seen = &has[(size_t)ty_study_trial(s, i)->x[0]][(size_t)ty_study_trial(s, i)->x[1]];
        assert_false(*seen);
        *seen = true;
    }
    ty_study_close(s);
    size_t decisions = 0;
    study_case_ok(f, ty_study_replay(&f->ctx, f->path, &f->hpo.options, NULL, NULL, &decisions));
    ty_doc_close(doc);
    json_decref(kinds);
    json_decref(more);
    ty_text_clear(&identity);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, study_case_set_up, study_case_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_is_not_given_is_chosen),
        TEST(what_is_no_point_is_refused),
        TEST(a_point_that_was_taken_is_tried_whatever_the_constraints_leave),
        TEST(each_is_tried_once_over_all_openings_and_workers),
        TEST(a_point_that_the_space_has_no_more_is_passed_over),
        TEST(a_grid_has_each_combination_once_whatever_came_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
