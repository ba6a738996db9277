/* y = (x - mean[c]) inverse_std[c], c the second dimension of x: what turns stored numbers into a
 * network's input. Bytes: 5 an element from u8, 8 from f32. It has no backward: nothing trainable
 * lies before it. */
#include <stdlib.h>
#include <string.h>

#include "kernels/cpu.h"
#include "kernels/loops.h"
#include "kernels/ops.h"

ty_status ty_normalize_infer(ty_ctx *ctx, const void *attrs, const ty_tensor *in,
                             ty_op_shapes *out) {
    const ty_normalize_attrs *a = attrs;
    char text[TY_SHAPE_TEXT];
    const ty_shape shape = in[0].shape;
    if (in[0].dtype != TY_DTYPE_U8 && in[0].dtype != TY_DTYPE_F32)
        return ty_fail(ctx, TY_ERR_CONFIG, "normalize: input is %s, want u8 or f32",
                       ty_dtype_name(in[0].dtype));
    *out = (ty_op_shapes){.y_dtype = TY_DTYPE_F32};
    TY_TRY(ty_op_set_shape(ctx, "normalize", shape, &out->y));
    const int64_t n_channels = shape.rank > 1 ? shape.dims[1] : 1;
    if (a->n_channels != 1 && a->n_channels != n_channels)
        return ty_fail(ctx, TY_ERR_CONFIG,
                       "normalize: %lld channels for input of shape %s, want 1 or its second "
                       "dimension",
                       (long long)a->n_channels, ty_shape_text(shape, text));
    out->flops_forward = 2 * (double)ty_shape_count(shape);
    return TY_OK;
}

/* The pairs, copied: mean[n_channels], then inverse_std[n_channels]. */
static ty_status prepare(ty_ctx *ctx, ty_device *dev, ty_op_args *args) {
    (void)dev;
    const ty_normalize_attrs *a = args->attrs;
    const size_t bytes = (size_t)a->n_channels * sizeof(float);
    float *pairs = malloc(2 * bytes);
    if (!pairs)
        return ty_fail_nomem(ctx, "normalize's means and deviations");
    memcpy(pairs, a->mean, bytes);
    memcpy(pairs + a->n_channels, a->inverse_std, bytes);
    args->state = pairs;
    args->y.layout = NULL;
    args->y.bytes = ty_layout_bytes(NULL, args->y.shape, TY_DTYPE_F32);
    return TY_OK;
}

/* n elements from element `at` on, all with one pair. */
static void one_pair(const ty_device *dev, const ty_op_args *args, int64_t at, int64_t n,
                     float mean, float inverse_std) {
    float *y = (float *)args->y.data + at;
    if (args->x[0].dtype == TY_DTYPE_U8)
        ty_cpu_loops(dev)->normalize_u8(y, (const uint8_t *)args->x[0].data + at, n, mean,
                                        inverse_std);
    else
        ty_cpu_loops(dev)->normalize_f32(y, (const float *)args->x[0].data + at, n, mean,
                                         inverse_std);
}

/* n elements from element `at` on, each with its own pair. */
static void each_its_pair(const ty_device *dev, const ty_op_args *args, int64_t at, int64_t n,
                          const float *mean, const float *inverse_std) {
    float *y = (float *)args->y.data + at;
    if (args->x[0].dtype == TY_DTYPE_U8)
        ty_cpu_loops(dev)->normalize_each_u8(y, (const uint8_t *)args->x[0].data + at, n, mean,
                                             inverse_std);
    else
        ty_cpu_loops(dev)->normalize_each_f32(y, (const float *)args->x[0].data + at, n, mean,
                                              inverse_std);
}

static ty_status forward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    (void)ctx;
    const ty_normalize_attrs *a = args->attrs;
    const float *mean = args->state, *inverse_std = mean + a->n_channels;
    const int64_t count = ty_shape_count(args->y.shape);
    if (a->n_channels == 1) {
        one_pair(dev, args, 0, count, mean[0], inverse_std[0]);
        return TY_OK;
    }
    const int64_t n_rows = args->y.shape.dims[0], plane = count / n_rows / a->n_channels;
    if (plane == 1) {
        for (int64_t row = 0; row < n_rows; row++)
            each_its_pair(dev, args, row * a->n_channels, a->n_channels, mean, inverse_std);
        return TY_OK;
    }
    for (int64_t i = 0; i < n_rows * a->n_channels; i++)
        one_pair(dev, args, i * plane, plane, mean[i % a->n_channels],
                 inverse_std[i % a->n_channels]);
    return TY_OK;
}

static void release(ty_device *dev, ty_op_args *args) {
    (void)dev;
    free(args->state);
    args->state = NULL;
}

const ty_op_impl ty_normalize_cpu = {.prepare = prepare, .forward = forward, .release = release};
