/* What rank 0 tells its observers, and what they answer. */
#include "trainer/trainer_private.h"

#include <math.h>
#include <stdio.h>

/* An answer counts at the next agreement of all ranks. */
static void take_answer(ty_trainer *trainer, ty_answer answer, const char *reason) {
    if (answer == TY_CONTINUE)
        return;
    trainer->asked[answer == TY_STOP ? TY_WISH_STOP : TY_WISH_PAUSE] = 1;
    (void)snprintf(trainer->reason, sizeof trainer->reason, "%s",
                   reason ? reason : "an observer asked");
}

static void tell(ty_ctx *ctx, ty_trainer *trainer, ty_event *event) {
    if (!trainer->observers)
        return;
    event->time_ns = ty_now_wall_ns(ctx);
    const char *reason = NULL;
    const ty_answer answer = ty_observers_notify(trainer->observers, event, &reason);
    take_answer(trainer, answer, reason);
}

/* In slices, with a word to the others after each, so that whoever is slow to answer an observer is not
 * taken for a dead rank. */
ty_status ty_observers_await(ty_ctx *ctx, ty_comm *comm, const ty_observers *observers,
                             ty_answer *answer, const char **reason) {
    *answer = TY_CONTINUE;
    *reason = NULL;
    for (uint64_t any = 1; any;)
        TY_TRY(ty_comm_vote(
            ctx, comm, observers && ty_observers_wait(observers, answer, reason) ? 1 : 0, &any));
    return TY_OK;
}

static ty_status await_answers(ty_ctx *ctx, ty_trainer *trainer) {
    ty_answer answer;
    const char *reason;
    TY_TRY(ty_observers_await(ctx, trainer->comm, trainer->observers, &answer, &reason));
    take_answer(trainer, answer, reason);
    return TY_OK;
}

ty_status ty_tell_start(ty_ctx *ctx, ty_trainer *trainer, bool is_resumed) {
    ty_event event = {.kind = TY_EVENT_START, .step = trainer->progress.step};
    event.start.is_resumed = is_resumed;
    event.start.from_step = trainer->progress.step;
    event.start.total_steps = trainer->extent.total_steps;
    event.start.samples_per_epoch = trainer->extent.samples_per_epoch;
    event.start.samples_per_step = trainer->extent.samples_per_step;
    event.start.run_folder = trainer->options.run_folder;
    tell(ctx, trainer, &event);
    return await_answers(ctx, trainer);
}

void ty_tell_metric(ty_ctx *ctx, ty_trainer *trainer, const char *key, double value) {
    ty_event event = {.kind = TY_EVENT_METRIC, .step = trainer->progress.step};
    event.metric.key = key;
    event.metric.value = value;
    tell(ctx, trainer, &event);
}

/* Samples per second since the last point, evaluation and all. */
static double rate_since_log(ty_ctx *ctx, const ty_trainer *trainer) {
    const ty_times *times = &trainer->times;
    const double seconds = (double)(ty_now_ns(ctx) - times->log_ns) * 1e-9;
    const int64_t steps = trainer->progress.step - times->log_step;
    return seconds > 0 ? (double)(steps * trainer->extent.samples_per_step) / seconds : 0;
}

static double average_rate(ty_ctx *ctx, const ty_trainer *trainer) {
    const ty_times *times = &trainer->times;
    const double seconds = (double)(ty_now_ns(ctx) - times->begin_ns - times->eval_ns) * 1e-9;
    const int64_t steps = trainer->progress.step - times->first_step;
    return seconds > 0 ? (double)(steps * trainer->extent.samples_per_step) / seconds : 0;
}

