/* Rows for people: docs/CONFIG.md, and what the terminal says of a key. */
#include "base/rows_value.h"

#include <string.h>

enum { MAX_FORMS = 64, PATH_BYTES = 256 };

/* The lists of forms that are being described, outermost first: layers may hold layers. */
typedef struct described {
    const ty_variant_row *v[MAX_FORMS];
    int n;
} described;

/* False where forms are being described already; else leave has to follow. */
static bool enter(described *d, const ty_variant_row *forms) {
    for (int i = 0; i < d->n; i++)
        if (d->v[i] == forms)
            return false;
    if (d->n == MAX_FORMS)
        return false;
    d->v[d->n++] = forms;
    return true;
}

static void leave(described *d) {
    d->n--;
}

static bool has_forms(const ty_row *row) {
    return row->type == TY_ROW_VARIANT || row->type == TY_ROW_VARIANTS;
}

static ty_row_effect weaker(ty_row_effect a, ty_row_effect b) {
    return a > b ? a : b;
}

static void add_path(ty_text *out, const rows_path *path, const char *key) {
    ty_rows_path_add(out, path);
    ty_text_addf(out, "%s%s", path ? "." : "", key);
}

/* --- Markdown --------------------------------------------------------------------------------- */

/* Text inside a table's cell, where a bar would end it. */
static void add_cell(ty_text *out, const char *text) {
    for (; *text; text++) {
        ty_text_add(out, *text == '|' ? "\\" : "");
        ty_text_add_n(out, text, 1);
    }
}

static void add_markdown_row(ty_text *out, const ty_row *row, const rows_path *path,
                             ty_row_effect effect) {
    static const char *const effects[] = {"result", "cost", "display"};
    ty_text want = {0};
    ty_row_add_want(row, &want);
    ty_text_add(out, "| `");
    add_path(out, path, row->key);
    ty_text_add(out, "` | ");
    add_cell(out, ty_text_string(&want));
    ty_text_add(out, " | ");
    if (row->fallback) {
        ty_text_add(out, "`");
        add_cell(out, row->fallback);
        ty_text_add(out, "`");
    } else {
        ty_text_add(out, "required");
    }
    ty_text_addf(out, " | %s | ", effects[effect]);
    add_cell(out, row->help ? row->help : "");
    if (row->unit)
        ty_text_addf(out, " [%s]", row->unit);
    ty_text_add(out, " |\n");
    out->is_short = out->is_short || want.is_short;
    ty_text_clear(&want);
}

static void add_markdown_rows(ty_text *out, const ty_rows *rows, const rows_path *path,
                              ty_row_effect effect) {
    for (int64_t i = 0; i < rows->n; i++) {
        const ty_row *row = &rows->v[i];
        const rows_path here = {.parent = path, .key = row->key};
        if (row->type == TY_ROW_SECTION)
            add_markdown_rows(out, row->rows, &here, weaker(effect, row->effect));
        else
            add_markdown_row(out, row, path, weaker(effect, row->effect));
    }
}

static void add_table(ty_text *out, const ty_rows *rows, ty_row_effect effect) {
    ty_text_add(out, "| Key | Value | Default | Changes | |\n|---|---|---|---|---|\n");
    add_markdown_rows(out, rows, NULL, effect);
}

static void add_forms(ty_text *out, const ty_rows *rows, const rows_path *path,
                      ty_row_effect effect, described *done) {
    for (int64_t i = 0; i < rows->n; i++) {
        const ty_row *row = &rows->v[i];
        const rows_path here = {.parent = path, .key = row->key};
        ty_row_effect inside = weaker(effect, row->effect);
        if (row->type == TY_ROW_SECTION)
            add_forms(out, row->rows, &here, inside, done);
        if (!has_forms(row) || !enter(done, row->variants))
            continue;
        for (const ty_variant_row *form = row->variants; form->type; form++) {
            ty_text_add(out, "\n### `");
            ty_rows_path_add(out, &here);
            ty_text_addf(out, "`: \"%s\"\n\n%s\n", form->type, form->help ? form->help : "");
            if (!form->rows)
                continue;
            ty_text_add(out, "\n");
            add_table(out, form->rows, inside);
            add_forms(out, form->rows, &here, inside, done);
        }
        leave(done);
    }
}

void ty_rows_markdown(const ty_rows *rows, ty_text *out) {
    described done = {0};
    add_table(out, rows, TY_EFFECT_RESULT);
    add_forms(out, rows, NULL, TY_EFFECT_RESULT, &done);
}

/* --- the terminal ----------------------------------------------------------------------------- */

typedef struct explainer {
    ty_text *out;
    char wanted[PATH_BYTES]; /* without indices; "" for all */
    described done;
    int64_t n;
    char nearest[PATH_BYTES];
    int best;
} explainer;

