/* Floats as people write them: 0.1, not 0.100000001. */
#include "data/float_text.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* value = digits * 10^exponent, digits of 9 figures, to the nearest. */
static void split_decimal(double value, int64_t *digits, int *exponent) {
    char text[32];
    (void)snprintf(text, sizeof text, "%.8e", value);
    *digits = text[0] - '0';
    for (int i = 2; i < 10; i++)
        *digits = *digits * 10 + (text[i] - '0');
    *exponent = (int)strtol(text + 11, NULL, 10) - 8;
}

/* Drops figures as long as the number stays nearer to value than to any other float. What the 9
 * figures themselves are off counts as half a unit, so a doubt keeps a figure. */
static void shorten_decimal(float value, int64_t *digits, int *exponent) {
    const double gap = (double)value - (double)nextafterf(value, 0.0f);
    const double unit = pow(10, *exponent); /* 1e-16 off at most: far less than the doubt */
    int64_t divisor = 1000;
    for (int dropped = 3; dropped > 0; dropped--, divisor /= 10) {
        const int64_t rounded = (*digits + divisor / 2) / divisor;
        const double off = fabs((double)(rounded * divisor - *digits)) + 0.5;
        if (off * unit >= 0.4999 * gap)
            continue;
        *digits = rounded;
        *exponent += dropped;
        break;
    }
    while (*digits % 10 == 0) {
        *digits /= 10;
        ++*exponent;
    }
}

static void add_decimal(ty_text *text, int64_t digits, int exponent) {
    char figures[24], out[48];
    const int n = snprintf(figures, sizeof figures, "%lld", (long long)digits);
    const int point = n + exponent; /* figures before the decimal point */
    int length;
    if (point < -4 || point > 15)
        length = snprintf(out, sizeof out, "%.1s%s%se%d", figures, n > 1 ? "." : "", figures + 1,
                          point - 1);
    else if (point <= 0)
        length = snprintf(out, sizeof out, "0.%.*s%s", -point, "0000", figures);
    else if (point >= n)
        length = snprintf(out, sizeof out, "%s%.*s", figures, point - n, "000000000000000");
    else
        length = snprintf(out, sizeof out, "%.*s.%s", point, figures, figures + point);
    ty_text_add_n(text, out, (size_t)length);
}

void ty_float_add(ty_text *text, float value) {
    int64_t digits;
    int exponent;
    if (signbit(value) && !isnan(value))
        ty_text_add_n(text, "-", 1);
    if (!isfinite(value) || value == 0.0f) {
        ty_text_add(text, isnan(value) ? "nan" : value == 0.0f ? "0" : "inf");
        return;
    }
    split_decimal(fabs((double)value), &digits, &exponent);
    shorten_decimal(fabsf(value), &digits, &exponent);
    add_decimal(text, digits, exponent);
}
