#include "registry/card.h"

#include <string.h>
#include <time.h>

/* So many bytes are left for what comes behind a list. */
enum { REST_BYTES = 1800, LONGEST_VALUE = 100 };

static const char *value_of(const ty_run_value *v, int64_t n, const char *key) {
    for (int64_t i = 0; i < n; i++)
        if (strcmp(v[i].key, key) == 0)
            return v[i].text;
    return NULL;
}

static const char *param(const ty_run_record *run, const char *key) {
    return value_of(run->params, run->n_params, key);
}

static const char *tag(const ty_run_record *run, const char *key) {
    return value_of(run->tags, run->n_tags, key);
}

/* One line, without back-quotes. */
static void add_clean(ty_text *out, const char *text) {
    for (; *text; text++) {
        const char c = (unsigned char)*text < 0x20 ? ' ' : *text == '`' ? '\'' : *text;
        ty_text_add_n(out, &c, 1);
    }
}

static void add_code(ty_text *out, const char *text) {
    ty_text_add(out, "`");
    add_clean(out, text);
    ty_text_add(out, "`");
}

static void add_line(ty_text *out, const char *name, const char *value) {
    if (!value || !*value)
        return;
    ty_text_addf(out, "- %s: ", name);
    add_code(out, value);
    ty_text_add(out, "\n");
}

/* --- how good it is --------------------------------------------------------------------------- */

/* The value at the package's step; the last one where the curve has none there. */
static const ty_run_point *point_at(const ty_run_curve *curve, int64_t step) {
    const ty_run_point *last = NULL;
    for (int64_t i = 0; i < curve->n; i++)
        if (curve->v[i].step <= step)
            last = &curve->v[i];
    return last;
}

static const ty_run_point *find_point(const ty_run_record *run, const char *split,
                                      const char *metric, int64_t step) {
    const size_t length = strlen(split);
    for (int64_t i = 0; i < run->n_curves; i++)
        if (strncmp(run->curves[i].key, split, length) == 0 &&
            strcmp(run->curves[i].key + length, metric) == 0)
            return point_at(&run->curves[i], step);
    return NULL;
}

/* First, number first and without marks: a table of versions shows the first letters as they are. */
static void add_result(ty_text *out, const ty_run_record *run, int64_t step) {
    static const char *const metrics[][2] = {
        {"accuracy", "accuracy"}, {"mean_absolute_error", "mean absolute error"}, {"loss", "loss"}};
    const bool is_tested = find_point(run, "test/", "loss", step) != NULL;
    const char *before = "";
    for (size_t i = 0; i < sizeof metrics / sizeof metrics[0]; i++) {
        const ty_run_point *p = find_point(run, is_tested ? "test/" : "val/", metrics[i][0], step);
        if (!p)
            continue;
        ty_text_addf(out, "%s%.4g %s", before, p->value, metrics[i][1]);
        before = ", ";
    }
    if (*before)
        ty_text_addf(out, " on %s.\n\n", is_tested ? "test" : "val");
}

static bool is_shown(const char *key) {
    return strncmp(key, "test/", 5) == 0 || strncmp(key, "val/", 4) == 0;
}

static void add_metrics(ty_text *out, const ty_run_record *run, int64_t step) {
    for (int64_t i = 0; i < run->n_curves && out->length + REST_BYTES < TY_CARD_MAX_BYTES; i++) {
        const ty_run_point *p =
            is_shown(run->curves[i].key) ? point_at(&run->curves[i], step) : NULL;
        if (!p)
            continue;
        ty_text_add(out, "- ");
        add_code(out, run->curves[i].key);
        ty_text_addf(out, ": %.6g", p->value);
        ty_text_addf(out, p->step == step ? "\n" : " at step %lld\n", (long long)p->step);
    }
    ty_text_add(out, "\n");
}

/* --- what it is ------------------------------------------------------------------------------- */

static void add_head(ty_text *out, const ty_run_record *run, const ty_run_package *package,
                     const char *name) {
    char day[32] = "";
    const time_t seconds = (time_t)(package->time_ns / 1000000000);
    struct tm utc;
    if (gmtime_r(&seconds, &utc))
        (void)strftime(day, sizeof day, "%Y-%m-%d %H:%M UTC", &utc);
    ty_text_add(out, name ? "**" : "From run ");
    if (name)
        add_clean(out, name);
    ty_text_add(out, name ? "** from run " : "");
    add_code(out, run->info.name);
    ty_text_add(out, " of experiment ");
    add_code(out, run->info.experiment);
    ty_text_addf(out, ", step %lld, %s.\n\n", (long long)package->step, day);
}

static void add_lineage(ty_text *out, const ty_run_record *run, const ty_run_package *package,
                        const char *name) {
    const char *fingerprint = tag(run, "tiltyard.data_fingerprint");
    if (name) {
        add_line(out, "run id", run->info.run_id);
        add_line(out, "model id", package->model_id);
    }
    for (int64_t i = 0; i < run->n_datasets && i < 4; i++) {
        const ty_run_dataset *data = &run->datasets[i];
        add_line(out, data->context ? data->context : "data", data->name);
        if (!fingerprint || !data->digest || strcmp(data->digest, fingerprint) != 0)
            add_line(out, "its digest", data->digest);
    }
    add_line(out, "data fingerprint", fingerprint);
    add_line(out, "config hash", tag(run, "tiltyard.config_hash"));
    add_line(out, "code", tag(run, "mlflow.source.git.commit"));
    add_line(out, "tiltyard", tag(run, "tiltyard.version"));
    add_line(out, "parameters", param(run, "parameters"));
}

static void add_config(ty_text *out, const ty_run_record *run) {
    static const char *const keys[] = {"data.format",
                                       "data.source",
                                       "optimizer.type",
                                       "optimizer.learning_rate",
                                       "train.global_batch_size",
                                       "train.duration",
                                       "train.precision",
                                       "seed"};
    ty_text_add(out, "Trained with");
    const char *before = " ";
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *text = param(run, keys[i]);
        if (!text || !*text)
            continue;
        ty_text copy = {0};
        ty_text_addf(&copy, "%s: %.*s", keys[i], LONGEST_VALUE, text);
        ty_text_add(out, before);
        add_code(out, ty_text_string(&copy));
        ty_text_clear(&copy);
        before = ", ";
    }
    ty_text_add(out, ".\n\n");
}

/* --- what to do with it ----------------------------------------------------------------------- */

static void add_use(ty_text *out, const char *name) {
    ty_text_add(out, "```python\nmodel = mlflow.pyfunc.load_model(\"models:/");
    add_clean(out, name);
    ty_text_add(out, "@champion\")\n```\n\n```sh\ntiltyard predict models:/");
    add_clean(out, name);
    ty_text_add(out, "@champion --input FILE\n```\n\n");
}

static void add_source(ty_text *out, const ty_run_record *run) {
    const char *source = run->info.source;
    if (!source || !*source || strlen(source) > REST_BYTES / 2)
        return;
    ty_text_add(out, "\nMade by: "); /* no full stop: a command may end in one */
    add_code(out, source);
    ty_text_add(out, "\n");
}

void ty_card_write(const ty_run_record *run, const ty_run_package *package, const char *name,
                   ty_text *out) {
    add_result(out, run, package->step);
    add_head(out, run, package, name);
    add_metrics(out, run, package->step);
    add_config(out, run);
    if (name)
        add_use(out, name);
    add_lineage(out, run, package, name);
    add_source(out, run);
}
