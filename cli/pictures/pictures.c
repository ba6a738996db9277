#include "cli/pictures/pictures.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/pictures/font.h"
#include "cli/pictures/samples.h"

static const uint32_t ink = 0x0f172a, pale_ink = 0x64748b, paper = 0xffffff, line = 0xe2e8f0,
                      right = 0x2563eb, wrong = 0xdc2626;

enum { MARGIN = 12, GAP = 4, MIN_CLASSES = 2, MAX_CLASSES = 200 };

/* --- the matrix ------------------------------------------------------------------------------- */

typedef struct matrix {
    canvas *c;
    const ty_data_info *info;
    const ty_eval_result *eval;
    ty_arena *arena;
    int n, cell_width, cell_height; /* of one count */
    int left, top;                  /* of the first cell */
    int name_letters;               /* of the longest name that is shown whole */
    bool has_counts, has_names;
} matrix;

bool picture_has_confusion(const ty_eval_result *eval) {
    return eval && eval->confusion && eval->n_classes >= MIN_CLASSES &&
           eval->n_classes <= MAX_CLASSES;
}

static void lay_out(matrix *m) {
    enum { LONGEST_NAME = 18, COUNTED = 20, NAMED = 60 };
    m->n = (int)m->eval->n_classes;
    m->has_counts = m->n <= COUNTED;
    m->has_names = m->n <= NAMED;
    m->cell_width = m->has_counts ? 46 : m->has_names ? FONT_HEIGHT + 1 : 4;
    m->cell_height = m->has_counts ? 30 : m->cell_width;
    for (int k = 0; k < m->n && m->has_names; k++) {
        const int letters =
            canvas_text_width(class_name(m->info, k, m->arena), LONGEST_NAME) / FONT_WIDTH;
        m->name_letters = letters > m->name_letters ? letters : m->name_letters;
    }
    const int names = m->name_letters * FONT_WIDTH;
    m->left = MARGIN + FONT_HEIGHT + 2 * GAP + names + GAP;
    m->top = MARGIN + 2 * FONT_HEIGHT + 3 * GAP + names + GAP;
}

static void draw_cell(const matrix *m, int truth, int predicted, int64_t count, double share) {
    const int x = m->left + predicted * m->cell_width, y = m->top + truth * m->cell_height;
    const bool is_right = truth == predicted;
    const int border = m->has_counts ? 1 : 0;
    if (count > 0)
        canvas_fill(m->c, x, y, m->cell_width - border, m->cell_height - border,
                    is_right ? right : wrong, 0.06 + 0.86 * sqrt(share));
    char text[24];
    (void)snprintf(text, sizeof text, "%lld", (long long)count);
    if (m->has_counts)
        canvas_text(m->c, x + (m->cell_width - canvas_text_width(text, 6)) / 2,
                    y + (m->cell_height - FONT_HEIGHT) / 2, text, 6,
                    share > 0.3  ? paper
                    : count == 0 ? line
                                 : ink);
}

static void draw_truth(const matrix *m, int truth) {
    const int64_t *counts = m->eval->confusion + (int64_t)truth * m->n;
    const int y = m->top + truth * m->cell_height + (m->cell_height - FONT_HEIGHT) / 2;
    int64_t total = 0;
    for (int k = 0; k < m->n; k++)
        total += counts[k];
    for (int k = 0; k < m->n; k++)
        draw_cell(m, truth, k, counts[k], total ? (double)counts[k] / (double)total : 0);
    if (!m->has_names)
        return;
    char recall[16] = "-";
    if (total)
        (void)snprintf(recall, sizeof recall, "%.3f", (double)counts[truth] / (double)total);
    const char *name = class_name(m->info, truth, m->arena);
    canvas_text(m->c, m->left - GAP - canvas_text_width(name, m->name_letters), y, name,
                m->name_letters, ink);
    canvas_text(m->c, m->left + m->n * m->cell_width + 2 * GAP, y, recall, 6, pale_ink);
}

