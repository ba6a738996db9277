/* What dead processes left undone: their runs' states, and rows that never reached the store. */
#include <string.h>

#include "tracking/sinks/delivery.h"
#include "tracking/store/fold.h"
#include "tracking/store/relocate.h"
#include "tracking/runs/run_info.h"
#include "tracking/journal/seen.h"
#include "tracking/tracking.h"

static const char topic[] = "tracking";
enum { LEASE_MS = 30000, REAP_PATIENCE_MS = 2000 };

/* --- folding ---------------------------------------------------------------------------------- */

typedef struct rebuild {
    const char *folder;
    ty_store *store; /* opened when the first run is met */
    _Atomic int64_t give_up_ns;
    ty_rebuild_report report;
} rebuild;

static ty_status reach_store(ty_ctx *ctx, rebuild *b) {
    if (b->store)
        return TY_OK;
    TY_TRY(ty_store_open(ctx, b->folder, &b->give_up_ns, &b->store));
    return ty_relocate(ctx, b->store, b->folder, true);
}

/* Opening a journal for writing cuts a torn tail and makes the rest durable: the store must not
 * know more than the disk. */
static bool is_settled(ty_ctx *ctx, const char *run_folder) {
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    ty_journal *journal = NULL;
    const char *path = ty_track_journal_path(&ctx->scratch, run_folder);
    const ty_status st = path ? ty_journal_open(ctx, path, &journal) : TY_ERR_NOMEM;
    if (st == TY_OK)
        (void)ty_journal_close(ctx, journal);
    ty_arena_reset(&ctx->scratch, mark);
    return st != TY_ERR_BUSY; /* a folder that can only be read is folded as it is */
}

static ty_status fold_all(ty_ctx *ctx, rebuild *b, ty_fold *fold) {
    for (bool has_more = true; has_more;)
        TY_TRY(ty_fold_some(ctx, fold, b->store, UINT64_MAX, &b->report, &has_more));
    return TY_OK;
}

/* A damaged journal is said and passed over; a store that fails ends it all. */
static ty_status fold_run(ty_ctx *ctx, void *self, const char *run_folder) {
    rebuild *b = self;
    ty_fold *fold = NULL;
    b->report.runs++;
    TY_TRY(reach_store(ctx, b));
    if (ty_run_is_live(ctx, run_folder) || !is_settled(ctx, run_folder))
        return TY_OK; /* its own process folds it */
    ty_status st = ty_fold_open(ctx, run_folder, &fold);
    const bool is_open = st == TY_OK;
    if (is_open)
        st = fold_all(ctx, b, fold);
    if (st != TY_OK && (!is_open || ty_fold_is_damaged(fold))) {
        ty_log(ctx, TY_LOG_WARN, topic, "%s is left out: %s", run_folder, ctx->message);
        b->report.runs_damaged++;
        st = TY_OK;
    }
    ty_fold_close(fold);
    return st;
}

ty_status ty_runs_rebuild(ty_ctx *ctx, const char *folder, ty_rebuild_report *out) {
    rebuild b = {.folder = folder, .give_up_ns = INT64_MAX};
    const ty_status st = ty_each_journal(ctx, folder, fold_run, &b);
    ty_store_close(b.store);
    *out = b.report;
    return st;
}

/* --- reaping ---------------------------------------------------------------------------------- */

typedef struct reap {
    rebuild rebuild;
    int64_t n_reaped;
} reap;

static ty_status append_death(ty_ctx *ctx, const char *path, ty_lease *lease, const ty_seen *seen) {
    const ty_track_record death = {.type = TY_TRACK_STATE,
                                   .time_ns = seen->last_time_ns,
                                   .step = seen->last_step,
                                   .state = {TY_RUN_KILLED, "its process died"}};
    ty_journal *journal = NULL;
    ty_text payload = {0};
    TY_TRY(ty_journal_open_held(ctx, path, lease, &journal));
    ty_track_encode(&death, &payload);
    ty_status st = payload.is_short ? ty_fail_nomem(ctx, "a record of the journal") : TY_OK;
    if (st == TY_OK)
        st = ty_journal_append(ctx, journal, death.type, payload.data, payload.length, NULL);
    const ty_status closed = ty_journal_close(ctx, journal);
    ty_text_clear(&payload);
    return st == TY_OK ? closed : st;
}

/* The run's lease is held by us. */
static ty_status bury(ty_ctx *ctx, const char *path, ty_lease *lease, bool *was_open) {
    ty_seen seen;
    ty_seen_init(&seen);
    ty_status st = ty_seen_replay(ctx, &seen, path);
    *was_open = st == TY_OK && seen.is_open;
    if (*was_open)
        st = append_death(ctx, path, lease, &seen);
    ty_seen_clear(&seen);
    return st;
}

/* Whether this folder's store is to hear of the run: one that went to a server, or nowhere, is told
 * there alone, unless the store knows it. */
static bool is_stored_here(ty_ctx *ctx, reap *r, const char *run_folder) {
    ty_arena arena = {0};
    ty_run_ids ids;
    int64_t position = -1;
    bool is_known = !ty_delivery_exists(ctx, run_folder);
    const char *path = ty_path_join(&arena, r->rebuild.folder, "mlflow.db");
    if (!is_known && path && ty_file_exists(ctx, path) &&
        ty_run_ids_of(ctx, run_folder, &ids) == TY_OK && reach_store(ctx, &r->rebuild) == TY_OK)
        is_known = ty_store_position(ctx, r->rebuild.store, ids.journal_id, &position) == TY_OK &&
                   position >= 0;
    ty_arena_clear(&arena);
    return is_known;
}

/* Who ends in order takes his lease along: one that lies there and is not held is a dead one's. */
static ty_status reap_run(ty_ctx *ctx, void *self, const char *run_folder) {
    reap *r = self;
    ty_arena arena = {0};
    ty_lease *lease = NULL;
    bool was_open = false;
    const char *lease_path = ty_track_lease_path(&arena, run_folder);
    const char *journal_path = ty_track_journal_path(&arena, run_folder);
    if (lease_path && journal_path && ty_file_exists(ctx, lease_path) &&
        !ty_lease_is_held(ctx, lease_path) &&
        ty_lease_acquire(ctx, lease_path, LEASE_MS, &lease) == TY_OK) {
        if (bury(ctx, journal_path, lease, &was_open) != TY_OK)
            ty_log(ctx, TY_LOG_WARN, topic, "%s: its process died, which could not be noted: %s",
                   run_folder, ctx->message);
        ty_lease_release(ctx, lease);
    }
    ty_arena_clear(&arena);
    if (!was_open)
        return TY_OK;
    r->n_reaped++;
    if (!is_stored_here(ctx, r, run_folder)) {
        ty_log(ctx, TY_LOG_INFO, topic, "%s: its process died; `tiltyard sync` tells MLflow",
               run_folder);
        return TY_OK;
    }
    if (fold_run(ctx, &r->rebuild, run_folder) != TY_OK)
        ty_log(ctx, TY_LOG_WARN, topic, "%s: its process died; MLflow will show that later (%s)",
               run_folder, ctx->message);
    return TY_OK;
}

ty_status ty_runs_reap(ty_ctx *ctx, const char *folder, int64_t *out_reaped) {
    reap r = {
        .rebuild = {.folder = folder, .give_up_ns = ty_now_ns(ctx) + REAP_PATIENCE_MS * 1000000ll}};
    const ty_status st = ty_each_journal(ctx, folder, reap_run, &r);
    ty_store_close(r.rebuild.store);
    *out_reaped = r.n_reaped;
    return st;
}
