/* Pinned ranges closed to the host while queued work uses them. */
#include <stdlib.h>

#include "memory.h"
#include "sim.h"
#include "stream_parts.h"

typedef struct guarded {
    cs_op *op;
    cs_range range;
} guarded;

typedef struct guards {
    guarded *all;
    size_t n, room;
} guards;

static guards *open_guards(void) {
    static guards list;
    return &list;
}

static void apply(const cs_range *range) {
    if (cs_sim.options.checks & CS_CHECK_HOST)
        cs_pinned_guard(range->address, range->bytes,
                        range->is_write ? CS_GUARD_NO_ACCESS : CS_GUARD_NO_WRITE);
}

/* A page that one operation reads and another writes is closed as for the writing one. */
static void apply_all(void) {
    guards *g = open_guards();
    for (int writes = 0; writes < 2; writes++)
        for (size_t i = 0; i < g->n; i++)
            if (g->all[i].range.is_write == (writes == 1))
                apply(&g->all[i].range);
}

void cs_guard_close(cs_op *op, const cs_range *range) {
    guards *g = open_guards();
    if (g->n == g->room) {
        g->room = g->room ? g->room * 2 : 32;
        g->all = realloc(g->all, g->room * sizeof *g->all);
        if (!g->all)
            abort();
    }
    op->n_users++;
    g->all[g->n++] = (guarded){op, *range};
    apply_all();
}

void cs_guard_open_known(const cs_clock *host) {
    guards *g = open_guards();
    bool has_opened = false;
    for (size_t i = 0; i < g->n;) {
        cs_op *op = g->all[i].op;
        if (host->count[op->slot] < op->count) {
            i++;
            continue;
        }
        cs_pinned_guard(g->all[i].range.address, g->all[i].range.bytes, CS_GUARD_OPEN);
        g->all[i] = g->all[--g->n];
        cs_op_release(op);
        has_opened = true;
    }
    if (has_opened)
        apply_all();
}

const cs_op *cs_guard_user(uint64_t address, size_t bytes) {
    const guards *g = open_guards();
    for (size_t i = 0; i < g->n; i++)
        if (g->all[i].range.address < address + bytes &&
            address < g->all[i].range.address + g->all[i].range.bytes)
            return g->all[i].op;
    return NULL;
}
