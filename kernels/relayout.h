/* Copies of a value from one layout to another. Private to kernels. */
#ifndef TY_KERNELS_RELAYOUT_H
#define TY_KERNELS_RELAYOUT_H

#include "kernels/cpu.h"

/* to = from, or to += from where it accumulates, both f32 of the given shape. At most one of the
 * layouts may be other than canonical, unless they are the same. Padding receives zeros, or keeps
 * them. */
void ty_relayout(const ty_device *dev, ty_shape shape, const void *from_layout, const float *from,
                 const void *to_layout, float *to, bool accumulates);

#endif
