/* The table made into rows for the config and functions for the update. */
#include "trainer/optimizers/optimizers.h"

#define ID_OF(name, text, ...) ID_##name,
#define ROW_OF(name, text, ...)                                                                    \
    {.type = #name,                                                                                \
     .help = text,                                                                                 \
     .rows = &ty_optimizer_##name##_rows,                                                          \
     .struct_bytes = TY_OPTIMIZER_CONFIG_BYTES,                                                    \
     .id = ID_##name},
#define KIND_OF(name, text, ...)                                                                   \
    [ID_##name] = {.update = ty_optimizer_##name, .slots = {__VA_ARGS__}},

enum { TY_OPTIMIZER_ROWS(ID_OF) };

const ty_variant_row ty_optimizer_variants[] = {TY_OPTIMIZER_ROWS(ROW_OF){.type = NULL}};

static const struct {
    ty_optimizer_update *update;
    const char *slots[TY_OPTIMIZER_MAX_SLOTS];
} kinds[] = {TY_OPTIMIZER_ROWS(KIND_OF)};

const char *const *ty_optimizer_slots(const ty_variant *optimizer, int *out_n) {
    const char *const *slots = kinds[optimizer->row->id].slots;
    *out_n = 0;
    while (*out_n < TY_OPTIMIZER_MAX_SLOTS && slots[*out_n])
        (*out_n)++;
    return slots;
}

ty_status ty_optimizer_run(ty_ctx *ctx, ty_device *dev, const ty_variant *optimizer,
                           const ty_update_args *args) {
    return kinds[optimizer->row->id].update(ctx, dev, optimizer->config, args);
}
