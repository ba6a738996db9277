/* PTX's tokens, and the memory of what is made from them. Private to ptx_*.c. */
#ifndef TY_CUDASIM_PTX_LEX_H
#define TY_CUDASIM_PTX_LEX_H

#include "tests/cudasim/ptx.h"

typedef enum cs_token_kind {
    CS_TOKEN_END,
    CS_TOKEN_WORD,   /* names, directives, opcodes with their modifiers, registers with % */
    CS_TOKEN_NUMBER, /* integer in bits, or real */
    CS_TOKEN_STRING, /* text without its quotes */
    CS_TOKEN_MARK,   /* one character of punctuation */
} cs_token_kind;

typedef struct cs_token {
    cs_token_kind kind;
    char mark;
    bool is_real;
    uint8_t real_bytes; /* 4: 0f..., 8: 0d... or decimal */
    uint64_t bits;      /* the integer, or the bits of the real of real_bytes */
    cs_text text;
} cs_token;

typedef struct cs_lexer {
    const char *at, *end;
    uint32_t line;
    cs_token token; /* the one to look at now */
    char *error;    /* [room]; empty while all is well */
    size_t room;
} cs_lexer;

void cs_lex_init(cs_lexer *lex, cs_text text, char *error, size_t room);
void cs_lex_next(cs_lexer *lex);
/* Notes the first error, with its line; from then on every token is CS_TOKEN_END. */
__attribute__((format(printf, 2, 3))) void cs_lex_fail(cs_lexer *lex, const char *format, ...);
bool cs_lex_failed(const cs_lexer *lex);
bool cs_lex_is_mark(const cs_lexer *lex, char mark);
bool cs_lex_is_word(const cs_lexer *lex, const char *word);
/* Passes over the mark, if it is there. */
bool cs_lex_accept(cs_lexer *lex, char mark);
/* Passes over the mark, which must be there. */
void cs_lex_expect(cs_lexer *lex, char mark);
/* The word, which must be there, and passes over it. */
cs_text cs_lex_take_word(cs_lexer *lex, const char *what);
/* A number without sign, an error unless it is an integer of at most `limit`. */
uint64_t cs_lex_take_count(cs_lexer *lex, uint64_t limit, const char *what);

/* Zeroed memory that lives until cs_arena_close. */
typedef struct cs_arena cs_arena;
cs_arena *cs_arena_open(void);
void cs_arena_close(cs_arena *arena);
void *cs_arena_take(cs_arena *arena, size_t bytes);
/* Room for one more item in a list of n items: grows by doubling. Use: list = cs_arena_grow(arena, list, n, size). */
void *cs_arena_grow(cs_arena *arena, void *list, size_t n, size_t item_bytes);

#endif
