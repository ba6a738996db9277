/* Logic, shifts and bit fields (PTX ISA 9.7.8 and the bit instructions of 9.7.1). */
#include "tests/cudasim/exec.h"
#include "tests/cudasim/opcodes.h"

CS_BINARY(cs_and_b16, uint16_t, x &y);
CS_BINARY(cs_and_b32, uint32_t, x &y);
CS_BINARY(cs_and_b64, uint64_t, x &y);
CS_BINARY(cs_or_b16, uint16_t, x | y);
CS_BINARY(cs_or_b32, uint32_t, x | y);
CS_BINARY(cs_or_b64, uint64_t, x | y);
CS_BINARY(cs_xor_b16, uint16_t, x ^ y);
CS_BINARY(cs_xor_b32, uint32_t, x ^ y);
CS_BINARY(cs_xor_b64, uint64_t, x ^ y);
CS_UNARY(cs_not_b16, uint16_t, uint16_t, ~x);
CS_UNARY(cs_not_b32, uint32_t, uint32_t, ~x);
CS_UNARY(cs_not_b64, uint64_t, uint64_t, ~x);
CS_UNARY(cs_cnot_b16, uint16_t, uint16_t, x == 0);
CS_UNARY(cs_cnot_b32, uint32_t, uint32_t, x == 0);
CS_UNARY(cs_cnot_b64, uint64_t, uint64_t, x == 0);

/* Amounts above the width are clamped to the width. */
CS_BINARY_OF(cs_shl_b16, uint16_t, uint16_t, uint32_t, y > 15 ? 0u : (uint32_t)x << (y & 15));
CS_BINARY_OF(cs_shl_b32, uint32_t, uint32_t, uint32_t, y > 31 ? 0u : x << (y & 31));
CS_BINARY_OF(cs_shl_b64, uint64_t, uint64_t, uint32_t, y > 63 ? 0u : x << (y & 63));
CS_BINARY_OF(cs_shr_u16, uint16_t, uint16_t, uint32_t, y > 15 ? 0u : (uint32_t)x >> (y & 15));
CS_BINARY_OF(cs_shr_u32, uint32_t, uint32_t, uint32_t, y > 31 ? 0u : x >> (y & 31));
CS_BINARY_OF(cs_shr_u64, uint64_t, uint64_t, uint32_t, y > 63 ? 0u : x >> (y & 63));
CS_BINARY_OF(cs_shr_s16, int16_t, int16_t, uint32_t, x >> (y > 15 ? 15 : y));
CS_BINARY_OF(cs_shr_s32, int32_t, int32_t, uint32_t, x >> (y > 31 ? 31 : y));
CS_BINARY_OF(cs_shr_s64, int64_t, int64_t, uint32_t, x >> (y > 63 ? 63 : y));

static inline uint64_t joined(uint32_t low, uint32_t high) {
    return (uint64_t)high << 32 | low;
}

static inline uint32_t at_most_32(uint32_t n) {
    return n > 32 ? 32 : n;
}

/* shf: the 64 bits y:x shifted by z, wrapping or clamped. */
CS_TERNARY(cs_shf_l_wrap, uint32_t, (joined(x, y) << (z & 31)) >> 32);
CS_TERNARY(cs_shf_l_clamp, uint32_t,
           at_most_32(z) == 32 ? x : (joined(x, y) << at_most_32(z)) >> 32);
CS_TERNARY(cs_shf_r_wrap, uint32_t, joined(x, y) >> (z & 31));
CS_TERNARY(cs_shf_r_clamp, uint32_t, joined(x, y) >> at_most_32(z));

CS_UNARY(cs_popc_b32, uint32_t, uint32_t, __builtin_popcount(x));
CS_UNARY(cs_popc_b64, uint32_t, uint64_t, __builtin_popcountll(x));
CS_UNARY(cs_clz_b32, uint32_t, uint32_t, x ? __builtin_clz(x) : 32);
CS_UNARY(cs_clz_b64, uint32_t, uint64_t, x ? __builtin_clzll(x) : 64);

