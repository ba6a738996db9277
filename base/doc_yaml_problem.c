/* What is wrong with a YAML text, said with its place and what to write instead. */
#include "base/doc_yaml.h"

#include <stdio.h>
#include <string.h>

/* --- before the grammar ----------------------------------------------------------------------- */

/* Lines end there for YAML 1.1 and libyaml, but not for YAML 1.2. */
static const struct {
    const char *bytes, *escape;
} foreign_breaks[] = {{"\xc2\x85", "\\N"}, {"\xe2\x80\xa8", "\\L"}, {"\xe2\x80\xa9", "\\P"}};

ty_status ty_doc_yaml_check(ty_ctx *ctx, const doc_source *source) {
    TY_TRY(ty_doc_check_text(ctx, source));
    for (size_t i = 0; i < sizeof foreign_breaks / sizeof foreign_breaks[0]; i++) {
        const char *at = strstr(source->text, foreign_breaks[i].bytes);
        char message[128];
        if (!at)
            continue;
        (void)snprintf(message, sizeof message,
                       "YAML 1.1 ends a line at this character and YAML 1.2 does not; in double "
                       "quotes write %s",
                       foreign_breaks[i].escape);
        const size_t begin = (size_t)(at - source->text);
        return ty_doc_fail_at(ctx, source, begin, begin + strlen(foreign_breaks[i].bytes), message);
    }
    return TY_OK;
}

/* --- the grammar ------------------------------------------------------------------------------ */

typedef enum place {
    AT_PROBLEM,
    AT_OPENING, /* of what is not closed */
    AT_EITHER,  /* the opening where the text has ended, else the problem */
} place;

typedef struct known_problem {
    const char *problem; /* as libyaml says it */
    place place;
    const char *words;
} known_problem;

#define TAB "a tab; YAML indents with spaces"
#define UNCLOSED "the text ends before this is closed"

static const known_problem known_problems[] = {
    {"mapping values are not allowed in this context", AT_PROBLEM,
     "\":\" is not wanted here: keys of one block stand in one column, and a string with \": \" in "
     "it "
     "wants quotes"},
    {"could not find expected ':'", AT_OPENING, "want \":\" and a space behind this key"},
    {"found a tab character that violates indentation", AT_PROBLEM, TAB},
    {"found a tab character where an indentation space is expected", AT_PROBLEM, TAB},
    {"did not find expected ',' or ']'", AT_EITHER, "want \",\" or \"]\" before this"},
    {"did not find expected ',' or '}'", AT_EITHER, "want \",\" or \"}\" before this"},
    {"found unexpected end of stream", AT_OPENING, UNCLOSED},
    {"found unexpected document indicator", AT_OPENING, "this string is not closed"},
    {"found unknown escape character", AT_PROBLEM,
     "no such escape in double quotes; a backslash itself is \\\\"},
    {"did not find expected hexdecimal number", AT_PROBLEM,
     "want hexadecimal digits: \\xHH, \\uHHHH or \\UHHHHHHHH"},
    {"found invalid Unicode character escape code", AT_PROBLEM,
     "this is no character; beyond U+FFFF write \\UHHHHHHHH or the character itself"},
    {"found unexpected ':'", AT_PROBLEM, "a string with a \":\" at its end wants quotes"},
    {"did not find expected node content", AT_PROBLEM, "want a value before this"},
    {"did not find expected alphabetic or numeric character", AT_PROBLEM,
     "want the name of an anchor or alias; a string that begins with & or * wants quotes"},
    {"block sequence entries are not allowed in this context", AT_PROBLEM,
     "a list of \"-\" begins on a line of its own"},
    {"did not find expected <document start>", AT_PROBLEM,
     "something follows the end of the document"},
    {"found undefined tag handle", AT_PROBLEM,
     "no such tag; a string that begins with ! wants quotes"},
    {"found unknown directive name", AT_PROBLEM, "want no directive but %YAML 1.2"},
    {"found incompatible YAML document", AT_PROBLEM, "want %YAML 1.2"},
    {"did not find expected comment or line break", AT_PROBLEM,
     "want the end of the line; the text of | or > begins on the next"},
};

static bool is_problem(const yaml_parser_t *parser, const char *problem) {
    return strcmp(parser->problem, problem) == 0;
}

static const known_problem *find_known(const yaml_parser_t *parser) {
    for (size_t i = 0; i < sizeof known_problems / sizeof known_problems[0]; i++)
        if (is_problem(parser, known_problems[i].problem))
            return &known_problems[i];
    return NULL;
}

/* What a reader has to be told of the character or the block it is about. */
static void add_words(ty_text *out, const yaml_parser_t *parser, const char *seen) {
    const size_t line = parser->context_mark.line + 1, column = parser->context_mark.column + 1;
    const known_problem *known = find_known(parser);
    if (is_problem(parser, "did not find expected key"))
        ty_text_addf(out,
                     "want the next key in the column of its block, which begins at %zu:%zu; "
                     "nothing follows a value on its line",
                     line, column);
    else if (is_problem(parser, "did not find expected '-' indicator"))
        ty_text_addf(out, "want \"-\" in the column of its list, which begins at %zu:%zu", line,
                     column);
    else if (is_problem(parser, "did not find expected node content") && *seen == '\0')
        ty_text_add(out, "the text ends where a value is wanted");
    else if (!is_problem(parser, "found character that cannot start any token"))
        ty_text_add(out, known ? known->words : parser->problem);
    else if (*seen == '\t')
        ty_text_add(out, TAB);
    else
        ty_text_addf(out, "a string that begins with %.*s wants quotes",
                     (int)ty_text_utf8_length(seen), seen);
}

static ty_status explain(ty_ctx *ctx, const doc_source *source, doc_span problem, doc_span opening,
                         const yaml_parser_t *parser) {
    const known_problem *known = find_known(parser);
    const char *seen = source->text + problem.begin;
    const bool has_ended = known && known->place == AT_EITHER && *seen == '\0';
    const bool is_at_opening = has_ended || (known && known->place == AT_OPENING);
    const doc_node node = {.source = source, .value = is_at_opening ? opening : problem};
    ty_text words = {0};
    if (has_ended)
        ty_text_add(&words, UNCLOSED);
    else
        add_words(&words, parser, seen);
    const ty_status st = words.is_short
                             ? ty_fail_nomem(ctx, "an error's text")
                             : ty_doc_fail(ctx, &node, false, "%s", ty_text_string(&words));
    ty_text_clear(&words);
    return st;
}

static ty_status reject_character(ty_ctx *ctx, const doc_source *source, size_t at, int code) {
    char message[128];
    (void)snprintf(message, sizeof message,
                   "YAML has no U+%04X as it is; in double quotes write \\u%04x", (unsigned)code,
                   (unsigned)code);
    return ty_doc_fail_at(ctx, source, at, at + 1, message);
}

ty_status ty_doc_yaml_problem(ty_ctx *ctx, const doc_source *source, doc_counter *counter,
                              const yaml_parser_t *parser) {
    if (parser->error == YAML_MEMORY_ERROR)
        return ty_fail_nomem(ctx, "a document");
    if (parser->error == YAML_READER_ERROR)
        return reject_character(ctx, source, counter->mark + parser->problem_offset,
                                parser->problem_value);
    const size_t problem = parser->problem_mark.index, opening = parser->context_mark.index;
    return explain(ctx, source, ty_doc_counter_span(counter, problem, problem + 1),
                   ty_doc_counter_span(counter, opening, opening + 1), parser);
}
