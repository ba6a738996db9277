/* From a point of the space to a process. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/launch.h"
#include "cli/sweep/sweep.h"

const char *sweep_run_name(const sweep *s, size_t trial, ty_arena *arena) {
    return ty_arena_printf(arena, "%s-%04zu", s->file.stem, trial);
}

/* --- checking ----------------------------------------------------------------------------------- */

/* "key=value" as --set takes it; a number as short as it can be said. */
static char *assignment(ty_arena *arena, const char *name, const json_t *value) {
    char *text = NULL;
    if (json_is_real(value)) {
        ty_text number = {0};
        ty_text_add_number(&number, json_real_value(value));
        char *both = ty_arena_printf(arena, "%s=%s", name, ty_text_string(&number));
        ty_text_clear(&number);
        return both;
    }
    json_t *escaped = ty_json_escaped(value);
    text = json_dumps(escaped, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    json_decref(escaped);
    char *both = text ? ty_arena_printf(arena, "%s=%s", name, text) : NULL;
    free(text);
    return both;
}

static const char hint_begin[] = "did you mean \"", unknown_begin[] = "unknown key \"";

/* The trainer suggests a key of the section that it is in; parameters have their whole paths. How much of
 * *path is that section with its dot; 0 where the whole path is suggested (the same key elsewhere). */
static int section_of(const char *said, const char *meant, const char **path) {
    const char *unknown = strstr(said, unknown_begin);
    if (!unknown)
        return 0;
    *path = unknown + strlen(unknown_begin);
    const size_t length = strcspn(*path, "\"\n"), n = strcspn(meant, "\"\n");
    size_t section = length;
    while (section > 0 && (*path)[section - 1] != '.')
        section--;
    const bool is_same_key = n == length - section && strncmp(meant, *path + section, n) == 0;
    return is_same_key || memchr(meant, '.', n) ? 0 : (int)section;
}

/* What the trainer says of a key, without the place that our own assignment has, and what it
 * suggests instead. */
static void keep_words(const char *message, const char *set, char *words, size_t size) {
    const char *hint = strstr(message, hint_begin);
    const char *place = strstr(message, set), *path = "";
    const char *said = place ? place + strlen(set) : message;
    said += strspn(said, ": ");
    int n = snprintf(words, size, "%.*s", (int)strcspn(said, "\n"), said);
    if (!hint || n <= 0 || (size_t)n >= size)
        return;
    const char *meant = hint + strlen(hint_begin);
    const int section = section_of(words, meant, &path);
    (void)snprintf(words + n, size - (size_t)n, "; %s%.*s%.*s", hint_begin, section, path,
                   (int)strcspn(meant, "\n"), meant);
}

/* What the trainer says of the config with these keys changed; "" where it may be. */
static ty_status try_sets(sweep *s, char *const *sets, size_t n, char message[TY_MESSAGE_BYTES]) {
    ty_ctx ctx;
    ty_doc *doc = NULL;
    ty_train_config config;
    ty_ctx_init_child(&ctx, &s->app->ctx);
    memset(&config, 0, sizeof config);
    message[0] = 0;
    ty_status st = ty_doc_read(&ctx, s->file.config_path, &doc);
    for (size_t i = 0; st == TY_OK && i < n; i++)
        st = ty_doc_set(&ctx, doc, sets[i]);
    if (st == TY_OK)
        st = ty_train_config_load(&ctx, doc, &config);
    if (st != TY_OK)
        memcpy(message, ctx.message, TY_MESSAGE_BYTES);
    ty_doc_close(doc);
    ty_ctx_clear(&ctx);
    return st == TY_ERR_CONFIG || st == TY_ERR_ARG ? TY_OK : st;
}

/* A parameter's extremes stand for what lies between. */
static size_t probes(const ty_param *p, double v[2]) {
    if (!ty_param_is_numeric(p))
        return p->choice_count;
    v[0] = isfinite(p->low) ? p->low : ty_param_quantile(p, 0.001);
    v[1] = isfinite(p->high) ? p->high : ty_param_quantile(p, 0.999);
    return v[0] == v[1] ? 1 : 2;
}

/* What is set when one value is tried: the fixed values, what it depends on, itself last. */
typedef struct tried {
    char **v;
    size_t n;
    bool has_failed;
} tried;

static void try_also(sweep *s, tried *t, const char *name, const json_t *value) {
    char *set = value && !t->has_failed ? assignment(&s->app->ctx.scratch, name, value) : NULL;
    t->has_failed = !set;
    if (set)
        t->v[t->n++] = set;
}

static void try_also_at(sweep *s, tried *t, size_t d, double v) {
    json_t *value = ty_param_to_json(&s->file.space.params[d], v);
    try_also(s, t, s->file.space.params[d].name, value);
    json_decref(value);
}

/* `values: [sgd]` is fixed, too. */
static bool has_one_value(const ty_param *p, double *out) {
    double v[2] = {0};
    const bool has_one = p->clause_count == 0 && probes(p, v) == 1;
    *out = v[0];
    return has_one;
}

/* All fixed values but this one. */
static tried begin_tried(sweep *s, size_t but) {
    double v = 0;
    const ty_space *space = &s->file.space;
    const size_t room = s->file.fixed_count + 2 * space->count + 1;
    tried t = {.v = ty_arena_array(&s->app->ctx.scratch, room, sizeof *t.v)};
    t.has_failed = !t.v;
    for (size_t i = 0; i < s->file.fixed_count; i++)
        if (i != but)
            try_also(s, &t, s->file.fixed[i].name, s->file.fixed[i].value);
    for (size_t d = 0; d < space->count; d++)
        if (has_one_value(&space->params[d], &v))
            try_also_at(s, &t, d, v);
    return t;
}

/* The parameter "optimizer.type" for "optimizer.momentum=0.9", where it is searched; NULL where not. */
static const char *searched_type_beside(const ty_space *space, const char *assignment) {
    static const char type[] = ".type";
    for (size_t d = 0; d < space->count; d++) {
        const char *name = space->params[d].name;
        const size_t length = strlen(name), tail = sizeof type - 1;
        if (length > tail && strcmp(name + length - tail, type) == 0 &&
            strncmp(name, assignment, length - tail + 1) == 0)
            return name;
    }
    return NULL;
}

static ty_status reject(sweep *s, const tried *t, const char *path, const char *message) {
    char words[512];
    const char *last = t->v[t->n - 1];
    keep_words(message, last, words, sizeof words);
    const char *type =
        strstr(words, "unknown key") ? searched_type_beside(&s->file.space, last) : NULL;
    return ty_rows_reject(&s->app->ctx, s->file.doc, path, "no config can have %s: %s%s%s%s", last,
                          words, type ? "\nif some choices of " : "", type ? type : "",
                          type ? " have it, write \"values\" and a condition" : "");
}

/* Whether all clauses of p on this parent take v. */
static bool suits(const ty_param *p, size_t parent, double v) {
    bool all = true;
    for (size_t i = 0; i < p->clause_count; i++) {
        const ty_clause *c = &p->clauses[i];
        bool one = c->parent != parent;
        for (size_t k = 0; k < c->accepted_count; k++)
            one = one || c->accepted[k] == v;
        all = all && one;
    }
    return all;
}

/* Gives what parameter d depends on values with which it plays its part. */
static void place_parents(const ty_space *space, double *x, size_t d) {
    const ty_param *p = &space->params[d];
    for (size_t i = 0; i < p->clause_count; i++) {
        const ty_clause *c = &p->clauses[i];
        for (size_t k = 0; k < c->accepted_count; k++)
            if (suits(p, c->parent, c->accepted[k])) {
                x[c->parent] = c->accepted[k];
                break;
            }
        place_parents(space, x, c->parent);
    }
}

/* x: the values of what d depends on, NAN for all others. */
static ty_status check_param_at(sweep *s, const double *x, size_t d, double v) {
    char message[TY_MESSAGE_BYTES];
    tried t = begin_tried(s, s->file.fixed_count);
    for (size_t i = 0; i < d; i++) /* parents come before their children */
        if (!isnan(x[i]))
            try_also_at(s, &t, i, x[i]);
    try_also_at(s, &t, d, v);
    if (t.has_failed)
        return ty_fail_nomem(&s->app->ctx, "the parameters of a sweep");
    TY_TRY(try_sets(s, t.v, t.n, message));
    return message[0] ? reject(s, &t, s->file.param_paths[d], message) : TY_OK;
}

static ty_status check_param(sweep *s, size_t d) {
    double v[2] = {0};
    const ty_space *space = &s->file.space;
    const size_t n = probes(&space->params[d], v);
    double *x = ty_arena_array(&s->app->ctx.scratch, space->count, sizeof *x);
    if (!x)
        return ty_fail_nomem(&s->app->ctx, "the parameters of a sweep");
    for (size_t i = 0; i < space->count; i++)
        x[i] = NAN;
    place_parents(space, x, d);
    if (!ty_space_is_active(space, x, d))
        return TY_OK; /* its conditions exclude each other: no trial has it */
    for (size_t i = 0; i < n; i++)
        TY_TRY(check_param_at(s, x, d, ty_param_is_numeric(&space->params[d]) ? v[i] : (double)i));
    return TY_OK;
}

/* Of the last one, where it is at fault: what is wrong with another is said there. */
static ty_status check_last(sweep *s, const tried *t, const char *path) {
    char message[TY_MESSAGE_BYTES];
    if (t->has_failed)
        return ty_fail_nomem(&s->app->ctx, "the parameters of a sweep");
    TY_TRY(try_sets(s, t->v, t->n, message));
    return message[0] && strstr(message, t->v[t->n - 1]) ? reject(s, t, path, message) : TY_OK;
}

/* Beside all others that are fixed, since one may want another. */
static ty_status check_fixed(sweep *s, size_t i) {
    tried t = begin_tried(s, i);
    try_also(s, &t, s->file.fixed[i].name, s->file.fixed[i].value);
    return check_last(s, &t, s->file.fixed[i].path);
}

static ty_status check_single(sweep *s, size_t d) {
    double v = 0;
    tried t = begin_tried(s, s->file.fixed_count);
    if (!has_one_value(&s->file.space.params[d], &v))
        return TY_OK;
    try_also_at(s, &t, d, v);
    return check_last(s, &t, s->file.param_paths[d]);
}

/* What the config says itself may not go with them. */
static ty_status check_together(sweep *s) {
    char message[TY_MESSAGE_BYTES], words[512];
    const tried t = begin_tried(s, s->file.fixed_count);
    if (t.has_failed)
        return ty_fail_nomem(&s->app->ctx, "the parameters of a sweep");
    TY_TRY(try_sets(s, t.v, t.n, message));
    if (!message[0])
        return TY_OK;
    keep_words(message, "error", words, sizeof words);
    return ty_rows_reject(&s->app->ctx, s->file.doc, "parameters",
                          "the config cannot have the values that are fixed: %s", words);
}

/* All findings of one kind at once; parameters are tried beside fixed values that can be. */
static ty_status check_all(sweep *s, size_t n, ty_status (*check)(sweep *s, size_t i)) {
    ty_status st = TY_OK;
    for (size_t i = 0; i < n; i++) {
        const ty_status one = check(s, i);
        st = st == TY_OK ? one : st;
    }
    return st;
}

static ty_status open_base(sweep *s, ty_doc **doc) {
    char words[512];
    const ty_status st = ty_doc_read(&s->app->ctx, s->file.config_path, doc);
    if (st != TY_ERR_NOT_FOUND && st != TY_ERR_IO)
        return st;
    (void)snprintf(words, sizeof words, "%.500s", s->app->ctx.message);
    return ty_rows_reject(&s->app->ctx, s->file.doc, "config", "reading the config: %s", words);
}

/* The config itself must be one; and does it say how many threads there are? */
static ty_status read_base(sweep *s) {
    ty_doc *doc = NULL;
    TY_TRY(open_base(s, &doc));
    s->says_threads = ty_doc_at(doc, "train.threads") != NULL;
    ty_status st = sweep_choose_place(s, doc);
    if (st == TY_OK)
        st = ty_rows_hash(&s->app->ctx, &ty_train_rows, doc, &s->config_hash);
    s->config_json.length = 0;
    if (st == TY_OK)
        ty_doc_dump(doc, &s->config_json);
    ty_doc_close(doc);
    return s->config_json.is_short ? ty_fail_nomem(&s->app->ctx, "the config") : st;
}

ty_status sweep_check_params(sweep *s) {
    if (!s->file.config_path)
        return sweep_choose_programs_place(s);
    TY_TRY(read_base(s));
    const ty_status fixed = check_all(s, s->file.fixed_count, check_fixed);
    TY_TRY(check_all(s, s->file.space.count, check_single));
    TY_TRY(fixed);
    TY_TRY(check_together(s));
    return check_all(s, s->file.space.count, check_param);
}

/* --- starting ----------------------------------------------------------------------------------- */

typedef struct words {
    ty_arena *arena;
    char **v;
    size_t n, room;
    bool has_failed;
} words;

static void add(words *w, const char *word) {
    char *kept = word ? ty_arena_string(w->arena, word) : NULL;
    if (w->n + 1 >= w->room || !kept)
        w->has_failed = true;
    else
        w->v[w->n++] = kept;
}

static void add_set(words *w, const char *name, const json_t *value) {
    add(w, "--set");
    add(w, assignment(w->arena, name, value));
}

/* The parameters of a trial, and room for them and `more` words. */
static json_t *begin_words(words *w, const ty_trial *trial, size_t more) {
    json_t *params = ty_trial_params(trial);
    w->room = 2 * json_object_size(params) + more;
    w->v = params ? ty_arena_array(w->arena, w->room, sizeof *w->v) : NULL;
    return params;
}

static void add_point(words *w, const json_t *params) {
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)params, name, value)
        add_set(w, name, value);
}

