/* The MLflow client at the end of two pipes, for tests/interop: a JSON object a line in, an answer a
 * line out. mlflow_probe URI PATIENCE, where PATIENCE is none, endless or a number of retries.
 *   {"call":"make_run", ...}  ->  {"status":"OK","message":"","http":200,"code":"", ...results} */
#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tracking/client/mlflow.h"

typedef struct probe {
    ty_ctx ctx;
    ty_arena arena;
    ty_mlflow *m;
    json_t *in, *out; /* of the call under way */
} probe;

typedef struct probe_call {
    const char *name;
    ty_status (*run)(probe *p);
} probe_call;

static void print_line(void *self, ty_log_level level, const char *topic, const char *line) {
    (void)self, (void)level;
    fprintf(stderr, "%s: %s\n", topic, line);
}

static const char *text(const probe *p, const char *key) {
    return json_string_value(json_object_get(p->in, key));
}

static int64_t integer(const probe *p, const char *key) {
    return json_integer_value(json_object_get(p->in, key));
}

static void *take(probe *p, int64_t n, size_t size) {
    void *v = ty_arena_array(&p->arena, (size_t)(n > 0 ? n : 1), size);
    if (!v)
        abort();
    return v;
}

/* {"a":"b"} as pairs, in the order given. */
static ty_mlflow_pairs pairs(probe *p, const char *key) {
    json_t *object = json_object_get(p->in, key);
    ty_mlflow_pair *v = take(p, (int64_t)json_object_size(object), sizeof *v);
    ty_mlflow_pairs out = {.v = v};
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach(object, name, value) {
        v[out.n++] = (ty_mlflow_pair){name, json_string_value(value)};
    }
    return out;
}

static void put(probe *p, const char *key, json_t *value) {
    (void)json_object_set_new(p->out, key, value);
}

static void put_text(probe *p, const char *key, const char *value) {
    put(p, key, json_string(value));
}

static json_t *pairs_json(ty_mlflow_pairs pairs) {
    json_t *object = json_object();
    for (int64_t i = 0; i < pairs.n; i++)
        (void)json_object_set_new(object, pairs.v[i].key, json_string(pairs.v[i].value));
    return object;
}

/* Doubles go out by their bits. */
static json_t *bits(double value) {
    char hex[32];
    uint64_t word;
    memcpy(&word, &value, sizeof word);
    (void)snprintf(hex, sizeof hex, "%016llx", (unsigned long long)word);
    return json_string(hex);
}

static double number(const json_t *value) {
    const char *word = json_string_value(value);
    if (!word)
        return json_number_value(value);
    return strcmp(word, "nan") == 0 ? (double)NAN : word[0] == '-' ? -INFINITY : INFINITY;
}

/* --- calls --- */

static ty_status version(probe *p) {
    const char *out = "";
    const ty_status st = ty_mlflow_version(&p->ctx, p->m, &p->arena, &out);
    put_text(p, "version", out);
    return st;
}

static ty_status deadline(probe *p) {
    const int64_t ms = integer(p, "ms");
    ty_mlflow_set_deadline(p->m, ms < 0 ? INT64_MAX : ty_now_ns(&p->ctx) + ms * 1000000);
    return TY_OK;
}

static void put_experiment(probe *p, const ty_mlflow_experiment *e) {
    put_text(p, "id", e->id);
    put_text(p, "name", e->name);
    put_text(p, "artifact_location", e->artifact_location);
    put(p, "is_deleted", json_boolean(e->is_deleted));
    put(p, "tags", pairs_json(e->tags));
}

static ty_status find_experiment(probe *p) {
    ty_mlflow_experiment e = {0};
    const ty_status st = ty_mlflow_find_experiment(&p->ctx, p->m, text(p, "name"), &p->arena, &e);
    if (st == TY_OK)
        put_experiment(p, &e);
    return st;
}

static ty_status make_experiment(probe *p) {
    ty_mlflow_experiment e = {0};
    const ty_status st =
        ty_mlflow_make_experiment(&p->ctx, p->m, text(p, "name"), pairs(p, "tags"), &p->arena, &e);
    if (st == TY_OK)
        put_experiment(p, &e);
    return st;
}

static ty_status tag_experiment(probe *p) {
    return ty_mlflow_tag_experiment(&p->ctx, p->m, text(p, "id"), text(p, "key"), text(p, "value"));
}

