#include "op_harness.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/layout.h"
#include "op_rig.h"

enum { MAX_PROBES = 48 };

/* --- what a call gave ------------------------------------------------------------------------- */

/* The start value of gradients that are added to. */
static double start_of(int64_t i) {
    return (double)(i % 5) - 2;
}

typedef struct outcome {
    ty_status st;
    char text[TY_MESSAGE_BYTES];
    bool is_gpu, y_is_bf16;
    double *y, *d_x[TY_OP_MAX_INPUTS], *d_param[TY_OP_MAX_PARAMS], *batch_stat[TY_OP_MAX_STATS];
} outcome;

static void outcome_clear(outcome *o) {
    free(o->y);
    for (int i = 0; i < TY_OP_MAX_INPUTS; i++)
        free(o->d_x[i]);
    for (int i = 0; i < TY_OP_MAX_PARAMS; i++)
        free(o->d_param[i]);
    for (int i = 0; i < TY_OP_MAX_STATS; i++)
        free(o->batch_stat[i]);
}

static void start_gradient(rig *r, const ty_tensor *tensor) {
    const int64_t n = ty_shape_count(tensor->shape);
    double *values = new_values(n);
    for (int64_t i = 0; i < n; i++)
        values[i] = start_of(i);
    store(r, tensor, values);
    free(values);
}

static ty_status run_backward(rig *r) {
    ty_op_args *a = &r->args;
    const ty_op_impl *impl = ty_device_op(r->dev, a->id);
    for (int i = 0; i < r->shapes.n_params; i++)
        start_gradient(r, &a->d_param[i]);
    for (int i = 0; i < ty_ops[a->id].n_inputs; i++)
        if (a->accumulates_dx[i])
            start_gradient(r, &a->d_x[i]);
    fill_with_junk(r, a->workspace, a->workspace_bytes);
    return impl->backward(&r->ctx, r->dev, a);
}

static bool has_backward(const op_case *c) {
    return ty_ops[c->id].has_backward && !c->is_inference;
}

static ty_status run_once(rig *r) {
    TY_TRY(ty_device_op(r->dev, r->of->id)->forward(&r->ctx, r->dev, &r->args));
    if (has_backward(r->of))
        TY_TRY(run_backward(r));
    return ty_device_sync(&r->ctx, r->dev);
}

/* Padding must be zeros of either sign: other ops' kernels read it. */
static bool padding_is_zero(const ty_tensor *tensor) {
    if (!tensor->layout || !ty_layout_has_padding(tensor->layout, tensor->shape))
        return true;
    const int64_t n = ty_layout_count(tensor->layout, tensor->shape);
    const float *data = tensor->data;
    float *zeroed = malloc((size_t)n * sizeof *zeroed);
    if (!zeroed)
        abort();
    memcpy(zeroed, data, (size_t)n * sizeof *zeroed);
    ty_layout_zero_padding(tensor->layout, tensor->shape, zeroed);
    bool is_zero = true;
    for (int64_t i = 0; i < n; i++)
        is_zero = is_zero && (data[i] == zeroed[i] || (isnan(data[i]) && isnan(zeroed[i])));
    free(zeroed);
    return is_zero;
}

static bool all_padding_is_zero(const rig *r, char *text, size_t room) {
    const ty_op_args *a = &r->args;
    if (is_gpu(r)) /* has none */
        return true;
    bool is_zero = padding_is_zero(&a->y);
    for (int i = 0; i < ty_ops[a->id].n_inputs && has_backward(r->of); i++)
        is_zero = is_zero && (!a->wants_dx[i] || padding_is_zero(&a->d_x[i]));
    if (!is_zero)
        (void)snprintf(text, room, "the padding of y or d_x holds something else than zeros");
    return is_zero;
}

static void collect(rig *r, outcome *out) {
    const ty_op_args *a = &r->args;
    out->is_gpu = is_gpu(r);
    out->y_is_bf16 = a->y.dtype == TY_DTYPE_BF16;
    out->y = load(r, &a->y);
    for (int i = 0; i < r->shapes.n_stats && a->is_training; i++)
        out->batch_stat[i] = load(r, &a->batch_stat[i]);
    for (int i = 0; i < ty_ops[a->id].n_inputs; i++)
        if (a->wants_dx[i] && has_backward(r->of))
            out->d_x[i] = load(r, &a->d_x[i]);
    for (int i = 0; i < r->shapes.n_params && has_backward(r->of); i++)
        out->d_param[i] = load(r, &a->d_param[i]);
}

typedef struct job {
    const op_case *of;
    const place *where;
    const op_values *values;
    const double *d_y;
    bool accumulates;
    int n_runs;
    outcome out;
} job;

