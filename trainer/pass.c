/* A forward pass over all samples of a split: loader -> feed -> lanes. */
#include "trainer/trainer_private.h"

int64_t ty_pass_position(const ty_pass *pass, int rank, int64_t batch, int64_t row) {
    return (batch * pass->ranks + rank) * pass->rank_rows + row;
}

void ty_pass_init(ty_pass *pass, ty_trainer *trainer, const ty_dataset *data, ty_split split,
                  bool is_shared) {
    const ty_geometry *geometry = &trainer->geometry;
    *pass = (ty_pass){.trainer = trainer,
                      .data = data,
                      .split = split,
                      .ranks = is_shared ? geometry->ranks : 1,
                      .rank = is_shared ? geometry->rank : 0,
                      .n = ty_dataset_info(data)->count[split],
                      .rank_rows = geometry->eval_rows * geometry->lanes};
    const int64_t all_rows = pass->rank_rows * pass->ranks;
    pass->n_batches = (pass->n + all_rows - 1) / all_rows;
}

static ty_status run_block(ty_lane *lane, void *arg) {
    const ty_pass *pass = arg;
    ty_trainer *trainer = pass->trainer;
    const ty_plan *plan = &trainer->work[lane->index].eval;
    const int64_t first = lane->index * trainer->geometry.eval_rows;
    if (ty_pass_position(pass, pass->rank, pass->batch, first) >= pass->n)
        return TY_OK;
    TY_TRY(ty_feed_rows(lane->ctx, pass->feed, plan, first));
    TY_TRY(ty_plan_forward(lane->ctx, plan));
    return pass->block(lane, pass, first);
}

static ty_status run_batches(ty_ctx *ctx, ty_pass *pass, ty_loader *loader) {
    ty_batch batch;
    bool has_batch;
    for (pass->batch = 0; pass->batch < pass->n_batches; pass->batch++) {
        TY_TRY(ty_loader_next(ctx, loader, &batch, &has_batch, NULL));
        if (!has_batch)
            return ty_fail(ctx, TY_ERR_INTERNAL, "evaluating %s: %lld batches came, want %lld",
                           ty_split_names[pass->split], (long long)pass->batch,
                           (long long)pass->n_batches);
        TY_TRY(ty_feed_send(ctx, pass->feed, &batch));
        TY_TRY(ty_feed_turn(ctx, pass->feed));
        TY_TRY(ty_lanes_run(ctx, pass->trainer->lanes, run_block, pass));
        if (pass->batch_done)
            TY_TRY(pass->batch_done(ctx, pass));
    }
    return TY_OK;
}

static ty_status run_from(ty_ctx *ctx, ty_pass *pass) {
    const ty_loader_options options = {.set = pass->data,
                                       .split = pass->split,
                                       .rows = pass->rank_rows,
                                       .rows_all_ranks = pass->rank_rows * pass->ranks,
                                       .first_row = pass->rank_rows * pass->rank,
                                       .depth = 2};
    ty_loader *loader = NULL;
    TY_TRY(ty_loader_open(ctx, &options, &loader));
    const ty_status st = run_batches(ctx, pass, loader);
    ty_loader_close(loader);
    return st;
}

ty_status ty_pass_run(ty_ctx *ctx, ty_pass *pass) {
    const ty_trainer *trainer = pass->trainer;
    TY_TRY(ty_feed_open(ctx, ty_lanes_device(trainer->lanes), &trainer->eval_graph, pass->rank_rows,
                        &pass->feed));
    const ty_status st = run_from(ctx, pass);
    ty_feed_close(pass->feed);
    pass->feed = NULL;
    return st;
}
