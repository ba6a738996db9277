/* The rows of a training config, section by section, and the checks that look at more than one
 * key. */
#include "trainer/config.h"

#include <string.h>

#include "trainer/layers/layers.h"
#include "trainer/losses/losses.h"
#include "trainer/optimizers/optimizers.h"
#include "trainer/schedules/schedules.h"

/* Offset of a member inside its section, which is a struct inside the config. */
#define WITHIN(section, member)                                                                    \
    (offsetof(ty_train_config, section.member) - offsetof(ty_train_config, section))

enum {
    MAX_NAME = 150
}; /* bytes; a hash, an attempt and what is added to a temporary file's name
                            still fit behind it */

#define UNITS(name) (1u << TY_UNIT_##name)
#define LENGTHS (UNITS(EPOCHS) | UNITS(STEPS) | UNITS(SAMPLES))

static const char *const devices[] = {"auto", "cpu", "cuda", NULL};
/* In the order of ty_precision. */
static const char *const precisions[] = {"fp32", "tf32", "bf16", NULL};
static const char *const reductions[] = {"exact", "fast", NULL};
/* In the order of TY_COLLECTIVES_*. */
static const char *const collectives[] = {"auto", "nccl", "mpi", NULL};
static const char *const policies[] = {"skip", "stop", NULL};

static const ty_row model_row[] = {
    {.key = "layers",
     .type = TY_ROW_VARIANTS,
     .offset = WITHIN(model, layers),
     .variants = ty_layer_variants,
     .help = "in order; each a type or an object with \"type\""},
};
static const ty_rows model_rows = TY_ROWS(model_row);

static const ty_row early_stop_row[] = {
    {.key = "metric",
     .type = TY_ROW_TEXT,
     .offset = WITHIN(train.early_stop, metric),
     .fallback = "null",
     .help = "what has to improve: \"val/loss\" or \"val/accuracy\"; null: no early stop"},
    {.key = "patience",
     .type = TY_ROW_INT,
     .offset = WITHIN(train.early_stop, patience),
     .fallback = "3",
     .unit = "evaluations",
     .help = "how many without improvement end the run",
     .min = 1,
     .max = 1e6},
    {.key = "min_delta",
     .type = TY_ROW_REAL,
     .offset = WITHIN(train.early_stop, min_delta),
     .fallback = "0",
     .help = "smaller changes are no improvement",
     .min = 0,
     .max = 1e9},
};
static const ty_rows early_stop_rows = TY_ROWS(early_stop_row);

