#include "tracking/sinks/feeder.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

static const char topic[] = "tracking";
enum { FIRST_PAUSE_MS = 1000, LONGEST_PAUSE_MS = 60000, CLOSING_PAUSE_MS = 50, SILENT_MS = 1000 };

struct ty_feeder {
    _Atomic int64_t give_up_ns;
    _Atomic bool is_stopped; /* stop_value stands from then on */
    char stop_value[TY_FEEDER_VALUE_BYTES];
    pthread_t thread;
    ty_arena arena; /* of place and target */
    ty_target target;
    ty_sink_place place;
    const ty_sink_kind *kind;
    void *sink;
    /* the thread's own */
    ty_ctx ctx;
    bool is_troubled, is_over, is_named;
    int pause_ms;
    int64_t looked_ns;
    char stopped_by[TY_FEEDER_VALUE_BYTES];
    /* under lock */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    uint64_t offered, taken;
    bool is_closing, has_ended, is_whole; /* is_whole: the last attempt left nothing */
    ty_sink_facts facts;
};

static const char *name_of(const ty_feeder *f) {
    return f->target.kind == TY_TARGET_STORE ? f->kind->name : f->target.name;
}

/* --- one attempt ------------------------------------------------------------------------------ */

static ty_status feed(ty_feeder *f, uint64_t sequence, bool is_last) {
    for (bool has_more = true; has_more;) {
        TY_TRY(f->kind->take(&f->ctx, f->sink, sequence, is_last, &has_more));
        if (ty_now_ns(&f->ctx) >= atomic_load(&f->give_up_ns) && has_more)
            return ty_fail(&f->ctx, TY_ERR_BUSY, "there was no time for all of it");
    }
    return TY_OK;
}

/* Where the run is on a server, once that is known. */
static void name_run(ty_feeder *f, const ty_sink_facts *facts) {
    if (f->is_named || f->target.kind != TY_TARGET_SERVER || facts->run_id[0] == '\0')
        return;
    f->is_named = true;
    ty_log(&f->ctx, TY_LOG_INFO, "track", "%s/#/experiments/%s/runs/%s", f->target.name,
           facts->experiment_id, facts->run_id);
}

static void note_facts(ty_feeder *f, ty_status st, ty_sink_facts *facts) {
    f->kind->describe(f->sink, facts);
    facts->is_away = st != TY_OK;
    (void)pthread_mutex_lock(&f->lock);
    f->facts = *facts;
    (void)pthread_mutex_unlock(&f->lock);
    name_run(f, facts);
}

static void note_failure(ty_feeder *f, bool is_over) {
    if (is_over)
        ty_log(&f->ctx, TY_LOG_ERROR, topic,
               "%s takes no more of the run: %s; the journal has it and the run goes on",
               name_of(f), f->ctx.message);
    else if (!f->is_troubled)
        ty_log(&f->ctx, TY_LOG_WARN, topic,
               "%s cannot take the run now (%s); the journal has it and the run goes on",
               name_of(f), f->ctx.message);
    f->is_troubled = true;
    f->is_over = is_over;
    f->pause_ms = f->pause_ms == 0 ? FIRST_PAUSE_MS : f->pause_ms * 2;
    if (f->pause_ms > LONGEST_PAUSE_MS)
        f->pause_ms = LONGEST_PAUSE_MS;
}

static ty_status attempt(ty_feeder *f, uint64_t sequence, bool is_last) {
    ty_sink_facts facts;
    if (f->is_over)
        return TY_ERR_FAILED;
    const ty_status st = feed(f, sequence, is_last);
    note_facts(f, st, &facts);
    if (st != TY_OK) {
        note_failure(f, facts.is_over);
        return st;
    }
    if (f->is_troubled)
        ty_log(&f->ctx, TY_LOG_INFO, topic, "%s takes the run again", name_of(f));
    f->is_troubled = false;
    f->pause_ms = 0;
    return TY_OK;
}

/* --- the tag that asks for the end ------------------------------------------------------------ */

bool ty_feeder_is_stop_value(const char *value) {
    static const char *const no[] = {"", "0", "false", "no", "off"};
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
        if (strcasecmp(value, no[i]) == 0)
            return false;
    return true;
}

static void judge_tag(ty_feeder *f, const char *value) {
    if (!ty_feeder_is_stop_value(value)) {
        f->stopped_by[0] = '\0'; /* whoever sets it now means it */
        return;
    }
    char cut[TY_FEEDER_VALUE_BYTES];
    (void)snprintf(cut, sizeof cut, "%s", value);
    if (strcmp(cut, f->stopped_by) == 0)
        return;
    memcpy(f->stop_value, cut, sizeof cut);
    atomic_store(&f->is_stopped, true);
}

