#include "cli/pictures/samples.h"

#include <string.h>

enum { MAX_SIDE = 512 };

bool samples_are_images(const ty_data_info *info) {
    const int64_t *d = info->x_dims;
    const bool has_planes = info->x_is_u8 && info->x_rank == 3 && (d[0] == 1 || d[0] == 3);
    return has_planes && d[1] <= MAX_SIDE && d[2] <= MAX_SIDE;
}

/* Planes one after another become channels side by side. */
static void interleave(const uint8_t *planes, size_t channels, size_t plane, uint8_t *pixels) {
    for (size_t p = 0; p < plane; p++)
        for (size_t c = 0; c < channels; c++)
            pixels[p * channels + c] = planes[c * plane + p];
}

ty_status sample_image(ty_ctx *ctx, const ty_dataset *data, ty_split split, int64_t index,
                       ty_arena *arena, canvas_image *out, int64_t *out_class) {
    const ty_data_info *info = ty_dataset_info(data);
    const size_t count = (size_t)info->x_count, channels = (size_t)info->x_dims[0];
    uint8_t *planes = ty_arena_array(arena, count, 1), *pixels = ty_arena_array(arena, count, 1);
    /* Room for a class or for all targets. */
    void *target = ty_arena_array(arena, (size_t)info->n_outputs + 1, sizeof(double));
    if (!planes || !pixels || !target)
        return ty_fail_nomem(ctx, "a sample's image");
    TY_TRY(ty_dataset_sample(ctx, data, split, index, planes, target));
    int32_t class_index;
    memcpy(&class_index, target, sizeof class_index);
    *out_class = info->is_classification ? class_index : -1;
    interleave(planes, channels, count / channels, pixels);
    *out = (canvas_image){.pixels = pixels,
                          .width = (int)info->x_dims[2],
                          .height = (int)info->x_dims[1],
                          .channels = (int)channels};
    return TY_OK;
}

const char *class_name(const ty_data_info *info, int64_t index, ty_arena *arena) {
    const bool has_name = info->class_names && index >= 0 && index < info->n_outputs;
    if (has_name)
        return info->class_names[index];
    const char *number = ty_arena_printf(arena, "%lld", (long long)index);
    return number ? number : "?";
}
