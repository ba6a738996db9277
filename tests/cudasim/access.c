/* Where an access goes and whether it may: bounds, lifetime, alignment, initialisation. Races are race.c's.
 *
 * A warp's access is looked at as a whole first (one allocation, all bytes written, all addresses aligned), lane by
 * lane only where that fails. */
#include <stdarg.h>
#include <stdio.h>

#include "tests/cudasim/exec.h"

typedef struct access {
    cs_warp *warp;
    const cs_instr *instr;
    cs_access kind;
    uint32_t bytes;
    uint64_t lowest, after; /* of all lanes */
    bool is_dense;          /* the lanes cover [lowest, after) without gaps */
} access;

static const char *verb(const access *a) {
    return a->kind == CS_READ ? "read" : a->kind == CS_WRITE ? "write" : "atomic access";
}

__attribute__((format(printf, 4, 5))) static void say(const access *a, cs_kind kind, uint32_t lane,
                                                      const char *format, ...) {
    cs_where where;
    char what[256];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    cs_where_of(a->warp, a->warp->pc, lane, &where);
    cs_report(kind, where.place, "%s of %u bytes at 0x%llx %s, by %s", verb(a), a->bytes,
              (unsigned long long)a->warp->address[lane], what, where.thread);
}

static bool is_checked(const access *a, unsigned check) {
    return (a->warp->block->run->checks & check) != 0;
}

static bool is_aligned(const access *a, uint32_t lane) {
    if (!is_checked(a, CS_CHECK_ALIGN) || a->warp->address[lane] % a->bytes == 0)
        return true;
    say(a, CS_ALIGNMENT, lane, "is not aligned to its width");
    return false;
}

static bool is_initialised(const access *a, uint32_t lane, const uint8_t *shadow) {
    if (a->kind == CS_WRITE || !is_checked(a, CS_CHECK_INIT))
        return true;
    const uint8_t *unwritten = memchr(shadow, 0, a->bytes);
    if (unwritten)
        say(a, CS_UNINITIALISED, lane, "where nothing was written (byte %d of them)",
            (int)(unwritten - shadow));
    return true; /* the poison goes on to where it shows */
}

static void mark_written(const access *a, uint8_t *shadow) {
    if (a->kind != CS_READ)
        memset(shadow, 1, a->bytes);
}

/* --- global memory ------------------------------------------------------------------------------- */

static bool holds(const cs_allocation *allocation, uint64_t from, uint64_t after) {
    return allocation && !allocation->is_freed && from >= allocation->address &&
           after <= allocation->address + allocation->bytes;
}

/* The live allocation that holds the range, from the last few used. */
static const cs_allocation *holder(cs_run *run, uint64_t from, uint64_t after) {
    for (int i = 0; i < 4; i++)
        if (holds(run->recent[i], from, after))
            return run->recent[i];
    const cs_allocation *found = cs_is_device(from) ? cs_allocation_of(from) : NULL;
    if (!holds(found, from, after))
        return NULL;
    run->recent[run->next_recent++ % 4] = found;
    return found;
}

/* A lane whose access lies in no live allocation: says what it hit instead. */
static void say_outside(const access *a, uint32_t lane) {
    const uint64_t address = a->warp->address[lane];
    const cs_allocation *near = cs_is_device(address) ? cs_allocation_of(address) : NULL;
    if (address < 65536)
        say(a, CS_NULL, lane, "(a null pointer)");
    else if (!cs_is_device(address))
        say(a, CS_HOST_POINTER, lane, "is no device memory: %s",
            cs_is_pinned(address) ? "pinned host memory" : "a pointer of the host, or a wild one");
    else if (near && near->is_freed)
        say(a, CS_USE_AFTER_FREE, lane, "in memory that %s freed", near->freed_by);
    else if (near)
        say(a, CS_BOUNDS, lane, "is %lld bytes past the end of %zu bytes (%s)",
            (long long)(address + a->bytes - near->address - near->bytes), near->bytes, near->what);
    else
        say(a, CS_BOUNDS, lane, "is in no allocation");
}

static bool allow_global(const access *a, uint32_t lane) {
    const uint64_t address = a->warp->address[lane];
    cs_run *run = a->warp->block->run;
    if (!is_aligned(a, lane))
        return false;
    const cs_allocation *allocation = holder(run, address, address + a->bytes);
    if (!allocation && (is_checked(a, CS_CHECK_BOUNDS) || !cs_is_device(address))) {
        say_outside(a, lane);
        return false;
    }
    if (!allocation)
        return true; /* bounds are not asked for: the alias is mapped everywhere */
    if (allocation->device != run->kernel->module->device)
        say(a, CS_WRONG_DEVICE, lane, "belongs to device %d", allocation->device);
    if (!is_initialised(a, lane, cs_init_shadow(address)))
        return false;
    if (a->kind != CS_READ)
        cs_touch(allocation, address, a->bytes, true);
    if (a->kind != CS_WRITE)
        cs_touch(allocation, address, a->bytes, false);
    mark_written(a, cs_init_shadow(address));
    return true;
}

