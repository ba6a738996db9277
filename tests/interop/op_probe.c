/* Runs single ops for tests in other languages. Each line of standard input is one request, each
 * line of standard output its answer, both JSON:
 *
 *   {"op": "conv2d", "attrs": {"out": 16, "kernel": [3, 3], ...}, "training": true,
 *    "inputs": [{"dtype": "f32", "shape": [2, 3, 8, 8], "data": [...], "wants_dx": true}],
 *    "params": [[...], [...]], "stats": [[...], [...]], "d_y": [...]}
 *   {"shape": [2, 16, 8, 8], "y": [...], "d_x": [[...]], "d_param": [[...], [...]], "batch_stat":
 * []}
 *
 * Everything is flat and canonical. Without d_y (losses need none: pass []) only forward runs.
 * Gradients start at 0. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/kernels.h"

/* --- attributes ------------------------------------------------------------------------------- */

typedef enum field_kind { INT64, PAIR, BOOL, DOUBLE, INT32, ACTIVATION } field_kind;

typedef struct field {
    ty_op_id op;
    const char *key;
    field_kind kind;
    size_t offset;
} field;

static const field fields[] = {
    {TY_OP_LINEAR, "out", INT64, offsetof(ty_linear_attrs, out)},
    {TY_OP_LINEAR, "has_bias", BOOL, offsetof(ty_linear_attrs, has_bias)},
    {TY_OP_LINEAR, "activation", ACTIVATION, offsetof(ty_linear_attrs, activation)},
    {TY_OP_CONV2D, "out", INT64, offsetof(ty_conv2d_attrs, out)},
    {TY_OP_CONV2D, "kernel", PAIR, offsetof(ty_conv2d_attrs, kernel)},
    {TY_OP_CONV2D, "stride", PAIR, offsetof(ty_conv2d_attrs, stride)},
    {TY_OP_CONV2D, "padding", PAIR, offsetof(ty_conv2d_attrs, padding)},
    {TY_OP_CONV2D, "groups", INT64, offsetof(ty_conv2d_attrs, groups)},
    {TY_OP_CONV2D, "has_bias", BOOL, offsetof(ty_conv2d_attrs, has_bias)},
    {TY_OP_CONV2D, "activation", ACTIVATION, offsetof(ty_conv2d_attrs, activation)},
    {TY_OP_ACTIVATION, "kind", ACTIVATION, offsetof(ty_activation_attrs, kind)},
    {TY_OP_POOL2D, "is_max", BOOL, offsetof(ty_pool2d_attrs, is_max)},
    {TY_OP_POOL2D, "is_global", BOOL, offsetof(ty_pool2d_attrs, is_global)},
    {TY_OP_POOL2D, "kernel", PAIR, offsetof(ty_pool2d_attrs, kernel)},
    {TY_OP_POOL2D, "stride", PAIR, offsetof(ty_pool2d_attrs, stride)},
    {TY_OP_POOL2D, "padding", PAIR, offsetof(ty_pool2d_attrs, padding)},
    {TY_OP_BATCH_NORM, "epsilon", DOUBLE, offsetof(ty_batch_norm_attrs, epsilon)},
    {TY_OP_BATCH_NORM, "has_relu", BOOL, offsetof(ty_batch_norm_attrs, has_relu)},
    {TY_OP_DROPOUT, "rate", DOUBLE, offsetof(ty_dropout_attrs, rate)},
    {TY_OP_SCALE, "factor", DOUBLE, offsetof(ty_scale_attrs, factor)},
    {TY_OP_SOFTMAX_XENT, "label_smoothing", DOUBLE,
     offsetof(ty_softmax_xent_attrs, label_smoothing)},
    {TY_OP_SOFTMAX_XENT, "ignore_index", INT32, offsetof(ty_softmax_xent_attrs, ignore_index)},
};

static const char *const activations[] = {"none", "relu", "gelu", "silu", "tanh", "sigmoid"};

static void fail(const char *what) {
    fprintf(stderr, "op_probe: %s\n", what);
    exit(1);
}

