/* models get, verify, export and copy: all that is about files. */
#include <stdlib.h>
#include <string.h>

#include "cli/train/export.h"
#include "cli/models/model_source.h"
#include "cli/models/models.h"

static void print_files(cli *app, const char *did, const char *what,
                        const ty_registry_files *files) {
    char count[32];
    ty_text out = {0};
    if (app->console.is_json) {
        ty_text_add(&out, "{\"model\": ");
        ty_text_add_json(&out, what);
        ty_text_add(&out, ", \"folder\": ");
        ty_text_add_json(&out, files->folder);
        ty_text_addf(&out, ", \"verified\": %s, \"files\": %lld}\n",
                     files->is_verified ? "true" : "false", (long long)files->n_files);
    } else if (files->is_verified) {
        ty_text_addf(&out, "%s %s: %s file%s compared, %s\n", did, what,
                     console_count(files->n_files, count), console_plural(files->n_files),
                     files->folder);
    } else {
        ty_text_addf(&out, "%s %s: not compared, nobody made a manifest of it, %s\n", did, what,
                     files->folder);
    }
    console_print(&app->console, ty_text_string(&out));
    ty_text_clear(&out);
}

static const char *version_uri(ty_arena *arena, const ty_mlflow_registered_version *v) {
    const char *uri = ty_arena_printf(arena, "models:/%s/%s", v->name, v->version);
    return uri ? uri : v->name;
}

/* --- get -------------------------------------------------------------------------------------- */

static ty_status get_logged(cli *app, ty_arena *arena, ty_registry *r, const char *model_id) {
    ty_registry_files files;
    const char *output = args_value(&app->args, "output");
    output = output ? output : model_id;
    TY_TRY(ty_registry_get_logged(&app->ctx, r, model_id, output, arena, &files));
    print_files(app, "got", app->args.operand[1], &files);
    return TY_OK;
}

ty_status models_get(cli *app, ty_arena *arena, ty_registry *r) {
    ty_model_ref ref;
    ty_mlflow_registered_version v;
    ty_registry_files files;
    const char *output = args_value(&app->args, "output");
    TY_TRY(ty_model_ref_parse(&app->ctx, app->args.operand[1], arena, &ref));
    if (ref.model_id)
        return get_logged(app, arena, r, ref.model_id);
    TY_TRY(ty_registry_find(&app->ctx, r, &ref, arena, &v));
    if (!output)
        output = ty_arena_printf(arena, "%s-%s", v.name, v.version);
    if (!output)
        return ty_fail_nomem(&app->ctx, "a path");
    TY_TRY(ty_registry_get(&app->ctx, r, &v, output, arena, &files));
    print_files(app, "got", version_uri(arena, &v), &files);
    return TY_OK;
}

/* --- verify ----------------------------------------------------------------------------------- */

static ty_status verify_one(cli *app, ty_arena *arena, ty_registry *r,
                            const ty_mlflow_registered_version *v) {
    ty_registry_files files;
    TY_TRY(ty_registry_verify(&app->ctx, r, v, arena, &files));
    print_files(app, "verified", version_uri(arena, v), &files);
    return TY_OK;
}

/* All are looked at, whatever is wrong with one. */
static ty_status verify_all(cli *app, ty_arena *arena, ty_registry *r) {
    ty_mlflow_registered_list models;
    int64_t n_bad = 0, n_all = 0;
    ty_status worst = TY_OK;
    TY_TRY(ty_registry_models(&app->ctx, r, arena, &models));
    for (int64_t i = 0; i < models.n; i++) {
        ty_mlflow_version_list versions;
        TY_TRY(ty_registry_versions(&app->ctx, r, models.v[i].name, arena, &versions));
        for (int64_t k = 0; k < versions.n; k++, n_all++) {
            const ty_status st = verify_one(app, arena, r, &versions.v[k]);
            if (st == TY_OK)
                continue;
            ty_log(&app->ctx, TY_LOG_ERROR, version_uri(arena, &versions.v[k]), "%s",
                   app->ctx.message);
            n_bad++;
            worst = worst == TY_ERR_INTEGRITY ? worst : st;
        }
    }
    if (n_bad == 0)
        return TY_OK;
    return ty_fail(&app->ctx, worst, "%lld of %lld versions are not what was registered",
                   (long long)n_bad, (long long)n_all);
}

