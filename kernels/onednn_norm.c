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

static dnnl_status_t create(const ty_device *dev, const dnnl_batch_normalization_desc_t *desc,
                            const_dnnl_primitive_desc_t hint, dnnl_primitive_desc_t *out) {
    dnnl_primitive_attr_t attr = ty_onednn_attr();
    if (!attr)
        return dnnl_out_of_memory;
    const dnnl_status_t st = dnnl_primitive_desc_create(out, desc, attr, dev->dnn->engine, hint);
    (void)dnnl_primitive_attr_destroy(attr);
    return st;
}

static dnnl_status_t describe(const ty_device *dev, const ty_norm_spec *spec, const void *layout,
                              dnnl_primitive_desc_t *out) {
    const dnnl_memory_desc_t x = ty_onednn_md(spec->x.shape, layout);
    const float epsilon = (float)spec->epsilon;
    dnnl_batch_normalization_desc_t desc;
    dnnl_status_t st = dnnl_batch_normalization_forward_desc_init(
        &desc, spec->is_training ? dnnl_forward_training : dnnl_forward_inference, &x, epsilon,
        flags_of(spec));
    if (st != dnnl_success || spec->pass == TY_PASS_FORWARD)
        return st == dnnl_success ? create(dev, &desc, NULL, out) : st;
    dnnl_primitive_desc_t forward = NULL;
    st = create(dev, &desc, NULL, &forward);
    if (st == dnnl_success)
        st = dnnl_batch_normalization_backward_desc_init(&desc, dnnl_backward, &x, &x, epsilon,
                                                         flags_of(spec));
    if (st == dnnl_success)
        st = create(dev, &desc, forward, out);
    if (forward)
        (void)dnnl_primitive_desc_destroy(forward);
    return st;
}

/* Both passes must choose alike: the kept relu mask is in the chosen layout. */
static bool is_fast(const ty_device *dev, const ty_norm_spec *spec, const void *layout) {
    const ty_pass passes[] = {TY_PASS_FORWARD, TY_PASS_BACKWARD_X};
    for (int i = 0; i < (spec->is_training ? 2 : 1); i++) {
        ty_norm_spec one = *spec;
        one.pass = passes[i];
        dnnl_primitive_desc_t pd = NULL;
        const bool is_ok =
            describe(dev, &one, layout, &pd) == dnnl_success && !ty_onednn_is_slow(pd);
        if (pd)
            (void)dnnl_primitive_desc_destroy(pd);
        if (!is_ok)
            return false;
    }
    return true;
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
    const void *candidates[TY_MAX_CANDIDATES];
    const int n = ty_onednn_candidates(dev, spec->x.layout, candidates);
    int i = 0;
    while (i < n - 1 && !is_fast(dev, spec, candidates[i]))
        i++;
    dnnl_primitive_desc_t pd = NULL;
    const dnnl_status_t st = describe(dev, spec, candidates[i], &pd);
    if (st != dnnl_success)
        return ty_onednn_fail(ctx, st, "prepare batch normalisation");
    ty_operand operands[10];
    return ty_onednn_call_open_take(ctx, dev->dnn, pd, operands, list_operands(spec, operands),
                                    out);
}
