/* Operands: registers, constants, addresses, vectors, checked against the row's letters. A text from outside may hold
 * any mixture; a register of another width than the instruction's would reach past its lanes, so each is compared. */
#include "tests/cudasim/decode.h"

#include <string.h>

/* --- where variables lie -------------------------------------------------------------------------- */

enum { SHARED_GAP = 64, SHARED_MAX = 1 << 20 };

static uint32_t aligned(uint64_t at, uint32_t align) {
    return (uint32_t)((at + align - 1) & ~(uint64_t)(align - 1));
}

/* A gap follows each shared variable, so that running past its end shows. */
static cs_binding place_shared(cs_decoder *d, const cs_variable *variable) {
    cs_kernel *kernel = d->kernel;
    cs_binding binding = {.variable = variable, .space = CS_SHARED};
    if (variable->is_extern || variable->bytes == 0) {
        binding.is_dynamic = true;
        return binding;
    }
    if (variable->bytes > SHARED_MAX || kernel->shared_bytes > SHARED_MAX) {
        cs_decode_fail(d, "more shared memory than any GPU has");
        return binding;
    }
    binding.address = aligned(kernel->shared_bytes, variable->align < 16 ? 16 : variable->align);
    kernel->shared_bytes = (uint32_t)(binding.address + variable->bytes + SHARED_GAP);
    kernel->static_shared =
        aligned(kernel->static_shared, variable->align) + (uint32_t)variable->bytes;
    return binding;
}

static const cs_binding *shared_binding(cs_decoder *d, const cs_variable *variable) {
    for (size_t i = 0; i < d->n_shared; i++)
        if (d->shared[i].variable == variable)
            return &d->shared[i];
    const cs_binding binding = place_shared(d, variable);
    d->shared = cs_arena_grow(d->arena, d->shared, d->n_shared, sizeof *d->shared);
    d->shared[d->n_shared] = binding;
    return &d->shared[d->n_shared++];
}

static const cs_binding *module_binding(cs_decoder *d, cs_instance *in,
                                        const cs_variable *variable) {
    const cs_ptx *ptx = d->module->ptx;
    for (size_t i = 0; i < ptx->n_variables; i++) {
        if (ptx->variables[i] != variable)
            continue;
        if (d->module->addresses[i] == 0)
            break;
        const cs_binding binding = {
            .variable = variable, .space = CS_GLOBAL, .address = d->module->addresses[i]};
        in->bindings = cs_arena_grow(d->arena, in->bindings, in->n_bindings, sizeof *in->bindings);
        in->bindings[in->n_bindings] = binding;
        return &in->bindings[in->n_bindings++];
    }
    cs_decode_fail(d, "variable '%.*s' is defined nowhere", (int)variable->name.n,
                   variable->name.at);
    return NULL;
}

const cs_binding *cs_decode_binding(cs_decoder *d, cs_instance *in, const cs_variable *variable) {
    for (size_t i = 0; i < in->n_bindings; i++)
        if (in->bindings[i].variable == variable)
            return &in->bindings[i];
    if (variable->space == CS_SHARED)
        return shared_binding(d, variable);
    return module_binding(d, in, variable);
}

/* --- one operand ---------------------------------------------------------------------------------- */

static const cs_operand nothing = {.kind = CS_OPERAND_SINK};

static uint32_t lane_bytes(const cs_instance *in, const cs_operand *operand) {
    return cs_type_bytes(in->function->registers[operand->reg]);
}

static uint64_t literal_bits(const cs_operand *operand, uint32_t width) {
    uint64_t bits = operand->bits;
    if (operand->kind == CS_OPERAND_FLOAT && operand->real_bytes == 8 && width == 4) {
        double wide;
        float narrow;
        uint32_t out;
        memcpy(&wide, &bits, sizeof wide);
        narrow = (float)wide;
        memcpy(&out, &narrow, sizeof out);
        return out;
    }
    if (operand->kind == CS_OPERAND_FLOAT && operand->real_bytes == 4 && width == 8) {
        const uint32_t in = (uint32_t)bits;
        float narrow;
        memcpy(&narrow, &in, sizeof narrow);
        const double wide = narrow;
        memcpy(&bits, &wide, sizeof bits);
    }
    return bits;
}

