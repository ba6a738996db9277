/* Evaluation: fixed blocks of rows, whoever computes them; one record per sample, gathered in the
 * order of samples and summed in that order. So neither ranks, lanes nor uneven data change a
 * bit. */
#include "trainer/trainer_private.h"

#include <stdlib.h>
#include <string.h>

#include "trainer/score.h"

typedef struct eval_pass {
    ty_trainer *trainer;
    ty_split split;
    int64_t n;         /* samples of the split */
    int64_t rank_rows; /* of a batch on one rank: a block for each lane */
    int64_t n_batches;
    ty_score_row *mine, *all;
    ty_feed *feed;
    int64_t batch_index;
} eval_pass;

/* Where row `row` of this rank's part of batch `batch` stands in the split. */
static int64_t position(const eval_pass *pass, int rank, int64_t batch, int64_t row) {
    return (batch * pass->trainer->geometry.ranks + rank) * pass->rank_rows + row;
}

static void keep_rows(const eval_pass *pass, const float *rows, int64_t first) {
    const ty_trainer *trainer = pass->trainer;
    const bool has_classes = trainer->data->is_classification;
    for (int64_t i = 0; i < trainer->geometry.eval_rows; i++) {
        const float *row = rows + i * TY_LOSS_ROW;
        ty_score_row *to = &pass->mine[pass->batch_index * pass->rank_rows + first + i];
        *to = (ty_score_row){.loss = row[0], .a = row[1], .b = row[2], .c = row[3]};
        if (has_classes)
            to->truth = ((const int32_t *)ty_feed_targets(pass->feed))[first + i];
    }
}

static ty_status evaluate_block(ty_lane *lane, void *arg) {
    const eval_pass *pass = arg;
    ty_trainer *trainer = pass->trainer;
    ty_lane_work *work = &trainer->work[lane->index];
    const int64_t first = lane->index * trainer->geometry.eval_rows;
    if (position(pass, trainer->geometry.rank, pass->batch_index, first) >= pass->n)
        return TY_OK;
    TY_TRY(ty_feed_rows(lane->ctx, pass->feed, &work->eval, first));
    TY_TRY(ty_plan_forward(lane->ctx, &work->eval));
    TY_TRY(ty_tensor_copy_out(lane->ctx, lane->dev, &work->eval.values[work->eval.graph->loss_rows],
                              work->rows));
    TY_TRY(ty_device_sync(lane->ctx, lane->dev));
    keep_rows(pass, work->rows, first);
    return TY_OK;
}

static ty_status run_batches(ty_ctx *ctx, eval_pass *pass, ty_loader *loader) {
    ty_batch batch;
    bool has_batch;
    for (pass->batch_index = 0; pass->batch_index < pass->n_batches; pass->batch_index++) {
        TY_TRY(ty_loader_next(ctx, loader, &batch, &has_batch, NULL));
        if (!has_batch)
            return ty_fail(ctx, TY_ERR_INTERNAL, "evaluating %s: %lld batches came, want %lld",
                           ty_split_names[pass->split], (long long)pass->batch_index,
                           (long long)pass->n_batches);
        TY_TRY(ty_feed_send(ctx, pass->feed, &batch));
        TY_TRY(ty_feed_turn(ctx, pass->feed));
        TY_TRY(ty_lanes_run(ctx, pass->trainer->lanes, evaluate_block, pass));
    }
    return TY_OK;
}

static ty_status compute_from(ty_ctx *ctx, eval_pass *pass) {
    const ty_trainer *trainer = pass->trainer;
    const ty_loader_options options = {.set = trainer->options.data,
                                       .split = pass->split,
                                       .rows = pass->rank_rows,
                                       .rows_all_ranks = pass->rank_rows * trainer->geometry.ranks,
                                       .first_row = pass->rank_rows * trainer->geometry.rank,
                                       .depth = 2};
    ty_loader *loader = NULL;
    TY_TRY(ty_loader_open(ctx, &options, &loader));
    const ty_status st = run_batches(ctx, pass, loader);
    ty_loader_close(loader);
    return st;
}

static ty_status compute(ty_ctx *ctx, eval_pass *pass) {
    const ty_trainer *trainer = pass->trainer;
    TY_TRY(ty_feed_open(ctx, ty_lanes_device(trainer->lanes), &trainer->eval_graph, pass->rank_rows,
                        &pass->feed));
    const ty_status st = compute_from(ctx, pass);
    ty_feed_close(pass->feed);
    return st;
}

/* From the order of ranks to the order of samples, in place of `mine`'s memory: into sorted. */
static void sort_by_sample(const eval_pass *pass, ty_score_row *sorted) {
    const int64_t per_rank = pass->n_batches * pass->rank_rows;
    for (int rank = 0; rank < pass->trainer->geometry.ranks; rank++) {
        for (int64_t i = 0; i < per_rank; i++) {
            const int64_t at = position(pass, rank, i / pass->rank_rows, i % pass->rank_rows);
            if (at < pass->n)
                sorted[at] = pass->all[rank * per_rank + i];
        }
    }
}