/* A look that fails is made again later; feeding says what is wrong. */
static void look(ty_feeder *f) {
    const int64_t now = ty_now_ns(&f->ctx);
    if (f->is_troubled || atomic_load(&f->is_stopped) ||
        now - f->looked_ns < TY_FEEDER_LOOK_MS * 1000000ll)
        return;
    ty_text value = {0};
    f->looked_ns = now;
    if (f->kind->read_tag(&f->ctx, f->sink, TY_FEEDER_STOP_TAG, &value) == TY_OK)
        judge_tag(f, ty_text_string(&value));
    ty_text_clear(&value);
}

bool ty_feeder_is_stopped(ty_feeder *f, char value[TY_FEEDER_VALUE_BYTES]) {
    if (!f || !atomic_load(&f->is_stopped))
        return false;
    memcpy(value, f->stop_value, sizeof f->stop_value);
    return true;
}

/* --- the thread (lock held unless said) ------------------------------------------------------- */

static struct timespec after(int64_t ms) {
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    const int64_t ns = until.tv_nsec + ms % 1000 * 1000000;
    until.tv_sec += ms / 1000 + ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    return until;
}

static void pause_for(ty_feeder *f, int64_t ms) {
    const struct timespec until = after(ms);
    const bool was_closing = f->is_closing;
    while (f->is_closing == was_closing)
        if (pthread_cond_timedwait(&f->wake, &f->lock, &until) != 0)
            return;
}

/* Waits for something to do, or for the time to look again. */
static void wait_for_work(ty_feeder *f) {
    const struct timespec until = after(TY_FEEDER_LOOK_MS);
    while (f->offered == f->taken && !f->is_closing)
        if (pthread_cond_timedwait(&f->wake, &f->lock, &until) != 0)
            return;
}

/* How long to leave the sink alone after a failure: at least until it wants to be asked again, but
 * not beyond the deadline. */
static int64_t pause_length(ty_feeder *f) {
    const int64_t now = ty_now_ns(&f->ctx), give_up = atomic_load(&f->give_up_ns);
    const int64_t wanted_ms = (f->facts.next_try_ns - now) / 1000000;
    const int64_t own_ms = f->is_closing ? CLOSING_PAUSE_MS : f->pause_ms;
    const int64_t ms = wanted_ms > own_ms ? wanted_ms : own_ms;
    const int64_t left_ms = give_up == INT64_MAX ? INT64_MAX : (give_up - now) / 1000000 + 1;
    return ms < left_ms ? ms : left_ms > 0 ? left_ms : 0;
}

/* Whether to end: all is taken, or waiting on would not help, or nobody waits any longer. */
static bool is_finished(ty_feeder *f, ty_status st) {
    return st != TY_ERR_BUSY || ty_now_ns(&f->ctx) >= atomic_load(&f->give_up_ns);
}

static void *run_thread(void *self) {
    ty_feeder *f = self;
    (void)pthread_mutex_lock(&f->lock);
    for (;;) {
        wait_for_work(f);
        const bool is_last = f->is_closing, is_due = is_last || f->offered != f->taken;
        const uint64_t target = f->offered;
        (void)pthread_mutex_unlock(&f->lock);
        const ty_status st = is_due ? attempt(f, target, is_last) : TY_OK;
        if (!is_last)
            look(f);
        (void)pthread_mutex_lock(&f->lock);
        if (st == TY_OK)
            f->taken = target;
        f->is_whole = st == TY_OK;
        if (is_last && is_finished(f, st))
            break;
        if (st != TY_OK)
            pause_for(f, pause_length(f));
    }
    f->has_ended = true;
    (void)pthread_cond_broadcast(&f->wake);
    (void)pthread_mutex_unlock(&f->lock);
    return NULL;
}

/* --- opening and closing ---------------------------------------------------------------------- */

static void release(ty_feeder *f) {
    if (f->kind)
        f->kind->close(&f->ctx, f->sink);
    ty_ctx_clear(&f->ctx);
    ty_arena_clear(&f->arena);
    free(f);
}

