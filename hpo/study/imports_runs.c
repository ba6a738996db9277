/* Reading what `tiltyard runs export` writes: a run a line of JSON, or a table of everything with a value a
 * row (cli/runs/runs_export.c). What is torn is passed over and counted. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hpo/study/imports.h"

static const char header[] = "run,run_id,experiment,kind,key,step,time_ms,value\n";
enum { RUN, RUN_ID, EXPERIMENT, KIND, KEY, STEP, TIME_MS, VALUE, COLUMNS };

typedef struct run {
    json_t *params; /* those of the space */
    ty_shown shown; /* value NAN: nothing of the metric yet */
} run;

typedef struct table {
    const ty_import_metric *metric;
    run *runs;
    size_t count, capacity;
    json_t *by_id; /* {run_id: index} */
    size_t unread;
    bool is_short; /* memory is out */
} table;

void ty_import_take_point(const ty_import_metric *metric, double step, double value,
                          ty_shown *shown) {
    const bool is_better = metric->maximize ? value > shown->value : value < shown->value;
    if (metric->takes_last || isnan(shown->value) || is_better)
        shown->value = value;
    shown->last_step = step;
}

/* --- runs --------------------------------------------------------------------------------------- */

static run *add_run(table *t) {
    if (t->count == t->capacity) {
        const size_t capacity = t->capacity ? 2 * t->capacity : 64;
        run *runs = realloc(t->runs, capacity * sizeof *runs);
        t->is_short |= !runs;
        if (!runs)
            return NULL;
        t->runs = runs;
        t->capacity = capacity;
    }
    run *r = &t->runs[t->count];
    *r = (run){.params = json_object(), .shown = {.state = TY_TRIAL_COMPLETE, .value = NAN}};
    t->is_short |= !r->params;
    t->count += !t->is_short;
    return t->is_short ? NULL : r;
}

static bool set_param(const table *t, run *r, const char *name, const char *text) {
    return ty_space_find(t->metric->space, name) == t->metric->space->count ||
           json_object_set_new(r->params, name, json_string(text)) == 0;
}

static bool number_from(const char *text, double *out) {
    char *end = NULL;
    *out = text ? strtod(text, &end) : NAN;
    return text && *text && *end == '\0';
}

/* --- lines of JSON ------------------------------------------------------------------------------ */

static bool number_of(const json_t *json, double *out) {
    *out = json_number_value(json);
    return json_is_number(json) || number_from(json_string_value(json), out);
}

static bool take_params(const table *t, run *r, const json_t *params) {
    const char *name;
    json_t *value;
    bool is_fine = true;
    json_object_foreach((json_t *)(uintptr_t)params, name, value)
        is_fine &= json_is_string(value) && set_param(t, r, name, json_string_value(value));
    return is_fine;
}

/* [[step, time_ms, value], ...] */
static bool take_points(const table *t, run *r, const json_t *points) {
    size_t i;
    json_t *point;
    double step, value;
    json_array_foreach((json_t *)(uintptr_t)points, i, point) {
        if (!number_of(json_array_get(point, 0), &step) ||
            !number_of(json_array_get(point, 2), &value))
            return false;
        ty_import_take_point(t->metric, step, value, &r->shown);
    }
    return true;
}

static bool is_run(const json_t *line) {
    return json_is_string(json_object_get(line, "state")) &&
           json_is_object(json_object_get(line, "params")) &&
           json_is_object(json_object_get(line, "metrics"));
}

static ty_trial_state state_of(const json_t *line) {
    const char *state = json_string_value(json_object_get(line, "state"));
    if (strcmp(state, "finished") == 0)
        return TY_TRIAL_COMPLETE;
    return strcmp(state, "killed") == 0 ? TY_TRIAL_PRUNED : TY_TRIAL_FAILED;
}

static void take_line(table *t, const json_t *line) {
    run *r = is_run(line) ? add_run(t) : NULL;
    if (!r) {
        t->unread++;
        return;
    }
    r->shown.state = state_of(line);
    if (!take_params(t, r, json_object_get(line, "params")) ||
        !take_points(t, r, json_object_get(json_object_get(line, "metrics"), t->metric->name))) {
        json_decref(r->params);
        t->count--;
        t->unread++;
    }
}

static json_t *next_line(const char **at, const char *end) {
    const char *newline = memchr(*at, '\n', (size_t)(end - *at));
    const char *stop = newline ? newline : end;
    json_t *line = json_loadb(*at, (size_t)(stop - *at), 0, NULL);
    *at = newline ? newline + 1 : end;
    return line;
}

static void read_lines(table *t, const char *at, const char *end) {
    while (at < end && !t->is_short) {
        json_t *line = next_line(&at, end);
        take_line(t, line);
        json_decref(line);
    }
}

/* --- rows of a table ---------------------------------------------------------------------------- */

typedef struct row {
    ty_text cells[COLUMNS];
    size_t count;  /* of cells; those behind COLUMNS are dropped */
    bool is_whole; /* it has its end */
} row;

/* A text that a spreadsheet would take for a formula was written with a ' before it, in quotes. */
static void drop_guard(ty_text *cell) {
    if (cell->length > 1 && cell->data[0] == '\'' && strchr("=+-@\t\r", cell->data[1]))
        memmove(cell->data, cell->data + 1, cell->length--); /* with the NUL */
}

