/* PTX variables: `.global .align 4 .b8 name[16] = {1, 2};`, parameters, and their initialisers. */
#include "tests/cudasim/ptx_parse.h"

#include <string.h>

enum { VARIABLE_BYTES_MAX = 1 << 30, ALIGN_MAX = 4096 };

bool cs_parse_space_word(cs_text word, cs_space *space) {
    static const struct {
        const char *word;
        cs_space space;
    } words[] = {{".global", CS_GLOBAL},
                 {".const", CS_CONST},
                 {".shared", CS_SHARED},
                 {".local", CS_LOCAL},
                 {".param", CS_PARAM}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (cs_text_is(word, words[i].word)) {
            *space = words[i].space;
            return true;
        }
    }
    return false;
}

static void skip_attribute(cs_parser *p) {
    cs_lex_expect(&p->lex, '(');
    while (!cs_lex_accept(&p->lex, ')') && p->lex.token.kind != CS_TOKEN_END)
        cs_lex_next(&p->lex);
}

static bool is_power_of_two(uint64_t n) {
    return n && (n & (n - 1)) == 0;
}

/* `.align 4`, `.ptr .global .align 1`, `.v2`, then the type. Returns the number of elements of a vector. */
static uint64_t parse_attributes(cs_parser *p, cs_variable *variable) {
    uint64_t elements = 1;
    while (p->lex.token.kind == CS_TOKEN_WORD && p->lex.token.text.at[0] == '.') {
        const cs_text word = cs_lex_take_word(&p->lex, "a type");
        const cs_text rest = {word.at + 1, word.n - 1};
        cs_space pointed;
        if (cs_text_is(word, ".align")) {
            const uint64_t align = cs_lex_take_count(&p->lex, ALIGN_MAX, "an alignment");
            if (!is_power_of_two(align))
                cs_lex_fail(&p->lex, "an alignment that is no power of two");
            else
                variable->align = (uint32_t)align;
        } else if (cs_text_is(word, ".v2") || cs_text_is(word, ".v4")) {
            elements = (uint64_t)(word.at[2] - '0');
        } else if (cs_text_is(word, ".attribute")) {
            skip_attribute(p);
        } else if (cs_type_named(rest) != CS_NO_TYPE) {
            variable->type = cs_type_named(rest);
        } else if (cs_text_is(word, ".ptr")) {
            const uint32_t align = variable->align; /* what follows is of the memory pointed to */
            if (p->lex.token.kind == CS_TOKEN_WORD &&
                cs_parse_space_word(p->lex.token.text, &pointed))
                cs_lex_next(&p->lex);
            if (cs_lex_is_word(&p->lex, ".align")) {
                cs_lex_next(&p->lex);
                cs_lex_take_count(&p->lex, ALIGN_MAX, "an alignment");
            }
            variable->align = align;
        } else {
            cs_lex_fail(&p->lex, "'%.*s' before a variable's name is not known", (int)word.n,
                        word.at);
        }
    }
    return elements;
}

/* `[4][16]`; false where a dimension is left open. */
static bool parse_dimensions(cs_parser *p, uint64_t *elements) {
    bool is_closed = true;
    while (cs_lex_accept(&p->lex, '[')) {
        if (cs_lex_accept(&p->lex, ']')) {
            is_closed = false;
            continue;
        }
        const uint64_t n = cs_lex_take_count(&p->lex, VARIABLE_BYTES_MAX, "an array's length");
        if (n && *elements > VARIABLE_BYTES_MAX / n)
            cs_lex_fail(&p->lex, "a variable of more than %d bytes", VARIABLE_BYTES_MAX);
        else
            *elements *= n;
        cs_lex_expect(&p->lex, ']');
    }
    return is_closed;
}

/* --- initialisers -------------------------------------------------------------------------------- */

