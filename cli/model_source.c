#include "cli/model_source.h"

#include <string.h>

#include "tracking/tracking.h"
#include "trainer/trainer.h"

static bool is_folder(ty_ctx *ctx, const char *path) {
    struct stat info;
    return ty_file_stat(ctx, path, &info) == TY_OK && S_ISDIR(info.st_mode);
}

static bool has_file(ty_ctx *ctx, const char *folder, const char *name) {
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const char *path = ty_path_join(&ctx->scratch, folder, name);
    const bool is_there = path && ty_file_exists(ctx, path);
    ty_arena_reset(&ctx->scratch, mark);
    return is_there;
}

static bool ends_with(const char *text, const char *end) {
    const size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* --- files and folders ------------------------------------------------------------------------ */

/* Where the package has a manifest, all of it is compared. */
static ty_status take_package(ty_ctx *ctx, const char *folder, const char *expected,
                              ty_arena *arena, model_source *out) {
    ty_package package;
    TY_TRY(ty_package_read(ctx, folder, arena, &package));
    if (!package.data)
        return ty_fail(ctx, TY_ERR_DATA,
                       "%s holds a model of another kind, want one with the flavor "
                       "onnx",
                       folder);
    out->is_verified = expected || has_file(ctx, folder, TY_MANIFEST_NAME);
    if (out->is_verified)
        TY_TRY(ty_manifest_verify(ctx, folder, expected, NULL));
    out->kind = MODEL_ONNX;
    out->package = ty_arena_string(arena, folder);
    out->path = ty_path_join(arena, folder, package.data);
    return out->package && out->path ? TY_OK : ty_fail_nomem(ctx, "a model's name");
}

static ty_status take_file(ty_ctx *ctx, const char *path, ty_arena *arena, model_source *out) {
    const char *folder = ty_path_folder(arena, path);
    if (!folder)
        return ty_fail_nomem(ctx, "a model's name");
    if (ends_with(path, ".onnx") && has_file(ctx, folder, "MLmodel"))
        TY_TRY(take_package(ctx, folder, NULL, arena, out));
    out->kind = ends_with(path, ".onnx") ? MODEL_ONNX : MODEL_CHECKPOINT;
    out->path = ty_arena_string(arena, path);
    return out->path ? TY_OK : ty_fail_nomem(ctx, "a model's name");
}

/* --- runs ------------------------------------------------------------------------------------- */

static ty_status take_run(ty_ctx *ctx, const char *folder, ty_arena *arena, model_source *out) {
    bool has_checkpoint = true;
    out->kind = MODEL_CHECKPOINT;
    out->run_folder = ty_arena_string(arena, folder);
    const char *best = ty_path_join(arena, folder, "artifacts/checkpoints/best.h5");
    const char *all = ty_path_join(arena, folder, "checkpoints");
    if (!out->run_folder || !best || !all)
        return ty_fail_nomem(ctx, "a run's folder");
    out->path = best;
    if (ty_file_exists(ctx, best))
        return TY_OK;
    ty_checkpoint_header header;
    TY_TRY(ty_checkpoint_find(ctx, all, arena, &out->path, &header, &has_checkpoint));
    return has_checkpoint ? TY_OK
                          : ty_fail(ctx, TY_ERR_NOT_FOUND, "%s has no checkpoint yet", folder);
}

ty_status model_source_find(cli *app, const char *model, ty_arena *arena, model_source *out) {
    ty_ctx *ctx = &app->ctx;
    *out = (model_source){0};
    if (has_file(ctx, model, "MLmodel"))
        return take_package(ctx, model, NULL, arena, out);
    if (has_file(ctx, model, "run.journal"))
        return take_run(ctx, model, arena, out);
    if (ty_file_exists(ctx, model) && !is_folder(ctx, model))
        return take_file(ctx, model, arena, out);
    const char *run = NULL;
    const ty_status st = ty_runs_find(ctx, app->folder, model, arena, &run);
    if (st == TY_ERR_NOT_FOUND)
        return ty_fail_within(ctx, st,
                              "\"%s\" is no run, checkpoint, exported folder or models:/ "
                              "name",
                              model);
    TY_TRY(st);
    return take_run(ctx, run, arena, out);
}
