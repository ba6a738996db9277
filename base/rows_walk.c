/* The resolved config: every key with the value it has, from the document or from its default.
 * Shown, dumped and hashed from one walk, so that the three never disagree on what a config is. */
#include "base/rows_value.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

/* One key of the walk. form: the key is a variant's "type". */
typedef struct leaf {
    const ty_row *row;
    const doc_node *node;
    const ty_variant_row *form;
    const rows_path *path;
    ty_row_effect effect;
} leaf;

/* enter and leave are told of sections, variants (row VARIANT or VARIANTS) and lists of them; each
 * may be NULL. */
typedef struct visitor {
    ty_status (*key)(void *self, const leaf *leaf);
    void (*enter)(void *self, const char *key, char bracket);
    void (*leave)(void *self, char bracket);
    void *self;
} visitor;

typedef struct walker {
    ty_ctx *ctx;
    const ty_doc *doc;
    const visitor *visitor;
} walker;

static ty_status walk_rows(const walker *w, const ty_rows *rows, const doc_node *section,
                           const rows_path *path, ty_row_effect effect);

static void enter(const walker *w, const char *key, char bracket) {
    if (w->visitor->enter)
        w->visitor->enter(w->visitor->self, key, bracket);
}

static void leave(const walker *w, char bracket) {
    if (w->visitor->leave)
        w->visitor->leave(w->visitor->self, bracket);
}

static ty_row_effect weaker(ty_row_effect a, ty_row_effect b) {
    return a > b ? a : b;
}

static ty_status walk_variant(const walker *w, const leaf *at) {
    const doc_node *type = ty_row_type_node(w->doc, at->row, at->node);
    const ty_variant_row *form = ty_row_find_variant(at->row, type);
    if (!form)
        return json_is_null(at->node->json)
                   ? w->visitor->key(w->visitor->self, at)
                   : ty_fail(w->ctx, TY_ERR_INTERNAL,
                             "a config was walked by rows that did not load it");
    const rows_path type_path = {.parent = at->path, .key = "type"};
    enter(w, at->path->key, '{');
    TY_TRY(w->visitor->key(
        w->visitor->self,
        &(leaf){
            .row = at->row, .node = type, .form = form, .path = &type_path, .effect = at->effect}));
    if (form->rows)
        TY_TRY(walk_rows(w, form->rows, json_is_object(at->node->json) ? at->node : NULL, at->path,
                         at->effect));
    leave(w, '}');
    return TY_OK;
}

static ty_status walk_variants(const walker *w, const leaf *at) {
    int64_t i = 0;
    if (!at->node->first)
        return w->visitor->key(w->visitor->self, at); /* "[]" */
    enter(w, at->path->key, '[');
    for (const doc_node *item = at->node->first; item; item = item->next, i++) {
        const rows_path path = {.parent = at->path, .index = i};
        TY_TRY(walk_variant(
            w, &(leaf){.row = at->row, .node = item, .path = &path, .effect = at->effect}));
    }
    leave(w, ']');
    return TY_OK;
}

static ty_status walk_section(const walker *w, const ty_row *row, const doc_node *node,
                              const rows_path *path, ty_row_effect effect) {
    enter(w, row->key, '{');
    TY_TRY(walk_rows(w, row->rows, node, path, effect));
    leave(w, '}');
    return TY_OK;
}

static ty_status walk_rows(const walker *w, const ty_rows *rows, const doc_node *section,
                           const rows_path *path, ty_row_effect effect) {
    for (int64_t i = 0; i < rows->n; i++) {
        const ty_row *row = &rows->v[i];
        const rows_path here = {.parent = path, .key = row->key};
        const doc_node *node = ty_row_value(w->doc, row, section);
        const leaf at = {
            .row = row, .node = node, .path = &here, .effect = weaker(effect, row->effect)};
        if (row->type == TY_ROW_SECTION)
            TY_TRY(walk_section(w, row, node, &here, at.effect));
        else if (!node)
            return ty_fail(w->ctx, TY_ERR_INTERNAL,
                           "a config was walked by rows that did not load it");
        else if (row->type == TY_ROW_VARIANT)
            TY_TRY(walk_variant(w, &at));
        else if (row->type == TY_ROW_VARIANTS)
            TY_TRY(walk_variants(w, &at));
        else
            TY_TRY(w->visitor->key(w->visitor->self, &at));
    }
    return TY_OK;
}

