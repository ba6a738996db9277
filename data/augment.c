/* Flip and padded crop, row by row. */
#include "data/augment.h"

#include <assert.h>
#include <string.h>

/* What was drawn: to[y][x] = from[y + dy][x + dx], or of the mirrored row. */
typedef struct move {
    bool is_mirrored;
    int64_t dy, dx;
} move;

static move draw_move(const ty_augment *augment, int64_t sample, int64_t epoch) {
    const ty_rng_key key = ty_rng_key_of(augment->seed, TY_STREAM_AUGMENT);
    const ty_rng_block draw = ty_rng_draw(key, (uint64_t)sample, (uint64_t)epoch);
    const uint32_t places = (uint32_t)(2 * augment->crop_padding + 1);
    return (move){.is_mirrored = (double)ty_rng_uniform(draw.v[0]) < augment->flip,
                  .dy = (int64_t)(draw.v[1] % places) - augment->crop_padding,
                  .dx = (int64_t)(draw.v[2] % places) - augment->crop_padding};
}

static void mirror_bytes(const uint8_t *from, uint8_t *to, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        to[i] = from[n - 1 - i];
}

static void mirror_words(const uint8_t *from, uint8_t *to, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        memcpy(to + 4 * i, from + 4 * (n - 1 - i), 4);
}

/* to[x] = from[x + dx] (of the mirrored row), 0 outside. */
static void move_row(const uint8_t *from, uint8_t *to, int64_t width, size_t element_bytes,
                     move by) {
    const int64_t first = by.dx < 0 ? -by.dx : 0; /* in to */
    const int64_t last = by.dx > 0 ? width - by.dx : width;
    uint8_t *out = to + (size_t)first * element_bytes;
    memset(to, 0, (size_t)first * element_bytes);
    memset(to + (size_t)last * element_bytes, 0, (size_t)(width - last) * element_bytes);
    if (!by.is_mirrored)
        memcpy(out, from + (size_t)(first + by.dx) * element_bytes,
               (size_t)(last - first) * element_bytes);
    else if (element_bytes == 1)
        mirror_bytes(from + (width - last - by.dx), out, last - first);
    else
        mirror_words(from + 4 * (width - last - by.dx), out, last - first);
}

void ty_augment_apply(const ty_augment *augment, int64_t sample, int64_t epoch, const void *from,
                      void *to) {
    assert(augment->element_bytes == 1 || augment->element_bytes == 4);
    assert(augment->crop_padding < augment->dims[2]);
    const move by = draw_move(augment, sample, epoch);
    const int64_t height = augment->dims[1], width = augment->dims[2];
    const size_t row_bytes = (size_t)width * augment->element_bytes;
    for (int64_t channel = 0; channel < augment->dims[0]; channel++) {
        const uint8_t *plane = (const uint8_t *)from + (size_t)(channel * height) * row_bytes;
        uint8_t *out = (uint8_t *)to + (size_t)(channel * height) * row_bytes;
        for (int64_t y = 0; y < height; y++, out += row_bytes) {
            const int64_t source = y + by.dy;
            if (source < 0 || source >= height)
                memset(out, 0, row_bytes);
            else
                move_row(plane + (size_t)source * row_bytes, out, width, augment->element_bytes,
                         by);
        }
    }
}
