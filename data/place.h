/* From what the user wrote as data.source to a place on disk. Private to data/. */
#ifndef TY_DATA_PLACE_H
#define TY_DATA_PLACE_H

#include "data/reader.h"

/* A named set is looked for in every folder of $TILTYARD_DATA_PATH (colon-separated;
 * <folder>/<name>), then as datasets/<name> in every folder of $XDG_DATA_DIRS (default
 * /usr/local/share:/usr/share), where Debian's packages put theirs. Anything else is a path.
 * Strings of out live in arena.
 * Errors: TY_ERR_NOT_FOUND saying what to install or the nearest name. */
ty_status ty_place_find(ty_ctx *ctx, const ty_data_config *config, ty_arena *arena,
                        ty_data_place *out) TY_MUST_USE;

#endif
