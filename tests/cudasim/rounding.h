/* The narrow floating types of tensor cores, and how values get into them. */
#ifndef TY_CUDASIM_ROUNDING_H
#define TY_CUDASIM_ROUNDING_H

#include <stdint.h>
#include <string.h>

static inline uint32_t cs_bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float cs_float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline float cs_from_bf16(uint16_t bits) {
    return cs_float_of((uint32_t)bits << 16);
}

/* To nearest, ties to even, as cvt.rn.bf16.f32; every NaN becomes the canonical one. */
static inline uint16_t cs_to_bf16(float value) {
    uint32_t bits = cs_bits_of(value);
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u)
        return 0x7FFF;
    return (uint16_t)((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

/* To 10 bits of mantissa, to nearest, ties away from zero, as cvt.rna.tf32.f32. */
static inline float cs_to_tf32(float value) {
    uint32_t bits = cs_bits_of(value);
    if ((bits & 0x7F800000u) == 0x7F800000u)
        return value;
    return cs_float_of((bits + 0x1000u) & 0xFFFFE000u);
}

#endif
