/* Optimizers against their definitions in double, starts of parameters against their laws, flat
 * arithmetic. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/kernels.h"

typedef struct bench {
    ty_ctx ctx;
    ty_device *dev;
} bench;

static int open_bench(void **state) {
    bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    ty_ctx_init(&b->ctx);
    assert_int_equal(
        ty_device_open(&b->ctx, &(ty_device_options){.name = "cpu", .max_isa_level = -1}, &b->dev),
        TY_OK);
    *state = b;
    return 0;
}

static int close_bench(void **state) {
    bench *b = *state;
    ty_device_close(b->dev);
    ty_ctx_clear(&b->ctx);
    free(b);
    return 0;
}

/* Two segments with different multipliers, a gap of padding between them. */
enum {
    N_FIRST = 1003,
    AT_SECOND = 1008,
    N_SECOND = 77,
    N_ALL = AT_SECOND + N_SECOND + 3,
    N_STEPS = 10
};

static const ty_segment segments[] = {
    {.name = "weight", .offset = 0, .count = N_FIRST, .weight_decay = 1, .learning_rate = 1},
    {.name = "bias",
     .offset = AT_SECOND,
     .count = N_SECOND,
     .weight_decay = 0,
     .learning_rate = 0.5},
};

static float number(uint64_t stream, int64_t i) {
    const ty_rng_block block =
        ty_rng_draw(ty_rng_key_of(4, TY_STREAM_SYNTHETIC), stream, (uint64_t)i);
    float z[2];
    ty_rng_normal2(block.v[0], block.v[1], z);
    return z[0];
}

/* Float state on the device and the same in double. */
typedef struct optimizer_state {
    float p[N_ALL], g[N_ALL], m[N_ALL], v[N_ALL];
    double want_p[N_ALL], want_m[N_ALL], want_v[N_ALL];
} optimizer_state;

static optimizer_state *new_state(void) {
    optimizer_state *s = calloc(1, sizeof *s);
    assert_non_null(s);
    for (int i = 0; i < N_ALL; i++) {
        s->p[i] = number(0, i);
        s->want_p[i] = (double)s->p[i];
    }
    return s;
}

static void new_gradient(optimizer_state *s, int step) {
    for (int i = 0; i < N_ALL; i++)
        s->g[i] = number((uint64_t)step, i) * (i % 7 == 0 ? 1e-4F : 3);
}

/* Within 1e-6 of the largest parameter, about 3: what ten float updates may lose. What no segment
 * covers stays. */
static void expect_parameters(const optimizer_state *s) {
    for (int i = 0; i < N_ALL; i++) {
        const bool is_gap = (i >= N_FIRST && i < AT_SECOND) || i >= AT_SECOND + N_SECOND;
        if (is_gap ? s->p[i] != number(0, i)
                   : fabs((double)s->p[i] - s->want_p[i]) > 1e-6 * fmax(1, fabs(s->want_p[i])))
            fail_msg("parameter %d is %.9g, want %.9g", i, (double)s->p[i], s->want_p[i]);
    }
}

static void sgd_reference(optimizer_state *s, const ty_sgd_args *a) {
    for (int k = 0; k < 2; k++)
        for (int64_t i = segments[k].offset; i < segments[k].offset + segments[k].count; i++) {
            const double g = (double)s->g[i] * a->verdict->grad_scale +
                             a->weight_decay * segments[k].weight_decay * s->want_p[i];
            s->want_v[i] = a->step == 1 ? g : a->momentum * s->want_v[i] + g;
            const double move = a->is_nesterov ? g + a->momentum * s->want_v[i] : s->want_v[i];
            s->want_p[i] -=
                a->learning_rate * segments[k].learning_rate * (a->momentum != 0 ? move : g);
        }
}

