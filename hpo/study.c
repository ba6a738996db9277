#include "hpo/study.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hpo/study_private.h"

/* --- opening ------------------------------------------------------------------------------------ */

static ty_status begin(ty_ctx *ctx, ty_study *s) {
    char seed[32], window[32];
    const ty_study_options *o = &s->options;
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)o->seed);
    snprintf(window, sizeof window, "%lld", (long long)o->window);
    TY_TRY(study_record(ctx, s, RECORD_BEGIN,
                        json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:b, s:I, s:o, s:I}", "version",
                                  STUDY_VERSION, "name", o->name, "identity", o->identity, "seed",
                                  seed, "order", study_orders[o->order], "window", window,
                                  "maximize", o->maximize, "max_trials", (json_int_t)o->max_trials,
                                  "target", study_number_to_json(o->target), "time_ns",
                                  (json_int_t)ty_now_wall_ns(ctx))));
    return s->journal ? ty_journal_sync(ctx, s->journal) : TY_OK;
}

/* How many trials there are to be may change from one opening to the next. */
static ty_status bound_anew(ty_ctx *ctx, ty_study *s) {
    const ty_study_options *o = &s->options;
    const bool same_target = s->target == o->target || (isnan(s->target) && isnan(o->target));
    if (s->max_trials == o->max_trials && same_target)
        return TY_OK;
    TY_TRY(study_record(ctx, s, RECORD_BOUND,
                        json_pack("{s:I, s:o, s:I}", "max_trials", (json_int_t)o->max_trials,
                                  "target", study_number_to_json(o->target), "time_ns",
                                  (json_int_t)ty_now_wall_ns(ctx))));
    return s->journal ? ty_journal_sync(ctx, s->journal) : TY_OK;
}

static ty_status fold_file(ty_ctx *ctx, ty_study *s, const char *path) {
    ty_journal_reader *reader = NULL;
    ty_journal_record record;
    bool has_record = true;
    TY_TRY(ty_journal_reader_open(ctx, path, &reader));
    ty_status st = TY_OK;
    while (st == TY_OK) {
        st = ty_journal_reader_next(ctx, reader, &record, &has_record);
        if (st != TY_OK || !has_record)
            break;
        st = study_fold(ctx, s, record.type, record.payload, record.payload_bytes);
    }
    ty_journal_reader_close(reader);
    return st == TY_OK ? TY_OK : ty_fail_within(ctx, st, "%s", path);
}

static ty_status check_pruner(ty_ctx *ctx, const ty_study_options *options) {
    const ty_board board = {.sweep = options->name,
                            .max_resource = options->max_resource,
                            .is_turned = options->maximize};
    const ty_pruner_type *pruner = ty_pruner_of(options->pruner);
    return pruner->check ? pruner->check(ctx, options->pruner->config, &board) : TY_OK;
}

ty_status study_new(ty_ctx *ctx, const ty_study_options *options, ty_study **out) {
    ty_study *s = calloc(1, sizeof *s);
    if (!s)
        return ty_fail_nomem(ctx, "a sweep");
    s->options = *options;
    ty_history_init(&s->history, options->space);
    ty_status st = check_pruner(ctx, options);
    if (st == TY_OK)
        st = ty_sampler_open(ctx, options->sampler, options->space, options->seed, &s->sampler);
    if (st != TY_OK) {
        ty_study_close(s);
        return st;
    }
    *out = s;
    return TY_OK;
}

static bool is_abandoned(const trial_memory *t, int64_t now_ns) {
    return t->seen.state == TY_TRIAL_RUNNING && !t->seen.is_lost && t->expires_ns <= now_ns;
}

static ty_status lose(ty_ctx *ctx, ty_study *s, size_t trial, bool counts, const char *reason) {
    return study_record(ctx, s, RECORD_LOSE,
                        json_pack("{s:I, s:b, s:s, s:I}", "trial", (json_int_t)trial, "counts",
                                  counts, "reason", reason, "time_ns",
                                  (json_int_t)ty_now_wall_ns(ctx)));
}

/* Only one process writes a sweep: who asked before and holds no lease is gone when it is opened. */
static ty_status lose_abandoned(ty_ctx *ctx, ty_study *s) {
    const int64_t now_ns = ty_now_wall_ns(ctx);
    for (size_t i = 0; i < s->count; i++)
        if (is_abandoned(s->trials[i], now_ns))
            TY_TRY(lose(ctx, s, i, false, "nobody ran it any more"));
    return TY_OK;
}

