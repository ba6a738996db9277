/* The approximations (PTX ISA 9.7.3): computed exactly, then moved by a seeded error inside what the ISA documents,
 * the same for the same argument in one process. CUDASIM_SEED=0 leaves them exact. Programs must not depend on more
 * than the ISA promises. */
#include "tests/cudasim/exec.h"
#include "tests/cudasim/half.h"
#include "tests/cudasim/opcodes.h"

/* Uniform in [-1, 1], from what identifies the evaluation. */
static double error_share(uint64_t seed, uint32_t operation, uint64_t argument) {
    if (seed == 0)
        return 0;
    uint64_t h = seed * 0x9e3779b97f4a7c15ull ^ ((uint64_t)operation << 32) ^
                 argument * 0xd6e8feb86659fd93ull;
    h = (h ^ (h >> 32)) * 0xd6e8feb86659fd93ull;
    h = (h ^ (h >> 29)) * 0x9e3779b97f4a7c15ull;
    return (double)(int64_t)(h ^ (h >> 32)) * 0x1p-63;
}

/* The documented maximal error of each: relative, or absolute. */
typedef enum operation { EX2, LG2, RCP, RSQRT, SQRT, SIN, COS, TANH, DIV } operation;

static double documented_error(operation op, double x, double exact) {
    switch (op) {
    case EX2:
    case LG2:
        /* lg2: absolute 2^-22 between 0.5 and 2, relative 2^-22 elsewhere; ex2: relative 2^-22.5 or 2 ulp. */
        return op == LG2 && x > 0.5 && x < 2 ? 0x1p-22 : 0x1p-22 * fabs(exact);
    case SIN:
    case COS:
        return 0x1p-21;
    case TANH:
        return 0x1p-11 * fabs(exact);
    case DIV:
        return 0x1p-22 * fabs(exact);
    default:
        return 0x1p-23 * fabs(exact);
    }
}

/* Results that the ISA's tables give exactly stay exact: zeros, infinities, NaN, and 1 from ex2 of a zero. */
static float disturbed(operation op, double x, double argument2, double exact) {
    if (!isfinite(exact) || exact == 0 || (op == EX2 && fabs(x) < 0x1p-126))
        return cs_nan_if((float)exact);
    const uint64_t key = cs_bits_of_double(x) ^ cs_bits_of_double(argument2) * 31;
    const double share = error_share(cs_sim.options.seed, (uint32_t)op, key);
    /* Half an ulp goes to rounding to float: the sum must stay inside the bound. */
    const double spare = documented_error(op, x, exact) - 0x1p-24 * fabs(exact);
    return (float)(exact + (spare > 0 ? spare * share : 0));
}

CS_UNARY(cs_ex2_approx_f32, float, float, disturbed(EX2, x, 0, exp2((double)x)));
CS_UNARY(cs_lg2_approx_f32, float, float, disturbed(LG2, x, 0, log2((double)x)));
CS_UNARY(cs_rcp_approx_f32, float, float, disturbed(RCP, x, 0, 1.0 / (double)x));
CS_UNARY(cs_rsqrt_approx_f32, float, float, disturbed(RSQRT, x, 0, 1.0 / sqrt((double)x)));
CS_UNARY(cs_sqrt_approx_f32, float, float, disturbed(SQRT, x, 0, sqrt((double)x)));
CS_UNARY(cs_sin_approx_f32, float, float, disturbed(SIN, x, 0, sin((double)x)));
CS_UNARY(cs_cos_approx_f32, float, float, disturbed(COS, x, 0, cos((double)x)));
CS_UNARY(cs_tanh_approx_f32, float, float, disturbed(TANH, x, 0, tanh((double)x)));

/* div.approx: a * (1/b), so divisors past 2^126, whose reciprocal is subnormal, give 0 or NaN; div.full scales. */
static float quotient_approx(float x, float y) {
    if (fabsf(y) > 0x1p126f && !isinf(y))
        return isinf(x) ? cs_float_of(0x7fffffffu) : copysignf(0, x) * copysignf(1, y);
    return disturbed(DIV, x, y, (double)x / (double)y);
}

CS_BINARY(cs_div_approx_f32, float, quotient_approx(x, y));
CS_BINARY(cs_div_full_f32, float, disturbed(DIV, x, y, (double)x / (double)y));

/* rcp.approx.ftz.f64 and rsqrt.approx.ftz.f64: the top 32 bits alone; 20 bits of the fraction. */
static double top_half(double x) {
    return x != x ? cs_double_of(0x7fffffff00000000ull)
                  : cs_double_of(cs_bits_of_double(x) & 0xffffffff00000000ull);
}

static double flush_f64(double x) {
    const uint64_t bits = cs_bits_of_double(x);
    return (bits & 0x7ff0000000000000ull) == 0 ? cs_double_of(bits & 1ull << 63) : x;
}

CS_UNARY(cs_rcp_approx_f64, double, double, flush_f64(top_half(1.0 / flush_f64(top_half(x)))));
CS_UNARY(cs_rsqrt_approx_f64, double, double,
         flush_f64(top_half(1.0 / sqrt(flush_f64(top_half(x))))));
