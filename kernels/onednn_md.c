/* Our layouts, windows and activations in oneDNN's words, and which layout it is fast in. */
#include "kernels/onednn_private.h"

#include <string.h>

static void copy_dims(ty_shape shape, dnnl_dims_t dims) {
    for (int i = 0; i < shape.rank; i++)
        dims[i] = shape.dims[i];
}

static dnnl_format_tag_t tag_of(int rank, const void *layout) {
    static const dnnl_format_tag_t canonical[] = {
        dnnl_format_tag_undef, dnnl_a, dnnl_ab, dnnl_abc, dnnl_abcd, dnnl_abcde};
    if (layout == &ty_layout_blocked16)
        return dnnl_nChw16c;
    if (layout == &ty_layout_blocked8)
        return dnnl_nChw8c;
    if (layout == &ty_layout_channels_last)
        return dnnl_nhwc;
    return canonical[rank];
}

static dnnl_memory_desc_t md_by_tag(ty_shape shape, dnnl_format_tag_t tag) {
    dnnl_memory_desc_t md = {0};
    dnnl_dims_t dims = {0};
    copy_dims(shape, dims);
    /* Fails only for shapes that infer refuses; the primitive descriptor then fails with a zeroed
     * md. */
    if (dnnl_memory_desc_init_by_tag(&md, shape.rank, dims, dnnl_f32, tag) != dnnl_success)
        return (dnnl_memory_desc_t){0};
    return md;
}

dnnl_memory_desc_t ty_onednn_md(ty_shape shape, const void *layout) {
    return md_by_tag(shape, tag_of(shape.rank, layout));
}

dnnl_memory_desc_t ty_onednn_md_any(ty_shape shape) {
    return md_by_tag(shape, dnnl_format_tag_any);
}

bool ty_onednn_is_slow(const_dnnl_primitive_desc_t pd) {
    const char *name = NULL;
    if (dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &name) != dnnl_success || !name)
        return true;
    return strncmp(name, "ref", 3) == 0;
}

dnnl_primitive_attr_t ty_onednn_attr(void) {
    dnnl_primitive_attr_t attr = NULL;
    if (dnnl_primitive_attr_create(&attr) != dnnl_success)
        return NULL;
    (void)dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    return attr;
}

dnnl_status_t ty_onednn_describe(const ty_device *dev, const_dnnl_op_desc_t desc,
                                 const_dnnl_primitive_desc_t hint, dnnl_primitive_desc_t *out) {
    dnnl_primitive_attr_t attr = ty_onednn_attr();
    if (!attr)
        return dnnl_out_of_memory;
    const dnnl_status_t st =
        dnnl_primitive_desc_create(out, desc, attr, ty_cpu_dnn(dev)->engine, hint);
    (void)dnnl_primitive_attr_destroy(attr);
    return st;
}

dnnl_status_t ty_onednn_add_activation(dnnl_primitive_attr_t attr, ty_activation activation) {
    static const dnnl_alg_kind_t algorithms[] = {[TY_ACT_RELU] = dnnl_eltwise_relu,
                                                 [TY_ACT_TANH] = dnnl_eltwise_tanh,
                                                 [TY_ACT_SIGMOID] = dnnl_eltwise_logistic};
    if (activation == TY_ACT_NONE)
        return dnnl_success;
    dnnl_post_ops_t post = NULL;
    dnnl_status_t st = dnnl_post_ops_create(&post);
    if (st == dnnl_success)
        st = dnnl_post_ops_append_eltwise(post, 1.0F, algorithms[activation], 0.0F, 0.0F);
    if (st == dnnl_success)
        st = dnnl_primitive_attr_set_post_ops(attr, post);
    if (post)
        (void)dnnl_post_ops_destroy(post);
    return st;
}

static bool is_fast(const ty_device *dev, const ty_choice *choice, ty_pass pass,
                    const void *layout) {
    dnnl_primitive_desc_t pd = NULL;
    const dnnl_status_t st = choice->describe(dev, choice->spec, pass, layout, &pd);
    const bool is_ok = st == dnnl_success && !ty_onednn_is_slow(pd);
    if (pd)
        (void)dnnl_primitive_desc_destroy(pd);
    return is_ok;
}

dnnl_status_t ty_onednn_choose(const ty_device *dev, const ty_choice *choice, ty_pass pass,
                               dnnl_primitive_desc_t *out) {
    const void *const candidates[] = {choice->given, &ty_layout_blocked16, &ty_layout_blocked8,
                                      NULL};
    const void *layout = NULL;
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
        layout = candidates[i];
        if (is_fast(dev, choice, TY_PASS_FORWARD, layout) &&
            (!choice->is_training || is_fast(dev, choice, TY_PASS_BACKWARD_X, layout)))
            break;
    }
    return choice->describe(dev, choice->spec, pass, layout, out);
}

ty_window_dims ty_onednn_window(const int64_t kernel[2], const int64_t stride[2],
                                const int64_t padding[2]) {
    return (ty_window_dims){.kernel = {kernel[0], kernel[1]},
                            .stride = {stride[0], stride[1]},
                            .padding = {padding[0], padding[1]}};
}
