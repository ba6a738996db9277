/* What a PTX text says, before anything is decided about how to run it: variables, functions, instructions.
 * Names are the PTX ISA's (NVIDIA, "Parallel Thread Execution ISA"), version 9.0. A module owns a copy of its
 * text and everything that points into it; one cs_ptx_close frees all. */
#ifndef TY_CUDASIM_PTX_H
#define TY_CUDASIM_PTX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A piece of the module's text. */
typedef struct cs_text {
    const char *at;
    size_t n;
} cs_text;

typedef enum cs_space {
    CS_GENERIC,
    CS_GLOBAL,
    CS_SHARED,
    CS_LOCAL,
    CS_PARAM,
    CS_CONST,
} cs_space;

/* Fundamental types; the order is that of cs_type_bytes and of the names in ptx_type.c. */
typedef enum cs_type {
    CS_NO_TYPE,
    CS_PRED,
    CS_B8,
    CS_B16,
    CS_B32,
    CS_B64,
    CS_U8,
    CS_U16,
    CS_U32,
    CS_U64,
    CS_S8,
    CS_S16,
    CS_S32,
    CS_S64,
    CS_F16,
    CS_F16X2,
    CS_BF16,
    CS_BF16X2,
    CS_TF32,
    CS_F32,
    CS_F64,
    CS_TYPE_COUNT,
} cs_type;

/* A place in a source file; `inlined_at` is the index of the place that the function was inlined at, 0: none. */
typedef struct cs_location {
    uint32_t file, line, column, inlined_at;
} cs_location;

typedef struct cs_file {
    uint32_t number;
    cs_text path;
} cs_file;

/* An address inside an initialiser: `bytes` at `offset` are (generic) address of `name` plus addend. */
typedef struct cs_relocation {
    uint64_t offset;
    cs_text name;
    int64_t addend;
    bool is_generic;
} cs_relocation;

typedef struct cs_variable {
    cs_text name;
    cs_space space;
    cs_type type;
    uint32_t align;
    uint64_t bytes; /* 0: extern shared, as long as the launch says */
    uint8_t *initial;
    uint64_t n_initial;
    cs_relocation *relocations;
    size_t n_relocations;
    bool is_extern;
} cs_variable;

typedef enum cs_operand_kind {
    CS_OPERAND_REGISTER,
    CS_OPERAND_SPECIAL, /* %tid.x and its like; name */
    CS_OPERAND_INTEGER, /* bits */
    CS_OPERAND_FLOAT, /* bits of a double; real_bytes 4: a 0f literal whose float bits are in `bits` */
    CS_OPERAND_VARIABLE,  /* address of a variable, plus offset */
    CS_OPERAND_NAME,      /* a label or a function; name */
    CS_OPERAND_ADDRESS,   /* [items[0] + offset] */
    CS_OPERAND_VECTOR,    /* {items} */
    CS_OPERAND_PAIR,      /* items[0]|items[1] */
    CS_OPERAND_ARGUMENTS, /* (items) */
    CS_OPERAND_SINK,      /* _ */
} cs_operand_kind;

typedef struct cs_operand {
    cs_operand_kind kind;
    bool is_negated; /* !p */
    uint8_t real_bytes;
    uint32_t reg;
    uint64_t bits;
    int64_t offset;
    cs_text name;
    const cs_variable *variable;
    struct cs_operand *items;
    size_t n_items;
} cs_operand;

typedef struct cs_statement {
    cs_text opcode; /* with its modifiers: add.rn.f32 */
    cs_operand *operands;
    size_t n_operands;
    int64_t guard; /* register, -1: none */
    bool is_guard_negated;
    uint32_t location;
} cs_statement;

typedef struct cs_label {
    cs_text name;
    size_t statement;       /* the one it stands before */
    const cs_text *targets; /* of a .branchtargets table */
    size_t n_targets;
} cs_label;

typedef struct cs_function {
    cs_text name;
    bool is_entry, has_body;
    cs_variable **params, **results; /* of space CS_PARAM */
    size_t n_params, n_results;
    cs_variable **variables; /* shared, local and param ones of the body */
    size_t n_variables;
    cs_type *registers;
    size_t n_registers;
    cs_statement *statements;
    size_t n_statements;
    cs_label *labels;
    size_t n_labels;
    uint32_t max_threads[3], required_threads[3], min_blocks; /* 0: not said */
    uint32_t location;                                        /* the first one of the body */
} cs_function;

typedef struct cs_ptx {
    cs_text text;
    cs_file *files;
    size_t n_files;
    cs_location *locations; /* [0] is "nowhere" */
    size_t n_locations;
    cs_variable **variables;
    size_t n_variables;
    cs_function **functions;
    size_t n_functions;
    struct cs_arena *arena;
} cs_ptx;

/* Reads a module. Owns: copies the text. Errors: NULL, and `error` says the line and what was wrong there. */
cs_ptx *cs_ptx_open(const char *text, size_t n, char *error, size_t room);
void cs_ptx_close(cs_ptx *ptx);

bool cs_text_is(cs_text text, const char *word);
bool cs_text_same(cs_text a, cs_text b);
/* The type called `name` ("u32"), CS_NO_TYPE if there is none. */
cs_type cs_type_named(cs_text name);
const char *cs_type_name(cs_type type);
uint32_t cs_type_bytes(cs_type type); /* 0 for none and for predicates */
bool cs_type_is_signed(cs_type type);
bool cs_type_is_float(cs_type type);
/* The label's index in `function`, -1: none. */
int64_t cs_label_find(const cs_function *function, cs_text name);
const cs_function *cs_ptx_function(const cs_ptx *ptx, cs_text name);

/* The innermost place of `location` that is not in a file of the toolkit: what a programmer wants to read. */
const cs_location *cs_source_location(const cs_ptx *ptx, uint32_t location);
/* The path of file `number`, as the compiler wrote it. */
cs_text cs_source_path(const cs_ptx *ptx, uint32_t number);

#endif