static json_t *run_json(const ty_mlflow_run *run) {
    json_t *metrics = json_object();
    for (int64_t i = 0; i < run->n_metrics; i++)
        (void)json_object_set_new(metrics, run->metrics[i].key, bits(run->metrics[i].value));
    return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:I,s:I,s:o,s:o,s:o}", "id", run->id, "name",
                     run->name, "experiment_id", run->experiment_id, "user", run->user,
                     "run_status", run->status, "artifact_uri", run->artifact_uri, "start_ms",
                     (json_int_t)run->start_ms, "end_ms", (json_int_t)run->end_ms, "params",
                     pairs_json(run->params), "tags", pairs_json(run->tags), "metrics", metrics);
}

static ty_status make_run(probe *p) {
    ty_mlflow_run run = {0};
    const ty_mlflow_new_run wanted = {.experiment_id = text(p, "experiment_id"),
                                      .uid = text(p, "uid"),
                                      .name = text(p, "name"),
                                      .user = text(p, "user"),
                                      .start_ms = integer(p, "start_ms"),
                                      .tags = pairs(p, "tags")};
    const ty_status st = ty_mlflow_make_run(&p->ctx, p->m, &wanted, &p->arena, &run);
    if (st == TY_OK)
        put(p, "run", run_json(&run));
    return st;
}

static ty_status get_run(probe *p) {
    ty_mlflow_run run = {0};
    const ty_status st = ty_mlflow_get_run(&p->ctx, p->m, text(p, "id"), &p->arena, &run);
    if (st == TY_OK)
        put(p, "run", run_json(&run));
    return st;
}

static ty_status update_run(probe *p) {
    return ty_mlflow_update_run(&p->ctx, p->m, text(p, "id"), text(p, "run_status"),
                                integer(p, "end_ms"), text(p, "name"));
}

static ty_status delete_run(probe *p) {
    return ty_mlflow_delete_run(&p->ctx, p->m, text(p, "id"));
}

static const char *const *ids(probe *p, const char *key, int64_t *n) {
    const json_t *array = json_object_get(p->in, key);
    *n = (int64_t)json_array_size(array);
    const char **v = take(p, *n, sizeof *v);
    for (int64_t i = 0; i < *n; i++)
        v[i] = json_string_value(json_array_get(array, (size_t)i));
    return v;
}

static ty_status search_runs(probe *p) {
    int64_t n = 0;
    const char *const *v = ids(p, "experiment_ids", &n);
    ty_mlflow_runs runs = {0};
    const ty_status st = ty_mlflow_search_runs(&p->ctx, p->m, v, n, text(p, "filter"),
                                               integer(p, "max"), &p->arena, &runs);
    json_t *array = json_array();
    for (int64_t i = 0; i < runs.n; i++)
        (void)json_array_append_new(array, run_json(&runs.v[i]));
    put(p, "runs", array);
    return st;
}

/* metrics: [[key, value, time_ms, step, model_id?, dataset_name?, dataset_digest?], ...] */
static const ty_mlflow_metric *metrics(probe *p, int64_t *n) {
    const json_t *array = json_object_get(p->in, "metrics");
    *n = (int64_t)json_array_size(array);
    ty_mlflow_metric *v = take(p, *n, sizeof *v);
    for (int64_t i = 0; i < *n; i++) {
        const json_t *one = json_array_get(array, (size_t)i);
        v[i] = (ty_mlflow_metric){.key = json_string_value(json_array_get(one, 0)),
                                  .value = number(json_array_get(one, 1)),
                                  .time_ms = json_integer_value(json_array_get(one, 2)),
                                  .step = json_integer_value(json_array_get(one, 3)),
                                  .model_id = json_string_value(json_array_get(one, 4)),
                                  .dataset_name = json_string_value(json_array_get(one, 5)),
                                  .dataset_digest = json_string_value(json_array_get(one, 6))};
    }
    return v;
}

static ty_status log_batch(probe *p) {
    ty_mlflow_batch batch = {.params = pairs(p, "params"), .tags = pairs(p, "tags")};
    batch.metrics = metrics(p, &batch.n_metrics);
    return ty_mlflow_log_batch(&p->ctx, p->m, text(p, "run_id"), &batch);
}

static ty_status untag_run(probe *p) {
    return ty_mlflow_untag_run(&p->ctx, p->m, text(p, "id"), text(p, "key"));
}

