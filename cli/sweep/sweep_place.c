/* Where a sweep's runs are recorded: its own and those of its trials are in one experiment, which the config
 * names, or a fixed value, or MLflow's variables when the sweep begins. */
#include <string.h>

#include "cli/given.h"
#include "cli/sweep/sweep.h"

static const char *const place_keys[] = {"experiment", "tracking.uri"};
enum { EXPERIMENT, URI, PLACE_KEYS };

/* The value that all trials have of a key; NULL: none is fixed. */
static const char *fixed_text(const sweep *s, const char *key) {
    const size_t d = ty_space_find(&s->file.space, key);
    for (size_t i = 0; i < s->file.fixed_count; i++)
        if (strcmp(s->file.fixed[i].name, key) == 0)
            return json_string_value(s->file.fixed[i].value);
    if (d == s->file.space.count || ty_param_is_numeric(&s->file.space.params[d]))
        return NULL;
    return json_string_value(json_array_get(s->file.space.params[d].choices, 0));
}

/* Trials here and there would be nobody's children. */
static ty_status check_is_one(sweep *s) {
    for (int i = 0; i < PLACE_KEYS; i++) {
        const size_t d = ty_space_find(&s->file.space, place_keys[i]);
        if (d < s->file.space.count && s->file.space.params[d].choice_count != 1)
            return ty_rows_reject(&s->app->ctx, s->file.doc, s->file.param_paths[d],
                                  "%s has one value in a sweep: its runs are below one run",
                                  place_keys[i]);
    }
    return TY_OK;
}

static ty_status take_place(sweep *s, const ty_train_config *config) {
    const char *experiment = fixed_text(s, place_keys[EXPERIMENT]);
    const char *uri = fixed_text(s, place_keys[URI]);
    experiment = experiment ? experiment : config->experiment;
    uri = uri ? uri : config->tracking.uri;
    s->experiment = ty_arena_string(&s->arena, experiment);
    s->tracking_uri = uri ? ty_arena_string(&s->arena, uri) : NULL;
    return s->experiment && (!uri || s->tracking_uri) ? TY_OK
                                                      : ty_fail_nomem(&s->app->ctx, "the config");
}

/* What was kept when the sweep began says it from then on; NULL: it has not begun. */
static const char *kept(sweep *s, const char *name) {
    const char *path =
        ty_arena_printf(&s->arena, "%s/sweeps/%s/%s", s->app->folder, s->file.stem, name);
    return path && ty_file_exists(&s->app->ctx, path) ? path : NULL;
}

/* The name of MLFLOW_EXPERIMENT_ID's experiment goes into the config. */
static ty_status look_up(sweep *s, ty_doc *doc, bool names_experiment) {
    bool is_new = false;
    job j = {.doc = doc, .names_experiment = names_experiment};
    ty_status st =
        ty_target_choose(&s->app->ctx, s->tracking_uri, s->app->folder, &j.arena, &j.target);
    if (st == TY_OK)
        st = given_id(s->app, &j, &is_new);
    ty_arena_clear(&j.arena);
    return st;
}

static ty_status load(sweep *s, ty_doc *doc, ty_train_config *config) {
    memset(config, 0, sizeof *config);
    TY_TRY(ty_train_config_load(&s->app->ctx, doc, config));
    return take_place(s, config);
}

ty_status sweep_choose_place(sweep *s, ty_doc *doc) {
    bool names_experiment = false;
    ty_train_config config;
    TY_TRY(check_is_one(s));
    TY_TRY(given_name(s->app, doc, &names_experiment));
    TY_TRY(load(s, doc, &config));
    if (!kept(s, "config.json")) {
        names_experiment = names_experiment || fixed_text(s, place_keys[EXPERIMENT]);
        TY_TRY(look_up(s, doc, names_experiment));
        TY_TRY(load(s, doc, &config));
    }
    return ty_doc_at(doc, place_keys[EXPERIMENT])
               ? TY_OK
               : given_set_experiment(s->app, doc, s->experiment);
}

ty_status sweep_take_kept_place(sweep *s) {
    ty_doc *doc = NULL;
    ty_train_config config;
    TY_TRY(ty_doc_read(&s->app->ctx, s->file.config_path, &doc));
    const ty_status st = load(s, doc, &config);
    ty_doc_close(doc);
    return st;
}

/* As a config that names no experiment. */
static ty_status choose_anew(sweep *s) {
    static const char nothing[] = "{}";
    ty_doc *doc = NULL;
    bool names_experiment = false;
    TY_TRY(ty_doc_parse(&s->app->ctx, "the environment", nothing, strlen(nothing), &doc));
    ty_status st = given_name(s->app, doc, &names_experiment);
    if (st == TY_OK)
        st = look_up(s, doc, names_experiment);
    const char *name = json_string_value(ty_doc_at(doc, place_keys[EXPERIMENT]));
    s->experiment = name ? ty_arena_string(&s->arena, name) : "sweeps";
    ty_doc_close(doc);
    return st == TY_OK && !s->experiment ? ty_fail_nomem(&s->app->ctx, "an experiment's name") : st;
}

ty_status sweep_choose_programs_place(sweep *s) {
    ty_run_record run = {0};
    if (kept(s, "run.journal")) {
        const char *folder =
            ty_arena_printf(&s->arena, "%s/sweeps/%s", s->app->folder, s->file.stem);
        TY_TRY(folder ? ty_runs_read(&s->app->ctx, folder, &s->arena, &run)
                      : ty_fail_nomem(&s->app->ctx, "a path"));
        s->experiment = run.info.experiment;
        return TY_OK;
    }
    s->experiment = "sweeps";
    return s->runs ? choose_anew(s) : TY_OK;
}
