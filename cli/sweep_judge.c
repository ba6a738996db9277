/* What is the same for every sweep, whoever runs its trials: asking for one, judging a report, telling
 * an end. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/sweep.h"

/* --- asking ------------------------------------------------------------------------------------- */

ty_status sweep_next(sweep *s, const char *worker, const ty_trial **out) {
    ty_ask ask = {.kind = TY_ASK_WAIT};
    *out = NULL;
    if (s->is_done || s->stop || ty_now_ns(&s->app->ctx) < s->rest_until_ns)
        return TY_OK;
    TY_TRY(ty_study_ask(&s->app->ctx, s->study, worker, &ask));
    if (ask.kind == TY_ASK_TRIAL)
        *out = ask.trial;
    s->is_done = ask.kind == TY_ASK_DONE;
    if (s->is_done)
        s->done_reason = ask.reason;
    return TY_OK;
}

void sweep_begin(sweep *s, int slot, size_t trial) {
    s->running[slot] = (running){.trial = trial, .begun_ns = ty_now_ns(&s->app->ctx)};
    s->n_running++;
}

void sweep_look_at_clock(sweep *s) {
    const double hours = (double)(ty_now_ns(&s->app->ctx) - s->begun_ns) / 3.6e12;
    if (s->is_done || !(hours >= s->file.max_hours)) /* never where it is NAN */
        return;
    s->is_done = true;
    s->done_reason = "its time is over";
}

/* --- reports ------------------------------------------------------------------------------------ */

static double metric_of(const json_t *metrics, const char *name) {
    const json_t *value = json_object_get(metrics, name);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static double violation_of(const sweep *s, const json_t *metrics) {
    double sum = 0;
    for (size_t i = 0; i < s->file.limit_count; i++) {
        const ty_limit *l = &s->file.limits[i];
        const double v = metric_of(metrics, l->metric);
        sum += v > l->max ? v - l->max : 0;
        sum += v < l->min ? l->min - v : 0;
    }
    return sum;
}

/* A metric that nobody logs would leave every trial without a value: said at the first report. */
static ty_status check_metric(sweep *s, const slot_news *news) {
    if (json_object_get(news->metrics, s->file.metric.name))
        return TY_OK;
    ty_text names = {0};
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)news->metrics, name, value)
        ty_text_addf(&names, "%s%s", names.length ? ", " : "", name);
    const ty_status st =
        ty_fail(&s->app->ctx, TY_ERR_CONFIG, "the trials log no metric \"%s\"; they log %s",
                s->file.metric.name, ty_text_string(&names));
    ty_text_clear(&names);
    return st;
}

static double resource_of(const sweep *s, const slot_news *news) {
    return s->file.resource == TY_RESOURCE_STEPS    ? news->step
           : s->file.resource == TY_RESOURCE_EPOCHS ? news->epoch
                                                    : NAN;
}

ty_status sweep_hear_report(sweep *s, const slot_news *news) {
    running *r = &s->running[news->slot];
    const ty_report report = {.step = news->step,
                              .resource = resource_of(s, news),
                              .value = metric_of(news->metrics, s->file.metric.name)};
    TY_TRY(check_metric(s, news));
    r->violation = violation_of(s, news->metrics);
    return ty_study_report(&s->app->ctx, s->study, news->trial, &report, &r->decision);
}

/* --- ends --------------------------------------------------------------------------------------- */

/* The best of a trial's reports, or the last one; NAN where there is none that is a number. */
static double value_of(const sweep *s, const ty_trial *t) {
    const bool takes_last = s->file.metric.value_of == TY_VALUE_LAST;
    double value = NAN; /* turned: less is better */
    for (size_t i = 0; i < t->reports; i++)
        if (takes_last || isnan(value) || t->reported[i] < value)
            value = t->reported[i];
    return s->options.maximize ? -value : value;
}

static ty_status tell(sweep *s, const slot_news *news, ty_trial_state state, const char *reason) {
    const ty_trial *t = ty_study_trial(s->study, news->trial);
    const ty_told told = {.state = state,
                          .value = value_of(s, t),
                          .violation = s->running[news->slot].violation,
                          .reason = reason};
    TY_TRY(ty_study_tell(&s->app->ctx, s->study, news->trial, &told));
    sweep_tell_trial(s, t);
    return TY_OK;
}

/* Nobody's fault but the machine's: killed, out of a device, told to try again. */
static bool may_run_again(int code) {
    return code < 0 || code > 128 || code == ty_status_exit_code(TY_ERR_COMM) ||
           code == ty_status_exit_code(TY_ERR_BUSY);
}

static const char *why(const slot_news *news, char *out, size_t size) {
    if (news->reason[0])
        return news->reason;
    if (news->code >= 0)
        (void)snprintf(out, size, "it exited with %d", news->code);
    else
        (void)snprintf(out, size, "it was ended by signal %d (%s)", -news->code,
                       strsignal(-news->code));
    return out;
}

static ty_status hear_loss(sweep *s, const slot_news *news) {
    enum { rest_ms = 500 };
    char words[128];
    const char *reason = why(news, words, sizeof words);
    if (s->stop) /* it goes on with the sweep */
        return TY_OK;
    if (!may_run_again(news->code))
        return tell(s, news, TY_TRIAL_FAILED, reason);
    /* Another process still has the run (a sweep that was killed leaves its trials a moment to save). */
    const bool is_busy = news->code == ty_status_exit_code(TY_ERR_BUSY);
    const int64_t retries = is_busy ? -1 : s->file.retries;
    TY_TRY(ty_study_lose(&s->app->ctx, s->study, news->trial, retries, reason));
    if (retries < 0)
        s->rest_until_ns = ty_now_ns(&s->app->ctx) + (int64_t)rest_ms * 1000000;
    sweep_tell_trial(s, ty_study_trial(s->study, news->trial));
    return TY_OK;
}

ty_status sweep_hear_end(sweep *s, const slot_news *news) {
    const running *r = &s->running[news->slot];
    s->n_running--;
    s->busy_ns += ty_now_ns(&s->app->ctx) - r->begun_ns;
    if (strcmp(news->end, "complete") == 0)
        return tell(s, news, TY_TRIAL_COMPLETE, "");
    if (strcmp(news->end, "stopped") == 0)
        return tell(s, news, TY_TRIAL_PRUNED, r->decision.reason);
    if (strcmp(news->end, "paused") == 0 && r->decision.answer == TY_PAUSE)
        return tell(s, news, TY_TRIAL_PAUSED, r->decision.reason);
    return hear_loss(s, news);
}
