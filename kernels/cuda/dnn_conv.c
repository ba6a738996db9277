#include "kernels/cuda/dnn_conv.h"

#include <stdio.h>

enum { VIRTUAL_IDS = 100 };

/* Which descriptor a pass is, and its attributes' names. */
typedef struct pass_row {
    const char *name;
    cudnnBackendDescriptorType_t type;
    cudnnBackendAttributeName_t alpha, beta, conv, filter, x, y;
} pass_row;

static const pass_row passes[] = {
    [TY_DNN_CONV_FORWARD] = {"forward", CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y},
    [TY_DNN_CONV_BACKWARD_X] = {"backward to the input",
                                CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
                                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
                                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA,
                                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
                                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY},
    [TY_DNN_CONV_BACKWARD_FILTER] = {"backward to the filters",
                                     CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
                                     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
                                     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA,
                                     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
                                     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
                                     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
                                     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY}};

static void name_of(const ty_dnn_conv_spec *s, char out[TY_DNN_NAME_BYTES]) {
    const ty_conv2d_attrs *a = s->attrs;
    const int64_t *x = s->x->shape.dims;
    (void)snprintf(out, TY_DNN_NAME_BYTES,
                   "conv2d %s: %s [%lld, %lld, %lld, %lld], %lld filters of %lld x %lld, stride "
                   "%lld x %lld, padding %lld x %lld, %lld group%s%s",
                   passes[s->pass].name, ty_dtype_name(s->x->dtype), (long long)x[0],
                   (long long)x[1], (long long)x[2], (long long)x[3], (long long)a->out,
                   (long long)a->kernel[0], (long long)a->kernel[1], (long long)a->stride[0],
                   (long long)a->stride[1], (long long)a->padding[0], (long long)a->padding[1],
                   (long long)a->groups, a->groups == 1 ? "" : "s",
                   s->has_epilogue ? ", with bias" : "");
}

