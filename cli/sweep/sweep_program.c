/* Whether a sweep's trials can be started: looked at before the first one, where trials are another program. */
#include <string.h>

#include "cli/program.h"
#include "cli/sweep/sweep.h"

typedef struct looker {
    sweep *s;
    bool is_command; /* the next word is what is started */
    bool is_behind_env;
    ty_status st;
} looker;

/* What it is where that is the same in all trials; NULL: their parameters say. */
static const char *word_of(const looker *l, const char *word) {
    if (strcmp(word, "${interpreter}") == 0)
        return "python3";
    if (strcmp(word, "${program}") == 0)
        return l->s->file.program;
    return strncmp(word, "${", 2) == 0 ? NULL : word;
}

static void reject(looker *l, const char *path, const char *what, const char *word,
                   const char *hint) {
    const ty_status st =
        ty_rows_reject(&l->s->app->ctx, l->s->file.doc, path, "%s \"%.200s\"%s", what, word, hint);
    l->st = l->st == TY_OK ? st : l->st;
}

static void look_for_command(looker *l, const char *path, const char *word) {
    ty_ctx *ctx = &l->s->app->ctx;
    l->is_command = false;
    if (program_is_found(ctx, word))
        return;
    if (!strchr(word, '/'))
        reject(l, path, "there is no program", word,
               " in the folders of PATH\n"
               "one that is in the folder where the sweep is started is ./NAME");
    else if (ty_file_exists(ctx, word))
        reject(l, path, "the program", word, " may not be executed\nchmod +x it");
    else
        reject(l, path, "there is no program", word,
               "\nits path is taken from the folder where the sweep is started");
}

/* Handed to another one, an interpreter, which reads it. */
static void look_for_file(looker *l, const char *path, const char *word) {
    if (!ty_file_exists(&l->s->app->ctx, word))
        reject(l, path, "there is no program", word,
               "\nits path is taken from the folder where the sweep is started");
}

static bool is_for_env(const char *word) {
    return *word == '-' || strchr(word, '=');
}

static void look_at(looker *l, const char *path, const char *word) {
    const char *said = word_of(l, word);
    const bool is_program = strcmp(word, "${program}") == 0;
    if (strcmp(word, "${env}") == 0 && l->is_command)
        l->is_behind_env = true;
    else if (is_program && !said)
        reject(l, path, "the word", word, " has no value\nsay \"program\" in the sweep file");
    else if (l->is_command && said && !(l->is_behind_env && is_for_env(said)))
        look_for_command(l, is_program ? "program" : path, said);
    else if (is_program)
        look_for_file(l, "program", said);
    else
        l->is_command = false; /* a variable for env, or what a parameter says */
}

ty_status sweep_check_program(sweep *s) {
    static const char *const usual[] = {"${env}", "${interpreter}", "${program}"};
    const ty_texts *given = &s->file.command;
    looker l = {.s = s, .is_command = true};
    if (s->file.config_path)
        return TY_OK;
    for (int64_t i = 0; i < (given->n ? given->n : 3); i++) {
        const char *path = ty_arena_printf(&s->arena, "command.%lld", (long long)i);
        if (!path)
            return ty_fail_nomem(&s->app->ctx, "a sweep");
        look_at(&l, path, given->n ? given->v[i] : usual[i]);
    }
    return l.st;
}
