/* Blocks are linked newest first. Each holds its header, then memory at a 64-byte boundary. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64, BLOCK_BYTES = 64 * 1024 };

struct ty_arena_block {
    ty_arena_block *older;
    size_t capacity;
    size_t used;
    unsigned char *memory;
};

void ty_arena_init(ty_arena *arena) {
    arena->top = NULL;
}

static void drop_top(ty_arena *arena) {
    ty_arena_block *block = arena->top;
    arena->top = block->older;
    free(block->memory);
    free(block);
}

void ty_arena_clear(ty_arena *arena) {
    while (arena->top)
        drop_top(arena);
}

static ty_arena_block *push_block(ty_arena *arena, size_t bytes) {
    size_t capacity = bytes > BLOCK_BYTES ? bytes : (size_t)BLOCK_BYTES;
    ty_arena_block *block = malloc(sizeof *block);
    unsigned char *memory = aligned_alloc(ALIGNMENT, capacity);
    if (!block || !memory) {
        free(block);
        free(memory);
        return NULL;
    }
    *block = (ty_arena_block){.older = arena->top, .capacity = capacity, .memory = memory};
    return arena->top = block;
}

void *ty_arena_alloc(ty_arena *arena, size_t bytes) {
    if (bytes > SIZE_MAX - ALIGNMENT)
        return NULL;
    size_t rounded = (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (rounded == 0)
        rounded = ALIGNMENT;
    ty_arena_block *block = arena->top;
    if (!block || block->capacity - block->used < rounded)
        block = push_block(arena, rounded);
    if (!block)
        return NULL;
    void *memory = block->memory + block->used;
    block->used += rounded;
    return memset(memory, 0, rounded);
}

void *ty_arena_array(ty_arena *arena, size_t count, size_t size) {
    size_t bytes;
    return __builtin_mul_overflow(count, size, &bytes) ? NULL : ty_arena_alloc(arena, bytes);
}

char *ty_arena_string(ty_arena *arena, const char *text) {
    return ty_arena_string_n(arena, text, strlen(text));
}

char *ty_arena_string_n(ty_arena *arena, const char *text, size_t length) {
    char *copy = length < SIZE_MAX ? ty_arena_alloc(arena, length + 1) : NULL;
    if (copy)
        memcpy(copy, text, length);
    return copy;
}

char *ty_arena_printf(ty_arena *arena, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    char *text = length < 0 ? NULL : ty_arena_alloc(arena, (size_t)length + 1);
    if (text)
        (void)vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    va_end(args);
    return text;
}

ty_arena_mark ty_arena_mark_here(const ty_arena *arena) {
    return (ty_arena_mark){.block = arena->top, .used = arena->top ? arena->top->used : 0};
}

void ty_arena_reset(ty_arena *arena, ty_arena_mark mark) {
    while (arena->top != mark.block)
        drop_top(arena);
    if (arena->top)
        arena->top->used = mark.used;
}
