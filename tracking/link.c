/* Where in MLflow's UI the runs of a folder are. */
#include "tracking/store/store.h"
#include "tracking/tracking.h"

/* The experiment of the newest run that the store knows, -1 for none. */
static ty_status newest_experiment(ty_ctx *ctx, const char *folder, ty_arena *arena, int64_t *out) {
    static const _Atomic int64_t give_up_at_once = 0;
    ty_run_info *runs = NULL;
    int64_t n = 0;
    ty_store *store = NULL;
    *out = -1;
    TY_TRY(ty_runs_list(ctx, folder, arena, &runs, &n));
    ty_status st = n > 0 ? ty_store_open(ctx, folder, &give_up_at_once, &store) : TY_OK;
    for (int64_t i = 0; st == TY_OK && *out < 0 && i < n; i++)
        st = ty_store_find_run(ctx, store, runs[i].run_id, out);
    ty_store_close(store);
    return st;
}

ty_status ty_runs_deep_link(ty_ctx *ctx, const char *folder, ty_arena *arena, const char **out) {
    int64_t experiment = -1;
    TY_TRY(newest_experiment(ctx, folder, arena, &experiment));
    /* MLflow 3 opens on its GenAI side; the parameter asks for the runs table. */
    *out = experiment < 0
               ? "/#/experiments?workflowType=machine_learning"
               : ty_arena_printf(arena, "/#/experiments/%lld/runs?workflowType=machine_learning",
                                 (long long)experiment);
    return *out ? TY_OK : ty_fail_nomem(ctx, "a link");
}
