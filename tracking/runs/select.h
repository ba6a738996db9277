/* Many runs at once: those that fit a filter, in an order, with as much of each as is wanted. */
#ifndef TY_TRACKING_RUNS_SELECT_H
#define TY_TRACKING_RUNS_SELECT_H

#include "base/base.h"
#include "tracking/runs/filter.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ty_run_view { TY_RUNS_ACTIVE, TY_RUNS_DELETED, TY_RUNS_ALL } ty_run_view;

/* A zeroed query asks for every run that is not deleted in MLflow, newest first. */
typedef struct ty_run_query {
    const ty_filter *filter; /* NULL: all */
    const ty_run_order *orders;
    int64_t n_orders;
    int64_t limit;  /* 0: no limit */
    unsigned parts; /* that the caller reads, beside those that filter and orders need */
    ty_run_view view;
    const char *experiment; /* only this one's; NULL: all */
    bool with_sweeps;       /* those that are sweeps themselves, <folder>/sweeps/<name>, too */
} ty_run_query;

/* The runs under <folder>/runs, as MLflow would answer on its embedded store: names, tags and
 * deletions made in MLflow count, and params and tags are those that MLflow shows. Only what the
 * query needs is decoded. A damaged journal is reported through the log and left out; so are edits
 * where the store cannot be read now. All in arena. */
ty_status ty_runs_select(ty_ctx *ctx, const char *folder, const ty_run_query *query,
                         ty_arena *arena, ty_run_record **out, int64_t *out_n) TY_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
