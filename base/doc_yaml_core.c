/* What a plain scalar of YAML is: the core schema of YAML 1.2.2 (section 10.3.2), which libyaml,
 * being of YAML 1.1, leaves to us. */
#include "base/doc_yaml.h"

#include <stdlib.h>
#include <string.h>

typedef struct word {
    const char *text;
    doc_kind kind;
} word;

static const word words[] = {
    {"", DOC_NULL},           {"~", DOC_NULL},          {"null", DOC_NULL},
    {"Null", DOC_NULL},       {"NULL", DOC_NULL},       {"true", DOC_TRUE},
    {"True", DOC_TRUE},       {"TRUE", DOC_TRUE},       {"false", DOC_FALSE},
    {"False", DOC_FALSE},     {"FALSE", DOC_FALSE},     {".nan", DOC_NOT_FINITE},
    {".NaN", DOC_NOT_FINITE}, {".NAN", DOC_NOT_FINITE},
};
static const char *const infinities[] = {".inf", ".Inf", ".INF"};

/* The parts of [-+]?[0-9]*(\.[0-9]*)?([eE][-+]?[0-9]+)? */
typedef struct decimal {
    bool is_negative, has_point, has_exponent;
    const char *whole, *fraction, *exponent;
    int n_whole, n_fraction;
} decimal;

static int count_digits(const char *text) {
    return (int)strspn(text, "0123456789");
}

static bool split(const char *text, decimal *out) {
    const char *at = text + (*text == '-' || *text == '+');
    *out = (decimal){.is_negative = *text == '-', .whole = at, .n_whole = count_digits(at)};
    at += out->n_whole;
    if (*at == '.') {
        out->has_point = true;
        out->fraction = at + 1;
        out->n_fraction = count_digits(at + 1);
        at += 1 + out->n_fraction;
    }
    out->exponent = at;
    if (*at == 'e' || *at == 'E') {
        out->has_exponent = true;
        at += 1 + (at[1] == '-' || at[1] == '+');
        if (count_digits(at) == 0)
            return false;
        at += count_digits(at);
    }
    return *at == '\0' && out->n_whole + out->n_fraction > 0;
}

/* The base of 0o17 and 0x1F, which have no sign; 0 for everything else. */
static int base_of(const char *text) {
    const bool is_octal = text[0] == '0' && text[1] == 'o';
    if (!is_octal && !(text[0] == '0' && text[1] == 'x'))
        return 0;
    const char *digits = is_octal ? "01234567" : "0123456789abcdefABCDEF";
    const size_t n = strspn(text + 2, digits);
    return n > 0 && text[2 + n] == '\0' ? (is_octal ? 8 : 16) : 0;
}

doc_kind ty_doc_yaml_kind(const char *text) {
    decimal parts;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(text, words[i].text) == 0)
            return words[i].kind;
    const char *unsigned_text = text + (*text == '-' || *text == '+');
    for (size_t i = 0; i < sizeof infinities / sizeof infinities[0]; i++)
        if (strcmp(unsigned_text, infinities[i]) == 0)
            return DOC_NOT_FINITE;
    if (base_of(text) > 0)
        return DOC_INT;
    if (!split(text, &parts))
        return DOC_STRING;
    return parts.has_point || parts.has_exponent ? DOC_REAL : DOC_INT;
}

const char *ty_doc_yaml_number(ty_arena *arena, const char *text) {
    const int base = base_of(text);
    if (base > 0)
        return ty_arena_printf(arena, "%llu", strtoull(text + 2, NULL, base));
    decimal parts;
    (void)split(text, &parts); /* it is a number */
    while (parts.n_whole > 1 && *parts.whole == '0') {
        parts.whole++;
        parts.n_whole--;
    }
    return ty_arena_printf(arena, "%s%.*s%s%.*s%s%s", parts.is_negative ? "-" : "", parts.n_whole,
                           parts.whole, parts.n_whole ? "" : "0",
                           parts.has_point ? 1 + parts.n_fraction : 0,
                           parts.has_point ? parts.fraction - 1 : "",
                           parts.has_point && parts.n_fraction == 0 ? "0" : "", parts.exponent);
}
