/* The command line of a trial that is any other program: W&B's macros over its parameters. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/sweep.h"

typedef struct macros {
    sweep *s;
    const ty_trial *trial;
    ty_arena *arena;
    char **v;
    size_t n, room;
    bool has_failed;
} macros;

static void add(macros *m, const char *word) {
    char *kept = word ? ty_arena_string(m->arena, word) : NULL;
    if (!kept || m->n + 1 >= m->room)
        m->has_failed = true;
    else
        m->v[m->n++] = kept;
}

/* All parameters of the trial, the fixed ones too. value is borrowed. */
typedef void each_fn(macros *m, const char *name, const json_t *value, void *self);

static void each_param(macros *m, each_fn *fn, void *self) {
    const ty_sweep_file *file = &m->s->file;
    for (size_t i = 0; i < file->fixed_count; i++)
        fn(m, file->fixed[i].name, file->fixed[i].value, self);
    for (size_t d = 0; d < file->space.count; d++) {
        json_t *value =
            isnan(m->trial->x[d]) ? NULL : ty_param_to_json(&file->space.params[d], m->trial->x[d]);
        if (value)
            fn(m, file->space.params[d].name, value, self);
        json_decref(value);
    }
}

/* A string as it is, everything else as JSON. */
static const char *word_of(macros *m, const json_t *value) {
    if (json_is_string(value))
        return json_string_value(value);
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    const char *kept = text ? ty_arena_string(m->arena, text) : NULL;
    free(text);
    return kept ? kept : "";
}

static void add_arg(macros *m, const char *name, const json_t *value, void *self) {
    add(m, ty_arena_printf(m->arena, "%s%s=%s", (const char *)self, name, word_of(m, value)));
}

/* true is a flag alone, false is nothing. */
static void add_flag(macros *m, const char *name, const json_t *value, void *self) {
    if (json_is_true(value))
        add(m, ty_arena_printf(m->arena, "--%s", name));
    else if (!json_is_false(value))
        add_arg(m, name, value, self);
}

static void collect(macros *m, const char *name, const json_t *value, void *self) {
    if (json_object_set_new(self, name, json_deep_copy(value)) != 0)
        m->has_failed = true;
}

static const char *all_as_json(macros *m) {
    json_t *all = json_object();
    each_param(m, collect, all);
    char *text = json_dumps(all, JSON_COMPACT | JSON_REAL_PRECISION(17));
    const char *kept = text ? ty_arena_string(m->arena, text) : NULL;
    free(text);
    json_decref(all);
    return kept;
}

/* A file of the parameters in the sweep's folder. */
static const char *json_file(macros *m) {
    const char *text = all_as_json(m);
    const char *path =
        ty_arena_printf(m->arena, "%s/logs/trial_%04zu.json", m->s->folder, m->trial->number);
    const bool is_written =
        text && path && ty_file_write_atomic(&m->s->app->ctx, path, text, strlen(text)) == TY_OK;
    return is_written ? path : NULL;
}

static const char *variable(macros *m, const char *word) {
    const size_t name = strlen("${envvar:"), length = strlen(word);
    char *key = ty_arena_string_n(m->arena, word + name, length - name - 1);
    const char *value = key ? m->s->app->ctx.getenv(key) : NULL;
    return value ? value : "";
}

static void expand(macros *m, const char *word) {
    char hyphens[] = "--", none[] = "";
    if (strcmp(word, "${args}") == 0)
        each_param(m, add_arg, hyphens);
    else if (strcmp(word, "${args_no_hyphens}") == 0)
        each_param(m, add_arg, none);
    else if (strcmp(word, "${args_no_boolean_flags}") == 0)
        each_param(m, add_flag, hyphens);
    else if (strcmp(word, "${args_json}") == 0)
        add(m, all_as_json(m));
    else if (strcmp(word, "${args_json_file}") == 0)
        add(m, json_file(m));
    else if (strcmp(word, "${env}") == 0)
        add(m, "/usr/bin/env");
    else if (strcmp(word, "${interpreter}") == 0)
        add(m, "python3");
    else if (strcmp(word, "${program}") == 0)
        add(m, m->s->file.program);
    else if (strncmp(word, "${envvar:", strlen("${envvar:")) == 0)
        add(m, variable(m, word));
    else
        add(m, word);
}

ty_status sweep_command(sweep *s, const ty_trial *trial, ty_arena *arena, char *const **out) {
    static const char *const usual[] = {"${env}", "${interpreter}", "${program}", "${args}"};
    const ty_texts *given = &s->file.command;
    const size_t params = s->file.fixed_count + s->file.space.count;
    macros m = {.s = s, .trial = trial, .arena = arena};
    m.room = (size_t)(given->n + 4) * (params + 1) + 1;
    m.v = ty_arena_array(arena, m.room, sizeof *m.v);
    for (int64_t i = 0; m.v && i < (given->n ? given->n : 4); i++)
        expand(&m, given->n ? given->v[i] : usual[i]);
    *out = m.v;
    return m.v && !m.has_failed ? TY_OK : ty_fail_nomem(&s->app->ctx, "the command of a trial");
}