static ty_status keep_options(ty_ctx *ctx, ty_feeder *f, const ty_feeder_options *options) {
    const ty_target *t = options->target;
    f->target = (ty_target){.kind = t->kind,
                            .name = ty_arena_string(&f->arena, t->name),
                            .given = t->given ? ty_arena_string(&f->arena, t->given) : NULL,
                            .path = t->path ? ty_arena_string(&f->arena, t->path) : NULL};
    f->place = (ty_sink_place){.folder = ty_arena_string(&f->arena, options->folder),
                               .run_folder = ty_arena_string(&f->arena, options->run_folder),
                               .target = &f->target,
                               .give_up_ns = &f->give_up_ns};
    (void)snprintf(f->stopped_by, sizeof f->stopped_by, "%s", options->stopped_by);
    const bool is_short = (t->given && !f->target.given) || (t->path && !f->target.path);
    if (is_short || !f->target.name || !f->place.folder || !f->place.run_folder)
        return ty_fail_nomem(ctx, "a sink's thread");
    f->kind = ty_sink_for(&f->target);
    return f->kind->open(ctx, &f->place, &f->sink);
}

static ty_status start_thread(ty_ctx *ctx, ty_feeder *f) {
    pthread_condattr_t attributes;
    (void)pthread_mutex_init(&f->lock, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&f->wake, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    const int code = pthread_create(&f->thread, NULL, run_thread, f);
    return code == 0 ? TY_OK : ty_fail_errno(ctx, code, "starting a sink's thread");
}

ty_status ty_feeder_open(ty_ctx *ctx, const ty_feeder_options *options, ty_feeder **out) {
    ty_feeder *f = calloc(1, sizeof *f);
    if (!f)
        return ty_fail_nomem(ctx, "a sink's thread");
    ty_ctx_init_child(&f->ctx, ctx);
    atomic_init(&f->give_up_ns, INT64_MAX);
    f->looked_ns = ty_now_ns(ctx);
    ty_status st = keep_options(ctx, f, options);
    if (st == TY_OK)
        st = start_thread(ctx, f);
    if (st == TY_OK)
        *out = f;
    else
        release(f);
    return st;
}

void ty_feeder_offer(ty_feeder *f, uint64_t sequence) {
    if (!f)
        return;
    (void)pthread_mutex_lock(&f->lock);
    if (sequence > f->offered)
        f->offered = sequence;
    (void)pthread_cond_signal(&f->wake);
    (void)pthread_mutex_unlock(&f->lock);
}

void ty_feeder_describe(ty_feeder *f, ty_sink_facts *out) {
    *out = (ty_sink_facts){0};
    if (!f)
        return;
    (void)pthread_mutex_lock(&f->lock);
    *out = f->facts;
    (void)pthread_mutex_unlock(&f->lock);
}

/* Whoever waits for longer than a moment is told what for. */
static void await_end(ty_ctx *ctx, ty_feeder *f, int deadline_ms) {
    const struct timespec until = after(SILENT_MS);
    const bool is_store = f->target.kind == TY_TARGET_STORE;
    int code = 0;
    while (!f->has_ended && code == 0)
        code = pthread_cond_timedwait(&f->wake, &f->lock, &until);
    if (!f->has_ended && deadline_ms > SILENT_MS)
        ty_log(
            ctx, TY_LOG_INFO, topic,
            "waiting for %s to take the rest of the run, at most %d s more; the journal has it all",
            is_store ? f->target.path : f->target.name, (deadline_ms - SILENT_MS) / 1000);
}

static void say_rest(ty_ctx *ctx, const ty_feeder *f) {
    const char *run = f->place.run_folder;
    if (f->target.kind == TY_TARGET_STORE)
        ty_log(ctx, TY_LOG_WARN, topic,
               "%s is not wholly in the store yet; the next start or `tiltyard runs rebuild` adds "
               "the rest from its journal",
               run);
    else
        ty_log(ctx, TY_LOG_WARN, topic,
               "%s is not wholly on %s yet: `tiltyard sync %s` sends the "
               "rest",
               run, f->target.name, run);
}

void ty_feeder_close(ty_ctx *ctx, ty_feeder *f, int deadline_ms) {
    if (!f)
        return;
    const int64_t give_up_ns = ty_now_ns(ctx) + (int64_t)deadline_ms * 1000000;
    atomic_store(&f->give_up_ns, give_up_ns);
    f->kind->set_deadline(f->sink, give_up_ns);
    (void)pthread_mutex_lock(&f->lock);
    f->is_closing = true;
    (void)pthread_cond_broadcast(&f->wake);
    await_end(ctx, f, deadline_ms);
    (void)pthread_mutex_unlock(&f->lock);
    (void)pthread_join(f->thread, NULL);
    if (!f->is_whole)
        say_rest(ctx, f);
    (void)pthread_cond_destroy(&f->wake);
    (void)pthread_mutex_destroy(&f->lock);
    release(f);
}
