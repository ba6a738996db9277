#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hpo/study/study_private.h"

/* --- numbers ------------------------------------------------------------------------------------ */

json_t *study_number_to_json(double v) {
    if (isnan(v))
        return json_null();
    return isinf(v) ? json_string(v > 0 ? "inf" : "-inf") : json_real(v);
}

bool study_number_from_json(const json_t *json, double *out) {
    const char *text = json_string_value(json);
    const bool is_infinite = text && (strcmp(text, "inf") == 0 || strcmp(text, "-inf") == 0);
    if (json_is_number(json))
        *out = json_number_value(json);
    else if (is_infinite)
        *out = *text == '-' ? -INFINITY : INFINITY;
    else
        *out = NAN;
    return json_is_number(json) || is_infinite || json_is_null(json);
}

json_t *study_point_to_json(const double *x, size_t dims) {
    json_t *array = json_array();
    for (size_t d = 0; d < dims; d++)
        if (json_array_append_new(array, study_number_to_json(x[d])) != 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

bool study_point_from_json(const json_t *json, size_t dims, double *x) {
    if (!json_is_array(json) || json_array_size(json) != dims)
        return false;
    for (size_t d = 0; d < dims; d++)
        if (!study_number_from_json(json_array_get(json, d), &x[d]))
            return false;
    return true;
}

/* --- memory ------------------------------------------------------------------------------------- */

/* Room for one more element; false when memory is out. */
static bool room_for_one(void **array, size_t count, size_t *capacity, size_t size) {
    if (count < *capacity)
        return true;
    const size_t to = *capacity ? 2 * *capacity : 16;
    void *grown = reallocarray(*array, to, size);
    if (!grown)
        return false;
    *array = grown;
    *capacity = to;
    return true;
}

static void free_trial(trial_memory *t) {
    if (!t)
        return;
    free(t->asked);
    free(t->x);
    free(t->step);
    free(t->resource);
    free(t->reported);
    free(t->legs);
    free(t->reason);
    free(t->worker);
    free(t);
}

void study_free_trials(ty_study *s) {
    for (size_t i = 0; i < s->count; i++)
        free_trial(s->trials[i]);
    free(s->trials);
    free(s->legs);
    json_decref(s->queue);
    json_decref(s->taken);
    json_decref(s->imports);
    free(s->told);
    free(s->curves);
}

static trial_memory *new_trial(ty_study *s) {
    void *trials = s->trials;
    const bool has_room = room_for_one(&trials, s->count, &s->capacity, sizeof *s->trials);
    s->trials = trials;
    trial_memory *t = has_room ? calloc(1, sizeof *t) : NULL;
    if (!t)
        return NULL;
    t->asked = calloc(s->space->count + 1, sizeof *t->asked);
    t->reason = strdup("");
    t->worker = strdup("");
    if (!t->asked || !t->reason || !t->worker) {
        free_trial(t);
        return NULL;
    }
    t->shown_at = NOT_SHOWN;
    t->seen = (ty_trial){.number = s->count,
                         .state = TY_TRIAL_RUNNING,
                         .version = s->version,
                         .asked = t->asked,
                         .value = NAN,
                         .reason = t->reason,
                         .worker = t->worker};
    s->trials[s->count++] = t;
    return t;
}

static bool add_leg(ty_study *s, trial_memory *t) {
    void *legs = s->legs, *own = t ? t->legs : NULL;
    bool has_room = room_for_one(&legs, s->leg_count, &s->leg_capacity, sizeof *s->legs);
    s->legs = legs;
    if (t && has_room) {
        has_room = room_for_one(&own, t->seen.leg_count, &t->leg_capacity, sizeof *t->legs);
        t->legs = own;
        t->seen.legs = own;
    }
    if (!has_room)
        return false;
    s->legs[s->leg_count] =
        (leg_place){.trial = t ? t->seen.number : NO_TRIAL, .index = t ? t->seen.leg_count : 0};
    if (t)
        t->legs[t->seen.leg_count++] = (ty_leg){.number = s->leg_count,
                                                .reports = t->seen.reports,
                                                .state = TY_TRIAL_RUNNING,
                                                .value = NAN};
    s->running += t != NULL;
    s->leg_count++;
    return true;
}

static bool reserve_report(trial_memory *t) {
    double **columns[] = {&t->step, &t->resource, &t->reported};
    if (t->seen.reports < t->report_capacity)
        return true;
    const size_t to = t->report_capacity ? 2 * t->report_capacity : 16;
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        double *grown = reallocarray(*columns[i], to, sizeof *grown);
        if (!grown)
            return false;
        *columns[i] = grown;
    }
    t->seen.step = t->step;
    t->seen.resource = t->resource;
    t->seen.reported = t->reported;
    t->report_capacity = to;
    return true;
}

bool study_place_report(const ty_study *s, trial_memory *t, const ty_report *report) {
    const size_t at = t->seen.reports;
    if (!reserve_report(t))
        return false;
    t->step[at] = report->step;
    t->resource[at] = isnan(report->resource) ? (double)at + 1 : report->resource;
    t->reported[at] = study_turn(s, report->value);
    return true;
}

static bool set_string(char **at, const char **seen, const json_t *json) {
    char *copy = strdup(json_is_string(json) ? json_string_value(json) : "");
    if (!copy)
        return false;
    free(*at);
    *seen = *at = copy;
    return true;
}

/* --- records ------------------------------------------------------------------------------------ */

static ty_status damaged(ty_ctx *ctx, const char *what) {
    return ty_fail(ctx, TY_ERR_INTEGRITY, "the sweep's journal has %s", what);
}

static ty_status no_memory(ty_ctx *ctx) {
    return ty_fail_nomem(ctx, "the trials of a sweep");
}

static size_t index_of(const json_t *record, const char *key) {
    const json_t *json = json_object_get(record, key);
    return json_is_integer(json) && json_integer_value(json) >= 0 ? (size_t)json_integer_value(json)
                                                                  : NO_TRIAL;
}

static int64_t time_of(const json_t *record) {
    return (int64_t)json_integer_value(json_object_get(record, "time_ns"));
}

static ty_status compare_text(ty_ctx *ctx, const json_t *record, const char *key,
                              const char *wanted) {
    const char *had = json_string_value(json_object_get(record, key));
    if (!had || strcmp(had, wanted) == 0)
        return had ? TY_OK : damaged(ctx, "a beginning that lacks something");
    return ty_fail(
        ctx, TY_ERR_CONFIG,
        "this sweep was begun with another %s:\n  %s\nnow it is\n  %s\n"
        "Want another name for it (--set name=...), or the sweep file that it was begun with",
        key, had, wanted);
}

const char *const study_orders[] = {
    [TY_ORDER_WINDOW] = "window", [TY_ORDER_REPLAY] = "replay", [TY_ORDER_OFF] = "off"};

ty_order study_order_named(const char *name) {
    int order = TY_ORDER_WINDOW;
    while (order < TY_ORDER_OFF && strcmp(study_orders[order], name) != 0)
        order++;
    return (ty_order)order;
}

static ty_status fold_bounds(ty_ctx *ctx, ty_study *s, const json_t *r) {
    const json_t *most = json_object_get(r, "max_trials");
    if (!json_is_integer(most) || !study_number_from_json(json_object_get(r, "target"), &s->target))
        return damaged(ctx, "bounds that are none");
    s->max_trials = (int64_t)json_integer_value(most);
    return TY_OK;
}

/* A sweep that was refused for its metric, or a limit's, has no result yet: it may have another one. */
static ty_status compare_identity(ty_ctx *ctx, ty_study *s, const char *had) {
    const char *wanted = s->options.identity;
    s->is_measured_otherwise =
        s->told_count == 0 && !s->has_report && study_measures_otherwise(had, wanted);
    return s->is_measured_otherwise ? TY_OK : study_compare_identities(ctx, had, wanted);
}

/* Before a result is folded. */
static ty_status refuse_otherwise_measured(ty_ctx *ctx, const ty_study *s) {
    return s->is_measured_otherwise
               ? study_compare_identities(ctx, study_identity(s), s->options.identity)
               : TY_OK;
}

static ty_status fold_begin(ty_ctx *ctx, ty_study *s, const json_t *r) {
    char seed[32], window[32];
    if (json_integer_value(json_object_get(r, "version")) != STUDY_VERSION)
        return ty_fail(ctx, TY_ERR_CONFIG, "the sweep's journal is of version %lld, want %d",
                       (long long)json_integer_value(json_object_get(r, "version")), STUDY_VERSION);
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)s->options.seed);
    snprintf(window, sizeof window, "%lld", (long long)s->options.window);
    const char *identity = json_string_value(json_object_get(r, "identity"));
    if (!identity)
        return damaged(ctx, "a beginning that lacks something");
    TY_TRY(compare_identity(ctx, s, identity));
    TY_TRY(compare_text(ctx, r, "seed", seed));
    TY_TRY(compare_text(ctx, r, "order", study_orders[s->options.order]));
    TY_TRY(compare_text(ctx, r, "window", window));
    s->has_begun = true;
    TY_TRY(study_take_imports(ctx, s, json_object_get(r, "imports")));
    TY_TRY(study_change_space(ctx, s, identity));
    if (s->import_count > 0) /* they were measured, too */
        TY_TRY(refuse_otherwise_measured(ctx, s));
    return fold_bounds(ctx, s, r);
}