/* The points of the training curves: means since the last point. */
static void tell_curves(ty_ctx *ctx, ty_trainer *trainer, const ty_step_report *report) {
    ty_progress *progress = &trainer->progress;
    if (progress->window_weight > 0) {
        ty_tell_metric(ctx, trainer, "train/loss", progress->window_loss / progress->window_weight);
        if (trainer->data->is_classification)
            ty_tell_metric(ctx, trainer, "train/accuracy",
                           progress->window_hits / progress->window_weight);
        ty_tell_metric(ctx, trainer, "train/gradient_norm", report->gradient_norm);
    }
    ty_tell_metric(ctx, trainer, "train/learning_rate", report->learning_rate);
    ty_tell_metric(ctx, trainer, "train/samples_per_s", rate_since_log(ctx, trainer));
    if (progress->skipped > 0)
        ty_tell_metric(ctx, trainer, "train/skipped_steps", (double)progress->skipped);
    progress->window_loss = progress->window_hits = progress->window_weight = 0;
    progress->window_steps = 0;
    trainer->times.log_ns = ty_now_ns(ctx);
    trainer->times.log_step = progress->step;
}

/* The window is part of the state on every rank, since a checkpoint has it. */
static void add_to_window(ty_progress *progress, const ty_step_report *report) {
    progress->window_steps++;
    if (report->is_skipped)
        return;
    progress->window_loss += report->sums[TY_SUM_LOSS];
    progress->window_hits += report->sums[TY_SUM_HITS];
    progress->window_weight += report->sums[TY_SUM_WEIGHT];
}

static double seconds_left(const ty_trainer *trainer, double rate) {
    const int64_t left = trainer->extent.total_steps - trainer->progress.step;
    const bool is_known = trainer->extent.total_steps > 0 && rate > 0;
    return is_known ? (double)(left * trainer->extent.samples_per_step) / rate : NAN;
}

void ty_tell_step(ty_ctx *ctx, ty_trainer *trainer, const ty_step_report *report) {
    const ty_extent *extent = &trainer->extent;
    const int64_t step = trainer->progress.step;
    const double rate = average_rate(ctx, trainer);
    ty_event event = {.kind = TY_EVENT_STEP, .step = step};
    event.progress.loss = report->sums[TY_SUM_LOSS] / report->sums[TY_SUM_WEIGHT];
    event.progress.learning_rate = report->learning_rate;
    event.progress.gradient_norm = report->gradient_norm;
    event.progress.samples_per_s = rate;
    event.progress.epoch =
        (double)(step * extent->samples_per_step) / (double)extent->samples_per_epoch;
    event.progress.seconds_left = seconds_left(trainer, rate);
    event.progress.total_steps = extent->total_steps;
    add_to_window(&trainer->progress, report);
    tell(ctx, trainer, &event);
    if (ty_amount_is_due(trainer->config->tracking.log_every, extent, step) ||
        step == extent->total_steps)
        tell_curves(ctx, trainer, report);
}

ty_status ty_tell_eval(ty_ctx *ctx, ty_trainer *trainer, ty_split split,
                       const ty_eval_result *result, bool is_best) {
    char key[64];
    const char *name = ty_split_names[split];
    (void)snprintf(key, sizeof key, "%s/loss", name);
    ty_tell_metric(ctx, trainer, key, result->loss);
    (void)snprintf(key, sizeof key, "%s/%s", name,
                   result->n_classes ? "accuracy" : "mean_absolute_error");
    ty_tell_metric(ctx, trainer, key,
                   result->n_classes ? result->accuracy : result->mean_absolute_error);
    if (result->n_classes) {
        (void)snprintf(key, sizeof key, "%s/top_k_accuracy", name);
        ty_tell_metric(ctx, trainer, key, result->top_k_accuracy);
    }
    ty_event event = {.kind = TY_EVENT_EVAL, .step = trainer->progress.step};
    event.eval.split = name;
    event.eval.is_best = is_best;
    tell(ctx, trainer, &event);
    return await_answers(ctx, trainer);
}

void ty_tell_model(ty_ctx *ctx, ty_trainer *trainer, int64_t step, const char *name,
                   const char *path) {
    ty_event event = {.kind = TY_EVENT_MODEL, .step = step};
    event.model.name = name;
    event.model.path = path;
    tell(ctx, trainer, &event);
}
