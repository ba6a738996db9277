/* Bump memory with mark and reset: what lives as long as a phase is taken here and never freed
 * alone. Grows by blocks; a returned pointer stays valid until the arena is reset below it or
 * cleared. */
#ifndef TY_BASE_ARENA_H
#define TY_BASE_ARENA_H

#include <stddef.h>

#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ty_arena_block ty_arena_block;

typedef struct ty_arena {
    ty_arena_block *top; /* newest block, linked to the older ones */
} ty_arena;

typedef struct ty_arena_mark {
    ty_arena_block *block;
    size_t used;
} ty_arena_mark;

/* A zeroed ty_arena is an empty one; this says so in words. */
void ty_arena_init(ty_arena *arena);

/* Frees every block. Accepts a zeroed arena; leaves an empty one. */
void ty_arena_clear(ty_arena *arena);

/* Returns `bytes` zeroed bytes, aligned to 64, or NULL when memory is out. */
void *ty_arena_alloc(ty_arena *arena, size_t bytes) TY_MUST_USE;

/* The same for an array; NULL also when count * size overflows. */
void *ty_arena_array(ty_arena *arena, size_t count, size_t size) TY_MUST_USE;

/* Copies a string (or its first `length` bytes) into the arena; NULL when memory is out. */
char *ty_arena_string(ty_arena *arena, const char *text) TY_MUST_USE;
char *ty_arena_string_n(ty_arena *arena, const char *text, size_t length) TY_MUST_USE;

/* printf into the arena; NULL when memory is out. */
char *ty_arena_printf(ty_arena *arena, const char *format, ...) TY_MUST_USE TY_PRINTF(2, 3);

/* Everything taken after mark is given back by reset. */
ty_arena_mark ty_arena_mark_here(const ty_arena *arena);
void ty_arena_reset(ty_arena *arena, ty_arena_mark mark);

#ifdef __cplusplus
}
#endif
#endif
