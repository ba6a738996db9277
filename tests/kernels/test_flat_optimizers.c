/* Optimizers against their definitions: in double for ten steps, and bit for bit against the same
 * operations in float, one rounding each, which every device keeps to. */
#include "flat_bench.h"

enum { N_SEGMENTS = 130, N_STEPS = 10 };

/* Everything at once on the host: segments, state, gradients, what is expected. */
typedef struct net {
    ty_segment segments[N_SEGMENTS];
    int n_segments;
    int64_t n; /* with the padding between segments and 3 elements behind them */
    size_t bytes;
    float *p, *g, *m, *v;
    uint16_t *half;
    double *want_p, *want_m, *want_v;
} net;

/* The same on the device. */
typedef struct twin {
    float *p, *g, *m, *v;
    uint16_t *half;
    ty_verdict *verdict;
} twin;

/* Lengths around a vector and around what a block has; then short ones, more than one launch takes. */
static int64_t length_of(int segment) {
    static const int64_t lengths[] = {1003, 77, 1, 15, 16, 17, 0, 1021, 4095, 4096, 4097, 9001};
    return segment < 12 ? lengths[segment] : 1 + segment % 37;
}

static double *new_doubles(const net *s) {
    double *x = calloc((size_t)s->n, sizeof *x);
    assert_non_null(x);
    return x;
}

static float *new_floats(const net *s) {
    float *x = calloc((size_t)s->n, sizeof *x);
    assert_non_null(x);
    return x;
}

static bool is_covered(const net *s, int64_t i) {
    for (int k = 0; k < s->n_segments; k++)
        if (i >= s->segments[k].offset && i < s->segments[k].offset + s->segments[k].count)
            return true;
    return false;
}

/* What lies between the segments nobody may touch: it must not look like anything computed. */
enum { HALF_BETWEEN = 0x1234 };
static const float between = 0.25F;

static void fill_between(net *s) {
    for (int64_t i = 0; i < s->n; i++) {
        if (is_covered(s, i))
            continue;
        s->m[i] = s->v[i] = between;
        s->half[i] = HALF_BETWEEN;
    }
}

static net open_net(int n_segments) {
    net s = {.n_segments = n_segments};
    for (int i = 0; i < n_segments; i++)
        s.segments[i] = (ty_segment){.name = "segment",
                                     .count = length_of(i),
                                     .weight_decay = i % 2 == 0,
                                     .learning_rate = i % 3 == 1 ? 0.5 : 1};
    s.n = flat_lay_out(s.segments, n_segments) + 3;
    s.bytes = (size_t)s.n * sizeof(float);
    s.p = new_floats(&s), s.g = new_floats(&s), s.m = new_floats(&s), s.v = new_floats(&s);
    s.want_p = new_doubles(&s), s.want_m = new_doubles(&s), s.want_v = new_doubles(&s);
    s.half = calloc((size_t)s.n, sizeof *s.half);
    assert_non_null(s.half);
    for (int64_t i = 0; i < s.n; i++) {
        s.p[i] = flat_number(0, i);
        s.want_p[i] = (double)s.p[i];
    }
    fill_between(&s);
    return s;
}

static void close_net(flat_bench *b, net *s) {
    float *const floats[] = {s->p, s->g, s->m, s->v};
    double *const doubles[] = {s->want_p, s->want_m, s->want_v};
    for (int i = 0; i < 4; i++)
        free(floats[i]);
    for (int i = 0; i < 3; i++)
        free(doubles[i]);
    free(s->half);
    flat_free(b);
}

static twin put_net(flat_bench *b, const net *s) {
    const ty_verdict verdict = {0};
    return (twin){.p = flat_put(b, s->p, s->bytes),
                  .g = flat_put(b, s->g, s->bytes),
                  .m = flat_put(b, s->m, s->bytes),
                  .v = flat_put(b, s->v, s->bytes),
                  .half = flat_put(b, s->half, s->bytes / 2),
                  .verdict = flat_put(b, &verdict, sizeof verdict)};
}

static void new_gradient(flat_bench *b, net *s, const twin *d, int step) {
    for (int64_t i = 0; i < s->n; i++)
        s->g[i] = flat_number((uint64_t)step, i) * (i % 7 == 0 ? 1e-4F : 3);
    flat_set(b, d->g, s->g, s->bytes);
}

static void set_verdict(flat_bench *b, const twin *d, float grad_scale, bool is_skipped) {
    const ty_verdict verdict = {.grad_scale = grad_scale, .is_skipped = is_skipped};
    flat_set(b, d->verdict, &verdict, sizeof verdict);
}

/* Within 1e-6 of the largest parameter, about 3: what ten float updates may lose. What no segment
 * covers stays. */
