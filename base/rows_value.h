/* Private to base: what loading, walking and describing rows share. */
#ifndef TY_BASE_ROWS_VALUE_H
#define TY_BASE_ROWS_VALUE_H

#include "base/doc_tree.h"
#include "base/rows.h"

/* Where in the config we are: a chain on the stack, turned into "model.layers.2.out" only when
 * somebody has to read it. */
typedef struct rows_path {
    const struct rows_path *parent;
    const char *key; /* NULL: index counts; the root has neither, and is the NULL path */
    int64_t index;
    const doc_node *node; /* what is there, where loading knows it */
} rows_path;

/* Adds "model.layers.2.out"; nothing for the root. */
void ty_rows_path_add(ty_text *out, const rows_path *path);

/* --- the value a row has in a document --------------------------------------------------------- */

/* The row's default, parsed once per document. *out is NULL where the key is required. */
ty_status ty_row_parse_fallback(ty_ctx *ctx, ty_doc *doc, const ty_row *row,
                                const doc_node **out) TY_MUST_USE;

/* section's member of the row's key, else the default parsed before; NULL: neither. section may be
 * NULL. */
const doc_node *ty_row_value(const ty_doc *doc, const ty_row *row, const doc_node *section);

/* The node that says which form a variant has: a bare string, "type", or the default's; NULL:
 * none. */
const doc_node *ty_row_type_node(const ty_doc *doc, const ty_row *row, const doc_node *node);
const ty_variant_row *ty_row_find_variant(const ty_row *row, const doc_node *type);

/* --- reading one value; false: it is of another kind -------------------------------------------- */

bool ty_value_is_auto(const ty_row *row, const doc_node *node);
bool ty_value_int(const doc_node *node, int64_t *out);
bool ty_value_real(const doc_node *node, double *out);
bool ty_value_amount(const ty_row *row, const doc_node *node, ty_amount *out);
bool ty_row_admits(const ty_row *row, double value);
bool ty_row_admits_null(const ty_row *row);
int ty_row_choice(const ty_row *row, const char *name); /* -1: none */

/* A hint for an amount that is none, by its text or its number's text; in arena. NULL: there is
 * nothing to say. */
char *ty_row_suggest_amount(const ty_row *row, const char *text, ty_arena *arena);

/* --- words about rows -------------------------------------------------------------------------- */

void ty_row_add_bounds(const ty_row *row, ty_text *out); /* "> 0 and <= 1"; nothing where unbounded */
void ty_row_add_want(const ty_row *row, ty_text *out);   /* "a number > 0 or \"auto\"" */
void ty_row_add_pattern(const ty_row *row, ty_text *out); /* regular expression of AMOUNT's strings */
void ty_row_add_choices(const ty_row *row, ty_text *out); /* "\"a\", \"b\"", of CHOICE and VARIANT(S) */

bool ty_row_has_min(const ty_row *row);
bool ty_row_has_max(const ty_row *row);

/* --- rows_find.c ------------------------------------------------------------------------------- */

/* What there is to say of an unknown key, in arena; NULL: nothing. */
typedef struct rows_unknown {
    const ty_rows *root;
    const ty_foreign_name *foreign;
    const ty_rows *rows;         /* of the section or form it stands in; may be NULL */
    const ty_row *variant;       /* the row of the variant it stands in; NULL: a section */
    const ty_variant_row *form;  /* its form */
    const char *path, *key;      /* of the unknown key */
} rows_unknown;
char *ty_rows_hint(const rows_unknown *unknown, ty_arena *arena);

/* --- rows_walk.c ------------------------------------------------------------------------------- */

/* The value as JSON text in one line, numbers as they were written. */
void ty_rows_add_json(ty_text *out, const doc_node *node);

#endif
