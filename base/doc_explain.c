/* Errors as people want them: the place, what is wrong, the line itself, and a caret with a hint.
 *
 *     error: configs/fashion.json:14:5: unknown key "optimizer.learnig_rate"
 *        14 |     "learnig_rate": 0.001,
 *           |     ^~~~~~~~~~~~~~ did you mean "learning_rate"?
 */
#include "base/doc_tree.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Characters of a source line that are shown, and how many of them before the caret. */
enum { SHOWN_CHARACTERS = 100, SHOWN_BEFORE = 70, SHOWN_SET = 100 };

static const char margin[] = "      | ";

/* Bytes of the character at text, where `left` bytes are left. Invalid UTF-8 goes byte by byte. */
static size_t character_length(const char *text, size_t left) {
    char copy[5] = {0};
    memcpy(copy, text, left < 4 ? left : 4);
    size_t length = ty_text_utf8_length(copy);
    return length ? length : 1;
}

/* As the terminal may have it: control characters would be obeyed, not shown. */
static void add_character(ty_text *out, const char *text, size_t length) {
    unsigned char first = (unsigned char)text[0];
    bool is_c1 = length == 2 && first == 0xc2 && (unsigned char)text[1] < 0xa0;
    bool is_plain = length > 1 ? !is_c1 : (first >= 0x20 && first < 0x7f) || first == '\t';
    if (is_plain)
        ty_text_add_n(out, text, length);
    else
        ty_text_add(out, "?");
}

static void add_plain(ty_text *out, const char *text, size_t bytes) {
    for (size_t at = 0; at < bytes;) {
        size_t length = character_length(text + at, bytes - at);
        add_character(out, text + at, length);
        at += length;
    }
}

typedef struct window {
    const char *begin, *caret, *end; /* of the line's part that is shown */
    bool is_cut_before, is_cut_behind;
} window;

static const char *back(const char *line, const char *at, int characters) {
    for (; characters > 0 && at > line; characters--)
        for (at--; at > line && ((unsigned char)*at & 0xc0) == 0x80; at--)
            ;
    return at;
}

static window window_of(const doc_source *source, size_t begin) {
    const char *text = source->text, *text_end = text + source->bytes, *caret = text + begin;
    const char *line = caret;
    while (line > text && line[-1] != '\n')
        line--;
    window w = {.begin = back(line, caret, SHOWN_BEFORE), .caret = caret};
    w.is_cut_before = w.begin > line;
    w.end = w.begin;
    for (int n = 0; n < SHOWN_CHARACTERS && w.end < text_end && *w.end != '\n'; n++)
        w.end += character_length(w.end, (size_t)(text_end - w.end));
    w.is_cut_behind = w.end < text_end && *w.end != '\n';
    return w;
}

static void add_line(ty_text *out, const window *w) {
    const char *end = w->end > w->begin && w->end[-1] == '\r' ? w->end - 1 : w->end;
    ty_text_add(out, w->is_cut_before ? "..." : "");
    add_plain(out, w->begin, (size_t)(end - w->begin));
    ty_text_add(out, w->is_cut_behind ? "..." : "");
}

static void add_caret(ty_text *out, const window *w, const char *span_end) {
    ty_text_add(out, w->is_cut_before ? "   " : "");
    for (const char *at = w->begin; at < w->caret;) {
        ty_text_add(out, *at == '\t' ? "\t" : " ");
        at += character_length(at, (size_t)(w->caret - at));
    }
    const char *end = span_end < w->end ? span_end : w->end;
    ty_text_add(out, "^");
    for (const char *at = w->caret; at < end;) {
        ty_text_add(out, at == w->caret ? "" : "~");
        at += character_length(at, (size_t)(end - at));
    }
}

void ty_doc_render(ty_text *out, const doc_source *source, doc_span span, const char *message,
                   const char *hint) {
    window w = window_of(source, span.begin);
    ty_text_addf(out, "error: %s:%d:%d: ", source->name, span.line, span.column);
    add_plain(out, message, strlen(message));
    ty_text_addf(out, "\n%5d | ", span.line);
    add_line(out, &w);
    ty_text_addf(out, "\n%s", margin);
    add_caret(out, &w, source->text + span.end);
    if (hint) {
        ty_text_add(out, " ");
        add_plain(out, hint, strlen(hint));
    }
}