static int64_t activation_of(const char *name) {
    for (size_t i = 0; i < sizeof activations / sizeof *activations; i++)
        if (name && strcmp(name, activations[i]) == 0)
            return (int64_t)i;
    fail("unknown activation");
    return 0;
}

static void set_field(void *attrs, const field *to, const json_t *value) {
    char *at = (char *)attrs + to->offset;
    switch (to->kind) {
    case INT64:
        *(int64_t *)(void *)at = json_integer_value(value);
        break;
    case INT32:
        *(int32_t *)(void *)at = (int32_t)json_integer_value(value);
        break;
    case BOOL:
        *(bool *)(void *)at = json_is_true(value);
        break;
    case DOUBLE:
        *(double *)(void *)at = json_number_value(value);
        break;
    case ACTIVATION:
        *(ty_activation *)(void *)at = (ty_activation)activation_of(json_string_value(value));
        break;
    case PAIR:
        for (size_t i = 0; i < 2; i++)
            ((int64_t *)(void *)at)[i] = json_integer_value(json_array_get(value, i));
        break;
    }
}

enum { MAX_CHANNELS = 1024 }; /* of a request to normalize */

/* --- a request -------------------------------------------------------------------------------- */

typedef struct probe {
    ty_ctx ctx;
    ty_device *dev;
    ty_op_args args;
    ty_op_env env;
    ty_op_shapes shapes;
    union {
        ty_normalize_attrs normalize;
        ty_reshape_attrs reshape;
        ty_linear_attrs linear;
        ty_conv2d_attrs conv2d;
        ty_pool2d_attrs pool2d;
        ty_softmax_xent_attrs softmax_xent;
    } attrs;
    float normalize_pairs[2][MAX_CHANNELS];
    void *memory[32]; /* of the current request */
    int n_memory;
} probe;

static void must(probe *p, ty_status st) {
    if (st != TY_OK)
        fail(p->ctx.message);
}

static void *allocate(probe *p, size_t bytes) {
    if (p->n_memory == sizeof p->memory / sizeof *p->memory)
        fail("too many tensors");
    void *memory = NULL;
    must(p, ty_device_alloc(&p->ctx, p->dev, bytes, &memory));
    p->memory[p->n_memory++] = memory;
    return memory;
}

static ty_shape shape_of(const json_t *dims) {
    ty_shape shape = {.rank = (int)json_array_size(dims)};
    if (shape.rank > TY_MAX_RANK)
        fail("too many dimensions");
    for (int i = 0; i < shape.rank; i++)
        shape.dims[i] = json_integer_value(json_array_get(dims, (size_t)i));
    return shape;
}

static ty_dtype dtype_of(const char *name) {
    for (ty_dtype dtype = TY_DTYPE_F32; dtype <= TY_DTYPE_F64; dtype++)
        if (name && strcmp(name, ty_dtype_name(dtype)) == 0)
            return dtype;
    fail("unknown dtype");
    return TY_DTYPE_F32;
}

static ty_op_id op_of(const char *name) {
    for (int i = 0; i < TY_OP_COUNT; i++)
        if (name && ty_ops[i].name && strcmp(name, ty_ops[i].name) == 0)
            return (ty_op_id)i;
    fail("unknown op");
    return TY_OP_COUNT;
}

/* Makes the tensor and fills it from a flat array; a missing one leaves zeros. */
static void load(probe *p, ty_tensor *tensor, ty_shape shape, ty_dtype dtype, const json_t *data) {
    const int64_t n = ty_shape_count(shape);
    *tensor = (ty_tensor){.dtype = dtype, .shape = shape};
    tensor->bytes = (size_t)n * ty_dtype_bytes(dtype);
    tensor->data = allocate(p, tensor->bytes);
    if (data && json_array_size(data) != (size_t)n)
        fail("data and shape disagree");
    for (int64_t i = 0; i < n && data; i++) {
        const double value = json_number_value(json_array_get(data, (size_t)i));
        if (dtype == TY_DTYPE_F32)
            ((float *)tensor->data)[i] = (float)value;
        else if (dtype == TY_DTYPE_U8)
            ((uint8_t *)tensor->data)[i] = (uint8_t)value;
        else if (dtype == TY_DTYPE_I32)
            ((int32_t *)tensor->data)[i] = (int32_t)value;
        else
            fail("dtype not supported");
    }
}

