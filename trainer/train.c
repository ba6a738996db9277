/* Opening a job in the order of docs/ARCHITECTURE.md: lanes, agreement on who takes part, graph,
 * plan, memory, state. */
#include "trainer/train.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trainer/build_id.h"
#include "trainer/cores.h"
#include "trainer/trainer_private.h"
#include "trainer/schedules/schedules.h"

/* --- lanes ------------------------------------------------------------------------------------ */

static ty_device_options wanted_device(const ty_trainer *trainer) {
    static const char *const devices[] = {"auto", "cpu", "cuda"};
    const char *described = trainer->options.described_gpu;
    return (ty_device_options){.name = described ? described : devices[trainer->config->device],
                               .max_isa_level = -1,
                               .local_rank = ty_comm_local_rank(trainer->comm),
                               .precision = (ty_precision)trainer->config->train.precision};
}

static ty_status choose_device(ty_ctx *ctx, ty_trainer *trainer) {
    const ty_devices_wish wish = {.device = wanted_device(trainer),
                                  .shares_gpu = trainer->config->train.share_gpu,
                                  .collectives = trainer->config->train.collectives};
    TY_TRY(ty_devices_choose(ctx, trainer->comm, &wish, &trainer->devices));
    const char *reason = trainer->devices.found.reason;
    trainer->report.fallback = reason[0] ? reason : NULL;
    trainer->report.sums = trainer->devices.sums[0] ? trainer->devices.sums : NULL;
    return TY_OK;
}

/* Threads asked for or found, the same number on all ranks; a GPU has one lane. */
static ty_status agree_on_threads(ty_ctx *ctx, const ty_trainer *trainer, int64_t *out) {
    int64_t mine = trainer->config->train.threads;
    if (trainer->devices.found.kind != TY_DEVICE_IS_CPU)
        mine = 1;
    else if (mine == TY_AUTO)
        TY_TRY(ty_cores_share(ctx, trainer->comm, &mine));
    return ty_comm_min(ctx, trainer->comm, mine, out);
}

static ty_status divide(ty_ctx *ctx, ty_trainer *trainer) {
    const int ranks = ty_comm_size(trainer->comm), rank = ty_comm_rank(trainer->comm);
    int64_t threads;
    TY_TRY(agree_on_threads(ctx, trainer, &threads));
    if (trainer->options.is_forward_only) {
        trainer->geometry = ty_geometry_for_eval(trainer->config, ranks, rank, threads);
        return TY_OK;
    }
    return ty_geometry_make(ctx, trainer->config, ranks, rank, threads, &trainer->geometry);
}

/* Our loops and oneDNN on the weakest rank's instruction set, so that all ranks compute the same
 * bits. */
static ty_status open_lanes(ty_ctx *ctx, ty_trainer *trainer) {
    int64_t isa;
    ty_device_options device = wanted_device(trainer);
    TY_TRY(ty_comm_min(ctx, trainer->comm, ty_isa_best(), &isa));
    if (!ty_int_of_i64(isa, &device.max_isa_level))
        return ty_fail(ctx, TY_ERR_INTERNAL, "instruction-set level %" PRId64, isa);
    device.name = trainer->devices.found.name;
    TY_TRY(ty_comm_agree(ctx, trainer->comm,
                         ty_lanes_open(ctx, trainer->geometry.lanes, &device, &trainer->lanes)));
    const ty_device_info *info = ty_device_describe(ty_lanes_device(trainer->lanes));
    trainer->report.device = info->name;
    trainer->report.model = info->model;
    trainer->report.numeric = info->numeric;
    trainer->report.is_gpu = info->kind != TY_DEVICE_IS_CPU;
    trainer->report.gpu_uuid = trainer->report.is_gpu ? trainer->devices.found.uuid : NULL;
    return TY_OK;
}

static ty_status shake_hands(ty_ctx *ctx, const ty_trainer *trainer) {
    char build[80], config[17];
    ty_build_id(build, sizeof build);
    (void)snprintf(config, sizeof config, "%016" PRIx64, trainer->options.config_hash);
    const ty_comm_fact facts[] = {
        {"build", build}, {"config", config}, {"data fingerprint", trainer->data->fingerprint}};
    return ty_comm_handshake(ctx, trainer->comm, facts, sizeof facts / sizeof facts[0]);
}

/* After planning, which is when a GPU's libraries are opened and their versions known. */
static ty_status compare_numerics(ty_ctx *ctx, const ty_trainer *trainer) {
    const ty_comm_fact fact = {"numeric", trainer->report.numeric};
    return ty_comm_handshake(ctx, trainer->comm, &fact, 1);
}

