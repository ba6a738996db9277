#include "traps.h"

#include <execinfo.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "memory.h"
#include "sim.h"
#include "symbols.h"

static struct sigaction *previous_action(void) {
    static struct sigaction previous;
    return &previous;
}

/* "write to", "read of": bit 1 of the page fault's error code (Intel SDM vol. 3, 4.7). */
static bool is_write(const ucontext_t *context) {
    return (context->uc_mcontext.gregs[REG_ERR] & 2) != 0;
}

/* libc's copies, and files without names, say little: their caller does. */
static bool says_little(const char *name) {
    return name[0] == '?' || strncmp(name, "__mem", 5) == 0 || strncmp(name, "mem", 3) == 0;
}

/* "function+0x12" of the code that faulted; where that says little, the nearest caller that says more. */
static void name_place(const ucontext_t *context, char *where, size_t room) {
    void *pc = (void *)context->uc_mcontext.gregs[REG_RIP];
    void *frames[32];
    int n = backtrace(frames, 32), at = 0;
    while (at < n && frames[at] != pc)
        at++;
    uint64_t offset = cs_symbol_of(pc, where, room);
    for (int i = at + 1; i < n && says_little(where); i++)
        offset = cs_symbol_of(frames[i], where, room);
    snprintf(where + strlen(where), room - strlen(where), "+0x%llx", (unsigned long long)offset);
}

static void device_touched(uint64_t address, const char *where, bool writes) {
    const cs_allocation *a = cs_allocation_of(address);
    const char *access = writes ? "write to" : "read of";
    if (a)
        cs_report(CS_HOST_ACCESS, where,
                  "the host's %s device memory %#llx, byte %lld of %zu of %s by %s%s", access,
                  (unsigned long long)address, (long long)(address - a->address), a->bytes, a->what,
                  a->made_by, a->is_freed ? " (freed)" : "");
    else
        cs_report(CS_HOST_ACCESS, where, "the host's %s device memory %#llx, which holds nothing",
                  access, (unsigned long long)address);
    cs_end_reported();
}

/* Opens the page so that the program can go on; the report has been made. */
static void pinned_touched(uint64_t address, const char *where, bool writes) {
    const cs_pinned *p = cs_pinned_of(address);
    const char *access = writes ? "write to" : "read of";
    if (!p || p->is_freed) {
        cs_report(CS_USE_AFTER_FREE, where, "the host's %s freed pinned memory %#llx (freed by %s)",
                  access, (unsigned long long)address, p ? p->freed_by : "?");
        cs_end_reported();
    }
    cs_report(CS_HOST_ORDER, where,
              "the host's %s pinned memory, byte %lld of %zu, that queued work still %s: wait for "
              "it first",
              access, (long long)(address - p->address), p->bytes, writes ? "uses" : "writes");
    cs_pinned_guard(p->address, p->bytes, CS_GUARD_OPEN);
}

static void on_fault(int signal_number, siginfo_t *info, void *opaque) {
    uint64_t address = (uint64_t)(uintptr_t)info->si_addr;
    char where[160];
    if (cs_is_device(address) || cs_is_pinned(address)) {
        name_place(opaque, where, sizeof where);
        if (cs_is_device(address))
            device_touched(address, where, is_write(opaque));
        pinned_touched(address, where, is_write(opaque));
        return;
    }
    sigaction(signal_number, previous_action(),
              NULL); /* it faults again, in the hands it was in before */
}

void cs_traps_start(void) {
    void *frame;
    backtrace(&frame, 1); /* loads what it needs now, not in a handler */
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigemptyset(&action.sa_mask);
    sigaction(SIGSEGV, &action, previous_action());
}
