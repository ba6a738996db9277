/* Queues, clocks and the order in which queued work runs. Events are event.c. */
#include "stream.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "leaks.h"
#include "memory.h"
#include "sim.h"
#include "stream_parts.h"
#include "thread.h"

typedef struct stream {
    int slot;
    int device;
    unsigned flags;
    int priority;
    bool is_alive, is_legacy;
    cs_clock clock;
    cs_op *first, *last;
    char ended_by[64];
} stream;

struct cs_streams {
    stream **all; /* never freed: a destroyed one is still recognised */
    size_t n, room;
    stream *legacy[CS_MAX_DEVICES];
    stream *owner[CS_MAX_STREAMS];
    uint32_t n_issued[CS_MAX_STREAMS];
    cs_clock completed, host;
    uint64_t n_ops, n_run;
    cs_random random;
    int last_slot;
    cs_op *last_op, *running;
};

int cs_streams_start(void) {
    cs_sim.streams = calloc(1, sizeof *cs_sim.streams);
    if (!cs_sim.streams)
        return cudaErrorMemoryAllocation;
    cs_random_init(&cs_sim.streams->random, cs_sim.options.seed, 1);
    return 0;
}

/* --- handles ---------------------------------------------------------------------------------- */

/* A slot of the clocks; one whose stream is gone and empty serves again when none is fresh. */
static int take_slot(cs_streams *all, stream *s) {
    for (int fresh = 1; fresh >= 0; fresh--)
        for (int i = 0; i < CS_MAX_STREAMS; i++) {
            const stream *owner = all->owner[i];
            bool is_free = fresh ? !owner : !owner->is_alive && !owner->first;
            if (is_free) {
                all->owner[i] = s;
                return i;
            }
        }
    cs_unknown("cudaStreamCreate", "more than %d streams at a time", CS_MAX_STREAMS);
}

static stream *new_stream(int device, unsigned flags, int priority, bool is_legacy) {
    cs_streams *all = cs_sim.streams;
    stream *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    *s = (stream){.device = device,
                  .flags = flags,
                  .priority = priority,
                  .is_alive = true,
                  .is_legacy = is_legacy};
    s->slot = take_slot(all, s);
    if (all->n == all->room) {
        all->room = all->room ? all->room * 2 : 32;
        all->all = realloc(all->all, all->room * sizeof *all->all);
        if (!all->all)
            abort();
    }
    all->all[all->n++] = s;
    return s;
}

static stream *legacy_of(int device) {
    stream **one = &cs_sim.streams->legacy[device];
    if (!*one)
        *one = new_stream(device, cudaStreamDefault, 0, true);
    return *one;
}

/* The stream behind a handle; NULL and a report where there is none. */
static stream *resolve(cudaStream_t handle) {
    if (handle == cudaStreamPerThread)
        cs_unknown(cs_current_function(), "cudaStreamPerThread");
    if (!handle || handle == cudaStreamLegacy)
        return legacy_of(cs_current_device());
    for (size_t i = 0; i < cs_sim.streams->n; i++) {
        stream *s = cs_sim.streams->all[i];
        if ((cudaStream_t)(void *)s != handle || s->is_legacy)
            continue;
        if (s->is_alive)
            return s;
        cs_report(CS_USE_AFTER_FREE, cs_current_call(), "stream %p was destroyed by %s",
                  (void *)handle, s->ended_by);
        return NULL;
    }
    cs_report(CS_ARGUMENT, cs_current_call(), "%p is no stream", (void *)handle);
    return NULL;
}

int cs_stream_device(cudaStream_t handle) {
    const stream *s = resolve(handle);
    return s ? s->device : -1;
}

int cs_stream_new(cudaStream_t *handle, unsigned flags, int priority) {
    if (!handle || (flags != cudaStreamDefault && flags != cudaStreamNonBlocking))
        return cudaErrorInvalidValue;
    stream *s = new_stream(cs_current_device(), flags, priority, false);
    *handle = (cudaStream_t)(void *)s;
    cs_leak_track("stream", s, NULL);
    return cudaSuccess;
}

