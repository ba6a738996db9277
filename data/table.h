/* A CSV file as columns: numbers as doubles, texts as codes. Two passes: the first finds rows and
 * kinds, the second reads the cells into memory of exactly that size. One-hot features are never
 * stored. Private to data/. */
#ifndef TY_DATA_TABLE_H
#define TY_DATA_TABLE_H

#include "data/csv.h"
#include "data/dictionary.h"
#include "data/reader.h"

/* A column of more different texts than this is a name or a number of something, not a category. */
enum {
    TY_TABLE_MAX_CATEGORIES = 1000,
    TY_TABLE_MAX_CLASSES = 100000,
    TY_TABLE_MAX_FEATURES = 1 << 20
};

typedef enum ty_column_kind {
    TY_COLUMN_NUMERIC,
    TY_COLUMN_CATEGORICAL,
    TY_COLUMN_EMPTY /* no cell has a value */
} ty_column_kind;

typedef struct ty_column {
    const char *name;
    ty_column_kind kind;
    bool is_feature;
    int64_t n_missing, n_numbers, n_texts, n_infinite; /* cells of the train file */
    int64_t text_line, infinite_line;                  /* of the first such cell */
    char text_sample[24];                              /* the start of that text */
    double *numbers[TY_SPLIT_COUNT];                   /* numeric: [rows], NAN where missing */
    int32_t *codes[TY_SPLIT_COUNT]; /* categorical: [rows], -1 where missing or unknown */
    ty_dictionary dictionary;
    /* Fitted on the training split. */
    double mean, std;
    int32_t *hot_of_code;    /* categorical: feature of the code, from 0; -1 where train has none */
    const char **categories; /* [n_hot], in the order of their bytes */
    int32_t n_hot;
} ty_column;

typedef struct ty_table {
    ty_arena *arena; /* the content's */
    ty_column *columns;
    int64_t n_columns;
    bool has_header;
    bool is_raw;                  /* numbers are not standardised */
    int64_t target;               /* number of the column */
    int64_t rows[TY_SPLIT_COUNT]; /* by part */
    void *cells[TY_SPLIT_COUNT];  /* what numbers and codes point into; malloc */
    const char *path[TY_SPLIT_COUNT];
} ty_table;

/* First pass over path[TY_SPLIT_TRAIN]: names, kinds, rows; and over path[TY_SPLIT_TEST] where
 * there is one: rows.
 * Errors: TY_ERR_DATA naming file:line:column. */
ty_status ty_table_scan(ty_ctx *ctx, ty_table *table) TY_MUST_USE;

/* Finds target and features by config's names.
 * Errors: TY_ERR_CONFIG with the nearest name; TY_ERR_DATA infinite numbers, no feature left. */
ty_status ty_table_choose(ty_ctx *ctx, const ty_data_config *config, ty_table *table) TY_MUST_USE;

/* Second pass: the cells of target and features of every part.
 * Errors: TY_ERR_DATA; TY_ERR_NOMEM with advice. */
ty_status ty_table_load(ty_ctx *ctx, ty_table *table) TY_MUST_USE;

/* The line of a row, found by reading the file again; 0 where it is not found. For messages. */
int64_t ty_table_line(ty_ctx *ctx, const ty_table *table, int part, int64_t row);

/* Whether a first row names columns: it has text and no number. */
bool ty_table_is_header(const ty_csv_row *row);

/* A number as a feature: standardised unless is_raw, the mean where it is missing (NAN). */
float ty_table_encode(double value, double mean, double std, bool is_raw);

/* Frees the cells; what lies in the arena stays. */
void ty_table_clear(ty_table *table);

#endif