/* All lanes at once: true if nothing is wrong with any. */
static bool allow_global_whole(const access *a, uint32_t mask) {
    cs_run *run = a->warp->block->run;
    uint64_t low_bits = 0;
    const uint64_t *address = a->warp->address;
    for (int lane = 0; lane < CS_LANES; lane++)
        low_bits |= (mask >> lane) & 1 ? address[lane] : 0;
    const cs_allocation *allocation = holder(run, a->lowest, a->after);
    if (!allocation || allocation->device != run->kernel->module->device ||
        (low_bits & (a->bytes - 1)) != 0 || !a->is_dense)
        return false;
    const size_t n = a->after - a->lowest;
    if (a->kind != CS_WRITE && is_checked(a, CS_CHECK_INIT) &&
        memchr(cs_init_shadow(a->lowest), 0, n))
        return false;
    if (a->kind != CS_WRITE)
        cs_touch(allocation, a->lowest, n, false);
    if (a->kind != CS_READ) {
        cs_touch(allocation, a->lowest, n, true);
        memset(cs_init_shadow(a->lowest), 1, n);
    }
    return true;
}

static uint32_t check_global(access *a, uint32_t mask) {
    uint32_t allowed = mask;
    uint64_t *cells[CS_LANES];
    if (!allow_global_whole(a, mask))
        for (uint32_t left = mask; left; left &= left - 1)
            if (!allow_global(a, (uint32_t)__builtin_ctz(left)))
                allowed &= ~(left & -left);
    for (uint32_t left = allowed; left; left &= left - 1) {
        const int lane = __builtin_ctz(left);
        a->warp->data[lane] = cs_alias(a->warp->address[lane]);
        cells[lane] = cs_race_shadow(a->warp->address[lane]);
    }
    if (is_checked(a, CS_CHECK_RACE) && allowed && a->instr->space != CS_CONST)
        cs_race_check(a->warp, a->instr, allowed, a->bytes, a->kind, cells);
    return allowed;
}

/* --- shared, local and parameter memory ---------------------------------------------------------- */

/* Addresses of these spaces count from 0; shadow 2 marks what belongs to no variable. */
static bool allow_block_memory(const access *a, uint32_t lane, uint64_t size, const uint8_t *shadow,
                               const char *space) {
    const uint64_t address = a->warp->address[lane];
    if (address > size || size - address < a->bytes) {
        say(a, CS_BOUNDS, lane, "of %s memory, which has %llu bytes", space,
            (unsigned long long)size);
        return false;
    }
    if (shadow && is_checked(a, CS_CHECK_BOUNDS) && memchr(shadow + address, 2, a->bytes)) {
        say(a, CS_BOUNDS, lane, "of %s memory, between its variables", space);
        return false;
    }
    return is_aligned(a, lane) && (!shadow || is_initialised(a, lane, shadow + address));
}

static uint32_t check_shared(const access *a, uint32_t mask) {
    const cs_block *block = a->warp->block;
    uint64_t *cells[CS_LANES];
    uint32_t allowed = mask;
    for (uint32_t left = mask; left; left &= left - 1) {
        const uint32_t lane = (uint32_t)__builtin_ctz(left);
        const uint64_t address = a->warp->address[lane];
        if (!allow_block_memory(a, lane, block->shared_bytes, block->shared_init, "shared")) {
            allowed &= ~(1u << lane);
            continue;
        }
        mark_written(a, block->shared_init + address);
        a->warp->data[lane] = block->shared + address;
        cells[lane] = block->shared_race + address;
    }
    if (is_checked(a, CS_CHECK_RACE) && allowed)
        cs_race_check(a->warp, a->instr, allowed, a->bytes, a->kind, cells);
    return allowed;
}

static uint32_t check_local(const access *a, uint32_t mask) {
    const cs_block *block = a->warp->block;
    const uint64_t size = block->run->kernel->local_bytes;
    uint32_t allowed = mask;
    for (uint32_t left = mask; left; left &= left - 1) {
        const uint32_t lane = (uint32_t)__builtin_ctz(left);
        const uint64_t address = a->warp->address[lane];
        const size_t own = (a->warp->index * CS_LANES + lane) * size;
        if (!allow_block_memory(a, lane, size, block->local_init + own, "local")) {
            allowed &= ~(1u << lane);
            continue;
        }
        mark_written(a, block->local_init + own + address);
        a->warp->data[lane] = block->local + own + address;
    }
    return allowed;
}