static ty_status walk(ty_ctx *ctx, const ty_rows *rows, const ty_doc *doc, const visitor *how) {
    const walker w = {.ctx = ctx, .doc = doc, .visitor = how};
    return walk_rows(&w, rows, doc->root, NULL, TY_EFFECT_RESULT);
}

/* --- values as text --------------------------------------------------------------------------- */

/* A string that reads back to itself. */
static void add_json_string(ty_text *out, const char *text) {
    ty_text escaped = {0};
    ty_doc_add_escaped(&escaped, text);
    ty_text_add_json(out, ty_text_string(&escaped));
    out->is_short = out->is_short || escaped.is_short;
    ty_text_clear(&escaped);
}

static void add_json_object(ty_text *out, const doc_node *object) {
    ty_text_add(out, "{");
    for (const doc_node *member = object->first; member; member = member->next) {
        ty_text_add_json(out, member->key);
        ty_text_add(out, ": ");
        ty_rows_add_json(out, member);
        ty_text_add(out, member->next ? ", " : "");
    }
    ty_text_add(out, "}");
}

void ty_rows_add_json(ty_text *out, const doc_node *node) {
    const json_t *json = node->json;
    if (json_is_string(json)) {
        add_json_string(out, json_string_value(json));
    } else if (node->number) {
        ty_text_add(out, node->number);
    } else if (json_is_object(json)) {
        add_json_object(out, node);
    } else if (json_is_array(json)) {
        ty_text_add(out, "[");
        for (const doc_node *item = node->first; item; item = item->next) {
            ty_rows_add_json(out, item);
            ty_text_add(out, item->next ? ", " : "");
        }
        ty_text_add(out, "]");
    } else {
        ty_text_add(out, json_is_null(json) ? "null" : json_is_true(json) ? "true" : "false");
    }
}

/* --- walk ------------------------------------------------------------------------------------- */

typedef struct shower {
    ty_ctx *ctx;
    ty_status (*visit)(void *self, const ty_resolved *key);
    void *self;
} shower;

static ty_status show(void *self, const leaf *at) {
    shower *s = self;
    ty_text path = {0}, json = {0};
    ty_rows_path_add(&path, at->path);
    ty_rows_add_json(&json, at->node);
    const char *string = json_string_value(at->node->json);
    ty_status st = TY_OK;
    if (path.is_short || json.is_short)
        st = ty_fail_nomem(s->ctx, "a config's text");
    else
        st = s->visit(s->self, &(ty_resolved){.path = ty_text_string(&path),
                                              .value = string ? string : ty_text_string(&json),
                                              .json = ty_text_string(&json),
                                              .row = at->row,
                                              .effect = at->effect,
                                              .origin = ty_doc_node_origin(at->node)});
    ty_text_clear(&path);
    ty_text_clear(&json);
    return st;
}

ty_status ty_rows_walk(ty_ctx *ctx, const ty_rows *rows, const ty_doc *doc,
                       ty_status (*visit)(void *self, const ty_resolved *key), void *self) {
    shower s = {.ctx = ctx, .visit = visit, .self = self};
    return walk(ctx, rows, doc, &(visitor){.key = show, .self = &s});
}

/* --- dump ------------------------------------------------------------------------------------- */

typedef struct dumper {
    ty_text *out;
    int depth;
    bool is_first; /* of the innermost bracket */
} dumper;

static void dump_line(dumper *d) {
    ty_text_addf(d->out, "%s\n%*s", d->is_first ? "" : ",", 2 * d->depth, "");
    d->is_first = false;
}

static void dump_enter(void *self, const char *key, char bracket) {
    dumper *d = self;
    dump_line(d);
    if (key)
        ty_text_addf(d->out, "\"%s\": ", key);
    ty_text_add_n(d->out, &bracket, 1);
    d->depth++;
    d->is_first = true;
}

static void dump_leave(void *self, char bracket) {
    dumper *d = self;
    d->depth--;
    if (d->is_first)
        ty_text_addf(d->out, "%c", bracket);
    else
        ty_text_addf(d->out, "\n%*s%c", 2 * d->depth, "", bracket);
    d->is_first = false;
}