/* Bytes grow by doubling, like lists: the arena's growth wants one item at a time. */
static void append_bytes(cs_parser *p, cs_variable *variable, uint64_t bits, size_t bytes) {
    if (variable->n_initial + bytes > VARIABLE_BYTES_MAX) {
        cs_lex_fail(&p->lex, "an initialiser of more than %d bytes", VARIABLE_BYTES_MAX);
        return;
    }
    for (size_t i = 0; i < bytes; i++)
        CS_APPEND(p, variable->initial, variable->n_initial, (uint8_t)(bits >> (8 * i)));
}

static uint64_t real_bits(const cs_token *token, size_t bytes) {
    uint64_t bits = token->bits;
    if (token->real_bytes == 8 && bytes == 4) {
        double wide;
        float narrow;
        uint32_t out;
        memcpy(&wide, &bits, sizeof wide);
        narrow = (float)wide;
        memcpy(&out, &narrow, sizeof out);
        bits = out;
    }
    return bits;
}

static void parse_address_value(cs_parser *p, cs_variable *variable, size_t bytes) {
    cs_relocation relocation = {.offset = variable->n_initial};
    relocation.name = cs_lex_take_word(&p->lex, "a value");
    if (cs_text_is(relocation.name, "generic")) {
        relocation.is_generic = true;
        cs_lex_expect(&p->lex, '(');
        relocation.name = cs_lex_take_word(&p->lex, "a variable's name");
        cs_lex_expect(&p->lex, ')');
    }
    if (cs_lex_accept(&p->lex, '+') || cs_lex_is_mark(&p->lex, '-'))
        relocation.addend = (int64_t)cs_parse_signed(p);
    if (bytes != 8)
        cs_lex_fail(&p->lex, "an address in %zu bytes", bytes);
    CS_APPEND(p, variable->relocations, variable->n_relocations, relocation);
    append_bytes(p, variable, 0, bytes);
}

static void parse_value(cs_parser *p, cs_variable *variable, size_t bytes) {
    const cs_token token = p->lex.token;
    if (token.kind == CS_TOKEN_WORD) {
        parse_address_value(p, variable, bytes);
    } else if (token.kind == CS_TOKEN_NUMBER && token.is_real) {
        append_bytes(p, variable, real_bits(&token, bytes), bytes);
        cs_lex_next(&p->lex);
    } else {
        append_bytes(p, variable, cs_parse_signed(p), bytes);
    }
}

/* Braces may nest; what counts is the order of the values. */
static void parse_initialiser(cs_parser *p, cs_variable *variable) {
    const size_t bytes = cs_type_bytes(variable->type);
    int depth = 0;
    do {
        while (cs_lex_accept(&p->lex, '{'))
            depth++;
        if (!cs_lex_is_mark(&p->lex, '}'))
            parse_value(p, variable, bytes);
        while (depth > 0 && cs_lex_accept(&p->lex, '}'))
            depth--;
    } while (cs_lex_accept(&p->lex, ',') ||
             (depth > 0 && !cs_lex_failed(&p->lex) && p->lex.token.kind != CS_TOKEN_END));
    if (depth != 0)
        cs_lex_fail(&p->lex, "an initialiser without its closing brace");
}

cs_variable *cs_parse_variable(cs_parser *p, cs_space space) {
    cs_variable *variable = cs_arena_take(p->ptx->arena, sizeof *variable);
    variable->space = space;
    uint64_t elements = parse_attributes(p, variable);
    const size_t bytes = cs_type_bytes(variable->type);
    if (bytes == 0)
        cs_lex_fail(&p->lex, "a variable without a type that memory can hold");
    if (variable->align == 0)
        variable->align = (uint32_t)(bytes * elements);
    variable->name = cs_lex_take_word(&p->lex, "a variable's name");
    const bool is_closed = parse_dimensions(p, &elements);
    if (cs_lex_accept(&p->lex, '='))
        parse_initialiser(p, variable);
    variable->bytes = is_closed ? elements * bytes : variable->n_initial;
    if (variable->bytes > VARIABLE_BYTES_MAX || variable->n_initial > variable->bytes)
        cs_lex_fail(&p->lex,
                    "%.*s: an initialiser longer than its variable, or too large a variable",
                    (int)variable->name.n, variable->name.at);
    return variable;
}
