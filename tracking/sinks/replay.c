#include "tracking/sinks/replay.h"

#include <stdlib.h>
#include <string.h>

#include "tracking/limits.h"
#include "tracking/tags.h"

static const int64_t ns_per_ms = 1000000;

/* One data set with the roles it has had so far. */
typedef struct role_set {
    ty_mlflow_dataset dataset;
    bool is_in_parcel;
} role_set;

struct ty_replay {
    ty_journal_reader *reader;
    uint64_t done, read;
    ty_replay_facts facts;
    ty_keymap datasets; /* role_set by name and digest */
    ty_arena arena;     /* strings of facts */
    /* the parcel being put together; a record that did not fit waits, its strings in one of the two
     * arenas, which take turns */
    ty_parcel parcel;
    bool is_given, has_held;
    ty_track_record held;
    ty_arena turns[2];
    int turn;
    ty_item *items;
    int64_t capacity;
};

/* --- opening ---------------------------------------------------------------------------------- */

static ty_status open_reader(ty_ctx *ctx, ty_replay *r, const char *run_folder) {
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const char *path = ty_track_journal_path(&ctx->scratch, run_folder);
    const ty_status st = path ? ty_journal_reader_open(ctx, path, &r->reader)
                              : ty_fail_nomem(ctx, "a journal's name");
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}

ty_status ty_replay_open(ty_ctx *ctx, const char *run_folder, uint64_t done, ty_replay **out) {
    ty_replay *r = calloc(1, sizeof *r);
    if (!r)
        return ty_fail_nomem(ctx, "reading a run");
    r->done = done;
    ty_keymap_init(&r->facts.files, sizeof(ty_replay_file));
    ty_keymap_init(&r->facts.packages, sizeof(ty_replay_package));
    ty_keymap_init(&r->facts.params, sizeof(const char *));
    ty_keymap_init(&r->facts.tags, sizeof(const char *));
    ty_keymap_init(&r->facts.points, sizeof(ty_replay_point));
    ty_keymap_init(&r->datasets, sizeof(role_set));
    const ty_status st = open_reader(ctx, r, run_folder);
    if (st == TY_OK)
        *out = r;
    else
        ty_replay_close(r);
    return st;
}

void ty_replay_close(ty_replay *r) {
    if (!r)
        return;
    ty_journal_reader_close(r->reader);
    ty_keymap_clear(&r->facts.files);
    ty_keymap_clear(&r->facts.packages);
    ty_keymap_clear(&r->facts.params);
    ty_keymap_clear(&r->facts.tags);
    ty_keymap_clear(&r->facts.points);
    ty_keymap_clear(&r->datasets);
    ty_arena_clear(&r->arena);
    ty_arena_clear(&r->turns[0]);
    ty_arena_clear(&r->turns[1]);
    free(r->items);
    free(r);
}

ty_replay_facts *ty_replay_known(ty_replay *r) {
    return &r->facts;
}

/* --- items ------------------------------------------------------------------------------------ */

static bool is_done(const ty_replay *r, const ty_track_record *record) {
    return record->sequence <= r->done;
}

static ty_arena *here(ty_replay *r) {
    return &r->turns[r->turn];
}

static ty_status add_item(ty_ctx *ctx, ty_replay *r, const ty_item *item) {
    if (r->parcel.n_items == r->capacity) {
        const int64_t capacity = r->capacity != 0 ? r->capacity * 2 : 1024;
        ty_item *items = realloc(r->items, (size_t)capacity * sizeof *items);
        if (!items)
            return ty_fail_nomem(ctx, "values on their way to a server");
        r->items = items;
        r->capacity = capacity;
    }
    r->items[r->parcel.n_items++] = *item;
    r->parcel.items = r->items;
    return TY_OK;
}

/* The key within MLflow's limits, in the turn's arena; NULL: no memory. */
static const char *clean_key(ty_replay *r, const char *key) {
    char clean[TY_LIMIT_KEY_BYTES];
    ty_limit_key(key, clean);
    return ty_arena_string(here(r), clean);
}

static ty_status note_quality(ty_ctx *ctx, ty_replay *r, const ty_item *item) {
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const char *name =
        ty_arena_printf(&ctx->scratch, "%s %lld", item->key, (long long)item->metric.step);
    ty_replay_point *point = name ? ty_keymap_put(&r->facts.points, name) : NULL;
    const char *key = point ? ty_arena_string(&r->arena, item->key) : NULL;
    ty_arena_reset(&ctx->scratch, mark);
    if (!key)
        return ty_fail_nomem(ctx, "a model's metrics");
    *point = (ty_replay_point){.key = key,
                               .step = item->metric.step,
                               .time_ms = item->metric.time_ms,
                               .value = item->metric.value,
                               .sequence = item->sequence};
    return TY_OK;
}

