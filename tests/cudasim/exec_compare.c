/* Comparisons and selections (PTX ISA 9.7.6): setp, set, selp, slct. */
#include "tests/cudasim/exec.h"
#include "tests/cudasim/opcodes.h"

/* The order of the rows' alternatives CS_COMPARE_INT and CS_COMPARE_FLOAT. */
enum { EQ = 1, NE, LT, LE, GT, GE, LO, LS, HI, HS };
enum { FLOAT_EQU = 7, FLOAT_NEU, FLOAT_LTU, FLOAT_LEU, FLOAT_GTU, FLOAT_GEU, FLOAT_NUM, FLOAT_NAN };

#define LOOP_MASK(condition)                                                                       \
    do {                                                                                           \
        CS_EACH_LANE                                                                               \
        result |= (uint32_t)(condition) << lane;                                                   \
    } while (0)

#define COMPARE_INT(name, type)                                                                    \
    static uint32_t name(cs_warp *warp, const cs_instr *instr) {                                   \
        const type *a = CS_LANES_OF(warp, instr->a, const type);                                   \
        const type *b = CS_LANES_OF(warp, instr->b, const type);                                   \
        uint32_t result = 0;                                                                       \
        switch (instr->choice[0]) {                                                                \
        case EQ:                                                                                   \
            LOOP_MASK(a[lane] == b[lane]);                                                         \
            break;                                                                                 \
        case NE:                                                                                   \
            LOOP_MASK(a[lane] != b[lane]);                                                         \
            break;                                                                                 \
        case LT:                                                                                   \
        case LO:                                                                                   \
            LOOP_MASK(a[lane] < b[lane]);                                                          \
            break;                                                                                 \
        case LE:                                                                                   \
        case LS:                                                                                   \
            LOOP_MASK(a[lane] <= b[lane]);                                                         \
            break;                                                                                 \
        case GT:                                                                                   \
        case HI:                                                                                   \
            LOOP_MASK(a[lane] > b[lane]);                                                          \
            break;                                                                                 \
        default:                                                                                   \
            LOOP_MASK(a[lane] >= b[lane]);                                                         \
            break;                                                                                 \
        }                                                                                          \
        return result;                                                                             \
    }

COMPARE_INT(compare_u16, uint16_t);
COMPARE_INT(compare_u32, uint32_t);
COMPARE_INT(compare_u64, uint64_t);
COMPARE_INT(compare_s16, int16_t);
COMPARE_INT(compare_s32, int32_t);
COMPARE_INT(compare_s64, int64_t);

/* The forms with u are also true where one operand is NaN. */
#define COMPARE_FLOAT(name, type)                                                                  \
    static uint32_t name(cs_warp *warp, const cs_instr *instr) {                                   \
        const type *a = CS_LANES_OF(warp, instr->a, const type);                                   \
        const type *b = CS_LANES_OF(warp, instr->b, const type);                                   \
        const int compare = instr->choice[0];                                                      \
        uint32_t result = 0, unordered = 0;                                                        \
        LOOP_MASK(a[lane] != a[lane] || b[lane] != b[lane]);                                       \
        unordered = result;                                                                        \
        result = 0;                                                                                \
        switch (compare) {                                                                         \
        case EQ:                                                                                   \
        case FLOAT_EQU:                                                                            \
            LOOP_MASK(a[lane] == b[lane]);                                                         \
            break;                                                                                 \
        case NE:                                                                                   \
        case FLOAT_NEU:                                                                            \
            LOOP_MASK(a[lane]<b[lane] || a[lane]> b[lane]);                                        \
            break;                                                                                 \
        case LT:                                                                                   \
        case FLOAT_LTU:                                                                            \
            LOOP_MASK(a[lane] < b[lane]);                                                          \
            break;                                                                                 \
        case LE:                                                                                   \
        case FLOAT_LEU:                                                                            \
            LOOP_MASK(a[lane] <= b[lane]);                                                         \
            break;                                                                                 \
        case GT:                                                                                   \
        case FLOAT_GTU:                                                                            \
            LOOP_MASK(a[lane] > b[lane]);                                                          \
            break;                                                                                 \
        case GE:                                                                                   \
        case FLOAT_GEU:                                                                            \
            LOOP_MASK(a[lane] >= b[lane]);                                                         \
            break;                                                                                 \
        case FLOAT_NUM:                                                                            \
            return ~unordered;                                                                     \
        default:                                                                                   \
            return unordered;                                                                      \
        }                                                                                          \
        return compare >= FLOAT_EQU ? result | unordered : result;                                 \
    }

