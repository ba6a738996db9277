/* runs diff: what two runs were given and what came of it, side by side. */
#include <math.h>
#include <string.h>

#include "cli/runs/runs.h"

typedef struct diff {
    cli *app;
    ty_arena *arena;
    ty_run_record a, b;
    bool is_whole; /* also what is the same */
} diff;

static const ty_run_value *find(const ty_run_value *v, int64_t n, const char *key) {
    for (int64_t i = 0; i < n; i++)
        if (strcmp(v[i].key, key) == 0)
            return &v[i];
    return NULL;
}

/* --- params and tags -------------------------------------------------------------------------- */

/* What differs between any two runs, and documents, say nothing. */
static bool is_telling_tag(const char *key) {
    static const char *const silent[] = {"mlflow.note.content", "mlflow.loggedImages",
                                         "mlflow.loggedArtifacts", "mlflow.log-model.history",
                                         "tiltyard.uid"};
    for (size_t i = 0; i < sizeof silent / sizeof silent[0]; i++)
        if (strcmp(key, silent[i]) == 0)
            return false;
    return true;
}

typedef struct texts {
    const char *name; /* of the section */
    const ty_run_value *a, *b;
    int64_t n_a, n_b;
    bool (*is_telling)(const char *key); /* NULL: all are */
} texts;

/* Calls visit for each key of either, in the order of a and then of b. */
static void each_text(const diff *d, const texts *t, void *self,
                      void (*visit)(void *self, const char *key, const char *a, const char *b)) {
    for (int64_t i = 0; i < t->n_a + t->n_b; i++) {
        const bool is_of_a = i < t->n_a;
        const ty_run_value *value = is_of_a ? &t->a[i] : &t->b[i - t->n_a];
        if ((t->is_telling && !t->is_telling(value->key)) ||
            (!is_of_a && find(t->a, t->n_a, value->key)))
            continue;
        const ty_run_value *a = is_of_a ? value : NULL;
        const ty_run_value *b = is_of_a ? find(t->b, t->n_b, value->key) : value;
        const bool is_same = a && b && strcmp(a->text, b->text) == 0;
        if (!is_same || d->is_whole)
            visit(self, value->key, a ? a->text : NULL, b ? b->text : NULL);
    }
}

/* --- metrics ---------------------------------------------------------------------------------- */

typedef struct score {
    double last, best; /* best: NaN where nobody knows what is good */
    int64_t step, best_step;
    bool is_there;
} score;

static score score_of(const ty_run_record *run, const ty_run_record *other, const char *key) {
    score s = {.best = (double)NAN};
    int goal = runs_goal(run, key);
    if (goal == 0)
        goal = runs_goal(other, key);
    const ty_run_value *last = find(run->metrics, run->n_metrics, key);
    if (!last)
        return s;
    s = (score){.last = last->value, .best = (double)NAN, .step = last->step, .is_there = true};
    for (int64_t i = 0; goal != 0 && i < run->n_curves; i++)
        for (int64_t k = 0; strcmp(run->curves[i].key, key) == 0 && k < run->curves[i].n; k++) {
            const ty_run_point *p = &run->curves[i].v[k];
            if (isnan(s.best) ? !isnan(p->value) : (p->value - s.best) * goal > 0) {
                s.best = p->value;
                s.best_step = p->step;
            }
        }
    return s;
}

/* The machine's load compares machines, not models. */
static bool is_telling_metric(const diff *d, const char *key) {
    return d->is_whole || strncmp(key, "system/", 7) != 0;
}

static void each_metric(const diff *d, void *self,
                        void (*visit)(void *self, const char *key, const score *a,
                                      const score *b)) {
    for (int64_t i = 0; i < d->a.n_metrics + d->b.n_metrics; i++) {
        const bool is_of_a = i < d->a.n_metrics;
        const char *key = is_of_a ? d->a.metrics[i].key : d->b.metrics[i - d->a.n_metrics].key;
        if (!is_telling_metric(d, key) || (!is_of_a && find(d->a.metrics, d->a.n_metrics, key)))
            continue;
        const score a = score_of(&d->a, &d->b, key), b = score_of(&d->b, &d->a, key);
        visit(self, key, &a, &b);
    }
}

/* --- data ------------------------------------------------------------------------------------- */

