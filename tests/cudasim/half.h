/* The narrow float formats: f16, bf16 and tf32, as bits. */
#ifndef TY_CUDASIM_HALF_H
#define TY_CUDASIM_HALF_H

#include "tests/cudasim/machine.h"

double cs_half_value(uint16_t bits, cs_type type);
/* x rounded once to f16 or bf16. is_saturated: [0, 1] and NaN to 0; is_relu: negatives to 0. NaN is 0x7fff. */
uint16_t cs_half_bits(double x, cs_type type, cs_rounding rounding);
/* x rounded to tf32 in the bits of a float. */
uint32_t cs_tf32_bits(double x, cs_rounding rounding);
/* x to an integral value. */
double cs_round_integral(double x, cs_rounding rounding);
/* x + y rounded to odd: rounding the result once more to far fewer bits is as rounding the exact sum. */
double cs_sum_to_odd(double x, double y);

#endif
