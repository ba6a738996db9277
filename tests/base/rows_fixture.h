/* A config that uses every type of row, for the tests of rows and for fuzz_config. */
#ifndef TY_TESTS_BASE_ROWS_FIXTURE_H
#define TY_TESTS_BASE_ROWS_FIXTURE_H

#include <math.h>

#include "base/base.h"

typedef struct sgd_config {
    double learning_rate, momentum;
    bool nesterov;
} sgd_config;

typedef struct adamw_config {
    double learning_rate, weight_decay;
    ty_reals betas;
} adamw_config;

typedef struct conv2d_config {
    int64_t out, kernel, stride;
} conv2d_config;

typedef struct residual_config {
    ty_variants layers;
    struct {
        double scale;
    } skip;
} residual_config;

typedef struct fixture_config {
    const char *name, *best;
    int64_t seed, threads;
    int device;
    bool deterministic;
    double dropout, floor;
    struct {
        ty_amount duration, every, warmup, deadline;
        int64_t global_batch_size, micro_batch_size;
        struct {
            const char *metric;
            int64_t patience;
        } early_stop;
    } train;
    ty_variant optimizer, schedule;
    struct {
        ty_variants layers;
    } model;
    ty_reals milestones;
    ty_texts tags;
    struct {
        int64_t log_every;
    } display;
} fixture_config;

enum { FORM_SGD, FORM_ADAMW, FORM_CONV2D, FORM_RELU, FORM_RESIDUAL, FORM_COSINE };

static const ty_row sgd_rows_v[] = {
    {.key = "learning_rate",
     .type = TY_ROW_REAL,
     .offset = offsetof(sgd_config, learning_rate),
     .fallback = "0.1",
     .min = 0,
     .max = INFINITY,
     .min_is_open = true,
     .help = "Step size."},
    {.key = "momentum",
     .type = TY_ROW_REAL,
     .offset = offsetof(sgd_config, momentum),
     .fallback = "0.9",
     .max = 1,
     .max_is_open = true,
     .help = "How much of the last step is kept."},
    {.key = "nesterov",
     .type = TY_ROW_BOOL,
     .offset = offsetof(sgd_config, nesterov),
     .fallback = "false",
     .help = "Look ahead."},
};
static const ty_rows sgd_rows = TY_ROWS(sgd_rows_v);

static const ty_row adamw_rows_v[] = {
    {.key = "learning_rate",
     .type = TY_ROW_REAL,
     .offset = offsetof(adamw_config, learning_rate),
     .fallback = "0.001",
     .min_is_open = true,
     .help = "Step size."},
    {.key = "weight_decay",
     .type = TY_ROW_REAL,
     .offset = offsetof(adamw_config, weight_decay),
     .fallback = "1e-2",
     .max = 1,
     .help = "Decoupled."},
    {.key = "betas",
     .type = TY_ROW_REALS,
     .offset = offsetof(adamw_config, betas),
     .fallback = "[0.9, 0.999]",
     .max = 1,
     .max_is_open = true,
     .help = "Decay of the two moments."},
};
static const ty_rows adamw_rows = TY_ROWS(adamw_rows_v);

static const ty_variant_row optimizer_forms[] = {
    {"sgd", "Plain descent.", &sgd_rows, sizeof(sgd_config), FORM_SGD},
    {"adamw", "Adam with decoupled decay.", &adamw_rows, sizeof(adamw_config), FORM_ADAMW},
    {0},
};

static const ty_variant_row schedule_forms[] = {
    {"cosine", "Half a cosine.", NULL, 0, FORM_COSINE},
    {0},
};

static const ty_row conv2d_rows_v[] = {
    {.key = "out",
     .type = TY_ROW_INT,
     .offset = offsetof(conv2d_config, out),
     .min = 1,
     .unit = "channels",
     .help = "Output channels."},
    {.key = "kernel",
     .type = TY_ROW_INT,
     .offset = offsetof(conv2d_config, kernel),
     .fallback = "3",
     .min = 1,
     .max = 15,
     .help = "Side of the kernel."},
    {.key = "stride",
     .type = TY_ROW_INT,
     .offset = offsetof(conv2d_config, stride),
     .fallback = "1",
     .min = 1,
     .help = "Step of the kernel."},
};
static const ty_rows conv2d_rows = TY_ROWS(conv2d_rows_v);

