/* The loop of a sweep: free slots are given trials, reports are judged, ends are told. */
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "cli/signals.h"
#include "cli/sweep.h"

/* --- giving out --------------------------------------------------------------------------------- */

static ty_status start_trial(sweep *s, int slot, const ty_trial *trial) {
    ty_ctx *ctx = &s->app->ctx;
    const ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    slot_start start = {.trial = trial->number, .is_foreign = !s->file.config_path};
    start.log_path =
        ty_arena_printf(&ctx->scratch, "%s/logs/trial_%04zu.log", s->folder, trial->number);
    ty_status st = start.log_path ? TY_OK : ty_fail_nomem(ctx, "the name of a log");
    if (st == TY_OK)
        st = sweep_words(s, trial, &ctx->scratch, &start.words);
    if (st == TY_OK)
        st = sweep_environment(s, slot, trial, &ctx->scratch, &start.environment);
    if (st == TY_OK)
        st = slots_begin(ctx, s->slots, slot, &start);
    ty_arena_reset(&ctx->scratch, mark);
    s->running[slot] = (running){.trial = trial->number, .begun_ns = ty_now_ns(ctx)};
    return st;
}

static ty_status fill_slots(sweep *s) {
    int slot = slots_free(s->slots);
    const bool rests = ty_now_ns(&s->app->ctx) < s->rest_until_ns;
    while (slot >= 0 && !s->is_done && !s->stop && !rests) {
        ty_ask ask;
        TY_TRY(ty_study_ask(&s->app->ctx, s->study, "local", &ask));
        if (ask.kind == TY_ASK_WAIT)
            return TY_OK;
        s->is_done = ask.kind == TY_ASK_DONE;
        s->done_reason = ask.reason;
        if (!s->is_done)
            TY_TRY(start_trial(s, slot, ask.trial));
        slot = slots_free(s->slots);
    }
    return TY_OK;
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

static ty_status hear_report(sweep *s, const slot_news *news) {
    running *r = &s->running[news->slot];
    const ty_report report = {.step = news->step,
                              .resource = resource_of(s, news),
                              .value = metric_of(news->metrics, s->file.metric.name)};
    TY_TRY(check_metric(s, news));
    r->violation = violation_of(s, news->metrics);
    TY_TRY(ty_study_report(&s->app->ctx, s->study, news->trial, &report, &r->decision));
    slots_answer(s->slots, news->slot, r->decision.answer, r->decision.reason);
    return TY_OK;
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
static bool may_run_again(int wait_status) {
    const int code = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1;
    return code == -1 || code > 128 || code == ty_status_exit_code(TY_ERR_COMM) ||
           code == ty_status_exit_code(TY_ERR_BUSY);
}

static const char *why(const slot_news *news, char *out, size_t size) {
    const int status = news->wait_status;
    if (news->reason[0])
        return news->reason;
    if (WIFEXITED(status))
        (void)snprintf(out, size, "it exited with %d", WEXITSTATUS(status));
    else
        (void)snprintf(out, size, "it was ended by signal %d (%s)", WTERMSIG(status),
                       strsignal(WTERMSIG(status)));
    return out;
}

/* Another process still has the run (a sweep that was killed leaves its trials a moment to save). */
static bool is_busy(int wait_status) {
    return WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == ty_status_exit_code(TY_ERR_BUSY);
}

static ty_status hear_loss(sweep *s, const slot_news *news) {
    enum { rest_ms = 500 };
    char words[128];
    const char *reason = why(news, words, sizeof words);
    if (s->stop) /* it goes on with the sweep */
        return TY_OK;
    if (!may_run_again(news->wait_status))
        return tell(s, news, TY_TRIAL_FAILED, reason);
    const int64_t retries = is_busy(news->wait_status) ? -1 : s->file.retries;
    TY_TRY(ty_study_lose(&s->app->ctx, s->study, news->trial, retries, reason));
    if (retries < 0)
        s->rest_until_ns = ty_now_ns(&s->app->ctx) + (int64_t)rest_ms * 1000000;
    sweep_tell_trial(s, ty_study_trial(s->study, news->trial));
    return TY_OK;
}

static ty_status hear_end(sweep *s, const slot_news *news) {
    const running *r = &s->running[news->slot];
    s->busy_ns += ty_now_ns(&s->app->ctx) - r->begun_ns;
    if (strcmp(news->end, "complete") == 0)
        return tell(s, news, TY_TRIAL_COMPLETE, "");
    if (strcmp(news->end, "stopped") == 0)
        return tell(s, news, TY_TRIAL_PRUNED, r->decision.reason);
    if (strcmp(news->end, "paused") == 0 && r->decision.answer == TY_PAUSE)
        return tell(s, news, TY_TRIAL_PAUSED, r->decision.reason);
    return hear_loss(s, news);
}

/* --- the loop ----------------------------------------------------------------------------------- */

static bool is_out_of_time(const sweep *s) {
    const double hours = (double)(ty_now_ns(&s->app->ctx) - s->begun_ns) / 3.6e12;
    return hours >= s->file.max_hours; /* never where it is NAN */
}

static void stop_for(sweep *s, int which) {
    if (!s->stop)
        console_say(&s->app->console, "stopping: %d trials save a checkpoint",
                    slots_busy(s->slots));
    slots_signal(s->slots, s->stop ? SIGTERM : SIGUSR1);
    s->stop = which;
}

static ty_status one_turn(sweep *s) {
    slot_news news;
    bool has_news = false;
    int stop = 0;
    TY_TRY(fill_slots(s));
    if (is_out_of_time(s) && !s->is_done) {
        s->is_done = true;
        s->done_reason = "its time is over";
    }
    TY_TRY(slots_wait(&s->app->ctx, s->slots, 500, &news, &has_news, &stop));
    if (!stop && !s->stop && sweep_is_asked_to_stop(s))
        stop = SIGUSR1;
    if (stop)
        stop_for(s, stop);
    sweep_tell_progress(s);
    if (!has_news)
        return TY_OK;
    return news.kind == SLOT_REPORT ? hear_report(s, &news) : hear_end(s, &news);
}

ty_status sweep_run(sweep *s) {
    ty_status st = TY_OK;
    s->begun_ns = ty_now_ns(&s->app->ctx);
    TY_TRY(slots_open(&s->app->ctx, s->n_slots, &s->slots));
    while (st == TY_OK && (slots_busy(s->slots) > 0 || !(s->is_done || s->stop))) {
        st = one_turn(s);
        if (st == TY_OK)
            sweep_write_along(s);
    }
    return st == TY_OK && s->stop ? signals_status(s->stop) : st;
}
