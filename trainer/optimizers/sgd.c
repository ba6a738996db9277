/* sgd: momentum and Nesterov's variant, as PyTorch defines them. */
#include "trainer/optimizers/optimizers.h"

typedef struct sgd_config {
    ty_optimizer_base base;
    double momentum;
    bool nesterov;
} sgd_config;

_Static_assert(sizeof(sgd_config) <= TY_OPTIMIZER_CONFIG_BYTES, "grow TY_OPTIMIZER_CONFIG_BYTES");

static const ty_row rows[] = {
    TY_OPTIMIZER_BASE_ROWS(sgd_config, "0.05", "5e-4"),
    {.key = "momentum",
     .type = TY_ROW_REAL,
     .offset = offsetof(sgd_config, momentum),
     .fallback = "0.9",
     .min = 0,
     .max = 1,
     .max_is_open = true,
     .help = "share of the last velocity that stays"},
    {.key = "nesterov",
     .type = TY_ROW_BOOL,
     .offset = offsetof(sgd_config, nesterov),
     .fallback = "true",
     .help = "look ahead along the velocity"},
};
const ty_rows ty_optimizer_sgd_rows = TY_ROWS(rows);

ty_status ty_optimizer_sgd(ty_ctx *ctx, ty_device *dev, const void *keys,
                           const ty_update_args *args) {
    const sgd_config *config = keys;
    const ty_sgd_args call = {.params = args->params,
                              .grads = args->grads,
                              .velocity = args->slots[0],
                              .segments = args->segments,
                              .n_segments = args->n_segments,
                              .learning_rate = args->learning_rate,
                              .momentum = config->momentum,
                              .weight_decay = config->base.weight_decay,
                              .verdict = args->verdict,
                              .params_bf16 = args->params_bf16,
                              .is_nesterov = config->nesterov,
                              .step = args->step};
    return ty_flat_sgd(ctx, dev, &call);
}
