/* Open addressing over XXH3. */
#include "data/dictionary.h"

#include <stdlib.h>
#include <string.h>

/* The slot that holds text, or the free one where it belongs. */
static uint32_t slot_of(const ty_dictionary *dictionary, const char *text, size_t length) {
    uint32_t slot = (uint32_t)ty_hash64(text, length) & (dictionary->n_slots - 1);
    while (dictionary->slots[slot] != 0) {
        const char *there = dictionary->texts[dictionary->slots[slot] - 1];
        if (strncmp(there, text, length) == 0 && there[length] == '\0')
            break;
        slot = (slot + 1) & (dictionary->n_slots - 1);
    }
    return slot;
}

int32_t ty_dictionary_find(const ty_dictionary *dictionary, const char *text, size_t length) {
    return dictionary->n == 0 ? -1 : dictionary->slots[slot_of(dictionary, text, length)] - 1;
}

static ty_status grow(ty_ctx *ctx, ty_dictionary *dictionary, ty_arena *arena) {
    const int32_t capacity = dictionary->capacity ? dictionary->capacity * 2 : 16;
    ty_dictionary larger = {
        .n = dictionary->n, .capacity = capacity, .n_slots = (uint32_t)capacity * 2};
    larger.texts = ty_arena_array(arena, (size_t)capacity, sizeof *larger.texts);
    larger.slots = ty_arena_array(arena, larger.n_slots, sizeof *larger.slots);
    if (!larger.texts || !larger.slots)
        return ty_fail_nomem(ctx, "the texts of a column");
    for (int32_t i = 0; i < dictionary->n; i++) {
        larger.texts[i] = dictionary->texts[i];
        larger.slots[slot_of(&larger, larger.texts[i], strlen(larger.texts[i]))] = i + 1;
    }
    *dictionary = larger;
    return TY_OK;
}

ty_status ty_dictionary_add(ty_ctx *ctx, ty_dictionary *dictionary, ty_arena *arena,
                            const char *text, size_t length, int32_t *out) {
    *out = ty_dictionary_find(dictionary, text, length);
    if (*out >= 0)
        return TY_OK;
    if (dictionary->n == dictionary->capacity)
        TY_TRY(grow(ctx, dictionary, arena));
    char *copy = ty_arena_string_n(arena, text, length);
    if (!copy)
        return ty_fail_nomem(ctx, "the texts of a column");
    *out = dictionary->n++;
    dictionary->texts[*out] = copy;
    dictionary->slots[slot_of(dictionary, text, length)] = *out + 1;
    return TY_OK;
}

static int compare_texts(const void *a, const void *b, void *texts) {
    const char *const *of = texts;
    return strcmp(of[*(const int32_t *)a], of[*(const int32_t *)b]);
}

ty_status ty_dictionary_sort(ty_ctx *ctx, const ty_dictionary *dictionary, ty_arena *arena,
                             int32_t **order) {
    *order = ty_arena_array(arena, (size_t)dictionary->n + 1, sizeof **order);
    if (!*order)
        return ty_fail_nomem(ctx, "the texts of a column");
    for (int32_t i = 0; i < dictionary->n; i++)
        (*order)[i] = i;
    qsort_r(*order, (size_t)dictionary->n, sizeof **order, compare_texts, dictionary->texts);
    return TY_OK;
}
