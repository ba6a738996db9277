/* Where things lie in an arena, when it is known from when to when each of them is needed. */
#ifndef TY_TRAINER_LIFETIMES_H
#define TY_TRAINER_LIFETIMES_H

#include "base/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ty_lifetime {
    size_t bytes;
    int first, last; /* inclusive, on any scale of time */
    size_t offset;   /* the answer; a multiple of 64 */
} ty_lifetime;

/* Gives each item an offset so that no two items whose times overlap share a byte, and answers the
 * arena's size. Largest first, each into the smallest gap that fits (greedy by size, Pisarchyk &
 * Lee 2020).
 * Errors: TY_ERR_NOMEM. */
ty_status ty_lifetimes_place(ty_ctx *ctx, ty_lifetime *items, int n, size_t *out_bytes) TY_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
