/* Recursive descent to a postfix program; evaluation is a loop over it. */
#include "hpo/space/expression.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef enum code {
    CODE_NUMBER,
    CODE_TEXT,
    CODE_PARAM,
    CODE_OR,
    CODE_AND,
    CODE_NOT,
    CODE_LT,
    CODE_LE,
    CODE_GT,
    CODE_GE,
    CODE_EQ,
    CODE_NE,
    CODE_ADD,
    CODE_SUB,
    CODE_MUL,
    CODE_DIV,
    CODE_MOD,
    CODE_NEGATE
} code;

typedef struct instruction {
    code code;
    double number;
    const char *text;
    size_t param;
} instruction;

struct ty_expression {
    const char *text;
    const instruction *program;
    size_t length;
};

/* Text where text is set, a number otherwise. */
typedef struct operand {
    const char *text;
    double number;
} operand;

/* --- parsing ------------------------------------------------------------------------------------ */

typedef struct parser {
    ty_ctx *ctx;
    const ty_space *space;
    ty_arena *arena;
    const char *text, *at;
    instruction *program;
    size_t length, capacity;
    int depth; /* of recursion */
} parser;

static ty_status parse_or(parser *p);

static ty_status wrong(parser *p, const char *wanted) {
    return ty_fail(p->ctx, TY_ERR_CONFIG, "\"%s\": column %d: %s, want %s", p->text,
                   (int)(p->at - p->text) + 1, *p->at ? "unexpected text" : "the end", wanted);
}

static void skip_spaces(parser *p) {
    while (*p->at == ' ' || *p->at == '\t' || *p->at == '\n')
        p->at++;
}

static bool take(parser *p, const char *word) {
    skip_spaces(p);
    const size_t n = strlen(word);
    if (strncmp(p->at, word, n) != 0)
        return false;
    p->at += n;
    return true;
}

/* A program is never longer than its text. */
static void emit(parser *p, instruction i) {
    p->program[p->length++] = i;
}

static ty_status parse_quoted(parser *p, char quote, char **out) {
    const char *begin = ++p->at;
    while (*p->at && *p->at != quote)
        p->at++;
    if (!*p->at)
        return wrong(p, "a closing quote");
    *out = ty_arena_string_n(p->arena, begin, (size_t)(p->at - begin));
    p->at++;
    return *out ? TY_OK : ty_fail_nomem(p->ctx, "a constraint");
}

static ty_status name_param(parser *p, const char *name) {
    const size_t param = ty_space_find(p->space, name);
    if (param == p->space->count)
        return ty_fail(p->ctx, TY_ERR_CONFIG, "\"%s\": there is no parameter \"%s\"", p->text,
                       name);
    emit(p, (instruction){.code = CODE_PARAM, .param = param});
    return TY_OK;
}

static bool is_name_byte(char c) {
    return isalnum((unsigned char)c) || c == '_' || c == '.';
}

static ty_status parse_name(parser *p) {
    const char *begin = p->at;
    while (is_name_byte(*p->at))
        p->at++;
    const char *name = ty_arena_string_n(p->arena, begin, (size_t)(p->at - begin));
    return name ? name_param(p, name) : ty_fail_nomem(p->ctx, "a constraint");
}

/* Decimal numbers alone; strtod would take hexadecimal ones, "inf" and "nan" too. */
static ty_status parse_number(parser *p) {
    const char *begin = p->at;
    p->at += strspn(p->at, "0123456789.");
    if (*p->at == 'e' || *p->at == 'E') {
        p->at++;
        p->at += *p->at == '-' || *p->at == '+';
        p->at += strspn(p->at, "0123456789");
    }
    char *end = NULL;
    const double number = strtod(begin, &end);
    if (end != p->at || !isfinite(number)) {
        p->at = begin;
        return wrong(p, "a number");
    }
    emit(p, (instruction){.code = CODE_NUMBER, .number = number});
    return TY_OK;
}

