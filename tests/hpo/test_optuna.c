/* The journal that is written along for Optuna's readers: cut, replaced or behind, it ends as what the
 * study is. That Optuna reads it so is tests/interop/test_sweep_optuna.py's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <math.h>

#include "tests/hpo/hpo_fixture.h"
#include "tests/support/fault_io.h"
#include "tests/support/temp_folder.h"

enum { TRIALS = 12, REPORTS = 3 };

typedef struct fixture {
    ty_ctx ctx;
    ty_io io;
    hpo_fixture hpo;
    temp_folder folder;
    char path[2 * TEMP_FOLDER_BYTES], tee[2 * TEMP_FOLDER_BYTES];
    ty_study *study;
    ty_optuna_view view;
} fixture;

static void ok(fixture *f, ty_status st) {
    if (st != TY_OK)
        fail_msg("%s: %s", ty_status_name(st), f->ctx.message);
}

/* Nothing here is about power cuts, and thousands of files are written: a disk would have its time. */
static int sync_nothing(void *self, int fd) {
    (void)self, (void)fd;
    return 0;
}

static int set_up(void **state) {
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    ty_ctx_init(&f->ctx);
    f->io = *ty_io_posix();
    f->io.fsync = f->io.fdatasync = sync_nothing;
    f->ctx.io = &f->io;
    hpo_fixture_open(&f->ctx, &f->hpo);
    f->hpo.options.max_trials = TRIALS;
    f->folder = temp_folder_make();
    temp_folder_path(&f->folder, "sweep.journal", f->path);
    temp_folder_path(&f->folder, "optuna.journal", f->tee);
    ok(f, ty_study_open(&f->ctx, f->path, &f->hpo.options, &f->study));
    f->view = (ty_optuna_view){
        .study = f->study, .space = &f->hpo.space, .name = "fixture", .metric = "val/loss"};
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    fixture *f = *state;
    ty_study_close(f->study);
    temp_folder_remove(&f->folder);
    hpo_fixture_close(&f->hpo);
    ty_ctx_clear(&f->ctx);
    free(f);
    return 0;
}

/* One trial from its question to its end. */
static void run_trial(fixture *f, ty_trial_state end) {
    ty_ask ask;
    ty_decision decision;
    ok(f, ty_study_ask(&f->ctx, f->study, "w", &ask));
    assert_int_equal(ask.kind, TY_ASK_TRIAL);
    const size_t number = ask.trial->number;
    for (int i = 1; i <= REPORTS; i++) {
        const ty_report report = {
            .step = i, .resource = i, .value = hpo_fixture_loss(ask.trial->x) + 1.0 / i};
        ok(f, ty_study_report(&f->ctx, f->study, number, &report, &decision));
    }
    const ty_told told = {.state = end, .value = NAN, .reason = "as \"told\""};
    ok(f, ty_study_tell(&f->ctx, f->study, number, &told));
}

static void run_trials(fixture *f, int n) {
    for (int i = 0; i < n; i++)
        run_trial(f, i % 3 == 1 ? TY_TRIAL_PRUNED : TY_TRIAL_COMPLETE);
}

static ty_optuna_tee *open_tee(fixture *f) {
    ty_optuna_tee *tee = NULL;
    ok(f, ty_optuna_tee_open(&f->ctx, f->tee, &f->view, &tee));
    return tee;
}

/* The file as the tee leaves it when it is opened and closed; the caller's to free. */
static char *tee_again(fixture *f, size_t *bytes) {
    char *text = NULL;
    ty_optuna_tee_close(&f->ctx, open_tee(f));
    ok(f, ty_file_read_all(&f->ctx, f->tee, 1 << 20, &text, bytes));
    return text;
}

static void put(fixture *f, const char *text, size_t bytes) {
    ok(f, ty_file_write_atomic(&f->ctx, f->tee, text, bytes));
}

static void expect(fixture *f, const char *want) {
    size_t bytes = 0;
    char *text = tee_again(f, &bytes);
    assert_string_equal(text, want);
    free(text);
}

static void cut_anywhere_it_becomes_whole_again(void **state) {
    fixture *f = *state;
    size_t bytes = 0;
    run_trials(f, 4);
    char *whole = tee_again(f, &bytes);
    for (size_t cut = 0; cut <= bytes; cut++) {
        put(f, whole, cut);
        expect(f, whole);
    }
    free(whole);
}

static void written_trial_by_trial_it_is_what_it_is_at_once(void **state) {
    fixture *f = *state;
    size_t bytes = 0;
    ty_optuna_tee *tee = open_tee(f);
    for (int i = 0; i < TRIALS; i++) {
        run_trials(f, 1);
        ok(f, ty_optuna_tee_write(&f->ctx, tee));
    }
    ty_optuna_tee_close(&f->ctx, tee);
    char *along = tee_again(f, &bytes);
    ok(f, ty_file_unlink(&f->ctx, f->tee));
    expect(f, along);
    free(along);
}

static void expect_made_anew(fixture *f, const char *other) {
    size_t bytes = 0;
    ok(f, ty_file_unlink(&f->ctx, f->tee));
    char *whole = tee_again(f, &bytes);
    put(f, other, strlen(other));
    expect(f, whole);
    free(whole);
}

static void what_is_none_of_this_study_is_made_anew(void **state) {
    fixture *f = *state;
    run_trials(f, 2);
    expect_made_anew(f, "{\"op_code\":0,\"worker_id\":\"other\",\"study_name\":\"other\"}\n");
    expect_made_anew(f, "\n\n\n");
    expect_made_anew(f, "no journal");
}

