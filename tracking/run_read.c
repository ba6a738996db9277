/* One run with everything that its journal tells. */
#include <stdlib.h>
#include <string.h>

#include "tracking/keymap.h"
#include "tracking/run_info.h"

typedef struct curve {
    ty_run_point *v;
    int64_t n, capacity;
} curve;

typedef struct reading {
    ty_arena *arena; /* the caller's; strings that stay */
    ty_run_info info;
    ty_keymap params, tags; /* const char * */
    ty_keymap curves;       /* curve */
    ty_keymap files;        /* char: there */
    ty_keymap packages;     /* ty_run_package, by model id */
} reading;

static ty_status keep_text(ty_ctx *ctx, reading *r, ty_keymap *map, const ty_track_record *record) {
    const char **text = ty_keymap_put(map, record->text.key);
    if (text)
        *text = ty_arena_string(r->arena, record->text.value);
    return text && *text ? TY_OK : ty_fail_nomem(ctx, "a run's values");
}

static ty_status keep_point(ty_ctx *ctx, reading *r, const ty_track_point *point) {
    curve *c = ty_keymap_put(&r->curves, point->key);
    if (c && c->n == c->capacity) {
        const int64_t capacity = c->capacity != 0 ? c->capacity * 2 : 64;
        ty_run_point *v = realloc(c->v, (size_t)capacity * sizeof *v);
        if (!v)
            return ty_fail_nomem(ctx, "a run's curves");
        c->v = v;
        c->capacity = capacity;
    }
    if (!c)
        return ty_fail_nomem(ctx, "a run's curves");
    c->v[c->n++] =
        (ty_run_point){.step = point->step, .time_ns = point->time_ns, .value = point->value};
    return TY_OK;
}

static ty_status keep_files(ty_ctx *ctx, reading *r, const ty_track_record *record,
                            ty_run_package *package) {
    const int64_t n = record->package.n_files;
    ty_run_file *files = ty_arena_array(r->arena, (size_t)n + 1, sizeof *files);
    if (!files)
        return ty_fail_nomem(ctx, "a run's models");
    for (int64_t i = 0; i < n; i++) {
        const ty_track_file *file = &record->package.files[i];
        files[i] = (ty_run_file){file->path, file->size, file->sha256};
    }
    package->files = files;
    package->n_files = n;
    return TY_OK;
}

static ty_status keep_package(ty_ctx *ctx, reading *r, const ty_track_record *record) {
    ty_run_package *package = ty_keymap_put(&r->packages, record->package.model_id);
    if (!package)
        return ty_fail_nomem(ctx, "a run's models");
    *package = (ty_run_package){.model_id = record->package.model_id,
                                .name = record->package.name,
                                .folder = record->package.folder,
                                .step = record->step,
                                .time_ns = record->time_ns};
    return keep_files(ctx, r, record, package);
}

static ty_status keep_record(ty_ctx *ctx, reading *r, const ty_track_record *record) {
    ty_run_info_add(&r->info, record);
    switch (record->type) {
    case TY_TRACK_PARAM:
        return keep_text(ctx, r, &r->params, record);
    case TY_TRACK_TAG:
        return keep_text(ctx, r, &r->tags, record);
    case TY_TRACK_FILE:
    case TY_TRACK_MODEL:
        return ty_keymap_put(&r->files, record->file.artifact)
                   ? TY_OK
                   : ty_fail_nomem(ctx, "a run's files");
    case TY_TRACK_PACKAGE:
        return keep_package(ctx, r, record);
    case TY_TRACK_METRICS:
        for (int64_t i = 0; i < record->points.n; i++)
            TY_TRY(keep_point(ctx, r, &record->points.v[i]));
        return TY_OK;
    default:
        return TY_OK;
    }
}

/* Records that info borrows from stay in the caller's arena; points are many and are copied out of
 * one that is reused. */
static ty_status read_records(ty_ctx *ctx, reading *r, ty_journal_reader *reader) {
    ty_arena passing = {0};
    ty_status st = TY_OK;
    for (bool has_record = true; st == TY_OK && has_record;) {
        ty_journal_record raw;
        ty_track_record record;
        st = ty_journal_reader_next(ctx, reader, &raw, &has_record);
        if (st != TY_OK || !has_record)
            break;
        const ty_arena_mark mark = ty_arena_mark_here(&passing);
        const bool is_passing = raw.type == TY_TRACK_METRICS;
        st = ty_track_decode(ctx, &raw, is_passing ? &passing : r->arena, &record);
        if (st == TY_OK)
            st = keep_record(ctx, r, &record);
        ty_arena_reset(&passing, mark);
    }
    ty_arena_clear(&passing);
    return st;
}

static ty_status give_texts(ty_ctx *ctx, reading *r, const ty_keymap *map, const ty_run_value **out,
                            int64_t *out_n) {
    ty_run_value *values = ty_arena_array(r->arena, (size_t)map->n + 1, sizeof *values);
    for (int64_t i = 0; values && i < map->n; i++) {
        values[i].key = ty_arena_string(r->arena, map->v[i].key);
        values[i].text = *(const char **)map->v[i].item;
        if (!values[i].key)
            values = NULL;
    }
    *out = values;
    *out_n = map->n;
    return values ? TY_OK : ty_fail_nomem(ctx, "a run's values");
}