static ty_status add_points(ty_ctx *ctx, ty_replay *r, const ty_track_record *record) {
    for (int64_t i = 0; i < record->points.n; i++) {
        const ty_track_point *point = &record->points.v[i];
        const char *key = clean_key(r, point->key);
        if (!key)
            return ty_fail_nomem(ctx, "metric points");
        const int64_t time_ms = point->time_ns > 0 ? point->time_ns / ns_per_ms : 0;
        const ty_item item = {
            .kind = TY_ITEM_METRIC,
            .sequence = record->sequence,
            .key = key,
            .metric = {.key = key, .value = point->value, .time_ms = time_ms, .step = point->step}};
        if (ty_track_is_of_model(point->key))
            TY_TRY(note_quality(ctx, r, &item));
        if (!is_done(r, record))
            TY_TRY(add_item(ctx, r, &item));
    }
    return TY_OK;
}

/* A copy of value as MLflow takes it, in the replay's arena. */
static const char *cut(ty_replay *r, const char *value, int max_characters) {
    return ty_arena_string_n(&r->arena, value, (size_t)ty_limit_bytes(value, max_characters));
}

/* Only the first value of a param holds: MLflow refuses another one. */
static ty_status add_param(ty_ctx *ctx, ty_replay *r, const ty_track_record *record) {
    const char *key = clean_key(r, record->text.key);
    if (key && ty_keymap_find(&r->facts.params, key))
        return TY_OK;
    const char **first = key ? ty_keymap_put(&r->facts.params, key) : NULL;
    if (first)
        *first = cut(r, record->text.value, TY_LIMIT_PARAM);
    if (!first || !*first)
        return ty_fail_nomem(ctx, "a run's params");
    if (is_done(r, record))
        return TY_OK;
    return add_item(
        ctx, r,
        &(ty_item){
            .kind = TY_ITEM_PARAM, .sequence = record->sequence, .key = key, .value = *first});
}

/* A later value of a tag in the same parcel takes the place of the earlier one. */
static ty_item *find_tag(ty_replay *r, const char *key) {
    for (int64_t i = 0; i < r->parcel.n_items; i++)
        if (r->items[i].kind == TY_ITEM_TAG && strcmp(r->items[i].key, key) == 0)
            return &r->items[i];
    return NULL;
}

static ty_status add_tag(ty_ctx *ctx, ty_replay *r, const ty_track_record *record) {
    const char *raw_key, *raw_value;
    if (!ty_track_tag_of(here(r), record, &raw_key, &raw_value))
        return ty_fail_nomem(ctx, "a run's tags");
    if (!raw_key)
        return TY_OK;
    const char *key = clean_key(r, raw_key);
    const char **last = key ? ty_keymap_put(&r->facts.tags, key) : NULL;
    const char *value = last ? cut(r, raw_value, TY_LIMIT_TAG) : NULL;
    if (!value)
        return ty_fail_nomem(ctx, "a run's tags");
    const ty_item item = {.kind = TY_ITEM_TAG,
                          .sequence = record->sequence,
                          .key = key,
                          .value = value,
                          .previous = *last};
    *last = value;
    ty_item *earlier = find_tag(r, key);
    if (earlier)
        earlier->value = value;
    return earlier || is_done(r, record) ? TY_OK : add_item(ctx, r, &item);
}

/* --- what the sender remembers ---------------------------------------------------------------- */

static ty_status note_file(ty_ctx *ctx, ty_replay *r, const ty_track_record *record) {
    ty_replay_file *file = ty_keymap_put(&r->facts.files, record->file.artifact);
    if (!file)
        return ty_fail_nomem(ctx, "a run's files");
    *file = (ty_replay_file){.is_model = record->type == TY_TRACK_MODEL,
                             .is_dirty = true,
                             .sequence = record->sequence,
                             .time_ns = record->time_ns};
    return TY_OK;
}

/* A run that begins again or ends may have written files anew that it told before. */
static void note_turn(ty_replay *r, const ty_track_record *record) {
    for (int64_t i = 0; i < r->facts.files.n; i++)
        ((ty_replay_file *)r->facts.files.v[i].item)->is_dirty = true;
    const bool was_ended = r->facts.has_ended;
    const bool ends = record->type == TY_TRACK_STATE && record->state.state != TY_RUN_RUNNING;
    r->facts.has_ended = ends;
    if (is_done(r, record) || (!ends && !was_ended))
        return;
    r->parcel.status =
        ty_track_state_name(ends ? (ty_run_state)record->state.state : TY_RUN_RUNNING);
    const bool has_end = ends && record->state.state != TY_RUN_WAITING;
    r->parcel.end_ms = has_end ? record->time_ns / ns_per_ms : 0;
}