static const char *digest_of(const diff *d, const ty_run_record *run) {
    ty_text all = {0};
    for (int64_t i = 0; i < run->n_datasets; i++)
        ty_text_addf(&all, "%s%s %.16s", i ? ", " : "", run->datasets[i].name,
                     run->datasets[i].digest);
    const char *text = ty_arena_string(d->arena, ty_text_string(&all));
    ty_text_clear(&all);
    return text ? text : "";
}

static const char *time_of(const diff *d, int64_t ns) {
    char text[32];
    const char *copy = ty_arena_string(d->arena, runs_time(ns, text));
    return copy ? copy : "";
}

static const char *took_of(const diff *d, const ty_run_info *info) {
    char text[32];
    const char *copy =
        info->end_ns > info->start_ns
            ? ty_arena_string(d->arena,
                              console_duration((double)(info->end_ns - info->start_ns) / 1e9, text))
            : "-";
    return copy ? copy : "";
}

/* --- words ------------------------------------------------------------------------------------ */

typedef struct section {
    const diff *d;
    table t;
    int64_t n;
} section;

static void add_text_row(void *self, const char *key, const char *a, const char *b) {
    section *s = self;
    const char *plain = console_plain(&s->d->app->console);
    const bool is_same = a && b && strcmp(a, b) == 0;
    const char *color = is_same ? console_dim(&s->d->app->console) : plain;
    table_addf(&s->t, "  %s", key);
    table_add(&s->t, a ? a : "-", color);
    table_add(&s->t, b ? b : "-", color);
    s->n++;
}

static void write_section(section *s, const char *name, ty_text *out) {
    const console *c = &s->d->app->console;
    if (s->n == 0)
        return;
    ty_text_addf(out, "\n%s%s%s\n", console_bold(c), name, console_plain(c));
    table_write(&s->t, c, out);
}

static void add_texts(const diff *d, const texts *t, ty_text *out) {
    const table_column columns[] = {{.head = "  key", .narrowest = 20},
                                    {.head = d->a.info.name, .narrowest = 16},
                                    {.head = d->b.info.name, .narrowest = 16}};
    section s = {.d = d, .t = {.arena = d->arena, .columns = columns, .n_columns = 3}};
    each_text(d, t, &s, add_text_row);
    write_section(&s, t->name, out);
}

static void add_score(table *t, const score *s, bool of_best) {
    const double value = of_best ? s->best : s->last;
    if (!s->is_there || (of_best && isnan(value)))
        table_add(t, "-", NULL);
    else
        table_add_number(t, value);
}

static void add_metric_row(void *self, const char *key, const score *a, const score *b) {
    section *s = self;
    table_addf(&s->t, "  %s", key);
    add_score(&s->t, a, false);
    add_score(&s->t, b, false);
    if (a->is_there && b->is_there)
        table_addf(&s->t, "%+.4g", b->last - a->last);
    else
        table_add(&s->t, "-", NULL);
    add_score(&s->t, a, true);
    add_score(&s->t, b, true);
    s->n++;
}

static const char *with_word(const diff *d, const char *word, const char *name) {
    const char *head = ty_arena_printf(d->arena, "%s %s", word, name);
    return head ? head : word;
}

static void add_metrics(const diff *d, ty_text *out) {
    const char *a = d->a.info.name, *b = d->b.info.name;
    const table_column columns[] = {
        {.head = "  key", .narrowest = 20},
        {.head = with_word(d, "last", a), .is_right = true, .narrowest = 10},
        {.head = with_word(d, "last", b), .is_right = true, .narrowest = 10},
        {.head = "change", .is_right = true},
        {.head = with_word(d, "best", a), .is_right = true, .narrowest = 10},
        {.head = with_word(d, "best", b), .is_right = true, .narrowest = 10}};
    section s = {.d = d, .t = {.arena = d->arena, .columns = columns, .n_columns = 6}};
    each_metric(d, &s, add_metric_row);
    write_section(&s, "metrics", out);
}

enum { N_FACTS = 6 };

static void run_facts(const diff *d, const ty_run_record *run, ty_run_value out[N_FACTS]) {
    const ty_run_value all[N_FACTS] = {
        {.key = "state", .text = runs_state(&run->info)},
        {.key = "started", .text = time_of(d, run->info.start_ns)},
        {.key = "took", .text = took_of(d, &run->info)},
        {.key = "experiment", .text = run->info.experiment},
        {.key = "command", .text = run->info.source ? run->info.source : "-"},
        {.key = "data", .text = digest_of(d, run)}};
    memcpy(out, all, sizeof all);
}

