/* The cuDNN fake's convolutions against plain loops in double: every pass, type, layout and engine. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cuda_api.h"
#include "dnn.h"
#include "dnn_case.h"
#include "rounding.h"

typedef struct tensor {
    int64_t dims[4], strides[4];
    size_t n;
    double *values;
    void *device;
} tensor;

typedef struct fixture {
    const dnn_case *c;
    dnn_api api;
    cudnnHandle_t handle;
    dnn_made made;
    tensor t[5]; /* by CASE_X .. CASE_BIAS */
    bool is_rounding;
} fixture;

static size_t bytes_of(const dnn_case *c) {
    return c->type == CUDNN_DATA_BFLOAT16 ? 2 : 4;
}

static double value_of(const uint8_t *at, const dnn_case *c) {
    return (double)cs_element_load(at, c->type == CUDNN_DATA_BFLOAT16 ? CS_ELEMENT_BF16
                                                                      : CS_ELEMENT_F32);
}

static tensor make_tensor(const dnn_case *c, int which) {
    tensor t = {0};
    dnn_dims(c, which, t.dims);
    dnn_strides(t.dims, c->is_last[which == CASE_BIAS ? 2 : which - 1], t.strides);
    t.n = (size_t)(t.dims[0] * t.dims[1] * t.dims[2] * t.dims[3]);
    t.values = calloc(t.n, sizeof *t.values);
    uint8_t *bytes = calloc(t.n, 4);
    assert_true(t.values && bytes);
    for (size_t i = 0; i < t.n; i++) {
        float wide = (float)((double)rand() / RAND_MAX * 2 - 1);
        uint16_t narrow = cs_to_bf16(wide);
        memcpy(bytes + i * bytes_of(c),
               c->type == CUDNN_DATA_BFLOAT16 ? (void *)&narrow : (void *)&wide, bytes_of(c));
        t.values[i] = value_of(bytes + i * bytes_of(c), c);
    }
    assert_int_equal(cudaMalloc(&t.device, t.n * bytes_of(c)), 0);
    assert_int_equal(cudaMemcpy(t.device, bytes, t.n * bytes_of(c), cudaMemcpyHostToDevice), 0);
    free(bytes);
    return t;
}

static fixture start(const dnn_case *c, cudnnBackendHeurMode_t mode) {
    fixture f = {.c = c, .api = dnn_fake()};
    assert_int_equal(cudnnCreate(&f.handle), 0);
    for (int i = CASE_X; i <= CASE_BIAS; i++)
        f.t[i] = make_tensor(c, i);
    f.made = dnn_build(&f.api, c, NULL, f.handle, mode);
    assert_int_equal(f.made.outcome.stage, STAGE_ENGINES);
    return f;
}

static void end(fixture *f) {
    assert_int_equal(cudaDeviceSynchronize(), 0);
    for (int i = CASE_X; i <= CASE_BIAS; i++) {
        free(f->t[i].values);
        assert_int_equal(cudaFree(f->t[i].device), 0);
    }
    dnn_release(&f->api, &f->made);
    assert_int_equal(cudnnDestroy(f->handle), 0);
}

static cudnnBackendDescriptor_t make_pack(const fixture *f, void *workspace) {
    int64_t uids[] = {CASE_X, CASE_W, CASE_Y, CASE_BIAS};
    void *pointers[] = {f->t[1].device, f->t[2].device, f->t[3].device, f->t[4].device};
    int64_t n = f->c->has_bias ? 4 : 3;
    cudnnBackendDescriptor_t pack = NULL;
    assert_int_equal(f->api.create(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &pack), 0);
    assert_int_equal(
        f->api.set(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, n, uids), 0);
    assert_int_equal(
        f->api.set(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, n, pointers),
        0);
    assert_int_equal(
        f->api.set(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &workspace), 0);
    assert_int_equal(f->api.finalize(pack), 0);
    return pack;
}

/* --- what is right ---------------------------------------------------------------------------- */

static double tf32(double x) {
    int exponent = 0;
    double fraction = frexp(x, &exponent);
    return x == 0 ? 0 : ldexp(round(ldexp(fraction, 11)), exponent - 11);
}

static double at(const fixture *f, int which, int64_t a, int64_t b, int64_t c, int64_t d) {
    const tensor *t = &f->t[which];
    double x =
        t->values[a * t->strides[0] + b * t->strides[1] + c * t->strides[2] + d * t->strides[3]];
    return f->is_rounding ? tf32(x) : x;
}

