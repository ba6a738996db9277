/* MLflow's search grammar over runs as their journals tell them: what `search_runs(filter)` of
 * MLflow's own client answers on the same runs, these answer too.
 *
 *   filter  = clause (AND clause)*             nothing at all: every run
 *   clause  = metric  ("=" | "!=" | ">" | ">=" | "<" | "<=") number
 *           | (param | tag) ("=" | "!=" | LIKE | ILIKE) text
 *           | (param | tag) (IS NULL | IS NOT NULL)
 *           | attribute ("=" | "!=" | LIKE | ILIKE) text       run_id run_name user_id status
 *                                                              artifact_uri
 *           | run_id  (IN | NOT IN) list
 *           | attribute ("=" | "!=" | ">" | ">=" | "<" | "<=") number   start_time end_time (ms)
 *           | dataset ("=" | "!=" | LIKE | ILIKE) text         name digest context
 *           | dataset (IN | NOT IN) list
 *   metric  = (metrics | metric) "." key
 *   param   = (params | param | parameters | parameter) "." key
 *   tag     = (tags | tag) "." key
 *   attribute = [(attributes | attribute | attr | run) "."] name
 *   dataset = (datasets | dataset) "." name
 *   key     = letters, digits and _ . / - : | a quoted one: `val/loss` "val/loss" 'val/loss'
 *   text    = 'in quotes' | "in quotes"        the other kind of quotes may stand inside
 *   list    = "(" text ("," text)* ")"
 *
 * Words in capitals may be written in any case. Beyond MLflow, a key with / - or : needs no quotes
 * here. As there, nothing else than AND joins clauses: no OR, no NOT before a clause, no
 * parentheses. In LIKE's pattern % stands for any text and _ for one character; ILIKE takes a-z for
 * A-Z.
 *
 * A clause on a metric, param or tag that the run has not is false (but for IS NULL), also with !=.
 * A metric's value is its last one; NaN answers to != alone. Texts compare byte by byte, as long as
 * MLflow keeps them (tracking/limits.h). Several data sets: one of them has to fit a clause. */
#ifndef TY_TRACKING_RUNS_FILTER_H
#define TY_TRACKING_RUNS_FILTER_H

#include "base/base.h"
#include "tracking/runs/runs.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ty_run_entity {
    TY_RUN_OF_METRIC,
    TY_RUN_OF_PARAM,
    TY_RUN_OF_TAG,
    TY_RUN_OF_ATTRIBUTE,
    TY_RUN_OF_DATASET
} ty_run_entity;

typedef enum ty_run_attribute {
    TY_RUN_ID,
    TY_RUN_NAME,
    TY_RUN_USER,
    TY_RUN_STATUS,
    TY_RUN_ARTIFACT_URI,
    TY_RUN_START_TIME,
    TY_RUN_END_TIME,
    TY_RUN_DATASET_NAME,
    TY_RUN_DATASET_DIGEST,
    TY_RUN_DATASET_CONTEXT
} ty_run_attribute;

/* What a clause, an order or a column is about. */
typedef struct ty_run_field {
    ty_run_entity entity;
    ty_run_attribute attribute; /* of a run or of its data sets */
    const char *key;            /* of a metric, param or tag; else the attribute's name */
} ty_run_field;

typedef struct ty_filter_clause ty_filter_clause;
typedef struct ty_filter {
    const ty_filter_clause *first; /* NULL: every run matches */
} ty_filter;

typedef struct ty_run_order {
    ty_run_field field;
    bool is_descending;
} ty_run_order;

/* Reads a filter; all of it lives in arena (nothing of text is borrowed).
 * Errors: TY_ERR_ARG "filter, column 7: ..." with what was seen and what is wanted. */
ty_status ty_filter_parse(ty_ctx *ctx, const char *text, ty_arena *arena,
                          ty_filter *out) TY_MUST_USE;

/* Pure. The record must have been read with at least ty_filter_parts. */
bool ty_filter_matches(const ty_filter *filter, const ty_run_record *run);

/* The parts of a record (TY_RUN_PARAMS...) that the filter looks at. */
unsigned ty_filter_parts(const ty_filter *filter);

/* The metrics and params that the filter names, each once, in its order; in arena. NULL: no memory.
 */
const ty_run_field *ty_filter_fields(const ty_filter *filter, ty_arena *arena, int64_t *out_n);

/* "metrics.val/loss", "params.`a b`", "start_time": a field alone, as columns and orders name it.
 * Errors: TY_ERR_ARG. */
ty_status ty_run_field_parse(ty_ctx *ctx, const char *text, ty_arena *arena,
                             ty_run_field *out) TY_MUST_USE;
unsigned ty_run_field_parts(const ty_run_field *field);
bool ty_run_field_is_same(const ty_run_field *a, const ty_run_field *b);

/* A field of a run; what it has not is NONE. Texts are borrowed from the record and end at length.
 * Of several data sets the first one. */
typedef enum ty_run_cell_kind { TY_RUN_NONE, TY_RUN_NUMBER, TY_RUN_TEXT } ty_run_cell_kind;
typedef struct ty_run_cell {
    ty_run_cell_kind kind;
    double number;
    const char *text;
    size_t length;
} ty_run_cell;
ty_run_cell ty_run_field_of(const ty_run_field *field, const ty_run_record *run);

/* "metrics.val/loss ASC", "start_time DESC"; ASC where nothing is said. Errors: TY_ERR_ARG. */
ty_status ty_run_order_parse(ty_ctx *ctx, const char *text, ty_arena *arena,
                             ty_run_order *out) TY_MUST_USE;

/* Below 0: a comes first. As MLflow orders: by each order in turn, whatever has no value last (a
 * NaN just before), ties newest first, and then by run id. */
int ty_run_order_compare(const ty_run_order *orders, int64_t n_orders, const ty_run_record *a,
                         const ty_run_record *b);

#ifdef __cplusplus
}
#endif
#endif
