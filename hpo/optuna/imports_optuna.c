/* Reading an Optuna journal of anybody's. What a line says is taken as Optuna takes it; what no line could
 * say is passed over. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hpo/study/imports.h"
#include "hpo/optuna/optuna_private.h"
#include "hpo/study/study_private.h"

enum { SET_TRIAL_PARAM = 5 };                                     /* of optuna_op */
enum { STATE_RUNNING, STATE_COMPLETE, STATE_PRUNED, STATE_FAIL }; /* optuna.trial.TrialState */
enum { DIRECTION_MINIMIZE = 1, DIRECTION_MAXIMIZE = 2 };          /* optuna.study.StudyDirection */

typedef struct journal {
    json_t *studies; /* [{"name", "directions", "is_deleted", "trials"}] by id */
    json_t *trials;  /* [{"study" (its id), "number", "params", "state", "value", ...}] by id */
    size_t unread;
    bool is_short; /* memory is out */
} journal;

/* --- lines -------------------------------------------------------------------------------------- */

/* Python's json writes NaN and Infinity; JSON has null, and a text that our numbers know. */
static void add_plain(ty_text *out, const char *at, const char *end) {
    static const struct {
        const char *theirs, *ours;
    } words[] = {{"NaN", "null"}, {"-Infinity", "\"-inf\""}, {"Infinity", "\"inf\""}};
    bool is_text = false;
    while (at < end) {
        size_t i = 0, n = 0;
        for (; !is_text && i < sizeof words / sizeof *words; i++) {
            n = strlen(words[i].theirs);
            if ((size_t)(end - at) >= n && memcmp(at, words[i].theirs, n) == 0)
                break;
        }
        if (!is_text && i < sizeof words / sizeof *words) {
            ty_text_add(out, words[i].ours);
            at += n;
            continue;
        }
        const size_t step = is_text && *at == '\\' && end - at > 1 ? 2 : 1;
        is_text ^= *at == '"';
        ty_text_add_n(out, at, step);
        at += step;
    }
}

static json_t *parse(const char *at, const char *end) {
    ty_text plain = {0};
    add_plain(&plain, at, end);
    json_t *line =
        plain.is_short ? NULL : json_loadb(ty_text_string(&plain), plain.length, 0, NULL);
    ty_text_clear(&plain);
    return line;
}

/* --- what a line does --------------------------------------------------------------------------- */

static json_t *by_id(json_t *list, const json_t *line, const char *key) {
    const json_t *id = json_object_get(line, key);
    return json_is_integer(id) && json_integer_value(id) >= 0
               ? json_array_get(list, (size_t)json_integer_value(id))
               : NULL;
}

static bool set(json_t *object, const char *key, json_t *value) {
    return value && json_object_set(object, key, value) == 0;
}

static bool is_there(const journal *j, const json_t *name) {
    bool is = false;
    for (size_t i = 0; !is && i < json_array_size(j->studies); i++) {
        const json_t *study = json_array_get(j->studies, i);
        is = !json_object_get(study, "is_deleted") &&
             json_equal(json_object_get(study, "name"), name);
    }
    return is;
}

static bool create_study(journal *j, const json_t *line) {
    json_t *name = json_object_get(line, "study_name"), *directions;
    directions = json_object_get(line, "directions");
    if (!json_is_string(name) || !json_is_array(directions))
        return false;
    if (is_there(j, name)) /* load_if_exists: written, and of no effect */
        return true;
    json_t *study = json_pack("{s:O, s:O, s:I}", "name", name, "directions", directions, "trials",
                              (json_int_t)0);
    j->is_short |= !study || json_array_append_new(j->studies, study) != 0;
    return true;
}

static json_t *living_study(journal *j, const json_t *line) {
    json_t *study = by_id(j->studies, line, "study_id");
    return json_object_get(study, "is_deleted") ? NULL : study;
}

/* {"name": "IntDistribution", "attributes": {...}} in a string, and a number: the value. NULL where it is
 * none; the caller's to decref. */
static json_t *external(const json_t *distribution, const json_t *internal) {
    const char *text = json_string_value(distribution);
    json_t *d = text ? parse(text, text + strlen(text)) : NULL, *out = NULL;
    const char *name = json_string_value(json_object_get(d, "name"));
    const double v = json_number_value(internal);
    const bool is_choice = name && strcmp(name, "CategoricalDistribution") == 0;
    const json_t *choices = json_object_get(json_object_get(d, "attributes"), "choices");
    if (!name || !json_is_number(internal))
        out = NULL;
    else if (is_choice)
        out = v >= 0 && v < (double)json_array_size(choices)
                  ? json_incref(json_array_get(choices, (size_t)v))
                  : NULL;
    else if (strncmp(name, "Int", 3) == 0 && fabs(v) <= 0x1p53 && floor(v) == v)
        out = json_integer((json_int_t)v);
    else
        out = json_real(v);
    json_decref(d);
    return out;
}

