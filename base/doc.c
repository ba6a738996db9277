/* Opening, asking and closing a document. JSON is parsed in doc_scan.c and doc_parse.c, YAML in
 * doc_yaml*.c; "extends" is in doc_merge.c, --set in doc_set.c, messages in doc_explain.c.
 * doc_tree.h shows what they share. */
#include "base/doc_tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* --- opening ---------------------------------------------------------------------------------- */

static ty_status open_empty(ty_ctx *ctx, ty_doc **out) {
    ty_doc *doc = calloc(1, sizeof *doc);
    doc_findings *findings = calloc(1, sizeof *findings);
    json_t *kept = json_array();
    if (!doc || !findings || !kept) {
        free(doc);
        free(findings);
        json_decref(kept);
        return ty_fail_nomem(ctx, "a document");
    }
    ty_arena_init(&doc->arena);
    doc->findings = findings;
    doc->kept = kept;
    *out = doc;
    return TY_OK;
}

void ty_doc_close(ty_doc *doc) {
    if (!doc)
        return;
    json_decref(doc->kept);
    ty_arena_clear(&doc->findings->arena);
    free(doc->findings);
    ty_arena_clear(&doc->arena);
    free(doc);
}

static bool ends_in(const char *name, const char *ending) {
    const size_t length = strlen(name), n = strlen(ending);
    return length > n && strcasecmp(name + length - n, ending) == 0;
}

ty_status ty_doc_parse_named(ty_ctx *ctx, ty_doc *doc, doc_source *source, doc_node **out) {
    if (ends_in(source->name, ".yaml") || ends_in(source->name, ".yml"))
        return ty_doc_parse_yaml(ctx, doc, source, out);
    return ty_doc_parse_source(ctx, doc, source, &(doc_parse_options){0}, out);
}

static ty_status parse_text(ty_ctx *ctx, ty_doc *doc, const char *name, const char *text,
                            size_t bytes) {
    doc_source *source = ty_arena_alloc(&doc->arena, sizeof *source);
    const char *name_copy = ty_arena_string(&doc->arena, name);
    if (bytes > TY_DOC_MAX_BYTES)
        return ty_fail(ctx, TY_ERR_CONFIG, "error: %s: longer than %d bytes", name,
                       TY_DOC_MAX_BYTES);
    const char *text_copy = ty_arena_string_n(&doc->arena, text, bytes);
    if (!source || !name_copy || !text_copy)
        return ty_fail_nomem(ctx, "a document");
    *source = (doc_source){.name = name_copy, .text = text_copy, .bytes = bytes};
    TY_TRY(ty_doc_parse_named(ctx, doc, source, &doc->root));
    TY_TRY(ty_doc_expand(ctx, doc, doc->root));
    return ty_doc_extend(ctx, doc, source, NULL, &doc->root);
}

ty_status ty_doc_parse(ty_ctx *ctx, const char *name, const char *text, size_t bytes,
                       ty_doc **out) {
    ty_doc *doc = NULL;
    TY_TRY(open_empty(ctx, &doc));
    ty_status st = parse_text(ctx, doc, name, text, bytes);
    if (st == TY_OK)
        *out = doc;
    else
        ty_doc_close(doc);
    return st;
}