/* Behind the opening quote; to behind the closing one, or NULL. */
static const char *read_quoted(const char *at, const char *end, ty_text *cell) {
    for (;;) {
        const char *quote = memchr(at, '"', (size_t)(end - at));
        if (!quote)
            return NULL;
        const bool is_doubled = quote + 1 < end && quote[1] == '"';
        ty_text_add_n(cell, at, (size_t)(quote - at) + is_doubled);
        at = quote + 1 + is_doubled;
        if (!is_doubled)
            break;
    }
    drop_guard(cell);
    return at;
}

/* To behind the row. */
static const char *read_row(const char *at, const char *end, row *out) {
    ty_text rest = {0};
    bool is_last = false;
    out->count = 0;
    out->is_whole = false;
    for (int i = 0; i < COLUMNS; i++)
        ty_text_clear(&out->cells[i]);
    while (at && at < end && !is_last) {
        ty_text *cell = out->count < COLUMNS ? &out->cells[out->count] : &rest;
        const char *stop = at = *at == '"' ? read_quoted(at + 1, end, cell) : at;
        while (stop && stop < end && *stop != ',' && *stop != '\n')
            stop++;
        if (!stop || stop == end)
            break;
        is_last = *stop == '\n';
        ty_text_add_n(cell, at, (size_t)(stop - at) - (is_last && stop > at && stop[-1] == '\r'));
        out->count++;
        at = stop + 1;
    }
    ty_text_clear(&rest);
    out->is_whole = is_last;
    return is_last ? at : end;
}

static run *run_of(table *t, const char *id) {
    const json_t *index = json_object_get(t->by_id, id);
    if (index)
        return &t->runs[json_integer_value(index)];
    json_t *next = json_integer((json_int_t)t->count);
    return json_object_set_new(t->by_id, id, next) == 0 ? add_run(t) : NULL;
}

static bool take_row(table *t, const row *r) {
    double step, value;
    if (!r->is_whole || r->count != COLUMNS)
        return false;
    const char *kind = ty_text_string(&r->cells[KIND]), *key = ty_text_string(&r->cells[KEY]);
    const char *text = ty_text_string(&r->cells[VALUE]);
    run *of = run_of(t, ty_text_string(&r->cells[RUN_ID]));
    if (!of)
        return false;
    if (strcmp(kind, "param") == 0)
        return set_param(t, of, key, text);
    if (strcmp(kind, "metric") != 0)
        return strcmp(kind, "tag") == 0;
    if (!number_from(ty_text_string(&r->cells[STEP]), &step) || !number_from(text, &value))
        return false;
    if (strcmp(key, t->metric->name) == 0)
        ty_import_take_point(t->metric, step, value, &of->shown);
    return true;
}

static void read_rows(table *t, const char *at, const char *end) {
    row r = {.count = 0};
    while (at < end && !t->is_short) {
        at = read_row(at, end, &r);
        t->unread += !take_row(t, &r);
        for (int i = 0; i < COLUMNS; i++)
            t->is_short |= r.cells[i].is_short;
    }
    for (int i = 0; i < COLUMNS; i++)
        ty_text_clear(&r.cells[i]);
}

/* --- all of them -------------------------------------------------------------------------------- */

static bool is_table(const char *text, size_t bytes) {
    const size_t n = sizeof header - 2; /* without its end, which may be \r\n */
    return bytes > n && memcmp(text, header, n) == 0 && strchr("\r\n", text[n]);
}

bool ty_import_is_runs(const char *text, size_t bytes) {
    const char *at = text;
    if (is_table(text, bytes))
        return true;
    json_t *line = next_line(&at, text + bytes);
    const bool is = is_run(line);
    json_decref(line);
    return is;
}

static void add_trials(table *t, const char *source, json_t *trials, ty_import_left *left) {
    for (size_t i = 0; i < t->count && !t->is_short; i++) {
        const ty_shown *shown = &t->runs[i].shown;
        if (shown->state == TY_TRIAL_FAILED)
            left->unfinished++;
        else if (isnan(shown->value))
            left->without_metric++;
        else
            t->is_short |= !ty_import_add(trials, source, i, json_incref(t->runs[i].params), shown);
    }
}

ty_status ty_import_runs(ty_ctx *ctx, const char *text, size_t bytes, const char *source,
                         const ty_import_metric *metric, json_t *trials, ty_import_left *left) {
    const char *end = text + bytes, *newline = memchr(text, '\n', bytes);
    table t = {.metric = metric, .by_id = json_object()};
    t.is_short = !t.by_id;
    if (is_table(text, bytes))
        read_rows(&t, newline ? newline + 1 : end, end);
    else
        read_lines(&t, text, end);
    add_trials(&t, source, trials, left);
    left->unread += t.unread;
    for (size_t i = 0; i < t.count; i++)
        json_decref(t.runs[i].params);
    free(t.runs);
    json_decref(t.by_id);
    return t.is_short ? ty_fail_nomem(ctx, "the runs that a sweep knows") : TY_OK;
}