ty_status models_verify(cli *app, ty_arena *arena, ty_registry *r) {
    ty_mlflow_registered_version v;
    if (app->args.n_operands == 1)
        return verify_all(app, arena, r);
    TY_TRY(models_find(app, r, arena, 1, &v));
    return verify_one(app, arena, r, &v);
}

/* --- export ----------------------------------------------------------------------------------- */

static ty_status copy_named(cli *app, const char *package, const char *const *names,
                            const char *folder, ty_arena *arena) {
    ty_ctx *ctx = &app->ctx;
    int64_t n_copied = 0;
    TY_TRY(ty_dir_make(ctx, folder));
    for (; *names; names++) {
        const char *from = ty_path_join(arena, package, *names);
        const char *to = ty_path_join(arena, folder, *names);
        if (!from || !to)
            return ty_fail_nomem(ctx, "a path");
        if (ty_file_exists(ctx, from)) {
            TY_TRY(ty_file_copy(ctx, from, to));
            n_copied++;
        }
    }
    return n_copied ? TY_OK
                    : ty_fail(ctx, TY_ERR_NOT_FOUND, "%s has no files of that layout", package);
}

/* Complete before it has its name. */
static ty_status copy_package(cli *app, const char *package, const char *folder, ty_arena *arena) {
    const char *temp;
    TY_TRY(ty_folder_temp(&app->ctx, folder, arena, &temp));
    ty_status st = ty_folder_copy(&app->ctx, package, temp);
    if (st == TY_OK)
        st = ty_folder_publish(&app->ctx, temp, folder);
    return st == TY_OK ? TY_OK : ty_folder_drop(&app->ctx, temp, st);
}

static ty_status export_triton(cli *app, const char *package, const char *folder,
                               const char *known_as) {
    const char *name = args_value(&app->args, "name");
    return ty_package_export_triton(&app->ctx, package, name ? name : known_as, folder);
}

static const char *const onnx_files[] = {TY_ONNX_FILE, TY_ONNX_DATA_FILE, NULL};
static const char *const tensor_files[] = {TY_SAFETENSORS_FILE, NULL};

static ty_status lay_out(cli *app, const char *package, const char *layout, const char *folder,
                         const char *known_as, ty_arena *arena) {
    if (strcmp(layout, "triton") == 0)
        return export_triton(app, package, folder, known_as);
    if (strcmp(layout, "onnx") == 0)
        return copy_named(app, package, onnx_files, folder, arena);
    if (strcmp(layout, "safetensors") == 0)
        return copy_named(app, package, tensor_files, folder, arena);
    return copy_package(app, package, folder, arena);
}

/* A checkpoint, or a model in another opset, becomes a package first, in a folder that is gone afterwards. */
static ty_status export_checkpoint(cli *app, const model_source *source, const char *layout,
                                   const char *folder, int opset, ty_arena *arena) {
    const char *temp;
    export_made made = {0};
    ty_run_record run = {0};
    TY_TRY(ty_folder_temp(&app->ctx, folder, arena, &temp));
    const export_wish wish = {.checkpoint = source->path, .folder = temp, .opset = opset};
    export_wish of_run = wish;
    ty_status st = TY_OK;
    if (source->run_folder) {
        st = ty_runs_read(&app->ctx, source->run_folder, arena, &run);
        of_run.run_id = run.info.run_id;
    }
    if (st == TY_OK)
        st = export_model(&app->ctx, &of_run, arena, &made);
    if (st == TY_OK)
        st = lay_out(app, temp, layout, folder, run.info.experiment ? run.info.experiment : "model",
                     arena);
    return ty_folder_drop(&app->ctx, temp, st);
}

static ty_status choose_layout(cli *app, const char **out) {
    static const char *const layouts[] = {"mlflow", "onnx", "safetensors", "triton"};
    const char *given = args_value(&app->args, "layout");
    *out = given ? given : layouts[0];
    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++)
        if (strcmp(*out, layouts[i]) == 0)
            return TY_OK;
    return ty_fail(&app->ctx, TY_ERR_ARG,
                   "--layout is \"%s\", want mlflow, onnx, safetensors or triton", *out);
}