static inline uint32_t reversed(uint32_t x) {
    x = (x >> 1 & 0x55555555u) | (x & 0x55555555u) << 1;
    x = (x >> 2 & 0x33333333u) | (x & 0x33333333u) << 2;
    x = (x >> 4 & 0x0f0f0f0fu) | (x & 0x0f0f0f0fu) << 4;
    return __builtin_bswap32(x);
}

CS_UNARY(cs_brev_b32, uint32_t, uint32_t, reversed(x));
CS_UNARY(cs_brev_b64, uint64_t, uint64_t,
         (uint64_t)reversed((uint32_t)x) << 32 | reversed((uint32_t)(x >> 32)));

/* bfind: the position of the highest bit that differs from the sign, or all ones; shiftamt: the shift that brings it
 * to the top. */
static uint32_t find_bit(uint64_t x, int width, bool is_shift) {
    if (x == 0)
        return UINT32_MAX;
    const int position = 63 - __builtin_clzll(x);
    return (uint32_t)(is_shift ? width - 1 - position : position);
}

static inline uint64_t without_sign(int64_t x) {
    return (uint64_t)(x < 0 ? ~x : x);
}

CS_UNARY(cs_bfind_u32, uint32_t, uint32_t, find_bit(x, 32, instr->choice[0]));
CS_UNARY(cs_bfind_u64, uint32_t, uint64_t, find_bit(x, 64, instr->choice[0]));
CS_UNARY(cs_bfind_s32, uint32_t, int32_t, find_bit(without_sign(x), 32, instr->choice[0]));
CS_UNARY(cs_bfind_s64, uint32_t, int64_t, find_bit(without_sign(x), 64, instr->choice[0]));

/* bfe: `length` bits from `position`; beyond the value come zeros, or its sign for signed types. The sign of a field
 * that reaches past the top is the value's own (PTX ISA, bfe's pseudo code). */
static uint64_t extract(uint64_t x, uint32_t position, uint32_t length, int width, bool is_signed) {
    const uint32_t p = position & 0xff, n = length & 0xff;
    const uint32_t msb = (uint32_t)width - 1;
    const uint32_t sign_at = p + n - 1 < msb ? p + n - 1 : msb;
    const bool sign = is_signed && n != 0 && ((x >> sign_at) & 1);
    uint64_t d = sign ? UINT64_MAX : 0;
    for (uint32_t i = 0; i < n && i <= msb; i++) {
        const uint64_t bit = p + i <= msb ? (x >> (p + i)) & 1 : sign;
        d = (d & ~(1ull << i)) | bit << i;
    }
    return d;
}

CS_TERNARY_OF(cs_bfe_u32, uint32_t, uint32_t, uint32_t, uint32_t, extract(x, y, z, 32, false));
CS_TERNARY_OF(cs_bfe_s32, uint32_t, uint32_t, uint32_t, uint32_t, extract(x, y, z, 32, true));
CS_TERNARY_OF(cs_bfe_u64, uint64_t, uint64_t, uint32_t, uint32_t, extract(x, y, z, 64, false));
CS_TERNARY_OF(cs_bfe_s64, uint64_t, uint64_t, uint32_t, uint32_t, extract(x, y, z, 64, true));

/* bfi: the low `length` bits of x put over those of `to` from `position`. */
static uint64_t inserted(uint64_t x, uint64_t to, uint32_t position, uint32_t length, int width) {
    const uint32_t p = position & 0xff, n = length & 0xff;
    uint64_t d = to;
    for (uint32_t i = 0; i < n && p + i < (uint32_t)width; i++)
        d = (d & ~(1ull << (p + i))) | ((x >> i) & 1) << (p + i);
    return d;
}

void cs_bfi_b32(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    const uint32_t *a = CS_LANES_OF(warp, instr->a, const uint32_t);
    const uint32_t *b = CS_LANES_OF(warp, instr->b, const uint32_t);
    const uint32_t *c = CS_LANES_OF(warp, instr->c, const uint32_t);
    const uint32_t *n = CS_LANES_OF(warp, instr->e, const uint32_t);
    uint32_t *d = cs_result(warp, instr, mask);
    for (int lane = 0; lane < CS_LANES; lane++)
        d[lane] = (uint32_t)inserted(a[lane], b[lane], c[lane], n[lane], 32);
    cs_settle(warp, instr, mask, sizeof *d);
}

