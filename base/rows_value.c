/* What one row makes of one value. */
#include "base/rows_value.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void ty_rows_path_add(ty_text *out, const rows_path *path) {
    if (!path)
        return;
    ty_rows_path_add(out, path->parent);
    if (path->parent)
        ty_text_add(out, ".");
    if (path->key)
        ty_text_add(out, path->key);
    else
        ty_text_addf(out, "%lld", (long long)path->index);
}

/* --- the value a row has in a document -------------------------------------------------------- */

static size_t bucket_of(const ty_row *row) {
    return ((uintptr_t)row / sizeof(void *)) % DOC_FALLBACK_BUCKETS;
}

static const doc_node *find_fallback(const ty_doc *doc, const ty_row *row) {
    const doc_fallback *at = doc->fallbacks[bucket_of(row)];
    while (at && at->row != row)
        at = at->next;
    return at ? at->node : NULL;
}

ty_status ty_row_parse_fallback(ty_ctx *ctx, ty_doc *doc, const ty_row *row, const doc_node **out) {
    *out = find_fallback(doc, row);
    if (*out || !row->fallback)
        return TY_OK;
    doc_fallback *fallback = ty_arena_alloc(&doc->arena, sizeof *fallback);
    doc_source *source = ty_arena_alloc(&doc->arena, sizeof *source);
    if (!fallback || !source)
        return ty_fail_nomem(ctx, "a default");
    *source = (doc_source){.name = row->key, .text = row->fallback, .bytes = strlen(row->fallback)};
    int64_t n_values = doc->n_values;
    ty_status st = ty_doc_parse_source(ctx, doc, source,
                                       &(doc_parse_options){.is_strict = true, .is_fragment = true},
                                       &fallback->node);
    doc->n_values = n_values; /* defaults are not the user's */
    if (st != TY_OK)
        return ty_fail_within(ctx, TY_ERR_INTERNAL, "the default of row \"%s\"", row->key);
    ty_doc_mark(fallback->node, NULL);
    fallback->row = row;
    fallback->next = doc->fallbacks[bucket_of(row)];
    doc->fallbacks[bucket_of(row)] = fallback;
    *out = fallback->node;
    return TY_OK;
}

const doc_node *ty_row_value(const ty_doc *doc, const ty_row *row, const doc_node *section) {
    const doc_node *member = section ? ty_doc_member(section, row->key) : NULL;
    return member ? member : find_fallback(doc, row);
}

const doc_node *ty_row_type_node(const ty_doc *doc, const ty_row *row, const doc_node *node) {
    if (!json_is_object(node->json))
        return node;
    const doc_node *type = ty_doc_member(node, "type");
    if (type || row->type != TY_ROW_VARIANT)
        return type;
    const doc_node *fallback = find_fallback(doc, row);
    return fallback && fallback != node && !json_is_null(fallback->json)
               ? ty_row_type_node(doc, row, fallback)
               : NULL;
}

const ty_variant_row *ty_row_find_variant(const ty_row *row, const doc_node *type) {
    const char *name = type ? json_string_value(type->json) : NULL;
    for (const ty_variant_row *variant = row->variants; name && variant->type; variant++)
        if (strcmp(variant->type, name) == 0)
            return variant;
    return NULL;
}

/* --- numbers ---------------------------------------------------------------------------------- */

bool ty_row_has_min(const ty_row *row) {
    bool is_bounded = row->min < 0 || row->min > 0 || row->max < 0 || row->max > 0 ||
                      row->min_is_open || row->max_is_open;
    return is_bounded && isfinite(row->min);
}

bool ty_row_has_max(const ty_row *row) {
    return row->max > row->min && isfinite(row->max);
}

bool ty_row_admits(const ty_row *row, double value) {
    if (ty_row_has_min(row) && (row->min_is_open ? value <= row->min : value < row->min))
        return false;
    return !ty_row_has_max(row) || (row->max_is_open ? value < row->max : value <= row->max);
}

bool ty_row_admits_null(const ty_row *row) {
    return row->allows_null || (row->fallback && strcmp(row->fallback, "null") == 0);
}

bool ty_value_is_auto(const ty_row *row, const doc_node *node) {
    const char *text = json_string_value(node->json);
    return row->allows_auto && text && strcmp(text, "auto") == 0;
}

bool ty_value_real(const doc_node *node, double *out) {
    if (!json_is_number(node->json))
        return false;
    *out = json_number_value(node->json);
    return true;
}

bool ty_value_int(const doc_node *node, int64_t *out) {
    if (json_is_integer(node->json)) {
        *out = json_integer_value(node->json);
        return true;
    }
    /* 1e6 is an integer that was written as a real; beyond 2^53 a double no longer says which
     * one. */
    double value = json_is_real(node->json) ? json_real_value(node->json) : NAN;
    if (!(fabs(value) <= 9007199254740992.0) || value != floor(value))
        return false;
    *out = (int64_t)value;
    return true;
}