static void expect_parameters(flat_bench *b, net *s, const twin *d) {
    flat_get(b, s->p, d->p, s->bytes);
    for (int64_t i = 0; i < s->n; i++) {
        const double got = (double)s->p[i], want = s->want_p[i];
        if (!is_covered(s, i) ? s->p[i] != flat_number(0, i)
                              : !(fabs(got - want) <= 1e-6 * fmax(1, fabs(want))))
            fail_msg("parameter %lld is %.9g, want %.9g", (long long)i, got, want);
    }
}

static void expect_bits(const float *got, const float *want, int64_t n, const char *what) {
    for (int64_t i = 0; i < n; i++)
        if (memcmp(&got[i], &want[i], sizeof *got) != 0)
            fail_msg("%s %lld is %.9g, want %.9g", what, (long long)i, (double)got[i],
                     (double)want[i]);
}

static void expect_state(flat_bench *b, const net *s, const twin *d, bool has_half) {
    float *got = malloc(s->bytes);
    uint16_t *half = malloc(s->bytes / 2);
    assert_true(got && half);
    flat_get(b, got, d->p, s->bytes);
    expect_bits(got, s->p, s->n, "parameter");
    flat_get(b, got, d->m, s->bytes);
    expect_bits(got, s->m, s->n, "first moment");
    flat_get(b, got, d->v, s->bytes);
    expect_bits(got, s->v, s->n, "second moment");
    flat_get(b, half, d->half, s->bytes / 2);
    for (int64_t i = 0; i < s->n; i++) {
        const uint16_t untouched = is_covered(s, i) ? 0 : HALF_BETWEEN;
        const uint16_t want = has_half && is_covered(s, i) ? flat_bf16(s->p[i]) : untouched;
        if (half[i] != want)
            fail_msg("bf16 parameter %lld is %04x, want %04x", (long long)i, half[i], want);
    }
    free(got);
    free(half);
}

/* --- SGD -------------------------------------------------------------------------------------- */

static ty_sgd_args sgd_args(const net *s, const twin *d, double momentum, int64_t step) {
    return (ty_sgd_args){.params = d->p,
                         .grads = d->g,
                         .velocity = momentum != 0 ? d->v : NULL,
                         .segments = s->segments,
                         .n_segments = s->n_segments,
                         .learning_rate = 0.01,
                         .momentum = momentum,
                         .weight_decay = 0.05,
                         .verdict = d->verdict,
                         .step = step};
}

static void sgd_in_double(net *s, const ty_sgd_args *a, double scale) {
    for (int k = 0; k < s->n_segments; k++) {
        const ty_segment *segment = &s->segments[k];
        for (int64_t i = segment->offset; i < segment->offset + segment->count; i++) {
            const double g =
                (double)s->g[i] * scale + a->weight_decay * segment->weight_decay * s->want_p[i];
            s->want_v[i] = a->step == 1 ? g : a->momentum * s->want_v[i] + g;
            const double move = a->is_nesterov ? g + a->momentum * s->want_v[i] : s->want_v[i];
            s->want_p[i] -=
                a->learning_rate * segment->learning_rate * (a->momentum != 0 ? move : g);
        }
    }
}

static void sgd_in_float(net *s, const ty_sgd_args *a, float scale) {
    const float momentum = (float)a->momentum;
    for (int k = 0; k < s->n_segments; k++) {
        const ty_segment *segment = &s->segments[k];
        const float decay = (float)(a->weight_decay * segment->weight_decay);
        const float rate = (float)(a->learning_rate * segment->learning_rate);
        for (int64_t i = segment->offset; i < segment->offset + segment->count; i++) {
            const float g = scale * s->g[i] + decay * s->p[i];
            if (a->velocity)
                s->v[i] = momentum * (a->step == 1 ? 0 : s->v[i]) + g;
            const float move = a->is_nesterov ? g + momentum * s->v[i] : s->v[i];
            s->p[i] -= rate * (a->velocity ? move : g);
        }
    }
}

static void check_sgd(flat_bench *b, double momentum, bool is_nesterov) {
    net s = open_net(2);
    for (int64_t i = 0; i < s.n; i++)
        s.v[i] = NAN; /* the first step must not read it */
    const twin d = put_net(b, &s);
    set_verdict(b, &d, 0.25F, false);
    for (int step = 1; step <= N_STEPS; step++) {
        new_gradient(b, &s, &d, step);
        ty_sgd_args args = sgd_args(&s, &d, momentum, step);
        args.is_nesterov = is_nesterov;
        assert_int_equal(ty_flat_sgd(&b->ctx, b->dev, &args), TY_OK);
        sgd_in_double(&s, &args, 0.25);
        expect_parameters(b, &s, &d);
    }
    close_net(b, &s);
}

