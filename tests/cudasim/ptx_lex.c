/* PTX's tokens. The text is outside data: nothing here reads past its end. */
#include "tests/cudasim/ptx_lex.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cs_lex_fail(cs_lexer *lex, const char *format, ...) {
    if (lex->error[0] == '\0') {
        const int n = snprintf(lex->error, lex->room, "line %u: ", lex->line);
        va_list args;
        va_start(args, format);
        if (n > 0 && (size_t)n < lex->room)
            vsnprintf(lex->error + n, lex->room - (size_t)n, format, args);
        va_end(args);
    }
    lex->at = lex->end;
    lex->token = (cs_token){.kind = CS_TOKEN_END};
}

bool cs_lex_failed(const cs_lexer *lex) {
    return lex->error[0] != '\0';
}

static bool is_word_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || c == '%' || c == '.';
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static int digit_value(char c) {
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'Z' ? c - 'A' + 10 : 99;
}

static void skip_line_comment(cs_lexer *lex) {
    while (lex->at < lex->end && *lex->at != '\n')
        lex->at++;
}

static void skip_comment(cs_lexer *lex) {
    for (lex->at += 2; lex->at < lex->end; lex->at++) {
        lex->line += *lex->at == '\n';
        if (*lex->at == '*' && lex->end - lex->at > 1 && lex->at[1] == '/') {
            lex->at += 2;
            return;
        }
    }
}

static void skip_blanks(cs_lexer *lex) {
    while (lex->at < lex->end) {
        const char c = *lex->at, next = lex->end - lex->at > 1 ? lex->at[1] : '\0';
        if (c == '/' && next == '/') {
            skip_line_comment(lex);
        } else if (c == '/' && next == '*') {
            skip_comment(lex);
        } else if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
            lex->line += c == '\n';
            lex->at++;
        } else {
            return;
        }
    }
}

/* Words hold dots, and double colons between (ld.global.L2::128B). */
static void lex_word(cs_lexer *lex) {
    const char *begin = lex->at;
    while (lex->at < lex->end) {
        const bool is_double_colon = *lex->at == ':' && lex->end - lex->at > 2 &&
                                     lex->at[1] == ':' && is_word_character(lex->at[2]);
        if (!is_double_colon && !is_word_character(*lex->at))
            break;
        lex->at += is_double_colon ? 2 : 1;
    }
    lex->token = (cs_token){.kind = CS_TOKEN_WORD, .text = {begin, (size_t)(lex->at - begin)}};
}

static void lex_digits(cs_lexer *lex, int base, size_t at_most) {
    uint64_t value = 0;
    size_t n = 0;
    for (; lex->at < lex->end && digit_value(*lex->at) < base; lex->at++, n++) {
        if (value > (UINT64_MAX - 15) / (uint64_t)base) {
            cs_lex_fail(lex, "a number of more than 64 bits");
            return;
        }
        value = value * (uint64_t)base + (uint64_t)digit_value(*lex->at);
    }
    if (n == 0 || n > at_most) {
        cs_lex_fail(lex, "a number of %zu digits, want 1 to %zu", n, at_most);
        return;
    }
    lex->token.bits = value;
}

static void lex_decimal_real(cs_lexer *lex) {
    char text[64];
    size_t n = 0;
    while (lex->at < lex->end && n < sizeof text - 1) {
        const char c = *lex->at;
        const bool is_sign =
            (c == '+' || c == '-') && n > 0 && (text[n - 1] == 'e' || text[n - 1] == 'E');
        if (!is_digit(c) && c != '.' && c != 'e' && c != 'E' && !is_sign)
            break;
        text[n++] = c;
        lex->at++;
    }
    text[n] = '\0';
    const double value = strtod(text, NULL);
    memcpy(&lex->token.bits, &value, sizeof value);
    lex->token.is_real = true;
    lex->token.real_bytes = 8;
}

static bool looks_real(const cs_lexer *lex) {
    const char *at = lex->at;
    while (at < lex->end && is_digit(*at))
        at++;
    return at < lex->end && (*at == '.' || *at == 'e' || *at == 'E');
}

static void lex_number(cs_lexer *lex) {
    const char *begin = lex->at;
    const char second = lex->end - begin > 1 ? begin[1] : '\0';
    lex->token = (cs_token){.kind = CS_TOKEN_NUMBER};
    if (*begin == '0' && (second == 'f' || second == 'F' || second == 'd' || second == 'D')) {
        const bool is_single = second == 'f' || second == 'F';
        lex->at += 2;
        lex->token.is_real = true;
        lex->token.real_bytes = is_single ? 4 : 8;
        lex_digits(lex, 16, is_single ? 8 : 16);
    } else if (looks_real(lex)) {
        lex_decimal_real(lex);
    } else if (*begin == '0' && (second == 'x' || second == 'X')) {
        lex->at += 2;
        lex_digits(lex, 16, 16);
    } else if (*begin == '0' && (second == 'b' || second == 'B')) {
        lex->at += 2;
        lex_digits(lex, 2, 64);
    } else {
        lex_digits(lex, *begin == '0' ? 8 : 10, 22);
    }
    if (lex->at < lex->end && (*lex->at == 'U' || *lex->at == 'u'))
        lex->at++;
    lex->token.text = (cs_text){begin, (size_t)(lex->at - begin)};
}