static void render_without_line(ty_text *out, const char *set, const char *message,
                                const char *hint) {
    ty_text_add(out, "error: ");
    if (set) {
        size_t length = strlen(set);
        ty_text_add(out, "--set ");
        add_plain(out, set, length < SHOWN_SET ? length : (size_t)SHOWN_SET);
        ty_text_add(out, length > SHOWN_SET ? "...: " : ": ");
    }
    add_plain(out, message, strlen(message));
    if (hint) {
        ty_text_add(out, "\n");
        ty_text_add(out, margin);
        add_plain(out, hint, strlen(hint));
    }
}

void ty_doc_render_finding(ty_text *out, const doc_finding *finding) {
    const doc_node *node = finding->node;
    if (!node || !node->source) {
        render_without_line(out, node ? node->set : NULL, finding->message, finding->hint);
        return;
    }
    bool has_name = node->name.end > 0;
    ty_doc_render(out, node->source, finding->at_key && has_name ? node->name : node->value,
                  finding->message, finding->hint);
}

/* Cuts message at its first newline; what is behind it, or NULL. */
static const char *split_hint(char *message) {
    char *newline = strchr(message, '\n');
    if (!newline)
        return NULL;
    *newline = '\0';
    return newline + 1;
}

static ty_status fail_with(ty_ctx *ctx, ty_text *text) {
    ty_status st = text->is_short ? ty_fail_nomem(ctx, "an error's text")
                                  : ty_fail(ctx, TY_ERR_CONFIG, "%s", ty_text_string(text));
    ty_text_clear(text);
    return st;
}

ty_status ty_doc_fail(ty_ctx *ctx, const doc_node *node, bool at_key, const char *format, ...) {
    char message[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    const char *hint = split_hint(message);
    ty_text text = {0};
    ty_doc_render_finding(
        &text, &(doc_finding){.node = node, .at_key = at_key, .message = message, .hint = hint});
    return fail_with(ctx, &text);
}

/* Only for texts that could not be scanned: counts lines from the start. */
static doc_span locate(const doc_source *source, size_t begin, size_t end) {
    doc_span span = {.begin = (uint32_t)begin, .end = (uint32_t)end, .line = 1, .column = 1};
    for (size_t at = 0; at < begin;) {
        bool is_newline = source->text[at] == '\n';
        span.column = is_newline ? 1 : span.column + 1;
        span.line += is_newline;
        at += character_length(source->text + at, begin - at);
    }
    return span;
}

ty_status ty_doc_fail_at(ty_ctx *ctx, const doc_source *source, size_t begin, size_t end,
                         const char *message) {
    begin = begin < source->bytes ? begin : source->bytes;
    end = end < source->bytes ? end : source->bytes;
    ty_text text = {0};
    ty_doc_render(&text, source, locate(source, begin, end), message, NULL);
    return fail_with(ctx, &text);
}

const doc_node *ty_doc_nearest(const ty_doc *doc, const char *path) {
    char prefix[1024];
    (void)snprintf(prefix, sizeof prefix, "%s", path);
    for (;;) {
        const doc_node *node = ty_doc_find(doc, prefix);
        char *dot = strrchr(prefix, '.');
        if (node || !*prefix)
            return node;
        *(dot ? dot : prefix) = '\0';
    }
}

void ty_doc_explain(const ty_doc *doc, const char *path, bool at_key, const char *message,
                    ty_text *out) {
    const char *newline = strchr(message, '\n');
    size_t length = newline ? (size_t)(newline - message) : strlen(message);
    ty_text first = {0};
    ty_text_add_n(&first, message, length);
    ty_doc_render_finding(out, &(doc_finding){.node = ty_doc_nearest(doc, path),
                                              .at_key = at_key,
                                              .message = ty_text_string(&first),
                                              .hint = newline ? newline + 1 : NULL});
    out->is_short = out->is_short || first.is_short;
    ty_text_clear(&first);
}
