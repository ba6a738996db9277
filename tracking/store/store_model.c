/* A run's models in the store: MLflow's logged models. */
#include <string.h>

#include "tracking/identity.h"
#include "tracking/limits.h"
#include "tracking/store/store_sql.h"

static const int64_t ns_per_ms = 1000000;

static ty_status add_model_row(ty_ctx *ctx, ty_store *store, const char *run_id,
                               const char *run_folder, const ty_track_record *r, int64_t *added) {
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    char name[TY_LIMIT_MODEL_BYTES];
    const char *place = ty_path_join(&ctx->scratch, run_folder, r->package.folder);
    const char *uri = place ? ty_store_uri(&ctx->scratch, place) : NULL;
    ty_limit_model(r->package.name, name);
    const ty_status st = uri ? ty_sql_run(ctx, store, TY_SQL_ADD_MODEL, added, "ssssi", run_id,
                                          r->package.model_id, name, uri, r->time_ns / ns_per_ms)
                             : ty_fail_nomem(ctx, "a model's folder");
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}

/* The keys as a JSON array: one value for a statement. */
static ty_status add_tags(ty_ctx *ctx, ty_store *store, const char *run_id, const char *model_id) {
    ty_text keys = {0};
    for (int i = 0; ty_track_lineage[i]; i++) {
        ty_text_add(&keys, i == 0 ? "[" : ",");
        ty_text_add_json(&keys, ty_track_lineage[i]);
    }
    ty_text_add(&keys, "]");
    const ty_status st = keys.is_short ? ty_fail_nomem(ctx, "a model's tags")
                                       : ty_sql_run(ctx, store, TY_SQL_ADD_MODEL_TAGS, NULL, "sss",
                                                    run_id, model_id, ty_text_string(&keys));
    ty_text_clear(&keys);
    return st;
}

static ty_status add_output(ty_ctx *ctx, ty_store *store, const char *run_id,
                            const ty_track_record *r) {
    char id[33];
    TY_TRY(ty_identity_random(ctx, id));
    return ty_sql_run(ctx, store, TY_SQL_ADD_OUTPUT, NULL, "sssi", id, run_id, r->package.model_id,
                      r->step);
}

ty_status ty_store_add_model(ty_ctx *ctx, ty_store *store, const char *run_id,
                             const char *run_folder, const ty_track_record *r, int64_t *added) {
    const char *model_id = r->package.model_id;
    TY_TRY(add_model_row(ctx, store, run_id, run_folder, r, added));
    TY_TRY(ty_sql_run(ctx, store, TY_SQL_ADD_MODEL_PARAMS, NULL, "ss", run_id, model_id));
    TY_TRY(add_tags(ctx, store, run_id, model_id));
    if (r->package.note)
        TY_TRY(
            ty_sql_run(ctx, store, TY_SQL_ADD_MODEL_NOTE, NULL, "ss", model_id, r->package.note));
    TY_TRY(add_output(ctx, store, run_id, r));
    return ty_store_link_points(ctx, store, run_id, r->step);
}

ty_status ty_store_link_points(ty_ctx *ctx, ty_store *store, const char *run_id, int64_t step) {
    return ty_sql_run(ctx, store, TY_SQL_ADD_MODEL_POINTS, NULL, "si", run_id, step);
}