static void lex_string(cs_lexer *lex) {
    const char *begin = ++lex->at;
    while (lex->at < lex->end && *lex->at != '"' && *lex->at != '\n')
        lex->at++;
    lex->token = (cs_token){.kind = CS_TOKEN_STRING, .text = {begin, (size_t)(lex->at - begin)}};
    if (lex->at < lex->end && *lex->at == '"')
        lex->at++;
    else
        cs_lex_fail(lex, "a string without its closing quote");
}

void cs_lex_next(cs_lexer *lex) {
    skip_blanks(lex);
    if (lex->at >= lex->end) {
        lex->token = (cs_token){.kind = CS_TOKEN_END};
    } else if (is_digit(*lex->at)) {
        lex_number(lex);
    } else if (is_word_character(*lex->at)) {
        lex_word(lex);
    } else if (*lex->at == '"') {
        lex_string(lex);
    } else {
        lex->token = (cs_token){.kind = CS_TOKEN_MARK, .mark = *lex->at, .text = {lex->at, 1}};
        lex->at++;
    }
}

void cs_lex_init(cs_lexer *lex, cs_text text, char *error, size_t room) {
    *lex =
        (cs_lexer){.at = text.at, .end = text.at + text.n, .line = 1, .error = error, .room = room};
    error[0] = '\0';
    cs_lex_next(lex);
}

bool cs_lex_is_mark(const cs_lexer *lex, char mark) {
    return lex->token.kind == CS_TOKEN_MARK && lex->token.mark == mark;
}

bool cs_lex_is_word(const cs_lexer *lex, const char *word) {
    return lex->token.kind == CS_TOKEN_WORD && cs_text_is(lex->token.text, word);
}

bool cs_lex_accept(cs_lexer *lex, char mark) {
    if (!cs_lex_is_mark(lex, mark))
        return false;
    cs_lex_next(lex);
    return true;
}

void cs_lex_expect(cs_lexer *lex, char mark) {
    if (!cs_lex_accept(lex, mark))
        cs_lex_fail(lex, "'%.*s', want '%c'",
                    (int)(lex->token.text.n > 40 ? 40 : lex->token.text.n),
                    lex->token.text.n ? lex->token.text.at : "", mark);
}

cs_text cs_lex_take_word(cs_lexer *lex, const char *what) {
    const cs_text word = lex->token.text;
    if (lex->token.kind != CS_TOKEN_WORD) {
        cs_lex_fail(lex, "'%.*s', want %s", (int)(word.n > 40 ? 40 : word.n), word.n ? word.at : "",
                    what);
        return (cs_text){"", 0};
    }
    cs_lex_next(lex);
    return word;
}

uint64_t cs_lex_take_count(cs_lexer *lex, uint64_t limit, const char *what) {
    const uint64_t value = lex->token.bits;
    if (lex->token.kind != CS_TOKEN_NUMBER || lex->token.is_real || value > limit) {
        cs_lex_fail(lex, "want %s, an integer of at most %llu", what, (unsigned long long)limit);
        return 0;
    }
    cs_lex_next(lex);
    return value;
}

/* --- memory -------------------------------------------------------------------------------------- */

enum { CHUNK_BYTES = 1 << 16 };

typedef struct cs_chunk {
    struct cs_chunk *next;
    size_t used, room;
    _Alignas(16) uint8_t bytes[];
} cs_chunk;

struct cs_arena {
    cs_chunk *chunks;
};

cs_arena *cs_arena_open(void) {
    cs_arena *arena = calloc(1, sizeof *arena);
    if (!arena)
        abort();
    return arena;
}

void cs_arena_close(cs_arena *arena) {
    while (arena && arena->chunks) {
        cs_chunk *next = arena->chunks->next;
        free(arena->chunks);
        arena->chunks = next;
    }
    free(arena);
}

void *cs_arena_take(cs_arena *arena, size_t bytes) {
    const size_t wanted = (bytes + 15) & ~(size_t)15;
    if (!arena->chunks || arena->chunks->room - arena->chunks->used < wanted) {
        const size_t room = wanted > CHUNK_BYTES ? wanted : CHUNK_BYTES;
        cs_chunk *chunk = calloc(1, sizeof *chunk + room);
        if (!chunk)
            abort();
        chunk->next = arena->chunks;
        chunk->room = room;
        arena->chunks = chunk;
    }
    void *taken = arena->chunks->bytes + arena->chunks->used;
    arena->chunks->used += wanted;
    return taken;
}

void *cs_arena_grow(cs_arena *arena, void *list, size_t n, size_t item_bytes) {
    /* Lists have room for a power of two, so they are full exactly when n is one. */
    if (n != 0 && (n & (n - 1)) != 0)
        return list;
    void *grown = cs_arena_take(arena, (n == 0 ? 1 : 2 * n) * item_bytes);
    if (n)
        memcpy(grown, list, n * item_bytes);
    return grown;
}
