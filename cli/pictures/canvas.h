/* An RGB image that is drawn on: rectangles, text, other images. What lies outside is cut off. */
#ifndef TY_CLI_PICTURES_CANVAS_H
#define TY_CLI_PICTURES_CANVAS_H

#include "base/base.h"

typedef struct canvas {
    int width, height;
    uint8_t *pixels; /* [height][width][3] */
} canvas;

/* A white one. The caller's to clear. Errors: TY_ERR_NOMEM. */
ty_status canvas_init(ty_ctx *ctx, canvas *c, int width, int height) TY_MUST_USE;
void canvas_clear(canvas *c); /* accepts a zeroed one */

/* color: 0xRRGGBB; alpha 0 (nothing) to 1. */
void canvas_fill(canvas *c, int x, int y, int width, int height, uint32_t color, double alpha);

/* At most max_letters; a longer text ends in "..". Letters that are no ASCII are "?". x, y: upper left
 * corner of the first letter; upwards, its lower left one, with the text turned to the left. */
void canvas_text(canvas *c, int x, int y, const char *text, int max_letters, uint32_t color);
void canvas_text_up(canvas *c, int x, int y, const char *text, int max_letters, uint32_t color);

/* Pixels of text that is cut to max_letters. */
int canvas_text_width(const char *text, int max_letters);

/* An image of 1 or 3 channels, its pixels repeated or left out so that it becomes width by height. */
typedef struct canvas_image {
    const uint8_t *pixels; /* [height][width][channels] */
    int width, height, channels;
} canvas_image;
void canvas_draw(canvas *c, int x, int y, int width, int height, const canvas_image *image);

/* As a PNG file, which is there whole or not at all where the process is killed. It need not survive a power
 * cut: nobody waits for the disk. */
ty_status canvas_write(ty_ctx *ctx, const canvas *c, const char *path) TY_MUST_USE;

#endif
