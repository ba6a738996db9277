/* From a point of the space to a process. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/sweep.h"

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
    text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    char *both = text ? ty_arena_printf(arena, "%s=%s", name, text) : NULL;
    free(text);
    return both;
}

/* What the trainer says of a key, without the place that our own assignment has, and what it
 * suggests instead. */
static void keep_words(const char *message, const char *set, char *words, size_t size) {
    const char *hint = strstr(message, "did you mean");
    const char *place = strstr(message, set);
    const char *said = place ? place + strlen(set) : message;
    said += strspn(said, ": ");
    int n = snprintf(words, size, "%.*s", (int)strcspn(said, "\n"), said);
    if (hint && n > 0 && (size_t)n < size)
        (void)snprintf(words + n, size - (size_t)n, "; %.*s", (int)strcspn(hint, "\n"), hint);
}

/* The trainer's words on the config with this one key changed; "" where it may be. */
static ty_status try_value(sweep *s, const char *set, char *words, size_t size) {
    ty_ctx ctx;
    ty_doc *doc = NULL;
    ty_train_config config;
    ty_ctx_init_child(&ctx, &s->app->ctx);
    memset(&config, 0, sizeof config);
    words[0] = 0;
    ty_status st = ty_doc_read(&ctx, s->file.config_path, &doc);
    if (st == TY_OK)
        st = ty_doc_set(&ctx, doc, set);
    if (st == TY_OK)
        st = ty_train_config_load(&ctx, doc, &config);
    if (st != TY_OK)
        keep_words(ctx.message, set, words, size);
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

static ty_status check_value(sweep *s, const char *name, const char *path, const json_t *value) {
    char words[512];
    ty_ctx *ctx = &s->app->ctx;
    char *set = assignment(&ctx->scratch, name, value);
    if (!set)
        return ty_fail_nomem(ctx, "the parameters of a sweep");
    TY_TRY(try_value(s, set, words, sizeof words));
    if (words[0] == 0)
        return TY_OK;
    return ty_rows_reject(ctx, s->file.doc, path, "no config can have %s: %s", set, words);
}

static ty_status check_param(sweep *s, size_t d) {
    const ty_param *p = &s->file.space.params[d];
    double v[2] = {0};
    const size_t n = probes(p, v);
    for (size_t i = 0; i < n; i++) {
        json_t *value = ty_param_to_json(p, ty_param_is_numeric(p) ? v[i] : (double)i);
        const ty_status st = value ? check_value(s, p->name, s->file.param_paths[d], value)
                                   : ty_fail_nomem(&s->app->ctx, "the parameters of a sweep");
        json_decref(value);
        if (st != TY_OK)
            return st;
    }
    return TY_OK;
}

/* The config itself must be one; and does it say how many threads there are? */
static ty_status read_base(sweep *s) {
    ty_doc *doc = NULL;
    ty_train_config config;
    memset(&config, 0, sizeof config);
    TY_TRY(ty_doc_read(&s->app->ctx, s->file.config_path, &doc));
    s->says_threads = ty_doc_at(doc, "train.threads") != NULL;
    ty_status st = ty_train_config_load(&s->app->ctx, doc, &config);
    if (st == TY_OK) {
        s->experiment = ty_arena_string(&s->arena, config.experiment);
        st = s->experiment ? ty_rows_dump(&s->app->ctx, &ty_train_rows, doc, &s->config_json)
                           : ty_fail_nomem(&s->app->ctx, "the experiment's name");
    }
    if (st == TY_OK)
        st = ty_rows_hash(&s->app->ctx, &ty_train_rows, doc, &s->config_hash);
    ty_doc_close(doc);
    return st;
}

ty_status sweep_check_params(sweep *s) {
    ty_status st = TY_OK;
    s->experiment = "sweeps";
    if (!s->file.config_path)
        return TY_OK;
    TY_TRY(read_base(s));
    for (size_t d = 0; d < s->file.space.count; d++) {
        const ty_status one = check_param(s, d);
        st = st == TY_OK ? one : st;
    }
    for (size_t i = 0; i < s->file.fixed_count; i++) {
        const ty_status one =
            check_value(s, s->file.fixed[i].name, s->file.fixed[i].path, s->file.fixed[i].value);
        st = st == TY_OK ? one : st;
    }
    return st;
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

static void add_point(words *w, const sweep *s, const ty_trial *trial) {
    for (size_t i = 0; i < s->file.fixed_count; i++)
        add_set(w, s->file.fixed[i].name, s->file.fixed[i].value);
    for (size_t d = 0; d < s->file.space.count; d++) {
        json_t *value =
            isnan(trial->x[d]) ? NULL : ty_param_to_json(&s->file.space.params[d], trial->x[d]);
        if (value)
            add_set(w, s->file.space.params[d].name, value);
        json_decref(value);
    }
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

json_t *sweep_sets(const sweep *s, const ty_trial *trial, ty_arena *arena) {
    json_t *sets = json_array();
    words w = {.arena = arena, .room = 2 * (s->file.fixed_count + s->file.space.count) + 4};
    w.v = ty_arena_array(arena, w.room, sizeof *w.v);
    if (w.v) {
        add_threads(&w, s);
        add_point(&w, s, trial);
    }
    for (size_t i = 1; i < w.n; i += 2) /* the odd ones are not "--set" */
        if (json_array_append_new(sets, json_string(w.v[i])) != 0)
            w.has_failed = true;
    if (w.v && !w.has_failed)
        return sets;
    json_decref(sets);
    return NULL;
}

static void add_training(words *w, const sweep *s, const ty_trial *trial) {
    char self[4096];
    const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    self[length > 0 ? length : 0] = 0;
    add(w, self);
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
    add_point(w, s, trial);
}

ty_status sweep_words(sweep *s, const ty_trial *trial, ty_arena *arena, char *const **out) {
    if (!s->file.config_path)
        return sweep_command(s, trial, arena, out);
    words w = {.arena = arena, .room = 2 * (s->file.fixed_count + s->file.space.count) + 32};
    w.v = ty_arena_array(arena, w.room, sizeof *w.v);
    if (w.v)
        add_training(&w, s, trial);
    *out = w.v;
    return w.v && !w.has_failed ? TY_OK : ty_fail_nomem(&s->app->ctx, "the command of a trial");
}

ty_status sweep_environment(sweep *s, int slot, const ty_trial *trial, ty_arena *arena,
                            char *const **out) {
    char **v = ty_arena_array(arena, 4, sizeof *v);
    ty_text tags = {0};
    ty_text_add(&tags, "MLFLOW_RUN_CONTEXT={\"tiltyard.sweep\": ");
    ty_text_add_json(&tags, s->file.stem);
    ty_text_addf(&tags, ", \"tiltyard.trial\": \"%zu\"}", trial->number);
    if (v) {
        v[0] = ty_arena_printf(arena, "MLFLOW_PARENT_RUN_ID=%s",
                               ty_tracker_describe(s->tracker)->run_id);
        v[1] = ty_arena_string(arena, ty_text_string(&tags));
        v[2] = s->slot_gpus ? s->slot_gpus[slot] : NULL;
    }
    ty_text_clear(&tags);
    *out = v;
    return v && v[0] && v[1] ? TY_OK : ty_fail_nomem(&s->app->ctx, "the environment of a trial");
}
