/* Single and double precision arithmetic (PTX ISA 9.7.3 and 9.7.4). Compiled with -frounding-math: the directed forms
 * change the processor's rounding around the same loops. */
#include "tests/cudasim/exec.h"
#include "tests/cudasim/opcodes.h"

#include <fenv.h>

CS_BINARY(cs_add_f32, float, cs_nan_if(x + y));
CS_BINARY(cs_sub_f32, float, cs_nan_if(x - y));
CS_BINARY(cs_mul_f32, float, cs_nan_if(x *y));
CS_TERNARY(cs_fma_f32, float, cs_nan_if(__builtin_fmaf(x, y, z)));
CS_BINARY(cs_div_f32, float, cs_nan_if(x / y));
CS_UNARY(cs_rcp_f32, float, float, cs_nan_if(1.0f / x));
CS_UNARY(cs_sqrt_f32, float, float, cs_nan_if(__builtin_sqrtf(x)));
CS_BINARY(cs_add_f64, double, x + y);
CS_BINARY(cs_sub_f64, double, x - y);
CS_BINARY(cs_mul_f64, double, x *y);
CS_TERNARY(cs_fma_f64, double, __builtin_fma(x, y, z));
CS_BINARY(cs_div_f64, double, x / y);
CS_UNARY(cs_rcp_f64, double, double, 1.0 / x);
CS_UNARY(cs_sqrt_f64, double, double, __builtin_sqrt(x));

static void directed(cs_exec *exec, cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    static const int modes[] = {[CS_RN] = FE_TONEAREST,
                                [CS_RZ] = FE_TOWARDZERO,
                                [CS_RM] = FE_DOWNWARD,
                                [CS_RP] = FE_UPWARD};
    fesetround(modes[instr->rounding]);
    exec(warp, instr, mask);
    fesetround(FE_TONEAREST);
}

#define DIRECTED(name)                                                                             \
    void name##_directed(cs_warp *warp, const cs_instr *instr, uint32_t mask) {                    \
        directed(name, warp, instr, mask);                                                         \
    }

DIRECTED(cs_add_f32);
DIRECTED(cs_sub_f32);
DIRECTED(cs_mul_f32);
DIRECTED(cs_fma_f32);
DIRECTED(cs_div_f32);
DIRECTED(cs_rcp_f32);
DIRECTED(cs_sqrt_f32);
DIRECTED(cs_add_f64);
DIRECTED(cs_sub_f64);
DIRECTED(cs_mul_f64);
DIRECTED(cs_fma_f64);
DIRECTED(cs_div_f64);
DIRECTED(cs_rcp_f64);
DIRECTED(cs_sqrt_f64);

/* --- signs: the bit alone, also of NaNs ----------------------------------------------------------- */

CS_UNARY(cs_neg_f32, uint32_t, uint32_t, x ^ 0x80000000u);
CS_UNARY(cs_neg_f64, uint64_t, uint64_t, x ^ 1ull << 63);
CS_UNARY(cs_abs_f32, uint32_t, uint32_t, x & 0x7fffffffu);
CS_UNARY(cs_abs_f64, uint64_t, uint64_t, x & ~(1ull << 63));
/* copysign d, a, b: the magnitude of b with the sign of a. */
CS_BINARY(cs_copysign_f32, uint32_t, (y & 0x7fffffffu) | (x & 0x80000000u));
CS_BINARY(cs_copysign_f64, uint64_t, (y & ~(1ull << 63)) | (x & 1ull << 63));

/* --- order: of one NaN the other operand is taken, -0 < +0 ---------------------------------------- */

static inline float min_f32(float x, float y) {
    const bool is_x = x < y || (x == y && (cs_bits_of(x) >> 31)) || y != y;
    return cs_nan_if(is_x ? x : y);
}

static inline float max_f32(float x, float y) {
    const bool is_x = x > y || (x == y && !(cs_bits_of(x) >> 31)) || y != y;
    return cs_nan_if(is_x ? x : y);
}

static inline double min_f64(double x, double y) {
    const bool is_x = x < y || (x == y && (cs_bits_of_double(x) >> 63)) || y != y;
    return is_x ? x : y;
}

static inline double max_f64(double x, double y) {
    const bool is_x = x > y || (x == y && !(cs_bits_of_double(x) >> 63)) || y != y;
    return is_x ? x : y;
}

CS_BINARY(cs_min_f32, float, min_f32(x, y));
CS_BINARY(cs_max_f32, float, max_f32(x, y));
CS_BINARY(cs_min_nan_f32, float, x != x || y != y ? cs_float_of(0x7fffffffu) : min_f32(x, y));
CS_BINARY(cs_max_nan_f32, float, x != x || y != y ? cs_float_of(0x7fffffffu) : max_f32(x, y));
CS_BINARY(cs_min_f64, double, min_f64(x, y));
CS_BINARY(cs_max_f64, double, max_f64(x, y));

/* --- what .ftz and .sat add to an instruction: steps of their own before and after it --------------- */

CS_UNARY(cs_flush_f32, float, float, cs_flush(x));

/* NaN becomes +0. */
CS_UNARY(cs_saturate_f32, float, float, x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f);
CS_UNARY(cs_saturate_f64, double, double, x > 0.0 ? (x < 1.0 ? x : 1.0) : 0.0);

/* testp: choice 1 finite, 2 infinite, 3 number, 4 notanumber, 5 normal, 6 subnormal. */
static bool has_property(int property, int category) {
    switch (property) {
    case 1:
        return category != FP_NAN && category != FP_INFINITE;
    case 2:
        return category == FP_INFINITE;
    case 3:
        return category != FP_NAN;
    case 4:
        return category == FP_NAN;
    case 5:
        return category == FP_NORMAL;
    default:
        return category == FP_SUBNORMAL;
    }
}

void cs_testp_f32(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    const float *a = CS_LANES_OF(warp, instr->a, const float);
    uint32_t result = 0;
    for (int lane = 0; lane < CS_LANES; lane++)
        result |= (uint32_t)has_property(instr->choice[0], fpclassify(a[lane])) << lane;
    cs_set_mask(warp, instr->d, mask, result);
}

void cs_testp_f64(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    const double *a = CS_LANES_OF(warp, instr->a, const double);
    uint32_t result = 0;
    for (int lane = 0; lane < CS_LANES; lane++)
        result |= (uint32_t)has_property(instr->choice[0], fpclassify(a[lane])) << lane;
    cs_set_mask(warp, instr->d, mask, result);
}