/* A point that was emitted again by an older program is the newest one of its step. */
static const ty_run_point *last_point(const curve *c) {
    const ty_run_point *last = &c->v[0];
    for (int64_t i = 1; i < c->n; i++)
        if (c->v[i].step >= last->step)
            last = &c->v[i];
    return last;
}

static ty_status give_curves(ty_ctx *ctx, reading *r, ty_run_record *out) {
    const size_t n = (size_t)r->curves.n;
    ty_run_curve *curves = ty_arena_array(r->arena, n + 1, sizeof *curves);
    ty_run_value *metrics = ty_arena_array(r->arena, n + 1, sizeof *metrics);
    if (!curves || !metrics)
        return ty_fail_nomem(ctx, "a run's curves");
    for (size_t i = 0; i < n; i++) {
        const curve *c = r->curves.v[i].item;
        const ty_run_point *last = last_point(c);
        ty_run_point *points = ty_arena_array(r->arena, (size_t)c->n, sizeof *points);
        const char *key = ty_arena_string(r->arena, r->curves.v[i].key);
        if (!points || !key)
            return ty_fail_nomem(ctx, "a run's curves");
        memcpy(points, c->v, (size_t)c->n * sizeof *points);
        curves[i] = (ty_run_curve){.key = key, .v = points, .n = c->n};
        metrics[i] = (ty_run_value){.key = key, .value = last->value, .step = last->step};
    }
    out->curves = curves;
    out->metrics = metrics;
    out->n_curves = out->n_metrics = (int64_t)n;
    return TY_OK;
}

static ty_status give_files(ty_ctx *ctx, reading *r, ty_run_record *out) {
    const char **files = ty_arena_array(r->arena, (size_t)r->files.n + 1, sizeof *files);
    for (int64_t i = 0; files && i < r->files.n; i++) {
        files[i] = ty_arena_string(r->arena, r->files.v[i].key);
        if (!files[i])
            files = NULL;
    }
    out->files = files;
    out->n_files = r->files.n;
    return files ? TY_OK : ty_fail_nomem(ctx, "a run's files");
}

static ty_status give_packages(ty_ctx *ctx, reading *r, ty_run_record *out) {
    const size_t n = (size_t)r->packages.n;
    ty_run_package *packages = ty_arena_array(r->arena, n + 1, sizeof *packages);
    for (size_t i = 0; packages && i < n; i++)
        packages[i] = *(const ty_run_package *)r->packages.v[i].item;
    out->packages = packages;
    out->n_packages = r->packages.n;
    return packages ? TY_OK : ty_fail_nomem(ctx, "a run's models");
}

static ty_status give(ty_ctx *ctx, reading *r, const char *path, ty_run_record *out) {
    if (!r->info.run_id)
        return ty_fail(ctx, TY_ERR_INTEGRITY, "%s does not begin with a run", path);
    out->info = r->info;
    TY_TRY(give_texts(ctx, r, &r->params, &out->params, &out->n_params));
    TY_TRY(give_texts(ctx, r, &r->tags, &out->tags, &out->n_tags));
    TY_TRY(give_files(ctx, r, out));
    TY_TRY(give_packages(ctx, r, out));
    return give_curves(ctx, r, out);
}

static void clear(reading *r) {
    for (int64_t i = 0; i < r->curves.n; i++)
        free(((curve *)r->curves.v[i].item)->v);
    ty_keymap_clear(&r->params);
    ty_keymap_clear(&r->tags);
    ty_keymap_clear(&r->curves);
    ty_keymap_clear(&r->files);
    ty_keymap_clear(&r->packages);
}

ty_status ty_runs_read(ty_ctx *ctx, const char *run_folder, ty_arena *arena, ty_run_record *out) {
    reading r = {.arena = arena, .info = {.last_step = -1}};
    ty_journal_reader *reader = NULL;
    ty_keymap_init(&r.params, sizeof(const char *));
    ty_keymap_init(&r.tags, sizeof(const char *));
    ty_keymap_init(&r.curves, sizeof(curve));
    ty_keymap_init(&r.files, sizeof(char));
    ty_keymap_init(&r.packages, sizeof(ty_run_package));
    *out = (ty_run_record){0};
    r.info.folder = ty_path_absolute(arena, run_folder);
    const char *path = r.info.folder ? ty_track_journal_path(arena, r.info.folder) : NULL;
    if (!path)
        return ty_fail_nomem(ctx, "a run's folder");
    TY_TRY(ty_journal_reader_open(ctx, path, &reader));
    r.info.is_live = ty_run_is_live(ctx, r.info.folder);
    ty_status st = read_records(ctx, &r, reader);
    if (st == TY_OK)
        st = give(ctx, &r, path, out);
    ty_journal_reader_close(reader);
    clear(&r);
    return st;
}
