/* Checkpoints out: rank 0 stages a copy and a thread writes it. A save that fails is told and never
 * ends the run. */
#include "trainer/trainer_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum { WAIT_SLICE_MS = 200, LOOK_EACH_MS = 2 };

static bool is_writer(const ty_trainer *trainer) {
    return trainer->geometry.rank == 0 && trainer->options.run_folder != NULL;
}

static const char *folder_of(const ty_trainer *trainer, ty_arena *arena) {
    return ty_path_join(arena, trainer->options.run_folder, "checkpoints");
}

ty_status ty_save_open(ty_ctx *ctx, ty_trainer *trainer) {
    if (!is_writer(trainer))
        return TY_OK;
    const char *folder = folder_of(trainer, &trainer->arena);
    if (!folder)
        return ty_fail_nomem(ctx, "the checkpoint folder's name");
    const int64_t bytes = trainer->report.bytes_parameters + trainer->report.bytes_optimizer;
    const ty_ckpt_writer_options options = {.folder = folder,
                                            .keep_last = (int)trainer->config->checkpoint.keep,
                                            .keep_best = trainer->config->checkpoint.best != NULL,
                                            .expected_bytes = (size_t)bytes,
                                            .observers = trainer->observers};
    return ty_ckpt_writer_open(ctx, &options, &trainer->writer);
}

static void hear(ty_ctx *ctx, ty_trainer *trainer, const ty_ckpt_result *result) {
    if (result->status != TY_OK) {
        trainer->saves_failed++;
        ty_log(ctx, TY_LOG_WARN, "checkpoint",
               "step %" PRId64 " could not be saved, training goes on: %s", result->step,
               result->message);
        return;
    }
    (void)snprintf(trainer->last_path, sizeof trainer->last_path, "%s", result->path);
    ty_tell_model(ctx, trainer, result->step, "last", trainer->last_path);
    if (!result->is_best)
        return;
    (void)snprintf(trainer->best_path, sizeof trainer->best_path, "%s", result->path);
    ty_tell_model(ctx, trainer, result->step, "best", trainer->best_path);
}

void ty_save_poll(ty_ctx *ctx, ty_trainer *trainer) {
    ty_ckpt_result result;
    while (trainer->is_saving && ty_ckpt_writer_poll(trainer->writer, false, &result)) {
        trainer->is_saving = false;
        hear(ctx, trainer, &result);
    }
}

/* Waits a little; true when nothing is in flight any more. */
static bool wait_slice(ty_ctx *ctx, ty_trainer *trainer) {
    const struct timespec nap = {.tv_nsec = LOOK_EACH_MS * 1000000L};
    for (int waited = 0; waited < WAIT_SLICE_MS; waited += LOOK_EACH_MS) {
        ty_save_poll(ctx, trainer);
        if (!trainer->is_saving)
            return true;
        (void)nanosleep(&nap, NULL);
    }
    return false;
}

/* In slices, with a word to the others after each, so that a slow disk is not taken for a dead
 * rank. */
ty_status ty_save_wait(ty_ctx *ctx, ty_trainer *trainer) {
    for (uint64_t any = 1; any;)
        TY_TRY(ty_comm_vote(ctx, trainer->comm, wait_slice(ctx, trainer) ? 0 : 1, &any));
    return TY_OK;
}

static ty_status submit(ty_ctx *ctx, ty_trainer *trainer, bool is_best) {
    const ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    ty_ckpt_tensor *tensors = NULL;
    int64_t n = 0;
    const char *state = ty_progress_write(trainer, &ctx->scratch);
    ty_status st =
        state ? ty_state_fetch(ctx, &trainer->state) : ty_fail_nomem(ctx, "the checkpoint's state");
    if (st == TY_OK)
        st = ty_state_tensors(ctx, &trainer->state, &ctx->scratch, &tensors, &n);
    const char *config = trainer->options.config_json;
    const ty_checkpoint checkpoint = {.step = trainer->progress.step,
                                      .state = state,
                                      .config = config ? config : "{}",
                                      .data_state = ty_dataset_state(trainer->options.data),
                                      .tensors = tensors,
                                      .n_tensors = n};
    if (st == TY_OK)
        st = ty_ckpt_writer_submit(ctx, trainer->writer, &checkpoint, is_best);
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}

ty_status ty_save(ty_ctx *ctx, ty_trainer *trainer, bool is_best) {
    trainer->times.save_ns = ty_now_ns(ctx);
    trainer->asked[TY_WISH_SAVE] = trainer->wishes[TY_WISH_SAVE] = 0;
    if (!trainer->options.run_folder)
        return TY_OK;
    TY_TRY(ty_save_wait(ctx, trainer));
    if (!is_writer(trainer))
        return TY_OK;
    if (submit(ctx, trainer, is_best) == TY_OK) {
        trainer->is_saving = true;
        return TY_OK;
    }
    trainer->saves_failed++;
    ty_log(ctx, TY_LOG_WARN, "checkpoint",
           "step %" PRId64 " could not be saved, training goes on: %s", trainer->progress.step,
           ctx->message);
    return TY_OK;
}

void ty_save_close(ty_ctx *ctx, ty_trainer *trainer) {
    ty_ckpt_result result;
    if (trainer->is_saving && ty_ckpt_writer_poll(trainer->writer, true, &result))
        hear(ctx, trainer, &result);
    trainer->is_saving = false;
    ty_ckpt_writer_close(trainer->writer);
    trainer->writer = NULL;
}
