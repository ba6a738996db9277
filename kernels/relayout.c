#include "kernels/relayout.h"

#include <assert.h>
#include <string.h>

#include "kernels/loops.h"

static void copy_same(const ty_device *dev, int64_t n, const float *from, float *to,
                      bool accumulates) {
    if (accumulates)
        ty_cpu_loops(dev)->add(to, to, from, n);
    else if (n > 0)
        memcpy(to, from, (size_t)n * sizeof *to);
}

void ty_relayout(const ty_device *dev, ty_shape shape, const void *from_layout, const float *from,
                 const void *to_layout, float *to, bool accumulates) {
    assert(from_layout == to_layout || !from_layout || !to_layout);
    if (from_layout == to_layout)
        copy_same(dev, ty_layout_count(to_layout, shape), from, to, accumulates);
    else if (to_layout && accumulates)
        ty_layout_pack_add(to_layout, shape, from, to);
    else if (to_layout)
        ty_layout_pack(to_layout, shape, from, to);
    else if (accumulates)
        ty_layout_unpack_add(from_layout, shape, from, to);
    else
        ty_layout_unpack(from_layout, shape, from, to);
}
