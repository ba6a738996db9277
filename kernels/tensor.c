/* The element types' table and the size of a shape. */
#include "kernels/tensor.h"

typedef struct dtype_row {
    const char *name;
    size_t bytes;
} dtype_row;

static const dtype_row dtype_rows[] = {
    [TY_DTYPE_F32] = {"f32", 4}, [TY_DTYPE_U8] = {"u8", 1},   [TY_DTYPE_I32] = {"i32", 4},
    [TY_DTYPE_I64] = {"i64", 8}, [TY_DTYPE_F64] = {"f64", 8}, [TY_DTYPE_BF16] = {"bf16", 2},
};

size_t ty_dtype_bytes(ty_dtype dtype) {
    return dtype_rows[dtype].bytes;
}

const char *ty_dtype_name(ty_dtype dtype) {
    return dtype_rows[dtype].name;
}

int64_t ty_shape_count(ty_shape shape) {
    if (shape.rank == 0)
        return 0;
    int64_t count = 1;
    for (int i = 0; i < shape.rank; i++)
        count *= shape.dims[i];
    return count;
}
