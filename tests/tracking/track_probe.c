/* Writes a run as the trainer would, for tests that read it back with other tools:
 *   track_probe FOLDER EXPERIMENT RUN FIRST_STEP LAST_STEP [finish|fail|kill|die|package]
 * Steps have fixed values, so that a reader can know them; FIRST_STEP > 1 is a resumed run. With
 * "die" the process ends without closing anything; with "package" it leaves a model. Prints the
 * run's id, the experiment's and the deep link. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tracking/tracking.h"

typedef struct probe {
    ty_ctx ctx;
    ty_observer observer;
    const char *folder, *experiment, *run, *ending;
    int64_t first, last;
    char run_folder[4096];
} probe;

static void print_line(void *self, ty_log_level level, const char *topic, const char *line) {
    (void)self;
    fprintf(stderr, "%d %s: %s\n", (int)level, topic, line);
}

static void tell(probe *p, ty_event event) {
    const char *reason = NULL;
    event.time_ns = ty_now_wall_ns(&p->ctx);
    (void)p->observer.notify(p->observer.self, &event, &reason);
}

static void tell_text(probe *p, ty_event_kind kind, const char *key, const char *value) {
    tell(p, (ty_event){.kind = kind, .text = {key, value}});
}

static void tell_metric(probe *p, const char *key, int64_t step, double value) {
    tell(p, (ty_event){.kind = TY_EVENT_METRIC, .step = step, .metric = {key, value}});
}

static void tell_data(probe *p, const char *name, const char *context) {
    tell(p, (ty_event){.kind = TY_EVENT_DATASET,
                       .dataset = {.name = name,
                                   .digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c",
                                   .source = "/usr/share/datasets/fashion",
                                   .context = context,
                                   .schema_json = "{\"mlflow_tensorspec\": {\"features\": \"[]\"}}",
                                   .profile_json = "{\"num_rows\": 60000}"}});
}

static void tell_file(probe *p, const char *name, const char *folder, const char *content) {
    char path[8192];
    (void)snprintf(path, sizeof path, "%s/%s", p->run_folder, name);
    if (ty_file_write_atomic(&p->ctx, path, content, strlen(content)) != TY_OK) {
        fprintf(stderr, "%s\n", p->ctx.message);
        exit(1);
    }
    tell(p, (ty_event){.kind = TY_EVENT_FILE, .file = {path, folder}});
}

static void tell_model(probe *p, const char *name, int64_t step) {
    char path[8192], content[64];
    (void)snprintf(path, sizeof path, "%s/step_%06lld.h5", p->run_folder, (long long)step);
    (void)snprintf(content, sizeof content, "checkpoint of step %lld", (long long)step);
    if (ty_file_write_atomic(&p->ctx, path, content, strlen(content)) != TY_OK)
        exit(1);
    tell(p, (ty_event){.kind = TY_EVENT_MODEL, .step = step, .model = {name, path}});
}

static void begin(probe *p) {
    tell(p, (ty_event){.kind = TY_EVENT_START,
                       .step = p->first - 1,
                       .start = {.is_resumed = p->first > 1,
                                 .from_step = p->first - 1,
                                 .total_steps = p->last,
                                 .samples_per_epoch = 60000}});
    tell_text(p, TY_EVENT_PARAM, "optimizer.learning_rate", "3e-4");
    tell_text(p, TY_EVENT_PARAM, "optimizer.type", "adamw");
    tell_text(p, TY_EVENT_PARAM, "model.layers.0.type", "conv2d");
    tell_text(p, TY_EVENT_PARAM, "note [odd@key]", "gr\xc3\xbc\xc3\x9f dich \"quoted\"\n2nd line");
    tell_text(p, TY_EVENT_TAG, "mlflow.source.git.commit",
              "0123456789abcdef0123456789abcdef01234567");
    tell_text(p, TY_EVENT_TAG, "tiltyard.git.dirty", "true");
    const char *parent = getenv("MLFLOW_PARENT_RUN_ID");
    if (parent)
        tell_text(p, TY_EVENT_TAG, "mlflow.parentRunId", parent);
    tell_data(p, "fashion-mnist train", "training");
    tell_data(p, "fashion-mnist test", "test");
    tell_file(p, "config.json", "", "{\"seed\": 1}\n");
}

static void step(probe *p, int64_t i) {
    const double progress = (double)i;
    tell_metric(p, "train/loss", i, 2.3 / (1 + progress / 10));
    tell_metric(p, "train/learning_rate", i, 3e-4 * progress / (double)p->last);
    tell_metric(p, "train/third", i, progress / 3);
    if (i % 10 == 0) {
        tell_metric(p, "val/accuracy", i, 1 - 1 / (1 + progress / 10));
        tell_metric(p, "system/cpu_utilization_percentage", i, 50 + (double)(i % 7));
    }
    if (i == 7)
        tell_metric(p, "odd/values", i, (double)NAN);
    if (i == 8)
        tell_metric(p, "odd/values", i, (double)INFINITY);
    if (i == 9)
        tell_metric(p, "odd/values", i, -(double)INFINITY);
    if (i % 50 == 0)
        tell_model(p, "best", i);
}

/* An id that no other run has: made of the clock. */
static void tell_package(probe *p) {
    char id[40], folder[4500], path[4600];
    (void)snprintf(id, sizeof id, "m-%032llx", (unsigned long long)ty_now_wall_ns(&p->ctx));
    (void)snprintf(folder, sizeof folder, "%s/models/%s", p->run_folder, id);
    (void)snprintf(path, sizeof path, "%s/model.onnx", folder);
    if (ty_dir_make(&p->ctx, folder) != TY_OK ||
        ty_file_write_atomic(&p->ctx, path, "no model", 8) != TY_OK)
        exit(1);
    tell_metric(p, "test/loss", p->last, 0.25);
    tell(p, (ty_event){.kind = TY_EVENT_PACKAGE, .step = p->last, .package = {id, "net", folder}});
    tell_metric(p, "test/accuracy", p->last, 0.875);
}