static void sgd_follows_its_definition_for_ten_steps(void **state) {
    check_sgd(*state, 0, false);
    check_sgd(*state, 0.9, false);
    check_sgd(*state, 0.9, true);
}

static void check_sgd_bits(flat_bench *b, double momentum, bool is_nesterov, bool has_half) {
    net s = open_net(N_SEGMENTS);
    const twin d = put_net(b, &s);
    set_verdict(b, &d, 0.3F, false);
    for (int step = 1; step <= 2; step++) {
        new_gradient(b, &s, &d, step);
        ty_sgd_args args = sgd_args(&s, &d, momentum, step);
        args.is_nesterov = is_nesterov;
        args.params_bf16 = has_half ? d.half : NULL;
        assert_int_equal(ty_flat_sgd(&b->ctx, b->dev, &args), TY_OK);
        sgd_in_float(&s, &args, 0.3F);
    }
    expect_state(b, &s, &d, has_half);
    close_net(b, &s);
}

static void sgd_has_the_same_bits_on_every_device(void **state) {
    check_sgd_bits(*state, 0, false, false);
    check_sgd_bits(*state, 0.9, false, false);
    check_sgd_bits(*state, 0.9, true, false);
}

/* --- AdamW ------------------------------------------------------------------------------------ */

static ty_adamw_args adamw_args(const net *s, const twin *d, int64_t step) {
    return (ty_adamw_args){.params = d->p,
                           .grads = d->g,
                           .m = d->m,
                           .v = d->v,
                           .segments = s->segments,
                           .n_segments = s->n_segments,
                           .learning_rate = 0.01,
                           .beta1 = 0.9,
                           .beta2 = 0.999,
                           .epsilon = 1e-8,
                           .weight_decay = 0.1,
                           .verdict = d->verdict,
                           .step = step};
}

static void adamw_in_double(net *s, const ty_adamw_args *a, double scale) {
    for (int k = 0; k < s->n_segments; k++) {
        const ty_segment *segment = &s->segments[k];
        for (int64_t i = segment->offset; i < segment->offset + segment->count; i++) {
            const double rate = a->learning_rate * segment->learning_rate;
            const double g = (double)s->g[i] * scale;
            s->want_p[i] *= 1 - rate * a->weight_decay * segment->weight_decay;
            s->want_m[i] = a->beta1 * s->want_m[i] + (1 - a->beta1) * g;
            s->want_v[i] = a->beta2 * s->want_v[i] + (1 - a->beta2) * g * g;
            const double m_hat = s->want_m[i] / (1 - pow(a->beta1, (double)a->step));
            const double v_hat = s->want_v[i] / (1 - pow(a->beta2, (double)a->step));
            s->want_p[i] -= rate * m_hat / (sqrt(v_hat) + a->epsilon);
        }
    }
}

/* At steps 1 and 2 the powers of both betas are exact products, so that constants have one value. */
static void adamw_in_float(net *s, const ty_adamw_args *a, float scale) {
    const double power1 = a->step == 1 ? a->beta1 : a->beta1 * a->beta1;
    const double power2 = a->step == 1 ? a->beta2 : a->beta2 * a->beta2;
    const float less1 = (float)(1 - a->beta1), less2 = (float)(1 - a->beta2);
    const float beta2 = (float)a->beta2, epsilon = (float)a->epsilon;
    const float inverse_root = (float)(1 / sqrt(1 - power2));
    for (int k = 0; k < s->n_segments; k++) {
        const ty_segment *segment = &s->segments[k];
        const double rate = a->learning_rate * segment->learning_rate;
        const float keep = (float)(1 - rate * a->weight_decay * segment->weight_decay);
        const float step_size = (float)(rate / (1 - power1));
        for (int64_t i = segment->offset; i < segment->offset + segment->count; i++) {
            const float g = scale * s->g[i];
            s->m[i] += less1 * (g - s->m[i]);
            s->v[i] = beta2 * s->v[i] + less2 * (g * g);
            const float root = sqrtf(s->v[i]) * inverse_root + epsilon;
            s->p[i] = keep * s->p[i] - step_size * s->m[i] / root;
        }
    }
}

static void adamw_follows_its_definition_for_ten_steps(void **state) {
    flat_bench *b = *state;
    net s = open_net(2);
    const twin d = put_net(b, &s);
    set_verdict(b, &d, 0.25F, false);
    for (int step = 1; step <= N_STEPS; step++) {
        new_gradient(b, &s, &d, step);
        const ty_adamw_args args = adamw_args(&s, &d, step);
        assert_int_equal(ty_flat_adamw(&b->ctx, b->dev, &args), TY_OK);
        adamw_in_double(&s, &args, 0.25);
        expect_parameters(b, &s, &d);
    }
    close_net(b, &s);
}

