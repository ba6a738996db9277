#include "op_harness.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/layout.h"
#include "op_rig.h"

enum { MAX_PROBES = 48 };

static const char *const device_names[] = {"cpu"};

/* --- what a call gave ------------------------------------------------------------------------- */

/* The start value of gradients that are added to. */
static double start_of(int64_t i) {
    return (double)(i % 5) - 2;
}

typedef struct outcome {
    ty_status st;
    char text[TY_MESSAGE_BYTES];
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
    memset(a->workspace, JUNK_BYTE, a->workspace_bytes);
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
    bool is_zero = padding_is_zero(&a->y);
    for (int i = 0; i < ty_ops[a->id].n_inputs && has_backward(r->of); i++)
        is_zero = is_zero && (!a->wants_dx[i] || padding_is_zero(&a->d_x[i]));
    if (!is_zero)
        (void)snprintf(text, room, "the padding of y or d_x holds something else than zeros");
    return is_zero;
}

static void collect(rig *r, outcome *out) {
    const ty_op_args *a = &r->args;
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
    const char *device;
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
    ty_status st = rig_open(j->of, j->device, j->values, j->d_y, j->accumulates, &r);
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

static void expect_close(label l, int64_t i, double got, double want, double allowed) {
    if (fabs(got - want) <= allowed)
        return;
    fail_msg("%s on %s: %s[%d] element %lld is %.9g, want %.9g within %.3g (off by %.3g)",
             l.of->name, l.device, l.what, l.index, (long long)i, got, want, allowed,
             fabs(got - want));
}

static double largest(const double *values, int64_t n) {
    double most = 1;
    for (int64_t i = 0; i < n; i++)
        most = fmax(most, fabs(values[i]));
    return most;
}

static void expect_all_close(label l, const double *got, const double *want, int64_t n,
                             double tolerance) {
    const double allowed = tolerance * largest(want, n);
    for (int64_t i = 0; i < n; i++)
        expect_close(l, i, got[i], want[i], allowed);
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
    expect_same_bits((label){c, a->device, "y", 0}, a->out.y, b->out.y, ty_shape_count(s->y));
    for (int i = 0; i < ty_ops[c->id].n_inputs; i++)
        expect_same_bits((label){c, a->device, "d_x", i}, a->out.d_x[i], b->out.d_x[i],
                         ty_shape_count(c->x[i].shape));
    for (int i = 0; i < s->n_params; i++)
        expect_same_bits((label){c, a->device, "d_param", i}, a->out.d_param[i], b->out.d_param[i],
                         ty_shape_count(s->param[i].shape));
    for (int i = 0; i < s->n_stats; i++)
        expect_same_bits((label){c, a->device, "batch_stat", i}, a->out.batch_stat[i],
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
                               const double *got, int64_t n, bool is_added) {
    const int64_t probes = n < MAX_PROBES ? n : MAX_PROBES;
    double want[MAX_PROBES];
    int64_t at[MAX_PROBES];
    for (int64_t k = 0; k < probes; k++) {
        at[k] = probes > 1 ? k * (n - 1) / (probes - 1) : 0;
        want[k] = derivative(v, d_y, &values[at[k]]) + (is_added ? start_of(at[k]) : 0);
    }
    const double allowed = l.of->tolerance_backward * largest(got, n);
    for (int64_t k = 0; k < probes; k++)
        expect_close(l, at[k], got[at[k]], want[k], allowed);
}

static void expect_gradients(const job *j, op_values *v) {
    const op_case *c = j->of;
    for (int i = 0; i < ty_ops[c->id].n_inputs; i++)
        if (j->out.d_x[i])
            expect_derivatives((label){c, j->device, "d_x", i}, v, j->d_y, v->x[i], j->out.d_x[i],
                               ty_shape_count(c->x[i].shape), j->accumulates);
    for (int i = 0; i < v->shapes->n_params; i++)
        if (j->out.d_param[i])
            expect_derivatives((label){c, j->device, "d_param", i}, v, j->d_y, v->param[i],
                               j->out.d_param[i], ty_shape_count(v->shapes->param[i].shape), true);
}

static void expect_forward(const job *j, op_values *v) {
    const op_case *c = j->of;
    c->reference(v);
    expect_all_close((label){c, j->device, "y", 0}, j->out.y, v->y, ty_shape_count(v->shapes->y),
                     c->tolerance_forward);
    for (int i = 0; i < v->shapes->n_stats; i++)
        if (j->out.batch_stat[i])
            expect_all_close((label){c, j->device, "batch_stat", i}, j->out.batch_stat[i],
                             v->batch_stat[i], ty_shape_count(v->shapes->stat[i].shape),
                             c->tolerance_forward);
}

/* --- the check -------------------------------------------------------------------------------- */

static void expect_done(const job *j) {
    if (j->out.st != TY_OK)
        fail_msg("%s on %s: %s: %s", j->of->name, j->device, ty_status_name(j->out.st),
                 j->out.text);
}

static void infer_case(ty_ctx *ctx, const op_case *c, ty_op_shapes *shapes) {
    ty_tensor in[TY_OP_MAX_INPUTS] = {0};
    for (int i = 0; i < ty_ops[c->id].n_inputs; i++)
        in[i] = tensor_of(c->x[i].shape, c->x[i].dtype, c->x[i].layout);
    if (ty_ops[c->id].infer(ctx, c->attrs, in, shapes) != TY_OK)
        fail_msg("%s: infer: %s", c->name, ctx->message);
}

static void check_on(const op_case *c, const char *device, op_values *v, const double *d_y) {
    job once = {.of = c, .device = device, .values = v, .d_y = d_y, .n_runs = 1};
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

void op_check(const op_case *c) {
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    ty_op_shapes shapes = {0};
    infer_case(&ctx, c, &shapes);
    op_values v;
    values_open(c, &shapes, &v);
    double *d_y = new_values(ty_shape_count(shapes.y));
    uint64_t state = c->seed + 77;
    fill(d_y, ty_shape_count(shapes.y), -1, 1, false, &state);
    for (size_t i = 0; i < sizeof device_names / sizeof *device_names; i++)
        check_on(c, device_names[i], &v, d_y);
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
