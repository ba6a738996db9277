#include "hpo/study/study.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hpo/space/points.h"
#include "hpo/study/study_private.h"

/* --- opening ------------------------------------------------------------------------------------ */

static ty_status begin(ty_ctx *ctx, ty_study *s) {
    char seed[32], window[32];
    const ty_study_options *o = &s->options;
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)o->seed);
    snprintf(window, sizeof window, "%lld", (long long)o->window);
    TY_TRY(study_record(
        ctx, s, RECORD_BEGIN,
        json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:b, s:I, s:o, s:O*, s:I}", "version",
                  STUDY_VERSION, "name", o->name, "identity", o->identity, "seed", seed, "order",
                  study_orders[o->order], "window", window, "maximize", o->maximize, "max_trials",
                  (json_int_t)o->max_trials, "target", study_number_to_json(o->target), "imports",
                  o->imports, "time_ns", (json_int_t)ty_now_wall_ns(ctx))));
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

/* The file may say another space than the journal's newest. Recorded before anything else is, so that what
 * follows is decided in it. */
static ty_status change_space(ty_ctx *ctx, ty_study *s) {
    const ty_study_options *o = &s->options;
    if (study_is_of_space(s, o->identity))
        return TY_OK;
    const size_t versions = s->version_count;
    if (s->journal && o->changes)
        TY_TRY(o->changes(ctx, o->changes_self));
    TY_TRY(study_record(ctx, s, RECORD_SPACE,
                        json_pack("{s:s, s:I}", "identity", o->identity, "time_ns",
                                  (json_int_t)ty_now_wall_ns(ctx))));
    if (!s->journal)
        return TY_OK;
    if (s->version_count == versions)
        ty_log(ctx, TY_LOG_INFO, "sweep",
               "no trial has a result yet: it is measured as the sweep file says now");
    else
        ty_log(ctx, TY_LOG_INFO, "sweep",
               "space %zu from here on, which knows %zu of the %zu trials before it",
               s->version->number, study_count_known(s), s->count);
    return ty_journal_sync(ctx, s->journal);
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
                            .starts_over = options->starts_over,
                            .is_turned = options->maximize};
    const ty_pruner_type *pruner = ty_pruner_of(options->pruner);
    return pruner->check ? pruner->check(ctx, options->pruner->config, &board) : TY_OK;
}

