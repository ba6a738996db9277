/* How an activation [B, C, H, W] lies in memory: channels in blocks, so that a vector register
 * holds one pixel's block. With b = block (0: all channels, "channels last"), S = H W and s = h W +
 * w, element (n, c, s) lies at
 *
 *     ((n * ceil(C / b) + c / b) * S + s) * b + c % b
 *
 * b = 1 is canonical order, written as a NULL layout. Where C is no multiple of b the last block is
 * padded; whoever writes a value writes zeros there, because oneDNN's kernels read them. Layouts
 * are constants: one pointer, one layout. */
#ifndef TY_KERNELS_LAYOUT_H
#define TY_KERNELS_LAYOUT_H

#include <stdbool.h>

#include "kernels/tensor.h"

typedef struct ty_layout {
    const char *name;
    int64_t block;
} ty_layout;

extern const ty_layout ty_layout_blocked8, ty_layout_blocked16, ty_layout_channels_last;

/* The formula's numbers for one value; canonical values of any rank are {1, 1, count}. */
typedef struct ty_layout_walk {
    int64_t batch, channels, plane; /* B, C, S */
    int64_t block, n_blocks;        /* b, ceil(C / b) */
} ty_layout_walk;

/* Of a value of this layout (NULL: canonical) and shape. */
ty_layout_walk ty_layout_walk_of(const void *layout, ty_shape shape);

/* Elements and bytes that the layout takes, padding included. */
int64_t ty_layout_count(const void *layout, ty_shape shape);
size_t ty_layout_bytes(const void *layout, ty_shape shape, ty_dtype dtype);
bool ty_layout_has_padding(const void *layout, ty_shape shape);

/* Between a layout and canonical order, f32. to = from, or to += from; pack writes the padding's
 * zeros. */
void ty_layout_unpack(const void *layout, ty_shape shape, const float *from, float *to);
void ty_layout_unpack_add(const void *layout, ty_shape shape, const float *from, float *to);
void ty_layout_pack(const void *layout, ty_shape shape, const float *from, float *to);
void ty_layout_pack_add(const void *layout, ty_shape shape, const float *from, float *to);

/* Writes zeros over the padding of a value that an elementwise op filled without looking. */
void ty_layout_zero_padding(const void *layout, ty_shape shape, float *data);

#endif
