/* Strings to items, in the order of their first appearance: curves by key, the last value of a
 * param or tag. An item never moves; it lives until the map is cleared. */
#ifndef TY_TRACKING_JOURNAL_KEYMAP_H
#define TY_TRACKING_JOURNAL_KEYMAP_H

#include "base/base.h"

typedef struct ty_keymap_entry {
    const char *key;
    uint64_t hash;
    void *item; /* item_bytes long, zeroed at first */
} ty_keymap_entry;

typedef struct ty_keymap {
    ty_keymap_entry *v; /* in order of appearance */
    int64_t n;
    size_t item_bytes;
    size_t n_slots; /* power of two, at least twice n */
    int64_t *slots; /* index into v plus one; 0 is free */
    ty_arena arena; /* keys and items */
} ty_keymap;

/* An empty map of items of that size; clear frees keys and items and accepts a zeroed map. */
void ty_keymap_init(ty_keymap *map, size_t item_bytes);
void ty_keymap_clear(ty_keymap *map);

/* The item of key; NULL where there is none. Borrowed. */
void *ty_keymap_find(const ty_keymap *map, const char *key);

/* The item of key, a new zeroed one where there was none. NULL: no memory. Borrowed. */
void *ty_keymap_put(ty_keymap *map, const char *key);

#endif
