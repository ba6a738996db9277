/* Collects what is wrong with a config and says it in the order in which a reader meets it. */
#include "base/rows_report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rows.h"

enum { SHOWN_BYTES = 60, LAST_WORDS = 96 };

void ty_report_clear(ty_doc *doc) {
    ty_arena_clear(&doc->findings->arena);
    doc->findings->n = 0;
}

bool ty_report_has_room(const ty_doc *doc) {
    return doc->findings->n < DOC_MAX_FINDINGS;
}

void ty_report_count(const ty_doc *doc) {
    doc->findings->n++;
}

void ty_report_add(const ty_doc *doc, const doc_node *node, bool at_key, ty_text *message,
                   const char *hint) {
    doc_findings *findings = doc->findings;
    int64_t order = findings->n++;
    if (order < DOC_MAX_FINDINGS) {
        const char *copy = ty_arena_string(&findings->arena, ty_text_string(message));
        const char *hint_copy = hint ? ty_arena_string(&findings->arena, hint) : NULL;
        findings->v[order] = (doc_finding){.node = node ? node : doc->root,
                                           .at_key = at_key,
                                           .message = copy ? copy : "(no memory for its message)",
                                           .hint = hint_copy,
                                           .order = order};
    }
    ty_text_clear(message);
}

/* --- showing values --------------------------------------------------------------------------- */

void ty_report_add_text(ty_text *out, const char *text) {
    char cut[SHOWN_BYTES + 4];
    size_t length = strlen(text);
    if (length <= SHOWN_BYTES) {
        ty_text_add_json(out, text);
        return;
    }
    length = SHOWN_BYTES;
    while (((unsigned char)text[length] & 0xc0) == 0x80)
        length--;
    (void)snprintf(cut, sizeof cut, "%.*s...", (int)length, text);
    ty_text_add_json(out, cut);
}

void ty_report_add_value(ty_text *out, const doc_node *node) {
    const json_t *json = node->json;
    if (json_is_string(json))
        ty_report_add_text(out, json_string_value(json));
    else if (node->number)
        ty_text_addf(out, "%.*s", SHOWN_BYTES, node->number);
    else if (json_is_object(json))
        ty_text_add(out, "an object");
    else if (json_is_array(json))
        ty_text_add(out, "a list");
    else
        ty_text_add(out, json_is_null(json) ? "null" : json_is_true(json) ? "true" : "false");
}

/* --- saying all ------------------------------------------------------------------------------- */

static int compare_i64(int64_t a, int64_t b) {
    return (a > b) - (a < b);
}

/* Files by name and place, then what has no place, as it was found. */
static int compare_findings(const void *left, const void *right) {
    const doc_finding *a = left, *b = right;
    const doc_source *in_a = a->node->source, *in_b = b->node->source;
    if (!in_a != !in_b)
        return in_a ? -1 : 1;
    if (!in_a)
        return compare_i64(a->order, b->order);
    int by_name = in_a == in_b ? 0 : strcmp(in_a->name, in_b->name);
    if (by_name)
        return by_name;
    bool at_name_a = a->at_key && a->node->name.end > 0,
         at_name_b = b->at_key && b->node->name.end > 0;
    int by_place = compare_i64((at_name_a ? a->node->name : a->node->value).begin,
                               (at_name_b ? b->node->name : b->node->value).begin);
    return by_place ? by_place : compare_i64(a->order, b->order);
}

/* All of doc's findings as far as a message has room, and how many they are. */
static void render(const ty_doc *doc, ty_text *out) {
    doc_findings *findings = doc->findings;
    int64_t kept = findings->n < DOC_MAX_FINDINGS ? findings->n : DOC_MAX_FINDINGS, said = 0;
    qsort(findings->v, (size_t)kept, sizeof findings->v[0], compare_findings);
    for (; said < kept; said++) {
        ty_text one = {0};
        ty_doc_render_finding(&one, &findings->v[said]);
        bool fits = out->length + one.length + LAST_WORDS < TY_MESSAGE_BYTES;
        if (fits)
            ty_text_addf(out, "%s\n", ty_text_string(&one));
        ty_text_clear(&one);
        if (!fits)
            break;
    }
    if (said < findings->n)
        ty_text_addf(out, "... and %lld more\n", (long long)(findings->n - said));
    ty_text_addf(out, "%lld error%s, nothing was run", (long long)findings->n,
                 findings->n == 1 ? "" : "s");
}

ty_status ty_report_status(ty_ctx *ctx, const ty_doc *doc) {
    if (doc->findings->n == 0)
        return TY_OK;
    ty_text text = {0};
    render(doc, &text);
    ty_status st = text.is_short ? ty_fail_nomem(ctx, "the errors' text")
                                 : ty_fail(ctx, TY_ERR_CONFIG, "%s", ty_text_string(&text));
    ty_text_clear(&text);
    return st;
}

ty_status ty_rows_reject(ty_ctx *ctx, const ty_doc *doc, const char *path, const char *format,
                         ...) {
    char words[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(words, sizeof words, format, args);
    va_end(args);
    char *newline = strchr(words, '\n');
    if (newline)
        *newline = '\0';
    ty_text message = {0};
    ty_text_add(&message, words);
    const doc_node *node = ty_doc_nearest(doc, path);
    bool is_there = ty_doc_find(doc, path) != NULL;
    ty_report_add(doc, node, !is_there, &message, newline ? newline + 1 : NULL);
    return ty_report_status(ctx, doc);
}
