/* The segment table as kernels over flat buffers see it. It lies in host memory, so it travels with
 * the launch, by value: rows of 32 bytes, as many as fit the 4 KiB of parameters that every GPU
 * takes. One launch covers all segments of a usual net; a longer table takes more launches.
 *
 * A block works on TY_CUDA_CHUNK elements of one segment and finds its row by bisection. Segments
 * begin at multiples of 16 elements and buffers at multiples of 16 bytes, so four floats are one
 * access. For .cu files of this folder alone. */
#ifndef TY_KERNELS_CUDA_FLAT_ROWS_CUH
#define TY_KERNELS_CUDA_FLAT_ROWS_CUH

#include "kernels/cuda/cuda.h"

enum { TY_CUDA_MAX_ROWS = TY_FLAT_SEGMENTS_AT_ONCE, TY_CUDA_CHUNK = 4096 };

struct ty_cuda_row {
    int64_t offset, count; /* of the segment, in elements */
    uint32_t first_block;  /* of the launch that works on it */
    int32_t segment;       /* its index in the whole table */
    float by[2];           /* what else the kernel wants to know of the segment */
};

struct ty_cuda_rows {
    int32_t n;
    uint32_t n_blocks;
    ty_cuda_row row[TY_CUDA_MAX_ROWS];
};

/* Packs segments from `from` on, empty ones left out, and answers where the next call goes on. */
static inline int64_t ty_cuda_pack(const ty_segment *segments, int64_t n_segments, int64_t from,
                                   ty_cuda_rows *rows) {
    rows->n = 0;
    rows->n_blocks = 0;
    int64_t i = from;
    for (; i < n_segments && rows->n < TY_CUDA_MAX_ROWS; i++) {
        const ty_segment *s = &segments[i];
        if (s->count <= 0)
            continue;
        ty_cuda_row *row = &rows->row[rows->n++];
        row->offset = s->offset;
        row->count = s->count;
        row->first_block = rows->n_blocks;
        row->segment = (int32_t)i;
        rows->n_blocks += (uint32_t)((s->count + TY_CUDA_CHUNK - 1) / TY_CUDA_CHUNK);
    }
    return i;
}

/* The row of a block: the last one that does not begin after it. */
static __device__ __forceinline__ int ty_cuda_row_of(const ty_cuda_rows &rows, uint32_t block) {
    int low = 0, high = rows.n;
    while (high - low > 1) {
        const int middle = (low + high) / 2;
        if (rows.row[middle].first_block <= block)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* x[i .. i + 4), i a multiple of 4, as far as it lies before n; 0 for the rest. */
static __device__ __forceinline__ float4 ty_cuda_load4(const float *x, int64_t i, int64_t n) {
    if (i + 4 <= n)
        return *(const float4 *)(x + i);
    float4 v = make_float4(0, 0, 0, 0);
    v.x = x[i];
    if (i + 1 < n)
        v.y = x[i + 1];
    if (i + 2 < n)
        v.z = x[i + 2];
    return v;
}

/* __stwb is a plain store that stays one: of an assignment nvcc makes four stores of a float where it
 * has rearranged the sums of the address (resources.tsv shows it). */
static __device__ __forceinline__ void ty_cuda_store4(float *x, int64_t i, int64_t n, float4 v) {
    if (i + 4 <= n) {
        __stwb((float4 *)(x + i), v);
        return;
    }
    x[i] = v.x;
    if (i + 1 < n)
        x[i + 1] = v.y;
    if (i + 2 < n)
        x[i + 2] = v.z;
}

/* Rounded to the nearest, ties to even; a NaN stays one. */
static __device__ __forceinline__ uint32_t ty_cuda_bf16_of(float value) {
    const uint32_t bits = __float_as_uint(value);
    if ((bits & 0x7fffffffU) > 0x7f800000U)
        return bits >> 16 | 0x40U;
    return (bits + 0x7fffU + (bits >> 16 & 1U)) >> 16;
}

static __device__ __forceinline__ void ty_cuda_store4_bf16(uint16_t *x, int64_t i, int64_t n,
                                                           float4 v) {
    const uint32_t a = ty_cuda_bf16_of(v.x), b = ty_cuda_bf16_of(v.y), c = ty_cuda_bf16_of(v.z),
                   d = ty_cuda_bf16_of(v.w);
    if (i + 4 <= n) {
        *(uint2 *)(x + i) = make_uint2(a | b << 16, c | d << 16);
        return;
    }
    x[i] = (uint16_t)a;
    if (i + 1 < n)
        x[i + 1] = (uint16_t)b;
    if (i + 2 < n)
        x[i + 2] = (uint16_t)c;
}

#endif
