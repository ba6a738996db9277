/* Every loop gives the same bits at every instruction-set level, stays inside its arrays, and means
 * what loops.h says. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/cpu.h"
#include "kernels/loops.h"

enum { N_OUT = 3, GUARD = 16, LARGE = 1000003 };
static const float guard_value = 12345.678F;
static const int64_t sizes[] = {0, 1, 3, 15, 16, 17, 31, 63, 64, 65, 1000, 1041};

/* Numbers of every kind: ordinary ones, and in every 11th place an extreme. */
typedef struct inputs {
    float *a, *b;
    uint8_t *bytes;
} inputs;

static inputs make_inputs(int64_t n) {
    static const float extremes[] = {0.0F,   -0.0F, INFINITY, -INFINITY, FLT_MAX, -FLT_MAX, FLT_MIN,
                                     1e-42F, 88.7F, -104.5F,  0.625F,    -9.1F,   14.5F};
    const inputs in = {malloc((size_t)n * 4 + 4), malloc((size_t)n * 4 + 4), malloc((size_t)n + 1)};
    assert_true(in.a && in.b && in.bytes);
    const ty_rng_key key = ty_rng_key_of(1, TY_STREAM_SYNTHETIC);
    for (int64_t i = 0; i < n; i++) {
        const ty_rng_block block = ty_rng_draw(key, 0, (uint64_t)i);
        float z[2];
        ty_rng_normal2(block.v[0], block.v[1], z);
        in.a[i] = z[0] * 3;
        in.b[i] = i % 11 == 10 ? extremes[i / 11 % 13] : z[1];
        in.bytes[i] = (uint8_t)block.v[2];
    }
    return in;
}

static void drop_inputs(inputs in) {
    free(in.a);
    free(in.b);
    free(in.bytes);
}

/* Runs one loop over n elements; out[] start as copies of a, b and a. */
typedef void loop_case(const ty_loops *t, const inputs *in, float *const out[N_OUT], int64_t n);

static void run_flat(const ty_loops *t, const inputs *in, float *const out[N_OUT], int64_t n) {
    t->add(out[0], in->a, in->b, n);
    t->scale(out[1], out[0], n, 0.3F);
    t->scale_add(out[1], in->a, n, -0.7F);
    t->blend(out[2], in->b, n, 0.1F, 0.5F);
}

static void run_fill(const ty_loops *t, const inputs *in, float *const out[N_OUT], int64_t n) {
    (void)in;
    t->fill(out[0], n, 2.5F);
}

static void run_norm(const ty_loops *t, const inputs *in, float *const out[N_OUT], int64_t n) {
    double finite[2], extreme[2];
    t->norm(in->a, n, finite);
    t->norm(in->b, n, extreme);
    if (n > 0)
        out[0][0] = (float)extreme[1];
    if (n > 4)
        memcpy(&out[0][1], finite, sizeof finite);
}

static void run_sgd(const ty_loops *t, const inputs *in, float *const out[N_OUT], int64_t n) {
    ty_sgd_loop sgd = {
        .grad_scale = 0.5F, .weight_decay = 0.01F, .momentum = 0.9F, .learning_rate = 0.1F};
    t->sgd(&sgd, out[0], in->b, NULL, n);
    sgd.is_first = true;
    t->sgd(&sgd, out[0], in->b, out[1], n);
    sgd = (ty_sgd_loop){
        .grad_scale = 0.5F, .momentum = 0.9F, .learning_rate = 0.1F, .is_nesterov = true};
    t->sgd(&sgd, out[2], in->b, out[1], n);
}

static void run_adamw(const ty_loops *t, const inputs *in, float *const out[N_OUT], int64_t n) {
    const ty_adamw_loop adamw = {.grad_scale = 0.5F,
                                 .keep = 0.999F,
                                 .one_minus_beta1 = 0.1F,
                                 .beta2 = 0.999F,
                                 .one_minus_beta2 = 0.001F,
                                 .step_size = 0.01F,
                                 .inverse_root = 3,
                                 .epsilon = 1e-8F};
    t->adamw(&adamw, out[0], in->b, out[1], out[2], n);
}

static void run_random(const ty_loops *t, const inputs *in, float *const out[N_OUT], int64_t n) {
    const ty_rng_key key = ty_rng_key_of(9, TY_STREAM_INIT);
    const ty_dropout_loop dropout = {.key = key, .threshold = 0x40000000, .scale = 4.0F / 3};
    t->uniform(out[0], n, key, UINT64_C(5) << 33, 0.25F);
    t->normal(out[1], n, key, 7, 0.02F);
    t->dropout(&dropout, out[2], in->b, n, 11);
}