int cs_stream_end(cudaStream_t handle) {
    if (!handle || handle == cudaStreamLegacy)
        return cudaErrorInvalidResourceHandle;
    stream *s = resolve(handle);
    if (!s)
        return cudaErrorInvalidResourceHandle;
    s->is_alive = false; /* what it holds still runs */
    snprintf(s->ended_by, sizeof s->ended_by, "%s", cs_caller_name());
    cs_leak_release("stream", s);
    return cudaSuccess;
}

int cs_stream_flags(cudaStream_t handle, unsigned *flags) {
    const stream *s = resolve(handle);
    if (!s || !flags)
        return s ? cudaErrorInvalidValue : cudaErrorInvalidResourceHandle;
    *flags = s->flags;
    return cudaSuccess;
}

int cs_stream_priority(cudaStream_t handle, int *priority) {
    const stream *s = resolve(handle);
    if (!s || !priority)
        return s ? cudaErrorInvalidValue : cudaErrorInvalidResourceHandle;
    *priority = s->priority;
    return cudaSuccess;
}

cs_clock *cs_stream_clock(cudaStream_t handle, int *device) {
    stream *s = resolve(handle);
    if (s && device)
        *device = s->device;
    return s ? &s->clock : NULL;
}

/* --- queueing --------------------------------------------------------------------------------- */

static bool is_blocking(const stream *s) {
    return s && !s->is_legacy && !(s->flags & cudaStreamNonBlocking);
}

/* The rules of the legacy default stream (Programming Guide, "Default Stream"): it waits for every blocking stream of
 * its device, and they for it. */
static void join_default_stream(stream *s) {
    cs_streams *all = cs_sim.streams;
    if (is_blocking(s) && all->legacy[s->device])
        cs_clock_join(&s->clock, &all->legacy[s->device]->clock);
    for (int i = 0; s->is_legacy && i < CS_MAX_STREAMS; i++)
        if (is_blocking(all->owner[i]) && all->owner[i]->device == s->device)
            cs_clock_join(&s->clock, &all->owner[i]->clock);
}

int cs_enqueue(cudaStream_t handle, const char *what, cs_run_fn *run, void *arg,
               void (*drop)(void *arg)) {
    cs_streams *all = cs_sim.streams;
    stream *s = resolve(handle);
    cs_op *op = s ? calloc(1, sizeof *op) : NULL;
    if (!op) {
        if (drop)
            drop(arg);
        return s ? cudaErrorMemoryAllocation : cudaErrorInvalidResourceHandle;
    }
    join_default_stream(s);
    cs_clock_join(&s->clock, &all->host);
    s->clock.count[s->slot] = ++all->n_issued[s->slot];
    *op = (cs_op){.slot = s->slot,
                  .count = s->clock.count[s->slot],
                  .clock = s->clock,
                  .device = s->device,
                  .issued = all->n_ops++,
                  .run = run,
                  .arg = arg,
                  .drop = drop,
                  .n_users = 1};
    snprintf(op->what, sizeof op->what, "%s", what);
    snprintf(op->caller, sizeof op->caller, "%s", cs_caller_name());
    *(s->first ? &s->last->next : &s->first) = op;
    s->last = op;
    all->last_op = op;
    return cudaSuccess;
}

cs_op *cs_last_op(void) {
    return cs_sim.streams->last_op;
}

cs_op *cs_running_op(void) {
    return cs_sim.streams->running;
}

int cs_running_device(void) {
    const cs_op *op = cs_sim.streams ? cs_sim.streams->running : NULL;
    return op ? op->device : cs_current_device();
}

static void add_range(cs_op *op, cs_range range) {
    if (range.bytes == 0 || !(cs_is_device(range.address) || cs_is_pinned(range.address)))
        return;
    if (op->n_ranges == op->room) {
        op->room = op->room ? op->room * 2 : 4;
        op->ranges = realloc(op->ranges, op->room * sizeof *op->ranges);
        if (!op->ranges)
            abort();
    }
    op->ranges[op->n_ranges++] = range;
    if (cs_is_pinned(range.address))
        cs_guard_close(op, &range);
}

void cs_op_reads(cs_op *op, uint64_t address, size_t bytes) {
    add_range(op, (cs_range){address, bytes, false});
}

