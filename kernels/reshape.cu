/* The same numbers in canonical order under another shape, and with it the way between layouts. A
 * value whose memory is in canonical order is copied. Channels last, [B][S][C] with S = H W, becomes
 * canonical [B][C][S] and back by turning tiles of 32 x 32 in shared memory, so that both sides are
 * read and written in rows (Ruetsch & Micikevicius 2009). A row of a tile is 128 bytes of f32, 64 of
 * bf16: whole sectors, without wider accesses.
 *
 * y is canonical, except that four dimensions made of a canonical value are channels last, as what
 * follows wants them.
 *
 * Roofline, 0 FLOP, bytes an element f32 / bf16: 8 / 4, 12 / 6 where it adds. Of 16.8 M elements in
 * f32: 87 us on an A100, 50 us on an H100. */
#include <string.h>

#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/pack.cuh"
#include "kernels/cuda/relayout.h"

enum { TILE = 32, TILE_ROWS = TY_CUDA_THREADS / TILE };

/* to[b][column][row] = from[b][row][column], plus addend in to's order where there is one. */
typedef struct turn_args {
    void *to;
    const void *from, *addend;
    int64_t rows, columns;
    int64_t row_tiles, column_tiles; /* of one b */
} turn_args;

template <typename T> static __device__ inline void turn(const turn_args &a) {
    __shared__ float tile[TILE][TILE + 1]; /* one more: a column lies in all banks */
    const int64_t of_batch = blockIdx.x / a.column_tiles;
    const int64_t batch = of_batch / a.row_tiles;
    const int64_t row0 = of_batch % a.row_tiles * TILE;
    const int64_t column0 = blockIdx.x % a.column_tiles * TILE;
    const int x = (int)threadIdx.x % TILE, y = (int)threadIdx.x / TILE;
    const int64_t base = batch * a.rows * a.columns;
    for (int k = y; k < TILE; k += TILE_ROWS)
        if (row0 + k < a.rows && column0 + x < a.columns)
            tile[k][x] = ty_load((const T *)a.from + base + (row0 + k) * a.columns + column0 + x);
    __syncthreads();
    for (int k = y; k < TILE; k += TILE_ROWS) {
        if (column0 + k < a.columns && row0 + x < a.rows) {
            const int64_t at = base + (column0 + k) * a.rows + row0 + x;
            const float value = tile[x][k];
            ty_store((T *)a.to + at, a.addend ? ty_load((const T *)a.addend + at) + value : value);
        }
    }
}

extern "C" __global__ void __launch_bounds__(TY_CUDA_THREADS) turn_f32(turn_args a) {
    turn<float>(a);
}

extern "C" __global__ void __launch_bounds__(TY_CUDA_THREADS) turn_bf16(turn_args a) {
    turn<ty_bf16>(a);
}

/* --- between layouts --------------------------------------------------------------------------- */

static int64_t plane_of(ty_shape shape) {
    return shape.dims[2] * shape.dims[3];
}

bool ty_cuda_is_same_memory(ty_shape shape, const void *layout_a, const void *layout_b) {
    return layout_a == layout_b || shape.dims[1] == 1 || plane_of(shape) == 1;
}

static ty_status move_flat(ty_ctx *ctx, ty_device *dev, const ty_cuda_relayout_args *args) {
    const int64_t n = ty_shape_count(args->shape);
    if (args->addend)
        return ty_cuda_sum(ctx, dev, args->dtype, args->to, args->from, args->addend, n);
    const size_t bytes = (size_t)n * ty_dtype_bytes(args->dtype);
    return ty_cuda_check(
        ctx,
        cudaMemcpyAsync(args->to, args->from, bytes, cudaMemcpyDeviceToDevice, ty_cuda_stream(dev)),
        "a copy on the GPU");
}

