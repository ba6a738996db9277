/* The loop. A step: the batch that was fetched ahead -> forward, loss, backward on all lanes ->
 * everybody agrees -> gradients are summed over ranks -> looked at -> the update. Then, where due:
 * points of curves, an evaluation, a checkpoint. */
#include "trainer/job.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "trainer/schedules/schedules.h"

static double rate_now(const ty_trainer *trainer) {
    const ty_optimizer_base *optimizer = trainer->config->optimizer.config;
    return optimizer->learning_rate *
           ty_schedule_at(&trainer->config->schedule, &trainer->extent, trainer->progress.step);
}

/* This rank's part, as far as it gets: the status is agreed on by the caller. */
static ty_status compute_gradient(ty_ctx *ctx, ty_trainer *trainer, double sums[TY_SUM_COUNT]) {
    ty_batch batch;
    bool has_batch;
    int64_t wait_ns = 0;
    TY_TRY(ty_loader_next(ctx, trainer->loader, &batch, &has_batch, &wait_ns));
    trainer->times.data_ns += wait_ns;
    const int64_t begin = ty_now_ns(ctx);
    TY_TRY(ty_gradient_compute(ctx, trainer, &batch, sums));
    trainer->times.compute_ns += ty_now_ns(ctx) - begin;
    return TY_OK;
}

static ty_status reduce(ty_ctx *ctx, ty_trainer *trainer) {
    const int64_t begin = ty_now_ns(ctx);
    TY_TRY(ty_reduction_run(ctx, trainer->reduction));
    trainer->times.comm_ns += ty_now_ns(ctx) - begin;
    return TY_OK;
}

static ty_status train_step(ty_ctx *ctx, ty_trainer *trainer) {
    ty_step_report report = {.learning_rate = rate_now(trainer)};
    const ty_status mine = compute_gradient(ctx, trainer, report.sums);
    TY_TRY(ty_agree_on_step(ctx, trainer, mine, report.sums));
    TY_TRY(reduce(ctx, trainer));
    TY_TRY(ty_update_inspect(ctx, trainer, &report));
    TY_TRY(ty_health_check(ctx, trainer, &report));
    if (!report.is_skipped)
        TY_TRY(ty_update_apply(ctx, trainer, &report));
    trainer->progress.step++;
    ty_tell_step(ctx, trainer, &report);
    return TY_OK;
}

/* --- what ends a run
 * --------------------------------------------------------------------------------------------------------
 */

static bool wishes(const ty_trainer *trainer, int which) {
    return trainer->wishes[which] > 0;
}

static bool is_signalled(const ty_trainer *trainer) {
    return wishes(trainer, TY_WISH_REQUEUE) || wishes(trainer, TY_WISH_INTERRUPT) ||
           wishes(trainer, TY_WISH_TERMINATE);
}

static void give_reason(ty_trainer *trainer, const char *reason) {
    (void)snprintf(trainer->reason, sizeof trainer->reason, "%s", reason);
}

/* Everything was trained that was to be trained. */
static bool is_complete(ty_trainer *trainer) {
    const ty_extent *extent = &trainer->extent;
    const bool is_at_end = extent->total_steps > 0 && trainer->progress.step >= extent->total_steps;
    if (is_at_end || wishes(trainer, TY_WISH_TIME_IS_UP)) {
        give_reason(trainer, "duration reached");
        return true;
    }
    if (!wishes(trainer, TY_WISH_STOP))
        return false;
    if (trainer->reason[0] == '\0')
        give_reason(trainer, "an observer asked to stop");
    return true;
}

static ty_status status_of_signal(ty_ctx *ctx, const ty_trainer *trainer) {
    if (wishes(trainer, TY_WISH_TERMINATE))
        return ty_fail(ctx, TY_STOP_TERMINATE, "SIGTERM at step %lld",
                       (long long)trainer->progress.step);
    if (wishes(trainer, TY_WISH_INTERRUPT))
        return ty_fail(ctx, TY_STOP_INTERRUPT, "interrupted at step %lld",
                       (long long)trainer->progress.step);
    return ty_fail(ctx, TY_STOP_REQUEUE, "stopped at step %lld", (long long)trainer->progress.step);
}

/* --- what follows a step
 * ----------------------------------------------------------------------------------------------------
 */

static ty_status evaluate(ty_ctx *ctx, ty_trainer *trainer, bool *is_best, bool *is_stale) {
    ty_eval_result result;
    TY_TRY(ty_eval_run(ctx, trainer, TY_SPLIT_VAL, &result));
    trainer->progress.eval_step = trainer->progress.step;
    *is_best = ty_best_note(trainer, &result);
    ty_tell_eval(ctx, trainer, TY_SPLIT_VAL, &result, *is_best);
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
    const bool is_last = is_complete(trainer);
    const bool is_leaving = !is_last && is_signalled(trainer); /* what is finished is finished */
    bool is_best = false, is_stale = false;
    const bool has_val = trainer->data->count[TY_SPLIT_VAL] > 0;
    if (!is_leaving && ((is_last && has_val) || is_eval_due(trainer)))
        TY_TRY(evaluate(ctx, trainer, &is_best, &is_stale));
    const bool is_finished = is_last || is_stale || is_complete(trainer);
    const bool is_paused = wishes(trainer, TY_WISH_PAUSE);
    *is_over = is_finished || is_leaving || is_paused;
    const bool is_due = ty_amount_is_due(config->checkpoint.every, &trainer->extent, step) ||
                        wishes(trainer, TY_WISH_SAVE);
    if ((*is_over || is_best || is_due) && !wishes(trainer, TY_WISH_ABANDON))
        TY_TRY(save(ctx, trainer, is_best, is_finished));
    ty_save_poll(ctx, trainer);
    return TY_OK;
}

