#include "hpo/samplers/sobol.h"

#include <assert.h>

/* Bratley & Fox, Algorithm 659 (1988): with the polynomial x^s + a_1 x^(s-1) + ... + 1,
 * v_k = a_1 v_(k-1) ^ ... ^ a_(s-1) v_(k-s+1) ^ v_(k-s) ^ (v_(k-s) >> s). */
static void set_directions(const ty_sobol_row *row, uint32_t *v) {
    const int degree = 31 - __builtin_clz(row->polynomial);
    for (int k = 0; k < degree; k++)
        v[k] = (uint32_t)row->m[k] << (31 - k);
    for (int k = degree; k < TY_SOBOL_BITS; k++) {
        v[k] = v[k - degree] ^ v[k - degree] >> degree;
        for (int j = 1; j < degree; j++)
            v[k] ^= row->polynomial >> (degree - j) & 1 ? v[k - j] : 0;
    }
}

void ty_sobol_init(ty_sobol *s, size_t dims, ty_rng_key key) {
    assert(dims <= TY_SOBOL_MAX_DIMS);
    s->dims = dims;
    for (int k = 0; k < TY_SOBOL_BITS; k++)
        s->direction[0][k] = UINT32_C(1) << (31 - k);
    for (size_t d = 1; d < dims; d++)
        set_directions(&ty_sobol_rows[d - 1], s->direction[d]);
    for (size_t d = 0; d < dims; d++)
        s->seed[d] = ty_rng_draw(key, d, 0).v[0];
}

void ty_sobol_plain(const ty_sobol *s, uint32_t index, uint32_t *fraction) {
    /* In the order of Gray's code the points of a net are the same, and so they are as sets. */
    const uint32_t gray = index ^ index >> 1;
    for (size_t d = 0; d < s->dims; d++) {
        uint32_t x = 0;
        for (uint32_t bits = gray; bits; bits &= bits - 1)
            x ^= s->direction[d][__builtin_ctz(bits)];
        fraction[d] = x;
    }
}

static uint32_t reversed(uint32_t x) {
    x = (x >> 1 & 0x55555555) | (x & 0x55555555) << 1;
    x = (x >> 2 & 0x33333333) | (x & 0x33333333) << 2;
    x = (x >> 4 & 0x0f0f0f0f) | (x & 0x0f0f0f0f) << 4;
    return __builtin_bswap32(x);
}

/* A permutation in which a bit depends on itself and the bits below alone (Laine & Karras 2011), with
 * constants by N. Vegdahl (2021). */
static uint32_t permuted(uint32_t x, uint32_t seed) {
    x ^= x * 0x3d20adea;
    x += seed;
    x *= seed >> 16 | 1;
    x ^= x * 0x05526c56;
    x ^= x * 0x53a22864;
    return x;
}

void ty_sobol_point(const ty_sobol *s, uint32_t index, double *u) {
    uint32_t fraction[TY_SOBOL_MAX_DIMS];
    ty_sobol_plain(s, index, fraction);
    for (size_t d = 0; d < s->dims; d++) {
        const uint32_t x = reversed(permuted(reversed(fraction[d]), s->seed[d]));
        u[d] = ((double)x + 0.5) * 0x1p-32;
    }
}
