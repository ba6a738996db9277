/* What may be taken off the disk, and taking it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tracking/runs/clean.h"
#include "tracking/journal/record.h"
#include "tracking/runs/remove.h"
#include "tracking/runs/run_info.h"

enum { LEASE_MS = 30000 };

typedef struct planning {
    const char *folder;
    const ty_clean_options *options;
    ty_arena *arena;
    ty_run_record *runs;
    int64_t n_runs;
    bool *is_kept; /* by keep_best; NULL: all runs keep checkpoints */
    ty_clean_item *v;
    int64_t n, capacity;
} planning;

static ty_status add_item(ty_ctx *ctx, planning *p, ty_clean_item item) {
    if (p->n == p->capacity) {
        const int64_t capacity = p->capacity != 0 ? p->capacity * 2 : 64;
        ty_clean_item *v = realloc(p->v, (size_t)capacity * sizeof *v);
        if (!v)
            return ty_fail_nomem(ctx, "what may be cleaned");
        p->v = v;
        p->capacity = capacity;
    }
    item.bytes = ty_remove_bytes(ctx, item.path);
    p->v[p->n++] = item;
    return TY_OK;
}

static ty_clean_item item_of(const ty_run_record *run, ty_clean_kind kind, const char *path,
                             const char *why) {
    return (ty_clean_item){.kind = kind,
                           .run = run->info.name,
                           .run_folder = run->info.folder,
                           .path = path,
                           .why = why};
}

/* --- checkpoints ------------------------------------------------------------------------------ */

/* The step of "step_000000000231.h5"; -1: it is no checkpoint. */
static int64_t step_of(const char *name) {
    char *end = NULL;
    if (strncmp(name, "step_", 5) != 0 || name[5] < '0' || name[5] > '9')
        return -1;
    const long long step = strtoll(name + 5, &end, 10);
    return strcmp(end, ".h5") == 0 ? step : -1;
}

static bool is_packaged(const ty_run_record *run, int64_t step) {
    for (int64_t i = 0; i < run->n_packages; i++)
        if (run->packages[i].step == step)
            return true;
    return false;
}

/* Best and last, by the file that they are; a run that was moved has other folders in its journal. */
static bool is_named(const ty_run_record *run, const char *name) {
    for (int64_t i = 0; i < run->n_checkpoints; i++) {
        const char *slash = strrchr(run->checkpoints[i].path, '/');
        if (strcmp(slash ? slash + 1 : run->checkpoints[i].path, name) == 0)
            return true;
    }
    return false;
}

/* Names are in the order of their steps. A run that has not finished may go on from its newest
 * checkpoint, or from the one before where that one is damaged. */
static bool is_newest(const ty_run_record *run, char *const *names, size_t n, size_t at) {
    size_t n_newer = 0;
    for (size_t i = at + 1; i < n; i++)
        n_newer += step_of(names[i]) >= 0;
    return n_newer < (run->info.state == TY_RUN_FINISHED ? 1 : 2);
}

static ty_status plan_checkpoint(ty_ctx *ctx, planning *p, const ty_run_record *run,
                                 const char *path, const char *why) {
    return path ? add_item(ctx, p, item_of(run, TY_CLEAN_CHECKPOINT, path, why))
                : ty_fail_nomem(ctx, "a checkpoint's name");
}

static ty_status plan_checkpoints(ty_ctx *ctx, planning *p, const ty_run_record *run,
                                  bool keeps_any) {
    char **names = NULL;
    size_t n = 0;
    const char *folder = ty_path_join(p->arena, run->info.folder, "checkpoints");
    if (!folder)
        return ty_fail_nomem(ctx, "a folder's name");
    if (!ty_file_exists(ctx, folder))
        return TY_OK;
    TY_TRY(ty_dir_list(ctx, folder, p->arena, &names, &n));
    for (size_t i = 0; i < n; i++) {
        const int64_t step = step_of(names[i]);
        const bool is_needed =
            is_named(run, names[i]) || is_packaged(run, step) || is_newest(run, names, n, i);
        if (step < 0 || (keeps_any && is_needed))
            continue;
        TY_TRY(plan_checkpoint(ctx, p, run, ty_path_join(p->arena, folder, names[i]),
                               keeps_any ? "neither best nor last" : "not among the best runs"));
    }
    return TY_OK;
}

