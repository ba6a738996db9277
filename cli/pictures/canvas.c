#include "cli/pictures/canvas.h"

#include <stdlib.h>
#include <string.h>

#include "cli/pictures/font.h"
#include "cli/pictures/png.h"

ty_status canvas_init(ty_ctx *ctx, canvas *c, int width, int height) {
    const size_t bytes = (size_t)width * (size_t)height * 3;
    *c = (canvas){.width = width, .height = height, .pixels = malloc(bytes)};
    if (!c->pixels)
        return ty_fail_nomem(ctx, "a picture");
    memset(c->pixels, 0xff, bytes);
    return TY_OK;
}

void canvas_clear(canvas *c) {
    free(c->pixels);
    *c = (canvas){0};
}

static void mix(canvas *c, int x, int y, uint32_t color, double alpha) {
    if (x < 0 || y < 0 || x >= c->width || y >= c->height)
        return;
    uint8_t *pixel = c->pixels + ((size_t)y * (size_t)c->width + (size_t)x) * 3;
    for (int i = 0; i < 3; i++) {
        const double wanted = (double)(color >> (16 - 8 * i) & 0xff);
        pixel[i] = (uint8_t)(pixel[i] + alpha * (wanted - pixel[i]) + 0.5);
    }
}

void canvas_fill(canvas *c, int x, int y, int width, int height, uint32_t color, double alpha) {
    for (int row = y; row < y + height; row++)
        for (int column = x; column < x + width; column++)
            mix(c, column, row, color, alpha);
}

/* --- text ------------------------------------------------------------------------------------- */

/* Characters of UTF-8, of which each is a letter here. */
static int count_letters(const char *text) {
    int n = 0;
    for (const char *at = text; *at; at++)
        n += ((unsigned char)*at & 0xc0) != 0x80;
    return n;
}

static bool is_cut(const char *text, int max_letters) {
    return count_letters(text) > max_letters;
}

int canvas_text_width(const char *text, int max_letters) {
    const int n = count_letters(text);
    return FONT_WIDTH * (n < max_letters ? n : max_letters);
}

/* The letter that text begins with, and where the next one begins. */
static char next_letter(const char **text) {
    const char first = *(*text)++;
    while (((unsigned char)**text & 0xc0) == 0x80)
        (*text)++;
    return first >= FONT_FIRST && first < FONT_FIRST + FONT_GLYPHS ? first : '?';
}

static void draw_letter(canvas *c, int x, int y, char letter, bool is_up, uint32_t color) {
    const uint8_t *glyph = font_glyphs[letter - FONT_FIRST];
    for (int row = 0; row < FONT_HEIGHT; row++)
        for (int column = 0; column < FONT_WIDTH; column++)
            if (glyph[row] >> (FONT_WIDTH - 1 - column) & 1)
                mix(c, is_up ? x + row : x + column, is_up ? y - column : y + row, color, 1);
}

static void draw_text(canvas *c, int x, int y, const char *text, int max_letters, bool is_up,
                      uint32_t color) {
    const int n_kept = is_cut(text, max_letters) ? max_letters - 2 : max_letters;
    for (int i = 0; i < max_letters && *text; i++) {
        const char letter = next_letter(&text);
        const int step = i * FONT_WIDTH;
        draw_letter(c, is_up ? x : x + step, is_up ? y - step : y, i < n_kept ? letter : '.', is_up,
                    color);
    }
}

void canvas_text(canvas *c, int x, int y, const char *text, int max_letters, uint32_t color) {
    draw_text(c, x, y, text, max_letters, false, color);
}

void canvas_text_up(canvas *c, int x, int y, const char *text, int max_letters, uint32_t color) {
    draw_text(c, x, y, text, max_letters, true, color);
}

/* --- images ----------------------------------------------------------------------------------- */

void canvas_draw(canvas *c, int x, int y, int width, int height, const canvas_image *image) {
    for (int row = 0; row < height; row++) {
        const size_t from_row = (size_t)row * (size_t)image->height / (size_t)height;
        for (int column = 0; column < width; column++) {
            const size_t from = (size_t)column * (size_t)image->width / (size_t)width;
            const uint8_t *pixel =
                image->pixels + (from_row * (size_t)image->width + from) * (size_t)image->channels;
            const uint8_t *last = pixel + image->channels - 1;
            const uint32_t red = pixel[0], green = image->channels == 3 ? pixel[1] : pixel[0];
            mix(c, x + column, y + row, red << 16 | green << 8 | *last, 1);
        }
    }
}

static ty_status write_and_close(ty_ctx *ctx, const char *path, int fd, const ty_text *content) {
    const ty_status st = ty_file_write(ctx, path, fd, content->data, content->length);
    if (st == TY_OK)
        return ty_file_close(ctx, path, fd);
    (void)ctx->io->close(ctx->io->self, fd);
    return st;
}

static ty_status write_file(ty_ctx *ctx, const char *path, const ty_text *content) {
    const ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    char *temp = NULL;
    int fd = -1;
    ty_status st = ty_file_open_temp(ctx, path, &ctx->scratch, &temp, &fd);
    if (st == TY_OK) {
        st = write_and_close(ctx, temp, fd, content);
        if (st == TY_OK)
            st = ty_file_rename(ctx, temp, path);
        if (st != TY_OK)
            (void)ctx->io->unlink(ctx->io->self, temp);
    }
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}

ty_status canvas_write(ty_ctx *ctx, const canvas *c, const char *path) {
    ty_text file = {0};
    ty_status st = png_encode(ctx, c->pixels, c->width, c->height, 3, &file);
    if (st == TY_OK)
        st = write_file(ctx, path, &file);
    ty_text_clear(&file);
    return st;
}
