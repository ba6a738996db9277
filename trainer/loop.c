/* The loop. A step: the batch that was fetched ahead -> forward, loss, backward on all lanes ->
 * everybody agrees -> gradients are summed over ranks -> looked at -> the update -> everybody hears
 * what came of it. Then, where due: points of curves, an evaluation, a checkpoint. */
#include "trainer/trainer_private.h"

#include "trainer/schedules/schedules.h"

static double rate_now(const ty_trainer *trainer) {
    const ty_optimizer_base *optimizer = trainer->config->optimizer.config;
    return optimizer->learning_rate *
           ty_schedule_at(&trainer->config->schedule, &trainer->extent, trainer->progress.step);
}

/* Sends the next batch on its way. */
static ty_status fetch(ty_ctx *ctx, ty_trainer *trainer) {
    ty_batch batch;
    bool has_batch;
    int64_t wait_ns = 0;
    TY_TRY(ty_loader_next(ctx, trainer->loader, &batch, &has_batch, &wait_ns));
    trainer->times.data_ns += wait_ns;
    return ty_feed_send(ctx, trainer->feed, &batch);
}

/* This rank's part, as far as it gets: the status is agreed on by the caller. */
static ty_status compute_gradient(ty_ctx *ctx, ty_trainer *trainer, double *weight) {
    if (!trainer->is_fed_ahead)
        TY_TRY(fetch(ctx, trainer));
    trainer->is_fed_ahead = false;
    TY_TRY(ty_feed_turn(ctx, trainer->feed));
    *weight = ty_gradient_weight(trainer);
    const int64_t begin = ty_now_ns(ctx);
    TY_TRY(ty_gradient_compute(ctx, trainer));
    trainer->times.compute_ns += ty_now_ns(ctx) - begin;
    return TY_OK;
}

static ty_status reduce(ty_ctx *ctx, ty_trainer *trainer) {
    const int64_t begin = ty_now_ns(ctx);
    TY_TRY(ty_reduction_run(ctx, trainer->reduction));
    trainer->times.comm_ns += ty_now_ns(ctx) - begin;
    return TY_OK;
}

/* While a GPU works through what was queued, the next batch is fetched and travels; then this rank
 * waits, the one time in a step. mine: how queueing went. */
static ty_status finish(ty_ctx *ctx, ty_trainer *trainer, ty_status mine) {
    if (!ty_feed_copies(trainer->feed))
        return mine;
    if (mine == TY_OK)
        mine = fetch(ctx, trainer);
    trainer->is_fed_ahead = mine == TY_OK;
    const int64_t begin = ty_now_ns(ctx);
    TY_TRY(ty_reduction_wait(ctx, trainer->reduction, mine));
    trainer->times.compute_ns += ty_now_ns(ctx) - begin;
    return TY_OK;
}

static ty_status reduce_and_update(ty_ctx *ctx, ty_trainer *trainer, const ty_step_report *report) {
    TY_TRY(reduce(ctx, trainer));
    return ty_update_run(ctx, trainer, report);
}

/* Everything of a step is queued before anybody waits for any of it: what a batch weighs is known
 * beforehand, and whether its gradient may touch the weights is decided on the device. */
static ty_status train_step(ty_ctx *ctx, ty_trainer *trainer) {
    ty_step_report report = {.learning_rate = rate_now(trainer)};
    ty_status mine = compute_gradient(ctx, trainer, &report.sums[TY_SUM_WEIGHT]);
    if (mine != TY_OK)
        mine = ty_reduction_fail(ctx, trainer->reduction, mine);
    TY_TRY(ty_agree_on_step(ctx, trainer, mine, report.sums));
    TY_TRY(finish(ctx, trainer, reduce_and_update(ctx, trainer, &report)));
    ty_update_hear(trainer, &report);
    ty_gradient_sums(trainer, report.sums);
    TY_TRY(ty_agree_on_step(ctx, trainer, TY_OK, report.sums));
    TY_TRY(ty_health_check(ctx, trainer, &report));
    trainer->progress.step++;
    ty_tell_step(ctx, trainer, &report);
    return TY_OK;
}

