/* ${env:NAME} and ${env:NAME:-default} inside strings. $${env:...} stands for ${env:...} itself. */
#include "base/doc_tree.h"

#include <string.h>

static const char opening[] = "${env:";
enum { OPENING = sizeof opening - 1 };

void ty_doc_add_escaped(ty_text *out, const char *text) {
    for (const char *next; (next = strstr(text, opening)); text = next + OPENING) {
        ty_text_add_n(out, text, (size_t)(next - text));
        ty_text_addf(out, "$%s", opening);
    }
    ty_text_add(out, text);
}

static json_t *escape_string(const json_t *value) {
    ty_text out = {0};
    ty_doc_add_escaped(&out, json_string_value(value));
    json_t *escaped = out.is_short ? NULL : json_string(ty_text_string(&out));
    ty_text_clear(&out);
    return escaped;
}

static bool escape_members(json_t *copy, const json_t *object) {
    const char *key;
    json_t *value;
    bool is_whole = copy != NULL;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
        is_whole = is_whole && json_object_set_new(copy, key, ty_json_escaped(value)) == 0;
    return is_whole;
}

static bool escape_items(json_t *copy, const json_t *array) {
    bool is_whole = copy != NULL;
    for (size_t i = 0; is_whole && i < json_array_size(array); i++)
        is_whole = json_array_append_new(copy, ty_json_escaped(json_array_get(array, i))) == 0;
    return is_whole;
}

json_t *ty_json_escaped(const json_t *value) {
    if (json_is_string(value))
        return escape_string(value);
    if (!json_is_object(value) && !json_is_array(value))
        return json_deep_copy(value);
    json_t *copy = json_is_object(value) ? json_object() : json_array();
    if (json_is_object(value) ? escape_members(copy, value) : escape_items(copy, value))
        return copy;
    json_decref(copy);
    return NULL;
}

/* Adds what one reference stands for; *at is behind its opening and leaves behind its brace. */
static ty_status expand_reference(ty_ctx *ctx, const doc_node *node, const char **at,
                                  ty_text *out) {
    size_t name_length =
        strspn(*at, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
    const char *behind = *at + name_length, *fallback = NULL;
    const char *close = strchr(behind, '}');
    if (strncmp(behind, ":-", 2) == 0)
        fallback = behind + 2;
    if (name_length == 0 || !close || (behind != close && !fallback))
        return ty_doc_fail(ctx, node, false, "want ${env:NAME} or ${env:NAME:-default}");
    char *name = ty_arena_string_n(&ctx->scratch, *at, name_length);
    if (!name)
        return ty_fail_nomem(ctx, "a document");
    const char *value = ctx->getenv ? ctx->getenv(name) : NULL;
    if (value)
        ty_text_add(out, value);
    else if (fallback)
        ty_text_add_n(out, fallback, (size_t)(close - fallback));
    else
        return ty_doc_fail(
            ctx, node, false,
            "the environment variable %s is not set\n${env:%s:-default} would give it a default",
            name, name);
    *at = close + 1;
    return TY_OK;
}

static ty_status expand_text(ty_ctx *ctx, const doc_node *node, const char *text, size_t room,
                             ty_text *out) {
    for (const char *next; (next = strstr(text, opening));) {
        bool is_escaped = next > text && next[-1] == '$';
        ty_text_add_n(out, text, (size_t)(next - text) - is_escaped);
        text = next + OPENING;
        if (is_escaped)
            ty_text_add(out, opening);
        else
            TY_TRY(expand_reference(ctx, node, &text, out));
        if (out->length > room)
            break;
    }
    ty_text_add(out, text);
    if (out->length > room)
        return ty_doc_fail(ctx, node, false, "grows beyond %d bytes", TY_DOC_MAX_BYTES);
    return TY_OK;
}

static ty_status expand_string(ty_ctx *ctx, ty_doc *doc, doc_node *node) {
    const char *text = json_string_value(node->json);
    if (!strstr(text, opening))
        return TY_OK;
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    ty_text out = {0};
    ty_status st = TY_OK;
    size_t room = TY_DOC_MAX_BYTES - doc->expanded_bytes;
    TY_TRY_GOTO(done, st, expand_text(ctx, node, text, room, &out));
    doc->expanded_bytes += out.length;
    if (out.is_short)
        st = ty_fail_nomem(ctx, "a document");
    else if (json_string_set(node->json, ty_text_string(&out)) != 0)
        st = ty_doc_fail(ctx, node, false, "the environment variable's value is not UTF-8");
done:
    ty_text_clear(&out);
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}

ty_status ty_doc_expand(ty_ctx *ctx, ty_doc *doc, doc_node *node) {
    if (json_is_string(node->json))
        return expand_string(ctx, doc, node);
    for (doc_node *child = node->first; child; child = child->next)
        TY_TRY(ty_doc_expand(ctx, doc, child));
    return TY_OK;
}
