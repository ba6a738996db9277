/* The lines of Optuna's journal: what a study's trials become, and how far a journal has them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hpo/optuna/optuna_private.h"

/* --- writing ------------------------------------------------------------------------------------ */

static void begin_line(ty_text *out, optuna_op op) {
    ty_text_addf(out, "{\"op_code\":%d,\"worker_id\":\"" OPTUNA_WORKER "\"", (int)op);
}

static void begin_trial_line(ty_text *out, optuna_op op, size_t trial) {
    begin_line(out, op);
    ty_text_addf(out, ",\"trial_id\":%zu", trial);
}

static void add_time(ty_text *out, int64_t ns) {
    ty_text_add(out, "\"");
    ty_text_add_time(out, ns);
    ty_text_add(out, "\"");
}

void optuna_add_head(const ty_optuna_view *view, ty_text *out) {
    begin_line(out, OPTUNA_CREATE_STUDY);
    ty_text_add(out, ",\"study_name\":");
    ty_text_add_json(out, view->name);
    ty_text_addf(out, ",\"directions\":[%d]}\n", view->maximize ? 2 : 1);
    begin_line(out, OPTUNA_SET_STUDY_SYSTEM_ATTR);
    ty_text_add(out, ",\"study_id\":0,\"system_attr\":{\"study:metric_names\":[");
    ty_text_add_json(out, view->metric);
    ty_text_add(out, "]}}\n");
}

static void add_params(const ty_space *space, const double *x, ty_text *out) {
    const char *separator = "";
    for (size_t d = 0; d < space->count; d++) {
        if (isnan(x[d]))
            continue;
        ty_text_add(out, separator);
        ty_text_add_json(out, space->params[d].name);
        ty_text_add(out, ":");
        optuna_add_number(out, x[d]);
        separator = ",";
    }
}

static void add_trial(const ty_trial *t, ty_text *out) {
    begin_line(out, OPTUNA_CREATE_TRIAL);
    ty_text_add(out, ",\"study_id\":0,\"datetime_start\":");
    add_time(out, t->asked_ns);
    ty_text_add(out, ",\"distributions\":");
    ty_optuna_add_distributions(t->version->space, t->asked, out);
    ty_text_add(out, ",\"params\":{");
    add_params(t->version->space, t->asked, out);
    ty_text_add(out, "}}\n");
}

/* Optuna counts steps in whole numbers. */
static void add_report(const ty_optuna_view *view, const ty_trial *t, size_t index, ty_text *out) {
    begin_trial_line(out, OPTUNA_SET_INTERMEDIATE, t->number);
    ty_text_addf(out, ",\"step\":%.0f,\"intermediate_value\":", floor(t->step[index]));
    optuna_add_number(out, view->maximize ? -t->reported[index] : t->reported[index]);
    ty_text_add(out, "}\n");
}

enum { STATE_COMPLETE = 1, STATE_PRUNED = 2, STATE_FAIL = 3 }; /* optuna.trial.TrialState */

static int state_of(const ty_trial *t) {
    return t->state == TY_TRIAL_COMPLETE ? STATE_COMPLETE
           : t->state == TY_TRIAL_FAILED ? STATE_FAIL
                                         : STATE_PRUNED;
}

/* A failed trial has none; NAN is none. */
static double value_of(const ty_optuna_view *view, const ty_trial *t) {
    if (t->state == TY_TRIAL_FAILED || !isnan(t->value) || t->reports == 0)
        return t->state == TY_TRIAL_FAILED ? NAN : t->value;
    const double last = t->reported[t->reports - 1];
    return view->maximize ? -last : last;
}

static void add_reason(const ty_trial *t, ty_text *out) {
    begin_trial_line(out, OPTUNA_SET_USER_ATTR, t->number);
    ty_text_add(out, ",\"user_attr\":{\"reason\":");
    ty_text_add_json(out, t->reason);
    ty_text_add(out, "}}\n");
}

static void add_violation(const ty_trial *t, ty_text *out) {
    begin_trial_line(out, OPTUNA_SET_SYSTEM_ATTR, t->number);
    ty_text_add(out, ",\"system_attr\":{\"constraints\":[");
    optuna_add_number(out, t->violation);
    ty_text_add(out, "]}}\n");
}

static void add_state(const ty_optuna_view *view, const ty_trial *t, ty_text *out) {
    const double value = value_of(view, t);
    begin_trial_line(out, OPTUNA_SET_STATE_VALUES, t->number);
    ty_text_addf(out, ",\"state\":%d,\"values\":", state_of(t));
    ty_text_add(out, isnan(value) ? "null" : "[");
    if (!isnan(value))
        optuna_add_number(out, value);
    ty_text_add(out, isnan(value) ? ",\"datetime_complete\":" : "],\"datetime_complete\":");
    add_time(out, t->told_ns > 0 ? t->told_ns : t->asked_ns);
    ty_text_add(out, "}\n");
}

/* A trial that has ended takes no more, so that its end comes last. */
static void add_end(const ty_optuna_view *view, const ty_trial *t, optuna_seen *seen,
                    ty_text *out) {
    if (*t->reason && !seen->has_reason)
        add_reason(t, out);
    if (view->has_limits && !isnan(t->violation) && !seen->has_limits)
        add_violation(t, out);
    add_state(view, t, out);
    seen->has_ended = true;
}

static bool has_ended(const ty_trial *t, bool is_last) {
    return t->state == TY_TRIAL_PAUSED ? is_last : t->state != TY_TRIAL_RUNNING;
}

