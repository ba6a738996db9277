/* From PTX statements to the engine's instructions. Callees are decoded in line at each call, so that a kernel is one
 * array of code; recursion and calls by pointer are refused. */
#include "tests/cudasim/decode.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CALL_DEPTH = 16,
    CODE_MAX = 1 << 20,
    REGISTER_BYTES_MAX = 1 << 26,
    LOCAL_MAX = 1 << 20,
    RESERVED = 512
};

void cs_decode_fail(cs_decoder *d, const char *format, ...) {
    if (d->has_failed)
        return;
    d->has_failed = true;
    const cs_statement *statement = d->statement;
    char what[200];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    const cs_location *at = cs_source_location(d->module->ptx, statement ? statement->location : 0);
    const cs_text path = cs_source_path(d->module->ptx, at->file);
    snprintf(d->error, d->room, "%.*s:%u: kernel %.80s: '%.*s': %s",
             (int)(path.n > 200 ? 200 : path.n), path.at, at->line, d->kernel->name,
             (int)(statement && statement->opcode.n < 80 ? statement->opcode.n : 0),
             statement ? statement->opcode.at : "", what);
}

uint32_t cs_decode_register(cs_decoder *d, uint32_t width) {
    const uint32_t at = d->kernel->register_bytes;
    const uint32_t bytes = width < 2 ? 64 : width * CS_LANES;
    if (at > REGISTER_BYTES_MAX) {
        cs_decode_fail(d, "more registers than can be simulated");
        return 0;
    }
    d->kernel->register_bytes += bytes;
    return at;
}

uint32_t cs_decode_constant(cs_decoder *d, uint64_t bits, uint32_t width, bool is_dynamic) {
    for (size_t i = 0; i < d->n_constants; i++)
        if (d->constants[i].bits == bits && d->constants[i].width == width &&
            d->constants[i].is_dynamic == is_dynamic)
            return d->constants[i].operand;
    const cs_constant constant = {bits, width, d->kernel->constant_bytes | 1, is_dynamic};
    d->kernel->constant_bytes += width * CS_LANES;
    d->constants = cs_arena_grow(d->arena, d->constants, d->n_constants, sizeof *d->constants);
    d->constants[d->n_constants++] = constant;
    return constant.operand;
}

/* Dynamic shared memory begins behind what all functions declared, which is known last. */
static void fill_constants(cs_decoder *d) {
    cs_kernel *kernel = d->kernel;
    kernel->constants = aligned_alloc(64, (kernel->constant_bytes + 64 + 63) & ~63u);
    if (!kernel->constants)
        abort();
    for (size_t i = 0; i < d->n_constants; i++) {
        const cs_constant *c = &d->constants[i];
        const uint64_t bits = c->bits + (c->is_dynamic ? kernel->shared_bytes : 0);
        for (uint32_t lane = 0; lane < CS_LANES; lane++)
            memcpy(kernel->constants + (c->operand & ~1u) + lane * c->width, &bits, c->width);
    }
}

static cs_instr *emit(cs_decoder *d, const cs_instr *instr) {
    if (d->n_code == CODE_MAX) {
        cs_decode_fail(d, "more than %d instructions", CODE_MAX);
        return &d->code[d->n_code - 1];
    }
    d->code = cs_arena_grow(d->arena, d->code, d->n_code, sizeof *d->code);
    d->code[d->n_code] = *instr;
    return &d->code[d->n_code++];
}

/* --- instructions -------------------------------------------------------------------------------- */

static const cs_opcode *search_opcode(const cs_statement *statement, cs_instr *instr) {
    size_t n;
    const cs_opcode *opcodes = cs_opcodes(&n);
    for (size_t i = 0; i < n; i++)
        if (cs_decode_fits(statement, opcodes[i].operands) &&
            cs_opcode_match(&opcodes[i], statement->opcode, instr))
            return &opcodes[i];
    return NULL;
}

static bool has_vector(const cs_statement *statement) {
    for (size_t i = 0; i < statement->n_operands; i++)
        if (statement->operands[i].kind == CS_OPERAND_VECTOR)
            return true;
    return false;
}

/* A module spells few instructions, each many times: found ones are kept. Those with vectors may mean another row. */
static const cs_opcode *find_opcode(cs_decoder *d, const cs_statement *statement, cs_instr *instr) {
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < statement->opcode.n; i++)
        hash = (hash ^ (uint8_t)statement->opcode.at[i]) * 16777619u;
    cs_spelling *known = &d->module->spellings[hash % CS_SPELLINGS];
    if (has_vector(statement))
        return search_opcode(statement, instr);
    if (!known->instr.opcode || !cs_text_same(known->text, statement->opcode)) {
        const cs_opcode *opcode = search_opcode(statement, instr);
        *known = (cs_spelling){.text = statement->opcode, .instr = *instr};
        known->instr.opcode = opcode;
        return opcode;
    }
    const uint32_t location = instr->location;
    *instr = known->instr;
    instr->location = location;
    return known->instr.opcode;
}

