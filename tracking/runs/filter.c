/* The grammar, from left to right with one look ahead; every refusal names its column. */
#include "tracking/runs/filter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tracking/runs/filter_clause.h"

typedef struct parser {
    ty_ctx *ctx;
    ty_arena *arena;
    const char *what; /* "filter", "order" */
    const char *text, *at;
} parser;

/* --- words ------------------------------------------------------------------------------------ */

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_spaces(parser *p) {
    while (is_space(*p->at))
        p->at++;
}

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_bare(char c) {
    return is_letter(c) || is_digit(c) || (c != '\0' && strchr("./-:", c));
}

static bool is_quote(char c) {
    return c == '\'' || c == '"';
}

static ty_status refuse(const parser *p, const char *at, const char *why) {
    return ty_fail(p->ctx, TY_ERR_ARG, "%s, column %d: %s", p->what, (int)(at - p->text) + 1, why);
}

static ty_status refuse_seen(const parser *p, const char *at, const char *wanted) {
    char seen[32];
    size_t length = 0;
    while (at[length] && !is_space(at[length]) && length < sizeof seen - 8)
        length++;
    while (length > 0 && ((unsigned char)at[length] & 0xc0) == 0x80)
        length--; /* no half characters */
    memcpy(seen, at, length);
    seen[length] = '\0';
    if (length == 0)
        return ty_fail(p->ctx, TY_ERR_ARG, "%s, column %d: it ends here, want %s", p->what,
                       (int)(at - p->text) + 1, wanted);
    return ty_fail(p->ctx, TY_ERR_ARG, "%s, column %d: \"%s\", want %s", p->what,
                   (int)(at - p->text) + 1, seen, wanted);
}

static bool is_same_word(const char *at, const char *word, size_t length) {
    for (size_t i = 0; i < length; i++) {
        const char c = at[i] >= 'a' && at[i] <= 'z' ? (char)(at[i] - 'a' + 'A') : at[i];
        if (c != word[i])
            return false;
    }
    return true;
}

/* Steps over the word (in capitals) where it stands here and ends here. */
static bool take_word(parser *p, const char *word) {
    const size_t length = strlen(word);
    if (strnlen(p->at, length) < length || !is_same_word(p->at, word, length) ||
        is_letter(p->at[length]) || is_digit(p->at[length]))
        return false;
    p->at += length;
    skip_spaces(p);
    return true;
}

static ty_status copy(const parser *p, const char *from, size_t length, const char **out) {
    *out = ty_arena_string_n(p->arena, from, length);
    return *out ? TY_OK : ty_fail_nomem(p->ctx, "a filter");
}