/* Opens, runs n_runs times, keeps what came out last. Never asserts: it also runs in threads. */
static void *do_job(void *opaque) {
    job *j = opaque;
    rig r;
    j->out = (outcome){0};
    ty_status st = rig_open(j->of, j->where, j->values, j->d_y, j->accumulates, &r);
    for (int i = 0; i < j->n_runs && st == TY_OK; i++)
        st = run_once(&r);
    (void)snprintf(j->out.text, sizeof j->out.text, "%s", r.ctx.message);
    if (st == TY_OK && !buffers_are_whole(&r, j->out.text, sizeof j->out.text))
        st = TY_ERR_INTERNAL;
    if (st == TY_OK && !all_padding_is_zero(&r, j->out.text, sizeof j->out.text))
        st = TY_ERR_INTERNAL;
    if (st == TY_OK)
        collect(&r, &j->out);
    j->out.st = st;
    rig_close(&r);
    return NULL;
}

/* --- comparing -------------------------------------------------------------------------------- */

typedef struct label {
    const op_case *of;
    const char *device, *what;
    int index;
} label;

/* NaN is close to nothing, and an infinite bound allows nothing. */
static void expect_close(label l, int64_t i, double got, double want, double allowed) {
    if (isfinite(allowed) && fabs(got - want) <= allowed)
        return;
    fail_msg("%s on %s: %s[%d] element %lld is %.9g, want %.9g within %.3g (off by %.3g)",
             l.of->name, l.device, l.what, l.index, (long long)i, got, want, allowed,
             fabs(got - want));
}

static double largest(const double *values, int64_t n, int64_t step) {
    double most = 1;
    for (int64_t i = 0; i < n; i += step)
        most = fmax(most, fabs(values[i]));
    return most;
}

/* Columns are compared by themselves: 1 for what has none. */
static void expect_all_close(label l, const double *got, const double *want, int64_t n,
                             int64_t columns, double tolerance) {
    for (int64_t k = 0; k < columns; k++) {
        const double allowed = tolerance * largest(want + k, n - k, columns);
        for (int64_t i = k; i < n; i += columns)
            expect_close(l, i, got[i], want[i], allowed);
    }
}

static void expect_same_bits(label l, const double *a, const double *b, int64_t n) {
    for (int64_t i = 0; i < n && a; i++)
        if (memcmp(&a[i], &b[i], sizeof a[i]) != 0)
            fail_msg("%s on %s: %s[%d] element %lld is %.9g, then %.9g: not the same bits",
                     l.of->name, l.device, l.what, l.index, (long long)i, a[i], b[i]);
}

static void expect_same_outcome(const job *a, const job *b) {
    const op_case *c = a->of;
    const ty_op_shapes *s = a->values->shapes;
    expect_same_bits((label){c, a->where->text, "y", 0}, a->out.y, b->out.y, ty_shape_count(s->y));
    for (int i = 0; i < ty_ops[c->id].n_inputs; i++)
        expect_same_bits((label){c, a->where->text, "d_x", i}, a->out.d_x[i], b->out.d_x[i],
                         ty_shape_count(c->x[i].shape));
    for (int i = 0; i < s->n_params; i++)
        expect_same_bits((label){c, a->where->text, "d_param", i}, a->out.d_param[i],
                         b->out.d_param[i], ty_shape_count(s->param[i].shape));
    for (int i = 0; i < s->n_stats; i++)
        expect_same_bits((label){c, a->where->text, "batch_stat", i}, a->out.batch_stat[i],
                         b->out.batch_stat[i], ty_shape_count(s->stat[i].shape));
}

/* --- finite differences ----------------------------------------------------------------------- */

/* sum(d_y * y), or for a loss the weighted sum of its first column. */
static double objective(op_values *v, const double *d_y) {
    const op_case *c = v->of;
    c->reference(v);
    double sum = 0;
    if (c->is_loss) {
        const double *weights = v->x[ty_ops[c->id].n_inputs - 1];
        for (int64_t i = 0; i < v->shapes->y.dims[0]; i++)
            sum += weights[i] * v->y[i * TY_LOSS_ROW];
        return sum;
    }
    for (int64_t i = 0; i < ty_shape_count(v->shapes->y); i++)
        sum += d_y[i] * v->y[i];
    return sum;
}

/* Central difference in double; h^2 and eps/h errors are both near 1e-10. */
static double derivative(op_values *v, const double *d_y, double *at) {
    const double h = 1e-5, value = *at;
    *at = value + h;
    const double above = objective(v, d_y);
    *at = value - h;
    const double below = objective(v, d_y);
    *at = value;
    return (above - below) / (2 * h);
}

/* Up to MAX_PROBES elements, the first and last among them. got starts at `start` where it was
 * added to. */
