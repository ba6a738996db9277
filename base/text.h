/* A growing string. A zeroed ty_text is empty; data is always NUL-terminated once something was
 * added. */
#ifndef TY_BASE_TEXT_H
#define TY_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ty_text {
    char *data; /* NULL while empty: use ty_text_string */
    size_t length;
    size_t capacity;
    bool is_short; /* memory ran out; what follows was dropped. Checked once, at the end */
} ty_text;

/* Frees; leaves an empty text. */
void ty_text_clear(ty_text *text);
/* Add at the end; where memory runs out, is_short is set and text stays as it is from then on. */
void ty_text_add(ty_text *text, const char *string);
void ty_text_add_n(ty_text *text, const char *bytes, size_t length);
void ty_text_addf(ty_text *text, const char *format, ...) TY_PRINTF(2, 3);
/* Adds string as a JSON string literal with its quotes; invalid UTF-8 becomes U+FFFD. */
void ty_text_add_json(ty_text *text, const char *string);
/* Adds a JSON number that reads back to the same double; NaN and infinities, which JSON has no
 * numbers for, as the strings "NaN", "Infinity" and "-Infinity" with their quotes. */
void ty_text_add_number(ty_text *text, double value);
/* Adds a time, nanoseconds since 1970, in UTC by ISO 8601: 2026-01-31T12:00:00.123456+00:00. */
void ty_text_add_time(ty_text *text, int64_t ns);
/* Adds string with &, <, >, " and ' escaped for HTML and SVG. */
void ty_text_add_html(ty_text *text, const char *string);
/* Borrowed; "" while empty. */
const char *ty_text_string(const ty_text *text);

/* Bytes of the UTF-8 character that string begins with; 0 at its end and where it is not valid
 * UTF-8 (overlong forms, surrogates and values beyond U+10FFFF are not). */
size_t ty_text_utf8_length(const char *string);

/* Damerau-Levenshtein distance in bytes with adjacent transpositions (optimal string alignment);
 * for "did you mean". With a string of more than 255 bytes, the longer one's length. */
int ty_text_distance(const char *a, const char *b);

#ifdef __cplusplus
}
#endif
#endif
