/* Which ONNX nodes an op becomes, in evaluation: one row an op. What an op computes is said in
 * kernels/op.h and attrs.h, what a node computes in ONNX's docs/Operators.md.
 *
 *   normalize      Cast (of bytes), Sub, Mul
 *   linear         Gemm, then a fused activation
 *   conv2d         Conv, then a fused Relu
 *   activation     Relu | Tanh | Sigmoid | Sigmoid, Mul | Div, Erf, Add, Mul, Mul
 *   pool2d         MaxPool | AveragePool | GlobalMaxPool | GlobalAveragePool
 *   batch_norm     BatchNormalization on running statistics, then a fused Relu
 *   dropout        Identity
 *   reshape        Reshape
 *   add, scale     Add, Mul
 *   softmax_xent   the outputs logits and, by Softmax, probabilities
 *   mse            the output prediction */
#include "trainer/onnx_private.h"

#include <math.h>

/* What a node reads and writes, by name. */
static const char *x_of(const ty_onnx_graph *g, const ty_node *node, int i) {
    return g->names[node->x[i]];
}

static const char *y_of(const ty_onnx_graph *g, const ty_node *node) {
    return g->names[node->y];
}

static const char *param(const ty_onnx_graph *g, const ty_node *node, int i) {
    return g->model->params[node->param[i]].name;
}

static const char *running(const ty_onnx_graph *g, const ty_node *node, int i) {
    return g->model->stats[node->stat[i]].name;
}

static ty_onnx_shape shape_of(const ty_onnx_graph *g, const ty_node *node) {
    return ty_onnx_batch_of(g->model->values[node->y].shape);
}

/* A node of the op's own shape without attributes. */
static void put(ty_onnx_graph *g, const ty_node *node, const char *op, const char *a, const char *b,
                const char *y) {
    ty_onnx_node(g, op, (const char *const[]){a, b, NULL}, y, TY_ONNX_FLOAT, shape_of(g, node));
}

static void end(ty_onnx_graph *g, const ty_node *node, const char *y) {
    ty_onnx_end(g, y, TY_ONNX_FLOAT, shape_of(g, node));
}

/* --- activations ------------------------------------------------------------------------------ */

/* x Phi(x), Phi(x) = (1 + erf(x / sqrt(2))) / 2. */
static void put_gelu(ty_onnx_graph *g, const ty_node *node, const char *x, const char *y) {
    const char *root = ty_onnx_scalar(g, ty_onnx_part(g, y, "sqrt2"), (float)M_SQRT2);
    const char *one = ty_onnx_scalar(g, ty_onnx_part(g, y, "one"), 1);
    const char *half = ty_onnx_scalar(g, ty_onnx_part(g, y, "half"), 0.5F);
    const char *scaled = ty_onnx_part(g, y, "scaled"), *erf = ty_onnx_part(g, y, "erf");
    const char *sum = ty_onnx_part(g, y, "sum"), *phi = ty_onnx_part(g, y, "phi");
    put(g, node, "Div", x, root, scaled);
    put(g, node, "Erf", scaled, NULL, erf);
    put(g, node, "Add", erf, one, sum);
    put(g, node, "Mul", sum, half, phi);
    put(g, node, "Mul", x, phi, y);
}

static void put_silu(ty_onnx_graph *g, const ty_node *node, const char *x, const char *y) {
    const char *gate = ty_onnx_part(g, y, "gate");
    put(g, node, "Sigmoid", x, NULL, gate);
    put(g, node, "Mul", x, gate, y);
}

static void put_activation(ty_onnx_graph *g, const ty_node *node, ty_activation kind, const char *x,
                           const char *y) {
    switch (kind) {
    case TY_ACT_RELU:
        put(g, node, "Relu", x, NULL, y);
        return;
    case TY_ACT_TANH:
        put(g, node, "Tanh", x, NULL, y);
        return;
    case TY_ACT_SIGMOID:
        put(g, node, "Sigmoid", x, NULL, y);
        return;
    case TY_ACT_GELU:
        put_gelu(g, node, x, y);
        return;
    case TY_ACT_SILU:
        put_silu(g, node, x, y);
        return;
    case TY_ACT_NONE:
        put(g, node, "Identity", x, NULL, y);
        return;
    }
}

/* Where the op itself writes: the node's value, or one before its fused activation. */
static const char *before(ty_onnx_graph *g, const ty_node *node, ty_activation fused) {
    const char *y = y_of(g, node);
    return fused == TY_ACT_NONE ? y : ty_onnx_part(g, y, ty_ops[node->op].name);
}