static void add_words(const diff *d, ty_text *out) {
    ty_run_value facts_a[N_FACTS], facts_b[N_FACTS];
    run_facts(d, &d->a, facts_a);
    run_facts(d, &d->b, facts_b);
    const diff whole = {.app = d->app, .arena = d->arena, .a = d->a, .b = d->b, .is_whole = true};
    const texts facts = {"runs", facts_a, facts_b, N_FACTS, N_FACTS, NULL};
    const texts params = {"params", d->a.params, d->b.params, d->a.n_params, d->b.n_params, NULL};
    const texts tags = {"tags", d->a.tags, d->b.tags, d->a.n_tags, d->b.n_tags, is_telling_tag};
    add_texts(&whole, &facts, out);
    add_texts(d, &params, out);
    add_texts(d, &tags, out);
    add_metrics(d, out);
}

/* --- JSON ------------------------------------------------------------------------------------- */

typedef struct json_section {
    ty_text *out;
    int64_t n;
} json_section;

static void begin_member(json_section *s, const char *key) {
    ty_text_add(s->out, s->n++ ? ", " : "");
    ty_text_add_json(s->out, key);
    ty_text_add(s->out, ": {\"a\": ");
}

static void add_text_json(ty_text *out, const char *text) {
    if (text)
        ty_text_add_json(out, text);
    else
        ty_text_add(out, "null");
}

static void add_text_member(void *self, const char *key, const char *a, const char *b) {
    json_section *s = self;
    begin_member(s, key);
    add_text_json(s->out, a);
    ty_text_add(s->out, ", \"b\": ");
    add_text_json(s->out, b);
    ty_text_add(s->out, "}");
}

static void add_score_json(ty_text *out, const score *s) {
    if (!s->is_there) {
        ty_text_add(out, "null");
        return;
    }
    ty_text_add(out, "{\"last\": ");
    ty_text_add_number(out, s->last);
    ty_text_addf(out, ", \"step\": %lld", (long long)s->step);
    if (!isnan(s->best)) {
        ty_text_add(out, ", \"best\": ");
        ty_text_add_number(out, s->best);
        ty_text_addf(out, ", \"best_step\": %lld", (long long)s->best_step);
    }
    ty_text_add(out, "}");
}

static void add_score_member(void *self, const char *key, const score *a, const score *b) {
    json_section *s = self;
    begin_member(s, key);
    add_score_json(s->out, a);
    ty_text_add(s->out, ", \"b\": ");
    add_score_json(s->out, b);
    ty_text_add(s->out, "}");
}

static void add_texts_json(const diff *d, const texts *t, ty_text *out) {
    json_section s = {.out = out};
    ty_text_addf(out, ", \"%s\": {", t->name);
    each_text(d, t, &s, add_text_member);
    ty_text_add(out, "}");
}

static void add_run_json(const ty_run_record *run, const char *name, ty_text *out) {
    ty_text_addf(out, "\"%s\": {", name);
    runs_add_json(out, &run->info);
    ty_text_add(out, "}");
}

static void add_json(const diff *d, ty_text *out) {
    const ty_run_value data_a = {.key = "digests", .text = digest_of(d, &d->a)};
    const ty_run_value data_b = {.key = "digests", .text = digest_of(d, &d->b)};
    const texts params = {"params", d->a.params, d->b.params, d->a.n_params, d->b.n_params, NULL};
    const texts tags = {"tags", d->a.tags, d->b.tags, d->a.n_tags, d->b.n_tags, is_telling_tag};
    const texts data = {"data", &data_a, &data_b, 1, 1, NULL};
    json_section metrics = {.out = out};
    ty_text_add(out, "{");
    add_run_json(&d->a, "a", out);
    ty_text_add(out, ", ");
    add_run_json(&d->b, "b", out);
    add_texts_json(d, &params, out);
    add_texts_json(d, &tags, out);
    add_texts_json(d, &data, out);
    ty_text_add(out, ", \"metrics\": {");
    each_metric(d, &metrics, add_score_member);
    ty_text_add(out, "}}\n");
}

ty_status runs_diff(cli *app, ty_arena *arena) {
    diff d = {.app = app, .arena = arena, .is_whole = args_has(&app->args, "all")};
    ty_text out = {0};
    TY_TRY(runs_read(app, arena, 1, &d.a));
    TY_TRY(runs_read(app, arena, 2, &d.b));
    if (app->console.is_json)
        add_json(&d, &out);
    else
        add_words(&d, &out);
    console_print(&app->console, ty_text_string(&out));
    ty_text_clear(&out);
    return TY_OK;
}