ty_status ty_cuda_relayout(ty_ctx *ctx, ty_device *dev, const ty_cuda_relayout_args *args) {
    const ty_shape shape = args->shape;
    if (ty_cuda_is_same_memory(shape, args->from_layout, args->to_layout))
        return move_flat(ctx, dev, args);
    const int64_t channels = shape.dims[1], plane = plane_of(shape);
    const bool is_to_last = args->to_layout != NULL, is_bf16 = args->dtype == TY_DTYPE_BF16;
    turn_args turn = {args->to,
                      args->from,
                      args->addend,
                      is_to_last ? channels : plane,
                      is_to_last ? plane : channels,
                      0,
                      0};
    turn.row_tiles = (turn.rows + TILE - 1) / TILE;
    turn.column_tiles = (turn.columns + TILE - 1) / TILE;
    const unsigned blocks =
        ty_cuda_exact_blocks(shape.dims[0] * turn.row_tiles * turn.column_tiles * TY_CUDA_THREADS);
    void (*kernel)(turn_args) = is_bf16 ? turn_bf16 : turn_f32;
    kernel<<<blocks, TY_CUDA_THREADS, 0, ty_cuda_stream(dev)>>>(turn);
    return ty_cuda_launched(ctx, is_bf16 ? "turn_bf16" : "turn_f32");
}

int ty_cuda_relayout_cost(const ty_cuda_relayout_args *args, ty_op_cost *out) {
    const int64_t n = ty_shape_count(args->shape);
    const double bytes =
        (args->addend ? 3.0 : 2.0) * (double)n * (double)ty_dtype_bytes(args->dtype);
    if (!ty_cuda_is_same_memory(args->shape, args->from_layout, args->to_layout))
        return ty_cuda_cost_one(out, args->dtype == TY_DTYPE_BF16 ? "turn_bf16" : "turn_f32", bytes,
                                args->addend ? (double)n : 0);
    if (args->addend)
        return ty_cuda_sum_cost(out, args->dtype, n);
    (void)ty_cuda_cost_one(out, NULL, bytes, 0);
    (void)strcpy(out->engine, "a copy");
    return 1;
}

/* --- the op ------------------------------------------------------------------------------------ */

static ty_status prepare(ty_ctx *ctx, ty_device *dev, ty_op_args *args) {
    const ty_tensor *x = &args->x[0];
    const bool is_canonical =
        x->shape.rank != 4 || ty_cuda_is_same_memory(x->shape, x->layout, NULL);
    (void)ctx;
    assert(x->dtype == ty_cuda_dtype(dev));
    ty_cuda_set_y(dev, args,
                  is_canonical && args->y.shape.rank == 4 ? TY_CUDA_CHANNELS_LAST : NULL);
    return TY_OK;
}

/* One of both sides at most is not in canonical order, and that is the one whose shape counts. */
static ty_cuda_relayout_args call_of(const ty_op_args *args, bool is_backward) {
    const ty_tensor *x = &args->x[0], *y = &args->y;
    const void *x_layout = y->layout ? NULL : x->layout;
    const ty_shape shape = y->layout ? y->shape : x->shape;
    if (is_backward)
        return {shape,
                x->dtype,
                args->d_y.data,
                y->layout,
                args->d_x[0].data,
                x_layout,
                args->accumulates_dx[0] ? args->d_x[0].data : NULL};
    return {shape, x->dtype, x->data, x_layout, y->data, y->layout, NULL};
}

static ty_status forward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    const ty_cuda_relayout_args call = call_of(args, false);
    return ty_cuda_relayout(ctx, dev, &call);
}

static ty_status backward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    const ty_cuda_relayout_args call = call_of(args, true);
    return args->wants_dx[0] ? ty_cuda_relayout(ctx, dev, &call) : TY_OK;
}

static int cost(const ty_device *dev, const ty_op_args *args, bool is_backward,
                ty_op_cost out[TY_OP_MAX_COSTS]) {
    (void)dev;
    const ty_cuda_relayout_args call = call_of(args, is_backward);
    return is_backward && !args->wants_dx[0] ? 0 : ty_cuda_relayout_cost(&call, &out[0]);
}

const ty_op_impl ty_reshape_cuda = {prepare, forward, backward, ty_cuda_release_nothing, cost};