static void put_fused(ty_onnx_graph *g, const ty_node *node, ty_activation fused, const char *x) {
    if (fused != TY_ACT_NONE)
        put_activation(g, node, fused, x, y_of(g, node));
}

/* --- rows ------------------------------------------------------------------------------------- */

/* [C, 1, 1]: broadcast over the batch in front and the plane behind. */
static const char *put_channels(ty_onnx_graph *g, const char *y, const float *values, int64_t n,
                                int rank) {
    ty_onnx_shape shape = {.rank = n == 1 ? 0 : rank - 1, .dims = {n, 1, 1, 1}};
    return ty_onnx_constant(g, y, TY_ONNX_FLOAT, shape, values, (size_t)n * sizeof *values);
}

static bool is_identity(const ty_normalize_attrs *attrs) {
    for (int64_t c = 0; c < attrs->n_channels; c++)
        if (attrs->mean[c] != 0 || attrs->inverse_std[c] != 1)
            return false;
    return true;
}

/* Where there is nothing to do, the value goes on under its own name. */
static void emit_normalize(ty_onnx_graph *g, const ty_node *node) {
    const ty_normalize_attrs *attrs = node->attrs;
    const char *x = x_of(g, node, 0), *y = y_of(g, node);
    const int rank = g->model->values[node->y].shape.rank;
    if (g->model->values[node->x[0]].dtype == TY_DTYPE_U8) {
        const char *floats = ty_onnx_part(g, y, "floats");
        ty_onnx_begin(g, "Cast", (const char *const[]){x, NULL}, floats);
        ty_onnx_attr_int(g, "to", TY_ONNX_FLOAT);
        end(g, node, floats);
        x = floats;
    }
    if (is_identity(attrs)) {
        g->names[node->y] = x;
        return;
    }
    const int64_t n = attrs->n_channels;
    const char *mean = put_channels(g, ty_onnx_part(g, y, "mean"), attrs->mean, n, rank);
    const char *scale =
        put_channels(g, ty_onnx_part(g, y, "inverse_std"), attrs->inverse_std, n, rank);
    const char *centred = ty_onnx_part(g, y, "centred");
    put(g, node, "Sub", x, mean, centred);
    put(g, node, "Mul", centred, scale, y);
}

static void emit_linear(ty_onnx_graph *g, const ty_node *node) {
    const ty_linear_attrs *attrs = node->attrs;
    const char *y = before(g, node, attrs->activation);
    const char *bias = attrs->has_bias ? param(g, node, 1) : NULL;
    ty_onnx_begin(g, "Gemm", (const char *const[]){x_of(g, node, 0), param(g, node, 0), bias, NULL},
                  y);
    ty_onnx_attr_int(g, "transB", 1);
    end(g, node, y);
    put_fused(g, node, attrs->activation, y);
}

/* kernel_shape, strides and pads (top, left, bottom, right). */
static void add_window(ty_onnx_graph *g, const int64_t kernel[2], const int64_t stride[2],
                       const int64_t padding[2]) {
    const int64_t pads[4] = {padding[0], padding[1], padding[0], padding[1]};
    ty_onnx_attr_ints(g, "kernel_shape", kernel, 2);
    ty_onnx_attr_ints(g, "strides", stride, 2);
    ty_onnx_attr_ints(g, "pads", pads, 4);
}

static void emit_conv2d(ty_onnx_graph *g, const ty_node *node) {
    const ty_conv2d_attrs *attrs = node->attrs;
    const char *y = before(g, node, attrs->activation);
    const char *bias = attrs->has_bias ? param(g, node, 1) : NULL;
    ty_onnx_begin(g, "Conv", (const char *const[]){x_of(g, node, 0), param(g, node, 0), bias, NULL},
                  y);
    add_window(g, attrs->kernel, attrs->stride, attrs->padding);
    ty_onnx_attr_int(g, "group", attrs->groups);
    end(g, node, y);
    put_fused(g, node, attrs->activation, y);
}

static void emit_activation(ty_onnx_graph *g, const ty_node *node) {
    const ty_activation_attrs *attrs = node->attrs;
    put_activation(g, node, attrs->kind, x_of(g, node, 0), y_of(g, node));
}

static void emit_pool2d(ty_onnx_graph *g, const ty_node *node) {
    const ty_pool2d_attrs *attrs = node->attrs;
    const char *x = x_of(g, node, 0), *y = y_of(g, node);
    if (attrs->is_global) {
        put(g, node, attrs->is_max ? "GlobalMaxPool" : "GlobalAveragePool", x, NULL, y);
        return;
    }
    ty_onnx_begin(g, attrs->is_max ? "MaxPool" : "AveragePool", (const char *const[]){x, NULL}, y);
    add_window(g, attrs->kernel, attrs->stride, attrs->padding);
    end(g, node, y);
}

