/* A study whose process is killed at system calls drawn by chance, and at writes that came half to the
 * disk: what it was told is there, nothing is there twice, and the end is that of a study that was never
 * killed, bit for bit. TILTYARD_KILLS says how often, TILTYARD_TEST_SEED with which seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <math.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/hpo/study_case.h"
#include "tests/support/fault_io.h"
#include "tests/support/kill_at.h"

/* What the killed process knew, seen by its parent after its death. */
typedef struct promised {
    atomic_size_t asked;            /* how many trials were given out */
    atomic_size_t told[MAX_TRIALS]; /* legs of a trial whose end was taken */
    _Atomic double x[MAX_TRIALS][FIXTURE_DIMS];
} promised;

typedef struct killing {
    study_case *f;
    promised *seen;
    ty_draws draws;
    size_t kills, finished;
} killing;

static long long number_of(const char *name, long long otherwise) {
    const char *text = getenv(name);
    return text && *text ? strtoll(text, NULL, 10) : otherwise;
}

/* --- the victim --------------------------------------------------------------------------------- */

static void die(const study_case *f) {
    print_error("%s\n", f->ctx.message);
    _exit(3);
}

/* What a turn returned is promised from then on. */
static void promise(void *self, const ty_study *s) {
    promised *seen = self;
    for (size_t i = 0; i < ty_study_count(s); i++) {
        const ty_trial *t = ty_study_trial(s, i);
        const bool is_open = t->state == TY_TRIAL_RUNNING;
        for (size_t d = 0; d < FIXTURE_DIMS; d++)
            atomic_store(&seen->x[i][d], t->x[d]);
        atomic_store(&seen->told[i], t->leg_count - is_open);
    }
    atomic_store(&seen->asked, ty_study_count(s));
}

static void run_victim(study_case *f, promised *seen, int workers, uint64_t delays) {
    ty_study *s = NULL;
    if (ty_study_open(&f->ctx, f->path, &f->hpo.options, &s) != TY_OK)
        die(f);
    f->after_turn = promise;
    f->self = seen;
    _exit(study_case_run(f, s, workers, delays, 100000) ? 0 : 5);
}

static pid_t start_victim(killing *k, bool is_watched, fault_io *fault) {
    const uint64_t delays = 1 + ty_draw_below(&k->draws, 1000);
    const int workers = k->f->hpo.options.order == TY_ORDER_WINDOW
                            ? 1 + (int)ty_draw_below(&k->draws, MAX_WORKERS)
                            : 1;
    (void)fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child > 0)
        return child;
    if (is_watched && !kill_at_wait())
        _exit(4);
    if (fault)
        k->f->ctx.io = &fault->io;
    run_victim(k->f, k->seen, workers, delays);
    return -1;
}

/* --- the murderer ------------------------------------------------------------------------------- */

