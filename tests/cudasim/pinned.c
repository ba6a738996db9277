/* Pinned host memory: one sparse file mapped twice, once for the program and once for the simulator, so that the
 * program's view of a range can be closed while queued work uses it. */
#include "memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memory_parts.h"
#include "sim.h"

#define HOST_PAGE ((size_t)4096)

typedef struct pinned_table {
    int fd;
    uint64_t next;
    cs_pinned *all; /* sorted by address */
    size_t n, room;
} pinned_table;

static pinned_table *table(void) {
    static pinned_table pinned = {.fd = -1};
    return &pinned;
}

static size_t whole_pages(size_t bytes) {
    return (bytes + HOST_PAGE - 1) / HOST_PAGE * HOST_PAGE;
}

static int map(uint64_t address, int protection) {
    int flags = MAP_SHARED | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
    void *want = (void *)(uintptr_t)address;
    return mmap(want, CS_PINNED_SPAN, protection, flags, table()->fd, 0) == want ? 0 : errno;
}

int cs_pinned_start(void) {
    table()->fd = memfd_create("cudasim-pinned", MFD_CLOEXEC);
    table()->next = CS_PINNED_BASE + HOST_PAGE;
    if (table()->fd < 0 || ftruncate(table()->fd, (off_t)CS_PINNED_SPAN) != 0)
        return errno;
    int error = map(CS_PINNED_BASE, PROT_NONE);
    return error ? error : map(CS_PINNED_BASE + CS_PINNED_ALIAS, PROT_READ | PROT_WRITE);
}

static cs_pinned *find(uint64_t address) {
    pinned_table *t = table();
    size_t low = 0, high = t->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (t->all[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    cs_pinned *p = low ? &t->all[low - 1] : NULL;
    return p && address - p->address < whole_pages(p->bytes) ? p : NULL;
}

const cs_pinned *cs_pinned_of(uint64_t address) {
    return cs_is_pinned(address) ? find(address) : NULL;
}

void *cs_pinned_new(size_t bytes) {
    pinned_table *t = table();
    if (bytes > CS_PINNED_SPAN / 4 ||
        whole_pages(bytes) + HOST_PAGE > CS_PINNED_BASE + CS_PINNED_SPAN - t->next)
        return NULL;
    if (t->n == t->room) {
        t->room = t->room ? t->room * 2 : 64;
        t->all = realloc(t->all, t->room * sizeof *t->all);
        if (!t->all)
            abort();
    }
    cs_pinned *p = &t->all[t->n++];
    *p = (cs_pinned){.address = t->next, .bytes = bytes};
    snprintf(p->made_by, sizeof p->made_by, "%s", cs_caller_name());
    t->next += whole_pages(bytes) + HOST_PAGE;
    memset(cs_bytes(p->address), 0xFF, whole_pages(bytes));
    mprotect((void *)(uintptr_t)p->address, whole_pages(bytes), PROT_READ | PROT_WRITE);
    return (void *)(uintptr_t)p->address;
}

bool cs_pinned_free(uint64_t address) {
    cs_pinned *p = cs_is_pinned(address) ? find(address) : NULL;
    if (!p || p->address != address || p->is_freed) {
        cs_report(CS_DOUBLE_FREE, cs_current_call(), "%#llx %s", (unsigned long long)address,
                  p && p->is_freed ? "was freed before" : "is not where pinned memory begins");
        return false;
    }
    p->is_freed = true;
    snprintf(p->freed_by, sizeof p->freed_by, "%s", cs_caller_name());
    mprotect((void *)(uintptr_t)address, whole_pages(p->bytes), PROT_NONE);
    fallocate(table()->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
              (off_t)(address - CS_PINNED_BASE), (off_t)whole_pages(p->bytes));
    return true;
}

void cs_pinned_guard(uint64_t address, size_t bytes, cs_guard guard) {
    static const int protections[] = {[CS_GUARD_OPEN] = PROT_READ | PROT_WRITE,
                                      [CS_GUARD_NO_WRITE] = PROT_READ,
                                      [CS_GUARD_NO_ACCESS] = PROT_NONE};
    const cs_pinned *p = cs_pinned_of(address);
    if (!p || p->is_freed || bytes == 0)
        return;
    uint64_t after = address + bytes, end = p->address + whole_pages(p->bytes);
    uint64_t first = whole_pages(address);
    after = after >= p->address + p->bytes ? end : after / HOST_PAGE * HOST_PAGE;
    if (first < after)
        mprotect((void *)(uintptr_t)first, after - first, protections[guard]);
}
