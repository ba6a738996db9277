/* Data races among the threads of one launch, byte by byte.
 *
 * Each byte of global and shared memory has a cell of 64 bits: who last wrote it (low half) and who read it (high).
 * "Who" is the number of a record, which stands for one memory instruction of one warp between two points of order
 * (barriers, fences), and the lane. Records count on over launches and, for shared memory, over blocks, so that what
 * an earlier launch left is recognised by its number alone and nothing needs clearing.
 *
 * Two accesses of which one writes are a race unless something orders them: the same thread; a barrier of the block
 * between them; a warp barrier that both lanes took part in (also by way of others); or a fence and an atomic after the
 * first, an atomic on the same word and a fence before the second. Shuffles and votes order no memory. Two atomics do
 * not race, nor do two strong accesses (.relaxed).
 *
 * A half that stands for several unordered readers (or atomics) keeps the first and notes how far apart the others
 * are: in its warp, in its block, in the grid. */
#include "tests/cudasim/race.h"

#include <stdlib.h>
#include <string.h>

enum { LANE_BITS = 5, SCOPE_BITS = 2, ID_BITS = 32 - LANE_BITS - SCOPE_BITS };
enum { ALONE, IN_WARP, IN_BLOCK, IN_GRID };

#define ID_MAX ((1u << ID_BITS) - 1)

static uint32_t half_of(uint32_t id, uint32_t lane, uint32_t scope) {
    return id << (LANE_BITS + SCOPE_BITS) | lane << SCOPE_BITS | scope;
}
static uint32_t id_of(uint32_t half) {
    return half >> (LANE_BITS + SCOPE_BITS);
}
static uint32_t lane_of(uint32_t half) {
    return (half >> SCOPE_BITS) & (CS_LANES - 1);
}
static uint32_t scope_of(uint32_t half) {
    return half & ((1u << SCOPE_BITS) - 1);
}

/* --- records ------------------------------------------------------------------------------------- */

void cs_race_start(cs_run *run) {
    cs_races *races = calloc(1, sizeof *races);
    if (!races)
        abort();
    run->races = races;
    races->first = cs_race_next_id();
    races->next = races->first;
}

void cs_race_end(cs_run *run) {
    if (!run->races)
        return;
    cs_race_set_next_id(run->races->next);
    cs_race_sync_clear(run->races);
    free(run->races->records);
    free(run->races);
    run->races = NULL;
}

void cs_race_block_start(cs_block *block) {
    cs_races *races = block->run->races;
    races->block_first = races->next;
    races->n_acquired = 0;
    block->phase = 0;
}

static uint32_t new_record(cs_races *races, const cs_record *record) {
    const uint32_t n = races->next - races->first;
    if (races->next == ID_MAX)
        cs_unknown("race checker",
                   "a launch of more than %u accesses to keep apart; run it with "
                   "CUDASIM_CHECKS without race",
                   ID_MAX);
    if (n == races->room) {
        races->room = races->room ? 2 * races->room : 1024;
        races->records = realloc(races->records, races->room * sizeof *races->records);
        if (!races->records)
            abort();
    }
    races->records[n] = *record;
    return races->next++;
}

/* The record of this instruction in this warp since the last point of order. */
static uint32_t current_record(cs_warp *warp, const cs_instr *instr, cs_access kind) {
    if (warp->record_segments[instr->memory] == warp->segment)
        return warp->records[instr->memory];
    const cs_record record = {.block = warp->block->serial,
                              .phase = warp->block->phase,
                              .warp = warp->index,
                              .pc = warp->pc,
                              .tick = warp->tick,
                              .is_atomic = kind == CS_ATOMIC || instr->is_strong,
                              .is_block_wide = instr->is_block_scope};
    warp->record_segments[instr->memory] = warp->segment;
    return warp->records[instr->memory] = new_record(warp->block->run->races, &record);
}

/* --- order --------------------------------------------------------------------------------------- */

typedef struct now {
    cs_warp *warp;
    const cs_instr *instr;
    cs_races *races;
    uint32_t id, lane, bytes;
    uint32_t stale_below; /* records before this one are of another time */
    cs_access kind;
    bool is_atomic, is_shared;
    uint64_t *const *cells;
} now;

static const cs_record *record_of(const now *n, uint32_t id) {
    return &n->races->records[id - n->races->first];
}

static bool ordered_in_warp(const now *n, uint32_t half, const cs_record *before) {
    const cs_warp *warp = n->warp;
    if (warp->full_tick > before->tick)
        return true;
    if (scope_of(half) == ALONE)
        return lane_of(half) == n->lane || warp->synced[n->lane][lane_of(half)] > before->tick;
    for (uint32_t lane = 0; lane < CS_LANES; lane++)
        if (lane != n->lane && (warp->present >> lane) & 1 &&
            warp->synced[n->lane][lane] <= before->tick)
            return false;
    return true;
}

/* Whether all accesses that the half stands for came before the current one. */
static bool is_ordered(const now *n, uint32_t half) {
    const uint32_t id = id_of(half);
    if (id < n->stale_below)
        return true;
    const cs_record *before = record_of(n, id);
    const cs_block *block = n->warp->block;
    if (before->block == block->serial && scope_of(half) < IN_GRID) {
        if (before->phase != block->phase)
            return true;
        if (before->warp == n->warp->index && scope_of(half) < IN_BLOCK &&
            ordered_in_warp(n, half, before))
            return true;
    }
    return cs_race_is_released(n->warp, n->lane, id, before, lane_of(half));
}

/* Whether two accesses may overlap freely: atomics that see each other. */
static bool is_compatible(const now *n, uint32_t half) {
    const cs_record *before = record_of(n, id_of(half));
    if (!n->is_atomic || !before->is_atomic)
        return false;
    const bool is_narrow = before->is_block_wide || n->instr->is_block_scope;
    return !is_narrow || before->block == n->warp->block->serial;
}

