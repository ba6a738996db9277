/* What is the same for every sweep, whoever runs its trials: asking for one, judging a report, telling
 * an end. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/sweep/sweep.h"

/* --- asking ------------------------------------------------------------------------------------- */

ty_status sweep_next(sweep *s, const char *worker, const ty_trial **out) {
    ty_ask ask = {.kind = TY_ASK_WAIT};
    *out = NULL;
    if (s->is_done || s->stop || ty_now_ns(&s->app->ctx) < s->rest_until_ns)
        return TY_OK;
    TY_TRY(ty_study_ask(&s->app->ctx, s->study, worker, &ask));
    if (ask.kind == TY_ASK_TRIAL)
        *out = ask.trial;
    if (ask.begins_anew)
        sweep_say_anew(s, ask.trial);
    s->is_done = ask.kind == TY_ASK_DONE;
    if (s->is_done) {
        s->done_reason = ask.reason;
        s->has_failed = ask.has_failed;
    }
    return TY_OK;
}

void sweep_begin(sweep *s, int slot, size_t trial) {
    double *limited = s->running[slot].limited;
    s->running[slot] = (running){.trial = trial,
                                 .is_busy = true,
                                 .begun_ns = ty_now_ns(&s->app->ctx),
                                 .step = NAN,
                                 .epoch = NAN,
                                 .reported = NAN,
                                 .limited = limited};
    for (size_t i = 0; i < s->file.limit_count; i++)
        limited[i] = NAN;
    s->n_running++;
    sweep_forget_size(s, trial);
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

/* A report need not have every metric. */
static void keep_limited(const sweep *s, running *r, const json_t *metrics) {
    for (size_t i = 0; i < s->file.limit_count; i++)
        if (json_object_get(metrics, s->file.limits[i].metric))
            r->limited[i] = metric_of(metrics, s->file.limits[i].metric);
}

static double violation_of(const sweep *s, const running *r) {
    double sum = 0;
    for (size_t i = 0; i < s->file.limit_count; i++) {
        const ty_limit *l = &s->file.limits[i];
        const double v = r->limited[i];
        sum += v > l->max ? v - l->max : 0;
        sum += v < l->min ? l->min - v : 0;
    }
    return sum;
}

static void add_names(ty_text *out, const json_t *metrics) {
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)metrics, name, value)
        ty_text_addf(out, "%s%s", out->length ? ", " : "", name);
}

/* A metric that nobody logs would leave every trial without a value, or without an answer: said at the
 * first report. */
static ty_status refuse_metric(sweep *s, const char *name, const char *which,
                               const json_t *metrics) {
    ty_text names = {0};
    add_names(&names, metrics);
    const ty_status st =
        ty_fail(&s->app->ctx, TY_ERR_CONFIG, "the trials log no metric \"%s\"%s; they log %s", name,
                which, ty_text_string(&names));
    ty_text_clear(&names);
    return st;
}

/* The points of training curves come with tracking.log_every, which may be later than the first
 * evaluation; all of them together with the loss. */
static bool may_come_later(const char *name, const json_t *metrics) {
    return strncmp(name, "train/", 6) == 0 && !json_object_get(metrics, "train/loss");
}

static ty_status check_metrics(sweep *s, const running *r, const json_t *metrics) {
    if (!json_object_get(metrics, s->file.metric.name))
        return refuse_metric(s, s->file.metric.name, "", metrics);
    for (size_t i = 0; i < s->file.limit_count; i++) {
        const char *name = s->file.limits[i].metric;
        if (isnan(r->limited[i]) && !json_object_get(metrics, name) &&
            !may_come_later(name, metrics))
            return refuse_metric(s, name, ", which has a limit", metrics);
    }
    return TY_OK;
}

/* Another program may print what it likes between two reports; what it printed last is said where no
 * report ever comes. */
static void keep_names(running *r, const json_t *metrics) {
    ty_text names = {0};
    add_names(&names, metrics);
    (void)snprintf(r->printed, sizeof r->printed, "%s", ty_text_string(&names));
    ty_text_clear(&names);
}

static double resource_of(const sweep *s, const slot_news *news) {
    return s->file.resource == TY_RESOURCE_STEPS    ? news->step
           : s->file.resource == TY_RESOURCE_EPOCHS ? news->epoch
                                                    : NAN;
}

ty_status sweep_hear_report(sweep *s, const slot_news *news) {
    running *r = &s->running[news->slot];
    if (r->decision.answer != TY_CONTINUE)
        return TY_OK; /* said before it had heard that it is over; how much depends on timing */
    const ty_report report = {.step = news->step,
                              .resource = resource_of(s, news),
                              .value = metric_of(news->metrics, s->file.metric.name)};
    const bool has_metric = json_object_get(news->metrics, s->file.metric.name);
    if (s->file.config_path)
        TY_TRY(check_metrics(s, r, news->metrics));
    keep_limited(s, r, news->metrics);
    r->violation = violation_of(s, r);
    if (!has_metric) {
        keep_names(r, news->metrics);
        return TY_OK;
    }
    r->reported = report.value;
    r->step = news->step;
    r->epoch = news->epoch;
    return ty_study_report(&s->app->ctx, s->study, news->trial, &report, &r->decision);
}

