/* Philox from Random123, keys by splitmix64's finaliser, permutations by a Feistel network. */
#include "base/rng.h"

#include <assert.h>
#include <stddef.h>

#include <Random123/philox.h>

#include "base/rng_inline.h"

enum { N_FEISTEL_ROUNDS = 8 };

/* The finaliser of splitmix64 (Steele, Lea & Flood 2014; constants: Stafford's variant 13). A
 * bijection. */
static uint64_t mix64(uint64_t z) {
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Its increment: without it 0 would stay 0. */
static const uint64_t golden = UINT64_C(0x9e3779b97f4a7c15);

static ty_rng_key key_of_u64(uint64_t k) {
    return (ty_rng_key){{(uint32_t)k, (uint32_t)(k >> 32)}};
}

static uint64_t key_as_u64(ty_rng_key key) {
    return (uint64_t)key.k[0] | (uint64_t)key.k[1] << 32;
}

/* For one stream a bijection of the seed, so two seeds never share a key. */
ty_rng_key ty_rng_key_of(uint64_t seed, ty_stream stream) {
    return key_of_u64(mix64(mix64(seed + golden) + ((uint64_t)stream + 1) * golden));
}

/* A bijection of the key for each number, and of the number for each key. */
ty_rng_key ty_rng_key_mix(ty_rng_key key, uint64_t with) {
    return key_of_u64(mix64(key_as_u64(key) + mix64(with + golden)));
}

ty_rng_block ty_rng_draw(ty_rng_key key, uint64_t a, uint64_t b) {
    const philox4x32_ctr_t counter = {
        {(uint32_t)a, (uint32_t)(a >> 32), (uint32_t)b, (uint32_t)(b >> 32)}};
    const philox4x32_key_t k = {{key.k[0], key.k[1]}};
    const philox4x32_ctr_t drawn = philox4x32(counter, k);
    return (ty_rng_block){{drawn.v[0], drawn.v[1], drawn.v[2], drawn.v[3]}};
}

float ty_rng_uniform(uint32_t bits) {
    return ty_rng_inline_uniform(bits);
}

float ty_rng_uniform_positive(uint32_t bits) {
    return (float)((bits >> 8) + 1) * 0x1p-24F;
}

void ty_rng_normal2(uint32_t bits_a, uint32_t bits_b, float out[2]) {
    ty_rng_inline_normal2(bits_a, bits_b, &out[0], &out[1]);
}

/* The bits of n split into a high and a low half that may differ by one in width. Each round
 * changes one half by a function of the other, so that it can be undone whatever the function is: a
 * bijection of [0, 2^(high + low)). */
typedef struct feistel {
    uint64_t key;
    int low_bits;
    uint64_t high_mask, low_mask;
} feistel;

static feistel feistel_over(ty_rng_key key, uint64_t n) {
    const int bits = n > 1 ? 64 - __builtin_clzll(n - 1) : 0;
    const int low_bits = (bits + 1) / 2;
    return (feistel){.key = key_as_u64(key),
                     .low_bits = low_bits,
                     .high_mask = (UINT64_C(1) << (bits - low_bits)) - 1,
                     .low_mask = (UINT64_C(1) << low_bits) - 1};
}

static uint64_t feistel_map(const feistel *f, uint64_t index) {
    uint64_t high = index >> f->low_bits, low = index & f->low_mask;
    for (uint64_t round = 0; round < N_FEISTEL_ROUNDS; round += 2) {
        low ^= mix64(high + mix64(f->key + round * golden)) & f->low_mask;
        high ^= mix64(low + mix64(f->key + (round + 1) * golden)) & f->high_mask;
    }
    return high << f->low_bits | low;
}

/* Walks the cycle until it is back inside [0, n). The domain is less than 2 n, so that takes less
 * than 2 steps on average, and it ends because the cycle comes back to index itself. */
int64_t ty_rng_permute(ty_rng_key key, int64_t n, int64_t index) {
    assert(n > 0 && index >= 0 && index < n);
    const feistel f = feistel_over(key, (uint64_t)n);
    uint64_t image = (uint64_t)index;
    do
        image = feistel_map(&f, image);
    while (image >= (uint64_t)n);
    return (int64_t)image;
}
