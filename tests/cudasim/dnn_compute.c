/* What a convolution computes when its turn in the stream comes: each image's patches as a matrix, times the
 * filters. */
#include <stdlib.h>
#include <string.h>

#include "dnn.h"
#include "memory.h"
#include "rounding.h"

/* One convolution under way: sizes a group, filters as rows, the orders of summation. */
typedef struct work {
    const cs_dnn_call *call;
    const cs_dnn_op *op;
    uint64_t x, w, y;       /* addresses; 0: virtual */
    int64_t n, groups;      /* images, groups */
    int64_t c, k, r, s;     /* channels and filters a group, window */
    int64_t h, width, p, q; /* input and output */
    size_t patch, places;   /* c r s, p q */
    cs_element element;     /* how inputs are read */
    uint64_t hash;
} work;

static float load(const cs_dnn_tensor *t, uint64_t base, int64_t at, cs_element element) {
    return cs_element_load(cs_alias(base) + (size_t)at * cs_dnn_type_bytes(t->type), element);
}

static void store(const cs_dnn_tensor *t, uint64_t base, int64_t at, float value) {
    uint8_t *bytes = cs_alias(base) + (size_t)at * cs_dnn_type_bytes(t->type);
    uint16_t narrow = cs_to_bf16(value);
    if (t->type == CUDNN_DATA_BFLOAT16)
        memcpy(bytes, &narrow, sizeof narrow);
    else
        memcpy(bytes, &value, sizeof value);
}

static int64_t at4(const cs_dnn_tensor *t, int64_t a, int64_t b, int64_t c, int64_t d) {
    return a * t->strides[0] + b * t->strides[1] + c * t->strides[2] + d * t->strides[3];
}

static cs_element plain(const cs_dnn_tensor *t) {
    return t->type == CUDNN_DATA_BFLOAT16 ? CS_ELEMENT_BF16 : CS_ELEMENT_F32;
}

/* --- initialised or not ----------------------------------------------------------------------- */

static bool is_dense(const cs_dnn_tensor *t) {
    int64_t elements = 1;
    for (int i = 0; i < t->n_dims; i++)
        elements *= t->dims[i];
    return elements == cs_dnn_extent(t);
}

/* Checks or marks each element; those of 4 dimensions with gaps one by one. */
static void touch(const cs_dnn_call *call, const cs_dnn_tensor *t, bool is_write) {
    uint64_t base = cs_dnn_pointer(&call->pack, t->uid);
    size_t each = cs_dnn_type_bytes(t->type);
    if (is_dense(t) && is_write)
        cs_init_mark(base, (size_t)cs_dnn_extent(t) * each);
    else if (is_dense(t))
        cs_init_check(call->what, base, (size_t)cs_dnn_extent(t) * each);
    else
        for (int64_t i = 0, n = t->dims[0] * t->dims[1] * t->dims[2] * t->dims[3]; i < n; i++) {
            int64_t d = i % t->dims[3], c = i / t->dims[3] % t->dims[2];
            int64_t b = i / t->dims[3] / t->dims[2] % t->dims[1];
            int64_t a = i / t->dims[3] / t->dims[2] / t->dims[1];
            uint64_t at = base + (uint64_t)at4(t, a, b, c, d) * each;
            if (is_write)
                cs_init_mark(at, each);
            else if (!cs_init_check(call->what, at, each))
                return;
        }
}

/* --- patches ---------------------------------------------------------------------------------- */

/* Where in x the window's (r, s) falls for output (p, q); -1: in the padding. */
static int64_t source(const work *w, int64_t n, int64_t channel, int64_t r, int64_t s, int64_t p,
                      int64_t q) {
    const cs_dnn_geometry *g = &w->op->geometry;
    int64_t row = p * g->stride[0] - g->pre[0] + r * g->dilation[0];
    int64_t column = q * g->stride[1] - g->pre[1] + s * g->dilation[1];
    if (row < 0 || row >= w->h || column < 0 || column >= w->width)
        return -1;
    return at4(&w->op->x, n, channel, row, column);
}

/* An image's patches: `patch` rows (channel, r, s), `places` columns (p, q). */
static void gather(const work *w, int64_t n, int64_t group, float *out) {
    for (int64_t c = 0; c < w->c; c++)
        for (int64_t r = 0; r < w->r; r++)
            for (int64_t s = 0; s < w->s; s++)
                for (int64_t p = 0; p < w->p; p++)
                    for (int64_t q = 0; q < w->q; q++) {
                        int64_t at = source(w, n, group * w->c + c, r, s, p, q);
                        *out++ = at < 0 ? 0 : load(&w->op->x, w->x, at, w->element);
                    }
}

/* A group's filters: k rows of `patch`. */
static void gather_filters(const work *w, int64_t group, float *out) {
    for (int64_t k = 0; k < w->k; k++)
        for (int64_t c = 0; c < w->c; c++)
            for (int64_t r = 0; r < w->r; r++)
                for (int64_t s = 0; s < w->s; s++)
                    *out++ = load(&w->op->w, w->w, at4(&w->op->w, group * w->k + k, c, r, s),
                                  w->element);
}

