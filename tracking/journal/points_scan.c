#include "tracking/journal/points_scan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DIGITS = 19 }; /* of an int64_t; as many fit a uint64_t always */

typedef struct cursor {
    const char *at, *end;
} cursor;

static bool take(cursor *c, const char *word) {
    const size_t length = strlen(word);
    if ((size_t)(c->end - c->at) < length || memcmp(c->at, word, length) != 0)
        return false;
    c->at += length;
    return true;
}

static bool is_at(const cursor *c, char what) {
    return c->at < c->end && *c->at == what;
}

static bool is_digit(const cursor *c) {
    return c->at < c->end && *c->at >= '0' && *c->at <= '9';
}

static int64_t skip_digits(cursor *c) {
    const char *begin = c->at;
    while (is_digit(c))
        c->at++;
    return c->at - begin;
}

static bool take_int(cursor *c, int64_t *out) {
    const bool is_negative = take(c, "-");
    const char *begin = c->at;
    uint64_t value = 0;
    for (; is_digit(c) && c->at - begin < MAX_DIGITS; c->at++)
        value = 10 * value + (uint64_t)(*c->at - '0');
    const int64_t n = c->at - begin;
    if (n == 0 || is_digit(c) || (*begin == '0' && n > 1) || value > INT64_MAX)
        return false;
    *out = is_negative ? -(int64_t)value : (int64_t)value;
    return true;
}

static bool skip_fraction(cursor *c) {
    return !take(c, ".") || skip_digits(c) > 0;
}

static bool skip_exponent(cursor *c) {
    if (!take(c, "e") && !take(c, "E"))
        return true;
    (void)(take(c, "+") || take(c, "-"));
    return skip_digits(c) > 0;
}

/* What has neither a point nor an exponent is an integer to readers of JSON, with their bounds and
 * their one zero. */
static bool take_number(cursor *c, double *out) {
    const char *begin = c->at;
    int64_t whole;
    if (take_int(c, &whole) && is_at(c, ']')) {
        *out = (double)whole;
        return true;
    }
    c->at = begin;
    (void)take(c, "-");
    const char *digits = c->at;
    const int64_t n = skip_digits(c);
    if (n == 0 || (*digits == '0' && n > 1) || is_at(c, ']') || !skip_fraction(c) ||
        !skip_exponent(c) || !is_at(c, ']'))
        return false;
    *out = strtod(begin, NULL); /* ends before the bracket */
    return isfinite(*out);
}

static bool take_value(cursor *c, double *out) {
    if (!is_at(c, '"'))
        return take_number(c, out);
    if (take(c, "\"NaN\""))
        *out = NAN;
    else if (take(c, "\"Infinity\""))
        *out = INFINITY;
    else if (take(c, "\"-Infinity\""))
        *out = -INFINITY;
    else
        return false;
    return true;
}

static const char *take_key(cursor *c, ty_arena *arena) {
    if (!take(c, "\""))
        return NULL;
    const char *begin = c->at;
    while (c->at < c->end && *c->at >= ' ' && *c->at <= '~' && *c->at != '"' && *c->at != '\\')
        c->at++;
    const size_t length = (size_t)(c->at - begin);
    return take(c, "\"") ? ty_arena_string_n(arena, begin, length) : NULL;
}

/* How many of them there may be at most. */
static size_t count(const cursor *c, char what) {
    size_t n = 0;
    for (const char *at = c->at; at < c->end; at++)
        n += *at == what;
    return n;
}

static const char **take_keys(cursor *c, ty_arena *arena, int64_t *n) {
    const char **keys = ty_arena_array(arena, count(c, '"') + 1, sizeof *keys);
    *n = 0;
    do {
        if (!keys || !(keys[*n] = take_key(c, arena)))
            return NULL;
        ++*n;
    } while (take(c, ","));
    return keys;
}

static bool take_point(cursor *c, const char *const *keys, int64_t n_keys, ty_track_point *out) {
    int64_t index;
    if (!take(c, "[") || !take_int(c, &index) || index < 0 || index >= n_keys || !take(c, ",") ||
        !take_int(c, &out->step) || !take(c, ",") || !take_int(c, &out->time_ns) || !take(c, ","))
        return false;
    out->key = keys[index];
    return take_value(c, &out->value) && take(c, "]");
}

bool ty_points_scan(const char *payload, size_t bytes, ty_arena *arena, ty_track_record *out) {
    cursor c = {payload, payload + bytes};
    int64_t n_keys, n = 0;
    if (!take(&c, "{\"keys\":["))
        return false;
    const char **keys = take_keys(&c, arena, &n_keys);
    if (!keys || !take(&c, "],\"points\":["))
        return false;
    ty_track_point *points = ty_arena_array(arena, count(&c, '[') + 1, sizeof *points);
    do {
        if (!points || !take_point(&c, keys, n_keys, &points[n++]))
            return false;
    } while (take(&c, ","));
    if (!take(&c, "]}") || c.at != c.end)
        return false;
    out->points.v = points;
    out->points.n = n;
    return true;
}
