/* Pooling: one descriptor a pass; the backward one needs its forward twin as a hint. */
#include "kernels/onednn_private.h"

static dnnl_alg_kind_t algorithm(const ty_pool_spec *spec) {
    return spec->attrs->is_max ? dnnl_pooling_max : dnnl_pooling_avg_exclude_padding;
}

static dnnl_status_t describe(const ty_device *dev, const void *opaque, ty_pass pass,
                              const void *layout, dnnl_primitive_desc_t *out) {
    const ty_pool_spec *spec = opaque;
    const ty_pool2d_attrs *a = spec->attrs;
    const ty_window_dims w = ty_onednn_window(a->kernel, a->stride, a->padding);
    const dnnl_memory_desc_t x = ty_onednn_md(spec->x.shape, layout);
    const dnnl_memory_desc_t y = ty_onednn_md(spec->y.shape, layout);
    dnnl_pooling_desc_t desc;
    dnnl_status_t st = dnnl_pooling_forward_desc_init(
        &desc, spec->is_training ? dnnl_forward_training : dnnl_forward_inference, algorithm(spec),
        &x, &y, w.stride, w.kernel, w.padding, w.padding);
    if (st != dnnl_success || pass == TY_PASS_FORWARD)
        return st == dnnl_success ? ty_onednn_describe(dev, &desc, NULL, out) : st;
    dnnl_primitive_desc_t forward = NULL;
    st = ty_onednn_describe(dev, &desc, NULL, &forward);
    if (st == dnnl_success)
        st = dnnl_pooling_backward_desc_init(&desc, algorithm(spec), &x, &y, w.stride, w.kernel,
                                             w.padding, w.padding);
    if (st == dnnl_success)
        st = ty_onednn_describe(dev, &desc, forward, out);
    if (forward)
        (void)dnnl_primitive_desc_destroy(forward);
    return st;
}

ty_status ty_onednn_pool_open(ty_ctx *ctx, ty_device *dev, const ty_pool_spec *spec,
                              ty_onednn_call **out) {
    const ty_choice choice = {.describe = describe,
                              .spec = spec,
                              .given = spec->x.layout,
                              .is_training = spec->is_training};
    dnnl_primitive_desc_t pd = NULL;
    const dnnl_status_t st = ty_onednn_choose(dev, &choice, spec->pass, &pd);
    if (st != dnnl_success)
        return ty_onednn_fail(ctx, st, "prepare pooling");
    const bool is_forward = spec->pass == TY_PASS_FORWARD;
    const ty_operand operands[] = {
        {is_forward ? TY_ROLE_X : TY_ROLE_DX, ty_onednn_md(spec->x.shape, spec->x.layout),
         spec->accumulates},
        {is_forward ? TY_ROLE_Y : TY_ROLE_DY, ty_onednn_md(spec->y.shape, spec->x.layout), false},
        {TY_ROLE_KEPT, {0}, false},
    };
    const bool keeps = spec->attrs->is_max && spec->is_training;
    return ty_onednn_call_open_take(ctx, ty_cpu_dnn(dev), pd, operands, keeps ? 3 : 2, out);
}
