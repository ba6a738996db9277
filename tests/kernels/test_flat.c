/* Arithmetic over flat buffers, norms, losses, verdicts and casts: against plain C. Whatever promises
 * the same bits on every device is compared bit for bit. */
#include "flat_bench.h"

/* One, odd primes, one below, at and above a vector, a warp and a block, and more than a GPU has
 * threads for at once. */
static const int64_t sizes[] = {1, 3, 4, 5, 31, 127, 255, 256, 257, 1021, 1024, 1025, 4099};
enum { N_SIZES = sizeof sizes / sizeof sizes[0], N_MANY = 50021 };

static float *numbers(uint64_t stream, int64_t n) {
    float *x = malloc((size_t)n * sizeof *x);
    assert_non_null(x);
    for (int64_t i = 0; i < n; i++)
        x[i] =
            n > 10000 ? (float)(i % 4093 - 2000) * (0.25F + (float)stream) : flat_number(stream, i);
    return x;
}

static void expect_same(const float *got, const float *want, int64_t n, const char *what) {
    for (int64_t i = 0; i < n; i++)
        if (memcmp(&got[i], &want[i], sizeof *got) != 0)
            fail_msg("%s of %lld: element %lld is %.9g, want %.9g", what, (long long)n,
                     (long long)i, (double)got[i], (double)want[i]);
}

/* --- elementwise ------------------------------------------------------------------------------ */

typedef struct arrays {
    int64_t n;
    float *x, *y, *want, *got; /* on the host */
    float *dx, *dy, *dz;       /* on the device */
    size_t bytes;
} arrays;

/* `skew` elements behind an aligned address. */
static arrays open_arrays(flat_bench *b, int64_t n, int64_t skew) {
    arrays a = {.n = n, .x = numbers(1, n), .y = numbers(2, n), .bytes = (size_t)n * sizeof(float)};
    a.want = malloc(a.bytes);
    a.got = malloc(a.bytes);
    float *room = calloc((size_t)(n + skew), sizeof *room);
    assert_true(a.want && a.got && room);
    a.dx = (float *)flat_put(b, room, (size_t)(n + skew) * sizeof *room) + skew;
    a.dy = (float *)flat_put(b, room, (size_t)(n + skew) * sizeof *room) + skew;
    a.dz = (float *)flat_put(b, room, (size_t)(n + skew) * sizeof *room) + skew;
    flat_set(b, a.dx, a.x, a.bytes);
    flat_set(b, a.dy, a.y, a.bytes);
    free(room);
    return a;
}

static void expect_array(flat_bench *b, const arrays *a, const float *device, const char *what) {
    flat_get(b, a->got, device, a->bytes);
    expect_same(a->got, a->want, a->n, what);
}

static void close_arrays(flat_bench *b, arrays *a) {
    free(a->x);
    free(a->y);
    free(a->want);
    free(a->got);
    flat_free(b);
}

static void check_arithmetic(flat_bench *b, int64_t n, int64_t skew) {
    arrays a = open_arrays(b, n, skew);
    assert_int_equal(ty_flat_fill(&b->ctx, b->dev, a.dz, n, 2.5F), TY_OK);
    for (int64_t i = 0; i < n; i++)
        a.want[i] = 2.5F;
    expect_array(b, &a, a.dz, "fill");
    assert_int_equal(ty_flat_add(&b->ctx, b->dev, a.dz, a.dz, a.dx, n), TY_OK);
    for (int64_t i = 0; i < n; i++)
        a.want[i] = 2.5F + a.x[i];
    expect_array(b, &a, a.dz, "add");
    assert_int_equal(ty_flat_copy(&b->ctx, b->dev, a.dz, a.dy, n), TY_OK);
    assert_int_equal(ty_flat_scale(&b->ctx, b->dev, a.dz, n, 0.3F), TY_OK);
    for (int64_t i = 0; i < n; i++)
        a.want[i] = 0.3F * a.y[i];
    expect_array(b, &a, a.dz, "copy and scale");
    const ty_blend_args blend = {
        .to = a.dy, .from = a.dx, .n = n, .rate = 0.1F, .from_scale = 0.3F};
    assert_int_equal(ty_flat_blend(&b->ctx, b->dev, &blend), TY_OK);
    for (int64_t i = 0; i < n; i++)
        a.want[i] = a.y[i] + 0.1F * (0.3F * a.x[i] - a.y[i]);
    expect_array(b, &a, a.dy, "blend");
    close_arrays(b, &a);
}