void cs_op_writes(cs_op *op, uint64_t address, size_t bytes) {
    add_range(op, (cs_range){address, bytes, true});
}

void cs_op_is_kernel(cs_op *op) {
    op->is_kernel = true;
}

void cs_op_release(cs_op *op) {
    if (--op->n_users > 0)
        return;
    free(op->ranges);
    free(op);
}

/* --- running ---------------------------------------------------------------------------------- */

static bool may_run(const cs_op *op) {
    const cs_clock *completed = &cs_sim.streams->completed;
    for (int i = 0; i < CS_MAX_STREAMS; i++)
        if (i != op->slot && completed->count[i] < op->clock.count[i])
            return false;
    return true;
}

static size_t eligible(stream **found) {
    size_t n = 0;
    for (int i = 0; i < CS_MAX_STREAMS; i++) {
        stream *s = cs_sim.streams->owner[i];
        if (s && s->first && may_run(s->first))
            found[n++] = s;
    }
    return n;
}

static size_t choose(stream *const *found, size_t n) {
    cs_streams *all = cs_sim.streams;
    size_t best = 0;
    if (cs_sim.options.schedule == CS_SCHEDULE_RANDOM)
        return cs_random_below(&all->random, n);
    for (size_t i = 0; i < n; i++) {
        if (cs_sim.options.schedule == CS_SCHEDULE_ONE_WARP && found[i]->slot == all->last_slot)
            return i;
        bool is_older = found[i]->first->issued < found[best]->first->issued;
        if (is_older != (cs_sim.options.schedule == CS_SCHEDULE_REVERSE))
            best = i;
    }
    return best;
}

static void check_still_alive(const cs_op *op) {
    for (size_t i = 0; i < op->n_ranges; i++) {
        const cs_allocation *a = cs_allocation_of(op->ranges[i].address);
        if (a && a->is_freed)
            cs_report(CS_USE_AFTER_FREE, op->what,
                      "queued by %s, uses %s of %zu bytes by %s, which %s freed before it ran",
                      op->caller, a->what, a->bytes, a->made_by, a->freed_by);
    }
}

static void finish_op(stream *s, cs_op *op) {
    cs_streams *all = cs_sim.streams;
    if (op->is_kernel)
        cs_order_collect_kernel(op);
    for (size_t i = 0; i < op->n_ranges; i++)
        cs_order_record(op, op->ranges[i].address, op->ranges[i].bytes, op->ranges[i].is_write);
    s->first = op->next;
    s->last = s->first ? s->last : NULL;
    all->last_op = all->last_op == op ? NULL : all->last_op;
    all->completed.count[op->slot] = op->count;
    all->last_slot = op->slot;
    all->n_run++;
    if (op->drop)
        op->drop(op->arg);
    cs_op_release(op);
}

static cs_progress run_head(stream *s) {
    cs_streams *all = cs_sim.streams;
    cs_op *op = s->first, *outer = all->running;
    check_still_alive(op);
    all->running = op;
    cs_progress progress = cs_sim.sticky_error ? CS_DONE : op->run(op->arg);
    all->running = outer;
    if (progress == CS_DONE)
        finish_op(s, op);
    return progress;
}

typedef enum step { STEP_RAN, STEP_PENDING, STEP_NOTHING } step;

/* Runs one operation: some stream's that may go on. */
static step run_one(void) {
    stream *found[CS_MAX_STREAMS];
    size_t n = eligible(found);
    step outcome = n ? STEP_PENDING : STEP_NOTHING;
    while (n > 0) {
        size_t which = choose(found, n);
        if (run_head(found[which]) == CS_DONE)
            return STEP_RAN;
        found[which] = found[--n];
    }
    return outcome;
}

static double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Another process has to come first. The lock is given up so that other threads of this one may call. */
static void yield(void) {
    bool is_in_a_call = cs_this_thread()->depth > 0;
    if (is_in_a_call)
        pthread_mutex_unlock(&cs_sim.lock);
    sched_yield();
    if (is_in_a_call)
        pthread_mutex_lock(&cs_sim.lock);
}

