/* A sweep without a training, for tests in other languages: optuna_probe FOLDER SEED TRIALS GOAL runs
 * a random study (GOAL: min or max) over every kind of parameter and writes FOLDER/optuna.journal along.
 * Eight times on the way, and once at the end, it prints a line of JSON that says what the study has and
 * what mattered, and reads one; then it writes FOLDER/export.journal. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hpo/hpo.h"

enum { N_PARAMS = 12, REPORTS = 4, STAGES = 8, AT_ONCE = 3 };

typedef struct probe {
    ty_ctx ctx;
    ty_param params[N_PARAMS];
    ty_space space;
    ty_clause clause;
    double one;
    ty_variant sampler, pruner;
    ty_doc *sampler_doc, *pruner_doc;
    ty_study_options options;
    ty_study *study;
    ty_optuna_view view;
    ty_optuna_tee *tee;
    size_t busy[AT_ONCE]; /* trials, plus one */
} probe;

static void check(probe *p, ty_status st) {
    if (st == TY_OK)
        return;
    fprintf(stderr, "optuna_probe: %s\n", p->ctx.message);
    exit(1);
}

static void fill_space(probe *p) {
    const ty_param params[N_PARAMS] = {
        {.name = "flat", .prior = TY_PRIOR_UNIFORM, .low = -1.5, .high = 2},
        {.name = "lattice", .prior = TY_PRIOR_UNIFORM, .low = 0.5, .high = 2, .step = 0.25},
        {.name = "rate", .prior = TY_PRIOR_LOG, .low = 1e-5, .high = 0.1},
        {.name = "layers", .prior = TY_PRIOR_UNIFORM, .is_int = true, .low = 1, .high = 8},
        {.name = "even", .prior = TY_PRIOR_UNIFORM, .is_int = true, .high = 128, .step = 2},
        {.name = "width", .prior = TY_PRIOR_LOG, .is_int = true, .low = 4, .high = 300},
        {.name = "normal", .prior = TY_PRIOR_NORMAL, .mu = 3, .sigma = 0.5},
        {.name = "log \"normal\"", .prior = TY_PRIOR_LOG_NORMAL, .mu = -2, .sigma = 1},
        {.name = "beta", .prior = TY_PRIOR_BETA, .high = 1, .a = 2, .b = 5},
        {.name = "kind", .prior = TY_PRIOR_CHOICE},
        {.name = "momentum", .prior = TY_PRIOR_UNIFORM, .high = 1},
        {.name = "only", .prior = TY_PRIOR_UNIFORM, .low = 7, .high = 7}};
    const double infinite = INFINITY;
    memcpy(p->params, params, sizeof params);
    p->params[6].low = -infinite;
    p->params[6].high = infinite;
    p->params[7].high = infinite;
    p->params[9].choices = json_pack("[s, b, i, n, [i, i], f]", "a", 1, 64, 3, 4, 0.5);
    p->params[9].choice_count = 6;
    p->one = 0;
    p->clause = (ty_clause){.parent = 9, .accepted = &p->one, .accepted_count = 1};
    p->params[10].clauses = &p->clause;
    p->params[10].clause_count = 1;
    p->space = (ty_space){.params = p->params, .count = N_PARAMS};
    check(p, ty_space_seal(&p->ctx, &p->space));
}

static void open_all(probe *p, const char *folder, char *const *words) {
    char path[4096];
    fill_space(p);
    check(p, ty_sampler_read_json(&p->ctx, "\"random\"", &p->sampler_doc, &p->sampler));
    check(p, ty_pruner_read_json(&p->ctx, "\"none\"", &p->pruner_doc, &p->pruner));
    p->options = (ty_study_options){.name = "probe",
                                    .space = &p->space,
                                    .sampler = &p->sampler,
                                    .pruner = &p->pruner,
                                    .identity = "{}",
                                    .seed = strtoull(words[0], NULL, 10),
                                    .maximize = strcmp(words[2], "max") == 0,
                                    .order = TY_ORDER_OFF,
                                    .window = 1,
                                    .max_resource = REPORTS,
                                    .max_trials = strtoll(words[1], NULL, 10),
                                    .target = NAN};
    (void)snprintf(path, sizeof path, "%s/sweep.journal", folder);
    check(p, ty_study_open(&p->ctx, path, &p->options, &p->study));
    p->view = (ty_optuna_view){.study = p->study,
                               .space = &p->space,
                               .name = "a \"probe\"",
                               .metric = "val/loss",
                               .maximize = p->options.maximize,
                               .has_limits = true};
    (void)snprintf(path, sizeof path, "%s/optuna.journal", folder);
    check(p, ty_optuna_tee_open(&p->ctx, path, &p->view, &p->tee));
}

/* --- the sweep ---------------------------------------------------------------------------------- */

static double loss_at(const probe *p, const ty_trial *t, size_t report) {
    const double rate = (log10(t->x[2]) + 3) / 2, layers = (t->x[3] - 5) / 4;
    const double momentum = isnan(t->x[10]) ? 1 : t->x[10] - 0.9;
    const double loss = rate * rate + layers * layers + 0.3 * t->x[9] + momentum * momentum +
                        0.1 * t->x[0] + 1 / (double)(report + 1);
    return p->options.maximize ? -loss : loss;
}

