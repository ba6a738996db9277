/* Integer arithmetic (PTX ISA 9.7.1): what is undefined in C is spelled out as the ISA defines it. */
#include "tests/cudasim/exec.h"
#include "tests/cudasim/opcodes.h"

/* --- sums ---------------------------------------------------------------------------------------- */

CS_BINARY(cs_add_b16, uint16_t, x + y);
CS_BINARY(cs_add_b32, uint32_t, x + y);
CS_BINARY(cs_add_b64, uint64_t, x + y);
CS_BINARY(cs_sub_b16, uint16_t, x - y);
CS_BINARY(cs_sub_b32, uint32_t, x - y);
CS_BINARY(cs_sub_b64, uint64_t, x - y);

static inline int32_t saturate(int64_t x) {
    return x > INT32_MAX ? INT32_MAX : x < INT32_MIN ? INT32_MIN : (int32_t)x;
}

CS_BINARY(cs_add_sat_s32, int32_t, saturate((int64_t)x + y));
CS_BINARY(cs_sub_sat_s32, int32_t, saturate((int64_t)x - y));

/* --- products ------------------------------------------------------------------------------------ */

static inline uint64_t high_u64(uint64_t x, uint64_t y) {
    return (uint64_t)(((unsigned __int128)x * y) >> 64);
}

static inline uint64_t high_s64(uint64_t x, uint64_t y) {
    return high_u64(x, y) - ((int64_t)x < 0 ? y : 0) - ((int64_t)y < 0 ? x : 0);
}

static inline uint32_t high_u32(uint32_t x, uint32_t y) {
    return (uint32_t)(((uint64_t)x * y) >> 32);
}

static inline uint32_t high_s32(uint32_t x, uint32_t y) {
    return (uint32_t)((uint64_t)((int64_t)(int32_t)x * (int32_t)y) >> 32);
}

static inline uint32_t wide_s16(uint16_t x, uint16_t y) {
    return (uint32_t)((int16_t)x * (int16_t)y);
}

static inline uint64_t wide_s32(uint32_t x, uint32_t y) {
    return (uint64_t)((int64_t)(int32_t)x * (int32_t)y);
}

CS_BINARY(cs_mul_lo_b16, uint16_t, (uint32_t)x *y);
CS_BINARY(cs_mul_lo_b32, uint32_t, x *y);
CS_BINARY(cs_mul_lo_b64, uint64_t, x *y);
CS_BINARY(cs_mul_hi_u16, uint16_t, ((uint32_t)x * y) >> 16);
CS_BINARY(cs_mul_hi_s16, uint16_t, wide_s16(x, y) >> 16);
CS_BINARY(cs_mul_hi_u32, uint32_t, high_u32(x, y));
CS_BINARY(cs_mul_hi_s32, uint32_t, high_s32(x, y));
CS_BINARY(cs_mul_hi_u64, uint64_t, high_u64(x, y));
CS_BINARY(cs_mul_hi_s64, uint64_t, high_s64(x, y));
CS_BINARY_OF(cs_mul_wide_u16, uint32_t, uint16_t, uint16_t, (uint32_t)x *y);
CS_BINARY_OF(cs_mul_wide_s16, uint32_t, uint16_t, uint16_t, wide_s16(x, y));
CS_BINARY_OF(cs_mul_wide_u32, uint64_t, uint32_t, uint32_t, (uint64_t)x *y);
CS_BINARY_OF(cs_mul_wide_s32, uint64_t, uint32_t, uint32_t, wide_s32(x, y));

