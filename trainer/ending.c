/* What ends a run. Everything here looks at agreed wishes and shared numbers, so it is the same on
 * all ranks. */
#include "trainer/trainer_private.h"

#include <inttypes.h>
#include <stdio.h>

bool ty_end_wishes(const ty_trainer *trainer, int which) {
    return trainer->wishes[which] > 0;
}

bool ty_end_is_signalled(const ty_trainer *trainer) {
    return ty_end_wishes(trainer, TY_WISH_REQUEUE) || ty_end_wishes(trainer, TY_WISH_INTERRUPT) ||
           ty_end_wishes(trainer, TY_WISH_TERMINATE);
}

static void give_reason(ty_trainer *trainer, const char *reason) {
    (void)snprintf(trainer->reason, sizeof trainer->reason, "%s", reason);
}

bool ty_end_is_reached(ty_trainer *trainer) {
    const ty_extent *extent = &trainer->extent;
    const bool is_at_end = extent->total_steps > 0 && trainer->progress.step >= extent->total_steps;
    if (is_at_end || ty_end_wishes(trainer, TY_WISH_TIME_IS_UP)) {
        give_reason(trainer, "duration reached");
        return true;
    }
    if (!ty_end_wishes(trainer, TY_WISH_STOP))
        return false;
    if (trainer->reason[0] == '\0')
        give_reason(trainer, "an observer asked to stop");
    return true;
}

ty_status ty_end_by_signal(ty_ctx *ctx, ty_trainer *trainer) {
    const bool ends = ty_end_wishes(trainer, TY_WISH_TERMINATE);
    const bool breaks = ty_end_wishes(trainer, TY_WISH_INTERRUPT);
    const ty_status st = ends ? TY_STOP_TERMINATE : breaks ? TY_STOP_INTERRUPT : TY_STOP_REQUEUE;
    give_reason(trainer, ends ? "SIGTERM" : breaks ? "interrupted" : "asked to stop");
    return ty_fail(ctx, st, "%s at step %" PRId64, trainer->reason, trainer->progress.step);
}
