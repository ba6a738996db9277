/* Power cuts, kills and disks that refuse: what was promised is there, and the run never hears of
 * it. */
#include "tests/tracking/fixture.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>

#include "tests/support/fault_io.h"

enum { N_KILLS = 20, PROMISE_MS = 1000 };

/* What a child has done, seen by its parent after its death. */
typedef struct shared {
    _Atomic int64_t last_step;   /* the newest point it told */
    _Atomic int64_t steps[4096]; /* the last step told in each millisecond since start_ns */
    _Atomic int64_t start_ns;
} shared;

static shared *share(void) {
    shared *s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(s != MAP_FAILED);
    return s;
}

/* A kill takes nothing from the kernel: how long a busy disk takes is no part of what is promised against it. */
static int leave_to_the_kernel(void *self, int fd) {
    (void)self, (void)fd;
    return 0;
}

/* In a child: an assertion there would go on with the parent's tests. */
static void log_until_killed(fixture *f, shared *s, int64_t first) {
    ty_tracker *t = NULL;
    ty_io io = *ty_io_posix();
    io.fsync = io.fdatasync = leave_to_the_kernel;
    f->ctx.io = &io;
    if (fixture_try_open(f, &t) != TY_OK) {
        print_error("%s\n", f->ctx.message);
        _exit(3);
    }
    tell_start(f, t, first - 1);
    atomic_store(&s->start_ns, ty_now_ns(&f->ctx));
    for (int64_t i = first;; i++) {
        tell_metric(f, t, "k", i, (double)i);
        atomic_store(&s->last_step, i);
        const int64_t ms = (ty_now_ns(&f->ctx) - atomic_load(&s->start_ns)) / 1000000;
        if (ms < 4096)
            atomic_store(&s->steps[ms], i);
        if (i % 4 == 0)
            (void)nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
}

static const ty_run_curve *curve_of(fixture *f, ty_run_record *r) {
    assert_ok(f, ty_runs_read(&f->ctx, f->run, &f->arena, r));
    for (int64_t i = 0; i < r->n_curves; i++)
        if (strcmp(r->curves[i].key, "k") == 0)
            return &r->curves[i];
    return NULL;
}

static void wait_ms(int ms) {
    (void)nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000l}, NULL);
}

/* Kills a child at a random moment; every point that was told a promise ago must be there, without
 * a gap. */
static int64_t kill_one(fixture *f, shared *s, int64_t first, int after_ms) {
    memset((void *)s, 0, sizeof *s);
    (void)fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        log_until_killed(f, s, first);
    while (atomic_load(&s->start_ns) == 0) {
        assert_int_equal(waitpid(child, NULL, WNOHANG), 0);
        wait_ms(1);
    }
    wait_ms(after_ms);
    const int64_t killed_ms = (ty_now_ns(&f->ctx) - atomic_load(&s->start_ns)) / 1000000;
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    int64_t promised = first - 1;
    for (int64_t ms = 0; ms < killed_ms - PROMISE_MS && ms < 4096; ms++)
        if (atomic_load(&s->steps[ms]) > promised)
            promised = atomic_load(&s->steps[ms]);
    ty_run_record r;
    const ty_run_curve *curve = curve_of(f, &r);
    const int64_t n = curve ? curve->n : 0;
    if (n - 1 < promised)
        fail_msg("step %" PRId64 " was promised, %" PRId64 " points are there", promised, n);
    for (int64_t i = 0; i < n; i++)
        assert_int_equal(curve->v[i].step, i);
    return n;
}

static void a_kill_loses_at_most_the_last_second_and_a_rebuild_completes_the_store(void **state) {
    fixture *f = *state;
    shared *s = share();
    const unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    srand(seed);
    int64_t next = 0, lost_most = 0;
    for (int i = 0; i < N_KILLS; i++) {
        const int64_t have = kill_one(f, s, next, rand() % (i % 5 == 0 ? 2500 : 300));
        const int64_t lost = atomic_load(&s->last_step) + 1 - have;
        lost_most = lost > lost_most ? lost : lost_most;
        next = have;
        int64_t reaped;
        assert_ok(f, ty_runs_reap(&f->ctx, f->folder.path, &reaped));
        assert_in_range(reaped, 0, 1); /* 0: it died before its start was on the disk */
        ty_run_record r;
        (void)curve_of(f, &r);
        assert_int_equal(r.info.state, TY_RUN_KILLED);
        assert_false(r.info.is_live);
    }
    ty_rebuild_report report;
    assert_ok(f, ty_runs_rebuild(&f->ctx, f->folder.path, &report));
    char wanted[64];
    (void)snprintf(wanted, sizeof wanted, "%" PRId64 " %" PRId64 " %" PRId64, next, next, next - 1);
    assert_string_equal(ask_store(f, "SELECT count(*) || ' ' || count(DISTINCT step) || ' ' ||"
                                     " max(step) FROM metrics"),
                        wanted);
    print_message("%d kills, %" PRId64 " points, at most %" PRId64 " unwritten ones lost\n",
                  (int)N_KILLS, next, lost_most);
    (void)munmap(s, sizeof *s);
}

/* --- disks that refuse ------------------------------------------------------------------- */