/* The names under which MLflow shows them are files' second names. */
static ty_status plan_shown_checkpoints(ty_ctx *ctx, planning *p, const ty_run_record *run) {
    char *artifacts = ty_track_artifacts_path(p->arena, run->info.folder);
    const char *folder = artifacts ? ty_path_join(p->arena, artifacts, "checkpoints") : NULL;
    if (!folder)
        return ty_fail_nomem(ctx, "a folder's name");
    for (int64_t i = 0; i < run->n_checkpoints; i++) {
        const char *name = ty_arena_printf(p->arena, "%s.h5", run->checkpoints[i].name);
        const char *path = name ? ty_path_join(p->arena, folder, name) : NULL;
        if (path && !ty_file_exists(ctx, path))
            continue;
        TY_TRY(plan_checkpoint(ctx, p, run, path, "not among the best runs"));
    }
    return TY_OK;
}

/* --- leftovers -------------------------------------------------------------------------------- */

static bool is_leftover(const char *name) {
    static const char partial[] = ".partial";
    const size_t length = strlen(name), tail = sizeof partial - 1;
    return strncmp(name, ".tmp-", 5) == 0 ||
           (length > tail && strcmp(name + length - tail, partial) == 0);
}

/* As deep as a run's own folders are. */
static ty_status plan_leftovers(ty_ctx *ctx, planning *p, const ty_run_record *run,
                                const char *folder, int depth) {
    char **names = NULL;
    size_t n = 0;
    struct stat info;
    TY_TRY(ty_dir_list(ctx, folder, p->arena, &names, &n));
    for (size_t i = 0; i < n; i++) {
        const char *path = ty_path_join(p->arena, folder, names[i]);
        if (!path)
            return ty_fail_nomem(ctx, "a file's name");
        if (is_leftover(names[i]))
            TY_TRY(add_item(
                ctx, p,
                item_of(run, TY_CLEAN_LEFTOVER, path, "of a write that did not come to its end")));
        else if (depth > 0 && lstat(path, &info) == 0 && S_ISDIR(info.st_mode))
            TY_TRY(plan_leftovers(ctx, p, run, path, depth - 1));
    }
    return TY_OK;
}

/* --- the best runs ---------------------------------------------------------------------------- */

static const char *param(const ty_run_record *run, const char *key) {
    for (int64_t i = 0; i < run->n_params; i++)
        if (strcmp(run->params[i].key, key) == 0)
            return run->params[i].text;
    return "";
}

/* The best value of the metric that best checkpoints are kept by, the higher the better; NaN: the
 * run has none. */
static double score_of(const ty_run_record *run) {
    const char *best = param(run, "checkpoint.best"), *colon = strrchr(best, ':');
    const double sign = colon && strcmp(colon, ":min") == 0 ? -1 : 1;
    double score = (double)NAN;
    for (int64_t c = 0; colon && c < run->n_curves; c++) {
        const ty_run_curve *curve = &run->curves[c];
        if (strncmp(curve->key, best, (size_t)(colon - best)) != 0 ||
            curve->key[colon - best] != '\0')
            continue;
        for (int64_t i = 0; i < curve->n; i++)
            score = fmax(score, sign * curve->v[i].value); /* fmax passes a NaN over */
    }
    return score;
}

static bool competes(const ty_run_record *run) {
    return !run->info.is_deleted && !run->info.is_live && run->info.state == TY_RUN_FINISHED;
}

/* Runs compete within an experiment, where they are judged alike. */
static bool are_rivals(const ty_run_record *a, const ty_run_record *b) {
    return competes(b) && strcmp(a->info.experiment, b->info.experiment) == 0 &&
           strcmp(param(a, "checkpoint.best"), param(b, "checkpoint.best")) == 0;
}

static ty_status judge(ty_ctx *ctx, planning *p) {
    double *scores = ty_arena_array(p->arena, (size_t)p->n_runs + 1, sizeof *scores);
    p->is_kept = ty_arena_array(p->arena, (size_t)p->n_runs + 1, sizeof *p->is_kept);
    if (!scores || !p->is_kept)
        return ty_fail_nomem(ctx, "the best runs");
    for (int64_t i = 0; i < p->n_runs; i++)
        scores[i] = score_of(&p->runs[i]);
    for (int64_t i = 0; i < p->n_runs; i++) {
        int64_t n_better = 0;
        for (int64_t k = 0; k < p->n_runs; k++)
            n_better += k != i && are_rivals(&p->runs[i], &p->runs[k]) &&
                        (scores[k] > scores[i] || (scores[k] == scores[i] && k < i));
        /* Who cannot be judged keeps what it has. */
        p->is_kept[i] =
            !competes(&p->runs[i]) || isnan(scores[i]) || n_better < p->options->keep_best;
    }
    return TY_OK;
}

/* --- the plan --------------------------------------------------------------------------------- */

static bool is_left_alone(ty_ctx *ctx, const planning *p, const ty_run_info *run) {
    const int64_t end_ns = run->end_ns != 0 ? run->end_ns : run->start_ns;
    const bool is_young =
        p->options->older_than_ns > 0 && ty_now_wall_ns(ctx) - end_ns < p->options->older_than_ns;
    return run->is_live || is_young || ty_run_is_delivered(ctx, run->folder);
}

