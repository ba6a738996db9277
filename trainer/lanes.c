/* A round is one task on every lane: the opener raises the round's number, does lane 0's part and
 * waits for the rest. A waiting thread looks for a moment before it sleeps, because a step of a
 * small model is shorter than a wake-up. */
#include "trainer/lanes.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { LOOKS_BEFORE_SLEEP = 2000 };

typedef struct worker {
    ty_lanes *lanes;
    ty_lane lane;
    ty_ctx ctx; /* of lanes from 1 on */
    ty_status status;
    pthread_t thread;
} worker;

struct ty_lanes {
    int n, n_started;
    worker *workers;
    ty_device_options device;
    pthread_mutex_t lock;
    pthread_cond_t has_round, is_done;
    ty_lane_task *task; /* NULL: threads end */
    void *arg;
    atomic_int round, n_busy;
};

static bool look_for(const atomic_int *value, int wanted, bool wants_equal) {
    for (int i = 0; i < LOOKS_BEFORE_SLEEP; i++) {
        if ((atomic_load_explicit(value, memory_order_acquire) == wanted) == wants_equal)
            return true;
        __builtin_ia32_pause();
    }
    return false;
}

static void wait_for(ty_lanes *lanes, pthread_cond_t *cond, const atomic_int *value, int wanted,
                     bool wants_equal) {
    if (look_for(value, wanted, wants_equal))
        return;
    pthread_mutex_lock(&lanes->lock);
    while ((atomic_load_explicit(value, memory_order_acquire) == wanted) != wants_equal)
        pthread_cond_wait(cond, &lanes->lock);
    pthread_mutex_unlock(&lanes->lock);
}

static void finish_part(ty_lanes *lanes) {
    if (atomic_fetch_sub_explicit(&lanes->n_busy, 1, memory_order_acq_rel) != 1)
        return;
    pthread_mutex_lock(&lanes->lock);
    pthread_cond_signal(&lanes->is_done);
    pthread_mutex_unlock(&lanes->lock);
}

static void *work(void *arg) {
    worker *self = arg;
    ty_lanes *lanes = self->lanes;
    for (int seen = 0;; seen++) {
        wait_for(lanes, &lanes->has_round, &lanes->round, seen, false);
        if (!lanes->task)
            return NULL;
        self->status = lanes->task(&self->lane, lanes->arg);
        finish_part(lanes);
    }
}

static void begin_round(ty_lanes *lanes, ty_lane_task *task, void *arg) {
    lanes->task = task;
    lanes->arg = arg;
    atomic_store_explicit(&lanes->n_busy, lanes->n_started, memory_order_relaxed);
    pthread_mutex_lock(&lanes->lock);
    atomic_fetch_add_explicit(&lanes->round, 1, memory_order_release);
    pthread_cond_broadcast(&lanes->has_round);
    pthread_mutex_unlock(&lanes->lock);
}

ty_status ty_lanes_run(ty_ctx *ctx, ty_lanes *lanes, ty_lane_task *task, void *arg) {
    if (lanes->n_started > 0)
        begin_round(lanes, task, arg);
    lanes->workers[0].status = task(&lanes->workers[0].lane, arg);
    if (lanes->n_started > 0)
        wait_for(lanes, &lanes->is_done, &lanes->n_busy, 0, true);
    for (int i = 0; i <= lanes->n_started; i++) {
        const worker *lane = &lanes->workers[i];
        if (lane->status != TY_OK)
            return i == 0 ? lane->status : ty_fail(ctx, lane->status, "%s", lane->ctx.message);
    }
    return TY_OK;
}

static ty_status open_device(ty_lane *lane, void *arg) {
    const ty_lanes *lanes = arg;
    return ty_device_open(lane->ctx, &lanes->device, &lane->dev);
}

static ty_status close_device(ty_lane *lane, void *arg) {
    (void)arg;
    ty_device_close(lane->dev);
    return TY_OK;
}

static ty_status start_threads(ty_ctx *ctx, ty_lanes *lanes) {
    for (int i = 0; i < lanes->n; i++) {
        worker *self = &lanes->workers[i];
        *self = (worker){.lanes = lanes, .lane = {.index = i, .ctx = i ? &self->ctx : ctx}};
        if (i == 0)
            continue;
        ty_ctx_init_child(&self->ctx, ctx);
        const int error = pthread_create(&self->thread, NULL, work, self);
        if (error)
            return ty_fail_errno(ctx, error, "starting thread %d of train.threads %d", i, lanes->n);
        lanes->n_started++;
    }
    return TY_OK;
}

ty_status ty_lanes_open(ty_ctx *ctx, int n, const ty_device_options *device, ty_lanes **out) {
    ty_lanes *lanes = calloc(1, sizeof *lanes);
    worker *workers = calloc((size_t)n, sizeof *workers);
    if (!lanes || !workers) {
        free(lanes);
        free(workers);
        return ty_fail_nomem(ctx, "worker threads");
    }
    lanes->n = n;
    lanes->workers = workers;
    lanes->device = *device;
    pthread_mutex_init(&lanes->lock, NULL);
    pthread_cond_init(&lanes->has_round, NULL);
    pthread_cond_init(&lanes->is_done, NULL);
    ty_status st = start_threads(ctx, lanes);
    if (st == TY_OK)
        st = ty_lanes_run(ctx, lanes, open_device, lanes);
    if (st != TY_OK) {
        ty_lanes_close(lanes);
        return st;
    }
    *out = lanes;
    return TY_OK;
}

static void end_threads(ty_lanes *lanes) {
    begin_round(lanes, NULL, NULL);
    for (int i = 1; i <= lanes->n_started; i++) {
        pthread_join(lanes->workers[i].thread, NULL);
        ty_ctx_clear(&lanes->workers[i].ctx);
    }
}

void ty_lanes_close(ty_lanes *lanes) {
    if (!lanes)
        return;
    if (ty_lanes_run(lanes->workers[0].lane.ctx, lanes, close_device, NULL) == TY_OK)
        end_threads(lanes);
    pthread_cond_destroy(&lanes->is_done);
    pthread_cond_destroy(&lanes->has_round);
    pthread_mutex_destroy(&lanes->lock);
    free(lanes->workers);
    free(lanes);
}

int ty_lanes_count(const ty_lanes *lanes) {
    return lanes->n;
}

ty_device *ty_lanes_device(const ty_lanes *lanes) {
    return lanes->workers[0].lane.dev;
}
