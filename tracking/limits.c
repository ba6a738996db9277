#include "tracking/limits.h"

#include <string.h>

int ty_limit_bytes(const char *text, int max_characters) {
    size_t at = 0;
    for (int n = 0; text[at] != '\0'; n++) {
        if (n == max_characters || at > INT_MAX - 8)
            break;
        at++;
        while (((unsigned char)text[at] & 0xc0) == 0x80)
            at++;
    }
    return (int)at;
}

static bool is_plain(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (unsigned char)c >= 0x80 || strchr("_-.: ", c);
}

/* Whether the part that ends at `end` is one of those that a path loses when it is made plain: "",
 * "." and "..". */
static bool is_lost_part(const char *start, const char *end) {
    const ptrdiff_t length = end - start;
    return length == 0 || (length == 1 && start[0] == '.') ||
           (length == 2 && start[0] == '.' && start[1] == '.');
}

/* A part that would be lost becomes another one; an empty part takes a slash beside it. */
static void keep_part(char *text, size_t start, size_t end) {
    if (!is_lost_part(text + start, text + end))
        return;
    text[start == end && start > 0 ? start - 1 : start] = '_';
}

void ty_limit_key(const char *key, char out[TY_LIMIT_KEY_BYTES]) {
    size_t n = (size_t)ty_limit_bytes(key, TY_LIMIT_KEY);
    if (n >= TY_LIMIT_KEY_BYTES)
        n = TY_LIMIT_KEY_BYTES - 1; /* no UTF-8 at all */
    for (size_t i = 0; i < n; i++)
        out[i] = key[i] == '/' || is_plain(key[i]) ? key[i] : '_';
    if (n == 0)
        out[n++] = '_';
    out[n] = '\0';
    for (size_t start = 0, i = 0; i <= n; i++) {
        if (i < n && key[i] != '/')
            continue;
        keep_part(out, start, i);
        start = i + 1;
    }
}

void ty_limit_model(const char *name, char out[TY_LIMIT_MODEL_BYTES]) {
    size_t n = (size_t)ty_limit_bytes(name, TY_LIMIT_MODEL);
    if (n >= TY_LIMIT_MODEL_BYTES)
        n = TY_LIMIT_MODEL_BYTES - 1; /* no UTF-8 at all */
    for (size_t i = 0; i < n; i++)
        out[i] = strchr("/:.%\"'", name[i]) ? '_' : name[i];
    if (n == 0)
        out[n++] = '_';
    out[n] = '\0';
}