/* What a run does to the disk from opening to closing, with the n-th operation failing. */
static ty_status run_on(fixture *f, fault_io *fault, bool *is_open) {
    ty_tracker *t = NULL;
    f->ctx.io = &fault->io;
    ty_status st = fixture_try_open(f, &t);
    *is_open = st == TY_OK;
    if (*is_open) {
        tell_start(f, t, 0);
        tell_text(f, t, TY_EVENT_PARAM, "a", "1");
        for (int64_t i = 0; i < 300; i++)
            tell_metric(f, t, "k", i, (double)i);
        st = ty_tracker_flush(&f->ctx, t);
        tell_end(f, t, TY_RUN_FINISHED, "");
        const ty_status closed = ty_tracker_close(&f->ctx, t, 20000);
        st = st == TY_OK ? closed : st;
    }
    f->ctx.io = ty_io_posix();
    return st;
}

static long long count_operations(fixture *f, fault_io *fault) {
    bool is_open;
    fixture_name_run(f, "exp", "count");
    assert_ok(f, run_on(f, fault, &is_open));
    return fault_io_count(fault);
}

static void each_operation_may_fail_once(void **state) {
    fixture *f = *state;
    static const fault_kind kinds[] = {FAULT_EIO, FAULT_ENOSPC, FAULT_EINTR, FAULT_SHORT,
                                       FAULT_TORN};
    fault_io fault;
    fault_io_init(&fault);
    const long long n = count_operations(f, &fault) + 5;
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        for (long long at = 1; at <= n; at++) {
            char name[64];
            bool is_open = false;
            (void)snprintf(name, sizeof name, "%s-%lld", fault_kind_name(kinds[k]), at);
            fixture_name_run(f, "exp", name);
            fault_io_arm(&fault, kinds[k], at, false);
            const ty_status st = run_on(f, &fault, &is_open);
            fault_io_arm(&fault, FAULT_NONE, 0, false);
            if (st == TY_OK) {
                ty_run_record r;
                const ty_run_curve *curve = curve_of(f, &r);
                assert_non_null(curve);
                assert_int_equal(curve->n, 300);
                assert_int_equal(r.info.state, TY_RUN_FINISHED);
            }
        }
    }
    print_message("%lld operations, each failed in %d ways\n", n,
                  (int)(sizeof kinds / sizeof *kinds));
}

static ssize_t refuse_when_full(void *self, int fd, const void *data, size_t bytes, off_t offset) {
    if (!atomic_load((_Atomic bool *)self))
        return pwrite(fd, data, bytes, offset);
    errno = ENOSPC;
    return -1;
}

static void a_disk_that_fills_up_stops_nothing_and_is_said_once(void **state) {
    fixture *f = *state;
    _Atomic bool is_full = false;
    ty_io io = *ty_io_posix();
    io.self = &is_full;
    io.pwrite = refuse_when_full;
    f->ctx.io = &io;
    ty_tracker *t = fixture_open(f);
    tell_start(f, t, 0);
    assert_ok(f, ty_tracker_flush(&f->ctx, t));
    atomic_store(&is_full, true);
    for (int64_t i = 0; i < 1000; i++)
        tell_metric(f, t, "k", i, (double)i);
    assert_int_equal(ty_tracker_flush(&f->ctx, t), TY_ERR_IO);
    wait_ms(1500); /* it is tried again */
    assert_int_equal(fixture_said(f, "the journal takes no records"), 1);
    atomic_store(&is_full, false);
    for (int64_t i = 1000; i < 1100; i++)
        tell_metric(f, t, "k", i, (double)i);
    tell_end(f, t, TY_RUN_FINISHED, "");
    fixture_close(f, t);
    assert_int_equal(fixture_said(f, "the journal is written again"), 1);
    f->ctx.io = ty_io_posix();
    ty_run_record r;
    const ty_run_curve *curve = curve_of(f, &r);
    assert_non_null(curve);
    assert_int_equal(curve->n, 1100);
}

static void a_disk_that_stays_full_ends_the_run_with_a_status_and_a_count(void **state) {
    fixture *f = *state;
    _Atomic bool is_full = false;
    ty_io io = *ty_io_posix();
    io.self = &is_full;
    io.pwrite = refuse_when_full;
    f->ctx.io = &io;
    ty_tracker *t = fixture_open(f);
    tell_start(f, t, 0);
    assert_ok(f, ty_tracker_flush(&f->ctx, t));
    atomic_store(&is_full, true);
    for (int64_t i = 0; i < 20000; i++)
        tell_metric(f, t, "k", i, (double)i);
    tell_end(f, t, TY_RUN_FINISHED, "");
    assert_int_equal(ty_tracker_close(&f->ctx, t, 100), TY_ERR_IO);
    assert_int_equal(fixture_said(f, "20001 events are lost"), 1);
    f->ctx.io = ty_io_posix();
}

int main(void) {
#define ROW(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        ROW(a_kill_loses_at_most_the_last_second_and_a_rebuild_completes_the_store),
        ROW(each_operation_may_fail_once),
        ROW(a_disk_that_fills_up_stops_nothing_and_is_said_once),
        ROW(a_disk_that_stays_full_ends_the_run_with_a_status_and_a_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
