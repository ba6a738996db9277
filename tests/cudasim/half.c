/* The narrow float formats. Rounding is done on doubles, which hold each of their values exactly. */
#include "tests/cudasim/half.h"

#include <math.h>

#include "tests/cudasim/exec.h"

typedef struct format {
    int precision; /* bits of the significand with the hidden one */
    int exponent_min, exponent_max;
} format;

static const format f16 = {11, -14, 15}, bf16 = {8, -126, 127}, tf32 = {11, -126, 127};

double cs_round_integral(double x, cs_rounding rounding) {
    switch (rounding) {
    case CS_RZ:
    case CS_RZI:
        return trunc(x);
    case CS_RM:
    case CS_RMI:
        return floor(x);
    case CS_RP:
    case CS_RPI:
        return ceil(x);
    case CS_RNA:
        return round(x);
    default:
        return nearbyint(x);
    }
}

double cs_sum_to_odd(double x, double y) {
    const double sum = x + y, back = sum - x;
    const double error = (x - (sum - back)) + (y - back);
    const uint64_t bits = cs_bits_of_double(sum);
    if (error == 0 || error != error || isinf(sum) || (bits & 1))
        return sum;
    /* The exact sum lies between sum and its neighbour on the error's side: the odd one of the two. */
    return cs_double_of((error > 0) == (sum > 0) ? bits + 1 : bits - 1);
}

/* Overflow: infinity, or the largest number where the rounding leads back to zero. */
static double overflowed(double x, const format *f, cs_rounding rounding) {
    const double largest = ldexp(2.0 - ldexp(1.0, 1 - f->precision), f->exponent_max);
    const bool is_back =
        rounding == CS_RZ || (rounding == CS_RM && x > 0) || (rounding == CS_RP && x < 0);
    return copysign(is_back ? largest : (double)INFINITY, x);
}

static double rounded(double x, const format *f, cs_rounding rounding) {
    if (x == 0 || !isfinite(x))
        return x;
    const int exponent = ilogb(x) < f->exponent_min ? f->exponent_min : ilogb(x);
    const int unit = exponent - (f->precision - 1);
    const double result = ldexp(cs_round_integral(ldexp(x, -unit), rounding), unit);
    return fabs(result) >= ldexp(1.0, f->exponent_max + 1) ? overflowed(x, f, rounding) : result;
}

static uint16_t encode_f16(double x) {
    const uint16_t sign = signbit(x) ? 0x8000 : 0;
    const double size = fabs(x);
    if (isinf(size))
        return sign | 0x7c00;
    if (size < ldexp(1.0, -14))
        return (uint16_t)(sign | (uint16_t)ldexp(size, 24));
    const int exponent = ilogb(size);
    const uint16_t fraction = (uint16_t)(ldexp(size, 10 - exponent) - 1024.0);
    return (uint16_t)(sign | (exponent + 15) << 10 | fraction);
}

uint16_t cs_half_bits(double x, cs_type type, cs_rounding rounding) {
    if (x != x)
        return 0x7fff;
    if (type == CS_F16 || type == CS_F16X2)
        return encode_f16(rounded(x, &f16, rounding));
    return (uint16_t)(cs_bits_of((float)rounded(x, &bf16, rounding)) >> 16);
}

uint32_t cs_tf32_bits(double x, cs_rounding rounding) {
    return x != x ? 0x7fffffffu : cs_bits_of((float)rounded(x, &tf32, rounding));
}

double cs_half_value(uint16_t bits, cs_type type) {
    if (type == CS_BF16 || type == CS_BF16X2)
        return cs_float_of((uint32_t)bits << 16);
    const int exponent = (bits >> 10) & 31, fraction = bits & 1023;
    const double sign = bits & 0x8000 ? -1.0 : 1.0;
    if (exponent == 31)
        return fraction ? (double)NAN : sign * (double)INFINITY;
    return sign * (exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24));
}
