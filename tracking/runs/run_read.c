/* One run with what its journal tells, or as much of it as is wanted. */
#include <stdlib.h>
#include <string.h>

#include "tracking/journal/keymap.h"
#include "tracking/runs/run_info.h"
#include "tracking/runs/run_last.h"
#include "tracking/store/store.h"
#include "tracking/tags.h"

typedef struct curve {
    ty_run_point *v;
    int64_t n, capacity;
} curve;

typedef struct reading {
    const ty_run_reading *how;
    const ty_run_edits *edits; /* of this run; NULL: none */
    ty_arena *arena;           /* the caller's; strings that stay */
    ty_run_info info;
    ty_keymap params, tags; /* const char * */
    ty_keymap curves;       /* curve */
    ty_keymap files;        /* char: there */
    ty_keymap packages;     /* ty_run_package, by model id */
    ty_keymap checkpoints;  /* ty_run_checkpoint, by name */
    ty_keymap datasets;     /* ty_run_dataset, by name and digest */
    ty_run_last last;       /* where no curves are wanted */
    ty_text newest;         /* where no metrics are wanted, the last record of points */
    uint64_t newest_sequence;
} reading;

/* A param's first value is MLflow's, and its last one ours. */
static ty_status keep_text(ty_ctx *ctx, reading *r, ty_keymap *map, const char *key,
                           const char *value) {
    if (r->how->edits && map == &r->params && ty_keymap_find(map, key))
        return TY_OK;
    const char **text = ty_keymap_put(map, key);
    if (text)
        *text = ty_arena_string(r->arena, value);
    return text && *text ? TY_OK : ty_fail_nomem(ctx, "a run's values");
}

/* Tags that the store has are the store's to tell. */
static ty_status keep_tags(ty_ctx *ctx, reading *r, const ty_track_record *record) {
    const char *key = NULL, *value = NULL;
    const char *own[TY_TRACK_OWN_TAGS][2];
    if (!r->how->edits)
        return record->type == TY_TRACK_TAG
                   ? keep_text(ctx, r, &r->tags, record->text.key, record->text.value)
                   : TY_OK;
    if (r->edits && (int64_t)record->sequence <= r->edits->position)
        return TY_OK;
    if (!ty_track_tag_of(r->arena, record, &key, &value))
        return ty_fail_nomem(ctx, "a run's values");
    if (key)
        TY_TRY(keep_text(ctx, r, &r->tags, key, value));
    if (record->type != TY_TRACK_RUN)
        return TY_OK;
    ty_track_own_tags(record, own);
    for (size_t i = 0; i < TY_TRACK_OWN_TAGS; i++)
        if (own[i][1])
            TY_TRY(keep_text(ctx, r, &r->tags, own[i][0], own[i][1]));
    return TY_OK;
}

