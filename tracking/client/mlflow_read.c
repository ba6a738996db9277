/* Decoders of the things that servers tell of. Whatever is not there is "" or 0; only what nothing
 * can be done without makes an answer wrong. */
#include "tracking/client/mlflow_private.h"

#include <string.h>

static mlflow_reader reader_of(ty_arena *arena, const json_t *json) {
    return (mlflow_reader){.arena = arena, .json = json};
}

static bool is_deleted(const json_t *json) {
    const char *stage = json_string_value(json_object_get(json, "lifecycle_stage"));
    return stage && strcmp(stage, "deleted") == 0;
}

bool mlflow_read_experiment(ty_arena *arena, const json_t *json, ty_mlflow_experiment *out) {
    mlflow_reader r = reader_of(arena, json);
    *out = (ty_mlflow_experiment){
        .id = mlflow_id(&r, "experiment_id"),
        .name = mlflow_text(&r, "name"),
        .artifact_location = mlflow_text(&r, "artifact_location"),
        .is_deleted = is_deleted(json),
        .tags = mlflow_pairs(&r, "tags", "key", "value"),
    };
    return !r.is_short && out->id[0] != '\0';
}

bool mlflow_read_metric(ty_arena *arena, const json_t *json, ty_mlflow_metric *out) {
    mlflow_reader r = reader_of(arena, json);
    *out = (ty_mlflow_metric){
        .key = mlflow_text(&r, "key"),
        .time_ms = mlflow_integer(json, "timestamp"),
        .step = mlflow_integer(json, "step"),
    };
    return mlflow_number(json_object_get(json, "value"), &out->value) && !r.is_short;
}

static bool read_metrics(ty_arena *arena, const json_t *array, ty_mlflow_run *out) {
    const size_t n = json_array_size(array);
    ty_mlflow_metric *v = n > 0 ? ty_arena_array(arena, n, sizeof *v) : NULL;
    if (n > 0 && !v)
        return false;
    out->metrics = v;
    for (size_t i = 0; i < n; i++)
        out->n_metrics += mlflow_read_metric(arena, json_array_get(array, i), &v[out->n_metrics]);
    return true;
}

bool mlflow_read_run(ty_arena *arena, const json_t *json, ty_mlflow_run *out) {
    const json_t *info = json_object_get(json, "info"), *data = json_object_get(json, "data");
    mlflow_reader r = reader_of(arena, info), values = reader_of(arena, data);
    *out = (ty_mlflow_run){
        .id = mlflow_id(&r, "run_id"),
        .name = mlflow_text(&r, "run_name"),
        .experiment_id = mlflow_id(&r, "experiment_id"),
        .user = mlflow_text(&r, "user_id"),
        .status = mlflow_text(&r, "status"),
        .artifact_uri = mlflow_text(&r, "artifact_uri"),
        .start_ms = mlflow_integer(info, "start_time"),
        .end_ms = mlflow_integer(info, "end_time"),
        .is_deleted = is_deleted(info),
        .params = mlflow_pairs(&values, "params", "key", "value"),
        .tags = mlflow_pairs(&values, "tags", "key", "value"),
    };
    return read_metrics(arena, json_object_get(data, "metrics"), out) && !r.is_short &&
           !values.is_short && out->id[0] != '\0';
}

/* Servers spell the status as a name; older ones of the 3 line as its number. */
static const char *model_status(mlflow_reader *r) {
    static const char *const names[] = {"", "LOGGED_MODEL_PENDING", "LOGGED_MODEL_READY",
                                        "LOGGED_MODEL_UPLOAD_FAILED"};
    const json_t *status = json_object_get(r->json, "status");
    const json_int_t number = json_integer_value(status);
    if (json_is_integer(status) && number > 0 && number < 4)
        return names[number];
    return mlflow_text(r, "status");
}

