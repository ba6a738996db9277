#include "registry/card.h"

#include <string.h>
#include <time.h>

/* So many bytes are left for what comes behind a list. */
enum { REST_BYTES = 1200 };

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

/* A table's cell, or a word between back-quotes: no bars, no back-quotes, one line. */
static void add_cell(ty_text *out, const char *text) {
    for (; *text; text++) {
        const bool is_mark = *text == '|' || *text == '`';
        const char c = (unsigned char)*text < 0x20 ? ' ' : is_mark ? '\'' : *text;
        ty_text_add_n(out, &c, 1);
    }
}

static void add_row(ty_text *out, const char *name, const char *value) {
    if (!value || !*value)
        return;
    ty_text_addf(out, "| %s | `", name);
    add_cell(out, value);
    ty_text_add(out, "` |\n");
}

/* --- what it is ------------------------------------------------------------------------------- */

static void add_head(ty_text *out, const ty_run_record *run, const ty_run_package *package,
                     const char *name) {
    char day[32] = "";
    const time_t seconds = (time_t)(package->time_ns / 1000000000);
    struct tm utc;
    if (gmtime_r(&seconds, &utc))
        (void)strftime(day, sizeof day, "%Y-%m-%d %H:%M UTC", &utc);
    ty_text_add(out, "**");
    add_cell(out, name);
    ty_text_add(out, "** from run `");
    add_cell(out, run->info.name);
    ty_text_add(out, "` of experiment `");
    add_cell(out, run->info.experiment);
    ty_text_addf(out, "`, step %lld, %s.\n\n", (long long)package->step, day);
}

static void add_lineage(ty_text *out, const ty_run_record *run, const ty_run_package *package) {
    ty_text_add(out, "| | |\n|---|---|\n");
    add_row(out, "run id", run->info.run_id);
    add_row(out, "model id", package->model_id);
    for (int64_t i = 0; i < run->n_datasets && i < 4; i++) {
        add_row(out, run->datasets[i].context ? run->datasets[i].context : "data",
                run->datasets[i].name);
        add_row(out, "its digest", run->datasets[i].digest);
    }
    add_row(out, "data fingerprint", tag(run, "tiltyard.data_fingerprint"));
    add_row(out, "config hash", tag(run, "tiltyard.config_hash"));
    add_row(out, "code", tag(run, "mlflow.source.git.commit"));
    add_row(out, "tiltyard", tag(run, "tiltyard.version"));
    add_row(out, "parameters", param(run, "parameters"));
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

static bool is_shown(const char *key) {
    return strncmp(key, "test/", 5) == 0 || strncmp(key, "val/", 4) == 0;
}

static void add_metrics(ty_text *out, const ty_run_record *run, int64_t step) {
    bool has_title = false;
    for (int64_t i = 0; i < run->n_curves && out->length + REST_BYTES < TY_CARD_MAX_BYTES; i++) {
        const ty_run_point *p =
            is_shown(run->curves[i].key) ? point_at(&run->curves[i], step) : NULL;
        if (!p)
            continue;
        if (!has_title)
            ty_text_add(out, "| metric | value | step |\n|---|---:|---:|\n");
        has_title = true;
        ty_text_add(out, "| ");
        add_cell(out, run->curves[i].key);
        ty_text_addf(out, " | %.6g | %lld |\n", p->value, (long long)p->step);
    }
    if (has_title)
        ty_text_add(out, "\n");
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
        ty_text_addf(out, "%s`%s: ", before, keys[i]);
        ty_text copy = {0};
        ty_text_add_n(&copy, text, strlen(text) < 100 ? strlen(text) : 100);
        add_cell(out, ty_text_string(&copy));
        ty_text_clear(&copy);
        ty_text_add(out, "`");
        before = ", ";
    }
    ty_text_add(out, ".\n\n");
}

/* --- what to do with it ----------------------------------------------------------------------- */

static void add_use(ty_text *out, const char *name) {
    ty_text_add(out, "```python\nmodel = mlflow.pyfunc.load_model(\"models:/");
    add_cell(out, name);
    ty_text_add(out, "@champion\")\n```\n\n```sh\ntiltyard predict models:/");
    add_cell(out, name);
    ty_text_add(out, "@champion --input FILE\n```\n");
}

static void add_source(ty_text *out, const ty_run_record *run) {
    const char *source = run->info.source;
    if (!source || !*source || strlen(source) > REST_BYTES / 2)
        return;
    ty_text_add(out, "\nMade by `");
    add_cell(out, source);
    ty_text_add(out, "`.\n");
}

void ty_card_write(const ty_run_record *run, const ty_run_package *package, const char *name,
                   ty_text *out) {
    add_head(out, run, package, name);
    add_lineage(out, run, package);
    add_metrics(out, run, package->step);
    add_config(out, run);
    add_use(out, name);
    add_source(out, run);
}
