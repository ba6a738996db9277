/* Conversions (PTX ISA, cvt): each lane goes to a 64-bit integer or a double, is rounded or clamped there, and goes to
 * the destination. A register may be wider than the type that is written to it: integers are extended. */
#include "tests/cudasim/exec.h"
#include "tests/cudasim/half.h"
#include "tests/cudasim/opcodes.h"

#include <fenv.h>

#define LOAD(type, out)                                                                            \
    do {                                                                                           \
        const type *a = at;                                                                        \
        CS_EACH_LANE                                                                               \
        out[lane] = (int64_t)a[lane];                                                              \
    } while (0)

/* The register's low bits as the type says, in 64 bits of two's complement. */
static void load_integers(const cs_warp *warp, uint32_t operand, uint32_t width, cs_type type,
                          int64_t out[CS_LANES]) {
    const void *at = CS_LANES_OF(warp, operand, const uint8_t);
    const uint32_t bytes = cs_type_bytes(type);
    if (width == 2)
        LOAD(uint16_t, out);
    else if (width == 4)
        LOAD(uint32_t, out);
    else
        LOAD(int64_t, out);
    const int unused = 64 - 8 * (int)bytes;
    if (cs_type_is_signed(type)) {
        CS_EACH_LANE
        out[lane] = (int64_t)((uint64_t)out[lane] << unused) >> unused;
    } else {
        CS_EACH_LANE
        out[lane] = (int64_t)((uint64_t)out[lane] << unused >> unused);
    }
}

static void store_integers(cs_warp *warp, const cs_instr *instr, uint32_t mask,
                           const int64_t values[CS_LANES]) {
    void *to = cs_result(warp, instr, mask);
    if (instr->width_d == 2) {
        uint16_t *d = to;
        CS_EACH_LANE
        d[lane] = (uint16_t)values[lane];
    } else if (instr->width_d == 4) {
        uint32_t *d = to;
        CS_EACH_LANE
        d[lane] = (uint32_t)values[lane];
    } else {
        int64_t *d = to;
        CS_EACH_LANE
        d[lane] = values[lane];
    }
    cs_settle(warp, instr, mask, instr->width_d);
}

/* --- integer to integer -------------------------------------------------------------------------- */

static int64_t smallest(cs_type type) {
    return cs_type_is_signed(type) ? (int64_t)(UINT64_MAX << (8 * cs_type_bytes(type) - 1)) : 0;
}

static uint64_t largest(cs_type type) {
    const uint32_t bits = 8 * cs_type_bytes(type) - (cs_type_is_signed(type) ? 1 : 0);
    return bits == 64 ? UINT64_MAX : (1ull << bits) - 1;
}

static int64_t clamped(int64_t x, cs_type from, cs_type to) {
    const bool is_huge = from == CS_U64 && x < 0; /* does not fit int64_t */
    if (is_huge)
        return to == CS_U64 ? x : (int64_t)largest(to);
    if (x < 0)
        return x < smallest(to) ? smallest(to) : x;
    return (uint64_t)x > largest(to) ? (int64_t)largest(to) : x;
}

static int64_t truncated(int64_t x, cs_type to) {
    const int unused = 64 - 8 * (int)cs_type_bytes(to);
    const uint64_t top = (uint64_t)x << unused;
    return cs_type_is_signed(to) ? (int64_t)top >> unused : (int64_t)(top >> unused);
}

void cs_cvt_int_int(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    const cs_type to = (cs_type)instr->type, from = (cs_type)instr->type2;
    int64_t values[CS_LANES];
    load_integers(warp, instr->a, instr->width_a, from, values);
    for (int lane = 0; lane < CS_LANES && instr->is_saturated; lane++)
        values[lane] = clamped(values[lane], from, to);
    if (cs_type_bytes(to) < instr->width_d)
        for (int lane = 0; lane < CS_LANES; lane++)
            values[lane] = truncated(values[lane], to);
    store_integers(warp, instr, mask, values);
}

/* --- float to integer ---------------------------------------------------------------------------- */

