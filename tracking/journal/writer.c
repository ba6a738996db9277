#include "tracking/journal/writer.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tracking/artifact.h"
#include "tracking/journal/package.h"

static const char topic[] = "tracking";

struct ty_writer {
    ty_ring *ring;
    char *run_folder;
    void (*on_sync)(void *self, uint64_t sequence);
    void *self;
    _Atomic bool is_urgent; /* something other than points waits, or many points */
    _Atomic uint64_t synced;
    _Atomic int64_t n_dropped;

    pthread_mutex_t lock; /* everything below; held while a disk is synced */
    pthread_cond_t wake;
    pthread_t thread;
    bool is_closing, is_troubled, needs_reopen;
    ty_ctx ctx;
    ty_lease *lease;
    ty_journal *journal; /* NULL while it could not be opened again */
    ty_seen *seen;
    int64_t last_sync_ns;
    /* the METRICS record being gathered */
    ty_text keys, points, payload;
    int64_t n_keys, n_points;
    uint64_t batch;
};

/* --- gathering points (lock held) ------------------------------------------------------------- */

static void clear_batch(ty_writer *w) {
    w->keys.length = w->points.length = 0;
    w->n_keys = w->n_points = 0;
    w->batch++;
}

static ty_status append(ty_writer *w, uint32_t type, const ty_text *payload) {
    if (!w->journal)
        return ty_fail(&w->ctx, TY_ERR_IO, "the journal is closed");
    return ty_journal_append(&w->ctx, w->journal, type, ty_text_string(payload), payload->length,
                             NULL);
}

/* On failure the batch stays, to be written later. */
static ty_status finish_batch(ty_writer *w) {
    if (w->n_points == 0)
        return TY_OK;
    w->payload.length = 0;
    ty_text_addf(&w->payload, "{\"keys\":[%s],\"points\":[", ty_text_string(&w->keys));
    ty_text_add_n(&w->payload, ty_text_string(&w->points), w->points.length);
    ty_text_add(&w->payload, "]}");
    if (w->payload.is_short || w->keys.is_short || w->points.is_short)
        return ty_fail_nomem(&w->ctx, "a record of metric points");
    TY_TRY(append(w, TY_TRACK_METRICS, &w->payload));
    clear_batch(w);
    return TY_OK;
}

static void name_curve(ty_writer *w, ty_seen_curve *curve, const char *key) {
    if (curve->batch == w->batch)
        return;
    curve->batch = w->batch;
    curve->index = w->n_keys++;
    if (curve->index != 0)
        ty_text_add(&w->keys, ",");
    ty_text_add_json(&w->keys, key);
}

static ty_status take_point(ty_writer *w, const ty_ring_item *item) {
    int64_t step = item->step;
    bool is_new = false;
    ty_seen_curve *curve;
    if (w->n_points == TY_WRITER_BATCH_POINTS)
        TY_TRY(finish_batch(w));
    TY_TRY(ty_seen_point(&w->ctx, w->seen, item->key, &step, &is_new, &curve));
    if (!is_new)
        return TY_OK;
    name_curve(w, curve, item->key);
    ty_text_addf(&w->points, "%s[%lld,%lld,%lld,", w->n_points++ != 0 ? "," : "",
                 (long long)curve->index, (long long)step, (long long)item->time_ns);
    ty_text_add_number(&w->points, item->value);
    ty_text_add(&w->points, "]");
    return TY_OK;
}

/* --- everything else (lock held) -------------------------------------------------------------- */

/* A checkpoint may be gone because a newer one has replaced it, whose record follows. */
static bool is_overtaken(ty_writer *w, const ty_track_record *record, const char *path) {
    return record->type == TY_TRACK_MODEL && !ty_file_exists(&w->ctx, path);
}

/* Makes the file an artifact and names it as seen from the run's folder. One that is gone is said
 * and still recorded. */
static ty_status publish_file(ty_writer *w, ty_arena *arena, ty_track_record *record) {
    const char *from = ty_path_absolute(arena, record->file.path);
    const char *to = ty_path_join(arena, w->run_folder, record->file.artifact);
    if (!from || !to)
        return ty_fail_nomem(&w->ctx, "an artifact's name");
    if (!ty_artifact_name_is_safe(record->file.artifact))
        ty_log(&w->ctx, TY_LOG_WARN, topic, "%s is no name for an artifact; it is not shown",
               record->file.artifact);
    else if (ty_artifact_publish(&w->ctx, from, to) != TY_OK)
        ty_log(&w->ctx, is_overtaken(w, record, from) ? TY_LOG_DEBUG : TY_LOG_WARN, topic,
               "%s will not show in MLflow: %s", record->file.path, w->ctx.message);
    const size_t prefix = strlen(w->run_folder);
    const bool is_inside = strncmp(from, w->run_folder, prefix) == 0 && from[prefix] == '/';
    record->file.path = is_inside ? from + prefix + 1 : from;
    return TY_OK;
}