/* The cores are shared out among the slots, where nobody has said otherwise. */
static void add_threads(words *w, const sweep *s) {
    if (s->says_threads)
        return;
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    const int64_t processes = s->n_slots * s->file.resources.ranks_per_trial;
    const int64_t each = cores / (processes > 0 ? processes : 1);
    add(w, "--set");
    add(w, ty_arena_printf(w->arena, "train.threads=%lld", (long long)(each > 0 ? each : 1)));
}

/* A trial is worth its best report, and its model is the one of then; a point's own checkpoint.best, which
 * comes behind, has the last word. NULL: the training keeps no checkpoint by this metric, or the last one
 * is meant. */
static const char *best_checkpoint(const sweep *s) {
    static const struct {
        const char *metric;
        bool maximize;
        const char *best;
    } kept[] = {{"val/loss", false, "val/loss:min"}, {"val/accuracy", true, "val/accuracy:max"}};
    if (s->file.metric.value_of == TY_VALUE_LAST)
        return "none";
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (strcmp(s->file.metric.name, kept[i].metric) == 0 &&
            s->options.maximize == kept[i].maximize)
            return kept[i].best;
    return NULL;
}

static void add_best(words *w, const sweep *s) {
    const char *best = best_checkpoint(s);
    if (!best)
        return;
    add(w, "--set");
    add(w, ty_arena_printf(w->arena, "checkpoint.best=%s", best));
}