/* --- findings ------------------------------------------------------------------------------------ */

static const char *name_of(bool is_write, bool is_atomic) {
    return is_atomic ? "atomic access" : is_write ? "write" : "read";
}

static void say_race(const now *n, uint32_t half, bool was_write) {
    const cs_record *before = record_of(n, id_of(half));
    const cs_run *run = n->warp->block->run;
    cs_where here;
    char there[256];
    uint32_t thread[3];
    cs_where_of(n->warp, n->warp->pc, n->lane, &here);
    cs_where_place(run->kernel, before->pc, there, sizeof there);
    cs_where_thread(n->warp->block, before->warp * CS_LANES + lane_of(half), thread);
    const char *relation = before->block != n->warp->block->serial || scope_of(half) == IN_GRID
                               ? "of another block"
                           : before->warp != n->warp->index || scope_of(half) == IN_BLOCK
                               ? "of another warp, no __syncthreads between"
                               : "of the same warp, no __syncwarp between";
    cs_report(CS_RACE, here.place,
              "%s of %u bytes of %s memory by %s, and %s at %s by thread (%u,%u,%u) %s",
              name_of(n->kind == CS_WRITE, n->kind == CS_ATOMIC), n->bytes,
              n->is_shared ? "shared" : "global", here.thread,
              name_of(was_write, before->is_atomic), there, thread[0], thread[1], thread[2],
              relation);
}

/* --- cells --------------------------------------------------------------------------------------- */

static uint32_t scope_between(const now *n, uint32_t half) {
    const cs_record *before = record_of(n, id_of(half));
    const uint32_t apart = before->block != n->warp->block->serial ? IN_GRID
                           : before->warp != n->warp->index        ? IN_BLOCK
                                                                   : IN_WARP;
    return apart > scope_of(half) ? apart : scope_of(half);
}

/* The half after one more reader (or atomic): the newest if it comes after the others, else the first and how far
 * apart they are. */
static uint32_t joined(const now *n, uint32_t half) {
    const uint32_t own = half_of(n->id, n->lane, ALONE);
    if ((half & ~3u) == own)
        return half;
    if (id_of(half) < n->stale_below || is_ordered(n, half))
        return own;
    return (half & ~3u) | scope_between(n, half);
}

static uint64_t cell_after_read(const now *n, uint64_t cell) {
    const uint32_t written = (uint32_t)cell, read = (uint32_t)(cell >> 32);
    if (id_of(written) >= n->stale_below && !is_ordered(n, written) && !is_compatible(n, written))
        say_race(n, written, true);
    else if (n->instr->is_read_only && id_of(written) >= n->stale_below)
        say_race(n, written, true);
    return (uint64_t)joined(n, read) << 32 | written;
}

static uint64_t cell_after_write(const now *n, uint64_t cell) {
    const uint32_t written = (uint32_t)cell, read = (uint32_t)(cell >> 32);
    const bool was_written = id_of(written) >= n->stale_below && !is_ordered(n, written);
    const bool was_read = id_of(read) >= n->stale_below && !is_ordered(n, read);
    if (was_written && !is_compatible(n, written))
        say_race(n, written, true);
    else if (was_read && !is_compatible(n, read))
        say_race(n, read, false);
    const uint32_t own = half_of(n->id, n->lane, ALONE);
    const uint32_t after = n->kind == CS_ATOMIC && was_written ? joined(n, written) : own;
    return (uint64_t)(was_read ? read : 0) << 32 | after;
}

static uint64_t cell_after(const now *n, uint64_t cell) {
    return n->kind == CS_READ ? cell_after_read(n, cell) : cell_after_write(n, cell);
}

/* Bytes of one access mostly have equal cells. */
static void pass_lane(const now *n, uint64_t *cells) {
    for (uint32_t i = 0; i < n->bytes;) {
        const uint64_t before = cells[i], after = cell_after(n, before);
        for (; i < n->bytes && cells[i] == before; i++)
            cells[i] = after;
    }
}

static bool is_at_one_place(const now *n, uint32_t mask) {
    uint64_t *first = n->cells[__builtin_ctz(mask)];
    for (uint32_t left = mask & (mask - 1); left; left &= left - 1)
        if (n->cells[__builtin_ctz(left)] != first)
            return false;
    return true;
}

void cs_race_check(cs_warp *warp, const cs_instr *instr, uint32_t mask, uint32_t bytes,
                   cs_access kind, uint64_t *const cells[CS_LANES]) {
    cs_races *races = warp->block->run->races;
    const cs_block *block = warp->block;
    const uint32_t first_lane = (uint32_t)__builtin_ctz(mask);
    const bool is_shared = cells[first_lane] >= block->shared_race &&
                           cells[first_lane] < block->shared_race + block->shared_bytes;
    now n = {
        .warp = warp, .instr = instr, .races = races, .bytes = bytes, .kind = kind, .cells = cells};
    n.id = current_record(warp, instr, kind);
    n.stale_below = is_shared ? races->block_first : races->first;
    n.is_shared = is_shared;
    n.is_atomic = kind == CS_ATOMIC || instr->is_strong;
    n.lane = first_lane;
    pass_lane(&n, cells[n.lane]);
    uint32_t rest = mask & (mask - 1);
    if (rest && kind == CS_READ && is_at_one_place(&n, mask)) {
        n.lane = (uint32_t)__builtin_ctz(rest); /* a second reader stands for all the others */
        rest = rest & -rest;
    }
    for (uint32_t left = rest; left; left &= left - 1) {
        n.lane = (uint32_t)__builtin_ctz(left);
        pass_lane(&n, cells[n.lane]);
    }
}