static ty_status note_package(ty_ctx *ctx, ty_replay *r, const ty_track_record *record) {
    ty_replay_package *package = ty_keymap_put(&r->facts.packages, record->package.model_id);
    const char *name = package ? ty_arena_string(&r->arena, record->package.name) : NULL;
    if (!name)
        return ty_fail_nomem(ctx, "a run's models");
    *package = (ty_replay_package){.step = record->step,
                                   .time_ns = record->time_ns,
                                   .name = name,
                                   .sequence = record->sequence};
    return TY_OK;
}

/* --- data sets -------------------------------------------------------------------------------- */

/* MLflow keeps a source as JSON. */
static const char *source_json(ty_replay *r, const char *source) {
    if (!source || source[0] == '{')
        return ty_arena_string(&r->arena, source ? source : "{}");
    ty_text text = {0};
    ty_text_add(&text, "{\"uri\": ");
    ty_text_add_json(&text, source);
    ty_text_add(&text, "}");
    const char *copy = text.is_short ? NULL : ty_arena_string(&r->arena, ty_text_string(&text));
    ty_text_clear(&text);
    return copy;
}

static const char *optional(ty_replay *r, const char *text, bool *is_short) {
    const char *copy = text ? ty_arena_string(&r->arena, text) : NULL;
    *is_short = *is_short || (text && !copy);
    return copy;
}

static ty_status begin_roles(ty_ctx *ctx, ty_replay *r, const ty_track_record *record,
                             role_set *set) {
    bool is_short = false;
    set->dataset = (ty_mlflow_dataset){
        .name = cut(r, record->dataset.name, TY_LIMIT_DATASET),
        .digest = cut(r, record->dataset.digest, TY_LIMIT_DIGEST),
        .source_type = "local",
        .source = source_json(r, record->dataset.source),
        .schema = optional(r, record->dataset.schema, &is_short),
        .profile = optional(r, record->dataset.profile, &is_short),
    };
    const ty_mlflow_dataset *d = &set->dataset;
    return d->name && d->digest && d->source && !is_short ? TY_OK
                                                          : ty_fail_nomem(ctx, "a data set");
}

static ty_status add_role(ty_ctx *ctx, ty_replay *r, const char *role, role_set *set) {
    const char *known = set->dataset.context;
    if (!role || (known && strstr(known, role)))
        return TY_OK;
    const char *cut_role = cut(r, role, TY_LIMIT_CONTEXT);
    set->dataset.context =
        !known || !cut_role ? cut_role : ty_arena_printf(&r->arena, "%s, %s", known, cut_role);
    return set->dataset.context ? TY_OK : ty_fail_nomem(ctx, "a data set");
}

static ty_status add_dataset(ty_ctx *ctx, ty_replay *r, const ty_track_record *record) {
    const char *name =
        ty_arena_printf(here(r), "%s\n%s", record->dataset.digest, record->dataset.name);
    role_set *set = name ? ty_keymap_put(&r->datasets, name) : NULL;
    if (!set)
        return ty_fail_nomem(ctx, "a data set");
    if (!set->dataset.name)
        TY_TRY(begin_roles(ctx, r, record, set));
    TY_TRY(add_role(ctx, r, record->dataset.context, set));
    if (!r->facts.test_name && set->dataset.context && strstr(set->dataset.context, "test")) {
        r->facts.test_name = set->dataset.name;
        r->facts.test_digest = set->dataset.digest;
    }
    set->is_in_parcel = !is_done(r, record);
    return TY_OK;
}

static ty_status gather_datasets(ty_ctx *ctx, ty_replay *r) {
    ty_mlflow_dataset *v = ty_arena_array(here(r), (size_t)r->datasets.n + 1, sizeof *v);
    if (!v)
        return ty_fail_nomem(ctx, "data sets");
    r->parcel.n_datasets = 0;
    r->parcel.datasets = v;
    for (int64_t i = 0; i < r->datasets.n; i++) {
        role_set *set = r->datasets.v[i].item;
        if (set->is_in_parcel)
            v[r->parcel.n_datasets++] = set->dataset;
        set->is_in_parcel = false;
    }
    return TY_OK;
}

/* --- parcels ------------------------------------------------------------------------------------ */

static ty_parcel_kind kind_of(const ty_track_record *record) {
    switch (record->type) {
    case TY_TRACK_RUN:
        return TY_PARCEL_RUN;
    case TY_TRACK_DATASET:
        return TY_PARCEL_DATASETS;
    case TY_TRACK_PACKAGE:
        return TY_PARCEL_PACKAGE;
    default:
        return TY_PARCEL_VALUES;
    }
}

