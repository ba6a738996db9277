/* What one metric point costs the training thread: bench_enqueue FOLDER prints nanoseconds, the
 * best of many bursts that fit the ring, and allocations, those of all bursts. */
#include <stdio.h>
#include <unistd.h>

#include "tests/support/count_allocations.h"
#include "tracking/tracking.h"

enum { BURSTS = 12, POINTS = 4000 };

typedef struct cost {
    double best_ns, allocations;
} cost;

static double measure_burst(ty_ctx *ctx, ty_observer observer, int64_t first_step) {
    const char *reason = NULL;
    const int64_t begin = ty_now_ns(ctx);
    for (int64_t i = 0; i < POINTS; i++) {
        ty_event event = {.kind = TY_EVENT_METRIC,
                          .time_ns = begin,
                          .step = first_step + i,
                          .metric = {.key = "train/loss", .value = 0.5}};
        (void)observer.notify(observer.self, &event, &reason);
    }
    return (double)(ty_now_ns(ctx) - begin) / POINTS;
}

static ty_status measure(ty_ctx *ctx, const char *folder, cost *out) {
    ty_tracker *tracker = NULL;
    char run[512];
    (void)snprintf(run, sizeof run, "%s/runs/bench/enqueue", folder);
    TY_TRY(ty_dir_make(ctx, run));
    ty_tracker_options options = {.folder = folder,
                                  .run_folder = run,
                                  .experiment = "bench",
                                  .run_name = "enqueue",
                                  .source = "bench_enqueue"};
    TY_TRY(ty_tracker_open(ctx, &options, &tracker));
    for (int i = 0; i < BURSTS; i++) {
        const int64_t before = count_allocations();
        double ns = measure_burst(ctx, ty_tracker_observer(tracker), (int64_t)i * POINTS);
        out->allocations += (double)(count_allocations() - before) / (BURSTS * POINTS);
        if (i == 0 || ns < out->best_ns)
            out->best_ns = ns;
        (void)usleep(250000); /* the writer empties the ring */
    }
    return ty_tracker_close(ctx, tracker, 20000);
}

int main(int argc, char **argv) {
    ty_ctx ctx;
    cost each = {0};
    ty_ctx_init(&ctx);
    ty_status st = measure(&ctx, argc > 1 ? argv[1] : ".", &each);
    if (st == TY_OK)
        printf("%.0f ns, %g allocations\n", each.best_ns, each.allocations);
    else
        fprintf(stderr, "%s\n", ctx.message);
    ty_ctx_clear(&ctx);
    return ty_status_exit_code(st);
}