static ty_status parse_inner(parser *p) {
    if (++p->depth > TY_EXPRESSION_MAX_DEPTH)
        return wrong(p, "fewer parentheses inside each other");
    TY_TRY(parse_or(p));
    p->depth--;
    return take(p, ")") ? TY_OK : wrong(p, "\")\"");
}

static ty_status parse_atom(parser *p) {
    skip_spaces(p);
    const char c = *p->at;
    char *text = NULL;
    if (take(p, "("))
        return parse_inner(p);
    if (isdigit((unsigned char)c) || c == '.')
        return parse_number(p);
    if (isalpha((unsigned char)c) || c == '_')
        return parse_name(p);
    if (c != '\'' && c != '"' && c != '`')
        return wrong(p, "a number, a parameter, a quoted text or \"(\"");
    TY_TRY(parse_quoted(p, c, &text));
    if (c == '`')
        return name_param(p, text);
    emit(p, (instruction){.code = CODE_TEXT, .text = text});
    return TY_OK;
}

static ty_status parse_sign(parser *p) {
    const bool is_negative = take(p, "-");
    TY_TRY(parse_atom(p));
    if (is_negative)
        emit(p, (instruction){.code = CODE_NEGATE});
    return TY_OK;
}

typedef struct infix {
    const char *sign;
    code code;
} infix;

/* operands { sign operands }, left to right; once at most where `is_single`. */
static ty_status parse_infix(parser *p, const infix *signs, bool is_single,
                             ty_status (*parse_operand)(parser *)) {
    TY_TRY(parse_operand(p));
    for (const infix *s = signs; s->sign;) {
        if (!take(p, s->sign)) {
            s++;
            continue;
        }
        TY_TRY(parse_operand(p));
        emit(p, (instruction){.code = s->code});
        if (is_single)
            break;
        s = signs;
    }
    return TY_OK;
}

static ty_status parse_product(parser *p) {
    static const infix signs[] = {{"*", CODE_MUL}, {"/", CODE_DIV}, {"%", CODE_MOD}, {NULL, 0}};
    return parse_infix(p, signs, false, parse_sign);
}

static ty_status parse_sum(parser *p) {
    static const infix signs[] = {{"+", CODE_ADD}, {"-", CODE_SUB}, {NULL, 0}};
    return parse_infix(p, signs, false, parse_product);
}

static ty_status parse_compare(parser *p) {
    static const infix signs[] = {{"<=", CODE_LE}, {">=", CODE_GE}, {"==", CODE_EQ},
                                  {"!=", CODE_NE}, {"<", CODE_LT},  {">", CODE_GT},
                                  {NULL, 0}};
    return parse_infix(p, signs, true, parse_sum);
}

static ty_status parse_not(parser *p) {
    skip_spaces(p);
    const bool is_negated = p->at[0] == '!' && p->at[1] != '=';
    p->at += is_negated;
    TY_TRY(parse_compare(p));
    if (is_negated)
        emit(p, (instruction){.code = CODE_NOT});
    return TY_OK;
}

static ty_status parse_and(parser *p) {
    static const infix signs[] = {{"&&", CODE_AND}, {NULL, 0}};
    return parse_infix(p, signs, false, parse_not);
}

static ty_status parse_or(parser *p) {
    static const infix signs[] = {{"||", CODE_OR}, {NULL, 0}};
    return parse_infix(p, signs, false, parse_and);
}