static void read_attrs(probe *p, ty_op_id op, const json_t *attrs) {
    memset(&p->attrs, 0, sizeof p->attrs);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)attrs, key, value) {
        for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
            if (fields[i].op == op && strcmp(fields[i].key, key) == 0)
                set_field(&p->attrs, &fields[i], value);
    }
    if (op == TY_OP_RESHAPE)
        p->attrs.reshape.shape = shape_of(json_object_get(attrs, "shape"));
    if (op == TY_OP_NORMALIZE) {
        const char *const names[] = {"mean", "inverse_std"};
        const size_t n = json_array_size(json_object_get(attrs, "mean"));
        for (size_t k = 0; k < 2; k++)
            for (size_t i = 0; i < n && i < MAX_CHANNELS; i++)
                p->normalize_pairs[k][i] =
                    (float)json_number_value(json_array_get(json_object_get(attrs, names[k]), i));
        p->attrs.normalize =
            (ty_normalize_attrs){(int64_t)n, p->normalize_pairs[0], p->normalize_pairs[1]};
    }
}

static void read_tensors(probe *p, const json_t *request) {
    ty_op_args *a = &p->args;
    for (int i = 0; i < ty_ops[a->id].n_inputs; i++) {
        const json_t *in = json_array_get(json_object_get(request, "inputs"), (size_t)i);
        load(p, &a->x[i], shape_of(json_object_get(in, "shape")),
             dtype_of(json_string_value(json_object_get(in, "dtype"))),
             json_object_get(in, "data"));
        a->wants_dx[i] = json_is_true(json_object_get(in, "wants_dx"));
        if (a->wants_dx[i])
            load(p, &a->d_x[i], a->x[i].shape, TY_DTYPE_F32, NULL);
    }
    must(p, ty_ops[a->id].infer(&p->ctx, a->attrs, a->x, &p->shapes));
    for (int i = 0; i < p->shapes.n_params; i++) {
        load(p, &a->param[i], p->shapes.param[i].shape, TY_DTYPE_F32,
             json_array_get(json_object_get(request, "params"), (size_t)i));
        load(p, &a->d_param[i], p->shapes.param[i].shape, TY_DTYPE_F32, NULL);
    }
    for (int i = 0; i < p->shapes.n_stats; i++) {
        load(p, &a->stat[i], p->shapes.stat[i].shape, TY_DTYPE_F32,
             json_array_get(json_object_get(request, "stats"), (size_t)i));
        load(p, &a->batch_stat[i], p->shapes.stat[i].shape, TY_DTYPE_F32, NULL);
    }
}

/* The gradient of y in y's layout: oneDNN's choice is known only now, so a reshape of nothing does
 * the reordering. */
static void place_gradient(probe *p, const json_t *d_y) {
    ty_op_args *a = &p->args;
    a->d_y = a->y;
    a->d_y.data = allocate(p, a->y.bytes);
    if (json_array_size(d_y) == 0)
        return;
    ty_tensor canonical;
    load(p, &canonical, a->y.shape, TY_DTYPE_F32, d_y);
    if (!a->y.layout) {
        memcpy(a->d_y.data, canonical.data, canonical.bytes);
        return;
    }
    const ty_reshape_attrs same = {.shape = a->y.shape};
    ty_op_args back = {.id = TY_OP_RESHAPE,
                       .attrs = &same,
                       .is_training = true,
                       .wants_dx = {true},
                       .x = {a->y},
                       .d_x = {a->d_y},
                       .y = {.dtype = TY_DTYPE_F32, .shape = a->y.shape},
                       .env = &p->env};
    const ty_op_impl *reshape = ty_device_op(p->dev, TY_OP_RESHAPE);
    must(p, reshape->prepare(&p->ctx, p->dev, &back));
    back.workspace = allocate(p, back.workspace_bytes);
    back.d_y = canonical;
    must(p, reshape->backward(&p->ctx, p->dev, &back));
    reshape->release(p->dev, &back);
}

