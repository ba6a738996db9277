/* Schedulers of one study on a folder whose files have no locks. Each is stopped at a call to the file system drawn
 * by chance, for longer than its lease, others follow, and all wake up in an order drawn by chance: what
 * was told is there, nothing is there twice, and the end is that of a study with one scheduler, bit for bit.
 * TILTYARD_KILLS says how many are stopped, TILTYARD_TEST_SEED with which seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/hpo/study_case.h"
#include "tests/support/fault_io.h"

enum { MAX_SCHEDULERS = 4, WAS_FOLLOWED = 1 };

/* This test's file system has none. */
int flock(int fd, int operation) {
    (void)fd;
    (void)operation;
    errno = ENOLCK;
    return -1;
}

/* What the schedulers were promised: how many ends of legs were taken. */
typedef struct promised {
    atomic_size_t told[MAX_TRIALS];
} promised;

/* A clock of another time: who comes next finds the last one's lease expired. */
typedef struct later {
    ty_clock clock;
    const ty_clock *real;
    int64_t by_ns;
} later;

typedef struct sleeping {
    study_case *f;
    promised *seen;
    ty_draws draws;
    later later;
    pid_t asleep[MAX_SCHEDULERS];
    size_t sleepers;
    size_t slept, followed, finished; /* since the beginning */
} sleeping;

static long long number_of(const char *name, long long otherwise) {
    const char *text = getenv(name);
    return text && *text ? strtoll(text, NULL, 10) : otherwise;
}

static int64_t later_wall_ns(void *self) {
    const later *l = self;
    return l->real->wall_ns(l->real->self) + l->by_ns;
}

/* --- a scheduler -------------------------------------------------------------------------------- */

static int checkpoint_of(const ty_ask *ask) {
    const ty_trial *t = ask->trial;
    return ask->begins_anew || t->leg_count < 2
               ? 0
               : (int)t->resource[t->legs[t->leg_count - 2].reports - 1];
}

static ty_status train(study_case *f, ty_study *s, const ty_ask *ask, ty_told *end) {
    ty_decision verdict = {.answer = TY_CONTINUE};
    *end = (ty_told){.state = TY_TRIAL_COMPLETE, .value = NAN};
    for (int epoch = checkpoint_of(ask) + 1; epoch <= EPOCHS && verdict.answer == TY_CONTINUE;
         epoch++)
        TY_TRY(ty_study_report(&f->ctx, s, ask->trial->number,
                               &(ty_report){.step = 10 * epoch,
                                            .resource = epoch,
                                            .value = study_case_loss(ask->trial, epoch)},
                               &verdict));
    if (verdict.answer != TY_CONTINUE)
        end->state = verdict.answer == TY_STOP ? TY_TRIAL_PRUNED : TY_TRIAL_PAUSED;
    end->reason = verdict.answer == TY_CONTINUE ? NULL : "the pruner's word";
    return TY_OK;
}

static ty_status run_some(study_case *f, promised *seen, size_t trials) {
    ty_study *s = NULL;
    ty_ask ask;
    ty_told end;
    ty_status st = ty_study_open(&f->ctx, f->path, &f->hpo.options, &s);
    for (size_t i = 0; st == TY_OK && i < trials; i++) {
        TY_TRY_GOTO(done, st, ty_study_ask(&f->ctx, s, "w", &ask));
        if (ask.kind != TY_ASK_TRIAL)
            break;
        const size_t number = ask.trial->number;
        TY_TRY_GOTO(done, st, train(f, s, &ask, &end));
        TY_TRY_GOTO(done, st, ty_study_tell(&f->ctx, s, number, &end));
        atomic_fetch_add(&seen->told[number], 1);
    }
done:
    ty_study_close(s);
    return st;
}

/* Being followed is the one thing that may end it, in one line that says so. */
static void run_scheduler(study_case *f, promised *seen, size_t trials) {
    const ty_status st = run_some(f, seen, trials);
    if (st == TY_OK)
        _exit(0);
    if (st == TY_ERR_BUSY && strstr(f->ctx.message, "sweep.lease"))
        _exit(WAS_FOLLOWED);
    print_error("%s: %s\n", ty_status_name(st), f->ctx.message);
    _exit(3);
}

static pid_t start_scheduler(sleeping *z, fault_io *sleep) {
    const size_t trials = 1 + ty_draw_below(&z->draws, 4);
    z->later.by_ns += 60 * (int64_t)1000000000;
    (void)fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child > 0)
        return child;
    z->f->ctx.io = &sleep->io;
    run_scheduler(z->f, z->seen, trials);
    return -1;
}

/* --- their nights ------------------------------------------------------------------------------- */

static void expect_ended(sleeping *z, int status) {
    if (!WIFEXITED(status) || WEXITSTATUS(status) > WAS_FOLLOWED)
        fail_msg("a scheduler ended with status %d", status);
    z->followed += WEXITSTATUS(status) == WAS_FOLLOWED;
}

static void begin_one(sleeping *z) {
    fault_io sleep;
    int status = 0;
    fault_io_init(&sleep);
    fault_io_arm(&sleep, ty_draw_below(&z->draws, 2) == 0 ? FAULT_SLEEP : FAULT_SLEEP_AMID,
                 1 + (long long)ty_draw_below(&z->draws, 250), false);
    const pid_t child = start_scheduler(z, &sleep);
    assert_int_equal(waitpid(child, &status, WUNTRACED), child);
    if (!WIFSTOPPED(status)) {
        expect_ended(z, status);
        return;
    }
    z->slept++;
    z->asleep[z->sleepers++] = child;
}

