/* Whether a run fits a filter, and which of two runs comes first: both as MLflow's SQL answers it
 * on SQLite, where LIKE heeds case and lower() knows a-z alone. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "tracking/runs/filter_clause.h"
#include "tracking/limits.h"
#include "tracking/journal/record.h"

/* --- a run's values --------------------------------------------------------------------------- */

static const ty_run_value *find_exact(const ty_run_value *v, int64_t n, const char *key) {
    for (int64_t i = 0; i < n; i++)
        if (strcmp(v[i].key, key) == 0)
            return &v[i];
    return NULL;
}

/* By the key as MLflow has it, where that is another one. */
static const ty_run_value *find_cleaned(const ty_run_value *v, int64_t n, const char *key) {
    char cleaned[TY_LIMIT_KEY_BYTES];
    for (int64_t i = 0; i < n; i++) {
        ty_limit_key(v[i].key, cleaned);
        if (strcmp(cleaned, key) == 0)
            return &v[i];
    }
    return NULL;
}

const ty_run_value *ty_run_value_of(const ty_run_field *field, const ty_run_record *run) {
    const ty_run_value *v = run->tags;
    int64_t n = run->n_tags;
    if (field->entity == TY_RUN_OF_METRIC) {
        v = run->metrics;
        n = run->n_metrics;
    } else if (field->entity == TY_RUN_OF_PARAM) {
        v = run->params;
        n = run->n_params;
    }
    const ty_run_value *found = find_exact(v, n, field->key);
    return found ? found : find_cleaned(v, n, field->key);
}

static ty_run_cell number_cell(double value) {
    return (ty_run_cell){.kind = TY_RUN_NUMBER, .number = value};
}

/* As much of the text as MLflow keeps. */
static ty_run_cell text_cell(const char *text, int max_characters) {
    if (!text)
        return (ty_run_cell){.kind = TY_RUN_NONE};
    return (ty_run_cell){
        .kind = TY_RUN_TEXT, .text = text, .length = (size_t)ty_limit_bytes(text, max_characters)};
}

static double to_ms(int64_t ns) {
    return (double)(ns / 1000000);
}

ty_run_cell ty_run_attribute_of(ty_run_attribute attribute, const ty_run_record *run) {
    const ty_run_info *info = &run->info;
    switch (attribute) {
    case TY_RUN_ID:
        return text_cell(info->run_id, TY_LIMIT_NAME);
    case TY_RUN_NAME:
        return text_cell(info->name, TY_LIMIT_NAME);
    case TY_RUN_USER:
        return text_cell(info->user ? info->user : "", TY_LIMIT_NAME);
    case TY_RUN_STATUS:
        return text_cell(ty_track_state_name(info->state), TY_LIMIT_NAME);
    case TY_RUN_ARTIFACT_URI:
        return text_cell(info->artifact_uri, TY_LIMIT_TAG);
    case TY_RUN_START_TIME:
        return number_cell(to_ms(info->start_ns));
    case TY_RUN_END_TIME:
        return info->end_ns != 0 ? number_cell(to_ms(info->end_ns))
                                 : (ty_run_cell){.kind = TY_RUN_NONE};
    default:
        return (ty_run_cell){.kind = TY_RUN_NONE};
    }
}

ty_run_cell ty_run_dataset_of(ty_run_attribute attribute, const ty_run_dataset *dataset) {
    if (attribute == TY_RUN_DATASET_NAME)
        return text_cell(dataset->name, TY_LIMIT_DATASET);
    if (attribute == TY_RUN_DATASET_DIGEST)
        return text_cell(dataset->digest, TY_LIMIT_DIGEST);
    return text_cell(dataset->context, TY_LIMIT_CONTEXT);
}

