/* Loads and stores (PTX ISA, ld and st), scalars and vectors. Every access goes through cs_access_check. */
#include "tests/cudasim/exec.h"
#include "tests/cudasim/opcodes.h"

/* warp->address = base + offset for all lanes. */
void cs_form_addresses(cs_warp *warp, const cs_instr *instr) {
    uint64_t *out = warp->address;
    const uint64_t offset = (uint64_t)instr->offset;
    if (instr->address_width == 8) {
        const uint64_t *base = CS_LANES_OF(warp, instr->a, const uint64_t);
        CS_EACH_LANE
        out[lane] = base[lane] + offset;
    } else {
        const uint32_t *base = CS_LANES_OF(warp, instr->a, const uint32_t);
        CS_EACH_LANE
        out[lane] = base[lane] + offset;
    }
}

/* Whether lane 0's data begins a run of all 32, `bytes` apart. */
static bool is_run(const cs_warp *warp, size_t bytes) {
    const uint8_t *first = warp->data[0];
    size_t differences = 0;
    CS_EACH_LANE
    differences |= (size_t)(warp->data[lane] - first) ^ (bytes * (size_t)lane);
    return differences == 0;
}

/* One element a lane, from memory of type `from` into lanes of type `to`: extends as `from` is signed. */
#define LOAD_AS(to, from)                                                                          \
    do {                                                                                           \
        to *d = CS_LANES_OF(warp, destination, to);                                                \
        for (uint32_t left = mask; left; left &= left - 1) {                                       \
            const int lane = __builtin_ctz(left);                                                  \
            from value;                                                                            \
            memcpy(&value, warp->data[lane] + at, sizeof value);                                   \
            d[lane] = (to)value;                                                                   \
        }                                                                                          \
    } while (0)

static void load_bytes(cs_warp *warp, const cs_instr *instr, uint32_t mask, uint32_t destination,
                       size_t at) {
    const bool is_signed = cs_type_is_signed((cs_type)instr->type);
    if (instr->width_d == 2 && is_signed)
        LOAD_AS(int16_t, int8_t);
    else if (instr->width_d == 2)
        LOAD_AS(uint16_t, uint8_t);
    else if (instr->width_d == 4 && is_signed)
        LOAD_AS(int32_t, int8_t);
    else if (instr->width_d == 4)
        LOAD_AS(uint32_t, uint8_t);
    else if (is_signed)
        LOAD_AS(int64_t, int8_t);
    else
        LOAD_AS(uint64_t, uint8_t);
}

static void load_shorts(cs_warp *warp, const cs_instr *instr, uint32_t mask, uint32_t destination,
                        size_t at) {
    const bool is_signed = cs_type_is_signed((cs_type)instr->type);
    if (instr->width_d == 2)
        LOAD_AS(uint16_t, uint16_t);
    else if (instr->width_d == 4 && is_signed)
        LOAD_AS(int32_t, int16_t);
    else if (instr->width_d == 4)
        LOAD_AS(uint32_t, uint16_t);
    else if (is_signed)
        LOAD_AS(int64_t, int16_t);
    else
        LOAD_AS(uint64_t, uint16_t);
}

static void load_words(cs_warp *warp, const cs_instr *instr, uint32_t mask, uint32_t destination,
                       size_t at) {
    if (instr->width_d == 4)
        LOAD_AS(uint32_t, uint32_t);
    else if (cs_type_is_signed((cs_type)instr->type))
        LOAD_AS(int64_t, int32_t);
    else
        LOAD_AS(uint64_t, uint32_t);
}

static void load_element(cs_warp *warp, const cs_instr *instr, uint32_t mask, uint32_t destination,
                         size_t at) {
    if (instr->bytes == 4)
        load_words(warp, instr, mask, destination, at);
    else if (instr->bytes == 8)
        LOAD_AS(uint64_t, uint64_t);
    else if (instr->bytes == 2)
        load_shorts(warp, instr, mask, destination, at);
    else
        load_bytes(warp, instr, mask, destination, at);
}

/* Lanes whose access was refused get what nothing initialised holds. */
static void poison_lanes(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    memset(warp->scratch, 0xff, sizeof warp->scratch);
    for (uint32_t i = 0; i < instr->n_items; i++)
        cs_blend(CS_LANES_OF(warp, instr->items[i], uint8_t), warp->scratch, mask, instr->width_d);
}

void cs_ld(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    const uint32_t bytes = (uint32_t)instr->bytes * instr->elements;
    cs_form_addresses(warp, instr);
    const uint32_t allowed = cs_access_check(warp, instr, mask, bytes, CS_READ);
    if (instr->is_ordering)
        cs_race_atomic(warp, allowed), cs_race_fence(warp, allowed);
    if (allowed == CS_FULL && instr->elements == 1 && instr->bytes == instr->width_d &&
        is_run(warp, bytes)) {
        memcpy(CS_LANES_OF(warp, instr->items[0], uint8_t), warp->data[0],
               CS_LANES * (size_t)bytes);
        return;
    }
    for (uint32_t i = 0; i < instr->n_items; i++)
        load_element(warp, instr, allowed, instr->items[i], (size_t)instr->bytes * i);
    if (allowed != mask)
        poison_lanes(warp, instr, mask & ~allowed);
}

#define STORE_AS(type)                                                                             \
    do {                                                                                           \
        const type *s = CS_LANES_OF(warp, source, const type);                                     \
        for (uint32_t left = mask; left; left &= left - 1) {                                       \
            const int lane = __builtin_ctz(left);                                                  \
            memcpy(warp->data[lane] + at, &s[lane], instr_bytes);                                  \
        }                                                                                          \
    } while (0)

/* The low bytes of the register: the machine is little-endian, as the GPU is. */
static void store_element(cs_warp *warp, const cs_instr *instr, uint32_t mask, uint32_t source,
                          size_t at) {
    const size_t instr_bytes = instr->bytes;
    if (instr->width_d == 2)
        STORE_AS(uint16_t);
    else if (instr->width_d == 4)
        STORE_AS(uint32_t);
    else
        STORE_AS(uint64_t);
}

void cs_st(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    const uint32_t bytes = (uint32_t)instr->bytes * instr->elements;
    cs_form_addresses(warp, instr);
    const uint32_t allowed = cs_access_check(warp, instr, mask, bytes, CS_WRITE);
    if (instr->is_ordering)
        cs_race_fence(warp, allowed), cs_race_atomic(warp, allowed);
    if (allowed == CS_FULL && instr->elements == 1 && instr->bytes == instr->width_d &&
        is_run(warp, bytes)) {
        memcpy(warp->data[0], CS_LANES_OF(warp, instr->items[0], const uint8_t),
               CS_LANES * (size_t)bytes);
        return;
    }
    for (uint32_t i = 0; i < instr->n_items; i++)
        store_element(warp, instr, allowed, instr->items[i], (size_t)instr->bytes * i);
}

/* membar and fence */
void cs_fence(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    (void)instr;
    cs_race_fence(warp, mask);
}

/* prefetch, nanosleep: nothing that a program could see. */
void cs_nothing(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    (void)warp, (void)instr, (void)mask;
}
