/* A checked document that knows where each of its values was written; jansson holds the values.
 *
 * A text whose name ends in .yaml or .yml is YAML 1.2: libyaml reads the grammar, plain scalars are
 * what the core schema says (yes and 1_000 are strings), aliases are copies of what they name, "<<"
 * is the merge key. All else is JSONC: // and block comments and trailing commas are blanked to
 * spaces, so that offsets stay, and the rest is strict. In both, duplicate keys, keys that are no
 * strings, infinities and NaN are errors; bytes, depth and count are limited before memory is
 * spent. */
#ifndef TY_BASE_DOC_H
#define TY_BASE_DOC_H

#include <jansson.h>
#include <stdbool.h>

#include "base/io.h"
#include "base/text.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TY_DOC_MAX_BYTES = 1024 * 1024, TY_DOC_MAX_DEPTH = 64, TY_DOC_MAX_VALUES = 100000 };

typedef struct ty_doc ty_doc;

/* Where a value came from: a place in a file, a --set, or (file NULL, set NULL) a default. */
typedef struct ty_origin {
    const char *file;         /* as the user named it */
    const char *set;          /* the text of the --set that wrote it */
    int line, column;         /* from 1, of the value */
    int key_line, key_column; /* of the key, where the value is an object's member */
} ty_origin;

/* Reads path ("-" is stdin through fd 0), resolves "extends" (a path or a list of them, relative to
 * the file; RFC 7396 merge, null deletes, the later of a list wins, cycles are errors) and
 * ${env:NAME} / ${env:NAME:-default} inside strings ($${env:NAME} is ${env:NAME} itself). *out is
 * the caller's to close.
 * Errors: TY_ERR_CONFIG with "error: file:line:column: ..." and a caret line, from a single slip
 * on; TY_ERR_NOT_FOUND. */
ty_status ty_doc_read(ty_ctx *ctx, const char *path, ty_doc **out) TY_MUST_USE;

/* The same from memory; name stands for the file, in messages and by its ending. extends is resolved
 * against the working folder. */
ty_status ty_doc_parse(ty_ctx *ctx, const char *name, const char *text, size_t bytes,
                       ty_doc **out) TY_MUST_USE;
void ty_doc_close(ty_doc *doc);

/* Applies one --set: "a.b.2.c=value". The value is read as JSON and, where it is none, as a string.
 * Arrays are entered by index. Paths are created as objects, and a string on the way becomes
 * {"type": string}; a key with dots in it is met where it is there and its first part is not; whether
 * the key exists is the rows' business.
 * Errors: TY_ERR_CONFIG naming the assignment; doc may then hold the objects on the way. */
ty_status ty_doc_set(ty_ctx *ctx, ty_doc *doc, const char *assignment) TY_MUST_USE;

/* Borrowed, until the next ty_doc_set. path is dotted; "" is the root; NULL where there is
 * nothing. A key with dots in it is met where the path goes on with it and no shorter key leads to
 * the end. */
const json_t *ty_doc_at(const ty_doc *doc, const char *path);

/* The origin of the value at path; a zeroed one where the document has no such value. */
ty_origin ty_doc_origin(const ty_doc *doc, const char *path);

/* The number at path as the user wrote it ("3e-4"), what is YAML alone in JSON's spelling (".5" is
 * "0.5"); NULL where it is no number. */
const char *ty_doc_number_text(const ty_doc *doc, const char *path);

/* Writes "error: FILE:LINE:COL: message", the source line and a caret under the value (or its key),
 * or, for a value of a --set, its text; no newline at the end. What follows a newline in message is
 * the hint behind the caret. Where there is nothing at path, the place is that of the nearest value
 * above. Control characters are shown as "?". */
void ty_doc_explain(const ty_doc *doc, const char *path, bool at_key, const char *message,
                    ty_text *out);

/* Adds the document as JSON text, a member a line, that reads back to itself without the files it extends:
 * what was written and set, no default; numbers as they were written. */
void ty_doc_dump(const ty_doc *doc, ty_text *out);

/* Adds a string's text as it has to be written for reading to make the same text of it: "$${env:" for
 * "${env:". */
void ty_doc_add_escaped(ty_text *out, const char *text);

/* A new value with all strings in it written that way; NULL: no memory. */
json_t *ty_json_escaped(const json_t *value);

/* A new JSON string for words of any bytes, a message or a file's name: what is no UTF-8 (or was cut within a
 * character) becomes U+FFFD, where jansson makes nothing of it. NULL: no memory. */
json_t *ty_json_string(const char *string);

#ifdef __cplusplus
}
#endif
#endif