static bool set_param(json_t *trial, const char *name, const json_t *distribution,
                      const json_t *internal) {
    json_t *value = name ? external(distribution, internal) : NULL;
    return value && json_object_set_new(json_object_get(trial, "params"), name, value) == 0;
}

static bool is_finished(const json_t *trial) {
    const json_int_t state = json_integer_value(json_object_get(trial, "state"));
    return state >= STATE_COMPLETE && state <= STATE_FAIL;
}

static bool set_state(json_t *trial, const json_t *line) {
    json_t *state = json_object_get(line, "state"), *values = json_object_get(line, "values");
    json_t *value = json_object_get(line, "value");
    if (!json_is_integer(state))
        return false;
    if (json_array_size(values) > 0)
        value = json_array_get(values, 0);
    return set(trial, "state", state) && (!value || set(trial, "value", value));
}

static bool set_report(json_t *trial, double step, json_t *value) {
    const json_t *last = json_object_get(trial, "step");
    if (!value || isnan(step))
        return false;
    if (last && json_number_value(last) > step)
        return true;
    return json_object_set_new(trial, "step", json_real(step)) == 0 && set(trial, "report", value);
}

/* A list of numbers, or a name for each of them: by how much they are above 0. */
static bool set_constraints(json_t *trial, const json_t *attrs) {
    json_t *constraints = json_object_get(attrs, "constraints");
    return !constraints || set(trial, "constraints", constraints);
}

static bool fill_from_template(json_t *trial, const json_t *line) {
    const json_t *distributions = json_object_get(line, "distributions");
    const char *key;
    json_t *value;
    bool is_fine = set_constraints(trial, json_object_get(line, "system_attrs"));
    json_object_foreach(json_object_get(line, "params"), key, value)
        is_fine &= set_param(trial, key, json_object_get(distributions, key), value);
    json_object_foreach(json_object_get(line, "intermediate_values"), key, value)
        is_fine &= set_report(trial, strtod(key, NULL), value);
    return is_fine && (!json_object_get(line, "state") || set_state(trial, line));
}

static bool create_trial(journal *j, const json_t *line) {
    json_t *study = living_study(j, line);
    if (!study)
        return by_id(j->studies, line, "study_id") != NULL; /* a deleted one's counts for nothing */
    const json_int_t number = json_integer_value(json_object_get(study, "trials"));
    json_t *trial = json_pack("{s:O, s:I, s:{}, s:i}", "study", json_object_get(line, "study_id"),
                              "number", number, "params", "state", STATE_RUNNING);
    j->is_short |= !trial || json_array_append_new(j->trials, trial) != 0 ||
                   json_object_set_new(study, "trials", json_integer(number + 1)) != 0;
    return !j->is_short && fill_from_template(trial, line);
}

static bool delete_study(journal *j, const json_t *line) {
    json_t *study = by_id(j->studies, line, "study_id");
    return study && json_object_set_new(study, "is_deleted", json_true()) == 0;
}

static bool change_trial(journal *j, const json_t *line, json_int_t op) {
    json_t *trial = by_id(j->trials, line, "trial_id");
    const json_t *step = json_object_get(line, "step");
    if (!trial || is_finished(trial)) /* who is late is told so there, and changes nothing */
        return trial != NULL;
    switch (op) {
    case SET_TRIAL_PARAM:
        return set_param(trial, json_string_value(json_object_get(line, "param_name")),
                         json_object_get(line, "distribution"),
                         json_object_get(line, "param_value_internal"));
    case OPTUNA_SET_STATE_VALUES:
        return set_state(trial, line);
    case OPTUNA_SET_INTERMEDIATE:
        return set_report(trial, json_is_number(step) ? json_number_value(step) : NAN,
                          json_object_get(line, "intermediate_value"));
    case OPTUNA_SET_SYSTEM_ATTR:
        return set_constraints(trial, json_object_get(line, "system_attr"));
    default:
        return true; /* notes of users, and what only others know */
    }
}

static bool apply(journal *j, const json_t *line) {
    const json_t *code = json_object_get(line, "op_code");
    const json_int_t op = json_integer_value(code);
    if (!json_is_integer(code) || op < OPTUNA_CREATE_STUDY || op > 10)
        return false;
    if (op == OPTUNA_CREATE_STUDY)
        return create_study(j, line);
    if (op == OPTUNA_DELETE_STUDY)
        return delete_study(j, line);
    if (op == OPTUNA_CREATE_TRIAL)
        return create_trial(j, line);
    return op < OPTUNA_CREATE_TRIAL || op == 10 || change_trial(j, line, op);
}

static void read_lines(journal *j, const char *at, const char *end) {
    while (at < end && !j->is_short) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline ? newline : end;
        json_t *line = stop > at ? parse(at, stop) : NULL;
        j->unread += stop > at && !apply(j, line);
        json_decref(line);
        at = stop + 1;
    }
}