ty_run_cell ty_run_field_of(const ty_run_field *field, const ty_run_record *run) {
    if (field->entity == TY_RUN_OF_ATTRIBUTE)
        return ty_run_attribute_of(field->attribute, run);
    if (field->entity == TY_RUN_OF_DATASET)
        return run->n_datasets > 0 ? ty_run_dataset_of(field->attribute, &run->datasets[0])
                                   : (ty_run_cell){.kind = TY_RUN_NONE};
    const ty_run_value *value = ty_run_value_of(field, run);
    if (!value)
        return (ty_run_cell){.kind = TY_RUN_NONE};
    if (field->entity == TY_RUN_OF_METRIC)
        return number_cell(value->value);
    return text_cell(value->text, field->entity == TY_RUN_OF_PARAM ? TY_LIMIT_PARAM : TY_LIMIT_TAG);
}

unsigned ty_run_field_parts(const ty_run_field *field) {
    switch (field->entity) {
    case TY_RUN_OF_METRIC:
        return TY_RUN_METRICS;
    case TY_RUN_OF_PARAM:
        return TY_RUN_PARAMS;
    case TY_RUN_OF_TAG:
        return TY_RUN_TAGS;
    case TY_RUN_OF_DATASET:
        return TY_RUN_DATASETS;
    default:
        return 0;
    }
}

unsigned ty_filter_parts(const ty_filter *filter) {
    unsigned parts = 0;
    for (const ty_filter_clause *clause = filter->first; clause; clause = clause->next)
        parts |= ty_run_field_parts(&clause->field);
    return parts;
}

bool ty_run_field_is_same(const ty_run_field *a, const ty_run_field *b) {
    return a->entity == b->entity && a->attribute == b->attribute && strcmp(a->key, b->key) == 0;
}

const ty_run_field *ty_filter_fields(const ty_filter *filter, ty_arena *arena, int64_t *out_n) {
    int64_t n = 0, n_clauses = 1;
    for (const ty_filter_clause *clause = filter->first; clause; clause = clause->next)
        n_clauses++;
    ty_run_field *fields = ty_arena_array(arena, (size_t)n_clauses, sizeof *fields);
    for (const ty_filter_clause *clause = filter->first; fields && clause; clause = clause->next) {
        bool is_new =
            clause->field.entity == TY_RUN_OF_METRIC || clause->field.entity == TY_RUN_OF_PARAM;
        for (int64_t i = 0; is_new && i < n; i++)
            is_new = !ty_run_field_is_same(&fields[i], &clause->field);
        if (is_new)
            fields[n++] = clause->field;
    }
    *out_n = fields ? n : 0;
    return fields;
}

/* --- clauses ---------------------------------------------------------------------------------- */

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static size_t character(const char *text, size_t left) {
    size_t n = 1;
    while (n < left && ((unsigned char)text[n] & 0xc0) == 0x80)
        n++;
    return n;
}

/* The last % is the only one that has to be tried again: what the ones before it took never has to
 * be more. */
static bool is_like(const ty_filter_text *pattern, const ty_run_cell *cell, bool is_caseless) {
    const char *p = pattern->text, *s = cell->text;
    const size_t n_p = pattern->length, n_s = cell->length;
    size_t i = 0, k = 0, star = SIZE_MAX, mark = 0;
    while (k < n_s) {
        if (i < n_p && p[i] == '%') {
            star = i++;
            mark = k;
        } else if (i < n_p && p[i] == '_') {
            i++;
            k += character(s + k, n_s - k);
        } else if (i < n_p && (is_caseless ? lower(p[i]) == lower(s[k]) : p[i] == s[k])) {
            i++;
            k++;
        } else if (star != SIZE_MAX) {
            i = star + 1;
            mark += character(s + mark, n_s - mark);
            k = mark;
        } else {
            return false;
        }
    }
    while (i < n_p && p[i] == '%')
        i++;
    return i == n_p;
}

static bool is_same(const ty_filter_text *text, const ty_run_cell *cell) {
    return text->length == cell->length && memcmp(text->text, cell->text, text->length) == 0;
}

static bool is_in(const ty_filter_text *list, const ty_run_cell *cell) {
    for (; list; list = list->next)
        if (is_same(list, cell))
            return true;
    return false;
}

