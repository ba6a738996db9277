#include "gemm.h"

#include <stdlib.h>
#include <string.h>

#include "rounding.h"
#include "sim.h"

/* Columns that are summed side by side; the compiler makes of them what the instruction set has. */
#define LANES 16
typedef float lanes __attribute__((vector_size(LANES * sizeof(float))));

uint64_t cs_shape_hash(uint64_t hash, uint64_t word) {
    for (int i = 0; i < 8; i++)
        hash = (hash ^ ((word >> (8 * i)) & 0xFF)) * 0x100000001B3ull;
    return hash;
}

void *cs_must_alloc(size_t bytes) {
    void *p = malloc(bytes ? bytes : 1);
    if (!p)
        abort();
    return p;
}

uint32_t *cs_k_order(size_t k, uint64_t shape) {
    const char *order = getenv("CUDASIM_K_ORDER");
    if (order && strcmp(order, "natural") == 0)
        return NULL;
    if (order && strcmp(order, "seeded") != 0)
        cs_unknown("CUDASIM_K_ORDER", "%s: want natural or seeded", order);
    uint32_t *permutation = cs_must_alloc(k * sizeof *permutation);
    for (size_t i = 0; i < k; i++)
        permutation[i] = (uint32_t)i;
    cs_random random;
    cs_random_init(&random, cs_sim.options.seed, shape);
    for (size_t i = k; i > 1; i--) {
        size_t j = (size_t)cs_random_below(&random, i);
        uint32_t swapped = permutation[i - 1];
        permutation[i - 1] = permutation[j];
        permutation[j] = swapped;
    }
    return permutation;
}

size_t cs_element_bytes(cs_element element) {
    return element == CS_ELEMENT_BF16 ? 2 : 4;
}

float cs_element_load(const uint8_t *bytes, cs_element element) {
    uint16_t narrow;
    float wide;
    if (element == CS_ELEMENT_BF16) {
        memcpy(&narrow, bytes, sizeof narrow);
        return cs_from_bf16(narrow);
    }
    memcpy(&wide, bytes, sizeof wide);
    return element == CS_ELEMENT_TF32 ? cs_to_tf32(wide) : wide;
}

static float load(const cs_matrix *x, size_t row, size_t column) {
    int64_t at = (int64_t)row * x->row_stride + (int64_t)column * x->column_stride;
    return cs_element_load(x->bytes + at * (int64_t)cs_element_bytes(x->element), x->element);
}

/* A's rows one after another, k in the order of summation. */
static float *pack_a(const cs_gemm *g) {
    float *packed = cs_must_alloc(g->m * g->k * sizeof *packed);
    for (size_t l = 0; l < g->k; l++)
        for (size_t i = 0; i < g->m; i++)
            packed[i * g->k + l] = load(&g->a, i, g->k_order ? g->k_order[l] : l);
    return packed;
}

/* LANES columns of B, one k after another; columns past n are zero. */
static void pack_panel(const cs_gemm *g, size_t first, float *panel) {
    for (size_t l = 0; l < g->k; l++)
        for (size_t j = 0; j < LANES; j++) {
            size_t k = g->k_order ? g->k_order[l] : l;
            panel[l * LANES + j] = first + j < g->n ? load(&g->b, k, first + j) : 0;
        }
}

/* `rows` rows of A times one panel, in registers. */
static inline __attribute__((always_inline)) void tile(size_t rows, size_t k, const float *a,
                                                       const float *panel, float out[][LANES]) {
    lanes sums[8] = {0};
    for (size_t l = 0; l < k; l++) {
        lanes b;
        memcpy(&b, panel + l * LANES, sizeof b);
        for (size_t i = 0; i < rows; i++)
            sums[i] += b * a[i * k + l];
    }
    for (size_t i = 0; i < rows; i++)
        memcpy(out[i], &sums[i], sizeof sums[i]);
}

/* All rows times one panel, in steps that fill the registers of an instruction set. */
static inline __attribute__((always_inline)) void
strip(size_t step, size_t m, size_t k, const float *a, const float *panel, float (*out)[LANES]) {
    size_t i = 0;
    for (; i + step <= m; i += step)
        tile(step, k, a + i * k, panel, out + i);
    for (; i < m; i++)
        tile(1, k, a + i * k, panel, out + i);
}

static void strip_any(size_t m, size_t k, const float *a, const float *panel, float (*out)[LANES]) {
    strip(2, m, k, a, panel, out);
}

__attribute__((target("avx2"))) static void strip_avx2(size_t m, size_t k, const float *a,
                                                       const float *panel, float (*out)[LANES]) {
    strip(4, m, k, a, panel, out);
}

__attribute__((target("avx512f"))) static void
strip_avx512(size_t m, size_t k, const float *a, const float *panel, float (*out)[LANES]) {
    strip(8, m, k, a, panel, out);
}

void cs_gemm_run(const cs_gemm *g) {
    float *a = pack_a(g), *panel = cs_must_alloc(g->k * LANES * sizeof *panel);
    float(*out)[LANES] = cs_must_alloc(g->m * sizeof *out);
    for (size_t first = 0; first < g->n; first += LANES) {
        size_t width = g->n - first < LANES ? g->n - first : LANES;
        pack_panel(g, first, panel);
        if (__builtin_cpu_supports("avx512f"))
            strip_avx512(g->m, g->k, a, panel, out);
        else if (__builtin_cpu_supports("avx2"))
            strip_avx2(g->m, g->k, a, panel, out);
        else
            strip_any(g->m, g->k, a, panel, out);
        for (size_t i = 0; i < g->m; i++)
            memcpy(g->c + i * g->n + first, out[i], width * sizeof(float));
    }
    free(a);
    free(panel);
    free(out);
}
