/* The cuBLASLt fake against plain loops in double. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "blaslt_trial.h"
#include "cuda_api.h"

static bool has_grad(cublasLtEpilogue_t e) {
    return e == CUBLASLT_EPILOGUE_DRELU_BGRAD || e == CUBLASLT_EPILOGUE_DGELU_BGRAD ||
           e == CUBLASLT_EPILOGUE_BGRADA || e == CUBLASLT_EPILOGUE_BGRADB;
}

/* --- what is right ---------------------------------------------------------------------------- */

/* To 11 significant bits, halves away from zero: TF32 in exact arithmetic. */
static double tf32(double x) {
    int exponent = 0;
    double fraction = frexp(x, &exponent);
    return x == 0 ? 0 : ldexp(round(ldexp(fraction, 11)), exponent - 11);
}

static double read_input(const operand *o, const trial *t, bool is_trans, int batch, int i, int j) {
    double x = o->values[trial_index(o, batch, is_trans ? j : i, is_trans ? i : j)];
    return t->compute == CUBLAS_COMPUTE_32F_FAST_TF32 ? tf32(x) : x;
}

static double gelu(double x) {
    return 0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
}

static double gelu_slope(double x) {
    double t = tanh(0.7978845608028654 * (x + 0.044715 * x * x * x));
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * 0.7978845608028654 * (1 + 0.134145 * x * x);
}

static double finish(const setup *s, const trial *t, int i, int j, double x) {
    double aux = s->aux ? s->aux[(size_t)j * s->aux_ld + (size_t)i] : 0;
    switch (t->epilogue) {
    case CUBLASLT_EPILOGUE_BIAS:
        return x + s->bias[i];
    case CUBLASLT_EPILOGUE_RELU:
        return x > 0 ? x : 0;
    case CUBLASLT_EPILOGUE_RELU_BIAS:
        return x + s->bias[i] > 0 ? x + s->bias[i] : 0;
    case CUBLASLT_EPILOGUE_GELU:
        return gelu(x);
    case CUBLASLT_EPILOGUE_GELU_BIAS:
    case CUBLASLT_EPILOGUE_GELU_AUX_BIAS:
        return gelu(x + s->bias[i]);
    case CUBLASLT_EPILOGUE_DGELU:
    case CUBLASLT_EPILOGUE_DGELU_BGRAD:
        return x * gelu_slope(aux);
    default:
        return x;
    }
}

/* One output, and the sum of the absolute values of its terms: what the error bound is made of. */
static double reference(const setup *s, const trial *t, int batch, int i, int j, double *size) {
    double sum = 0, absolute = 0;
    for (int k = 0; k < t->k; k++) {
        double term = read_input(&s->a, t, t->trans_a, batch, i, k) *
                      read_input(&s->b, t, t->trans_b, batch, k, j);
        sum += term;
        absolute += fabs(term);
    }
    double old = (double)t->beta * s->c.values[trial_index(&s->c, batch, i, j)];
    *size = fabs((double)t->alpha) * absolute + fabs(old) + 1;
    return finish(s, t, i, j, (double)t->alpha * sum + old);
}

/* Each of k + 4 roundings of fp32 loses at most 2^-24 of the terms' size; a bf16 output 2^-9 of itself. GELU's slope is
 * below 1.2. */
static double bound(const trial *t, double right, double size) {
    double narrow = t->out == CUDA_R_16BF ? ldexp(fabs(right), -8) : 0;
    return 1.2 * (t->k + 8) * ldexp(size, -23) + narrow + 1e-7;
}

static void check_bias_grad(const setup *s, const trial *t) {
    double *got = calloc(s->bias_elements, sizeof *got);
    assert_non_null(got);
    trial_download(s->bias_device, got, s->bias_elements, t->out);
    for (int i = 0; i < (int)s->bias_elements; i++) {
        double right = 0, size = 1, one;
        if (t->epilogue == CUBLASLT_EPILOGUE_BGRADA || t->epilogue == CUBLASLT_EPILOGUE_BGRADB)
            for (int k = 0; k < t->k; k++) {
                double x = t->epilogue == CUBLASLT_EPILOGUE_BGRADA
                               ? read_input(&s->a, t, t->trans_a, 0, i, k)
                               : read_input(&s->b, t, t->trans_b, 0, k, i);
                right += x;
                size += fabs(x);
            }
        else
            for (int j = 0; j < t->n; j++) {
                right += reference(s, t, 0, i, j, &one);
                size += one;
            }
        if (!(fabs(got[i] - right) <= bound(t, right, size) + (t->n + 8) * ldexp(size, -23)))
            fail_msg("bias gradient %d of %dx%dx%d is %.9g, want %.9g", i, t->m, t->n, t->k, got[i],
                     right);
    }
    free(got);
}

