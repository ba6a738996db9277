/* PTX operands: registers, numbers, names, [addresses], {vectors}, (arguments), d|p. */
#include "tests/cudasim/ptx_parse.h"

#include <string.h>

enum { OPERAND_DEPTH = 4, OPERAND_ITEMS = 64 };

static int64_t match_range(const cs_register_range *range, cs_text name) {
    if (range->count == 0)
        return cs_text_same(range->name, name) ? (int64_t)range->first : -1;
    if (name.n <= range->name.n || name.n > range->name.n + 9 ||
        memcmp(name.at, range->name.at, range->name.n) != 0)
        return -1;
    uint64_t number = 0;
    for (size_t i = range->name.n; i < name.n; i++) {
        if (name.at[i] < '0' || name.at[i] > '9' ||
            (name.at[i] == '0' && i == range->name.n && i + 1 < name.n))
            return -1;
        number = number * 10 + (uint64_t)(name.at[i] - '0');
    }
    return number < range->count ? (int64_t)(range->first + number) : -1;
}

int64_t cs_parse_register(const cs_parser *p, cs_text name) {
    for (size_t i = p->n_ranges; i-- > 0;) {
        const int64_t reg = match_range(&p->ranges[i], name);
        if (reg >= 0)
            return reg;
    }
    return -1;
}

const cs_variable *cs_parse_find_variable(const cs_parser *p, cs_text name) {
    for (size_t i = p->n_visible; i-- > 0;)
        if (cs_text_same(p->visible[i]->name, name))
            return p->visible[i];
    for (size_t i = 0; i < p->ptx->n_variables; i++)
        if (cs_text_same(p->ptx->variables[i]->name, name))
            return p->ptx->variables[i];
    return NULL;
}

uint64_t cs_parse_signed(cs_parser *p) {
    const bool is_negative = cs_lex_accept(&p->lex, '-');
    const uint64_t value = p->lex.token.bits;
    if (p->lex.token.kind != CS_TOKEN_NUMBER || p->lex.token.is_real) {
        cs_lex_fail(&p->lex, "want an integer");
        return 0;
    }
    cs_lex_next(&p->lex);
    return is_negative ? 0 - value : value;
}

static cs_operand parse_number(cs_parser *p, bool is_negative) {
    const cs_token token = p->lex.token;
    cs_operand operand = {.kind = token.is_real ? CS_OPERAND_FLOAT : CS_OPERAND_INTEGER,
                          .bits = token.bits,
                          .real_bytes = token.real_bytes};
    if (token.is_real && is_negative)
        operand.bits ^= token.real_bytes == 4 ? 1ull << 31 : 1ull << 63;
    else if (is_negative)
        operand.bits = 0 - token.bits;
    cs_lex_next(&p->lex);
    return operand;
}

/* Words: a register, a special register, a variable's address or a name to look up later. */
static cs_operand parse_word(cs_parser *p) {
    const cs_text word = p->lex.token.text;
    cs_operand operand = {.name = word};
    const int64_t reg = cs_parse_register(p, word);
    cs_lex_next(&p->lex);
    if (reg >= 0) {
        operand.kind = CS_OPERAND_REGISTER;
        operand.reg = (uint32_t)reg;
    } else if (cs_text_is(word, "_")) {
        operand.kind = CS_OPERAND_SINK;
    } else if (word.at[0] == '%') {
        operand.kind = CS_OPERAND_SPECIAL;
    } else {
        operand.variable = cs_parse_find_variable(p, word);
        operand.kind = operand.variable ? CS_OPERAND_VARIABLE : CS_OPERAND_NAME;
        if (operand.variable && (cs_lex_is_mark(&p->lex, '+') || cs_lex_is_mark(&p->lex, '-'))) {
            cs_lex_accept(&p->lex, '+');
            operand.offset = (int64_t)cs_parse_signed(p);
        }
    }
    return operand;
}

static cs_operand parse_at_depth(cs_parser *p, int depth);

static cs_operand parse_items(cs_parser *p, cs_operand_kind kind, char end, int depth) {
    cs_operand operand = {.kind = kind};
    while (!cs_lex_accept(&p->lex, end) && !cs_lex_failed(&p->lex)) {
        if (operand.n_items == OPERAND_ITEMS || p->lex.token.kind == CS_TOKEN_END) {
            cs_lex_fail(&p->lex, "a list that does not end");
            break;
        }
        const cs_operand item = parse_at_depth(p, depth + 1);
        CS_APPEND(p, operand.items, operand.n_items, item);
        if (!cs_lex_is_mark(&p->lex, end))
            cs_lex_expect(&p->lex, ',');
    }
    return operand;
}

static cs_operand parse_address(cs_parser *p, int depth) {
    cs_operand operand = {.kind = CS_OPERAND_ADDRESS};
    const cs_operand base = parse_at_depth(p, depth + 1);
    CS_APPEND(p, operand.items, operand.n_items, base);
    if (cs_lex_accept(&p->lex, '+') || cs_lex_is_mark(&p->lex, '-'))
        operand.offset = (int64_t)cs_parse_signed(p);
    cs_lex_expect(&p->lex, ']');
    return operand;
}

static cs_operand parse_at_depth(cs_parser *p, int depth) {
    if (depth > OPERAND_DEPTH) {
        cs_lex_fail(&p->lex, "operands nested too deep");
        return (cs_operand){.kind = CS_OPERAND_SINK};
    }
    if (cs_lex_accept(&p->lex, '['))
        return parse_address(p, depth);
    if (cs_lex_accept(&p->lex, '{'))
        return parse_items(p, CS_OPERAND_VECTOR, '}', depth);
    if (cs_lex_accept(&p->lex, '('))
        return parse_items(p, CS_OPERAND_ARGUMENTS, ')', depth);
    const bool is_negated = cs_lex_accept(&p->lex, '!');
    const bool is_negative = !is_negated && cs_lex_accept(&p->lex, '-');
    if (p->lex.token.kind == CS_TOKEN_NUMBER)
        return parse_number(p, is_negative);
    if (p->lex.token.kind != CS_TOKEN_WORD || is_negative) {
        cs_lex_fail(&p->lex, "want an operand");
        return (cs_operand){.kind = CS_OPERAND_SINK};
    }
    cs_operand operand = parse_word(p);
    operand.is_negated = is_negated;
    return operand;
}

cs_operand cs_parse_operand(cs_parser *p) {
    const cs_operand first = parse_at_depth(p, 0);
    if (!cs_lex_accept(&p->lex, '|'))
        return first;
    cs_operand pair = {.kind = CS_OPERAND_PAIR};
    const cs_operand second = parse_at_depth(p, 0);
    CS_APPEND(p, pair.items, pair.n_items, first);
    CS_APPEND(p, pair.items, pair.n_items, second);
    return pair;
}
