/* A view of numbers on a device: pointer, type, shape and a layout only the device understands. */
#ifndef TY_KERNELS_TENSOR_H
#define TY_KERNELS_TENSOR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ty_dtype {
    TY_DTYPE_F32,
    TY_DTYPE_U8,
    TY_DTYPE_I32,
    TY_DTYPE_I64,
    TY_DTYPE_F64,
    TY_DTYPE_BF16, /* the upper half of a float; in GPU memory only */
    TY_DTYPE_COUNT
} ty_dtype;

/* Of one element; "f32". */
size_t ty_dtype_bytes(ty_dtype dtype);
const char *ty_dtype_name(ty_dtype dtype);

enum { TY_MAX_RANK = 5 };

typedef struct ty_shape {
    int rank; /* 0: no tensor here */
    int64_t dims[TY_MAX_RANK];
} ty_shape;

/* The product of all dims; 0 for rank 0. Shapes are checked for overflow where they are made
 * (ty_op.infer). */
int64_t ty_shape_count(ty_shape shape);

/* Activations: layout and bytes are chosen by the op that produces the value. Parameters,
 * statistics, targets, weights: layout NULL (canonical, row-major, densely packed). The gradient of
 * a value has the value's layout. */
typedef struct ty_tensor {
    void *data; /* on the device */
    ty_dtype dtype;
    ty_shape shape;
    const void *layout; /* borrowed from the producing call; NULL: canonical */
    size_t bytes;       /* what the layout needs, padding included */
} ty_tensor;

#ifdef __cplusplus
}
#endif
#endif