static void run_activations(const ty_loops *t, const inputs *in, float *const out[N_OUT],
                            int64_t n) {
    for (int kind = 0; kind < TY_LOOPS_N_ACTIVATIONS; kind++) {
        t->activation[kind](out[0], in->b, n);
        t->activation_backward[kind](out[1], out[0], in->b, n, false);
        t->activation_backward[kind](out[2], out[1], in->a, n, true);
    }
}

static void run_one_activation(const ty_loops *t, ty_activation kind, const inputs *in,
                               float *const out[N_OUT], int64_t n) {
    t->activation[kind](out[0], in->b, n);
    t->activation_backward[kind](out[1], in->a, in->b, n, false);
    t->activation_backward[kind](out[2], in->a, in->b, n, true);
}

static void run_relu(const ty_loops *t, const inputs *in, float *const out[N_OUT], int64_t n) {
    run_one_activation(t, TY_ACT_RELU, in, out, n);
}

static void run_gelu(const ty_loops *t, const inputs *in, float *const out[N_OUT], int64_t n) {
    run_one_activation(t, TY_ACT_GELU, in, out, n);
}

static void run_silu(const ty_loops *t, const inputs *in, float *const out[N_OUT], int64_t n) {
    run_one_activation(t, TY_ACT_SILU, in, out, n);
}

static void run_tanh(const ty_loops *t, const inputs *in, float *const out[N_OUT], int64_t n) {
    run_one_activation(t, TY_ACT_TANH, in, out, n);
}

static void run_sigmoid(const ty_loops *t, const inputs *in, float *const out[N_OUT], int64_t n) {
    run_one_activation(t, TY_ACT_SIGMOID, in, out, n);
}

static void run_normalize(const ty_loops *t, const inputs *in, float *const out[N_OUT], int64_t n) {
    t->normalize_u8(out[0], in->bytes, n, 72.5F, 0.012F);
    t->normalize_f32(out[1], in->b, n, 0.3F, 3.7F);
    t->normalize_each_u8(out[1], in->bytes, n, in->a, in->a);
    t->normalize_each_f32(out[2], in->b, n, in->a, in->a);
}

static void run_losses(const ty_loops *t, const inputs *in, float *const out[N_OUT], int64_t n) {
    if (n == 0)
        return;
    ty_xent_row row;
    ty_mse_row mse;
    t->xent_forward(in->a, n, (int32_t)(n / 2), 0.1, &row);
    t->xent_backward(out[0], in->a, n, (int32_t)(n / 2), 0.1, &row, 0.7F, false);
    t->xent_backward(out[1], in->a, n, (int32_t)(n / 2), 0, &row, 1, true);
    t->mse_forward(in->a, out[1], n, &mse);
    t->mse_backward(out[2], in->a, out[1], n, 0.3F, true);
    const float told[] = {row.max,         row.inverse_sum,      row.loss,
                          row.probability, (float)row.predicted, (float)row.rank,
                          mse.loss,        mse.mean_absolute};
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++)
        out[2][i % (size_t)n] += told[i];
}

typedef struct case_row {
    const char *name;
    loop_case *run;
} case_row;

static const case_row cases[] = {
    {"add, scale, blend", run_flat},
    {"fill", run_fill},
    {"norm", run_norm},
    {"sgd", run_sgd},
    {"adamw", run_adamw},
    {"random", run_random},
    {"activations", run_activations},
    {"relu", run_relu},
    {"gelu", run_gelu},
    {"silu", run_silu},
    {"tanh", run_tanh},
    {"sigmoid", run_sigmoid},
    {"normalize", run_normalize},
    {"losses", run_losses},
};

/* The outputs of one case, each between guard words and off every alignment. */
static float *run_guarded(const case_row *row, int level, const inputs *in, int64_t n) {
    const int64_t each = n + 2 * GUARD + 1;
    float *memory = malloc((size_t)(N_OUT * each) * sizeof *memory);
    assert_non_null(memory);
    float *out[N_OUT];
    for (int64_t i = 0; i < N_OUT * each; i++)
        memory[i] = guard_value;
    for (int i = 0; i < N_OUT; i++) {
        out[i] = memory + i * each + GUARD;
        memcpy(out[i], i == 1 ? in->b : in->a, (size_t)n * sizeof(float));
    }
    row->run(ty_loops_at(level), in, out, n);
    for (int i = 0; i < N_OUT; i++)
        for (int g = 0; g < GUARD; g++)
            if (memory[i * each + g] != guard_value || out[i][n + g] != guard_value)
                fail_msg("%s, n = %lld, %s: output %d left its array", row->name, (long long)n,
                         ty_isa_names[level], i);
    return memory;
}

