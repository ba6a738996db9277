#include "cli/csv.h"

#include <math.h>
#include <string.h>

#include "cli/pictures/samples.h"

/* Quoted where it has to be; a text that a spreadsheet would take for a formula is no number here. */
static bool is_number(const char *text) {
    char *end = NULL;
    (void)strtod(text, &end);
    return end != text && *end == '\0';
}

void csv_add_field(ty_text *out, const char *text) {
    const bool is_formula = *text && strchr("=+-@\t\r", *text) && !is_number(text);
    const bool is_quoted = is_formula || strpbrk(text, ",\"\r\n") != NULL;
    ty_text_add(out, is_quoted ? "\"" : "");
    ty_text_add(out, is_formula ? "'" : "");
    for (const char *at = text; *at;) {
        const size_t length = strcspn(at, "\"");
        ty_text_add_n(out, at, length);
        at += length;
        if (*at == '"') {
            ty_text_add(out, "\"\"");
            at++;
        }
    }
    ty_text_add(out, is_quoted ? "\"" : "");
}

static void add_text(ty_text *out, const char *text) {
    const bool is_formula = text[0] && strchr("=+-@\t\r", text[0]);
    if (!strpbrk(text, ",\"\r\n") && !is_formula) {
        ty_text_add(out, text);
        return;
    }
    ty_text_add(out, is_formula ? "\"'" : "\"");
    for (const char *at = text; *at; at++)
        ty_text_add_n(out, *at == '"' ? "\"\"" : at, *at == '"' ? 2 : 1);
    ty_text_add(out, "\"");
}

static ty_status finish(ty_ctx *ctx, const ty_text *out) {
    return out->is_short ? ty_fail_nomem(ctx, "a table") : TY_OK;
}

/* --- curves ----------------------------------------------------------------------------------- */

static bool is_shown(const ty_run_curve *curve) {
    return strncmp(curve->key, "system/", 7) != 0;
}

/* The lowest step that any curve has at its place; INT64_MAX at all their ends. */
static int64_t lowest_step(const ty_run_record *run, const int64_t *at) {
    int64_t step = INT64_MAX;
    for (int64_t i = 0; i < run->n_curves; i++) {
        const ty_run_curve *curve = &run->curves[i];
        if (is_shown(curve) && at[i] < curve->n && curve->v[at[i]].step < step)
            step = curve->v[at[i]].step;
    }
    return step;
}

static void add_curve_row(const ty_run_record *run, int64_t step, int64_t *at, ty_text *out) {
    ty_text_addf(out, "%lld", (long long)step);
    for (int64_t i = 0; i < run->n_curves; i++) {
        const ty_run_curve *curve = &run->curves[i];
        if (!is_shown(curve))
            continue;
        ty_text_add(out, ",");
        if (at[i] < curve->n && curve->v[at[i]].step == step)
            ty_text_addf(out, "%.9g", curve->v[at[i]++].value);
    }
    ty_text_add(out, "\n");
}

ty_status csv_curves(ty_ctx *ctx, const ty_run_record *run, ty_text *out) {
    const ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    int64_t *at = ty_arena_array(&ctx->scratch, (size_t)run->n_curves + 1, sizeof *at);
    if (!at)
        return ty_fail_nomem(ctx, "a table of curves");
    ty_text_add(out, "step");
    for (int64_t i = 0; i < run->n_curves; i++) {
        if (!is_shown(&run->curves[i]))
            continue;
        ty_text_add(out, ",");
        add_text(out, run->curves[i].key);
    }
    ty_text_add(out, "\n");
    for (int64_t step; (step = lowest_step(run, at)) != INT64_MAX && !out->is_short;)
        add_curve_row(run, step, at, out);
    ty_arena_reset(&ctx->scratch, mark);
    return finish(ctx, out);
}

/* --- what is taken for what ------------------------------------------------------------------- */

ty_status csv_confusion(ty_ctx *ctx, const ty_data_info *info, const ty_eval_result *eval,
                        ty_text *out) {
    const int64_t n = eval->n_classes;
    ty_arena arena = {0};
    ty_text_add(out, "truth \\ predicted");
    for (int64_t k = 0; k < n; k++) {
        ty_text_add(out, ",");
        add_text(out, class_name(info, k, &arena));
    }
    ty_text_add(out, ",recall\n");
    for (int64_t truth = 0; truth < n; truth++) {
        int64_t total = 0;
        add_text(out, class_name(info, truth, &arena));
        for (int64_t k = 0; k < n; k++) {
            total += eval->confusion[truth * n + k];
            ty_text_addf(out, ",%lld", (long long)eval->confusion[truth * n + k]);
        }
        if (total)
            ty_text_addf(out, ",%.4f\n",
                         (double)eval->confusion[truth * n + truth] / (double)total);
        else
            ty_text_add(out, ",\n");
    }
    ty_arena_clear(&arena);
    return finish(ctx, out);
}

/* --- time ------------------------------------------------------------------------------------- */

void csv_timings(const csv_timing *rows, int n, ty_text *out) {
    ty_text_add(out, "rank,host,device,seconds,waiting for data,computing,communicating,evaluating,"
                     "the rest\n");
    for (int i = 0; i < n; i++) {
        const csv_timing *t = &rows[i];
        const double rest = t->seconds - t->data - t->compute - t->comm - t->eval;
        ty_text_addf(out, "%d,", i);
        add_text(out, t->host);
        ty_text_add(out, ",");
        add_text(out, t->device);
        ty_text_addf(out, ",%.3f,%.3f,%.3f,%.3f,%.3f,%.3f\n", t->seconds, t->data, t->compute,
                     t->comm, t->eval, fmax(rest, 0));
    }
}