static ty_status dump_key(void *self, const leaf *at) {
    dumper *d = self;
    dump_line(d);
    if (at->path->key)
        ty_text_addf(d->out, "\"%s\": ", at->path->key);
    ty_rows_add_json(d->out, at->node);
    return TY_OK;
}

ty_status ty_rows_dump(ty_ctx *ctx, const ty_rows *rows, const ty_doc *doc, ty_text *out) {
    dumper d = {.out = out, .depth = 1, .is_first = true};
    const visitor dump = {.key = dump_key, .enter = dump_enter, .leave = dump_leave, .self = &d};
    ty_text_add(out, "{");
    TY_TRY(walk(ctx, rows, doc, &dump));
    ty_text_add(out, d.is_first ? "}\n" : "\n}\n");
    return out->is_short ? ty_fail_nomem(ctx, "a config's text") : TY_OK;
}

/* --- hash ------------------------------------------------------------------------------------- */

typedef struct hasher {
    ty_ctx *ctx;
    uint64_t sum;
} hasher;

static void add_canonical_number(ty_text *out, const doc_node *node) {
    double value = 0;
    (void)ty_value_real(node, &value);                  /* "auto" never comes here */
    ty_text_addf(out, "%.17g", value == 0 ? 0 : value); /* -0 is 0 */
}

static void add_canonical_numbers(ty_text *out, const doc_node *node) {
    ty_text_add(out, "[");
    if (!node->first && node->number)
        add_canonical_number(out, node);
    for (const doc_node *item = node->first; item; item = item->next) {
        add_canonical_number(out, item);
        ty_text_add(out, item->next ? "," : "");
    }
    ty_text_add(out, "]");
}

static void add_canonical_amount(ty_text *out, const leaf *at) {
    ty_amount amount = {0};
    (void)ty_value_amount(at->row, at->node, &amount); /* it was loaded, so it reads */
    ty_text_addf(out, "%.17g of %d", amount.value, (int)amount.unit);
}

/* Members sorted, numbers by their value. */
static void add_canonical_tree(ty_text *out, const doc_node *node) {
    char *text = json_dumps(node->json, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
    ty_text_add(out, text ? text : "");
    out->is_short = out->is_short || !text;
    free(text);
}

static void add_canonical(ty_text *out, const leaf *at) {
    int64_t integer = 0;
    bool is_number = json_is_number(at->node->json);
    if (at->row->type == TY_ROW_AMOUNT)
        add_canonical_amount(out, at);
    else if (at->row->type == TY_ROW_OBJECT || at->row->type == TY_ROW_LIST)
        add_canonical_tree(out, at->node);
    else if (at->row->type == TY_ROW_REALS)
        add_canonical_numbers(out, at->node);
    else if (is_number && at->row->type == TY_ROW_INT && ty_value_int(at->node, &integer))
        ty_text_addf(out, "%lld", (long long)integer);
    else if (is_number)
        add_canonical_number(out, at->node);
    else if (at->row->type == TY_ROW_TEXTS && json_is_string(at->node->json)) {
        ty_text_add(out, "[");
        ty_rows_add_json(out, at->node);
        ty_text_add(out, "]");
    } else
        ty_rows_add_json(out, at->node);
}

static ty_status hash_key(void *self, const leaf *at) {
    hasher *h = self;
    if (at->effect != TY_EFFECT_RESULT)
        return TY_OK;
    ty_text line = {0};
    ty_rows_path_add(&line, at->path);
    ty_text_add(&line, "=");
    add_canonical(&line, at);
    ty_status st = line.is_short ? ty_fail_nomem(h->ctx, "a config's hash") : TY_OK;
    h->sum += ty_hash64(ty_text_string(&line), line.length); /* a sum knows no order */
    ty_text_clear(&line);
    return st;
}

ty_status ty_rows_hash(ty_ctx *ctx, const ty_rows *rows, const ty_doc *doc, uint64_t *out) {
    hasher h = {.ctx = ctx};
    TY_TRY(walk(ctx, rows, doc, &(visitor){.key = hash_key, .self = &h}));
    *out = ty_hash64(&h.sum, sizeof h.sum);
    return TY_OK;
}
