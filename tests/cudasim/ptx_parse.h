/* What the parts of the parser share. Private to ptx_*.c. */
#ifndef TY_CUDASIM_PTX_PARSE_H
#define TY_CUDASIM_PTX_PARSE_H

#include "tests/cudasim/ptx_lex.h"

enum { CS_SCOPES = 32 };

/* Registers declared together: name, or name0 to name<count-1>. */
typedef struct cs_register_range {
    cs_text name;
    uint64_t count; /* 0: the name itself */
    uint32_t first;
} cs_register_range;

typedef struct cs_parser {
    cs_lexer lex;
    cs_ptx *ptx;
    cs_function *function; /* the one whose body is read */
    cs_register_range *ranges;
    size_t n_ranges;
    cs_variable **visible; /* the function's variables in scope, innermost last */
    size_t n_visible;
    struct {
        size_t n_ranges, n_visible, n_labels;
    } scopes[CS_SCOPES];
    int n_scopes;
    uint32_t location;
} cs_parser;

/* Adds an item to a list of the arena: the list and its count are lvalues. */
#define CS_APPEND(parser, list, n, item)                                                           \
    do {                                                                                           \
        (list) = cs_arena_grow((parser)->ptx->arena, (list), (n), sizeof *(list));                 \
        (list)[(n)++] = (item);                                                                    \
    } while (0)

/* ptx_declare.c: `.global .align 4 .b8 name[16] = {...}` after the space's word was seen. A parameter ends at `,` or
 * `)`, everything else at `;`, which is left for the caller. */
cs_variable *cs_parse_variable(cs_parser *p, cs_space space);
/* The space that `.global` and its like name; false: none. */
bool cs_parse_space_word(cs_text word, cs_space *space);

/* ptx_body.c: a function's body from its `{` to its `}`. */
void cs_parse_body(cs_parser *p);
/* `.loc 1 4 5, function_name x, inlined_at 1 9 2` after the word. */
void cs_parse_loc(cs_parser *p);

/* ptx_operand.c */
cs_operand cs_parse_operand(cs_parser *p);
/* The register called name, -1: none. */
int64_t cs_parse_register(const cs_parser *p, cs_text name);
const cs_variable *cs_parse_find_variable(const cs_parser *p, cs_text name);
/* An integer with its sign, as 64 bits. */
uint64_t cs_parse_signed(cs_parser *p);

#endif
