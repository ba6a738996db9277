/* Waiting and its limits, on a clock of the test's own and on real processes; no MPI. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "trainer/comm_private.h"

static void sleep_ms(int ms) {
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    while (nanosleep(&pause, &pause) != 0) {
    }
}

/* --- the deadline ----------------------------------------------------------------------------- */

/* Each look at the clock moves it by one step. */
typedef struct stepping_clock {
    int64_t now_ns, step_ns;
} stepping_clock;

static int64_t step_forward(void *self) {
    stepping_clock *clock = self;
    clock->now_ns += clock->step_ns;
    return clock->now_ns;
}

/* This process as rank 0 of two; rank 1 is the child. */
typedef struct pair {
    ty_ctx ctx;
    ty_comm comm;
    ty_comm_peer peers[2];
    int ranks[2];
    stepping_clock steps;
    ty_clock clock;
    pid_t child;
} pair;

static pid_t fork_child(void) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        for (;;)
            (void)pause();
    }
    return child;
}

static int open_pair(void **state) {
    pair *p = calloc(1, sizeof *p);
    assert_non_null(p);
    p->child = fork_child();
    p->steps = (stepping_clock){.now_ns = 1};
    p->clock = (ty_clock){.wall_ns = step_forward, .monotonic_ns = step_forward, .self = &p->steps};
    ty_ctx_init(&p->ctx);
    p->ctx.clock = &p->clock;
    p->ranks[1] = 1;
    p->peers[1] = (ty_comm_peer){.host = "there", .local_rank = 1, .pid = p->child};
    (void)ty_comm_process_state(p->child, &p->peers[1].start_ticks);
    p->comm = (ty_comm){.size = 2,
                        .local_size = 2,
                        .n_nodes = 1,
                        .peers = p->peers,
                        .locals = p->ranks,
                        .seq = 7,
                        .deadline_ns = 60000000000};
    p->comm.board = aligned_alloc(128, (ty_comm_board_size(&p->comm) + 127) / 128 * 128);
    assert_non_null(p->comm.board);
    memset(p->comm.board, 0, ty_comm_board_size(&p->comm));
    atomic_store(&ty_comm_board_slot(&p->comm, 0)->seq, p->comm.seq);
    *state = p;
    return 0;
}

static int close_pair(void **state) {
    pair *p = *state;
    (void)kill(p->child, SIGKILL);
    (void)waitpid(p->child, NULL, 0);
    free(p->comm.board);
    ty_ctx_clear(&p->ctx);
    free(p);
    return 0;
}

static const ty_comm_call barrier = {.op = TY_COMM_BARRIER, .root = -1};

/* How many pauses pass before the wait is given up; most where it is not. */
static int pauses_until_failure(pair *p, int64_t step_ns, int most) {
    ty_comm_patience patience = ty_comm_patience_for(&p->comm, &barrier);
    p->steps.step_ns = step_ns;
    for (int i = 1; i <= most; i++) {
        if (ty_comm_patience_pause(&p->ctx, &p->comm, &patience) != TY_OK)
            return i;
    }
    return most + 1;
}

static void time_in_which_the_process_ran_counts(void **state) {
    pair *p = *state;
    /* 60 s in steps of 0.4 s, the first look at the clock only starting it */
    assert_int_equal(pauses_until_failure(p, 400000000, 1000), 151);
    assert_non_null(strstr(p->ctx.message, "rank 1 (there) did not reach barrier #7 within 60 s"));
    assert_non_null(strstr(p->ctx.message, "never seen in any call"));
}

static void time_in_which_the_process_was_stopped_does_not_count(void **state) {
    pair *p = *state;
    assert_int_equal(pauses_until_failure(p, (int64_t)3600 * 1000000000, 1000), 1001);
}

static void a_rank_that_died_is_not_waited_for(void **state) {
    pair *p = *state;
    (void)kill(p->child, SIGKILL);
    (void)waitpid(p->child, NULL, 0);
    assert_in_range(pauses_until_failure(p, 100000000, 1000), 1, 4);
    assert_non_null(strstr(p->ctx.message, "rank 1 (there) died (its process is gone)"));
}

static void a_pid_that_was_used_again_counts_as_dead(void **state) {
    pair *p = *state;
    p->peers[1].start_ticks++;
    assert_in_range(pauses_until_failure(p, 100000000, 1000), 1, 4);
    assert_non_null(strstr(p->ctx.message, "rank 1 (there) died"));
}

