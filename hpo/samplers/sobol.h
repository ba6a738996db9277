/* Scrambled Sobol points in the unit cube: any point by its index, no state.
 *
 * Sobol's sequence with the direction numbers of Joe & Kuo (2008), 32 bits; nested uniform (Owen)
 * scrambling by a hash (Burley, Practical Hash-based Owen Scrambling, JCGT 9, 2020), a seed a
 * dimension. The first 2^m points of any dimensions are a net: each of the 2^m intervals of a dimension
 * holds exactly one of them. */
#ifndef TY_HPO_SAMPLERS_SOBOL_H
#define TY_HPO_SAMPLERS_SOBOL_H

#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TY_SOBOL_MAX_DIMS = 256, TY_SOBOL_BITS = 32, TY_SOBOL_MAX_DEGREE = 11 };

/* A dimension's primitive polynomial over GF(2), a bit a coefficient, and as many odd m as its
 * degree. */
typedef struct ty_sobol_row {
    uint16_t polynomial;
    uint16_t m[TY_SOBOL_MAX_DEGREE];
} ty_sobol_row;

extern const ty_sobol_row ty_sobol_rows[TY_SOBOL_MAX_DIMS - 1];

typedef struct ty_sobol {
    size_t dims;
    uint32_t seed[TY_SOBOL_MAX_DIMS];
    uint32_t direction[TY_SOBOL_MAX_DIMS][TY_SOBOL_BITS];
} ty_sobol;

/* dims <= TY_SOBOL_MAX_DIMS; the scramble follows from the key alone. About 33 KB, which a caller keeps
 * with what uses it. */
void ty_sobol_init(ty_sobol *sobol, size_t dims, ty_rng_key key);

/* Point `index` of the sequence: u [dims], each in (0, 1). */
void ty_sobol_point(const ty_sobol *sobol, uint32_t index, double *u);

/* The same before the scramble, as fractions of 2^32. */
void ty_sobol_plain(const ty_sobol *sobol, uint32_t index, uint32_t *fraction);

#ifdef __cplusplus
}
#endif
#endif
