/* Guards, random values and one prepared call; nothing here asserts, since it also runs in threads.
 * Device memory is only ever copied to and from: the host can't look at a GPU's. */
#include "op_rig.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/layout.h"

enum { GUARD = 64, GUARD_BYTE = 0xa5 };

/* --- memory with guards ----------------------------------------------------------------------- */

static void *new_bytes(size_t n) {
    void *bytes = malloc(n + 1);
    if (!bytes)
        abort();
    return bytes;
}

void to_device(rig *r, void *to, const void *from, size_t bytes) {
    if (bytes > 0 && (ty_device_copy_in(&r->ctx, r->dev, to, from, bytes) != TY_OK ||
                      ty_device_sync(&r->ctx, r->dev) != TY_OK))
        abort();
}

void from_device(const rig *r, void *to, const void *from, size_t bytes) {
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    if (bytes > 0 && (ty_device_copy_out(&ctx, r->dev, to, from, bytes) != TY_OK ||
                      ty_device_sync(&ctx, r->dev) != TY_OK))
        abort();
    ty_ctx_clear(&ctx);
}

void fill_with_junk(rig *r, void *to, size_t bytes) {
    char *junk = new_bytes(bytes);
    memset(junk, JUNK_BYTE, bytes);
    to_device(r, to, junk, bytes);
    free(junk);
}

static void *add_buffer(rig *r, const char *what, int index, size_t bytes) {
    if (r->n_buffers == MAX_BUFFERS) /* no assert: this also runs in threads */
        abort();
    buffer *b = &r->buffers[r->n_buffers++];
    *b = (buffer){.what = what, .index = index, .bytes = bytes, .guard = r->is_tight ? 0 : GUARD};
    const size_t n = bytes + 2 * b->guard;
    void *memory = NULL;
    if (ty_device_alloc(&r->ctx, r->dev, n ? n : 1, &memory) != TY_OK)
        abort();
    b->block = memory;
    char *start = new_bytes(n);
    memset(start, GUARD_BYTE, n);
    memset(start + b->guard, JUNK_BYTE, bytes);
    to_device(r, b->block, start, n);
    free(start);
    return b->block + b->guard;
}

/* From here on the newest buffer must keep its bytes. */
static void freeze_last_buffer(rig *r) {
    buffer *b = &r->buffers[r->n_buffers - 1];
    b->before = new_bytes(b->bytes);
    from_device(r, b->before, b->block + b->guard, b->bytes);
}

static bool buffer_is_whole(const buffer *b, const char *now, char *text, size_t room) {
    for (size_t k = 0; k < b->guard; k++) {
        if ((unsigned char)now[k] != GUARD_BYTE ||
            (unsigned char)now[b->guard + b->bytes + k] != GUARD_BYTE) {
            (void)snprintf(text, room, "a byte outside %s[%d] was written", b->what, b->index);
            return false;
        }
    }
    if (b->before && memcmp(b->before, now + b->guard, b->bytes) != 0) {
        (void)snprintf(text, room, "%s[%d] was changed, but is only read", b->what, b->index);
        return false;
    }
    return true;
}

