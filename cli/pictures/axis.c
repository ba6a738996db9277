#include "cli/pictures/axis.h"

#include <math.h>
#include <string.h>

#include "cli/table.h"

enum { COLUMNS = 15 }; /* of a tick's text, of four bytes each at most */

/* --- ranges ------------------------------------------------------------------------------------- */

void range_take(range *r, double v) {
    if (!isfinite(v))
        return;
    r->low = r->n ? fmin(r->low, v) : v;
    r->high = r->n ? fmax(r->high, v) : v;
    r->n++;
}

/* Bounded, so that an end stays a number. */
static double moved(double v, double by) {
    return fmin(fmax(v + by, -1e308), 1e308);
}

void range_widen(range *r, axis_kind kind, double share) {
    if (kind == AXIS_LOG && r->low > 0) {
        const double factor = r->high > r->low ? pow(r->high / r->low, share) : 2;
        r->high = fmin(r->high * factor, 1e308);
        r->low = fmax(r->low / factor, 1e-300);
        return;
    }
    const double pad =
        r->high > r->low ? share * (r->high / 2 - r->low / 2) * 2 : fmax(fabs(r->low) * 0.1, 1e-3);
    r->low = moved(r->low, -pad);
    r->high = moved(r->high, pad);
}

bool range_is_wide(const range *r, double times) {
    return r->n > 0 && r->low > 0 && r->high / times >= r->low;
}

/* --- axes --------------------------------------------------------------------------------------- */

axis axis_over(const range *r, axis_kind kind, double from, double to) {
    axis a = {.kind = kind, .low = r->low, .high = r->high, .from = from, .to = to};
    if (r->n == 0)
        a.low = 0;
    if (!(a.high / 2 - a.low / 2 > 1e-300))
        a.high = a.low + fmax(1, fabs(a.low) * 1e-6);
    if (kind == AXIS_LOG && !(a.low > 0))
        a.kind = AXIS_LINEAR;
    return a;
}

double axis_place(const axis *a, double v) {
    /* Halved, and logarithms one by one: an extent or ratio of two finite numbers need not be one. */
    const double share = a->kind == AXIS_LOG
                             ? v > 0 ? (log(v) - log(a->low)) / (log(a->high) - log(a->low)) : 0
                             : (v / 2 - a->low / 2) / (a->high / 2 - a->low / 2);
    return a->from + share * (a->to - a->from);
}

double axis_value(const axis *a, double share) {
    return a->kind == AXIS_LOG ? exp(log(a->low) * (1 - share) + log(a->high) * share)
                               : a->low * (1 - share) + a->high * share;
}

/* --- ticks -------------------------------------------------------------------------------------- */

enum { DIGITS = 6, MOST_DIGITS = 17 };

/* 1e-05 is 1e-5. */
static void write_number(double v, int n_digits, axis_tick *out) {
    (void)snprintf(out->text, sizeof out->text, "%.*g", n_digits, v);
    char *e = strchr(out->text, 'e');
    if (!e)
        return;
    char *digits = e + 1;
    char *from = digits + 1;
    digits += *digits == '-';
    while (from[0] == '0' && from[1])
        from++;
    memmove(digits, from, strlen(from) + 1);
}

static int add_tick(axis_tick *out, int n, double v, int digits) {
    if (n == AXIS_MAX_TICKS)
        return n;
    out[n].value = v;
    write_number(v, digits, &out[n]);
    return n + 1;
}

/* The 1, 2 or 5 times a power of ten that cuts the span into about so many. */
static double nice_step(double span, int wanted) {
    const double raw = span / wanted, power = pow(10, floor(log10(raw))), mantissa = raw / power;
    return power * (mantissa < 1.5 ? 1 : mantissa < 3.5 ? 2 : mantissa < 7.5 ? 5 : 10);
}

/* As many as tell two ticks apart. */
static int digits_of(const axis *a, double step) {
    const double largest = fmax(fabs(a->low), fabs(a->high));
    const double digits = floor(log10(largest)) - floor(log10(step)) + 1;
    return (int)fmin(fmax(digits, DIGITS), MOST_DIGITS);
}

static int linear_ticks(const axis *a, int wanted, axis_tick *out) {
    const double slack = 1e-9; /* 3 * 0.1 is more than 0.3 */
    const double nice = nice_step(a->high - a->low, wanted);
    const double step = a->is_whole ? fmax(nice, 1) : nice, first = ceil(a->low / step - slack);
    int n = 0;
    if (!isfinite(step) || !(a->low + step > a->low)) /* too wide or too narrow for a double */
        return add_tick(out, add_tick(out, 0, a->low, MOST_DIGITS), a->high, MOST_DIGITS);
    const int digits = digits_of(a, step);
    for (int k = 0; k < AXIS_MAX_TICKS && (first + k - slack) * step <= a->high; k++)
        n = add_tick(out, n, (first + k) * step, digits);
    return n;
}

/* The multiples by m of powers of ten 10^e, e a multiple of stride. */
static int decade_ticks(const axis *a, const double *m, int n_m, int stride, axis_tick *out) {
    const double slack = 1e-9;
    const int last = (int)floor(log10(a->high));
    int n = 0;
    for (int e = (int)floor(log10(a->low)); e <= last; e++)
        for (int i = 0; i < n_m && e % stride == 0; i++) {
            const double v = m[i] * pow(10, e);
            if (v >= a->low * (1 - slack) && v <= a->high * (1 + slack))
                n = add_tick(out, n, v, DIGITS);
        }
    return n;
}