static bool fits_text(const ty_filter_clause *clause, const ty_run_cell *cell) {
    if (cell->kind != TY_RUN_TEXT)
        return false;
    switch (clause->op) {
    case TY_FILTER_EQ:
        return is_same(clause->texts, cell);
    case TY_FILTER_NE:
        return !is_same(clause->texts, cell);
    case TY_FILTER_LIKE:
        return is_like(clause->texts, cell, false);
    case TY_FILTER_ILIKE:
        return is_like(clause->texts, cell, true);
    case TY_FILTER_IN:
        return is_in(clause->texts, cell);
    case TY_FILTER_NOT_IN:
        return !is_in(clause->texts, cell);
    default:
        return false;
    }
}

/* MLflow keeps infinities as the largest doubles. */
static double as_kept(double value) {
    return isinf(value) ? copysign(DBL_MAX, value) : value;
}

static bool fits_number(const ty_filter_clause *clause, const ty_run_cell *cell) {
    if (cell->kind != TY_RUN_NUMBER)
        return false;
    const double a = as_kept(cell->number), b = clause->number;
    switch (clause->op) {
    case TY_FILTER_EQ:
        return a == b;
    case TY_FILTER_NE:
        return a != b;
    case TY_FILTER_LT:
        return a < b;
    case TY_FILTER_LE:
        return a <= b;
    case TY_FILTER_GT:
        return a > b;
    case TY_FILTER_GE:
        return a >= b;
    default:
        return false;
    }
}

static bool fits_dataset(const ty_filter_clause *clause, const ty_run_record *run) {
    for (int64_t i = 0; i < run->n_datasets; i++) {
        const ty_run_cell cell = ty_run_dataset_of(clause->field.attribute, &run->datasets[i]);
        if (fits_text(clause, &cell))
            return true;
    }
    return false;
}

static bool fits(const ty_filter_clause *clause, const ty_run_record *run) {
    if (clause->field.entity == TY_RUN_OF_DATASET)
        return fits_dataset(clause, run);
    const ty_run_cell cell = ty_run_field_of(&clause->field, run);
    if (clause->op == TY_FILTER_IS_NULL)
        return cell.kind == TY_RUN_NONE;
    if (clause->op == TY_FILTER_IS_NOT_NULL)
        return cell.kind != TY_RUN_NONE;
    return cell.kind == TY_RUN_NUMBER ? fits_number(clause, &cell) : fits_text(clause, &cell);
}

bool ty_filter_matches(const ty_filter *filter, const ty_run_record *run) {
    for (const ty_filter_clause *clause = filter->first; clause; clause = clause->next)
        if (!fits(clause, run))
            return false;
    return true;
}

/* --- order ------------------------------------------------------------------------------------ */

/* 0: a value, 1: NaN, 2: none. */
static int absence(const ty_run_cell *cell) {
    if (cell->kind == TY_RUN_NUMBER)
        return isnan(cell->number) ? 1 : 0;
    return cell->kind == TY_RUN_NONE ? 2 : 0;
}

static int compare_texts(const ty_run_cell *a, const ty_run_cell *b) {
    const size_t shorter = a->length < b->length ? a->length : b->length;
    const int by_bytes = memcmp(a->text, b->text, shorter);
    if (by_bytes != 0)
        return by_bytes;
    return (a->length > b->length) - (a->length < b->length);
}

static int compare_by(const ty_run_order *order, const ty_run_record *a, const ty_run_record *b) {
    const ty_run_cell x = ty_run_field_of(&order->field, a), y = ty_run_field_of(&order->field, b);
    const int absent = absence(&x) - absence(&y);
    if (absent != 0 || absence(&x) != 0)
        return absent;
    const int up = x.kind == TY_RUN_NUMBER ? (x.number > y.number) - (x.number < y.number)
                                           : compare_texts(&x, &y);
    return order->is_descending ? -up : up;
}

int ty_run_order_compare(const ty_run_order *orders, int64_t n_orders, const ty_run_record *a,
                         const ty_run_record *b) {
    for (int64_t i = 0; i < n_orders; i++) {
        const int by = compare_by(&orders[i], a, b);
        if (by != 0)
            return by;
    }
    const int64_t x = a->info.start_ns / 1000000, y = b->info.start_ns / 1000000;
    return x != y ? (x < y ? 1 : -1) : strcmp(a->info.run_id, b->info.run_id);
}