static const ty_row train_row[] = {
    {.key = "duration",
     .type = TY_ROW_AMOUNT,
     .offset = WITHIN(train, duration),
     .fallback = "\"10 epochs\"",
     .units = LENGTHS | UNITS(SECONDS),
     .min_is_open = true,
     .max = 1e15,
     .help = "how long to train"},
    {.key = "global_batch_size",
     .type = TY_ROW_INT,
     .offset = WITHIN(train, global_batch_size),
     .fallback = "128",
     .unit = "samples",
     .min = 1,
     .max = 1e9,
     .help = "samples of one step, over all ranks"},
    {.key = "micro_batch_size",
     .type = TY_ROW_INT,
     .offset = WITHIN(train, micro_batch_size),
     .fallback = "\"auto\"",
     .allows_auto = true,
     .unit = "samples",
     .min = 1,
     .max = 1e9,
     .help = "samples computed at a time (batch norm's statistics are of these); smaller saves "
             "memory, gradients are "
             "accumulated; auto is the batch divided among the shards"},
    {.key = "reduction",
     .type = TY_ROW_CHOICE,
     .offset = WITHIN(train, reduction),
     .fallback = "\"exact\"",
     .choices = reductions,
     .help = "exact: the same bits on 1, 2, 4... ranks; fast: one shard a thread, bits change with "
             "ranks"},
    {.key = "shards",
     .type = TY_ROW_INT,
     .offset = WITHIN(train, shards),
     .fallback = "8",
     .help = "parts of the global batch in exact mode; divisible by the number of ranks",
     .min = 1,
     .max = 65536},
    {.key = "threads",
     .type = TY_ROW_INT,
     .offset = WITHIN(train, threads),
     .fallback = "\"auto\"",
     .allows_auto = true,
     .min = 1,
     .max = 4096,
     .effect = TY_EFFECT_COST,
     .help = "of a rank; auto: the cores it may use"},
    {.key = "precision",
     .type = TY_ROW_CHOICE,
     .offset = WITHIN(train, precision),
     .fallback = "\"fp32\"",
     .choices = precisions,
     .help =
         "what a GPU multiplies with: fp32; tf32: 10 bits of mantissa in matrix products; bf16: "
         "activations and copies of matrices, weights and gradients stay fp32. The CPU knows "
         "fp32 alone"},
    {.key = "max_grad_norm",
     .type = TY_ROW_REAL,
     .offset = WITHIN(train, max_grad_norm),
     .fallback = "0",
     .min = 0,
     .max = 1e9,
     .help = "longer gradients are scaled down to this norm (Pascanu et al. 2013); 0: never"},
    {.key = "on_nonfinite",
     .type = TY_ROW_CHOICE,
     .offset = WITHIN(train, on_nonfinite),
     .fallback = "\"skip\"",
     .choices = policies,
     .help = "what a step with a NaN or an infinity in loss or gradient does; it never reaches the "
             "weights"},
    {.key = "max_skipped",
     .type = TY_ROW_INT,
     .offset = WITHIN(train, max_skipped),
     .fallback = "5",
     .unit = "steps",
     .help = "skipped in a row before the run ends as diverged",
     .min = 0,
     .max = 1e9},
    {.key = "early_stop",
     .type = TY_ROW_SECTION,
     .offset = WITHIN(train, early_stop),
     .rows = &early_stop_rows,
     .help = "ends the run when nothing improves any more"},
    {.key = "comm_deadline",
     .type = TY_ROW_REAL,
     .offset = WITHIN(train, comm_deadline_s),
     .fallback = "60",
     .unit = "seconds",
     .min = 0,
     .max = 1e6,
     .min_is_open = true,
     .effect = TY_EFFECT_COST,
     .help = "how long a rank waits for another before it names it and ends; on GPUs the work of a "
             "step counts too"},
    {.key = "share_gpu",
     .type = TY_ROW_BOOL,
     .offset = WITHIN(train, share_gpu),
     .fallback = "false",
     .effect = TY_EFFECT_COST,
     .help = "ranks of one host may have one GPU; their sums go through host memory"},
    {.key = "collectives",
     .type = TY_ROW_CHOICE,
     .offset = WITHIN(train, collectives),
     .fallback = "\"auto\"",
     .choices = collectives,
     .effect = TY_EFFECT_COST,
     .help = "what sums over ranks: auto is nccl on GPUs and mpi on CPUs; mpi on GPUs goes through "
             "host memory"},
};
static const ty_rows train_rows = TY_ROWS(train_row);

static const ty_row eval_row[] = {
    {.key = "every",
     .type = TY_ROW_AMOUNT,
     .offset = WITHIN(eval, every),
     .fallback = "\"1 epoch\"",
     .units = LENGTHS | UNITS(NONE),
     .min_is_open = true,
     .max = 1e15,
     .help = "time between evaluations; one more follows the last step"},
    {.key = "batch_size",
     .type = TY_ROW_INT,
     .offset = WITHIN(eval, batch_size),
     .fallback = "\"auto\"",
     .allows_auto = true,
     .unit = "samples",
     .min = 1,
     .max = 1e9,
     .help = "samples evaluated at a time by a thread; auto: the global batch, at most 256"},
    {.key = "top_k",
     .type = TY_ROW_INT,
     .offset = WITHIN(eval, top_k),
     .fallback = "3",
     .min = 1,
     .max = 1e6,
     .help = "how many guesses top_k_accuracy allows"},
};
static const ty_rows eval_rows = TY_ROWS(eval_row);

