/* predict: what a model says of files that nobody has labelled, file by file. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/facts.h"
#include "cli/job.h"
#include "cli/launch.h"
#include "cli/models/model_load.h"
#include "cli/models/shards.h"

/* Ranks meet at the end, after work that may take them differently long; who dies is noticed by other
 * means than waiting. */
static const double deadline_s = 7 * 24 * 3600.0;

enum { MOST_ROWS = 65536 }; /* computed at a time by a lane */

typedef struct predicting {
    cli *app;
    job job;
    loaded_model model;
    ty_trainer *trainer;
    shards shards;
    const char *keep[TY_SAMPLES_MAX_KEPT];
    int n_keep;
    shard_origin origin;
    ty_predictions *to; /* of the shard under way */
    int64_t at, n;      /* its rows: done, all */
    int64_t begin_ns, drawn_ns;
    int64_t written, left, samples; /* shards made and found; samples of those made */
} predicting;

static bool has(const predicting *p, const char *option) {
    return args_has(&p->app->args, option);
}

/* --- one shard -------------------------------------------------------------------------------- */

static double seconds_since(const ty_ctx *ctx, int64_t begin_ns) {
    const double seconds = (double)(ty_now_ns(ctx) - begin_ns) / 1e9;
    return seconds > 1e-9 ? seconds : 1e-9;
}

static void draw(predicting *p) {
    const int64_t tenth_ns = 100000000, now = ty_now_ns(&p->app->ctx);
    char done[32], all[32], line[256];
    if (now - p->drawn_ns < tenth_ns)
        return;
    p->drawn_ns = now;
    (void)snprintf(line, sizeof line, "%" PRId64 " of %" PRId64 " files   %s of %s samples",
                   p->written + p->left, p->shards.n, console_count(p->at, done),
                   console_count(p->n, all));
    console_draw(&p->app->console, line);
}

static ty_status take_block(ty_ctx *ctx, void *self, int slot, int64_t first, int64_t n,
                            const float *outputs) {
    return ty_predictions_block(ctx, ((predicting *)self)->to, slot, first, n, outputs);
}

static ty_status check_signal(predicting *p) {
    const int stop = abs(p->job.signals.stop);
    return stop == 0 ? TY_OK
                     : ty_fail(&p->app->ctx, signals_status(stop), "stopped by signal %d", stop);
}

static ty_status end_batch(ty_ctx *ctx, void *self, int n_slots, int64_t done) {
    predicting *p = self;
    TY_TRY(ty_predictions_flush(ctx, p->to, n_slots));
    p->at = done;
    draw(p);
    return check_signal(p);
}

static ty_status write_predictions(predicting *p, const shard *s, const ty_dataset *samples) {
    ty_ctx *ctx = &p->app->ctx;
    const ty_predictions_options options = {.path = s->output,
                                            .format = s->format,
                                            .samples = samples,
                                            .split = TY_SPLIT_TEST,
                                            .has_probabilities = has(p, "probabilities"),
                                            .has_logits = has(p, "logits"),
                                            .keep = p->keep,
                                            .n_keep = p->n_keep,
                                            .slots = ty_trainer_infer_slots(p->trainer)};
    const ty_infer_sink sink = {.block = take_block, .batch = end_batch, .self = p};
    TY_TRY(ty_predictions_open(ctx, &options, &p->to));
    p->at = 0;
    p->n = ty_dataset_info(samples)->count[TY_SPLIT_TEST];
    ty_status st = ty_trainer_infer(ctx, p->trainer, samples, TY_SPLIT_TEST, &sink);
    if (st == TY_OK)
        st = ty_predictions_publish(ctx, p->to);
    if (st != TY_OK && ty_predictions_is_unread(p->to))
        st = TY_OK; /* `| head`: whoever left wanted no more */
    ty_predictions_close(ctx, p->to);
    p->to = NULL;
    return st;
}

