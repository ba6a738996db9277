/* JSON Schema 2020-12 of a config, for editors: the rows say all of it, nothing is written twice.
 * Forms of variants become $defs, since layers may hold layers. */
#include "base/rows_value.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEFS = 64, DEF_NAME_BYTES = 96 };

/* A list of forms that is, or is going to be, in $defs. */
typedef struct definition {
    const ty_variant_row *forms;
    const ty_variant_row *form_without_type; /* the default's: "type" may be left out */
    char name[DEF_NAME_BYTES];
} definition;

typedef struct writer {
    json_t *defs;
    definition seen[MAX_DEFS];
    int n_seen;
    bool is_short; /* jansson ran out of memory, or there are too many definitions */
} writer;

static json_t *schema_of(writer *w, const ty_row *row);

/* Steals value. */
static void put(writer *w, json_t *object, const char *key, json_t *value) {
    if (json_object_set_new(object, key, value) != 0)
        w->is_short = true;
}

static void push(writer *w, json_t *list, json_t *value) {
    if (json_array_append_new(list, value) != 0)
        w->is_short = true;
}

static json_t *type_of(writer *w, const char *type) {
    json_t *schema = json_object();
    put(w, schema, "type", json_string(type));
    return schema;
}

static json_t *constant(writer *w, json_t *value) {
    json_t *schema = json_object();
    put(w, schema, "const", value);
    return schema;
}

/* {"anyOf": [a, b]} */
static json_t *either(writer *w, json_t *a, json_t *b) {
    json_t *schema = json_object(), *list = json_array();
    push(w, list, a);
    push(w, list, b);
    put(w, schema, "anyOf", list);
    return schema;
}

/* --- plain values ----------------------------------------------------------------------------- */

static json_t *bound(double value) {
    bool is_whole = value == floor(value) && fabs(value) <= 9007199254740992.0;
    return is_whole ? json_integer((json_int_t)value) : json_real(value);
}

static json_t *number(writer *w, const ty_row *row, const char *type) {
    json_t *schema = type_of(w, type);
    if (ty_row_has_min(row))
        put(w, schema, row->min_is_open ? "exclusiveMinimum" : "minimum", bound(row->min));
    if (ty_row_has_max(row))
        put(w, schema, row->max_is_open ? "exclusiveMaximum" : "maximum", bound(row->max));
    return row->allows_auto ? either(w, schema, constant(w, json_string("auto"))) : schema;
}

/* A list of items, or one item for a list of one. Steals item. */
static json_t *one_or_list(writer *w, json_t *item) {
    json_t *list = type_of(w, "array");
    put(w, list, "items", json_incref(item));
    return either(w, item, list);
}

static json_t *choice(writer *w, const ty_row *row) {
    json_t *schema = json_object(), *names = json_array();
    for (int i = 0; row->choices[i]; i++)
        push(w, names, json_string(row->choices[i]));
    put(w, schema, "enum", names);
    return schema;
}

static json_t *amount(writer *w, const ty_row *row) {
    ty_text pattern = {0};
    ty_row_add_pattern(row, &pattern);
    json_t *schema = type_of(w, "string");
    put(w, schema, "pattern", json_string(ty_text_string(&pattern)));
    w->is_short = w->is_short || pattern.is_short;
    ty_text_clear(&pattern);
    unsigned units = row->units & ~(1u << TY_UNIT_NONE);
    bool is_single = units && (units & (units - 1)) == 0;
    return is_single ? either(w, schema, number(w, row, "number")) : schema;
}

/* --- objects ---------------------------------------------------------------------------------- */

/* Whether the row's key has to be written: it has no default, or is a section with such a key. */
static bool is_required(const ty_row *row) {
    if (row->type != TY_ROW_SECTION)
        return !row->fallback;
    for (int64_t i = 0; i < row->rows->n; i++)
        if (is_required(&row->rows->v[i]))
            return true;
    return false;
}

static void add_rows(writer *w, const ty_rows *rows, json_t *properties, json_t *required) {
    for (int64_t i = 0; rows && i < rows->n; i++) {
        put(w, properties, rows->v[i].key, schema_of(w, &rows->v[i]));
        if (is_required(&rows->v[i]))
            push(w, required, json_string(rows->v[i].key));
    }
}