static void end(probe *p) {
    ty_run_state state = TY_RUN_FINISHED;
    const char *reason = "";
    if (strcmp(p->ending, "fail") == 0) {
        state = TY_RUN_FAILED;
        reason = "diverged at the last step";
    } else if (strcmp(p->ending, "kill") == 0) {
        state = TY_RUN_KILLED;
        reason = "SIGTERM";
    }
    if (strcmp(p->ending, "package") == 0)
        tell_package(p);
    tell_model(p, "last", p->last);
    tell_file(p, "report.html", "",
              "<!doctype html><title>Report</title><h1>fashion</h1><p>0.918</p>\n");
    tell(p, (ty_event){.kind = TY_EVENT_STATE, .step = p->last, .state = {state, reason}});
}

static int work(probe *p) {
    ty_tracker *tracker = NULL;
    const ty_tracker_options options = {.folder = p->folder,
                                        .run_folder = p->run_folder,
                                        .experiment = p->experiment,
                                        .run_name = p->run,
                                        .source = "tiltyard train configs/fashion_mnist.json"};
    int64_t n_reaped = 0;
    if (ty_runs_reap(&p->ctx, p->folder, &n_reaped) != TY_OK)
        return 1;
    if (ty_tracker_open(&p->ctx, &options, &tracker) != TY_OK)
        return 1;
    p->observer = ty_tracker_observer(tracker);
    begin(p);
    for (int64_t i = p->first; i <= p->last; i++)
        step(p, i);
    if (strcmp(p->ending, "die") == 0) {
        if (ty_tracker_flush(&p->ctx, tracker) != TY_OK)
            return 1;
        _exit(9);
    }
    end(p);
    if (ty_tracker_flush(&p->ctx, tracker) != TY_OK)
        return 1;
    for (int i = 0; i < 400 && !ty_tracker_describe(tracker)->experiment_id; i++)
        (void)usleep(10000);
    const ty_tracker_ids *ids = ty_tracker_describe(tracker);
    printf("%s %s %s\n", ids->run_id, ids->experiment_id ? ids->experiment_id : "-",
           ids->deep_link ? ids->deep_link : "-");
    return ty_tracker_close(&p->ctx, tracker, 20000) == TY_OK ? 0 : 1;
}

int main(int argc, char **argv) {
    if (argc < 6 || argc > 7) {
        fprintf(stderr, "usage: track_probe FOLDER EXPERIMENT RUN FIRST_STEP LAST_STEP [ending]\n");
        return 2;
    }
    probe p = {.folder = argv[1],
               .experiment = argv[2],
               .run = argv[3],
               .first = atoll(argv[4]),
               .last = atoll(argv[5]),
               .ending = argc == 7 ? argv[6] : "finish"};
    (void)snprintf(p.run_folder, sizeof p.run_folder, "%s/runs/%s/%s", p.folder, p.experiment,
                   p.run);
    ty_ctx_init(&p.ctx);
    p.ctx.log = (ty_log_sink){.write = print_line, .max_level = TY_LOG_DEBUG};
    const int code = work(&p);
    if (code != 0)
        fprintf(stderr, "%s\n", p.ctx.message);
    ty_ctx_clear(&p.ctx);
    return code;
}