ty_status ty_study_open(ty_ctx *ctx, const char *path, const ty_study_options *options,
                        ty_study **out) {
    ty_study *s = NULL;
    TY_TRY(study_new(ctx, options, &s));
    ty_status st = TY_OK;
    if (path) {
        TY_TRY_GOTO(failed, st, ty_journal_open(ctx, path, &s->journal));
        TY_TRY_GOTO(failed, st, fold_file(ctx, s, path));
    }
    if (!s->has_begun)
        TY_TRY_GOTO(failed, st, begin(ctx, s));
    TY_TRY_GOTO(failed, st, bound_anew(ctx, s));
    TY_TRY_GOTO(failed, st, lose_abandoned(ctx, s));
    *out = s;
    return TY_OK;
failed:
    ty_study_close(s);
    return st;
}

ty_status ty_study_read(ty_ctx *ctx, const char *path, const ty_study_options *options,
                        ty_study **out) {
    ty_study *s = NULL;
    TY_TRY(study_new(ctx, options, &s));
    const ty_status st = fold_file(ctx, s, path);
    if (st != TY_OK) {
        ty_study_close(s);
        return st;
    }
    *out = s;
    return TY_OK;
}

void ty_study_close(ty_study *s) {
    if (!s)
        return;
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    (void)ty_journal_close(&ctx, s->journal); /* what counts was synced where it was promised */
    ty_ctx_clear(&ctx);
    ty_sampler_close(s->sampler);
    ty_history_clear(&s->history);
    study_free_trials(s);
    free(s);
}

/* --- deciding: pure functions of what a leg may see --------------------------------------------- */

static bool may_begin(const ty_study *s) {
    const size_t total = ty_sampler_total(s->sampler);
    const size_t bound = s->max_trials > 0 ? (size_t)s->max_trials : SIZE_MAX;
    return s->count < bound && (total == 0 || s->count < total || s->queue_taken < s->queued);
}

static ty_status decide_promotion(ty_ctx *ctx, ty_study *s, size_t leg, decision *out) {
    const ty_pruner_type *pruner = ty_pruner_of(s->options.pruner);
    ty_board board;
    if (!pruner->promote)
        return TY_OK;
    TY_TRY(study_board(ctx, s, leg, NO_TRIAL, &board));
    board.is_last = !may_begin(s);
    const size_t index = pruner->promote(s->options.pruner->config, &board);
    if (index < board.count)
        *out = (decision){.origin = ORIGIN_PROMOTION, .trial = board.curves[index].number};
    return TY_OK;
}

static ty_status decide_point(ty_ctx *ctx, ty_study *s, decision *out) {
    const size_t dims = s->options.space->count;
    const bool is_queued = s->queue_taken < s->queued;
    out->origin = is_queued ? ORIGIN_QUEUE : ORIGIN_SAMPLER;
    out->trial = s->count;
    out->x = ty_arena_array(&ctx->scratch, dims + 1, sizeof *out->x);
    if (!out->x)
        return ty_fail_nomem(ctx, "the point of a trial");
    if (!is_queued)
        return ty_sampler_suggest(ctx, s->sampler, &s->history, s->count, out->x);
    memcpy(out->x, s->queue + s->queue_taken * dims, dims * sizeof *out->x);
    return TY_OK;
}

ty_status study_decide(ty_ctx *ctx, ty_study *s, size_t leg, decision *out) {
    *out = (decision){.origin = ORIGIN_IDLE, .trial = NO_TRIAL};
    TY_TRY(study_show_history(ctx, s, leg));
    TY_TRY(decide_promotion(ctx, s, leg, out));
    return out->origin == ORIGIN_IDLE && may_begin(s) ? decide_point(ctx, s, out) : TY_OK;
}

ty_status study_judge(ty_ctx *ctx, ty_study *s, trial_memory *t, const ty_report *report,
                      ty_decision *out) {
    ty_board board;
    if (!study_place_report(s, t, report))
        return ty_fail_nomem(ctx, "the reports of a trial");
    const ty_curve own = {.number = t->seen.number,
                          .state = TY_TRIAL_RUNNING,
                          .told = NAN,
                          .count = t->seen.reports + 1,
                          .resource = t->resource,
                          .value = t->reported};
    TY_TRY(study_board(ctx, s, t->legs[t->seen.leg_count - 1].number, t->seen.number, &board));
    return ty_pruner_of(s->options.pruner)
        ->judge(ctx, s->options.pruner->config, &board, &own, out);
}

