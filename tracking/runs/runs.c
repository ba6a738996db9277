/* Runs as their folders tell them: listed and found from the journals alone. */
#include <stdlib.h>
#include <string.h>

#include "tracking/journal/record.h"
#include "tracking/store/relocate.h"
#include "tracking/runs/run_info.h"
#include "tracking/tracking.h"

static const char topic[] = "tracking";
enum { MIN_ID_PREFIX = 6, MAX_NEAR = 3 };

/* --- one run's info --------------------------------------------------------------------------- */

void ty_run_info_add(ty_run_info *info, const ty_track_record *r) {
    if (r->type != TY_TRACK_METRICS && r->step > info->last_step)
        info->last_step = r->step;
    switch (r->type) {
    case TY_TRACK_RUN:
        info->run_id = r->run.run_id;
        info->experiment = r->run.experiment;
        info->name = r->run.name;
        info->source = r->run.source;
        info->user = r->run.user;
        info->start_ns = r->time_ns;
        break;
    case TY_TRACK_START:
        info->state = TY_RUN_RUNNING;
        info->end_ns = 0;
        info->reason = NULL;
        info->total_steps = r->start.total_steps;
        break;
    case TY_TRACK_STATE:
        info->state = (ty_run_state)r->state.state;
        info->end_ns =
            info->state == TY_RUN_RUNNING || info->state == TY_RUN_WAITING ? 0 : r->time_ns;
        info->reason = r->state.reason;
        break;
    case TY_TRACK_METRICS:
        for (int64_t i = 0; i < r->points.n; i++)
            if (r->points.v[i].step > info->last_step)
                info->last_step = r->points.v[i].step;
        break;
    default:
        break;
    }
}

bool ty_run_is_live(ty_ctx *ctx, const char *run_folder) {
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const char *path = ty_track_lease_path(&ctx->scratch, run_folder);
    const bool is_live = path && ty_lease_is_held(ctx, path);
    ty_arena_reset(&ctx->scratch, mark);
    return is_live;
}

static ty_status read_folder(ty_ctx *ctx, const char *run_folder, ty_arena *arena,
                             ty_run_info *out) {
    static const ty_run_reading how = {.parts = 0};
    ty_run_record run;
    const ty_status st = ty_run_read(ctx, run_folder, &how, arena, &run);
    *out = run.info;
    return st;
}

/* --- the list --------------------------------------------------------------------------------- */

typedef struct list {
    ty_arena *arena;
    ty_run_info *v;
    int64_t n, capacity;
} list;

static ty_status add_run(ty_ctx *ctx, void *self, const char *run_folder) {
    list *l = self;
    if (l->n == l->capacity) {
        const int64_t capacity = l->capacity != 0 ? l->capacity * 2 : 64;
        ty_run_info *v = realloc(l->v, (size_t)capacity * sizeof *v);
        if (!v)
            return ty_fail_nomem(ctx, "the list of runs");
        l->v = v;
        l->capacity = capacity;
    }
    const ty_status st = read_folder(ctx, run_folder, l->arena, &l->v[l->n]);
    if (st == TY_OK)
        l->n++;
    else if (st != TY_ERR_NOMEM)
        ty_log(ctx, TY_LOG_WARN, topic, "%s is left out: %s", run_folder, ctx->message);
    return st == TY_ERR_NOMEM ? st : TY_OK;
}

static int newest_first(const void *a, const void *b) {
    const ty_run_info *x = a, *y = b;
    if (x->start_ns != y->start_ns)
        return x->start_ns < y->start_ns ? 1 : -1;
    return strcmp(x->folder, y->folder);
}

ty_status ty_runs_list(ty_ctx *ctx, const char *folder, ty_arena *arena, ty_run_info **out,
                       int64_t *out_n) {
    list l = {.arena = arena};
    ty_status st = ty_each_journal(ctx, folder, add_run, &l);
    if (st == TY_OK) {
        *out = ty_arena_array(arena, (size_t)l.n + 1, sizeof **out);
        if (!*out)
            st = ty_fail_nomem(ctx, "the list of runs");
    }
    if (st == TY_OK && l.n != 0) {
        qsort(l.v, (size_t)l.n, sizeof *l.v, newest_first);
        memcpy(*out, l.v, (size_t)l.n * sizeof *l.v);
    }
    *out_n = st == TY_OK ? l.n : 0;
    free(l.v);
    return st;
}

/* --- one by name ------------------------------------------------------------------------------ */

