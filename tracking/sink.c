#include "tracking/sink.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tracking/relocate.h"

static const char topic[] = "tracking";
enum { FIRST_PAUSE_MS = 1000, LONGEST_PAUSE_MS = 60000, CLOSING_PAUSE_MS = 50, SILENT_MS = 1000 };

struct ty_sink {
    _Atomic int64_t give_up_ns;
    _Atomic int64_t experiment_id;
    pthread_t thread;
    /* the thread's own */
    ty_ctx ctx;
    char *store_folder, *run_folder;
    bool is_troubled;
    int pause_ms;
    ty_store *store;
    ty_fold *fold;
    /* under lock */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    uint64_t offered, folded;
    bool is_closing, has_ended;
};

/* --- one attempt ------------------------------------------------------------------------------ */

static ty_status reach_store(ty_sink *s) {
    if (s->store)
        return TY_OK;
    TY_TRY(ty_store_open(&s->ctx, s->store_folder, &s->give_up_ns, &s->store));
    return ty_relocate(&s->ctx, s->store, s->store_folder, false);
}

static ty_status fold_up_to(ty_sink *s, uint64_t sequence) {
    ty_rebuild_report report = {0};
    if (!s->fold)
        TY_TRY(ty_fold_open(&s->ctx, s->run_folder, &s->fold));
    for (bool has_more = true; has_more;) {
        TY_TRY(ty_fold_some(&s->ctx, s->fold, s->store, sequence, &report, &has_more));
        atomic_store(&s->experiment_id, ty_fold_experiment(s->fold));
        if (ty_now_ns(&s->ctx) >= atomic_load(&s->give_up_ns) && has_more)
            return ty_fail(&s->ctx, TY_ERR_BUSY, "there was no time for all of it");
    }
    return TY_OK;
}

/* After a failure everything is opened anew: the file may be another one by then. */
static void note_failure(ty_sink *s) {
    if (!s->is_troubled)
        ty_log(&s->ctx, TY_LOG_WARN, topic,
               "the store cannot take the run now (%s); the journal has it and the run goes on",
               s->ctx.message);
    s->is_troubled = true;
    ty_store_close(s->store);
    s->store = NULL;
    s->pause_ms = s->pause_ms == 0 ? FIRST_PAUSE_MS : s->pause_ms * 2;
    if (s->pause_ms > LONGEST_PAUSE_MS)
        s->pause_ms = LONGEST_PAUSE_MS;
}

static ty_status attempt(ty_sink *s, uint64_t sequence) {
    ty_status st = reach_store(s);
    if (st == TY_OK)
        st = fold_up_to(s, sequence);
    if (st != TY_OK) {
        note_failure(s);
        return st;
    }
    if (s->is_troubled)
        ty_log(&s->ctx, TY_LOG_INFO, topic, "the store takes the run again");
    s->is_troubled = false;
    s->pause_ms = 0;
    return TY_OK;
}

/* --- the thread (lock held unless said) ------------------------------------------------------- */

static struct timespec in_ms(int ms) {
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    const int64_t ns = until.tv_nsec + (int64_t)ms * 1000000;
    until.tv_sec += ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    return until;
}

static void pause_for(ty_sink *s, int ms) {
    const struct timespec until = in_ms(ms);
    const bool was_closing = s->is_closing;
    while (s->is_closing == was_closing)
        if (pthread_cond_timedwait(&s->wake, &s->lock, &until) != 0)
            return;
}

/* Whether to end: all is folded, or waiting on would not help, or nobody waits any longer. */
static bool is_over(ty_sink *s, ty_status st) {
    if (!s->is_closing)
        return false;
    return st != TY_ERR_BUSY || ty_now_ns(&s->ctx) >= atomic_load(&s->give_up_ns);
}

