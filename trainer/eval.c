/* Evaluation: fixed blocks of rows, whoever computes them; one record per sample, gathered in the
 * order of samples and summed in that order. So neither ranks, lanes nor uneven data change a
 * bit. */
#include "trainer/trainer_private.h"

#include <stdlib.h>
#include <string.h>

#include "trainer/score.h"

typedef struct evaluation {
    ty_pass pass; /* first: blocks see only this */
    ty_score_row *mine, *all;
} evaluation;

static void keep_rows(const evaluation *e, const float *rows, int64_t first) {
    const ty_pass *pass = &e->pass;
    const bool has_classes = pass->trainer->data->is_classification;
    for (int64_t i = 0; i < pass->trainer->geometry.eval_rows; i++) {
        const float *row = rows + i * TY_LOSS_ROW;
        ty_score_row *to = &e->mine[pass->batch * pass->rank_rows + first + i];
        *to = (ty_score_row){.loss = row[0], .a = row[1], .b = row[2], .c = row[3]};
        if (has_classes)
            to->truth = ((const int32_t *)ty_feed_targets(pass->feed))[first + i];
    }
}

static ty_status keep_block(ty_lane *lane, const ty_pass *pass, int64_t first) {
    ty_lane_work *work = &pass->trainer->work[lane->index];
    TY_TRY(ty_tensor_copy_out(lane->ctx, lane->dev, &work->eval.values[work->eval.graph->loss_rows],
                              work->rows));
    TY_TRY(ty_device_sync(lane->ctx, lane->dev));
    keep_rows((const evaluation *)(const void *)pass, work->rows, first);
    return TY_OK;
}

/* From the order of ranks to the order of samples, in place of `mine`'s memory: into sorted. */
static void sort_by_sample(const evaluation *e, ty_score_row *sorted) {
    const ty_pass *pass = &e->pass;
    const int64_t per_rank = pass->n_batches * pass->rank_rows;
    for (int rank = 0; rank < pass->ranks; rank++) {
        for (int64_t i = 0; i < per_rank; i++) {
            const int64_t at =
                ty_pass_position(pass, rank, i / pass->rank_rows, i % pass->rank_rows);
            if (at < pass->n)
                sorted[at] = e->all[rank * per_rank + i];
        }
    }
}

static ty_status gather_and_score(ty_ctx *ctx, const evaluation *e, ty_eval_result *out) {
    const ty_pass *pass = &e->pass;
    ty_trainer *trainer = pass->trainer;
    const size_t bytes = (size_t)(pass->n_batches * pass->rank_rows) * sizeof *e->mine;
    TY_TRY(ty_comm_all_gather(ctx, trainer->comm, e->mine, bytes, e->all));
    ty_score_row *sorted = calloc((size_t)pass->n, sizeof *sorted);
    if (!sorted)
        return ty_fail_nomem(ctx, "an evaluation's rows");
    sort_by_sample(e, sorted);
    ty_arena_clear(&trainer->eval_arena);
    const int64_t classes = trainer->data->is_classification ? trainer->data->n_outputs : 0;
    const ty_status st = ty_score(ctx, sorted, pass->n, classes, trainer->config->eval.top_k,
                                  &trainer->eval_arena, out);
    free(sorted);
    return st;
}

ty_status ty_eval_run(ty_ctx *ctx, ty_trainer *trainer, ty_split split, ty_eval_result *out) {
    evaluation e = {0};
    *out = (ty_eval_result){.samples = trainer->data->count[split]};
    if (out->samples == 0)
        return ty_fail(ctx, TY_ERR_DATA,
                       "evaluating on %s: the data has no such samples; set data.%s_fraction",
                       ty_split_names[split], ty_split_names[split]);
    const int64_t begin = ty_now_ns(ctx);
    ty_pass_init(&e.pass, trainer, trainer->options.data, split, true);
    const size_t rows = (size_t)(e.pass.n_batches * e.pass.rank_rows);
    e.pass.block = keep_block;
    e.mine = calloc(rows, sizeof *e.mine);
    e.all = calloc(rows * (size_t)e.pass.ranks, sizeof *e.all);
    ty_status st =
        e.mine && e.all ? ty_pass_run(ctx, &e.pass) : ty_fail_nomem(ctx, "an evaluation's rows");
    st = ty_comm_agree(ctx, trainer->comm, st);
    if (st == TY_OK)
        st = gather_and_score(ctx, &e, out);
    free(e.mine);
    free(e.all);
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

const ty_eval_result *ty_trainer_newest_eval(const ty_trainer *trainer) {
    return trainer->has_newest_eval ? &trainer->newest_eval : NULL;
}

ty_status ty_trainer_evaluate(ty_ctx *ctx, ty_trainer *trainer, ty_split split, bool use_best,
                              ty_eval_result *out) {
    if (trainer->options.is_plan_only)
        return ty_fail(ctx, TY_ERR_ARG, "this trainer was opened to plan, not to evaluate");
    /* Only rank 0 knows paths: whether it has one is everybody's question. */
    uint64_t has_best = 0;
    TY_TRY(ty_comm_vote(ctx, trainer->comm, use_best && trainer->best_path[0] ? 1 : 0, &has_best));
    trainer->has_newest_eval = false; /* its memory is the next one's */
    TY_TRY(has_best ? evaluate_best(ctx, trainer, split, out)
                    : ty_eval_run(ctx, trainer, split, out));
    const char *path = has_best ? trainer->best_path : trainer->last_path;
    out->checkpoint = path[0] ? path : NULL;
    return TY_OK;
}
