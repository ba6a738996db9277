/* Private to base: YAML's side of a document. doc_yaml.c reads events into the tree,
 * doc_yaml_core.c says what a plain scalar is, doc_yaml_problem.c what libyaml found wrong. */
#ifndef TY_BASE_DOC_YAML_H
#define TY_BASE_DOC_YAML_H

#include <yaml.h>

#include "base/doc_tree.h"

/* --- doc_yaml_core.c: YAML 1.2's core schema ---------------------------------------------------- */

typedef enum doc_kind {
    DOC_STRING,
    DOC_NULL,
    DOC_FALSE,
    DOC_TRUE,
    DOC_INT,
    DOC_REAL,
    DOC_NOT_FINITE, /* .inf and .nan: numbers that neither JSON nor any key has a place for */
} doc_kind;

/* What a plain scalar is by YAML 1.2.2, section 10.3.2: yes, no, on, off, 1_000 and dates are
 * strings, 007 is seven. */
doc_kind ty_doc_yaml_kind(const char *text);

/* A DOC_INT or DOC_REAL as JSON spells it: as it was written where that is JSON, otherwise +1 as 1,
 * .5 as 0.5, 1. as 1.0, 007 as 7, 0o17 and 0x1F in decimal (what 64 bits do not hold stays beyond
 * 63). NULL when memory is out. */
const char *ty_doc_yaml_number(ty_arena *arena, const char *text) TY_MUST_USE;

/* --- doc_yaml_place.c: where an event was ------------------------------------------------------- */

/* libyaml counts characters, the document bytes. */
typedef struct doc_counter {
    const char *text;         /* behind a byte-order mark */
    size_t characters, bytes; /* in text */
    size_t mark;              /* bytes of the byte-order mark */
    int line, column;
} doc_counter;

void ty_doc_counter_init(doc_counter *counter, const doc_source *source);

/* From the character begin to the character end of text; quick when the begins ascend. */
doc_span ty_doc_counter_span(doc_counter *counter, size_t begin, size_t end);

/* --- doc_yaml_problem.c ------------------------------------------------------------------------- */

/* Refuses what YAML 1.1 and 1.2 read differently, and what a parser must not see. */
ty_status ty_doc_yaml_check(ty_ctx *ctx, const doc_source *source) TY_MUST_USE;

/* The parser's failure in our words, with its place; TY_ERR_CONFIG, or TY_ERR_NOMEM. */
ty_status ty_doc_yaml_problem(ty_ctx *ctx, const doc_source *source, doc_counter *counter,
                              const yaml_parser_t *parser) TY_MUST_USE;

#endif