static void arithmetic_is_elementwise_and_works_in_place(void **state) {
    for (int k = 0; k < N_SIZES; k++)
        check_arithmetic(*state, sizes[k], 0);
}

static void arithmetic_needs_no_alignment(void **state) {
    for (int k = 0; k < N_SIZES; k++)
        check_arithmetic(*state, sizes[k], 1 + k % 3);
}

static void arithmetic_takes_more_elements_than_a_gpu_has_threads(void **state) {
    check_arithmetic(*state, N_MANY, 1);
}

static void nothing_is_done_to_no_elements(void **state) {
    flat_bench *b = *state;
    const float one = 1;
    float *x = flat_put(b, &one, sizeof one), got;
    assert_int_equal(ty_flat_fill(&b->ctx, b->dev, x, 0, 5), TY_OK);
    assert_int_equal(ty_flat_copy(&b->ctx, b->dev, x, x, 0), TY_OK);
    assert_int_equal(ty_flat_scale(&b->ctx, b->dev, x, 0, 5), TY_OK);
    assert_int_equal(ty_flat_add(&b->ctx, b->dev, x, x, x, 0), TY_OK);
    assert_int_equal(ty_flat_blend(&b->ctx, b->dev, &(ty_blend_args){.to = x, .from = x}), TY_OK);
    flat_get(b, &got, x, sizeof got);
    assert_true(got == 1);
    flat_free(b);
}

static void a_skipped_step_blends_nothing(void **state) {
    flat_bench *b = *state;
    enum { N = 1025 };
    for (int is_skipped = 0; is_skipped < 2; is_skipped++) {
        arrays a = open_arrays(b, N, 0);
        const ty_verdict verdict = {.grad_scale = 1, .is_skipped = is_skipped};
        const ty_blend_args blend = {.to = a.dy,
                                     .from = a.dx,
                                     .n = N,
                                     .rate = 0.5F,
                                     .from_scale = 1,
                                     .verdict = flat_put(b, &verdict, sizeof verdict)};
        assert_int_equal(ty_flat_blend(&b->ctx, b->dev, &blend), TY_OK);
        for (int64_t i = 0; i < N; i++)
            a.want[i] = is_skipped ? a.y[i] : a.y[i] + 0.5F * (a.x[i] - a.y[i]);
        expect_array(b, &a, a.dy, "blend");
        close_arrays(b, &a);
    }
}

/* --- norms ------------------------------------------------------------------------------------ */

/* Sums of n squares, each exact: n / 2 roundings at most on any path matter less than 1e-13. */
static void expect_norm(const double got[2], const float *x, int64_t n, int64_t n_bad) {
    long double want = 0;
    for (int64_t i = 0; i < n; i++)
        want += (long double)x[i] * (long double)x[i];
    if (n_bad == 0 ? !(fabsl(got[0] - want) <= 1e-13L * want) : isfinite(got[0]))
        fail_msg("the norm of %lld is %.17g, want %.17Lg", (long long)n, got[0], want);
    if (!(got[1] == (double)n_bad))
        fail_msg("%g of %lld are bad, want %lld", got[1], (long long)n, (long long)n_bad);
}

enum { N_SEGMENTS = 130 };

/* Lengths around a pass of a block and around a part, with every rest that a vector leaves in a
 * part's last pass, and one of many parts. */
static int64_t length_of(int segment) {
    static const int64_t lengths[] = {0,    1,    3,    17,   1023, 1024, 1025,  4093,
                                      4094, 4095, 4096, 4097, 8191, 8192, 12289, 70001};
    return segment < 16 ? lengths[segment] : segment % 23;
}