/* An image's gradients of the output: k rows of `places`. */
static void gather_gradients(const work *w, int64_t n, int64_t group, float *out) {
    for (int64_t k = 0; k < w->k; k++)
        for (int64_t p = 0; p < w->p; p++)
            for (int64_t q = 0; q < w->q; q++)
                *out++ =
                    load(&w->op->y, w->y, at4(&w->op->y, n, group * w->k + k, p, q), w->element);
}

static cs_matrix rows_of(const float *values, size_t columns) {
    return (cs_matrix){(const uint8_t *)values, CS_ELEMENT_F32, (int64_t)columns, 1};
}

static cs_matrix columns_of(const float *values, size_t columns) {
    return (cs_matrix){(const uint8_t *)values, CS_ELEMENT_F32, 1, (int64_t)columns};
}

/* --- what is written -------------------------------------------------------------------------- */

/* Bias and ReLU of a fused graph, in fp32. */
static float finish(const work *w, int64_t channel, float value) {
    const cs_dnn_graph *g = &w->call->graph;
    for (int i = 1; i < g->n_ops; i++) {
        const cs_dnn_op *op = &g->ops[i];
        if (op->pointwise.mode == CUDNN_POINTWISE_RELU_FWD) {
            value = value < 0 ? 0 : value;
            continue;
        }
        const cs_dnn_tensor *bias = op->x.uid == g->ops[i - 1].y.uid ? &op->b : &op->x;
        value += load(bias, cs_dnn_pointer(&w->call->pack, bias->uid), channel * bias->strides[1],
                      plain(bias));
    }
    return value;
}

static void put(const work *w, const cs_dnn_tensor *t, uint64_t base, int64_t at, int64_t channel,
                float value) {
    value *= w->op->alpha;
    if (w->op->beta != 0)
        value += w->op->beta * load(t, base, at, plain(t));
    store(t, base, at, finish(w, channel, value));
}

/* --- the three products ----------------------------------------------------------------------- */

static void run_forward(const work *w) {
    const cs_dnn_graph *g = &w->call->graph;
    const cs_dnn_tensor *y = &g->ops[g->n_ops - 1].y;
    uint64_t base = cs_dnn_pointer(&w->call->pack, y->uid);
    float *filters = cs_must_alloc((size_t)w->k * w->patch * sizeof(float));
    float *patches = cs_must_alloc(w->patch * w->places * sizeof(float));
    float *product = cs_must_alloc((size_t)w->k * w->places * sizeof(float));
    uint32_t *order = cs_k_order(w->patch, w->hash);
    for (int64_t group = 0; group < w->groups; group++) {
        gather_filters(w, group, filters);
        for (int64_t n = 0; n < w->n; n++) {
            gather(w, n, group, patches);
            cs_gemm_run(&(cs_gemm){.m = (size_t)w->k,
                                   .n = w->places,
                                   .k = w->patch,
                                   .a = rows_of(filters, w->patch),
                                   .b = rows_of(patches, w->places),
                                   .k_order = order,
                                   .c = product});
            for (int64_t k = 0; k < w->k; k++)
                for (int64_t p = 0; p < w->p; p++)
                    for (int64_t q = 0; q < w->q; q++)
                        put(w, y, base, at4(y, n, group * w->k + k, p, q), group * w->k + k,
                            product[((size_t)k * (size_t)w->p + (size_t)p) * (size_t)w->q +
                                    (size_t)q]);
        }
    }
    free(filters);
    free(patches);
    free(product);
    free(order);
}

/* Adds the patches' gradients where the patches came from. */
static void scatter(const work *w, int64_t n, int64_t group, const float *patches, float *image) {
    memset(image, 0, (size_t)(w->c * w->h * w->width) * sizeof *image);
    for (int64_t c = 0; c < w->c; c++)
        for (int64_t r = 0; r < w->r; r++)
            for (int64_t s = 0; s < w->s; s++)
                for (int64_t p = 0; p < w->p; p++)
                    for (int64_t q = 0; q < w->q; q++, patches++) {
                        const cs_dnn_geometry *g = &w->op->geometry;
                        int64_t row = p * g->stride[0] - g->pre[0] + r * g->dilation[0];
                        int64_t column = q * g->stride[1] - g->pre[1] + s * g->dilation[1];
                        if (row >= 0 && row < w->h && column >= 0 && column < w->width)
                            image[(c * w->h + row) * w->width + column] += *patches;
                    }
    for (int64_t c = 0; c < w->c; c++)
        for (int64_t row = 0; row < w->h; row++)
            for (int64_t column = 0; column < w->width; column++) {
                int64_t at = at4(&w->op->x, n, group * w->c + c, row, column);
                put(w, &w->op->x, w->x, at, 0, image[(c * w->h + row) * w->width + column]);
            }
}

