/* Tensors, geometries and operations: what must hold of each when it is finalized. */
#include <string.h>

#include "dnn.h"

size_t cs_dnn_type_bytes(int32_t type) {
    return type == CUDNN_DATA_BFLOAT16 ? 2 : 4;
}

int64_t cs_dnn_extent(const cs_dnn_tensor *t) {
    int64_t last = 0;
    for (int i = 0; i < t->n_dims; i++)
        last += (t->dims[i] - 1) * t->strides[i];
    return last + 1;
}

/* Whether no two elements share a place: sorted by stride, each dimension steps over all below it. */
static bool is_injective(const cs_dnn_tensor *t) {
    int order[CS_DNN_DIMS], n = 0;
    for (int i = 0; i < t->n_dims; i++) {
        if (t->dims[i] == 1)
            continue;
        int at = n++;
        for (; at > 0 && t->strides[order[at - 1]] > t->strides[i]; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    int64_t reach = 1; /* elements that the dimensions so far span */
    for (int i = 0; i < n; i++) {
        if (t->strides[order[i]] < reach)
            return false;
        reach += (t->dims[order[i]] - 1) * t->strides[order[i]];
    }
    return true;
}

static cudnnStatus_t finalize_tensor(cs_dnn_desc *d) {
    const cs_dnn_value *dims = cs_dnn_find(d, CUDNN_ATTR_TENSOR_DIMENSIONS);
    const cs_dnn_value *strides = cs_dnn_find(d, CUDNN_ATTR_TENSOR_STRIDES);
    const cs_dnn_value *is_virtual = cs_dnn_find(d, CUDNN_ATTR_TENSOR_IS_VIRTUAL);
    cs_dnn_tensor t = {.uid = cs_dnn_int64(d, CUDNN_ATTR_TENSOR_UNIQUE_ID),
                       .alignment = cs_dnn_int64(d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT),
                       .type = cs_dnn_int32(d, CUDNN_ATTR_TENSOR_DATA_TYPE),
                       .n_dims = (int)dims->count,
                       .is_virtual = is_virtual && *(const bool *)is_virtual->data};
    if (t.type != CUDNN_DATA_FLOAT && t.type != CUDNN_DATA_BFLOAT16)
        cs_unknown(cs_current_function(), "data type %d is not modelled", t.type);
    if (dims->count != strides->count)
        return cs_dnn_report(CUDNN_STATUS_BAD_PARAM, "tensor %lld has %d dimensions, %d strides",
                             (long long)t.uid, t.n_dims, (int)strides->count);
    memcpy(t.dims, dims->data, (size_t)dims->count * sizeof *t.dims);
    memcpy(t.strides, strides->data, (size_t)dims->count * sizeof *t.strides);
    for (int i = 0; i < t.n_dims; i++)
        if (t.dims[i] < 1 || t.strides[i] < 1)
            return cs_dnn_report(
                CUDNN_STATUS_BAD_PARAM, "tensor %lld has %lld elements %lld apart in dimension %d",
                (long long)t.uid, (long long)t.dims[i], (long long)t.strides[i], i);
    int64_t element = (int64_t)cs_dnn_type_bytes(t.type);
    if (t.alignment < element || t.alignment & (t.alignment - 1))
        return cs_dnn_report(CUDNN_STATUS_BAD_PARAM,
                             "tensor %lld is aligned to %lld bytes: want a power of two, at least "
                             "an element",
                             (long long)t.uid, (long long)t.alignment);
    if (!is_injective(&t))
        return cs_dnn_report(CUDNN_STATUS_BAD_PARAM, "elements of tensor %lld share their places",
                             (long long)t.uid);
    d->tensor = t;
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t copy_spatial(const cs_dnn_desc *d, cudnnBackendAttributeName_t attribute,
                                  const char *name, int64_t least, int64_t out[2]) {
    const cs_dnn_value *value = cs_dnn_find(d, attribute);
    if (value->count != 2)
        return cs_dnn_report(CUDNN_STATUS_BAD_PARAM, "%lld %s for 2 dimensions",
                             (long long)value->count, name);
    memcpy(out, value->data, 2 * sizeof *out);
    if (out[0] < least || out[1] < least)
        return cs_dnn_report(CUDNN_STATUS_BAD_PARAM, "%s of %lld, %lld: want at least %lld", name,
                             (long long)out[0], (long long)out[1], (long long)least);
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t finalize_geometry(cs_dnn_desc *d) {
    cs_dnn_geometry g = {.compute = cs_dnn_int32(d, CUDNN_ATTR_CONVOLUTION_COMP_TYPE),
                         .mode = cs_dnn_int32(d, CUDNN_ATTR_CONVOLUTION_CONV_MODE),
                         .n_spatial = cs_dnn_int64(d, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS)};
    if (g.n_spatial < 1 || g.n_spatial > 3)
        return cs_dnn_report(CUDNN_STATUS_BAD_PARAM, "%lld spatial dimensions",
                             (long long)g.n_spatial);
    if (g.n_spatial != 2 || g.mode != CUDNN_CROSS_CORRELATION)
        cs_unknown(cs_current_function(), "%lld spatial dimensions, mode %d are not modelled",
                   (long long)g.n_spatial, g.mode);
    if (copy_spatial(d, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, "paddings", 0, g.pre) ||
        copy_spatial(d, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, "paddings", 0, g.post) ||
        copy_spatial(d, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, "strides", 1, g.stride) ||
        copy_spatial(d, CUDNN_ATTR_CONVOLUTION_DILATIONS, "dilations", 1, g.dilation))
        return CUDNN_STATUS_BAD_PARAM;
    d->geometry = g;
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t finalize_pointwise(cs_dnn_desc *d) {
    cs_dnn_pointwise p = {.mode = cs_dnn_int32(d, CUDNN_ATTR_POINTWISE_MODE),
                          .compute = cs_dnn_int32(d, CUDNN_ATTR_POINTWISE_MATH_PREC)};
    if (p.mode != CUDNN_POINTWISE_ADD && p.mode != CUDNN_POINTWISE_RELU_FWD)
        cs_unknown(cs_current_function(), "pointwise mode %d is not modelled", p.mode);
    d->pointwise = p;
    return CUDNN_STATUS_SUCCESS;
}

/* --- operations ------------------------------------------------------------------------------- */

const cs_dnn_tensor *cs_dnn_output(const cs_dnn_op *op) {
    if (op->kind == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR)
        return &op->x;
    if (op->kind == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR)
        return &op->w;
    return &op->y;
}

static bool is_output_size(int64_t in, int64_t window, int64_t out, const cs_dnn_geometry *g,
                           int i) {
    int64_t reach = in + g->pre[i] + g->post[i] - ((window - 1) * g->dilation[i] + 1);
    return reach >= 0 && out == reach / g->stride[i] + 1;
}

static cudnnStatus_t check_convolution(const cs_dnn_op *op) {
    const int64_t *x = op->x.dims, *w = op->w.dims, *y = op->y.dims;
    if (op->x.n_dims != 4 || op->w.n_dims != 4 || op->y.n_dims != 4)
        return cs_dnn_report(CUDNN_STATUS_BAD_PARAM, "%d, %d and %d dimensions, want 4 each",
                             op->x.n_dims, op->w.n_dims, op->y.n_dims);
    if (x[1] % w[1] || w[0] % (x[1] / w[1]))
        return cs_dnn_report(CUDNN_STATUS_BAD_PARAM,
                             "%lld channels, filters of %lld channels, %lld of them: no number of "
                             "groups fits",
                             (long long)x[1], (long long)w[1], (long long)w[0]);
    if (y[0] != x[0] || y[1] != w[0] || !is_output_size(x[2], w[2], y[2], &op->geometry, 0) ||
        !is_output_size(x[3], w[3], y[3], &op->geometry, 1))
        return cs_dnn_report(CUDNN_STATUS_BAD_PARAM,
                             "y is [%lld, %lld, %lld, %lld] for x [%lld, %lld, %lld, %lld] and "
                             "filters [%lld, %lld, %lld, %lld]",
                             (long long)y[0], (long long)y[1], (long long)y[2], (long long)y[3],
                             (long long)x[0], (long long)x[1], (long long)x[2], (long long)x[3],
                             (long long)w[0], (long long)w[1], (long long)w[2], (long long)w[3]);
    return CUDNN_STATUS_SUCCESS;
}

/* The attributes of the three convolutions have the same order in three ranges of numbers. */
static cudnnStatus_t finalize_convolution(cs_dnn_desc *d) {
    static const struct {
        cudnnBackendAttributeName_t alpha, beta, conv, w, x, y;
    } forward = {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                 CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA,
                 CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                 CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                 CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                 CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y};
    int shift = d->type == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR         ? 0
                : d->type == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR ? 6
                                                                                          : 12;
#define NAME(field) ((cudnnBackendAttributeName_t)((int)forward.field + shift))
    cs_dnn_op op = {.kind = d->type,
                    .alpha = cs_dnn_float(d, NAME(alpha)),
                    .beta = cs_dnn_float(d, NAME(beta)),
                    .geometry = cs_dnn_part(d, NAME(conv))->geometry,
                    .w = cs_dnn_part(d, NAME(w))->tensor,
                    .x = cs_dnn_part(d, NAME(x))->tensor,
                    .y = cs_dnn_part(d, NAME(y))->tensor};
#undef NAME
    cudnnStatus_t status = check_convolution(&op);
    if (status == CUDNN_STATUS_SUCCESS)
        d->op = op;
    return status;
}

static cudnnStatus_t finalize_pointwise_op(cs_dnn_desc *d) {
    const cs_dnn_desc *b = cs_dnn_part(d, CUDNN_ATTR_OPERATION_POINTWISE_BDESC);
    cs_dnn_op op = {.kind = d->type,
                    .pointwise =
                        cs_dnn_part(d, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR)->pointwise,
                    .x = cs_dnn_part(d, CUDNN_ATTR_OPERATION_POINTWISE_XDESC)->tensor,
                    .y = cs_dnn_part(d, CUDNN_ATTR_OPERATION_POINTWISE_YDESC)->tensor,
                    .has_b = b != NULL};
    bool wants_b = op.pointwise.mode == CUDNN_POINTWISE_ADD;
    if (wants_b != op.has_b)
        return cs_dnn_report(CUDNN_STATUS_BAD_PARAM, "pointwise mode %d takes %s second tensor",
                             op.pointwise.mode, wants_b ? "a" : "no");
    if (b)
        op.b = b->tensor;
    if (op.x.n_dims != op.y.n_dims || (b && op.b.n_dims != op.y.n_dims))
        return cs_dnn_report(CUDNN_STATUS_BAD_PARAM, "tensors of different numbers of dimensions");
    for (int i = 0; i < op.y.n_dims; i++)
        if ((op.x.dims[i] != op.y.dims[i] && op.x.dims[i] != 1) ||
            (b && op.b.dims[i] != op.y.dims[i] && op.b.dims[i] != 1))
            return cs_dnn_report(CUDNN_STATUS_BAD_PARAM,
                                 "an input of a pointwise operation does not fit dimension %d of "
                                 "its output",
                                 i);
    d->op = op;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cs_dnn_finalize_part(cs_dnn_desc *d) {
    switch (d->type) {
    case CUDNN_BACKEND_TENSOR_DESCRIPTOR:
        return finalize_tensor(d);
    case CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR:
        return finalize_geometry(d);
    case CUDNN_BACKEND_POINTWISE_DESCRIPTOR:
        return finalize_pointwise(d);
    case CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR:
        return finalize_pointwise_op(d);
    default:
        return finalize_convolution(d);
    }
}
