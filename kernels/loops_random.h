/* Philox4x32-10 (Salmon et al. 2011) over consecutive counters, and what is made of its words. Part
 * of loops_body.h; base/rng.c is the definition, and the tests hold both together. */

enum { N_BLOCKS_AT_ONCE = 16, N_WORDS_AT_ONCE = 4 * N_BLOCKS_AT_ONCE };

/* Counters live in the low halves of 64-bit lanes, where the widening multiply takes them from;
 * what the high halves hold is never read. It is the one operation that vector C has no words
 * for. */
static inline wide_words multiply_low_halves(wide_words a, uint32_t by) {
    const wide_words b = a * 0 + by;
#if LOOPS_BYTES == 64
    return (wide_words)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#elif LOOPS_BYTES == 32
    return (wide_words)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#else
    return (wide_words)_mm_mul_epu32((__m128i)a, (__m128i)b);
#endif
}

/* The blocks of counters (a, b[0]), (a, b[1]), ...: words 0 and 1, then words 2 and 3, as pairs in
 * 64 bits. */
static inline void draw_wide(wide_words pair[2], ty_rng_key key, uint64_t a, wide_words b) {
    wide_words c0 = b * 0 + (uint32_t)a, c1 = b * 0 + (a >> 32), c2 = b, c3 = b >> 32;
    uint32_t k0 = key.k[0], k1 = key.k[1];
    for (int round = 0; round < 10; round++) {
        const wide_words p0 = multiply_low_halves(c0, 0xD2511F53U);
        const wide_words p1 = multiply_low_halves(c2, 0xCD9E8D57U);
        c0 = (p1 >> 32) ^ c1 ^ k0;
        c1 = p1;
        c2 = (p0 >> 32) ^ c3 ^ k1;
        c3 = p0;
        k0 += 0x9E3779B9U;
        k1 += 0xBB67AE85U;
    }
    pair[0] = (c0 & 0xffffffffU) | c1 << 32;
    pair[1] = (c2 & 0xffffffffU) | c3 << 32;
}

/* The words of counters (a, b), (a, b + 1), ...: 4 each, in order. */
static inline void draw(uint32_t words[N_WORDS_AT_ONCE], ty_rng_key key, uint64_t a, uint64_t b) {
    uint64_t low[N_BLOCKS_AT_ONCE], high[N_BLOCKS_AT_ONCE], pairs[2 * N_BLOCKS_AT_ONCE];
    wide_words counter;
    for (int j = 0; j < N_WIDE; j++)
        counter[j] = b + (uint64_t)j;
    for (int j = 0; j < N_BLOCKS_AT_ONCE; j += N_WIDE) {
        wide_words pair[2];
        draw_wide(pair, key, a, counter);
        memcpy(low + j, &pair[0], sizeof pair[0]);
        memcpy(high + j, &pair[1], sizeof pair[1]);
        counter += N_WIDE;
    }
    for (int j = 0; j < N_BLOCKS_AT_ONCE; j++) {
        pairs[2 * j] = low[j];
        pairs[2 * j + 1] = high[j];
    }
    memcpy(words, pairs, sizeof pairs);
}

static inline int64_t at_most(int64_t n, int64_t limit) {
    return n < limit ? n : limit;
}

static void uniform(float *to, int64_t n, ty_rng_key key, uint64_t a, float bound) {
    uint32_t words[N_WORDS_AT_ONCE];
    for (int64_t i = 0; i < n; i += N_WORDS_AT_ONCE) {
        draw(words, key, a, (uint64_t)i / 4);
        const int64_t here = at_most(n - i, N_WORDS_AT_ONCE);
        for (int64_t j = 0; j < here; j++)
            to[i + j] = bound * (2.0F * ty_rng_inline_uniform(words[j]) - 1.0F);
    }
}

static void normal(float *to, int64_t n, ty_rng_key key, uint64_t a, float deviation) {
    uint32_t words[N_WORDS_AT_ONCE];
    float numbers[N_WORDS_AT_ONCE];
    for (int64_t i = 0; i < n; i += N_WORDS_AT_ONCE) {
        draw(words, key, a, (uint64_t)i / 4);
        for (int j = 0; j < N_WORDS_AT_ONCE; j += 2)
            ty_rng_inline_normal2(words[j], words[j + 1], &numbers[j], &numbers[j + 1]);
        const int64_t here = at_most(n - i, N_WORDS_AT_ONCE);
        for (int64_t j = 0; j < here; j++)
            to[i + j] = deviation * numbers[j];
    }
}

static void dropout(const ty_dropout_loop *args, float *to, const float *x, int64_t n,
                    uint64_t sample) {
    const ty_dropout_loop d = *args;
    uint32_t words[N_WORDS_AT_ONCE];
    for (int64_t i = 0; i < n; i += N_WORDS_AT_ONCE) {
        draw(words, d.key, sample, (uint64_t)i / 4);
        const int64_t here = at_most(n - i, N_WORDS_AT_ONCE);
        INDEPENDENT
        for (int64_t j = 0; j < here; j++)
            to[i + j] = words[j] < d.threshold ? 0.0F : d.scale * x[i + j];
    }
}
