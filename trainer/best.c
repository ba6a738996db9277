/* Which evaluation is best, and when nothing improves any more. Pure functions of numbers that all
 * ranks share. */
#include "trainer/trainer_private.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static bool is_better(double value, double than, bool wants_more, double by) {
    return wants_more ? value > than + by : value < than - by;
}

/* "val/accuracy..." of a classification; the loss otherwise. */
static bool means_accuracy(const ty_eval_result *result, const char *metric) {
    if (result->n_classes == 0)
        return false;
    return strcmp(metric, "auto") == 0 || strncmp(metric, "val/accuracy", 12) == 0;
}

static void note_for_stop(ty_trainer *trainer, const ty_eval_result *result) {
    ty_progress *progress = &trainer->progress;
    const char *metric = trainer->config->train.early_stop.metric;
    if (!metric)
        return;
    const bool wants_more = means_accuracy(result, metric);
    const double value = wants_more ? result->accuracy : result->loss;
    const double by = trainer->config->train.early_stop.min_delta;
    progress->evaluations++;
    if (!isnan(value) &&
        (progress->stop_step < 0 || is_better(value, progress->stop_value, wants_more, by))) {
        progress->stop_value = value;
        progress->stop_step = progress->step;
        progress->evaluations = 0;
    }
}

bool ty_best_note(ty_trainer *trainer, const ty_eval_result *result) {
    ty_progress *progress = &trainer->progress;
    const char *metric = trainer->config->checkpoint.best;
    note_for_stop(trainer, result);
    if (!metric)
        return false;
    const bool wants_more = means_accuracy(result, metric);
    const double value = wants_more ? result->accuracy : result->loss;
    if (isnan(value) ||
        (progress->best_step >= 0 && !is_better(value, progress->best_value, wants_more, 0)))
        return false;
    progress->best_value = value;
    progress->best_step = progress->step;
    return true;
}

bool ty_best_should_stop(ty_trainer *trainer) {
    const ty_progress *progress = &trainer->progress;
    const char *metric = trainer->config->train.early_stop.metric;
    if (!metric || progress->evaluations < trainer->config->train.early_stop.patience)
        return false;
    (void)snprintf(trainer->reason, sizeof trainer->reason,
                   "early stop: %s has not improved on %.6g (step %" PRId64 ") for %" PRId64
                   " evaluations",
                   metric, progress->stop_value, progress->stop_step, progress->evaluations);
    return true;
}
