/* A number that is not finite never reaches the weights. Everybody looks at the same reduced
 * numbers, so all decide alike. */
#include "trainer/trainer_private.h"

#include <inttypes.h>
#include <math.h>

/* The first layer, in the order of the model, whose gradient is not finite. */
static const char *first_culprit(const ty_trainer *trainer, const ty_step_report *report) {
    const ty_graph *graph = &trainer->train_graph;
    for (int i = 0; i < graph->n_params; i++) {
        if (trainer->norms_host[2 * i + 1] > 0)
            return graph->params[i].name;
    }
    return isfinite(report->sums[TY_SUM_LOSS]) ? "batch statistics" : "the loss";
}

static ty_status diverged(ty_ctx *ctx, const ty_trainer *trainer, const ty_step_report *report) {
    const ty_progress *progress = &trainer->progress;
    return ty_fail(
        ctx, TY_ERR_DIVERGED,
        "training diverged at step %" PRId64
        ": the first non-finite value is in the gradient of %s "
        "(%" PRId64
        " step%s in a row); the weights were not touched. Lower optimizer.learning_rate or set "
        "train.max_grad_norm",
        progress->step + 1, first_culprit(trainer, report), progress->skipped_in_row,
        progress->skipped_in_row == 1 ? "" : "s");
}

ty_status ty_health_check(ty_ctx *ctx, ty_trainer *trainer, ty_step_report *report) {
    ty_progress *progress = &trainer->progress;
    if (!report->is_skipped) {
        progress->skipped_in_row = 0;
        progress->updates++;
        return TY_OK;
    }
    progress->skipped++;
    progress->skipped_in_row++;
    if (trainer->config->train.on_nonfinite == TY_NONFINITE_STOP ||
        progress->skipped_in_row > trainer->config->train.max_skipped)
        return diverged(ctx, trainer, report);
    if (trainer->geometry.rank == 0)
        ty_log(ctx, TY_LOG_WARN, "train",
               "step %" PRId64 " skipped: the first non-finite value is in the gradient of %s",
               progress->step + 1, first_culprit(trainer, report));
    return TY_OK;
}