ty_status study_new(ty_ctx *ctx, const ty_study_options *options, ty_study **out) {
    ty_study *s = calloc(1, sizeof *s);
    if (!s)
        return ty_fail_nomem(ctx, "a sweep");
    s->options = *options;
    s->space = options->space;
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

/* Who opens a study without a lease on its trials keeps it to the end: nobody else could tell one. */
static bool is_abandoned(const ty_study *s, const trial_memory *t, int64_t now_ns) {
    const bool is_over = s->options.lease_s <= 0 || t->expires_ns <= now_ns;
    return t->seen.state == TY_TRIAL_RUNNING && !t->seen.is_lost && is_over;
}

/* Only one process writes a sweep: who asked before and holds no lease is gone when it is opened. */
static ty_status lose_abandoned(ty_ctx *ctx, ty_study *s) {
    const int64_t now_ns = ty_now_wall_ns(ctx);
    for (size_t i = 0; i < s->count; i++)
        if (is_abandoned(s, s->trials[i], now_ns))
            TY_TRY(study_lose(ctx, s, i, false, "nobody ran it any more"));
    return TY_OK;
}

/* A lock does not reach other hosts everywhere; who died there is followed when its lease ran out. */
static ty_status take_lease(ty_ctx *ctx, const char *path, ty_lease **out) {
    enum { TTL_MS = 30000 };
    const ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const char *folder = ty_path_folder(&ctx->scratch, path);
    const char *name = folder ? ty_path_join(&ctx->scratch, folder, "sweep.lease") : NULL;
    const ty_status st =
        name ? ty_lease_acquire(ctx, name, TTL_MS, out) : ty_fail_nomem(ctx, "a lease's name");
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}

static ty_status find_drops(ty_ctx *ctx, ty_study *s, const char *path) {
    const ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const char *folder = study_drop_folder(&ctx->scratch, path);
    s->drops = folder ? strdup(folder) : NULL;
    ty_arena_reset(&ctx->scratch, mark);
    return s->drops ? TY_OK : ty_fail_nomem(ctx, "a path");
}

ty_status ty_study_open(ty_ctx *ctx, const char *path, const ty_study_options *options,
                        ty_study **out) {
    ty_study *s = NULL;
    TY_TRY(study_new(ctx, options, &s));
    ty_status st = TY_OK;
    if (path) {
        TY_TRY_GOTO(failed, st, take_lease(ctx, path, &s->lease));
        TY_TRY_GOTO(failed, st, ty_journal_open_held(ctx, path, s->lease, &s->journal));
        TY_TRY_GOTO(failed, st, fold_file(ctx, s, path));
        TY_TRY_GOTO(failed, st, find_drops(ctx, s, path));
    }
    if (!s->has_begun)
        TY_TRY_GOTO(failed, st, begin(ctx, s));
    TY_TRY_GOTO(failed, st, change_space(ctx, s));
    TY_TRY_GOTO(failed, st, bound_anew(ctx, s));
    TY_TRY_GOTO(failed, st, lose_abandoned(ctx, s));
    TY_TRY_GOTO(failed, st, study_enqueue_new(ctx, s));
    TY_TRY_GOTO(failed, st, study_take_drops(ctx, s));
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
    ty_status st = fold_file(ctx, s, path);
    if (st == TY_OK && s->has_begun)
        st = change_space(ctx, s); /* of what is looked at, not of the journal */
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
    ty_lease_release(&ctx, s->lease);
    ty_ctx_clear(&ctx);
    ty_sampler_close(s->sampler);
    ty_history_clear(&s->history);
    study_free_trials(s);
    study_free_versions(s);
    free(s->drops);
    free(s);
}

/* --- deciding: pure functions of what a leg may see --------------------------------------------- */

/* What a new trial would be; out stays idle where there is to be none. A sampler without an end is not asked
 * before it is known that one begins. */
static ty_status find_point(ty_ctx *ctx, ty_study *s, double *given, decision *out) {
    const size_t bound = s->max_trials > 0 ? (size_t)s->max_trials : SIZE_MAX;
    const size_t total = ty_sampler_total(s->sampler);
    if (s->count >= bound)
        return TY_OK;
    out->index = study_find_queued(ctx, s, given);
    if (out->index < json_array_size(s->queue)) {
        out->origin = ORIGIN_QUEUE;
        return TY_OK;
    }
    out->index = NO_TRIAL;
    if (total > 0)
        TY_TRY(study_find_combination(ctx, s, out));
    if (total == 0 || out->index < total)
        out->origin = ORIGIN_SAMPLER;
    return TY_OK;
}

static ty_status decide_promotion(ty_ctx *ctx, ty_study *s, size_t leg, bool is_last,
                                  size_t *trial) {
    const ty_pruner_type *pruner = ty_pruner_of(s->options.pruner);
    ty_board board;
    *trial = NO_TRIAL;
    if (!pruner->promote)
        return TY_OK;
    TY_TRY(study_board(ctx, s, leg, NO_TRIAL, &board));
    board.is_last = is_last;
    const size_t index = pruner->promote(s->options.pruner->config, &board);
    if (index < board.count)
        *trial = board.curves[index].number;
    return TY_OK;
}

static ty_status complete_point(ty_ctx *ctx, ty_study *s, const double *given, decision *d) {
    d->trial = s->count;
    if (d->origin == ORIGIN_QUEUE)
        return ty_point_complete(ctx, s->sampler, &s->history, s->options.seed,
                                 s->import_count + s->count, given, d->x);
    return d->index == NO_TRIAL
               ? ty_sampler_suggest(ctx, s->sampler, &s->history, s->import_count + s->count, d->x)
               : TY_OK;
}

ty_status study_decide(ty_ctx *ctx, ty_study *s, size_t leg, decision *out) {
    const size_t dims = s->space->count;
    double *given = ty_arena_array(&ctx->scratch, 2 * dims + 1, sizeof *given);
    size_t promoted;
    if (!given)
        return ty_fail_nomem(ctx, "the point of a trial");
    *out =
        (decision){.origin = ORIGIN_IDLE, .trial = NO_TRIAL, .x = given + dims, .index = NO_TRIAL};
    if (!s->sampler)
        TY_TRY(ty_sampler_open(ctx, s->options.sampler, s->space, s->options.seed, &s->sampler));
    TY_TRY(study_show_history(ctx, s, leg));
    TY_TRY(find_point(ctx, s, given, out));
    TY_TRY(decide_promotion(ctx, s, leg, out->origin == ORIGIN_IDLE, &promoted));
    if (promoted != NO_TRIAL)
        *out = (decision){.origin = ORIGIN_PROMOTION, .trial = promoted, .index = NO_TRIAL};
    else if (out->origin == ORIGIN_IDLE)
        out->x = NULL;
    else
        return complete_point(ctx, s, given, out);
    return TY_OK;
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

/* A journal with a record that folding refuses can no longer be read: looked at before it is appended. */
static ty_status check_decision(ty_ctx *ctx, const ty_study *s, const decision *d) {
    return !d->x || study_could_be_asked(s->space, d->x)
               ? TY_OK
               : ty_fail(ctx, TY_ERR_INTERNAL,
                         "the point of trial %zu is none of the sweep's space; it was not recorded",
                         d->trial);
}

static ty_status record_ask(ty_ctx *ctx, ty_study *s, const decision *d, const char *worker) {
    const int64_t now_ns = ty_now_wall_ns(ctx);
    TY_TRY(check_decision(ctx, s, d));
    json_t *trial = d->trial == NO_TRIAL ? json_null() : json_integer((json_int_t)d->trial);
    json_t *index = d->index == NO_TRIAL ? json_null() : json_integer((json_int_t)d->index);
    json_t *x = d->x ? study_point_to_json(d->x, s->space->count) : json_null();
    return study_record(ctx, s, RECORD_ASK,
                        json_pack("{s:I, s:o, s:i, s:o, s:o, s:o, s:I, s:I, s:o}", "leg",
                                  (json_int_t)s->leg_count, "trial", trial, "origin",
                                  (int)d->origin, "worker", ty_json_string(worker), "x", x, "index",
                                  index, "seen", (json_int_t)s->shown, "time_ns",
                                  (json_int_t)now_ns, "expires_ns", study_expiry(s, now_ns)));
}

static ty_status give_out(ty_ctx *ctx, ty_study *s, const decision *d, const char *worker,
                          ty_ask *out) {
    const bool is_anew = d->trial < s->count && s->trials[d->trial]->seen.is_stripped;
    TY_TRY(record_ask(ctx, s, d, worker));
    TY_TRY(s->journal ? ty_journal_sync(ctx, s->journal) : TY_OK);
    const ty_trial *t = &s->trials[d->trial]->seen;
    const bool goes_on = d->origin == ORIGIN_PROMOTION || d->origin == ORIGIN_LOST;
    *out = (ty_ask){
        .kind = TY_ASK_TRIAL, .trial = t, .goes_on = goes_on, .begins_anew = is_anew, .reason = ""};
    return TY_OK;
}

static size_t find_lost(const ty_study *s) {
    size_t i = 0;
    while (i < s->count && !s->trials[i]->seen.is_lost)
        i++;
    return i;
}

static bool is_good_enough(const ty_study *s, const ty_shown *shown) {
    return shown->state == TY_TRIAL_COMPLETE && shown->violation <= 0 &&
           shown->value <= study_turn(s, s->target);
}

/* By a trial of its own. */
static bool reaches_target(const ty_study *s) {
    bool does = false;
    for (size_t i = s->history.imported; !does && !isnan(s->target) && i < s->history.count; i++)
        does = is_good_enough(s, &s->history.shown[i]);
    return does;
}

static bool fails_too_often(const ty_study *s) {
    const int64_t bound = s->options.max_consecutive_failures;
    return bound > 0 && s->consecutive_failures >= (size_t)bound;
}

static const char *why_no_more(const ty_study *s) {
    if (fails_too_often(s))
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
    decision d = {.origin = ORIGIN_LOST, .trial = find_lost(s), .index = NO_TRIAL};
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
            *out =
                (ty_ask){.kind = TY_ASK_DONE, .has_failed = fails_too_often(s), .reason = no_more};
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
    TY_TRY(study_take_drops(ctx, s));
    const ty_status st = ask_next(ctx, s, worker, out);
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}

/* --- looking ------------------------------------------------------------------------------------ */

const ty_version *ty_study_version(const ty_study *s) {
    return s->version;
}

size_t ty_study_count(const ty_study *s) {
    return s->count;
}

const ty_trial *ty_study_trial(const ty_study *s, size_t number) {
    return &s->trials[number]->seen;
}

int64_t ty_study_expires_ns(const ty_study *s, size_t number) {
    return s->trials[number]->expires_ns;
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
