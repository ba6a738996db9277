/* Greedy best fit by size over intervals of time. Quadratic: a model has hundreds of values, not
 * millions. */
#include "trainer/lifetimes.h"

#include <stdlib.h>

enum { ALIGNMENT = 64 };

static size_t aligned(size_t bytes) {
    return (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

static bool meet(const ty_lifetime *a, const ty_lifetime *b) {
    return a->first <= b->last && b->first <= a->last;
}

/* Larger first; ties by time, then by place in the caller's table, so that the answer is one. */
static int by_size(const void *a, const void *b) {
    const ty_lifetime *x = *(ty_lifetime *const *)a, *y = *(ty_lifetime *const *)b;
    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    return x < y ? -1 : 1;
}

/* placed is kept sorted by offset. */
static void insert(ty_lifetime **placed, int n, ty_lifetime *item) {
    int at = n;
    for (; at > 0 && placed[at - 1]->offset > item->offset; at--)
        placed[at] = placed[at - 1];
    placed[at] = item;
}

/* The smallest gap between the items that live at the same time; behind the last of them where none
 * fits. */
static size_t best_offset(ty_lifetime *const *placed, int n, const ty_lifetime *item) {
    const size_t wanted = aligned(item->bytes);
    size_t end = 0, best = 0, best_gap = SIZE_MAX;
    for (int i = 0; i < n; i++) {
        if (!meet(placed[i], item))
            continue;
        const size_t offset = placed[i]->offset;
        if (offset >= end + wanted && offset - end < best_gap) {
            best = end;
            best_gap = offset - end;
        }
        const size_t behind = offset + aligned(placed[i]->bytes);
        end = behind > end ? behind : end;
    }
    return best_gap == SIZE_MAX ? end : best;
}

ty_status ty_lifetimes_place(ty_ctx *ctx, ty_lifetime *items, int n, size_t *out_bytes) {
    const ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    ty_lifetime **order = ty_arena_array(&ctx->scratch, (size_t)n + 1, sizeof *order);
    ty_lifetime **placed = ty_arena_array(&ctx->scratch, (size_t)n + 1, sizeof *placed);
    if (!order || !placed) {
        ty_arena_reset(&ctx->scratch, mark);
        return ty_fail_nomem(ctx, "the memory plan");
    }
    for (int i = 0; i < n; i++)
        order[i] = &items[i];
    qsort(order, (size_t)n, sizeof *order, by_size);
    *out_bytes = 0;
    for (int i = 0; i < n; i++) {
        order[i]->offset = best_offset(placed, i, order[i]);
        insert(placed, i, order[i]);
        const size_t end = order[i]->offset + aligned(order[i]->bytes);
        *out_bytes = end > *out_bytes ? end : *out_bytes;
    }
    ty_arena_reset(&ctx->scratch, mark);
    return TY_OK;
}