/* A source of exactly `width` bytes, or at least that many where is_wider_fine; *out_width is the register's. */
static uint32_t source(cs_decoder *d, cs_instance *in, const cs_operand *operand, uint32_t width,
                       bool is_wider_fine, uint8_t *out_width) {
    const uint32_t lanes = width < 2 ? 2 : width;
    *out_width = (uint8_t)lanes;
    switch (operand->kind) {
    case CS_OPERAND_REGISTER: {
        const uint32_t own = lane_bytes(in, operand);
        if (own != width && !(is_wider_fine && own > width))
            cs_decode_fail(d, "a source register of %u bytes, want %u", own, width);
        *out_width = (uint8_t)(own ? own : lanes);
        return in->registers[operand->reg];
    }
    case CS_OPERAND_INTEGER:
    case CS_OPERAND_FLOAT:
        return cs_decode_constant(d, literal_bits(operand, lanes), lanes, false);
    case CS_OPERAND_SPECIAL: {
        const uint32_t special = cs_decode_special(d, operand->name);
        if (special == 0 || width != 4)
            cs_decode_fail(d, "special register '%.*s' is not modelled", (int)operand->name.n,
                           operand->name.at);
        return special;
    }
    case CS_OPERAND_VARIABLE: {
        const cs_binding *binding = cs_decode_binding(d, in, operand->variable);
        if (!binding)
            return 0;
        return cs_decode_constant(d, binding->address + (uint64_t)operand->offset, lanes,
                                  binding->is_dynamic);
    }
    default:
        cs_decode_fail(d, "an operand that is no source");
        return 0;
    }
}

static uint32_t result(cs_decoder *d, cs_instance *in, const cs_operand *operand, uint32_t width,
                       bool is_wider_fine, uint8_t *out_width) {
    *out_width = (uint8_t)(width < 2 ? 2 : width);
    if (operand->kind == CS_OPERAND_SINK)
        return d->trash;
    if (operand->kind != CS_OPERAND_REGISTER) {
        cs_decode_fail(d, "a result that is no register");
        return 0;
    }
    const uint32_t own = lane_bytes(in, operand);
    if (own != width && !(is_wider_fine && own > width))
        cs_decode_fail(d, "a result register of %u bytes, want %u", own, width);
    *out_width = (uint8_t)(own ? own : 2);
    return in->registers[operand->reg];
}

static uint32_t predicate_result(cs_decoder *d, cs_instance *in, const cs_operand *operand) {
    if (operand->kind == CS_OPERAND_SINK)
        return d->trash;
    if (operand->kind != CS_OPERAND_REGISTER || in->function->registers[operand->reg] != CS_PRED) {
        cs_decode_fail(d, "a result that is no predicate");
        return 0;
    }
    return in->registers[operand->reg];
}

static uint32_t predicate_source(cs_decoder *d, cs_instance *in, const cs_operand *operand) {
    if (operand->kind == CS_OPERAND_INTEGER)
        return cs_decode_constant(d, operand->bits ? UINT64_MAX : 0, 4, false);
    if (operand->kind != CS_OPERAND_REGISTER || in->function->registers[operand->reg] != CS_PRED) {
        cs_decode_fail(d, "a source that is no predicate");
        return 0;
    }
    return in->registers[operand->reg];
}

/* --- addresses and vectors ------------------------------------------------------------------------ */

static void address_of_variable(cs_decoder *d, cs_instance *in, const cs_operand *base,
                                cs_instr *instr) {
    const cs_binding *binding = cs_decode_binding(d, in, base->variable);
    if (!binding)
        return;
    instr->offset += base->offset;
    instr->a = cs_decode_constant(d, binding->address, 8, binding->is_dynamic);
    instr->address_width = 8;
    if (instr->space == CS_PARAM || binding->space == CS_LOCAL)
        instr->space = (uint8_t)binding->space; /* parameters of a callee are its caller's locals */
    else if (binding->space == CS_SHARED && instr->space != CS_SHARED)
        cs_decode_fail(d, "a shared variable's address in an instruction for other memory");
}

static void address(cs_decoder *d, cs_instance *in, const cs_operand *operand, cs_instr *instr) {
    if (operand->kind != CS_OPERAND_ADDRESS) {
        cs_decode_fail(d, "want an address in brackets");
        return;
    }
    const cs_operand *base = &operand->items[0];
    instr->offset = operand->offset;
    if (base->kind == CS_OPERAND_VARIABLE) {
        address_of_variable(d, in, base, instr);
        return;
    }
    const bool is_short = base->kind == CS_OPERAND_REGISTER && lane_bytes(in, base) == 4;
    instr->a = source(d, in, base, is_short ? 4 : 8, false, &instr->address_width);
    if (instr->space == CS_PARAM && in->depth > 0)
        instr->space = CS_LOCAL;
}

