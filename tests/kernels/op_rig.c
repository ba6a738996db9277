/* Guards, random values and one prepared call; nothing here asserts, since it also runs in threads. */
#include "op_rig.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/layout.h"

enum { GUARD = 64, GUARD_BYTE = 0xa5 };

/* --- memory with guards ----------------------------------------------------------------------- */

static void *add_buffer(rig *r, const char *what, int index, size_t bytes) {
    if (r->n_buffers == MAX_BUFFERS) /* no assert: this also runs in threads */
        abort();
    buffer *b = &r->buffers[r->n_buffers++];
    *b = (buffer){.what = what, .index = index, .bytes = bytes};
    void *memory = NULL;
    if (ty_device_alloc(&r->ctx, r->dev, bytes + 2 * GUARD, &memory) != TY_OK)
        abort();
    b->block = memory;
    memset(b->block, GUARD_BYTE, GUARD);
    memset(b->block + GUARD, JUNK_BYTE, bytes);
    memset(b->block + GUARD + bytes, GUARD_BYTE, GUARD);
    return b->block + GUARD;
}

/* From here on the newest buffer must keep its bytes. */
static void freeze_last_buffer(rig *r) {
    buffer *b = &r->buffers[r->n_buffers - 1];
    b->before = malloc(b->bytes + 1);
    if (!b->before)
        abort();
    memcpy(b->before, b->block + GUARD, b->bytes);
}

/* Says what broke in text; true if all is whole. */
bool buffers_are_whole(const rig *r, char *text, size_t room) {
    for (int i = 0; i < r->n_buffers; i++) {
        const buffer *b = &r->buffers[i];
        for (int k = 0; k < GUARD; k++) {
            if ((unsigned char)b->block[k] != GUARD_BYTE ||
                (unsigned char)b->block[GUARD + b->bytes + (size_t)k] != GUARD_BYTE) {
                (void)snprintf(text, room, "a byte outside %s[%d] was written", b->what, b->index);
                return false;
            }
        }
        if (b->before && memcmp(b->before, b->block + GUARD, b->bytes) != 0) {
            (void)snprintf(text, room, "%s[%d] was changed, but is only read", b->what, b->index);
            return false;
        }
    }
    return true;
}

/* --- values ----------------------------------------------------------------------------------- */