static ty_status write_record(ty_writer *w, ty_arena *arena, ty_track_record *record) {
    if (record->type == TY_TRACK_FILE || record->type == TY_TRACK_MODEL)
        TY_TRY(publish_file(w, arena, record));
    if (!ty_seen_is_new(w->seen, record))
        return TY_OK;
    if (record->type == TY_TRACK_PACKAGE &&
        ty_package_take_in(&w->ctx, w->run_folder, arena, record) != TY_OK) {
        ty_log(&w->ctx, TY_LOG_WARN, topic, "a model is left out: %s", w->ctx.message);
        return TY_OK;
    }
    w->payload.length = 0;
    ty_track_encode(record, &w->payload);
    if (w->payload.is_short)
        return ty_fail_nomem(&w->ctx, "a record of the journal");
    TY_TRY(append(w, record->type, &w->payload));
    return ty_seen_note(&w->ctx, w->seen, record);
}

static ty_status take_record(ty_writer *w, const ty_ring_item *item) {
    const ty_journal_record raw = {
        .type = item->type, .payload = item->payload, .payload_bytes = item->payload_bytes};
    ty_arena arena = {0};
    ty_track_record record;
    ty_status st = finish_batch(w);
    if (st == TY_OK && ty_track_decode(&w->ctx, &raw, &arena, &record) != TY_OK)
        ty_log(&w->ctx, TY_LOG_WARN, topic, "an event was left out: %s", w->ctx.message);
    else if (st == TY_OK)
        st = write_record(w, &arena, &record);
    ty_arena_clear(&arena);
    return st;
}

/* --- draining (lock held) --------------------------------------------------------------------- */

static ty_status drain_ring(ty_writer *w) {
    ty_ring_item item;
    while (ty_ring_peek(w->ring, &item)) {
        TY_TRY(item.type == 0 ? take_point(w, &item) : take_record(w, &item));
        ty_ring_pop(w->ring);
    }
    return finish_batch(w);
}

/* A journal whose failed record could not be cut has to be opened again before it takes more. */
static ty_status reopen_journal(ty_writer *w) {
    ty_arena_mark mark = ty_arena_mark_here(&w->ctx.scratch);
    const char *path = ty_track_journal_path(&w->ctx.scratch, w->run_folder);
    (void)ty_journal_close(&w->ctx, w->journal);
    w->journal = NULL;
    const ty_status st = path ? ty_journal_open_held(&w->ctx, path, w->lease, &w->journal)
                              : ty_fail_nomem(&w->ctx, "a journal's name");
    ty_arena_reset(&w->ctx.scratch, mark);
    return st;
}

/* Said once when it begins; over it is with the next sync that succeeds. That another process records the run by
 * now is for whoever closes it to say. */
static void note_trouble(ty_writer *w, ty_status st) {
    if (!w->is_troubled && st != TY_ERR_BUSY)
        ty_log(&w->ctx, TY_LOG_WARN, topic,
               "%s: the journal takes no records (%s); they wait in memory and the run goes on",
               w->run_folder, w->ctx.message);
    w->is_troubled = true;
}

static ty_status drain(ty_writer *w) {
    ty_status st = w->needs_reopen ? reopen_journal(w) : TY_OK;
    if (st == TY_OK)
        st = drain_ring(w);
    w->needs_reopen = st != TY_OK;
    if (st != TY_OK)
        note_trouble(w, st);
    return st;
}

/* Only after a drain that succeeded: then there is a journal. */
static ty_status sync_journal(ty_writer *w) {
    w->last_sync_ns = ty_now_ns(&w->ctx);
    const ty_status st = ty_journal_sync(&w->ctx, w->journal);
    if (st != TY_OK) {
        note_trouble(w, st);
        return st;
    }
    if (w->is_troubled)
        ty_log(&w->ctx, TY_LOG_INFO, topic, "%s: the journal is written again", w->run_folder);
    w->is_troubled = false;
    const uint64_t last = ty_journal_last_sequence(w->journal);
    if (atomic_exchange(&w->synced, last) != last && w->on_sync)
        w->on_sync(w->self, last);
    return TY_OK;
}

/* --- the thread ------------------------------------------------------------------------------- */

static void wait_tick(ty_writer *w) {
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    const int64_t wait_ms = w->is_troubled ? TY_WRITER_SYNC_MS : TY_WRITER_TICK_MS;
    const int64_t ns = until.tv_nsec + wait_ms * 1000000;
    until.tv_sec += ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    (void)pthread_cond_timedwait(&w->wake, &w->lock, &until);
}

static void *run_thread(void *self) {
    ty_writer *w = self;
    (void)pthread_mutex_lock(&w->lock);
    while (!w->is_closing) {
        if (!atomic_load(&w->is_urgent) || w->is_troubled)
            wait_tick(w);
        const bool is_urgent = atomic_exchange(&w->is_urgent, false);
        const bool is_due = ty_now_ns(&w->ctx) - w->last_sync_ns >= TY_WRITER_SYNC_MS * 1000000ll;
        if (drain(w) == TY_OK && (is_urgent || is_due))
            (void)sync_journal(w);
    }
    (void)pthread_mutex_unlock(&w->lock);
    return NULL;
}