/* --- fields ----------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    ty_run_entity entity;
} entities[] = {
    {"metrics", TY_RUN_OF_METRIC},
    {"metric", TY_RUN_OF_METRIC},
    {"params", TY_RUN_OF_PARAM},
    {"param", TY_RUN_OF_PARAM},
    {"parameters", TY_RUN_OF_PARAM},
    {"parameter", TY_RUN_OF_PARAM},
    {"tags", TY_RUN_OF_TAG},
    {"tag", TY_RUN_OF_TAG},
    {"attributes", TY_RUN_OF_ATTRIBUTE},
    {"attribute", TY_RUN_OF_ATTRIBUTE},
    {"attr", TY_RUN_OF_ATTRIBUTE},
    {"run", TY_RUN_OF_ATTRIBUTE},
    {"datasets", TY_RUN_OF_DATASET},
    {"dataset", TY_RUN_OF_DATASET},
};

static const struct {
    const char *name;
    ty_run_entity entity;
    ty_run_attribute attribute;
} attributes[] = {
    {"run_id", TY_RUN_OF_ATTRIBUTE, TY_RUN_ID},
    {"run_name", TY_RUN_OF_ATTRIBUTE, TY_RUN_NAME},
    {"run name", TY_RUN_OF_ATTRIBUTE, TY_RUN_NAME},
    {"Run name", TY_RUN_OF_ATTRIBUTE, TY_RUN_NAME},
    {"Run Name", TY_RUN_OF_ATTRIBUTE, TY_RUN_NAME},
    {"user_id", TY_RUN_OF_ATTRIBUTE, TY_RUN_USER},
    {"status", TY_RUN_OF_ATTRIBUTE, TY_RUN_STATUS},
    {"artifact_uri", TY_RUN_OF_ATTRIBUTE, TY_RUN_ARTIFACT_URI},
    {"start_time", TY_RUN_OF_ATTRIBUTE, TY_RUN_START_TIME},
    {"created", TY_RUN_OF_ATTRIBUTE, TY_RUN_START_TIME},
    {"Created", TY_RUN_OF_ATTRIBUTE, TY_RUN_START_TIME},
    {"end_time", TY_RUN_OF_ATTRIBUTE, TY_RUN_END_TIME},
    {"name", TY_RUN_OF_DATASET, TY_RUN_DATASET_NAME},
    {"digest", TY_RUN_OF_DATASET, TY_RUN_DATASET_DIGEST},
    {"context", TY_RUN_OF_DATASET, TY_RUN_DATASET_CONTEXT},
};
enum {
    N_ENTITIES = sizeof entities / sizeof entities[0],
    N_ATTRIBUTES = sizeof attributes / sizeof attributes[0]
};

static ty_status find_entity(const parser *p, const char *at, const char *name,
                             ty_run_entity *out) {
    for (int i = 0; i < N_ENTITIES; i++)
        if (strcmp(name, entities[i].name) == 0) {
            *out = entities[i].entity;
            return TY_OK;
        }
    return refuse_seen(p, at, "metrics., params., tags., attributes. or dataset. in front");
}

static ty_status find_attribute(const parser *p, const char *at, ty_run_field *field) {
    for (int i = 0; i < N_ATTRIBUTES; i++)
        if (attributes[i].entity == field->entity && strcmp(field->key, attributes[i].name) == 0) {
            field->attribute = attributes[i].attribute;
            return TY_OK;
        }
    return refuse_seen(p, at,
                       field->entity == TY_RUN_OF_DATASET
                           ? "dataset.name, dataset.digest or dataset.context"
                           : "run_id, run_name, user_id, status, artifact_uri, start_time or "
                             "end_time; a metric is metrics.NAME, a param params.NAME");
}

/* What stands between two of the same quotes here, without them. */
static ty_status take_quoted(parser *p, const char **out) {
    const char *begin = p->at + 1, *end = strchr(begin, *p->at);
    if (!end)
        return refuse(p, p->at, "this quote is never closed");
    p->at = end + 1;
    return copy(p, begin, (size_t)(end - begin), out);
}

/* The part before the first dot, which moves past it; NULL: there is no dot. */
static ty_status take_entity(parser *p, const char **out) {
    const char *begin = p->at;
    *out = NULL;
    if (*begin == '`') {
        TY_TRY(take_quoted(p, out));
        if (*p->at != '.') { /* `run name`, an attribute alone */
            p->at = begin;
            *out = NULL;
            return TY_OK;
        }
        p->at++;
        return TY_OK;
    }
    size_t length = 0;
    while (is_letter(begin[length]) || is_digit(begin[length]))
        length++;
    if (begin[length] != '.')
        return TY_OK;
    p->at += length + 1;
    return copy(p, begin, length, out);
}

static ty_status take_key(parser *p, const char **out) {
    const char *begin = p->at;
    if (*begin == '`' || is_quote(*begin))
        return take_quoted(p, out);
    size_t length = 0;
    while (is_bare(begin[length]))
        length++;
    if (length == 0)
        return refuse_seen(p, begin, "a name");
    p->at += length;
    return copy(p, begin, length, out);
}

static ty_status take_field(parser *p, ty_run_field *out) {
    const char *begin = p->at, *entity = NULL;
    *out = (ty_run_field){.entity = TY_RUN_OF_ATTRIBUTE};
    TY_TRY(take_entity(p, &entity));
    if (entity)
        TY_TRY(find_entity(p, begin, entity, &out->entity));
    TY_TRY(take_key(p, &out->key));
    if (out->key[0] == '\0')
        return refuse(p, begin, "the name is empty");
    if (out->entity == TY_RUN_OF_ATTRIBUTE || out->entity == TY_RUN_OF_DATASET)
        TY_TRY(find_attribute(p, begin, out));
    skip_spaces(p);
    return TY_OK;
}

/* --- operators -------------------------------------------------------------------------------- */

static const struct {
    const char *sign;
    ty_filter_op op;
} signs[] = {{"!=", TY_FILTER_NE}, {"<=", TY_FILTER_LE}, {">=", TY_FILTER_GE},
             {"=", TY_FILTER_EQ},  {"<", TY_FILTER_LT},  {">", TY_FILTER_GT}};

