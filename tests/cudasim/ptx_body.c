/* A PTX function's body: registers, scopes, labels, places and instructions. */
#include "tests/cudasim/ptx_parse.h"

enum { REGISTERS_MAX = 1 << 20, STATEMENT_OPERANDS = 12 };

static cs_type parse_register_type(cs_parser *p) {
    const cs_text word = cs_lex_take_word(&p->lex, "a register's type");
    const cs_type type =
        word.n > 1 ? cs_type_named((cs_text){word.at + 1, word.n - 1}) : CS_NO_TYPE;
    if (type == CS_NO_TYPE || cs_type_bytes(type) == 1)
        cs_lex_fail(&p->lex, "registers of type '%.*s' are not known", (int)word.n, word.at);
    return type;
}

/* `.reg .b32 %r<6>, %x;` */
static void parse_registers(cs_parser *p) {
    cs_function *f = p->function;
    const cs_type type = parse_register_type(p);
    do {
        cs_register_range range = {.first = (uint32_t)f->n_registers};
        range.name = cs_lex_take_word(&p->lex, "a register's name");
        if (cs_lex_accept(&p->lex, '<')) {
            range.count = cs_lex_take_count(&p->lex, REGISTERS_MAX, "a number of registers");
            cs_lex_expect(&p->lex, '>');
        }
        const uint64_t n = range.count ? range.count : 1;
        if (f->n_registers + n > REGISTERS_MAX) {
            cs_lex_fail(&p->lex, "more than %d registers", REGISTERS_MAX);
            return;
        }
        for (uint64_t i = 0; i < n; i++)
            CS_APPEND(p, f->registers, f->n_registers, type);
        CS_APPEND(p, p->ranges, p->n_ranges, range);
    } while (cs_lex_accept(&p->lex, ','));
}

static void parse_variables(cs_parser *p, cs_space space) {
    cs_variable *variable = cs_parse_variable(p, space);
    CS_APPEND(p, p->visible, p->n_visible, variable);
    if (space == CS_GLOBAL || space == CS_CONST) /* static variables of a device function */
        CS_APPEND(p, p->ptx->variables, p->ptx->n_variables, variable);
    else
        CS_APPEND(p, p->function->variables, p->function->n_variables, variable);
}

/* --- places -------------------------------------------------------------------------------------- */

static cs_location parse_place(cs_parser *p) {
    cs_location place = {0};
    place.file = (uint32_t)cs_lex_take_count(&p->lex, UINT32_MAX, "a file's number");
    place.line = (uint32_t)cs_lex_take_count(&p->lex, UINT32_MAX, "a line");
    place.column = (uint32_t)cs_lex_take_count(&p->lex, UINT32_MAX, "a column");
    return place;
}

/* The place that an inlined_at names was itself said by an earlier .loc; where not, it stands alone. */
static uint32_t find_place(cs_parser *p, cs_location place) {
    for (size_t i = p->ptx->n_locations; i-- > 1;) {
        const cs_location *known = &p->ptx->locations[i];
        if (known->file == place.file && known->line == place.line && known->column == place.column)
            return (uint32_t)i;
    }
    CS_APPEND(p, p->ptx->locations, p->ptx->n_locations, place);
    return (uint32_t)(p->ptx->n_locations - 1);
}

void cs_parse_loc(cs_parser *p) {
    cs_location place = parse_place(p);
    while (cs_lex_accept(&p->lex, ',')) {
        const cs_text word = cs_lex_take_word(&p->lex, "function_name or inlined_at");
        if (cs_text_is(word, "function_name")) {
            cs_lex_take_word(&p->lex, "a function's name");
            if (cs_lex_accept(&p->lex, '+'))
                cs_parse_signed(p);
        } else if (cs_text_is(word, "inlined_at")) {
            place.inlined_at = find_place(p, parse_place(p));
        } else {
            cs_lex_fail(&p->lex, "'%.*s' in .loc is not known", (int)word.n, word.at);
        }
    }
    CS_APPEND(p, p->ptx->locations, p->ptx->n_locations, place);
    p->location = (uint32_t)(p->ptx->n_locations - 1);
    if (p->function && p->function->location == 0)
        p->function->location = p->location;
}

/* --- instructions -------------------------------------------------------------------------------- */

static void parse_guard(cs_parser *p, cs_statement *statement) {
    statement->is_guard_negated = cs_lex_accept(&p->lex, '!');
    const cs_text name = cs_lex_take_word(&p->lex, "a predicate");
    statement->guard = cs_parse_register(p, name);
    if (statement->guard < 0 || p->function->registers[statement->guard] != CS_PRED)
        cs_lex_fail(&p->lex, "guard '%.*s' is no predicate", (int)name.n, name.at);
}