extern const ty_variant_row layer_forms[];

static const ty_row skip_rows_v[] = {
    {.key = "scale", .type = TY_ROW_REAL, .offset = 0, .fallback = "1", .help = "Of the skip."},
};
static const ty_rows skip_rows = TY_ROWS(skip_rows_v);

/* Layers in a layer: the tables go round in a circle. */
static const ty_row residual_rows_v[] = {
    {.key = "layers",
     .type = TY_ROW_VARIANTS,
     .offset = offsetof(residual_config, layers),
     .variants = layer_forms,
     .help = "What is skipped."},
    {.key = "skip",
     .type = TY_ROW_SECTION,
     .offset = offsetof(residual_config, skip),
     .rows = &skip_rows,
     .help = "The way round."},
};
static const ty_rows residual_rows = TY_ROWS(residual_rows_v);

const ty_variant_row layer_forms[] = {
    {"conv2d", "Convolution.", &conv2d_rows, sizeof(conv2d_config), FORM_CONV2D},
    {"relu", "max(0, x).", NULL, 0, FORM_RELU},
    {"residual", "x + f(x).", &residual_rows, sizeof(residual_config), FORM_RESIDUAL},
    {0},
};

static const char *const device_choices[] = {"auto", "cpu", "cuda", NULL};

static const ty_row early_stop_rows_v[] = {
    {.key = "metric",
     .type = TY_ROW_TEXT,
     .offset = 0,
     .fallback = "null",
     .help = "What is watched."},
    {.key = "patience",
     .type = TY_ROW_INT,
     .offset = sizeof(char *),
     .fallback = "3",
     .min = 1,
     .unit = "evaluations",
     .help = "How long it may not improve."},
};
static const ty_rows early_stop_rows = TY_ROWS(early_stop_rows_v);

#define TRAIN(field) (offsetof(fixture_config, train.field) - offsetof(fixture_config, train))
static const ty_row train_rows_v[] = {
    {.key = "duration",
     .type = TY_ROW_AMOUNT,
     .offset = TRAIN(duration),
     .units =
         1u << TY_UNIT_EPOCHS | 1u << TY_UNIT_STEPS | 1u << TY_UNIT_SAMPLES | 1u << TY_UNIT_SECONDS,
     .min_is_open = true,
     .help = "How long to train."},
    {.key = "every",
     .type = TY_ROW_AMOUNT,
     .offset = TRAIN(every),
     .fallback = "\"1 epoch\"",
     .units = 1u << TY_UNIT_EPOCHS | 1u << TY_UNIT_STEPS | 1u << TY_UNIT_NONE,
     .effect = TY_EFFECT_DISPLAY,
     .help = "How often to evaluate."},
    {.key = "warmup",
     .type = TY_ROW_AMOUNT,
     .offset = TRAIN(warmup),
     .fallback = "\"5%\"",
     .units = 1u << TY_UNIT_PERCENT | 1u << TY_UNIT_STEPS,
     .help = "Of the schedule."},
    {.key = "deadline",
     .type = TY_ROW_AMOUNT,
     .offset = TRAIN(deadline),
     .fallback = "60",
     .units = 1u << TY_UNIT_SECONDS,
     .min = 1,
     .max = 3600,
     .effect = TY_EFFECT_COST,
     .help = "Of a collective."},
    {.key = "global_batch_size",
     .type = TY_ROW_INT,
     .offset = TRAIN(global_batch_size),
     .fallback = "128",
     .min = 1,
     .max = 1 << 20,
     .unit = "samples",
     .help = "Of all ranks together."},
    {.key = "micro_batch_size",
     .type = TY_ROW_INT,
     .offset = TRAIN(micro_batch_size),
     .fallback = "\"auto\"",
     .min = 1,
     .allows_auto = true,
     .effect = TY_EFFECT_COST,
     .help = "Of one plan | one rank."},
    {.key = "early_stop",
     .type = TY_ROW_SECTION,
     .offset = TRAIN(early_stop),
     .rows = &early_stop_rows,
     .help = "When to stop early."},
};
static const ty_rows train_rows = TY_ROWS(train_rows_v);