static int log_ticks(const axis *a, int wanted, axis_tick *out) {
    static const double all[] = {1, 2, 5};
    const double decades = log10(a->high) - log10(a->low), most = 1.25 * wanted;
    if (decades >= most)
        return decade_ticks(a, all, 1, (int)ceil(decades / most), out);
    if (decades >= 2)
        return decade_ticks(a, all, 1, 1, out);
    const int n = decade_ticks(a, all, 3, 1, out);
    return n >= 2 ? n : linear_ticks(a, wanted, out);
}

static int choice_ticks(const axis *a, int wanted, axis_tick *out) {
    const size_t count = (size_t)(a->high - a->low + 0.5);
    const size_t most = wanted < AXIS_MAX_TICKS ? (size_t)wanted : AXIS_MAX_TICKS;
    const size_t stride = count > most ? (count + most - 1) / most : 1;
    int n = 0;
    for (size_t i = 0; i < count && n < AXIS_MAX_TICKS; i += stride, n++) {
        ty_text name = {0}, cut = {0};
        a->name(a->of, i, &name);
        table_add_cut(&cut, ty_text_string(&name), COLUMNS);
        out[n].value = (double)i;
        (void)snprintf(out[n].text, sizeof out[n].text, "%s", ty_text_string(&cut));
        ty_text_clear(&cut);
        ty_text_clear(&name);
    }
    return n;
}

int axis_ticks(const axis *a, int wanted, axis_tick out[AXIS_MAX_TICKS]) {
    if (a->kind == AXIS_CHOICE)
        return choice_ticks(a, wanted, out);
    return a->kind == AXIS_LOG ? log_ticks(a, wanted, out) : linear_ticks(a, wanted, out);
}

/* --- drawing ------------------------------------------------------------------------------------ */

enum {
    CHARACTER = 7,
    MARGIN = 9
}; /* pixels of one at most, about; how many have room on the left */

/* U+FFFE and U+FFFF. */
static bool is_no_character(const char *text) {
    return strncmp(text, "\xef\xbf\xbe", 3) == 0 || strncmp(text, "\xef\xbf\xbf", 3) == 0;
}

/* Neither control characters nor broken UTF-8 nor what is no character may stand in XML. */
static void add_plain(ty_text *out, const char *text) {
    while (*text) {
        const size_t length = ty_text_utf8_length(text);
        const bool is_control = (unsigned char)*text < 0x20 || *text == 0x7f;
        if (length > 0 && !is_control && !is_no_character(text))
            ty_text_add_n(out, text, length);
        else
            ty_text_add(out, "?");
        text += length > 0 ? length : 1;
    }
}

void axis_add_words(ty_text *out, const char *text, int columns) {
    ty_text plain = {0}, cut = {0};
    add_plain(&plain, text);
    table_add_cut(&cut, ty_text_string(&plain), columns);
    ty_text_add_html(out, ty_text_string(&cut));
    out->is_short |= plain.is_short || cut.is_short;
    ty_text_clear(&plain);
    ty_text_clear(&cut);
}

void axis_draw_left(const axis *a, int wanted, double x0, double x1, bool has_text, ty_text *out) {
    axis_tick ticks[AXIS_MAX_TICKS];
    const int n = axis_ticks(a, wanted, ticks);
    for (int i = 0; i < n; i++) {
        const double y = axis_place(a, ticks[i].value);
        ty_text_addf(out, "<line x1='%.1f' x2='%.1f' y1='%.1f' y2='%.1f' class='grid'/>", x0, x1, y,
                     y);
        if (!has_text)
            continue;
        ty_text_addf(out, "<text x='%.1f' y='%.1f' class='tick' text-anchor='end'>", x0 - 6, y + 4);
        axis_add_words(out, ticks[i].text, MARGIN);
        ty_text_add(out, "</text>");
    }
}

/* Of ticks that are `each` pixels apart, one in so many has room for its text. Choices are cut instead. */
static int stride_of(const axis_tick *ticks, int n, double each) {
    int widest = 0;
    for (int i = 0; i < n; i++) {
        const int columns = console_columns(ticks[i].text);
        widest = columns > widest ? columns : widest;
    }
    return 1 + (int)(CHARACTER * widest / fmax(each, 1));
}

void axis_draw_bottom(const axis *a, int wanted, double y, ty_text *out) {
    axis_tick ticks[AXIS_MAX_TICKS];
    const int n = axis_ticks(a, wanted, ticks);
    const double each = n > 0 ? fabs(a->to - a->from) / n : 0;
    const int columns = a->kind == AXIS_CHOICE ? (int)fmax(each / CHARACTER, 3) : COLUMNS;
    const int stride = a->kind == AXIS_LINEAR ? stride_of(ticks, n, each) : 1;
    for (int i = 0; i < n; i += stride) {
        ty_text_addf(out, "<text x='%.1f' y='%.1f' class='tick' text-anchor='middle'>",
                     axis_place(a, ticks[i].value), y + 16);
        axis_add_words(out, ticks[i].text, columns);
        ty_text_add(out, "</text>");
    }
}
