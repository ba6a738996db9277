/* --set a.b.2.c=value: one value written from the command line. */
#include "base/doc_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct setter {
    ty_ctx *ctx;
    ty_doc *doc;
    const char *set; /* the whole assignment */
    char *path;      /* its own copy, cut into parts on the way */
} setter;

static ty_status refuse(const setter *s, const char *format, ...) TY_PRINTF(2, 3);

static ty_status refuse(const setter *s, const char *format, ...) {
    char message[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    const doc_node node = {.set = s->set};
    return ty_doc_fail(s->ctx, &node, false, "%s", message);
}

/* --- the value -------------------------------------------------------------------------------- */

static ty_status make_node(const setter *s, json_t *json, doc_node **out) {
    doc_node *node = ty_arena_alloc(&s->doc->arena, sizeof *node);
    if (!node || !json || json_array_append(s->doc->kept, json) != 0) {
        json_decref(json);
        return ty_fail_nomem(s->ctx, "a document");
    }
    json_decref(json); /* kept holds it */
    *node = (doc_node){.json = json, .set = s->set};
    *out = node;
    return TY_OK;
}

/* JSON, and text where it is none: lists and strings need no quotes in a shell to be typed. */
static ty_status read_value(const setter *s, const char *text, int depth, doc_node **out) {
    doc_source *source = ty_arena_alloc(&s->doc->arena, sizeof *source);
    if (!source)
        return ty_fail_nomem(s->ctx, "a document");
    *source = (doc_source){.name = s->set, .text = text, .bytes = strlen(text)};
    const doc_parse_options options = {.is_strict = true, .is_fragment = true, .depth = depth};
    ty_status st = ty_doc_parse_source(s->ctx, s->doc, source, &options, out);
    if (st == TY_ERR_CONFIG) {
        TY_TRY(make_node(s, json_string(text), out));
    } else {
        TY_TRY(st);
    }
    ty_doc_mark(*out, s->set);
    return ty_doc_expand(s->ctx, s->doc, *out);
}

/* --- the way to it ---------------------------------------------------------------------------- */

/* The place a part of the path names: a member by key, or an item by index. */
typedef struct slot {
    doc_node *parent;
    const char *key; /* NULL: an item */
    int64_t index;
    doc_node *now; /* NULL: there is nothing yet */
} slot;

static ty_status find_item(const setter *s, const char *part, slot *at) {
    size_t digits = strspn(part, "0123456789");
    bool is_index = digits > 0 && digits < 10 && part[digits] == '\0';
    at->index = is_index ? strtoll(part, NULL, 10) : 0;
    at->now = is_index ? ty_doc_item(at->parent, at->index) : NULL;
    if (at->now)
        return TY_OK;
    int prefix = part > s->path ? (int)(part - s->path) - 1 : 0;
    return refuse(s, "\"%.*s\" is a list of %zu items, counted from 0: it has no \"%s\"", prefix,
                  s->set, json_array_size(at->parent->json), part);
}

static ty_status find_slot(const setter *s, doc_node *parent, const char *part, slot *out) {
    *out = (slot){.parent = parent};
    if (json_is_array(parent->json))
        return find_item(s, part, out);
    out->key = part;
    out->now = ty_doc_member(parent, part);
    return TY_OK;
}

static ty_status fill_slot(const setter *s, slot *at, doc_node *node) {
    node->key = at->key;
    bool is_done = at->key ? ty_doc_put(s->doc, at->parent, node)
                           : ty_doc_put_item(s->doc, at->parent, at->index, node);
    at->now = node;
    return is_done ? TY_OK : ty_fail_nomem(s->ctx, "a document");
}

/* {"type": "adamw"} for "adamw": a choice may be written either way. */
static ty_status unfold_type(const setter *s, const doc_node *type, doc_node *object) {
    doc_node *member = NULL;
    TY_TRY(make_node(s, json_incref(type->json), &member));
    *member = *type;
    member->key = "type";
    object->source = type->source;
    object->set = type->set;
    object->value = type->value;
    object->name = type->name;
    return ty_doc_put(s->doc, object, member) ? TY_OK : ty_fail_nomem(s->ctx, "a document");
}

/* Makes what is at the slot enterable: nothing, null and a type's name become objects. */
static ty_status enter(const setter *s, slot *at, const char *part) {
    const json_t *json = at->now ? at->now->json : NULL;
    if (json_is_object(json) || json_is_array(json))
        return TY_OK;
    if (json && !json_is_string(json) && !json_is_null(json))
        return refuse(s, "\"%s\" is a plain value, which has no members", part);
    doc_node *object = NULL;
    TY_TRY(make_node(s, json_object(), &object));
    if (json_is_string(json))
        TY_TRY(unfold_type(s, at->now, object));
    return fill_slot(s, at, object);
}

/* The dot behind the part: the first one, or, where there is no such member, the one behind the first
 * that there is. NULL: the part goes to the end. */
static char *dot_behind(const doc_node *parent, char *part) {
    char *const first = strchr(part, '.');
    for (char *dot = first; dot && json_is_object(parent->json); dot = strchr(dot + 1, '.')) {
        *dot = '\0';
        const bool is_there = ty_doc_member(parent, part) != NULL;
        *dot = '.';
        if (is_there)
            return dot;
    }
    return first && json_is_object(parent->json) && ty_doc_member(parent, part) ? NULL : first;
}

/* Walks all parts but the last, entering each; the last one's slot is where the value goes. */
static ty_status walk(const setter *s, slot *out, int *depth) {
    doc_node *parent = s->doc->root;
    for (char *part = s->path;; *depth += 1) {
        char *dot = dot_behind(parent, part);
        if (dot)
            *dot = '\0';
        if (!*part)
            return refuse(s, "a part of the path is empty; want KEY.KEY=VALUE");
        if (*depth >= TY_DOC_MAX_DEPTH)
            return refuse(s, "nested deeper than %d levels", TY_DOC_MAX_DEPTH);
        TY_TRY(find_slot(s, parent, part, out));
        if (!dot)
            return TY_OK;
        TY_TRY(enter(s, out, part));
        parent = out->now;
        part = dot + 1;
    }
}

static bool is_utf8(const char *text) {
    for (size_t length; *text; text += length)
        if ((length = ty_text_utf8_length(text)) == 0)
            return false;
    return true;
}

ty_status ty_doc_set(ty_ctx *ctx, ty_doc *doc, const char *assignment) {
    size_t length = strlen(assignment);
    if (length > TY_DOC_MAX_BYTES)
        return ty_fail(ctx, TY_ERR_CONFIG, "error: --set: longer than %d bytes", TY_DOC_MAX_BYTES);
    char *copy = ty_arena_string_n(&doc->arena, assignment, length);
    char *path = ty_arena_string_n(&doc->arena, assignment, length);
    if (!copy || !path)
        return ty_fail_nomem(ctx, "a document");
    const setter s = {.ctx = ctx, .doc = doc, .set = copy, .path = path};
    if (!is_utf8(copy))
        return refuse(&s, "this is not UTF-8");
    char *equals = strchr(path, '=');
    if (!equals)
        return refuse(&s, "want KEY=VALUE, as in optimizer.learning_rate=3e-4");
    *equals = '\0';
    slot at;
    int depth = 1;
    TY_TRY(walk(&s, &at, &depth));
    doc_node *value = NULL;
    TY_TRY(read_value(&s, equals + 1, depth, &value));
    return fill_slot(&s, &at, value);
}