static cudnnBackendDescriptor_t add_geometry(ty_dnn_plan *p, const ty_conv2d_attrs *a) {
    const cudnnDataType_t type = CUDNN_DATA_FLOAT; /* what sums are kept in, whatever is summed */
    const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
    const int64_t rank = 2, dilation[] = {1, 1};
    cudnnBackendDescriptor_t conv = ty_dnn_add(p, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    ty_dnn_set(p, conv, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
    ty_dnn_set(p, conv, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
    ty_dnn_set(p, conv, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, &rank);
    ty_dnn_set(p, conv, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, dilation);
    ty_dnn_set(p, conv, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2, a->stride);
    ty_dnn_set(p, conv, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2, a->padding);
    ty_dnn_set(p, conv, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2, a->padding);
    ty_dnn_finish(p, conv);
    return conv;
}

/* y of the whole graph, or one of f32 between two of its operations. */
static cudnnBackendDescriptor_t add_y(ty_dnn_plan *p, const ty_dnn_conv_spec *s, int step,
                                      bool is_last) {
    const ty_dnn_tensor y = {.id = is_last ? TY_CONV_Y + 1 : VIRTUAL_IDS + step,
                             .dtype = is_last ? s->y->dtype : TY_DTYPE_F32,
                             .dims = s->y->shape.dims,
                             .is_channels_last = true,
                             .is_virtual = !is_last};
    return ty_dnn_add_tensor(p, &y);
}

static cudnnBackendDescriptor_t add_conv(ty_dnn_plan *p, const ty_dnn_conv_spec *s,
                                         cudnnBackendDescriptor_t y) {
    const pass_row *row = &passes[s->pass];
    const ty_conv2d_attrs *a = s->attrs;
    const int64_t filter_dims[] = {a->out, s->x->shape.dims[1] / a->groups, a->kernel[0],
                                   a->kernel[1]};
    const ty_dnn_tensor x = {.id = TY_CONV_X + 1,
                             .dtype = s->x->dtype,
                             .dims = s->x->shape.dims,
                             .is_channels_last = ty_cuda_is_channels_last(s->x)};
    const ty_dnn_tensor filter = {
        .id = TY_CONV_FILTER + 1, .dtype = s->x->dtype, .dims = filter_dims};
    const float alpha = 1, beta = s->accumulates ? 1 : 0;
    cudnnBackendDescriptor_t geometry = add_geometry(p, a);
    cudnnBackendDescriptor_t x_part = ty_dnn_add_tensor(p, &x);
    cudnnBackendDescriptor_t filter_part = ty_dnn_add_tensor(p, &filter);
    cudnnBackendDescriptor_t conv = ty_dnn_add(p, row->type);
    ty_dnn_set(p, conv, row->alpha, CUDNN_TYPE_FLOAT, 1, &alpha);
    ty_dnn_set(p, conv, row->beta, CUDNN_TYPE_FLOAT, 1, &beta);
    ty_dnn_set_part(p, conv, row->conv, geometry);
    ty_dnn_set_part(p, conv, row->filter, filter_part);
    ty_dnn_set_part(p, conv, row->x, x_part);
    ty_dnn_set_part(p, conv, row->y, y);
    ty_dnn_finish(p, conv);
    return conv;
}

/* to = mode(from, other); other NULL: of from alone. */
static cudnnBackendDescriptor_t add_pointwise(ty_dnn_plan *p, cudnnPointwiseMode_t mode,
                                              cudnnBackendDescriptor_t from,
                                              cudnnBackendDescriptor_t other,
                                              cudnnBackendDescriptor_t to) {
    const cudnnDataType_t type = CUDNN_DATA_FLOAT;
    cudnnBackendDescriptor_t kind = ty_dnn_add(p, CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
    ty_dnn_set(p, kind, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode);
    ty_dnn_set(p, kind, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &type);
    ty_dnn_finish(p, kind);
    cudnnBackendDescriptor_t op = ty_dnn_add(p, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
    ty_dnn_set_part(p, op, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, kind);
    ty_dnn_set_part(p, op, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, from);
    if (other)
        ty_dnn_set_part(p, op, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, other);
    ty_dnn_set_part(p, op, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, to);
    ty_dnn_finish(p, op);
    return op;
}

/* The bias has the type of y: engines take no other. */
static cudnnBackendDescriptor_t add_bias(ty_dnn_plan *p, const ty_dnn_conv_spec *s) {
    const int64_t dims[] = {1, s->attrs->out, 1, 1};
    const ty_dnn_tensor bias = {
        .id = TY_CONV_BIAS + 1, .dtype = s->y->dtype, .dims = dims, .is_channels_last = true};
    return ty_dnn_add_tensor(p, &bias);
}

/* The graph's operations; how many. */
static int build(ty_dnn_plan *p, const ty_dnn_conv_spec *s, cudnnBackendDescriptor_t ops[3]) {
    const bool has_relu = s->has_epilogue && s->attrs->activation == TY_ACT_RELU;
    int n = 0;
    cudnnBackendDescriptor_t y = add_y(p, s, n, !s->has_epilogue);
    ops[n++] = add_conv(p, s, y);
    if (s->has_epilogue) {
        cudnnBackendDescriptor_t sum = add_y(p, s, n, !has_relu);
        ops[n++] = add_pointwise(p, CUDNN_POINTWISE_ADD, y, add_bias(p, s), sum);
        y = sum;
    }
    if (has_relu) {
        cudnnBackendDescriptor_t last = add_y(p, s, n, true);
        ops[n++] = add_pointwise(p, CUDNN_POINTWISE_RELU_FWD, y, NULL, last);
    }
    return n;
}

ty_status ty_dnn_conv_open(ty_ctx *ctx, ty_cuda *dev, const ty_dnn_conv_spec *spec,
                           ty_dnn_plan **out) {
    char name[TY_DNN_NAME_BYTES];
    cudnnBackendDescriptor_t ops[3];
    ty_dnn_plan *p = NULL;
    name_of(spec, name);
    TY_TRY(ty_dnn_plan_open(ctx, dev, name, &p));
    bool is_planned = false;
    const int n = build(p, spec, ops);
    ty_status st = ty_dnn_choose(p, ops, n, &is_planned);
    if (st == TY_OK && !is_planned && !spec->is_optional)
        st = ty_dnn_fail_unplanned(ctx, p);
    *out = is_planned ? p : NULL;
    if (!is_planned)
        ty_dnn_plan_close(p);
    return st;
}