static void check(const setup *s, const trial *t) {
    double *got = calloc(s->d.elements, sizeof *got);
    assert_non_null(got);
    trial_download(s->d.device, got, s->d.elements, t->out);
    for (int batch = 0; batch < t->batch; batch++)
        for (int i = 0; i < t->m; i++)
            for (int j = 0; j < t->n; j++) {
                double size, right = reference(s, t, batch, i, j, &size);
                double x = got[trial_index(&s->d, batch, i, j)];
                if (!(fabs(x - right) <= bound(t, right, size)))
                    fail_msg("D[%d](%d, %d) of %dx%dx%d, epilogue %d, is %.9g, want %.9g", batch, i,
                             j, t->m, t->n, t->k, (int)t->epilogue, x, right);
            }
    for (size_t i = 0; i < s->d.elements; i++) { /* what lies between the lines stays as it was */
        size_t in_line = i % (size_t)s->d.ld;
        if (in_line >= (size_t)(s->d.ld - t->pad) && got[i] != s->d.values[i])
            fail_msg("element %zu between lines changed", i);
    }
    free(got);
}

static void run(const trial *t) {
    setup s = trial_start(t);
    cublasLtMatmulHeuristicResult_t result;
    assert_int_equal(trial_heuristic(&s, &result), CUBLAS_STATUS_SUCCESS);
    assert_true(result.workspaceSize <= t->workspace);
    assert_int_equal(trial_multiply(&s, t, &result), CUBLAS_STATUS_SUCCESS);
    check(&s, t);
    if (has_grad(t->epilogue))
        check_bias_grad(&s, t);
    trial_end(&s);
}

static void products_are_those_of_plain_loops(void **state) {
    (void)state;
    static const int sizes[][3] = {{1, 1, 1},    {7, 5, 3},    {16, 16, 16}, {17, 15, 33},
                                   {64, 48, 80}, {3, 129, 65}, {130, 1, 64}, {33, 31, 257}};
    static const trial types[] = {{0, 0, 0, 1, 0, 0, 0, F32, 0, 1, 0, 0, 0},
                                  {0, 0, 0, 1, 0, 0, 0, TF32, 3, 0.5f, 1, 0, 0},
                                  {0, 0, 0, 1, 0, 0, 0, BF16, 0, 1, 0.25f, 0, 0},
                                  {0, 0, 0, 1, 0, 0, 1, MIXED, 5, -2, 1, 0, 0}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t j = 0; j < sizeof types / sizeof *types; j++)
            for (int trans = 0; trans < 4; trans++) {
                trial t = types[j];
                t.m = sizes[i][0];
                t.n = sizes[i][1];
                t.k = sizes[i][2];
                t.trans_a = trans & 1;
                t.trans_b = trans & 2;
                run(&t);
            }
}

static void batches_and_workspaces_change_nothing(void **state) {
    (void)state;
    trial batch = {9, 11, 70, 3, 0, 1, 0, F32, 2, 1, 1, 0, 1 << 20};
    run(&batch);
    batch.is_row_major = true;
    run(&batch);
}

static void epilogues_are_their_formulas(void **state) {
    (void)state;
    static const cublasLtEpilogue_t epilogues[] = {
        CUBLASLT_EPILOGUE_BIAS,          CUBLASLT_EPILOGUE_RELU,        CUBLASLT_EPILOGUE_RELU_BIAS,
        CUBLASLT_EPILOGUE_GELU,          CUBLASLT_EPILOGUE_GELU_BIAS,   CUBLASLT_EPILOGUE_DGELU,
        CUBLASLT_EPILOGUE_GELU_AUX_BIAS, CUBLASLT_EPILOGUE_DGELU_BGRAD, CUBLASLT_EPILOGUE_BGRADA,
        CUBLASLT_EPILOGUE_BGRADB};
    for (size_t i = 0; i < sizeof epilogues / sizeof *epilogues; i++) {
        trial f32 = {13, 21, 37, 1, 0, 1, 0, F32, 4, 1, 0, epilogues[i], 0};
        trial bf16 = {24, 17, 64, 1, 1, 0, 0, BF16, 0, 1, 0, epilogues[i], 0};
        run(&f32);
        run(&bf16);
    }
}

