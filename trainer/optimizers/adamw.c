/* adamw: the defaults train most models. */
#include "trainer/optimizers/optimizers.h"

typedef struct adamw_config {
    ty_optimizer_base base;
    double beta1, beta2, epsilon;
} adamw_config;

_Static_assert(sizeof(adamw_config) <= TY_OPTIMIZER_CONFIG_BYTES, "grow TY_OPTIMIZER_CONFIG_BYTES");

static const ty_row rows[] = {
    TY_OPTIMIZER_BASE_ROWS(adamw_config, "1e-3", "0.01"),
    {.key = "beta1",
     .type = TY_ROW_REAL,
     .offset = offsetof(adamw_config, beta1),
     .fallback = "0.9",
     .min = 0,
     .max = 1,
     .max_is_open = true,
     .help = "memory of the mean of gradients"},
    {.key = "beta2",
     .type = TY_ROW_REAL,
     .offset = offsetof(adamw_config, beta2),
     .fallback = "0.999",
     .min = 0,
     .max = 1,
     .max_is_open = true,
     .help = "memory of the mean of their squares"},
    {.key = "epsilon",
     .type = TY_ROW_REAL,
     .offset = offsetof(adamw_config, epsilon),
     .fallback = "1e-8",
     .min = 0,
     .max = 1,
     .min_is_open = true,
     .help = "added to the root of the mean square"},
};
const ty_rows ty_optimizer_adamw_rows = TY_ROWS(rows);

ty_status ty_optimizer_adamw(ty_ctx *ctx, ty_device *dev, const void *keys,
                             const ty_update_args *args) {
    const adamw_config *config = keys;
    const ty_adamw_args call = {.params = args->params,
                                .grads = args->grads,
                                .m = args->slots[0],
                                .v = args->slots[1],
                                .segments = args->segments,
                                .n_segments = args->n_segments,
                                .learning_rate = args->learning_rate,
                                .beta1 = config->beta1,
                                .beta2 = config->beta2,
                                .epsilon = config->epsilon,
                                .weight_decay = config->base.weight_decay,
                                .verdict = args->verdict,
                                .params_bf16 = args->params_bf16,
                                .step = args->step};
    return ty_flat_adamw(ctx, dev, &call);
}