static void check_sgd(bench *b, double momentum, bool is_nesterov) {
    optimizer_state *s = new_state();
    for (int i = 0; i < N_ALL; i++)
        s->v[i] = NAN; /* the first step must not read it */
    for (int step = 1; step <= N_STEPS; step++) {
        new_gradient(s, step);
        const ty_sgd_args args = {.params = s->p,
                                  .grads = s->g,
                                  .velocity = momentum != 0 ? s->v : NULL,
                                  .segments = segments,
                                  .n_segments = 2,
                                  .learning_rate = 0.01,
                                  .momentum = momentum,
                                  .weight_decay = 0.05,
                                  .verdict = &(ty_verdict){.grad_scale = 0.25},
                                  .is_nesterov = is_nesterov,
                                  .step = step};
        assert_int_equal(ty_flat_sgd(&b->ctx, b->dev, &args), TY_OK);
        sgd_reference(s, &args);
        expect_parameters(s);
    }
    free(s);
}

static void sgd_follows_its_definition_for_ten_steps(void **state) {
    check_sgd(*state, 0, false);
    check_sgd(*state, 0.9, false);
    check_sgd(*state, 0.9, true);
}

static void adamw_reference(optimizer_state *s, const ty_adamw_args *a) {
    for (int k = 0; k < 2; k++)
        for (int64_t i = segments[k].offset; i < segments[k].offset + segments[k].count; i++) {
            const double rate = a->learning_rate * segments[k].learning_rate;
            const double g = (double)s->g[i] * a->verdict->grad_scale;
            s->want_p[i] *= 1 - rate * a->weight_decay * segments[k].weight_decay;
            s->want_m[i] = a->beta1 * s->want_m[i] + (1 - a->beta1) * g;
            s->want_v[i] = a->beta2 * s->want_v[i] + (1 - a->beta2) * g * g;
            const double m_hat = s->want_m[i] / (1 - pow(a->beta1, (double)a->step));
            const double v_hat = s->want_v[i] / (1 - pow(a->beta2, (double)a->step));
            s->want_p[i] -= rate * m_hat / (sqrt(v_hat) + a->epsilon);
        }
}

static void adamw_follows_its_definition_for_ten_steps(void **state) {
    bench *b = *state;
    optimizer_state *s = new_state();
    for (int step = 1; step <= N_STEPS; step++) {
        new_gradient(s, step);
        const ty_adamw_args args = {.params = s->p,
                                    .grads = s->g,
                                    .m = s->m,
                                    .v = s->v,
                                    .segments = segments,
                                    .n_segments = 2,
                                    .learning_rate = 0.01,
                                    .beta1 = 0.9,
                                    .beta2 = 0.999,
                                    .epsilon = 1e-8,
                                    .weight_decay = 0.1,
                                    .verdict = &(ty_verdict){.grad_scale = 0.25},
                                    .step = step};
        assert_int_equal(ty_flat_adamw(&b->ctx, b->dev, &args), TY_OK);
        adamw_reference(s, &args);
        expect_parameters(s);
    }
    free(s);
}

/* After many steps the corrections must still be right; at step 100000 a wrong power shows. */
static void adamw_corrects_its_bias_at_late_steps_too(void **state) {
    bench *b = *state;
    optimizer_state *s = new_state();
    const int64_t steps[] = {1, 2, 3, 1000, 1001, 99999};
    for (size_t k = 0; k < sizeof steps / sizeof steps[0]; k++) {
        new_gradient(s, (int)k);
        const ty_adamw_args args = {.params = s->p,
                                    .grads = s->g,
                                    .m = s->m,
                                    .v = s->v,
                                    .segments = segments,
                                    .n_segments = 2,
                                    .learning_rate = 0.003,
                                    .beta1 = 0.9,
                                    .beta2 = 0.999,
                                    .epsilon = 1e-6,
                                    .weight_decay = 0.1,
                                    .verdict = &(ty_verdict){.grad_scale = 1},
                                    .step = steps[k]};
        assert_int_equal(ty_flat_adamw(&b->ctx, b->dev, &args), TY_OK);
        adamw_reference(s, &args);
        expect_parameters(s);
    }
    free(s);
}

