/* A float as text. Private to data/. */
#ifndef TY_DATA_FLOAT_TEXT_H
#define TY_DATA_FLOAT_TEXT_H

#include "base/text.h"

/* Adds a short decimal of at most 9 figures that reads back to the same float; NaN and infinities as
 * nan, inf and -inf. The locale's decimal point is taken to be a point. */
void ty_float_add(ty_text *text, float value);

#endif
