/* Workers that were given up and speak all the same: what they say counts until their trial is another's,
 * whatever is killed in between. Time is the tests' own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <math.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hpo/study/study_private.h"
#include "tests/hpo/study_case.h"
#include "tests/support/fault_io.h"

enum { LEASE_S = 10 };
static const int64_t second_ns = 1000000000;

typedef struct late {
    study_case *f;
    ty_clock clock;
    int64_t now_ns;
    size_t superseded, given_back; /* words of stragglers */
} late;

static int64_t hand_of_clock(void *self) {
    return ((const late *)self)->now_ns;
}

static int set_up(void **state) {
    late *l = calloc(1, sizeof *l);
    void *f = NULL;
    assert_non_null(l);
    (void)study_case_set_up(&f);
    l->f = f;
    l->now_ns = second_ns;
    l->clock = (ty_clock){
        .wall_ns = hand_of_clock, .monotonic_ns = l->f->ctx.clock->monotonic_ns, .self = l};
    l->f->hpo.options.lease_s = LEASE_S;
    l->f->ctx.clock = &l->clock;
    *state = l;
    return 0;
}

static int tear_down(void **state) {
    late *l = *state;
    void *f = l->f;
    free(l);
    return study_case_tear_down(&f);
}

static size_t ask(late *l, ty_study *s, const char *worker) {
    ty_ask out;
    study_case_ok(l->f, ty_study_ask(&l->f->ctx, s, worker, &out));
    assert_int_equal(out.kind, TY_ASK_TRIAL);
    return out.trial->number;
}

static ty_status try_report(late *l, ty_study *s, size_t trial, double step, const char *worker) {
    const ty_report report = {.step = step, .resource = step, .value = 1 / step, .worker = worker};
    ty_decision verdict;
    return ty_study_report(&l->f->ctx, s, trial, &report, &verdict);
}

static void report(late *l, ty_study *s, size_t trial, double step, const char *worker) {
    study_case_ok(l->f, try_report(l, s, trial, step, worker));
}

static void tell(late *l, ty_study *s, size_t trial, double value, const char *worker) {
    const ty_told told = {.state = TY_TRIAL_COMPLETE, .value = value, .worker = worker};
    study_case_ok(l->f, ty_study_tell(&l->f->ctx, s, trial, &told));
}

/* --- one late word ------------------------------------------------------------------------------ */

/* Given up where the study is opened by another process, as `sweep tell` is one. */
static void a_late_tell_of_a_lost_trial_counts_and_it_is_not_asked_again(void **state) {
    late *l = *state;
    ty_study *s = study_case_open(l->f);
    assert_int_equal(ask(l, s, "a"), 0);
    l->now_ns += 2 * LEASE_S * second_ns;
    ty_study_close(s);
    s = study_case_open(l->f);
    assert_true(ty_study_trial(s, 0)->is_lost);
    assert_false(ty_study_is_superseded(s, 0, "a"));
    tell(l, s, 0, 0.5, "a");
    assert_int_equal(ty_study_trial(s, 0)->state, TY_TRIAL_COMPLETE);
    assert_true(ty_study_trial(s, 0)->value == 0.5 && !ty_study_trial(s, 0)->is_lost);
    assert_int_equal(ask(l, s, "b"), 1);
    ty_study_close(s);
}