/* --- graph and plan --------------------------------------------------------------------------- */

static ty_status check_val(ty_ctx *ctx, const ty_trainer *trainer, const char *key,
                           const char *metric) {
    if (!metric || strcmp(metric, "auto") == 0 || trainer->data->count[TY_SPLIT_VAL] > 0)
        return TY_OK;
    return ty_fail(ctx, TY_ERR_CONFIG,
                   "%s is \"%s\", but there are no val samples: set data.val_fraction", key,
                   metric);
}

/* What a config cannot know of itself: it takes the data. */
static ty_status check_amounts(ty_ctx *ctx, const ty_trainer *trainer) {
    const ty_train_config *config = trainer->config;
    const ty_extent *extent = &trainer->extent;
    if (extent->samples_per_step > extent->samples_per_epoch)
        return ty_fail(ctx, TY_ERR_CONFIG,
                       "train.global_batch_size is %" PRId64 ", but there are %" PRId64
                       " samples to train on: want a smaller batch or more data",
                       extent->samples_per_step, extent->samples_per_epoch);
    const int64_t warmup = ty_schedule_warmup_steps(&config->schedule, extent);
    if (extent->total_steps > 0 && warmup > extent->total_steps)
        return ty_fail(ctx, TY_ERR_CONFIG,
                       "schedule.warmup is %" PRId64 " steps, but the whole training is %" PRId64,
                       warmup, extent->total_steps);
    TY_TRY(check_val(ctx, trainer, "checkpoint.best", config->checkpoint.best));
    return check_val(ctx, trainer, "train.early_stop.metric", config->train.early_stop.metric);
}

static ty_status measure(ty_ctx *ctx, ty_trainer *trainer) {
    const ty_amount duration = trainer->config->train.duration;
    const int64_t samples = trainer->data->count[TY_SPLIT_TRAIN];
    if (samples <= 0 && !trainer->options.is_forward_only)
        return ty_fail(ctx, TY_ERR_DATA, "the data has no samples to train on");
    trainer->extent = (ty_extent){.samples_per_epoch = samples > 0 ? samples : 1,
                                  .samples_per_step = trainer->geometry.batch};
    trainer->extent.total_steps = ty_amount_steps(duration, &trainer->extent);
    return trainer->options.is_forward_only ? TY_OK : check_amounts(ctx, trainer);
}

static ty_status build_graphs(ty_ctx *ctx, ty_trainer *trainer) {
    const ty_geometry *geometry = &trainer->geometry;
    TY_TRY(ty_model_build(ctx, trainer->config, trainer->data, geometry->eval_rows, false,
                          &trainer->eval_graph));
    if (trainer->options.is_forward_only)
        return TY_OK;
    return ty_model_build(ctx, trainer->config, trainer->data, geometry->rows, true,
                          &trainer->train_graph);
}

static ty_status plan_lane(ty_lane *lane, void *arg) {
    ty_trainer *trainer = arg;
    ty_lane_work *work = &trainer->work[lane->index];
    TY_TRY(ty_plan_open(lane->ctx, lane->dev, &trainer->eval_graph, &work->eval));
    if (trainer->options.is_forward_only)
        return TY_OK;
    return ty_plan_open(lane->ctx, lane->dev, &trainer->train_graph, &work->train);
}

static size_t row_floats(const ty_trainer *trainer) {
    const ty_geometry *geometry = &trainer->geometry;
    const int64_t rows =
        geometry->rows > geometry->eval_rows ? geometry->rows : geometry->eval_rows;
    return (size_t)rows * TY_LOSS_ROW;
}

static ty_status plan(ty_ctx *ctx, ty_trainer *trainer) {
    trainer->work = calloc((size_t)trainer->geometry.lanes, sizeof *trainer->work);
    if (!trainer->work)
        return ty_fail_nomem(ctx, "the lanes' plans");
    return ty_lanes_run(ctx, trainer->lanes, plan_lane, trainer);
}

static ty_status bind_lane(ty_lane *lane, void *arg) {
    ty_trainer *trainer = arg;
    ty_lane_work *work = &trainer->work[lane->index];
    TY_TRY(ty_device_alloc(lane->ctx, lane->dev, ty_report_arena(work), &work->arena));
    work->rows = calloc(row_floats(trainer), sizeof *work->rows);
    if (!work->rows)
        return ty_fail_nomem(lane->ctx, "loss rows");
    const ty_plan_buffers buffers = {.params = trainer->state.params,
                                     .stats = trainer->state.stats,
                                     .params_bf16 = trainer->state.params_bf16};
    ty_plan_bind(&work->eval, work->arena, &buffers);
    if (work->train.calls)
        ty_plan_bind(&work->train, work->arena, &buffers);
    return TY_OK;
}

