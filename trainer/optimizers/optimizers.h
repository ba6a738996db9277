/* The table of optimizers. One file with its keys and its update over flat buffers, and one line
 * here. */
#ifndef TY_TRAINER_OPTIMIZERS_OPTIMIZERS_H
#define TY_TRAINER_OPTIMIZERS_OPTIMIZERS_H

#include "kernels/kernels.h"

/* X(type, help, names of its state buffers...) */
#define TY_OPTIMIZER_ROWS(X)                                                                       \
    X(adamw, "Adam with decoupled weight decay (Loshchilov & Hutter 2019)", "m", "v")              \
    X(sgd, "stochastic gradient descent with momentum", "velocity")

enum { TY_OPTIMIZER_CONFIG_BYTES = 64, TY_OPTIMIZER_MAX_SLOTS = 2 };

/* What every optimizer has; the first member of each config. */
typedef struct ty_optimizer_base {
    double learning_rate, weight_decay;
} ty_optimizer_base;

/* One update of the elements that the segments cover. */
typedef struct ty_update_args {
    float *params;
    const float *grads;
    float *const *slots; /* the optimizer's state buffers */
    const ty_segment *segments;
    int64_t n_segments;
    double learning_rate;
    const ty_verdict *verdict; /* on the device */
    void *params_bf16;         /* NULL: none is kept */
    int64_t step;              /* from 1, not counting skipped ones */
} ty_update_args;

typedef ty_status ty_optimizer_update(ty_ctx *ctx, ty_device *dev, const void *config,
                                      const ty_update_args *args);

#define TY_OPTIMIZER_DECLARE(type, help, ...)                                                      \
    ty_optimizer_update ty_optimizer_##type;                                                       \
    extern const ty_rows ty_optimizer_##type##_rows;
TY_OPTIMIZER_ROWS(TY_OPTIMIZER_DECLARE)
#undef TY_OPTIMIZER_DECLARE

#define TY_OPTIMIZER_BASE_ROWS(config, rate, decay)                                                \
    {.key = "learning_rate",                                                                       \
     .type = TY_ROW_REAL,                                                                          \
     .offset = offsetof(config, base.learning_rate),                                               \
     .fallback = rate,                                                                             \
     .min = 0,                                                                                     \
     .max = 1000,                                                                                  \
     .min_is_open = true,                                                                          \
     .help = "the highest rate of the schedule"},                                                  \
    {                                                                                              \
        .key = "weight_decay", .type = TY_ROW_REAL, .offset = offsetof(config, base.weight_decay), \
        .fallback = decay, .min = 0, .max = 1000,                                                  \
        .help = "pull of weights towards zero; biases and gains of norms are left out"             \
    }

/* For config.c; ends with a row of type NULL. */
extern const ty_variant_row ty_optimizer_variants[];

/* Names of the chosen optimizer's state buffers, as checkpoints have them; at most
 * TY_OPTIMIZER_MAX_SLOTS. */
const char *const *ty_optimizer_slots(const ty_variant *optimizer, int *out_n);

/* One update by the optimizer chosen in a config. Pointers are device memory; work is queued.
 * Errors: as the flat kernel's (kernels/flat.h). */
ty_status ty_optimizer_run(ty_ctx *ctx, ty_device *dev, const ty_variant *optimizer,
                           const ty_update_args *args) TY_MUST_USE;

#endif
