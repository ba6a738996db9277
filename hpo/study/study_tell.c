/* What workers say of their trials. One that was given up (its lease ran out: suspended, cut off, slow) may
 * speak all the same: it counts as long as nobody else has its trial. */
#include <math.h>
#include <string.h>

#include "hpo/study/study_private.h"

/* --- whose a trial is --------------------------------------------------------------------------- */

json_t *study_expiry(const ty_study *s, int64_t now_ns) {
    const int64_t lease_ns = (int64_t)(s->options.lease_s * 1e9);
    return json_integer((json_int_t)(lease_ns ? now_ns + lease_ns : 0));
}

ty_status study_lose(ty_ctx *ctx, ty_study *s, size_t trial, bool counts, const char *reason) {
    return study_record(ctx, s, RECORD_LOSE,
                        json_pack("{s:I, s:b, s:o, s:I}", "trial", (json_int_t)trial, "counts",
                                  counts, "reason", ty_json_string(reason), "time_ns",
                                  (json_int_t)ty_now_wall_ns(ctx)));
}

/* The journal has names as JSON can. */
static bool is_worker_of(const trial_memory *t, const char *worker) {
    json_t *name = ty_json_string(worker);
    const bool is = name && strcmp(json_string_value(name), t->worker) == 0;
    json_decref(name);
    return is;
}

bool ty_study_is_superseded(const ty_study *s, size_t trial, const char *worker) {
    const trial_memory *t = s->trials[trial];
    if (t->seen.state != TY_TRIAL_RUNNING)
        return true;
    return worker && !t->seen.is_lost && !is_worker_of(t, worker);
}

/* A word that is no news of the trial says that its worker lives. */
static ty_status renew(ty_ctx *ctx, ty_study *s, const trial_memory *t, const char *worker) {
    const int64_t now_ns = ty_now_wall_ns(ctx);
    return study_record(ctx, s, RECORD_RENEW,
                        json_pack("{s:I, s:o, s:I, s:o}", "trial", (json_int_t)t->seen.number,
                                  "worker", ty_json_string(worker ? worker : t->worker), "time_ns",
                                  (json_int_t)now_ns, "expires_ns", study_expiry(s, now_ns)));
}

/* --- telling ------------------------------------------------------------------------------------ */

static ty_status find_trial(ty_ctx *ctx, const ty_study *s, size_t trial, trial_memory **out) {
    if (trial >= s->count)
        return ty_fail(ctx, TY_ERR_NOT_FOUND, "there is no trial %zu; the sweep has %zu", trial,
                       s->count);
    *out = s->trials[trial];
    return TY_OK;
}

static ty_decision verdict_again(const trial_memory *t, double step) {
    ty_decision verdict = {.answer = TY_CONTINUE};
    if (step < t->step[t->seen.reports - 1])
        return verdict;
    verdict.answer = t->last_answer;
    memcpy(verdict.reason, t->last_reason, sizeof verdict.reason);
    return verdict;
}

static bool was_reported(const trial_memory *t, double step) {
    return t->seen.reports > 0 && step <= t->step[t->seen.reports - 1];
}

/* A promoted trial that reports again what it was paused at goes on. */
static bool is_of_this_leg(const trial_memory *t) {
    const size_t n = t->seen.leg_count;
    return n < 2 || t->seen.reports > t->legs[n - 2].reports;
}

static ty_status record_report(ty_ctx *ctx, ty_study *s, const trial_memory *t,
                               const ty_report *report, const ty_decision *verdict) {
    const int64_t now_ns = ty_now_wall_ns(ctx);
    return study_record(
        ctx, s, RECORD_REPORT,
        json_pack("{s:I, s:o, s:o, s:o, s:i, s:o, s:I, s:o}", "trial", (json_int_t)t->seen.number,
                  "step", study_number_to_json(report->step), "resource",
                  study_number_to_json(t->resource[t->seen.reports]), "value",
                  study_number_to_json(report->value), "answer", (int)verdict->answer, "reason",
                  ty_json_string(verdict->reason), "time_ns", (json_int_t)now_ns, "expires_ns",
                  study_expiry(s, now_ns)));
}

ty_status ty_study_report(ty_ctx *ctx, ty_study *s, size_t trial, const ty_report *report,
                          ty_decision *out) {
    trial_memory *t = NULL;
    TY_TRY(find_trial(ctx, s, trial, &t));
    if (t->seen.state != TY_TRIAL_RUNNING)
        return ty_fail(ctx, TY_ERR_ARG, "trial %zu has ended and cannot report", trial);
    if (ty_study_is_superseded(s, trial, report->worker))
        return ty_fail(ctx, TY_ERR_ARG, "trial %zu is worker %s's by now", trial, t->worker);
    const bool is_known = was_reported(t, report->step);
    *out = (ty_decision){.answer = TY_CONTINUE};
    if (t->seen.is_lost || (is_known && s->options.lease_s > 0))
        TY_TRY(renew(ctx, s, t, report->worker));
    if (is_known) {
        if (is_of_this_leg(t))
            *out = verdict_again(t, report->step);
        return TY_OK;
    }
    const ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const ty_status st = study_judge(ctx, s, t, report, out);
    ty_arena_reset(&ctx->scratch, mark);
    TY_TRY(st);
    return record_report(ctx, s, t, report, out);
}

ty_status ty_study_tell(ty_ctx *ctx, ty_study *s, size_t trial, const ty_told *told) {
    trial_memory *t = NULL;
    TY_TRY(find_trial(ctx, s, trial, &t));
    if (ty_study_is_superseded(s, trial, told->worker))
        return TY_OK;
    const bool is_anothers = told->worker && !is_worker_of(t, told->worker); /* it was lost */
    ty_told end = *told;
    const bool has_reports = t->seen.reports > 0;
    if (isnan(end.value) && has_reports)
        end.value = study_turn(s, t->reported[t->seen.reports - 1]);
    if (end.state == TY_TRIAL_COMPLETE && isnan(end.value)) {
        end.state = TY_TRIAL_FAILED;
        end.reason =
            has_reports ? "its metric is not a number" : "it reported no value of the metric";
    }
    TY_TRY(
        study_record(ctx, s, RECORD_TELL,
                     json_pack("{s:I, s:i, s:o, s:o, s:o, s:o*, s:I}", "trial", (json_int_t)trial,
                               "state", (int)end.state, "value", study_number_to_json(end.value),
                               "violation", study_number_to_json(end.violation), "reason",
                               ty_json_string(end.reason ? end.reason : ""), "worker",
                               is_anothers ? ty_json_string(told->worker) : NULL, "time_ns",
                               (json_int_t)ty_now_wall_ns(ctx))));
    return s->journal ? ty_journal_sync(ctx, s->journal) : TY_OK;
}

ty_status ty_study_lose(ty_ctx *ctx, ty_study *s, size_t trial, int64_t retries,
                        const char *reason) {
    trial_memory *t = NULL;
    TY_TRY(find_trial(ctx, s, trial, &t));
    if (t->seen.state != TY_TRIAL_RUNNING || t->seen.is_lost)
        return TY_OK;
    if (retries >= 0 && t->seen.times_lost >= retries)
        return ty_study_tell(ctx, s, trial,
                             &(ty_told){.state = TY_TRIAL_FAILED, .value = NAN, .reason = reason});
    TY_TRY(study_lose(ctx, s, trial, retries >= 0, reason));
    return s->journal ? ty_journal_sync(ctx, s->journal) : TY_OK;
}
