/* Texts numbered in the order they were first met. */
#ifndef TY_DATA_DICTIONARY_H
#define TY_DATA_DICTIONARY_H

#include "base/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ty_dictionary {
    const char **texts; /* [n], in the arena */
    int32_t n, capacity;
    int32_t *slots;   /* number + 1, 0 for none; open addressing, at most half full */
    uint32_t n_slots; /* a power of two */
} ty_dictionary;

/* The number of a text, or -1. */
int32_t ty_dictionary_find(const ty_dictionary *dictionary, const char *text, size_t length);

/* The same, but a new text is added. Everything lives in arena. Errors: TY_ERR_NOMEM. */
ty_status ty_dictionary_add(ty_ctx *ctx, ty_dictionary *dictionary, ty_arena *arena,
                            const char *text, size_t length, int32_t *out) TY_MUST_USE;

/* Numbers in the order of the texts' bytes: order[n], in arena. Errors: TY_ERR_NOMEM. */
ty_status ty_dictionary_sort(ty_ctx *ctx, const ty_dictionary *dictionary, ty_arena *arena,
                             int32_t **order) TY_MUST_USE;

#ifdef __cplusplus
}
#endif

#endif
