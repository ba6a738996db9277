#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hpo/study_private.h"

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
    free(s->queue);
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
    t->x = calloc(s->options.space->count + 1, sizeof *t->x);
    t->reason = strdup("");
    t->worker = strdup("");
    if (!t->x || !t->reason || !t->worker) {
        free_trial(t);
        return NULL;
    }
    t->shown_at = NOT_SHOWN;
    t->seen = (ty_trial){.number = s->count,
                         .state = TY_TRIAL_RUNNING,
                         .x = t->x,
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
    return ty_fail(ctx, TY_ERR_CONFIG,
                   "this sweep was begun with another %s:\n  %s\nnow it is\n  %s\n"
                   "Want another name for it, or the sweep file that it was begun with",
                   key, had, wanted);
}

const char *const study_orders[] = {
    [TY_ORDER_WINDOW] = "window", [TY_ORDER_REPLAY] = "replay", [TY_ORDER_OFF] = "off"};

static ty_status fold_bounds(ty_ctx *ctx, ty_study *s, const json_t *r) {
    const json_t *most = json_object_get(r, "max_trials");
    if (!json_is_integer(most) || !study_number_from_json(json_object_get(r, "target"), &s->target))
        return damaged(ctx, "bounds that are none");
    s->max_trials = (int64_t)json_integer_value(most);
    return TY_OK;
}

static ty_status fold_begin(ty_ctx *ctx, ty_study *s, const json_t *r) {
    char seed[32], window[32];
    if (json_integer_value(json_object_get(r, "version")) != STUDY_VERSION)
        return ty_fail(ctx, TY_ERR_CONFIG, "the sweep's journal is of version %lld, want %d",
                       (long long)json_integer_value(json_object_get(r, "version")), STUDY_VERSION);
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)s->options.seed);
    snprintf(window, sizeof window, "%lld", (long long)s->options.window);
    TY_TRY(compare_text(ctx, r, "identity", s->options.identity));
    TY_TRY(compare_text(ctx, r, "seed", seed));
    TY_TRY(compare_text(ctx, r, "order", study_orders[s->options.order]));
    TY_TRY(compare_text(ctx, r, "window", window));
    s->has_begun = true;
    return fold_bounds(ctx, s, r);
}

/* A sweep that goes on with more trials is the sweep that had so many from the beginning: the idle legs
 * that ended it were none, and nothing counts as shown that a leg now would not see. */
static ty_status fold_bound(ty_ctx *ctx, ty_study *s, const json_t *r) {
    const uint64_t generation = s->history.generation + 1;
    while (s->leg_count > 0 && s->legs[s->leg_count - 1].trial == NO_TRIAL)
        s->leg_count--;
    ty_history_clear(&s->history);
    ty_history_init(&s->history, s->options.space);
    s->history.generation = generation;
    s->shown = s->begun = 0;
    for (size_t i = 0; i < s->count; i++)
        s->trials[i]->shown_at = NOT_SHOWN;
    return fold_bounds(ctx, s, r);
}

static ty_status fold_ask(ty_ctx *ctx, ty_study *s, const json_t *r) {
    const size_t number = index_of(r, "trial");
    const int origin = (int)json_integer_value(json_object_get(r, "origin"));
    trial_memory *t = number < s->count ? s->trials[number] : NULL;
    if (origin == ORIGIN_IDLE)
        return add_leg(s, NULL) ? TY_OK : no_memory(ctx);
    if (origin == ORIGIN_SAMPLER || origin == ORIGIN_QUEUE) {
        if (number != s->count)
            return damaged(ctx, "a trial out of order");
        t = new_trial(s);
        if (!t)
            return no_memory(ctx);
        if (!study_point_from_json(json_object_get(r, "x"), s->options.space->count, t->x))
            return damaged(ctx, "a trial without its point");
        s->queue_taken += origin == ORIGIN_QUEUE;
    }
    if (!t || (origin == ORIGIN_PROMOTION && t->seen.state != TY_TRIAL_PAUSED) ||
        (origin == ORIGIN_LOST && !t->seen.is_lost))
        return damaged(ctx, "a leg of a trial that could have none");
    if (origin != ORIGIN_LOST && !add_leg(s, t))
        return no_memory(ctx);
    t->seen.state = TY_TRIAL_RUNNING;
    t->seen.is_lost = false;
    t->seen.asked_ns = time_of(r);
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
    TY_TRY(running(ctx, s, r, &t));
    if (!study_report_from_json(r, &report))
        return damaged(ctx, "a report without its numbers");
    if (!study_place_report(s, t, &report))
        return no_memory(ctx);
    t->legs[t->seen.leg_count - 1].reports = ++t->seen.reports;
    const char *reason = json_string_value(json_object_get(r, "reason"));
    t->last_answer = (ty_answer)json_integer_value(json_object_get(r, "answer"));
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
    TY_TRY(running(ctx, s, r, &t));
    if (state <= TY_TRIAL_RUNNING || state > TY_TRIAL_FAILED ||
        !study_number_from_json(json_object_get(r, "value"), &told.value) ||
        !study_number_from_json(json_object_get(r, "violation"), &told.violation))
        return damaged(ctx, "an end of a trial that is none");
    told.state = (ty_trial_state)state;
    TY_TRY(end_leg(ctx, s, t, told));
    t->seen.told_ns = time_of(r);
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

static ty_status fold_queue(ty_ctx *ctx, ty_study *s, const json_t *r) {
    const size_t dims = s->options.space->count;
    void *queue = s->queue;
    if (!room_for_one(&queue, s->queued, &s->queue_capacity, (dims + 1) * sizeof *s->queue))
        return no_memory(ctx);
    s->queue = queue;
    if (!study_point_from_json(json_object_get(r, "x"), dims, s->queue + s->queued * dims))
        return damaged(ctx, "an enqueued point that is none");
    s->queued++;
    return TY_OK;
}

typedef ty_status fold_fn(ty_ctx *ctx, ty_study *s, const json_t *record);

static fold_fn *const folds[] = {
    [RECORD_BEGIN] = fold_begin, [RECORD_ASK] = fold_ask,   [RECORD_REPORT] = fold_report,
    [RECORD_TELL] = fold_tell,   [RECORD_LOSE] = fold_lose, [RECORD_QUEUE] = fold_queue,
    [RECORD_BOUND] = fold_bound};

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

/* The journal first: what could not be written did not happen. A study without one (a replay, a
 * sweep in memory) only folds. */
ty_status study_record(ty_ctx *ctx, ty_study *s, record_type type, json_t *json) {
    ty_status st = json ? TY_OK : no_memory(ctx);
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
