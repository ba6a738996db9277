/* f16 and bf16 arithmetic, one or two to a register (PTX ISA 9.7.4): computed in double, rounded once. */
#include "tests/cudasim/exec.h"
#include "tests/cudasim/half.h"
#include "tests/cudasim/opcodes.h"

typedef uint16_t half_fn(const cs_instr *instr, cs_type type, const uint16_t in[3]);

static uint16_t finish(const cs_instr *instr, cs_type type, double x) {
    if (instr->is_saturated)
        x = x > 0 ? (x < 1 ? x : 1.0) : 0.0;
    uint16_t bits = cs_half_bits(x, type, CS_RN);
    const bool is_f16 = type == CS_F16 || type == CS_F16X2;
    if (instr->is_ftz && is_f16 && (bits & 0x7c00) == 0)
        bits &= 0x8000;
    return bits;
}

static double operand(const cs_instr *instr, cs_type type, uint16_t bits) {
    const bool is_f16 = type == CS_F16 || type == CS_F16X2;
    return cs_half_value(instr->is_ftz && is_f16 && (bits & 0x7c00) == 0 ? bits & 0x8000 : bits,
                         type);
}

static uint32_t apply(const cs_instr *instr, half_fn *fn, const uint32_t in[3], bool is_pair) {
    const cs_type type = (cs_type)instr->type;
    const uint16_t low[3] = {(uint16_t)in[0], (uint16_t)in[1], (uint16_t)in[2]};
    const uint16_t high[3] = {(uint16_t)(in[0] >> 16), (uint16_t)(in[1] >> 16),
                              (uint16_t)(in[2] >> 16)};
    const uint32_t result = fn(instr, type, low);
    return is_pair ? result | (uint32_t)fn(instr, type, high) << 16 : result;
}

static uint32_t lane_of(const cs_warp *warp, uint32_t operand_at, int lane, bool is_pair) {
    return is_pair ? CS_LANES_OF(warp, operand_at, const uint32_t)[lane]
                   : CS_LANES_OF(warp, operand_at, const uint16_t)[lane];
}

/* Operands that an instruction lacks read as register 0, which is there for it. */
static void each_half(cs_warp *warp, const cs_instr *instr, uint32_t mask, half_fn *fn) {
    const bool is_pair = instr->type == CS_F16X2 || instr->type == CS_BF16X2;
    uint32_t result[CS_LANES];
    for (int lane = 0; lane < CS_LANES; lane++) {
        const uint32_t in[3] = {lane_of(warp, instr->a, lane, is_pair),
                                lane_of(warp, instr->b, lane, is_pair),
                                lane_of(warp, instr->c, lane, is_pair)};
        result[lane] = (mask >> lane) & 1 ? apply(instr, fn, in, is_pair) : 0;
    }
    if (is_pair) {
        cs_blend(CS_LANES_OF(warp, instr->d, uint32_t), result, mask, 4);
        return;
    }
    uint16_t *d = CS_LANES_OF(warp, instr->d, uint16_t);
    for (int lane = 0; lane < CS_LANES; lane++)
        d[lane] = (mask >> lane) & 1 ? (uint16_t)result[lane] : d[lane];
}

#define HALF(name, formula)                                                                        \
    static uint16_t name##_one(const cs_instr *instr, cs_type type, const uint16_t in[3]) {        \
        const double x = operand(instr, type, in[0]), y = operand(instr, type, in[1]);             \
        const double z = operand(instr, type, in[2]);                                              \
        (void)y;                                                                                   \
        (void)z;                                                                                   \
        return finish(instr, type, (formula));                                                     \
    }                                                                                              \
    void name(cs_warp *warp, const cs_instr *instr, uint32_t mask) {                               \
        each_half(warp, instr, mask, name##_one);                                                  \
    }

/* Sums and products of two halves are exact in double, or so far apart that rounding twice is harmless. */
static inline double relu(const cs_instr *instr, double x) {
    return instr->choice[0] && x < 0 ? 0.0 : x;
}

static inline double min_half(double x, double y) {
    const bool is_x = x < y || (x == y && signbit(x)) || y != y;
    return is_x ? x : y;
}

static inline double max_half(double x, double y) {
    const bool is_x = x > y || (x == y && !signbit(x)) || y != y;
    return is_x ? x : y;
}

HALF(cs_add_half, cs_sum_to_odd(x, y));
HALF(cs_sub_half, cs_sum_to_odd(x, -y));
HALF(cs_mul_half, x *y);
HALF(cs_fma_half, relu(instr, cs_sum_to_odd(x *y, z)));
HALF(cs_min_half, instr->choice[0] && (x != x || y != y) ? (double)NAN : min_half(x, y));
HALF(cs_max_half, instr->choice[0] && (x != x || y != y) ? (double)NAN : max_half(x, y));
HALF(cs_ex2_half, exp2(x));
HALF(cs_tanh_half, tanh(x));

/* Signs: the bit alone. */
static uint16_t neg_one(const cs_instr *instr, cs_type type, const uint16_t in[3]) {
    (void)instr, (void)type;
    return in[0] ^ 0x8000;
}

static uint16_t abs_one(const cs_instr *instr, cs_type type, const uint16_t in[3]) {
    (void)instr, (void)type;
    return in[0] & 0x7fff;
}

void cs_neg_half(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    each_half(warp, instr, mask, neg_one);
}

void cs_abs_half(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    each_half(warp, instr, mask, abs_one);
}