/* A step of its own before or after the instruction, under the same guard. */
static void emit_step(cs_decoder *d, const cs_instr *like, cs_exec *run, uint32_t to,
                      uint32_t from) {
    cs_instr step = {.run = run, .d = to, .a = from, .flow = CS_FLOW_NEXT};
    step.guard = like->guard;
    step.guard_kind = like->guard_kind;
    step.location = like->location;
    emit(d, &step);
}

/* .ftz: sources that are f32 are flushed into registers of their own. */
static void flush_sources(cs_decoder *d, cs_instr *instr) {
    const cs_type of =
        instr->opcode->flags & CS_OPCODE_FTZ_SOURCES ? (cs_type)instr->type2 : (cs_type)instr->type;
    uint32_t *const slots[] = {&instr->a, &instr->b, &instr->c};
    int slot = 0;
    if (of != CS_F32)
        return;
    for (const char *p = instr->opcode->operands; *p && slot < 3; p++) {
        if (*p != 'a' && *p != 's')
            continue;
        if (d->flushed[slot] == 0)
            d->flushed[slot] = cs_decode_register(d, 4);
        emit_step(d, instr, cs_flush_f32, d->flushed[slot], *slots[slot]);
        *slots[slot] = d->flushed[slot];
        slot++;
    }
}

static void emit_with_steps(cs_decoder *d, cs_instr *instr) {
    const unsigned flags = instr->opcode->flags;
    const bool is_flushed = instr->is_ftz && !(flags & CS_OPCODE_OWN_FTZ);
    const bool has_result = instr->opcode->operands[0] == 'd';
    if (is_flushed)
        flush_sources(d, instr);
    const cs_instr copy = *instr;
    emit(d, instr);
    if (is_flushed && has_result && !(flags & CS_OPCODE_FTZ_SOURCES) && copy.type == CS_F32)
        emit_step(d, &copy, cs_flush_f32, copy.d, copy.d);
    if (copy.is_saturated && !(flags & CS_OPCODE_OWN_SAT))
        emit_step(d, &copy, copy.type == CS_F64 ? cs_saturate_f64 : cs_saturate_f32, copy.d,
                  copy.d);
}

static void set_guard(const cs_instance *in, const cs_statement *statement, cs_instr *instr) {
    if (statement->guard < 0)
        return;
    instr->guard = in->registers[statement->guard];
    instr->guard_kind = statement->is_guard_negated ? 2 : 1;
}

static void decode_call(cs_decoder *d, cs_instance *in, const cs_instr *instr);

static void decode_return(cs_decoder *d, cs_instance *in, cs_instr *instr) {
    if (in->caller) {
        instr->flow = CS_FLOW_JUMP;
        in->returns = cs_arena_grow(d->arena, in->returns, in->n_returns, sizeof *in->returns);
        in->returns[in->n_returns++] = d->n_code;
    }
    emit(d, instr);
}

static void decode_statement(cs_decoder *d, cs_instance *in) {
    const cs_statement *statement = d->statement;
    cs_instr instr = {.location = statement->location};
    const cs_opcode *opcode = find_opcode(d, statement, &instr);
    if (!opcode) {
        cs_decode_fail(d, "this instruction is not modelled");
        return;
    }
    instr.opcode = opcode;
    instr.run = opcode->run;
    instr.flow = (uint8_t)opcode->flow;
    instr.bytes = (uint8_t)cs_type_bytes((cs_type)instr.type);
    instr.d = d->trash;
    set_guard(in, statement, &instr);
    cs_decode_operands(d, in, opcode, &instr);
    if (opcode->flags & CS_OPCODE_SETS_CARRY)
        instr.d2 = d->carry;
    if (opcode->flags & CS_OPCODE_USES_CARRY)
        instr.e = d->carry;
    if (opcode->flags & CS_OPCODE_MEMORY)
        instr.memory = d->kernel->n_memory++;
    d->kernel->has_fences |= (opcode->flags & CS_OPCODE_FENCE) || instr.is_ordering;
    if (opcode->flags & CS_OPCODE_CALL)
        decode_call(d, in, &instr);
    else if (opcode->flags & CS_OPCODE_RETURN)
        decode_return(d, in, &instr);
    else
        emit_with_steps(d, &instr);
}