/* Adds every product of the convolution to what it belongs to: sums and, for the error bound, absolute sums. */
static void accumulate(const fixture *f, double *sums, double *sizes) {
    const dnn_case *c = f->c;
    const int64_t *y = f->t[CASE_Y].dims, *w = f->t[CASE_W].dims;
    const tensor *out = &f->t[c->pass == CASE_FORWARD ? CASE_Y
                              : c->pass == CASE_DATA  ? CASE_X
                                                      : CASE_W];
    for (int64_t i = 0; i < y[0] * y[1] * y[2] * y[3] * w[1] * w[2] * w[3]; i++) {
        int64_t s = i % w[3], r = i / w[3] % w[2], ch = i / w[3] / w[2] % w[1];
        int64_t j = i / (w[1] * w[2] * w[3]);
        int64_t q = j % y[3], p = j / y[3] % y[2], k = j / y[3] / y[2] % y[1];
        int64_t n = j / y[3] / y[2] / y[1];
        int64_t row = p * c->stride - c->pad + r, column = q * c->stride - c->pad + s;
        int64_t channel = k / (c->k / c->groups) * w[1] + ch;
        if (row < 0 || row >= c->h || column < 0 || column >= c->w)
            continue;
        double a = c->pass == CASE_DATA ? at(f, CASE_W, k, ch, r, s)
                                        : at(f, CASE_X, n, channel, row, column);
        double b = c->pass == CASE_FORWARD ? at(f, CASE_W, k, ch, r, s) : at(f, CASE_Y, n, k, p, q);
        const int64_t *o = out->strides;
        int64_t to = c->pass == CASE_FORWARD ? n * o[0] + k * o[1] + p * o[2] + q * o[3]
                     : c->pass == CASE_DATA ? n * o[0] + channel * o[1] + row * o[2] + column * o[3]
                                            : k * o[0] + ch * o[1] + r * o[2] + s * o[3];
        sums[to] += a * b;
        sizes[to] += fabs(a * b);
    }
}

static double finish(const fixture *f, size_t i, double sum) {
    const dnn_case *c = f->c;
    const tensor *out = &f->t[c->pass == CASE_FORWARD ? CASE_Y
                              : c->pass == CASE_DATA  ? CASE_X
                                                      : CASE_W];
    double x = (double)c->alpha * sum + (double)c->beta * out->values[i];
    if (c->has_bias)
        x += f->t[CASE_BIAS].values[(int64_t)i / out->strides[1] % out->dims[1]];
    return c->has_relu && x < 0 ? 0 : x;
}

static void check(fixture *f, int64_t engine) {
    const dnn_case *c = f->c;
    const tensor *out = &f->t[c->pass == CASE_FORWARD ? CASE_Y
                              : c->pass == CASE_DATA  ? CASE_X
                                                      : CASE_W];
    double *sums = calloc(out->n, sizeof *sums), *sizes = calloc(out->n, sizeof *sizes);
    uint8_t *bytes = calloc(out->n, 4);
    assert_true(sums && sizes && bytes);
    accumulate(f, sums, sizes);
    assert_int_equal(cudaMemcpy(bytes, out->device, out->n * bytes_of(c), cudaMemcpyDeviceToHost),
                     0);
    double terms = c->pass == CASE_FORWARD ? (double)(c->c * c->r * c->s)
                   : c->pass == CASE_DATA  ? (double)(c->k * c->r * c->s)
                                           : (double)(c->n * c->h * c->w);
    for (size_t i = 0; i < out->n; i++) {
        double right = finish(f, i, sums[i]), got = value_of(bytes + i * bytes_of(c), c);
        double bound = (terms + 8) * ldexp(sizes[i] + 2, -24);
        bound += c->type == CUDNN_DATA_BFLOAT16 ? ldexp(fabs(right), -8) : 0;
        if (!(fabs(got - right) <= bound))
            fail_msg("%s, pass %d, engine %lld: element %zu is %.9g, want %.9g", c->name, c->pass,
                     (long long)engine, i, got, right);
    }
    free(sums);
    free(sizes);
    free(bytes);
}

/* --- running ---------------------------------------------------------------------------------- */

static void restore(const fixture *f, tensor *t) {
    uint8_t *bytes = calloc(t->n, 4);
    assert_non_null(bytes);
    for (size_t i = 0; i < t->n; i++) {
        float wide = (float)t->values[i];
        uint16_t narrow = cs_to_bf16(wide);
        memcpy(bytes + i * bytes_of(f->c),
               f->c->type == CUDNN_DATA_BFLOAT16 ? (void *)&narrow : (void *)&wide, bytes_of(f->c));
    }
    assert_int_equal(cudaMemcpy(t->device, bytes, t->n * bytes_of(f->c), cudaMemcpyHostToDevice),
                     0);
    free(bytes);
}

