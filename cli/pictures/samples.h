/* Samples of a data set as images. */
#ifndef TY_CLI_PICTURES_SAMPLES_H
#define TY_CLI_PICTURES_SAMPLES_H

#include "cli/pictures/canvas.h"
#include "data/data.h"

/* Whether samples are images that can be shown: u8, 1 or 3 planes, at most 512 pixels a side. */
bool samples_are_images(const ty_data_info *info);

/* One sample; its pixels are in arena, its class in *out_class (classifications only).
 * Errors: as ty_dataset_sample; TY_ERR_NOMEM. */
ty_status sample_image(ty_ctx *ctx, const ty_dataset *data, ty_split split, int64_t index,
                       ty_arena *arena, canvas_image *out, int64_t *out_class) TY_MUST_USE;

/* A class's name, or its number, in arena; "?" where memory is out. */
const char *class_name(const ty_data_info *info, int64_t index, ty_arena *arena);

#endif
