/* One table of fields drives both directions, so that what is written is what is read. */
#include "tracking/journal/record.h"

#include <math.h>
#include <string.h>

#include "tracking/artifact.h"
#include "tracking/journal/points_scan.h"

typedef enum field_kind { FIELD_TEXT, FIELD_OPTIONAL, FIELD_INT, FIELD_STATE } field_kind;

typedef struct field {
    uint32_t type;
    field_kind kind;
    const char *key;
    size_t offset;
} field;

#define FIELD(type, kind, key, member)                                                             \
    { TY_TRACK_##type, FIELD_##kind, key, offsetof(ty_track_record, member) }

static const field fields[] = {
    FIELD(RUN, TEXT, "run_id", run.run_id),
    FIELD(RUN, TEXT, "experiment", run.experiment),
    FIELD(RUN, TEXT, "run", run.name),
    FIELD(RUN, OPTIONAL, "user", run.user),
    FIELD(RUN, OPTIONAL, "source", run.source),
    FIELD(RUN, OPTIONAL, "store", run.store),
    FIELD(RUN, OPTIONAL, "experiment_note", run.experiment_note),
    FIELD(RUN, OPTIONAL, "primary_metric", run.primary_metric),
    FIELD(RUN, OPTIONAL, "primary_goal", run.primary_goal),
    FIELD(RUN, OPTIONAL, "journal_id", run.journal_id),
    FIELD(START, INT, "is_resumed", start.is_resumed),
    FIELD(START, INT, "from_step", start.from_step),
    FIELD(START, INT, "total_steps", start.total_steps),
    FIELD(START, INT, "samples_per_epoch", start.samples_per_epoch),
    FIELD(PARAM, TEXT, "key", text.key),
    FIELD(PARAM, TEXT, "value", text.value),
    FIELD(TAG, TEXT, "key", text.key),
    FIELD(TAG, TEXT, "value", text.value),
    FIELD(DATASET, TEXT, "name", dataset.name),
    FIELD(DATASET, TEXT, "digest", dataset.digest),
    FIELD(DATASET, OPTIONAL, "source", dataset.source),
    FIELD(DATASET, OPTIONAL, "context", dataset.context),
    FIELD(DATASET, OPTIONAL, "schema", dataset.schema),
    FIELD(DATASET, OPTIONAL, "profile", dataset.profile),
    FIELD(FILE, TEXT, "path", file.path),
    FIELD(FILE, TEXT, "artifact", file.artifact),
    FIELD(MODEL, TEXT, "name", file.name),
    FIELD(MODEL, TEXT, "path", file.path),
    FIELD(MODEL, TEXT, "artifact", file.artifact),
    FIELD(STATE, STATE, "state", state.state),
    FIELD(STATE, OPTIONAL, "reason", state.reason),
    FIELD(PACKAGE, TEXT, "model_id", package.model_id),
    FIELD(PACKAGE, TEXT, "name", package.name),
    FIELD(PACKAGE, TEXT, "folder", package.folder),
    FIELD(PACKAGE, OPTIONAL, "note", package.note),
};
enum { FIELD_COUNT = sizeof fields / sizeof fields[0] };

static const char *const state_names[] = {[TY_RUN_RUNNING] = "RUNNING",
                                          [TY_RUN_FINISHED] = "FINISHED",
                                          [TY_RUN_FAILED] = "FAILED",
                                          [TY_RUN_KILLED] = "KILLED",
                                          [TY_RUN_WAITING] = "SCHEDULED"};
enum { STATE_COUNT = sizeof state_names / sizeof state_names[0] };

const char *ty_track_state_name(ty_run_state state) {
    return (size_t)state < STATE_COUNT ? state_names[state] : "FAILED";
}

static void add_field(const ty_track_record *record, const field *f, ty_text *out) {
    const char *at = (const char *)record + f->offset;
    const char *text = NULL;
    int64_t number = 0;
    if (f->kind == FIELD_TEXT || f->kind == FIELD_OPTIONAL)
        memcpy(&text, at, sizeof text);
    else
        memcpy(&number, at, sizeof number);
    if (f->kind == FIELD_OPTIONAL && !text)
        return;
    ty_text_addf(out, ",\"%s\":", f->key);
    if (f->kind == FIELD_INT)
        ty_text_addf(out, "%lld", (long long)number);
    else if (f->kind == FIELD_STATE)
        ty_text_add_json(out, ty_track_state_name((ty_run_state)number));
    else
        ty_text_add_json(out, text ? text : "");
}

static void add_files(const ty_track_record *record, ty_text *out) {
    ty_text_add(out, ",\"files\":[");
    for (int64_t i = 0; i < record->package.n_files; i++) {
        const ty_track_file *file = &record->package.files[i];
        ty_text_add(out, i != 0 ? ",{\"path\":" : "{\"path\":");
        ty_text_add_json(out, file->path);
        ty_text_addf(out, ",\"size\":%lld,\"sha256\":\"%s\"}", (long long)file->size, file->sha256);
    }
    ty_text_add(out, "]");
}

void ty_track_encode(const ty_track_record *record, ty_text *out) {
    ty_text_addf(out, "{\"time_ns\":%lld,\"step\":%lld", (long long)record->time_ns,
                 (long long)record->step);
    for (int i = 0; i < FIELD_COUNT; i++)
        if (fields[i].type == record->type)
            add_field(record, &fields[i], out);
    if (record->type == TY_TRACK_PACKAGE)
        add_files(record, out);
    ty_text_add(out, "}");
}

static ty_status foreign(ty_ctx *ctx, const ty_journal_record *from, const char *what) {
    return ty_fail(ctx, TY_ERR_INTEGRITY, "record %llu of the journal is no run's: %s",
                   (unsigned long long)from->sequence, what);
}

/* The state's number, STATE_COUNT for an unknown name. */
static int64_t state_of(const char *name) {
    int64_t state = 0;
    while (state < STATE_COUNT && (!name || strcmp(name, state_names[state]) != 0))
        state++;
    return state;
}

static ty_status read_field(ty_ctx *ctx, const ty_journal_record *from, const json_t *json,
                            const field *f, ty_arena *arena, ty_track_record *out) {
    const json_t *value = json_object_get(json, f->key);
    char *at = (char *)out + f->offset;
    int64_t number = json_integer_value(value);
    if (f->kind == FIELD_TEXT || f->kind == FIELD_OPTIONAL) {
        const char *text = json_string_value(value);
        if (!text && f->kind == FIELD_TEXT)
            return foreign(ctx, from, f->key);
        if (text && !(text = ty_arena_string(arena, text)))
            return ty_fail_nomem(ctx, "a record of the journal");
        memcpy(at, &text, sizeof text);
        return TY_OK;
    }
    if (f->kind == FIELD_STATE)
        number = state_of(json_string_value(value));
    if (f->kind == FIELD_STATE ? number == STATE_COUNT : !json_is_integer(value))
        return foreign(ctx, from, f->key);
    memcpy(at, &number, sizeof number);
    return TY_OK;
}

/* A number, or one of the three words for what JSON has no number for. */
static bool read_value(const json_t *json, double *out) {
    const char *word = json_string_value(json);
    *out = json_number_value(json);
    if (word && strcmp(word, "NaN") == 0)
        *out = NAN;
    else if (word && strcmp(word, "Infinity") == 0)
        *out = INFINITY;
    else if (word && strcmp(word, "-Infinity") == 0)
        *out = -INFINITY;
    else if (word)
        return false;
    return word || json_is_number(json);
}

static bool read_point(const json_t *json, const char *const *keys, size_t n_keys,
                       ty_track_point *out) {
    const json_t *key = json_array_get(json, 0), *step = json_array_get(json, 1);
    const json_t *time = json_array_get(json, 2);
    const json_int_t index = json_integer_value(key);
    if (!json_is_integer(key) || !json_is_integer(step) || !json_is_integer(time) || index < 0 ||
        (uint64_t)index >= n_keys)
        return false;
    *out = (ty_track_point){
        .key = keys[index], .step = json_integer_value(step), .time_ns = json_integer_value(time)};
    return read_value(json_array_get(json, 3), &out->value);
}

static ty_status read_keys(ty_ctx *ctx, const ty_journal_record *from, const json_t *json,
                           ty_arena *arena, const char ***out) {
    const size_t n = json_array_size(json);
    const char **keys = ty_arena_array(arena, n + 1, sizeof *keys);
    for (size_t i = 0; keys && i < n; i++) {
        const char *key = json_string_value(json_array_get(json, i));
        if (!key)
            return foreign(ctx, from, "keys");
        keys[i] = ty_arena_string(arena, key);
        if (!keys[i])
            keys = NULL;
    }
    *out = keys;
    return keys ? TY_OK : ty_fail_nomem(ctx, "the keys of metric points");
}

static ty_status read_points(ty_ctx *ctx, const ty_journal_record *from, const json_t *json,
                             ty_arena *arena, ty_track_record *out) {
    const json_t *keys_json = json_object_get(json, "keys");
    const json_t *points_json = json_object_get(json, "points");
    const char **keys = NULL;
    TY_TRY(read_keys(ctx, from, keys_json, arena, &keys));
    const size_t n = json_array_size(points_json);
    ty_track_point *points = ty_arena_array(arena, n + 1, sizeof *points);
    if (!points)
        return ty_fail_nomem(ctx, "metric points");
    for (size_t i = 0; i < n; i++)
        if (!read_point(json_array_get(points_json, i), keys, json_array_size(keys_json),
                        &points[i]))
            return foreign(ctx, from, "points");
    out->points.v = points;
    out->points.n = (int64_t)n;
    return TY_OK;
}

static bool is_hex(const char *text, size_t digits) {
    return strlen(text) == digits && strspn(text, "0123456789abcdef") == digits;
}

bool ty_track_is_run_id(const char *text) {
    return is_hex(text, 32);
}

bool ty_track_is_model_id(const char *text) {
    return strncmp(text, "m-", 2) == 0 && is_hex(text + 2, 32);
}

const char *const ty_track_lineage[] = {"mlflow.user",
                                        "mlflow.source.name",
                                        "mlflow.source.type",
                                        "mlflow.source.git.commit",
                                        "tiltyard.config_hash",
                                        "tiltyard.data_fingerprint",
                                        "tiltyard.git.dirty",
                                        "tiltyard.version",
                                        NULL};

bool ty_track_is_of_model(const char *key) {
    return strncmp(key, "test/", 5) == 0;
}

static bool read_file(const json_t *json, ty_track_file *out) {
    const char *path = json_string_value(json_object_get(json, "path"));
    const char *sha256 = json_string_value(json_object_get(json, "sha256"));
    const json_t *size = json_object_get(json, "size");
    *out = (ty_track_file){.path = path, .size = json_integer_value(size), .sha256 = sha256};
    return path && sha256 && json_is_integer(size) && out->size >= 0 && is_hex(sha256, 64) &&
           ty_artifact_name_is_safe(path);
}

static ty_status read_files(ty_ctx *ctx, const ty_journal_record *from, const json_t *json,
                            ty_arena *arena, ty_track_record *out) {
    const size_t n = json_array_size(json);
    ty_track_file *files = ty_arena_array(arena, n + 1, sizeof *files);
    for (size_t i = 0; files && i < n; i++) {
        if (!read_file(json_array_get(json, i), &files[i]))
            return foreign(ctx, from, "files");
        files[i].path = ty_arena_string(arena, files[i].path);
        files[i].sha256 = ty_arena_string(arena, files[i].sha256);
        if (!files[i].path || !files[i].sha256)
            files = NULL;
    }
    out->package.files = files;
    out->package.n_files = (int64_t)n;
    return files ? TY_OK : ty_fail_nomem(ctx, "a package's files");
}

static ty_status read_package(ty_ctx *ctx, const ty_journal_record *from, const json_t *json,
                              ty_arena *arena, ty_track_record *out) {
    if (!ty_track_is_model_id(out->package.model_id))
        return foreign(ctx, from, "model_id");
    return read_files(ctx, from, json_object_get(json, "files"), arena, out);
}

static ty_status read_object(ty_ctx *ctx, const ty_journal_record *from, const json_t *json,
                             ty_arena *arena, ty_track_record *out) {
    if (out->type == TY_TRACK_METRICS)
        return read_points(ctx, from, json, arena, out);
    out->time_ns = json_integer_value(json_object_get(json, "time_ns"));
    out->step = json_integer_value(json_object_get(json, "step"));
    for (int i = 0; i < FIELD_COUNT; i++)
        if (fields[i].type == out->type)
            TY_TRY(read_field(ctx, from, json, &fields[i], arena, out));
    if (out->type == TY_TRACK_RUN && !ty_track_is_run_id(out->run.run_id))
        return foreign(ctx, from, "run_id");
    if (out->type == TY_TRACK_RUN && out->run.journal_id &&
        !ty_track_is_run_id(out->run.journal_id))
        return foreign(ctx, from, "journal_id");
    if (out->type == TY_TRACK_PACKAGE)
        return read_package(ctx, from, json, arena, out);
    return TY_OK;
}

ty_status ty_track_decode(ty_ctx *ctx, const ty_journal_record *from, ty_arena *arena,
                          ty_track_record *out) {
    *out = (ty_track_record){.type = from->type, .sequence = from->sequence};
    if (from->type == 0 || from->type >= TY_TRACK_END)
        return TY_OK;
    if (from->payload_bytes > TY_TRACK_MAX_PAYLOAD)
        return foreign(ctx, from, "too long");
    if (from->type == TY_TRACK_METRICS &&
        ty_points_scan(from->payload, from->payload_bytes, arena, out))
        return TY_OK;
    json_error_t error;
    json_t *json = json_loadb(from->payload, from->payload_bytes, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(json)) {
        json_decref(json);
        return foreign(ctx, from, "not a JSON object");
    }
    const ty_status st = read_object(ctx, from, json, arena, out);
    json_decref(json);
    return st;
}

ty_status ty_track_each(ty_ctx *ctx, const char *path,
                        ty_status (*visit)(ty_ctx *ctx, void *self, const ty_track_record *record),
                        void *self) {
    ty_journal_reader *reader = NULL;
    ty_arena arena = {0};
    ty_status st = ty_journal_reader_open(ctx, path, &reader);
    for (bool has_record = true; st == TY_OK && has_record;) {
        ty_journal_record raw;
        ty_track_record record;
        st = ty_journal_reader_next(ctx, reader, &raw, &has_record);
        if (st != TY_OK || !has_record)
            break;
        const ty_arena_mark mark = ty_arena_mark_here(&arena);
        st = ty_track_decode(ctx, &raw, &arena, &record);
        if (st == TY_OK)
            st = visit(ctx, self, &record);
        ty_arena_reset(&arena, mark);
    }
    ty_journal_reader_close(reader);
    ty_arena_clear(&arena);
    return st;
}

char *ty_track_journal_path(ty_arena *arena, const char *run_folder) {
    return ty_path_join(arena, run_folder, "run.journal");
}

char *ty_track_lease_path(ty_arena *arena, const char *run_folder) {
    return ty_path_join(arena, run_folder, "run.lease");
}

char *ty_track_artifacts_path(ty_arena *arena, const char *run_folder) {
    return ty_path_join(arena, run_folder, "artifacts");
}