static ty_status plan_run(ty_ctx *ctx, planning *p, int64_t at) {
    enum { DEPTH = 3 };
    const ty_run_record *run = &p->runs[at];
    const bool keeps_any = !p->is_kept || p->is_kept[at];
    if (run->info.is_deleted)
        return add_item(ctx, p, item_of(run, TY_CLEAN_RUN, run->info.folder, "deleted in MLflow"));
    TY_TRY(plan_checkpoints(ctx, p, run, keeps_any));
    if (!keeps_any)
        TY_TRY(plan_shown_checkpoints(ctx, p, run));
    return plan_leftovers(ctx, p, run, run->info.folder, DEPTH);
}

/* Asked only where there is something to take away. */
static ty_status drop_registered(ty_ctx *ctx, planning *p, int64_t at, int64_t first) {
    const char *names = "";
    if (p->n == first)
        return TY_OK;
    TY_TRY(ty_run_registered(ctx, p->folder, &p->runs[at], p->arena, &names));
    if (names[0] != '\0') {
        ty_log(ctx, TY_LOG_INFO, "tracking", "%s is left as it is: %s comes from it",
               p->runs[at].info.name, names);
        p->n = first;
    }
    return TY_OK;
}

static ty_status plan_all(ty_ctx *ctx, planning *p) {
    const unsigned points = p->options->keep_best > 0 ? TY_RUN_CURVES : 0;
    const ty_run_query query = {.parts = TY_RUN_FILES | TY_RUN_PACKAGES | TY_RUN_PARAMS | points,
                                .view = TY_RUNS_ALL};
    TY_TRY(ty_runs_select(ctx, p->folder, &query, p->arena, &p->runs, &p->n_runs));
    if (p->options->keep_best > 0)
        TY_TRY(judge(ctx, p));
    for (int64_t i = 0; i < p->n_runs; i++) {
        const int64_t first = p->n;
        if (is_left_alone(ctx, p, &p->runs[i].info))
            continue;
        TY_TRY(plan_run(ctx, p, i));
        TY_TRY(drop_registered(ctx, p, i, first));
    }
    return TY_OK;
}

ty_status ty_clean_plan(ty_ctx *ctx, const char *folder, const ty_clean_options *options,
                        ty_arena *arena, const ty_clean_item **out, int64_t *out_n) {
    planning p = {.folder = folder, .options = options, .arena = arena};
    ty_status st = plan_all(ctx, &p);
    ty_clean_item *items = ty_arena_array(arena, (size_t)p.n + 1, sizeof *items);
    if (st == TY_OK && !items)
        st = ty_fail_nomem(ctx, "what may be cleaned");
    if (st == TY_OK && p.n != 0)
        memcpy(items, p.v, (size_t)p.n * sizeof *items);
    *out = items;
    *out_n = st == TY_OK ? p.n : 0;
    free(p.v);
    return st;
}

/* --- doing it --------------------------------------------------------------------------------- */

/* The journal goes last: as long as it is there, the next cleaning finds what this one has left. */
static ty_status remove_run(ty_ctx *ctx, const char *run_folder, ty_arena *arena) {
    static const char *const last[] = {"run.journal", "run.lease", NULL};
    const char *journal = ty_track_journal_path(arena, run_folder);
    if (!journal)
        return ty_fail_nomem(ctx, "a run's folder");
    TY_TRY(ty_remove_within(ctx, run_folder, last));
    return ty_remove(ctx, journal);
}

static ty_status remove_items(ty_ctx *ctx, const ty_clean_item *items, int64_t n, ty_arena *arena) {
    for (int64_t i = 0; i < n; i++)
        TY_TRY(items[i].kind == TY_CLEAN_RUN ? remove_run(ctx, items[i].run_folder, arena)
                                             : ty_remove(ctx, items[i].path));
    return TY_OK;
}

ty_status ty_clean_run(ty_ctx *ctx, const ty_clean_item *items, int64_t n) {
    ty_arena arena = {0};
    ty_lease *lease = NULL;
    const char *lease_path = ty_track_lease_path(&arena, items[0].run_folder);
    ty_status st = lease_path ? ty_lease_acquire(ctx, lease_path, LEASE_MS, &lease)
                              : ty_fail_nomem(ctx, "a lease's name");
    if (st == TY_OK)
        st = remove_items(ctx, items, n, &arena);
    ty_lease_release(ctx, lease);
    if (st == TY_OK && items[0].kind == TY_CLEAN_RUN)
        st = ty_remove(ctx, items[0].run_folder);
    ty_arena_clear(&arena);
    return st;
}