/* --- answers ------------------------------------------------------------------------------------ */

/* The best of a trial's reports, or the last one; NAN where there is none that is a number. */
static double value_of(const sweep *s, const ty_trial *t) {
    const bool takes_last = s->file.metric.value_of == TY_VALUE_LAST;
    double value = NAN; /* turned: less is better */
    for (size_t i = 0; i < t->reports; i++)
        if (takes_last || isnan(value) || t->reported[i] < value)
            value = t->reported[i];
    return s->options.maximize ? -value : value;
}

static json_t *number_of(double v) {
    return isfinite(v) ? json_real(v) : json_null();
}

char *sweep_answer(const sweep *s, int slot) {
    static const char *const words[] = {
        [TY_CONTINUE] = "continue", [TY_STOP] = "stop", [TY_PAUSE] = "pause"};
    const running *r = &s->running[slot];
    const ty_trial *t = ty_study_trial(s->study, r->trial);
    json_t *answer = json_pack("{s:s, s:s, s:o, s:o}", "answer", words[r->decision.answer],
                               "reason", r->decision.reason, "reported", number_of(r->reported),
                               "value", number_of(value_of(s, t)));
    if (s->file.limit_count > 0)
        (void)json_object_set_new(answer, "violation", number_of(r->violation));
    char *line = answer ? json_dumps(answer, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(answer);
    return line;
}

/* --- ends --------------------------------------------------------------------------------------- */

/* Why a trial that came to its end is no answer; false where it is one. What was not measured keeps no limit. */
static bool is_no_answer(const sweep *s, const running *r, const ty_trial *t, char *why,
                         size_t size) {
    if (t->reports == 0 && r->printed[0]) {
        (void)snprintf(why, size, "it logged no \"%s\"; it logged %s", s->file.metric.name,
                       r->printed);
        return true;
    }
    for (size_t i = 0; i < s->file.limit_count; i++)
        if (isnan(r->limited[i])) {
            (void)snprintf(why, size, "it has no number of %s, which has a limit",
                           s->file.limits[i].metric);
            return true;
        }
    return false;
}

static ty_status tell(sweep *s, const slot_news *news, ty_trial_state state, const char *reason) {
    const ty_trial *t = ty_study_trial(s->study, news->trial);
    const running *r = &s->running[news->slot];
    char words[256];
    if (state == TY_TRIAL_COMPLETE && is_no_answer(s, r, t, words, sizeof words)) {
        state = TY_TRIAL_FAILED;
        reason = words;
    }
    const ty_told told = {
        .state = state, .value = value_of(s, t), .violation = r->violation, .reason = reason};
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
        (void)snprintf(out, size, "it exited with %d, see " SWEEP_LOG, news->code, news->trial);
    else
        (void)snprintf(out, size, "it was ended by signal %d (%s), see " SWEEP_LOG, -news->code,
                       strsignal(-news->code), news->trial);
    return out;
}

/* A trial of ours that found no room for what it made: no fault of its point's. */
static bool found_no_room(const sweep *s, const slot_news *news) {
    return s->file.config_path && news->code == ty_status_exit_code(TY_ERR_IO) &&
           (strstr(news->reason, strerror(ENOSPC)) || strstr(news->reason, strerror(EDQUOT)) ||
            strstr(news->reason, RUN_NOT_SAVED));
}

static ty_status hear_loss(sweep *s, const slot_news *news) {
    enum { rest_ms = 500 };
    char words[128];
    const char *reason = why(news, words, sizeof words);
    if (s->stop) /* it goes on with the sweep */
        return TY_OK;
    if (found_no_room(s, news)) /* and so does this one, where there is room again */
        return ty_fail(&s->app->ctx, TY_ERR_IO, "trial %zu: %s", news->trial, reason);
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

static ty_status tell_end(sweep *s, const slot_news *news) {
    const running *r = &s->running[news->slot];
    if (strcmp(news->end, "complete") == 0)
        return tell(s, news, TY_TRIAL_COMPLETE, "");
    if (strcmp(news->end, "stopped") == 0)
        return tell(s, news, TY_TRIAL_PRUNED,
                    r->decision.answer == TY_STOP ? r->decision.reason : news->reason);
    if (strcmp(news->end, "paused") == 0 && r->decision.answer == TY_PAUSE)
        return tell(s, news, TY_TRIAL_PAUSED, r->decision.reason);
    return hear_loss(s, news);
}

ty_status sweep_hear_end(sweep *s, const slot_news *news) {
    running *r = &s->running[news->slot];
    r->is_busy = false;
    s->n_running--;
    s->n_ended++;
    s->busy_ns += ty_now_ns(&s->app->ctx) - r->begun_ns;
    TY_TRY(tell_end(s, news));
    return sweep_keep_disk(s);
}