/* Parameters are nearly always read at a constant place. */
static bool is_constant_read(const access *a) {
    const uint64_t address = a->warp->address[0], size = a->warp->block->run->kernel->param_bytes;
    return (a->instr->a & 1) && a->kind == CS_READ && address + a->bytes <= size &&
           address % a->bytes == 0;
}

static uint32_t check_param(const access *a, uint32_t mask) {
    const cs_run *run = a->warp->block->run;
    uint32_t allowed = mask;
    if (is_constant_read(a)) {
        uint8_t *data = (uint8_t *)(uintptr_t)run->launch->params + a->warp->address[0];
        for (int lane = 0; lane < CS_LANES; lane++)
            a->warp->data[lane] = data;
        return mask;
    }
    for (uint32_t left = mask; left; left &= left - 1) {
        const uint32_t lane = (uint32_t)__builtin_ctz(left);
        if (a->kind != CS_READ)
            say(a, CS_BOUNDS, lane, "of the kernel's parameters, which are read-only");
        if (a->kind != CS_READ ||
            !allow_block_memory(a, lane, run->kernel->param_bytes, NULL, "parameter"))
            allowed &= ~(1u << lane);
        else /* reads alone get this far */
            a->warp->data[lane] =
                (uint8_t *)(uintptr_t)run->launch->params + a->warp->address[lane];
    }
    return allowed;
}

/* --- all ----------------------------------------------------------------------------------------- */

/* Lanes that cover their range without gaps: neighbours in order, or all at one address. */
static void measure(access *a, uint32_t mask) {
    const uint64_t *address = a->warp->address;
    uint64_t low = UINT64_MAX, high = 0, gaps = 0;
    for (int lane = 0; lane < CS_LANES; lane++) {
        const bool is_on = (mask >> lane) & 1;
        low = is_on && address[lane] < low ? address[lane] : low;
        high = is_on && address[lane] > high ? address[lane] : high;
    }
    const uint32_t first = (uint32_t)__builtin_ctz(mask);
    for (uint32_t lane = 0; lane < CS_LANES; lane++)
        gaps |= (mask >> lane) & 1
                    ? address[lane] ^ (address[first] + (uint64_t)(lane - first) * a->bytes)
                    : 0;
    const bool is_run = gaps == 0 && ((mask >> first) & ((mask >> first) + 1)) == 0;
    a->lowest = low;
    a->after = high + a->bytes;
    a->is_dense = is_run || low == high;
}

static uint32_t check_space(access *a, cs_space space, uint32_t mask) {
    switch (space) {
    case CS_SHARED:
        return check_shared(a, mask);
    case CS_LOCAL:
        return check_local(a, mask);
    case CS_PARAM:
        return check_param(a, mask);
    default:
        measure(a, mask);
        return check_global(a, mask);
    }
}

/* Generic addresses: lanes may be in different windows. */
static uint32_t check_generic(access *a, uint32_t mask) {
    static const struct {
        cs_space space;
        uint64_t window;
    } windows[] = {
        {CS_SHARED, CS_SHARED_WINDOW}, {CS_LOCAL, CS_LOCAL_WINDOW}, {CS_PARAM, CS_PARAM_WINDOW}};
    uint32_t rest = mask, allowed = 0;
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        uint32_t inside = 0;
        for (uint32_t lane = 0; lane < CS_LANES; lane++)
            inside |= (uint32_t)(a->warp->address[lane] - windows[i].window < CS_WINDOW_SPAN)
                      << lane;
        inside &= rest;
        for (uint32_t left = inside; left; left &= left - 1)
            a->warp->address[__builtin_ctz(left)] -= windows[i].window;
        allowed |= inside ? check_space(a, windows[i].space, inside) : 0;
        rest &= ~inside;
    }
    return rest ? allowed | check_space(a, CS_GLOBAL, rest) : allowed;
}

uint32_t cs_access_check(cs_warp *warp, const cs_instr *instr, uint32_t mask, uint32_t bytes,
                         cs_access kind) {
    access a = {.warp = warp, .instr = instr, .kind = kind, .bytes = bytes};
    return instr->space == CS_GENERIC ? check_generic(&a, mask)
                                      : check_space(&a, (cs_space)instr->space, mask);
}