ty_status ty_expression_parse(ty_ctx *ctx, const char *text, const ty_space *space, ty_arena *arena,
                              const ty_expression **out) {
    const size_t bytes = strlen(text);
    if (bytes > TY_EXPRESSION_MAX_BYTES)
        return ty_fail(ctx, TY_ERR_CONFIG, "a constraint has %zu bytes, want <= %d", bytes,
                       TY_EXPRESSION_MAX_BYTES);
    ty_expression *e = ty_arena_array(arena, 1, sizeof *e);
    parser p = {.ctx = ctx, .space = space, .arena = arena};
    p.text = p.at = ty_arena_string(arena, text);
    p.program = ty_arena_array(arena, bytes + 1, sizeof *p.program);
    if (!e || !p.text || !p.program)
        return ty_fail_nomem(ctx, "a constraint");
    TY_TRY(parse_or(&p));
    skip_spaces(&p);
    if (*p.at)
        return wrong(&p, "an operator or the end");
    *e = (ty_expression){.text = p.text, .program = p.program, .length = p.length};
    *out = e;
    return TY_OK;
}

/* --- evaluating --------------------------------------------------------------------------------- */

static operand number(double v) {
    return (operand){.number = v};
}

static operand value_of(const ty_param *p, double v) {
    if (ty_param_is_numeric(p))
        return number(v);
    const json_t *choice = json_array_get(p->choices, (size_t)v);
    if (json_is_string(choice))
        return (operand){.text = json_string_value(choice)};
    return number(json_is_boolean(choice)  ? json_is_true(choice)
                  : json_is_number(choice) ? json_number_value(choice)
                                           : NAN);
}

static bool equal(operand a, operand b) {
    if (a.text && b.text)
        return strcmp(a.text, b.text) == 0;
    return !a.text && !b.text && a.number == b.number;
}

/* Text has no order and no arithmetic: it counts as NAN there. */
static double as_number(operand a) {
    return a.text ? NAN : a.number;
}

static bool is_true(operand a) {
    const double v = as_number(a);
    return !isnan(v) && v != 0;
}

static double remainder_of(double a, double b) {
    return a - b * floor(a / b);
}

static operand combine(code what, operand left, operand right) {
    const double a = as_number(left), b = as_number(right);
    switch (what) {
    case CODE_OR:
        return number(is_true(left) || is_true(right));
    case CODE_AND:
        return number(is_true(left) && is_true(right));
    case CODE_LT:
        return number(a < b);
    case CODE_LE:
        return number(a <= b);
    case CODE_GT:
        return number(a > b);
    case CODE_GE:
        return number(a >= b);
    case CODE_EQ:
        return number(equal(left, right));
    case CODE_NE:
        return number(!equal(left, right));
    case CODE_ADD:
        return number(a + b);
    case CODE_SUB:
        return number(a - b);
    case CODE_MUL:
        return number(a * b);
    case CODE_DIV:
        return number(a / b);
    case CODE_MOD:
        return number(remainder_of(a, b));
    default:
        return number(NAN);
    }
}

static bool is_unknown(const instruction *i, const double *x) {
    return i->code == CODE_PARAM && isnan(x[i->param]);
}

/* How high the stack gets is bounded by the depth of parentheses and the seven levels between. */
enum { STACK = 8 * (TY_EXPRESSION_MAX_DEPTH + 2) };

bool ty_expression_holds(const ty_expression *e, const ty_space *space, const double *x) {
    operand stack[STACK];
    size_t top = 0;
    for (size_t i = 0; i < e->length; i++) {
        const instruction *step = &e->program[i];
        if (is_unknown(step, x))
            return true;
        if (step->code == CODE_NUMBER)
            stack[top++] = number(step->number);
        else if (step->code == CODE_TEXT)
            stack[top++] = (operand){.text = step->text};
        else if (step->code == CODE_PARAM)
            stack[top++] = value_of(&space->params[step->param], x[step->param]);
        else if (step->code == CODE_NOT)
            stack[top - 1] = number(!is_true(stack[top - 1]));
        else if (step->code == CODE_NEGATE)
            stack[top - 1] = number(-as_number(stack[top - 1]));
        else {
            top--;
            stack[top - 1] = combine(step->code, stack[top - 1], stack[top]);
        }
    }
    return is_true(stack[0]);
}

const char *ty_expression_text(const ty_expression *e) {
    return e->text;
}
