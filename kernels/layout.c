/* Layout arithmetic and the copies between layouts. */
#include "kernels/layout.h"

const ty_layout ty_layout_blocked8 = {.name = "nChw8c", .block = 8};
const ty_layout ty_layout_blocked16 = {.name = "nChw16c", .block = 16};
const ty_layout ty_layout_channels_last = {.name = "nhwc", .block = 0};

ty_layout_walk ty_layout_walk_of(const void *layout, ty_shape shape) {
    const ty_layout *blocked = layout;
    if (!blocked || shape.rank < 3)
        return (ty_layout_walk){1, 1, ty_shape_count(shape), 1, 1};
    ty_layout_walk walk = {.batch = shape.dims[0], .channels = shape.dims[1], .plane = 1};
    for (int i = 2; i < shape.rank; i++)
        walk.plane *= shape.dims[i];
    walk.block = blocked->block ? blocked->block : walk.channels;
    walk.n_blocks = (walk.channels + walk.block - 1) / walk.block;
    return walk;
}

int64_t ty_layout_count(const void *layout, ty_shape shape) {
    const ty_layout_walk walk = ty_layout_walk_of(layout, shape);
    return walk.batch * walk.n_blocks * walk.plane * walk.block;
}

size_t ty_layout_bytes(const void *layout, ty_shape shape, ty_dtype dtype) {
    return (size_t)ty_layout_count(layout, shape) * ty_dtype_bytes(dtype);
}

bool ty_layout_has_padding(const void *layout, ty_shape shape) {
    const ty_layout_walk walk = ty_layout_walk_of(layout, shape);
    return walk.channels % walk.block != 0;
}

/* One image's block of channels: the plane of channel c0 + k is blocked[k + s b] and canonical[k S
 * + s]. */
typedef void block_copy(const float *from, float *to, int64_t channels, int64_t plane,
                        int64_t block);

static void unpack_block(const float *from, float *to, int64_t channels, int64_t plane,
                         int64_t block) {
    for (int64_t k = 0; k < channels; k++)
        for (int64_t s = 0; s < plane; s++)
            to[k * plane + s] = from[s * block + k];
}

static void unpack_add_block(const float *from, float *to, int64_t channels, int64_t plane,
                             int64_t block) {
    for (int64_t k = 0; k < channels; k++)
        for (int64_t s = 0; s < plane; s++)
            to[k * plane + s] += from[s * block + k];
}

static void pack_block(const float *from, float *to, int64_t channels, int64_t plane,
                       int64_t block) {
    for (int64_t s = 0; s < plane; s++)
        for (int64_t k = 0; k < block; k++)
            to[s * block + k] = k < channels ? from[k * plane + s] : 0;
}

static void pack_add_block(const float *from, float *to, int64_t channels, int64_t plane,
                           int64_t block) {
    for (int64_t s = 0; s < plane; s++)
        for (int64_t k = 0; k < channels; k++)
            to[s * block + k] += from[k * plane + s];
}

/* Walks the blocks of all images. is_packing: `to` is the blocked side. */
static void copy_blocks(const void *layout, ty_shape shape, const float *from, float *to,
                        bool is_packing, block_copy *copy) {
    const ty_layout_walk walk = ty_layout_walk_of(layout, shape);
    for (int64_t n = 0; n < walk.batch; n++) {
        for (int64_t i = 0; i < walk.n_blocks; i++) {
            const int64_t first = i * walk.block;
            const int64_t left = walk.channels - first;
            const int64_t channels = left < walk.block ? left : walk.block;
            const int64_t canonical = (n * walk.channels + first) * walk.plane;
            const int64_t blocked = (n * walk.n_blocks + i) * walk.plane * walk.block;
            copy(from + (is_packing ? canonical : blocked), to + (is_packing ? blocked : canonical),
                 channels, walk.plane, walk.block);
        }
    }
}

void ty_layout_unpack(const void *layout, ty_shape shape, const float *from, float *to) {
    copy_blocks(layout, shape, from, to, false, unpack_block);
}

void ty_layout_unpack_add(const void *layout, ty_shape shape, const float *from, float *to) {
    copy_blocks(layout, shape, from, to, false, unpack_add_block);
}

void ty_layout_pack(const void *layout, ty_shape shape, const float *from, float *to) {
    copy_blocks(layout, shape, from, to, true, pack_block);
}

void ty_layout_pack_add(const void *layout, ty_shape shape, const float *from, float *to) {
    copy_blocks(layout, shape, from, to, true, pack_add_block);
}

void ty_layout_zero_padding(const void *layout, ty_shape shape, float *data) {
    if (!ty_layout_has_padding(layout, shape))
        return;
    const ty_layout_walk walk = ty_layout_walk_of(layout, shape);
    const int64_t kept = walk.channels - (walk.n_blocks - 1) * walk.block;
    for (int64_t n = 0; n < walk.batch; n++) {
        float *last = data + ((n + 1) * walk.n_blocks - 1) * walk.plane * walk.block;
        for (int64_t s = 0; s < walk.plane; s++)
            for (int64_t k = kept; k < walk.block; k++)
                last[s * walk.block + k] = 0;
    }
}
