/* What samplers learn of trials that fail: a configuration that cannot be, a loss that diverges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <math.h>

#include "tests/hpo/study_case.h"

enum { TRIALS = 60, LATE = 30 };

/* The loss falls towards a rate of 1e-2; from half of it on all fails. */
static bool fails(const double *x) {
    return x[0] > 5e-3;
}

static bool fails_always(const double *x) {
    (void)x;
    return true;
}

static void search_with(study_case *f, const char *sampler) {
    ty_doc_close(f->hpo.sampler_doc);
    f->hpo.sampler_doc = NULL;
    study_case_ok(f, ty_sampler_read_json(&f->ctx, sampler, &f->hpo.sampler_doc, &f->hpo.sampler));
    f->hpo.options.max_trials = TRIALS;
    f->hpo.options.window = 2;
    f->is_in_memory = true;
}

static bool tell(study_case *f, ty_study *s, size_t trial, bool (*is_failure)(const double *)) {
    const double *x = ty_study_trial(s, trial)->asked;
    const bool has_failed = is_failure(x);
    const ty_told told = {.state = has_failed ? TY_TRIAL_FAILED : TY_TRIAL_COMPLETE,
                          .value = has_failed ? NAN : hpo_fixture_loss(x),
                          .reason = ""};
    study_case_ok(f, ty_study_tell(&f->ctx, s, trial, &told));
    return has_failed;
}

/* Two trials are under way at any time. points [TRIALS][FIXTURE_DIMS] gets what was asked for; returns how
 * many of the last LATE trials failed. */
static size_t run(study_case *f, bool (*is_failure)(const double *), double *points) {
    ty_study *s = study_case_open(f);
    size_t failed = 0;
    for (size_t i = 0; i < TRIALS; i++) {
        ty_ask out;
        study_case_ok(f, ty_study_ask(&f->ctx, s, "w", &out));
        assert_int_equal(out.kind, TY_ASK_TRIAL);
        memcpy(points + i * FIXTURE_DIMS, out.trial->asked, FIXTURE_DIMS * sizeof *points);
        if (i > 0)
            failed += tell(f, s, i - 1, is_failure) && i > TRIALS - LATE;
    }
    failed += tell(f, s, TRIALS - 1, is_failure);
    ty_study_close(s);
    return failed;
}

static void models_leave_the_region_in_which_trials_fail(void **state) {
    static const char *const samplers[] = {
        "\"tpe\"", "{\"type\": \"tpe\", \"multivariate\": false}", "\"cma\"", "\"gp\"", "\"auto\""};
    study_case *f = *state;
    double points[TRIALS * FIXTURE_DIMS];
    for (size_t i = 0; i < sizeof samplers / sizeof *samplers; i++) {
        search_with(f, samplers[i]);
        const size_t failed = run(f, fails, points);
        if (failed > LATE / 2)
            fail_msg("%s: %zu of the last %d trials failed", samplers[i], failed, LATE);
    }
}

/* A model would take one of them for the best. */
static void while_all_fail_points_are_drawn_by_chance(void **state) {
    static const char *const samplers[] = {"\"tpe\"", "\"gp\"", "\"auto\""};
    study_case *f = *state;
    double chance[TRIALS * FIXTURE_DIMS], points[TRIALS * FIXTURE_DIMS];
    search_with(f, "\"random\"");
    (void)run(f, fails_always, chance);
    for (size_t i = 0; i < sizeof samplers / sizeof *samplers; i++) {
        search_with(f, samplers[i]);
        (void)run(f, fails_always, points);
        assert_memory_equal(points, chance, sizeof chance);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, study_case_set_up, study_case_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(models_leave_the_region_in_which_trials_fail),
        TEST(while_all_fail_points_are_drawn_by_chance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