/* --- asking ------------------------------------------------------------------------------------- */

static ty_status record_ask(ty_ctx *ctx, ty_study *s, const decision *d, const char *worker) {
    const int64_t now_ns = ty_now_wall_ns(ctx);
    const int64_t lease_ns = (int64_t)(s->options.lease_s * 1e9);
    json_t *trial = d->trial == NO_TRIAL ? json_null() : json_integer((json_int_t)d->trial);
    json_t *x = d->x ? study_point_to_json(d->x, s->options.space->count) : json_null();
    return study_record(ctx, s, RECORD_ASK,
                        json_pack("{s:I, s:o, s:i, s:s, s:o, s:I, s:I, s:I}", "leg",
                                  (json_int_t)s->leg_count, "trial", trial, "origin",
                                  (int)d->origin, "worker", worker, "x", x, "seen",
                                  (json_int_t)s->shown, "time_ns", (json_int_t)now_ns, "expires_ns",
                                  (json_int_t)(lease_ns ? now_ns + lease_ns : 0)));
}

static ty_status give_out(ty_ctx *ctx, ty_study *s, const decision *d, const char *worker,
                          ty_ask *out) {
    TY_TRY(record_ask(ctx, s, d, worker));
    TY_TRY(s->journal ? ty_journal_sync(ctx, s->journal) : TY_OK);
    const ty_trial *t = &s->trials[d->trial]->seen;
    const bool goes_on = d->origin == ORIGIN_PROMOTION || d->origin == ORIGIN_LOST;
    *out = (ty_ask){.kind = TY_ASK_TRIAL, .trial = t, .goes_on = goes_on, .reason = ""};
    return TY_OK;
}

static size_t find_lost(const ty_study *s) {
    size_t i = 0;
    while (i < s->count && !s->trials[i]->seen.is_lost)
        i++;
    return i;
}

static bool reaches_target(const ty_study *s) {
    const size_t best = ty_history_best(&s->history);
    return !isnan(s->target) && best < s->history.count &&
           s->history.shown[best].value <= study_turn(s, s->target);
}

static const char *why_no_more(const ty_study *s) {
    const int64_t bound = s->options.max_consecutive_failures;
    if (bound > 0 && s->consecutive_failures >= (size_t)bound)
        return "too many trials in a row failed";
    return reaches_target(s) ? "the target is reached" : NULL;
}

/* Whether the next leg sees the end of every leg that has a trial. */
static bool sees_all(const ty_study *s) {
    size_t leg = s->options.order == TY_ORDER_WINDOW ? s->shown : s->leg_count;
    while (leg < s->leg_count && s->legs[leg].trial == NO_TRIAL)
        leg++;
    return leg == s->leg_count && s->running == 0;
}

/* Nothing can be asked for: an idle leg moves the window on (WINDOW), until all has been seen. */
static ty_status idle(ty_ctx *ctx, ty_study *s, const decision *d, ty_ask *out) {
    if (sees_all(s))
        *out = (ty_ask){.kind = TY_ASK_DONE, .reason = "all trials are done"};
    else if (s->options.order == TY_ORDER_WINDOW)
        return record_ask(ctx, s, d, "");
    return TY_OK;
}

static ty_status ask_next(ty_ctx *ctx, ty_study *s, const char *worker, ty_ask *out) {
    decision d = {.origin = ORIGIN_LOST, .trial = find_lost(s)};
    if (d.trial < s->count)
        return give_out(ctx, s, &d, worker, out);
    do {
        const size_t leg = s->leg_count;
        *out = (ty_ask){.kind = TY_ASK_WAIT, .reason = ""};
        if (!study_is_decidable(s, leg))
            return TY_OK;
        TY_TRY(study_decide(ctx, s, leg, &d));
        const char *no_more = why_no_more(s);
        if (no_more) {
            *out = (ty_ask){.kind = TY_ASK_DONE, .reason = no_more};
            return TY_OK;
        }
        if (d.origin != ORIGIN_IDLE)
            return give_out(ctx, s, &d, worker, out);
        TY_TRY(idle(ctx, s, &d, out));
    } while (out->kind == TY_ASK_WAIT && s->options.order == TY_ORDER_WINDOW);
    return TY_OK;
}