int ty_row_choice(const ty_row *row, const char *name) {
    for (int i = 0; name && row->choices[i]; i++)
        if (strcmp(row->choices[i], name) == 0)
            return i;
    return -1;
}

/* --- amounts ---------------------------------------------------------------------------------- */

typedef struct unit_word {
    const char *word;
    ty_unit unit;
    double scale;
} unit_word;

static const unit_word unit_words[] = {
    {"steps", TY_UNIT_STEPS, 1},      {"step", TY_UNIT_STEPS, 1},
    {"epochs", TY_UNIT_EPOCHS, 1},    {"epoch", TY_UNIT_EPOCHS, 1},
    {"samples", TY_UNIT_SAMPLES, 1},  {"sample", TY_UNIT_SAMPLES, 1},
    {"s", TY_UNIT_SECONDS, 1},        {"sec", TY_UNIT_SECONDS, 1},
    {"seconds", TY_UNIT_SECONDS, 1},  {"second", TY_UNIT_SECONDS, 1},
    {"min", TY_UNIT_SECONDS, 60},     {"minutes", TY_UNIT_SECONDS, 60},
    {"minute", TY_UNIT_SECONDS, 60},  {"h", TY_UNIT_SECONDS, 3600},
    {"hours", TY_UNIT_SECONDS, 3600}, {"hour", TY_UNIT_SECONDS, 3600},
    {"days", TY_UNIT_SECONDS, 86400}, {"day", TY_UNIT_SECONDS, 86400},
    {"%", TY_UNIT_PERCENT, 1},        {"percent", TY_UNIT_PERCENT, 1},
    {"GB", TY_UNIT_BYTES, 1e9},       {"MB", TY_UNIT_BYTES, 1e6},
    {"kB", TY_UNIT_BYTES, 1e3},       {"TB", TY_UNIT_BYTES, 1e12},
    {"GiB", TY_UNIT_BYTES, 0x1p30},   {"MiB", TY_UNIT_BYTES, 0x1p20},
    {"KiB", TY_UNIT_BYTES, 0x1p10},   {"TiB", TY_UNIT_BYTES, 0x1p40},
    {"B", TY_UNIT_BYTES, 1},          {"bytes", TY_UNIT_BYTES, 1},
};
enum { N_UNIT_WORDS = sizeof unit_words / sizeof unit_words[0] };

static bool allows(const ty_row *row, ty_unit unit) {
    return row->units & (1u << unit);
}

/* The number text begins with; *word is what follows it without space. Hexadecimal, nan and inf are
 * none. */
static bool split_amount(const char *text, double *number, const char **word) {
    const char *digit = text + (*text == '-');
    if (*digit < '0' || *digit > '9' || digit[1] == 'x' || digit[1] == 'X')
        return false;
    char *end = NULL;
    *number = strtod(text, &end);
    *word = end + strspn(end, " ");
    return isfinite(*number);
}

static bool text_amount(const ty_row *row, const char *text, ty_amount *out) {
    double number = 0;
    const char *word = NULL;
    if (strcmp(text, "never") == 0 || strcmp(text, "none") == 0) {
        *out = (ty_amount){.unit = TY_UNIT_NONE};
        return allows(row, TY_UNIT_NONE);
    }
    if (!split_amount(text, &number, &word))
        return false;
    for (int i = 0; i < N_UNIT_WORDS; i++)
        if (strcmp(word, unit_words[i].word) == 0) {
            *out = (ty_amount){.value = number * unit_words[i].scale, .unit = unit_words[i].unit};
            return allows(row, out->unit);
        }
    return false;
}

bool ty_value_amount(const ty_row *row, const doc_node *node, ty_amount *out) {
    unsigned units = row->units & ~(1u << TY_UNIT_NONE);
    bool is_single = units && (units & (units - 1)) == 0;
    const char *text = json_string_value(node->json);
    if (text)
        return text_amount(row, text, out);
    if (!is_single || !ty_value_real(node, &out->value))
        return false;
    out->unit = (ty_unit)__builtin_ctz(units);
    return true;
}

char *ty_row_suggest_amount(const ty_row *row, const char *text, ty_arena *arena) {
    double number = 0;
    const char *word = NULL, *nearest = NULL;
    if (!split_amount(text, &number, &word))
        return NULL;
    int best = INT32_MAX;
    for (int i = 0; i < N_UNIT_WORDS; i++) {
        if (!allows(row, unit_words[i].unit))
            continue;
        if (!*word)
            return ty_arena_printf(arena, "write its unit, as in \"%s %s\"", text,
                                   unit_words[i].word);
        if (ty_rows_is_nearer(word, unit_words[i].word, &best))
            nearest = unit_words[i].word;
    }
    return nearest ? ty_arena_printf(arena, "did you mean \"%.*s%s\"?", (int)(word - text), text,
                                     nearest)
                   : NULL;
}