static ty_status predict_file(predicting *p, const shard *s) {
    cli *app = p->app;
    ty_dataset *samples = NULL;
    char count[32], rate[32];
    const int64_t begin_ns = ty_now_ns(&app->ctx);
    const ty_samples_options options = {.path = s->input,
                                        .features = p->job.config.data.features,
                                        .target_is_last = p->job.config.data.target == NULL,
                                        .allows_unknown = has(p, "allow-unknown"),
                                        .keep = p->keep,
                                        .n_keep = p->n_keep};
    TY_TRY(ty_samples_open(&app->ctx, p->job.data, &options, &samples));
    ty_status st = write_predictions(p, s, samples);
    ty_dataset_close(samples);
    if (st == TY_OK)
        st = shard_note(&app->ctx, s, &p->origin);
    TY_TRY(st);
    p->written++;
    p->samples += p->at;
    if (s->output)
        console_say(
            &app->console, "wrote   %s   %s sample%s   %s samples/s", s->output,
            console_count(p->n, count), console_plural(p->n),
            console_count((int64_t)((double)p->n / seconds_since(&app->ctx, begin_ns)), rate));
    return TY_OK;
}

static ty_status predict_shard(predicting *p, const shard *s) {
    bool is_complete;
    TY_TRY(check_signal(p));
    TY_TRY(shard_look(&p->app->ctx, s, &p->origin, &is_complete));
    if (!is_complete)
        return predict_file(p, s);
    p->left++;
    console_say(&p->app->console, "found   %s: of this model and input, nothing to do", s->output);
    return TY_OK;
}

/* Rank r of n takes shards r, r + n, r + 2n, ... */
static ty_status predict_shards(predicting *p) {
    p->job.signals.is_training = true; /* from now on a signal is heard between batches */
    p->begin_ns = ty_now_ns(&p->app->ctx);
    if (p->shards.folder)
        TY_TRY(ty_dir_make(&p->app->ctx, p->shards.folder));
    const int step = ty_comm_size(p->job.comm);
    for (int64_t i = ty_comm_rank(p->job.comm); i < p->shards.n; i += step)
        TY_TRY(predict_shard(p, &p->shards.v[i]));
    return TY_OK;
}

/* --- the job ---------------------------------------------------------------------------------- */

/* Model and options as they are part of what an output is made of. */
static ty_status identify(predicting *p) {
    ty_arena *arena = &p->job.arena;
    ty_text options = {0};
    ty_text_addf(&options, "tiltyard %s%s%s%s", TY_VERSION_TEXT,
                 has(p, "probabilities") ? " probabilities" : "", has(p, "logits") ? " logits" : "",
                 has(p, "allow-unknown") ? " allow-unknown" : "");
    for (int k = 0; k < p->n_keep; k++)
        ty_text_addf(&options, " keep=%s", p->keep[k]);
    p->origin.model = ty_arena_printf(arena, "%016" PRIx64 "%016" PRIx64 "%016" PRIx64,
                                      ty_trainer_model_hash(p->trainer), p->job.config_hash,
                                      ty_hash64(p->model.data_state, strlen(p->model.data_state)));
    p->origin.options = options.is_short ? NULL : ty_arena_string(arena, ty_text_string(&options));
    ty_text_clear(&options);
    return p->origin.model && p->origin.options ? TY_OK
                                                : ty_fail_nomem(&p->app->ctx, "the model's hash");
}

static ty_status open_own(predicting *p) {
    cli *app = p->app;
    TY_TRY(shards_plan(app, &p->job.arena, &p->shards));
    TY_TRY(job_read_model_config(app, &p->job, app->args.operand[0], p->model.config));
    TY_TRY(args_int(&app->ctx, &app->args, "batch-size", p->job.config.eval.batch_size, 1,
                    MOST_ROWS, &p->job.config.eval.batch_size));
    TY_TRY(ty_dataset_restore(&app->ctx, p->model.data_state, &p->job.data));
    if (has(p, "probabilities") || has(p, "logits"))
        if (!ty_dataset_info(p->job.data)->is_classification)
            return ty_fail(
                &app->ctx, TY_ERR_ARG,
                "the model predicts numbers: --probabilities and --logits are of classes");
    return TY_OK;
}