static bool same_bits(float x, float y) {
    return memcmp(&x, &y, sizeof x) == 0 || (isnan(x) && isnan(y));
}

static void compare_levels(const case_row *row, const inputs *in, int64_t n) {
    float *want = run_guarded(row, 0, in, n);
    for (int level = 1; level <= ty_isa_best(); level++) {
        float *got = run_guarded(row, level, in, n);
        for (int64_t i = 0; i < N_OUT * (n + 2 * GUARD + 1); i++)
            if (!same_bits(want[i], got[i]))
                fail_msg("%s, n = %lld, place %lld: %a at sse41, %a at %s", row->name, (long long)n,
                         (long long)i, (double)want[i], (double)got[i], ty_isa_names[level]);
        free(got);
    }
    free(want);
}

static void loops_give_the_same_bits_at_every_level_and_stay_inside_their_arrays(void **state) {
    (void)state;
    const inputs in = make_inputs(LARGE);
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
            compare_levels(&cases[c], &in, sizes[s]);
        compare_levels(&cases[c], &in, LARGE);
    }
    drop_inputs(in);
}

static void norm_sums_squares_to_double_precision(void **state) {
    (void)state;
    const inputs in = make_inputs(LARGE);
    long double want = 0;
    for (int64_t i = 0; i < LARGE; i++)
        want += (long double)in.a[i] * (long double)in.a[i];
    for (int level = 0; level <= ty_isa_best(); level++) {
        double out[2];
        ty_loops_at(level)->norm(in.a, LARGE, out);
        assert_true(fabsl((long double)out[0] - want) <= 1e-13L * want);
        assert_true(out[1] == 0);
    }
    drop_inputs(in);
}

static void norm_counts_every_number_that_is_not_finite(void **state) {
    (void)state;
    float x[100];
    for (int level = 0; level <= ty_isa_best(); level++)
        for (int n_bad = 0; n_bad <= 100; n_bad++) {
            for (int i = 0; i < 100; i++)
                x[i] = i >= n_bad ? FLT_MAX : i % 3 == 0 ? NAN : i % 3 == 1 ? INFINITY : -INFINITY;
            double out[2];
            ty_loops_at(level)->norm(x, 100, out);
            assert_true(out[1] == n_bad);
            assert_true(n_bad > 0 || out[0] == 100 * (double)FLT_MAX * (double)FLT_MAX);
        }
}

/* The loops' Philox and base's agree at counters beyond 32 bits too. */
static void random_loops_draw_what_base_draws(void **state) {
    (void)state;
    enum { N = 203 };
    const ty_rng_key key = ty_rng_key_of(77, TY_STREAM_INIT);
    const uint64_t a = UINT64_C(0x123456789abcdef0);
    float uniform[N], normal[N];
    for (int level = 0; level <= ty_isa_best(); level++) {
        ty_loops_at(level)->uniform(uniform, N, key, a, 1);
        ty_loops_at(level)->normal(normal, N, key, a, 1);
        for (int i = 0; i < N; i++) {
            const ty_rng_block block = ty_rng_draw(key, a, (uint64_t)i / 4);
            const int word = i % 4 & ~1;
            float z[2];
            ty_rng_normal2(block.v[word], block.v[word + 1], z);
            assert_true(uniform[i] == 2 * ty_rng_uniform(block.v[i % 4]) - 1);
            assert_true(normal[i] == z[i % 2]);
        }
    }
}

static void a_nan_never_disappears(void **state) {
    (void)state;
    const float nan = NAN;
    for (int level = 0; level <= ty_isa_best(); level++)
        for (int kind = 0; kind < TY_LOOPS_N_ACTIVATIONS; kind++) {
            float y = 0;
            ty_loops_at(level)->activation[kind](&y, &nan, 1);
            assert_true(isnan(y));
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loops_give_the_same_bits_at_every_level_and_stay_inside_their_arrays),
        cmocka_unit_test(norm_sums_squares_to_double_precision),
        cmocka_unit_test(norm_counts_every_number_that_is_not_finite),
        cmocka_unit_test(random_loops_draw_what_base_draws),
        cmocka_unit_test(a_nan_never_disappears),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