static const ty_told ends[] = {
    {.state = TY_TRIAL_COMPLETE, .value = NAN},
    {.state = TY_TRIAL_COMPLETE, .value = NAN, .violation = 0.25},
    {.state = TY_TRIAL_PRUNED, .value = NAN, .reason = "worse than \"most\""},
    {.state = TY_TRIAL_FAILED, .value = NAN, .reason = "it broke"},
    {.state = TY_TRIAL_PAUSED, .value = NAN, .reason = "may be promoted"},
};

static bool ends_after(size_t number, size_t reports, ty_told *out) {
    enum { USUAL = 11 };
    const size_t kind = number % USUAL;
    *out = ends[kind < 5 ? kind : 0];
    return reports == (out->state == TY_TRIAL_COMPLETE ? REPORTS : kind - 2);
}

/* One thing happens to slot `slot`. */
static void turn(probe *p, size_t slot) {
    ty_told told;
    ty_decision decision;
    ty_ask ask;
    if (p->busy[slot] == 0) {
        check(p, ty_study_ask(&p->ctx, p->study, "w", &ask));
        p->busy[slot] = ask.kind == TY_ASK_TRIAL ? ask.trial->number + 1 : 0;
        return;
    }
    const ty_trial *t = ty_study_trial(p->study, p->busy[slot] - 1);
    if (ends_after(t->number, t->reports, &told)) {
        check(p, ty_study_tell(&p->ctx, p->study, t->number, &told));
        p->busy[slot] = 0;
        return;
    }
    /* One report of a diverged training. */
    const bool diverges = t->number == 6 && t->reports == 1;
    const ty_report report = {.step = 10 * (double)(t->reports + 1),
                              .resource = NAN,
                              .value = diverges ? NAN : loss_at(p, t, t->reports)};
    check(p, ty_study_report(&p->ctx, p->study, t->number, &report, &decision));
}

/* --- what is said ------------------------------------------------------------------------------- */

static json_t *number(double v) {
    return isfinite(v) ? json_real(v) : json_null();
}

static json_t *trial_json(const probe *p, const ty_trial *t) {
    json_t *params = json_object(), *reports = json_object();
    char step[32];
    for (size_t d = 0; d < N_PARAMS; d++)
        if (!isnan(t->x[d]))
            json_object_set_new(params, p->params[d].name,
                                ty_param_to_json(&p->params[d], t->x[d]));
    for (size_t i = 0; i < t->reports; i++) {
        (void)snprintf(step, sizeof step, "%.0f", t->step[i]);
        json_object_set_new(reports, step,
                            number(p->options.maximize ? -t->reported[i] : t->reported[i]));
    }
    return json_pack("{s:i, s:i, s:o, s:o, s:o, s:s, s:f, s:f, s:f}", "number", (int)t->number,
                     "state", (int)t->state, "value", number(t->value), "params", params, "reports",
                     reports, "reason", t->reason, "violation", t->violation, "asked",
                     (double)t->asked_ns * 1e-9, "told", (double)t->told_ns * 1e-9);
}

static void say(probe *p) {
    char line[64];
    double weight[N_PARAMS];
    json_t *trials = json_array(), *importance = json_object();
    check(p, ty_importance(&p->ctx, p->study, &p->space, p->options.maximize, weight));
    for (size_t d = 0; d < N_PARAMS; d++)
        json_object_set_new(importance, p->params[d].name, json_real(weight[d]));
    for (size_t i = 0; i < ty_study_count(p->study); i++)
        json_array_append_new(trials, trial_json(p, ty_study_trial(p->study, i)));
    json_t *all = json_pack("{s:o, s:o}", "trials", trials, "importance", importance);
    char *text = json_dumps(all, JSON_COMPACT);
    printf("%s\n", text);
    fflush(stdout);
    free(text);
    json_decref(all);
    if (!fgets(line, sizeof line, stdin))
        exit(1);
}

/* Each stage is seen with some trials in the middle. */
static void run(probe *p) {
    const size_t turns = (size_t)p->options.max_trials * (REPORTS + 2);
    for (size_t i = 0; i < turns; i++) {
        turn(p, i % AT_ONCE);
        check(p, ty_optuna_tee_write(&p->ctx, p->tee));
        if ((i + 1) % (turns / STAGES) == 0)
            say(p);
    }
}

static void export(probe *p, const char *folder) {
    char path[4096];
    ty_text text = {0};
    (void)snprintf(path, sizeof path, "%s/export.journal", folder);
    check(p, ty_optuna_export(&p->ctx, &p->view, &text));
    check(p, ty_file_write_atomic(&p->ctx, path, text.data, text.length));
    ty_text_clear(&text);
}

int main(int argc, char **argv) {
    probe p = {0};
    if (argc != 5)
        return 2;
    ty_ctx_init(&p.ctx);
    open_all(&p, argv[1], argv + 2);
    run(&p);
    export(&p, argv[1]);
    say(&p);
    ty_optuna_tee_close(&p.ctx, p.tee);
    ty_study_close(p.study);
    ty_doc_close(p.sampler_doc);
    ty_doc_close(p.pruner_doc);
    json_decref((json_t *)(uintptr_t)p.params[9].choices);
    ty_ctx_clear(&p.ctx);
    return 0;
}
