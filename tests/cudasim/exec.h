/* How instructions over all lanes are written: a formula of x, y and z, in a loop that gcc vectorises. Results for
 * part of the lanes go through scratch. Private to exec_*.c. */
#ifndef TY_CUDASIM_EXEC_H
#define TY_CUDASIM_EXEC_H

#include <math.h>
#include <string.h>

#include "tests/cudasim/machine.h"

/* Destination and sources may be the same register, but only lane by lane. */
#define CS_EACH_LANE _Pragma("GCC ivdep") for (int lane = 0; lane < CS_LANES; lane++)

/* Copies the lanes of mask; lanes are 2, 4 or 8 bytes. */
void cs_blend(void *to, const void *from, uint32_t mask, size_t lane_bytes);

static inline void *cs_result(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    return mask == CS_FULL ? (void *)CS_LANES_OF(warp, instr->d, uint8_t) : (void *)warp->scratch;
}

static inline void cs_settle(cs_warp *warp, const cs_instr *instr, uint32_t mask,
                             size_t lane_bytes) {
    if (mask != CS_FULL)
        cs_blend(CS_LANES_OF(warp, instr->d, uint8_t), warp->scratch, mask, lane_bytes);
}

#define CS_UNARY(name, to, from, formula)                                                          \
    void name(cs_warp *warp, const cs_instr *instr, uint32_t mask) {                               \
        const from *a = CS_LANES_OF(warp, instr->a, const from);                                   \
        to *d = cs_result(warp, instr, mask);                                                      \
        CS_EACH_LANE {                                                                             \
            const from x = a[lane];                                                                \
            d[lane] = (to)(formula);                                                               \
        }                                                                                          \
        cs_settle(warp, instr, mask, sizeof(to));                                                  \
    }

#define CS_BINARY_OF(name, to, from, second, formula)                                              \
    void name(cs_warp *warp, const cs_instr *instr, uint32_t mask) {                               \
        const from *a = CS_LANES_OF(warp, instr->a, const from);                                   \
        const second *b = CS_LANES_OF(warp, instr->b, const second);                               \
        to *d = cs_result(warp, instr, mask);                                                      \
        CS_EACH_LANE {                                                                             \
            const from x = a[lane];                                                                \
            const second y = b[lane];                                                              \
            d[lane] = (to)(formula);                                                               \
        }                                                                                          \
        cs_settle(warp, instr, mask, sizeof(to));                                                  \
    }

#define CS_BINARY(name, type, formula) CS_BINARY_OF(name, type, type, type, formula)

#define CS_TERNARY_OF(name, to, from, second, third, formula)                                      \
    void name(cs_warp *warp, const cs_instr *instr, uint32_t mask) {                               \
        const from *a = CS_LANES_OF(warp, instr->a, const from);                                   \
        const second *b = CS_LANES_OF(warp, instr->b, const second);                               \
        const third *c = CS_LANES_OF(warp, instr->c, const third);                                 \
        to *d = cs_result(warp, instr, mask);                                                      \
        CS_EACH_LANE {                                                                             \
            const from x = a[lane];                                                                \
            const second y = b[lane];                                                              \
            const third z = c[lane];                                                               \
            d[lane] = (to)(formula);                                                               \
        }                                                                                          \
        cs_settle(warp, instr, mask, sizeof(to));                                                  \
    }

#define CS_TERNARY(name, type, formula) CS_TERNARY_OF(name, type, type, type, type, formula)

static inline float cs_float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t cs_bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline double cs_double_of(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint64_t cs_bits_of_double(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Subnormals become zeros of their sign. */
static inline float cs_flush(float x) {
    const uint32_t bits = cs_bits_of(x);
    return (bits & 0x7f800000u) == 0 ? cs_float_of(bits & 0x80000000u) : x;
}

/* The NaN that single-precision instructions return. */
static inline float cs_nan_if(float x) {
    return x != x ? cs_float_of(0x7fffffffu) : x;
}

#endif