static ty_status log_inputs(probe *p) {
    const json_t *array = json_object_get(p->in, "datasets");
    const int64_t n = (int64_t)json_array_size(array);
    ty_mlflow_dataset *v = take(p, n, sizeof *v);
    int64_t n_models = 0;
    const char *const *models = ids(p, "models", &n_models);
    for (int64_t i = 0; i < n; i++) {
        const json_t *one = json_array_get(array, (size_t)i);
        v[i] = (ty_mlflow_dataset){.name = json_string_value(json_object_get(one, "name")),
                                   .digest = json_string_value(json_object_get(one, "digest")),
                                   .source_type =
                                       json_string_value(json_object_get(one, "source_type")),
                                   .source = json_string_value(json_object_get(one, "source")),
                                   .schema = json_string_value(json_object_get(one, "schema")),
                                   .profile = json_string_value(json_object_get(one, "profile")),
                                   .context = json_string_value(json_object_get(one, "context"))};
    }
    return ty_mlflow_log_inputs(&p->ctx, p->m, text(p, "run_id"), v, n, models, n_models);
}

static ty_status log_output(probe *p) {
    return ty_mlflow_log_output(&p->ctx, p->m, text(p, "run_id"), text(p, "model_id"),
                                integer(p, "step"));
}

static ty_status read_history(probe *p) {
    ty_mlflow_history history = {0};
    const ty_status st = ty_mlflow_read_history(&p->ctx, p->m, text(p, "run_id"), text(p, "key"),
                                                &p->arena, &history);
    json_t *array = json_array();
    for (int64_t i = 0; i < history.n; i++)
        (void)json_array_append_new(array, json_pack("[I,I,o]", (json_int_t)history.v[i].step,
                                                     (json_int_t)history.v[i].time_ms,
                                                     bits(history.v[i].value)));
    put(p, "points", array);
    return st;
}

static json_t *model_json(const ty_mlflow_model *model) {
    return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:o,s:o}", "id", model->id, "name", model->name,
                     "experiment_id", model->experiment_id, "source_run_id", model->source_run_id,
                     "artifact_uri", model->artifact_uri, "type", model->type, "model_status",
                     model->status, "params", pairs_json(model->params), "tags",
                     pairs_json(model->tags));
}

static ty_status make_model(probe *p) {
    ty_mlflow_model model = {0};
    const ty_mlflow_new_model wanted = {.experiment_id = text(p, "experiment_id"),
                                        .uid = text(p, "uid"),
                                        .name = text(p, "name"),
                                        .source_run_id = text(p, "run_id"),
                                        .type = text(p, "type"),
                                        .params = pairs(p, "params"),
                                        .tags = pairs(p, "tags")};
    const ty_status st = ty_mlflow_make_model(&p->ctx, p->m, &wanted, &p->arena, &model);
    if (st == TY_OK)
        put(p, "model", model_json(&model));
    return st;
}

static ty_status get_model(probe *p) {
    ty_mlflow_model model = {0};
    const ty_status st = ty_mlflow_get_model(&p->ctx, p->m, text(p, "id"), &p->arena, &model);
    if (st == TY_OK)
        put(p, "model", model_json(&model));
    return st;
}

static ty_status finalize_model(probe *p) {
    return ty_mlflow_finalize_model(&p->ctx, p->m, text(p, "id"),
                                    json_is_true(json_object_get(p->in, "is_ready")));
}

static ty_status tag_model(probe *p) {
    return ty_mlflow_tag_model(&p->ctx, p->m, text(p, "id"), pairs(p, "tags"));
}

static ty_status make_registered(probe *p) {
    return ty_mlflow_make_registered(&p->ctx, p->m, text(p, "name"), text(p, "description"),
                                     pairs(p, "tags"));
}

static json_t *registered_json(const ty_mlflow_registered *r) {
    return json_pack("{s:s,s:s,s:o,s:o}", "name", r->name, "description", r->description, "tags",
                     pairs_json(r->tags), "aliases", pairs_json(r->aliases));
}

static ty_status get_registered(probe *p) {
    ty_mlflow_registered r = {0};
    const ty_status st = ty_mlflow_get_registered(&p->ctx, p->m, text(p, "name"), &p->arena, &r);
    if (st == TY_OK)
        put(p, "registered", registered_json(&r));
    return st;
}

static ty_status search_registered(probe *p) {
    ty_mlflow_registered_list list = {0};
    const ty_status st = ty_mlflow_search_registered(&p->ctx, p->m, text(p, "filter"),
                                                     integer(p, "max"), &p->arena, &list);
    json_t *array = json_array();
    for (int64_t i = 0; i < list.n; i++)
        (void)json_array_append_new(array, registered_json(&list.v[i]));
    put(p, "list", array);
    return st;
}

static ty_status describe_registered(probe *p) {
    return ty_mlflow_describe_registered(&p->ctx, p->m, text(p, "name"), text(p, "description"));
}