static void a_rank_that_left_is_not_waited_for(void **state) {
    pair *p = *state;
    ty_comm_slot *slot = ty_comm_board_slot(&p->comm, 1);
    atomic_store(&slot->seq, 6);
    atomic_store(&slot->what[0], TY_COMM_VOTE);
    atomic_store(&slot->stage, TY_COMM_LEFT);
    assert_in_range(pauses_until_failure(p, 100000000, 1000), 1, 4);
    assert_non_null(strstr(p->ctx.message, "rank 1 (there) left the job"));
    assert_non_null(strstr(p->ctx.message, "last seen after vote #6"));
}

static void a_failure_of_the_host_is_passed_on(void **state) {
    pair *p = *state;
    ty_comm_board_fail(&p->comm, "rank 5 (elsewhere) is to blame");
    ty_comm_board_fail(&p->comm, "what followed from it");
    assert_int_equal(pauses_until_failure(p, 1000, 10), 1);
    assert_string_equal(p->ctx.message, "rank 5 (elsewhere) is to blame");
}

/* --- processes -------------------------------------------------------------------------------- */

static char state_within(pid_t pid, char wanted) {
    for (int i = 0; i < 12000 && ty_comm_process_state(pid, NULL) != wanted; i++)
        sleep_ms(5);
    return ty_comm_process_state(pid, NULL);
}

static void proc_tells_running_stopped_ended_and_gone(void **state) {
    (void)state;
    pid_t child = fork_child();
    assert_int_equal(ty_comm_process_state(getpid(), NULL), 'R');
    assert_int_equal(state_within(child, 'S'), 'S');
    (void)kill(child, SIGSTOP);
    assert_int_equal(state_within(child, 'T'), 'T');
    (void)kill(child, SIGKILL);
    assert_int_equal(state_within(child, 'Z'), 'Z');
    (void)waitpid(child, NULL, 0);
    assert_int_equal(ty_comm_process_state(child, NULL), 0);
}

/* --- the guard -------------------------------------------------------------------------------- */

static int exit_code_of(pid_t child) {
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* A process that hangs for work_ms under a guard of limit_s and then ends by itself with 0. */
static pid_t fork_guarded(double limit_s, int work_ms) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child != 0)
        return child;
    ty_ctx ctx;
    ty_comm_guard guard;
    ty_ctx_init(&ctx);
    ty_comm_guard_start(&guard, &ctx, limit_s, 8, "a call that hangs");
    sleep_ms(work_ms);
    ty_comm_guard_stop(&guard);
    ty_ctx_clear(&ctx);
    _exit(0);
}

static void a_guard_ends_a_process_that_hangs(void **state) {
    (void)state;
    assert_int_equal(exit_code_of(fork_guarded(0.3, 30000)), 8);
}

static void a_guard_that_is_stopped_does_nothing(void **state) {
    (void)state;
    assert_int_equal(exit_code_of(fork_guarded(30, 50)), 0);
}

static void a_guard_does_not_count_time_in_which_the_process_was_stopped(void **state) {
    (void)state;
    pid_t child = fork_guarded(3, 300);
    sleep_ms(50);
    (void)kill(child, SIGSTOP);
    sleep_ms(4000);
    (void)kill(child, SIGCONT);
    assert_int_equal(exit_code_of(child), 0);
}

int main(void) {
#define WITH_PAIR(test) cmocka_unit_test_setup_teardown(test, open_pair, close_pair)
    const struct CMUnitTest tests[] = {
        WITH_PAIR(time_in_which_the_process_ran_counts),
        WITH_PAIR(time_in_which_the_process_was_stopped_does_not_count),
        WITH_PAIR(a_rank_that_died_is_not_waited_for),
        WITH_PAIR(a_pid_that_was_used_again_counts_as_dead),
        WITH_PAIR(a_rank_that_left_is_not_waited_for),
        WITH_PAIR(a_failure_of_the_host_is_passed_on),
        cmocka_unit_test(proc_tells_running_stopped_ended_and_gone),
        cmocka_unit_test(a_guard_ends_a_process_that_hangs),
        cmocka_unit_test(a_guard_that_is_stopped_does_nothing),
        cmocka_unit_test(a_guard_does_not_count_time_in_which_the_process_was_stopped),
    };
    return cmocka_run_group_tests_name("comm_watch", tests, NULL, NULL);
}