/* --- how far a journal is ----------------------------------------------------------------------- */

void optuna_cursor_clear(optuna_cursor *cursor) {
    free(cursor->trials);
    *cursor = (optuna_cursor){0};
}

static ty_status push_trial(ty_ctx *ctx, optuna_cursor *c) {
    if (c->count == c->capacity) {
        const size_t capacity = c->capacity ? 2 * c->capacity : 64;
        optuna_seen *trials = reallocarray(c->trials, capacity, sizeof *trials);
        if (!trials)
            return ty_fail_nomem(ctx, "the trials of a journal for Optuna");
        c->trials = trials;
        c->capacity = capacity;
    }
    c->trials[c->count++] = (optuna_seen){0};
    return TY_OK;
}

static void add_trial_news(const ty_optuna_view *view, const ty_trial *t, bool is_last,
                           optuna_seen *seen, ty_text *out) {
    if (seen->has_ended)
        return;
    for (; seen->reports < t->reports; seen->reports++)
        add_report(view, t, seen->reports, out);
    if (has_ended(t, is_last))
        add_end(view, t, seen, out);
}

ty_status optuna_add_news(ty_ctx *ctx, const ty_optuna_view *view, bool is_last, optuna_cursor *c,
                          ty_text *out) {
    const size_t count = ty_study_count(view->study);
    for (size_t i = c->first_open; i < count; i++) {
        const ty_trial *t = ty_study_trial(view->study, i);
        if (i == c->count) {
            add_trial(t, out);
            TY_TRY(push_trial(ctx, c));
        }
        add_trial_news(view, t, is_last, &c->trials[i], out);
    }
    while (c->first_open < c->count && c->trials[c->first_open].has_ended)
        c->first_open++;
    return out->is_short ? ty_fail_nomem(ctx, "a journal for Optuna") : TY_OK;
}

ty_status ty_optuna_export(ty_ctx *ctx, const ty_optuna_view *view, ty_text *out) {
    optuna_cursor cursor = {0};
    optuna_add_head(view, out);
    const ty_status st = optuna_add_news(ctx, view, true, &cursor, out);
    optuna_cursor_clear(&cursor);
    return st;
}

/* --- reading our own ---------------------------------------------------------------------------- */

/* Moves *at behind `word` where it stands there. */
static bool take_word(const char **at, const char *end, const char *word) {
    const size_t n = strlen(word);
    if ((size_t)(end - *at) < n || memcmp(*at, word, n) != 0)
        return false;
    *at += n;
    return true;
}

static bool take_count(const char **at, const char *end, size_t *out) {
    const char *begin = *at;
    *out = 0;
    for (; *at < end && **at >= '0' && **at <= '9' && *at - begin < 9; (*at)++)
        *out = 10 * *out + (size_t)(**at - '0');
    return *at > begin;
}

/* Counts what a line of ours says of its trial; false where the study has not got as far. */
static bool count_line(const ty_trial *t, size_t op, optuna_seen *seen) {
    if (seen->has_ended)
        return false;
    seen->reports += op == OPTUNA_SET_INTERMEDIATE;
    seen->has_reason |= op == OPTUNA_SET_USER_ATTR;
    seen->has_limits |= op == OPTUNA_SET_SYSTEM_ATTR;
    seen->has_ended |= op == OPTUNA_SET_STATE_VALUES;
    return seen->reports <= t->reports && (op == OPTUNA_SET_INTERMEDIATE || has_ended(t, false));
}

/* Reads one line [at, end); *fits is false where the study cannot have made a journal with it. */
static ty_status read_line(ty_ctx *ctx, const ty_optuna_view *view, const char *at, const char *end,
                           optuna_cursor *c, bool *fits) {
    size_t op = 0, trial = 0;
    *fits = take_word(&at, end, "{\"op_code\":") && take_count(&at, end, &op);
    if (!*fits)
        return TY_OK;
    const bool is_ours = take_word(&at, end, ",\"worker_id\":\"" OPTUNA_WORKER "\"");
    if (op == OPTUNA_CREATE_TRIAL) {
        *fits = is_ours && c->count < ty_study_count(view->study);
        return *fits ? push_trial(ctx, c) : TY_OK;
    }
    *fits = op != OPTUNA_CREATE_STUDY && op != OPTUNA_DELETE_STUDY;
    if (is_ours && op >= OPTUNA_SET_STATE_VALUES)
        *fits = take_word(&at, end, ",\"trial_id\":") && take_count(&at, end, &trial) &&
                trial < c->count &&
                count_line(ty_study_trial(view->study, trial), op, &c->trials[trial]);
    return TY_OK;
}

ty_status optuna_read(ty_ctx *ctx, const ty_optuna_view *view, const char *text, size_t bytes,
                      optuna_cursor *cursor, size_t *good) {
    ty_text head = {0};
    optuna_add_head(view, &head);
    const size_t head_bytes = head.length;
    const bool is_short = head.is_short;
    bool fits = bytes >= head_bytes && memcmp(text, ty_text_string(&head), head_bytes) == 0;
    ty_text_clear(&head);
    *good = 0;
    if (is_short)
        return ty_fail_nomem(ctx, "a journal for Optuna");
    const char *at = text + (fits ? head_bytes : 0), *end;
    while (fits && (end = memchr(at, '\n', bytes - (size_t)(at - text)))) {
        TY_TRY(read_line(ctx, view, at, end, cursor, &fits));
        at = end + 1;
    }
    if (fits)
        *good = (size_t)(at - text);
    else
        optuna_cursor_clear(cursor);
    return TY_OK;
}
