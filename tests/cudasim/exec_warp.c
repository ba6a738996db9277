/* Instructions that lanes of a warp do together (PTX ISA 9.7.9.8, 9.7.13): shfl, vote, match, redux, activemask,
 * bar.warp. They run when every lane of their member mask is there (warp.c); mask is those lanes. */
#include "tests/cudasim/exec.h"
#include "tests/cudasim/opcodes.h"

/* shfl's modes, in the order of its row. */
enum { UP = 1, DOWN, BFLY, IDX };

/* The lane that `lane` reads from; is_inside: the predicate that shfl returns (PTX ISA, pseudo code of shfl). */
static int source_lane(int mode, int lane, uint32_t b, uint32_t c, bool *is_inside) {
    const int value = (int)(b & 31), clamp = (int)(c & 31), segment = (int)((c >> 8) & 31);
    const int highest = (lane & segment) | (clamp & ~segment), lowest = lane & segment;
    int from = 0;
    switch (mode) {
    case UP:
        from = lane - value;
        *is_inside = from >= highest;
        break;
    case DOWN:
        from = lane + value;
        *is_inside = from <= highest;
        break;
    case BFLY:
        from = lane ^ value;
        *is_inside = from <= highest;
        break;
    default:
        from = lowest | (value & ~segment);
        *is_inside = from <= highest;
        break;
    }
    return *is_inside ? from : lane;
}

void cs_shfl(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    const uint32_t *a = CS_LANES_OF(warp, instr->a, const uint32_t);
    const uint32_t *b = CS_LANES_OF(warp, instr->b, const uint32_t);
    const uint32_t *c = CS_LANES_OF(warp, instr->c, const uint32_t);
    uint32_t result[CS_LANES] = {0}, inside = 0;
    for (uint32_t left = mask; left; left &= left - 1) {
        const int lane = __builtin_ctz(left);
        bool is_inside;
        const int from = source_lane(instr->choice[0], lane, b[lane], c[lane], &is_inside);
        if (!((mask >> from) & 1))
            cs_say_absent_source(warp, (uint32_t)lane, (uint32_t)from);
        result[lane] = (mask >> from) & 1 ? a[from] : CS_FULL;
        inside |= (uint32_t)is_inside << lane;
    }
    cs_blend(CS_LANES_OF(warp, instr->d, uint32_t), result, mask, 4);
    if (instr->d2)
        cs_set_mask(warp, instr->d2, mask, inside);
}

/* vote: choice 1 all, 2 any, 3 uni, 4 ballot */
void cs_vote(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    const uint32_t p =
        (instr->is_a_negated ? ~cs_mask_of(warp, instr->a) : cs_mask_of(warp, instr->a)) & mask;
    const bool answers[] = {false, p == mask, p != 0, p == mask || p == 0};
    cs_set_mask(warp, instr->d, mask, answers[instr->choice[0]] ? CS_FULL : 0);
}

static void set_all(cs_warp *warp, const cs_instr *instr, uint32_t mask, uint32_t value) {
    uint32_t *d = CS_LANES_OF(warp, instr->d, uint32_t);
    for (uint32_t left = mask; left; left &= left - 1)
        d[__builtin_ctz(left)] = value;
}

void cs_vote_ballot(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    const uint32_t p =
        instr->is_a_negated ? ~cs_mask_of(warp, instr->a) : cs_mask_of(warp, instr->a);
    set_all(warp, instr, mask, p & mask);
}

void cs_activemask(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    set_all(warp, instr, mask, mask);
}

/* redux: choice 1 add, 2 min, 3 max, 4 and, 5 or, 6 xor */
static uint32_t reduced(int op, bool is_signed, uint32_t x, uint32_t y) {
    const bool is_less = is_signed ? (int32_t)y < (int32_t)x : y < x;
    switch (op) {
    case 1:
        return x + y;
    case 2:
        return is_less ? y : x;
    case 3:
        return is_less ? x : y;
    case 4:
        return x & y;
    case 5:
        return x | y;
    default:
        return x ^ y;
    }
}

void cs_redux(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    const uint32_t *a = CS_LANES_OF(warp, instr->a, const uint32_t);
    uint32_t result = a[__builtin_ctz(mask)];
    for (uint32_t left = mask & (mask - 1); left; left &= left - 1)
        result = reduced(instr->choice[0], instr->type == CS_S32, result, a[__builtin_ctz(left)]);
    set_all(warp, instr, mask, result);
}

static uint64_t value_at(const cs_warp *warp, const cs_instr *instr, int lane) {
    return instr->width_a == 8 ? CS_LANES_OF(warp, instr->a, const uint64_t)[lane]
                               : CS_LANES_OF(warp, instr->a, const uint32_t)[lane];
}

static uint32_t equal_lanes(const cs_warp *warp, const cs_instr *instr, uint32_t mask,
                            uint64_t value) {
    uint32_t equal = 0;
    for (uint32_t left = mask; left; left &= left - 1)
        equal |= value_at(warp, instr, __builtin_ctz(left)) == value ? left & -left : 0;
    return equal;
}

void cs_match_any(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    uint32_t result[CS_LANES] = {0};
    for (uint32_t left = mask; left; left &= left - 1) {
        const int lane = __builtin_ctz(left);
        result[lane] = equal_lanes(warp, instr, mask, value_at(warp, instr, lane));
    }
    cs_blend(CS_LANES_OF(warp, instr->d, uint32_t), result, mask, 4);
}

void cs_match_all(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    const bool is_equal =
        equal_lanes(warp, instr, mask, value_at(warp, instr, __builtin_ctz(mask))) == mask;
    set_all(warp, instr, mask, is_equal ? mask : 0);
    if (instr->d2)
        cs_set_mask(warp, instr->d2, mask, is_equal ? CS_FULL : 0);
}

void cs_bar_warp(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    (void)instr;
    if (warp->block->run->races)
        cs_race_warp_barrier(warp, mask);
}

/* trap, and what a failed assertion on the device calls. */
void cs_trap(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    cs_where where;
    cs_where_of(warp, warp->pc, (uint32_t)__builtin_ctz(mask), &where);
    cs_report(CS_TRAP, where.place, "%s, by %s",
              (instr->opcode->flags & CS_OPCODE_CALL) ? "an assertion failed" : "a trap",
              where.thread);
    warp->block->run->is_trapped = true;
}
