/* The pictures' letters: ASCII from space to ~, 7 by 13 pixels each. */
#ifndef TY_CLI_PICTURES_FONT_H
#define TY_CLI_PICTURES_FONT_H

#include <stdint.h>

enum { FONT_WIDTH = 7, FONT_HEIGHT = 13, FONT_FIRST = ' ', FONT_GLYPHS = 95 };

extern const uint8_t font_glyphs[FONT_GLYPHS][FONT_HEIGHT];

#endif
