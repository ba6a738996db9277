/* In which order blocks and warps run. Every order here is one that a GPU may choose:
 *
 *   in_order  blocks and warps ascending, a few instructions in turn
 *   reverse   the same from the last
 *   one_warp  a warp as far as it can go, through barriers too as soon as they open, before the next one moves
 *   random    blocks permuted, warps and the length of their turns drawn from the seed */
#include <stdlib.h>

#include "tests/cudasim/machine.h"

enum { TURN = 24, TURN_MAX = 64 };

typedef struct turns {
    cs_stop *state;
    uint32_t current;
} turns;

static uint64_t gcd(uint64_t a, uint64_t b) {
    return b ? gcd(b, a % b) : a;
}

/* A permutation without a table: multiplication by a number coprime to the count, and an offset. */
static uint64_t permuted(const cs_run *run, uint64_t n, uint64_t count) {
    cs_random random;
    cs_random_init(&random, cs_sim.options.seed, run->launch->launch_id * 2 + 1);
    uint64_t factor = cs_random_next(&random) % count | 1;
    const uint64_t offset = cs_random_next(&random) % count;
    while (gcd(factor, count) != 1)
        factor += 2;
    return (uint64_t)(((unsigned __int128)factor * n + offset) % count);
}

uint64_t cs_schedule_block(const cs_run *run, uint64_t n, uint64_t count) {
    switch (cs_sim.options.schedule) {
    case CS_SCHEDULE_REVERSE:
        return count - 1 - n;
    case CS_SCHEDULE_RANDOM:
        return permuted(run, n, count);
    default:
        return n;
    }
}

static bool can_run(const turns *t, uint32_t i) {
    return t->state[i] == CS_STOP_QUANTUM;
}

static bool any_can_run(const turns *t, uint32_t n) {
    for (uint32_t i = 0; i < n; i++)
        if (can_run(t, i))
            return true;
    return false;
}

/* The next warp to run; one of them can. */
static uint32_t choose(cs_block *block, turns *t) {
    const uint32_t n = block->n_warps;
    const cs_schedule schedule = cs_sim.options.schedule;
    uint32_t i = t->current;
    if (schedule == CS_SCHEDULE_RANDOM)
        i = (uint32_t)cs_random_below(&block->run->random, n);
    else if (schedule == CS_SCHEDULE_IN_ORDER)
        i = (i + 1) % n;
    else if (schedule == CS_SCHEDULE_REVERSE)
        i = (i + n - 1) % n;
    while (!can_run(t, i))
        i = schedule == CS_SCHEDULE_REVERSE ? (i + n - 1) % n : (i + 1) % n;
    return t->current = i;
}

static uint64_t turn_length(cs_block *block) {
    switch (cs_sim.options.schedule) {
    case CS_SCHEDULE_ONE_WARP:
        return 1 << 20;
    case CS_SCHEDULE_RANDOM:
        return 1 + cs_random_below(&block->run->random, TURN_MAX);
    default:
        return TURN;
    }
}

static bool is_done(const turns *t, uint32_t n) {
    for (uint32_t i = 0; i < n; i++)
        if (t->state[i] != CS_STOP_DONE)
            return false;
    return true;
}

/* Nobody can go on: barriers open, or their faults are reported. */
static void open_barriers(cs_block *block, turns *t) {
    cs_barrier_resolve(block);
    for (uint32_t i = 0; i < block->n_warps; i++)
        if (block->warps[i].n_groups)
            t->state[i] = CS_STOP_QUANTUM;
}

/* The launch has had more instructions than any that ends. */
static void stop_hang(cs_block *block, const cs_warp *warp) {
    cs_where where;
    block->run->is_trapped = true;
    if (warp->n_groups == 0)
        return;
    cs_where_of(warp, warp->groups[0].pc, (uint32_t)__builtin_ctz(warp->groups[0].mask), &where);
    cs_report(CS_HANG, where.place, "a launch that does not end, stopped in %s", where.thread);
}

void cs_block_run(cs_block *block) {
    turns t = {.state = calloc(block->n_warps, sizeof *t.state)};
    if (!t.state)
        abort();
    t.current = cs_sim.options.schedule == CS_SCHEDULE_IN_ORDER ? block->n_warps - 1 : 0;
    while (!is_done(&t, block->n_warps) && !block->run->is_trapped) {
        if (!any_can_run(&t, block->n_warps)) {
            open_barriers(block, &t);
            continue;
        }
        const uint32_t i = choose(block, &t);
        t.state[i] = cs_warp_run(&block->warps[i], turn_length(block));
        if (block->run->budget == 0)
            stop_hang(block, &block->warps[i]);
    }
    free(t.state);
}
