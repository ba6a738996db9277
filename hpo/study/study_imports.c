/* Trials from elsewhere, which the journal's beginning holds: samplers see them before all others. */
#include <math.h>
#include <string.h>

#include "hpo/space/space_json.h"
#include "hpo/study/study_private.h"

/* As a text that is JSON where it is no value itself: a list that Optuna knows as text, a number that
 * MLflow does. */
static bool value_from(const ty_param *p, const json_t *json, double *out) {
    const char *text = json_string_value(json);
    if (!json || ty_param_from_json(p, json, out))
        return json != NULL && !isnan(*out);
    json_t *inside = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
    const bool is_value = inside && ty_param_from_json(p, inside, out) && !isnan(*out);
    json_decref(inside);
    return is_value;
}

/* Unlike a trial of the sweep, one from elsewhere need not say what its constants were. */
static bool has_other_constants(const ty_version *to, const json_t *params) {
    const char *name;
    json_t *wanted;
    json_object_foreach((json_t *)(uintptr_t)to->fixed, name, wanted) {
        const json_t *had = json_object_get(params, name);
        if (had && !ty_json_same_value(had, wanted))
            return true;
    }
    return false;
}

static bool carry(const ty_version *to, const json_t *params, double *x) {
    for (size_t d = 0; d < to->space->count; d++) {
        const ty_param *p = &to->space->params[d];
        const json_t *value = json_object_get(params, p->name);
        x[d] = p->fallback;
        if (!ty_space_is_active(to->space, x, d))
            x[d] = NAN;
        else if (value ? !value_from(p, value, &x[d]) : !p->has_fallback)
            return false;
    }
    return !has_other_constants(to, params) && ty_space_allows(to->space, x);
}

ty_status study_take_imports(ty_ctx *ctx, ty_study *s, const json_t *imports) {
    size_t i;
    json_t *trial;
    double number;
    if (imports && !json_is_array(imports))
        return ty_fail(ctx, TY_ERR_INTEGRITY, "the sweep's journal has imports that are no list");
    json_array_foreach((json_t *)(uintptr_t)imports, i, trial) {
        if (!json_is_object(json_object_get(trial, "params")) ||
            !json_is_string(json_object_get(trial, "state")) ||
            !study_number_from_json(json_object_get(trial, "value"), &number) ||
            !study_number_from_json(json_object_get(trial, "violation"), &number) ||
            !study_number_from_json(json_object_get(trial, "last_step"), &number))
            return ty_fail(ctx, TY_ERR_INTEGRITY,
                           "the sweep's journal has an imported trial that is none");
    }
    s->imports = json_incref((json_t *)(uintptr_t)imports);
    s->import_count = json_array_size(imports);
    return TY_OK;
}

static ty_shown shown_of(const ty_study *s, const json_t *trial, size_t number) {
    const char *state = json_string_value(json_object_get(trial, "state"));
    ty_shown shown = {.number = number,
                      .state =
                          strcmp(state, "complete") == 0 ? TY_TRIAL_COMPLETE : TY_TRIAL_PRUNED};
    double value;
    (void)study_number_from_json(json_object_get(trial, "value"), &value);
    (void)study_number_from_json(json_object_get(trial, "violation"), &shown.violation);
    (void)study_number_from_json(json_object_get(trial, "last_step"), &shown.last_step);
    shown.value = study_turn(s, value);
    if (shown.state == TY_TRIAL_COMPLETE && isnan(value))
        shown.state = TY_TRIAL_PRUNED;
    return shown;
}

ty_status study_show_imports(ty_ctx *ctx, ty_study *s) {
    size_t i;
    json_t *trial;
    double x[TY_SPACE_MAX_PARAMS];
    if (s->has_shown_imports)
        return TY_OK;
    s->has_shown_imports = true;
    json_array_foreach(s->imports, i, trial) {
        const ty_shown shown = shown_of(s, trial, i);
        if (carry(s->version, json_object_get(trial, "params"), x))
            TY_TRY(ty_history_show(ctx, &s->history, &shown, x));
    }
    s->history.imported = s->history.count;
    return TY_OK;
}

size_t ty_study_imported(const ty_study *s, size_t *known) {
    size_t i;
    json_t *trial;
    double x[TY_SPACE_MAX_PARAMS];
    *known = 0;
    json_array_foreach(s->imports, i, trial)
        *known += carry(s->version, json_object_get(trial, "params"), x);
    return s->import_count;
}
