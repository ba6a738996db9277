/* Random changes of training images. Private to data/. */
#ifndef TY_DATA_AUGMENT_H
#define TY_DATA_AUGMENT_H

#include "base/base.h"

typedef struct ty_augment {
    uint64_t seed;
    double flip;          /* probability */
    int64_t crop_padding; /* pixels */
    int64_t dims[3];      /* [C,H,W] */
    size_t element_bytes; /* 1 or 4 */
} ty_augment;

static inline bool ty_augment_is_off(const ty_augment *augment) {
    return !(augment->flip > 0) && augment->crop_padding <= 0;
}

/* Writes the image as it is seen in this epoch: mirrored or not, then moved by up to crop_padding
 * pixels each way with zeros where it moved from. A pure function of (seed, sample, epoch) and the
 * image, so neither ranks nor batches matter.
 * Shapes: from and to are [C,H,W]; they must not overlap. */
void ty_augment_apply(const ty_augment *augment, int64_t sample, int64_t epoch, const void *from,
                      void *to);

#endif
