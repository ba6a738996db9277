#include "tests/cudasim/alone.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { REPORTS = 256, ALLOCATIONS = 4096, NOTES = 1 << 16, LARGEST = 1 << 24 };

cs_simulator cs_sim;
void (*alone_unknown)(const char *text);

static struct {
    alone_report reports[REPORTS];
    size_t n_reports;
    cs_allocation allocations[ALLOCATIONS];
    size_t n_allocations;
    uint64_t next;
    char notes[NOTES];
    size_t n_notes;
    bool is_reserved;
} alone;

/* --- reports ------------------------------------------------------------------------------------- */

void cs_report(cs_kind kind, const char *where, const char *format, ...) {
    for (size_t i = 0; i < alone.n_reports; i++)
        if (alone.reports[i].kind == kind && strcmp(alone.reports[i].where, where) == 0)
            return;
    if (alone.n_reports == REPORTS)
        return;
    alone_report *report = &alone.reports[alone.n_reports++];
    report->kind = kind;
    snprintf(report->where, sizeof report->where, "%s", where);
    va_list args;
    va_start(args, format);
    vsnprintf(report->text, sizeof report->text, format, args);
    va_end(args);
}

void cs_unknown(const char *where, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (alone_unknown)
        alone_unknown(text);
    fprintf(stderr, "cudasim: unknown: %s: %s\n", where, text);
    abort();
}

void cs_note(const char *format, ...) {
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(alone.notes + alone.n_notes, NOTES - alone.n_notes, format, args);
    va_end(args);
    if (n > 0 && alone.n_notes + (size_t)n + 2 < NOTES) {
        alone.n_notes += (size_t)n;
        alone.notes[alone.n_notes++] = '\n';
        alone.notes[alone.n_notes] = '\0';
    }
}

size_t alone_reports(const alone_report **reports) {
    *reports = alone.reports;
    return alone.n_reports;
}

size_t alone_count(cs_kind kind) {
    size_t n = 0;
    for (size_t i = 0; i < alone.n_reports; i++)
        n += kind == CS_KINDS || alone.reports[i].kind == kind;
    return n;
}

void alone_forget(void) {
    alone.n_reports = 0;
    alone.n_notes = 0;
    alone.notes[0] = '\0';
}

const char *alone_notes(void) {
    return alone.notes;
}

bool cs_mutation_point(const char *kind, const char *where, uint64_t index, const char *what) {
    char point[256];
    if (!cs_sim.options.mutate)
        return false;
    snprintf(point, sizeof point, "%s:%s:%llu", kind, where, (unsigned long long)index);
    if (strcmp(cs_sim.options.mutate, "list") == 0)
        cs_note("%s %s", point, what);
    return strcmp(cs_sim.options.mutate, point) == 0;
}

/* --- memory -------------------------------------------------------------------------------------- */

static void reserve(uint64_t at, uint64_t bytes) {
    void *wanted = (void *)(uintptr_t)at;
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
    if (mmap(wanted, bytes, PROT_READ | PROT_WRITE, flags, -1, 0) != wanted) {
        perror("alone: cannot reserve the simulator's addresses");
        abort();
    }
}

void alone_start(void) {
    if (!alone.is_reserved) {
        reserve(CS_DEVICE_BASE + CS_ALIAS_OFFSET, CS_DEVICE_SLICE);
        reserve(CS_DEVICE_BASE + CS_INIT_OFFSET, CS_DEVICE_SLICE);
        reserve(CS_RACE_BASE, CS_DEVICE_SLICE * 8);
        alone.is_reserved = true;
        alone.next = CS_DEVICE_BASE + CS_RED_ZONE;
    }
    alone_forget();
    cs_sim.options =
        (cs_options){.checks = CS_CHECK_ALL, .schedule = CS_SCHEDULE_IN_ORDER, .hang_s = 1};
}

void alone_stop(void) {
    for (size_t i = 0; i < alone.n_allocations; i++)
        free(alone.allocations[i].pages);
    alone.n_allocations = 0;
    /* Addresses are given out anew: what the shadows say of them must go. */
    madvise((void *)(uintptr_t)(CS_DEVICE_BASE + CS_ALIAS_OFFSET), CS_DEVICE_SLICE, MADV_DONTNEED);
    madvise((void *)(uintptr_t)(CS_DEVICE_BASE + CS_INIT_OFFSET), CS_DEVICE_SLICE, MADV_DONTNEED);
    alone.next = CS_DEVICE_BASE + CS_RED_ZONE;
}

uint64_t cs_memory_new(int device, size_t bytes, const char *what) {
    if (alone.n_allocations == ALLOCATIONS || bytes > LARGEST ||
        alone.next + bytes > CS_DEVICE_BASE + CS_DEVICE_SLICE / 2)
        return 0;
    cs_allocation *allocation = &alone.allocations[alone.n_allocations++];
    *allocation =
        (cs_allocation){.address = alone.next, .bytes = bytes, .device = device, .what = what};
    allocation->pages = calloc(bytes / CS_PAGE + 1, sizeof *allocation->pages);
    if (!allocation->pages)
        abort();
    alone.next = (alone.next + bytes + CS_RED_ZONE + 511) & ~511ull;
    memset(cs_alias(allocation->address), 0xff, bytes);
    return allocation->address;
}

const cs_allocation *cs_allocation_of(uint64_t address) {
    for (size_t i = 0; i < alone.n_allocations; i++) {
        const cs_allocation *allocation = &alone.allocations[i];
        if (address >= allocation->address &&
            address < allocation->address + allocation->bytes + CS_RED_ZONE)
            return allocation;
    }
    return NULL;
}

bool cs_memory_free(uint64_t address) {
    for (size_t i = 0; i < alone.n_allocations; i++) {
        if (alone.allocations[i].address == address && !alone.allocations[i].is_freed) {
            alone.allocations[i].is_freed = true;
            snprintf(alone.allocations[i].freed_by, sizeof alone.allocations[i].freed_by,
                     "the test");
            return true;
        }
    }
    return false;
}

/* Nobody collects here what launches touched. */
void cs_touch_first(cs_allocation *allocation) {
    (void)allocation;
}

/* --- random numbers ------------------------------------------------------------------------------ */

uint64_t cs_random_next(cs_random *random) {
    uint64_t z = random->state += 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

void cs_random_init(cs_random *random, uint64_t seed, uint64_t stream) {
    random->state = seed * 31 + stream;
}

uint64_t cs_random_below(cs_random *random, uint64_t n) {
    return cs_random_next(random) % n;
}
