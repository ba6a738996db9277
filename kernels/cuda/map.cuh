/* What elementwise ops have in common: memory in, a function of each element, memory out, whatever
 * the layout, since a value, its gradient and what they are computed from have the same one. A
 * function is a struct with a static at(); TY_MAP_KERNELS makes its kernels for both types of
 * activations, and ty_cuda_map queues the one that is needed.
 *
 * A thread has 16 bytes of each array, the first threads also an element of the rest behind the last
 * 16 bytes. Grids are exact: a thread that lives for two loads keeps enough bytes in flight. */
#ifndef TY_KERNELS_CUDA_MAP_H
#define TY_KERNELS_CUDA_MAP_H

#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/pack.cuh"

enum { TY_MAP_MAX_INPUTS = 2 };

/* to[i] = f(in[0][i], in[1][i], ...), or += where it accumulates. `to` may be one of the inputs. */
typedef struct ty_map_args {
    void *to;
    const void *in[TY_MAP_MAX_INPUTS];
    int64_t n;
    float factor; /* what else f wants to know */
    bool accumulates;
} ty_map_args;

typedef void ty_map_kernel(ty_map_args);

/* One function's kernels. */
typedef struct ty_map_kernels {
    const char *name_f32, *name_bf16;
    ty_map_kernel *f32, *bf16;
} ty_map_kernels;

template <typename F, int N_INPUTS, typename T>
static __device__ inline void ty_map_one(const ty_map_args &a, int64_t at) {
    float in[N_INPUTS];
    for (int k = 0; k < N_INPUTS; k++)
        in[k] = ty_load((const T *)a.in[k] + at);
    T *to = (T *)a.to + at;
    const float value = F::at(in, a.factor);
    ty_store(to, a.accumulates ? ty_load(to) + value : value);
}

template <typename F, int N_INPUTS, typename T>
static __device__ inline void ty_map_pack(const ty_map_args &a, int64_t at) {
    ty_pack<T> in[N_INPUTS], out = {};
    for (int k = 0; k < N_INPUTS; k++)
        in[k] = ty_load_pack((const T *)a.in[k] + at);
    T *to = (T *)a.to + at;
    if (a.accumulates)
        out = ty_load_pack(to);
#pragma unroll
    for (int j = 0; j < ty_pack<T>::N; j++) {
        float of_element[N_INPUTS];
        for (int k = 0; k < N_INPUTS; k++)
            of_element[k] = in[k].v[j];
        const float value = F::at(of_element, a.factor);
        out.v[j] = a.accumulates ? out.v[j] + value : value;
    }
    ty_store_pack(to, out);
}

template <typename F, int N_INPUTS, typename T>
static __device__ inline void ty_map(const ty_map_args &a) {
    const int64_t thread = (int64_t)blockIdx.x * TY_CUDA_THREADS + threadIdx.x;
    const int64_t n_packs = a.n / ty_pack<T>::N, rest = a.n % ty_pack<T>::N;
    if (thread < n_packs)
        ty_map_pack<F, N_INPUTS, T>(a, thread * ty_pack<T>::N);
    if (thread < rest)
        ty_map_one<F, N_INPUTS, T>(a, n_packs * ty_pack<T>::N + thread);
}

#define TY_MAP_KERNELS(name, n_inputs, f)                                                          \
    extern "C" __global__ void __launch_bounds__(TY_CUDA_THREADS) name##_f32(ty_map_args a) {      \
        ty_map<f, n_inputs, float>(a);                                                             \
    }                                                                                              \
    extern "C" __global__ void __launch_bounds__(TY_CUDA_THREADS) name##_bf16(ty_map_args a) {     \
        ty_map<f, n_inputs, ty_bf16>(a);                                                           \
    }                                                                                              \
    static const ty_map_kernels name = {#name "_f32", #name "_bf16", name##_f32, name##_bf16};

/* Queues one pass over arrays of this type. */
static inline ty_status ty_cuda_map(ty_ctx *ctx, const ty_device *dev, const ty_map_kernels *which,
                                    ty_dtype dtype, const ty_map_args *args) {
    const bool is_bf16 = dtype == TY_DTYPE_BF16;
    const int64_t each = is_bf16 ? (int64_t)ty_pack<ty_bf16>::N : (int64_t)ty_pack<float>::N;
    const unsigned blocks = ty_cuda_exact_blocks((args->n + each - 1) / each);
    ty_map_kernel *kernel = is_bf16 ? which->bf16 : which->f32;
    kernel<<<blocks, TY_CUDA_THREADS, 0, ty_cuda_stream(dev)>>>(*args);
    return ty_cuda_launched(ctx, is_bf16 ? which->name_bf16 : which->name_f32);
}

/* The cost of one pass over n_arrays arrays of tensor's size. */
static inline int ty_cuda_map_cost(ty_op_cost *out, const ty_map_kernels *which,
                                   const ty_tensor *tensor, int n_arrays, double flops_each) {
    const double n = (double)ty_shape_count(tensor->shape);
    return ty_cuda_cost_one(out,
                            tensor->dtype == TY_DTYPE_BF16 ? which->name_bf16 : which->name_f32,
                            n * n_arrays * (double)ty_dtype_bytes(tensor->dtype), n * flops_each);
}

#endif
