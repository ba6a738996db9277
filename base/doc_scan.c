/* One pass over a text before jansson sees it: limits, UTF-8, grammar, and where each value and key
 * was written.
 *
 * Comments and trailing commas are overwritten with spaces in a copy, so that every offset, line
 * and column of the copy is one of the text. The grammar is RFC 8259's; checking it here gives
 * messages that name the slip and point at it. */
#include "base/doc_tree.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct scanner {
    ty_ctx *ctx;
    ty_doc *doc;
    const doc_source *source;
    char *text; /* the blanked copy; NUL behind its last byte */
    size_t bytes;
    size_t at;
    int depth;
    /* Tokens come in order, so that lines and columns are counted once. */
    size_t counted;
    int line, column;
} scanner;

static ty_status reject(const scanner *scan, size_t begin, size_t end, const char *format, ...)
    TY_PRINTF(4, 5);
static ty_status scan_value(scanner *scan, doc_node *node);

static ty_status reject(const scanner *scan, size_t begin, size_t end, const char *format, ...) {
    char message[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return ty_doc_fail_at(scan->ctx, scan->source, begin, end, message);
}

static bool is_continuation(char byte) {
    return ((unsigned char)byte & 0xc0) == 0x80;
}

static doc_span span_of(scanner *scan, size_t begin, size_t end) {
    const char *text =
        scan->source->text; /* not the copy: a blanked comment has more spaces than characters */
    for (; scan->counted < begin; scan->counted++) {
        if (text[scan->counted] == '\n') {
            scan->line++;
            scan->column = 1;
        } else if (!is_continuation(text[scan->counted])) {
            scan->column++;
        }
    }
    return (doc_span){
        .begin = (uint32_t)begin, .end = (uint32_t)end, .line = scan->line, .column = scan->column};
}

/* --- before the grammar ----------------------------------------------------------------------- */

static ty_status reject_byte(ty_ctx *ctx, const doc_source *source, size_t at) {
    char message[64] = "a NUL byte; want UTF-8 text";
    if (source->text[at] != '\0')
        (void)snprintf(message, sizeof message, "the byte 0x%02x is not UTF-8",
                       (unsigned)(unsigned char)source->text[at]);
    return ty_doc_fail_at(ctx, source, at, at + 1, message);
}

ty_status ty_doc_check_text(ty_ctx *ctx, const doc_source *source) {
    if (source->bytes > TY_DOC_MAX_BYTES)
        return ty_fail(ctx, TY_ERR_CONFIG, "error: %s: longer than %d bytes", source->name,
                       TY_DOC_MAX_BYTES);
    for (size_t at = 0; at < source->bytes;) {
        const size_t length = ty_text_utf8_length(source->text + at);
        if (length == 0)
            return reject_byte(ctx, source, at);
        at += length;
    }
    return TY_OK;
}

static void blank(char *text, size_t begin, size_t end) {
    for (size_t i = begin; i < end; i++)
        if (text[i] != '\n' && text[i] != '\r')
            text[i] = ' ';
}

/* Behind the string that begins at `at`; strings never cross lines. */
static size_t skip_string(const char *text, size_t at) {
    for (at++; text[at] && text[at] != '\n' && text[at] != '"'; at++)
        if (text[at] == '\\' && text[at + 1] && text[at + 1] != '\n')
            at++;
    return text[at] == '"' ? at + 1 : at;
}

static ty_status blank_comments(const scanner *scan) {
    char *text = scan->text;
    for (size_t at = 0; text[at];) {
        size_t end = at + 1;
        if (text[at] == '"') {
            end = skip_string(text, at);
        } else if (text[at] == '/' && text[at + 1] == '/') {
            end = at + strcspn(text + at, "\n");
            blank(text, at, end);
        } else if (text[at] == '/' && text[at + 1] == '*') {
            const char *close = strstr(text + at + 2, "*/");
            if (!close)
                return reject(scan, at, at + 2, "this comment is never closed; want */");
            end = (size_t)(close - text) + 2;
            blank(text, at, end);
        }
        at = end;
    }
    return TY_OK;
}

/* --- tokens ----------------------------------------------------------------------------------- */

static char peek(scanner *scan) {
    while (scan->at < scan->bytes && strchr(" \t\r\n", scan->text[scan->at]))
        scan->at++;
    return scan->text[scan->at];
}

static size_t word_length(const char *word) {
    return strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-.$");
}

enum { SHOWN_WORD = 40 };

static int shown(size_t length) {
    return length < SHOWN_WORD ? (int)length : SHOWN_WORD;
}

/* The four hex digits at text; -1 where they are not. */
static int32_t hex4(const char *text) {
    int32_t value = 0;
    for (int i = 0; i < 4; i++) {
        const char *digits = "0123456789abcdef";
        char lower = (char)(text[i] >= 'A' && text[i] <= 'F' ? text[i] + ('a' - 'A') : text[i]);
        const char *digit = lower ? strchr(digits, lower) : NULL;
        if (!digit)
            return -1;
        value = value * 16 + (int32_t)(digit - digits);
    }
    return value;
}

/* At the backslash of an escape; leaves at the escape's last byte. */
static ty_status scan_escape(scanner *scan) {
    const char *escape = scan->text + scan->at;
    if (escape[1] != 'u') {
        if (!escape[1] || !strchr("\"\\/bfnrt", escape[1]))
            return reject(scan, scan->at, scan->at + 2,
                          "no such escape in a string; a backslash itself is \\\\");
        scan->at += 1;
        return TY_OK;
    }
    int32_t code = hex4(escape + 2);
    if (code < 0)
        return reject(scan, scan->at, scan->at + 2, "\\u wants four hexadecimal digits");
    if (code == 0)
        return reject(scan, scan->at, scan->at + 6, "a string must not hold a NUL (\\u0000)");
    scan->at += 5;
    if (code < 0xd800 || code > 0xdfff)
        return TY_OK;
    int32_t low = escape[6] == '\\' && escape[7] == 'u' ? hex4(escape + 8) : -1;
    if (code > 0xdbff || low < 0xdc00 || low > 0xdfff)
        return reject(scan, scan->at - 5, scan->at + 1,
                      "half of a surrogate pair; want \\uD8xx\\uDCxx or the character itself");
    scan->at += 6;
    return TY_OK;
}

static ty_status scan_string(scanner *scan, doc_span *span) {
    size_t begin = scan->at;
    for (scan->at++; scan->text[scan->at] != '"'; scan->at++) {
        unsigned char byte = (unsigned char)scan->text[scan->at];
        if (byte == '\0' || byte == '\n' || byte == '\r')
            return reject(scan, begin, scan->at, "this string is not closed on its line");
        if (byte < 0x20)
            return reject(scan, scan->at, scan->at + 1,
                          "a control character in a string; write \\u%04x", byte);
        if (byte == '\\')
            TY_TRY(scan_escape(scan));
    }
    scan->at++;
    *span = span_of(scan, begin, scan->at);
    return TY_OK;
}

static size_t skip_digits(const char *text) {
    return strspn(text, "0123456789");
}

/* Bytes of the JSON number at text; 0 where there is none. */
static size_t number_length(const char *text, bool *is_real) {
    const char *at = text + (*text == '-');
    size_t whole = skip_digits(at);
    if (whole == 0 || (whole > 1 && *at == '0'))
        return 0;
    at += whole;
    *is_real = *at == '.' || *at == 'e' || *at == 'E';
    if (*at == '.') {
        size_t fraction = skip_digits(++at);
        if (fraction == 0)
            return 0;
        at += fraction;
    }
    if (*at == 'e' || *at == 'E') {
        at += 1 + (at[1] == '+' || at[1] == '-');
        size_t exponent = skip_digits(at);
        if (exponent == 0)
            return 0;
        at += exponent;
    }
    return (size_t)(at - text);
}

const char *ty_doc_number_limit(const char *text, bool is_real) {
    errno = 0;
    if (is_real)
        return isinf(strtod(text, NULL)) ? "a double" : NULL;
    (void)strtoll(text, NULL, 10);
    return errno == ERANGE ? "a 64-bit integer" : NULL;
}

static ty_status scan_number(scanner *scan, doc_node *node) {
    const char *text = scan->text + scan->at;
    bool is_real = false;
    size_t length = number_length(text, &is_real), word = word_length(text);
    if (length == 0 || length != word)
        return reject(scan, scan->at, scan->at + word, "\"%.*s\" is no JSON number", shown(word),
                      text);
    const char *limit = ty_doc_number_limit(text, is_real);
    if (limit)
        return reject(scan, scan->at, scan->at + length, "%.*s is beyond what %s holds",
                      shown(length), text, limit);
    node->value = span_of(scan, scan->at, scan->at + length);
    node->number = text;
    scan->at += length;
    return TY_OK;
}

static ty_status scan_word(scanner *scan, doc_node *node) {
    static const char *const literals[] = {"true", "false", "null"};
    const char *text = scan->text + scan->at;
    size_t length = word_length(text);
    for (size_t i = 0; i < sizeof literals / sizeof literals[0]; i++)
        if (length == strlen(literals[i]) && memcmp(text, literals[i], length) == 0) {
            node->value = span_of(scan, scan->at, scan->at + length);
            scan->at += length;
            return TY_OK;
        }
    if (length == 0) {
        length = ty_text_utf8_length(text);
        if (*text == '\'')
            return reject(scan, scan->at, scan->at + 1, "a string wants double quotes");
        return reject(scan, scan->at, scan->at + length, "want a value, not \"%.*s\"", (int)length,
                      text);
    }
    if (*text == '+' || *text == '.')
        return reject(scan, scan->at, scan->at + length, "\"%.*s\" is no JSON number",
                      shown(length), text);
    return reject(
        scan, scan->at, scan->at + length,
        "%.*s is no JSON value; want a string in double quotes, a number, true, false or null",
        shown(length), text);
}

/* --- structure -------------------------------------------------------------------------------- */

static ty_status scan_key(scanner *scan, doc_node *member) {
    char c = peek(scan);
    const char *text = scan->text + scan->at;
    size_t word = word_length(text);
    if (c != '"' && word > 0)
        return reject(scan, scan->at, scan->at + word, "a key wants double quotes: \"%.*s\"",
                      shown(word), text);
    if (c != '"')
        return reject(scan, scan->at, scan->at + 1, "want a key in double quotes");
    TY_TRY(scan_string(scan, &member->name));
    if (peek(scan) != ':')
        return reject(scan, scan->at, scan->at + 1, "want \":\" between key and value");
    scan->at++;
    return TY_OK;
}

/* Behind a member or item: either the end, or a comma; a comma before the end is blanked. */
static ty_status scan_separator(scanner *scan, doc_span open, char close) {
    char c = peek(scan);
    if (c == close)
        return TY_OK;
    if (c == '\0')
        return reject(scan, open.begin, open.begin + 1, "the text ends before this is closed");
    if (c != ',')
        return reject(scan, scan->at, scan->at + 1, "want \",\" or \"%c\" before this", close);
    size_t comma = scan->at++;
    if (peek(scan) == close)
        scan->text[comma] = ' ';
    return TY_OK;
}

static ty_status scan_container(scanner *scan, doc_node *node, char close) {
    node->value = span_of(scan, scan->at, scan->at + 1);
    if (++scan->depth > TY_DOC_MAX_DEPTH)
        return reject(scan, scan->at, scan->at + 1, "nested deeper than %d levels",
                      TY_DOC_MAX_DEPTH);
    scan->at++;
    while (peek(scan) != close) {
        if (peek(scan) == '\0')
            return reject(scan, node->value.begin, node->value.end,
                          "the text ends before this is closed");
        doc_node *child = ty_doc_add_node(scan->doc, node, scan->source);
        if (!child)
            return ty_fail_nomem(scan->ctx, "a document");
        if (close == '}')
            TY_TRY(scan_key(scan, child));
        TY_TRY(scan_value(scan, child));
        TY_TRY(scan_separator(scan, node->value, close));
    }
    scan->at++;
    scan->depth--;
    return TY_OK;
}

static ty_status scan_value(scanner *scan, doc_node *node) {
    char c = peek(scan);
    if (++scan->doc->n_values > TY_DOC_MAX_VALUES)
        return reject(scan, scan->at, scan->at + 1, "more than %d values in one document",
                      TY_DOC_MAX_VALUES);
    if (c == '{' || c == '[')
        return scan_container(scan, node, c == '{' ? '}' : ']');
    if (c == '"')
        return scan_string(scan, &node->value);
    if (c == '-' || (c >= '0' && c <= '9'))
        return scan_number(scan, node);
    if (c == '\0')
        return reject(scan, scan->at, scan->at + 1, "the text ends where a value is wanted");
    return scan_word(scan, node);
}

static ty_status scan_document(scanner *scan, bool is_fragment, doc_node *root) {
    char c = peek(scan);
    if (!is_fragment && c != '{' && c != '[')
        return reject(scan, scan->at, scan->at + 1,
                      c ? "want an object: { ... }" : "nothing but space; want an object: { ... }");
    TY_TRY(scan_value(scan, root));
    if (peek(scan) != '\0')
        return reject(scan, scan->at, scan->at + 1, "something follows the end of the document");
    return TY_OK;
}

ty_status ty_doc_scan(ty_ctx *ctx, ty_doc *doc, doc_source *source,
                      const doc_parse_options *options, doc_node **out) {
    TY_TRY(ty_doc_check_text(ctx, source));
    doc_node *root = ty_doc_add_node(doc, NULL, source);
    source->blanked = ty_arena_string_n(&doc->arena, source->text, source->bytes);
    if (!root || !source->blanked)
        return ty_fail_nomem(ctx, "a document");
    scanner scan = {.ctx = ctx,
                    .doc = doc,
                    .source = source,
                    .text = source->blanked,
                    .bytes = source->bytes,
                    .depth = options->depth,
                    .line = 1,
                    .column = 1};
    if (strncmp(scan.text, "\xef\xbb\xbf", 3) ==
        0) { /* a byte-order mark, as some editors write it */
        blank(scan.text, 0, 3);
        scan.counted = scan.at = 3;
    }
    if (!options->is_strict)
        TY_TRY(blank_comments(&scan));
    TY_TRY(scan_document(&scan, options->is_fragment, root));
    *out = root;
    return TY_OK;
}