/* At a system call, or inside of a write. */
static int kill_one(killing *k) {
    const long long at = 1 + (long long)ty_draw_below(&k->draws, 120);
    long long calls = 0;
    int status = 0;
    if (ty_draw_below(&k->draws, 2) == 0)
        return kill_at_call(start_victim(k, true, NULL), at, &calls);
    fault_io fault;
    fault_io_init(&fault);
    fault_io_arm(&fault, FAULT_KILL, at, false);
    const pid_t child = start_victim(k, false, &fault);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void expect_kept(const killing *k) {
    ty_study *s = NULL;
    if (atomic_load(&k->seen->asked) == 0)
        return;
    study_case_ok(k->f, ty_study_read(&k->f->ctx, k->f->path, &k->f->hpo.options, &s));
    assert_true(ty_study_count(s) >= atomic_load(&k->seen->asked));
    for (size_t i = 0; i < atomic_load(&k->seen->asked); i++) {
        const ty_trial *t = ty_study_trial(s, i);
        const size_t told = t->leg_count - (t->state == TY_TRIAL_RUNNING);
        if (told < atomic_load(&k->seen->told[i]))
            fail_msg("trial %zu: %zu ends were told, %zu are there", i,
                     atomic_load(&k->seen->told[i]), told);
        for (size_t d = 0; d < FIXTURE_DIMS; d++) {
            const double x = atomic_load(&k->seen->x[i][d]);
            assert_true(t->x[d] == x || (isnan(x) && isnan(t->x[d])));
        }
    }
    ty_study_close(s);
}

/* One that came to its end has to be the one that was never killed; the next is a new one. */
static void expect_whole(killing *k, const ty_text *whole) {
    ty_text pieces = {0};
    size_t decisions = 0;
    study_case_run_all(k->f, 1, 1, &pieces);
    assert_string_equal(ty_text_string(whole), ty_text_string(&pieces));
    study_case_ok(
        k->f, ty_study_replay(&k->f->ctx, k->f->path, &k->f->hpo.options, NULL, NULL, &decisions));
    assert_true(decisions > 0);
    assert_int_equal(unlink(k->f->path), 0);
    memset((void *)k->seen, 0, sizeof *k->seen);
    ty_text_clear(&pieces);
    k->finished++;
}

static void kill_often(killing *k, size_t times) {
    ty_text whole = {0};
    study_case_run_all(k->f, 1, 1, &whole);
    assert_int_equal(unlink(k->f->path), 0);
    for (size_t i = 0; i < times;) {
        const int status = kill_one(k);
        const bool was_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        if (!was_killed && status != 0)
            fail_msg("the study's process ended with status %d", status);
        i += was_killed;
        k->kills += was_killed;
        expect_kept(k);
        if (!was_killed)
            expect_whole(k, &whole);
    }
    expect_whole(k, &whole);
    ty_text_clear(&whole);
}

static void choose_pruner(study_case *f, const char *json) {
    ty_doc_close(f->hpo.pruner_doc);
    f->hpo.pruner_doc = NULL;
    study_case_ok(f, ty_pruner_read_json(&f->ctx, json, &f->hpo.pruner_doc, &f->hpo.pruner));
}

static void killed_at_any_call_it_is_the_study_that_was_never_killed(void **state) {
    static const struct {
        ty_order order;
        const char *pruner;
    } cases[] = {{TY_ORDER_WINDOW, "\"none\""},
                 {TY_ORDER_WINDOW, "\"asha\""},
                 {TY_ORDER_REPLAY, "\"none\""},
                 {TY_ORDER_REPLAY, "\"hyperband\""},
                 {TY_ORDER_OFF, "\"none\""}};
    enum { CASES = sizeof cases / sizeof *cases };
    const size_t all = (size_t)number_of("TILTYARD_KILLS", 200);
    const uint64_t seed = (uint64_t)number_of("TILTYARD_TEST_SEED", (long long)time(NULL));
    print_message("seed %llu (TILTYARD_TEST_SEED repeats it)\n", (unsigned long long)seed);
    killing k = {.f = *state, .draws = ty_draws_open(seed, TY_DRAW_PRIOR, 3, 0)};
    k.seen = mmap(NULL, sizeof *k.seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(k.seen != MAP_FAILED);
    for (size_t i = 0; i < CASES; i++) {
        k.f->hpo.options.order = cases[i].order;
        choose_pruner(k.f, cases[i].pruner);
        kill_often(&k, all / CASES);
    }
    assert_true(k.kills >= all / CASES * CASES);
    print_message("%zu kills, %zu whole studies\n", k.kills, k.finished);
    (void)munmap((void *)k.seen, sizeof *k.seen);
}

int main(void) {
    if (!kill_at_is_allowed()) {
        print_message("skipped: no process can be watched here: ptrace is refused\n");
        return 77;
    }
#define TEST(name) cmocka_unit_test_setup_teardown(name, study_case_set_up, study_case_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(killed_at_any_call_it_is_the_study_that_was_never_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
