/* Mutants of kernels (CUDASIM_MUTATE), made in the decoded code:
 *
 *   barrier  a bar.sync or bar.warp.sync is gone
 *   guard    a bound no longer holds anything back: a branch on the comparison of integers is never taken, or always,
 *            whichever leads to more being executed; a predicated access is made by all. The compiler's choice between
 *            a long and a short division bounds nothing and is none
 *   fence    a membar or fence is gone
 *   atomic   an atomic without a result is an ordinary load, sum and store: a plain store of the operand
 *
 * cs_mutation_point lists them or names the one to make. */
#include <stdio.h>
#include <string.h>

#include "tests/cudasim/machine.h"
#include "tests/cudasim/opcodes.h"

typedef struct counts {
    uint64_t barrier, guard, fence, atomic;
} counts;

static bool is_chosen(const cs_kernel *kernel, uint32_t pc, const char *kind, uint64_t *count) {
    char place[256];
    cs_where_place(kernel, pc, place, sizeof place);
    return cs_mutation_point(kind, kernel->name, (*count)++, place);
}

static void remove_instr(cs_instr *instr) {
    instr->run = cs_nothing;
    instr->flow = CS_FLOW_NEXT;
}

/* Whether the guard comes from comparing integers: the nearest setp before that sets it, in the order of the code. */
static bool is_bound(const cs_kernel *kernel, uint32_t pc) {
    const uint32_t guard = kernel->code[pc].guard;
    for (uint32_t i = pc; i-- > 0;) {
        const cs_instr *before = &kernel->code[i];
        if (before->run == cs_setp && (before->d == guard || before->d2 == guard))
            return !cs_type_is_float((cs_type)before->type);
        if (before->opcode && before->opcode->operands[0] == 'P' && before->d == guard)
            return true; /* a combination of bounds */
    }
    return false;
}

/* The last instruction before pc, in the order of the code, that sets a register; NULL: none. */
static const cs_instr *setter_of(const cs_kernel *kernel, uint32_t pc, uint32_t operand) {
    for (uint32_t i = pc; i-- > 0;)
        if (kernel->code[i].opcode && kernel->code[i].d == operand)
            return &kernel->code[i];
    return NULL;
}

/* Compilers divide numbers of 64 bits in 32 where the upper halves of both are 0, with the same quotient: that is no
 * bound of the program's. Constants are odd operands. */
static bool is_short_division(const cs_kernel *kernel, uint32_t pc) {
    const cs_instr *compared = setter_of(kernel, pc, kernel->code[pc].guard);
    if (!compared || compared->run != cs_setp)
        return false;
    const cs_instr *halves = setter_of(kernel, (uint32_t)(compared - kernel->code), compared->a);
    uint64_t mask = 0;
    if (!halves || halves->run != cs_and_b64 || !(halves->b & 1))
        return false;
    memcpy(&mask, kernel->constants + (halves->b & ~1u), sizeof mask);
    return mask == 0xffffffff00000000;
}

/* Nothing is skipped: a forward branch is never taken. A branch back ends a loop by not being taken, which no mutant
 * may leave endless: such bounds show by other mutants. */
static void mutate_guard(cs_kernel *kernel, uint32_t pc) {
    cs_instr *instr = &kernel->code[pc];
    if (instr->flow == CS_FLOW_JUMP || instr->flow == CS_FLOW_EXIT)
        remove_instr(instr);
    else
        instr->guard_kind = 0;
}

static bool is_guard(const cs_kernel *kernel, uint32_t pc) {
    const cs_instr *instr = &kernel->code[pc];
    if (!instr->guard_kind || !instr->opcode)
        return false;
    const bool is_access = (instr->opcode->flags & CS_OPCODE_MEMORY) != 0;
    const bool is_exit = instr->flow == CS_FLOW_EXIT;
    const bool is_forward = instr->flow == CS_FLOW_JUMP && instr->target > pc;
    return (is_access || is_forward || is_exit) && is_bound(kernel, pc);
}

static bool is_barrier(const cs_instr *instr) {
    return instr->flow == CS_FLOW_BARRIER || instr->run == cs_bar_warp;
}

static void mutate_instr(cs_kernel *kernel, uint32_t pc, counts *n) {
    cs_instr *instr = &kernel->code[pc];
    if (is_barrier(instr) && is_chosen(kernel, pc, "barrier", &n->barrier))
        remove_instr(instr);
    if (instr->run == cs_fence && is_chosen(kernel, pc, "fence", &n->fence))
        remove_instr(instr);
    if (instr->run == cs_atom && is_chosen(kernel, pc, "atomic", &n->atomic))
        instr->run = cs_atom_torn;
    if (is_guard(kernel, pc) && is_short_division(kernel, pc))
        n->guard++;
    else if (is_guard(kernel, pc) && is_chosen(kernel, pc, "guard", &n->guard))
        mutate_guard(kernel, pc);
}

void cs_mutate_kernel(cs_kernel *kernel) {
    counts n = {0};
    if (!cs_sim.options.mutate)
        return;
    for (uint32_t pc = 0; pc < kernel->n_code; pc++)
        mutate_instr(kernel, pc, &n);
}