static const ty_row checkpoint_row[] = {
    {.key = "every",
     .type = TY_ROW_AMOUNT,
     .offset = WITHIN(checkpoint, every),
     .fallback = "\"1 epoch\"",
     .units = LENGTHS | UNITS(NONE) | UNITS(SECONDS),
     .min_is_open = true,
     .max = 1e15,
     .effect = TY_EFFECT_COST,
     .help = "time between checkpoints; the last step and every best one are saved too"},
    {.key = "keep",
     .type = TY_ROW_INT,
     .offset = WITHIN(checkpoint, keep),
     .fallback = "2",
     .help = "how many of the newest stay",
     .min = 1,
     .max = 100000,
     .effect = TY_EFFECT_COST},
    {.key = "best",
     .type = TY_ROW_TEXT,
     .offset = WITHIN(checkpoint, best),
     .fallback = "\"auto\"",
     .effect = TY_EFFECT_COST,
     .help = "which one is best, and stays: \"val/loss:min\", \"val/accuracy:max\" or \"none\"; "
             "auto is "
             "accuracy where there are classes"},
    {.key = "export",
     .type = TY_ROW_BOOL,
     .offset = WITHIN(checkpoint, exports),
     .fallback = "true",
     .effect = TY_EFFECT_DISPLAY,
     .help = "at the run's end make the best model a package in models/ that other programs load: "
             "ONNX, safetensors and what describes them"},
};
static const ty_rows checkpoint_rows = TY_ROWS(checkpoint_row);

static const ty_row tracking_row[] = {
    {.key = "log_every",
     .type = TY_ROW_AMOUNT,
     .offset = WITHIN(tracking, log_every),
     .fallback = "\"10 steps\"",
     .units = LENGTHS,
     .min_is_open = true,
     .max = 1e15,
     .effect = TY_EFFECT_DISPLAY,
     .help = "time between points of the training curves"},
    {.key = "system_every",
     .type = TY_ROW_REAL,
     .offset = WITHIN(tracking, system_every),
     .fallback = "\"auto\"",
     .allows_auto = true,
     .unit = "seconds",
     .min = 0,
     .max = 1e6,
     .effect = TY_EFFECT_DISPLAY,
     .help = "time between points of the machine's load (system/...: processor, memory, disk, "
             "network, GPUs); 0: none; auto: MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL or 10, and 0 "
             "where MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING is false"},
    {.key = "uri",
     .type = TY_ROW_TEXT,
     .offset = WITHIN(tracking, uri),
     .fallback = "\"\"",
     .effect = TY_EFFECT_DISPLAY,
     .help = "where the run is recorded besides its journal: \"http(s)://HOST:PORT\" (an MLflow "
             "server), \"sqlite:///PATH/mlflow.db\", or \"offline\" (`tiltyard sync` brings it "
             "later); empty: what MLFLOW_TRACKING_URI says, else mlflow.db in the working folder"},
    {.key = "exit_wait",
     .type = TY_ROW_REAL,
     .offset = WITHIN(tracking, exit_wait),
     .fallback = "20",
     .unit = "seconds",
     .min = 0,
     .max = 86400,
     .effect = TY_EFFECT_DISPLAY,
     .help = "how long the end of a run waits for a slow server or a busy store; `tiltyard sync` "
             "brings what is left"},
};
static const ty_rows tracking_rows = TY_ROWS(tracking_row);

