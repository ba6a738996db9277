/* What the parts of the decoder share. Private to decode*.c. */
#ifndef TY_CUDASIM_DECODE_H
#define TY_CUDASIM_DECODE_H

#include "tests/cudasim/opcodes.h"
#include "tests/cudasim/ptx_lex.h"

/* Where a variable of a function lies: its space and the address there. */
typedef struct cs_binding {
    const cs_variable *variable;
    cs_space space;
    uint64_t address;
    bool is_dynamic; /* extern shared: counted from where the launch's shared memory begins */
} cs_binding;

typedef struct cs_fixup {
    size_t instr;
    size_t label;
    uint32_t *table; /* NULL: the instr's target; else the entry to set */
} cs_fixup;

/* A function at one place where it is called: callees are decoded in line, each call anew. */
typedef struct cs_instance {
    const cs_function *function;
    struct cs_instance *caller;
    int depth;
    uint32_t *registers; /* operand of each register */
    size_t *pcs;         /* of each statement, and one past the last */
    cs_binding *bindings;
    size_t n_bindings;
    cs_fixup *fixups;
    size_t n_fixups;
    size_t *returns; /* instructions that jump to the end */
    size_t n_returns;
} cs_instance;

typedef struct cs_constant {
    uint64_t bits;
    uint32_t width;
    uint32_t operand;
    bool is_dynamic;
} cs_constant;

enum { CS_SPELLINGS = 512 };

/* A spelling that was looked up, and what its modifiers said. */
typedef struct cs_spelling {
    cs_text text;
    cs_instr instr;
} cs_spelling;

typedef struct cs_decoder {
    cs_module *module;
    cs_kernel *kernel;
    cs_arena *arena; /* the module's */
    cs_instr *code;
    size_t n_code;
    cs_constant *constants;
    size_t n_constants;
    cs_binding *shared;     /* of module and functions, by first use */
    size_t n_shared;
    uint32_t carry, trash;
    uint32_t flushed[4]; /* registers for the operands of .ftz */
    char *error;
    size_t room;
    bool has_failed;
    const cs_statement *statement; /* the one being decoded */
} cs_decoder;

/* Notes the first error with the statement's place. */
__attribute__((format(printf, 2, 3))) void cs_decode_fail(cs_decoder *d, const char *format, ...);

/* A new register with lanes of `width` bytes; 0: a predicate. */
uint32_t cs_decode_register(cs_decoder *d, uint32_t width);
uint32_t cs_decode_constant(cs_decoder *d, uint64_t bits, uint32_t width, bool is_dynamic);

/* decode_operand.c: the operands of a statement as the row's letters say, into instr. */
void cs_decode_operands(cs_decoder *d, cs_instance *in, const cs_opcode *opcode, cs_instr *instr);
/* Whether the statement's operands have the kinds that the row wants (vectors for Z and z). */
bool cs_decode_fits(const cs_statement *statement, const char *operands);
const cs_binding *cs_decode_binding(cs_decoder *d, cs_instance *in, const cs_variable *variable);

/* special.c: the register of %tid.x and its like; 0: not modelled. */
uint32_t cs_decode_special(cs_decoder *d, cs_text name);

#endif
