/* Counter-based random numbers: Philox4x32-10 (Salmon et al., SC 2011). A number is a pure function
 * of (seed, stream, two 64-bit indices), so there is no state to save and nothing depends on who
 * draws first.
 *   key     = seed mixed with the stream
 *   counter = (a, b): what the stream says they are, e.g. (sample id, element / 4) */
#ifndef TY_BASE_RNG_H
#define TY_BASE_RNG_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Named streams; a new purpose is a new row at the end, never a reuse. */
typedef enum ty_stream {
    TY_STREAM_INIT,    /* (segment, element / 4) */
    TY_STREAM_SPLIT,   /* keyed permutation */
    TY_STREAM_SHUFFLE, /* keyed permutation; seed is mixed with the epoch */
    TY_STREAM_DROPOUT, /* (sample id, element / 4); the key is mixed with the step and the op */
    TY_STREAM_AUGMENT, /* (sample id, epoch) */
    TY_STREAM_SYNTHETIC,
    TY_STREAM_SWEEP /* (trial, draw / 2); the key is mixed with the purpose and the attempt */
} ty_stream;

typedef struct ty_rng_key {
    uint32_t k[2];
} ty_rng_key;

typedef struct ty_rng_block {
    uint32_t v[4];
} ty_rng_block;

/* The key of one stream under one seed. */
ty_rng_key ty_rng_key_of(uint64_t seed, ty_stream stream);

/* Mixes one more number into a key (an epoch, a step, an op's number). */
ty_rng_key ty_rng_key_mix(ty_rng_key key, uint64_t with);

/* Philox4x32-10 of counter (a low, a high, b low, b high). */
ty_rng_block ty_rng_draw(ty_rng_key key, uint64_t a, uint64_t b);

/* [0, 1) with 24 bits; (0, 1] for logarithms. */
float ty_rng_uniform(uint32_t bits);
float ty_rng_uniform_positive(uint32_t bits);

/* Two standard normal numbers from two words (Box-Muller, in double, rounded to float). */
void ty_rng_normal2(uint32_t bits_a, uint32_t bits_b, float out[2]);

/* The image of index under a pseudo-random permutation of [0, n): a Feistel network on the bits of
 * n with cycle walking (Black & Rogaway 2002), so that any element is found in O(1) and nothing is
 * stored. 0 <= index < n. */
int64_t ty_rng_permute(ty_rng_key key, int64_t n, int64_t index);

#ifdef __cplusplus
}
#endif
#endif
