/* Joins what the scanner knows (places, number texts) with what jansson knows (values). */
#include "base/doc_tree.h"

#include <string.h>

/* jansson keeps members in the order they were written, and so does the scanner: both trees are
 * walked in step. */
static bool bind(doc_node *node, json_t *json) {
    node->json = json;
    doc_node *child = node->first;
    if (json_is_object(json)) {
        for (void *it = json_object_iter(json); it; it = json_object_iter_next(json, it)) {
            if (!child || !bind(child, json_object_iter_value(it)))
                return false;
            child->key = json_object_iter_key(it);
            child = child->next;
        }
    } else if (json_is_array(json)) {
        for (size_t i = 0; i < json_array_size(json); i++) {
            if (!child || !bind(child, json_array_get(json, i)))
                return false;
            child = child->next;
        }
    }
    return child == NULL;
}

/* What follows a number in valid JSON is structure or space, and nobody reads that again. */
static void end_numbers(const doc_node *node, char *text) {
    if (node->number)
        text[node->value.end] = '\0';
    for (const doc_node *child = node->first; child; child = child->next)
        end_numbers(child, text);
}

static json_t *decode_key(const doc_node *member) {
    const char *text = member->source->blanked + member->name.begin;
    return json_loadb(text, member->name.end - member->name.begin, JSON_DECODE_ANY, NULL);
}

/* The first member at or below node whose key was there before, and the earlier one. */
static doc_node *find_duplicate(const doc_node *node, const doc_node **earlier) {
    doc_node *found = NULL;
    json_t *seen = json_object(); /* key -> index */
    json_int_t index = 0;
    for (doc_node *child = node->first; child && !found; child = child->next, index++) {
        json_t *key = child->name.end > 0 ? decode_key(child) : NULL;
        const json_t *before = key ? json_object_get(seen, json_string_value(key)) : NULL;
        if (before) {
            *earlier = ty_doc_item(node, json_integer_value(before));
            found = child;
        } else {
            if (key)
                (void)json_object_set_new(seen, json_string_value(key), json_integer(index));
            found = find_duplicate(child, earlier);
        }
        json_decref(key);
    }
    json_decref(seen);
    return found;
}

static ty_status explain_jansson(ty_ctx *ctx, const doc_source *source, const doc_node *root,
                                 const json_error_t *error) {
    enum json_error_code code = json_error_code(error);
    if (code == json_error_out_of_memory)
        return ty_fail_nomem(ctx, "a document");
    const doc_node *earlier = NULL;
    const doc_node *duplicate = find_duplicate(root, &earlier);
    if (!duplicate)
        return ty_doc_fail_at(ctx, source, (size_t)error->position, (size_t)error->position + 1,
                              error->text);
    return ty_doc_fail(ctx, duplicate, true, "duplicate key %.*s\nfirst written at %d:%d",
                       (int)(duplicate->name.end - duplicate->name.begin),
                       source->text + duplicate->name.begin, earlier->name.line,
                       earlier->name.column);
}

ty_status ty_doc_parse_source(ty_ctx *ctx, ty_doc *doc, doc_source *source,
                              const doc_parse_options *options, doc_node **out) {
    doc_node *root = NULL;
    TY_TRY(ty_doc_scan(ctx, doc, source, options, &root));
    json_error_t error;
    json_t *json = json_loadb(source->blanked, source->bytes,
                              JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!json)
        return explain_jansson(ctx, source, root, &error);
    if (json_array_append_new(doc->kept, json) != 0)
        return ty_fail_nomem(ctx, "a document");
    if (!bind(root, json))
        return ty_fail(ctx, TY_ERR_INTERNAL, "%s: scanner and parser disagree", source->name);
    end_numbers(root, source->blanked);
    *out = root;
    return TY_OK;
}
