/* What runs are told: batches, inputs, outputs; and curves read back. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "tracking/journal/keymap.h"
#include "tracking/limits.h"
#include "tracking/client/mlflow_private.h"

/* A request that repeats what a lost answer confirmed is taken by the server only while it has at
 * most 100 distinct metric keys (servers up to 3.9). */
enum {
    MOST_ENTRIES = 1000,
    MOST_KEYS = 100,
    MOST_PARAMS = 100,
    MOST_TAGS = 100,
    MOST_BODY = 900 * 1024, /* "at most 1 MB", and some servers check it */
    MOST_DATASETS = 100,
    LIMIT_SOURCE = 65535,
    LIMIT_SCHEMA = 1048575,
    LIMIT_PROFILE = 16777215,
    HISTORY_PAGE = 10000
};

/* --- batches --- */

static const char *metric_slip(const ty_mlflow_metric *metric) {
    if (metric->time_ms < 0)
        return "a metric's time is before 1970";
    return ty_mlflow_key_slip(metric->key);
}

static const char *param_slip(const ty_mlflow_pair *param) {
    const char *slip = ty_mlflow_key_slip(param->key);
    return slip ? slip : ty_mlflow_param_slip(param->value);
}

static const char *first_slip(const ty_mlflow_batch *batch, const char **name) {
    const char *slip = NULL;
    for (int64_t i = 0; !slip && i < batch->n_metrics; i++) {
        slip = metric_slip(&batch->metrics[i]);
        *name = batch->metrics[i].key;
    }
    for (int64_t i = 0; !slip && i < batch->params.n; i++) {
        slip = param_slip(&batch->params.v[i]);
        *name = batch->params.v[i].key;
    }
    for (int64_t i = 0; !slip && i < batch->tags.n; i++) {
        slip = mlflow_tags_slip((ty_mlflow_pairs){.v = &batch->tags.v[i], .n = 1});
        *name = batch->tags.v[i].key;
    }
    return slip;
}

static void add_metric(ty_text *out, const ty_mlflow_metric *metric) {
    mlflow_add_comma(out);
    ty_text_add(out, "{");
    mlflow_add_text(out, "key", metric->key);
    ty_text_add(out, ",\"value\":");
    ty_text_add_number(out, metric->value);
    mlflow_add_integer(out, "timestamp", metric->time_ms);
    mlflow_add_integer(out, "step", metric->step);
    mlflow_add_text(out, "model_id", metric->model_id);
    mlflow_add_text(out, "dataset_name", metric->dataset_name);
    mlflow_add_text(out, "dataset_digest", metric->dataset_digest);
    ty_text_add(out, "}");
}

/* One request being filled. */
typedef struct part {
    ty_text body;
    ty_keymap keys; /* distinct metric keys in it; items are unused */
    int64_t n;      /* entries */
    int64_t n_of_kind;
} part;

static ty_status send_part(ty_ctx *ctx, ty_mlflow *m, const char *what, part *p) {
    ty_text_add(&p->body, "]");
    const mlflow_post_call call = {.path = MLFLOW_API "runs/log-batch", .what = what};
    const ty_status st = mlflow_post(ctx, m, &call, &p->body, NULL);
    ty_keymap_clear(&p->keys);
    p->n = p->n_of_kind = 0;
    return st;
}

static void begin_part(part *p, const char *run_id) {
    ty_text_add(&p->body, "{");
    mlflow_add_text(&p->body, "run_id", run_id);
}

static void begin_kind(part *p, const char *kind) {
    ty_text_add(&p->body, p->n > 0 ? "],\"" : ",\"");
    ty_text_addf(&p->body, "%s\":[", kind);
    p->n_of_kind = 0;
}

/* Makes room for one more entry of a kind that may be most_of_kind times in a request. */
static ty_status make_room(ty_ctx *ctx, ty_mlflow *m, const char *what, part *p, const char *run_id,
                           const char *kind, int64_t most_of_kind) {
    const bool is_full = p->n >= MOST_ENTRIES || p->n_of_kind >= most_of_kind ||
                         p->keys.n > MOST_KEYS || p->body.length >= MOST_BODY;
    if (p->n > 0 && is_full)
        TY_TRY(send_part(ctx, m, what, p));
    if (p->n == 0) {
        begin_part(p, run_id);
        begin_kind(p, kind);
    }
    p->n++;
    p->n_of_kind++;
    return TY_OK;
}

/* Whether the key would be one too many for this request. */
static bool is_key_over(const part *p, const char *key) {
    return p->keys.n >= MOST_KEYS && !ty_keymap_find(&p->keys, key);
}

