/* The command line of a trial that is any other program: W&B's macros over its parameters. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/sweep/sweep.h"

typedef struct macros {
    sweep *s;
    size_t trial;
    json_t *params; /* all of the trial, the fixed ones too */
    ty_arena *arena;
    char **v;
    size_t n, room;
    ty_status st; /* the first failure; the words behind it are left out */
} macros;

static ty_status no_memory(ty_ctx *ctx) {
    return ty_fail_nomem(ctx, "the command of a trial");
}

/* word NULL: it could not be made. */
static void add(macros *m, const char *word) {
    char *kept = word ? ty_arena_string(m->arena, word) : NULL;
    if (m->st == TY_OK && (!kept || m->n + 1 >= m->room))
        m->st = no_memory(&m->s->app->ctx);
    if (m->st == TY_OK)
        m->v[m->n++] = kept;
}

typedef void each_fn(macros *m, const char *name, const json_t *value, const char *hyphens);

static void each_param(macros *m, each_fn *fn, const char *hyphens) {
    json_t *value;
    const char *name;
    json_object_foreach(m->params, name, value)
        fn(m, name, value, hyphens);
}

static const char *as_json(macros *m, const json_t *value) {
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    const char *kept = text ? ty_arena_string(m->arena, text) : NULL;
    free(text);
    return kept;
}

/* In as few digits as say it, with a point or exponent: 0.1, 1.0, 1e-05. */
static const char *as_number(macros *m, double value) {
    ty_text text = {0};
    ty_text_add_number(&text, value);
    if (!strpbrk(ty_text_string(&text), ".e"))
        ty_text_addf(&text, ".0");
    const char *kept = text.is_short ? NULL : ty_arena_string(m->arena, ty_text_string(&text));
    ty_text_clear(&text);
    return kept;
}

/* A string as it is, everything else as JSON. */
static const char *word_of(macros *m, const json_t *value) {
    if (json_is_real(value))
        return as_number(m, json_real_value(value));
    return json_is_string(value) ? json_string_value(value) : as_json(m, value);
}

static void add_arg(macros *m, const char *name, const json_t *value, const char *hyphens) {
    const char *word = word_of(m, value);
    add(m, word ? ty_arena_printf(m->arena, "%s%s=%s", hyphens, name, word) : NULL);
}

/* true is a flag alone, false is nothing. */
static void add_flag(macros *m, const char *name, const json_t *value, const char *hyphens) {
    if (json_is_true(value))
        add(m, ty_arena_printf(m->arena, "%s%s", hyphens, name));
    else if (!json_is_false(value))
        add_arg(m, name, value, hyphens);
}

/* A file of the parameters in the sweep's folder. */
static const char *json_file(macros *m) {
    const char *text = as_json(m, m->params);
    const char *path =
        ty_arena_printf(m->arena, "%s/logs/trial_%04zu.json", m->s->folder, m->trial);
    if (text && path && m->st == TY_OK)
        m->st = ty_file_write_atomic(&m->s->app->ctx, path, text, strlen(text));
    return text ? path : NULL;
}

/* One that is not set is empty, as W&B has it. */
static const char *variable(macros *m, const char *name) {
    const size_t length = strlen(name);
    if (length < 2 || name[length - 1] != '}') {
        m->st = ty_fail(&m->s->app->ctx, TY_ERR_CONFIG,
                        "command: \"${envvar:%s\" names no variable, want ${envvar:NAME}", name);
        return NULL;
    }
    const char *key = ty_arena_string_n(m->arena, name, length - 1);
    const char *value = key ? m->s->app->ctx.getenv(key) : NULL;
    return value || !key ? value : "";
}

static void expand(macros *m, const char *word) {
    static const char variables[] = "${envvar:";
    if (strcmp(word, "${args}") == 0)
        each_param(m, add_arg, "--");
    else if (strcmp(word, "${args_no_hyphens}") == 0)
        each_param(m, add_arg, "");
    else if (strcmp(word, "${args_no_boolean_flags}") == 0)
        each_param(m, add_flag, "--");
    else if (strcmp(word, "${args_json}") == 0)
        add(m, as_json(m, m->params));
    else if (strcmp(word, "${args_json_file}") == 0)
        add(m, json_file(m));
    else if (strcmp(word, "${env}") == 0)
        add(m, "/usr/bin/env");
    else if (strcmp(word, "${interpreter}") == 0)
        add(m, "python3");
    else if (strcmp(word, "${program}") == 0)
        add(m, m->s->file.program);
    else if (strncmp(word, variables, strlen(variables)) == 0)
        add(m, variable(m, word + strlen(variables)));
    else
        add(m, word);
}

ty_status sweep_command(sweep *s, const ty_trial *trial, ty_arena *arena, char *const **out) {
    static const char *const usual[] = {"${env}", "${interpreter}", "${program}", "${args}"};
    const ty_texts *given = &s->file.command;
    macros m = {.s = s, .trial = trial->number, .params = ty_trial_params(trial), .arena = arena};
    m.room = (size_t)(given->n + 4) * (json_object_size(m.params) + 1) + 1;
    m.v = ty_arena_array(arena, m.room, sizeof *m.v);
    if (!m.v || !m.params)
        m.st = no_memory(&s->app->ctx);
    for (int64_t i = 0; m.st == TY_OK && i < (given->n ? given->n : 4); i++)
        expand(&m, given->n ? given->v[i] : usual[i]);
    json_decref(m.params);
    *out = m.v;
    return m.st;
}