static void aux_output_of_gelu_is_its_input(void **state) {
    (void)state;
    trial t = {13, 9, 20, 1, 0, 0, 0, F32, 0, 1, 0, CUBLASLT_EPILOGUE_GELU_AUX_BIAS, 0};
    setup s = trial_start(&t);
    cublasLtMatmulHeuristicResult_t result;
    assert_int_equal(trial_heuristic(&s, &result), 0);
    assert_int_equal(trial_multiply(&s, &t, &result), 0);
    size_t n = s.aux_ld * (size_t)t.n;
    double *aux = calloc(n, sizeof *aux);
    assert_non_null(aux);
    trial_download(s.aux_device, aux, n, t.out);
    trial plain = t;
    plain.epilogue = CUBLASLT_EPILOGUE_BIAS;
    for (int j = 0; j < t.n; j++)
        for (int i = 0; i < t.m; i++) {
            double size, right = reference(&s, &plain, 0, i, j, &size);
            double x = aux[(size_t)j * s.aux_ld + (size_t)i];
            if (!(fabs(x - right) <= bound(&plain, right, size)))
                fail_msg("aux (%d, %d) is %.9g, want %.9g", i, j, x, right);
        }
    free(aux);
    trial_end(&s);
}

/* ReLU's mask made by one call and used by the next one: the slope of what the first one kept. */
static void masks_of_relu_serve_its_gradient(void **state) {
    (void)state;
    trial forward = {19, 6, 30, 1, 0, 0, 0, F32, 0, 1, 0, CUBLASLT_EPILOGUE_RELU_AUX_BIAS, 0};
    trial back = forward;
    back.epilogue = CUBLASLT_EPILOGUE_DRELU_BGRAD;
    setup f = trial_start(&forward), b = trial_start(&back);
    int64_t ld = 128;
    void *mask = NULL;
    assert_int_equal(cudaMalloc(&mask, 16 * (size_t)forward.n), 0);
    setup *both[] = {&f, &b};
    const trial *trials[] = {&forward, &back};
    for (int i = 0; i < 2; i++) {
        trial_set_desc(both[i], CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, &ld, sizeof ld);
        trial_set_desc(both[i], CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, &mask, sizeof mask);
        cublasLtMatmulHeuristicResult_t result;
        assert_int_equal(trial_heuristic(both[i], &result), 0);
        assert_int_equal(trial_multiply(both[i], trials[i], &result), 0);
    }
    double *kept = calloc(f.d.elements, sizeof *kept), *got = calloc(b.d.elements, sizeof *got);
    assert_true(kept && got);
    trial_download(f.d.device, kept, f.d.elements, forward.out);
    trial_download(b.d.device, got, b.d.elements, back.out);
    int n_zero = 0;
    trial plain = back;
    plain.epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    for (int i = 0; i < back.m; i++)
        for (int j = 0; j < back.n; j++) {
            double size, right = reference(&b, &plain, 0, i, j, &size);
            bool is_kept = kept[trial_index(&f.d, 0, i, j)] > 0;
            double x = got[trial_index(&b.d, 0, i, j)];
            n_zero += !is_kept;
            if (!(fabs(x - (is_kept ? right : 0)) <= bound(&back, right, size)))
                fail_msg("(%d, %d) is %.9g, want %.9g", i, j, x, is_kept ? right : 0);
        }
    assert_in_range(n_zero, 10, 19 * 6 - 10);
    free(kept);
    free(got);
    trial_end(&f);
    trial_end(&b);
    assert_int_equal(cudaFree(mask), 0);
}

static void order_of_sums_is_the_seed_s(void **state) {
    (void)state;
    uint32_t *one = cs_k_order(100, 7), *same = cs_k_order(100, 7), *other = cs_k_order(100, 8);
    assert_memory_equal(one, same, 100 * sizeof *one);
    assert_memory_not_equal(one, other, 100 * sizeof *one);
    bool seen[100] = {false};
    for (int i = 0; i < 100; i++)
        seen[one[i]] = true;
    for (int i = 0; i < 100; i++)
        assert_true(seen[i]);
    setenv("CUDASIM_K_ORDER", "natural", 1);
    assert_null(cs_k_order(100, 7));
    unsetenv("CUDASIM_K_ORDER");
    free(one);
    free(same);
    free(other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_those_of_plain_loops),
        cmocka_unit_test(batches_and_workspaces_change_nothing),
        cmocka_unit_test(epilogues_are_their_formulas),
        cmocka_unit_test(aux_output_of_gelu_is_its_input),
        cmocka_unit_test(masks_of_relu_serve_its_gradient),
        cmocka_unit_test(order_of_sums_is_the_seed_s),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