static ty_status fold_space(ty_ctx *ctx, ty_study *s, const json_t *r) {
    const char *identity = json_string_value(json_object_get(r, "identity"));
    if (!identity)
        return damaged(ctx, "a space without a word of it");
    TY_TRY(compare_identity(ctx, s, identity));
    return study_change_space(ctx, s, identity);
}

/* A sweep that goes on with more trials is the sweep that had so many from the beginning: the idle legs
 * that ended it were none, and nothing counts as shown that a leg now would not see. */
static ty_status fold_bound(ty_ctx *ctx, ty_study *s, const json_t *r) {
    study_forget_history(s);
    return fold_bounds(ctx, s, r);
}

void study_forget_history(ty_study *s) {
    const uint64_t generation = s->history.generation + 1;
    while (s->leg_count > 0 && s->legs[s->leg_count - 1].trial == NO_TRIAL)
        s->leg_count--;
    ty_history_clear(&s->history);
    ty_history_init(&s->history, s->space);
    s->history.generation = generation;
    s->shown = s->begun = 0;
    s->has_shown_imports = false;
    for (size_t i = 0; i < s->count; i++)
        s->trials[i]->shown_at = NOT_SHOWN;
}

static void take_index(ty_study *s, ask_origin origin, size_t index) {
    if (origin == ORIGIN_QUEUE)
        s->queue_taken = index < json_array_size(s->queue) ? index + 1 : s->queue_taken + 1;
    else
        s->combination = index == NO_TRIAL ? s->combination : index + 1;
}