/* Standard input up to one byte more than a document may have. */
static ty_status read_stdin(ty_ctx *ctx, char *text, size_t *out_bytes) {
    size_t bytes = 0;
    for (;;) {
        ssize_t n = ctx->io->read(ctx->io->self, 0, text + bytes, TY_DOC_MAX_BYTES + 1 - bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ty_fail_errno(ctx, errno, "read the config from standard input");
        bytes += (size_t)n;
        if (n == 0 || bytes > TY_DOC_MAX_BYTES) {
            *out_bytes = bytes;
            return TY_OK;
        }
    }
}

static ty_status parse_stdin(ty_ctx *ctx, ty_doc **out) {
    size_t bytes = 0;
    char *text = malloc(TY_DOC_MAX_BYTES + 1);
    if (!text)
        return ty_fail_nomem(ctx, "a document");
    ty_status st = read_stdin(ctx, text, &bytes);
    if (st == TY_OK)
        st = ty_doc_parse(ctx, "<stdin>", text, bytes, out);
    free(text);
    return st;
}

ty_status ty_doc_read(ty_ctx *ctx, const char *path, ty_doc **out) {
    if (strcmp(path, "-") == 0)
        return parse_stdin(ctx, out);
    ty_doc *doc = NULL;
    TY_TRY(open_empty(ctx, &doc));
    ty_status st = ty_doc_read_file(ctx, doc, path, NULL, &doc->root);
    if (st == TY_OK)
        *out = doc;
    else
        ty_doc_close(doc);
    return st;
}

/* --- the tree --------------------------------------------------------------------------------- */

doc_node *ty_doc_member(const doc_node *object, const char *key) {
    if (!json_is_object(object->json))
        return NULL;
    doc_node *member = object->first;
    while (member && strcmp(member->key, key) != 0)
        member = member->next;
    return member;
}

doc_node *ty_doc_item(const doc_node *list, int64_t index) {
    doc_node *item = list->first;
    for (; item && index > 0; index--)
        item = item->next;
    return index == 0 ? item : NULL;
}

/* The child that the path's first part names. */
static doc_node *child_of(const doc_node *node, const char *part, size_t length) {
    if (json_is_array(node->json)) {
        size_t digits = strspn(part, "0123456789");
        return digits == length && digits > 0 && digits < 10 ? ty_doc_item(node, atoi(part)) : NULL;
    }
    doc_node *member = json_is_object(node->json) ? node->first : NULL;
    while (member && !(strncmp(member->key, part, length) == 0 && member->key[length] == '\0'))
        member = member->next;
    return member;
}

/* The shortest keys first; a node is met at one length of path alone, so that all are met once. */
static doc_node *find_below(doc_node *node, const char *path) {
    doc_node *found = *path ? NULL : node;
    for (size_t length = 0; *path && !found && path[length]; length += path[length] == '.') {
        length += strcspn(path + length, ".");
        doc_node *child = child_of(node, path, length);
        if (child)
            found = find_below(child, path + length + (path[length] == '.'));
    }
    return found;
}

doc_node *ty_doc_find(const ty_doc *doc, const char *path) {
    return doc->root ? find_below(doc->root, path) : NULL;
}

/* Puts node where old is among parent's children; node NULL takes old out. */
static void relink(doc_node *parent, const doc_node *old, doc_node *node) {
    doc_node *before = NULL;
    for (doc_node *at = parent->first; at != old; at = at->next)
        before = at;
    doc_node *now = node ? node : old->next;
    if (node)
        node->next = old->next;
    if (before)
        before->next = now;
    else
        parent->first = now;
    if (parent->last == old)
        parent->last = node ? node : before;
}

void ty_doc_link(doc_node *parent, doc_node *node) {
    node->next = NULL;
    if (parent->last)
        parent->last->next = node;
    else
        parent->first = node;
    parent->last = node;
}

doc_node *ty_doc_add_node(ty_doc *doc, doc_node *parent, const doc_source *source) {
    doc_node *node = ty_arena_alloc(&doc->arena, sizeof *node);
    if (!node)
        return NULL;
    node->source = source;
    if (parent)
        ty_doc_link(parent, node);
    return node;
}

bool ty_doc_put(ty_doc *doc, doc_node *object, doc_node *member) {
    doc_node *old = ty_doc_member(object, member->key);
    /* What is replaced may still be borrowed by a config that was loaded. */
    if (old && json_array_append(doc->kept, old->json) != 0)
        return false;
    if (json_object_set(object->json, member->key, member->json) != 0)
        return false;
    if (old)
        relink(object, old, member);
    else
        ty_doc_link(object, member);
    return true;
}

bool ty_doc_put_item(ty_doc *doc, doc_node *list, int64_t index, doc_node *item) {
    doc_node *old = ty_doc_item(list, index);
    if (!old || json_array_append(doc->kept, old->json) != 0 ||
        json_array_set(list->json, (size_t)index, item->json) != 0)
        return false;
    relink(list, old, item);
    return true;
}

void ty_doc_drop(doc_node *object, doc_node *member) {
    relink(object, member, NULL);
    (void)json_object_del(object->json, member->key); /* it is there: the trees are one */
}

void ty_doc_mark(doc_node *node, const char *set) {
    node->source = NULL;
    node->set = set;
    for (doc_node *child = node->first; child; child = child->next)
        ty_doc_mark(child, set);
}

/* --- questions -------------------------------------------------------------------------------- */

ty_origin ty_doc_node_origin(const doc_node *node) {
    if (!node)
        return (ty_origin){0};
    if (!node->source)
        return (ty_origin){.set = node->set};
    return (ty_origin){.file = node->source->name,
                       .line = node->value.line,
                       .column = node->value.column,
                       .key_line = node->name.line,
                       .key_column = node->name.column};
}

const json_t *ty_doc_at(const ty_doc *doc, const char *path) {
    const doc_node *node = ty_doc_find(doc, path);
    return node ? node->json : NULL;
}

ty_origin ty_doc_origin(const ty_doc *doc, const char *path) {
    return ty_doc_node_origin(ty_doc_find(doc, path));
}

const char *ty_doc_number_text(const ty_doc *doc, const char *path) {
    const doc_node *node = ty_doc_find(doc, path);
    return node ? node->number : NULL;
}

json_t *ty_json_string(const char *string) {
    ty_text text = {0};
    ty_text_add_json(&text, string);
    json_t *json = text.is_short ? NULL : json_loadb(text.data, text.length, JSON_DECODE_ANY, NULL);
    ty_text_clear(&text);
    return json;
}
