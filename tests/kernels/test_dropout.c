/* Dropout: its rate, its mask in backward, and what the mask may depend on. */
#include "op_bench.h"
#include "op_harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/layout.h"

/* The definition, from base's generator: element i of a sample by word i % 4 of block i / 4. The
 * numbers are the harness's: seed 42, step 5, op 3, sample 7 row + 3. */
static double kept_of(const ty_dropout_attrs *a, int64_t sample, int64_t element) {
    const ty_rng_key of_step = ty_rng_key_mix(ty_rng_key_of(42, TY_STREAM_DROPOUT), 5);
    const ty_rng_block block =
        ty_rng_draw(ty_rng_key_mix(of_step, 3), (uint64_t)sample, (uint64_t)element / 4);
    return (double)block.v[element % 4] < a->rate * 0x1p32 ? 0 : 1 / (1 - a->rate);
}

static void dropout_reference(op_values *v) {
    const ty_dropout_attrs *a = v->of->attrs;
    const int64_t n = ty_shape_count(v->shapes->y), each = n / v->shapes->y.dims[0];
    for (int64_t i = 0; i < n; i++)
        v->y[i] = v->x[0][i] * (v->of->is_inference ? 1 : kept_of(a, i / each * 7 + 3, i % each));
}

static void check_dropout(double rate, ty_shape shape, const void *layout, bool is_inference) {
    const ty_dropout_attrs attrs = {.rate = rate};
    op_check(&(op_case){.name = "dropout",
                        .id = TY_OP_DROPOUT,
                        .attrs = &attrs,
                        .x = {{TY_DTYPE_F32, shape, layout, true, 0, 0}},
                        .is_inference = is_inference,
                        .tolerance_forward = 2e-7,
                        .tolerance_backward = 2e-7,
                        .reference = dropout_reference});
}

static void dropout_draws_by_sample_and_element_forward_and_backward(void **state) {
    (void)state;
    check_dropout(0.5, SHAPE(1, 1), NULL, false);
    check_dropout(0.25, SHAPE(5, 67), NULL, false);
    check_dropout(0.1, SHAPE(2, 3, 7, 5), NULL, false);
    check_dropout(0, SHAPE(3, 17), NULL, false);
    for (int64_t n = 3; n <= 9; n++)
        check_dropout(0.5, SHAPE(31, n), NULL, false);
    for (int64_t n = 1023; n <= 1025; n++)
        check_dropout(0.5, SHAPE(2, n), NULL, false);
    check_dropout(0.5, SHAPE(1, 2048), NULL, false);
    check_dropout(0.2, SHAPE(3, 8, 16, 16), NULL, false);
}

static void dropout_draws_the_same_in_every_layout(void **state) {
    (void)state;
    check_dropout(0.3, SHAPE(2, 11, 3, 5), &ty_layout_blocked8, false);
    check_dropout(0.3, SHAPE(2, 16, 3, 5), &ty_layout_blocked16, false);
    check_dropout(0.3, SHAPE(2, 11, 3, 5), &ty_layout_channels_last, false);
    check_dropout(0, SHAPE(2, 11, 3, 5), &ty_layout_blocked8, false);
}

static void dropout_lets_everything_through_in_evaluation(void **state) {
    (void)state;
    check_dropout(0.7, SHAPE(5, 67), NULL, true);
    check_dropout(0.7, SHAPE(2, 11, 3, 5), &ty_layout_blocked8, true);
}

static void a_rate_outside_its_range_is_refused(void **state) {
    (void)state;
    const double rates[] = {1, -0.1, 2, NAN};
    for (int i = 0; i < 4; i++) {
        const ty_dropout_attrs attrs = {.rate = rates[i]};
        op_check_refused(&(op_case){.name = "rate",
                                    .id = TY_OP_DROPOUT,
                                    .attrs = &attrs,
                                    .x = {{TY_DTYPE_F32, SHAPE(2, 2), NULL, false, 0, 0}}},
                         "0 <= rate < 1");
    }
}

/* What one call drops from ones, on the device under test. */
static int open_bench(void **state) {
    bench *b = malloc(sizeof *b);
    assert_non_null(b);
    bench_open(b);
    *state = b;
    return 0;
}

