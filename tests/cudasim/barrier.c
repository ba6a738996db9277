/* Waiting for others: barriers of the block, member masks of the warp, and what is wrong when nobody can go on. */
#include <stdio.h>

#include "tests/cudasim/machine.h"
#include "tests/cudasim/opcodes.h"

static const cs_instr *instr_of(const cs_warp *warp, const cs_group *group) {
    return &warp->block->run->kernel->code[group->pc];
}

/* --- member masks -------------------------------------------------------------------------------- */

static void say_lane(cs_warp *warp, cs_kind kind, uint32_t pc, uint32_t lane, const char *text) {
    cs_where where;
    cs_where_of(warp, pc, lane, &where);
    if (warp->block->run->checks & CS_CHECK_BARRIER)
        cs_report(kind, where.place, "%s, by %s", text, where.thread);
}

void cs_say_absent_source(cs_warp *warp, uint32_t lane, uint32_t source) {
    char text[96];
    snprintf(text, sizeof text, "a shuffle reads lane %u, which takes no part in it", source);
    say_lane(warp, CS_MASK, warp->pc, lane, text);
}

static uint32_t members_of(const cs_warp *warp, const cs_instr *instr, uint32_t lane) {
    return CS_LANES_OF(warp, instr->e, const uint32_t)[lane];
}

/* The lanes of mask that give this member mask. */
static uint32_t lanes_giving(const cs_warp *warp, const cs_instr *instr, uint32_t mask,
                             uint32_t members) {
    uint32_t lanes = 0;
    for (uint32_t left = mask; left; left &= left - 1)
        lanes |=
            members_of(warp, instr, (uint32_t)__builtin_ctz(left)) == members ? left & -left : 0;
    return lanes;
}

static void check_members(cs_warp *warp, uint32_t lanes, uint32_t members) {
    char text[160];
    if (lanes & ~members) {
        snprintf(text, sizeof text,
                 "the member mask 0x%08x leaves out lanes that execute it (0x%08x)", members,
                 lanes & ~members);
        say_lane(warp, CS_MASK, warp->pc, (uint32_t)__builtin_ctz(lanes & ~members), text);
    }
    if (members & ~warp->live) {
        snprintf(text, sizeof text, "the member mask 0x%08x names lanes that %s (0x%08x)", members,
                 members & ~warp->present ? "do not exist" : "have exited", members & ~warp->live);
        say_lane(warp, CS_MASK, warp->pc, (uint32_t)__builtin_ctz(lanes), text);
    }
}

/* Lanes at one instruction may form several sets, each with its own mask. */
uint32_t cs_meet(cs_warp *warp, const cs_instr *instr, uint32_t mask) {
    uint32_t done = 0;
    for (uint32_t left = mask; left;) {
        const uint32_t members = members_of(warp, instr, (uint32_t)__builtin_ctz(left));
        const uint32_t lanes = lanes_giving(warp, instr, left, members);
        check_members(warp, lanes, members);
        if ((members & warp->live & ~lanes) == 0) {
            instr->run(warp, instr, lanes);
            done |= lanes;
        }
        left &= ~lanes;
    }
    return done;
}

/* The lanes that wait at any __syncwarp with this mask. */
static uint32_t waiting_with(const cs_warp *warp, uint32_t members) {
    uint32_t lanes = 0;
    for (uint32_t i = 0; i < warp->n_groups; i++)
        if (instr_of(warp, &warp->groups[i])->run == cs_bar_warp)
            lanes |=
                lanes_giving(warp, instr_of(warp, &warp->groups[i]), warp->groups[i].mask, members);
    return lanes;
}

static void pass_warp_barriers(cs_warp *warp, uint32_t lanes) {
    for (uint32_t i = warp->n_groups; i-- > 0;) {
        cs_group *group = &warp->groups[i];
        const uint32_t passing = group->mask & lanes;
        if (passing == 0)
            continue;
        group->mask &= ~passing;
        if (group->mask == 0)
            *group = (cs_group){.pc = group->pc + 1, .mask = passing};
        else
            warp->groups[warp->n_groups++] = (cs_group){.pc = group->pc + 1, .mask = passing};
    }
}

/* __syncwarp may be waited for at different places; everything else only at one. */
static bool join_warp_barriers(cs_warp *warp) {
    for (uint32_t i = 0; i < warp->n_groups; i++) {
        const cs_instr *instr = instr_of(warp, &warp->groups[i]);
        if (instr->run != cs_bar_warp)
            continue;
        const uint32_t members =
            members_of(warp, instr, (uint32_t)__builtin_ctz(warp->groups[i].mask));
        const uint32_t lanes = waiting_with(warp, members);
        if ((members & warp->live & ~lanes) == 0) {
            cs_bar_warp(warp, instr, lanes);
            pass_warp_barriers(warp, lanes);
            return true;
        }
    }
    return false;
}

void cs_meet_stuck(cs_warp *warp) {
    if (join_warp_barriers(warp))
        return;
    for (uint32_t i = 0; i < warp->n_groups; i++) {
        cs_group *group = &warp->groups[i];
        const cs_instr *instr = instr_of(warp, group);
        if (instr->flow != CS_FLOW_MEET)
            continue;
        char text[160];
        const uint32_t members =
            CS_LANES_OF(warp, instr->e, const uint32_t)[__builtin_ctz(group->mask)];
        snprintf(
            text, sizeof text,
            "deadlock: the member mask 0x%08x names lanes that wait or went elsewhere (0x%08x)",
            members, members & ~group->mask);
        say_lane(warp, CS_MASK, group->pc, (uint32_t)__builtin_ctz(group->mask), text);
        warp->pc = group->pc;
        instr->run(warp, instr, group->mask);
        group->pc++;
        group->is_waiting = false;
    }
}