static void a_late_word_of_a_trial_that_was_given_on_changes_nothing(void **state) {
    late *l = *state;
    ty_study *s = study_case_open(l->f);
    assert_int_equal(ask(l, s, "a"), 0);
    l->now_ns += 2 * LEASE_S * second_ns;
    assert_int_equal(ask(l, s, "b"), 0);
    assert_true(ty_study_is_superseded(s, 0, "a"));
    assert_false(ty_study_is_superseded(s, 0, "b"));
    tell(l, s, 0, 0.1, "a");
    assert_int_equal(try_report(l, s, 0, 1, "a"), TY_ERR_ARG);
    assert_non_null(strstr(l->f->ctx.message, "is worker b's"));
    assert_int_equal(ty_study_trial(s, 0)->state, TY_TRIAL_RUNNING);
    assert_int_equal(ty_study_trial(s, 0)->reports, 0);
    report(l, s, 0, 1, "b");
    tell(l, s, 0, 0.5, "b");
    assert_true(ty_study_is_superseded(s, 0, "a") && ty_study_is_superseded(s, 0, "b"));
    tell(l, s, 0, 0.1, "a");
    assert_true(ty_study_trial(s, 0)->value == 0.5);
    ty_study_close(s);
}

/* Of two that were given up, whoever speaks first has it. */
static void a_late_report_gives_a_lost_trial_back(void **state) {
    late *l = *state;
    ty_study *s = study_case_open(l->f);
    assert_int_equal(ask(l, s, "a"), 0);
    report(l, s, 0, 1, "a");
    l->now_ns += 2 * LEASE_S * second_ns;
    assert_int_equal(ask(l, s, "b"), 0);
    l->now_ns += 2 * LEASE_S * second_ns;
    ty_study_close(s);
    s = study_case_open(l->f);
    assert_true(ty_study_trial(s, 0)->is_lost);
    report(l, s, 0, 2, "a");
    assert_false(ty_study_trial(s, 0)->is_lost);
    assert_string_equal(ty_study_trial(s, 0)->worker, "a");
    assert_true(ty_study_is_superseded(s, 0, "b"));
    l->now_ns += (LEASE_S - 1) * second_ns;
    assert_int_equal(ask(l, s, "b"), 1);
    l->now_ns += 2 * second_ns;
    assert_int_equal(ask(l, s, "b"), 0); /* the lease that it began has run out, too */
    ty_study_close(s);
}

static void a_step_that_was_reported_before_begins_the_lease_again(void **state) {
    late *l = *state;
    ty_study *s = study_case_open(l->f);
    assert_int_equal(ask(l, s, "a"), 0);
    for (size_t next = 1; next <= 3; next++) {
        report(l, s, 0, 1, NULL);
        l->now_ns += (LEASE_S - 1) * second_ns;
        assert_int_equal(ask(l, s, "b"), next);
        tell(l, s, next, 1, "b");
    }
    assert_int_equal(ty_study_trial(s, 0)->reports, 1);
    assert_string_equal(ty_study_trial(s, 0)->worker, "a");
    l->now_ns += 2 * second_ns;
    assert_int_equal(ask(l, s, "b"), 0);
    ty_study_close(s);
}

/* Names are kept as what JSON can hold of them. */
static void a_worker_of_any_name_is_known_again(void **state) {
    late *l = *state;
    ty_study *s = study_case_open(l->f);
    assert_int_equal(ask(l, s, "caf\xe9"), 0);
    assert_false(ty_study_is_superseded(s, 0, "caf\xe9"));
    assert_true(ty_study_is_superseded(s, 0, "cafe"));
    ty_study_close(s);
}

/* Before there was a word for it, a report left a lost trial to be given on. */
static void a_journal_in_which_a_report_gave_nothing_back_is_read(void **state) {
    static const struct {
        record_type type;
        const char *json;
    } records[] = {
        {RECORD_ASK,
         "{\"leg\":0,\"trial\":0,\"origin\":0,\"worker\":\"a\",\"x\":[0.01,3,0,null],\"seen\":0,"
         "\"expires_ns\":5}"},
        {RECORD_LOSE, "{\"trial\":0,\"counts\":false,\"reason\":\"\"}"},
        {RECORD_REPORT, "{\"trial\":0,\"step\":1.0,\"resource\":1.0,\"value\":1.0,\"answer\":0,"
                        "\"reason\":\"\",\"expires_ns\":9}"},
        {RECORD_ASK, "{\"leg\":1,\"trial\":0,\"origin\":3,\"worker\":\"b\",\"x\":null,\"seen\":0,"
                     "\"expires_ns\":50}"},
        {RECORD_TELL, "{\"trial\":0,\"state\":1,\"value\":1.0,\"violation\":0.0,\"reason\":\"\"}"},
    };
    late *l = *state;
    l->f->is_in_memory = true;
    ty_study *s = study_case_open(l->f);
    for (size_t i = 0; i < sizeof records / sizeof *records; i++)
        study_case_ok(l->f, study_fold(&l->f->ctx, s, records[i].type, records[i].json,
                                       strlen(records[i].json)));
    assert_int_equal(ty_study_trial(s, 0)->state, TY_TRIAL_COMPLETE);
    assert_string_equal(ty_study_trial(s, 0)->worker, "b");
    ty_study_close(s);
}

