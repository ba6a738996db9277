/* All checkpoints of a run, by their size and off the disk. */
#include "tracking/journal/record.h"
#include "tracking/runs/clean.h"
#include "tracking/runs/remove.h"
#include "tracking/runs/run_info.h"

/* Where they lie; where they lie while they are removed; and the names under which MLflow shows them. */
typedef struct places {
    const char *kept, *leaving, *shown, *lease;
} places;

static bool find_places(const char *run_folder, ty_arena *arena, places *out) {
    const char *artifacts = ty_track_artifacts_path(arena, run_folder);
    *out = (places){.kept = ty_path_join(arena, run_folder, "checkpoints"),
                    .leaving = ty_path_join(arena, run_folder, ".tmp-checkpoints"),
                    .shown = artifacts ? ty_path_join(arena, artifacts, "checkpoints") : NULL,
                    .lease = ty_track_lease_path(arena, run_folder)};
    return out->kept && out->leaving && out->shown && out->lease;
}

bool ty_run_is_delivered(ty_ctx *ctx, const char *run_folder) {
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const char *path = ty_path_join(&ctx->scratch, run_folder, "delivery.lease");
    const bool is_held = path && ty_lease_is_held(ctx, path);
    ty_arena_reset(&ctx->scratch, mark);
    return is_held;
}

int64_t ty_run_checkpoint_bytes(ty_ctx *ctx, const char *run_folder) {
    ty_arena arena = {0};
    places at;
    int64_t bytes = 0;
    if (find_places(run_folder, &arena, &at))
        bytes = ty_remove_bytes(ctx, at.kept) + ty_remove_bytes(ctx, at.leaving) +
                ty_remove_bytes(ctx, at.shown);
    ty_arena_clear(&arena);
    return bytes;
}

/* --- taking them away --------------------------------------------------------------------------- */

static ty_status check_unregistered(ty_ctx *ctx, const char *folder, const char *run_folder,
                                    ty_arena *arena) {
    const ty_run_reading how = {.parts = TY_RUN_PACKAGES};
    ty_run_record run = {0};
    const char *names = "";
    const ty_status st = ty_run_read(ctx, run_folder, &how, arena, &run);
    if (st == TY_ERR_NOT_FOUND)
        return TY_OK;
    TY_TRY(st);
    TY_TRY(ty_run_registered(ctx, folder, &run, arena, &names));
    return *names ? ty_fail(ctx, TY_ERR_BUSY, "%s comes from %s", names, run_folder) : TY_OK;
}

/* One name is changed first: whoever goes on after a crash finds all of them, or none. */
static ty_status take_away(ty_ctx *ctx, const places *at) {
    TY_TRY(ty_remove(ctx, at->leaving)); /* left by one that died here */
    if (ty_file_exists(ctx, at->kept))
        TY_TRY(ty_file_rename(ctx, at->kept, at->leaving));
    TY_TRY(ty_remove(ctx, at->leaving));
    return ty_remove(ctx, at->shown);
}

typedef struct dropping {
    const char *folder, *run_folder;
    ty_status (*before)(ty_ctx *ctx, void *self);
    void *self;
} dropping;

static ty_status drop_held(ty_ctx *ctx, const dropping *d, const places *at, ty_arena *arena) {
    if (ty_run_is_delivered(ctx, d->run_folder))
        return ty_fail(ctx, TY_ERR_BUSY, "somebody brings %s to a server", d->run_folder);
    TY_TRY(check_unregistered(ctx, d->folder, d->run_folder, arena));
    if (d->before)
        TY_TRY(d->before(ctx, d->self));
    return take_away(ctx, at);
}

ty_status ty_run_drop_checkpoints(ty_ctx *ctx, const char *folder, const char *run_folder,
                                  ty_status (*before)(ty_ctx *ctx, void *self), void *self) {
    enum { LEASE_MS = 30000 };
    const dropping d = {folder, run_folder, before, self};
    ty_arena arena = {0};
    ty_lease *lease = NULL;
    places at;
    ty_status st = find_places(run_folder, &arena, &at)
                       ? ty_lease_acquire(ctx, at.lease, LEASE_MS, &lease)
                       : ty_fail_nomem(ctx, "the names of checkpoints");
    if (st == TY_OK)
        st = drop_held(ctx, &d, &at, &arena);
    ty_lease_release(ctx, lease);
    ty_arena_clear(&arena);
    return st;
}