CS_TERNARY(cs_mad_lo_b16, uint16_t, (uint32_t)x *y + z);
CS_TERNARY(cs_mad_lo_b32, uint32_t, x *y + z);
CS_TERNARY(cs_mad_lo_b64, uint64_t, x *y + z);
CS_TERNARY(cs_mad_hi_u16, uint16_t, (((uint32_t)x * y) >> 16) + z);
CS_TERNARY(cs_mad_hi_s16, uint16_t, (wide_s16(x, y) >> 16) + z);
CS_TERNARY(cs_mad_hi_u32, uint32_t, high_u32(x, y) + z);
CS_TERNARY(cs_mad_hi_s32, uint32_t, high_s32(x, y) + z);
CS_TERNARY(cs_mad_hi_u64, uint64_t, high_u64(x, y) + z);
CS_TERNARY(cs_mad_hi_s64, uint64_t, high_s64(x, y) + z);
CS_TERNARY_OF(cs_mad_wide_u16, uint32_t, uint16_t, uint16_t, uint32_t, (uint32_t)x *y + z);
CS_TERNARY_OF(cs_mad_wide_s16, uint32_t, uint16_t, uint16_t, uint32_t, wide_s16(x, y) + z);
CS_TERNARY_OF(cs_mad_wide_u32, uint64_t, uint32_t, uint32_t, uint64_t, (uint64_t)x *y + z);
CS_TERNARY_OF(cs_mad_wide_s32, uint64_t, uint32_t, uint32_t, uint64_t, wide_s32(x, y) + z);
CS_TERNARY(cs_mad_hi_sat_s32, int32_t,
           saturate((int64_t)(int32_t)high_s32((uint32_t)x, (uint32_t)y) + z));

static inline int64_t signed24(uint32_t x) {
    return (int32_t)(x << 8) >> 8;
}

CS_BINARY(cs_mul24_lo_u32, uint32_t, (uint64_t)(x & 0xffffff) * (y & 0xffffff));
CS_BINARY(cs_mul24_lo_s32, uint32_t, signed24(x) * signed24(y));
CS_TERNARY(cs_mad24_lo_u32, uint32_t, (uint64_t)(x & 0xffffff) * (y & 0xffffff) + z);
CS_TERNARY(cs_mad24_lo_s32, uint32_t, (uint64_t)(signed24(x) * signed24(y)) + z);

/* --- carries: kept in a hidden predicate that the row names as d2 and e ---------------------------- */

static void carry_out(cs_warp *warp, const cs_instr *instr, uint32_t mask, uint32_t carry) {
    if (instr->d2)
        cs_set_mask(warp, instr->d2, mask, carry);
}

/* x + y + carry, or x - y - borrow: written once for both widths. */
#define CARRYING(name, type, use_in, formula, out_formula)                                         \
    void name(cs_warp *warp, const cs_instr *instr, uint32_t mask) {                               \
        const type *a = CS_LANES_OF(warp, instr->a, const type);                                   \
        const type *b = CS_LANES_OF(warp, instr->b, const type);                                   \
        type *d = cs_result(warp, instr, mask);                                                    \
        const uint32_t in = (use_in) ? cs_mask_of(warp, instr->e) : 0;                             \
        uint32_t carry = 0;                                                                        \
        for (int lane = 0; lane < CS_LANES; lane++) {                                              \
            const type x = a[lane], y = b[lane], k = (in >> lane) & 1u;                            \
            d[lane] = (type)(formula);                                                             \
            carry |= (uint32_t)(out_formula) << lane;                                              \
        }                                                                                          \
        cs_settle(warp, instr, mask, sizeof(type));                                                \
        carry_out(warp, instr, mask, carry);                                                       \
    }

CARRYING(cs_add_cc_b32, uint32_t, false, x + y + k,
         (uint32_t)(x + y) < x || (uint32_t)(x + y + k) < k);
CARRYING(cs_add_cc_b64, uint64_t, false, x + y + k, x + y < x || x + y + k < k);
CARRYING(cs_addc_b32, uint32_t, true, x + y + k,
         (uint32_t)(x + y) < x || (uint32_t)(x + y + k) < k);
CARRYING(cs_addc_b64, uint64_t, true, x + y + k, x + y < x || x + y + k < k);
CARRYING(cs_sub_cc_b32, uint32_t, false, x - y - k, x < y || (x == y && k));
CARRYING(cs_sub_cc_b64, uint64_t, false, x - y - k, x < y || (x == y && k));
CARRYING(cs_subc_b32, uint32_t, true, x - y - k, x < y || (x == y && k));
CARRYING(cs_subc_b64, uint64_t, true, x - y - k, x < y || (x == y && k));