static void each_segment_has_its_norm(void **state) {
    flat_bench *b = *state;
    ty_segment segments[N_SEGMENTS] = {0};
    static double got[N_SEGMENTS][2];
    for (int i = 0; i < N_SEGMENTS; i++)
        segments[i].count = length_of(i);
    const int64_t n = flat_lay_out(segments, N_SEGMENTS);
    float *x = numbers(1, n);
    memset(got, 0xff, sizeof got);
    const float *dx = flat_put(b, x, (size_t)n * sizeof *x);
    double *out = flat_put(b, got, sizeof got);
    assert_int_equal(ty_flat_norms(&b->ctx, b->dev, dx, segments, N_SEGMENTS, out), TY_OK);
    flat_get(b, got, out, sizeof got);
    for (int i = 0; i < N_SEGMENTS; i++)
        expect_norm(got[i], x + segments[i].offset, segments[i].count, 0);
    free(x);
    flat_free(b);
}

/* More parts than a segment may have, so that they become longer. */
static void a_large_segment_has_its_norm(void **state) {
    flat_bench *b = *state;
    const ty_segment segment = {.count = 600 * 4096 + 77};
    float *x = malloc((size_t)segment.count * sizeof *x);
    assert_non_null(x);
    for (int64_t i = 0; i < segment.count; i++)
        x[i] = (float)(i % 8191) - 4000.5F;
    double got[2] = {-1, -1};
    const float *dx = flat_put(b, x, (size_t)segment.count * sizeof *x);
    double *out = flat_put(b, got, sizeof got);
    assert_int_equal(ty_flat_norms(&b->ctx, b->dev, dx, &segment, 1, out), TY_OK);
    flat_get(b, got, out, sizeof got);
    expect_norm(got, x, segment.count, 0);
    free(x);
    flat_free(b);
}

static void a_norm_has_the_same_bits_wherever_its_segment_is(void **state) {
    flat_bench *b = *state;
    enum { N = 20011, AT = 20016 };
    ty_segment segments[3] = {
        {.count = N}, {.offset = AT, .count = 5}, {.offset = 2 * AT, .count = N}};
    float *x = calloc((size_t)3 * AT, sizeof *x);
    assert_non_null(x);
    for (int i = 0; i < N; i++)
        x[i] = x[2 * AT + i] = flat_number(1, i);
    double got[3][2] = {{-1}};
    const float *dx = flat_put(b, x, (size_t)3 * AT * sizeof *x);
    double *out = flat_put(b, got, sizeof got);
    assert_int_equal(ty_flat_norms(&b->ctx, b->dev, dx, segments, 3, out), TY_OK);
    flat_get(b, got, out, sizeof got);
    assert_memory_equal(got[0], got[2], sizeof got[0]);
    free(x);
    flat_free(b);
}

static void the_norm_counts_what_is_not_finite(void **state) {
    flat_bench *b = *state;
    const ty_segment segments[] = {{.count = 4}, {.offset = 16, .count = 5003}, {.offset = 16}};
    float *x = numbers(3, 16 + 5003);
    double got[3][2] = {{-1}};
    x[0] = 3, x[1] = 4, x[2] = 0, x[3] = 12;
    x[16] = NAN, x[16 + 4096] = INFINITY, x[16 + 5002] = -INFINITY;
    const float *dx = flat_put(b, x, (16 + 5003) * sizeof *x);
    double *out = flat_put(b, got, sizeof got);
    assert_int_equal(ty_flat_norms(&b->ctx, b->dev, dx, segments, 3, out), TY_OK);
    flat_get(b, got, out, sizeof got);
    assert_true(got[0][0] == 169 && got[0][1] == 0);
    expect_norm(got[1], x + 16, 5003, 3);
    assert_true(got[2][0] == 0 && got[2][1] == 0);
    free(x);
    flat_free(b);
}

/* --- losses and verdicts ---------------------------------------------------------------------- */

static void losses_are_added_in_the_order_of_rows(void **state) {
    flat_bench *b = *state;
    static const int64_t batches[] = {0, 1, 31, 255, 256, 257, 1000};
    for (size_t k = 0; k < sizeof batches / sizeof batches[0]; k++) {
        const int64_t n = batches[k];
        float *rows = numbers(1, n * TY_LOSS_ROW + 1), *weight = numbers(2, n + 1);
        float got = 0.125F, want = 0;
        for (int64_t i = 0; i < n; i++)
            want += weight[i] * rows[i * TY_LOSS_ROW];
        want = got + want;
        const float *drows = flat_put(b, rows, (size_t)(n * TY_LOSS_ROW + 1) * sizeof *rows);
        const float *dweight = flat_put(b, weight, (size_t)(n + 1) * sizeof *weight);
        float *out = flat_put(b, &got, sizeof got);
        assert_int_equal(ty_flat_loss(&b->ctx, b->dev, drows, dweight, n, out), TY_OK);
        flat_get(b, &got, out, sizeof got);
        expect_same(&got, &want, 1, "loss");
        free(rows);
        free(weight);
        flat_free(b);
    }
}

