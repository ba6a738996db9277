/* Small 8-bit grey or RGB images as PNG (ISO/IEC 15948): as a file's bytes, or base64 in a data: URI,
 * so that a report is one file. */
#ifndef TY_CLI_PICTURES_PNG_H
#define TY_CLI_PICTURES_PNG_H

#include "base/base.h"

/* pixels: height rows of width * channels bytes; channels 1 or 3. Appends the file's bytes.
 * Errors: TY_ERR_NOMEM. */
ty_status png_encode(ty_ctx *ctx, const uint8_t *pixels, int width, int height, int channels,
                     ty_text *out) TY_MUST_USE;

/* The same as "data:image/png;base64,...". */
ty_status png_data_uri(ty_ctx *ctx, const uint8_t *pixels, int width, int height, int channels,
                       ty_text *out) TY_MUST_USE;

#endif