static ty_status gather_and_score(ty_ctx *ctx, const eval_pass *pass, ty_eval_result *out) {
    ty_trainer *trainer = pass->trainer;
    const size_t bytes = (size_t)(pass->n_batches * pass->rank_rows) * sizeof *pass->mine;
    TY_TRY(ty_comm_all_gather(ctx, trainer->comm, pass->mine, bytes, pass->all));
    ty_score_row *sorted = calloc((size_t)pass->n, sizeof *sorted);
    if (!sorted)
        return ty_fail_nomem(ctx, "an evaluation's rows");
    sort_by_sample(pass, sorted);
    ty_arena_clear(&trainer->eval_arena);
    const int64_t classes = trainer->data->is_classification ? trainer->data->n_outputs : 0;
    const ty_status st = ty_score(ctx, sorted, pass->n, classes, trainer->config->eval.top_k,
                                  &trainer->eval_arena, out);
    free(sorted);
    return st;
}

ty_status ty_eval_run(ty_ctx *ctx, ty_trainer *trainer, ty_split split, ty_eval_result *out) {
    const ty_geometry *geometry = &trainer->geometry;
    eval_pass pass = {.trainer = trainer, .split = split, .n = trainer->data->count[split]};
    *out = (ty_eval_result){.samples = pass.n};
    if (pass.n == 0)
        return ty_fail(ctx, TY_ERR_DATA,
                       "evaluating on %s: the data has no such samples; set data.%s_fraction",
                       ty_split_names[split], ty_split_names[split]);
    const int64_t begin = ty_now_ns(ctx);
    pass.rank_rows = geometry->eval_rows * geometry->lanes;
    const int64_t all_rows = pass.rank_rows * geometry->ranks;
    pass.n_batches = (pass.n + all_rows - 1) / all_rows;
    pass.mine = calloc((size_t)(pass.n_batches * pass.rank_rows), sizeof *pass.mine);
    pass.all = calloc((size_t)(pass.n_batches * all_rows), sizeof *pass.all);
    ty_status st =
        pass.mine && pass.all ? compute(ctx, &pass) : ty_fail_nomem(ctx, "an evaluation's rows");
    st = ty_comm_agree(ctx, trainer->comm, st);
    if (st == TY_OK)
        st = gather_and_score(ctx, &pass, out);
    free(pass.mine);
    free(pass.all);
    trainer->times.eval_ns += ty_now_ns(ctx) - begin;
    return st;
}

/* --- evaluation for the caller ---------------------------------------------------------------- */

/* Parameters and statistics, from the host's buffers and back. */
static void swap_model(ty_trainer *trainer, float *aside, bool is_back) {
    const ty_graph *graph = trainer->state.graph;
    const ty_state_buffers *host = &trainer->state.host;
    const size_t params_bytes = (size_t)graph->params_count * sizeof *aside;
    const size_t stats_bytes = (size_t)graph->stats_count * sizeof *aside;
    float *stats = aside + graph->params_count;
    memcpy(is_back ? host->params : aside, is_back ? aside : host->params, params_bytes);
    memcpy(is_back ? host->stats : stats, is_back ? stats : host->stats, stats_bytes);
}

static ty_status put_aside(ty_ctx *ctx, ty_trainer *trainer, float **out) {
    const ty_graph *graph = trainer->state.graph;
    TY_TRY(ty_state_fetch(ctx, &trainer->state));
    *out = malloc((size_t)(graph->params_count + graph->stats_count) * sizeof **out);
    if (!*out)
        return ty_fail_nomem(ctx, "the parameters put aside");
    swap_model(trainer, *out, false);
    return TY_OK;
}

/* The host's buffers are written once nothing queued reads them any more; a device that does not
 * answer keeps what it has. */
static ty_status put_back(ty_ctx *ctx, ty_trainer *trainer, float *aside) {
    ty_status st = ty_device_sync(ctx, trainer->state.dev);
    if (st == TY_OK) {
        swap_model(trainer, aside, true);
        st = ty_state_send(ctx, &trainer->state);
    }
    free(aside);
    return st;
}

/* The parameters of now are put aside and come back. */
static ty_status evaluate_best(ty_ctx *ctx, ty_trainer *trainer, ty_split split,
                               ty_eval_result *out) {
    float *aside = NULL;
    TY_TRY(ty_comm_agree(ctx, trainer->comm, put_aside(ctx, trainer, &aside)));
    ty_status st = ty_resume_model(ctx, trainer, trainer->best_path);
    if (st == TY_OK)
        st = ty_eval_run(ctx, trainer, split, out);
    if (st == TY_OK)
        return put_back(ctx, trainer, aside);
    ty_ctx own; /* the first failure's message is the one that counts */
    ty_ctx_init_child(&own, ctx);
    const ty_status back = put_back(&own, trainer, aside);
    (void)back;
    ty_ctx_clear(&own);
    return st;
}

ty_status ty_trainer_evaluate(ty_ctx *ctx, ty_trainer *trainer, ty_split split, bool use_best,
                              ty_eval_result *out) {
    if (trainer->options.is_plan_only)
        return ty_fail(ctx, TY_ERR_ARG, "this trainer was opened to plan, not to evaluate");
    /* Only rank 0 knows paths: whether it has one is everybody's question. */
    uint64_t has_best = 0;
    TY_TRY(ty_comm_vote(ctx, trainer->comm, use_best && trainer->best_path[0] ? 1 : 0, &has_best));
    TY_TRY(has_best ? evaluate_best(ctx, trainer, split, out)
                    : ty_eval_run(ctx, trainer, split, out));
    const char *path = has_best ? trainer->best_path : trainer->last_path;
    out->checkpoint = path[0] ? path : NULL;
    return TY_OK;
}