static void draw_heads(const matrix *m, const char *title) {
    const int bottom = m->top + m->n * m->cell_height, middle = (m->top + bottom) / 2;
    canvas_text(m->c, MARGIN, MARGIN, title, 100, ink);
    canvas_text(m->c, m->left, MARGIN + FONT_HEIGHT + 2 * GAP, "predicted", 100, pale_ink);
    canvas_text_up(m->c, MARGIN, middle + canvas_text_width("truth", 5) / 2, "truth", 5, pale_ink);
    for (int k = 0; k < m->n && m->has_names; k++)
        canvas_text_up(m->c, m->left + k * m->cell_width + (m->cell_width - FONT_HEIGHT) / 2,
                       m->top - GAP, class_name(m->info, k, m->arena), m->name_letters, ink);
    if (m->has_names)
        canvas_text(m->c, m->left + m->n * m->cell_width + 2 * GAP, m->top - FONT_HEIGHT - GAP,
                    "recall", 6, pale_ink);
}

ty_status picture_confusion(ty_ctx *ctx, const ty_data_info *info, const ty_eval_result *eval,
                            const char *title, canvas *out) {
    ty_arena arena = {0};
    matrix m = {.c = out, .info = info, .eval = eval, .arena = &arena};
    lay_out(&m);
    const int recall = m.has_names ? 2 * GAP + 6 * FONT_WIDTH : 0;
    const int heads = 2 * MARGIN + canvas_text_width(title, 100);
    int width = m.left + m.n * m.cell_width + recall + MARGIN;
    width = width > heads ? width : heads;
    const ty_status st = canvas_init(ctx, out, width, m.top + m.n * m.cell_height + MARGIN);
    if (st == TY_OK) {
        draw_heads(&m, title);
        for (int truth = 0; truth < m.n; truth++)
            draw_truth(&m, truth);
    }
    ty_arena_clear(&arena);
    return st;
}

/* --- samples ---------------------------------------------------------------------------------- */

enum { MOST = 24, COLUMNS = 8, SIDE = 84, TILE = 112, LETTERS = TILE / FONT_WIDTH - 1 };

/* Tiles of an image and lines of text under a title. */
typedef struct grid {
    canvas *c;
    const ty_dataset *data;
    ty_split split;
    int tile_height;
} grid;

static ty_status open_grid(ty_ctx *ctx, grid *g, int n, int lines, const char *title,
                           const char *legend) {
    const int rows = (n + COLUMNS - 1) / COLUMNS, used = n < COLUMNS ? n : COLUMNS;
    const int title_width = canvas_text_width(title, 100) + 2 * FONT_WIDTH;
    const int heads = title_width + canvas_text_width(legend, 100);
    const int width = used * TILE > heads ? used * TILE : heads;
    g->tile_height = SIDE + lines * FONT_HEIGHT + 3 * GAP;
    TY_TRY(canvas_init(ctx, g->c, 2 * MARGIN + width,
                       2 * MARGIN + FONT_HEIGHT + 2 * GAP + rows * g->tile_height));
    canvas_text(g->c, MARGIN, MARGIN, title, 100, ink);
    canvas_text(g->c, MARGIN + title_width, MARGIN, legend, 100, pale_ink);
    return TY_OK;
}

/* As large as fits into a square, whole multiples where it is smaller. */
static void fit(const canvas_image *image, int *width, int *height) {
    const int longest = image->width > image->height ? image->width : image->height;
    const int times = SIDE / longest;
    *width = times ? image->width * times : image->width * SIDE / longest;
    *height = times ? image->height * times : image->height * SIDE / longest;
    *width = *width ? *width : 1;
    *height = *height ? *height : 1;
}

static void tile_place(const grid *g, int i, int *x, int *y) {
    *x = MARGIN + i % COLUMNS * TILE;
    *y = MARGIN + FONT_HEIGHT + 2 * GAP + i / COLUMNS * g->tile_height;
}

static void tile_text(const grid *g, int i, int row, const char *text, uint32_t color) {
    int x, y;
    tile_place(g, i, &x, &y);
    canvas_text(g->c, x, y + SIDE + GAP + row * FONT_HEIGHT, text, LETTERS, color);
}

static ty_status tile_image(ty_ctx *ctx, const grid *g, int i, int64_t sample, ty_arena *arena,
                            int64_t *out_class) {
    canvas_image image;
    int x, y, width, height;
    TY_TRY(sample_image(ctx, g->data, g->split, sample, arena, &image, out_class));
    fit(&image, &width, &height);
    tile_place(g, i, &x, &y);
    canvas_fill(g->c, x, y, SIDE, SIDE, line, 1);
    canvas_draw(g->c, x + (SIDE - width) / 2, y + (SIDE - height) / 2, width, height, &image);
    return TY_OK;
}