/* --- barriers of the block ----------------------------------------------------------------------- */

typedef struct arrivals {
    uint32_t pc; /* of the first that waits */
    uint32_t n;  /* lanes that wait there */
    uint32_t elsewhere_warp, elsewhere_pc, elsewhere_lane, n_elsewhere;
    uint32_t exited_warp, exited_lane, n_exited;
} arrivals;

static void count_exited(arrivals *a, const cs_warp *warp) {
    const uint32_t exited = warp->present & ~warp->live;
    if (exited && a->n_exited == 0) {
        a->exited_warp = warp->index;
        a->exited_lane = (uint32_t)__builtin_ctz(exited);
    }
    a->n_exited += (uint32_t)__builtin_popcount(exited);
}

static void count_group(arrivals *a, const cs_warp *warp, const cs_group *group) {
    const uint32_t lanes = (uint32_t)__builtin_popcount(group->mask);
    if (a->n == 0)
        a->pc = group->pc;
    if (group->pc == a->pc) {
        a->n += lanes;
        return;
    }
    if (a->n_elsewhere == 0) {
        a->elsewhere_warp = warp->index;
        a->elsewhere_pc = group->pc;
        a->elsewhere_lane = (uint32_t)__builtin_ctz(group->mask);
    }
    a->n_elsewhere += lanes;
}

static void say_divergent(const cs_block *block, const arrivals *a) {
    const cs_kernel *kernel = block->run->kernel;
    cs_where where;
    char here[256], there[256];
    cs_where_place(kernel, a->pc, here, sizeof here);
    if (a->n_elsewhere) {
        cs_where_place(kernel, a->elsewhere_pc, there, sizeof there);
        cs_where_of(&block->warps[a->elsewhere_warp], a->elsewhere_pc, a->elsewhere_lane, &where);
        cs_report(CS_BARRIER, here, "%u threads wait here, %u at the barrier of %s (%s)", a->n,
                  a->n_elsewhere, there, where.thread);
    } else {
        cs_where_of(&block->warps[a->exited_warp], a->pc, a->exited_lane, &where);
        cs_report(CS_BARRIER, here, "%u threads wait here, %u have exited (%s)", a->n, a->n_exited,
                  where.thread);
    }
}

/* bar.red: every thread gets the reduction of all their predicates: popc into a register, and (choice 1) or or into a
 * predicate. */
static void reduce(cs_block *block, const cs_instr *instr) {
    uint32_t n_true = 0, n = 0;
    for (uint32_t i = 0; i < block->n_warps; i++) {
        const cs_warp *warp = &block->warps[i];
        const uint32_t p = cs_mask_of(warp, instr->a);
        n_true += (uint32_t)__builtin_popcount((instr->is_a_negated ? ~p : p) & warp->live);
        n += (uint32_t)__builtin_popcount(warp->live);
    }
    for (uint32_t i = 0; i < block->n_warps; i++) {
        cs_warp *warp = &block->warps[i];
        uint32_t *d = CS_LANES_OF(warp, instr->d, uint32_t);
        const bool is_predicate = instr->type == CS_PRED;
        if (is_predicate)
            cs_set_mask(warp, instr->d, warp->live,
                        (instr->choice[0] == 1 ? n_true == n : n_true != 0) ? CS_FULL : 0);
        for (uint32_t left = is_predicate ? 0 : warp->live; left; left &= left - 1)
            d[__builtin_ctz(left)] = n_true;
    }
}

static void release(cs_block *block) {
    for (uint32_t i = 0; i < block->n_warps; i++) {
        cs_warp *warp = &block->warps[i];
        for (uint32_t k = 0; k < warp->n_groups; k++) {
            if (instr_of(warp, &warp->groups[k])->flow == CS_FLOW_BARRIER) {
                warp->groups[k].pc++;
                warp->groups[k].is_waiting = false;
            }
        }
    }
    if (block->run->races)
        cs_race_block_barrier(block);
}

static bool is_stuck_in_warp(const cs_warp *warp) {
    for (uint32_t i = 0; i < warp->n_groups; i++)
        if (instr_of(warp, &warp->groups[i])->flow == CS_FLOW_MEET)
            return true;
    return false;
}

void cs_barrier_resolve(cs_block *block) {
    arrivals a = {0};
    bool was_stuck = false;
    for (uint32_t i = 0; i < block->n_warps; i++) {
        if (is_stuck_in_warp(&block->warps[i])) {
            cs_meet_stuck(&block->warps[i]);
            was_stuck = true;
        }
    }
    if (was_stuck)
        return;
    for (uint32_t i = 0; i < block->n_warps; i++) {
        count_exited(&a, &block->warps[i]);
        for (uint32_t k = 0; k < block->warps[i].n_groups; k++)
            count_group(&a, &block->warps[i], &block->warps[i].groups[k]);
    }
    if ((a.n_elsewhere || a.n_exited) && (block->run->checks & CS_CHECK_BARRIER))
        say_divergent(block, &a);
    const cs_instr *instr = &block->run->kernel->code[a.pc];
    if (instr->opcode->flags & CS_OPCODE_REDUCES)
        reduce(block, instr);
    release(block);
}
