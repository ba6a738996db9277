/* ${env:NAME} and ${env:NAME:-default} inside strings. $${env:...} stands for ${env:...} itself. */
#include "base/doc_tree.h"

#include <string.h>

static const char opening[] = "${env:";
enum { OPENING = sizeof opening - 1 };

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