static int close_bench(void **state) {
    bench *b = *state;
    bench_close(b);
    free(b);
    return 0;
}

static void drop_ones(bench *b, ty_op_env env, int64_t op_number, ty_shape shape, float *y) {
    const ty_dropout_attrs attrs = {.rate = 0.3};
    const int64_t n = ty_shape_count(shape);
    float *ones = malloc((size_t)n * sizeof *ones);
    assert_non_null(ones);
    for (int64_t i = 0; i < n; i++)
        ones[i] = 1;
    const ty_tensor ids = bench_put_raw(b, SHAPE(shape.dims[0]), TY_DTYPE_I64, env.sample_ids);
    env.sample_ids = ids.data;
    ty_op_args args = {.id = TY_OP_DROPOUT,
                       .attrs = &attrs,
                       .op_number = op_number,
                       .is_training = true,
                       .x = {bench_put(b, shape, ones)},
                       .y = {.dtype = TY_DTYPE_F32, .shape = shape},
                       .env = &env};
    bench_prepare(b, &args);
    args.y.data = bench_put(b, shape, NULL).data;
    bench_forward(b, &args);
    bench_get(b, &args.y, y);
    bench_release(b, &args);
    free(ones);
}

static void dropout_keeps_the_share_it_was_asked_for(void **state) {
    enum { N = 1000003 };
    const int64_t id = 12345678901;
    float *y = malloc(N * sizeof *y);
    assert_non_null(y);
    drop_ones(*state, (ty_op_env){.seed = 1, .step = 1, .sample_ids = &id}, 0, SHAPE(1, N), y);
    int64_t n_kept = 0;
    const float allowed = (float)bench_rounding(*state) / 0.7F;
    for (int64_t i = 0; i < N; i++) {
        assert_true(y[i] == 0 || fabsf(y[i] - 1 / 0.7F) <= allowed);
        n_kept += y[i] != 0;
    }
    assert_true(fabs((double)n_kept / N - 0.7) < 5 * sqrt(0.21 / N)); /* 5 standard errors */
    free(y);
}

static void the_mask_ignores_row_and_batch(void **state) {
    enum { N = 101 };
    const int64_t many[] = {4, 900, 17, 5}, one[] = {17};
    float in_batch[4 * N], alone[N];
    ty_op_env env = {.seed = 1, .step = 8, .sample_ids = many};
    drop_ones(*state, env, 2, SHAPE(4, N), in_batch);
    env.sample_ids = one;
    drop_ones(*state, env, 2, SHAPE(1, N), alone);
    assert_memory_equal(in_batch + 2 * N, alone, sizeof alone);
}

static void the_mask_changes_with_seed_step_op_and_sample(void **state) {
    enum { N = 256 };
    const int64_t id[] = {17}, other[] = {18};
    const ty_op_env env = {.seed = 1, .step = 8, .sample_ids = id};
    ty_op_env with[3] = {env, env, env};
    with[0].seed = 2;
    with[1].step = 9;
    with[2].sample_ids = other;
    float base[N], changed[N];
    drop_ones(*state, env, 2, SHAPE(1, N), base);
    for (int i = 0; i < 3; i++) {
        drop_ones(*state, with[i], 2, SHAPE(1, N), changed);
        assert_memory_not_equal(base, changed, sizeof base);
    }
    drop_ones(*state, env, 3, SHAPE(1, N), changed);
    assert_memory_not_equal(base, changed, sizeof base);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dropout_draws_by_sample_and_element_forward_and_backward),
        cmocka_unit_test(dropout_draws_the_same_in_every_layout),
        cmocka_unit_test(dropout_lets_everything_through_in_evaluation),
        cmocka_unit_test(a_rate_outside_its_range_is_refused),
        cmocka_unit_test_setup_teardown(dropout_keeps_the_share_it_was_asked_for, open_bench,
                                        close_bench),
        cmocka_unit_test_setup_teardown(the_mask_ignores_row_and_batch, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(the_mask_changes_with_seed_step_op_and_sample, open_bench,
                                        close_bench),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
