/* Config rows: one row holds everything that is known of a key. Rows drive parsing, --set, check,
 * schema, --help, docs/CONFIG.md and the params that are logged; a new key is one row. */
#ifndef TY_BASE_ROWS_H
#define TY_BASE_ROWS_H

#include <stdint.h>

#include "base/doc.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ty_row_type {
    TY_ROW_BOOL,     /* bool */
    TY_ROW_INT,      /* int64_t; TY_AUTO where "auto" is written and allowed */
    TY_ROW_REAL,     /* double; NAN where "auto" or null is written and allowed */
    TY_ROW_TEXT,     /* const char *, NULL for null */
    TY_ROW_CHOICE,   /* int: index into choices */
    TY_ROW_AMOUNT,   /* ty_amount */
    TY_ROW_REALS,    /* ty_reals: a list, or one number */
    TY_ROW_TEXTS,    /* ty_texts: a list, or one string */
    TY_ROW_SECTION,  /* a struct inside the struct: .rows */
    TY_ROW_VARIANT,  /* ty_variant: an object {"type": "conv2d", ...}, or just its type as a string */
    TY_ROW_VARIANTS, /* ty_variants: a list of them */
    TY_ROW_OBJECT,   /* const json_t *: an object, in doc, that the room reads by itself */
    TY_ROW_LIST      /* const json_t *: such a list */
} ty_row_type;

/* What a key changes. Only RESULT rows are in a run's hash (docs/ARCHITECTURE.md). What is inside a
 * section or variant changes no more than the section or variant itself: all of a DISPLAY section
 * is DISPLAY. */
typedef enum ty_row_effect { TY_EFFECT_RESULT, TY_EFFECT_COST, TY_EFFECT_DISPLAY } ty_row_effect;

#define TY_AUTO INT64_MIN

/* "10 epochs", "2000 steps", "1e6 samples", "30 min", "5%", "20 GB". */
typedef enum ty_unit {
    TY_UNIT_NONE, TY_UNIT_STEPS, TY_UNIT_EPOCHS, TY_UNIT_SAMPLES, TY_UNIT_SECONDS, TY_UNIT_PERCENT,
    TY_UNIT_BYTES
} ty_unit;

typedef struct ty_amount {
    double value; /* minutes and hours are stored in seconds; GB and GiB in bytes; percent as 0..100 */
    ty_unit unit; /* TY_UNIT_NONE where "never" or "none" is written */
} ty_amount;

typedef struct ty_reals {
    const double *v;
    int64_t n;
} ty_reals;

typedef struct ty_texts {
    const char *const *v;
    int64_t n;
} ty_texts;

typedef struct ty_rows ty_rows;

/* One form of a variant: its name in "type" and its own keys. */
typedef struct ty_variant_row {
    const char *type;
    const char *help;
    const ty_rows *rows; /* NULL for one without keys */
    size_t struct_bytes;
    int id; /* whatever the room wants to switch on */
} ty_variant_row;

typedef struct ty_variant {
    const ty_variant_row *row; /* which form; NULL where the key is optional and absent */
    const void *config;        /* its struct, filled by its rows */
    const char *path;          /* "model.layers.3", for messages */
} ty_variant;

typedef struct ty_variants {
    const ty_variant *v;
    int64_t n;
} ty_variants;

typedef struct ty_row {
    const char *key; /* the last part; sections nest */
    ty_row_type type;
    size_t offset; /* into the struct that the rows fill */
    const char *fallback; /* default as JSON text ("0.001", "\"auto\"", "null"); NULL: the key is required */
    const char *unit;     /* for help: "samples", "ratio"; NULL for none */
    const char *help;
    /* For INT, REAL, REALS and AMOUNT's value. Both 0 and closed: unbounded. max <= min, or
     * infinite: only min counts. */
    double min, max;
    bool min_is_open, max_is_open; /* want > min rather than >= */
    bool allows_auto;     /* INT, REAL: "auto" may be written */
    bool allows_null; /* REAL, TEXT, VARIANT: null may be written; so it may where fallback is "null" */
    unsigned units;       /* AMOUNT: bits 1u << TY_UNIT_* that are allowed */
    ty_row_effect effect;
    const char *const *choices; /* CHOICE: NULL-terminated */
    const ty_rows *rows;        /* SECTION */
    const ty_variant_row *variants; /* VARIANT(S): ends with type NULL */
    const char *inside; /* OBJECT, LIST: what else its JSON Schema says, an object as text; or NULL */
} ty_row;

