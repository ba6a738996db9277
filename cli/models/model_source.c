#include "cli/models/model_source.h"

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

static ty_status read_package(ty_ctx *ctx, const char *folder, ty_arena *arena, ty_package *out) {
    TY_TRY(ty_package_read(ctx, folder, arena, out));
    if (out->data)
        return TY_OK;
    return ty_fail(ctx, TY_ERR_DATA,
                   "%s holds a model of another kind, want one with the flavor onnx", folder);
}

/* Where the package has a manifest, all of it is compared. */
static ty_status take_package(ty_ctx *ctx, const char *folder, ty_arena *arena, model_source *out) {
    ty_package package;
    TY_TRY(read_package(ctx, folder, arena, &package));
    out->is_verified = has_file(ctx, folder, TY_MANIFEST_NAME);
    if (out->is_verified)
        TY_TRY(ty_manifest_verify(ctx, folder, NULL, NULL));
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
        TY_TRY(take_package(ctx, folder, arena, out));
    out->kind = ends_with(path, ".onnx") ? MODEL_ONNX : MODEL_CHECKPOINT;
    out->path = ty_arena_string(arena, path);
    return out->path ? TY_OK : ty_fail_nomem(ctx, "a model's name");
}

/* --- runs ------------------------------------------------------------------------------------- */

static ty_status take_run(ty_ctx *ctx, const char *folder, ty_arena *arena, model_source *out) {
    bool found = false;
    ty_checkpoint_header header;
    out->kind = MODEL_CHECKPOINT;
    out->run_folder = ty_arena_string(arena, folder);
    const char *all = ty_path_join(arena, folder, "checkpoints");
    if (!out->run_folder || !all)
        return ty_fail_nomem(ctx, "a run's folder");
    if (ty_file_exists(ctx, all))
        TY_TRY(ty_checkpoint_find_best(ctx, all, arena, &out->path, &header, &found));
    return found ? TY_OK : ty_fail(ctx, TY_ERR_NOT_FOUND, "%s has no checkpoint yet", folder);
}

/* --- registries ------------------------------------------------------------------------------- */

static ty_status open_version(cli *app, ty_registry *r, const ty_model_ref *ref, const char *cache,
                              ty_arena *arena, model_source *out, ty_registry_files *files) {
    ty_mlflow_registered_version v;
    if (ref->model_id) {
        out->name = ref->model_id;
        return ty_registry_open_logged(&app->ctx, r, ref->model_id, cache, arena, files);
    }
    TY_TRY(ty_registry_find(&app->ctx, r, ref, arena, &v));
    out->name = v.name;
    out->version = v.version;
    return ty_registry_open_files(&app->ctx, r, &v, cache, arena, files);
}

/* Its files were compared on opening already. */
static ty_status take_registered(cli *app, const char *model, ty_arena *arena, model_source *out) {
    ty_model_ref ref;
    ty_registry_files files;
    ty_package package;
    ty_registry *r = NULL;
    const char *cache = ty_path_join(arena, app->folder, "models/cache");
    if (!cache)
        return ty_fail_nomem(&app->ctx, "a path");
    TY_TRY(ty_model_ref_parse(&app->ctx, model, arena, &ref));
    TY_TRY(ty_registry_open(&app->ctx, args_value(&app->args, "registry"), app->folder, &r));
    const ty_status st = open_version(app, r, &ref, cache, arena, out, &files);
    ty_registry_close(r);
    TY_TRY(st);
    TY_TRY(read_package(&app->ctx, files.folder, arena, &package));
    out->kind = MODEL_ONNX;
    out->is_verified = files.is_verified;
    out->package = files.folder;
    out->path = ty_path_join(arena, files.folder, package.data);
    return out->path ? TY_OK : ty_fail_nomem(&app->ctx, "a model's name");
}

ty_status model_source_find(cli *app, const char *model, ty_arena *arena, model_source *out) {
    ty_ctx *ctx = &app->ctx;
    *out = (model_source){0};
    if (strncmp(model, "models:/", 8) == 0)
        return take_registered(app, model, arena, out);
    if (has_file(ctx, model, "MLmodel"))
        return take_package(ctx, model, arena, out);
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