static const ty_row root_row[] = {
    {.key = "experiment",
     .type = TY_ROW_TEXT,
     .offset = offsetof(ty_train_config, experiment),
     .fallback = "\"tiltyard\"",
     .effect = TY_EFFECT_DISPLAY,
     .help = "runs are grouped by this name"},
    {.key = "name",
     .type = TY_ROW_TEXT,
     .offset = offsetof(ty_train_config, name),
     .fallback = "\"run\"",
     .effect = TY_EFFECT_DISPLAY,
     .help = "the readable part of the run's name"},
    {.key = "seed",
     .type = TY_ROW_INT,
     .offset = offsetof(ty_train_config, seed),
     .fallback = "1",
     .help = "of initialisation, order, dropout and augmentation",
     .min = 0,
     .max = 9007199254740992.0},
    {.key = "device",
     .type = TY_ROW_CHOICE,
     .offset = offsetof(ty_train_config, device),
     .fallback = "\"auto\"",
     .choices = devices,
     .effect = TY_EFFECT_COST,
     .help = "what computes"},
    {.key = "data",
     .type = TY_ROW_SECTION,
     .offset = offsetof(ty_train_config, data),
     .rows = &ty_data_rows,
     .help = "what is learned from"},
    {.key = "model",
     .type = TY_ROW_SECTION,
     .offset = offsetof(ty_train_config, model),
     .rows = &model_rows,
     .help = "what learns"},
    {.key = "loss",
     .type = TY_ROW_VARIANT,
     .offset = offsetof(ty_train_config, loss),
     .fallback = "\"auto\"",
     .variants = ty_loss_variants,
     .help = "what is made small"},
    {.key = "optimizer",
     .type = TY_ROW_VARIANT,
     .offset = offsetof(ty_train_config, optimizer),
     .fallback = "\"adamw\"",
     .variants = ty_optimizer_variants,
     .help = "how a gradient becomes an update"},
    {.key = "schedule",
     .type = TY_ROW_VARIANT,
     .offset = offsetof(ty_train_config, schedule),
     .fallback = "\"cosine\"",
     .variants = ty_schedule_variants,
     .help = "the learning rate over time"},
    {.key = "train",
     .type = TY_ROW_SECTION,
     .offset = offsetof(ty_train_config, train),
     .rows = &train_rows,
     .help = "how long, how much at a time, and what may go wrong"},
    {.key = "eval",
     .type = TY_ROW_SECTION,
     .offset = offsetof(ty_train_config, eval),
     .rows = &eval_rows,
     .help = "measuring on data that is not trained on"},
    {.key = "checkpoint",
     .type = TY_ROW_SECTION,
     .offset = offsetof(ty_train_config, checkpoint),
     .rows = &checkpoint_rows,
     .help = "what survives a crash"},
    {.key = "tracking",
     .type = TY_ROW_SECTION,
     .offset = offsetof(ty_train_config, tracking),
     .rows = &tracking_rows,
     .help = "what is recorded"},
};
const ty_rows ty_train_rows = TY_ROWS(root_row);

/* --- keys that have to go together ------------------------------------------------------------ */

static ty_status check_batch(ty_ctx *ctx, const ty_doc *doc, const ty_train_config *config) {
    const int64_t batch = config->train.global_batch_size, micro = config->train.micro_batch_size;
    if (micro != TY_AUTO && batch % micro != 0)
        return ty_rows_reject(
            ctx, doc, "train.micro_batch_size",
            "train.micro_batch_size is %lld, want a divisor of train.global_batch_size %lld",
            (long long)micro, (long long)batch);
    const int64_t shards = config->train.shards;
    if (config->train.reduction != TY_REDUCE_EXACT)
        return TY_OK;
    if (batch % shards != 0)
        return ty_rows_reject(
            ctx, doc, "train.global_batch_size",
            "train.global_batch_size is %lld, want a multiple of train.shards %lld",
            (long long)batch, (long long)shards);
    if (micro != TY_AUTO && (batch / shards) % micro != 0)
        return ty_rows_reject(
            ctx, doc, "train.micro_batch_size",
            "train.micro_batch_size is %lld, want a divisor of a shard's %lld samples",
            (long long)micro, (long long)(batch / shards));
    return TY_OK;
}