static ty_status evaluate(ty_ctx *ctx, ty_trainer *trainer, bool *is_best, bool *is_stale) {
    ty_eval_result *result = &trainer->newest_eval;
    TY_TRY(ty_eval_run(ctx, trainer, TY_SPLIT_VAL, result));
    trainer->has_newest_eval = true;
    trainer->progress.eval_step = trainer->progress.step;
    *is_best = ty_best_note(trainer, result);
    TY_TRY(ty_tell_eval(ctx, trainer, TY_SPLIT_VAL, result, *is_best));
    TY_TRY(ty_agree_on_wishes(ctx, trainer));
    *is_stale = ty_best_should_stop(trainer);
    return TY_OK;
}

static ty_status save(ty_ctx *ctx, ty_trainer *trainer, bool is_best, bool is_finished) {
    const int64_t now = ty_now_ns(ctx);
    trainer->progress.elapsed_s += (double)(now - trainer->times.sitting_ns) * 1e-9;
    trainer->times.sitting_ns = now;
    trainer->progress.is_finished = is_finished;
    return ty_save(ctx, trainer, is_best);
}

static bool is_eval_due(const ty_trainer *trainer) {
    return trainer->data->count[TY_SPLIT_VAL] > 0 &&
           ty_amount_is_due(trainer->config->eval.every, &trainer->extent, trainer->progress.step);
}

/* Evaluates and saves where it is due; *is_over: the run ends here. */
static ty_status after_step(ty_ctx *ctx, ty_trainer *trainer, bool *is_over) {
    const ty_train_config *config = trainer->config;
    const int64_t step = trainer->progress.step;
    const bool is_last = ty_end_is_reached(trainer);
    /* Leaving is quick: an evaluation that is due waits for the next sitting (catch_up). */
    const bool is_leaving = !is_last && ty_end_is_signalled(trainer);
    bool is_best = false, is_stale = false;
    const bool has_val = trainer->data->count[TY_SPLIT_VAL] > 0;
    if (!is_leaving && ((is_last && has_val) || is_eval_due(trainer)))
        TY_TRY(evaluate(ctx, trainer, &is_best, &is_stale));
    const bool is_finished = is_last || is_stale || ty_end_is_reached(trainer);
    const bool is_paused = ty_end_wishes(trainer, TY_WISH_PAUSE);
    *is_over = is_finished || is_leaving || is_paused;
    const bool is_due = ty_amount_is_due(config->checkpoint.every, &trainer->extent, step) ||
                        ty_end_wishes(trainer, TY_WISH_SAVE);
    if ((*is_over || is_best || is_due) && !ty_end_wishes(trainer, TY_WISH_ABANDON))
        TY_TRY(save(ctx, trainer, is_best, is_finished));
    ty_save_poll(ctx, trainer);
    return *is_over || ty_end_wishes(trainer, TY_WISH_POST) ? ty_post_run(ctx, trainer) : TY_OK;
}

/* What a signal left undone when the last sitting ended. */
static ty_status catch_up(ty_ctx *ctx, ty_trainer *trainer, bool *is_over) {
    const ty_progress *progress = &trainer->progress;
    *is_over = false;
    if (progress->eval_step == progress->step || !is_eval_due(trainer))
        return TY_OK;
    return after_step(ctx, trainer, is_over);
}

ty_status ty_loop_run(ty_ctx *ctx, ty_trainer *trainer) {
    bool is_over;
    TY_TRY(catch_up(ctx, trainer, &is_over));
    while (!is_over) {
        TY_TRY(train_step(ctx, trainer));
        TY_TRY(after_step(ctx, trainer, &is_over));
    }
    if (!ty_end_wishes(trainer, TY_WISH_ABANDON))
        TY_TRY(ty_save_wait(ctx, trainer));
    return !trainer->progress.is_finished && ty_end_is_signalled(trainer)
               ? ty_end_by_signal(ctx, trainer)
               : TY_OK;
}
