/* The files that a run shows in MLflow. A record tells a file once, however often it is written
 * anew, so each is looked at again when the run begins again and when it ends. */
#include <string.h>

#include "tracking/artifact.h"
#include "tracking/sinks/server.h"
#include "tracking/tags.h"

static ty_status bury(ty_ctx *ctx, ty_server *s, const char *path, const ty_replay_file *file) {
    return ty_server_bury(
        ctx, s,
        &(ty_dead_letter){.sequence = file->sequence, .what = "file", .key = path, .step = -1});
}

static ty_delivered_file described(const struct stat *info) {
    return (ty_delivered_file){.size = info->st_size,
                               .mtime_ns =
                                   info->st_mtim.tv_sec * 1000000000ll + info->st_mtim.tv_nsec};
}

static ty_status add_digest(ty_ctx *ctx, const char *path, ty_delivered_file *file) {
    uint8_t digest[TY_SHA256_BYTES];
    TY_TRY(ty_sha256_of_file(ctx, path, digest));
    ty_sha256_to_hex(digest, file->sha256);
    return TY_OK;
}

/* The content is held under a second name meanwhile: under its own it may be replaced. */
static ty_status send_content(ty_ctx *ctx, ty_server *s, const char *path, const char *held) {
    struct stat info;
    TY_TRY(ty_file_stat(ctx, held, &info));
    const ty_delivered_file *had = ty_keymap_find(&ty_server_state(s)->files, path);
    ty_delivered_file now = described(&info);
    if (had && had->size == now.size && had->mtime_ns == now.mtime_ns)
        return TY_OK;
    TY_TRY(add_digest(ctx, held, &now));
    if (!had || strcmp(had->sha256, now.sha256) != 0)
        TY_TRY(ty_mlflow_upload(ctx, s->client, ty_server_state(s)->artifact_uri,
                                ty_track_artifact_name(path), held));
    return ty_delivery_note_file(ctx, s->delivery, path, &now);
}

void ty_server_remove(ty_ctx *ctx, const char *path) {
    char kept[TY_MESSAGE_BYTES];
    memcpy(kept, ctx->message, sizeof kept);
    if (ty_file_unlink(ctx, path) != TY_OK)
        ty_log(ctx, TY_LOG_DEBUG, "tracking", "%s", ctx->message);
    memcpy(ctx->message, kept, sizeof kept);
}

static ty_status send_held(ty_ctx *ctx, ty_server *s, const char *path, ty_arena *arena) {
    const char *local = ty_path_join(arena, s->place->run_folder, path);
    const char *held = ty_path_join(arena, s->place->run_folder, "delivery.sending");
    if (!local || !held)
        return ty_fail_nomem(ctx, "a file on its way to a server");
    if (!ty_artifact_name_is_safe(path))
        return ty_fail(ctx, TY_ERR_ARG, "it is no name for an artifact");
    TY_TRY(ty_file_unlink(ctx, held)); /* left by one that died here */
    TY_TRY(ty_artifact_publish(ctx, local, held));
    const ty_status st = send_content(ctx, s, path, held);
    ty_server_remove(ctx, held);
    return st;
}

static ty_status send_one(ty_ctx *ctx, ty_server *s, const char *path, ty_replay_file *file) {
    ty_arena arena = {0};
    ty_status st = send_held(ctx, s, path, &arena);
    ty_arena_clear(&arena);
    if (st == TY_ERR_IO || (st != TY_OK && ty_server_is_refused(ctx, s, &st)))
        st = bury(ctx, s, path, file);
    if (st == TY_OK)
        file->is_dirty = false;
    return st;
}

ty_status ty_server_send_file(ty_ctx *ctx, ty_server *s, bool with_models, bool *has_sent) {
    ty_replay_facts *facts = ty_replay_known(s->replay);
    const bool takes_models = with_models || facts->has_ended;
    *has_sent = false;
    if (!ty_server_state(s)->run_id)
        return TY_OK;
    for (int64_t i = 0; i < facts->files.n && !*has_sent; i++) {
        ty_replay_file *file = facts->files.v[i].item;
        if (!file->is_dirty || (file->is_model && !takes_models))
            continue;
        TY_TRY(send_one(ctx, s, facts->files.v[i].key, file));
        *has_sent = true;
    }
    return TY_OK;
}
