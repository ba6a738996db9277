/* PTX modules: variables, functions, files and places. */
#include "tests/cudasim/ptx_parse.h"

#include <string.h>

enum { TEXT_MAX = 1 << 28 };

static void append_param(cs_parser *p, cs_variable ***list, size_t *n) {
    cs_space space;
    const cs_text word = cs_lex_take_word(&p->lex, ".param");
    if (!cs_parse_space_word(word, &space) || space != CS_PARAM) {
        cs_lex_fail(&p->lex, "'%.*s', want .param", (int)word.n, word.at);
        return;
    }
    cs_variable *param = cs_parse_variable(p, CS_PARAM);
    CS_APPEND(p, *list, *n, param);
    CS_APPEND(p, p->visible, p->n_visible, param);
}

static void parse_params(cs_parser *p, cs_variable ***list, size_t *n) {
    if (!cs_lex_accept(&p->lex, '('))
        return;
    while (!cs_lex_accept(&p->lex, ')') && !cs_lex_failed(&p->lex)) {
        append_param(p, list, n);
        if (!cs_lex_is_mark(&p->lex, ')'))
            cs_lex_expect(&p->lex, ',');
    }
}

static void parse_three(cs_parser *p, uint32_t out[3]) {
    out[1] = out[2] = 1;
    for (int i = 0; i < 3; i++) {
        out[i] = (uint32_t)cs_lex_take_count(&p->lex, UINT32_MAX, "a number of threads");
        if (!cs_lex_accept(&p->lex, ','))
            break;
    }
}

/* Directives between a function's head and its body. */
static void parse_limits(cs_parser *p, cs_function *f) {
    while (p->lex.token.kind == CS_TOKEN_WORD) {
        const cs_text word = cs_lex_take_word(&p->lex, "a directive");
        if (cs_text_is(word, ".maxntid"))
            parse_three(p, f->max_threads);
        else if (cs_text_is(word, ".reqntid"))
            parse_three(p, f->required_threads);
        else if (cs_text_is(word, ".minnctapersm"))
            f->min_blocks = (uint32_t)cs_lex_take_count(&p->lex, UINT32_MAX, "a number of blocks");
        else if (cs_text_is(word, ".maxnreg"))
            cs_lex_take_count(&p->lex, UINT32_MAX, "a number of registers");
        else if (cs_text_is(word, ".noreturn"))
            continue;
        else
            cs_lex_fail(&p->lex, "directive '%.*s' of a function is not known", (int)word.n,
                        word.at);
    }
}

static void parse_function(cs_parser *p, bool is_entry) {
    cs_function *f = cs_arena_take(p->ptx->arena, sizeof *f);
    f->is_entry = is_entry;
    p->n_visible = 0;
    p->n_ranges = 0;
    p->n_scopes = 0;
    if (!is_entry)
        parse_params(p, &f->results, &f->n_results);
    f->name = cs_lex_take_word(&p->lex, "a function's name");
    parse_params(p, &f->params, &f->n_params);
    parse_limits(p, f);
    if (!cs_lex_accept(&p->lex, ';')) {
        f->has_body = true;
        p->function = f;
        cs_parse_body(p);
        p->function = NULL;
    }
    CS_APPEND(p, p->ptx->functions, p->ptx->n_functions, f);
}

static void parse_module_variable(cs_parser *p, cs_space space, bool is_extern) {
    p->n_visible = 0;
    cs_variable *variable = cs_parse_variable(p, space);
    variable->is_extern = is_extern;
    CS_APPEND(p, p->ptx->variables, p->ptx->n_variables, variable);
    cs_lex_expect(&p->lex, ';');
}

static void parse_file(cs_parser *p) {
    cs_file file = {.number = (uint32_t)cs_lex_take_count(&p->lex, UINT32_MAX, "a file's number")};
    file.path = p->lex.token.text;
    if (p->lex.token.kind != CS_TOKEN_STRING)
        cs_lex_fail(&p->lex, "want a file's path");
    cs_lex_next(&p->lex);
    while (cs_lex_accept(&p->lex, ','))
        cs_lex_take_count(&p->lex, UINT64_MAX, "a file's time or size");
    CS_APPEND(p, p->ptx->files, p->ptx->n_files, file);
}

