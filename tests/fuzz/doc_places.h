/* What has to hold of every document, whatever it was read from. */
#ifndef TY_TESTS_FUZZ_DOC_PLACES_H
#define TY_TESTS_FUZZ_DOC_PLACES_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/doc.h"

/* Each value has a place, and each number's text is the number. path, of 512 bytes, holds the way to
 * json, of `length` bytes. */
static inline void check_places(const ty_doc *doc, const json_t *json, char *path, size_t length) {
    enum { PATH = 512 };
    ty_origin origin = ty_doc_origin(doc, path);
    const char *number = ty_doc_number_text(doc, path);
    if (!origin.set && (origin.line < 1 || origin.column < 1))
        abort();
    if (number && (!json_is_number(json) || strtod(number, NULL) != json_number_value(json)))
        abort();
    const char *dot = length ? "." : "";
    size_t index;
    json_t *item;
    json_array_foreach(json, index, item) {
        int more = snprintf(path + length, PATH - length, "%s%zu", dot, index);
        if (more > 0 && (size_t)more < PATH - length)
            check_places(doc, item, path, length + (size_t)more);
    }
    for (void *it = json_object_iter((json_t *)(uintptr_t)json); it;
         it = json_object_iter_next((json_t *)(uintptr_t)json, it)) {
        const char *key = json_object_iter_key(it);
        int more = snprintf(path + length, PATH - length, "%s%s", dot, key);
        if (*key && !strchr(key, '.') && more > 0 && (size_t)more < PATH - length)
            check_places(doc, json_object_iter_value(it), path, length + (size_t)more);
    }
    path[length] = '\0';
}

#endif