static ty_status log_metrics(ty_ctx *ctx, ty_mlflow *m, const char *what, part *p,
                             const char *run_id, const ty_mlflow_batch *batch) {
    for (int64_t i = 0; i < batch->n_metrics; i++) {
        const ty_mlflow_metric *metric = &batch->metrics[i];
        if (is_key_over(p, metric->key))
            TY_TRY(send_part(ctx, m, what, p));
        TY_TRY(make_room(ctx, m, what, p, run_id, "metrics", MOST_ENTRIES));
        if (!ty_keymap_put(&p->keys, metric->key))
            return ty_fail_nomem(ctx, what);
        add_metric(&p->body, metric);
    }
    return TY_OK;
}

static ty_status log_pairs(ty_ctx *ctx, ty_mlflow *m, const char *what, part *p, const char *run_id,
                           const char *kind, int64_t most, ty_mlflow_pairs pairs) {
    if (p->n > 0 && pairs.n > 0)
        begin_kind(p, kind);
    for (int64_t i = 0; i < pairs.n; i++) {
        TY_TRY(make_room(ctx, m, what, p, run_id, kind, most));
        mlflow_add_comma(&p->body);
        ty_text_add(&p->body, "{");
        mlflow_add_text(&p->body, "key", pairs.v[i].key);
        mlflow_add_text(&p->body, "value", pairs.v[i].value);
        ty_text_add(&p->body, "}");
    }
    return TY_OK;
}

ty_status ty_mlflow_log_batch(ty_ctx *ctx, ty_mlflow *m, const char *run_id,
                              const ty_mlflow_batch *batch) {
    char what[MLFLOW_WHAT];
    const char *name = NULL;
    const char *slip = first_slip(batch, &name);
    mlflow_say(what, slip ? "logging" : "logging to run", slip ? name : run_id);
    TY_TRY(mlflow_check(ctx, m, what, slip));
    part p = {0};
    ty_keymap_init(&p.keys, 1);
    ty_status st = log_metrics(ctx, m, what, &p, run_id, batch);
    if (st == TY_OK)
        st = log_pairs(ctx, m, what, &p, run_id, "params", MOST_PARAMS, batch->params);
    if (st == TY_OK)
        st = log_pairs(ctx, m, what, &p, run_id, "tags", MOST_TAGS, batch->tags);
    if (st == TY_OK && p.n > 0)
        st = send_part(ctx, m, what, &p);
    ty_text_clear(&p.body);
    ty_keymap_clear(&p.keys);
    return st;
}

/* --- inputs and outputs --- */

static bool is_longer(const char *text, int most) {
    return text && text[ty_limit_bytes(text, most)] != '\0';
}

static const char *dataset_slip(const ty_mlflow_dataset *dataset) {
    if (!dataset->name || dataset->name[0] == '\0' || is_longer(dataset->name, TY_LIMIT_DATASET))
        return "a data set's name has 1 to 500 characters";
    if (!dataset->digest || dataset->digest[0] == '\0' ||
        is_longer(dataset->digest, TY_LIMIT_DIGEST))
        return "a data set's digest has 1 to 36 characters";
    if (!dataset->source_type || !dataset->source || is_longer(dataset->source, LIMIT_SOURCE))
        return "a data set's source has a type and at most 65535 characters";
    if (is_longer(dataset->schema, LIMIT_SCHEMA) || is_longer(dataset->profile, LIMIT_PROFILE))
        return "a data set's schema or profile is too long";
    return is_longer(dataset->context, TY_LIMIT_CONTEXT) ? "a data set's context is too long"
                                                         : NULL;
}

static void add_dataset(ty_text *out, const ty_mlflow_dataset *dataset) {
    const ty_mlflow_pair context = {"mlflow.data.context", dataset->context};
    mlflow_add_comma(out);
    ty_text_add(out, "{");
    mlflow_add_pairs(out, "tags", (ty_mlflow_pairs){.v = &context, .n = dataset->context ? 1 : 0},
                     NULL);
    ty_text_add(out, ",\"dataset\":{");
    mlflow_add_text(out, "name", dataset->name);
    mlflow_add_text(out, "digest", dataset->digest);
    mlflow_add_text(out, "source_type", dataset->source_type);
    mlflow_add_text(out, "source", dataset->source);
    mlflow_add_text(out, "schema", dataset->schema);
    mlflow_add_text(out, "profile", dataset->profile);
    ty_text_add(out, "}}");
}