static void *run_thread(void *self) {
    ty_sink *s = self;
    (void)pthread_mutex_lock(&s->lock);
    for (;;) {
        while (s->offered == s->folded && !s->is_closing)
            (void)pthread_cond_wait(&s->wake, &s->lock);
        const bool is_last = s->is_closing;
        const uint64_t target = s->offered;
        ty_status st = TY_OK;
        if (target != s->folded) {
            (void)pthread_mutex_unlock(&s->lock);
            st = attempt(s, target);
            (void)pthread_mutex_lock(&s->lock);
        }
        if (st == TY_OK)
            s->folded = target;
        if (is_last && is_over(s, st))
            break;
        if (st != TY_OK)
            pause_for(s, s->is_closing ? CLOSING_PAUSE_MS : s->pause_ms);
    }
    s->has_ended = true;
    (void)pthread_cond_broadcast(&s->wake);
    (void)pthread_mutex_unlock(&s->lock);
    return NULL;
}

static void release(ty_sink *s) {
    ty_fold_close(s->fold);
    ty_store_close(s->store);
    ty_ctx_clear(&s->ctx);
    free(s->store_folder);
    free(s->run_folder);
    free(s);
}

ty_status ty_sink_open(ty_ctx *ctx, const char *store_folder, const char *run_folder,
                       ty_sink **out) {
    ty_sink *s = calloc(1, sizeof *s);
    if (!s)
        return ty_fail_nomem(ctx, "the store's thread");
    ty_ctx_init_child(&s->ctx, ctx);
    atomic_init(&s->give_up_ns, INT64_MAX);
    atomic_init(&s->experiment_id, -1);
    s->store_folder = strdup(store_folder);
    s->run_folder = strdup(run_folder);
    pthread_condattr_t attributes;
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&s->wake, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    const int code =
        s->store_folder && s->run_folder ? pthread_create(&s->thread, NULL, run_thread, s) : ENOMEM;
    if (code != 0) {
        release(s);
        return ty_fail_errno(ctx, code, "starting the store's thread");
    }
    *out = s;
    return TY_OK;
}

void ty_sink_offer(ty_sink *s, uint64_t sequence) {
    (void)pthread_mutex_lock(&s->lock);
    if (sequence > s->offered)
        s->offered = sequence;
    (void)pthread_cond_signal(&s->wake);
    (void)pthread_mutex_unlock(&s->lock);
}

int64_t ty_sink_experiment(const ty_sink *s) {
    return atomic_load(&s->experiment_id);
}

/* Whoever waits for longer than a moment is told what for. */
static void await_end(ty_ctx *ctx, ty_sink *s, int deadline_ms) {
    const struct timespec until = in_ms(SILENT_MS);
    int code = 0;
    while (!s->has_ended && code == 0)
        code = pthread_cond_timedwait(&s->wake, &s->lock, &until);
    if (!s->has_ended && deadline_ms > SILENT_MS)
        ty_log(ctx, TY_LOG_INFO, topic,
               "waiting for %s/mlflow.db to take the rest of the run, at most %d s more (is it "
               "locked by somebody?); the journal has it all",
               s->store_folder, (deadline_ms - SILENT_MS) / 1000);
}

void ty_sink_close(ty_ctx *ctx, ty_sink *s, int deadline_ms) {
    if (!s)
        return;
    atomic_store(&s->give_up_ns, ty_now_ns(ctx) + (int64_t)deadline_ms * 1000000);
    (void)pthread_mutex_lock(&s->lock);
    s->is_closing = true;
    (void)pthread_cond_broadcast(&s->wake);
    await_end(ctx, s, deadline_ms);
    (void)pthread_mutex_unlock(&s->lock);
    (void)pthread_join(s->thread, NULL);
    if (s->offered != s->folded)
        ty_log(ctx, TY_LOG_WARN, topic,
               "%s is not wholly in the store yet; the next start or `tiltyard runs rebuild` adds "
               "the rest from its journal",
               s->run_folder);
    (void)pthread_cond_destroy(&s->wake);
    (void)pthread_mutex_destroy(&s->lock);
    release(s);
}