typedef struct search {
    const char *which;
    bool with_sweeps;
    ty_arena *arena;
    const char *found;
    int64_t n_found;
    ty_text all, near;
    int64_t n_near;
} search;

static const char *last_part(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool is_id_prefix(const char *which, const char *id) {
    const size_t length = strlen(which);
    return length >= MIN_ID_PREFIX && length <= 32 && strncmp(which, id, length) == 0;
}

static bool is_near(const char *which, const char *name) {
    return strncmp(which, name, strlen(which)) == 0 ||
           ty_text_distance(which, name) <= (int)(strlen(name) + 2) / 4;
}

static void note_near(search *s, const char *name) {
    if (s->n_near >= MAX_NEAR || !is_near(s->which, name))
        return;
    ty_text_addf(&s->near, "%s%s", s->n_near++ != 0 ? ", " : "", name);
}

static void note_found(search *s, const char *run_folder) {
    s->n_found++;
    s->found = ty_arena_string(s->arena, run_folder);
    ty_text_addf(&s->all, "\n  %s", run_folder);
}

static ty_status look_at(ty_ctx *ctx, void *self, const char *run_folder) {
    search *s = self;
    ty_run_ids ids;
    const char *name = last_part(run_folder);
    if (strcmp(name, s->which) == 0) {
        note_found(s, run_folder);
        return TY_OK;
    }
    if (ty_run_ids_of(ctx, run_folder, &ids) == TY_OK && is_id_prefix(s->which, ids.run_id))
        note_found(s, run_folder);
    else
        note_near(s, name);
    return TY_OK;
}

/* Whether `which` leads to a run's folder from base. */
static bool is_run_folder(ty_ctx *ctx, ty_arena *arena, const char *base, const char *which,
                          const char **out) {
    const char *path = base ? ty_path_join(arena, base, which) : which;
    const char *absolute = path ? ty_path_absolute(arena, path) : NULL;
    const char *journal = absolute ? ty_track_journal_path(arena, absolute) : NULL;
    *out = absolute;
    return journal && ty_file_exists(ctx, journal);
}

static ty_status conclude(ty_ctx *ctx, const search *s, const char *folder, const char **out) {
    if (s->n_found == 1 && !s->found)
        return ty_fail_nomem(ctx, "a run's folder");
    if (s->n_found > 1)
        return ty_fail(ctx, TY_ERR_ARG, "%s is more than one run, say which folder:%s", s->which,
                       ty_text_string(&s->all));
    if (s->n_found == 0)
        return ty_fail(ctx, TY_ERR_NOT_FOUND, "no run %s under %s/runs%s%s%s%s", s->which, folder,
                       s->with_sweeps ? " or sweeps" : "", s->n_near != 0 ? " (did you mean " : "",
                       ty_text_string(&s->near), s->n_near != 0 ? "?)" : "");
    *out = s->found;
    return TY_OK;
}

static ty_status find(ty_ctx *ctx, const char *folder, const char *which, bool with_sweeps,
                      ty_arena *arena, const char **out_run_folder) {
    const char *runs = ty_path_join(arena, folder, "runs");
    if (!runs)
        return ty_fail_nomem(ctx, "the folder of runs");
    if (which[0] == '\0')
        return ty_fail(ctx, TY_ERR_ARG, "no run was named");
    if (is_run_folder(ctx, arena, NULL, which, out_run_folder) ||
        is_run_folder(ctx, arena, folder, which, out_run_folder) ||
        is_run_folder(ctx, arena, runs, which, out_run_folder))
        return TY_OK;
    search s = {.which = which, .with_sweeps = with_sweeps, .arena = arena};
    ty_status st = ty_each_run(ctx, folder, look_at, &s);
    if (st == TY_OK && with_sweeps && s.n_found == 0)
        st = ty_each_sweep(ctx, folder, look_at, &s);
    if (st == TY_OK)
        st = conclude(ctx, &s, folder, out_run_folder);
    ty_text_clear(&s.all);
    ty_text_clear(&s.near);
    return st;
}

ty_status ty_runs_find(ty_ctx *ctx, const char *folder, const char *which, ty_arena *arena,
                       const char **out_run_folder) {
    return find(ctx, folder, which, false, arena, out_run_folder);
}

ty_status ty_runs_find_any(ty_ctx *ctx, const char *folder, const char *which, ty_arena *arena,
                           const char **out_run_folder) {
    return find(ctx, folder, which, true, arena, out_run_folder);
}
