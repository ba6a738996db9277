/* Points of curves on their way into the store, which are most of what it gets: many rows a
 * statement, and what tables show as the latest value once for each curve. */
#include <float.h>
#include <math.h>

#include "tracking/limits.h"
#include "tracking/store/store_sql.h"

static const int64_t ns_per_ms = 1000000;

typedef struct row {
    const char *key;
    int64_t step, time_ms, is_nan;
    double value;
} row;

typedef struct curve {
    const char *name; /* as the record has it: all its points share the pointer */
    const char *key;  /* as MLflow takes it */
    const row *latest;
} curve;

/* SQL has no NaN, and MLflow reads infinities as the largest doubles. */
static double storable(double value) {
    if (isnan(value))
        return 0;
    return isinf(value) ? copysign(DBL_MAX, value) : value;
}

/* MLflow's order: by step, then time, then value. */
static bool is_later(const row *a, const row *b) {
    if (a->step != b->step)
        return a->step > b->step;
    if (a->time_ms != b->time_ms)
        return a->time_ms > b->time_ms;
    return a->value > b->value;
}

static curve *curve_of(ty_arena *arena, curve *curves, int64_t *n, const char *name) {
    for (int64_t i = 0; i < *n; i++)
        if (curves[i].name == name)
            return &curves[i];
    char clean[TY_LIMIT_KEY_BYTES];
    ty_limit_key(name, clean);
    curves[*n] = (curve){.name = name, .key = ty_arena_string(arena, clean)};
    return curves[*n].key ? &curves[(*n)++] : NULL;
}

/* n rows and the curves they belong to; -1: no memory. */
static int64_t make_rows(ty_arena *arena, const ty_track_point *points, int64_t n, row *rows,
                         curve *curves) {
    int64_t n_curves = 0;
    for (int64_t i = 0; i < n; i++) {
        const ty_track_point *point = &points[i];
        curve *of = curve_of(arena, curves, &n_curves, point->key);
        if (!of)
            return -1;
        rows[i] = (row){.key = of->key,
                        .step = point->step,
                        .time_ms = point->time_ns > 0 ? point->time_ns / ns_per_ms : 0,
                        .is_nan = isnan(point->value) ? 1 : 0,
                        .value = storable(point->value)};
        if (!of->latest || is_later(&rows[i], of->latest))
            of->latest = &rows[i];
    }
    return n_curves;
}

/* As many rows as the statement takes. */
static ty_status run_with(ty_ctx *ctx, ty_store *store, ty_sql which, const char *run_id,
                          const row *rows, int64_t n, int64_t *changes) {
    sqlite3_stmt *stmt;
    TY_TRY(ty_sql_statement(ctx, store, which, &stmt));
    int at = 1;
    (void)sqlite3_bind_text(stmt, at++, run_id, -1, SQLITE_STATIC);
    for (const row *r = rows; r < rows + n; r++) {
        (void)sqlite3_bind_text(stmt, at++, r->key, -1, SQLITE_STATIC);
        (void)sqlite3_bind_int64(stmt, at++, r->step);
        (void)sqlite3_bind_int64(stmt, at++, r->time_ms);
        (void)sqlite3_bind_double(stmt, at++, r->value);
        (void)sqlite3_bind_int64(stmt, at++, r->is_nan);
    }
    return ty_sql_finish(ctx, store, stmt, changes);
}

/* A statement keeps a copy of each page that it changes, to undo itself: the fewer, the faster. */
static ty_status add_rows(ty_ctx *ctx, ty_store *store, const char *run_id, const row *rows,
                          int64_t n, int64_t *added) {
    static const struct {
        ty_sql which;
        int64_t n;
    } statements[] = {
        {TY_SQL_ADD_POINTS_128, 128}, {TY_SQL_ADD_POINTS_16, 16}, {TY_SQL_ADD_POINT, 1}};
    int64_t at = 0;
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++)
        for (; n - at >= statements[i].n; at += statements[i].n)
            TY_TRY(run_with(ctx, store, statements[i].which, run_id, rows + at, statements[i].n,
                            added));
    return TY_OK;
}

ty_status ty_store_add_points(ty_ctx *ctx, ty_store *store, const char *run_id,
                              const ty_track_point *points, int64_t n, int64_t *added) {
    ty_arena *arena = &ctx->scratch;
    const ty_arena_mark mark = ty_arena_mark_here(arena);
    row *rows = ty_arena_array(arena, (size_t)n, sizeof *rows);
    curve *curves = ty_arena_array(arena, (size_t)n, sizeof *curves);
    const int64_t n_curves = rows && curves ? make_rows(arena, points, n, rows, curves) : -1;
    ty_status st = n_curves < 0 ? ty_fail_nomem(ctx, "a run's points")
                                : add_rows(ctx, store, run_id, rows, n, added);
    for (int64_t i = 0; st == TY_OK && i < n_curves; i++)
        st = run_with(ctx, store, TY_SQL_SET_LATEST, run_id, curves[i].latest, 1, NULL);
    ty_arena_reset(arena, mark);
    return st;
}
