/* runs ls: the runs of this folder, chosen and ordered as MLflow would. */
#include <string.h>

#include "cli/runs/runs.h"

enum { MAX_ORDERS = 8, MAX_COLUMNS = 32 };

/* What a column shows: something of the run itself, or a field of the filter's grammar. */
typedef struct column {
    const char *name; /* of a row below; NULL: a field */
    ty_run_field field;
} column;

typedef struct listing {
    cli *app;
    ty_arena *arena;
    ty_filter filter;
    ty_run_order orders[MAX_ORDERS];
    int64_t n_orders;
    column columns[MAX_COLUMNS];
    int64_t n_columns;
    ty_run_record *runs;
    int64_t n;
} listing;

/* --- columns of the run itself ---------------------------------------------------------------- */

static void add_state(table *t, const console *c, const ty_run_info *run) {
    table_add(t, runs_state(run), runs_state_color(c, run));
}

static void add_step(table *t, const console *c, const ty_run_info *run) {
    char text[32];
    (void)c;
    table_add(t, run->last_step >= 0 ? console_count(run->last_step, text) : "-", NULL);
}

static void add_started(table *t, const console *c, const ty_run_info *run) {
    char text[32];
    (void)c;
    table_add(t, runs_time(run->start_ns, text), NULL);
}

static void add_took(table *t, const console *c, const ty_run_info *run) {
    char text[32];
    (void)c;
    table_add(t,
              run->end_ns > run->start_ns
                  ? console_duration((double)(run->end_ns - run->start_ns) / 1e9, text)
                  : "-",
              NULL);
}

static void add_id(table *t, const console *c, const ty_run_info *run) {
    (void)c;
    table_addf(t, "%.12s", run->run_id);
}

static void add_experiment(table *t, const console *c, const ty_run_info *run) {
    (void)c;
    table_add(t, run->experiment, NULL);
}

static void add_folder(table *t, const console *c, const ty_run_info *run) {
    (void)c;
    table_add(t, run->folder, NULL);
}

static const char *kind_of(const ty_run_info *run) {
    return run->is_sweep ? "sweep" : "run";
}

static void add_kind(table *t, const console *c, const ty_run_info *run) {
    (void)c;
    table_add(t, kind_of(run), NULL);
}

static const struct {
    const char *name;
    bool is_right;
    int narrowest;
    void (*add)(table *t, const console *c, const ty_run_info *run);
} own[] = {
    {"state", false, 0, add_state},     {"step", true, 0, add_step},
    {"started", false, 0, add_started}, {"took", true, 0, add_took},
    {"id", false, 0, add_id},           {"experiment", false, 8, add_experiment},
    {"folder", false, 0, add_folder},   {"kind", false, 0, add_kind},
};
enum { N_OWN = sizeof own / sizeof own[0] };

static int find_own(const char *name) {
    for (int i = 0; i < N_OWN; i++)
        if (strcmp(own[i].name, name) == 0)
            return i;
    return -1;
}

/* --- choosing columns ------------------------------------------------------------------------- */

static ty_status add_column(listing *l, const column *c) {
    for (int64_t i = 0; i < l->n_columns; i++)
        if (c->name ? l->columns[i].name && strcmp(l->columns[i].name, c->name) == 0
                    : !l->columns[i].name && ty_run_field_is_same(&l->columns[i].field, &c->field))
            return TY_OK;
    if (l->n_columns == MAX_COLUMNS)
        return ty_fail(&l->app->ctx, TY_ERR_ARG, "--columns has more than %d columns", MAX_COLUMNS);
    l->columns[l->n_columns++] = *c;
    return TY_OK;
}

static ty_status add_named(listing *l, const char *name) {
    const int at = find_own(name);
    column c = {.name = at >= 0 ? own[at].name : NULL};
    if (at < 0) {
        const ty_status st = ty_run_field_parse(&l->app->ctx, name, l->arena, &c.field);
        if (st != TY_OK)
            return ty_fail_within(&l->app->ctx, st,
                                  "--columns: \"%s\" is none of state, step, started, took, id, "
                                  "experiment, folder, kind, and",
                                  name);
    }
    return add_column(l, &c);
}