/* --- state ------------------------------------------------------------------------------------ */

static ty_status open_state(ty_ctx *ctx, ty_trainer *trainer) {
    const bool trains = !trainer->options.is_forward_only;
    TY_TRY(ty_state_open(ctx, ty_lanes_device(trainer->lanes),
                         trains ? &trainer->train_graph : &trainer->eval_graph,
                         trains ? &trainer->config->optimizer : NULL, &trainer->state));
    return ty_lanes_run(ctx, trainer->lanes, bind_lane, trainer);
}

static const char *best_path(ty_trainer *trainer) {
    return ty_arena_printf(&trainer->arena, "%s/checkpoints/step_%012" PRId64 ".h5",
                           trainer->options.run_folder, trainer->progress.best_step);
}

static ty_status note_resumed(ty_ctx *ctx, ty_trainer *trainer) {
    ty_train_report *report = &trainer->report;
    report->resumed_from = trainer->last_path;
    report->resumed_step = trainer->progress.step;
    report->is_finished = trainer->progress.is_finished != 0;
    if (trainer->progress.best_step < 0 || !trainer->options.run_folder)
        return TY_OK;
    const char *path = best_path(trainer);
    if (!path)
        return ty_fail_nomem(ctx, "a checkpoint's name");
    (void)snprintf(trainer->best_path, sizeof trainer->best_path, "%s", path);
    return TY_OK;
}

static ty_status resume(ty_ctx *ctx, ty_trainer *trainer) {
    bool is_resumed;
    ty_progress_begin(&trainer->progress);
    TY_TRY(ty_resume(ctx, trainer, &is_resumed));
    if (is_resumed)
        return note_resumed(ctx, trainer);
    if (!trainer->options.is_forward_only || !trainer->options.run_folder)
        return TY_OK;
    return ty_fail(ctx, TY_ERR_NOT_FOUND, "there is no checkpoint in %s/checkpoints to evaluate",
                   trainer->options.run_folder);
}

/* --- opening and closing ---------------------------------------------------------------------- */

static const double gib = 1024.0 * 1024 * 1024;

/* The most rows at a time that leave the rest its room; 0: the rest alone is too much. */
static int64_t rows_that_fit(const ty_trainer *trainer, int64_t has) {
    const ty_train_report *report = &trainer->report;
    const int64_t rest = report->bytes_total - report->bytes_activations;
    const int64_t of_a_row = report->bytes_activations / trainer->geometry.rows;
    return rest < has && of_a_row > 0 ? (has - rest) / of_a_row : 0;
}

/* What CUDA's libraries load and NCCL keeps for itself once work begins. */
static const int64_t libraries_bytes = INT64_C(256) << 20;

static ty_status check_gpu_memory(ty_ctx *ctx, const ty_trainer *trainer) {
    const ty_train_report *report = &trainer->report;
    const ty_device_info *info = ty_device_describe(ty_lanes_device(trainer->lanes));
    const int sharers = trainer->devices.ranks_per_gpu;
    const int64_t has = info->memory_bytes / sharers - libraries_bytes;
    char advice[64] = "want a smaller model", share[48] = "";
    if (report->bytes_total <= has)
        return TY_OK;
    const int64_t fits = trainer->options.is_forward_only ? 0 : rows_that_fit(trainer, has);
    if (fits > 0)
        (void)snprintf(advice, sizeof advice, "train.micro_batch_size up to %" PRId64 " would fit",
                       fits);
    if (sharers > 1)
        (void)snprintf(share, sizeof share, "each of the %d ranks that share it", sharers);
    return ty_fail(ctx, TY_ERR_DEVICE,
                   "model.layers takes %.1f GiB of memory on %s (%s), which has %.1f for %s: %s",
                   (double)report->bytes_total / gib, info->name, info->model, (double)has / gib,
                   sharers > 1 ? share : "it", advice);
}

