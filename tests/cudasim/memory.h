/* Device and pinned memory.
 *
 *   CS_DEVICE_BASE   what programs get: PROT_NONE, a slice a device; any touch by the host faults and is reported
 *   + CS_ALIAS_OFFSET   the bytes themselves
 *   + CS_INIT_OFFSET    a byte of shadow a byte: 0 never written, 1 written
 *   CS_RACE_BASE     eight bytes of shadow a byte (the race detector's)
 *   CS_PINNED_BASE   pinned host memory as the program sees it; + CS_PINNED_ALIAS the simulator's view of the same
 *
 * All are reserved, demand-zero mappings. Allocations are 512-aligned, at least 512 bytes apart, poisoned with 0xFF
 * (a NaN in every float type), and an address is never given out twice. */
#ifndef TY_CUDASIM_MEMORY_H
#define TY_CUDASIM_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "report.h"

#define CS_DEVICE_BASE 0x200000000000ull
#define CS_DEVICE_SLICE (1ull << 38)
#define CS_DEVICE_SPAN (CS_DEVICE_SLICE * 8)
#define CS_ALIAS_OFFSET CS_DEVICE_SPAN
#define CS_INIT_OFFSET (CS_DEVICE_SPAN * 2)
#define CS_RACE_BASE (CS_DEVICE_BASE + CS_DEVICE_SPAN * 4)
#define CS_PINNED_BASE 0x400000000000ull
#define CS_PINNED_SPAN (1ull << 38)
#define CS_PINNED_ALIAS (1ull << 40)
#define CS_RED_ZONE 512
#define CS_PAGE 256

/* Which bytes of 256 one launch touched; first > last: none. */
typedef struct cs_page {
    uint8_t read_first, read_last, write_first, write_last;
} cs_page;

typedef struct cs_allocation {
    uint64_t address;
    size_t bytes;
    int device;
    bool is_freed;
    const char *what; /* "cudaMalloc", or the name of a module's variable */
    char made_by[64];
    char freed_by[64];
    cs_page *pages;                /* one a CS_PAGE bytes */
    size_t page_first, page_after; /* those touched since they were last collected */
} cs_allocation;

static inline bool cs_is_device(uint64_t address) {
    return address - CS_DEVICE_BASE < CS_DEVICE_SPAN;
}
static inline bool cs_is_pinned(uint64_t address) {
    return address - CS_PINNED_BASE < CS_PINNED_SPAN;
}
static inline int cs_device_of(uint64_t address) {
    return (int)((address - CS_DEVICE_BASE) / CS_DEVICE_SLICE);
}
static inline uint8_t *cs_alias(uint64_t address) {
    return (uint8_t *)(address + CS_ALIAS_OFFSET);
}
static inline uint8_t *cs_init_shadow(uint64_t address) {
    return (uint8_t *)(address + CS_INIT_OFFSET);
}
static inline void *cs_race_shadow(uint64_t address) {
    return (void *)(CS_RACE_BASE + (address - CS_DEVICE_BASE) * 8);
}

/* Notes that an allocation is touched for the first time since it was last collected. */
void cs_touch_first(cs_allocation *allocation);

/* The engine's record of what a launch touched, kept exact at both ends of each page. The range lies inside the
 * allocation. stream.c collects and clears it after the launch. */
static inline void cs_touch(const cs_allocation *allocation, uint64_t address, size_t bytes,
                            bool is_write) {
    cs_allocation *a = (cs_allocation *)(uintptr_t)allocation;
    if (a->page_first == SIZE_MAX)
        cs_touch_first(a);
    size_t at = address - a->address, after = at + bytes;
    while (at < after) {
        size_t page = at / CS_PAGE,
               end = (page + 1) * CS_PAGE < after ? (page + 1) * CS_PAGE : after;
        uint8_t first = (uint8_t)(at % CS_PAGE), last = (uint8_t)((end - 1) % CS_PAGE);
        cs_page *p = &a->pages[page];
        uint8_t *from = is_write ? &p->write_first : &p->read_first;
        uint8_t *to = is_write ? &p->write_last : &p->read_last;
        *from = first < *from ? first : *from;
        *to = last > *to ? last : *to;
        a->page_first = page < a->page_first ? page : a->page_first;
        a->page_after = page >= a->page_after ? page + 1 : a->page_after;
        at = end;
    }
}

/* The allocation whose bytes (or red zone behind them) hold address, a freed one too; NULL: none. O(log n). */
const cs_allocation *cs_allocation_of(uint64_t address);

/* The live allocation that [address, address + bytes) lies in, or NULL without a report. */
const cs_allocation *cs_live_range(uint64_t address, size_t bytes);

/* New device memory, 0 where the device's limit leaves no room. what names it in reports (borrowed). */
uint64_t cs_memory_new(int device, size_t bytes, const char *what);

/* Ends an allocation; reports and returns false when address begins no live allocation. */
bool cs_memory_free(uint64_t address);

/* What a device has left, and has in all. */
void cs_memory_info(int device, size_t *free_bytes, size_t *total_bytes);

/* Ranges that API calls name, checked when they are called: device memory of `device`, live, wholly inside one
 * allocation. Reports and returns false. cs_range_check takes the current device. */
bool cs_range_check_on(int device, const char *what, uint64_t address, size_t bytes, bool is_write);
bool cs_range_check(const char *what, uint64_t address, size_t bytes, bool is_write);

/* What API calls do when they run: reads of bytes that nothing wrote are reported; writes mark them. */
bool cs_init_check(const char *what, uint64_t address, size_t bytes);
void cs_init_mark(uint64_t address, size_t bytes);

/* Pinned host memory: page-aligned, its own pages, never reused. */
typedef struct cs_pinned {
    uint64_t address;
    size_t bytes;
    bool is_freed;
    char made_by[64];
    char freed_by[64];
} cs_pinned;

void *cs_pinned_new(size_t bytes);
bool cs_pinned_free(uint64_t address);
const cs_pinned *cs_pinned_of(uint64_t address);

/* The simulator's view of the same bytes: of device memory, pinned memory, or the host pointer itself. */
uint8_t *cs_bytes(uint64_t address);

/* How the host may use a pinned range while queued work uses it. Only pages that lie wholly in the range (the slack
 * behind the allocation's end counts as inside) are protected. */
typedef enum cs_guard { CS_GUARD_OPEN, CS_GUARD_NO_WRITE, CS_GUARD_NO_ACCESS } cs_guard;
void cs_pinned_guard(uint64_t address, size_t bytes, cs_guard guard);

/* Reserves the address spaces; 0, or errno. */
int cs_memory_start(void);

#endif