/* Bytes up to the next comma outside quotes. */
static size_t name_length(const char *text) {
    char quote = '\0';
    size_t n = 0;
    for (; text[n] && (quote || text[n] != ','); n++)
        if (quote ? text[n] == quote : strchr("`'\"", text[n]) != NULL)
            quote = quote ? '\0' : text[n];
    return n;
}

static ty_status add_given(listing *l, const char *list) {
    for (const char *at = list;; at++) {
        const size_t length = name_length(at);
        const char *name = ty_arena_string_n(l->arena, at, length);
        if (!name)
            return ty_fail_nomem(&l->app->ctx, "a column's name");
        TY_TRY(add_named(l, name));
        at += length;
        if (*at == '\0')
            return TY_OK;
    }
}

/* Beside what is always of interest, what the filter and the order are about. */
static ty_status add_usual(listing *l) {
    static const char *const before[] = {"state", "step", "started", "took"};
    static const char *const behind[] = {"id", "experiment"};
    int64_t n_fields = 0;
    for (size_t i = 0; i < sizeof before / sizeof before[0]; i++)
        TY_TRY(add_named(l, before[i]));
    const ty_run_field *fields = ty_filter_fields(&l->filter, l->arena, &n_fields);
    if (!fields)
        return ty_fail_nomem(&l->app->ctx, "columns");
    for (int64_t i = 0; i < n_fields && i < MAX_COLUMNS / 2; i++)
        TY_TRY(add_column(l, &(column){.field = fields[i]}));
    for (int64_t i = 0; i < l->n_orders; i++)
        if (l->orders[i].field.entity != TY_RUN_OF_ATTRIBUTE)
            TY_TRY(add_column(l, &(column){.field = l->orders[i].field}));
    for (size_t i = 0; i < sizeof behind / sizeof behind[0]; i++)
        TY_TRY(add_named(l, behind[i]));
    return TY_OK;
}

/* Where there are sweeps among the runs, it is to be seen which. */
static ty_status add_kinds(listing *l) {
    for (int64_t i = 0; i < l->n; i++)
        if (l->runs[i].info.is_sweep)
            return add_named(l, "kind");
    return TY_OK;
}

/* --- printing --------------------------------------------------------------------------------- */

static const char *head_of(listing *l, const column *c) {
    if (c->name)
        return c->name;
    if (c->field.entity == TY_RUN_OF_DATASET)
        return ty_arena_printf(l->arena, "dataset.%s", c->field.key);
    return c->field.key;
}

static void add_row(listing *l, table *t, const ty_run_record *run) {
    const console *c = &l->app->console;
    table_add(t, run->info.name, run->info.is_deleted ? console_dim(c) : NULL);
    for (int64_t i = 0; i < l->n_columns; i++) {
        const column *shown = &l->columns[i];
        if (shown->name) {
            own[find_own(shown->name)].add(t, c, &run->info);
            continue;
        }
        const ty_run_cell cell = ty_run_field_of(&shown->field, run);
        if (shown->field.entity == TY_RUN_OF_METRIC && cell.kind == TY_RUN_NUMBER)
            table_add_number(t, cell.number);
        else
            table_add(t, runs_cell_text(l->arena, &cell), NULL);
    }
}

static void add_table(listing *l, ty_text *out) {
    table_column heads[MAX_COLUMNS + 1] = {{.head = "run", .narrowest = 16}};
    for (int64_t i = 0; i < l->n_columns; i++) {
        const column *c = &l->columns[i];
        const int at = c->name ? find_own(c->name) : -1;
        const char *head = head_of(l, c);
        heads[i + 1] = (table_column){.head = head ? head : "",
                                      .is_right = at >= 0 ? own[at].is_right
                                                          : c->field.entity == TY_RUN_OF_METRIC,
                                      .narrowest = at >= 0 ? own[at].narrowest : 10};
    }
    table t = {.arena = l->arena, .columns = heads, .n_columns = l->n_columns + 1};
    for (int64_t i = 0; i < l->n; i++)
        add_row(l, &t, &l->runs[i]);
    table_write(&t, &l->app->console, out);
}