/* --- many of them ------------------------------------------------------------------------------- */

enum { WORKERS = 4 };
static const char *const names[WORKERS] = {"a", "b", "c", "d"};

/* A worker as it sees itself: nobody tells it that it was given up. */
typedef struct straggler {
    bool is_busy;
    size_t trial;
    int epoch;
} straggler;

/* What the study holds against what its workers were promised. */
typedef struct promised {
    atomic_size_t asked;
    _Atomic double told[MAX_TRIALS]; /* the value that counts; 0: none yet */
} promised;

static double value_of(const straggler *w, int at) {
    return 1 + (double)w->trial + at / 10.0; /* says whose it is */
}

static void finish(late *l, ty_study *s, straggler *w, int at, promised *seen) {
    const bool is_late = ty_study_is_superseded(s, w->trial, names[at]);
    l->superseded += is_late;
    tell(l, s, w->trial, value_of(w, at), names[at]);
    if (!is_late)
        atomic_store(&seen->told[w->trial], value_of(w, at));
    w->is_busy = false;
}

static void take(late *l, ty_study *s, straggler *w, int at, promised *seen) {
    ty_ask out;
    study_case_ok(l->f, ty_study_ask(&l->f->ctx, s, names[at], &out));
    if (out.kind != TY_ASK_TRIAL)
        return;
    assert_true(atomic_load(&seen->told[out.trial->number]) == 0);
    *w = (straggler){.is_busy = true, .trial = out.trial->number};
    if (atomic_load(&seen->asked) < ty_study_count(s))
        atomic_store(&seen->asked, ty_study_count(s));
}

/* An epoch, unless it hears that its trial is another's. */
static void train(late *l, ty_study *s, straggler *w, int at) {
    const bool is_late = ty_study_is_superseded(s, w->trial, names[at]);
    l->given_back += ty_study_trial(s, w->trial)->is_lost;
    l->superseded += is_late;
    const ty_status st = try_report(l, s, w->trial, ++w->epoch, names[at]);
    assert_int_equal(st, is_late ? TY_ERR_ARG : TY_OK);
    w->is_busy = !is_late;
    if (!is_late)
        assert_string_equal(ty_study_trial(s, w->trial)->worker, names[at]);
}

static bool all_ended(const ty_study *s) {
    bool have = ty_study_count(s) == 30;
    for (size_t i = 0; have && i < ty_study_count(s); i++)
        have = ty_study_trial(s, i)->state == TY_TRIAL_COMPLETE;
    return have;
}

/* In turns drawn from seed, with pauses that cost leases and with the study opened anew. */
static void run_stragglers(late *l, uint64_t seed, promised *seen) {
    straggler w[WORKERS] = {{0}};
    ty_draws draws = ty_draws_open(seed, TY_DRAW_PRIOR, 5, 0);
    ty_study *s = study_case_open(l->f);
    while (!all_ended(s)) {
        const int at = (int)ty_draw_below(&draws, WORKERS);
        l->now_ns += (int64_t)ty_draw_below(&draws, LEASE_S) * second_ns;
        if (ty_draw_below(&draws, 20) == 0) {
            ty_study_close(s);
            s = study_case_open(l->f);
        }
        if (!w[at].is_busy)
            take(l, s, &w[at], at, seen);
        else if (w[at].epoch == 3)
            finish(l, s, &w[at], at, seen);
        else
            train(l, s, &w[at], at);
    }
    ty_study_close(s);
}

