/* Growing strings, the escapes of the formats we write, and the distance behind "did you mean". */
#include "base/text.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FIRST_CAPACITY = 128, DISTANCE_MAX_LENGTH = 255 };

void ty_text_clear(ty_text *text) {
    if (!text)
        return;
    free(text->data);
    *text = (ty_text){0};
}

const char *ty_text_string(const ty_text *text) {
    return text->data ? text->data : "";
}

/* Makes room for `more` bytes and a NUL; false, and is_short for ever, when memory is out. */
static bool reserve(ty_text *text, size_t more) {
    if (text->is_short || more >= SIZE_MAX / 2 - text->length) {
        text->is_short = true;
        return false;
    }
    size_t wanted = text->length + more + 1;
    if (wanted <= text->capacity)
        return true;
    size_t capacity = text->capacity ? text->capacity : (size_t)FIRST_CAPACITY;
    while (capacity < wanted)
        capacity *= 2;
    char *data = realloc(text->data, capacity);
    if (!data) {
        text->is_short = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void ty_text_add_n(ty_text *text, const char *bytes, size_t length) {
    if (!reserve(text, length))
        return;
    if (length > 0)
        memcpy(text->data + text->length, bytes, length);
    text->length += length;
    text->data[text->length] = '\0';
}

void ty_text_add(ty_text *text, const char *string) {
    ty_text_add_n(text, string, strlen(string));
}

void ty_text_addf(ty_text *text, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    if (length >= 0 && reserve(text, (size_t)length)) {
        (void)vsnprintf(text->data + text->length, (size_t)length + 1, format, again);
        text->length += (size_t)length;
    }
    va_end(again);
    va_end(args);
}

size_t ty_text_utf8_length(const char *string) {
    const unsigned char *s = (const unsigned char *)string;
    if (s[0] < 0x80)
        return s[0] != 0;
    size_t length = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    bool is_overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool is_surrogate = s[0] == 0xed && s[1] >= 0xa0;
    bool is_beyond = s[0] == 0xf4 && s[1] >= 0x90;
    return is_overlong || is_surrogate || is_beyond ? 0 : length;
}

/* The escape of one byte in a JSON string; NULL where it stands for itself. */
static const char *json_escape(unsigned char byte, char hex[8]) {
    switch (byte) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    default:
        if (byte >= 0x20 && byte != 0x7f)
            return NULL;
        (void)snprintf(hex, 8, "\\u%04x", byte);
        return hex;
    }
}

void ty_text_add_json(ty_text *text, const char *string) {
    char hex[8];
    ty_text_add_n(text, "\"", 1);
    while (*string) {
        size_t length = ty_text_utf8_length(string);
        const char *escape = json_escape((unsigned char)*string, hex);
        if (length == 0)
            ty_text_add(text, "\xef\xbf\xbd");
        else if (escape)
            ty_text_add(text, escape);
        else
            ty_text_add_n(text, string, length);
        string += length > 0 ? length : 1;
    }
    ty_text_add_n(text, "\"", 1);
}

void ty_text_add_time(ty_text *text, int64_t ns) {
    const time_t seconds = (time_t)(ns / 1000000000);
    struct tm tm;
    char day[32];
    if (!gmtime_r(&seconds, &tm))
        return;
    (void)strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm);
    ty_text_addf(text, "%s.%06d+00:00", day, (int)(ns % 1000000000 / 1000));
}

void ty_text_add_number(ty_text *text, double value) {
    if (isnan(value)) {
        ty_text_add(text, "\"NaN\"");
    } else if (isinf(value)) {
        ty_text_add(text, value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
    } else if (value == 0 && signbit(value)) {
        ty_text_add(text, "-0.0"); /* "-0" is an integer to readers, and integers have one zero */
    } else {
        /* The shortest of the three that reads back: 0.1 rather than 0.10000000000000001. */
        char digits[32];
        for (int precision = 15; precision <= 17; precision++) {
            (void)snprintf(digits, sizeof digits, "%.*g", precision, value);
            if (strtod(digits, NULL) == value)
                break;
        }
        ty_text_add(text, digits);
    }
}

void ty_text_add_html(ty_text *text, const char *string) {
    static const char special[] = "&<>\"'";
    static const char *const escapes[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
    while (*string) {
        size_t plain = strcspn(string, special);
        ty_text_add_n(text, string, plain);
        string += plain;
        if (*string) {
            ty_text_add(text, escapes[strchr(special, *string) - special]);
            string++;
        }
    }
}

static int smaller(int a, int b) {
    return a < b ? a : b;
}

/* Optimal string alignment: three rows of the edit matrix are enough for adjacent
 * transpositions. */
int ty_text_distance(const char *a, const char *b) {
    size_t a_length = strlen(a), b_length = strlen(b);
    if (a_length > DISTANCE_MAX_LENGTH || b_length > DISTANCE_MAX_LENGTH) {
        size_t longer = a_length > b_length ? a_length : b_length;
        return longer > INT32_MAX ? INT32_MAX : (int)longer;
    }
    int rows[3][DISTANCE_MAX_LENGTH + 1];
    for (size_t j = 0; j <= b_length; j++)
        rows[0][j] = (int)j;
    for (size_t i = 1; i <= a_length; i++) {
        int *now = rows[i % 3];
        const int *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
        now[0] = (int)i;
        for (size_t j = 1; j <= b_length; j++) {
            int best =
                smaller(smaller(above[j], now[j - 1]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            bool is_swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            now[j] = is_swap ? smaller(best, two_above[j - 2] + 1) : best;
        }
    }
    return rows[a_length % 3][b_length];
}