static void parse_statement(cs_parser *p) {
    cs_statement statement = {.guard = -1, .location = p->location};
    if (cs_lex_accept(&p->lex, '@'))
        parse_guard(p, &statement);
    statement.opcode = cs_lex_take_word(&p->lex, "an instruction");
    while (!cs_lex_is_mark(&p->lex, ';') && !cs_lex_failed(&p->lex)) {
        if (statement.n_operands == STATEMENT_OPERANDS) {
            cs_lex_fail(&p->lex, "more than %d operands", STATEMENT_OPERANDS);
            return;
        }
        const cs_operand operand = cs_parse_operand(p);
        CS_APPEND(p, statement.operands, statement.n_operands, operand);
        if (!cs_lex_is_mark(&p->lex, ';'))
            cs_lex_expect(&p->lex, ',');
    }
    cs_lex_expect(&p->lex, ';');
    CS_APPEND(p, p->function->statements, p->function->n_statements, statement);
}

/* --- the body ------------------------------------------------------------------------------------ */

static void enter_scope(cs_parser *p) {
    if (p->n_scopes == CS_SCOPES) {
        cs_lex_fail(&p->lex, "scopes nested more than %d deep", CS_SCOPES);
        return;
    }
    p->scopes[p->n_scopes].n_ranges = p->n_ranges;
    p->scopes[p->n_scopes].n_visible = p->n_visible;
    p->scopes[p->n_scopes++].n_labels = p->function->n_labels;
}

/* What a scope declared is gone; its labels keep no name that an outer jump could mean. */
static void leave_scope(cs_parser *p) {
    p->n_scopes--;
    p->n_ranges = p->scopes[p->n_scopes].n_ranges;
    p->n_visible = p->scopes[p->n_scopes].n_visible;
}

/* Lists grow at powers of two, so a list that shrank must not be grown in place: it is copied whole by
 * cs_arena_grow when it reaches one again, which loses nothing. */

static void parse_branch_targets(cs_parser *p, cs_label *label) {
    cs_text *targets = NULL;
    do {
        const cs_text target = cs_lex_take_word(&p->lex, "a label");
        CS_APPEND(p, targets, label->n_targets, target);
    } while (cs_lex_accept(&p->lex, ','));
    label->targets = targets;
    cs_lex_expect(&p->lex, ';');
}

static void skip_to_semicolon(cs_parser *p) {
    while (!cs_lex_is_mark(&p->lex, ';') && p->lex.token.kind != CS_TOKEN_END)
        cs_lex_next(&p->lex);
    cs_lex_expect(&p->lex, ';');
}

static void parse_directive(cs_parser *p) {
    const cs_text word = p->lex.token.text;
    cs_space space;
    cs_lex_next(&p->lex);
    if (cs_text_is(word, ".loc")) {
        cs_parse_loc(p);
    } else if (cs_text_is(word, ".reg")) {
        parse_registers(p);
        cs_lex_expect(&p->lex, ';');
    } else if (cs_parse_space_word(word, &space)) {
        parse_variables(p, space);
        cs_lex_expect(&p->lex, ';');
    } else if (cs_text_is(word, ".pragma")) {
        skip_to_semicolon(p);
    } else {
        cs_lex_fail(&p->lex, "directive '%.*s' is not known", (int)word.n, word.at);
    }
}

/* `name:` before an instruction, or `name: .branchtargets a, b;`. */
static void parse_label(cs_parser *p, cs_text name) {
    cs_label label = {.name = name, .statement = p->function->n_statements};
    if (cs_lex_is_word(&p->lex, ".branchtargets")) {
        cs_lex_next(&p->lex);
        parse_branch_targets(p, &label);
    } else if (cs_lex_is_word(&p->lex, ".callprototype")) {
        skip_to_semicolon(p);
    }
    CS_APPEND(p, p->function->labels, p->function->n_labels, label);
}

static void parse_line(cs_parser *p) {
    const cs_lexer before = p->lex;
    if (p->lex.token.kind == CS_TOKEN_WORD && p->lex.token.text.at[0] == '.') {
        parse_directive(p);
        return;
    }
    if (p->lex.token.kind == CS_TOKEN_WORD) {
        const cs_text name = p->lex.token.text;
        cs_lex_next(&p->lex);
        if (cs_lex_accept(&p->lex, ':')) {
            parse_label(p, name);
            return;
        }
        if (!cs_lex_failed(&p->lex))
            p->lex = before;
    }
    parse_statement(p);
}

void cs_parse_body(cs_parser *p) {
    const int outermost = p->n_scopes;
    cs_lex_expect(&p->lex, '{');
    enter_scope(p);
    while (p->n_scopes > outermost && !cs_lex_failed(&p->lex)) {
        if (cs_lex_accept(&p->lex, '{'))
            enter_scope(p);
        else if (cs_lex_accept(&p->lex, '}'))
            leave_scope(p);
        else if (p->lex.token.kind == CS_TOKEN_END)
            cs_lex_fail(&p->lex, "the text ends inside a function");
        else
            parse_line(p);
    }
}
