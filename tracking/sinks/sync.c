#include "tracking/sinks/sync.h"

#include <stdlib.h>
#include <string.h>

#include "tracking/sinks/delivery.h"
#include "tracking/client/mlflow.h"
#include "tracking/journal/record.h"
#include "tracking/runs/run_info.h"
#include "tracking/sinks/sink.h"

/* --- where to --------------------------------------------------------------------------------- */

/* A server is known by its URI without a password; where the variable names the same one, its
 * password is the one to use. */
static ty_status meet_again(ty_ctx *ctx, const char *uri, ty_arena *arena, ty_target *out) {
    const char *variable = ctx->getenv ? ctx->getenv("MLFLOW_TRACKING_URI") : NULL;
    const char *name = NULL;
    TY_TRY(ty_target_parse(ctx, uri, arena, out));
    if (variable && out->kind == TY_TARGET_SERVER && ty_mlflow_is_server(variable) &&
        ty_mlflow_uri(ctx, variable, arena, &name) == TY_OK && strcmp(name, out->name) == 0)
        out->given = ty_arena_string(arena, variable);
    return out->kind != TY_TARGET_SERVER || out->given ? TY_OK
                                                       : ty_fail_nomem(ctx, "a server's URI");
}

static ty_status choose_anew(ty_ctx *ctx, const char *folder, ty_arena *arena, ty_target *out) {
    TY_TRY(ty_target_choose(ctx, NULL, folder, arena, out));
    if (out->kind != TY_TARGET_OFFLINE)
        return TY_OK;
    return ty_fail(ctx, TY_ERR_ARG,
                   "MLFLOW_TRACKING_URI says offline: where are the runs to go? --to URI says it");
}

ty_status ty_sync_choose(ty_ctx *ctx, const char *folder, const char *run_folder,
                         const ty_target *wish, ty_arena *arena, ty_target *out) {
    if (wish) {
        *out = *wish;
        return TY_OK;
    }
    ty_delivery_state state;
    ty_delivery_state_init(&state, NULL);
    ty_status st = ty_delivery_read(ctx, run_folder, &state);
    const bool is_known = st == TY_OK && state.uri && strcmp(state.uri, "offline") != 0;
    if (is_known)
        st = meet_again(ctx, state.uri, arena, out);
    else if (st == TY_OK)
        st = choose_anew(ctx, folder, arena, out);
    ty_delivery_state_clear(&state);
    return st;
}

bool ty_sync_is_complete(const ty_sync_report *r) {
    return r->is_gone || (r->pending_since_ns == 0 && r->points.acked == r->points.all &&
                          r->values.acked == r->values.all && r->files.acked == r->files.all &&
                          r->models.acked == r->models.all);
}

/* --- sending ---------------------------------------------------------------------------------- */

/* Opening a journal for writing cuts a torn tail and makes the rest durable: nobody must know more
 * than the disk. BUSY: somebody writes it. A folder that can only be read is taken as it is. */
static ty_status settle(ty_ctx *ctx, const char *run_folder) {
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    ty_journal *journal = NULL;
    const char *path = ty_track_journal_path(&ctx->scratch, run_folder);
    ty_status st = path ? ty_journal_open(ctx, path, &journal) : ty_fail_nomem(ctx, "a name");
    if (st == TY_OK)
        st = ty_journal_close(ctx, journal);
    ty_arena_reset(&ctx->scratch, mark);
    return st == TY_ERR_IO ? TY_OK : st;
}

static ty_status feed(ty_ctx *ctx, const ty_sink_place *place) {
    const ty_sink_kind *kind = ty_sink_for(place->target);
    void *sink = NULL;
    TY_TRY(kind->open(ctx, place, &sink));
    ty_status st = TY_OK;
    for (bool has_more = true; st == TY_OK && has_more;)
        st = kind->take(ctx, sink, UINT64_MAX, true, &has_more);
    kind->close(ctx, sink);
    return st;
}

static ty_status send_run(ty_ctx *ctx, const char *folder, const char *run_folder,
                          const ty_target *target, ty_arena *arena) {
    static const _Atomic int64_t never = INT64_MAX;
    const ty_sink_place place = {.folder = ty_path_absolute(arena, folder),
                                 .run_folder = ty_path_absolute(arena, run_folder),
                                 .target = target,
                                 .give_up_ns = &never,
                                 .is_patient = true};
    if (!place.folder || !place.run_folder)
        return ty_fail_nomem(ctx, "a folder's name");
    return feed(ctx, &place);
}

static ty_status forgive(ty_ctx *ctx, const char *run_folder, const ty_target *target) {
    ty_delivery *delivery = NULL;
    TY_TRY(ty_delivery_open(ctx, run_folder, target->name, &delivery));
    const ty_status st = ty_delivery_note_again(ctx, delivery);
    ty_delivery_close(ctx, delivery);
    return st;
}

ty_status ty_sync_again(ty_ctx *ctx, const char *run_folder, const ty_target *target) {
    ty_delivery_state state;
    if (target->kind != TY_TARGET_SERVER || ty_run_is_live(ctx, run_folder))
        return TY_OK;
    ty_delivery_state_init(&state, target->name);
    ty_status st = ty_delivery_read(ctx, run_folder, &state);
    if (st == TY_OK && state.dead.n != 0)
        st = forgive(ctx, run_folder, target);
    ty_delivery_state_clear(&state);
    return st;
}

ty_status ty_sync_run(ty_ctx *ctx, const char *folder, const char *run_folder,
                      const ty_target *target, ty_arena *arena, ty_sync_report *out) {
    bool is_live = ty_run_is_live(ctx, run_folder);
    ty_status st = is_live ? TY_OK : settle(ctx, run_folder);
    is_live = is_live || st == TY_ERR_BUSY;
    if (is_live)
        st = TY_OK;
    else if (st == TY_OK)
        st = send_run(ctx, folder, run_folder, target, arena);
    char kept[TY_MESSAGE_BYTES];
    memcpy(kept, ctx->message, sizeof kept);
    const ty_status looked = ty_sync_look(ctx, run_folder, target, arena, out);
    out->is_live = is_live;
    if (st == TY_OK)
        return looked;
    memcpy(ctx->message, kept, sizeof kept);
    return st;
}
