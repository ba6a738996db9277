/* Device memory: slices, allocations, checks of ranges that API calls name. Pinned memory is pinned.c. */
#include "memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "memory_parts.h"
#include "profile.h"
#include "sim.h"

/* An address slice is used up from below; allocations are so sorted by address. */
typedef struct slice {
    uint64_t next;
    size_t used_bytes;
    cs_allocation **all; /* each by itself: the engine keeps pointers to them */
    size_t n, room;
} slice;

struct cs_memory {
    slice slices[CS_MAX_DEVICES];
    cs_allocation **touched; /* since they were last collected */
    size_t n_touched, touched_room;
};

/* --- start ------------------------------------------------------------------------------------ */

static int reserve(uint64_t address, size_t bytes, int protection) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
    void *want = (void *)(uintptr_t)address;
    void *at = mmap(want, bytes, protection, flags, -1, 0);
    if (at == MAP_FAILED)
        return errno;
    return at == want ? 0 : EEXIST;
}

int cs_memory_start(void) {
    if (cs_sim.memory)
        return 0;
    int data = PROT_READ | PROT_WRITE;
    int error = reserve(CS_DEVICE_BASE, CS_DEVICE_SPAN, PROT_NONE);
    if (!error)
        error = reserve(CS_DEVICE_BASE + CS_ALIAS_OFFSET, CS_DEVICE_SPAN, data);
    if (!error)
        error = reserve(CS_DEVICE_BASE + CS_INIT_OFFSET, CS_DEVICE_SPAN, data);
    if (!error)
        error = reserve(CS_RACE_BASE, CS_DEVICE_SPAN * 8, data);
    if (!error)
        error = cs_pinned_start();
    if (error)
        return error;
    cs_sim.memory = calloc(1, sizeof *cs_sim.memory);
    if (!cs_sim.memory)
        return ENOMEM;
    for (int i = 0; i < CS_MAX_DEVICES; i++)
        cs_sim.memory->slices[i].next = CS_DEVICE_BASE + (unsigned)i * CS_DEVICE_SLICE + (1u << 20);
    return 0;
}

/* --- finding ---------------------------------------------------------------------------------- */

/* The last allocation that begins at or before address; NULL: none. */
static cs_allocation *at_or_before(const slice *s, uint64_t address) {
    size_t low = 0, high = s->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->all[middle]->address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? s->all[low - 1] : NULL;
}

static slice *slice_of(uint64_t address) {
    return &cs_sim.memory->slices[cs_device_of(address)];
}

const cs_allocation *cs_allocation_of(uint64_t address) {
    if (!cs_is_device(address) || !cs_sim.memory)
        return NULL;
    cs_allocation *a = at_or_before(slice_of(address), address);
    return a && address - a->address < a->bytes + CS_RED_ZONE ? a : NULL;
}

const cs_allocation *cs_live_range(uint64_t address, size_t bytes) {
    const cs_allocation *a = cs_allocation_of(address);
    bool is_inside = a && !a->is_freed && address - a->address <= a->bytes &&
                     bytes <= a->bytes - (address - a->address);
    return is_inside ? a : NULL;
}

/* --- allocating ------------------------------------------------------------------------------- */

static size_t limit_of(int device) {
    (void)device;
    size_t asked = cs_sim.options.memory_bytes;
    return asked ? asked : cs_sim.profile->memory_bytes;
}

void cs_memory_info(int device, size_t *free_bytes, size_t *total_bytes) {
    *total_bytes = limit_of(device);
    *free_bytes = limit_of(device) - cs_sim.memory->slices[device].used_bytes;
}

static size_t granule(size_t bytes) {
    return (bytes + 511) / 512 * 512;
}

static cs_page *new_pages(size_t n) {
    cs_page *pages = malloc((n ? n : 1) * sizeof *pages);
    for (size_t i = 0; pages && i < n; i++)
        pages[i] = (cs_page){255, 0, 255, 0};
    return pages;
}

static bool keep(slice *s, cs_allocation *a) {
    if (s->n == s->room) {
        size_t room = s->room ? s->room * 2 : 64;
        cs_allocation **more = realloc(s->all, room * sizeof(cs_allocation *));
        if (!more)
            return false;
        s->all = more;
        s->room = room;
    }
    s->all[s->n++] = a;
    return true;
}

uint64_t cs_memory_new(int device, size_t bytes, const char *what) {
    slice *s = &cs_sim.memory->slices[device];
    size_t taken = granule(bytes);
    if (taken < bytes || taken > limit_of(device) - s->used_bytes)
        return 0;
    uint64_t end = CS_DEVICE_BASE + ((unsigned)device + 1) * CS_DEVICE_SLICE;
    if (taken + CS_RED_ZONE > end - s->next)
        cs_unknown(what, "the addresses of device %d are used up: none is given out twice", device);
    cs_allocation *a = calloc(1, sizeof *a);
    cs_page *pages = new_pages(bytes / CS_PAGE + 1);
    if (!a || !pages || !keep(s, a))
        abort();
    *a = (cs_allocation){.address = s->next,
                         .bytes = bytes,
                         .device = device,
                         .what = what,
                         .pages = pages,
                         .page_first = SIZE_MAX};
    snprintf(a->made_by, sizeof a->made_by, "%s", cs_caller_name());
    memset(cs_alias(a->address), 0xFF, taken);
    s->used_bytes += taken;
    s->next += taken + CS_RED_ZONE;
    return a->address;
}

