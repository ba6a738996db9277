/* From a document to the struct that rows describe. Every value is looked at, every error is kept,
 * and all are said at once: who has made three slips wants to hear of three. */
#include "base/rows_value.h"

#include <string.h>

#include "base/rows_report.h"

typedef struct loader {
    ty_ctx *ctx;
    ty_doc *doc;
    const ty_rows *root;
    const ty_foreign_name *foreign;
} loader;

/* What is being loaded: the row, its value and where both stand. */
typedef struct place {
    const ty_row *row;
    const doc_node *node;
    const rows_path *path;
} place;

static ty_status load_rows(loader *l, const ty_rows *rows, const doc_node *section, void *out,
                           const rows_path *path);
static ty_status load_variant(loader *l, const place *at, void *out);

/* --- findings --------------------------------------------------------------------------------- */

static void add_path(ty_text *out, const rows_path *path) {
    if (path)
        ty_rows_path_add(out, path);
    else
        ty_text_add(out, "the document");
}

/* "optimizer.learning_rate is -0.1, want > 0" */
static void reject_value(loader *l, const place *at, const char *want, const char *hint) {
    ty_text message = {0};
    add_path(&message, at->path);
    ty_text_add(&message, " is ");
    ty_report_add_value(&message, at->node);
    ty_text_addf(&message, ", want %s", want);
    ty_report_add(l->doc, at->node, false, &message, hint);
}

static void reject_kind(loader *l, const place *at) {
    ty_text want = {0};
    ty_row_add_want(at->row, &want);
    reject_value(l, at, ty_text_string(&want), NULL);
    ty_text_clear(&want);
}

static void reject_bounds(loader *l, const place *at) {
    ty_text want = {0};
    ty_row_add_bounds(at->row, &want);
    reject_value(l, at, ty_text_string(&want), NULL);
    ty_text_clear(&want);
}

/* A name that is none of the row's choices or forms. */
static void reject_choice(loader *l, const place *at) {
    if (!ty_report_has_room(l->doc)) {
        ty_report_count(l->doc); /* nobody will read it: no need to look for what was meant */
        return;
    }
    const char *written = json_string_value(at->node->json), *nearest = NULL;
    int best = INT32_MAX;
    for (int i = 0; written && at->row->choices && at->row->choices[i]; i++)
        if (ty_rows_is_nearer(written, at->row->choices[i], &best))
            nearest = at->row->choices[i];
    for (const ty_variant_row *f = at->row->variants; written && f && f->type; f++)
        if (ty_rows_is_nearer(written, f->type, &best))
            nearest = f->type;
    ty_text want = {0}, hint = {0};
    ty_row_add_want(at->row, &want);
    if (nearest)
        ty_text_addf(&hint, "did you mean \"%s\"?", nearest);
    reject_value(l, at, ty_text_string(&want), nearest ? ty_text_string(&hint) : NULL);
    ty_text_clear(&want);
    ty_text_clear(&hint);
}

/* A key that is required and absent; the place is that of the nearest thing above it. */
static void reject_missing(loader *l, const rows_path *path, const ty_row *row) {
    ty_text message = {0}, want = {0};
    const rows_path *above = path->parent;
    while (above && !above->node)
        above = above->parent;
    ty_text_add(&message, "missing key \"");
    ty_rows_path_add(&message, path);
    ty_row_add_want(row, &want);
    ty_text_addf(&message, "\", want %s", ty_text_string(&want));
    ty_report_add(l->doc, above ? above->node : l->doc->root, true, &message, NULL);
    ty_text_clear(&want);
}

static void reject_unknown(loader *l, const doc_node *member, const rows_path *path,
                           rows_unknown unknown) {
    if (!ty_report_has_room(l->doc)) {
        ty_report_count(l->doc);
        return;
    }
    const rows_path here = {.parent = path, .key = member->key};
    ty_text name = {0}, message = {0};
    ty_rows_path_add(&name, &here);
    unknown.path = ty_text_string(&name);
    unknown.key = member->key;
    ty_text_add(&message, "unknown key ");
    ty_report_add_text(&message, unknown.path);
    ty_arena_mark mark = ty_arena_mark_here(&l->ctx->scratch);
    ty_report_add(l->doc, member, true, &message, ty_rows_hint(&unknown, &l->ctx->scratch));
    ty_arena_reset(&l->ctx->scratch, mark);
    ty_text_clear(&name);
}

