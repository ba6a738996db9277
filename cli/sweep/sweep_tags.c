/* What MLflow knows of a trial beside its params: the tags of its run, among them those by which
 * MLflow's own Optuna storage (mlflow.optuna.storage.MlflowStorage) takes runs for trials. */
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "cli/sweep/sweep.h"

#define INTERNAL "param_internal_val_"

/* MLflow's for a tag, of which a part is no JSON. */
enum { MAX_KEY = 250, MAX_VALUE = 5000 };

/* MLflow would store another name under which the storage does not find the parameter. */
static bool is_plain(const char *name) {
    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("_-. :", *c))
            return false;
    return strlen(name) <= MAX_KEY - strlen(INTERNAL);
}

static bool plays(const ty_space *space, const ty_trial *trial, size_t d) {
    return !isnan(trial->asked[d]) && is_plain(space->params[d].name);
}

/* Of what plays a part and has a name that MLflow takes. */
static void add_distributions(const ty_space *space, const ty_trial *trial, ty_text *out) {
    double x[TY_SPACE_MAX_PARAMS];
    for (size_t d = 0; d < space->count; d++)
        x[d] = plays(space, trial, d) ? trial->asked[d] : NAN;
    ty_optuna_add_distributions(space, x, out);
}

static bool set_text(json_t *tags, const char *key, const char *value) {
    return json_object_set_new(tags, key, json_string(value)) == 0;
}

/* A choice is its number, as Optuna has it, too. */
static bool set_value(json_t *tags, const ty_param *p, double x) {
    char key[MAX_KEY + 1];
    ty_text value = {0};
    (void)snprintf(key, sizeof key, INTERNAL "%s", p->name);
    ty_text_add_number(&value, x);
    const bool is_set = !value.is_short && set_text(tags, key, ty_text_string(&value));
    ty_text_clear(&value);
    return is_set;
}

/* Where the space is too long for a tag, Optuna sees the trials without their parameters. */
static bool set_point(json_t *tags, const ty_space *space, const ty_trial *trial) {
    ty_text spaces = {0};
    add_distributions(space, trial, &spaces);
    const bool fits = !spaces.is_short && spaces.length <= MAX_VALUE;
    bool is_set = set_text(tags, "param_directions", fits ? ty_text_string(&spaces) : "{}");
    for (size_t d = 0; fits && d < space->count; d++)
        if (plays(space, trial, d))
            is_set = set_value(tags, &space->params[d], trial->asked[d]) && is_set;
    ty_text_clear(&spaces);
    return is_set;
}

json_t *sweep_trial_tags(const sweep *s, const ty_trial *trial) {
    char number[24];
    json_t *tags = json_object();
    (void)snprintf(number, sizeof number, "%zu", trial->number);
    if (tags && set_text(tags, "tiltyard.sweep", s->file.stem) &&
        set_text(tags, "tiltyard.trial", number) && set_text(tags, "numbers", number) &&
        set_point(tags, trial->version->space, trial))
        return tags;
    json_decref(tags);
    return NULL;
}