ty_status ty_mlflow_log_inputs(ty_ctx *ctx, ty_mlflow *m, const char *run_id,
                               const ty_mlflow_dataset *datasets, int64_t n_datasets,
                               const char *const *model_ids, int64_t n_models) {
    char what[MLFLOW_WHAT];
    mlflow_say(what, "logging inputs of run", run_id);
    TY_TRY(mlflow_check(ctx, m, what,
                        n_datasets > MOST_DATASETS ? "more than 100 data sets at once" : NULL));
    for (int64_t i = 0; i < n_datasets; i++)
        TY_TRY(mlflow_check(ctx, m, what, dataset_slip(&datasets[i])));
    ty_text body = {0};
    ty_text_add(&body, "{");
    mlflow_add_text(&body, "run_id", run_id);
    ty_text_add(&body, ",\"datasets\":[");
    for (int64_t i = 0; i < n_datasets; i++)
        add_dataset(&body, &datasets[i]);
    ty_text_add(&body, "]");
    for (int64_t i = 0; i < n_models; i++) {
        ty_text_add(&body, i == 0 ? ",\"models\":[{" : ",{");
        mlflow_add_text(&body, "model_id", model_ids[i]);
        ty_text_add(&body, i == n_models - 1 ? "}]" : "}");
    }
    const mlflow_post_call call = {.path = MLFLOW_API "runs/log-inputs", .what = what};
    return mlflow_post(ctx, m, &call, &body, NULL);
}

/* A server does not take an output twice, and says so in its database's words. */
static bool is_known_output(const char *words) {
    return strcasestr(words, "unique") || strcasestr(words, "duplicate");
}

ty_status ty_mlflow_log_output(ty_ctx *ctx, ty_mlflow *m, const char *run_id, const char *model_id,
                               int64_t step) {
    char what[MLFLOW_WHAT];
    ty_text body = {0};
    mlflow_say(what, "logging an output of run", run_id);
    ty_text_add(&body, "{");
    mlflow_add_text(&body, "run_id", run_id);
    ty_text_add(&body, ",\"models\":[{");
    mlflow_add_text(&body, "model_id", model_id);
    mlflow_add_integer(&body, "step", step);
    ty_text_add(&body, "}]");
    const mlflow_post_call call = {.path = MLFLOW_API "runs/outputs", .what = what};
    const ty_status st = mlflow_post(ctx, m, &call, &body, NULL);
    return st == TY_ERR_ARG && is_known_output(ctx->message) ? TY_OK : st;
}

/* --- curves --- */

typedef struct history_reading {
    ty_arena *arena;
    const char *key; /* in arena */
    mlflow_list points;
} history_reading;

static ty_status take_points(ty_ctx *ctx, void *self, const json_t *page, bool *is_enough) {
    history_reading *reading = self;
    const json_t *array = json_object_get(page, "metrics");
    *is_enough = false;
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *json = json_array_get(array, i);
        ty_mlflow_metric point = {.key = reading->key,
                                  .time_ms = mlflow_integer(json, "timestamp"),
                                  .step = mlflow_integer(json, "step")};
        if (!mlflow_number(json_object_get(json, "value"), &point.value))
            return mlflow_wrong_answer(ctx, "reading a curve");
        TY_TRY(mlflow_list_add(ctx, &reading->points, &point, sizeof point));
    }
    return TY_OK;
}

ty_status ty_mlflow_read_history(ty_ctx *ctx, ty_mlflow *m, const char *run_id, const char *key,
                                 ty_arena *arena, ty_mlflow_history *out) {
    char what[MLFLOW_WHAT];
    mlflow_say(what, "reading curve", key);
    TY_TRY(mlflow_check(ctx, m, what, ty_mlflow_key_slip(key)));
    history_reading reading = {.arena = arena, .key = ty_arena_string(arena, key)};
    ty_text query = {0};
    mlflow_add_query(&query, "run_id", run_id);
    mlflow_add_query(&query, "metric_key", key);
    /* Without a limit some servers answer no point and the same page token for ever. */
    ty_text_addf(&query, "&max_results=%d", (int)HISTORY_PAGE);
    const mlflow_paging paging = {.method = "GET",
                                  .path = MLFLOW_API "metrics/get-history",
                                  .what = what,
                                  .query = ty_text_string(&query),
                                  .take = take_points,
                                  .self = &reading};
    ty_status st = query.is_short || !reading.key ? ty_fail_nomem(ctx, what)
                                                  : mlflow_each_page(ctx, m, &paging);
    ty_text_clear(&query);
    const void *v = NULL;
    const int64_t n = reading.points.n;
    const ty_status finished = mlflow_list_finish(ctx, &reading.points, sizeof *out->v, arena, &v);
    *out = (ty_mlflow_history){.v = v, .n = v ? n : 0};
    return st != TY_OK ? st : finished;
}