static const ty_row model_rows_v[] = {
    {.key = "layers",
     .type = TY_ROW_VARIANTS,
     .offset = 0,
     .variants = layer_forms,
     .help = "From input to output."},
};
static const ty_rows model_rows = TY_ROWS(model_rows_v);

static const ty_row display_rows_v[] = {
    {.key = "log_every",
     .type = TY_ROW_INT,
     .offset = 0,
     .fallback = "1",
     .min = 1,
     .help = "Points."},
};
static const ty_rows display_rows = TY_ROWS(display_rows_v);

static const ty_row fixture_rows_v[] = {
    {.key = "name",
     .type = TY_ROW_TEXT,
     .offset = offsetof(fixture_config, name),
     .fallback = "\"run\"",
     .effect = TY_EFFECT_DISPLAY,
     .help = "Of the run."},
    {.key = "best",
     .type = TY_ROW_TEXT,
     .offset = offsetof(fixture_config, best),
     .fallback = "\"val/loss\"",
     .allows_null = true,
     .help = "What decides."},
    {.key = "seed",
     .type = TY_ROW_INT,
     .offset = offsetof(fixture_config, seed),
     .fallback = "0",
     .help = "Of all randomness."},
    {.key = "threads",
     .type = TY_ROW_INT,
     .offset = offsetof(fixture_config, threads),
     .fallback = "\"auto\"",
     .min = 1,
     .max = 1024,
     .allows_auto = true,
     .effect = TY_EFFECT_COST,
     .help = "Of a rank."},
    {.key = "device",
     .type = TY_ROW_CHOICE,
     .offset = offsetof(fixture_config, device),
     .fallback = "\"auto\"",
     .choices = device_choices,
     .help = "Where."},
    {.key = "deterministic",
     .type = TY_ROW_BOOL,
     .offset = offsetof(fixture_config, deterministic),
     .fallback = "true",
     .help = "Same bits."},
    {.key = "dropout",
     .type = TY_ROW_REAL,
     .offset = offsetof(fixture_config, dropout),
     .fallback = "0",
     .max = 1,
     .max_is_open = true,
     .unit = "ratio",
     .help = "Of the activations."},
    {.key = "floor",
     .type = TY_ROW_REAL,
     .offset = offsetof(fixture_config, floor),
     .fallback = "\"auto\"",
     .allows_auto = true,
     .help = "Any number."},
    {.key = "train",
     .type = TY_ROW_SECTION,
     .offset = offsetof(fixture_config, train),
     .rows = &train_rows,
     .help = "The job."},
    {.key = "optimizer",
     .type = TY_ROW_VARIANT,
     .offset = offsetof(fixture_config, optimizer),
     .fallback = "\"adamw\"",
     .variants = optimizer_forms,
     .help = "What makes steps of gradients."},
    {.key = "schedule",
     .type = TY_ROW_VARIANT,
     .offset = offsetof(fixture_config, schedule),
     .fallback = "null",
     .variants = schedule_forms,
     .help = "Of the learning rate."},
    {.key = "model",
     .type = TY_ROW_SECTION,
     .offset = offsetof(fixture_config, model),
     .rows = &model_rows,
     .help = "The net."},
    {.key = "milestones",
     .type = TY_ROW_REALS,
     .offset = offsetof(fixture_config, milestones),
     .fallback = "[]",
     .max = 1,
     .help = "Where the rate drops."},
    {.key = "tags",
     .type = TY_ROW_TEXTS,
     .offset = offsetof(fixture_config, tags),
     .fallback = "[]",
     .effect = TY_EFFECT_DISPLAY,
     .help = "Free."},
    {.key = "display",
     .type = TY_ROW_SECTION,
     .offset = offsetof(fixture_config, display),
     .rows = &display_rows,
     .effect = TY_EFFECT_DISPLAY,
     .help = "What is shown."},
};
static const ty_rows fixture_rows = TY_ROWS(fixture_rows_v);

static const ty_foreign_name fixture_foreign[] = {
    {"lr", "optimizer.learning_rate"},
    {"num_epochs", "train.duration"},
    {"batch_size", "say global_batch_size (all ranks) or micro_batch_size (one rank)"},
    {0},
};

#endif
