/* Waiting for other ranks, and saying who did not come. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "trainer/comm_private.h"

static const int64_t second_ns = 1000000000;
/* Between two polls more than this passes only when the process was stopped (or as good as). */
static const int64_t gap_ns = 500000000;
/* How often a waiting rank reads /proc. */
static const int64_t look_ns = 200000000;
/* A rank waits so long before its sleeps begin; each is 1/16 of the time waited, 1 ms at most: what
 * a late peer costs stays small against its lateness, and an idle core is left to those who have
 * work. */
static const int64_t yield_ns = 200000;
/* A GPU that is done stands idle until its rank looks again. */
static const int64_t gpu_pause_ns = 50000;

/* --- naming ----------------------------------------------------------------------------------- */

char ty_comm_process_state(int pid, uint64_t *out_start_ticks) {
    char path[64];
    char text[1024];
    (void)snprintf(path, sizeof path, "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : '?';
    ssize_t got = read(fd, text, sizeof text - 1);
    (void)close(fd);
    if (got <= 0)
        return 0; /* it ended between open and read */
    text[got] = '\0';
    const char *at = strrchr(text, ')'); /* the name before it may hold anything */
    char state = '?';
    unsigned long long ticks = 0;
    /* fields 3 (state) and 22 (start time) of proc(5) */
    if (!at || sscanf(at + 1,
                      " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
                      "%*s %llu",
                      &state, &ticks) != 2)
        return '?';
    if (out_start_ticks)
        *out_start_ticks = ticks;
    return state;
}

static bool is_dead(const ty_comm_peer *peer) {
    uint64_t ticks = peer->start_ticks;
    char state = ty_comm_process_state(peer->pid, &ticks);
    bool is_another = peer->start_ticks && ticks != peer->start_ticks; /* its pid was used again */
    return state == 0 || state == 'Z' || state == 'X' || is_another;
}

bool ty_comm_is_gone(const ty_comm *comm, int rank) {
    return rank >= 0 && rank < comm->size && rank != comm->rank &&
           comm->peers[rank].node == comm->node && is_dead(&comm->peers[rank]);
}

static const char *words_of_state(char state) {
    switch (state) {
    case 'T':
    case 't':
        return "process is stopped (T)";
    case 'D':
        return "process waits for a disk or network (D)";
    case 'R':
        return "process is running (R)";
    case 'S':
        return "process is running (S)";
    default:
        return "process is in an unknown state";
    }
}

static double seconds_since(const ty_ctx *ctx, int64_t then_ns) {
    return (double)(ty_now_ns(ctx) - then_ns) / (double)second_ns;
}

/* "last seen in barrier #1233 12.3 s ago" */
static void say_last_seen(const ty_ctx *ctx, const ty_comm *comm, int local_rank, char *out,
                          size_t bytes) {
    const ty_comm_slot *slot = ty_comm_board_slot(comm, local_rank);
    uint64_t seq = atomic_load_explicit(&slot->seq, memory_order_acquire);
    if (seq == 0) {
        (void)snprintf(out, bytes, "never seen in any call");
        return;
    }
    ty_comm_header header = ty_comm_board_header(comm, local_rank, seq);
    int64_t since = atomic_load_explicit(&slot->since_ns, memory_order_relaxed);
    uint32_t stage = atomic_load_explicit(&slot->stage, memory_order_relaxed);
    (void)snprintf(out, bytes, "last seen %s %s #%llu %.1f s ago",
                   stage == TY_COMM_INSIDE ? "in" : "after", ty_comm_op_name((uint32_t)header.what),
                   (unsigned long long)seq, seconds_since(ctx, since));
}

static bool has_arrived(const ty_comm *comm, int local_rank) {
    const ty_comm_slot *slot = ty_comm_board_slot(comm, local_rank);
    return atomic_load_explicit(&slot->seq, memory_order_acquire) >= comm->seq;
}

static bool is_awaited(const ty_comm *comm, const ty_comm_patience *patience, int local_rank) {
    if (local_rank == comm->local_rank)
        return false;
    return patience->awaits_gpus || !has_arrived(comm, local_rank) ||
           (patience->awaits_leader && local_rank == 0);
}

/* A rank of this host that ended: nobody has to wait out the deadline for it. */
static ty_status look_for_dead(ty_ctx *ctx, const ty_comm *comm, const ty_comm_patience *patience) {
    for (int i = 0; i < comm->local_size; i++) {
        int rank = comm->locals[i];
        if (!is_awaited(comm, patience, i))
            continue;
        bool has_left = atomic_load(&ty_comm_board_slot(comm, i)->stage) == TY_COMM_LEFT;
        if (!has_left && !is_dead(&comm->peers[rank]))
            continue;
        if (!is_awaited(comm, patience, i))
            continue; /* it came while we looked, and died later: not this call's trouble */
        char seen[128];
        say_last_seen(ctx, comm, i, seen, sizeof seen);
        return ty_fail(ctx, TY_ERR_COMM, "rank %d (%s) %s before the end of %s #%llu: %s", rank,
                       comm->peers[rank].host,
                       has_left ? "left the job" : "died (its process is gone)",
                       ty_comm_op_name(patience->call->op), (unsigned long long)comm->seq, seen);
    }
    return TY_OK;
}

/* The lowest rank of this host that is awaited, -1 where it is none of them. */
static int first_missing(const ty_comm *comm, const ty_comm_patience *patience, int *out_count) {
    int first = -1;
    *out_count = 0;
    for (int i = comm->local_size - 1; i >= 0; i--) {
        if (has_arrived(comm, i))
            continue;
        first = i;
        ++*out_count;
    }
    if (first < 0 && patience->awaits_leader &&
        ty_comm_process_state(comm->peers[comm->locals[0]].pid, NULL) == 'T')
        first = 0;
    return first;
}

static ty_status name_local(ty_ctx *ctx, const ty_comm *comm, const ty_comm_patience *patience,
                            int local_rank, int n_missing) {
    int rank = comm->locals[local_rank];
    char seen[128];
    char others[64] = "";
    say_last_seen(ctx, comm, local_rank, seen, sizeof seen);
    if (n_missing > 1)
        (void)snprintf(others, sizeof others, "; %d more of its host are missing", n_missing - 1);
    return ty_fail(ctx, TY_ERR_COMM, "rank %d (%s) did not %s %s #%llu within %g s: %s, %s%s", rank,
                   comm->peers[rank].host, n_missing ? "reach" : "come through",
                   ty_comm_op_name(patience->call->op), (unsigned long long)comm->seq,
                   (double)comm->deadline_ns / (double)second_ns,
                   words_of_state(ty_comm_process_state(comm->peers[rank].pid, NULL)), seen,
                   others);
}

/* NCCL does not say who is missing; a rank that is stopped moves no data for its GPU. */
static ty_status name_for_gpus(ty_ctx *ctx, const ty_comm *comm, const ty_comm_patience *patience) {
    for (int i = 0; i < comm->local_size; i++) {
        if (ty_comm_process_state(comm->peers[comm->locals[i]].pid, NULL) == 'T')
            return name_local(ctx, comm, patience, i, 0);
    }
    return ty_fail(ctx, TY_ERR_COMM,
                   "%s after call #%llu did not end within %g s, though every rank of this host "
                   "runs: a GPU, a link or another host hangs",
                   ty_comm_op_name(patience->call->op), (unsigned long long)comm->seq,
                   (double)comm->deadline_ns / (double)second_ns);
}

static ty_status name_the_missing(ty_ctx *ctx, const ty_comm *comm,
                                  const ty_comm_patience *patience) {
    int n_missing = 0;
    if (patience->awaits_gpus)
        return name_for_gpus(ctx, comm, patience);
    int local_rank = first_missing(comm, patience, &n_missing);
    if (local_rank >= 0)
        return name_local(ctx, comm, patience, local_rank, n_missing);
    const char *call = ty_comm_op_name(patience->call->op);
    double deadline_s = (double)comm->deadline_ns / (double)second_ns;
    int rank = patience->awaited_rank;
    if (rank < 0)
        return ty_fail(ctx, TY_ERR_COMM, "other hosts did not answer in %s #%llu within %g s", call,
                       (unsigned long long)comm->seq, deadline_s);
    return ty_fail(
        ctx, TY_ERR_COMM,
        "rank %d (%s, another host) did not answer in %s #%llu within %g s: last heard of "
        "in %s #%llu %.1f s ago",
        rank, comm->peers[rank].host, call, (unsigned long long)comm->seq, deadline_s,
        ty_comm_op_name(comm->last_call.op), (unsigned long long)comm->last_seq,
        seconds_since(ctx, comm->last_ns));
}

ty_status ty_comm_out_of_step(ty_ctx *ctx, const ty_comm *comm, int rank_a, ty_comm_header a,
                              int rank_b, ty_comm_header b) {
    if (rank_a > rank_b)
        return ty_comm_out_of_step(ctx, comm, rank_b, b, rank_a, a);
    return ty_fail(ctx, TY_ERR_COMM,
                   "ranks are out of step: rank %d (%s) calls %s #%llu (root %d, %llu bytes) where "
                   "rank %d (%s) calls %s #%llu (root %d, %llu bytes)",
                   rank_a, comm->peers[rank_a].host, ty_comm_op_name((uint32_t)a.what),
                   (unsigned long long)a.seq, (int)(a.what >> 32), (unsigned long long)a.bytes,
                   rank_b, comm->peers[rank_b].host, ty_comm_op_name((uint32_t)b.what),
                   (unsigned long long)b.seq, (int)(b.what >> 32), (unsigned long long)b.bytes);
}

/* --- waiting ---------------------------------------------------------------------------------- */

ty_comm_patience ty_comm_patience_for(const ty_comm *comm, const ty_comm_call *call) {
    return (ty_comm_patience){.call = call, .awaited_rank = -1, .allowed_ns = comm->deadline_ns};
}

ty_comm_patience ty_comm_patience_for_gpus(const ty_comm *comm, const ty_comm_call *call,
                                           bool with_deadline) {
    ty_comm_patience patience = ty_comm_patience_for(comm, call);
    patience.awaits_gpus = true;
    if (!with_deadline)
        patience.allowed_ns = INT64_MAX;
    return patience;
}

static void count_time(const ty_ctx *ctx, ty_comm_patience *patience) {
    int64_t now = ty_now_ns(ctx);
    int64_t passed = patience->last_ns ? now - patience->last_ns : 0;
    if (passed <= gap_ns)
        patience->waited_ns += passed;
    patience->last_ns = now;
}

static void let_others_run(const ty_comm_patience *patience) {
    if (patience->waited_ns < yield_ns) {
        (void)sched_yield();
        return;
    }
    const int64_t most_ns = patience->awaits_gpus ? gpu_pause_ns : 1000000;
    int64_t pause_ns = patience->waited_ns / 16;
    pause_ns = pause_ns < most_ns ? pause_ns : most_ns;
    const struct timespec pause = {.tv_nsec = pause_ns};
    (void)nanosleep(&pause, NULL);
}

static ty_status pause_with_clock(ty_ctx *ctx, ty_comm *comm, ty_comm_patience *patience) {
    count_time(ctx, patience);
    const char *failure = ty_comm_board_failure(comm);
    if (failure)
        return ty_fail(ctx, TY_ERR_COMM, "%s", failure);
    if (patience->waited_ns - patience->looked_ns >= look_ns) {
        patience->looked_ns = patience->waited_ns;
        TY_TRY(look_for_dead(ctx, comm, patience));
    }
    if (patience->waited_ns >= patience->allowed_ns)
        return name_the_missing(ctx, comm, patience);
    let_others_run(patience);
    return TY_OK;
}

ty_status ty_comm_patience_pause(ty_ctx *ctx, ty_comm *comm, ty_comm_patience *patience) {
    if (patience->polls++ < comm->spins) {
        __builtin_ia32_pause();
        return TY_OK;
    }
    return pause_with_clock(ctx, comm, patience);
}

/* --- the guard -------------------------------------------------------------------------------- */

enum { TICKS_PER_SECOND = 10 };

/* Counts ticks it was awake for, so a suspended job does not wake up to its end. */
static bool wait_one_tick(ty_comm_guard *guard) {
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += second_ns / TICKS_PER_SECOND;
    if (until.tv_nsec >= second_ns) {
        until.tv_sec++;
        until.tv_nsec -= second_ns;
    }
    while (!guard->is_done) {
        if (pthread_cond_timedwait(&guard->changed, &guard->lock, &until) == ETIMEDOUT)
            break;
    }
    return guard->is_done;
}

static void *keep_guard(void *self) {
    ty_comm_guard *guard = self;
    (void)pthread_mutex_lock(&guard->lock);
    bool is_done = guard->is_done;
    for (int i = 0; i < guard->ticks && !is_done; i++)
        is_done = wait_one_tick(guard);
    (void)pthread_mutex_unlock(&guard->lock);
    if (is_done)
        return NULL;
    ty_log(&guard->ctx, TY_LOG_ERROR, "comm", "%s did not return within %d s; ending this process",
           guard->what, guard->ticks / TICKS_PER_SECOND);
    _exit(guard->exit_code);
}

void ty_comm_guard_start(ty_comm_guard *guard, const ty_ctx *ctx, double seconds, int exit_code,
                         const char *what) {
    *guard = (ty_comm_guard){
        .ticks = (int)(seconds * TICKS_PER_SECOND) + 1, .exit_code = exit_code, .what = what};
    ty_ctx_init_child(&guard->ctx, ctx);
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&guard->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    (void)pthread_mutex_init(&guard->lock, NULL);
    guard->is_running = pthread_create(&guard->thread, NULL, keep_guard, guard) == 0;
    if (!guard->is_running)
        ty_log(ctx, TY_LOG_WARN, "comm", "no thread to guard %s with", what);
}

void ty_comm_guard_stop(ty_comm_guard *guard) {
    if (guard->is_running) {
        (void)pthread_mutex_lock(&guard->lock);
        guard->is_done = true;
        (void)pthread_cond_signal(&guard->changed);
        (void)pthread_mutex_unlock(&guard->lock);
        (void)pthread_join(guard->thread, NULL);
    }
    (void)pthread_cond_destroy(&guard->changed);
    (void)pthread_mutex_destroy(&guard->lock);
    ty_ctx_clear(&guard->ctx);
}