/* path without its indices and its last "type". */
static void strip(const char *path, char out[PATH_BYTES]) {
    size_t used = 0;
    for (const char *part = path; *part && used < PATH_BYTES - 2;) {
        size_t length = strcspn(part, ".");
        bool is_index = strspn(part, "0123456789") == length;
        bool is_type = length == 4 && strncmp(part, "type", 4) == 0 && !part[4] && used > 0;
        size_t room = PATH_BYTES - 2 - used;
        size_t taken = is_index || is_type ? 0 : length < room ? length : room;
        if (taken && used)
            out[used++] = '.';
        memcpy(out + used, part, taken);
        used += taken;
        part += length + (part[length] == '.');
    }
    out[used] = '\0';
}

static bool is_wanted(const explainer *e, const char *path) {
    size_t length = strlen(e->wanted);
    return length == 0 ||
           (strncmp(path, e->wanted, length) == 0 && (path[length] == '\0' || path[length] == '.'));
}

static void explain_row(explainer *e, const ty_row *row, const char *path, const char *form,
                        ty_row_effect effect) {
    static const char *const effects[] = {"changes the result", "changes only speed or memory",
                                          "changes only what is shown"};
    ty_text_addf(e->out, "%s%s", e->n++ ? "\n" : "", path);
    if (form)
        ty_text_addf(e->out, "  (with type \"%s\")", form);
    ty_text_addf(e->out, "\n    %s", row->help ? row->help : "");
    if (row->unit)
        ty_text_addf(e->out, " [%s]", row->unit);
    if (row->type != TY_ROW_SECTION) {
        ty_text_add(e->out, "\n    ");
        ty_row_add_want(row, e->out);
        ty_text_addf(e->out, "\n    %s%s; %s", row->fallback ? "default " : "required",
                     row->fallback ? row->fallback : "", effects[effect]);
    }
    ty_text_add(e->out, "\n");
}

/* Of a word without dots the last part may have been meant. */
static void note_nearest(explainer *e, const ty_row *row, const char *path) {
    const bool is_word = !strchr(e->wanted, '.');
    if ((ty_rows_is_nearer(e->wanted, path, &e->best) ||
         (is_word && ty_rows_is_nearer(e->wanted, row->key, &e->best))) &&
        strlen(path) < PATH_BYTES)
        memcpy(e->nearest, path, strlen(path) + 1);
}

static void explain_rows(explainer *e, const ty_rows *rows, const rows_path *path, const char *form,
                         ty_row_effect effect) {
    for (int64_t i = 0; i < rows->n; i++) {
        const ty_row *row = &rows->v[i];
        const rows_path here = {.parent = path, .key = row->key};
        ty_row_effect inside = weaker(effect, row->effect);
        ty_text name = {0};
        ty_rows_path_add(&name, &here);
        if (is_wanted(e, ty_text_string(&name)))
            explain_row(e, row, ty_text_string(&name), form, inside);
        note_nearest(e, row, ty_text_string(&name));
        ty_text_clear(&name);
        if (row->type == TY_ROW_SECTION)
            explain_rows(e, row->rows, &here, form, inside);
        if (!has_forms(row) || !enter(&e->done, row->variants))
            continue;
        for (const ty_variant_row *f = row->variants; f->type; f++)
            if (f->rows)
                explain_rows(e, f->rows, &here, f->type, inside);
        leave(&e->done);
    }
}

/* What other tools call it; else the nearest; else where in the rows there is such a key. */
static const char *find_hint(const ty_rows *rows, const ty_foreign_name *foreign,
                             const explainer *e, const char *path, ty_arena *arena) {
    const char *dot = strrchr(path, '.'), *last = dot ? dot + 1 : path;
    rows_unknown u = {.foreign = foreign, .path = path, .key = last};
    const char *hint = ty_rows_hint(&u, arena);
    if (!hint && e->nearest[0])
        return ty_arena_printf(arena, "did you mean \"%s\"?", e->nearest);
    u = (rows_unknown){.root = rows, .path = path, .key = last};
    return hint ? hint : ty_rows_hint(&u, arena);
}

static void add_roots(const ty_rows *rows, ty_text *out) {
    for (int64_t i = 0; i < rows->n; i++)
        ty_text_addf(out, "%s%s", i > 0 ? ", " : "", rows->v[i].key);
}

static ty_status fail_unknown(ty_ctx *ctx, const ty_rows *rows, const ty_foreign_name *foreign,
                              const explainer *e, const char *path) {
    const ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const char *hint = find_hint(rows, foreign, e, path, &ctx->scratch);
    ty_text roots = {0};
    add_roots(rows, &roots);
    const ty_status st = ty_fail(ctx, TY_ERR_ARG, "there is no key \"%s\"; %s%s", path,
                                 hint ? hint : "there are ", hint ? "" : ty_text_string(&roots));
    ty_text_clear(&roots);
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}

ty_status ty_rows_explain(ty_ctx *ctx, const ty_rows *rows, const ty_foreign_name *foreign,
                          const char *path, ty_text *out) {
    explainer e = {.out = out, .best = INT32_MAX};
    strip(path ? path : "", e.wanted);
    explain_rows(&e, rows, NULL, NULL, TY_EFFECT_RESULT);
    if (e.n == 0)
        return fail_unknown(ctx, rows, foreign, &e, path ? path : "");
    return out->is_short ? ty_fail_nomem(ctx, "the text about a key") : TY_OK;
}
