/* models register, alias and tag. */
#include <stdlib.h>
#include <string.h>

#include "cli/train/export.h"
#include "cli/models/models.h"
#include "tracking/tracking.h"

enum { MAX_TAGS = 16 };

/* --- register --------------------------------------------------------------------------------- */

typedef struct registering {
    ty_registry_entry entry;
    ty_mlflow_pair tags[MAX_TAGS];
    ty_text card;
} registering;

static void add_tag(registering *g, const char *key, const char *value) {
    if (value && *value && g->entry.tags.n < MAX_TAGS) {
        g->tags[g->entry.tags.n++] = (ty_mlflow_pair){key, value};
        g->entry.tags.v = g->tags;
    }
}

static const char *value_of(const ty_run_value *v, int64_t n, const char *key) {
    for (int64_t i = 0; i < n; i++)
        if (strcmp(v[i].key, key) == 0)
            return v[i].text;
    return NULL;
}

/* The newest package that the run has told of; where it has none, the one that is made of its best
 * checkpoint now. */
static ty_status choose_package(cli *app, ty_arena *arena, const ty_run_record *run,
                                ty_run_package *out, const char **out_folder) {
    if (run->n_packages > 0) {
        *out = run->packages[run->n_packages - 1];
        *out_folder = ty_path_join(arena, run->info.folder, out->folder);
        return *out_folder ? TY_OK : ty_fail_nomem(&app->ctx, "a path");
    }
    export_made made = {0};
    const export_wish wish = {.run_folder = run->info.folder, .run_id = run->info.run_id};
    TY_TRY(export_model(&app->ctx, &wish, arena, &made));
    *out = (ty_run_package){.model_id = ty_arena_string(arena, made.model_id),
                            .name = made.name,
                            .folder = made.folder,
                            .step = made.step,
                            .time_ns = ty_now_wall_ns(&app->ctx)};
    *out_folder = made.folder;
    return out->model_id ? TY_OK : ty_fail_nomem(&app->ctx, "a model's id");
}

/* Where it comes from: enough to make it again, and to tell two of them apart. */
static void add_lineage(registering *g, const ty_run_record *run, const ty_run_package *package,
                        ty_arena *arena) {
    static const char *const keys[] = {"tiltyard.data_fingerprint", "tiltyard.config_hash",
                                       "mlflow.source.git.commit", "tiltyard.git.dirty",
                                       "tiltyard.version"};
    add_tag(g, "tiltyard.run", run->info.name);
    add_tag(g, "tiltyard.run_id", run->info.run_id);
    add_tag(g, "tiltyard.experiment", run->info.experiment);
    add_tag(g, "tiltyard.model_id", package->model_id);
    add_tag(g, "tiltyard.step", ty_arena_printf(arena, "%lld", (long long)package->step));
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        add_tag(g, keys[i], value_of(run->tags, run->n_tags, keys[i]));
}

static ty_status take_run(cli *app, ty_arena *arena, registering *g, const char *which) {
    const char *folder = NULL;
    ty_run_record run = {0};
    ty_run_package package;
    TY_TRY(ty_runs_find(&app->ctx, app->folder, which, arena, &folder));
    TY_TRY(ty_runs_read(&app->ctx, folder, arena, &run));
    TY_TRY(choose_package(app, arena, &run, &package, &g->entry.package));
    g->entry.name = g->entry.name ? g->entry.name : run.info.experiment;
    g->entry.uid = package.model_id;
    g->entry.run_id = run.info.run_id;
    g->entry.experiment = run.info.experiment;
    add_lineage(g, &run, &package, arena);
    if (!g->entry.description) {
        ty_card_write(&run, &package, g->entry.name, &g->card);
        if (!g->card.is_short && g->card.length <= TY_CARD_MAX_BYTES)
            g->entry.description = ty_text_string(&g->card);
    }
    return TY_OK;
}

/* A folder that somebody exported; it knows no run of this working folder. */
static ty_status take_folder(cli *app, registering *g, const char *folder) {
    g->entry.package = folder;
    if (g->entry.name)
        return TY_OK;
    return ty_fail(&app->ctx, TY_ERR_ARG, "%s is an exported folder: want --name NAME for it",
                   folder);
}

static bool is_package(cli *app, const char *folder, ty_arena *arena) {
    const char *path = ty_path_join(arena, folder, "MLmodel");
    return path && ty_file_exists(&app->ctx, path);
}

static ty_status set_alias(cli *app, ty_registry *r, ty_arena *arena, const char *alias,
                           ty_mlflow_registered_version *v) {
    const ty_model_ref ref = {.name = v->name, .version = strtoll(v->version, NULL, 10)};
    if (!alias)
        return TY_OK;
    TY_TRY(ty_registry_move_alias(&app->ctx, r, v->name, alias, -1, ref.version, NULL));
    return ty_registry_find(&app->ctx, r, &ref, arena, v);
}

ty_status models_add(cli *app, ty_arena *arena, ty_registry *r, const models_wish *wish,
                     ty_mlflow_registered_version *out) {
    registering g = {.entry = {.name = wish->name, .description = wish->description}};
    const char *slip = wish->alias ? ty_mlflow_alias_slip(wish->alias) : NULL;
    if (slip)
        return ty_fail(&app->ctx, TY_ERR_ARG, "alias %s: %s", wish->alias, slip);
    for (int64_t i = 0; i < wish->tags.n; i++)
        add_tag(&g, wish->tags.v[i].key, wish->tags.v[i].value);
    ty_status st = is_package(app, wish->which, arena) ? take_folder(app, &g, wish->which)
                                                       : take_run(app, arena, &g, wish->which);
    if (st == TY_OK)
        st = ty_registry_add(&app->ctx, r, &g.entry, arena, out);
    if (st == TY_OK)
        st = set_alias(app, r, arena, wish->alias, out);
    ty_text_clear(&g.card);
    return st;
}

