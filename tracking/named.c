#include "tracking/named.h"

#include <stdlib.h>
#include <string.h>

#include "tracking/sinks/delivery.h"
#include "tracking/client/mlflow.h"
#include "tracking/store/peek.h"
#include "tracking/store/relocate.h"

enum { STORE_PATIENCE_MS = 5000 };
static const int64_t server_patience_ns = 15ll * 1000 * 1000 * 1000;

static ty_status ask_store(ty_ctx *ctx, const ty_target *target, const char *sql, const char *id,
                           ty_arena *arena, const char **out, int n) {
    const ty_peek_query query = {
        .path = target->path, .sql = sql, .id = id, .patience_ms = STORE_PATIENCE_MS};
    return ty_peek_ask(ctx, &query, arena, out, n);
}

static ty_status reach(ty_ctx *ctx, const ty_target *target, ty_mlflow **out) {
    const ty_mlflow_options options = {.uri = target->given,
                                       .patience = {.kind = TY_PATIENCE_BOUNDED}};
    if (target->kind == TY_TARGET_OFFLINE)
        return ty_fail(ctx, TY_ERR_ARG, "offline there is nobody to ask");
    TY_TRY(ty_mlflow_open(ctx, &options, out));
    ty_mlflow_set_deadline(*out, ty_now_ns(ctx) + server_patience_ns);
    return TY_OK;
}

ty_status ty_named_experiment(ty_ctx *ctx, const ty_target *target, const char *id, ty_arena *arena,
                              const char **out_name) {
    const char *found[2] = {0};
    ty_mlflow_experiment experiment = {0};
    ty_mlflow *m = NULL;
    ty_status st;
    if (target->kind == TY_TARGET_STORE) {
        st = ask_store(ctx, target,
                       "SELECT name, lifecycle_stage FROM experiments"
                       " WHERE CAST(experiment_id AS TEXT) = ?1",
                       id, arena, found, 2);
        experiment.name = found[0];
        experiment.is_deleted = st == TY_OK && strcmp(found[1], "deleted") == 0;
    } else {
        st = reach(ctx, target, &m);
        if (st == TY_OK)
            st = ty_mlflow_get_experiment(ctx, m, id, arena, &experiment);
        ty_mlflow_close(m);
    }
    if (st == TY_OK && experiment.is_deleted)
        st =
            ty_fail(ctx, TY_ERR_ARG, "experiment \"%.200s\" is deleted: restore it in MLflow first",
                    experiment.name);
    *out_name = experiment.name;
    return st;
}

static ty_status ask_server(ty_ctx *ctx, const ty_target *target, const char *run_id,
                            ty_arena *arena, ty_named_run *out) {
    ty_mlflow *m = NULL;
    ty_mlflow_run run;
    TY_TRY(reach(ctx, target, &m));
    const ty_status st = ty_mlflow_get_run(ctx, m, run_id, arena, &run);
    ty_mlflow_close(m);
    if (st == TY_OK)
        *out = (ty_named_run){.run_id = run.id,
                              .experiment_id = run.experiment_id,
                              .status = run.status,
                              .is_deleted = run.is_deleted};
    return st;
}

ty_status ty_named_run_read(ty_ctx *ctx, const ty_target *target, const char *run_id,
                            ty_arena *arena, ty_named_run *out) {
    const char *found[4];
    if (target->kind != TY_TARGET_STORE)
        return ask_server(ctx, target, run_id, arena, out);
    TY_TRY(ask_store(ctx, target,
                     "SELECT run_uuid, experiment_id, status, lifecycle_stage FROM runs"
                     " WHERE run_uuid = ?1",
                     run_id, arena, found, 4));
    *out = (ty_named_run){.run_id = found[0],
                          .experiment_id = found[1],
                          .status = found[2],
                          .is_deleted = strcmp(found[3], "deleted") == 0};
    return TY_OK;
}

static ty_status metric_on_server(ty_ctx *ctx, const ty_target *target, const char *run_id,
                                  const char *key, ty_arena *arena, double *out) {
    ty_mlflow *m = NULL;
    ty_mlflow_run run;
    TY_TRY(reach(ctx, target, &m));
    const ty_status st = ty_mlflow_get_run(ctx, m, run_id, arena, &run);
    ty_mlflow_close(m);
    TY_TRY(st);
    for (int64_t i = 0; i < run.n_metrics; i++) {
        *out = run.metrics[i].value;
        if (strcmp(run.metrics[i].key, key) == 0)
            return TY_OK;
    }
    return ty_fail(ctx, TY_ERR_NOT_FOUND, "run %s has no metric %s", run_id, key);
}

/* Seventeen digits: a column read as text has fifteen. */
ty_status ty_named_run_metric(ty_ctx *ctx, const ty_target *target, const char *run_id,
                              const char *key, ty_arena *arena, double *out) {
    const char *found = NULL;
    if (target->kind != TY_TARGET_STORE)
        return metric_on_server(ctx, target, run_id, key, arena, out);
    const char *both = ty_arena_printf(arena, "%-32.32s %s", run_id, key);
    if (!both)
        return ty_fail_nomem(ctx, "a metric's name");
    TY_TRY(ask_store(ctx, target,
                     "SELECT CASE is_nan WHEN 0 THEN printf('%!.17g', value) ELSE 'nan' END"
                     " FROM latest_metrics"
                     " WHERE run_uuid = substr(?1, 1, 32) AND \"key\" = substr(?1, 34)",
                     both, arena, &found, 1));
    *out = strtod(found, NULL);
    return TY_OK;
}

static bool is_delivered_as(ty_ctx *ctx, const char *run_folder, const ty_target *target,
                            const char *run_id) {
    ty_delivery_state state;
    ty_delivery_state_init(&state, target->name);
    const bool is_known = ty_delivery_read(ctx, run_folder, &state) == TY_OK && state.run_id &&
                          strcmp(state.run_id, run_id) == 0;
    ty_delivery_state_clear(&state);
    return is_known;
}

bool ty_named_run_is(ty_ctx *ctx, const char *run_folder, const ty_target *target,
                     const char *run_id) {
    ty_run_ids ids;
    if (ty_run_ids_of(ctx, run_folder, &ids) != TY_OK)
        return false;
    return strcmp(ids.run_id, run_id) == 0 ||
           (target->kind == TY_TARGET_SERVER && is_delivered_as(ctx, run_folder, target, run_id));
}