static void load_floats(const cs_warp *warp, const cs_instr *instr, double out[CS_LANES]) {
    const cs_type from = (cs_type)instr->type2;
    if (from == CS_F64) {
        memcpy(out, CS_LANES_OF(warp, instr->a, const double), CS_LANES * sizeof *out);
    } else if (from == CS_F32) {
        const float *a = CS_LANES_OF(warp, instr->a, const float);
        for (int lane = 0; lane < CS_LANES; lane++)
            out[lane] = (double)(instr->is_ftz ? cs_flush(a[lane]) : a[lane]);
    } else {
        const uint16_t *a = CS_LANES_OF(warp, instr->a, const uint16_t);
        for (int lane = 0; lane < CS_LANES; lane++)
            out[lane] = cs_half_value(a[lane], from);
    }
}

/* NaN gives 0, but the highest bit alone where a double or 64 bits take part. Everything else is clamped. */
static int64_t integer_of(double x, const cs_instr *instr) {
    const cs_type to = (cs_type)instr->type;
    const bool is_wide = instr->type2 == CS_F64 || cs_type_bytes(to) == 8;
    if (x != x)
        return is_wide ? truncated((int64_t)(1ull << (8 * cs_type_bytes(to) - 1)), to) : 0;
    const double whole = cs_round_integral(x, (cs_rounding)instr->rounding);
    if (whole <= (double)smallest(to))
        return smallest(to);
    if (whole >=
        (double)largest(to)) /* 2^64 - 1 is 2^64 as a double: the comparison still clamps */
        return (int64_t)largest(to);
    return whole >= 0x1p63 ? (int64_t)(uint64_t)whole : (int64_t)whole;
}

void cs_cvt_int_float(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    double in[CS_LANES];
    int64_t out[CS_LANES];
    load_floats(warp, instr, in);
    for (int lane = 0; lane < CS_LANES; lane++)
        out[lane] = integer_of(in[lane], instr);
    store_integers(warp, instr, mask, out);
}

/* --- to float ------------------------------------------------------------------------------------ */

static void set_rounding(cs_rounding rounding) {
    static const int modes[] = {[CS_RN] = FE_TONEAREST,
                                [CS_RZ] = FE_TOWARDZERO,
                                [CS_RM] = FE_DOWNWARD,
                                [CS_RP] = FE_UPWARD};
    if (rounding <= CS_RP)
        fesetround(modes[rounding]);
}

static void store_f32(cs_warp *warp, const cs_instr *instr, uint32_t mask,
                      const float values[CS_LANES]) {
    float *d = cs_result(warp, instr, mask);
    for (int lane = 0; lane < CS_LANES; lane++) {
        float x = cs_nan_if(values[lane]);
        if (instr->is_saturated)
            x = x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f;
        d[lane] = instr->is_ftz ? cs_flush(x) : x;
    }
    cs_settle(warp, instr, mask, sizeof *d);
}

static void store_half(cs_warp *warp, const cs_instr *instr, uint32_t mask,
                       const double values[CS_LANES]) {
    uint16_t *d = cs_result(warp, instr, mask);
    for (int lane = 0; lane < CS_LANES; lane++) {
        double x = values[lane];
        if (instr->is_saturated)
            x = x > 0 ? (x < 1 ? x : 1) : 0;
        if (instr->choice[0] && x < 0) /* .relu */
            x = 0;
        d[lane] = cs_half_bits(x, (cs_type)instr->type, (cs_rounding)instr->rounding);
    }
    cs_settle(warp, instr, mask, sizeof *d);
}

static void store_f64(cs_warp *warp, const cs_instr *instr, uint32_t mask,
                      const double values[CS_LANES]) {
    double *d = cs_result(warp, instr, mask);
    for (int lane = 0; lane < CS_LANES; lane++) {
        const double x = values[lane];
        d[lane] = instr->is_saturated ? (x > 0 ? (x < 1 ? x : 1.0) : 0.0) : x;
    }
    cs_settle(warp, instr, mask, sizeof *d);
}

static double widened(int64_t x, bool is_u64) {
    return is_u64 ? (double)(uint64_t)x : (double)x;
}

