/* How a block looks at a matrix of rows: threads side by side have one row's neighbouring columns,
 * V at once, and keep their columns while they go down the rows. */
#ifndef TY_KERNELS_CUDA_AFFINE_CUH
#define TY_KERNELS_CUDA_AFFINE_CUH

#include "kernels/cuda/affine.h"
#include "kernels/cuda/pack.cuh"

/* Of a launch: blocks x go across, y go down. */
typedef struct ty_affine_grid {
    int lanes_log2;         /* threads across a block: 2^this, the others below */
    int64_t rows_per_block; /* blocks down begin at multiples of this */
    unsigned across, down;
} ty_affine_grid;

/* So many blocks down at most; more would only make more partial sums. */
enum { TY_AFFINE_MAX_DOWN = 1024, TY_AFFINE_PASSES = 8 };

static inline bool ty_affine_is_wide(int64_t columns, ty_dtype dtype) {
    return columns % (16 / (int64_t)ty_dtype_bytes(dtype)) == 0;
}

/* Follows from the shape alone, because the order of sums does. */
static inline ty_affine_grid ty_affine_grid_of(int64_t rows, int64_t columns, ty_dtype dtype) {
    const int64_t width =
        ty_affine_is_wide(columns, dtype) ? 16 / (int64_t)ty_dtype_bytes(dtype) : 1;
    const int64_t across = (columns + width - 1) / width;
    ty_affine_grid grid = {};
    while (grid.lanes_log2 < 5 && (INT64_C(1) << grid.lanes_log2) < across)
        grid.lanes_log2++;
    const int64_t lanes = INT64_C(1) << grid.lanes_log2, at_once = TY_CUDA_THREADS / lanes;
    const int64_t least = at_once * TY_AFFINE_PASSES;
    const int64_t shared_out = (rows + TY_AFFINE_MAX_DOWN - 1) / TY_AFFINE_MAX_DOWN;
    grid.rows_per_block =
        shared_out > least ? (shared_out + at_once - 1) / at_once * at_once : least;
    grid.across = (unsigned)((across + lanes - 1) / lanes);
    grid.down = (unsigned)((rows + grid.rows_per_block - 1) / grid.rows_per_block);
    return grid;
}

/* V elements at once: a pack, or one. */
template <typename T, int V> struct ty_group { float v[V]; };

template <typename T, int V> static __device__ inline ty_group<T, V> ty_load_group(const T *from) {
    ty_group<T, V> group;
    if (V == 1) {
        group.v[0] = ty_load(from);
    } else {
        const ty_pack<T> pack = ty_load_pack(from);
#pragma unroll
        for (int j = 0; j < V; j++)
            group.v[j] = pack.v[j];
    }
    return group;
}

template <typename T, int V>
static __device__ inline void ty_store_group(T *to, const ty_group<T, V> &group) {
    if (V == 1) {
        ty_store(to, group.v[0]);
    } else {
        ty_pack<T> pack;
#pragma unroll
        for (int j = 0; j < V; j++)
            pack.v[j] = group.v[j];
        ty_store_pack(to, pack);
    }
}

#endif