static ty_status tag_registered(probe *p) {
    return text(p, "value")
               ? ty_mlflow_tag_registered(&p->ctx, p->m, text(p, "name"), text(p, "key"),
                                          text(p, "value"))
               : ty_mlflow_untag_registered(&p->ctx, p->m, text(p, "name"), text(p, "key"));
}

static ty_status delete_registered(probe *p) {
    return ty_mlflow_delete_registered(&p->ctx, p->m, text(p, "name"));
}

static json_t *version_json(const ty_mlflow_registered_version *v) {
    json_t *aliases = json_array();
    for (int64_t i = 0; i < v->n_aliases; i++)
        (void)json_array_append_new(aliases, json_string(v->aliases[i]));
    return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:o,s:o}", "name", v->name, "version",
                     v->version, "source", v->source, "run_id", v->run_id, "model_id", v->model_id,
                     "description", v->description, "version_status", v->status, "tags",
                     pairs_json(v->tags), "aliases", aliases);
}

static ty_status make_version(probe *p) {
    ty_mlflow_registered_version version = {0};
    const ty_mlflow_new_version wanted = {.name = text(p, "name"),
                                          .uid = text(p, "uid"),
                                          .source = text(p, "source"),
                                          .run_id = text(p, "run_id"),
                                          .model_id = text(p, "model_id"),
                                          .description = text(p, "description"),
                                          .tags = pairs(p, "tags")};
    const ty_status st = ty_mlflow_make_version(&p->ctx, p->m, &wanted, &p->arena, &version);
    if (st == TY_OK)
        put(p, "version", version_json(&version));
    return st;
}

static ty_status get_version(probe *p) {
    ty_mlflow_registered_version version = {0};
    const ty_status st = ty_mlflow_get_version(&p->ctx, p->m, text(p, "name"), text(p, "version"),
                                               &p->arena, &version);
    if (st == TY_OK)
        put(p, "version", version_json(&version));
    return st;
}

static ty_status search_versions(probe *p) {
    ty_mlflow_version_list list = {0};
    const ty_status st = ty_mlflow_search_versions(&p->ctx, p->m, text(p, "filter"),
                                                   integer(p, "max"), &p->arena, &list);
    json_t *array = json_array();
    for (int64_t i = 0; i < list.n; i++)
        (void)json_array_append_new(array, version_json(&list.v[i]));
    put(p, "list", array);
    return st;
}

static ty_status describe_version(probe *p) {
    return ty_mlflow_describe_version(&p->ctx, p->m, text(p, "name"), text(p, "version"),
                                      text(p, "description"));
}

static ty_status tag_version(probe *p) {
    return text(p, "value")
               ? ty_mlflow_tag_version(&p->ctx, p->m, text(p, "name"), text(p, "version"),
                                       text(p, "key"), text(p, "value"))
               : ty_mlflow_untag_version(&p->ctx, p->m, text(p, "name"), text(p, "version"),
                                         text(p, "key"));
}

static ty_status delete_version(probe *p) {
    return ty_mlflow_delete_version(&p->ctx, p->m, text(p, "name"), text(p, "version"));
}

static ty_status version_root(probe *p) {
    const char *root = "";
    const ty_status st = ty_mlflow_version_root(&p->ctx, p->m, text(p, "name"), text(p, "version"),
                                                &p->arena, &root);
    put_text(p, "root", root);
    return st;
}

static ty_status set_alias(probe *p) {
    return ty_mlflow_set_alias(&p->ctx, p->m, text(p, "name"), text(p, "alias"),
                               text(p, "version"));
}

static ty_status delete_alias(probe *p) {
    return ty_mlflow_delete_alias(&p->ctx, p->m, text(p, "name"), text(p, "alias"));
}

static ty_status get_alias(probe *p) {
    ty_mlflow_registered_version version = {0};
    const ty_status st =
        ty_mlflow_get_alias(&p->ctx, p->m, text(p, "name"), text(p, "alias"), &p->arena, &version);
    if (st == TY_OK)
        put(p, "version", version_json(&version));
    return st;
}

static ty_status list_files(probe *p) {
    ty_mlflow_files files = {0};
    const ty_status st =
        ty_mlflow_list_files(&p->ctx, p->m, text(p, "root"), text(p, "path"), &p->arena, &files);
    json_t *array = json_array();
    for (int64_t i = 0; i < files.n; i++)
        (void)json_array_append_new(array,
                                    json_pack("[s,b,I]", files.v[i].path, files.v[i].is_folder,
                                              (json_int_t)files.v[i].bytes));
    put(p, "files", array);
    return st;
}