static ty_status open_all(predicting *p) {
    cli *app = p->app;
    ty_comm *comm = p->job.comm;
    TY_TRY(model_load(app, comm, app->args.operand[0], &p->job.arena, &p->model));
    TY_TRY(ty_comm_agree(&app->ctx, comm, open_own(p)));
    const ty_trainer_options options = {.config = &p->job.config,
                                        .config_json = ty_text_string(&p->job.config_json),
                                        .memory_bytes = facts_memory(&app->ctx),
                                        .config_hash = p->job.config_hash,
                                        .comm = comm,
                                        .data = p->job.data,
                                        .model = p->model.content,
                                        .is_forward_only = true};
    TY_TRY(ty_trainer_open(&app->ctx, &options, &p->trainer));
    return ty_comm_agree(&app->ctx, comm, identify(p));
}

static void say_model(const predicting *p) {
    const ty_train_report *report = ty_trainer_report(p->trainer);
    const int ranks = ty_comm_size(p->job.comm);
    console_say(&p->app->console,
                "model   %s   step %" PRId64 "   %s, %d rank%s x %" PRId64 " lane%s",
                p->model.source.path, p->model.step, report->device, ranks, console_plural(ranks),
                report->lanes, console_plural(report->lanes));
}

static void print_total(predicting *p, const double sums[3], double seconds) {
    cli *app = p->app;
    char count[32], rate[32];
    if (ty_comm_rank(p->job.comm) != 0)
        return; /* only rank 0 knows the model's path */
    if (app->console.is_json) {
        ty_text out = {0};
        ty_text_add(&out, "{\"model\": ");
        ty_text_add_json(&out, p->model.source.path);
        ty_text_addf(&out,
                     ", \"step\": %" PRId64 ", \"files\": %" PRId64
                     ", \"written\": %.0f, \"found\": %.0f, \"samples\": %.0f, \"seconds\": %.6f, "
                     "\"samples_per_s\": %.1f}\n",
                     p->model.step, p->shards.n, sums[0], sums[1], sums[2], seconds,
                     sums[2] / seconds);
        console_print(&app->console, ty_text_string(&out));
        ty_text_clear(&out);
    }
    console_say(&app->console, "done    %s sample%s in %.1f s   %s samples/s",
                console_count((int64_t)sums[2], count), console_plural((int64_t)sums[2]), seconds,
                console_count((int64_t)(sums[2] / seconds), rate));
}

/* Rank 0 tells for all. A stop is no failure: what is whole stays, and the same command goes on. */
static ty_status finish(predicting *p, ty_status st) {
    cli *app = p->app;
    const double seconds = seconds_since(&app->ctx, p->begin_ns);
    double sums[3] = {(double)p->written, (double)p->left, (double)p->samples};
    char message[TY_MESSAGE_BYTES];
    (void)snprintf(message, sizeof message, "%s", app->ctx.message);
    TY_TRY(ty_comm_sum(&app->ctx, p->job.comm, sums, 3));
    if (st != TY_OK)
        st = ty_fail(&app->ctx, st, "%s", message);
    st = ty_comm_agree(&app->ctx, p->job.comm, st);
    const bool is_stopped =
        st == TY_STOP_REQUEUE || st == TY_STOP_INTERRUPT || st == TY_STOP_TERMINATE;
    if (is_stopped)
        console_say(&app->console,
                    "stopped with %.0f of %" PRId64 " files done; the same command "
                    "goes on with the rest",
                    sums[0] + sums[1], p->shards.n);
    if (st == TY_OK)
        print_total(p, sums, seconds);
    return st;
}

