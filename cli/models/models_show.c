/* models ls and models show. */
#include <string.h>

#include "cli/models/models.h"
#include "cli/runs/runs.h"

/* --- ls --------------------------------------------------------------------------------------- */

static const char *joined(ty_arena *arena, const char *const *v, int64_t n) {
    const char *text = "";
    for (int64_t i = 0; text && i < n; i++)
        text = ty_arena_printf(arena, "%s%s%s", text, i ? " " : "", v[i]);
    return !text || !*text ? "-" : text;
}

static void add_model(table *t, const console *c, const ty_mlflow_registered *m, ty_arena *arena) {
    char time[32];
    const char *aliases = "";
    for (int64_t i = 0; aliases && i < m->aliases.n; i++)
        aliases = ty_arena_printf(arena, "%s%s%s=%s", aliases, i ? " " : "", m->aliases.v[i].key,
                                  m->aliases.v[i].value);
    table_add(t, m->name, console_bold(c));
    table_add(t, aliases && *aliases ? aliases : "-", NULL);
    table_add(t, runs_time(m->updated_ms * 1000000, time), NULL);
    table_add(t, *m->description ? m->description : "-", NULL);
}

static void add_model_json(ty_text *out, const ty_mlflow_registered *m) {
    const ty_mlflow_pairs lists[] = {m->aliases, m->tags};
    static const char *const names[] = {"aliases", "tags"};
    ty_text_add(out, "{\"name\": ");
    ty_text_add_json(out, m->name);
    ty_text_add(out, ", \"description\": ");
    ty_text_add_json(out, m->description);
    ty_text_addf(out, ", \"created_ms\": %lld, \"updated_ms\": %lld", (long long)m->created_ms,
                 (long long)m->updated_ms);
    for (int k = 0; k < 2; k++) {
        ty_text_addf(out, ", \"%s\": {", names[k]);
        for (int64_t i = 0; i < lists[k].n; i++) {
            ty_text_add(out, i ? ", " : "");
            ty_text_add_json(out, lists[k].v[i].key);
            ty_text_add(out, ": ");
            ty_text_add_json(out, lists[k].v[i].value);
        }
        ty_text_add(out, "}");
    }
    ty_text_add(out, "}\n");
}

static void print(cli *app, const table *t, ty_text *out) {
    if (!app->console.is_json && t->n > 0)
        table_write(t, &app->console, out);
    console_print(&app->console, ty_text_string(out));
    ty_text_clear(out);
}

static ty_status list_models(cli *app, ty_arena *arena, ty_registry *r) {
    static const table_column columns[] = {{"model", false, 12},
                                           {"aliases", false, 12},
                                           {"changed", false, 0},
                                           {"description", false, 8}};
    ty_mlflow_registered_list list;
    table t = {.arena = arena, .columns = columns, .n_columns = 4};
    ty_text out = {0};
    TY_TRY(ty_registry_models(&app->ctx, r, arena, &list));
    for (int64_t i = 0; i < list.n; i++) {
        if (app->console.is_json)
            add_model_json(&out, &list.v[i]);
        else
            add_model(&t, &app->console, &list.v[i], arena);
    }
    print(app, &t, &out);
    if (list.n == 0)
        console_say(&app->console, "no models in %s", ty_registry_uri(r));
    return TY_OK;
}

static void add_version(table *t, const console *c, const ty_mlflow_registered_version *v,
                        ty_arena *arena) {
    char time[32];
    const char *run = models_tag(v->tags, "tiltyard.run");
    table_add(t, v->version, console_bold(c));
    table_add(t, joined(arena, v->aliases, v->n_aliases), console_green(c));
    table_add(t, runs_time(v->created_ms * 1000000, time), NULL);
    table_add(t, run ? run : *v->run_id ? v->run_id : "-", NULL);
    const char *digest = models_tag(v->tags, TY_MANIFEST_TAG);
    table_addf(t, "%.12s", digest ? digest : "-");
    table_add(t, v->source, NULL);
}

static ty_status list_versions(cli *app, ty_arena *arena, ty_registry *r, const char *name) {
    static const table_column columns[] = {{"version", true, 0}, {"aliases", false, 8},
                                           {"made", false, 0},   {"run", false, 12},
                                           {"sha256", false, 0}, {"source", false, 12}};
    ty_mlflow_registered model;
    ty_mlflow_version_list list;
    table t = {.arena = arena, .columns = columns, .n_columns = 6};
    ty_text out = {0};
    TY_TRY(ty_registry_model(&app->ctx, r, name, arena, &model));
    TY_TRY(ty_registry_versions(&app->ctx, r, name, arena, &list));
    for (int64_t i = 0; i < list.n; i++) {
        if (app->console.is_json) {
            ty_text_add(&out, "{");
            models_add_json(&out, &list.v[i]);
            ty_text_add(&out, "}\n");
        } else {
            add_version(&t, &app->console, &list.v[i], arena);
        }
    }
    print(app, &t, &out);
    if (list.n == 0)
        console_say(&app->console, "model %s has no versions", name);
    return TY_OK;
}

ty_status models_list(cli *app, ty_arena *arena, ty_registry *r) {
    ty_model_ref ref;
    if (app->args.n_operands == 1)
        return list_models(app, arena, r);
    TY_TRY(ty_model_ref_parse(&app->ctx, app->args.operand[1], arena, &ref));
    if (!ref.name || ref.alias || ref.version)
        return ty_fail(&app->ctx, TY_ERR_ARG, "`models ls %s`: want a model's name",
                       app->args.operand[1]);
    return list_versions(app, arena, r, ref.name);
}

/* --- show ------------------------------------------------------------------------------------- */

ty_status models_show(cli *app, ty_arena *arena, ty_registry *r) {
    ty_mlflow_registered_version v;
    char time[32];
    TY_TRY(models_find(app, r, arena, 1, &v));
    if (app->console.is_json) {
        models_print_version(app, r, "", &v);
        return TY_OK;
    }
    ty_text out = {0};
    ty_text_addf(&out, "%smodels:/%s/%s%s\n", console_bold(&app->console), v.name, v.version,
                 console_plain(&app->console));
    ty_text_addf(&out, "  registry   %s\n  aliases    %s\n  made       %s\n  source     %s\n",
                 ty_registry_uri(r), joined(arena, v.aliases, v.n_aliases),
                 runs_time(v.created_ms * 1000000, time), v.source);
    if (*v.run_id)
        ty_text_addf(&out, "  run id     %s\n", v.run_id);
    if (v.tags.n)
        ty_text_add(&out, "\ntags\n");
    for (int64_t i = 0; i < v.tags.n; i++)
        ty_text_addf(&out, "  %-36s %s\n", v.tags.v[i].key, v.tags.v[i].value);
    if (*v.description)
        ty_text_addf(&out, "\n%s\n", v.description);
    console_print(&app->console, ty_text_string(&out));
    ty_text_clear(&out);
    return TY_OK;
}