/* Says what broke in text; true if all is whole. */
bool buffers_are_whole(const rig *r, char *text, size_t room) {
    bool is_whole = true;
    for (int i = 0; i < r->n_buffers && is_whole; i++) {
        const buffer *b = &r->buffers[i];
        char *now = new_bytes(b->bytes + 2 * b->guard);
        from_device(r, now, b->block, b->bytes + 2 * b->guard);
        is_whole = buffer_is_whole(b, now, text, room);
        free(now);
    }
    return is_whole;
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

static void round_inputs(op_values *v, ty_precision precision) {
    for (int i = 0; i < ty_ops[v->of->id].n_inputs; i++)
        round_values(v->x[i],
                     v->of->x[i].dtype == TY_DTYPE_F32 ? ty_shape_count(v->of->x[i].shape) : 0,
                     precision);
    for (int i = 0; i < v->shapes->n_params; i++)
        round_values(v->param[i], ty_shape_count(v->shapes->param[i].shape), precision);
}

void values_open(const op_case *c, const ty_op_shapes *shapes, ty_precision precision,
                 op_values *v) {
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
    round_inputs(v, precision);
    if (c->adjust)
        c->adjust(v);
    round_inputs(v, precision);
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

/* To the nearest number with that many bits of mantissa behind the first, ties to even. */
static double rounded_to(double value, int bits) {
    int exponent = 0;
    const double mantissa = frexp(value, &exponent); /* in [1/2, 1) */
    return value == 0 || !isfinite(value)
               ? value
               : ldexp(nearbyint(ldexp(mantissa, bits + 1)), exponent - bits - 1);
}

void round_values(double *values, int64_t n, ty_precision precision) {
    static const int bits[] = {
        [TY_PRECISION_FP32] = 23, [TY_PRECISION_TF32] = 10, [TY_PRECISION_BF16] = 7};
    for (int64_t i = 0; i < n; i++)
        values[i] = rounded_to(values[i], bits[precision]);
}

/* The upper half of a float that is one already. */
static uint16_t bf16_of(double value) {
    const float f = (float)value;
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return (uint16_t)(bits >> 16);
}

static void set_element(char *to, ty_dtype dtype, int64_t i, double value) {
    switch (dtype) {
    case TY_DTYPE_F32:
        ((float *)(void *)to)[i] = (float)value;
        break;
    case TY_DTYPE_U8:
        ((uint8_t *)to)[i] = (uint8_t)value;
        break;
    case TY_DTYPE_I32:
        ((int32_t *)(void *)to)[i] = (int32_t)value;
        break;
    case TY_DTYPE_I64:
        ((int64_t *)(void *)to)[i] = (int64_t)value;
        break;
    case TY_DTYPE_F64:
        ((double *)(void *)to)[i] = value;
        break;
    case TY_DTYPE_BF16:
        ((uint16_t *)(void *)to)[i] = bf16_of(value);
        break;
    case TY_DTYPE_COUNT:
        abort();
    }
}

/* The numbers of a GPU's value in channels last, the one layout besides canonical it has. */
static double *channels_last(ty_shape shape, const double *values) {
    const int64_t n = ty_shape_count(shape), channels = shape.dims[1];
    const int64_t plane = shape.dims[2] * shape.dims[3];
    double *turned = new_values(n);
    for (int64_t i = 0; i < n; i++) {
        const int64_t image = i / (channels * plane), c = i / plane % channels, at = i % plane;
        turned[(image * plane + at) * channels + c] = values[i];
    }
    return turned;
}

static void store_flat(rig *r, const ty_tensor *tensor, const double *values) {
    const int64_t n = ty_shape_count(tensor->shape);
    const size_t bytes = (size_t)n * ty_dtype_bytes(tensor->dtype);
    char *host = new_bytes(bytes);
    for (int64_t i = 0; i < n; i++)
        set_element(host, tensor->dtype, i, values[i]);
    to_device(r, tensor->data, host, bytes);
    free(host);
}

static void store_packed(rig *r, const ty_tensor *tensor, const double *values) {
    const int64_t n = ty_shape_count(tensor->shape);
    const size_t bytes = ty_layout_bytes(tensor->layout, tensor->shape, TY_DTYPE_F32);
    float *host = new_bytes((size_t)n * sizeof *host), *packed = new_bytes(bytes);
    for (int64_t i = 0; i < n; i++)
        host[i] = (float)values[i];
    ty_layout_pack(tensor->layout, tensor->shape, host, packed);
    to_device(r, tensor->data, packed, bytes);
    free(packed);
    free(host);
}

void store(rig *r, const ty_tensor *tensor, const double *values) {
    if (!tensor->layout) {
        store_flat(r, tensor, values);
    } else if (is_gpu(r)) {
        double *turned = channels_last(tensor->shape, values);
        store_flat(r, tensor, turned);
        free(turned);
    } else {
        store_packed(r, tensor, values);
    }
}

double *load(rig *r, const ty_tensor *tensor) {
    const int64_t n = ty_shape_count(tensor->shape);
    float *host = new_bytes((size_t)n * sizeof *host);
    double *values = new_values(n);
    if (ty_tensor_copy_out(&r->ctx, r->dev, tensor, host) != TY_OK ||
        ty_device_sync(&r->ctx, r->dev) != TY_OK)
        abort();
    for (int64_t i = 0; i < n; i++)
        values[i] = (double)host[i];
    free(host);
    return values;
}

/* --- a call ----------------------------------------------------------------------------------- */

bool is_gpu(const rig *r) {
    return ty_device_describe(r->dev)->kind == TY_DEVICE_IS_CUDA;
}

/* What is given to an op as it lies in the batch, not as another op made it. */
static bool is_of_batch(const op_case *c, int i) {
    return c->id == TY_OP_NORMALIZE || (c->is_loss && i > 0);
}

/* What a GPU calls channels last: the layout of what it makes of stored images. */
static ty_status ask_for_channels_last(rig *r, const void **layout) {
    static const float zero = 0, one = 1;
    const ty_normalize_attrs attrs = {.n_channels = 1, .mean = &zero, .inverse_std = &one};
    const ty_op_impl *impl = ty_device_op(r->dev, TY_OP_NORMALIZE);
    ty_op_args args = {.id = TY_OP_NORMALIZE,
                       .attrs = &attrs,
                       .x = {tensor_of(SHAPE(1, 2, 2, 2), TY_DTYPE_F32, NULL)},
                       .y = {.shape = SHAPE(1, 2, 2, 2)}};
    TY_TRY(impl->prepare(&r->ctx, r->dev, &args));
    *layout = args.y.layout;
    impl->release(r->dev, &args);
    return TY_OK;
}

/* Input i as the device has it. */
static ty_status describe_input(rig *r, int i, ty_tensor *x) {
    const op_case *c = r->of;
    const void *layout = c->x[i].layout;
    if (!is_gpu(r)) {
        *x = tensor_of(c->x[i].shape, c->x[i].dtype, layout);
        return TY_OK;
    }
    const bool is_activation = c->x[i].dtype == TY_DTYPE_F32 && !is_of_batch(c, i);
    const bool is_bf16 = ty_device_describe(r->dev)->precision == TY_PRECISION_BF16;
    if (is_activation && c->x[i].shape.rank == 4 && r->place.is_channels_last)
        layout = &ty_layout_channels_last;
    *x = tensor_of(c->x[i].shape, is_activation && is_bf16 ? TY_DTYPE_BF16 : c->x[i].dtype, NULL);
    return layout ? ask_for_channels_last(r, &x->layout) : TY_OK;
}

ty_tensor tensor_of(ty_shape shape, ty_dtype dtype, const void *layout) {
    return (ty_tensor){.dtype = dtype,
                       .shape = shape,
                       .layout = layout,
                       .bytes = ty_layout_bytes(layout, shape, dtype)};
}

static ty_status describe_args(rig *r, bool accumulates) {
    const op_case *c = r->of;
    ty_op_args *a = &r->args;
    *a = (ty_op_args){.id = c->id,
                      .attrs = c->attrs,
                      .op_number = 3,
                      .is_training = !c->is_inference,
                      .env = &r->env};
    for (int i = 0; i < ty_ops[c->id].n_inputs; i++) {
        TY_TRY(describe_input(r, i, &a->x[i]));
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
    return TY_OK;
}

static void fill_input(rig *r, const char *what, int index, ty_tensor *tensor,
                       const double *values) {
    tensor->data = add_buffer(r, what, index, tensor->bytes);
    store(r, tensor, values);
    freeze_last_buffer(r);
}

static const int64_t *fill_sample_ids(rig *r) {
    const int64_t batch = r->of->x[0].shape.dims[0];
    const size_t bytes = (size_t)batch * sizeof(int64_t);
    int64_t *ids = new_bytes(bytes), *on_device = add_buffer(r, "sample_ids", 0, bytes);
    for (int64_t i = 0; i < batch; i++)
        ids[i] = 7 * i + 3;
    to_device(r, on_device, ids, bytes);
    free(ids);
    freeze_last_buffer(r);
    return on_device;
}

static void allocate_args(rig *r, const op_values *v, const double *d_y) {
    ty_op_args *a = &r->args;
    for (int i = 0; i < ty_ops[a->id].n_inputs; i++) {
        fill_input(r, "x", i, &a->x[i], v->x[i]);
        if (a->wants_dx[i])
            a->d_x[i].data = add_buffer(r, "d_x", i, a->d_x[i].bytes);
    }
    for (int i = 0; i < r->shapes.n_params; i++) {
        a->param[i].bytes = (size_t)ty_shape_count(a->param[i].shape) *
                            ty_dtype_bytes(a->param[i].dtype); /* prepare may want bf16 */
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
    r->env = (ty_op_env){.seed = 42, .step = 5, .sample_ids = fill_sample_ids(r)};
}

ty_status op_open_device(ty_ctx *ctx, const char *name, ty_precision precision, ty_device **out) {
    const char *level = ctx->getenv("TY_TEST_ISA");
    return ty_device_open(ctx,
                          &(ty_device_options){.name = name,
                                               .max_isa_level = level ? atoi(level) : -1,
                                               .precision = precision},
                          out);
}

ty_status rig_open(const op_case *c, const place *where, const op_values *v, const double *d_y,
                   bool accumulates, rig *r) {
    *r = (rig){.of = c, .place = *where};
    ty_ctx_init(&r->ctx);
    TY_TRY(op_open_device(&r->ctx, where->device, where->precision, &r->dev));
    r->shapes = *v->shapes;
    r->is_tight = is_gpu(r) && accumulates;
    if (!ty_device_op(r->dev, c->id))
        return ty_fail(&r->ctx, TY_ERR_INTERNAL, "%s has no twin", ty_ops[c->id].name);
    TY_TRY(describe_args(r, accumulates));
    TY_TRY(ty_device_op(r->dev, c->id)->prepare(&r->ctx, r->dev, &r->args));
    r->is_prepared = true;
    allocate_args(r, v, d_y);
    return TY_OK;
}

void rig_close(rig *r) {
    if (r->is_prepared)
        ty_device_op(r->dev, r->of->id)->release(r->dev, &r->args);
    if (r->dev) /* nothing may still read what is freed */
        (void)!ty_device_sync(&r->ctx, r->dev);
    for (int i = 0; i < r->n_buffers; i++) {
        ty_device_free(r->dev, r->buffers[i].block);
        free(r->buffers[i].before);
    }
    ty_device_close(r->dev);
    ty_ctx_clear(&r->ctx);
}
