/* The plug-in's one symbol, and what all twins share. An op that has no row here yet is refused by
 * name when a model that needs it is planned. */
#include "kernels/cuda/device.h"
#include "kernels/cuda/resources.h"
#include "kernels/cuda/vendor.h"

const int ty_cuda_channels_last_tag = 0;

static const ty_op_impl *const ops[TY_OP_COUNT] = {
    [TY_OP_NORMALIZE] = &ty_normalize_cuda,
    [TY_OP_LINEAR] = &ty_linear_cuda,
    [TY_OP_CONV2D] = &ty_conv2d_cuda,
    [TY_OP_POOL2D] = &ty_pool2d_cuda,
    [TY_OP_BATCH_NORM] = &ty_batch_norm_cuda,
    [TY_OP_ACTIVATION] = &ty_activation_cuda,
    [TY_OP_DROPOUT] = &ty_dropout_cuda,
    [TY_OP_RESHAPE] = &ty_reshape_cuda,
    [TY_OP_ADD] = &ty_add_cuda,
    [TY_OP_SCALE] = &ty_scale_cuda,
    [TY_OP_SOFTMAX_XENT] = &ty_softmax_xent_cuda,
    [TY_OP_MSE] = &ty_mse_cuda,
};

const ty_backend ty_backend_plugin = {.abi = TY_BACKEND_ABI,
                                      .version = TY_VERSION,
                                      .find = ty_cuda_find,
                                      .say_libraries = ty_cuda_say_libraries,
                                      .open = ty_cuda_open,
                                      .close = ty_cuda_close,
                                      .alloc = ty_cuda_alloc,
                                      .free = ty_cuda_free,
                                      .alloc_host = ty_cuda_alloc_host,
                                      .free_host = ty_cuda_free_host,
                                      .order = ty_cuda_order,
                                      .copy = ty_cuda_copy,
                                      .poll = ty_cuda_poll,
                                      .sync = ty_cuda_sync,
                                      .tensor_copy_out = ty_cuda_tensor_copy_out,
                                      .note_kernel = ty_cuda_note_kernel,
                                      .ops = ops,
                                      .flat = &ty_flat_cuda,
                                      .cliques = &ty_clique_cuda};

ty_dtype ty_cuda_dtype(const ty_device *dev) {
    return dev->info.precision == TY_PRECISION_BF16 ? TY_DTYPE_BF16 : TY_DTYPE_F32;
}

void ty_cuda_set_y(const ty_device *dev, ty_op_args *args, const void *layout) {
    args->y.dtype = ty_cuda_dtype(dev);
    args->y.layout = layout;
    args->y.bytes = (size_t)ty_shape_count(args->y.shape) * ty_dtype_bytes(args->y.dtype);
}

unsigned ty_cuda_blocks(const ty_device *dev, int64_t n_threads) {
    enum { WAVES = 4 };
    const ty_gpu_facts *facts = &ty_cuda_of_const(dev)->facts;
    const int64_t wanted = (n_threads + TY_CUDA_THREADS - 1) / TY_CUDA_THREADS;
    const int64_t resident = facts->max_threads_per_multiprocessor / TY_CUDA_THREADS;
    const int64_t most = WAVES * resident * facts->multiprocessors;
    return (unsigned)(wanted < 1 ? 1 : wanted < most ? wanted : most);
}

void ty_cuda_release_nothing(ty_device *dev, ty_op_args *args) {
    (void)dev, (void)args;
}

int ty_cuda_cost_one(ty_op_cost *out, const char *kernel, double bytes, double flops) {
    *out = (ty_op_cost){.kernel = kernel, .bytes = bytes, .flops = flops, .engine = "own"};
    return 1;
}