static _Noreturn void hang(const char *what, const cs_clock *clock) {
    for (int i = 0; i < CS_MAX_STREAMS; i++) {
        const stream *s = cs_sim.streams->owner[i];
        if (s && s->first && cs_sim.streams->completed.count[i] < clock->count[i])
            cs_report(CS_HANG, s->first->what, "queued by %s, makes no progress; %s waits for it",
                      s->first->caller, what);
    }
    cs_report(CS_HANG, what, "no progress for %.0f s", cs_sim.options.hang_s);
    cs_end_reported();
}

bool cs_has_run(const cs_clock *clock) {
    return cs_clock_covers(&cs_sim.streams->completed, clock);
}

int cs_wait_for(const cs_clock *wanted, const char *what) {
    cs_clock clock = *wanted; /* a running operation may move the stream's */
    double waiting_since = 0;
    while (!cs_has_run(&clock)) {
        step outcome = run_one();
        if (outcome == STEP_RAN) {
            waiting_since = 0;
            continue;
        }
        double now = now_s();
        waiting_since = waiting_since > 0 ? waiting_since : now;
        if (outcome == STEP_NOTHING || now - waiting_since > cs_sim.options.hang_s)
            hang(what, &clock);
        yield();
    }
    cs_host_knows(&clock);
    return cs_sim.sticky_error;
}

void cs_make_progress(void) {
    uint64_t steps = 1;
    if (cs_sim.options.schedule == CS_SCHEDULE_RANDOM)
        steps += cs_random_below(&cs_sim.streams->random, 4);
    while (steps-- > 0)
        if (run_one() == STEP_PENDING)
            yield();
}

void cs_host_knows(const cs_clock *clock) {
    cs_streams *all = cs_sim.streams;
    cs_clock_join(&all->host, clock);
    cs_op *oldest[CS_MAX_STREAMS];
    size_t n = 0;
    for (int i = 0; i < CS_MAX_STREAMS; i++)
        if (all->owner[i] && all->owner[i]->first)
            oldest[n++] = all->owner[i]->first;
    cs_order_forget(&all->host, oldest, n);
    cs_guard_open_known(&all->host);
}

uint64_t cs_device_time_ns(void) {
    return cs_sim.streams->n_run * 1000;
}

/* --- waiting ---------------------------------------------------------------------------------- */

/* Waiting for the default stream is waiting for all that it waits for. */
static cs_clock clock_to_wait_for(stream *s) {
    if (s->is_legacy)
        join_default_stream(s);
    return s->clock;
}

int cs_stream_wait(cudaStream_t handle) {
    stream *s = resolve(handle);
    if (!s)
        return cudaErrorInvalidResourceHandle;
    cs_clock clock = clock_to_wait_for(s);
    return cs_wait_for(&clock, cs_current_call());
}

int cs_device_wait(int device) {
    cs_clock clock = {{0}};
    for (int i = 0; i < CS_MAX_STREAMS; i++)
        if (cs_sim.streams->owner[i] && cs_sim.streams->owner[i]->device == device)
            cs_clock_join(&clock, &cs_sim.streams->owner[i]->clock);
    return cs_wait_for(&clock, cs_current_call());
}

int cs_stream_query(cudaStream_t handle) {
    stream *s = resolve(handle);
    if (!s)
        return cudaErrorInvalidResourceHandle;
    cs_clock clock = clock_to_wait_for(s);
    if (!cs_has_run(&clock))
        cs_make_progress();
    if (!cs_has_run(&clock))
        return cudaErrorNotReady;
    cs_host_knows(&clock);
    return cs_sim.sticky_error;
}

void cs_streams_abandon(void) {
    cs_streams *all = cs_sim.streams;
    if (all->running)
        return;
    for (size_t i = 0; i < all->n; i++)
        while (all->all[i]->first) {
            cs_op *op = all->all[i]->first;
            all->all[i]->first = op->next;
            if (op->drop)
                op->drop(op->arg);
            cs_op_release(op);
        }
    all->last_op = NULL;
    memcpy(all->completed.count, all->n_issued, sizeof all->n_issued);
    cs_host_knows(&all->completed);
}

void cs_streams_stop(void) {
    for (size_t i = 0; i < cs_sim.streams->n; i++)
        for (cs_op *op = cs_sim.streams->all[i]->first; op; op = op->next)
            if (op->drop)
                op->drop(op->arg);
}