/* Steals properties and required. */
static json_t *object_of(writer *w, json_t *properties, json_t *required) {
    json_t *schema = type_of(w, "object");
    put(w, schema, "properties", properties);
    if (json_array_size(required) > 0)
        put(w, schema, "required", json_incref(required));
    put(w, schema, "additionalProperties", json_false());
    json_decref(required);
    return schema;
}

static json_t *section(writer *w, const ty_rows *rows) {
    json_t *properties = json_object(), *required = json_array();
    add_rows(w, rows, properties, required);
    return object_of(w, properties, required);
}

/* --- variants --------------------------------------------------------------------------------- */

static json_t *form_object(writer *w, const ty_variant_row *form, bool may_lack_type) {
    json_t *properties = json_object(), *required = json_array();
    put(w, properties, "type", constant(w, json_string(form->type)));
    if (!may_lack_type)
        push(w, required, json_string("type"));
    add_rows(w, form->rows, properties, required);
    json_t *schema = object_of(w, properties, required);
    put(w, schema, "description", json_string(form->help ? form->help : form->type));
    return schema;
}

static bool has_required(const ty_rows *rows) {
    const ty_row section_row = {.type = TY_ROW_SECTION, .rows = rows};
    return rows && is_required(&section_row);
}

/* The bare names of forms that need no keys, then each form as an object. */
static json_t *forms_schema(writer *w, const ty_variant_row *forms, const ty_variant_row *untyped) {
    json_t *schema = json_object(), *list = json_array(), *names = json_array();
    for (const ty_variant_row *form = forms; form->type; form++)
        if (!has_required(form->rows))
            push(w, names, json_string(form->type));
    json_t *bare = json_object();
    bool has_names = json_array_size(names) > 0;
    put(w, bare, "enum", names);
    if (has_names)
        push(w, list, bare);
    else
        json_decref(bare);
    for (const ty_variant_row *form = forms; form->type; form++)
        push(w, list, form_object(w, form, form == untyped));
    put(w, schema, "oneOf", list);
    return schema;
}

/* The form that the row's default names. */
static const ty_variant_row *default_form(const ty_row *row) {
    json_t *json = row->fallback ? json_loads(row->fallback, JSON_DECODE_ANY, NULL) : NULL;
    const json_t *name = json_is_object(json) ? json_object_get(json, "type") : json;
    const ty_variant_row *found = NULL;
    for (const ty_variant_row *form = row->variants; json_is_string(name) && form->type; form++)
        if (strcmp(form->type, json_string_value(name)) == 0)
            found = form;
    json_decref(json);
    return found;
}

static const char *define(writer *w, const ty_row *row) {
    const ty_variant_row *untyped = row->type == TY_ROW_VARIANT ? default_form(row) : NULL;
    int n_same = 0;
    for (int i = 0; i < w->n_seen; i++) {
        if (w->seen[i].forms == row->variants && w->seen[i].form_without_type == untyped)
            return w->seen[i].name;
        n_same += strncmp(w->seen[i].name, row->key, strlen(row->key)) == 0;
    }
    if (w->n_seen == MAX_DEFS || strlen(row->key) > DEF_NAME_BYTES - 16) {
        w->is_short = true;
        return "";
    }
    definition *def = &w->seen[w->n_seen++]; /* before its forms are: they may need it themselves */
    *def = (definition){.forms = row->variants, .form_without_type = untyped};
    (void)snprintf(def->name, sizeof def->name, n_same ? "%s_%d" : "%s", row->key, n_same + 1);
    put(w, w->defs, def->name, forms_schema(w, row->variants, untyped));
    return def->name;
}

static json_t *variant(writer *w, const ty_row *row) {
    json_t *schema = json_object();
    put(w, schema, "$ref", json_sprintf("#/$defs/%s", define(w, row)));
    return schema;
}

static json_t *variants(writer *w, const ty_row *row) {
    json_t *schema = type_of(w, "array");
    put(w, schema, "items", variant(w, row));
    return schema;
}