/* Samplers index by a choice. Whether a number lies in its range is the space's business, which a study
 * without a sweep file may be opened with another one of. */
bool study_could_be_asked(const ty_space *space, const double *x) {
    bool could = true;
    for (size_t d = 0; could && d < space->count; d++) {
        const ty_param *p = &space->params[d];
        if (isnan(x[d]))
            could = !ty_space_is_active(space, x, d);
        else
            could = ty_param_is_numeric(p) ? isfinite(x[d]) : ty_param_accepts(p, x[d]);
    }
    return could;
}

static ty_status fold_ask(ty_ctx *ctx, ty_study *s, const json_t *r) {
    const size_t number = index_of(r, "trial");
    const json_int_t origin = json_integer_value(json_object_get(r, "origin"));
    trial_memory *t = number < s->count ? s->trials[number] : NULL;
    if (origin < ORIGIN_SAMPLER || origin > ORIGIN_IDLE)
        return damaged(ctx, "a leg of an unknown origin");
    if (origin == ORIGIN_IDLE)
        return add_leg(s, NULL) ? TY_OK : no_memory(ctx);
    if (origin == ORIGIN_SAMPLER || origin == ORIGIN_QUEUE) {
        if (number != s->count)
            return damaged(ctx, "a trial out of order");
        t = new_trial(s);
        if (!t)
            return no_memory(ctx);
        if (!study_point_from_json(json_object_get(r, "x"), s->space->count, t->asked) ||
            !study_could_be_asked(s->space, t->asked))
            return damaged(ctx, "a trial without its point");
        TY_TRY(study_carry_over(ctx, s, t));
        take_index(s, (ask_origin)origin, index_of(r, "index"));
    }
    if (!t || (origin == ORIGIN_PROMOTION && t->seen.state != TY_TRIAL_PAUSED) ||
        (origin == ORIGIN_LOST && !t->seen.is_lost))
        return damaged(ctx, "a leg of a trial that could have none");
    if (origin != ORIGIN_LOST && !add_leg(s, t))
        return no_memory(ctx);
    if (t->seen.is_stripped && t->seen.reports > 0)
        t->seen.retrained += t->resource[t->seen.reports - 1];
    t->seen.state = TY_TRIAL_RUNNING;
    t->seen.is_lost = t->seen.is_stripped = false;
    t->seen.asked_ns = t->legs[t->seen.leg_count - 1].asked_ns = time_of(r);
    t->expires_ns = (int64_t)json_integer_value(json_object_get(r, "expires_ns"));
    return set_string(&t->worker, &t->seen.worker, json_object_get(r, "worker")) ? TY_OK
                                                                                 : no_memory(ctx);
}

