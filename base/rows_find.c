/* "Did you mean": what an unknown key may have been meant to be. */
#include "base/rows_value.h"

#include <string.h>

enum { NAME_BYTES = 64, ELSEWHERE_DEPTH = 8, LISTED_KEYS = 6 };

/* Copies name in lower case with "-" as "_"; false where it is too long to be a key. */
static bool normalise(const char *name, char out[NAME_BYTES]) {
    size_t length = strlen(name);
    if (length >= NAME_BYTES)
        return false;
    for (size_t i = 0; i <= length; i++) {
        char c = name[i];
        out[i] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c == '-' ? '_' : c);
    }
    return true;
}

bool ty_rows_is_nearer(const char *written, const char *known, int *best) {
    char a[NAME_BYTES], b[NAME_BYTES];
    if (!normalise(written, a) || !normalise(known, b))
        return false;
    size_t longer = strlen(a) > strlen(b) ? strlen(a) : strlen(b);
    /* One letter makes another word of three: who wrote "gpu" did not mean "cpu". */
    int limit = longer < 4 ? 0 : (int)((longer + 1) / 3);
    int distance = ty_text_distance(a, b);
    if (distance > limit || distance >= *best)
        return false;
    *best = distance;
    return true;
}

static char *hint_foreign(const rows_unknown *u, ty_arena *arena) {
    for (const ty_foreign_name *name = u->foreign; name && name->theirs; name++)
        if (strcmp(name->theirs, u->key) == 0 || strcmp(name->theirs, u->path) == 0)
            return ty_arena_printf(arena, strchr(name->ours, ' ') ? "%s" : "called \"%s\" here",
                                   name->ours);
    return NULL;
}

static const ty_row *row_of(const ty_rows *rows, const char *key) {
    for (int64_t i = 0; rows && i < rows->n; i++)
        if (strcmp(rows->v[i].key, key) == 0)
            return &rows->v[i];
    return NULL;
}

/* The key of another form of the same variant. */
static char *hint_other_form(const rows_unknown *u, ty_arena *arena) {
    const ty_variant_row *form = u->variant ? u->variant->variants : NULL;
    for (; form && form->type; form++)
        if (row_of(form->rows, u->key))
            return ty_arena_printf(arena, "\"%s\" belongs to \"%s\", and this is \"%s\"", u->key,
                                   form->type, u->form->type);
    return NULL;
}

static char *hint_nearest(const rows_unknown *u, ty_arena *arena) {
    const char *nearest = NULL;
    int best = INT32_MAX;
    for (int64_t i = 0; u->rows && i < u->rows->n; i++)
        if (ty_rows_is_nearer(u->key, u->rows->v[i].key, &best))
            nearest = u->rows->v[i].key;
    return nearest ? ty_arena_printf(arena, "did you mean \"%s\"?", nearest) : NULL;
}

/* The path of the first row called key; lists of variants are passed over, since no index would be
 * right. */
static char *find_elsewhere(const ty_rows *rows, const char *key, const rows_path *path, int depth,
                            ty_arena *arena) {
    char *found = NULL;
    for (int64_t i = 0; rows && i < rows->n && depth > 0 && !found; i++) {
        const ty_row *row = &rows->v[i];
        const rows_path here = {.parent = path, .key = row->key};
        if (strcmp(row->key, key) == 0) {
            ty_text text = {0};
            ty_rows_path_add(&text, &here);
            found = ty_arena_printf(arena, "did you mean \"%s\"?", ty_text_string(&text));
            ty_text_clear(&text);
        } else if (row->type == TY_ROW_SECTION) {
            found = find_elsewhere(row->rows, key, &here, depth - 1, arena);
        } else if (row->type == TY_ROW_VARIANT) {
            for (const ty_variant_row *form = row->variants; form->type && !found; form++)
                found = find_elsewhere(form->rows, key, &here, depth - 1, arena);
        }
    }
    return found;
}

static char *hint_all(const rows_unknown *u, ty_arena *arena) {
    int64_t n = u->rows ? u->rows->n : 0;
    if (n == 0 && u->form)
        return ty_arena_printf(arena, "\"%s\" has no keys", u->form->type);
    if (n == 0 || n > LISTED_KEYS)
        return NULL;
    ty_text text = {0};
    for (int64_t i = 0; i < n; i++)
        ty_text_addf(&text, "%s\"%s\"", i > 0 ? ", " : "", u->rows->v[i].key);
    char *hint = ty_arena_printf(arena, "known here: %s", ty_text_string(&text));
    ty_text_clear(&text);
    return hint;
}

char *ty_rows_hint(const rows_unknown *unknown, ty_arena *arena) {
    char *hint = hint_other_form(unknown, arena);
    hint = hint ? hint : hint_foreign(unknown, arena);
    hint = hint ? hint : hint_nearest(unknown, arena);
    hint = hint ? hint : find_elsewhere(unknown->root, unknown->key, NULL, ELSEWHERE_DEPTH, arena);
    return hint ? hint : hint_all(unknown, arena);
}
