/* What a study costs the disk: one sync where a trial is given out and one where its end is told, and no
 * more where each of the two is a process of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/hpo/study_case.h"

/* The real file system, with its syncs counted. */
typedef struct counting_io {
    ty_io io; /* for ctx->io */
    int syncs;
} counting_io;

static int counted_fsync(void *self, int fd) {
    ((counting_io *)self)->syncs++;
    return ty_io_posix()->fsync(NULL, fd);
}

static int counted_fdatasync(void *self, int fd) {
    ((counting_io *)self)->syncs++;
    return ty_io_posix()->fdatasync(NULL, fd);
}

static void count_syncs(study_case *f, counting_io *counting) {
    counting->io = *ty_io_posix();
    counting->io.fsync = counted_fsync;
    counting->io.fdatasync = counted_fdatasync;
    counting->io.self = counting;
    counting->syncs = 0;
    f->ctx.io = &counting->io;
}

static size_t ask(study_case *f, ty_study *s) {
    ty_ask given;
    study_case_ok(f, ty_study_ask(&f->ctx, s, "w", &given));
    assert_int_equal(given.kind, TY_ASK_TRIAL);
    return given.trial->number;
}

static void tell(study_case *f, ty_study *s, size_t trial) {
    const ty_told end = {.state = TY_TRIAL_COMPLETE,
                         .value = hpo_fixture_loss(ty_study_trial(s, trial)->x)};
    study_case_ok(f, ty_study_tell(&f->ctx, s, trial, &end));
}

static void report(study_case *f, ty_study *s, size_t trial, int epoch) {
    const ty_report said = {.step = epoch, .resource = epoch, .value = 1.0 / epoch};
    ty_decision verdict;
    study_case_ok(f, ty_study_report(&f->ctx, s, trial, &said, &verdict));
}

enum { TRIALS = 10 };

static void a_trial_with_reports_costs_two_syncs(void **state) {
    study_case *f = *state;
    counting_io counting;
    f->hpo.options.max_trials = TRIALS;
    count_syncs(f, &counting);
    ty_study *s = study_case_open(f);
    const int opened = counting.syncs;
    for (int i = 0; i < TRIALS; i++) {
        const size_t trial = ask(f, s);
        for (int epoch = 1; epoch <= 3; epoch++)
            report(f, s, trial, epoch);
        tell(f, s, trial);
    }
    ty_study_close(s);
    assert_int_equal(counting.syncs - opened, 2 * TRIALS);
}

static void a_trial_between_two_processes_costs_two_syncs(void **state) {
    study_case *f = *state;
    counting_io counting;
    f->hpo.options.max_trials = TRIALS;
    ty_study_close(study_case_open(f));
    count_syncs(f, &counting);
    for (int i = 0; i < TRIALS; i++) {
        ty_study *s = study_case_open(f);
        const size_t trial = ask(f, s);
        ty_study_close(s);
        s = study_case_open(f);
        tell(f, s, trial);
        ty_study_close(s);
    }
    assert_int_equal(counting.syncs, 2 * TRIALS);
}

static void opening_again_leaves_its_sync_to_the_first_promise(void **state) {
    study_case *f = *state;
    counting_io counting;
    f->hpo.options.max_trials = TRIALS;
    ty_study *s = study_case_open(f);
    report(f, s, ask(f, s), 1); /* not synced until the end is told */
    ty_study_close(s);
    count_syncs(f, &counting);
    s = study_case_open(f);
    assert_int_equal(counting.syncs, 0);
    (void)ask(f, s);
    assert_int_equal(counting.syncs, 1);
    ty_study_close(s);
    assert_int_equal(counting.syncs, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_trial_with_reports_costs_two_syncs, study_case_set_up,
                                        study_case_tear_down),
        cmocka_unit_test_setup_teardown(a_trial_between_two_processes_costs_two_syncs,
                                        study_case_set_up, study_case_tear_down),
        cmocka_unit_test_setup_teardown(opening_again_leaves_its_sync_to_the_first_promise,
                                        study_case_set_up, study_case_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
