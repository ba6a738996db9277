/* A sitting: from opening the loader to the numbers of what was done. A run may take several. */
#include "trainer/trainer_private.h"

#include <stdio.h>
#include <string.h>

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
                                .post_ns = now,
                                .log_step = trainer->progress.step,
                                .first_step = trainer->progress.step};
    memset(trainer->wishes, 0, sizeof trainer->wishes);
    memset(trainer->asked, 0, sizeof trainer->asked);
    trainer->reason[0] = '\0';
    trainer->is_fed_ahead = false;
    ty_status st = ty_loader_open(ctx, &options, &trainer->loader);
    if (st == TY_OK)
        st = ty_save_open(ctx, trainer);
    TY_TRY(ty_comm_agree(ctx, trainer->comm, st));
    return ty_tell_start(ctx, trainer, trainer->progress.step > 0);
}

static ty_status sit(ty_ctx *ctx, ty_trainer *trainer) {
    TY_TRY(begin(ctx, trainer));
    const ty_status st = ty_loop_run(ctx, trainer);
    if (st != TY_OK)
        ty_reduction_give_up(trainer->reduction);
    return st;
}

/* Not after a failure: the device may not answer any more. */
static ty_status hash_params(ty_ctx *ctx, ty_trainer *trainer, uint64_t *out) {
    TY_TRY(ty_state_fetch(ctx, &trainer->state));
    *out = ty_state_hash(&trainer->state);
    return TY_OK;
}

static void fill_result(ty_ctx *ctx, const ty_trainer *trainer, uint64_t params_hash,
                        ty_train_result *out) {
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
                             .params_hash = params_hash,
                             .seconds = seconds,
                             .seconds_data = (double)times->data_ns * 1e-9,
                             .seconds_compute = (double)times->compute_ns * 1e-9,
                             .seconds_comm = (double)times->comm_ns * 1e-9,
                             .seconds_eval = (double)times->eval_ns * 1e-9,
                             .samples_per_s =
                                 times->begin_ns && training > 0 ? (double)samples / training : 0};
}

/* The process that saved the last checkpoint may have ended before anyone heard of it. */
static void tell_again(ty_ctx *ctx, ty_trainer *trainer) {
    const ty_progress *progress = &trainer->progress;
    (void)snprintf(trainer->reason, sizeof trainer->reason, "finished before");
    if (trainer->last_path[0])
        ty_tell_model(ctx, trainer, progress->step, "last", trainer->last_path);
    if (trainer->best_path[0])
        ty_tell_model(ctx, trainer, progress->best_step, "best", trainer->best_path);
}

ty_status ty_trainer_run(ty_ctx *ctx, ty_trainer *trainer, const ty_observers *observers,
                         ty_train_result *out) {
    if (trainer->options.is_plan_only || trainer->options.is_forward_only)
        return ty_fail(ctx, TY_ERR_ARG, "this trainer was opened to %s, not to train",
                       trainer->options.is_plan_only ? "plan" : "evaluate");
    trainer->observers = trainer->geometry.rank == 0 ? observers : NULL;
    ty_status st = TY_OK;
    if (trainer->report.is_finished)
        tell_again(ctx, trainer);
    else
        st = sit(ctx, trainer);
    ty_save_close(ctx, trainer);
    ty_loader_close(trainer->loader);
    trainer->loader = NULL;
    trainer->observers = NULL;
    uint64_t params_hash = 0;
    const bool is_whole = st == TY_OK || st == TY_ERR_DIVERGED || st >= TY_STOP_REQUEUE;
    const ty_status hashed = is_whole ? hash_params(ctx, trainer, &params_hash) : TY_OK;
    fill_result(ctx, trainer, params_hash, out);
    return st == TY_OK ? hashed : st;
}