static void optimizers_refuse_what_has_no_meaning(void **state) {
    bench *b = *state;
    assert_int_equal(ty_flat_sgd(&b->ctx, b->dev, &(ty_sgd_args){.momentum = 0.9, .step = 1}),
                     TY_ERR_ARG);
    assert_non_null(strstr(b->ctx.message, "no velocity"));
    assert_int_equal(ty_flat_sgd(&b->ctx, b->dev, &(ty_sgd_args){.step = 0}), TY_ERR_ARG);
    assert_int_equal(ty_flat_adamw(&b->ctx, b->dev, &(ty_adamw_args){.step = 0}), TY_ERR_ARG);
    assert_int_equal(ty_flat_adamw(&b->ctx, b->dev, &(ty_adamw_args){.step = 1, .beta1 = 1}),
                     TY_ERR_ARG);
    assert_non_null(strstr(b->ctx.message, "0 <= beta < 1"));
}

/* --- starts ----------------------------------------------------------------------------------- */

enum { N_START = 200003 };

static float *start_one(bench *b, ty_init_kind init, int64_t number_of_segment, uint64_t seed) {
    ty_segment table[4] = {0};
    float *params = malloc((N_START + 16) * sizeof *params);
    assert_non_null(params);
    table[number_of_segment] =
        (ty_segment){.name = "w", .count = N_START, .init = init, .fan_in = 24, .fan_out = 72};
    const ty_init_args args = {
        .params = params, .segments = table, .n_segments = number_of_segment + 1, .seed = seed};
    params[N_START] = 77;
    assert_int_equal(ty_flat_init(&b->ctx, b->dev, &args), TY_OK);
    assert_true(params[N_START] == 77);
    return params;
}

typedef struct moments {
    double mean, variance, largest;
} moments;

static moments moments_of(const float *x) {
    moments m = {0};
    for (int i = 0; i < N_START; i++) {
        m.mean += (double)x[i] / N_START;
        m.variance += (double)x[i] * (double)x[i] / N_START;
        m.largest = fmax(m.largest, fabs((double)x[i]));
    }
    return m;
}

/* Bounds are 5 standard errors. */
static void expect_uniform(const float *x, double bound) {
    const moments m = moments_of(x);
    assert_true(m.largest <= bound && m.largest > 0.999 * bound);
    assert_true(fabs(m.mean) < 5 * bound / sqrt(3.0 * N_START));
    assert_true(fabs(m.variance / (bound * bound / 3) - 1) < 5 * sqrt(0.8 / N_START));
}

static void starts_follow_their_laws(void **state) {
    float *x = start_one(*state, TY_INIT_XAVIER, 0, 1);
    expect_uniform(x, sqrt(6.0 / 96) * (1 + 1e-7));
    free(x);
    x = start_one(*state, TY_INIT_KAIMING, 0, 1);
    expect_uniform(x, sqrt(6.0 / 24) * (1 + 1e-7));
    free(x);
    x = start_one(*state, TY_INIT_NORMAL, 0, 1);
    const moments m = moments_of(x);
    assert_true(fabs(m.mean) < 5 * 0.02 / sqrt(N_START));
    assert_true(fabs(m.variance / 0.0004 - 1) < 5 * sqrt(2.0 / N_START));
    assert_true(m.largest > 0.02 * 4 && m.largest < 0.02 * 6.5);
    free(x);
}

static void constant_starts_are_constant(void **state) {
    float *zeros = start_one(*state, TY_INIT_ZEROS, 0, 1),
          *ones = start_one(*state, TY_INIT_ONES, 0, 1);
    for (int i = 0; i < N_START; i++)
        assert_true(zeros[i] == 0 && ones[i] == 1);
    free(zeros);
    free(ones);
}