/* --- functions ----------------------------------------------------------------------------------- */

static void bind(cs_decoder *d, cs_instance *in, const cs_variable *variable, cs_space space,
                 uint64_t address) {
    const cs_binding binding = {.variable = variable, .space = space, .address = address};
    in->bindings = cs_arena_grow(d->arena, in->bindings, in->n_bindings, sizeof *in->bindings);
    in->bindings[in->n_bindings++] = binding;
}

static void bind_local(cs_decoder *d, cs_instance *in, const cs_variable *variable) {
    cs_kernel *kernel = d->kernel;
    const uint64_t at =
        ((uint64_t)kernel->local_bytes + variable->align - 1) & ~((uint64_t)variable->align - 1);
    if (at + variable->bytes > LOCAL_MAX) {
        cs_decode_fail(d, "more local memory than %d bytes a thread", LOCAL_MAX);
        return;
    }
    bind(d, in, variable, CS_LOCAL, at);
    kernel->local_bytes = (uint32_t)((at + variable->bytes + 15) & ~15ull);
}

static void open_instance(cs_decoder *d, cs_instance *in) {
    const cs_function *f = in->function;
    in->registers = cs_arena_take(d->arena, (f->n_registers + 1) * sizeof *in->registers);
    in->pcs = cs_arena_take(d->arena, (f->n_statements + 1) * sizeof *in->pcs);
    for (size_t i = 0; i < f->n_registers && !d->has_failed; i++)
        in->registers[i] = cs_decode_register(d, cs_type_bytes(f->registers[i]));
    for (size_t i = 0; i < f->n_variables && !d->has_failed; i++)
        if (f->variables[i]->space == CS_LOCAL || f->variables[i]->space == CS_PARAM)
            bind_local(d, in, f->variables[i]);
}

static void set_targets(cs_decoder *d, cs_instance *in) {
    for (size_t i = 0; i < in->n_fixups; i++) {
        const cs_fixup *fixup = &in->fixups[i];
        const uint32_t pc = (uint32_t)in->pcs[in->function->labels[fixup->label].statement];
        if (fixup->table)
            *fixup->table = pc;
        else
            d->code[fixup->instr].target = pc;
    }
    for (size_t i = 0; i < in->n_returns; i++)
        d->code[in->returns[i]].target = (uint32_t)d->n_code;
}

static void decode_function(cs_decoder *d, cs_instance *in) {
    const cs_function *f = in->function;
    open_instance(d, in);
    for (size_t i = 0; i < f->n_statements && !d->has_failed; i++) {
        d->statement = &f->statements[i];
        in->pcs[i] = d->n_code;
        decode_statement(d, in);
    }
    in->pcs[f->n_statements] = d->n_code;
    if (!d->has_failed)
        set_targets(d, in);
}

/* --- calls --------------------------------------------------------------------------------------- */

typedef struct call {
    const cs_operand *results, *name, *arguments;
} call;

static call split_call(const cs_statement *statement) {
    call c = {0};
    for (size_t i = 0; i < statement->n_operands; i++) {
        const cs_operand *operand = &statement->operands[i];
        if (operand->kind == CS_OPERAND_ARGUMENTS && !c.name)
            c.results = operand;
        else if (operand->kind == CS_OPERAND_ARGUMENTS)
            c.arguments = operand;
        else if (!c.name)
            c.name = operand;
    }
    return c;
}

/* The callee's parameters are the caller's variables. */
static void bind_arguments(cs_decoder *d, cs_instance *in, cs_instance *callee,
                           const cs_operand *given, cs_variable *const *wanted, size_t n) {
    if ((given ? given->n_items : 0) != n) {
        cs_decode_fail(d, "a call with another number of arguments than the function has");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const cs_variable *variable = given->items[i].variable;
        const cs_binding *binding = variable ? cs_decode_binding(d, in, variable) : NULL;
        if (!binding || variable->bytes < wanted[i]->bytes) {
            cs_decode_fail(d, "an argument that does not fit its parameter");
            return;
        }
        bind(d, callee, wanted[i], binding->space, binding->address);
    }
}

