/* Matrix products: the fused one of a linear layer's forward pass, and plain ones for its
 * gradients.
 *
 * Measured on Zen 4 (AVX-512 and AVX2 caps): the matmul primitive with plain weights is as fast as
 * inner_product with its own weight layout once the reorder is counted, and faster than sgemm for
 * narrow outputs and small batches; for the two gradients sgemm is the faster, and adds to what is
 * there for nothing. */
#include "kernels/onednn_private.h"

typedef struct affine_mds {
    dnnl_memory_desc_t x, weight, bias,
        y; /* weight: [in, out], which is [out, in] seen transposed */
} affine_mds;

static dnnl_status_t describe(const ty_device *dev, const ty_affine_spec *spec,
                              const affine_mds *md, dnnl_primitive_desc_t *out) {
    dnnl_matmul_desc_t desc;
    dnnl_status_t st = dnnl_matmul_desc_init(&desc, &md->x, &md->weight,
                                             spec->has_bias ? &md->bias : NULL, &md->y);
    if (st != dnnl_success)
        return st;
    dnnl_primitive_attr_t attr = ty_onednn_attr();
    if (!attr)
        return dnnl_out_of_memory;
    st = ty_onednn_add_activation(attr, spec->activation);
    if (st == dnnl_success)
        st = dnnl_primitive_desc_create(out, &desc, attr, ty_cpu_dnn(dev)->engine, NULL);
    (void)dnnl_primitive_attr_destroy(attr);
    return st;
}

ty_status ty_onednn_affine_open(ty_ctx *ctx, ty_device *dev, const ty_affine_spec *spec,
                                ty_onednn_call **out) {
    affine_mds md = {.x = ty_onednn_md((ty_shape){2, {spec->batch, spec->in}}, NULL),
                     .bias = ty_onednn_md((ty_shape){2, {1, spec->out}}, NULL),
                     .y = ty_onednn_md((ty_shape){2, {spec->batch, spec->out}}, NULL)};
    const dnnl_dims_t dims = {spec->in, spec->out};
    dnnl_status_t st = dnnl_memory_desc_init_by_tag(&md.weight, 2, dims, dnnl_f32, dnnl_ba);
    dnnl_primitive_desc_t pd = NULL;
    if (st == dnnl_success)
        st = describe(dev, spec, &md, &pd);
    if (st != dnnl_success)
        return ty_onednn_fail(ctx, st, "prepare a matrix product");
    const ty_operand operands[] = {{TY_ROLE_X, md.x, false},
                                   {TY_ROLE_WEIGHT, md.weight, false},
                                   {TY_ROLE_Y, md.y, false},
                                   {TY_ROLE_BIAS, md.bias, false}};
    return ty_onednn_call_open_take(ctx, ty_cpu_dnn(dev), pd, operands, spec->has_bias ? 4 : 3,
                                    out);
}

ty_status ty_onednn_gemm(ty_ctx *ctx, const ty_gemm_args *args) {
    const dnnl_dim_t lda = args->transposes_a ? args->m : args->k;
    const dnnl_dim_t ldb = args->transposes_b ? args->k : args->n;
    const dnnl_status_t st = dnnl_sgemm(
        args->transposes_a ? 'T' : 'N', args->transposes_b ? 'T' : 'N', args->m, args->n, args->k,
        1.0F, args->a, lda, args->b, ldb, args->accumulates ? 1.0F : 0.0F, args->c, args->n);
    return st == dnnl_success ? TY_OK : ty_onednn_fail(ctx, st, "multiply matrices");
}