/* --- plain values ----------------------------------------------------------------------------- */

static ty_status load_bool(loader *l, const place *at, void *out) {
    if (!json_is_boolean(at->node->json))
        reject_kind(l, at);
    else
        *(bool *)out = json_is_true(at->node->json);
    return TY_OK;
}

static ty_status load_int(loader *l, const place *at, void *out) {
    int64_t value = TY_AUTO;
    bool is_auto = ty_value_is_auto(at->row, at->node);
    if (!is_auto && !ty_value_int(at->node, &value))
        reject_kind(l, at);
    else if (!is_auto && !ty_row_admits(at->row, (double)value))
        reject_bounds(l, at);
    *(int64_t *)out = value;
    return TY_OK;
}

static ty_status load_real(loader *l, const place *at, void *out) {
    double value = __builtin_nan("");
    bool is_auto = ty_value_is_auto(at->row, at->node) ||
                   (json_is_null(at->node->json) && ty_row_admits_null(at->row));
    if (!is_auto && !ty_value_real(at->node, &value))
        reject_kind(l, at);
    else if (!is_auto && !ty_row_admits(at->row, value))
        reject_bounds(l, at);
    *(double *)out = value;
    return TY_OK;
}

static ty_status load_text(loader *l, const place *at, void *out) {
    bool is_fine = json_is_string(at->node->json) ||
                   (json_is_null(at->node->json) && ty_row_admits_null(at->row));
    if (!is_fine)
        reject_kind(l, at);
    *(const char **)out = json_string_value(at->node->json);
    return TY_OK;
}

static ty_status load_choice(loader *l, const place *at, void *out) {
    int choice = ty_row_choice(at->row, json_string_value(at->node->json));
    if (choice < 0)
        reject_choice(l, at);
    *(int *)out = choice;
    return TY_OK;
}

static ty_status load_amount(loader *l, const place *at, void *out) {
    ty_amount amount = {0};
    if (!ty_value_amount(at->row, at->node, &amount)) {
        ty_text want = {0};
        ty_row_add_want(at->row, &want);
        const char *string = json_string_value(at->node->json);
        const char *text = string ? string : at->node->number;
        ty_arena_mark mark = ty_arena_mark_here(&l->ctx->scratch);
        char *hint = text ? ty_row_suggest_amount(at->row, text, &l->ctx->scratch) : NULL;
        reject_value(l, at, ty_text_string(&want), hint);
        ty_arena_reset(&l->ctx->scratch, mark);
        ty_text_clear(&want);
    } else if (amount.unit == TY_UNIT_PERCENT && amount.value > 100) {
        reject_value(l, at, "0% to 100%", NULL);
    } else if (amount.unit != TY_UNIT_NONE && !ty_row_admits(at->row, amount.value)) {
        reject_bounds(l, at);
    } else if (amount.value < 0) {
        reject_value(l, at, ">= 0", NULL);
    }
    *(ty_amount *)out = amount;
    return TY_OK;
}

/* --- lists ------------------------------------------------------------------------------------ */

static ty_status load_real_item(loader *l, const place *at, double *out) {
    static const ty_row number = {.type = TY_ROW_REAL};
    if (!ty_value_real(at->node, out))
        reject_kind(l, &(place){&number, at->node, at->path});
    else if (!ty_row_admits(at->row, *out))
        reject_bounds(l, at);
    return TY_OK;
}

static ty_status load_reals(loader *l, const place *at, void *out) {
    bool is_list = json_is_array(at->node->json);
    if (!is_list && !json_is_number(at->node->json)) {
        reject_kind(l, at);
        return TY_OK;
    }
    int64_t n = is_list ? (int64_t)json_array_size(at->node->json) : 1, i = 0;
    double *v = ty_arena_array(&l->doc->arena, (size_t)n, sizeof *v);
    if (!v)
        return ty_fail_nomem(l->ctx, "a list of numbers");
    if (!is_list)
        TY_TRY(load_real_item(l, at, v));
    for (const doc_node *item = at->node->first; item; item = item->next, i++) {
        const rows_path path = {.parent = at->path, .index = i, .node = item};
        TY_TRY(load_real_item(l, &(place){at->row, item, &path}, &v[i]));
    }
    *(ty_reals *)out = (ty_reals){.v = v, .n = n};
    return TY_OK;
}