/* A vector, or one operand as a vector of one. is_source: constants are fine. */
static void vector(cs_decoder *d, cs_instance *in, const cs_operand *operand, uint32_t width,
                   bool is_source, cs_instr *instr) {
    const bool is_vector = operand->kind == CS_OPERAND_VECTOR;
    const cs_operand *items = is_vector ? operand->items : operand;
    const size_t n = is_vector ? operand->n_items : 1;
    uint32_t *operands = cs_arena_take(d->arena, (n ? n : 1) * sizeof *operands);
    uint8_t widest = 0;
    for (size_t i = 0; i < n; i++) {
        uint8_t own;
        operands[i] = is_source ? source(d, in, &items[i], width, true, &own)
                                : result(d, in, &items[i], width, true, &own);
        if (i > 0 && own != widest)
            cs_decode_fail(d, "a vector of registers of different widths");
        widest = own;
    }
    instr->items = operands;
    instr->n_items = (uint32_t)n;
    instr->width_d = widest;
}

static void memory_vector(cs_decoder *d, cs_instance *in, const cs_operand *operand, bool is_source,
                          cs_instr *instr) {
    vector(d, in, operand, cs_type_bytes((cs_type)instr->type), is_source, instr);
    if (instr->n_items != instr->elements)
        cs_decode_fail(d, "%u registers for a vector of %u", instr->n_items, instr->elements);
}

/* mov of a whole register to or from parts. */
static void parts(cs_decoder *d, cs_instance *in, const cs_operand *operand, bool is_source,
                  cs_instr *instr) {
    const size_t n = operand->n_items;
    const uint32_t whole = cs_type_bytes((cs_type)instr->type);
    if (n == 0 || whole % n != 0 || whole / n < 2) {
        cs_decode_fail(d, "%zu parts of a register of %u bytes", n, whole);
        return;
    }
    const uint8_t kept = instr->width_d;
    vector(d, in, operand, (uint32_t)(whole / n), is_source, instr);
    if (is_source) {
        instr->width_a = (uint8_t)(whole / n);
        instr->width_d = kept;
    } else {
        instr->width_d = (uint8_t)(whole / n);
    }
}

static void targets(cs_decoder *d, cs_instance *in, const cs_operand *operand, cs_instr *instr) {
    const int64_t at =
        operand->kind == CS_OPERAND_NAME ? cs_label_find(in->function, operand->name) : -1;
    if (at < 0 || in->function->labels[at].n_targets == 0) {
        cs_decode_fail(d, "a jump by a table that is not there");
        return;
    }
    const cs_label *table = &in->function->labels[at];
    uint32_t *pcs = cs_arena_take(d->arena, table->n_targets * sizeof *pcs);
    for (size_t i = 0; i < table->n_targets; i++) {
        const int64_t label = cs_label_find(in->function, table->targets[i]);
        if (label < 0) {
            cs_decode_fail(d, "label '%.*s' is not there", (int)table->targets[i].n,
                           table->targets[i].at);
            return;
        }
        in->fixups = cs_arena_grow(d->arena, in->fixups, in->n_fixups, sizeof *in->fixups);
        in->fixups[in->n_fixups++] = (cs_fixup){.label = (size_t)label, .table = &pcs[i]};
    }
    instr->items = pcs;
    instr->n_items = (uint32_t)table->n_targets;
}

static void label(cs_decoder *d, cs_instance *in, const cs_operand *operand) {
    const int64_t at =
        operand->kind == CS_OPERAND_NAME ? cs_label_find(in->function, operand->name) : -1;
    if (at < 0) {
        cs_decode_fail(d, "a jump to a label that is not there");
        return;
    }
    in->fixups = cs_arena_grow(d->arena, in->fixups, in->n_fixups, sizeof *in->fixups);
    in->fixups[in->n_fixups++] = (cs_fixup){.instr = d->n_code, .label = (size_t)at};
}

/* --- letters -------------------------------------------------------------------------------------- */

/* Where the next source goes: a, b, c, e. */
static uint32_t *next_source(cs_instr *instr, int *n_sources) {
    uint32_t *const slots[] = {&instr->a, &instr->b, &instr->c, &instr->e};
    return slots[*n_sources < 4 ? (*n_sources)++ : 3];
}