struct ty_rows {
    const ty_row *v;
    int64_t n;
};

#define TY_ROWS(array) {(array), (int64_t)(sizeof(array) / sizeof((array)[0]))}

/* A name that other tools use and what it is called here. */
typedef struct ty_foreign_name {
    const char *theirs;
    const char *ours; /* a dotted path, or a sentence where there are two answers */
} ty_foreign_name;

/* Fills out (zeroed, of the size that rows describe) from doc; every error is collected and
 * reported at once in ctx->message: file:line:column, source line, caret, nearest key or our name
 * for a foreign one (foreign ends with a NULL row; may be NULL), and "N errors, nothing was run" at
 * the end. Strings and lists live in doc. "$schema" is always allowed at the root. An integer may
 * be written as 1e6. A variant written without "type" has its default's type.
 * Errors: TY_ERR_CONFIG; TY_ERR_INTERNAL a row's own default is no JSON. */
ty_status ty_rows_load(ty_ctx *ctx, const ty_rows *rows, const ty_foreign_name *foreign, ty_doc *doc,
                       void *out) TY_MUST_USE;

/* One variant (of `variants`, which end with a row of type NULL) from JSON text, for callers without a
 * file: "\"none\"", {"type": "asha", "eta": 3}. key is what messages call it. Strings and config live as
 * long as *doc, which is the caller's to close. Errors: as ty_rows_load and ty_doc_parse, *doc is NULL. */
ty_status ty_rows_load_variant(ty_ctx *ctx, const char *key, const ty_variant_row *variants,
                               const char *json, ty_doc **doc, ty_variant *out) TY_MUST_USE;

/* Adds a finding of a cross-field check in the same form as ty_rows_load's errors, for a value at
 * path. What follows a newline in the message is the hint behind the caret. Findings add up: the
 * message holds all since doc was loaded. Returns TY_ERR_CONFIG, message in ctx. */
ty_status ty_rows_reject(ty_ctx *ctx, const ty_doc *doc, const char *path, const char *format, ...)
    TY_PRINTF(4, 5);

/* For "did you mean": whether two names are near enough, and nearer than *best, the least distance so
 * far (INT32_MAX before the first), which is set then. Case, "-" and "_" don't matter. */
bool ty_rows_is_nearer(const char *written, const char *known, int *best);

/* One resolved key, as it is shown, logged and hashed. */
typedef struct ty_resolved {
    const char *path;  /* "model.layers.2.out" */
    const char *value; /* as written by the user; defaults as in the row; strings without quotes */
    const char *json;  /* the same as JSON text */
    const ty_row *row; /* of a "type": its variant's row */
    ty_row_effect effect; /* with that of the sections and variants it is in */
    ty_origin origin;
} ty_resolved;

/* Walks every resolved key in the rows' order (variants included: "optimizer.type" first). visit's
 * result other than TY_OK ends the walk. doc must have been loaded by rows. */
ty_status ty_rows_walk(ty_ctx *ctx, const ty_rows *rows, const ty_doc *doc,
                       ty_status (*visit)(void *self, const ty_resolved *key), void *self) TY_MUST_USE;

/* The resolved config as JSON text that reads back to the same configuration. */
ty_status ty_rows_dump(ty_ctx *ctx, const ty_rows *rows, const ty_doc *doc, ty_text *out) TY_MUST_USE;

/* Hash of all RESULT keys, defaults included, with canonical values: 1e-3 and 0.001, "2 min" and
 * "120 s", "relu" and {"type": "relu"} are the same; the order of rows and members does not matter.
 * A new COST or DISPLAY row leaves every config's hash as it is; a new RESULT row changes them all,
 * since what was computed before had no such key: give a row RESULT only if it does change results,
 * and expect finished runs to be other runs then. */
ty_status ty_rows_hash(ty_ctx *ctx, const ty_rows *rows, const ty_doc *doc, uint64_t *out) TY_MUST_USE;

/* JSON Schema 2020-12 of the whole config; Markdown tables (docs/CONFIG.md); terminal text for one
 * key, a section or, with path NULL, all. Indices in path are passed over.
 * Errors: TY_ERR_ARG there is no such key; the message says which was meant, also by foreign (NULL: none),
 * or which there are. */
void ty_rows_schema(const ty_rows *rows, const char *title, ty_text *out);
void ty_rows_markdown(const ty_rows *rows, ty_text *out);
ty_status ty_rows_explain(ty_ctx *ctx, const ty_rows *rows, const ty_foreign_name *foreign,
                          const char *path, ty_text *out) TY_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