static bool fits(const ty_replay *r, const ty_track_record *record) {
    const ty_parcel *parcel = &r->parcel;
    if (parcel->kind == TY_PARCEL_NONE)
        return true;
    if (parcel->kind != kind_of(record) || parcel->kind == TY_PARCEL_RUN ||
        parcel->kind == TY_PARCEL_PACKAGE || parcel->status)
        return false;
    const int64_t more = record->type == TY_TRACK_METRICS ? record->points.n : 1;
    return parcel->n_items + more <= TY_REPLAY_MAX_ITEMS;
}

/* What a record says, into facts, and into the parcel where it is not done. */
static ty_status take_in(ty_ctx *ctx, ty_replay *r, const ty_track_record *record) {
    if (record->type == TY_TRACK_RUN)
        memcpy(r->facts.run_id, record->run.run_id, sizeof r->facts.run_id);
    else if (record->type == TY_TRACK_PARAM)
        return add_param(ctx, r, record);
    else if (record->type == TY_TRACK_METRICS)
        return add_points(ctx, r, record);
    else if (record->type == TY_TRACK_DATASET)
        return add_dataset(ctx, r, record);
    else if (record->type == TY_TRACK_PACKAGE)
        return note_package(ctx, r, record);
    else if (record->type == TY_TRACK_FILE || record->type == TY_TRACK_MODEL)
        TY_TRY(note_file(ctx, r, record));
    else if (record->type == TY_TRACK_START || record->type == TY_TRACK_STATE)
        note_turn(r, record);
    return add_tag(ctx, r, record);
}

static ty_status join(ty_ctx *ctx, ty_replay *r, const ty_track_record *record) {
    if (r->parcel.kind == TY_PARCEL_NONE) {
        r->parcel.kind = kind_of(record);
        r->parcel.first = record->sequence;
        r->parcel.time_ns = record->type == TY_TRACK_METRICS && record->points.n != 0
                                ? record->points.v[0].time_ns
                                : record->time_ns;
    }
    TY_TRY(take_in(ctx, r, record));
    r->parcel.last = record->sequence;
    r->parcel.record = *record;
    return TY_OK;
}

/* Points that are done matter only where they say how good a model is. */
static bool is_to_be_decoded(const ty_replay *r, const ty_journal_record *raw) {
    return raw->sequence > r->done || raw->type != TY_TRACK_METRICS ||
           memmem(raw->payload, raw->payload_bytes, "\"test/", 6);
}

/* The next record that matters, in r->held. */
static ty_status read_one(ty_ctx *ctx, ty_replay *r, uint64_t up_to) {
    while (!r->has_held && r->read < up_to) {
        ty_journal_record raw;
        bool has_record = false;
        TY_TRY(ty_journal_reader_next(ctx, r->reader, &raw, &has_record));
        if (!has_record)
            return TY_OK;
        if (is_to_be_decoded(r, &raw)) {
            TY_TRY(ty_track_decode(ctx, &raw, here(r), &r->held));
            r->has_held = true;
        }
        r->read = raw.sequence;
    }
    return TY_OK;
}

static void begin_parcel(ty_replay *r) {
    r->is_given = false;
    r->parcel = (ty_parcel){.kind = TY_PARCEL_NONE};
    r->turn = 1 - r->turn;
    ty_arena_clear(here(r));
}

/* Reads on until the parcel is whole. *is_whole: nothing more can join it. */
static ty_status gather(ty_ctx *ctx, ty_replay *r, uint64_t up_to, bool *is_whole) {
    for (;;) {
        TY_TRY(read_one(ctx, r, up_to));
        *is_whole = r->has_held && !is_done(r, &r->held) && !fits(r, &r->held);
        if (!r->has_held || *is_whole)
            return TY_OK;
        if (is_done(r, &r->held))
            TY_TRY(take_in(ctx, r, &r->held));
        else
            TY_TRY(join(ctx, r, &r->held));
        r->has_held = false;
    }
}

ty_status ty_replay_next(ty_ctx *ctx, ty_replay *r, uint64_t up_to, bool is_last, ty_parcel *out) {
    bool is_whole = false;
    if (r->is_given)
        begin_parcel(r);
    *out = (ty_parcel){.kind = TY_PARCEL_NONE};
    TY_TRY(gather(ctx, r, up_to, &is_whole));
    if (r->parcel.kind == TY_PARCEL_NONE ||
        (r->parcel.kind == TY_PARCEL_DATASETS && !is_whole && !is_last))
        return TY_OK;
    if (r->parcel.kind == TY_PARCEL_DATASETS)
        TY_TRY(gather_datasets(ctx, r));
    r->is_given = true;
    *out = r->parcel;
    return TY_OK;
}