static ty_status take_sign(parser *p, ty_filter_op *out) {
    if (strncmp(p->at, "==", 2) == 0)
        return refuse(p, p->at, "\"==\", want one =");
    if (strncmp(p->at, "<>", 2) == 0)
        return refuse(p, p->at, "\"<>\", want !=");
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
        const size_t length = strlen(signs[i].sign);
        if (strncmp(p->at, signs[i].sign, length) != 0)
            continue;
        p->at += length;
        skip_spaces(p);
        *out = signs[i].op;
        return TY_OK;
    }
    return refuse_seen(p, p->at, "=, !=, <, <=, >, >=, LIKE, ILIKE, IN or IS NULL");
}

static ty_status take_operator(parser *p, ty_filter_op *out) {
    const char *begin = p->at;
    if (take_word(p, "LIKE")) {
        *out = TY_FILTER_LIKE;
    } else if (take_word(p, "ILIKE")) {
        *out = TY_FILTER_ILIKE;
    } else if (take_word(p, "IN")) {
        *out = TY_FILTER_IN;
    } else if (take_word(p, "NOT")) {
        *out = TY_FILTER_NOT_IN;
        if (!take_word(p, "IN"))
            return refuse(p, begin, "MLflow's filters know no NOT but NOT IN and IS NOT NULL");
    } else if (take_word(p, "IS")) {
        *out = take_word(p, "NOT") ? TY_FILTER_IS_NOT_NULL : TY_FILTER_IS_NULL;
        if (!take_word(p, "NULL"))
            return refuse_seen(p, p->at, "IS NULL or IS NOT NULL");
    } else {
        return take_sign(p, out);
    }
    return TY_OK;
}

static bool is_number_field(const ty_run_field *field) {
    return field->entity == TY_RUN_OF_METRIC ||
           (field->entity == TY_RUN_OF_ATTRIBUTE &&
            (field->attribute == TY_RUN_START_TIME || field->attribute == TY_RUN_END_TIME));
}

static ty_status check_operator(const parser *p, const char *at, const ty_run_field *field,
                                ty_filter_op op) {
    const bool is_nullable = field->entity == TY_RUN_OF_PARAM || field->entity == TY_RUN_OF_TAG;
    const bool takes_lists =
        field->entity == TY_RUN_OF_DATASET ||
        (field->entity == TY_RUN_OF_ATTRIBUTE && field->attribute == TY_RUN_ID);
    if (op == TY_FILTER_EQ || op == TY_FILTER_NE)
        return TY_OK;
    if (op == TY_FILTER_IS_NULL || op == TY_FILTER_IS_NOT_NULL)
        return is_nullable ? TY_OK : refuse(p, at, "IS NULL asks for params and tags alone");
    if (is_number_field(field))
        return op <= TY_FILTER_GE ? TY_OK
                                  : refuse_seen(p, at, "=, !=, <, <=, > or >= for a number");
    if (op == TY_FILTER_LIKE || op == TY_FILTER_ILIKE)
        return TY_OK;
    if (op == TY_FILTER_IN || op == TY_FILTER_NOT_IN)
        return takes_lists ? TY_OK : refuse(p, at, "lists are for run_id and dataset. alone");
    return refuse_seen(p, at, "=, !=, LIKE or ILIKE for a text");
}

/* --- values ----------------------------------------------------------------------------------- */

/* What a double is written with in decimal; "inf", "0x10" and the like are none. */
static size_t number_length(const char *at) {
    size_t n = at[0] == '-' || at[0] == '+';
    const size_t first = n;
    while (is_digit(at[n]) || at[n] == '.')
        n++;
    if (n == first)
        return 0;
    if ((at[n] == 'e' || at[n] == 'E') &&
        is_digit(at[n + 1 + (at[n + 1] == '-' || at[n + 1] == '+')])) {
        n += 2;
        while (is_digit(at[n]))
            n++;
    }
    return n;
}

static ty_status take_number(parser *p, double *out) {
    const char *begin = p->at;
    const size_t length = number_length(begin);
    char *end = NULL;
    if (is_quote(*begin))
        return refuse(p, begin, "a text, want a number without quotes");
    if (length > 0)
        *out = strtod(begin, &end);
    if (length == 0 || end != begin + length || is_letter(*end) || *end == '.')
        return refuse_seen(p, begin, "a number");
    p->at = end;
    return TY_OK;
}

static ty_status take_text(parser *p, ty_filter_text **out) {
    const char *begin = p->at;
    if (!is_quote(*begin))
        return refuse_seen(p, begin, "a text in quotes: 'adamw'");
    const char *end = strchr(begin + 1, *begin);
    if (!end)
        return refuse(p, begin, "this quote is never closed");
    /* MLflow takes both as part of the text, with the first of the two characters. */
    if (end[1] == *begin || end[-1] == '\\')
        return refuse(p, end, "a quote within quotes: write the text in quotes of the other kind");
    ty_filter_text *text = ty_arena_alloc(p->arena, sizeof *text);
    if (!text)
        return ty_fail_nomem(p->ctx, "a filter");
    text->length = (size_t)(end - begin) - 1;
    TY_TRY(copy(p, begin + 1, text->length, &text->text));
    p->at = end + 1;
    skip_spaces(p);
    *out = text;
    return TY_OK;
}