static ty_status draw_sample(ty_ctx *ctx, const grid *g, int i, int64_t sample, ty_arena *arena) {
    int64_t class_index;
    char text[32];
    TY_TRY(tile_image(ctx, g, i, sample, arena, &class_index));
    (void)snprintf(text, sizeof text, "#%lld", (long long)sample);
    if (class_index >= 0)
        tile_text(g, i, 0, class_name(ty_dataset_info(g->data), class_index, arena), right);
    tile_text(g, i, class_index >= 0, text, pale_ink);
    return TY_OK;
}

ty_status picture_samples(ty_ctx *ctx, const ty_dataset *data, ty_split split, const char *title,
                          canvas *out) {
    const ty_data_info *info = ty_dataset_info(data);
    const int64_t count = info->count[split];
    const int n = count < MOST ? (int)count : MOST;
    grid g = {.c = out, .data = data, .split = split};
    ty_arena arena = {0};
    ty_status st = open_grid(ctx, &g, n, info->is_classification ? 2 : 1, title, "");
    for (int i = 0; st == TY_OK && i < n; i++) {
        st = draw_sample(ctx, &g, i, count / n * i, &arena);
        ty_arena_clear(&arena);
    }
    if (st != TY_OK)
        canvas_clear(out);
    return st;
}

/* --- mistakes --------------------------------------------------------------------------------- */

bool picture_has_mistakes(const ty_data_info *info, const ty_eval_result *eval) {
    return eval && eval->confusion && eval->n_mistakes > 0 && samples_are_images(info);
}

static ty_status draw_mistake(ty_ctx *ctx, const grid *g, int i, const ty_mistake *mistake,
                              ty_arena *arena) {
    const ty_data_info *info = ty_dataset_info(g->data);
    int64_t class_index;
    char text[64];
    TY_TRY(tile_image(ctx, g, i, mistake->sample, arena, &class_index));
    (void)snprintf(text, sizeof text, "%.0f%% #%lld", 100 * mistake->probability,
                   (long long)mistake->sample);
    tile_text(g, i, 0, class_name(info, mistake->truth, arena), right);
    tile_text(g, i, 1, class_name(info, mistake->predicted, arena), wrong);
    tile_text(g, i, 2, text, pale_ink);
    return TY_OK;
}

ty_status picture_mistakes(ty_ctx *ctx, const ty_dataset *data, ty_split split,
                           const ty_eval_result *eval, const char *title, canvas *out) {
    const int n = eval->n_mistakes < MOST ? (int)eval->n_mistakes : MOST;
    grid g = {.c = out, .data = data, .split = split};
    ty_arena arena = {0};
    ty_status st = open_grid(ctx, &g, n, 3, title,
                             "truth, what it was taken for with which probability, sample");
    for (int i = 0; st == TY_OK && i < n; i++) {
        st = draw_mistake(ctx, &g, i, &eval->mistakes[i], &arena);
        ty_arena_clear(&arena);
    }
    if (st != TY_OK)
        canvas_clear(out);
    return st;
}

/* --- both ------------------------------------------------------------------------------------- */

static void draw_whole(canvas *c, int y, const canvas *part) {
    const canvas_image image = {part->pixels, part->width, part->height, 3};
    canvas_draw(c, 0, y, part->width, part->height, &image);
}

static ty_status stack(ty_ctx *ctx, const canvas *upper, const canvas *lower, canvas *out) {
    const int width = upper->width > lower->width ? upper->width : lower->width;
    TY_TRY(canvas_init(ctx, out, width, upper->height + lower->height));
    draw_whole(out, 0, upper);
    draw_whole(out, upper->height, lower);
    return TY_OK;
}

ty_status picture_eval(ty_ctx *ctx, const ty_dataset *data, ty_split split,
                       const ty_eval_result *eval, const char *title, canvas *out) {
    const ty_data_info *info = ty_dataset_info(data);
    canvas upper = {0}, lower = {0};
    if (!picture_has_mistakes(info, eval))
        return picture_confusion(ctx, info, eval, title, out);
    TY_TRY(picture_confusion(ctx, info, eval, title, &upper));
    ty_status st = picture_mistakes(ctx, data, split, eval, "worst first", &lower);
    if (st == TY_OK)
        st = stack(ctx, &upper, &lower, out);
    canvas_clear(&upper);
    canvas_clear(&lower);
    return st;
}