static ty_status start_thread(ty_ctx *ctx, ty_writer *w) {
    pthread_condattr_t attributes;
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&w->wake, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    const int code = pthread_create(&w->thread, NULL, run_thread, w);
    return code == 0 ? TY_OK : ty_fail_errno(ctx, code, "starting the journal's thread");
}

static void release(ty_writer *w) {
    ty_text_clear(&w->keys);
    ty_text_clear(&w->points);
    ty_text_clear(&w->payload);
    ty_ring_close(w->ring);
    ty_ctx_clear(&w->ctx);
    free(w->run_folder);
    free(w);
}

ty_status ty_writer_open(ty_ctx *ctx, const ty_writer_options *options, ty_writer **out) {
    ty_status st = TY_OK;
    ty_writer *w = calloc(1, sizeof *w);
    if (!w) {
        (void)ty_journal_close(ctx, options->journal);
        return ty_fail_nomem(ctx, "the journal's writer");
    }
    ty_ctx_init_child(&w->ctx, ctx);
    w->journal = options->journal;
    w->lease = options->lease;
    w->seen = options->seen;
    w->on_sync = options->on_sync;
    w->self = options->self;
    w->batch = 1;
    w->last_sync_ns = ty_now_ns(ctx);
    atomic_init(&w->synced, ty_journal_last_sequence(w->journal));
    if (!(w->run_folder = strdup(options->run_folder)))
        TY_TRY_GOTO(fail, st, ty_fail_nomem(ctx, "the journal's writer"));
    TY_TRY_GOTO(fail, st, ty_ring_open(ctx, TY_WRITER_RING_SLOTS, &w->ring));
    TY_TRY_GOTO(fail, st, start_thread(ctx, w));
    *out = w;
    return TY_OK;
fail:
    (void)ty_journal_close(ctx, w->journal);
    release(w);
    return st;
}

/* The ring is full: its content and then the item go to the journal from this thread. */
static bool spill(ty_writer *w, const ty_ring_item *item) {
    (void)pthread_mutex_lock(&w->lock);
    if (!w->is_troubled)
        (void)drain(w);
    const bool is_taken = ty_ring_push(w->ring, item);
    (void)pthread_mutex_unlock(&w->lock);
    return is_taken;
}

void ty_writer_push(ty_writer *w, const ty_ring_item *item) {
    bool is_taken = ty_ring_push(w->ring, item);
    if (!is_taken)
        is_taken = spill(w, item);
    if (!is_taken) {
        /* Memory is full of points that no disk takes: only then is one lost, and it is counted. */
        (void)atomic_fetch_add(&w->n_dropped, 1);
        free(item->payload);
    }
    const bool is_urgent = item->type != 0 || ty_ring_count(w->ring) > TY_WRITER_RING_SLOTS / 2;
    if (is_urgent && !atomic_exchange(&w->is_urgent, true))
        (void)pthread_cond_signal(&w->wake);
}

ty_status ty_writer_flush(ty_ctx *ctx, ty_writer *w) {
    (void)pthread_mutex_lock(&w->lock);
    ty_status st = drain(w);
    if (st == TY_OK)
        st = sync_journal(w);
    if (st != TY_OK)
        (void)ty_fail(ctx, st, "%s", w->ctx.message);
    (void)pthread_mutex_unlock(&w->lock);
    return st;
}

uint64_t ty_writer_synced(const ty_writer *w) {
    return atomic_load(&w->synced);
}

static void stop_thread(ty_writer *w) {
    (void)pthread_mutex_lock(&w->lock);
    w->is_closing = true;
    (void)pthread_cond_signal(&w->wake);
    (void)pthread_mutex_unlock(&w->lock);
    (void)pthread_join(w->thread, NULL);
    (void)pthread_cond_destroy(&w->wake);
    (void)pthread_mutex_destroy(&w->lock);
}

ty_status ty_writer_close(ty_ctx *ctx, ty_writer *w) {
    if (!w)
        return TY_OK;
    ty_status st = ty_writer_flush(ctx, w);
    stop_thread(w);
    if (st == TY_OK)
        st = ty_journal_close(ctx, w->journal);
    else
        (void)ty_journal_close(&w->ctx, w->journal);
    const int64_t n_lost =
        atomic_load(&w->n_dropped) + w->n_points + (int64_t)ty_ring_count(w->ring);
    if (n_lost != 0 && st != TY_ERR_BUSY)
        ty_log(ctx, TY_LOG_ERROR, topic, "%s: %lld events are lost: the disk took no records",
               w->run_folder, (long long)n_lost);
    release(w);
    return st;
}