static void expect_derivatives(label l, op_values *v, const double *d_y, double *values,
                               const double *got, int64_t n, bool is_added, double tolerance) {
    const int64_t probes = n < MAX_PROBES ? n : MAX_PROBES;
    double want[MAX_PROBES];
    int64_t at[MAX_PROBES];
    for (int64_t k = 0; k < probes; k++) {
        at[k] = probes > 1 ? k * (n - 1) / (probes - 1) : 0;
        want[k] = derivative(v, d_y, &values[at[k]]) + (is_added ? start_of(at[k]) : 0);
    }
    const double allowed = tolerance * largest(got, n, 1);
    for (int64_t k = 0; k < probes; k++)
        expect_close(l, at[k], got[at[k]], want[k], allowed);
}

static bool is_matrix(ty_op_id id) {
    return id == TY_OP_LINEAR || id == TY_OP_CONV2D;
}

/* The row, and what a precision adds to it: half an ulp of what is stored as bf16 (2^-9) for each
 * number that is rounded on the way to a result and for the result itself; of tf32 (2^-11) for both
 * factors of a product, where backward makes one of them itself. */
static double tolerance_of(const job *j, double row, double gpu_row, bool is_rounded) {
    const int roundings = 1 + (j->of->bf16_roundings ? j->of->bf16_roundings : 1);
    if (!j->out.is_gpu)
        return row;
    const double own = gpu_row > 0 ? gpu_row : row;
    if (j->where->precision == TY_PRECISION_BF16 && is_rounded)
        return own + roundings * 0x1p-9;
    return j->where->precision == TY_PRECISION_TF32 && is_matrix(j->of->id) ? own + 0x1p-10 : own;
}

static void expect_gradients(const job *j, op_values *v) {
    const op_case *c = j->of;
    const double tolerance = tolerance_of(j, c->tolerance_backward, c->gpu_backward, true);
    for (int i = 0; i < ty_ops[c->id].n_inputs; i++)
        if (j->out.d_x[i])
            expect_derivatives((label){c, j->where->text, "d_x", i}, v, j->d_y, v->x[i],
                               j->out.d_x[i], ty_shape_count(c->x[i].shape), j->accumulates,
                               tolerance);
    for (int i = 0; i < v->shapes->n_params; i++)
        if (j->out.d_param[i])
            expect_derivatives((label){c, j->where->text, "d_param", i}, v, j->d_y, v->param[i],
                               j->out.d_param[i], ty_shape_count(v->shapes->param[i].shape), true,
                               tolerance);
}

static void expect_forward(const job *j, op_values *v) {
    const op_case *c = j->of;
    c->reference(v);
    expect_all_close((label){c, j->where->text, "y", 0}, j->out.y, v->y,
                     ty_shape_count(v->shapes->y), c->is_loss ? TY_LOSS_ROW : 1,
                     tolerance_of(j, c->tolerance_forward, c->gpu_forward, j->out.y_is_bf16));
    for (int i = 0; i < v->shapes->n_stats; i++)
        if (j->out.batch_stat[i])
            expect_all_close((label){c, j->where->text, "batch_stat", i}, j->out.batch_stat[i],
                             v->batch_stat[i], ty_shape_count(v->shapes->stat[i].shape), 1,
                             tolerance_of(j, c->tolerance_forward, c->gpu_forward, false));
}

/* --- the check -------------------------------------------------------------------------------- */

static void expect_done(const job *j) {
    if (j->out.st != TY_OK)
        fail_msg("%s on %s: %s: %s", j->of->name, j->where->text, ty_status_name(j->out.st),
                 j->out.text);
}

static void infer_case(ty_ctx *ctx, const op_case *c, ty_op_shapes *shapes) {
    ty_tensor in[TY_OP_MAX_INPUTS] = {0};
    for (int i = 0; i < ty_ops[c->id].n_inputs; i++)
        in[i] = tensor_of(c->x[i].shape, c->x[i].dtype, c->x[i].layout);
    if (ty_ops[c->id].infer(ctx, c->attrs, in, shapes) != TY_OK)
        fail_msg("%s: infer: %s", c->name, ctx->message);
}

static void check_at(const op_case *c, const place *where, op_values *v, const double *d_y) {
    job once = {.of = c, .where = where, .values = v, .d_y = d_y, .n_runs = 1};
    job twice = once, added = once, side = once;
    twice.n_runs = 2;
    added.accumulates = true;
    (void)do_job(&once);
    (void)do_job(&added);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, do_job, &side), 0);
    (void)do_job(&twice);
    assert_int_equal(pthread_join(thread, NULL), 0);
    expect_done(&once);
    expect_done(&added);
    expect_done(&side);
    expect_done(&twice);
    expect_same_outcome(&once, &twice);
    expect_same_outcome(&once, &side);
    expect_forward(&once, v);
    expect_gradients(&once, v);
    expect_gradients(&added, v);
    outcome_clear(&once.out);
    outcome_clear(&twice.out);
    outcome_clear(&added.out);
    outcome_clear(&side.out);
}