/* The integers of at most 32 bits that float takes once are most of all: no detour by double, one rounding. */
void cs_cvt_float_int(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    const bool is_u64 = instr->type2 == CS_U64;
    int64_t in[CS_LANES];
    float singles[CS_LANES];
    double doubles[CS_LANES];
    load_integers(warp, instr->a, instr->width_a, (cs_type)instr->type2, in);
    set_rounding((cs_rounding)instr->rounding);
    for (int lane = 0; lane < CS_LANES; lane++) {
        singles[lane] = is_u64 ? (float)(uint64_t)in[lane] : (float)in[lane];
        doubles[lane] = widened(in[lane], is_u64);
    }
    fesetround(FE_TONEAREST);
    if (instr->type == CS_F32)
        store_f32(warp, instr, mask, singles);
    else if (instr->type == CS_F64)
        store_f64(warp, instr, mask, doubles);
    else
        store_half(warp, instr, mask, doubles);
}

/* Float to float: to fewer bits with a rounding, or to an integral value with rni and its like. */
void cs_cvt_float_float(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    double in[CS_LANES];
    float singles[CS_LANES];
    load_floats(warp, instr, in);
    for (int lane = 0; lane < CS_LANES && instr->rounding >= CS_RNI && instr->rounding <= CS_RPI;
         lane++)
        in[lane] = isfinite(in[lane]) ? cs_round_integral(in[lane], (cs_rounding)instr->rounding)
                                      : in[lane];
    if (instr->type == CS_F64) {
        store_f64(warp, instr, mask, in);
    } else if (instr->type != CS_F32) {
        store_half(warp, instr, mask, in);
    } else {
        set_rounding((cs_rounding)instr->rounding);
        for (int lane = 0; lane < CS_LANES; lane++)
            singles[lane] = (float)in[lane];
        fesetround(FE_TONEAREST);
        store_f32(warp, instr, mask, singles);
    }
}

CS_UNARY(cs_cvt_tf32_f32, uint32_t, float, cs_tf32_bits((double)x, (cs_rounding)instr->rounding));

/* cvt.rn.bf16x2.f32 d, a, b: a above b. */
static uint32_t packed(const cs_instr *instr, float high, float low) {
    const cs_type type = (cs_type)instr->type;
    const cs_rounding rounding = (cs_rounding)instr->rounding;
    const double h = instr->choice[0] && high < 0 ? 0 : (double)high;
    const double l = instr->choice[0] && low < 0 ? 0 : (double)low;
    return (uint32_t)cs_half_bits(h, type, rounding) << 16 | cs_half_bits(l, type, rounding);
}

CS_BINARY_OF(cs_cvt_pair_f32, uint32_t, float, float, packed(instr, x, y));

/* --- the two that training does most ------------------------------------------------------------- */

static inline uint16_t bf16_nearest(uint32_t bits) {
    const uint32_t rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
    return (bits & 0x7fffffffu) > 0x7f800000u ? (uint16_t)0x7fff : (uint16_t)(rounded >> 16);
}

CS_UNARY(cs_cvt_rn_bf16_f32, uint16_t, uint32_t, bf16_nearest(x));
CS_BINARY_OF(cs_cvt_rn_bf16x2_f32, uint32_t, uint32_t, uint32_t,
             (uint32_t)bf16_nearest(x) << 16 | bf16_nearest(y));

/* --- addresses ----------------------------------------------------------------------------------- */

static uint64_t window_of(cs_space space) {
    return space == CS_SHARED  ? CS_SHARED_WINDOW
           : space == CS_LOCAL ? CS_LOCAL_WINDOW
           : space == CS_PARAM ? CS_PARAM_WINDOW
                               : 0;
}

CS_UNARY(cs_cvta_u64, uint64_t, uint64_t, x + window_of((cs_space)instr->space));
CS_UNARY(cs_cvta_to_u64, uint64_t, uint64_t, x - window_of((cs_space)instr->space));

/* isspacep d, a */
void cs_isspacep(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    const uint64_t *a = CS_LANES_OF(warp, instr->a, const uint64_t);
    const uint64_t window = window_of((cs_space)instr->space);
    uint32_t result = 0;
    for (int lane = 0; lane < CS_LANES; lane++) {
        const bool is_in = window ? a[lane] - window < CS_WINDOW_SPAN : cs_is_device(a[lane]);
        result |= (uint32_t)is_in << lane;
    }
    cs_set_mask(warp, instr->d, mask, result);
}
