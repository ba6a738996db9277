/* The best trial's model becomes a version of a registered model, where the sweep file asks for it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/models/models.h"
#include "cli/sweep/sweep.h"

/* The version that an earlier start of the sweep made of the run; false: there is none. */
static ty_status find_earlier(sweep *s, ty_registry *r, const char *run_id, ty_arena *arena,
                              ty_mlflow_registered_version *out, bool *is_found) {
    ty_mlflow_version_list all = {0};
    const char *model = s->file.registered.model;
    const ty_status st = ty_registry_versions(&s->app->ctx, r, model, arena, &all);
    *is_found = false;
    for (int64_t i = 0; st == TY_OK && i < all.n && !*is_found; i++) {
        const char *made_of = models_tag(all.v[i].tags, "tiltyard.run_id");
        const char *made_by = models_tag(all.v[i].tags, "tiltyard.sweep");
        *is_found = made_of && made_by && strcmp(made_of, run_id) == 0;
        *out = all.v[i];
    }
    return st == TY_ERR_NOT_FOUND ? TY_OK : st;
}

static ty_status add(sweep *s, ty_registry *r, const ty_trial *best, const char *folder,
                     ty_arena *arena, ty_mlflow_registered_version *out) {
    char trial[24], value[32];
    (void)snprintf(trial, sizeof trial, "%zu", best->number);
    (void)snprintf(value, sizeof value, "%.17g", best->value);
    const ty_mlflow_pair tags[] = {{"tiltyard.sweep", s->file.stem},
                                   {"tiltyard.trial", trial},
                                   {"tiltyard.sweep.metric", s->file.metric.name},
                                   {"tiltyard.sweep.value", value}};
    const models_wish wish = {.which = folder,
                              .name = s->file.registered.model,
                              .alias = s->file.registered.alias,
                              .tags = {tags, sizeof tags / sizeof *tags}};
    return models_add(s->app, arena, r, &wish, out);
}

static const char registered_tag[] = "tiltyard.registered";

/* Whether the sweep's own run says already that this version was made, and its alias set. */
static bool was_finished(sweep *s, const char *uri, ty_arena *arena) {
    ty_run_record run = {0};
    if (ty_runs_read(&s->app->ctx, s->folder, arena, &run) != TY_OK)
        return false;
    for (int64_t i = 0; i < run.n_tags; i++)
        if (strcmp(run.tags[i].key, registered_tag) == 0)
            return strcmp(run.tags[i].text, uri) == 0;
    return false;
}

static const char *uri_of(const ty_mlflow_registered_version *v, ty_arena *arena) {
    const char *uri = ty_arena_printf(arena, "models:/%s/%s", v->name, v->version);
    return uri ? uri : v->name;
}

/* Where setting it failed the last time it is set now; one that was set, and that somebody has moved since
 * then, stays where it is. */
static ty_status set_alias_again(sweep *s, ty_registry *r, ty_arena *arena,
                                 const ty_mlflow_registered_version *v) {
    const char *alias = s->file.registered.alias;
    if (!alias || was_finished(s, uri_of(v, arena), arena))
        return TY_OK;
    return ty_registry_move_alias(&s->app->ctx, r, v->name, alias, -1,
                                  strtoll(v->version, NULL, 10), NULL);
}

static ty_status add_once(sweep *s, ty_registry *r, const ty_trial *best, ty_arena *arena,
                          ty_mlflow_registered_version *out) {
    ty_run_record run = {0};
    bool is_found = false;
    const char *folder = ty_arena_printf(arena, "%s/runs/%s/%s", s->app->folder, s->experiment,
                                         sweep_run_name(s, best->number, arena));
    if (!folder)
        return ty_fail_nomem(&s->app->ctx, "a path");
    TY_TRY(ty_runs_read(&s->app->ctx, folder, arena, &run));
    TY_TRY(find_earlier(s, r, run.info.run_id, arena, out, &is_found));
    return is_found ? set_alias_again(s, r, arena, out) : add(s, r, best, folder, arena, out);
}

/* Where the config has the trials recorded, unless the environment names a registry; NULL: neither. */
static const char *registry_uri(const sweep *s) {
    const char *named = s->app->ctx.getenv("MLFLOW_REGISTRY_URI");
    return named && named[0] != '\0' ? named : s->tracking_uri;
}

static ty_status register_best(sweep *s, const ty_trial *best, ty_arena *arena) {
    ty_registry *r = NULL;
    ty_mlflow_registered_version v;
    TY_TRY(ty_registry_open(&s->app->ctx, registry_uri(s), s->app->folder, &r));
    const ty_status st = add_once(s, r, best, arena, &v);
    if (st == TY_OK) {
        console_say(&s->app->console, "model   %s of trial %zu in %s", uri_of(&v, arena),
                    best->number, ty_registry_uri(r));
        sweep_tell_tag(s, registered_tag, uri_of(&v, arena));
    }
    ty_registry_close(r);
    return st;
}

void sweep_register_best(sweep *s) {
    ty_arena arena = {0};
    const ty_trial *best = ty_study_best(s->study);
    if (s->file.registered.model && best && register_best(s, best, &arena) != TY_OK)
        ty_log(&s->app->ctx, TY_LOG_WARN, "models", "trial %zu was not registered: %s",
               best->number, s->app->ctx.message);
    ty_arena_clear(&arena);
}