static ty_status upload(probe *p) {
    return ty_mlflow_upload(&p->ctx, p->m, text(p, "root"), text(p, "path"), text(p, "local"));
}

static ty_status download(probe *p) {
    return ty_mlflow_download(&p->ctx, p->m, text(p, "root"), text(p, "path"), text(p, "local"));
}

static ty_status core_limit(probe *p) {
    struct rlimit limit;
    (void)getrlimit(RLIMIT_CORE, &limit);
    put(p, "core_bytes", json_integer((json_int_t)limit.rlim_cur));
    return TY_OK;
}

static const probe_call calls[] = {
    {"version", version},
    {"deadline", deadline},
    {"core_limit", core_limit},
    {"find_experiment", find_experiment},
    {"make_experiment", make_experiment},
    {"tag_experiment", tag_experiment},
    {"make_run", make_run},
    {"get_run", get_run},
    {"update_run", update_run},
    {"delete_run", delete_run},
    {"search_runs", search_runs},
    {"log_batch", log_batch},
    {"untag_run", untag_run},
    {"log_inputs", log_inputs},
    {"log_output", log_output},
    {"read_history", read_history},
    {"make_model", make_model},
    {"get_model", get_model},
    {"finalize_model", finalize_model},
    {"tag_model", tag_model},
    {"make_registered", make_registered},
    {"get_registered", get_registered},
    {"search_registered", search_registered},
    {"describe_registered", describe_registered},
    {"tag_registered", tag_registered},
    {"delete_registered", delete_registered},
    {"make_version", make_version},
    {"get_version", get_version},
    {"search_versions", search_versions},
    {"describe_version", describe_version},
    {"tag_version", tag_version},
    {"delete_version", delete_version},
    {"version_root", version_root},
    {"set_alias", set_alias},
    {"delete_alias", delete_alias},
    {"get_alias", get_alias},
    {"list_files", list_files},
    {"upload", upload},
    {"download", download},
};

static void answer(probe *p, ty_status st) {
    const ty_mlflow_trouble trouble = ty_mlflow_last_trouble(p->m);
    put_text(p, "status", ty_status_name(st));
    put_text(p, "message", st == TY_OK ? "" : p->ctx.message);
    put(p, "http", json_integer(trouble.http_status));
    put_text(p, "code", trouble.error_code);
    put(p, "is_denied", json_boolean(trouble.is_denied));
    put(p, "is_unknown", json_boolean(trouble.is_outcome_unknown));
    put(p, "is_unsent", json_boolean(trouble.is_refused_unsent));
    char *line = json_dumps(p->out, JSON_COMPACT);
    puts(line ? line : "{\"status\":\"the answer is no JSON\"}");
    free(line);
    (void)fflush(stdout);
}

static void serve(probe *p, const char *line) {
    json_error_t error;
    p->in = json_loads(line, JSON_ALLOW_NUL, &error);
    p->out = json_object();
    const char *name = p->in ? text(p, "call") : "";
    ty_status st = ty_fail(&p->ctx, TY_ERR_INTERNAL, "no such call: %s", line);
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        if (name && strcmp(name, calls[i].name) == 0)
            st = calls[i].run(p);
    answer(p, st);
    json_decref(p->in);
    json_decref(p->out);
    ty_arena_clear(&p->arena);
}

static ty_patience patience_of(const char *word) {
    if (strcmp(word, "none") == 0)
        return (ty_patience){.kind = TY_PATIENCE_NONE};
    if (strcmp(word, "endless") == 0)
        return (ty_patience){.kind = TY_PATIENCE_ENDLESS};
    return (ty_patience){.kind = TY_PATIENCE_BOUNDED, .max_retries = atoi(word)};
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: mlflow_probe URI none|endless|RETRIES\n");
        return 2;
    }
    probe p = {0};
    ty_ctx_init(&p.ctx);
    p.ctx.log = (ty_log_sink){.write = print_line, .max_level = TY_LOG_DEBUG};
    const ty_mlflow_options options = {.uri = argv[1], .patience = patience_of(argv[2])};
    const ty_status st = ty_mlflow_open(&p.ctx, &options, &p.m);
    printf("{\"status\":\"%s\"}\n", ty_status_name(st));
    (void)fflush(stdout);
    if (st != TY_OK)
        fprintf(stderr, "%s\n", p.ctx.message);
    char *line = NULL;
    size_t capacity = 0;
    while (st == TY_OK && getline(&line, &capacity, stdin) > 0)
        serve(&p, line);
    free(line);
    ty_mlflow_close(p.m);
    ty_ctx_clear(&p.ctx);
    return st == TY_OK ? 0 : 1;
}