static ty_status load_texts(loader *l, const place *at, void *out) {
    static const ty_row string = {.type = TY_ROW_TEXT};
    bool is_list = json_is_array(at->node->json);
    if (!is_list && !json_is_string(at->node->json)) {
        reject_kind(l, at);
        return TY_OK;
    }
    int64_t n = is_list ? (int64_t)json_array_size(at->node->json) : 1, i = 0;
    const char **v = ty_arena_array(&l->doc->arena, (size_t)n, sizeof *v);
    if (!v)
        return ty_fail_nomem(l->ctx, "a list of strings");
    if (!is_list)
        v[0] = json_string_value(at->node->json);
    for (const doc_node *item = at->node->first; item; item = item->next, i++) {
        const rows_path path = {.parent = at->path, .index = i, .node = item};
        TY_TRY(load_text(l, &(place){&string, item, &path}, &v[i]));
    }
    *(ty_texts *)out = (ty_texts){.v = v, .n = n};
    return TY_OK;
}

/* --- what a room reads by itself -------------------------------------------------------------- */

static ty_status load_object(loader *l, const place *at, void *out) {
    if (!json_is_object(at->node->json))
        reject_kind(l, at);
    else
        *(const json_t **)out = at->node->json;
    return TY_OK;
}

static ty_status load_list(loader *l, const place *at, void *out) {
    if (!json_is_array(at->node->json))
        reject_kind(l, at);
    else
        *(const json_t **)out = at->node->json;
    return TY_OK;
}

/* --- structure -------------------------------------------------------------------------------- */

static void check_unknown(loader *l, const doc_node *section, const rows_path *path,
                          const rows_unknown *context) {
    bool is_root = !path;
    for (const doc_node *member = section->first; member; member = member->next) {
        bool is_known = (is_root && strcmp(member->key, "$schema") == 0) ||
                        (context->form && strcmp(member->key, "type") == 0);
        for (int64_t i = 0; !is_known && context->rows && i < context->rows->n; i++)
            is_known = strcmp(context->rows->v[i].key, member->key) == 0;
        if (!is_known)
            reject_unknown(l, member, path, *context);
    }
}

static ty_status load_section(loader *l, const place *at, void *out) {
    if (!json_is_object(at->node->json)) {
        reject_kind(l, at);
        return TY_OK;
    }
    TY_TRY(load_rows(l, at->row->rows, at->node, out, at->path));
    check_unknown(l, at->node, at->path,
                  &(rows_unknown){.root = l->root, .foreign = l->foreign, .rows = at->row->rows});
    return TY_OK;
}

/* type: what says the form, wrongly; the value itself, its "type", or NULL for nothing. */
static void reject_form(loader *l, const place *at, const doc_node *type) {
    const ty_row row = {.type = TY_ROW_VARIANT, .variants = at->row->variants};
    const rows_path type_path = {.parent = at->path, .key = "type"};
    if (!type) {
        reject_missing(l, &type_path, &row);
    } else if (type != at->node || json_is_string(type->json)) {
        reject_choice(l, &(place){&row, type, type == at->node ? at->path : &type_path});
    } else {
        ty_text want = {0};
        ty_row_add_want(&row, &want);
        ty_text_add(&want, ", or an object with such a \"type\"");
        reject_value(l, at, ty_text_string(&want), NULL);
        ty_text_clear(&want);
    }
}

static ty_status load_form(loader *l, const place *at, const ty_variant_row *form,
                           ty_variant *out) {
    ty_text path = {0};
    ty_rows_path_add(&path, at->path);
    const char *path_copy = ty_arena_string(&l->doc->arena, ty_text_string(&path));
    ty_text_clear(&path);
    void *config = form->struct_bytes ? ty_arena_alloc(&l->doc->arena, form->struct_bytes) : NULL;
    if (!path_copy || (form->struct_bytes && !config))
        return ty_fail_nomem(l->ctx, "a config");
    *out = (ty_variant){.row = form, .config = config, .path = path_copy};
    if (form->rows)
        TY_TRY(load_rows(l, form->rows, at->node, config, at->path));
    check_unknown(l, at->node, at->path,
                  &(rows_unknown){.root = l->root,
                                  .foreign = l->foreign,
                                  .rows = form->rows,
                                  .variant = at->row,
                                  .form = form});
    return TY_OK;
}

