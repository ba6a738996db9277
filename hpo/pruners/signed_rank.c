#include "hpo/pruners/signed_rank.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "hpo/exact/exact.h"

enum { EXACT_UP_TO = 50, EXACT_TIED_UP_TO = 13 };

typedef struct ranked {
    double difference;
    size_t rank2; /* twice its rank: a mean rank may be a half */
} ranked;

static int by_magnitude(const void *a, const void *b) {
    const double x = fabs(((const ranked *)a)->difference);
    const double y = fabs(((const ranked *)b)->difference);
    return (x > y) - (x < y);
}

/* Ranks them; the sum of t^3 - t over groups of t equals. */
static double rank(ranked *r, size_t n) {
    double ties = 0;
    qsort(r, n, sizeof *r, by_magnitude);
    for (size_t begin = 0, end = 0; begin < n; begin = end) {
        while (end < n && fabs(r[end].difference) == fabs(r[begin].difference))
            end++;
        for (size_t i = begin; i < end; i++)
            r[i].rank2 = begin + end + 1;
        const double t = (double)(end - begin);
        ties += t * t * t - t;
    }
    return ties;
}

/* The law of the sum, one coin after the other: every probability is a multiple of 2^-50 or more, and
 * exact. */
static ty_status by_counting(ty_ctx *ctx, const ranked *r, size_t n, double *out) {
    const size_t total2 = n * (n + 1);
    double *chance = ty_arena_array(&ctx->scratch, total2 + 1, sizeof *chance);
    if (!chance)
        return ty_fail_nomem(ctx, "the law of a rank sum");
    size_t seen2 = 0, reach2 = 0;
    for (size_t s = 0; s <= total2; s++)
        chance[s] = s == 0;
    for (size_t i = 0; i < n; i++) {
        const size_t step = r[i].difference == 0 ? 0 : r[i].rank2;
        seen2 += r[i].difference > 0 ? step : 0;
        reach2 += step;
        for (size_t s = reach2 + 1; s-- > 0;)
            chance[s] = 0.5 * chance[s] + (s >= step ? 0.5 * chance[s - step] : 0);
    }
    *out = 0;
    for (size_t s = reach2 + 1; s-- > seen2;)
        *out += chance[s];
    return TY_OK;
}

static double by_normal_law(const ranked *r, size_t n, double ties) {
    const double count = (double)n;
    double positive = 0;
    for (size_t i = 0; i < n; i++)
        positive += (r[i].difference > 0    ? 0.5
                     : r[i].difference == 0 ? 0.25
                                            : 0) *
                    (double)r[i].rank2;
    const double mean = count * (count + 1) * 0.25;
    const double spread = sqrt((count * (count + 1) * (2 * count + 1) - ties / 2) / 24);
    return ty_exact_ndtr(-(positive - mean) / spread);
}

ty_status ty_signed_rank_greater(ty_ctx *ctx, const double *difference, size_t n, double *p) {
    bool has_zero = false;
    ranked *r = ty_arena_array(&ctx->scratch, n + 1, sizeof *r);
    if (!r)
        return ty_fail_nomem(ctx, "the ranks of differences");
    for (size_t i = 0; i < n; i++) {
        r[i] = (ranked){.difference = difference[i]};
        has_zero = has_zero || difference[i] == 0;
    }
    const double ties = rank(r, n);
    if (n <= (ties > 0 || has_zero ? EXACT_TIED_UP_TO : EXACT_UP_TO))
        return by_counting(ctx, r, n, p);
    *p = by_normal_law(r, n, ties);
    return TY_OK;
}
