/* Convolution: descriptors of its three passes, and which layouts they are fast in. */
#include "kernels/onednn_private.h"

#include <stdlib.h>

typedef struct conv_mds {
    dnnl_memory_desc_t x, y, weight, bias; /* as the primitive shall have them; weight: any */
} conv_mds;

/* [K, C/g, R, S], or [g, K/g, C/g, R, S]: the same bytes. */
static ty_shape weight_shape(const ty_conv_spec *spec) {
    const ty_conv2d_attrs *a = spec->attrs;
    const int64_t channels = spec->x.shape.dims[1] / a->groups;
    if (a->groups == 1)
        return (ty_shape){4, {a->out, channels, a->kernel[0], a->kernel[1]}};
    return (ty_shape){5, {a->groups, a->out / a->groups, channels, a->kernel[0], a->kernel[1]}};
}

static dnnl_status_t init_desc(const ty_conv_spec *spec, const conv_mds *md,
                               dnnl_convolution_desc_t *desc) {
    const ty_conv2d_attrs *a = spec->attrs;
    const ty_window_dims w = ty_onednn_window(a->kernel, a->stride, a->padding);
    const dnnl_memory_desc_t *bias = a->has_bias ? &md->bias : NULL;
    if (spec->pass == TY_PASS_FORWARD)
        return dnnl_convolution_forward_desc_init(
            desc, spec->is_training ? dnnl_forward_training : dnnl_forward_inference,
            dnnl_convolution_direct, &md->x, &md->weight, bias, &md->y, w.stride, w.padding,
            w.padding);
    if (spec->pass == TY_PASS_BACKWARD_X)
        return dnnl_convolution_backward_data_desc_init(desc, dnnl_convolution_direct, &md->x,
                                                        &md->weight, &md->y, w.stride, w.padding,
                                                        w.padding);
    return dnnl_convolution_backward_weights_desc_init(desc, dnnl_convolution_direct, &md->x,
                                                       &md->weight, bias, &md->y, w.stride,
                                                       w.padding, w.padding);
}

static dnnl_status_t describe(const ty_device *dev, const ty_conv_spec *spec, const void *x_layout,
                              const void *y_layout, dnnl_primitive_desc_t *out) {
    const conv_mds md = {.x = ty_onednn_md(spec->x.shape, x_layout),
                         .y = ty_onednn_md(spec->y.shape, y_layout),
                         .weight = ty_onednn_md_any(weight_shape(spec)),
                         .bias = ty_onednn_md((ty_shape){1, {spec->attrs->out}}, NULL)};
    dnnl_convolution_desc_t desc;
    dnnl_status_t st = init_desc(spec, &md, &desc);
    if (st != dnnl_success)
        return st;
    dnnl_primitive_attr_t attr = ty_onednn_attr();
    if (!attr)
        return dnnl_out_of_memory;
    if (spec->pass == TY_PASS_FORWARD)
        st = ty_onednn_add_activation(attr, spec->attrs->activation);
    if (st == dnnl_success)
        st = dnnl_primitive_desc_create(out, &desc, attr, ty_cpu_dnn(dev)->engine, NULL);
    (void)dnnl_primitive_attr_destroy(attr);
    return st;
}

typedef struct layout_pair {
    const void *x, *y;
} layout_pair;

enum { MAX_PAIRS = 8 };

/* In order of preference. What is not had as wanted gets reordered, which costs a pass over memory;
 * oneDNN's fallback costs a thousand, and for some channel counts it is all there is for the
 * layouts that the other passes are fast in. */
static int list_pairs(const ty_device *dev, const ty_conv_spec *spec,
                      layout_pair pairs[MAX_PAIRS]) {
    const void *const blocked[] = {&ty_layout_blocked16, &ty_layout_blocked8};
    const int first = dev->info.isa_level < TY_ISA_AVX512 ? 1 : 0;
    int n = 0;
    if (!spec->chooses_y)
        pairs[n++] = (layout_pair){spec->x.layout, spec->y.layout};
    for (int i = first; i < 2 && spec->chooses_y; i++)
        pairs[n++] = (layout_pair){spec->x.layout, blocked[i]};
    for (int i = first; i < 2; i++)
        pairs[n++] = (layout_pair){blocked[i], blocked[i]};
    for (int i = first; i < 2; i++)
        pairs[n++] = (layout_pair){NULL, blocked[i]};
    pairs[n++] = (layout_pair){NULL, NULL};
    return n;
}

/* The first pair with a fast implementation, else the canonical one. */
static ty_status choose(ty_ctx *ctx, const ty_device *dev, const ty_conv_spec *spec,
                        layout_pair *chosen, dnnl_primitive_desc_t *out) {
    layout_pair pairs[MAX_PAIRS];
    const int n = list_pairs(dev, spec, pairs);
    dnnl_status_t st = dnnl_unimplemented;
    for (int i = 0; i < n; i++) {
        dnnl_primitive_desc_t pd = NULL;
        st = describe(dev, spec, pairs[i].x, pairs[i].y, &pd);
        if (st == dnnl_success && (i == n - 1 || !ty_onednn_is_slow(pd))) {
            *chosen = pairs[i];
            *out = pd;
            return TY_OK;
        }
        if (pd)
            (void)dnnl_primitive_desc_destroy(pd);
    }
    return ty_onednn_fail(ctx, st, "prepare a convolution");
}

static int list_operands(const ty_conv_spec *spec, ty_operand *operands) {
    const dnnl_memory_desc_t x = ty_onednn_md(spec->x.shape, spec->x.layout);
    const dnnl_memory_desc_t y = ty_onednn_md(spec->y.shape, spec->y.layout);
    const dnnl_memory_desc_t weight = ty_onednn_md(weight_shape(spec), NULL);
    const dnnl_memory_desc_t bias = ty_onednn_md((ty_shape){1, {spec->attrs->out}}, NULL);
    int n = 0;
    if (spec->pass == TY_PASS_FORWARD) {
        operands[n++] = (ty_operand){TY_ROLE_X, x, false};
        operands[n++] = (ty_operand){TY_ROLE_WEIGHT, weight, false};
        operands[n++] = (ty_operand){TY_ROLE_Y, y, false};
    } else if (spec->pass == TY_PASS_BACKWARD_X) {
        operands[n++] = (ty_operand){TY_ROLE_DX, x, spec->accumulates};
        operands[n++] = (ty_operand){TY_ROLE_WEIGHT, weight, false};
        operands[n++] = (ty_operand){TY_ROLE_DY, y, false};
        return n;
    } else {
        operands[n++] = (ty_operand){TY_ROLE_X, x, false};
        operands[n++] = (ty_operand){TY_ROLE_DWEIGHT, weight, true};
        operands[n++] = (ty_operand){TY_ROLE_DY, y, false};
    }
    const bool is_forward = spec->pass == TY_PASS_FORWARD;
    if (spec->attrs->has_bias)
        operands[n++] = (ty_operand){is_forward ? TY_ROLE_BIAS : TY_ROLE_DBIAS, bias, !is_forward};
    return n;
}

ty_status ty_onednn_conv_open(ty_ctx *ctx, ty_device *dev, ty_conv_spec *spec,
                              ty_onednn_call **out) {
    layout_pair chosen = {0};
    dnnl_primitive_desc_t pd = NULL;
    TY_TRY(choose(ctx, dev, spec, &chosen, &pd));
    if (spec->chooses_y)
        spec->y.layout = chosen.y;
    ty_operand operands[4];
    const int n = list_operands(spec, operands);
    return ty_onednn_call_open_take(ctx, ty_cpu_dnn(dev), pd, operands, n, out);
}