void cs_bfi_b64(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    const uint64_t *a = CS_LANES_OF(warp, instr->a, const uint64_t);
    const uint64_t *b = CS_LANES_OF(warp, instr->b, const uint64_t);
    const uint32_t *c = CS_LANES_OF(warp, instr->c, const uint32_t);
    const uint32_t *n = CS_LANES_OF(warp, instr->e, const uint32_t);
    uint64_t *d = cs_result(warp, instr, mask);
    for (int lane = 0; lane < CS_LANES; lane++)
        d[lane] = inserted(a[lane], b[lane], c[lane], n[lane], 64);
    cs_settle(warp, instr, mask, sizeof *d);
}

/* prmt: each byte of the result is one of the eight bytes y:x, or its sign eight times (bit 3 of the selector). */
static inline uint32_t selected_byte(uint64_t bytes, uint32_t selector) {
    const uint32_t byte = (uint32_t)(bytes >> (8 * (selector & 7))) & 0xff;
    return selector & 8 ? (byte & 0x80 ? 0xffu : 0u) : byte;
}

static inline uint32_t permuted(uint64_t bytes, uint32_t s) {
    return selected_byte(bytes, s) | selected_byte(bytes, s >> 4) << 8 |
           selected_byte(bytes, s >> 8) << 16 | selected_byte(bytes, s >> 12) << 24;
}

CS_TERNARY(cs_prmt_b32, uint32_t, permuted(joined(x, y), z));

/* prmt's modes (PTX ISA, table of prmt), as the selector that the plain form would take. */
static uint32_t mode_selector(uint32_t mode, uint32_t s) {
    static const uint16_t f4e[4] = {0x3210, 0x4321, 0x5432, 0x6543};
    static const uint16_t b4e[4] = {0x5670, 0x6701, 0x7012, 0x0123};
    static const uint16_t rc8[4] = {0x0000, 0x1111, 0x2222, 0x3333};
    static const uint16_t ecl[4] = {0x3210, 0x3211, 0x3222, 0x3333};
    static const uint16_t ecr[4] = {0x0000, 0x1110, 0x2210, 0x3210};
    static const uint16_t rc16[4] = {0x1010, 0x3232, 0x1010, 0x3232};
    static const uint16_t *const modes[] = {f4e, b4e, rc8, ecl, ecr, rc16};
    return modes[mode - 1][s & 3];
}

CS_TERNARY(cs_prmt_mode_b32, uint32_t, permuted(joined(x, y), mode_selector(instr->choice[0], z)));

/* lop3: the truth table `e` over the three bits. */
void cs_lop3_b32(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    const uint32_t *a = CS_LANES_OF(warp, instr->a, const uint32_t);
    const uint32_t *b = CS_LANES_OF(warp, instr->b, const uint32_t);
    const uint32_t *c = CS_LANES_OF(warp, instr->c, const uint32_t);
    const uint32_t table = *CS_LANES_OF(warp, instr->e, const uint32_t);
    uint32_t keep[8];
    uint32_t *d = cs_result(warp, instr, mask);
    for (int i = 0; i < 8; i++)
        keep[i] = (table >> i) & 1 ? CS_FULL : 0;
    CS_EACH_LANE {
        const uint32_t x = a[lane], y = b[lane], z = c[lane];
        d[lane] = (~x & ~y & ~z & keep[0]) | (~x & ~y & z & keep[1]) | (~x & y & ~z & keep[2]) |
                  (~x & y & z & keep[3]) | (x & ~y & ~z & keep[4]) | (x & ~y & z & keep[5]) |
                  (x & y & ~z & keep[6]) | (x & y & z & keep[7]);
    }
    cs_settle(warp, instr, mask, sizeof *d);
}