static void skip_section(cs_parser *p) {
    while (!cs_lex_is_mark(&p->lex, '{') && p->lex.token.kind != CS_TOKEN_END)
        cs_lex_next(&p->lex);
    while (!cs_lex_is_mark(&p->lex, '}') && p->lex.token.kind != CS_TOKEN_END)
        cs_lex_next(&p->lex);
    cs_lex_expect(&p->lex, '}');
}

static void parse_target(cs_parser *p) {
    do
        cs_lex_take_word(&p->lex, "a target");
    while (cs_lex_accept(&p->lex, ','));
}

/* .visible .extern .weak .common: what matters is whether the definition is elsewhere. */
static bool parse_linkage(cs_parser *p) {
    bool is_extern = false;
    while (p->lex.token.kind == CS_TOKEN_WORD) {
        const cs_text word = p->lex.token.text;
        if (cs_text_is(word, ".extern"))
            is_extern = true;
        else if (!cs_text_is(word, ".visible") && !cs_text_is(word, ".weak") &&
                 !cs_text_is(word, ".common"))
            break;
        cs_lex_next(&p->lex);
    }
    return is_extern;
}

static void parse_item(cs_parser *p) {
    const bool is_extern = parse_linkage(p);
    const cs_text word = cs_lex_take_word(&p->lex, "a directive");
    cs_space space;
    if (cs_text_is(word, ".entry") || cs_text_is(word, ".func"))
        parse_function(p, cs_text_is(word, ".entry"));
    else if (cs_parse_space_word(word, &space) && space != CS_PARAM && space != CS_LOCAL)
        parse_module_variable(p, space, is_extern);
    else if (cs_text_is(word, ".version"))
        cs_lex_next(&p->lex);
    else if (cs_text_is(word, ".target"))
        parse_target(p);
    else if (cs_text_is(word, ".address_size")) {
        if (cs_lex_take_count(&p->lex, 64, "an address size") != 64)
            cs_lex_fail(&p->lex, "an address size that is not 64");
    } else if (cs_text_is(word, ".file"))
        parse_file(p);
    else if (cs_text_is(word, ".loc"))
        cs_parse_loc(p);
    else if (cs_text_is(word, ".section"))
        skip_section(p);
    else if (cs_text_is(word, ".pragma")) {
        cs_lex_next(&p->lex);
        cs_lex_expect(&p->lex, ';');
    } else
        cs_lex_fail(&p->lex, "directive '%.*s' is not known", (int)word.n, word.at);
}

static cs_ptx *new_module(const char *text, size_t n) {
    cs_arena *arena = cs_arena_open();
    cs_ptx *ptx = cs_arena_take(arena, sizeof *ptx);
    char *copy = cs_arena_take(arena, n + 1);
    memcpy(copy, text, n);
    ptx->arena = arena;
    ptx->text = (cs_text){copy, n};
    return ptx;
}

cs_ptx *cs_ptx_open(const char *text, size_t n, char *error, size_t room) {
    const char *end = memchr(text, '\0', n); /* fat binaries pad with zeros */
    const size_t bytes = end ? (size_t)(end - text) : n;
    cs_parser p = {.ptx = new_module(text, bytes < TEXT_MAX ? bytes : TEXT_MAX)};
    const cs_location nowhere = {0};
    CS_APPEND(&p, p.ptx->locations, p.ptx->n_locations, nowhere);
    cs_lex_init(&p.lex, p.ptx->text, error, room);
    while (p.lex.token.kind != CS_TOKEN_END)
        parse_item(&p);
    if (!cs_lex_failed(&p.lex))
        return p.ptx;
    cs_ptx_close(p.ptx);
    return NULL;
}

void cs_ptx_close(cs_ptx *ptx) {
    if (ptx)
        cs_arena_close(ptx->arena);
}