json_t *sweep_sets(const sweep *s, const ty_trial *trial, ty_arena *arena) {
    json_t *sets = json_array();
    words w = {.arena = arena};
    json_t *params = begin_words(&w, trial, 6);
    if (w.v) {
        add_threads(&w, s);
        add_best(&w, s);
        add_point(&w, params);
    }
    json_decref(params);
    for (size_t i = 1; i < w.n; i += 2) /* the odd ones are not "--set" */
        if (json_array_append_new(sets, json_string(w.v[i])) != 0)
            w.has_failed = true;
    if (w.v && !w.has_failed)
        return sets;
    json_decref(sets);
    return NULL;
}

static void add_training(words *w, const sweep *s, const ty_trial *trial, const json_t *params) {
    add(w, launch_path(w->arena));
    add(w, "train");
    add(w, s->file.config_path);
    add(w, "--dir");
    add(w, s->app->folder);
    add(w, "--name");
    add(w, sweep_run_name(s, trial->number, w->arena));
    if (s->file.resources.ranks_per_trial > 1) {
        add(w, "-n");
        add(w, ty_arena_printf(w->arena, "%lld", (long long)s->file.resources.ranks_per_trial));
    }
    add_threads(w, s);
    add_best(w, s);
    add_point(w, params);
}

ty_status sweep_words(sweep *s, const ty_trial *trial, ty_arena *arena, char *const **out) {
    if (!s->file.config_path)
        return sweep_command(s, trial, arena, out);
    words w = {.arena = arena};
    json_t *params = begin_words(&w, trial, 32);
    if (w.v)
        add_training(&w, s, trial, params);
    json_decref(params);
    *out = w.v;
    return w.v && !w.has_failed ? TY_OK : ty_fail_nomem(&s->app->ctx, "the command of a trial");
}

ty_status sweep_environment(sweep *s, int slot, const ty_trial *trial, ty_arena *arena,
                            char *const **out) {
    char **v = ty_arena_array(arena, 8, sizeof *v);
    json_t *tags = sweep_trial_tags(s, trial);
    char *text = tags ? json_dumps(tags, JSON_COMPACT) : NULL;
    if (v && text) {
        v[0] = ty_arena_printf(arena, "MLFLOW_PARENT_RUN_ID=%s",
                               ty_tracker_describe(s->tracker)->run_id);
        v[1] = ty_arena_printf(arena, "MLFLOW_RUN_CONTEXT=%s", text);
        v[2] = s->slot_gpus ? s->slot_gpus[slot] : NULL;
    }
    const size_t n = s->slot_gpus ? 3 : 2;
    free(text);
    json_decref(tags);
    *out = v;
    if (!v || !v[0] || !v[1])
        return ty_fail_nomem(&s->app->ctx, "the environment of a trial");
    return s->children ? sweep_child_begin(s, slot, trial, arena, v + n) : TY_OK;
}