static ty_status run(predicting *p) {
    TY_TRY(job_meet(p->app, &p->job, deadline_s));
    TY_TRY(open_all(p));
    say_model(p);
    if (p->shards.n < ty_comm_size(p->job.comm))
        console_say(&p->app->console, "note    ranks share whole files: %d of them have none",
                    (int)(ty_comm_size(p->job.comm) - p->shards.n));
    return finish(p, predict_shards(p));
}

static ty_status read_options(predicting *p) {
    const args *a = &p->app->args;
    for (int i = 0; i < a->n_options; i++) {
        if (strcmp(a->option[i].row->name, "keep") != 0)
            continue;
        if (p->n_keep == TY_SAMPLES_MAX_KEPT)
            return ty_fail(&p->app->ctx, TY_ERR_ARG, "more than %d times --keep",
                           TY_SAMPLES_MAX_KEPT);
        p->keep[p->n_keep++] = a->option[i].value;
    }
    if (p->app->console.is_json && !args_has(a, "output"))
        return ty_fail(&p->app->ctx, TY_ERR_ARG,
                       "--json prints a summary on standard output, where the predictions go "
                       "without --output (JSON lines: --format jsonl)");
    return TY_OK;
}

static ty_status predict(cli *app) {
    int64_t ranks = 1;
    predicting p = {.app = app};
    TY_TRY(args_int(&app->ctx, &app->args, "ranks", 1, 1, LAUNCH_MAX_RANKS, &ranks));
    TY_TRY(read_options(&p));
    if (ranks > 1 && !ty_comm_is_launched(&app->ctx))
        return launch_ranks(app, (int)ranks);
    const ty_status st = run(&p);
    ty_trainer_close(p.trainer);
    model_unload(&p.model);
    job_close(&p.job);
    return st;
}

static const option_row options[] = {
    {"input", 'i', "FILE", "CSV, TSV, IDX or HDF5; a folder of them; - for CSV on standard input"},
    {"output", 'o', "FILE", ".csv, .jsonl or .h5; a folder where there are several inputs"},
    {"format", 0, "FORMAT", "csv, jsonl or hdf5, instead of by the output's ending"},
    {"probabilities", 0, NULL, "add the probability of every class"},
    {"logits", 0, NULL, "add the model's outputs before softmax"},
    {"keep", 0, "COLUMN", "copy this column of a CSV, by name or number; may be repeated"},
    {"allow-unknown", 0, NULL, "take a category that training had not seen for a missing value"},
    {"batch-size", 0, "N", "samples computed at a time by a thread (default: as in evaluation)"},
    {"set", 's', "KEY=VALUE", "change a key of speed, memory or place (train.threads, device)"},
    {"registry", 0, "URI", "where models:/ names are kept (default: as tiltyard models)"},
    {"ranks", 'n', "N", "start N ranks with mpirun; they share the files"},
    {0}};

const command cmd_predict = {
    .name = "predict",
    .operands = "MODEL --input FILE...",
    .summary = "what a model says of files without labels",
    .about =
        "MODEL is a run (folder, name, MLflow id), a checkpoint, an exported folder or model.onnx, "
        "or\n"
        "models:/NAME@ALIAS, models:/NAME/VERSION. Samples are encoded as its training encoded "
        "its\n"
        "own; nothing is fitted anew, and the training's data need not be there.\n\n"
        "Without --output the predictions go to standard output. One row a sample, in the input's\n"
        "order: index, prediction (a class, or numbers), and what the options add. An output is "
        "there\n"
        "whole or not at all; .NAME.origin beside it says of which model and input it is, so that "
        "the\n"
        "same command leaves what is done and goes on with the rest. Rank r of n takes every n-th\n"
        "file from the r-th on. The bits depend on neither ranks, threads nor batch size.\n",
    .options = options,
    .min_operands = 1,
    .max_operands = ARGS_MAX_OPERANDS,
    .run = predict};