static ty_status take_list(parser *p, const ty_filter_text **out) {
    if (*p->at != '(')
        return refuse_seen(p, p->at, "a list: ('a', 'b')");
    ty_filter_text **link = NULL, *text = NULL;
    do {
        p->at++;
        skip_spaces(p);
        TY_TRY(take_text(p, &text));
        if (link)
            *link = text;
        else
            *out = text;
        link = &text->next;
    } while (*p->at == ',');
    if (*p->at != ')')
        return refuse_seen(p, p->at, "a comma or the list's )");
    p->at++;
    return TY_OK;
}

static ty_status take_value(parser *p, ty_filter_clause *clause) {
    ty_filter_text *text = NULL;
    if (clause->op == TY_FILTER_IS_NULL || clause->op == TY_FILTER_IS_NOT_NULL)
        return TY_OK;
    if (is_number_field(&clause->field))
        return take_number(p, &clause->number);
    if (clause->op == TY_FILTER_IN || clause->op == TY_FILTER_NOT_IN)
        return take_list(p, &clause->texts);
    if (*p->at == '(')
        return refuse(p, p->at, "a list, want IN before it or one text");
    TY_TRY(take_text(p, &text));
    clause->texts = text;
    return TY_OK;
}

/* --- clauses ---------------------------------------------------------------------------------- */

static const char no_logic[] =
    "MLflow's filters have no OR, no NOT and no parentheses: clauses are joined by AND alone";

static ty_status take_clause(parser *p, ty_filter_clause **out) {
    ty_filter_clause *clause = ty_arena_alloc(p->arena, sizeof *clause);
    if (!clause)
        return ty_fail_nomem(p->ctx, "a filter");
    const char *begin = p->at;
    if (*begin == '(' || take_word(p, "NOT"))
        return refuse(p, begin, no_logic);
    TY_TRY(take_field(p, &clause->field));
    begin = p->at;
    TY_TRY(take_operator(p, &clause->op));
    TY_TRY(check_operator(p, begin, &clause->field, clause->op));
    TY_TRY(take_value(p, clause));
    skip_spaces(p);
    *out = clause;
    return TY_OK;
}

ty_status ty_filter_parse(ty_ctx *ctx, const char *text, ty_arena *arena, ty_filter *out) {
    parser p = {.ctx = ctx, .arena = arena, .what = "filter", .text = text, .at = text};
    const ty_filter_clause *first = NULL;
    ty_filter_clause **link = NULL, *clause = NULL;
    *out = (ty_filter){0};
    skip_spaces(&p);
    bool has_more = *p.at != '\0';
    while (has_more) {
        TY_TRY(take_clause(&p, &clause));
        if (link)
            *link = clause;
        else
            first = clause;
        link = &clause->next;
        const char *begin = p.at;
        has_more = take_word(&p, "AND");
        if (!has_more && (take_word(&p, "OR") || *begin == '('))
            return refuse(&p, begin, no_logic);
        if (!has_more && *p.at != '\0')
            return refuse_seen(&p, begin, "AND or the end");
    }
    out->first = first;
    return TY_OK;
}

ty_status ty_run_field_parse(ty_ctx *ctx, const char *text, ty_arena *arena, ty_run_field *out) {
    parser p = {.ctx = ctx, .arena = arena, .what = "column", .text = text, .at = text};
    skip_spaces(&p);
    TY_TRY(take_field(&p, out));
    return *p.at == '\0' ? TY_OK : refuse_seen(&p, p.at, "the end");
}

ty_status ty_run_order_parse(ty_ctx *ctx, const char *text, ty_arena *arena, ty_run_order *out) {
    parser p = {.ctx = ctx, .arena = arena, .what = "order", .text = text, .at = text};
    skip_spaces(&p);
    TY_TRY(take_field(&p, &out->field));
    if (out->field.entity == TY_RUN_OF_DATASET)
        return refuse(&p, text, "runs have no order by their data sets");
    out->is_descending = take_word(&p, "DESC");
    if (!out->is_descending)
        (void)take_word(&p, "ASC");
    return *p.at == '\0' ? TY_OK : refuse_seen(&p, p.at, "ASC or DESC");
}