static ty_verdict judge(flat_bench *b, const double *norms, ty_judge_args args) {
    ty_verdict verdict;
    memset(&verdict, 0xff, sizeof verdict);
    args.norms = flat_put(b, norms, (size_t)args.n_rows * 2 * sizeof *norms);
    args.verdict = flat_put(b, &verdict, sizeof verdict);
    assert_int_equal(ty_flat_judge(&b->ctx, b->dev, &args), TY_OK);
    flat_get(b, &verdict, args.verdict, sizeof verdict);
    flat_free(b);
    return verdict;
}

/* The last row is of statistics: it may only make the step be skipped. */
static void a_verdict_clips_to_the_largest_norm_allowed(void **state) {
    const double norms[][2] = {{9, 0}, {16, 0}, {1000, 0}};
    ty_judge_args args = {.n_gradient_rows = 2, .n_rows = 3, .total_weight = 2, .max_norm = 1};
    ty_verdict verdict = judge(*state, norms[0], args);
    assert_true(verdict.gradient_norm == 2.5 && verdict.grad_scale == (float)(1 / 2.5 / 2));
    assert_true(verdict.is_skipped == 0 && verdict.n_nonfinite == 0);
    args.max_norm = 3;
    assert_true(judge(*state, norms[0], args).grad_scale == 0.5F);
    args.max_norm = 0;
    assert_true(judge(*state, norms[0], args).grad_scale == 0.5F);
}

static void a_verdict_skips_what_is_not_finite(void **state) {
    double norms[][2] = {{9, 0}, {16, 0}, {1, 2}};
    ty_judge_args args = {.n_gradient_rows = 2, .n_rows = 3, .total_weight = 1, .max_norm = 1};
    ty_verdict verdict = judge(*state, norms[0], args);
    assert_true(verdict.is_skipped == 1 && verdict.n_nonfinite == 2);
    norms[2][1] = 0, norms[1][0] = INFINITY;
    assert_true(judge(*state, norms[0], args).is_skipped == 1);
    norms[1][0] = NAN;
    assert_true(judge(*state, norms[0], args).is_skipped == 1);
}

static void a_verdict_adds_many_rows_in_their_order(void **state) {
    enum { N = 523 };
    static double norms[N][2];
    double squares = 0;
    for (int i = 0; i < N; i++) {
        norms[i][0] = exp((double)flat_number(1, i) * 9);
        squares += i < N - 1 ? norms[i][0] : 0;
    }
    const ty_judge_args args = {.n_gradient_rows = N - 1, .n_rows = N, .total_weight = 7};
    const ty_verdict verdict = judge(*state, norms[0], args);
    assert_true(verdict.gradient_norm == sqrt(squares) / 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arithmetic_is_elementwise_and_works_in_place),
        cmocka_unit_test(arithmetic_needs_no_alignment),
        cmocka_unit_test(arithmetic_takes_more_elements_than_a_gpu_has_threads),
        cmocka_unit_test(nothing_is_done_to_no_elements),
        cmocka_unit_test(a_skipped_step_blends_nothing),
        cmocka_unit_test(each_segment_has_its_norm),
        cmocka_unit_test(a_large_segment_has_its_norm),
        cmocka_unit_test(a_norm_has_the_same_bits_wherever_its_segment_is),
        cmocka_unit_test(the_norm_counts_what_is_not_finite),
        cmocka_unit_test(losses_are_added_in_the_order_of_rows),
        cmocka_unit_test(a_verdict_clips_to_the_largest_norm_allowed),
        cmocka_unit_test(a_verdict_skips_what_is_not_finite),
        cmocka_unit_test(a_verdict_adds_many_rows_in_their_order),
    };
    return flat_tests("flat", tests);
}