ty_status ty_study_ask(ty_ctx *ctx, ty_study *s, const char *worker, ty_ask *out) {
    const ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    if (s->options.lease_s > 0)
        TY_TRY(lose_abandoned(ctx, s));
    const ty_status st = ask_next(ctx, s, worker, out);
    ty_arena_reset(&ctx->scratch, mark);
    return st;
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

ty_status ty_study_report(ty_ctx *ctx, ty_study *s, size_t trial, const ty_report *report,
                          ty_decision *out) {
    trial_memory *t = NULL;
    TY_TRY(find_trial(ctx, s, trial, &t));
    if (t->seen.state != TY_TRIAL_RUNNING)
        return ty_fail(ctx, TY_ERR_ARG, "trial %zu has ended and cannot report", trial);
    *out = (ty_decision){.answer = TY_CONTINUE};
    if (was_reported(t, report->step)) {
        if (is_of_this_leg(t))
            *out = verdict_again(t, report->step);
        return TY_OK;
    }
    const ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const ty_status st = study_judge(ctx, s, t, report, out);
    ty_arena_reset(&ctx->scratch, mark);
    TY_TRY(st);
    return study_record(ctx, s, RECORD_REPORT,
                        json_pack("{s:I, s:o, s:o, s:o, s:i, s:s, s:I}", "trial", (json_int_t)trial,
                                  "step", study_number_to_json(report->step), "resource",
                                  study_number_to_json(t->resource[t->seen.reports]), "value",
                                  study_number_to_json(report->value), "answer", (int)out->answer,
                                  "reason", out->reason, "time_ns",
                                  (json_int_t)ty_now_wall_ns(ctx)));
}

ty_status ty_study_tell(ty_ctx *ctx, ty_study *s, size_t trial, const ty_told *told) {
    trial_memory *t = NULL;
    TY_TRY(find_trial(ctx, s, trial, &t));
    if (t->seen.state != TY_TRIAL_RUNNING)
        return TY_OK;
    ty_told end = *told;
    const bool has_reports = t->seen.reports > 0;
    if (isnan(end.value) && has_reports)
        end.value = study_turn(s, t->reported[t->seen.reports - 1]);
    if (end.state == TY_TRIAL_COMPLETE && isnan(end.value)) {
        end.state = TY_TRIAL_FAILED;
        end.reason =
            has_reports ? "its metric is not a number" : "it reported no value of the metric";
    }
    TY_TRY(study_record(ctx, s, RECORD_TELL,
                        json_pack("{s:I, s:i, s:o, s:o, s:s, s:I}", "trial", (json_int_t)trial,
                                  "state", (int)end.state, "value", study_number_to_json(end.value),
                                  "violation", study_number_to_json(end.violation), "reason",
                                  end.reason ? end.reason : "", "time_ns",
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
    TY_TRY(lose(ctx, s, trial, retries >= 0, reason));
    return s->journal ? ty_journal_sync(ctx, s->journal) : TY_OK;
}

ty_status ty_study_enqueue(ty_ctx *ctx, ty_study *s, const double *x) {
    TY_TRY(study_record(ctx, s, RECORD_QUEUE,
                        json_pack("{s:o}", "x", study_point_to_json(x, s->options.space->count))));
    return s->journal ? ty_journal_sync(ctx, s->journal) : TY_OK;
}

/* --- looking ------------------------------------------------------------------------------------ */

size_t ty_study_count(const ty_study *s) {
    return s->count;
}

const ty_trial *ty_study_trial(const ty_study *s, size_t number) {
    return &s->trials[number]->seen;
}

static bool is_better(const ty_study *s, const ty_trial *a, const ty_trial *b) {
    return a->state == TY_TRIAL_COMPLETE && a->violation <= 0 &&
           (!b || study_turn(s, a->value) < study_turn(s, b->value));
}

const ty_trial *ty_study_best(const ty_study *s) {
    const ty_trial *best = NULL;
    for (size_t i = 0; i < s->count; i++)
        if (is_better(s, &s->trials[i]->seen, best))
            best = &s->trials[i]->seen;
    return best;
}