static int64_t run_engine(fixture *f, int i) {
    int64_t count = 0, workspace_bytes = -1;
    void *workspace = NULL;
    cudnnBackendDescriptor_t plan = dnn_plan(&f->api, &f->made, i, f->handle);
    assert_non_null(plan);
    assert_int_equal(f->api.get(plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1,
                                &count, &workspace_bytes),
                     0);
    if (workspace_bytes > 0)
        assert_int_equal(cudaMalloc(&workspace, (size_t)workspace_bytes), 0);
    cudnnBackendDescriptor_t pack = make_pack(f, workspace);
    assert_int_equal(cudnnBackendExecute(f->handle, plan, pack), 0);
    const cs_dnn_engine *engine = &((const cs_dnn_desc *)plan)->choice.offers[0];
    f->is_rounding = engine->is_rounding;
    check(f, engine->index);
    assert_int_equal(f->api.destroy(plan), 0);
    assert_int_equal(f->api.destroy(pack), 0);
    assert_int_equal(cudaFree(workspace), 0);
    return workspace_bytes;
}

/* Every engine of both modes; how many wanted a workspace. */
static int run_case(const dnn_case *c) {
    static const cudnnBackendHeurMode_t modes[] = {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK};
    int n_workspaces = 0;
    for (int m = 0; m < 2; m++) {
        fixture f = start(c, modes[m]);
        assert_true(f.made.outcome.n_configs >= 2);
        for (int i = 0; i < f.made.outcome.n_configs; i++) {
            n_workspaces += run_engine(&f, i) > 0;
            restore(&f, &f.t[c->pass == CASE_FORWARD ? CASE_Y
                             : c->pass == CASE_DATA  ? CASE_X
                                                     : CASE_W]);
        }
        end(&f);
    }
    return n_workspaces;
}

static void convolutions_are_those_of_plain_loops(void **state) {
    (void)state;
    static const int64_t sizes[][10] = {
        /* n, c, h, w, k, r, s, pad, stride, groups */
        {1, 1, 1, 1, 1, 1, 1, 0, 1, 1}, {2, 8, 6, 6, 16, 3, 3, 1, 1, 1},
        {3, 1, 9, 7, 5, 3, 3, 1, 1, 1}, {2, 3, 7, 11, 5, 5, 3, 2, 2, 1},
        {2, 6, 5, 5, 4, 3, 3, 1, 1, 2}, {1, 4, 6, 6, 4, 3, 3, 0, 2, 4},
        {2, 7, 4, 4, 3, 1, 1, 0, 3, 1}};
    static const cudnnDataType_t types[] = {CUDNN_DATA_FLOAT, CUDNN_DATA_BFLOAT16};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int pass = CASE_FORWARD; pass <= CASE_FILTER; pass++)
            for (int j = 0; j < 4; j++) {
                dnn_case c = dnn_right_case(pass, types[j & 1]);
                const int64_t *s = sizes[i];
                c.n = s[0], c.c = s[1], c.h = s[2], c.w = s[3], c.k = s[4];
                c.r = s[5], c.s = s[6], c.pad = s[7], c.stride = s[8], c.groups = s[9];
                c.is_last[0] = c.is_last[2] = j & 2;
                c.is_last[1] = i & 1;
                assert_true(run_case(&c) >= 2);
            }
}

static void gradients_may_be_added_to(void **state) {
    (void)state;
    for (int pass = CASE_FORWARD; pass <= CASE_FILTER; pass++) {
        dnn_case c = dnn_right_case(pass, CUDNN_DATA_FLOAT);
        c.alpha = 0.5f;
        c.beta = 1;
        (void)run_case(&c);
    }
}

static void bias_and_relu_fuse_with_the_convolution(void **state) {
    (void)state;
    for (int i = 0; i < 8; i++) {
        dnn_case c = dnn_right_case(CASE_FORWARD, i & 1 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT);
        c.has_bias = true;
        c.has_relu = i & 2;
        c.is_last[0] = c.is_last[1] = c.is_last[2] = i & 4;
        c.reverses_ops = i & 1;
        (void)run_case(&c);
    }
}

/* fp32 is not fp32 on tensor cores: a program that wants it must read the notes. */
static void engines_for_f32_with_tensor_cores_round_to_tf32(void **state) {
    (void)state;
    dnn_case c = dnn_right_case(CASE_FORWARD, CUDNN_DATA_FLOAT);
    fixture f = start(&c, CUDNN_HEUR_MODE_A);
    int n_rounding = 0, n_exact = 0;
    for (int i = 0; i < f.made.outcome.n_configs; i++) {
        cudnnBackendDescriptor_t plan = dnn_plan(&f.api, &f.made, i, f.handle);
        const cs_dnn_engine *e = &((const cs_dnn_desc *)plan)->choice.offers[0];
        bool has_note = e->n_notes > 0 && e->notes[0] != CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP;
        assert_true(!e->is_rounding || has_note);
        n_rounding += e->is_rounding;
        n_exact += !has_note;
        assert_int_equal(f.api.destroy(plan), 0);
    }
    assert_true(n_rounding >= 2 && n_exact >= 2);
    end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions_are_those_of_plain_loops),
        cmocka_unit_test(gradients_may_be_added_to),
        cmocka_unit_test(bias_and_relu_fuse_with_the_convolution),
        cmocka_unit_test(engines_for_f32_with_tensor_cores_round_to_tf32),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
