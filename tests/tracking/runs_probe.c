/* Writes many random runs, for tests that filter them and for measuring how long that takes:
 *   runs_probe FOLDER N SEED POINTS
 * N runs of three experiments with params, tags, data sets and up to POINTS points a metric, among
 * them NaN and infinities. The same seed makes the same runs but for their times and ids. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tracking/tracking.h"

typedef struct probe {
    ty_ctx ctx;
    ty_observer observer;
    uint64_t state;
    int64_t points;
} probe;

/* SplitMix64 (Steele, Lea and Flood 2014). */
static uint64_t draw(probe *p, uint64_t below) {
    uint64_t z = p->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % below;
}

static void tell(probe *p, ty_event event) {
    const char *reason = NULL;
    event.time_ns = ty_now_wall_ns(&p->ctx);
    (void)p->observer.notify(p->observer.self, &event, &reason);
}

static void tell_text(probe *p, ty_event_kind kind, const char *key, const char *value) {
    tell(p, (ty_event){.kind = kind, .text = {key, value}});
}

static void tell_params(probe *p) {
    static const char *const optimizers[] = {"adamw", "AdamW", "sgd", "lion_8bit", "100%"};
    static const char *const notes[] = {"good", "Good", "gr\xc3\xbc\xc3\x9f dich",
                                        "it's", "",     "a_b"};
    char text[64];
    tell_text(p, TY_EVENT_PARAM, "optimizer.type", optimizers[draw(p, 5)]);
    (void)snprintf(text, sizeof text, "%de-4", (int)draw(p, 9) + 1);
    if (draw(p, 4) != 0)
        tell_text(p, TY_EVENT_PARAM, "optimizer.learning_rate", text);
    if (draw(p, 2) != 0)
        tell_text(p, TY_EVENT_PARAM, "model/width", draw(p, 2) != 0 ? "64" : "128");
    if (draw(p, 3) != 0)
        tell_text(p, TY_EVENT_PARAM, "odd [key]", "odd");
    if (draw(p, 3) != 0)
        tell_text(p, TY_EVENT_TAG, "note", notes[draw(p, 6)]);
    if (draw(p, 2) != 0)
        tell_text(p, TY_EVENT_TAG, "a.b", draw(p, 2) != 0 ? "xyz" : "zyx");
    if (draw(p, 2) != 0)
        tell_text(p, TY_EVENT_TAG, "note", "changed"); /* the last one holds */
}

static void tell_data(probe *p) {
    static const char *const names[] = {"fashion", "kjv", "weather_2024"};
    static const char *const contexts[] = {"training", "validation", "test", NULL};
    const int n = (int)draw(p, 4);
    for (int i = 0; i < n; i++) {
        char digest[65];
        (void)snprintf(digest, sizeof digest, "%016llx%048d", (unsigned long long)draw(p, 3), 7);
        tell(p, (ty_event){.kind = TY_EVENT_DATASET,
                           .dataset = {.name = names[draw(p, 3)],
                                       .digest = digest,
                                       .source = "/data",
                                       .context = contexts[draw(p, 4)]}});
    }
}

static double odd(probe *p, double value) {
    switch (draw(p, 16)) {
    case 0:
        return (double)NAN;
    case 1:
        return (double)INFINITY;
    case 2:
        return -(double)INFINITY;
    case 3:
        return 0;
    case 4:
        return -value;
    default:
        return value;
    }
}

static void tell_metrics(probe *p) {
    const int64_t last = 1 + (int64_t)draw(p, (uint64_t)p->points);
    const double best = (double)(draw(p, 20) + 1) / 4;
    for (int64_t i = 1; i <= last; i++) {
        const double x = (double)i;
        tell(p, (ty_event){
                    .kind = TY_EVENT_METRIC, .step = i, .metric = {"train/loss", best + 1 / x}});
        if (i % 10 == 0 || i == last)
            tell(p, (ty_event){.kind = TY_EVENT_METRIC, .step = i, .metric = {"val/loss", best}});
        if (i % 7 == 0)
            tell(p,
                 (ty_event){.kind = TY_EVENT_METRIC, .step = i, .metric = {"odd", odd(p, best)}});
    }
}

static ty_status record(probe *p, const char *folder, int number) {
    static const char *const experiments[] = {"fashion", "kjv", "weather"};
    static const ty_run_state states[] = {TY_RUN_FINISHED, TY_RUN_FAILED, TY_RUN_KILLED};
    static const char *const reasons[] = {"", "diverged at step 3", "SIGTERM"};
    const char *experiment = experiments[draw(p, 3)];
    char run_folder[4096], name[64];
    ty_tracker *tracker = NULL;
    (void)snprintf(name, sizeof name, "%s-%05d", draw(p, 2) != 0 ? "cnn" : "Gpt", number);
    (void)snprintf(run_folder, sizeof run_folder, "%s/runs/%s/%s", folder, experiment, name);
    const ty_tracker_options options = {.folder = folder,
                                        .run_folder = run_folder,
                                        .experiment = experiment,
                                        .run_name = name,
                                        .source = "tiltyard train x.json"};
    TY_TRY(ty_tracker_open(&p->ctx, &options, &tracker));
    p->observer = ty_tracker_observer(tracker);
    tell(p, (ty_event){.kind = TY_EVENT_START, .start = {.total_steps = p->points}});
    tell_params(p);
    tell_data(p);
    tell_metrics(p);
    const uint64_t end = draw(p, 3);
    tell(p, (ty_event){.kind = TY_EVENT_STATE, .step = 1, .state = {states[end], reasons[end]}});
    return ty_tracker_close(&p->ctx, tracker, 60000);
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "usage: runs_probe FOLDER N SEED POINTS\n");
        return 2;
    }
    probe p = {.state = strtoull(argv[3], NULL, 10), .points = strtoll(argv[4], NULL, 10)};
    const int n = (int)strtol(argv[2], NULL, 10);
    ty_ctx_init(&p.ctx);
    ty_status st = p.points > 0 ? TY_OK : TY_ERR_ARG;
    for (int i = 0; st == TY_OK && i < n; i++)
        st = record(&p, argv[1], i);
    if (st != TY_OK)
        fprintf(stderr, "runs_probe: %s: %s\n", ty_status_name(st), p.ctx.message);
    ty_ctx_clear(&p.ctx);
    return ty_status_exit_code(st);
}
