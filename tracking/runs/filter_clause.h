/* Private to tracking: what the filter's parser hands to its matcher. */
#ifndef TY_TRACKING_RUNS_FILTER_CLAUSE_H
#define TY_TRACKING_RUNS_FILTER_CLAUSE_H

#include "tracking/runs/filter.h"

typedef enum ty_filter_op {
    TY_FILTER_EQ,
    TY_FILTER_NE,
    TY_FILTER_LT,
    TY_FILTER_LE,
    TY_FILTER_GT,
    TY_FILTER_GE,
    TY_FILTER_LIKE,
    TY_FILTER_ILIKE,
    TY_FILTER_IN,
    TY_FILTER_NOT_IN,
    TY_FILTER_IS_NULL,
    TY_FILTER_IS_NOT_NULL
} ty_filter_op;

typedef struct ty_filter_text {
    const char *text;
    size_t length;
    struct ty_filter_text *next;
} ty_filter_text;

struct ty_filter_clause {
    ty_run_field field;
    ty_filter_op op;
    double number;               /* of metrics and times */
    const ty_filter_text *texts; /* one, or a list's */
    struct ty_filter_clause *next;
};

/* The run's value of a metric, param or tag; NULL: it has none. Metrics as MLflow keeps them. */
const ty_run_value *ty_run_value_of(const ty_run_field *field, const ty_run_record *run);

/* An attribute of the run as a cell. */
ty_run_cell ty_run_attribute_of(ty_run_attribute attribute, const ty_run_record *run);

/* One of a data set's three attributes. */
ty_run_cell ty_run_dataset_of(ty_run_attribute attribute, const ty_run_dataset *dataset);

#endif