static void run_backward_data(const work *w) {
    float *filters = cs_must_alloc((size_t)w->k * w->patch * sizeof(float));
    float *gradients = cs_must_alloc((size_t)w->k * w->places * sizeof(float));
    float *patches = cs_must_alloc(w->patch * w->places * sizeof(float));
    float *image = cs_must_alloc((size_t)(w->c * w->h * w->width) * sizeof(float));
    uint32_t *order = cs_k_order((size_t)w->k, w->hash);
    for (int64_t group = 0; group < w->groups; group++) {
        gather_filters(w, group, filters);
        for (int64_t n = 0; n < w->n; n++) {
            gather_gradients(w, n, group, gradients);
            cs_gemm_run(&(cs_gemm){.m = w->patch,
                                   .n = w->places,
                                   .k = (size_t)w->k,
                                   .a = columns_of(filters, w->patch),
                                   .b = rows_of(gradients, w->places),
                                   .k_order = order,
                                   .c = patches});
            scatter(w, n, group, patches, image);
        }
    }
    free(filters);
    free(gradients);
    free(patches);
    free(image);
    free(order);
}

static void put_filters(const work *w, int64_t group, const float *sums) {
    for (int64_t k = 0; k < w->k; k++)
        for (int64_t c = 0; c < w->c; c++)
            for (int64_t r = 0; r < w->r; r++)
                for (int64_t s = 0; s < w->s; s++)
                    put(w, &w->op->w, w->w, at4(&w->op->w, group * w->k + k, c, r, s), 0, *sums++);
}

static void run_backward_filter(const work *w) {
    size_t n_sums = (size_t)w->k * w->patch;
    float *patches = cs_must_alloc(w->patch * w->places * sizeof(float));
    float *gradients = cs_must_alloc((size_t)w->k * w->places * sizeof(float));
    float *product = cs_must_alloc(n_sums * sizeof(float));
    float *sums = cs_must_alloc(n_sums * sizeof(float));
    uint32_t *order = cs_k_order(w->places, w->hash), *images = cs_k_order((size_t)w->n, w->hash);
    for (int64_t group = 0; group < w->groups; group++) {
        memset(sums, 0, n_sums * sizeof *sums);
        for (int64_t i = 0; i < w->n; i++) {
            int64_t n = images ? images[i] : i;
            gather(w, n, group, patches);
            gather_gradients(w, n, group, gradients);
            cs_gemm_run(&(cs_gemm){.m = (size_t)w->k,
                                   .n = w->patch,
                                   .k = w->places,
                                   .a = rows_of(gradients, w->places),
                                   .b = columns_of(patches, w->places),
                                   .k_order = order,
                                   .c = product});
            for (size_t j = 0; j < n_sums; j++)
                sums[j] += product[j];
        }
        put_filters(w, group, sums);
    }
    free(patches);
    free(gradients);
    free(product);
    free(sums);
    free(order);
    free(images);
}

static work make_work(const cs_dnn_call *call) {
    const cs_dnn_op *op = &call->graph.ops[0];
    work w = {.call = call,
              .op = op,
              .x = cs_dnn_pointer(&call->pack, op->x.uid),
              .w = cs_dnn_pointer(&call->pack, op->w.uid),
              .y = cs_dnn_pointer(&call->pack, op->y.uid),
              .n = op->x.dims[0],
              .groups = op->x.dims[1] / op->w.dims[1],
              .c = op->w.dims[1],
              .r = op->w.dims[2],
              .s = op->w.dims[3],
              .h = op->x.dims[2],
              .width = op->x.dims[3],
              .p = op->y.dims[2],
              .q = op->y.dims[3]};
    w.k = op->w.dims[0] / w.groups;
    w.patch = (size_t)(w.c * w.r * w.s);
    w.places = (size_t)(w.p * w.q);
    w.element = op->x.type == CUDNN_DATA_BFLOAT16 ? CS_ELEMENT_BF16
                : call->engine.is_rounding        ? CS_ELEMENT_TF32
                                                  : CS_ELEMENT_F32;
    w.hash = cs_shape_hash(call->graph.hash, (uint64_t)call->engine.index);
    if (call->engine.is_random)
        w.hash = cs_shape_hash(w.hash, call->run);
    return w;
}

void cs_dnn_compute(const cs_dnn_call *call) {
    const cs_dnn_graph *g = &call->graph;
    const cs_dnn_tensor *output = cs_dnn_output(&g->ops[g->n_ops - 1]);
    work w = make_work(call);
    for (int i = 0; i < g->n_tensors; i++)
        if (g->tensors[i].uid != output->uid || g->ops[0].beta != 0)
            touch(call, &g->tensors[i], false);
    if (call->engine.workspace > 0)
        memset(cs_alias(call->pack.workspace), 0xFF, (size_t)call->engine.workspace);
    if (w.op->kind == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR)
        run_forward(&w);
    else if (w.op->kind == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR)
        run_backward_data(&w);
    else
        run_backward_filter(&w);
    touch(call, output, true);
}