static void a_start_is_a_function_of_seed_segment_and_element(void **state) {
    float *x = start_one(*state, TY_INIT_XAVIER, 3, 9),
          *again = start_one(*state, TY_INIT_XAVIER, 3, 9);
    float *segment = start_one(*state, TY_INIT_XAVIER, 2, 9),
          *seed = start_one(*state, TY_INIT_XAVIER, 3, 10);
    const ty_rng_key key = ty_rng_key_of(9, TY_STREAM_INIT);
    assert_memory_equal(x, again, N_START * sizeof *x);
    assert_memory_not_equal(x, segment, N_START * sizeof *x);
    assert_memory_not_equal(x, seed, N_START * sizeof *x);
    for (int i = 0; i < 1000; i++) {
        const float u = ty_rng_uniform(ty_rng_draw(key, 3, (uint64_t)i / 4).v[i % 4]);
        assert_true(x[i] == 0.25F * (2 * u - 1));
    }
    free(x);
    free(again);
    free(segment);
    free(seed);
}

static void a_start_without_fans_is_refused(void **state) {
    bench *b = *state;
    float x[4];
    const ty_segment segment = {.name = "lonely", .count = 4, .init = TY_INIT_KAIMING};
    const ty_init_args args = {.params = x, .segments = &segment, .n_segments = 1};
    assert_int_equal(ty_flat_init(&b->ctx, b->dev, &args), TY_ERR_ARG);
    assert_non_null(strstr(b->ctx.message, "lonely"));
}

/* --- arithmetic ------------------------------------------------------------------------------- */

static void arithmetic_is_elementwise_and_works_in_place(void **state) {
    bench *b = *state;
    enum { N = 1031 };
    float x[N], y[N], z[N];
    for (int i = 0; i < N; i++) {
        x[i] = number(1, i);
        y[i] = number(2, i);
    }
    assert_int_equal(ty_flat_fill(&b->ctx, b->dev, z, N, 2.5F), TY_OK);
    assert_int_equal(ty_flat_add(&b->ctx, b->dev, z, z, x, N), TY_OK);
    for (int i = 0; i < N; i++)
        assert_true(z[i] == 2.5F + x[i]);
    assert_int_equal(ty_flat_copy(&b->ctx, b->dev, z, y, N), TY_OK);
    assert_int_equal(ty_flat_scale(&b->ctx, b->dev, z, N, 3), TY_OK);
    for (int i = 0; i < N; i++)
        assert_true(z[i] == 3 * y[i]);
    assert_int_equal(ty_flat_copy(&b->ctx, b->dev, z, y, N), TY_OK);
    assert_int_equal(
        ty_flat_blend(
            &b->ctx, b->dev,
            &(ty_blend_args){.to = z, .from = x, .n = N, .rate = 0.1F, .from_scale = 0.5F}),
        TY_OK);
    for (int i = 0; i < N; i++)
        assert_true(z[i] == y[i] + 0.1F * (0.5F * x[i] - y[i]));
}

static void the_norm_counts_what_is_not_finite(void **state) {
    bench *b = *state;
    float x[] = {3, 4, 0, 12};
    double out[2];
    assert_int_equal(ty_flat_norms(&b->ctx, b->dev, x, &(ty_segment){.count = 4}, 1, out), TY_OK);
    assert_true(out[0] == 169 && out[1] == 0);
    x[2] = NAN;
    x[3] = -INFINITY;
    assert_int_equal(ty_flat_norms(&b->ctx, b->dev, x, &(ty_segment){.count = 4}, 1, out), TY_OK);
    assert_true(!isfinite(out[0]) && out[1] == 2);
    assert_int_equal(ty_flat_norms(&b->ctx, b->dev, x, &(ty_segment){.count = 0}, 1, out), TY_OK);
    assert_true(out[0] == 0 && out[1] == 0);
}