/* --- the study that is wanted ------------------------------------------------------------------- */

static ty_status choose_study(ty_ctx *ctx, const journal *j, const char *source, const char *wanted,
                              size_t *out) {
    size_t i, n = 0;
    json_t *study;
    ty_text names = {0};
    json_array_foreach(j->studies, i, study) {
        const char *name = json_string_value(json_object_get(study, "name"));
        if (json_object_get(study, "is_deleted"))
            continue;
        ty_text_addf(&names, "%s%.64s", names.length ? ", " : "", name);
        if (wanted && strcmp(name, wanted) != 0)
            continue;
        *out = i;
        n++;
    }
    const ty_status st = n == 1
                             ? TY_OK
                             : ty_fail(ctx, TY_ERR_CONFIG, "%s has the studies %s: want FILE#STUDY",
                                       source, names.length ? ty_text_string(&names) : "(none)");
    ty_text_clear(&names);
    return st;
}

static ty_status check_direction(ty_ctx *ctx, const json_t *study, const char *source,
                                 bool maximize) {
    const json_t *directions = json_object_get(study, "directions");
    const json_int_t first = json_integer_value(json_array_get(directions, 0));
    if (json_array_size(directions) != 1)
        return ty_fail(ctx, TY_ERR_CONFIG, "%s has %zu objectives, want one", source,
                       json_array_size(directions));
    return first == (maximize ? DIRECTION_MAXIMIZE : DIRECTION_MINIMIZE)
               ? TY_OK
               : study_refuse_direction(ctx, source, maximize);
}

/* --- its trials --------------------------------------------------------------------------------- */

static double number_of(const json_t *trial, const char *key) {
    double v = NAN;
    (void)study_number_from_json(json_object_get(trial, key), &v);
    return v;
}

static double excess(const json_t *json) {
    double v = 0;
    return study_number_from_json(json, &v) && v > 0 ? v : 0;
}

static double violation_of(const json_t *constraints) {
    double sum = 0;
    const char *key;
    size_t i;
    json_t *item;
    json_array_foreach(constraints, i, item)
        sum += excess(item);
    json_object_foreach((json_t *)(uintptr_t)constraints, key, item)
        sum += excess(item);
    return sum;
}

/* Optuna's complete trials have a number; a pruned one without one has its last report. */
static bool is_taken(const json_t *trial, size_t study, ty_shown *shown) {
    const json_int_t state = json_integer_value(json_object_get(trial, "state"));
    const double step = number_of(trial, "step"), report = number_of(trial, "report");
    *shown = (ty_shown){.state = state == STATE_COMPLETE ? TY_TRIAL_COMPLETE : TY_TRIAL_PRUNED,
                        .value = number_of(trial, "value"),
                        .last_step = isnan(step) ? 0 : step,
                        .violation = violation_of(json_object_get(trial, "constraints"))};
    if (state == STATE_PRUNED && isnan(shown->value))
        shown->value = report;
    return json_integer_value(json_object_get(trial, "study")) == (json_int_t)study &&
           (state == STATE_PRUNED || (state == STATE_COMPLETE && !isnan(shown->value)));
}

static ty_status add_trials(ty_ctx *ctx, const journal *j, size_t study, const char *source,
                            json_t *trials) {
    size_t i;
    json_t *trial;
    ty_shown shown;
    json_array_foreach(j->trials, i, trial) {
        const size_t number = (size_t)json_integer_value(json_object_get(trial, "number"));
        if (is_taken(trial, study, &shown) &&
            !ty_import_add(trials, source, number, json_incref(json_object_get(trial, "params")),
                           &shown))
            return ty_fail_nomem(ctx, "the trials of an Optuna journal");
    }
    return TY_OK;
}

bool ty_import_is_optuna(const char *text, size_t bytes) {
    const char *newline = memchr(text, '\n', bytes);
    json_t *line = parse(text, newline ? newline : text + bytes);
    const bool is = json_is_integer(json_object_get(line, "op_code"));
    json_decref(line);
    return is;
}

ty_status ty_import_optuna(ty_ctx *ctx, const char *text, size_t bytes, const char *source,
                           const char *wanted, bool maximize, json_t *trials, size_t *unread) {
    journal j = {.studies = json_array(), .trials = json_array()};
    size_t study = 0;
    j.is_short = !j.studies || !j.trials;
    read_lines(&j, text, text + bytes);
    *unread = j.unread;
    ty_status st = j.is_short ? ty_fail_nomem(ctx, "an Optuna journal")
                              : choose_study(ctx, &j, source, wanted, &study);
    if (st == TY_OK)
        st = check_direction(ctx, json_array_get(j.studies, study), source, maximize);
    if (st == TY_OK)
        st = add_trials(ctx, &j, study, source, trials);
    json_decref(j.studies);
    json_decref(j.trials);
    return st;
}