/* --- where ------------------------------------------------------------------------------------ */

const char *op_test_device(const ty_ctx *ctx, const char *other_name) {
    const char *name = ctx->getenv("TY_TEST_DEVICE");
    return name ? name : other_name;
}

ty_precision op_test_precision(const ty_ctx *ctx) {
    static const char *const names[] = {
        [TY_PRECISION_FP32] = "fp32", [TY_PRECISION_TF32] = "tf32", [TY_PRECISION_BF16] = "bf16"};
    const char *name = ctx->getenv("TY_TEST_PRECISION");
    for (int i = 0; name && i < 3; i++)
        if (strcmp(name, names[i]) == 0)
            return (ty_precision)i;
    if (name)
        fail_msg("TY_TEST_PRECISION is %s, want fp32, tf32 or bf16", name);
    return TY_PRECISION_FP32;
}

static bool has_gpu(ty_ctx *ctx) {
    ty_device_found found;
    const char *name = op_test_device(ctx, NULL);
    if (name)
        return strncmp(name, "cuda", 4) == 0;
    return ty_device_find(ctx, &(ty_device_options){.name = "cuda"}, &found) == TY_OK;
}

static bool has_layout(const op_case *c, bool (*is)(const void *layout, int rank)) {
    for (int i = 0; i < ty_ops[c->id].n_inputs; i++)
        if (is(c->x[i].layout, c->x[i].shape.rank))
            return true;
    return false;
}

static bool is_blocked(const void *layout, int rank) {
    (void)rank;
    return layout && layout != &ty_layout_channels_last;
}

static bool is_channels_last(const void *layout, int rank) {
    (void)rank;
    return layout == &ty_layout_channels_last;
}

static bool is_canonical_image(const void *layout, int rank) {
    return !layout && rank == 4;
}

enum { MAX_PLACES = 3 };

static int add_gpu_places(const op_case *c, const char *device, ty_precision precision, int n,
                          place places[MAX_PLACES]) {
    static const char *const names[] = {"", " tf32", " bf16"};
    if (has_layout(c, is_blocked))
        return n;
    places[n] = (place){.device = device, .precision = precision};
    (void)snprintf(places[n].text, sizeof places[n].text, "%s%s", device, names[precision]);
    n++;
    if (c->id == TY_OP_NORMALIZE || has_layout(c, is_channels_last) ||
        !has_layout(c, is_canonical_image))
        return n;
    places[n] = (place){.device = device, .precision = precision, .is_channels_last = true};
    (void)snprintf(places[n].text, sizeof places[n].text, "%s%s channels last", device,
                   names[precision]);
    return n + 1;
}

static int places_of(ty_ctx *ctx, const op_case *c, place places[MAX_PLACES]) {
    const char *name = op_test_device(ctx, NULL);
    int n = 0;
    if (!name || strcmp(name, "cpu") == 0)
        places[n++] = (place){.device = "cpu", .text = "cpu"};
    if (has_gpu(ctx))
        n = add_gpu_places(c, name ? name : "cuda", op_test_precision(ctx), n, places);
    return n;
}

void op_check(const op_case *c) {
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    ty_op_shapes shapes = {0};
    infer_case(&ctx, c, &shapes);
    place places[MAX_PLACES];
    const int n_places = places_of(&ctx, c, places);
    op_values v;
    values_open(c, &shapes, op_test_precision(&ctx), &v);
    double *d_y = new_values(ty_shape_count(shapes.y));
    uint64_t state = c->seed + 77;
    fill(d_y, ty_shape_count(shapes.y), -1, 1, false, &state);
    round_values(d_y, ty_shape_count(shapes.y), op_test_precision(&ctx));
    for (int i = 0; i < n_places; i++)
        check_at(c, &places[i], &v, d_y);
    free(d_y);
    values_close(&v);
    ty_ctx_clear(&ctx);
}

void op_check_refused(const op_case *c, const char *text) {
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    ty_tensor in[TY_OP_MAX_INPUTS] = {0};
    for (int i = 0; i < ty_ops[c->id].n_inputs; i++)
        in[i] = tensor_of(c->x[i].shape, c->x[i].dtype, c->x[i].layout);
    ty_op_shapes shapes = {0};
    const ty_status st = ty_ops[c->id].infer(&ctx, c->attrs, in, &shapes);
    if (st != TY_ERR_CONFIG || !strstr(ctx.message, text))
        fail_msg("%s: infer answered %s \"%s\", want ERR_CONFIG with \"%s\"", c->name,
                 ty_status_name(st), ctx.message, text);
    ty_ctx_clear(&ctx);
}
