/* Our layouts in oneDNN's words. */
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

int ty_onednn_candidates(const ty_device *dev, const void *given,
                         const void *candidates[TY_MAX_CANDIDATES]) {
    const void *all[] = {given, &ty_layout_blocked16, &ty_layout_blocked8, NULL};
    int n = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        bool is_known = all[i] == &ty_layout_blocked16 && dev->isa_level < TY_ISA_AVX512;
        for (int k = 0; k < n; k++)
            is_known = is_known || candidates[k] == all[i];
        if (!is_known)
            candidates[n++] = all[i];
    }
    return n;
}

ty_window_dims ty_onednn_window(const int64_t kernel[2], const int64_t stride[2],
                                const int64_t padding[2]) {
    return (ty_window_dims){.kernel = {kernel[0], kernel[1]},
                            .stride = {stride[0], stride[1]},
                            .padding = {padding[0], padding[1]}};
}