/* --- quotients ----------------------------------------------------------------------------------- */

/* Division by zero "yields an unspecified, machine-specific value": all ones, as the hardware's code does. The
 * smallest integer by -1 overflows to itself. */
static inline uint64_t quotient_u64(uint64_t x, uint64_t y) {
    return y ? x / y : UINT64_MAX;
}

static inline uint64_t remainder_u64(uint64_t x, uint64_t y) {
    return y ? x % y : x;
}

static inline int64_t quotient_s64(int64_t x, int64_t y) {
    if (y == 0)
        return -1;
    return y == -1 ? (int64_t)(0 - (uint64_t)x) : x / y;
}

static inline int64_t remainder_s64(int64_t x, int64_t y) {
    if (y == 0)
        return x;
    return y == -1 ? 0 : x % y;
}

CS_BINARY(cs_div_u16, uint16_t, quotient_u64(x, y));
CS_BINARY(cs_div_u32, uint32_t, quotient_u64(x, y));
CS_BINARY(cs_div_u64, uint64_t, quotient_u64(x, y));
CS_BINARY(cs_div_s16, int16_t, quotient_s64(x, y));
CS_BINARY(cs_div_s32, int32_t, quotient_s64(x, y));
CS_BINARY(cs_div_s64, int64_t, quotient_s64(x, y));
CS_BINARY(cs_rem_u16, uint16_t, remainder_u64(x, y));
CS_BINARY(cs_rem_u32, uint32_t, remainder_u64(x, y));
CS_BINARY(cs_rem_u64, uint64_t, remainder_u64(x, y));
CS_BINARY(cs_rem_s16, int16_t, remainder_s64(x, y));
CS_BINARY(cs_rem_s32, int32_t, remainder_s64(x, y));
CS_BINARY(cs_rem_s64, int64_t, remainder_s64(x, y));

/* --- signs and order ----------------------------------------------------------------------------- */

CS_UNARY(cs_abs_s16, uint16_t, int16_t, x < 0 ? 0u - (uint16_t)x : (uint16_t)x);
CS_UNARY(cs_abs_s32, uint32_t, int32_t, x < 0 ? 0u - (uint32_t)x : (uint32_t)x);
CS_UNARY(cs_abs_s64, uint64_t, int64_t, x < 0 ? 0u - (uint64_t)x : (uint64_t)x);
CS_UNARY(cs_neg_s16, uint16_t, uint16_t, 0u - x);
CS_UNARY(cs_neg_s32, uint32_t, uint32_t, 0u - x);
CS_UNARY(cs_neg_s64, uint64_t, uint64_t, 0u - x);
CS_BINARY(cs_min_u16, uint16_t, x < y ? x : y);
CS_BINARY(cs_min_u32, uint32_t, x < y ? x : y);
CS_BINARY(cs_min_u64, uint64_t, x < y ? x : y);
CS_BINARY(cs_min_s16, int16_t, x < y ? x : y);
CS_BINARY(cs_min_s32, int32_t, x < y ? x : y);
CS_BINARY(cs_min_s64, int64_t, x < y ? x : y);
CS_BINARY(cs_max_u16, uint16_t, x > y ? x : y);
CS_BINARY(cs_max_u32, uint32_t, x > y ? x : y);
CS_BINARY(cs_max_u64, uint64_t, x > y ? x : y);
CS_BINARY(cs_max_s16, int16_t, x > y ? x : y);
CS_BINARY(cs_max_s32, int32_t, x > y ? x : y);
CS_BINARY(cs_max_s64, int64_t, x > y ? x : y);

CS_TERNARY_OF(cs_sad_u32, uint32_t, uint32_t, uint32_t, uint32_t, z + (x < y ? y - x : x - y));
CS_TERNARY_OF(cs_sad_s32, uint32_t, int32_t, int32_t, uint32_t,
              z + (x < y ? (uint32_t)y - (uint32_t)x : (uint32_t)x - (uint32_t)y));