static uint32_t letter_width(char letter, const cs_instr *instr) {
    const uint32_t first = cs_type_bytes((cs_type)instr->type),
                   second = cs_type_bytes((cs_type)instr->type2);
    switch (letter) {
    case 'W':
    case 'w':
        return 2 * first;
    case 's':
        return second;
    case 'y':
        return second ? second : first;
    case 'i':
    case 'I':
    case 'J':
        return 4;
    case 'l':
        return 8;
    default:
        return first;
    }
}

static void decode_source(cs_decoder *d, cs_instance *in, char letter, const cs_operand *operand,
                          cs_instr *instr, int *n_sources) {
    const int at = *n_sources;
    uint8_t width;
    uint32_t *slot = next_source(instr, n_sources);
    if (letter == 'p') {
        *slot = predicate_source(d, in, operand);
        if (at == 0)
            instr->is_a_negated = operand->is_negated;
        else
            instr->is_c_negated = operand->is_negated;
        return;
    }
    *slot = source(d, in, operand, letter_width(letter, instr), letter == 'y', &width);
    if (at == 0)
        instr->width_a = width;
}

/* Results may be a pair: d|p. */
static void decode_result(cs_decoder *d, cs_instance *in, char letter, const cs_operand *operand,
                          cs_instr *instr) {
    const bool is_pair = operand->kind == CS_OPERAND_PAIR;
    const cs_operand *first = is_pair ? &operand->items[0] : operand;
    if (is_pair && letter != 'D' && letter != 'P' && letter != 'J')
        cs_decode_fail(d, "two results where one is due");
    if (is_pair)
        instr->d2 = predicate_result(d, in, &operand->items[1]);
    if (letter == 'P')
        instr->d = predicate_result(d, in, first);
    else
        instr->d =
            result(d, in, first, letter_width(letter, instr), letter == 'x', &instr->width_d);
}

static void decode_operand(cs_decoder *d, cs_instance *in, char letter, const cs_operand *operand,
                           cs_instr *instr, int *n_sources) {
    uint8_t width;
    switch (letter) {
    case 'm':
        address(d, in, operand, instr);
        *n_sources = 1;
        break;
    case 'V':
    case 'v':
        memory_vector(d, in, operand, letter == 'v', instr);
        break;
    case 'Z':
    case 'z':
        parts(d, in, operand, letter == 'z', instr);
        break;
    case 'M':
        instr->e = source(d, in, operand, 4, false, &width);
        break;
    case 'n':
        if (operand->kind != CS_OPERAND_INTEGER || operand->bits > 15)
            cs_decode_fail(d, "a barrier whose number or count is not one of 0 to 15");
        break;
    case 'L':
        label(d, in, operand);
        break;
    case 'T':
        targets(d, in, operand, instr);
        break;
    default:
        if (strchr("dDWxPIJ", letter))
            decode_result(d, in, letter, operand, instr);
        else
            decode_source(d, in, letter, operand, instr, n_sources);
        break;
    }
}

/* Letters less the ones after ? that the statement leaves out. */
static size_t count_letters(const char *operands, size_t *n_optional) {
    size_t n = 0;
    *n_optional = 0;
    for (const char *p = operands; *p; p++) {
        if (*p == '?')
            (*n_optional)++;
        else
            n++;
    }
    return n;
}

void cs_decode_operands(cs_decoder *d, cs_instance *in, const cs_opcode *opcode, cs_instr *instr) {
    const cs_statement *statement = d->statement;
    size_t n_optional, at = 0;
    const size_t n = count_letters(opcode->operands, &n_optional);
    int n_sources = 0;
    if (strcmp(opcode->operands, "-") == 0 || (opcode->flags & CS_OPCODE_CALL))
        return;
    if (statement->n_operands > n || statement->n_operands < n - n_optional) {
        cs_decode_fail(d, "%zu operands, want %zu", statement->n_operands, n);
        return;
    }
    size_t left_out = n - statement->n_operands;
    for (const char *p = opcode->operands; *p; p++) {
        if (*p == '?') {
            p++;
            if (left_out > 0) {
                left_out--;
                continue;
            }
        }
        decode_operand(d, in, *p, at < statement->n_operands ? &statement->operands[at] : &nothing,
                       instr, &n_sources);
        at++;
    }
}

bool cs_decode_fits(const cs_statement *statement, const char *operands) {
    const char *parted = strpbrk(operands, "Zz");
    if (!parted)
        return true;
    const size_t at = (size_t)(parted - operands);
    return at < statement->n_operands && statement->operands[at].kind == CS_OPERAND_VECTOR;
}