/* The trial of a record that says something of a running one. */
static ty_status running(ty_ctx *ctx, ty_study *s, const json_t *r, trial_memory **out) {
    const size_t number = index_of(r, "trial");
    if (number >= s->count || s->trials[number]->seen.state != TY_TRIAL_RUNNING)
        return damaged(ctx, "news of a trial that did not run");
    *out = s->trials[number];
    return TY_OK;
}

bool study_report_from_json(const json_t *r, ty_report *out) {
    return study_number_from_json(json_object_get(r, "step"), &out->step) &&
           study_number_from_json(json_object_get(r, "resource"), &out->resource) &&
           study_number_from_json(json_object_get(r, "value"), &out->value);
}

static ty_status fold_report(ty_ctx *ctx, ty_study *s, const json_t *r) {
    trial_memory *t = NULL;
    ty_report report;
    TY_TRY(refuse_otherwise_measured(ctx, s));
    TY_TRY(running(ctx, s, r, &t));
    const json_int_t answer = json_integer_value(json_object_get(r, "answer"));
    if (!study_report_from_json(r, &report))
        return damaged(ctx, "a report without its numbers");
    if (answer < TY_CONTINUE || answer > TY_PAUSE)
        return damaged(ctx, "an answer to a report that is none");
    if (!study_place_report(s, t, &report))
        return no_memory(ctx);
    s->has_report = true;
    t->legs[t->seen.leg_count - 1].reports = ++t->seen.reports;
    const char *reason = json_string_value(json_object_get(r, "reason"));
    const json_t *expires = json_object_get(r, "expires_ns");
    if (expires) /* reports of older journals say nothing of it */
        t->expires_ns = (int64_t)json_integer_value(expires);
    t->last_answer = (ty_answer)answer;
    snprintf(t->last_reason, sizeof t->last_reason, "%s", reason ? reason : "");
    return TY_OK;
}

static ty_status end_leg(ty_ctx *ctx, ty_study *s, trial_memory *t, ty_leg told) {
    void *order = s->told;
    if (!room_for_one(&order, s->told_count, &s->told_capacity, sizeof *s->told))
        return no_memory(ctx);
    s->told = order;
    ty_leg *leg = &t->legs[t->seen.leg_count - 1];
    leg->state = t->seen.state = told.state;
    leg->value = t->seen.value = told.value;
    leg->violation = t->seen.violation = told.violation;
    t->seen.is_lost = false;
    s->told[s->told_count++] = leg->number;
    s->running--;
    s->consecutive_failures = told.state == TY_TRIAL_FAILED ? s->consecutive_failures + 1 : 0;
    return TY_OK;
}

static ty_status fold_tell(ty_ctx *ctx, ty_study *s, const json_t *r) {
    trial_memory *t = NULL;
    ty_leg told = {0};
    const long long state = json_integer_value(json_object_get(r, "state"));
    TY_TRY(refuse_otherwise_measured(ctx, s));
    TY_TRY(running(ctx, s, r, &t));
    if (state <= TY_TRIAL_RUNNING || state > TY_TRIAL_FAILED ||
        !study_number_from_json(json_object_get(r, "value"), &told.value) ||
        !study_number_from_json(json_object_get(r, "violation"), &told.violation))
        return damaged(ctx, "an end of a trial that is none");
    told.state = (ty_trial_state)state;
    TY_TRY(end_leg(ctx, s, t, told));
    t->seen.told_ns = t->legs[t->seen.leg_count - 1].told_ns = time_of(r);
    const json_t *worker = json_object_get(r, "worker");
    if (worker && !set_string(&t->worker, &t->seen.worker, worker))
        return no_memory(ctx);
    return set_string(&t->reason, &t->seen.reason, json_object_get(r, "reason")) ? TY_OK
                                                                                 : no_memory(ctx);
}