static void emit_batch_norm(ty_onnx_graph *g, const ty_node *node) {
    const ty_batch_norm_attrs *attrs = node->attrs;
    const ty_activation fused = attrs->has_relu ? TY_ACT_RELU : TY_ACT_NONE;
    const char *y = before(g, node, fused);
    const char *const inputs[] = {x_of(g, node, 0),    param(g, node, 0),   param(g, node, 1),
                                  running(g, node, 0), running(g, node, 1), NULL};
    ty_onnx_begin(g, "BatchNormalization", inputs, y);
    ty_onnx_attr_float(g, "epsilon", (float)attrs->epsilon);
    end(g, node, y);
    put_fused(g, node, fused, y);
}

static void emit_dropout(ty_onnx_graph *g, const ty_node *node) {
    put(g, node, "Identity", x_of(g, node, 0), NULL, y_of(g, node));
}

/* A 0 leaves the batch as it is. */
static void emit_reshape(ty_onnx_graph *g, const ty_node *node) {
    const char *y = y_of(g, node);
    const ty_shape shape = g->model->values[node->y].shape;
    int64_t dims[TY_MAX_RANK] = {0};
    for (int i = 1; i < shape.rank; i++)
        dims[i] = shape.dims[i];
    const char *list = ty_onnx_list(g, ty_onnx_part(g, y, "shape"), dims, shape.rank);
    put(g, node, "Reshape", x_of(g, node, 0), list, y);
}

static void emit_add(ty_onnx_graph *g, const ty_node *node) {
    put(g, node, "Add", x_of(g, node, 0), x_of(g, node, 1), y_of(g, node));
}

static void emit_scale(ty_onnx_graph *g, const ty_node *node) {
    const ty_scale_attrs *attrs = node->attrs;
    const char *y = y_of(g, node);
    const char *factor = ty_onnx_scalar(g, ty_onnx_part(g, y, "factor"), (float)attrs->factor);
    put(g, node, "Mul", x_of(g, node, 0), factor, y);
}

/* The head was declared as an output before its producer was written. */
static void emit_softmax_xent(ty_onnx_graph *g, const ty_node *node) {
    const ty_onnx_shape shape = ty_onnx_batch_of(g->model->values[node->x[0]].shape);
    ty_onnx_add_output(g, "probabilities", TY_ONNX_FLOAT, shape);
    ty_onnx_begin(g, "Softmax", (const char *const[]){x_of(g, node, 0), NULL}, "probabilities");
    ty_onnx_attr_int(g, "axis", 1);
    ty_onnx_end(g, "probabilities", TY_ONNX_FLOAT, shape);
}

static void emit_mse(ty_onnx_graph *g, const ty_node *node) {
    (void)g, (void)node;
}

typedef struct op_row {
    void (*emit)(ty_onnx_graph *g, const ty_node *node);
    const char *head; /* of a loss: what its predictions are called */
} op_row;

static const op_row rows[] = {
    [TY_OP_NORMALIZE] = {emit_normalize, NULL},
    [TY_OP_LINEAR] = {emit_linear, NULL},
    [TY_OP_CONV2D] = {emit_conv2d, NULL},
    [TY_OP_ACTIVATION] = {emit_activation, NULL},
    [TY_OP_POOL2D] = {emit_pool2d, NULL},
    [TY_OP_BATCH_NORM] = {emit_batch_norm, NULL},
    [TY_OP_DROPOUT] = {emit_dropout, NULL},
    [TY_OP_RESHAPE] = {emit_reshape, NULL},
    [TY_OP_ADD] = {emit_add, NULL},
    [TY_OP_SCALE] = {emit_scale, NULL},
    [TY_OP_SOFTMAX_XENT] = {emit_softmax_xent, "logits"},
    [TY_OP_MSE] = {emit_mse, "prediction"},
};
_Static_assert(sizeof rows / sizeof rows[0] == TY_OP_COUNT, "an op without a row");

const char *ty_onnx_head(ty_op_id loss) {
    return rows[loss].head;
}

void ty_onnx_emit(ty_onnx_graph *g, const ty_node *node) {
    rows[node->op].emit(g, node);
}

bool ty_onnx_knows(ty_op_id op) {
    return rows[op].emit != NULL;
}