/* splitmix64: the tests' own numbers, so that they don't rest on the code under test. */
static double next_uniform(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

double *new_values(int64_t n) {
    double *values = calloc((size_t)n + 1, sizeof *values);
    if (!values)
        abort();
    return values;
}

/* Rounded to float, so that the reference starts from exactly what the device sees. */
void fill(double *to, int64_t n, double low, double high, bool is_whole, uint64_t *state) {
    for (int64_t i = 0; i < n; i++) {
        const double value = low + (high - low) * next_uniform(state);
        to[i] = is_whole ? floor(value) : (double)(float)value;
    }
}

void values_open(const op_case *c, const ty_op_shapes *shapes, op_values *v) {
    uint64_t state = c->seed + 1;
    *v = (op_values){.of = c, .shapes = shapes};
    for (int i = 0; i < ty_ops[c->id].n_inputs; i++) {
        const int64_t n = ty_shape_count(c->x[i].shape);
        const bool is_default = c->x[i].low == 0 && c->x[i].high == 0;
        v->x[i] = new_values(n);
        fill(v->x[i], n, is_default ? -1 : c->x[i].low, is_default ? 1 : c->x[i].high,
             c->x[i].dtype != TY_DTYPE_F32, &state);
    }
    for (int i = 0; i < shapes->n_params; i++) {
        v->param[i] = new_values(ty_shape_count(shapes->param[i].shape));
        fill(v->param[i], ty_shape_count(shapes->param[i].shape), -1, 1, false, &state);
    }
    for (int i = 0; i < shapes->n_stats; i++) { /* positive: a variance must be */
        const int64_t n = ty_shape_count(shapes->stat[i].shape);
        v->stat[i] = new_values(n);
        v->batch_stat[i] = new_values(n);
        fill(v->stat[i], n, 0.25, 1.5, false, &state);
    }
    v->y = new_values(ty_shape_count(shapes->y));
    if (c->adjust)
        c->adjust(v);
}

void values_close(op_values *v) {
    for (int i = 0; i < TY_OP_MAX_INPUTS; i++)
        free(v->x[i]);
    for (int i = 0; i < TY_OP_MAX_PARAMS; i++)
        free(v->param[i]);
    for (int i = 0; i < TY_OP_MAX_STATS; i++) {
        free(v->stat[i]);
        free(v->batch_stat[i]);
    }
    free(v->y);
}

/* Canonical doubles to the device's dtype and layout. */
void store(rig *r, const ty_tensor *tensor, const double *values) {
    const int64_t n = ty_shape_count(tensor->shape);
    char *host = malloc((size_t)n * 8 + 1);
    if (!host)
        abort();
    for (int64_t i = 0; i < n; i++) {
        switch (tensor->dtype) {
        case TY_DTYPE_F32:
            ((float *)(void *)host)[i] = (float)values[i];
            break;
        case TY_DTYPE_U8:
            ((uint8_t *)host)[i] = (uint8_t)values[i];
            break;
        case TY_DTYPE_I32:
            ((int32_t *)(void *)host)[i] = (int32_t)values[i];
            break;
        case TY_DTYPE_I64:
            ((int64_t *)(void *)host)[i] = (int64_t)values[i];
            break;
        case TY_DTYPE_F64:
            ((double *)(void *)host)[i] = values[i];
            break;
        case TY_DTYPE_BF16:
        case TY_DTYPE_COUNT:
            abort();
        }
    }
    if (tensor->layout) {
        const size_t bytes = ty_layout_bytes(tensor->layout, tensor->shape, TY_DTYPE_F32);
        float *packed = malloc(bytes);
        if (!packed)
            abort();
        ty_layout_pack(tensor->layout, tensor->shape, (const float *)(const void *)host, packed);
        (void)!ty_device_copy_in(&r->ctx, r->dev, tensor->data, packed, bytes);
        free(packed);
    } else {
        (void)!ty_device_copy_in(&r->ctx, r->dev, tensor->data, host,
                                 (size_t)n * ty_dtype_bytes(tensor->dtype));
    }
    free(host);
}

double *load(rig *r, const ty_tensor *tensor) {
    const int64_t n = ty_shape_count(tensor->shape);
    float *host = malloc((size_t)n * sizeof *host + 1);
    double *values = new_values(n);
    if (!host || ty_tensor_copy_out(&r->ctx, r->dev, tensor, host) != TY_OK)
        abort();
    for (int64_t i = 0; i < n; i++)
        values[i] = (double)host[i];
    free(host);
    return values;
}

/* --- a call ----------------------------------------------------------------------------------- */

ty_tensor tensor_of(ty_shape shape, ty_dtype dtype, const void *layout) {
    return (ty_tensor){.dtype = dtype,
                       .shape = shape,
                       .layout = layout,
                       .bytes = ty_layout_bytes(layout, shape, dtype)};
}

static void describe_args(rig *r, bool accumulates) {
    const op_case *c = r->of;
    ty_op_args *a = &r->args;
    *a = (ty_op_args){.id = c->id,
                      .attrs = c->attrs,
                      .op_number = 3,
                      .is_training = !c->is_inference,
                      .env = &r->env};
    for (int i = 0; i < ty_ops[c->id].n_inputs; i++) {
        a->x[i] = tensor_of(c->x[i].shape, c->x[i].dtype, c->x[i].layout);
        a->wants_dx[i] = c->x[i].wants_dx && !c->is_inference;
        a->accumulates_dx[i] = accumulates && a->wants_dx[i];
        if (a->wants_dx[i])
            a->d_x[i] = a->x[i];
    }
    for (int i = 0; i < r->shapes.n_params; i++) {
        a->param[i] = tensor_of(r->shapes.param[i].shape, TY_DTYPE_F32, NULL);
        a->d_param[i] = a->param[i];
    }
    for (int i = 0; i < r->shapes.n_stats; i++) {
        a->stat[i] = tensor_of(r->shapes.stat[i].shape, TY_DTYPE_F32, NULL);
        a->batch_stat[i] = a->stat[i];
    }
    a->y = (ty_tensor){.dtype = r->shapes.y_dtype, .shape = r->shapes.y};
}

static void fill_input(rig *r, const char *what, int index, ty_tensor *tensor,
                       const double *values) {
    tensor->data = add_buffer(r, what, index, tensor->bytes);
    store(r, tensor, values);
    freeze_last_buffer(r);
}

static void allocate_args(rig *r, const op_values *v, const double *d_y) {
    ty_op_args *a = &r->args;
    for (int i = 0; i < ty_ops[a->id].n_inputs; i++) {
        fill_input(r, "x", i, &a->x[i], v->x[i]);
        if (a->wants_dx[i])
            a->d_x[i].data = add_buffer(r, "d_x", i, a->d_x[i].bytes);
    }
    for (int i = 0; i < r->shapes.n_params; i++) {
        fill_input(r, "param", i, &a->param[i], v->param[i]);
        a->d_param[i].data = add_buffer(r, "d_param", i, a->d_param[i].bytes);
    }
    for (int i = 0; i < r->shapes.n_stats; i++) {
        fill_input(r, "stat", i, &a->stat[i], v->stat[i]);
        a->batch_stat[i].data = add_buffer(r, "batch_stat", i, a->batch_stat[i].bytes);
    }
    a->y.data = add_buffer(r, "y", 0, a->y.bytes);
    a->aux.data = add_buffer(r, "aux", 0, a->aux.bytes);
    a->workspace = add_buffer(r, "workspace", 0, a->workspace_bytes);
    a->d_y = a->y;
    if (!r->of->is_inference && ty_ops[a->id].has_backward && !r->of->is_loss)
        fill_input(r, "d_y", 0, &a->d_y, d_y);
    const int64_t batch = r->of->x[0].shape.dims[0];
    int64_t *ids = add_buffer(r, "sample_ids", 0, (size_t)batch * sizeof *ids);
    for (int64_t i = 0; i < batch; i++)
        ids[i] = 7 * i + 3;
    freeze_last_buffer(r);
    r->env = (ty_op_env){.seed = 42, .step = 5, .sample_ids = ids};
}

ty_status op_open_device(ty_ctx *ctx, const char *name, ty_device **out) {
    const char *level = ctx->getenv("TY_TEST_ISA");
    return ty_device_open(
        ctx, &(ty_device_options){.name = name, .max_isa_level = level ? atoi(level) : -1}, out);
}

ty_status rig_open(const op_case *c, const char *device, const op_values *v, const double *d_y,
                   bool accumulates, rig *r) {
    *r = (rig){.of = c};
    ty_ctx_init(&r->ctx);
    TY_TRY(op_open_device(&r->ctx, device, &r->dev));
    r->shapes = *v->shapes;
    describe_args(r, accumulates);
    TY_TRY(ty_device_op(r->dev, c->id)->prepare(&r->ctx, r->dev, &r->args));
    r->is_prepared = true;
    allocate_args(r, v, d_y);
    return TY_OK;
}

void rig_close(rig *r) {
    if (r->is_prepared)
        ty_device_op(r->dev, r->of->id)->release(r->dev, &r->args);
    for (int i = 0; i < r->n_buffers; i++) {
        ty_device_free(r->dev, r->buffers[i].block);
        free(r->buffers[i].before);
    }
    ty_device_close(r->dev);
    ty_ctx_clear(&r->ctx);
}