ty_status models_register(cli *app, ty_arena *arena, ty_registry *r) {
    const args *a = &app->args;
    const models_wish wish = {.which = a->operand[1],
                              .name = args_value(a, "name"),
                              .alias = args_value(a, "alias"),
                              .description = args_value(a, "description")};
    ty_mlflow_registered_version v;
    TY_TRY(models_add(app, arena, r, &wish, &v));
    models_print_version(app, r, "registered", &v);
    return TY_OK;
}

/* --- alias ------------------------------------------------------------------------------------ */

static ty_status read_version(cli *app, const char *what, const char *text, int64_t *out) {
    char *end = NULL;
    const long long value = strtoll(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || value < 1 || value > 1000000000)
        return ty_fail(&app->ctx, TY_ERR_ARG, "%s is \"%s\", want a version's number", what, text);
    *out = value;
    return TY_OK;
}

static ty_status read_expected(cli *app, int64_t *out) {
    const char *text = args_value(&app->args, "expect");
    *out = -1;
    if (!text)
        return TY_OK;
    if (strcmp(text, "none") == 0) {
        *out = 0;
        return TY_OK;
    }
    return read_version(app, "--expect", text, out);
}

static void print_alias(cli *app, const ty_model_ref *ref, int64_t was, int64_t version) {
    ty_text out = {0};
    if (app->console.is_json) {
        ty_text_add(&out, "{\"name\": ");
        ty_text_add_json(&out, ref->name);
        ty_text_add(&out, ", \"alias\": ");
        ty_text_add_json(&out, ref->alias);
        ty_text_addf(&out, ", \"was\": %lld, \"version\": %lld}\n", (long long)was,
                     (long long)version);
    } else if (version) {
        ty_text_addf(&out, "%s@%s is version %lld now", ref->name, ref->alias, (long long)version);
        ty_text_addf(&out, was ? ", was %lld\n" : "\n", (long long)was);
    } else {
        ty_text_addf(&out, "%s@%s is gone", ref->name, ref->alias);
        ty_text_addf(&out, was ? ", was %lld\n" : "\n", (long long)was);
    }
    console_print(&app->console, ty_text_string(&out));
    ty_text_clear(&out);
}

ty_status models_alias(cli *app, ty_arena *arena, ty_registry *r) {
    ty_model_ref ref;
    int64_t version = 0, expected, was = 0;
    const bool removes = args_has(&app->args, "remove");
    TY_TRY(ty_model_ref_parse(&app->ctx, app->args.operand[1], arena, &ref));
    if (!ref.alias || removes == (app->args.n_operands == 3))
        return ty_fail(&app->ctx, TY_ERR_ARG,
                       "want `models alias NAME@ALIAS VERSION` or `models "
                       "alias NAME@ALIAS --remove`");
    if (!removes)
        TY_TRY(read_version(app, "VERSION", app->args.operand[2], &version));
    TY_TRY(read_expected(app, &expected));
    TY_TRY(ty_registry_move_alias(&app->ctx, r, ref.name, ref.alias, expected, version, &was));
    print_alias(app, &ref, was, version);
    return TY_OK;
}

/* --- tag -------------------------------------------------------------------------------------- */

/* A name alone is the model itself here; otherwise the version that is named. */
static ty_status choose_tagged(cli *app, ty_arena *arena, ty_registry *r, const char **name,
                               int64_t *version) {
    ty_model_ref ref;
    ty_mlflow_registered_version v;
    TY_TRY(ty_model_ref_parse(&app->ctx, app->args.operand[1], arena, &ref));
    *name = ref.name;
    *version = 0;
    if (ref.name && !ref.alias && !ref.version)
        return TY_OK;
    TY_TRY(ty_registry_find(&app->ctx, r, &ref, arena, &v));
    *version = strtoll(v.version, NULL, 10);
    return TY_OK;
}

static ty_status set_one(cli *app, ty_arena *arena, ty_registry *r, const char *name,
                         int64_t version, const char *assignment) {
    const char *equals = strchr(assignment, '=');
    if (!equals || equals == assignment)
        return ty_fail(&app->ctx, TY_ERR_ARG, "\"%s\" is no tag, want KEY=VALUE", assignment);
    const char *key = ty_arena_string_n(arena, assignment, (size_t)(equals - assignment));
    if (!key)
        return ty_fail_nomem(&app->ctx, "a tag");
    return ty_registry_tag(&app->ctx, r, name, version, key, equals + 1);
}

ty_status models_set(cli *app, ty_arena *arena, ty_registry *r) {
    const char *name, *description = args_value(&app->args, "description");
    const args *a = &app->args;
    int64_t version;
    TY_TRY(choose_tagged(app, arena, r, &name, &version));
    for (int i = 2; i < a->n_operands; i++)
        TY_TRY(set_one(app, arena, r, name, version, a->operand[i]));
    for (int i = 0; i < a->n_options; i++)
        if (strcmp(a->option[i].row->name, "delete") == 0)
            TY_TRY(ty_registry_tag(&app->ctx, r, name, version, a->option[i].value, NULL));
    if (description)
        TY_TRY(ty_registry_describe(&app->ctx, r, name, version, description));
    if (a->n_operands == 2 && !description && !args_has(a, "delete"))
        return ty_fail(&app->ctx, TY_ERR_ARG,
                       "nothing to set: want KEY=VALUE, --delete KEY or "
                       "--description TEXT");
    return TY_OK;
}