static const char *field_name(listing *l, const ty_run_field *field) {
    static const char *const entities[] = {"metrics", "params", "tags", "attributes", "dataset"};
    const char *name = ty_arena_printf(l->arena, "%s.%s", entities[field->entity], field->key);
    return name ? name : "";
}

static void add_json_line(listing *l, const ty_run_record *run, ty_text *out) {
    bool is_first = true;
    ty_text_add(out, "{");
    runs_add_json(out, &run->info);
    ty_text_addf(out, "%s, \"values\": {", run->info.is_sweep ? ", \"kind\": \"sweep\"" : "");
    for (int64_t i = 0; i < l->n_columns; i++) {
        if (l->columns[i].name)
            continue;
        const ty_run_cell cell = ty_run_field_of(&l->columns[i].field, run);
        ty_text_add(out, is_first ? "" : ", ");
        ty_text_add_json(out, field_name(l, &l->columns[i].field));
        ty_text_add(out, ": ");
        runs_add_cell_json(out, &cell);
        is_first = false;
    }
    ty_text_add(out, "}}\n");
}

/* --- the verb --------------------------------------------------------------------------------- */

static ty_status take_orders(listing *l) {
    const args *a = &l->app->args;
    for (int i = 0; i < a->n_options; i++) {
        if (strcmp(a->option[i].row->name, "order") != 0)
            continue;
        if (l->n_orders == MAX_ORDERS)
            return ty_fail(&l->app->ctx, TY_ERR_ARG, "more than %d orders", MAX_ORDERS);
        TY_TRY(ty_run_order_parse(&l->app->ctx, a->option[i].value, l->arena,
                                  &l->orders[l->n_orders++]));
    }
    return TY_OK;
}

static ty_status select_runs(listing *l) {
    const args *a = &l->app->args;
    ty_run_query query = {.filter = &l->filter,
                          .orders = l->orders,
                          .n_orders = l->n_orders,
                          .view = args_has(a, "deleted") ? TY_RUNS_DELETED : TY_RUNS_ACTIVE,
                          .experiment = args_value(a, "experiment"),
                          .with_sweeps = true};
    TY_TRY(args_int(&l->app->ctx, a, "limit", 0, 1, INT64_MAX, &query.limit));
    for (int64_t i = 0; i < l->n_columns; i++)
        if (!l->columns[i].name)
            query.parts |= ty_run_field_parts(&l->columns[i].field);
    return ty_runs_select(&l->app->ctx, l->app->folder, &query, l->arena, &l->runs, &l->n);
}

static void say_none(listing *l) {
    console_say(&l->app->console, "no %sruns%s under %s/runs",
                args_has(&l->app->args, "deleted") ? "deleted " : "",
                l->filter.first ? " that the filter fits" : "", l->app->folder);
}

ty_status runs_list(cli *app, ty_arena *arena) {
    listing l = {.app = app, .arena = arena};
    const char *columns = args_value(&app->args, "columns");
    const char *filter = app->args.n_operands > 1 ? app->args.operand[1] : "";
    TY_TRY(ty_filter_parse(&app->ctx, filter, arena, &l.filter));
    TY_TRY(take_orders(&l));
    TY_TRY(columns ? add_given(&l, columns) : add_usual(&l));
    TY_TRY(select_runs(&l));
    if (!columns)
        TY_TRY(add_kinds(&l));
    ty_text out = {0};
    if (!app->console.is_json && l.n > 0)
        add_table(&l, &out);
    for (int64_t i = 0; app->console.is_json && i < l.n; i++)
        add_json_line(&l, &l.runs[i], &out);
    console_print(&app->console, ty_text_string(&out));
    if (l.n == 0)
        say_none(&l);
    ty_text_clear(&out);
    return TY_OK;
}