static ty_status load_variant(loader *l, const place *at, void *out) {
    if (json_is_null(at->node->json) && at->row->type == TY_ROW_VARIANT &&
        ty_row_admits_null(at->row))
        return TY_OK; /* row NULL says that there is none */
    const doc_node *type = ty_row_type_node(l->doc, at->row, at->node);
    const ty_variant_row *form = ty_row_find_variant(at->row, type);
    if (form)
        return load_form(l, at, form, out);
    reject_form(l, at, type);
    return TY_OK;
}

static ty_status load_variants(loader *l, const place *at, void *out) {
    if (!json_is_array(at->node->json)) {
        reject_kind(l, at);
        return TY_OK;
    }
    int64_t i = 0, n = (int64_t)json_array_size(at->node->json);
    ty_variant *v = ty_arena_array(&l->doc->arena, (size_t)n, sizeof *v);
    if (!v)
        return ty_fail_nomem(l->ctx, "a config");
    for (const doc_node *item = at->node->first; item; item = item->next, i++) {
        const rows_path path = {.parent = at->path, .index = i, .node = item};
        TY_TRY(load_variant(l, &(place){at->row, item, &path}, &v[i]));
    }
    *(ty_variants *)out = (ty_variants){.v = v, .n = n};
    return TY_OK;
}

static ty_status (*const loaders[])(loader *l, const place *at, void *out) = {
    [TY_ROW_BOOL] = load_bool,         [TY_ROW_INT] = load_int,
    [TY_ROW_REAL] = load_real,         [TY_ROW_TEXT] = load_text,
    [TY_ROW_CHOICE] = load_choice,     [TY_ROW_AMOUNT] = load_amount,
    [TY_ROW_REALS] = load_reals,       [TY_ROW_TEXTS] = load_texts,
    [TY_ROW_SECTION] = load_section,   [TY_ROW_VARIANT] = load_variant,
    [TY_ROW_VARIANTS] = load_variants, [TY_ROW_OBJECT] = load_object,
    [TY_ROW_LIST] = load_list,
};

/* section NULL, or a form's bare name: no key was written, all have their defaults. */
static ty_status load_rows(loader *l, const ty_rows *rows, const doc_node *section, void *out,
                           const rows_path *path) {
    for (int64_t i = 0; i < rows->n; i++) {
        const ty_row *row = &rows->v[i];
        const doc_node *fallback = NULL;
        TY_TRY(ty_row_parse_fallback(l->ctx, l->doc, row, &fallback));
        const doc_node *node = ty_row_value(l->doc, row, section);
        const rows_path here = {.parent = path, .key = row->key, .node = node};
        void *field = (char *)out + row->offset;
        if (node)
            TY_TRY(loaders[row->type](l, &(place){row, node, &here}, field));
        else if (row->type == TY_ROW_SECTION)
            TY_TRY(load_rows(l, row->rows, NULL, field, &here));
        else
            reject_missing(l, &here, row);
    }
    return TY_OK;
}

ty_status ty_rows_load(ty_ctx *ctx, const ty_rows *rows, const ty_foreign_name *foreign,
                       ty_doc *doc, void *out) {
    loader l = {.ctx = ctx, .doc = doc, .root = rows, .foreign = foreign};
    const ty_row root = {.key = "", .type = TY_ROW_SECTION, .rows = rows};
    ty_report_clear(doc);
    TY_TRY(load_section(&l, &(place){.row = &root, .node = doc->root}, out));
    return ty_report_status(ctx, doc);
}

ty_status ty_rows_load_variant(ty_ctx *ctx, const char *key, const ty_variant_row *variants,
                               const char *json, ty_doc **doc, ty_variant *out) {
    const ty_row row[] = {
        {.key = key, .type = TY_ROW_VARIANT, .variants = variants, .help = "one of its forms"}};
    const ty_rows rows = TY_ROWS(row);
    ty_text text = {0};
    ty_variant only = {0};
    *doc = NULL;
    ty_text_addf(&text, "{\"%s\": %s}", key, json);
    ty_status st = ty_doc_parse(ctx, key, ty_text_string(&text), text.length, doc);
    ty_text_clear(&text);
    if (st == TY_OK)
        st = ty_rows_load(ctx, &rows, NULL, *doc, &only);
    if (st == TY_OK) {
        *out = only;
        return TY_OK;
    }
    ty_doc_close(*doc);
    *doc = NULL;
    return st;
}
