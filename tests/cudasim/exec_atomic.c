/* atom and red (PTX ISA 9.7.13): lanes one after another, from the lowest. */
#include "tests/cudasim/exec.h"
#include "tests/cudasim/half.h"
#include "tests/cudasim/opcodes.h"

/* The order of the rows' alternatives CS_ATOMIC_OPS. */
enum { ADD = 1, MIN, MAX, INC, DEC, AND, OR, XOR, EXCH };

static uint64_t integer_result(const cs_instr *instr, uint64_t old, uint64_t b) {
    const cs_type type = (cs_type)instr->type;
    const int64_t s_old = type == CS_S32 ? (int32_t)old : (int64_t)old,
                  s_b = type == CS_S32 ? (int32_t)b : (int64_t)b;
    const bool is_signed = cs_type_is_signed(type);
    switch (instr->choice[0]) {
    case ADD:
        return old + b;
    case MIN:
        return (is_signed ? s_b < s_old : b < old) ? b : old;
    case MAX:
        return (is_signed ? s_b > s_old : b > old) ? b : old;
    case INC:
        return old >= b ? 0 : old + 1;
    case DEC:
        return old == 0 || old > b ? b : old - 1;
    case AND:
        return old & b;
    case OR:
        return old | b;
    case XOR:
        return old ^ b;
    default:
        return b;
    }
}

/* atom.add.f32 on global memory flushes no subnormals, on shared neither; rounds to nearest even. */
static uint64_t float_result(cs_type type, uint64_t old, uint64_t b) {
    if (type == CS_F32)
        return cs_bits_of(cs_nan_if(cs_float_of((uint32_t)old) + cs_float_of((uint32_t)b)));
    if (type == CS_F64)
        return cs_bits_of_double(cs_double_of(old) + cs_double_of(b));
    const uint16_t low = cs_half_bits(
        cs_sum_to_odd(cs_half_value((uint16_t)old, type), cs_half_value((uint16_t)b, type)), type,
        CS_RN);
    if (type == CS_F16 || type == CS_BF16)
        return low;
    const uint16_t high = cs_half_bits(cs_sum_to_odd(cs_half_value((uint16_t)(old >> 16), type),
                                                     cs_half_value((uint16_t)(b >> 16), type)),
                                       type, CS_RN);
    return (uint32_t)high << 16 | low;
}

static uint64_t lane_of(const cs_warp *warp, uint32_t operand, uint32_t bytes, int lane) {
    if (bytes == 2)
        return CS_LANES_OF(warp, operand, const uint16_t)[lane];
    return bytes == 4 ? CS_LANES_OF(warp, operand, const uint32_t)[lane]
                      : CS_LANES_OF(warp, operand, const uint64_t)[lane];
}

static void return_old(cs_warp *warp, const cs_instr *instr, int lane, uint64_t old) {
    if (instr->bytes == 2)
        CS_LANES_OF(warp, instr->d, uint16_t)[lane] = (uint16_t)old;
    else if (instr->bytes == 4)
        CS_LANES_OF(warp, instr->d, uint32_t)[lane] = (uint32_t)old;
    else
        CS_LANES_OF(warp, instr->d, uint64_t)[lane] = old;
}

/* The lanes that may, with their data pointers; orders what fences say. */
static uint32_t begin(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    cs_form_addresses(warp, instr);
    const uint32_t allowed = cs_access_check(warp, instr, mask, instr->bytes, CS_ATOMIC);
    if (instr->is_ordering)
        cs_race_fence(warp, allowed);
    cs_race_atomic(warp, allowed);
    if (instr->is_ordering)
        cs_race_fence(warp, allowed);
    return allowed;
}

static void update(cs_warp *warp, const cs_instr *instr, uint32_t allowed) {
    for (uint32_t left = allowed; left; left &= left - 1) {
        const int lane = __builtin_ctz(left);
        const uint64_t b = lane_of(warp, instr->b, instr->bytes, lane);
        uint64_t old = 0;
        memcpy(&old, warp->data[lane], instr->bytes);
        const bool is_float = cs_type_is_float((cs_type)instr->type);
        const uint64_t new =
            is_float ? float_result((cs_type)instr->type, old, b) : integer_result(instr, old, b);
        memcpy(warp->data[lane], &new, instr->bytes);
        return_old(warp, instr, lane, old);
    }
}

void cs_atom(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    update(warp, instr, begin(warp, instr, mask));
}

/* A mutant: the same update as a load and a store, which other threads may come between. */
void cs_atom_torn(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    cs_form_addresses(warp, instr);
    const uint32_t readable = cs_access_check(warp, instr, mask, instr->bytes, CS_READ);
    if (readable == 0)
        return;
    cs_form_addresses(warp, instr);
    update(warp, instr, cs_access_check(warp, instr, readable, instr->bytes, CS_WRITE));
}

void cs_atom_cas(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    const uint32_t allowed = begin(warp, instr, mask);
    for (uint32_t left = allowed; left; left &= left - 1) {
        const int lane = __builtin_ctz(left);
        const uint64_t new = lane_of(warp, instr->c, instr->bytes, lane);
        uint64_t old = 0;
        memcpy(&old, warp->data[lane], instr->bytes);
        if (old == lane_of(warp, instr->b, instr->bytes, lane))
            memcpy(warp->data[lane], &new, instr->bytes);
        return_old(warp, instr, lane, old);
    }
}

/* red: atom without a result; the decoder gave it a register that nobody reads. */