static void run(probe *p, const json_t *request) {
    ty_op_args *a = &p->args;
    const json_t *d_y = json_object_get(request, "d_y");
    a->y = (ty_tensor){.dtype = p->shapes.y_dtype, .shape = p->shapes.y};
    const ty_op_impl *impl = ty_device_op(p->dev, a->id);
    must(p, impl->prepare(&p->ctx, p->dev, a));
    a->y.data = allocate(p, a->y.bytes);
    a->aux.data = allocate(p, a->aux.bytes);
    a->workspace = allocate(p, a->workspace_bytes);
    int64_t *ids = allocate(p, (size_t)a->x[0].shape.dims[0] * sizeof *ids);
    for (int64_t i = 0; i < a->x[0].shape.dims[0]; i++)
        ids[i] = i;
    p->env = (ty_op_env){.seed = 1, .step = 1, .sample_ids = ids};
    must(p, impl->forward(&p->ctx, p->dev, a));
    if (d_y) {
        place_gradient(p, d_y);
        must(p, impl->backward(&p->ctx, p->dev, a));
    }
    must(p, ty_device_sync(&p->ctx, p->dev));
}

/* --- the answer ------------------------------------------------------------------------------- */

static void print_tensor(probe *p, const ty_tensor *tensor) {
    const int64_t n = ty_shape_count(tensor->shape);
    float *host = malloc((size_t)n * sizeof *host + 1);
    if (!host || !tensor->data)
        fail("nothing to print");
    must(p, ty_tensor_copy_out(&p->ctx, p->dev, tensor, host));
    putchar('[');
    for (int64_t i = 0; i < n; i++)
        printf("%s%.9g", i ? "," : "", (double)host[i]);
    putchar(']');
    free(host);
}

static void print_list(probe *p, const char *key, const ty_tensor *tensors, int n) {
    printf(",\"%s\":[", key);
    for (int i = 0; i < n; i++) {
        printf("%s", i ? "," : "");
        if (tensors[i].data)
            print_tensor(p, &tensors[i]);
        else
            printf("null");
    }
    putchar(']');
}

static void print_answer(probe *p) {
    const ty_op_args *a = &p->args;
    printf("{\"shape\":[");
    for (int i = 0; i < a->y.shape.rank; i++)
        printf("%s%lld", i ? "," : "", (long long)a->y.shape.dims[i]);
    printf("],\"y\":");
    print_tensor(p, &a->y);
    print_list(p, "d_x", a->d_x, ty_ops[a->id].n_inputs);
    print_list(p, "d_param", a->d_param, p->shapes.n_params);
    print_list(p, "batch_stat", a->batch_stat, p->shapes.n_stats);
    printf("}\n");
    (void)fflush(stdout);
}

static void answer(probe *p, const json_t *request) {
    const ty_op_id op = op_of(json_string_value(json_object_get(request, "op")));
    read_attrs(p, op, json_object_get(request, "attrs"));
    p->args = (ty_op_args){.id = op,
                           .attrs = &p->attrs,
                           .op_number = 1,
                           .is_training = json_is_true(json_object_get(request, "training")),
                           .env = &p->env};
    read_tensors(p, request);
    run(p, request);
    print_answer(p);
    ty_device_op(p->dev, op)->release(p->dev, &p->args);
    while (p->n_memory > 0)
        ty_device_free(p->dev, p->memory[--p->n_memory]);
}

int main(void) {
    static probe p; /* large */
    ty_ctx_init(&p.ctx);
    must(&p,
         ty_device_open(&p.ctx, &(ty_device_options){.name = "cpu", .max_isa_level = -1}, &p.dev));
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, stdin) > 0) {
        json_t *request = json_loads(line, 0, NULL);
        if (!request)
            fail("a request is not JSON");
        answer(&p, request);
        json_decref(request);
    }
    free(line);
    ty_device_close(p.dev);
    ty_ctx_clear(&p.ctx);
    return 0;
}