/* --- a sitting
 * --------------------------------------------------------------------------------------------------------------
 */

static ty_status begin(ty_ctx *ctx, ty_trainer *trainer) {
    const ty_geometry *geometry = &trainer->geometry;
    const int64_t rows = geometry->rows * geometry->shards_of_rank, now = ty_now_ns(ctx);
    const ty_loader_options options = {.set = trainer->options.data,
                                       .split = TY_SPLIT_TRAIN,
                                       .is_training = true,
                                       .seed = (uint64_t)trainer->config->seed,
                                       .rows = rows,
                                       .rows_all_ranks = geometry->batch,
                                       .first_row = rows * geometry->rank,
                                       .start_position = trainer->progress.step * geometry->batch,
                                       .depth = ty_trainer_depth(trainer)};
    trainer->times = (ty_times){.begin_ns = now,
                                .sitting_ns = now,
                                .log_ns = now,
                                .save_ns = now,
                                .log_step = trainer->progress.step,
                                .first_step = trainer->progress.step};
    memset(trainer->wishes, 0, sizeof trainer->wishes);
    memset(trainer->asked, 0, sizeof trainer->asked);
    trainer->reason[0] = '\0';
    ty_status st = ty_loader_open(ctx, &options, &trainer->loader);
    if (st == TY_OK)
        st = ty_save_open(ctx, trainer);
    TY_TRY(ty_comm_agree(ctx, trainer->comm, st));
    ty_tell_start(ctx, trainer, trainer->progress.step > 0);
    return TY_OK;
}

/* What a signal left undone when the last sitting ended. */
static ty_status catch_up(ty_ctx *ctx, ty_trainer *trainer, bool *is_over) {
    const ty_progress *progress = &trainer->progress;
    *is_over = false;
    if (progress->eval_step == progress->step || !is_eval_due(trainer))
        return TY_OK;
    return after_step(ctx, trainer, is_over);
}

static ty_status train(ty_ctx *ctx, ty_trainer *trainer) {
    bool is_over;
    TY_TRY(begin(ctx, trainer));
    TY_TRY(catch_up(ctx, trainer, &is_over));
    while (!is_over) {
        TY_TRY(train_step(ctx, trainer));
        TY_TRY(after_step(ctx, trainer, &is_over));
    }
    if (!wishes(trainer, TY_WISH_ABANDON))
        TY_TRY(ty_save_wait(ctx, trainer));
    return !trainer->progress.is_finished && is_signalled(trainer) ? status_of_signal(ctx, trainer)
                                                                   : TY_OK;
}

static void fill_result(ty_ctx *ctx, const ty_trainer *trainer, ty_train_result *out) {
    const ty_progress *progress = &trainer->progress;
    const ty_times *times = &trainer->times;
    const ty_extent *extent = &trainer->extent;
    const double seconds = times->begin_ns ? (double)(ty_now_ns(ctx) - times->begin_ns) * 1e-9 : 0;
    const double training = seconds - (double)times->eval_ns * 1e-9;
    const int64_t samples = (progress->step - times->first_step) * extent->samples_per_step;
    *out = (ty_train_result){.step = progress->step,
                             .epoch = (double)(progress->step * extent->samples_per_step) /
                                      (double)extent->samples_per_epoch,
                             .is_complete = progress->is_finished != 0,
                             .reason = trainer->reason,
                             .best_step = progress->best_step,
                             .best_value = progress->best_value,
                             .last_checkpoint = trainer->last_path[0] ? trainer->last_path : NULL,
                             .best_checkpoint = trainer->best_path[0] ? trainer->best_path : NULL,
                             .checkpoints_failed = trainer->saves_failed,
                             .params_hash = ty_state_hash(&trainer->state),
                             .seconds = seconds,
                             .seconds_data = (double)times->data_ns * 1e-9,
                             .seconds_compute = (double)times->compute_ns * 1e-9,
                             .seconds_comm = (double)times->comm_ns * 1e-9,
                             .seconds_eval = (double)times->eval_ns * 1e-9,
                             .samples_per_s =
                                 times->begin_ns && training > 0 ? (double)samples / training : 0};
}

ty_status ty_trainer_run(ty_ctx *ctx, ty_trainer *trainer, const ty_observers *observers,
                         ty_train_result *out) {
    if (trainer->options.is_plan_only || trainer->options.is_forward_only)
        return ty_fail(ctx, TY_ERR_ARG, "this trainer was opened to %s, not to train",
                       trainer->options.is_plan_only ? "plan" : "evaluate");
    trainer->observers = trainer->geometry.rank == 0 ? observers : NULL;
    ty_status st = TY_OK;
    if (trainer->report.is_finished)
        give_reason(trainer, "finished before");
    else
        st = train(ctx, trainer);
    ty_save_close(ctx, trainer);
    ty_loader_close(trainer->loader);
    trainer->loader = NULL;
    trainer->observers = NULL;
    fill_result(ctx, trainer, out);
    return st;
}