COMPARE_FLOAT(compare_f32, float);
COMPARE_FLOAT(compare_f64, double);

static uint32_t compared(cs_warp *warp, const cs_instr *instr, cs_type type) {
    switch (type) {
    case CS_U16:
    case CS_B16:
        return compare_u16(warp, instr);
    case CS_U32:
    case CS_B32:
        return compare_u32(warp, instr);
    case CS_U64:
    case CS_B64:
        return compare_u64(warp, instr);
    case CS_S16:
        return compare_s16(warp, instr);
    case CS_S32:
        return compare_s32(warp, instr);
    case CS_S64:
        return compare_s64(warp, instr);
    case CS_F64:
        return compare_f64(warp, instr);
    default:
        return compare_f32(warp, instr);
    }
}

/* with: 0 the comparison alone, else and, or, xor with a predicate. */
static uint32_t combined(uint32_t compare, int with, uint32_t predicate) {
    switch (with) {
    case 1:
        return compare & predicate;
    case 2:
        return compare | predicate;
    case 3:
        return compare ^ predicate;
    default:
        return compare;
    }
}

static uint32_t third_predicate(const cs_warp *warp, const cs_instr *instr) {
    if (instr->choice[1] == 0)
        return 0;
    return instr->is_c_negated ? ~cs_mask_of(warp, instr->c) : cs_mask_of(warp, instr->c);
}

/* setp.lt.and d|q, a, b, c: d is (a < b) and c, q is !(a < b) and c. */
void cs_setp(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    const uint32_t compare = compared(warp, instr, (cs_type)instr->type);
    const uint32_t predicate = third_predicate(warp, instr);
    cs_set_mask(warp, instr->d, mask, combined(compare, instr->choice[1], predicate));
    if (instr->d2)
        cs_set_mask(warp, instr->d2, mask, combined(~compare, instr->choice[1], predicate));
}

/* set: the same into a register: all ones or 1.0 for true. */
void cs_set(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    const uint32_t compare = compared(warp, instr, (cs_type)instr->type2);
    const uint32_t result = combined(compare, instr->choice[1], third_predicate(warp, instr));
    const uint32_t yes = instr->type == CS_F32 ? 0x3f800000u : CS_FULL;
    uint32_t *d = cs_result(warp, instr, mask);
    CS_EACH_LANE
    d[lane] = (result >> lane) & 1u ? yes : 0;
    cs_settle(warp, instr, mask, sizeof *d);
}

#define SELECT(name, type)                                                                         \
    void name(cs_warp *warp, const cs_instr *instr, uint32_t mask) {                               \
        const type *a = CS_LANES_OF(warp, instr->a, const type);                                   \
        const type *b = CS_LANES_OF(warp, instr->b, const type);                                   \
        const uint32_t p =                                                                         \
            instr->is_c_negated ? ~cs_mask_of(warp, instr->c) : cs_mask_of(warp, instr->c);        \
        type *d = cs_result(warp, instr, mask);                                                    \
        CS_EACH_LANE                                                                               \
        d[lane] = (p >> lane) & 1u ? a[lane] : b[lane];                                            \
        cs_settle(warp, instr, mask, sizeof(type));                                                \
    }

SELECT(cs_selp_b16, uint16_t);
SELECT(cs_selp_b32, uint32_t);
SELECT(cs_selp_b64, uint64_t);

/* slct: a where c >= 0 (-0 too), else b; NaN selects b. */
CS_TERNARY_OF(cs_slct_b16_s32, uint16_t, uint16_t, uint16_t, int32_t, z >= 0 ? x : y);
CS_TERNARY_OF(cs_slct_b32_s32, uint32_t, uint32_t, uint32_t, int32_t, z >= 0 ? x : y);
CS_TERNARY_OF(cs_slct_b64_s32, uint64_t, uint64_t, uint64_t, int32_t, z >= 0 ? x : y);
CS_TERNARY_OF(cs_slct_b16_f32, uint16_t, uint16_t, uint16_t, float,
              (instr->is_ftz ? cs_flush(z) : z) >= 0 ? x : y);
CS_TERNARY_OF(cs_slct_b32_f32, uint32_t, uint32_t, uint32_t, float,
              (instr->is_ftz ? cs_flush(z) : z) >= 0 ? x : y);
CS_TERNARY_OF(cs_slct_b64_f32, uint64_t, uint64_t, uint64_t, float,
              (instr->is_ftz ? cs_flush(z) : z) >= 0 ? x : y);
