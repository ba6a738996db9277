/* Once a step, before the gradients are reduced, all ranks add up a few numbers: the loss of the
 * batch, and what anybody wishes or suffered. Whatever follows from the answer, follows on every
 * rank. */
#include "trainer/trainer_private.h"

#include <signal.h>
#include <string.h>

static void wish(ty_trainer *trainer, int which) {
    trainer->asked[which] = 1;
}

/* The signal's number; negative when a second one came. */
static void hear_signal(ty_trainer *trainer) {
    const int signal = trainer->options.stop_signal ? *trainer->options.stop_signal : 0;
    const int kind = signal < 0 ? -signal : signal;
    if (signal < 0)
        wish(trainer, TY_WISH_ABANDON);
    if (kind == SIGINT)
        wish(trainer, TY_WISH_INTERRUPT);
    else if (kind == SIGTERM)
        wish(trainer, TY_WISH_TERMINATE);
    else if (kind != 0)
        wish(trainer, TY_WISH_REQUEUE);
}

static double seconds_since(ty_ctx *ctx, int64_t then_ns) {
    return (double)(ty_now_ns(ctx) - then_ns) * 1e-9;
}

/* Clocks differ, so rank 0's counts. */
static void look_at_clock(ty_ctx *ctx, ty_trainer *trainer) {
    const ty_amount duration = trainer->config->train.duration,
                    every = trainer->config->checkpoint.every;
    if (trainer->geometry.rank != 0 || trainer->times.begin_ns == 0)
        return;
    const double elapsed =
        trainer->progress.elapsed_s + seconds_since(ctx, trainer->times.sitting_ns);
    if (duration.unit == TY_UNIT_SECONDS && elapsed >= duration.value)
        wish(trainer, TY_WISH_TIME_IS_UP);
    if (every.unit == TY_UNIT_SECONDS && seconds_since(ctx, trainer->times.save_ns) >= every.value)
        wish(trainer, TY_WISH_SAVE);
    if (ty_post_is_due(ctx, trainer))
        wish(trainer, TY_WISH_POST);
}

ty_status ty_agree_on_step(ty_ctx *ctx, ty_trainer *trainer, ty_status mine,
                           double sums[TY_SUM_COUNT]) {
    double all[TY_SUM_COUNT + TY_WISH_COUNT] = {0};
    hear_signal(trainer);
    look_at_clock(ctx, trainer);
    if (mine != TY_OK)
        wish(trainer, TY_WISH_FAILED);
    for (int i = 0; i < TY_SUM_COUNT && mine == TY_OK; i++)
        all[i] = sums[i];
    memcpy(all + TY_SUM_COUNT, trainer->asked, sizeof trainer->asked);
    const int64_t begin = ty_now_ns(ctx);
    TY_TRY(ty_comm_sum(ctx, trainer->comm, all, TY_SUM_COUNT + TY_WISH_COUNT));
    trainer->times.comm_ns += ty_now_ns(ctx) - begin;
    memcpy(sums, all, TY_SUM_COUNT * sizeof *sums);
    memcpy(trainer->wishes, all + TY_SUM_COUNT, sizeof trainer->wishes);
    return trainer->wishes[TY_WISH_FAILED] > 0 ? ty_comm_agree(ctx, trainer->comm, mine) : TY_OK;
}

ty_status ty_agree_on_wishes(ty_ctx *ctx, ty_trainer *trainer) {
    hear_signal(trainer);
    memcpy(trainer->wishes, trainer->asked, sizeof trainer->wishes);
    return ty_comm_sum(ctx, trainer->comm, trainer->wishes, TY_WISH_COUNT);
}