static void decode_call(cs_decoder *d, cs_instance *in, const cs_instr *instr) {
    const call c = split_call(d->statement);
    if (!c.name || c.name->kind != CS_OPERAND_NAME) {
        cs_decode_fail(d, "a call by pointer is not modelled");
        return;
    }
    const cs_function *f = cs_ptx_function(d->module->ptx, c.name->name);
    cs_instr around = *instr;
    if (cs_text_is(c.name->name, "__assertfail")) {
        around.flow = CS_FLOW_TRAP;
        around.run = cs_trap;
        emit(d, &around);
        return;
    }
    if (!f || !f->has_body) {
        cs_decode_fail(d, "function '%.*s' is not modelled", (int)c.name->name.n, c.name->name.at);
        return;
    }
    if (in->depth == CALL_DEPTH) {
        cs_decode_fail(d, "calls nested more than %d deep", CALL_DEPTH);
        return;
    }
    cs_instance callee = {.function = f, .caller = in, .depth = in->depth + 1};
    bind_arguments(d, in, &callee, c.arguments, f->params, f->n_params);
    bind_arguments(d, in, &callee, c.results, f->results, f->n_results);
    /* Lanes that the guard excludes jump over the callee. */
    const size_t jump = d->n_code;
    around.run = cs_nothing;
    around.flow = CS_FLOW_JUMP;
    around.guard_kind = around.guard_kind ? 3 - around.guard_kind : 0;
    if (around.guard_kind)
        emit(d, &around);
    const cs_statement *statement = d->statement;
    if (!d->has_failed)
        decode_function(d, &callee);
    d->statement = statement;
    if (around.guard_kind && !d->has_failed)
        d->code[jump].target = (uint32_t)d->n_code;
}

/* --- kernels ------------------------------------------------------------------------------------- */

static void bind_params(cs_decoder *d, cs_instance *in) {
    cs_kernel *kernel = d->kernel;
    const cs_function *f = kernel->function;
    uint64_t at = 0;
    kernel->n_params = (uint32_t)f->n_params;
    kernel->param_sizes = cs_arena_take(d->arena, (f->n_params + 1) * sizeof(uint32_t));
    kernel->param_offsets = cs_arena_take(d->arena, (f->n_params + 1) * sizeof(uint32_t));
    for (size_t i = 0; i < f->n_params; i++) {
        const cs_variable *param = f->params[i];
        at = (at + param->align - 1) & ~((uint64_t)param->align - 1);
        bind(d, in, param, CS_PARAM, at);
        kernel->param_offsets[i] = (uint32_t)at;
        kernel->param_sizes[i] = (uint32_t)param->bytes;
        at += param->bytes;
    }
    if (at > 32764)
        cs_decode_fail(d, "%llu bytes of parameters", (unsigned long long)at);
    kernel->param_bytes = (uint32_t)at;
}

static void keep_shared(cs_decoder *d) {
    cs_kernel *kernel = d->kernel;
    kernel->shared = cs_arena_take(d->arena, (d->n_shared + 1) * sizeof *kernel->shared);
    for (size_t i = 0; i < d->n_shared; i++)
        if (!d->shared[i].is_dynamic)
            kernel->shared[kernel->n_shared++] =
                (cs_shared_variable){d->shared[i].variable->name, (uint32_t)d->shared[i].address,
                                     (uint32_t)d->shared[i].variable->bytes};
    kernel->shared_bytes = (kernel->shared_bytes + 127) & ~127u;
}

static cs_kernel *new_kernel(cs_module *module, const cs_function *function) {
    cs_kernel *kernel = cs_arena_take(module->ptx->arena, sizeof *kernel);
    kernel->module = module;
    kernel->function = function;
    kernel->name = cs_arena_take(module->ptx->arena, function->name.n + 1);
    memcpy(kernel->name, function->name.at, function->name.n);
    kernel->register_bytes = RESERVED; /* operand 0: what an instruction lacks */
    return kernel;
}

bool cs_decode_kernel(cs_module *module, const cs_function *function, cs_kernel **out, char *error,
                      size_t room) {
    cs_decoder d = {.module = module, .arena = module->ptx->arena, .error = error, .room = room};
    if (!module->spellings)
        module->spellings = cs_arena_take(d.arena, CS_SPELLINGS * sizeof *module->spellings);
    cs_instance in = {.function = function};
    d.kernel = new_kernel(module, function);
    d.carry = cs_decode_register(&d, 0);
    d.trash = cs_decode_register(&d, 8);
    bind_params(&d, &in);
    decode_function(&d, &in);
    const cs_instr end = {.run = cs_nothing, .flow = CS_FLOW_EXIT, .location = function->location};
    emit(&d, &end); /* a text may run off its end */
    if (d.has_failed)
        return false;
    keep_shared(&d);
    fill_constants(&d);
    d.kernel->code = d.code;
    d.kernel->n_code = (uint32_t)d.n_code;
    d.kernel->executed = cs_arena_take(d.arena, d.n_code);
    *out = d.kernel;
    return true;
}

void cs_kernel_free(cs_kernel *kernel) {
    if (kernel)
        free(kernel->constants);
}