/* A data set in two roles is one input with both contexts, as in the store. */
static ty_status keep_dataset(ty_ctx *ctx, reading *r, const ty_track_record *record) {
    const char *key =
        ty_arena_printf(r->arena, "%s\n%s", record->dataset.name, record->dataset.digest);
    ty_run_dataset *set = key ? ty_keymap_put(&r->datasets, key) : NULL;
    if (!set)
        return ty_fail_nomem(ctx, "a run's data sets");
    set->name = record->dataset.name;
    set->digest = record->dataset.digest;
    if (!set->context)
        set->context = record->dataset.context;
    else if (record->dataset.context && !strstr(set->context, record->dataset.context))
        set->context = ty_arena_printf(r->arena, "%s, %s", set->context, record->dataset.context);
    return set->context || !record->dataset.context ? TY_OK
                                                    : ty_fail_nomem(ctx, "a run's data sets");
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

/* The last one of a name holds. */
static ty_status keep_checkpoint(ty_ctx *ctx, reading *r, const ty_track_record *record) {
    ty_run_checkpoint *checkpoint = ty_keymap_put(&r->checkpoints, record->file.name);
    if (!checkpoint)
        return ty_fail_nomem(ctx, "a run's checkpoints");
    *checkpoint = (ty_run_checkpoint){
        .name = record->file.name, .path = record->file.path, .step = record->step};
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
    const unsigned parts = r->how->parts;
    ty_run_info_add(&r->info, record);
    if (record->type == TY_TRACK_RUN && r->how->edits)
        r->edits = ty_edits_of(r->how->edits, record->run.run_id);
    if (parts & TY_RUN_TAGS)
        TY_TRY(keep_tags(ctx, r, record));
    switch (record->type) {
    case TY_TRACK_PARAM:
        return keep_text(ctx, r, &r->params, record->text.key, record->text.value);
    case TY_TRACK_DATASET:
        return keep_dataset(ctx, r, record);
    case TY_TRACK_MODEL:
        TY_TRY(keep_checkpoint(ctx, r, record));
        __attribute__((fallthrough));
    case TY_TRACK_FILE:
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

/* The parts for which a record is decoded; the run's info wants some in any case. */
static bool is_wanted(uint32_t type, unsigned parts) {
    switch (type) {
    case TY_TRACK_RUN:
    case TY_TRACK_START:
    case TY_TRACK_STATE:
        return true;
    case TY_TRACK_PARAM:
        return parts & TY_RUN_PARAMS;
    case TY_TRACK_TAG:
        return parts & TY_RUN_TAGS;
    case TY_TRACK_DATASET:
        return parts & TY_RUN_DATASETS;
    case TY_TRACK_MODEL:
        return parts & (TY_RUN_FILES | TY_RUN_TAGS);
    case TY_TRACK_FILE:
        return parts & TY_RUN_FILES;
    case TY_TRACK_PACKAGE:
        return parts & TY_RUN_PACKAGES;
    default:
        return parts & TY_RUN_CURVES;
    }
}

static ty_status decode(ty_ctx *ctx, reading *r, const ty_journal_record *raw, ty_arena *arena) {
    ty_track_record record;
    TY_TRY(ty_track_decode(ctx, raw, arena, &record));
    return keep_record(ctx, r, &record);
}

/* Most of a journal is points. Records that info borrows from stay in the caller's arena; points
 * are copied out of one that is reused. */
static ty_status take_record(ty_ctx *ctx, reading *r, const ty_journal_record *raw,
                             ty_arena *passing) {
    if (raw->type != TY_TRACK_METRICS)
        return is_wanted(raw->type, r->how->parts) ? decode(ctx, r, raw, r->arena) : TY_OK;
    if (r->how->parts & TY_RUN_CURVES) {
        const ty_arena_mark mark = ty_arena_mark_here(passing);
        const ty_status st = decode(ctx, r, raw, passing);
        ty_arena_reset(passing, mark);
        return st;
    }
    if (r->how->parts & TY_RUN_METRICS)
        return ty_run_last_note(ctx, &r->last, raw);
    r->newest.length = 0;
    ty_text_add_n(&r->newest, raw->payload, raw->payload_bytes);
    r->newest_sequence = raw->sequence;
    return r->newest.is_short ? ty_fail_nomem(ctx, "a run's last points") : TY_OK;
}

static ty_status read_records(ty_ctx *ctx, reading *r, ty_journal_reader *reader) {
    ty_arena passing = {0};
    ty_status st = TY_OK;
    for (bool has_record = true; st == TY_OK && has_record;) {
        ty_journal_record raw;
        st = ty_journal_reader_next(ctx, reader, &raw, &has_record);
        if (st == TY_OK && has_record)
            st = take_record(ctx, r, &raw, &passing);
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

static void note_step(reading *r, int64_t step) {
    if (step > r->info.last_step)
        r->info.last_step = step;
}

/* The newest record of points has the run's last step. */
static ty_status give_newest(ty_ctx *ctx, reading *r) {
    ty_arena passing = {0};
    ty_track_record record;
    const ty_journal_record raw = {.type = TY_TRACK_METRICS,
                                   .sequence = r->newest_sequence,
                                   .payload = r->newest.data,
                                   .payload_bytes = r->newest.length};
    if (r->newest_sequence == 0)
        return TY_OK;
    const ty_status st = ty_track_decode(ctx, &raw, &passing, &record);
    if (st == TY_OK)
        ty_run_info_add(&r->info, &record);
    ty_arena_clear(&passing);
    return st;
}

static ty_status give_metrics(ty_ctx *ctx, reading *r, ty_run_record *out) {
    int64_t step = -1;
    if (r->how->parts & TY_RUN_CURVES)
        return give_curves(ctx, r, out);
    if ((r->how->parts & TY_RUN_METRICS) == 0)
        return give_newest(ctx, r);
    TY_TRY(ty_run_last_give(ctx, &r->last, r->arena, &out->metrics, &out->n_metrics, &step));
    note_step(r, step);
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

/* A map's items one behind the other; NULL: no memory. */
static const void *items_of(reading *r, const ty_keymap *map, size_t bytes) {
    char *items = ty_arena_array(r->arena, (size_t)map->n + 1, bytes);
    for (int64_t i = 0; items && i < map->n; i++)
        memcpy(items + (size_t)i * bytes, map->v[i].item, bytes);
    return items;
}

static ty_status give_items(ty_ctx *ctx, reading *r, ty_run_record *out) {
    out->checkpoints = items_of(r, &r->checkpoints, sizeof *out->checkpoints);
    out->packages = items_of(r, &r->packages, sizeof *out->packages);
    out->datasets = items_of(r, &r->datasets, sizeof *out->datasets);
    out->n_checkpoints = r->checkpoints.n;
    out->n_packages = r->packages.n;
    out->n_datasets = r->datasets.n;
    return out->checkpoints && out->packages && out->datasets
               ? TY_OK
               : ty_fail_nomem(ctx, "what a run has made");
}

/* What the store did not have when it was deleted is marked in its own folder. */
static ty_status look_for_mark(ty_ctx *ctx, reading *r) {
    const char *path = ty_path_join(r->arena, r->info.folder, TY_RUN_DELETED_NAME);
    r->info.is_deleted = path && ty_file_exists(ctx, path);
    return path ? TY_OK : ty_fail_nomem(ctx, "a run's folder");
}

/* Tags of records that the store does not have yet stand already. */
static ty_status add_edits(ty_ctx *ctx, reading *r) {
    TY_TRY(look_for_mark(ctx, r));
    if (!r->edits)
        return TY_OK;
    r->info.is_deleted = r->info.is_deleted || r->edits->is_deleted;
    for (int64_t i = 0; i < r->edits->n_tags; i++) {
        const ty_run_value *tag = &r->edits->tags[i];
        if (!ty_keymap_find(&r->tags, tag->key))
            TY_TRY(keep_text(ctx, r, &r->tags, tag->key, tag->text));
    }
    if (r->edits->name) {
        r->info.name = ty_arena_string(r->arena, r->edits->name);
        return r->info.name ? TY_OK : ty_fail_nomem(ctx, "a run's name");
    }
    return TY_OK;
}

static ty_status add_place(ty_ctx *ctx, reading *r) {
    const char *artifacts = ty_track_artifacts_path(r->arena, r->info.folder);
    r->info.artifact_uri = artifacts ? ty_store_uri(r->arena, artifacts) : NULL;
    return r->info.artifact_uri ? TY_OK : ty_fail_nomem(ctx, "a run's folder");
}

static ty_status give(ty_ctx *ctx, reading *r, const char *path, ty_run_record *out) {
    if (!r->info.run_id)
        return ty_fail(ctx, TY_ERR_INTEGRITY, "%s does not begin with a run", path);
    TY_TRY(add_edits(ctx, r));
    TY_TRY(add_place(ctx, r));
    TY_TRY(give_texts(ctx, r, &r->params, &out->params, &out->n_params));
    TY_TRY(give_texts(ctx, r, &r->tags, &out->tags, &out->n_tags));
    TY_TRY(give_files(ctx, r, out));
    TY_TRY(give_items(ctx, r, out));
    TY_TRY(give_metrics(ctx, r, out));
    out->info = r->info;
    return TY_OK;
}

static void start(reading *r) {
    ty_keymap_init(&r->params, sizeof(const char *));
    ty_keymap_init(&r->tags, sizeof(const char *));
    ty_keymap_init(&r->curves, sizeof(curve));
    ty_keymap_init(&r->files, sizeof(char));
    ty_keymap_init(&r->packages, sizeof(ty_run_package));
    ty_keymap_init(&r->checkpoints, sizeof(ty_run_checkpoint));
    ty_keymap_init(&r->datasets, sizeof(ty_run_dataset));
    ty_run_last_init(&r->last);
}

static void clear(reading *r) {
    for (int64_t i = 0; i < r->curves.n; i++)
        free(((curve *)r->curves.v[i].item)->v);
    ty_keymap_clear(&r->params);
    ty_keymap_clear(&r->tags);
    ty_keymap_clear(&r->curves);
    ty_keymap_clear(&r->files);
    ty_keymap_clear(&r->packages);
    ty_keymap_clear(&r->checkpoints);
    ty_keymap_clear(&r->datasets);
    ty_run_last_clear(&r->last);
    ty_text_clear(&r->newest);
}

ty_status ty_run_read(ty_ctx *ctx, const char *run_folder, const ty_run_reading *how,
                      ty_arena *arena, ty_run_record *out) {
    reading r = {.how = how, .arena = arena, .info = {.last_step = -1}};
    ty_journal_reader *reader = NULL;
    *out = (ty_run_record){0};
    r.info.folder = ty_path_absolute(arena, run_folder);
    const char *path = r.info.folder ? ty_track_journal_path(arena, r.info.folder) : NULL;
    if (!path)
        return ty_fail_nomem(ctx, "a run's folder");
    TY_TRY(ty_journal_reader_open(ctx, path, &reader));
    start(&r);
    r.info.is_live = ty_run_is_live(ctx, r.info.folder);
    ty_status st = read_records(ctx, &r, reader);
    if (st == TY_OK)
        st = give(ctx, &r, path, out);
    ty_journal_reader_close(reader);
    clear(&r);
    return st;
}

ty_status ty_runs_read(ty_ctx *ctx, const char *run_folder, ty_arena *arena, ty_run_record *out) {
    const ty_run_reading how = {.parts = TY_RUN_ALL};
    return ty_run_read(ctx, run_folder, &how, arena, out);
}