/* A power cut takes reports from sweep.journal that were not synced; then the copy knows too much. */
static void what_knows_more_than_the_study_is_made_anew(void **state) {
    static const char *const beyond[] = {
        "{\"op_code\":4,\"worker_id\":\"tiltyard\",\"study_id\":0}\n",
        "{\"op_code\":4,\"worker_id\":\"other\",\"study_id\":0}\n",
        "{\"op_code\":7,\"worker_id\":\"tiltyard\",\"trial_id\":0,\"step\":9}\n",
        "{\"op_code\":7,\"worker_id\":\"tiltyard\",\"trial_id\":999999999,\"step\":9}\n",
        "{\"op_code\":6,\"worker_id\":\"tiltyard\",\"trial_id\":}\n",
        "{\"op_code\":1,\"worker_id\":\"other\",\"study_id\":0}\n",
        "{\"op_code\":}\n",
        "\n"};
    fixture *f = *state;
    size_t bytes = 0;
    run_trials(f, 2);
    char *whole = tee_again(f, &bytes);
    for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++) {
        ty_text more = {0};
        ty_text_addf(&more, "%s%s", whole, beyond[i]);
        put(f, more.data, more.length);
        expect(f, whole);
        ty_text_clear(&more);
    }
    free(whole);
}

static void lines_of_others_stay(void **state) {
    static const char note[] =
        "{\"op_code\":3,\"worker_id\":\"other\",\"study_id\":0,\"system_attr\":{\"note\":\"x\"}}\n";
    fixture *f = *state;
    size_t bytes = 0;
    run_trials(f, 2);
    char *before = tee_again(f, &bytes);
    ty_text more = {0};
    ty_text_addf(&more, "%s%s", before, note);
    put(f, more.data, more.length);
    run_trials(f, 1);
    char *after = tee_again(f, &bytes);
    assert_memory_equal(after, more.data, more.length);
    assert_true(bytes > more.length);
    ty_text_clear(&more);
    free(before);
    free(after);
}

/* The disk lets down the n-th operation, whole or half done; the next write makes it good. */
static bool fails_and_goes_on(fixture *f, fault_io *fault, fault_kind kind, long long n) {
    const ty_io *real = f->ctx.io;
    size_t bytes = 0;
    ok(f, ty_file_unlink(&f->ctx, f->tee));
    ty_optuna_tee *tee = open_tee(f);
    run_trials(f, 1);
    f->ctx.io = &fault->io;
    fault_io_arm(fault, kind, n, false);
    const bool has_failed = ty_optuna_tee_write(&f->ctx, tee) != TY_OK;
    f->ctx.io = real;
    ok(f, ty_optuna_tee_write(&f->ctx, tee));
    ty_optuna_tee_close(&f->ctx, tee);
    char *text = NULL;
    ok(f, ty_file_read_all(&f->ctx, f->tee, 1 << 20, &text, &bytes));
    expect(f, text);
    ok(f, ty_file_unlink(&f->ctx, f->tee));
    expect(f, text);
    free(text);
    return has_failed;
}

static void a_write_that_fails_is_made_good_by_the_next(void **state) {
    static const fault_kind kinds[] = {FAULT_EIO, FAULT_ENOSPC, FAULT_TORN};
    fixture *f = *state;
    fault_io fault;
    fault_io_init(&fault);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        assert_true(fails_and_goes_on(f, &fault, kinds[k], 1));
        assert_false(fails_and_goes_on(f, &fault, kinds[k], 100));
    }
}

/* --- importance --------------------------------------------------------------------------------- */

static void importance_of(fixture *f, double *out) {
    ok(f, ty_importance(&f->ctx, f->study, &f->hpo.space, false, out));
}

static void too_few_trials_say_nothing_of_importance(void **state) {
    fixture *f = *state;
    double weight[FIXTURE_DIMS] = {1, 1, 1, 1};
    run_trials(f, 1);
    importance_of(f, weight);
    for (int d = 0; d < FIXTURE_DIMS; d++)
        assert_true(weight[d] == 0);
}

static void what_the_loss_does_not_know_matters_least(void **state) {
    fixture *f = *state;
    double weight[FIXTURE_DIMS];
    ty_study_close(f->study);
    f->hpo.options.max_trials = 200;
    temp_folder_path(&f->folder, "more.journal", f->path);
    ok(f, ty_study_open(&f->ctx, f->path, &f->hpo.options, &f->study));
    for (int i = 0; i < 200; i++) {
        ty_ask ask;
        ok(f, ty_study_ask(&f->ctx, f->study, "w", &ask));
        const ty_told told = {.state = TY_TRIAL_COMPLETE,
                              .value = fabs(log10(ask.trial->x[0]) + 2)};
        ok(f, ty_study_tell(&f->ctx, f->study, ask.trial->number, &told));
    }
    importance_of(f, weight);
    for (int d = 1; d < FIXTURE_DIMS; d++) {
        assert_true(weight[d] >= 0);
        assert_true(weight[0] > weight[d]);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(cut_anywhere_it_becomes_whole_again),
        TEST(written_trial_by_trial_it_is_what_it_is_at_once),
        TEST(what_is_none_of_this_study_is_made_anew),
        TEST(what_knows_more_than_the_study_is_made_anew),
        TEST(lines_of_others_stay),
        TEST(a_write_that_fails_is_made_good_by_the_next),
        TEST(too_few_trials_say_nothing_of_importance),
        TEST(what_the_loss_does_not_know_matters_least),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