static void expect_promised(late *l, const promised *seen) {
    ty_study *s = NULL;
    if (atomic_load(&seen->asked) == 0)
        return;
    study_case_ok(l->f, ty_study_read(&l->f->ctx, l->f->path, &l->f->hpo.options, &s));
    assert_true(ty_study_count(s) >= atomic_load(&seen->asked));
    for (size_t i = 0; i < ty_study_count(s); i++) {
        const double told = atomic_load(&seen->told[i]);
        if (told > 0 && ty_study_trial(s, i)->value != told)
            fail_msg("trial %zu: %g was told, %g is there", i, told, ty_study_trial(s, i)->value);
    }
    ty_study_close(s);
}

static void replay(late *l) {
    size_t decisions = 0;
    study_case_ok(
        l->f, ty_study_replay(&l->f->ctx, l->f->path, &l->f->hpo.options, NULL, NULL, &decisions));
    assert_true(decisions >= 30);
}

static void each_trial_has_one_result_however_late_its_workers_are(void **state) {
    late *l = *state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        promised seen = {0};
        run_stragglers(l, seed, &seen);
        expect_promised(l, &seen);
        replay(l);
        ty_study *s = study_case_open(l->f);
        for (size_t i = 0; i < 30; i++) {
            const ty_trial *t = ty_study_trial(s, i);
            assert_true(t->value == value_of(&(straggler){.trial = i}, *t->worker - 'a'));
        }
        ty_study_close(s);
        assert_int_equal(unlink(l->f->path), 0);
    }
    assert_true(l->superseded > 10 && l->given_back > 10);
}

/* --- kills -------------------------------------------------------------------------------------- */

static int run_killed(late *l, uint64_t seed, long long at, promised *seen) {
    int status = 0;
    (void)fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        fault_io fault;
        fault_io_init(&fault);
        fault_io_arm(&fault, FAULT_KILL, at, false);
        l->f->ctx.io = &fault.io;
        run_stragglers(l, seed, seen);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

/* Each run is killed where the one before it got a few calls less far; the next goes on where it was. */
static void killed_at_any_call_no_word_that_counted_is_lost(void **state) {
    late *l = *state;
    size_t kills = 0, whole = 0;
    promised *seen =
        mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(seen != MAP_FAILED);
    for (long long at = 1; at < 400; at += 7) {
        const int status = run_killed(l, (uint64_t)at, at, seen);
        const bool was_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        if (!was_killed && status != 0)
            fail_msg("the study's process ended with status %d", status);
        l->now_ns += 3 * LEASE_S * second_ns;
        expect_promised(l, seen);
        kills += was_killed;
        if (was_killed)
            continue;
        replay(l);
        whole++;
        assert_int_equal(unlink(l->f->path), 0);
        memset((void *)seen, 0, sizeof *seen);
    }
    assert_true(kills > 30);
    print_message("%zu kills, %zu whole studies\n", kills, whole);
    (void)munmap((void *)seen, sizeof *seen);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_late_tell_of_a_lost_trial_counts_and_it_is_not_asked_again),
        TEST(a_late_word_of_a_trial_that_was_given_on_changes_nothing),
        TEST(a_late_report_gives_a_lost_trial_back),
        TEST(a_step_that_was_reported_before_begins_the_lease_again),
        TEST(a_worker_of_any_name_is_known_again),
        TEST(a_journal_in_which_a_report_gave_nothing_back_is_read),
        TEST(each_trial_has_one_result_however_late_its_workers_are),
        TEST(killed_at_any_call_no_word_that_counted_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
