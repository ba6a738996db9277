#include "tracking/runs/select.h"

#include <stdlib.h>
#include <string.h>

#include "tracking/runs/edits.h"
#include "tracking/store/relocate.h"
#include "tracking/runs/run_info.h"

static const char topic[] = "tracking";

typedef struct selection {
    const ty_run_query *query;
    unsigned parts;
    bool is_among_sweeps; /* those are being looked at */
    ty_edits edits;
    ty_arena *arena;
    ty_run_record *v;
    int64_t n, capacity;
} selection;

static unsigned needed_parts(const ty_run_query *query) {
    unsigned parts = query->parts;
    if (query->filter)
        parts |= ty_filter_parts(query->filter);
    for (int64_t i = 0; i < query->n_orders; i++)
        parts |= ty_run_field_parts(&query->orders[i].field);
    return parts;
}

static bool is_wanted(const ty_run_query *query, const ty_run_record *run) {
    if (query->view != TY_RUNS_ALL && run->info.is_deleted != (query->view == TY_RUNS_DELETED))
        return false;
    if (query->experiment && strcmp(query->experiment, run->info.experiment) != 0)
        return false;
    return !query->filter || ty_filter_matches(query->filter, run);
}

static ty_status make_room(ty_ctx *ctx, selection *s) {
    if (s->n < s->capacity)
        return TY_OK;
    const int64_t capacity = s->capacity != 0 ? s->capacity * 2 : 64;
    ty_run_record *v = realloc(s->v, (size_t)capacity * sizeof *v);
    if (!v)
        return ty_fail_nomem(ctx, "the list of runs");
    s->v = v;
    s->capacity = capacity;
    return TY_OK;
}

/* A run that is not wanted leaves nothing in the arena. */
static ty_status look_at(ty_ctx *ctx, void *self, const char *run_folder) {
    selection *s = self;
    const ty_arena_mark mark = ty_arena_mark_here(s->arena);
    TY_TRY(make_room(ctx, s));
    const ty_run_reading how = {.parts = s->parts, .edits = &s->edits};
    const ty_status st = ty_run_read(ctx, run_folder, &how, s->arena, &s->v[s->n]);
    if (st == TY_OK && is_wanted(s->query, &s->v[s->n])) {
        s->v[s->n++].info.is_sweep = s->is_among_sweeps;
        return TY_OK;
    }
    ty_arena_reset(s->arena, mark);
    if (st != TY_OK && st != TY_ERR_NOMEM)
        ty_log(ctx, TY_LOG_WARN, topic, "%s is left out: %s", run_folder, ctx->message);
    return st == TY_ERR_NOMEM ? st : TY_OK;
}

static int by_query(const void *a, const void *b, void *self) {
    const ty_run_query *query = self;
    return ty_run_order_compare(query->orders, query->n_orders, a, b);
}

static ty_status give(ty_ctx *ctx, selection *s, ty_run_record **out, int64_t *out_n) {
    ty_run_query query = *s->query;
    if (s->n > 1)
        qsort_r(s->v, (size_t)s->n, sizeof *s->v, by_query, &query);
    *out_n = query.limit > 0 && query.limit < s->n ? query.limit : s->n;
    *out = ty_arena_array(s->arena, (size_t)*out_n + 1, sizeof **out);
    if (!*out)
        return ty_fail_nomem(ctx, "the list of runs");
    if (*out_n != 0)
        memcpy(*out, s->v, (size_t)*out_n * sizeof **out);
    return TY_OK;
}

ty_status ty_runs_select(ty_ctx *ctx, const char *folder, const ty_run_query *query,
                         ty_arena *arena, ty_run_record **out, int64_t *out_n) {
    selection s = {.query = query, .parts = needed_parts(query), .arena = arena};
    *out = NULL;
    *out_n = 0;
    TY_TRY(ty_edits_open(ctx, folder, (s.parts & TY_RUN_TAGS) != 0, &s.edits));
    s.is_among_sweeps = query->with_sweeps;
    ty_status st = query->with_sweeps ? ty_each_sweep(ctx, folder, look_at, &s) : TY_OK;
    s.is_among_sweeps = false;
    if (st == TY_OK)
        st = ty_each_run(ctx, folder, look_at, &s);
    if (st == TY_OK)
        st = give(ctx, &s, out, out_n);
    ty_edits_clear(&s.edits);
    free(s.v);
    return st;
}