static ty_status fold_lose(ty_ctx *ctx, ty_study *s, const json_t *r) {
    trial_memory *t = NULL;
    TY_TRY(running(ctx, s, r, &t));
    t->seen.is_lost = true;
    t->seen.times_lost += json_is_true(json_object_get(r, "counts"));
    return set_string(&t->reason, &t->seen.reason, json_object_get(r, "reason")) ? TY_OK
                                                                                 : no_memory(ctx);
}

static ty_status fold_renew(ty_ctx *ctx, ty_study *s, const json_t *r) {
    trial_memory *t = NULL;
    TY_TRY(running(ctx, s, r, &t));
    t->seen.is_lost = false;
    t->expires_ns = (int64_t)json_integer_value(json_object_get(r, "expires_ns"));
    return set_string(&t->worker, &t->seen.worker, json_object_get(r, "worker")) ? TY_OK
                                                                                 : no_memory(ctx);
}

static ty_status fold_queue(ty_ctx *ctx, ty_study *s, const json_t *r) {
    json_t *point = json_object_get(r, "point");
    if (!json_is_object(point))
        return damaged(ctx, "an enqueued point that is none");
    const char *left_as = json_string_value(json_object_get(r, "left_as"));
    if (!s->queue)
        s->queue = json_array();
    if (!s->taken)
        s->taken = json_object();
    if (left_as && json_object_set_new(s->taken, left_as, json_true()) != 0)
        return no_memory(ctx);
    return json_array_append(s->queue, point) == 0 ? TY_OK : no_memory(ctx);
}

static ty_status fold_strip(ty_ctx *ctx, ty_study *s, const json_t *r) {
    const size_t number = index_of(r, "trial");
    if (number >= s->count || s->trials[number]->seen.state == TY_TRIAL_RUNNING)
        return damaged(ctx, "checkpoints taken from a trial that had none to give");
    s->trials[number]->seen.is_stripped = true;
    return TY_OK;
}

typedef ty_status fold_fn(ty_ctx *ctx, ty_study *s, const json_t *record);

static fold_fn *const folds[] = {
    [RECORD_BEGIN] = fold_begin, [RECORD_ASK] = fold_ask,     [RECORD_REPORT] = fold_report,
    [RECORD_TELL] = fold_tell,   [RECORD_LOSE] = fold_lose,   [RECORD_QUEUE] = fold_queue,
    [RECORD_BOUND] = fold_bound, [RECORD_SPACE] = fold_space, [RECORD_RENEW] = fold_renew,
    [RECORD_STRIP] = fold_strip};

static ty_status fold_json(ty_ctx *ctx, ty_study *s, uint32_t type, const json_t *record) {
    if (type < RECORD_BEGIN || type >= sizeof folds / sizeof *folds ||
        s->has_begun == (type == RECORD_BEGIN))
        return damaged(ctx, "a record of an unknown kind or out of place");
    return folds[type](ctx, s, record);
}

ty_status study_fold(ty_ctx *ctx, ty_study *s, uint32_t type, const void *payload, size_t bytes) {
    json_t *record = json_loadb(payload, bytes, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(record)) {
        json_decref(record);
        return damaged(ctx, "a record that is no JSON");
    }
    const ty_status st = fold_json(ctx, s, type, record);
    json_decref(record);
    return st;
}

/* The journal first: what could not be written did not happen. Nor did what a scheduler writes that was followed:
 * it asks before each record, since they are few and the sync comes after memory has it. A study without a journal
 * (a replay, a sweep in memory) only folds. */
ty_status study_record(ty_ctx *ctx, ty_study *s, record_type type, json_t *json) {
    ty_status st = json ? TY_OK : no_memory(ctx);
    if (st == TY_OK && s->lease)
        st = ty_lease_check(ctx, s->lease);
    if (st == TY_OK && s->journal) {
        char *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(17));
        st = text ? ty_journal_append(ctx, s->journal, type, text, strlen(text), NULL)
                  : no_memory(ctx);
        free(text);
    }
    if (st == TY_OK)
        st = fold_json(ctx, s, type, json);
    json_decref(json);
    return st;
}