bool mlflow_read_model(ty_arena *arena, const json_t *json, ty_mlflow_model *out) {
    const json_t *info = json_object_get(json, "info"), *data = json_object_get(json, "data");
    mlflow_reader r = reader_of(arena, info), values = reader_of(arena, data);
    *out = (ty_mlflow_model){
        .id = mlflow_id(&r, "model_id"),
        .name = mlflow_text(&r, "name"),
        .experiment_id = mlflow_id(&r, "experiment_id"),
        .source_run_id = mlflow_id(&r, "source_run_id"),
        .artifact_uri = mlflow_text(&r, "artifact_uri"),
        .type = mlflow_text(&r, "model_type"),
        .status = model_status(&r),
        .created_ms = mlflow_integer(info, "creation_timestamp_ms"),
        .params = mlflow_pairs(&values, "params", "key", "value"),
        .tags = mlflow_pairs(&r, "tags", "key", "value"),
    };
    return !r.is_short && !values.is_short && out->id[0] != '\0';
}

bool mlflow_read_registered(ty_arena *arena, const json_t *json, ty_mlflow_registered *out) {
    mlflow_reader r = reader_of(arena, json);
    *out = (ty_mlflow_registered){
        .name = mlflow_text(&r, "name"),
        .description = mlflow_text(&r, "description"),
        .created_ms = mlflow_integer(json, "creation_timestamp"),
        .updated_ms = mlflow_integer(json, "last_updated_timestamp"),
        .tags = mlflow_pairs(&r, "tags", "key", "value"),
        .aliases = mlflow_pairs(&r, "aliases", "alias", "version"),
    };
    return !r.is_short && out->name[0] != '\0';
}

static bool read_aliases(mlflow_reader *r, ty_mlflow_registered_version *out) {
    const json_t *array = json_object_get(r->json, "aliases");
    const size_t n = json_array_size(array);
    const char **v = n > 0 ? ty_arena_array(r->arena, n, sizeof *v) : NULL;
    for (size_t i = 0; v && i < n; i++) {
        const char *alias = json_string_value(json_array_get(array, i));
        v[out->n_aliases] = alias ? ty_arena_string(r->arena, alias) : NULL;
        out->n_aliases += v[out->n_aliases] != NULL;
    }
    out->aliases = v;
    return v || n == 0;
}

/* Most servers leave model_id out of what they tell of a version. */
static const char *model_of(mlflow_reader *r) {
    static const char scheme[] = "models:/m-";
    const char *id = mlflow_id(r, "model_id");
    const char *source = json_string_value(json_object_get(r->json, "source"));
    if (id[0] != '\0' || !source || strncmp(source, scheme, sizeof scheme - 1) != 0)
        return id;
    const char *copy = ty_arena_string(r->arena, source + strlen("models:/"));
    r->is_short = r->is_short || !copy;
    return copy && mlflow_is_id(copy) ? copy : "";
}

bool mlflow_read_version(ty_arena *arena, const json_t *json, ty_mlflow_registered_version *out) {
    mlflow_reader r = reader_of(arena, json);
    *out = (ty_mlflow_registered_version){
        .name = mlflow_text(&r, "name"),
        .version = mlflow_id(&r, "version"),
        .source = mlflow_text(&r, "source"),
        .run_id = mlflow_id(&r, "run_id"),
        .model_id = model_of(&r),
        .description = mlflow_text(&r, "description"),
        .status = mlflow_text(&r, "status"),
        .run_link = mlflow_text(&r, "run_link"),
        .created_ms = mlflow_integer(json, "creation_timestamp"),
        .updated_ms = mlflow_integer(json, "last_updated_timestamp"),
        .tags = mlflow_pairs(&r, "tags", "key", "value"),
    };
    return read_aliases(&r, out) && !r.is_short && out->name[0] != '\0' && out->version[0] != '\0';
}

/* Stores tell whole paths or the last part alone; the last part is what both have. */
bool mlflow_read_file(ty_arena *arena, const json_t *json, const char *folder,
                      ty_mlflow_file *out) {
    const char *path = json_string_value(json_object_get(json, "path"));
    if (!path)
        return false;
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    if (mlflow_path_slip(name))
        return false;
    *out = (ty_mlflow_file){
        .path = folder && folder[0] != '\0' ? ty_path_join(arena, folder, name)
                                            : ty_arena_string(arena, name),
        .is_folder = json_is_true(json_object_get(json, "is_dir")),
        .bytes = mlflow_integer(json, "file_size"),
    };
    return out->path != NULL;
}
