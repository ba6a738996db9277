/* Open addressing with linear probing; nothing is ever taken out. */
#include "tracking/journal/keymap.h"

#include <stdlib.h>
#include <string.h>

void ty_keymap_init(ty_keymap *map, size_t item_bytes) {
    *map = (ty_keymap){.item_bytes = item_bytes};
}

void ty_keymap_clear(ty_keymap *map) {
    free(map->v);
    free(map->slots);
    ty_arena_clear(&map->arena);
    *map = (ty_keymap){.item_bytes = map->item_bytes};
}

/* The slot that holds key, or the free one where it belongs. */
static size_t slot_of(const ty_keymap *map, const char *key, uint64_t hash) {
    size_t at = (size_t)hash & (map->n_slots - 1);
    while (map->slots[at] != 0) {
        const ty_keymap_entry *entry = &map->v[map->slots[at] - 1];
        if (entry->hash == hash && strcmp(entry->key, key) == 0)
            return at;
        at = (at + 1) & (map->n_slots - 1);
    }
    return at;
}

void *ty_keymap_find(const ty_keymap *map, const char *key) {
    if (map->n == 0)
        return NULL;
    const int64_t found = map->slots[slot_of(map, key, ty_hash64(key, strlen(key)))];
    return found != 0 ? map->v[found - 1].item : NULL;
}

static bool grow(ty_keymap *map) {
    const size_t n_slots = map->n_slots != 0 ? map->n_slots * 2 : 64;
    ty_keymap_entry *v = realloc(map->v, n_slots / 2 * sizeof *v);
    if (!v)
        return false;
    map->v = v;
    int64_t *slots = calloc(n_slots, sizeof *slots);
    if (!slots)
        return false;
    free(map->slots);
    map->slots = slots;
    map->n_slots = n_slots;
    for (int64_t i = 0; i < map->n; i++)
        slots[slot_of(map, v[i].key, v[i].hash)] = i + 1;
    return true;
}

void *ty_keymap_put(ty_keymap *map, const char *key) {
    if ((size_t)map->n >= map->n_slots / 2 && !grow(map))
        return NULL;
    const uint64_t hash = ty_hash64(key, strlen(key));
    const size_t at = slot_of(map, key, hash);
    if (map->slots[at] != 0)
        return map->v[map->slots[at] - 1].item;
    char *copy = ty_arena_string(&map->arena, key);
    void *item = ty_arena_alloc(&map->arena, map->item_bytes);
    if (!copy || !item)
        return NULL;
    map->v[map->n] = (ty_keymap_entry){.key = copy, .hash = hash, .item = item};
    map->slots[at] = ++map->n;
    return item;
}
