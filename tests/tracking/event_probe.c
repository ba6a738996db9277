/* Tells a tracker the events that it reads, one JSON object a line, for tests that read a run back
 * with other tools: event_probe FOLDER EXPERIMENT RUN < EVENTS. Where it is recorded,
 * MLFLOW_TRACKING_URI says. Ends with the run's id. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tracking/tracking.h"

enum { PATH_BYTES = 8192, DEADLINE_MS = 300000 };

typedef struct probe {
    ty_ctx ctx;
    ty_tracker *tracker;
    char run_folder[4096];
} probe;

static void print_line(void *self, ty_log_level level, const char *topic, const char *line) {
    (void)self;
    fprintf(stderr, "%d %s: %s\n", (int)level, topic, line);
}

static void fail(const char *what) {
    fprintf(stderr, "event_probe: %s\n", what);
    exit(2);
}

static const char *text(const json_t *json, const char *key) {
    const char *value = json_string_value(json_object_get(json, key));
    return value ? value : "";
}

static int64_t whole(const json_t *json, const char *key) {
    return json_integer_value(json_object_get(json, key));
}

static double number(const json_t *json) {
    const char *word = json_string_value(json);
    if (!word)
        return json_number_value(json);
    return strcmp(word, "nan") == 0 ? (double)NAN
           : word[0] == '-'         ? -(double)INFINITY
                                    : (double)INFINITY;
}

/* Writes "content" to "path" below the run's folder. */
static const char *make_file(probe *p, const json_t *json, char out[PATH_BYTES]) {
    char folder[PATH_BYTES];
    (void)snprintf(out, PATH_BYTES, "%s/%s", p->run_folder, text(json, "path"));
    (void)snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(out, '/') - out), out);
    const char *content = text(json, "content");
    if (ty_dir_make(&p->ctx, folder) != TY_OK ||
        ty_file_write_atomic(&p->ctx, out, content, strlen(content)) != TY_OK)
        fail(p->ctx.message);
    return out;
}

static void tell(probe *p, ty_event event, const json_t *json) {
    const ty_observer observer = ty_tracker_observer(p->tracker);
    const char *reason = NULL;
    event.time_ns = whole(json, "time_ns");
    event.step = whole(json, "step");
    (void)observer.notify(observer.self, &event, &reason);
}

static void tell_start(probe *p, const json_t *json) {
    tell(p,
         (ty_event){.kind = TY_EVENT_START,
                    .start = {.is_resumed = whole(json, "from_step") > 0,
                              .from_step = whole(json, "from_step"),
                              .total_steps = 100}},
         json);
}

static void tell_dataset(probe *p, const json_t *json) {
    tell(p,
         (ty_event){.kind = TY_EVENT_DATASET,
                    .dataset = {.name = text(json, "name"),
                                .digest = text(json, "digest"),
                                .source = text(json, "source"),
                                .context = text(json, "context"),
                                .schema_json = "{\"mlflow_tensorspec\": {\"features\": \"[]\"}}",
                                .profile_json = "{\"num_rows\": 3}"}},
         json);
}

static void tell_one(probe *p, const json_t *json) {
    char path[PATH_BYTES];
    const char *kind = text(json, "kind");
    if (strcmp(kind, "start") == 0)
        tell_start(p, json);
    else if (strcmp(kind, "param") == 0 || strcmp(kind, "tag") == 0)
        tell(p,
             (ty_event){.kind = kind[0] == 'p' ? TY_EVENT_PARAM : TY_EVENT_TAG,
                        .text = {text(json, "key"), text(json, "value")}},
             json);
    else if (strcmp(kind, "metric") == 0)
        tell(p,
             (ty_event){.kind = TY_EVENT_METRIC,
                        .metric = {text(json, "key"), number(json_object_get(json, "value"))}},
             json);
    else if (strcmp(kind, "dataset") == 0)
        tell_dataset(p, json);
    else if (strcmp(kind, "write") == 0)
        (void)make_file(p, json, path);
    else if (strcmp(kind, "file") == 0)
        tell(p,
             (ty_event){.kind = TY_EVENT_FILE,
                        .file = {make_file(p, json, path), text(json, "folder")}},
             json);
    else if (strcmp(kind, "model") == 0)
        tell(p,
             (ty_event){.kind = TY_EVENT_MODEL,
                        .model = {text(json, "name"), make_file(p, json, path)}},
             json);
    else if (strcmp(kind, "package") == 0) {
        (void)snprintf(path, sizeof path, "%s/models/%s", p->run_folder, text(json, "model_id"));
        tell(p,
             (ty_event){.kind = TY_EVENT_PACKAGE,
                        .package = {text(json, "model_id"), text(json, "name"), path}},
             json);
    } else if (strcmp(kind, "state") == 0)
        tell(p,
             (ty_event){.kind = TY_EVENT_STATE,
                        .state = {(ty_run_state)whole(json, "state"), text(json, "reason")}},
             json);
    else if (strcmp(kind, "sleep") == 0)
        (void)usleep((useconds_t)whole(json, "ms") * 1000);
    else
        fail("an event of no kind");
}

static void tell_all(probe *p) {
    char *line = NULL;
    size_t capacity = 0;
    while (getline(&line, &capacity, stdin) > 0) {
        json_error_t error;
        json_t *json = json_loads(line, 0, &error);
        if (!json)
            fail(error.text);
        tell_one(p, json);
        json_decref(json);
    }
    free(line);
}

int main(int argc, char **argv) {
    probe p = {0};
    if (argc != 4) {
        fprintf(stderr, "usage: event_probe FOLDER EXPERIMENT RUN < EVENTS\n");
        return 2;
    }
    (void)snprintf(p.run_folder, sizeof p.run_folder, "%s/runs/%s/%s", argv[1], argv[2], argv[3]);
    ty_ctx_init(&p.ctx);
    p.ctx.log = (ty_log_sink){.write = print_line, .max_level = TY_LOG_INFO};
    const ty_tracker_options options = {.folder = argv[1],
                                        .run_folder = p.run_folder,
                                        .experiment = argv[2],
                                        .run_name = argv[3],
                                        .source = "tiltyard train x.json"};
    if (ty_tracker_open(&p.ctx, &options, &p.tracker) != TY_OK)
        fail(p.ctx.message);
    tell_all(&p);
    printf("%s\n", ty_tracker_describe(p.tracker)->run_id);
    (void)fflush(stdout); /* "all is told", before anybody waits for a server */
    const ty_status st = ty_tracker_close(&p.ctx, p.tracker, DEADLINE_MS);
    if (st != TY_OK)
        fail(p.ctx.message);
    ty_ctx_clear(&p.ctx);
    return 0;
}