static pid_t wake_one(sleeping *z) {
    const size_t i = ty_draw_below(&z->draws, z->sleepers);
    const pid_t child = z->asleep[i];
    z->asleep[i] = z->asleep[--z->sleepers];
    assert_int_equal(kill(child, SIGCONT), 0);
    return child;
}

static void wait_for(sleeping *z, pid_t child) {
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    expect_ended(z, status);
}

/* One after the other, or all at once. */
static void wake_all(sleeping *z) {
    pid_t awake[MAX_SCHEDULERS];
    size_t n = 0;
    const bool at_once = ty_draw_below(&z->draws, 2) == 0;
    while (z->sleepers > 0) {
        awake[n++] = wake_one(z);
        if (!at_once)
            wait_for(z, awake[--n]);
    }
    while (n > 0)
        wait_for(z, awake[--n]);
}

static void expect_kept(const sleeping *z) {
    ty_study *s = NULL;
    if (!ty_file_exists(&z->f->ctx, z->f->path))
        return;
    study_case_ok(z->f, ty_study_read(&z->f->ctx, z->f->path, &z->f->hpo.options, &s));
    for (size_t i = 0; i < MAX_TRIALS; i++) {
        const ty_trial *t = i < ty_study_count(s) ? ty_study_trial(s, i) : NULL;
        const size_t there = t ? t->leg_count - (t->state == TY_TRIAL_RUNNING) : 0;
        if (there < atomic_load(&z->seen->told[i]))
            fail_msg("trial %zu: %zu ends were told, %zu are there", i,
                     atomic_load(&z->seen->told[i]), there);
    }
    ty_study_close(s);
}

static void sleep_once(sleeping *z) {
    const size_t schedulers = 2 + ty_draw_below(&z->draws, MAX_SCHEDULERS - 1);
    for (size_t i = 0; i < schedulers; i++) {
        begin_one(z);
        expect_kept(z);
        if (z->sleepers > 1 && ty_draw_below(&z->draws, 3) == 0)
            wait_for(z, wake_one(z));
    }
    wake_all(z);
    expect_kept(z);
}

static void expect_nothing_else(study_case *f) {
    char **names = NULL;
    size_t n = 0;
    study_case_ok(f, ty_dir_list(&f->ctx, f->folder.path, &f->ctx.scratch, &names, &n));
    for (size_t i = 0; i < n; i++)
        assert_string_equal(names[i], "sweep.journal");
}

static void expect_whole(sleeping *z, const ty_text *whole) {
    study_case *f = z->f;
    ty_text pieces = {0};
    size_t decisions = 0;
    z->later.by_ns += 60 * (int64_t)1000000000;
    study_case_run_all(f, 1, 1, &pieces);
    assert_string_equal(ty_text_string(whole), ty_text_string(&pieces));
    study_case_ok(f, ty_study_replay(&f->ctx, f->path, &f->hpo.options, NULL, NULL, &decisions));
    assert_true(decisions > 0);
    expect_nothing_else(f);
    assert_int_equal(unlink(f->path), 0);
    memset((void *)z->seen, 0, sizeof *z->seen);
    ty_text_clear(&pieces);
    z->finished++;
}

static void wherever_they_sleep_it_is_the_study_of_one_scheduler(void **state) {
    const size_t all = (size_t)number_of("TILTYARD_KILLS", 200);
    const uint64_t seed = (uint64_t)number_of("TILTYARD_TEST_SEED", (long long)time(NULL));
    ty_text whole = {0};
    sleeping z = {.f = *state, .draws = ty_draws_open(seed, TY_DRAW_PRIOR, 3, 0)};
    print_message("seed %llu (TILTYARD_TEST_SEED repeats it)\n", (unsigned long long)seed);
    z.later = (later){.real = z.f->ctx.clock, .clock = *z.f->ctx.clock};
    z.later.clock.wall_ns = later_wall_ns;
    z.later.clock.self = &z.later;
    z.f->ctx.clock = &z.later.clock;
    z.seen = mmap(NULL, sizeof *z.seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(z.seen != MAP_FAILED);
    study_case_run_all(z.f, 1, 1, &whole);
    assert_int_equal(unlink(z.f->path), 0);
    while (z.slept < all) {
        for (int night = 0; night < 4; night++)
            sleep_once(&z);
        expect_whole(&z, &whole);
    }
    print_message("%zu slept, %zu were followed, %zu whole studies\n", z.slept, z.followed,
                  z.finished);
    assert_true(z.followed > z.slept / 4);
    (void)munmap((void *)z.seen, sizeof *z.seen);
    z.f->ctx.clock = z.later.real;
    ty_text_clear(&whole);
}

/* Without locks nothing but time says that a holder is gone. */
static void one_that_lives_is_not_followed(void **state) {
    study_case *f = *state;
    ty_study *s = study_case_open(f), *other = NULL;
    assert_int_equal(ty_study_open(&f->ctx, f->path, &f->hpo.options, &other), TY_ERR_BUSY);
    assert_non_null(strstr(f->ctx.message, "is held by process"));
    ty_study_close(s);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, study_case_set_up, study_case_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(wherever_they_sleep_it_is_the_study_of_one_scheduler),
        TEST(one_that_lives_is_not_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