/* --- what a room reads by itself --------------------------------------------------------------- */

static json_t *inside(writer *w, const ty_row *row, const char *type) {
    json_t *schema = type_of(w, type);
    json_t *more = row->inside ? json_loads(row->inside, 0, NULL) : NULL;
    w->is_short = w->is_short || (row->inside && json_object_update(schema, more) != 0);
    json_decref(more);
    return schema;
}

/* --- rows ------------------------------------------------------------------------------------- */

static json_t *value_schema(writer *w, const ty_row *row) {
    switch (row->type) {
    case TY_ROW_BOOL:
        return type_of(w, "boolean");
    case TY_ROW_INT:
        return number(w, row, "integer");
    case TY_ROW_REAL:
        return number(w, row, "number");
    case TY_ROW_TEXT:
        return type_of(w, "string");
    case TY_ROW_CHOICE:
        return choice(w, row);
    case TY_ROW_AMOUNT:
        return amount(w, row);
    case TY_ROW_REALS:
        return one_or_list(w, number(w, row, "number"));
    case TY_ROW_TEXTS:
        return one_or_list(w, type_of(w, "string"));
    case TY_ROW_SECTION:
        return section(w, row->rows);
    case TY_ROW_VARIANT:
        return variant(w, row);
    case TY_ROW_VARIANTS:
        return variants(w, row);
    case TY_ROW_OBJECT:
        return inside(w, row, "object");
    case TY_ROW_LIST:
        return inside(w, row, "array");
    }
    return NULL;
}

static json_t *schema_of(writer *w, const ty_row *row) {
    json_t *schema = value_schema(w, row);
    bool may_be_null =
        (row->type == TY_ROW_REAL || row->type == TY_ROW_TEXT || row->type == TY_ROW_VARIANT) &&
        ty_row_admits_null(row);
    if (may_be_null)
        schema = either(w, schema, type_of(w, "null"));
    if (row->help)
        put(w, schema, "description",
            row->unit ? json_sprintf("%s [%s]", row->help, row->unit) : json_string(row->help));
    if (row->fallback)
        put(w, schema, "default", json_loads(row->fallback, JSON_DECODE_ANY, NULL));
    return schema;
}

/* A file that extends another need not say all by itself. */
static json_t *unless_extended(writer *w, json_t *required) {
    json_t *extends = json_array(), *extended = json_object(), *whole = json_object();
    push(w, extends, json_string("extends"));
    put(w, extended, "required", extends);
    put(w, whole, "required", required);
    json_t *list = json_array();
    push(w, list, extended);
    push(w, list, whole);
    return list;
}

static json_t *root_schema(writer *w, const ty_rows *rows, const char *title) {
    json_t *schema = json_object(), *properties = json_object(), *required = json_array();
    put(w, schema, "$schema", json_string("https://json-schema.org/draft/2020-12/schema"));
    put(w, schema, "title", json_string(title));
    put(w, schema, "type", json_string("object"));
    put(w, properties, "$schema", type_of(w, "string"));
    put(w, properties, "extends", one_or_list(w, type_of(w, "string")));
    add_rows(w, rows, properties, required);
    put(w, schema, "properties", properties);
    put(w, schema, "additionalProperties", json_false());
    if (json_array_size(required) > 0)
        put(w, schema, "anyOf", unless_extended(w, json_incref(required)));
    json_decref(required);
    if (json_object_size(w->defs) > 0)
        put(w, schema, "$defs", json_incref(w->defs));
    return schema;
}

void ty_rows_schema(const ty_rows *rows, const char *title, ty_text *out) {
    writer w = {.defs = json_object()};
    json_t *schema = root_schema(&w, rows, title);
    /* 15 digits: 0.1 rather than 0.10000000000000001. */
    char *text = json_dumps(schema, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    if (text && !w.is_short) {
        ty_text_add(out, text);
        ty_text_add(out, "\n");
    } else {
        out->is_short = true;
    }
    free(text);
    json_decref(schema);
    json_decref(w.defs);
}
