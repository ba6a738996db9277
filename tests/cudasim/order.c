/* Missing events: what has run lately, by bytes, held against what runs now. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "memory_parts.h"
#include "sim.h"
#include "stream_parts.h"

typedef struct access {
    cs_op *op;
    uint64_t first, after;
    bool is_write;
} access;

typedef struct history {
    access *all;
    size_t n, room;
} history;

static history *accesses(void) {
    static history recent;
    return &recent;
}

static void report_pair(const cs_op *before, bool wrote, const cs_op *op, bool writes,
                        uint64_t address) {
    char where[200], place[128];
    /* Said once a pair, whichever of the two ran first. */
    bool is_sorted = strcmp(before->what, op->what) <= 0;
    snprintf(where, sizeof where, "%s and %s", is_sorted ? before->what : op->what,
             is_sorted ? op->what : before->what);
    const cs_allocation *a = cs_allocation_of(address);
    const cs_pinned *p = cs_pinned_of(address);
    snprintf(place, sizeof place, "byte %llu of %s by %s",
             (unsigned long long)(address - (a   ? a->address
                                             : p ? p->address
                                                 : 0)),
             a ? a->what : "pinned memory",
             a   ? a->made_by
             : p ? p->made_by
                 : "?");
    cs_report(CS_MISSING_EVENT, where,
              "%s (queued by %s) %s %s, %s (queued by %s) %s it, and neither waits for the other",
              before->what, before->caller, wrote ? "writes" : "reads", place, op->what, op->caller,
              writes ? "writes" : "reads");
}

static void add(history *h, cs_op *op, uint64_t first, uint64_t after, bool is_write) {
    if (h->n == h->room) {
        h->room = h->room ? h->room * 2 : 256;
        h->all = realloc(h->all, h->room * sizeof *h->all);
        if (!h->all)
            abort();
    }
    op->n_users++;
    h->all[h->n++] = (access){op, first, after, is_write};
}

static void remove_at(history *h, size_t i) {
    cs_op_release(h->all[i].op);
    h->all[i] = h->all[--h->n];
}

void cs_order_record(cs_op *op, uint64_t address, size_t bytes, bool is_write) {
    history *h = accesses();
    uint64_t after = address + bytes;
    if (!(cs_sim.options.checks & CS_CHECK_ORDER) || bytes == 0)
        return;
    for (size_t i = 0; i < h->n;) {
        const access *a = &h->all[i];
        bool overlaps = a->first < after && address < a->after;
        bool is_before = overlaps && cs_op_before(a->op, op);
        if (overlaps && a->op != op && (is_write || a->is_write) && !is_before &&
            !cs_op_before(op, a->op))
            report_pair(a->op, a->is_write, op, is_write, a->first > address ? a->first : address);
        /* Whatever could still run beside the older one would run beside this one too. */
        bool is_superseded =
            is_before && address <= a->first && a->after <= after && (is_write || !a->is_write);
        if (is_superseded)
            remove_at(h, i);
        else
            i++;
    }
    add(h, op, address, after, is_write);
}

/* Joins what adjacent pages say into ranges. */
static void collect(cs_op *op, cs_allocation *a, bool is_write) {
    uint64_t first = 0, after = 0;
    for (size_t i = a->page_first; i < a->page_after; i++) {
        const cs_page *p = &a->pages[i];
        uint8_t from = is_write ? p->write_first : p->read_first;
        uint8_t to = is_write ? p->write_last : p->read_last;
        if (from > to)
            continue;
        uint64_t at = a->address + i * CS_PAGE;
        if (at + from != after) {
            cs_order_record(op, first, after - first, is_write);
            first = at + from;
        }
        after = at + to + 1u;
    }
    cs_order_record(op, first, after - first, is_write);
}

void cs_order_collect_kernel(cs_op *op) {
    cs_allocation *a;
    while ((a = cs_touched_take()) != NULL) {
        collect(op, a, true);
        collect(op, a, false);
        for (size_t page = a->page_first; page < a->page_after; page++)
            a->pages[page] = (cs_page){255, 0, 255, 0};
        a->page_first = SIZE_MAX;
        a->page_after = 0;
    }
}

void cs_order_forget(const cs_clock *host, cs_op *const *oldest, size_t n_oldest) {
    history *h = accesses();
    for (size_t i = 0; i < h->n;) {
        const cs_op *op = h->all[i].op;
        bool is_known = host->count[op->slot] >= op->count;
        for (size_t k = 0; is_known && k < n_oldest; k++)
            is_known = cs_op_before(op, oldest[k]);
        if (is_known)
            remove_at(h, i);
        else
            i++;
    }
}