static void give_back(uint64_t first, uint64_t after) {
    first = (first + 4095) / 4096 * 4096;
    after = after / 4096 * 4096;
    if (first < after)
        madvise((void *)(uintptr_t)first, after - first, MADV_DONTNEED);
}

bool cs_memory_free(uint64_t address) {
    cs_allocation *a = cs_is_device(address) ? at_or_before(slice_of(address), address) : NULL;
    const char *call = cs_current_call();
    if (!a || address - a->address >= a->bytes + CS_RED_ZONE) {
        cs_report(CS_DOUBLE_FREE, call, "%#llx is no device memory that was allocated",
                  (unsigned long long)address);
        return false;
    }
    if (a->address != address || a->is_freed) {
        cs_report(CS_DOUBLE_FREE, call, "%#llx: %s (%s, %zu bytes, by %s)",
                  (unsigned long long)address,
                  a->is_freed ? "freed before" : "not where an allocation begins", a->what,
                  a->bytes, a->is_freed ? a->freed_by : a->made_by);
        return false;
    }
    a->is_freed = true;
    snprintf(a->freed_by, sizeof a->freed_by, "%s", cs_caller_name());
    slice_of(address)->used_bytes -= granule(a->bytes);
    give_back((uint64_t)(uintptr_t)cs_alias(address),
              (uint64_t)(uintptr_t)cs_alias(address) + a->bytes);
    give_back(CS_RACE_BASE + (address - CS_DEVICE_BASE) * 8,
              CS_RACE_BASE + (address + a->bytes - CS_DEVICE_BASE) * 8);
    return true;
}

/* --- checking what API calls name ------------------------------------------------------------- */

static void report_range(cs_kind kind, const char *what, const char *role, uint64_t address,
                         size_t bytes, const char *why) {
    cs_report(kind, what, "%s %#llx, %zu bytes: %s", role, (unsigned long long)address, bytes, why);
}

/* Why a range is not usable; NULL: it is. */
static const char *wrong_with(int device, uint64_t address, size_t bytes, cs_kind *kind, char *why,
                              size_t room) {
    *kind = CS_HOST_POINTER;
    if (!address) {
        *kind = CS_NULL;
        return "a null pointer";
    }
    if (!cs_is_device(address))
        return cs_is_pinned(address) ? "pinned host memory where device memory is wanted"
                                     : "host memory where device memory is wanted";
    *kind = CS_BOUNDS;
    const cs_allocation *a = cs_allocation_of(address);
    if (!a)
        return "outside every allocation";
    if (a->is_freed) {
        *kind = CS_USE_AFTER_FREE;
        snprintf(why, room, "%s of %zu bytes by %s was freed by %s", a->what, a->bytes, a->made_by,
                 a->freed_by);
        return why;
    }
    if (address - a->address > a->bytes || bytes > a->bytes - (address - a->address)) {
        snprintf(why, room, "past the end: it begins at byte %llu of %s, which has %zu, by %s",
                 (unsigned long long)(address - a->address), a->what, a->bytes, a->made_by);
        return why;
    }
    *kind = CS_WRONG_DEVICE;
    snprintf(why, room, "memory of device %d, used on device %d", a->device, device);
    return a->device == device ? NULL : why;
}

bool cs_range_check_on(int device, const char *what, uint64_t address, size_t bytes,
                       bool is_write) {
    char text[256];
    cs_kind kind;
    if (bytes == 0)
        return true;
    const char *why = wrong_with(device, address, bytes, &kind, text, sizeof text);
    if (why)
        report_range(kind, what, is_write ? "writes" : "reads", address, bytes, why);
    return !why;
}

bool cs_range_check(const char *what, uint64_t address, size_t bytes, bool is_write) {
    return cs_range_check_on(cs_current_device(), what, address, bytes, is_write);
}

bool cs_init_check(const char *what, uint64_t address, size_t bytes) {
    if (!(cs_sim.options.checks & CS_CHECK_INIT) || !cs_is_device(address) || bytes == 0)
        return true;
    const uint8_t *hole = memchr(cs_init_shadow(address), 0, bytes);
    if (!hole)
        return true;
    const cs_allocation *a = cs_allocation_of(address);
    size_t at = (size_t)(hole - cs_init_shadow(address));
    cs_report(CS_UNINITIALISED, what,
              "reads %zu bytes at byte %llu of %s by %s; nothing has written byte %zu of them",
              bytes, (unsigned long long)(a ? address - a->address : 0ull), a ? a->what : "nothing",
              a ? a->made_by : "?", at);
    return false;
}

void cs_init_mark(uint64_t address, size_t bytes) {
    if (cs_is_device(address))
        memset(cs_init_shadow(address), 1, bytes);
}

uint8_t *cs_bytes(uint64_t address) {
    if (cs_is_device(address))
        return cs_alias(address);
    return (uint8_t *)(uintptr_t)(cs_is_pinned(address) ? address + CS_PINNED_ALIAS : address);
}

void cs_touch_first(cs_allocation *allocation) {
    cs_memory *m = cs_sim.memory;
    if (m->n_touched == m->touched_room) {
        m->touched_room = m->touched_room ? m->touched_room * 2 : 64;
        m->touched = realloc(m->touched, m->touched_room * sizeof(cs_allocation *));
        if (!m->touched)
            abort();
    }
    m->touched[m->n_touched++] = allocation;
}

cs_allocation *cs_touched_take(void) {
    cs_memory *m = cs_sim.memory;
    return m->n_touched ? m->touched[--m->n_touched] : NULL;
}