static void cast(bench *b, void *to, ty_dtype to_dtype, const void *from, ty_dtype from_dtype,
                 int64_t n) {
    const ty_cast_args args = {
        .to = to, .to_dtype = to_dtype, .from = from, .from_dtype = from_dtype, .n = n};
    assert_int_equal(ty_flat_cast(&b->ctx, b->dev, &args), TY_OK);
}

static void casts_round_to_even_and_stay_within_the_type(void **state) {
    bench *b = *state;
    const float from[] = {0.5f, 1.5f, -0.6f, 254.6f, 1e9f, -1e30f, NAN, INFINITY};
    const uint8_t bytes[] = {0, 2, 0, 255, 255, 0, 0, 255};
    const int32_t words[] = {0, 2, -1, 255, 1000000000, INT32_MIN, 0, INT32_MAX};
    const int64_t longs[] = {0, 2, -1, 255, 1000000000, INT64_MIN, 0, INT64_MAX};
    uint8_t u8[8];
    int32_t i32[8];
    int64_t i64[8];
    cast(b, u8, TY_DTYPE_U8, from, TY_DTYPE_F32, 8);
    cast(b, i32, TY_DTYPE_I32, from, TY_DTYPE_F32, 8);
    cast(b, i64, TY_DTYPE_I64, from, TY_DTYPE_F32, 8);
    assert_memory_equal(u8, bytes, sizeof bytes);
    assert_memory_equal(i32, words, sizeof words);
    assert_memory_equal(i64, longs, sizeof longs);
}

static void every_byte_survives_every_wider_type(void **state) {
    static const ty_dtype wider[] = {TY_DTYPE_F32, TY_DTYPE_F64, TY_DTYPE_I32, TY_DTYPE_I64};
    enum { N = 1003 }; /* several blocks and a rest */
    bench *b = *state;
    uint8_t from[N], back[N + 1];
    double wide[N];
    for (int i = 0; i < N; i++)
        from[i] = (uint8_t)i;
    for (size_t k = 0; k < sizeof wider / sizeof wider[0]; k++) {
        memset(back, 0xa5, sizeof back);
        cast(b, wide, wider[k], from, TY_DTYPE_U8, N);
        cast(b, back, TY_DTYPE_U8, wide, wider[k], N);
        assert_memory_equal(back, from, N);
        assert_int_equal(back[N], 0xa5);
    }
}

static void equal_types_are_copied_bit_for_bit(void **state) {
    bench *b = *state;
    const int64_t from[] = {INT64_MAX, INT64_MIN + 1, (1LL << 53) + 1};
    int64_t to[3];
    cast(b, to, TY_DTYPE_I64, from, TY_DTYPE_I64, 3);
    assert_memory_equal(to, from, sizeof from);
    cast(b, to, TY_DTYPE_I64, from, TY_DTYPE_I64, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sgd_follows_its_definition_for_ten_steps),
        cmocka_unit_test(adamw_follows_its_definition_for_ten_steps),
        cmocka_unit_test(adamw_corrects_its_bias_at_late_steps_too),
        cmocka_unit_test(optimizers_refuse_what_has_no_meaning),
        cmocka_unit_test(starts_follow_their_laws),
        cmocka_unit_test(constant_starts_are_constant),
        cmocka_unit_test(a_start_is_a_function_of_seed_segment_and_element),
        cmocka_unit_test(a_start_without_fans_is_refused),
        cmocka_unit_test(arithmetic_is_elementwise_and_works_in_place),
        cmocka_unit_test(the_norm_counts_what_is_not_finite),
        cmocka_unit_test(casts_round_to_even_and_stay_within_the_type),
        cmocka_unit_test(every_byte_survives_every_wider_type),
        cmocka_unit_test(equal_types_are_copied_bit_for_bit),
    };
    return cmocka_run_group_tests(tests, open_bench, close_bench);
}
