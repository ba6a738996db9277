/* Reductions over ranks. NCCL promises no order of additions, so the first rank differs from call to call; bf16 is
 * rounded after each addition, as it is when sums travel round a ring. */
#include <string.h>

#include "nccl_fake.h"
#include "rounding.h"

static float combine_float(uint32_t op, float a, float b) {
    switch (op) {
    case ncclSum:
    case ncclAvg:
        return a + b;
    case ncclMax:
        return b > a || b != b ? b : a;
    case ncclMin:
        return b < a || b != b ? b : a;
    default:
        cs_unknown(cs_current_function(), "reduction %u is not modelled", op);
    }
}

static int64_t combine_int(uint32_t op, int64_t a, int64_t b) {
    switch (op) {
    case ncclSum:
        return (int64_t)((uint64_t)a + (uint64_t)b);
    case ncclMax:
        return b > a ? b : a;
    case ncclMin:
        return b < a ? b : a;
    default:
        cs_unknown(cs_current_function(), "reduction %u of integers is not modelled", op);
    }
}

static float load_float(const uint8_t *at, uint32_t type) {
    float wide;
    uint16_t narrow;
    if (type == ncclBfloat16) {
        memcpy(&narrow, at, sizeof narrow);
        return cs_from_bf16(narrow);
    }
    memcpy(&wide, at, sizeof wide);
    return wide;
}

static float round_to(float value, uint32_t type) {
    return type == ncclBfloat16 ? cs_from_bf16(cs_to_bf16(value)) : value;
}

static void store_float(uint8_t *at, uint32_t type, float value) {
    uint16_t narrow = cs_to_bf16(value);
    if (type == ncclBfloat16)
        memcpy(at, &narrow, sizeof narrow);
    else
        memcpy(at, &value, sizeof value);
}

static int64_t load_int(const uint8_t *at, size_t bytes) {
    int64_t wide = 0;
    int32_t narrow;
    int8_t byte;
    if (bytes == 8)
        memcpy(&wide, at, 8);
    else if (bytes == 4) {
        memcpy(&narrow, at, 4);
        wide = narrow;
    } else {
        memcpy(&byte, at, 1);
        wide = byte;
    }
    return wide;
}

void cs_nccl_reduce(const uint8_t *const *parts, int n, int first, uint32_t type, uint32_t op,
                    uint64_t count, uint8_t *out) {
    size_t bytes = cs_nccl_type_bytes(type);
    bool is_float = type == ncclFloat32 || type == ncclBfloat16;
    if (type == ncclUint8)
        cs_unknown(cs_current_function(), "reductions of data type %u are not modelled", type);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t at = i * bytes;
        float sum = is_float ? load_float(parts[first] + at, type) : 0;
        int64_t whole = is_float ? 0 : load_int(parts[first] + at, bytes);
        for (int j = 1; j < n; j++) {
            const uint8_t *part = parts[(first + j) % n] + at;
            if (is_float)
                sum = round_to(combine_float(op, sum, load_float(part, type)), type);
            else
                whole = combine_int(op, whole, load_int(part, bytes));
        }
        if (is_float)
            store_float(out + at, type, op == ncclAvg ? sum / (float)n : sum);
        else
            memcpy(out + at, &whole, bytes); /* the low bytes come first */
    }
}