ty_status models_export(cli *app, ty_arena *arena, ty_registry *r) {
    const char *layout, *output = args_value(&app->args, "output");
    model_source source;
    int64_t opset;
    (void)r;
    TY_TRY(choose_layout(app, &layout));
    if (!output || !*output)
        return ty_fail(&app->ctx, TY_ERR_ARG, "want --output FOLDER");
    TY_TRY(model_source_find(app, app->args.operand[1], arena, &source));
    TY_TRY(
        args_int(&app->ctx, &app->args, "opset", 0, TY_ONNX_OLDEST_OPSET, TY_ONNX_OPSET, &opset));
    TY_TRY(source.package && !opset
               ? lay_out(app, source.package, layout, output, source.name ? source.name : "model",
                         arena)
               : export_checkpoint(app, &source, layout, output, (int)opset, arena));
    ty_text out = {0};
    if (app->console.is_json) {
        ty_text_addf(&out, "{\"layout\": \"%s\", \"folder\": ", layout);
        ty_text_add_json(&out, output);
        ty_text_add(&out, "}\n");
    } else {
        ty_text_addf(&out, "exported %s for %s to %s\n", app->args.operand[1], layout, output);
    }
    console_print(&app->console, ty_text_string(&out));
    ty_text_clear(&out);
    return TY_OK;
}

/* --- copy ------------------------------------------------------------------------------------- */

/* All tags but those that the other registry makes itself, and where it was copied from. */
static ty_status copied_tags(cli *app, const ty_registry *from,
                             const ty_mlflow_registered_version *v, ty_arena *arena,
                             ty_mlflow_pairs *out) {
    ty_mlflow_pair *tags = ty_arena_array(arena, (size_t)v->tags.n + 1, sizeof *tags);
    const char *origin =
        ty_arena_printf(arena, "models:/%s/%s of %s", v->name, v->version, ty_registry_uri(from));
    int64_t n = 0;
    if (!tags || !origin)
        return ty_fail_nomem(&app->ctx, "a version's tags");
    for (int64_t i = 0; i < v->tags.n; i++)
        if (strcmp(v->tags.v[i].key, TY_MLFLOW_UID_TAG) != 0 &&
            strcmp(v->tags.v[i].key, "tiltyard.copied_from") != 0)
            tags[n++] = v->tags.v[i];
    tags[n++] = (ty_mlflow_pair){"tiltyard.copied_from", origin};
    *out = (ty_mlflow_pairs){.v = tags, .n = n};
    return TY_OK;
}

static ty_status copy_version(cli *app, ty_arena *arena, ty_registry *from, ty_registry *to,
                              const ty_mlflow_registered_version *v,
                              ty_mlflow_registered_version *out) {
    const char *cache, *name = args_value(&app->args, "name");
    ty_registry_files files;
    TY_TRY(models_cache(app, arena, &cache));
    TY_TRY(ty_registry_open_files(&app->ctx, from, v, cache, arena, &files));
    if (!files.is_verified) /* somebody else's package: from here on it has a manifest */
        TY_TRY(ty_fail(&app->ctx, TY_ERR_NOT_FOUND,
                       "models:/%s/%s has no manifest, so that its copy could not be compared",
                       v->name, v->version));
    ty_registry_entry entry = {.name = name ? name : v->name,
                               .package = files.folder,
                               .uid = models_tag(v->tags, TY_MLFLOW_UID_TAG),
                               .run_id = models_tag(v->tags, "tiltyard.run_id"),
                               .experiment = models_tag(v->tags, "tiltyard.experiment"),
                               .description = *v->description ? v->description : NULL};
    TY_TRY(copied_tags(app, from, v, arena, &entry.tags));
    return ty_registry_add(&app->ctx, to, &entry, arena, out);
}

ty_status models_copy(cli *app, ty_arena *arena, ty_registry *r) {
    const char *uri = args_value(&app->args, "to");
    ty_mlflow_registered_version v, copy;
    ty_registry *to = NULL;
    if (!uri || !*uri)
        return ty_fail(&app->ctx, TY_ERR_ARG, "want --to URI");
    TY_TRY(models_find(app, r, arena, 1, &v));
    TY_TRY(ty_registry_open(&app->ctx, uri, app->folder, &to));
    const ty_status st = copy_version(app, arena, r, to, &v, &copy);
    if (st == TY_OK)
        models_print_version(app, to, "copied to", &copy);
    ty_registry_close(to);
    return st;
}