/* Asking the system for it might succeed, and using it end other people's work. */
static ty_status check_memory(ty_ctx *ctx, const ty_trainer *trainer) {
    const int64_t has = trainer->options.memory_bytes;
    const int64_t wants =
        trainer->report.is_gpu ? trainer->report.bytes_host : trainer->report.bytes_total;
    if (trainer->report.is_gpu)
        TY_TRY(check_gpu_memory(ctx, trainer));
    if (has <= 0 || wants <= has)
        return TY_OK;
    return ty_fail(ctx, TY_ERR_CONFIG,
                   "model.layers takes %.1f GiB a rank, and this host has %.1f: want a smaller "
                   "model, or a smaller train.micro_batch_size or eval.batch_size",
                   (double)wants / gib, (double)has / gib);
}

/* Collective calls stand by themselves; what may fail on one rank alone is agreed on before the
 * next of them. */
static ty_status prepare(ty_ctx *ctx, ty_trainer *trainer) {
    ty_status st = build_graphs(ctx, trainer);
    if (st == TY_OK)
        st = plan(ctx, trainer);
    if (st == TY_OK)
        st = ty_report_layers(ctx, trainer);
    if (st == TY_OK)
        ty_report_write(trainer);
    if (st == TY_OK)
        st = check_memory(ctx, trainer);
    if (st == TY_OK && !trainer->options.is_plan_only)
        st = open_state(ctx, trainer);
    return ty_comm_agree(ctx, trainer->comm, st);
}

/* What training takes beyond the state. */
static ty_status open_training(ty_ctx *ctx, ty_trainer *trainer) {
    if (trainer->options.is_forward_only)
        return TY_OK;
    TY_TRY(ty_gradient_open(ctx, trainer));
    return ty_update_open(ctx, trainer);
}

static ty_status open_and_initialise(ty_ctx *ctx, ty_trainer *trainer) {
    TY_TRY(open_training(ctx, trainer));
    return ty_state_initialise(ctx, &trainer->state, (uint64_t)trainer->config->seed);
}

static ty_status open_job(ty_ctx *ctx, ty_trainer *trainer) {
    TY_TRY(choose_device(ctx, trainer));
    TY_TRY(divide(ctx, trainer));
    TY_TRY(open_lanes(ctx, trainer));
    TY_TRY(shake_hands(ctx, trainer));
    TY_TRY(measure(ctx, trainer));
    TY_TRY(prepare(ctx, trainer));
    TY_TRY(compare_numerics(ctx, trainer));
    if (trainer->options.is_plan_only)
        return TY_OK;
    TY_TRY(ty_comm_agree(ctx, trainer->comm, open_and_initialise(ctx, trainer)));
    return resume(ctx, trainer);
}

ty_status ty_trainer_open(ty_ctx *ctx, const ty_trainer_options *options, ty_trainer **out) {
    ty_trainer *trainer = calloc(1, sizeof *trainer);
    if (!trainer)
        return ty_fail_nomem(ctx, "the trainer");
    trainer->options = *options;
    trainer->config = options->config;
    trainer->comm = options->comm;
    trainer->data = ty_dataset_info(options->data);
    const ty_status st = open_job(ctx, trainer);
    if (st != TY_OK) {
        ty_trainer_close(trainer);
        return st;
    }
    *out = trainer;
    return TY_OK;
}

static ty_status close_lane(ty_lane *lane, void *arg) {
    ty_trainer *trainer = arg;
    ty_lane_work *work = &trainer->work[lane->index];
    ty_plan_close(&work->train);
    ty_plan_close(&work->eval);
    ty_device_free(lane->dev, work->arena);
    free(work->rows);
    return TY_OK;
}

static void close_lanes(ty_trainer *trainer) {
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    const ty_status st =
        trainer->work ? ty_lanes_run(&ctx, trainer->lanes, close_lane, trainer) : TY_OK;
    (void)st; /* closing cannot fail */
    ty_state_close(&trainer->state);
    ty_lanes_close(trainer->lanes);
    free(trainer->work);
    ty_ctx_clear(&ctx);
}

void ty_trainer_close(ty_trainer *trainer) {
    if (!trainer)
        return;
    ty_gradient_close(trainer);
    ty_update_close(trainer);
    close_lanes(trainer);
    ty_graph_clear(&trainer->train_graph);
    ty_graph_clear(&trainer->eval_graph);
    ty_arena_clear(&trainer->eval_arena);
    ty_arena_clear(&trainer->arena);
    free(trainer);
}

const ty_train_report *ty_trainer_report(const ty_trainer *trainer) {
    return &trainer->report;
}

const ty_layer_row *ty_trainer_layers(const ty_trainer *trainer, int64_t *out_n) {
    *out_n = trainer->options.is_forward_only ? trainer->eval_graph.n_layers
                                              : trainer->train_graph.n_layers;
    return trainer->layers;
}
