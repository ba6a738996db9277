/* What test_pruners.py needs of pruners: a line of JSON in, a line of answers out. A line is a sweep's
 * story: {"pruner": ..., "name": "...", "maximize": false, "max_resource": 9 | null, "events": [...]}.
 * An event is [trial, "report", step, value] or [trial, state, value]; values that JSON lacks are
 * strings. Each report gets a letter: c(ontinue), s(top) or p(ause). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hpo/pruners/pruner.h"

enum { MAX_TRIALS = 64, MAX_REPORTS = 128 };

typedef struct sweep {
    ty_ctx ctx;
    ty_doc *doc;
    ty_variant pruner;
    ty_board board;
    ty_curve trials[MAX_TRIALS], others[MAX_TRIALS];
    size_t count;
    double resource[MAX_TRIALS][MAX_REPORTS], value[MAX_TRIALS][MAX_REPORTS];
} sweep;

static void check(bool is_fine, const char *what) {
    if (is_fine)
        return;
    fprintf(stderr, "pruner_probe: %s\n", what);
    exit(1);
}

static double number_of(const json_t *json) {
    const char *text = json_string_value(json);
    return text ? strtod(text, NULL) : json_number_value(json);
}

static ty_trial_state state_of(const char *name) {
    static const char *const names[] = {"running", "complete", "pruned", "paused", "failed"};
    int state = 0;
    while (state < 5 && strcmp(name, names[state]) != 0)
        state++;
    check(state < 5, "an event of an unknown kind");
    return (ty_trial_state)state;
}

static char judge(sweep *s, const ty_curve *own) {
    ty_decision decision;
    s->board.count = 0;
    for (size_t i = 0; i < s->count; i++)
        if (i != own->number)
            s->others[s->board.count++] = s->trials[i];
    check(ty_pruner_of(&s->pruner)->judge(&s->ctx, s->pruner.config, &s->board, own, &decision) ==
              TY_OK,
          s->ctx.message);
    return "csp"[decision.answer];
}

static ty_curve *trial_of(sweep *s, size_t number) {
    check(number < MAX_TRIALS, "too many trials");
    for (; s->count <= number; s->count++)
        s->trials[s->count] = (ty_curve){.number = s->count,
                                         .told = NAN,
                                         .resource = s->resource[s->count],
                                         .value = s->value[s->count]};
    return &s->trials[number];
}

static void take_event(sweep *s, const json_t *event) {
    const size_t number = (size_t)json_integer_value(json_array_get(event, 0));
    const char *kind = json_string_value(json_array_get(event, 1));
    const double third = number_of(json_array_get(event, 2));
    ty_curve *t = trial_of(s, number);
    check(kind != NULL, "an event without its kind");
    if (strcmp(kind, "report") != 0) {
        t->state = state_of(kind);
        t->told = t->state == TY_TRIAL_COMPLETE ? (s->board.is_turned ? -third : third) : NAN;
        return;
    }
    const double value = number_of(json_array_get(event, 3));
    check(t->count < MAX_REPORTS, "too many reports");
    s->resource[number][t->count] = third;
    s->value[number][t->count++] = s->board.is_turned ? -value : value;
    putchar(judge(s, t));
}

static void serve(const char *line) {
    sweep *s = calloc(1, sizeof *s);
    json_t *json = json_loads(line, JSON_DECODE_ANY, NULL), *event;
    check(s && json, "no JSON");
    ty_ctx_init(&s->ctx);
    const json_t *max_resource = json_object_get(json, "max_resource");
    s->board =
        (ty_board){.sweep = json_string_value(json_object_get(json, "name")),
                   .max_resource =
                       json_is_number(max_resource) ? json_number_value(max_resource) : (double)NAN,
                   .is_turned = json_is_true(json_object_get(json, "maximize")),
                   .curves = s->others};
    char *pruner = json_dumps(json_object_get(json, "pruner"), JSON_ENCODE_ANY);
    check(s->board.sweep && pruner, "no name or pruner");
    check(ty_pruner_read_json(&s->ctx, pruner, &s->doc, &s->pruner) == TY_OK, s->ctx.message);
    size_t i;
    json_array_foreach(json_object_get(json, "events"), i, event)
        take_event(s, event);
    printf("\n");
    fflush(stdout);
    free(pruner);
    json_decref(json);
    ty_doc_close(s->doc);
    ty_ctx_clear(&s->ctx);
    free(s);
}

int main(void) {
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, stdin) > 0)
        serve(line);
    free(line);
    return 0;
}