static ty_status check_schedule(ty_ctx *ctx, const ty_doc *doc, const ty_train_config *config) {
    if (config->train.duration.unit != TY_UNIT_SECONDS ||
        !ty_schedule_needs_total(&config->schedule))
        return TY_OK;
    return ty_rows_reject(
        ctx, doc, "train.duration",
        "train.duration is a time, so schedule %s cannot know how many steps there are: want "
        "epochs, steps or samples, or schedule \"constant\" with warmup in steps",
        config->schedule.row->type);
}

static bool is_metric(const char *text, const char *suffix_loss, const char *suffix_accuracy) {
    return strcmp(text, suffix_loss) == 0 || strcmp(text, suffix_accuracy) == 0;
}

static ty_status check_best(ty_ctx *ctx, const ty_doc *doc, const ty_train_config *config) {
    const char *best = config->checkpoint.best;
    if (!best || strcmp(best, "auto") == 0 || is_metric(best, "val/loss:min", "val/accuracy:max"))
        return TY_OK;
    return ty_rows_reject(ctx, doc, "checkpoint.best",
                          "checkpoint.best is \"%s\", want \"val/loss:min\", \"val/accuracy:max\", "
                          "\"auto\" or \"none\"",
                          best);
}

static ty_status check_early_stop(ty_ctx *ctx, const ty_doc *doc, const ty_train_config *config) {
    const char *stop = config->train.early_stop.metric;
    if (!stop || is_metric(stop, "val/loss", "val/accuracy"))
        return TY_OK;
    return ty_rows_reject(
        ctx, doc, "train.early_stop.metric",
        "train.early_stop.metric is \"%s\", want \"val/loss\" or \"val/accuracy\"", stop);
}

/* Both are names of folders. */
static ty_status check_name(ty_ctx *ctx, const ty_doc *doc, const char *key, const char *name) {
    const size_t length = strlen(name);
    bool is_plain = length > 0 && length <= MAX_NAME && name[0] != '.';
    for (size_t i = 0; is_plain && i < length; i++)
        is_plain = (unsigned char)name[i] >= 0x20 && name[i] != 0x7f && name[i] != '/';
    if (is_plain)
        return TY_OK;
    return ty_rows_reject(ctx, doc, key,
                          "%s is no name for a folder: want 1 to %d bytes, without \"/\", control "
                          "characters and a dot in front",
                          key, (int)MAX_NAME);
}

static ty_status check_experiment(ty_ctx *ctx, const ty_doc *doc, const ty_train_config *config) {
    return check_name(ctx, doc, "experiment", config->experiment);
}

static ty_status check_run_name(ty_ctx *ctx, const ty_doc *doc, const ty_train_config *config) {
    return check_name(ctx, doc, "name", config->name);
}

/* All findings are reported at once: each rejection's message holds those before it. */
static ty_status check_together(ty_ctx *ctx, const ty_doc *doc, const ty_train_config *config) {
    ty_status (*const checks[])(ty_ctx *, const ty_doc *, const ty_train_config *) = {
        check_experiment, check_run_name, check_batch,
        check_schedule,   check_best,     check_early_stop};
    ty_status st = TY_OK;
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
        if (checks[i](ctx, doc, config) != TY_OK)
            st = TY_ERR_CONFIG;
    return st;
}

ty_status ty_train_config_load(ty_ctx *ctx, ty_doc *doc, ty_train_config *out) {
    *out = (ty_train_config){0};
    TY_TRY(ty_rows_load(ctx, &ty_train_rows, ty_train_foreign, doc, out));
    if (strcmp(out->checkpoint.best, "none") == 0)
        out->checkpoint.best = NULL;
    return check_together(ctx, doc, out);
}