/* --- words ------------------------------------------------------------------------------------ */

void ty_row_add_bounds(const ty_row *row, ty_text *out) {
    bool has_min = ty_row_has_min(row), has_max = ty_row_has_max(row);
    if (has_min) {
        ty_text_add(out, row->min_is_open ? "> " : ">= ");
        ty_text_add_number(out, row->min);
    }
    ty_text_add(out, has_min && has_max ? " and " : "");
    if (has_max) {
        ty_text_add(out, row->max_is_open ? "< " : "<= ");
        ty_text_add_number(out, row->max);
    }
}

void ty_row_add_choices(const ty_row *row, ty_text *out) {
    const char *comma = "";
    for (int i = 0; row->choices && row->choices[i]; i++, comma = ", ")
        ty_text_addf(out, "%s\"%s\"", comma, row->choices[i]);
    for (const ty_variant_row *form = row->variants; form && form->type; form++, comma = ", ")
        ty_text_addf(out, "%s\"%s\"", comma, form->type);
}

static void add_units(const ty_row *row, ty_text *out) {
    static const char *const examples[] = {
        [TY_UNIT_STEPS] = "\"N steps\"",     [TY_UNIT_EPOCHS] = "\"N epochs\"",
        [TY_UNIT_SAMPLES] = "\"N samples\"", [TY_UNIT_SECONDS] = "\"N s\", \"N min\", \"N h\"",
        [TY_UNIT_PERCENT] = "\"N%\"",        [TY_UNIT_NONE] = "\"never\"",
        [TY_UNIT_BYTES] = "\"N MB\", \"N GB\"",
    };
    static const ty_unit order[] = {TY_UNIT_EPOCHS,  TY_UNIT_STEPS,   TY_UNIT_SAMPLES,
                                    TY_UNIT_SECONDS, TY_UNIT_PERCENT, TY_UNIT_BYTES,
                                    TY_UNIT_NONE};
    const char *comma = "";
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
        if (allows(row, order[i])) {
            ty_text_addf(out, "%s%s", comma, examples[order[i]]);
            comma = ", ";
        }
}

void ty_row_add_pattern(const ty_row *row, ty_text *out) {
    ty_text_add(out, allows(row, TY_UNIT_NONE) ? "^(never|none|" : "^(");
    ty_text_add(out, "[0-9]+(\\.[0-9]+)?([eE][+-]?[0-9]+)? *(");
    const char *bar = "";
    for (int i = 0; i < N_UNIT_WORDS; i++)
        if (allows(row, unit_words[i].unit)) {
            ty_text_addf(out, "%s%s", bar, unit_words[i].word);
            bar = "|";
        }
    ty_text_add(out, "))$");
}

static const char *want_noun(const ty_row *row) {
    static const char *const nouns[] = {
        [TY_ROW_BOOL] = "true or false",
        [TY_ROW_INT] = "an integer",
        [TY_ROW_REAL] = "a number",
        [TY_ROW_TEXT] = "a string",
        [TY_ROW_CHOICE] = "",
        [TY_ROW_AMOUNT] = "an amount: ",
        [TY_ROW_REALS] = "a list of numbers",
        [TY_ROW_TEXTS] = "a list of strings",
        [TY_ROW_SECTION] = "an object",
        [TY_ROW_VARIANT] = "",
        [TY_ROW_VARIANTS] = "a list of ",
        [TY_ROW_OBJECT] = "an object",
        [TY_ROW_LIST] = "a list",
    };
    return nouns[row->type];
}

static bool has_one_choice(const ty_row *row) {
    return (row->choices && row->choices[0] && !row->choices[1]) ||
           (row->variants && row->variants[0].type && !row->variants[1].type);
}

void ty_row_add_want(const ty_row *row, ty_text *out) {
    bool is_choice = row->type == TY_ROW_CHOICE || row->type == TY_ROW_VARIANT;
    ty_text_add(out, is_choice && !has_one_choice(row) ? "one of " : want_noun(row));
    if (row->type == TY_ROW_AMOUNT)
        add_units(row, out);
    else if (ty_row_has_min(row) || ty_row_has_max(row)) {
        ty_text_add(out, " ");
        ty_row_add_bounds(row, out);
    }
    ty_row_add_choices(row, out);
    ty_text_add(out, row->allows_auto ? ", or \"auto\"" : "");
    ty_text_add(out, ty_row_admits_null(row) ? ", or null" : "");
}
