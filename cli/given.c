#include "cli/given.h"

#include <string.h>

static const char *variable(cli *app, const char *name) {
    const char *value = app->ctx.getenv(name);
    return value && value[0] != '\0' ? value : NULL;
}

ty_status given_set_experiment(cli *app, ty_doc *doc, const char *name) {
    ty_text set = {0};
    ty_text_add(&set, "experiment=");
    ty_text_add_json(&set, name);
    const ty_status st = set.is_short ? ty_fail_nomem(&app->ctx, "the experiment's name")
                                      : ty_doc_set(&app->ctx, doc, ty_text_string(&set));
    ty_text_clear(&set);
    return st;
}

ty_status given_name(cli *app, ty_doc *doc, bool *names_experiment) {
    const char *name = variable(app, "MLFLOW_EXPERIMENT_NAME");
    *names_experiment = ty_doc_at(doc, "experiment") != NULL;
    return name && !*names_experiment ? given_set_experiment(app, doc, name) : TY_OK;
}

static ty_status check_agreement(cli *app, const char *id, const char *name) {
    const char *wanted = variable(app, "MLFLOW_EXPERIMENT_NAME");
    if (!wanted || strcmp(wanted, name) == 0)
        return TY_OK;
    return ty_fail(&app->ctx, TY_ERR_CONFIG,
                   "MLFLOW_EXPERIMENT_ID is %s, which is experiment \"%s\", and "
                   "MLFLOW_EXPERIMENT_NAME is \"%s\": they have to agree, or one of them to go",
                   id, name, wanted);
}

ty_status given_id(cli *app, job *j, bool *is_new) {
    const char *id = variable(app, "MLFLOW_EXPERIMENT_ID"), *name = NULL;
    *is_new = false;
    if (!id || j->names_experiment)
        return TY_OK;
    const ty_status st = ty_named_experiment(&app->ctx, &j->target, id, &j->arena, &name);
    if (st == TY_ERR_BUSY || st == TY_ERR_NOMEM || st == TY_ERR_IO)
        return ty_fail_within(&app->ctx, st,
                              "MLFLOW_EXPERIMENT_ID is %s, whose name has to be looked up "
                              "(MLFLOW_EXPERIMENT_NAME asks nobody)",
                              id);
    if (st != TY_OK)
        return ty_fail_within(&app->ctx, TY_ERR_CONFIG, "MLFLOW_EXPERIMENT_ID is %s", id);
    TY_TRY(check_agreement(app, id, name));
    *is_new = true;
    return given_set_experiment(app, j->doc, name);
}

static bool is_id(const char *text) {
    return strlen(text) == 32 && strspn(text, "0123456789abcdef") == 32;
}

ty_status given_run(cli *app, job *j) {
    const char *id = variable(app, "MLFLOW_RUN_ID");
    j->given_run_id = id ? ty_arena_string(&j->arena, id) : NULL;
    if (id && !j->given_run_id)
        return ty_fail_nomem(&app->ctx, "a run's id");
    return !id || is_id(id)
               ? TY_OK
               : ty_fail(&app->ctx, TY_ERR_CONFIG,
                         "MLFLOW_RUN_ID is \"%.60s\", want the 32 hex digits of a run", id);
}

static ty_status judge(cli *app, job *j, const ty_named_run *run) {
    const char *experiment = variable(app, "MLFLOW_EXPERIMENT_ID");
    if (run->is_deleted)
        return ty_fail(&app->ctx, TY_ERR_CONFIG,
                       "MLFLOW_RUN_ID: run %s is deleted: restore it in MLflow, or name another",
                       run->run_id);
    if (experiment && !j->names_experiment && strcmp(experiment, run->experiment_id) != 0)
        return ty_fail(&app->ctx, TY_ERR_CONFIG,
                       "MLFLOW_RUN_ID: run %s is in experiment %s, and MLFLOW_EXPERIMENT_ID is %s",
                       run->run_id, run->experiment_id, experiment);
    return TY_OK;
}

ty_status given_run_check(cli *app, job *j) {
    ty_ctx *ctx = &app->ctx;
    ty_named_run run = {0};
    if (!j->given_run_id || j->target.kind == TY_TARGET_OFFLINE)
        return TY_OK;
    const ty_status st = ty_named_run_read(ctx, &j->target, j->given_run_id, &j->arena, &run);
    if (st == TY_OK)
        return judge(app, j, &run);
    if (st == TY_ERR_NOT_FOUND || st == TY_ERR_ARG)
        return ty_fail_within(ctx, TY_ERR_CONFIG, "MLFLOW_RUN_ID: run %s is not in %s",
                              j->given_run_id, j->target.name);
    if (j->target.kind == TY_TARGET_STORE)
        return ty_fail_within(ctx, st, "MLFLOW_RUN_ID: run %s", j->given_run_id);
    ty_log(ctx, TY_LOG_WARN, "tracking",
           "run %s, which MLFLOW_RUN_ID names, could not be looked up and is taken on trust: %s",
           j->given_run_id, ctx->message);
    return TY_OK;
}
