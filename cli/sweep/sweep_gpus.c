/* Which GPUs a slot's trials see. Slots share them out by CUDA_VISIBLE_DEVICES: the sweep itself opens
 * none. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/sweep/sweep.h"

/* CUDA sees those before the first that cannot be, as which "-1" is written to have none. */
static bool is_end(const char *one) {
    return one[strspn(one, " ")] == '-';
}

/* Those that this process may use, by CUDA_VISIBLE_DEVICES, else all that the driver lists. */
static ty_status list_gpus(sweep *s, const char *const **out, size_t *n) {
    ty_ctx *ctx = &s->app->ctx;
    const char *visible = ctx->getenv("CUDA_VISIBLE_DEVICES");
    const char *driver = "/proc/driver/nvidia/gpus";
    char **names = NULL;
    *n = 0;
    if (!visible && !ty_file_exists(ctx, driver))
        return TY_OK;
    if (!visible) {
        TY_TRY(ty_dir_list(ctx, driver, &s->arena, &names, n));
        for (size_t i = 0; i < *n; i++)
            names[i] = ty_arena_printf(&s->arena, "%zu", i);
        *out = (const char *const *)names;
        return TY_OK;
    }
    char *text = ty_arena_string(&s->arena, visible);
    names = ty_arena_array(&s->arena, strlen(visible) + 1, sizeof *names);
    if (!text || !names)
        return ty_fail_nomem(ctx, "the list of GPUs");
    char *rest = NULL;
    for (char *one = strtok_r(text, ",", &rest); one && !is_end(one);
         one = strtok_r(NULL, ",", &rest))
        names[(*n)++] = one;
    *out = (const char *const *)names;
    return TY_OK;
}

static ty_status add_slot(sweep *s, size_t slot, const char *const *gpus) {
    const size_t each = (size_t)s->file.resources.gpus_per_trial;
    const size_t first = slot / (size_t)s->file.resources.trials_per_gpu * each;
    ty_text list = {0};
    for (size_t i = 0; i < each; i++)
        ty_text_addf(&list, "%s%s", i ? "," : "", gpus[first + i]);
    s->slot_gpus[slot] =
        ty_arena_printf(&s->arena, "CUDA_VISIBLE_DEVICES=%s", ty_text_string(&list));
    ty_text_clear(&list);
    return s->slot_gpus[slot] ? TY_OK : ty_fail_nomem(&s->app->ctx, "the list of GPUs");
}

ty_status sweep_share_gpus(sweep *s) {
    const size_t each = (size_t)s->file.resources.gpus_per_trial;
    const size_t packed = (size_t)s->file.resources.trials_per_gpu, all = (size_t)s->n_slots;
    const char *const *gpus = NULL;
    size_t n = 0;
    if (each == 0)
        return TY_OK;
    if (packed > 1 && each > 1)
        return ty_fail(&s->app->ctx, TY_ERR_CONFIG,
                       "resources.trials_per_gpu is %zu and gpus_per_trial %zu: only trials of one "
                       "GPU can share it",
                       packed, each);
    TY_TRY(list_gpus(s, &gpus, &n));
    const size_t wanted = (all + packed - 1) / packed * each;
    if (n < wanted)
        return ty_fail(
            &s->app->ctx, TY_ERR_CONFIG,
            "%zu trials at once want %zu GPUs (resources: %zu a trial, %zu trials a GPU), "
            "there are %zu; give a smaller -j",
            all, wanted, each, packed, n);
    s->slot_gpus = ty_arena_array(&s->arena, all, sizeof *s->slot_gpus);
    if (!s->slot_gpus)
        return ty_fail_nomem(&s->app->ctx, "the list of GPUs");
    for (size_t slot = 0; slot < all; slot++)
        TY_TRY(add_slot(s, slot, gpus));
    return TY_OK;
}