/* --- predicates: 32 lanes in one word ------------------------------------------------------------ */

void cs_and_pred(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    cs_set_mask(warp, instr->d, mask, cs_mask_of(warp, instr->a) & cs_mask_of(warp, instr->b));
}

void cs_or_pred(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    cs_set_mask(warp, instr->d, mask, cs_mask_of(warp, instr->a) | cs_mask_of(warp, instr->b));
}

void cs_xor_pred(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    cs_set_mask(warp, instr->d, mask, cs_mask_of(warp, instr->a) ^ cs_mask_of(warp, instr->b));
}

void cs_not_pred(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    cs_set_mask(warp, instr->d, mask, ~cs_mask_of(warp, instr->a));
}

void cs_mov_pred(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    cs_set_mask(warp, instr->d, mask, cs_mask_of(warp, instr->a));
}

/* --- moves --------------------------------------------------------------------------------------- */

void cs_blend(void *to, const void *from, uint32_t mask, size_t lane_bytes) {
    if (lane_bytes == 4) {
        uint32_t *d = to;
        const uint32_t *s = from;
        CS_EACH_LANE
        d[lane] = (mask >> lane) & 1u ? s[lane] : d[lane];
    } else if (lane_bytes == 8) {
        uint64_t *d = to;
        const uint64_t *s = from;
        CS_EACH_LANE
        d[lane] = (mask >> lane) & 1u ? s[lane] : d[lane];
    } else {
        uint16_t *d = to;
        const uint16_t *s = from;
        CS_EACH_LANE
        d[lane] = (mask >> lane) & 1u ? s[lane] : d[lane];
    }
}

static void move(cs_warp *warp, const cs_instr *instr, uint32_t mask, size_t lane_bytes) {
    void *d = CS_LANES_OF(warp, instr->d, uint8_t);
    const void *a = CS_LANES_OF(warp, instr->a, const uint8_t);
    if (mask == CS_FULL)
        memmove(d, a, CS_LANES * lane_bytes);
    else
        cs_blend(d, a, mask, lane_bytes);
}

void cs_mov_b16(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    move(warp, instr, mask, 2);
}

void cs_mov_b32(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    move(warp, instr, mask, 4);
}

void cs_mov_b64(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    move(warp, instr, mask, 8);
}

/* mov.b32 d, {lo, hi} and its like: the parts side by side. */
static uint64_t lane_value(cs_warp *warp, uint32_t operand, uint32_t width, int lane) {
    if (width == 2)
        return CS_LANES_OF(warp, operand, const uint16_t)[lane];
    return width == 4 ? CS_LANES_OF(warp, operand, const uint32_t)[lane]
                      : CS_LANES_OF(warp, operand, const uint64_t)[lane];
}

static void set_lane(cs_warp *warp, uint32_t operand, uint32_t width, int lane, uint64_t value) {
    if (width == 2)
        CS_LANES_OF(warp, operand, uint16_t)[lane] = (uint16_t)value;
    else if (width == 4)
        CS_LANES_OF(warp, operand, uint32_t)[lane] = (uint32_t)value;
    else
        CS_LANES_OF(warp, operand, uint64_t)[lane] = value;
}

void cs_mov_pack(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    for (int lane = 0; lane < CS_LANES; lane++) {
        uint64_t value = 0;
        if (!((mask >> lane) & 1))
            continue;
        for (uint32_t i = 0; i < instr->n_items; i++)
            value |= lane_value(warp, instr->items[i], instr->width_a, lane)
                     << (8 * instr->width_a * i);
        set_lane(warp, instr->d, instr->width_d, lane, value);
    }
}

void cs_mov_unpack(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    for (int lane = 0; lane < CS_LANES; lane++) {
        if (!((mask >> lane) & 1))
            continue;
        const uint64_t value = lane_value(warp, instr->a, instr->width_a, lane);
        for (uint32_t i = 0; i < instr->n_items; i++)
            set_lane(warp, instr->items[i], instr->width_d, lane,
                     value >> (8 * instr->width_d * i));
    }
}