/* After many steps the corrections must still be right; at step 100000 a wrong power shows. */
static void adamw_corrects_its_bias_at_late_steps_too(void **state) {
    flat_bench *b = *state;
    net s = open_net(2);
    const twin d = put_net(b, &s);
    set_verdict(b, &d, 1, false);
    const int64_t steps[] = {1, 2, 3, 1000, 1001, 99999};
    for (size_t k = 0; k < sizeof steps / sizeof steps[0]; k++) {
        new_gradient(b, &s, &d, (int)k);
        ty_adamw_args args = adamw_args(&s, &d, steps[k]);
        args.learning_rate = 0.003;
        args.epsilon = 1e-6;
        assert_int_equal(ty_flat_adamw(&b->ctx, b->dev, &args), TY_OK);
        adamw_in_double(&s, &args, 1);
        expect_parameters(b, &s, &d);
    }
    close_net(b, &s);
}

static void check_adamw_bits(flat_bench *b, bool has_half) {
    net s = open_net(N_SEGMENTS);
    const twin d = put_net(b, &s);
    set_verdict(b, &d, 0.3F, false);
    for (int step = 1; step <= 2; step++) {
        new_gradient(b, &s, &d, step);
        ty_adamw_args args = adamw_args(&s, &d, step);
        args.params_bf16 = has_half ? d.half : NULL;
        assert_int_equal(ty_flat_adamw(&b->ctx, b->dev, &args), TY_OK);
        adamw_in_float(&s, &args, 0.3F);
    }
    expect_state(b, &s, &d, has_half);
    close_net(b, &s);
}

static void adamw_has_the_same_bits_on_every_device(void **state) {
    check_adamw_bits(*state, false);
}

/* --- both ------------------------------------------------------------------------------------- */

/* bf16 copies are a GPU's alone. */
static void a_bf16_copy_follows_the_parameters(void **state) {
    flat_bench *b = *state;
    if (ty_device_describe(b->dev)->kind != TY_DEVICE_IS_CUDA)
        return;
    check_sgd_bits(b, 0.9, false, true);
    check_adamw_bits(b, true);
}

static void a_skipped_step_changes_nothing(void **state) {
    flat_bench *b = *state;
    net s = open_net(N_SEGMENTS);
    for (int64_t i = 0; i < s.n; i++)
        s.m[i] = s.v[i] = flat_number(9, i);
    const twin d = put_net(b, &s);
    new_gradient(b, &s, &d, 1);
    set_verdict(b, &d, NAN, true);
    ty_sgd_args sgd = sgd_args(&s, &d, 0.9, 2);
    ty_adamw_args adamw = adamw_args(&s, &d, 2);
    sgd.params_bf16 = adamw.params_bf16 = d.half;
    assert_int_equal(ty_flat_sgd(&b->ctx, b->dev, &sgd), TY_OK);
    assert_int_equal(ty_flat_adamw(&b->ctx, b->dev, &adamw), TY_OK);
    expect_state(b, &s, &d, false);
    close_net(b, &s);
}

static void optimizers_refuse_what_has_no_meaning(void **state) {
    flat_bench *b = *state;
    assert_int_equal(ty_flat_sgd(&b->ctx, b->dev, &(ty_sgd_args){.momentum = 0.9, .step = 1}),
                     TY_ERR_ARG);
    assert_non_null(strstr(b->ctx.message, "no velocity"));
    assert_int_equal(ty_flat_sgd(&b->ctx, b->dev, &(ty_sgd_args){.step = 0}), TY_ERR_ARG);
    assert_int_equal(ty_flat_adamw(&b->ctx, b->dev, &(ty_adamw_args){.step = 0}), TY_ERR_ARG);
    assert_int_equal(ty_flat_adamw(&b->ctx, b->dev, &(ty_adamw_args){.step = 1, .beta1 = 1}),
                     TY_ERR_ARG);
    assert_non_null(strstr(b->ctx.message, "0 <= beta < 1"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sgd_follows_its_definition_for_ten_steps),
        cmocka_unit_test(sgd_has_the_same_bits_on_every_device),
        cmocka_unit_test(adamw_follows_its_definition_for_ten_steps),
        cmocka_unit_test(adamw_corrects_its_bias_at_late_steps_too),
        cmocka_unit_test(adamw_has_the_same_bits_on_every_device),
        cmocka_unit_test(a_bf16_copy_follows_the_parameters),
        cmocka_unit_test(a_skipped_step_changes_nothing),
        cmocka_unit_test(optimizers_refuse_what_has_no_meaning),
    };
    return flat_tests("flat_optimizers", tests);
}
