/* Batch normalisation, with scale and shift as two tensors and relu fused. */
#include "kernels/onednn_private.h"

static unsigned flags_of(const ty_norm_spec *spec) {
    unsigned flags = dnnl_use_scale | dnnl_use_shift;
    if (spec->has_relu)
        flags |= dnnl_fuse_norm_relu;
    if (!spec->is_training)
        flags |= dnnl_use_global_stats;
    return flags;
}

static dnnl_status_t describe(const ty_device *dev, const void *opaque, ty_pass pass,
                              const void *layout, dnnl_primitive_desc_t *out) {
    const ty_norm_spec *spec = opaque;
    const dnnl_memory_desc_t x = ty_onednn_md(spec->x.shape, layout);
    const float epsilon = (float)spec->epsilon;
    dnnl_batch_normalization_desc_t desc;
    dnnl_status_t st = dnnl_batch_normalization_forward_desc_init(
        &desc, spec->is_training ? dnnl_forward_training : dnnl_forward_inference, &x, epsilon,
        flags_of(spec));
    if (st != dnnl_success || pass == TY_PASS_FORWARD)
        return st == dnnl_success ? ty_onednn_describe(dev, &desc, NULL, out) : st;
    dnnl_primitive_desc_t forward = NULL;
    st = ty_onednn_describe(dev, &desc, NULL, &forward);
    if (st == dnnl_success)
        st = dnnl_batch_normalization_backward_desc_init(&desc, dnnl_backward, &x, &x, epsilon,
                                                         flags_of(spec));
    if (st == dnnl_success)
        st = ty_onednn_describe(dev, &desc, forward, out);
    if (forward)
        (void)dnnl_primitive_desc_destroy(forward);
    return st;
}

static int list_operands(const ty_norm_spec *spec, ty_operand *operands) {
    const dnnl_memory_desc_t x = ty_onednn_md(spec->x.shape, spec->x.layout);
    const dnnl_memory_desc_t channels = ty_onednn_md((ty_shape){1, {spec->x.shape.dims[1]}}, NULL);
    int n = 0;
    operands[n++] = (ty_operand){TY_ROLE_X, x, false};
    operands[n++] = (ty_operand){TY_ROLE_MEAN, channels, false};
    operands[n++] = (ty_operand){TY_ROLE_VARIANCE, channels, false};
    operands[n++] = (ty_operand){TY_ROLE_SCALE, channels, false};
    operands[n++] = (ty_operand){TY_ROLE_SHIFT, channels, false};
    if (spec->pass == TY_PASS_FORWARD) {
        operands[n++] = (ty_operand){TY_ROLE_Y, x, false};
    } else {
        operands[n++] = (ty_operand){TY_ROLE_DY, x, false};
        operands[n++] = (ty_operand){TY_ROLE_DX, x, spec->accumulates};
        operands[n++] = (ty_operand){TY_ROLE_DSCALE, channels, true};
        operands[n++] = (ty_operand){TY_ROLE_DSHIFT, channels, true};
    }
    if (spec->has_relu && spec->is_training)
        operands[n++] = (ty_operand){TY_ROLE_KEPT, {0}, false};
    return n;
}

ty_status ty_onednn_norm_open(ty_ctx *ctx, ty_device *dev, const ty_norm_spec *spec,
                              ty_onednn_call **out) {
    const ty_choice choice = {.describe = describe,
                              .spec = spec,
                              .given = spec->x.layout,
                              .is_training = spec->is_training};
    dnnl_primitive_desc_t pd = NULL;
    const dnnl_status_t st = ty_onednn_choose(dev, &choice, spec->pass, &pd);
    if (st != dnnl_success)
        return ty_onednn_fail(ctx, st, "prepare batch normalisation");
    ty_operand operands[10];
    return ty_onednn_call_open_take(ctx, ty_cpu_dnn(dev), pd, operands,
                                    list_operands(spec, operands), out);
}
