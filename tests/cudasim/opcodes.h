/* The opcodes that are modelled: a table of spellings (opcode_rows.h) and how one is found. */
#ifndef TY_CUDASIM_OPCODES_H
#define TY_CUDASIM_OPCODES_H

#include "tests/cudasim/machine.h"

enum {
    CS_OPCODE_OWN_FTZ =
        1 << 0, /* the function knows .ftz itself; else sources and result are flushed around it */
    CS_OPCODE_OWN_SAT = 1 << 1,     /* likewise .sat */
    CS_OPCODE_FTZ_SOURCES = 1 << 2, /* .ftz is about the sources alone */
    CS_OPCODE_SETS_CARRY = 1 << 3,
    CS_OPCODE_USES_CARRY = 1 << 4,
    CS_OPCODE_MEMORY = 1 << 5,
    CS_OPCODE_FENCE = 1 << 6,
    CS_OPCODE_CALL = 1 << 7,
    CS_OPCODE_RETURN = 1 << 8,
    CS_OPCODE_REDUCES = 1 << 9, /* a barrier with a result */
};

struct cs_opcode {
    const char *pattern;
    const char *operands;
    cs_exec *run;
    cs_flow flow;
    unsigned flags;
};

/* The table; rows are named by their index in tests. */
const cs_opcode *cs_opcodes(size_t *n);

/* Whether `spelling` (add.rn.f32) matches the row; fills what the modifiers say into instr: types, rounding, flags,
 * space, choice. */
bool cs_opcode_match(const cs_opcode *opcode, cs_text spelling, cs_instr *instr);

/* The functions of the table. */
#define OPCODE(pattern, operands, function, flow, flags) cs_exec function;
#include "tests/cudasim/opcode_rows.h"
#undef OPCODE

/* What mutate.c puts in an atomic's place. */
cs_exec cs_atom_torn;

/* Steps that the decoder puts around others: .ftz and .sat. */
cs_exec cs_flush_f32, cs_saturate_f32, cs_saturate_f64;

#endif
