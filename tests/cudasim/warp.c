/* Warps: lanes at different places are groups, each with its program counter; the lowest that can go on runs, so that
 * lanes meet again where their paths join. A group that waits for others (a barrier, a shuffle) waits at the
 * instruction; who arrives there joins it. */
#include <string.h>

#include "tests/cudasim/machine.h"

void cs_warp_start(cs_warp *warp) {
    warp->live = warp->present;
    warp->n_groups = 1;
    warp->groups[0] = (cs_group){.pc = 0, .mask = warp->present};
}

/* --- groups -------------------------------------------------------------------------------------- */

static void remove_group(cs_warp *warp, uint32_t i) {
    warp->groups[i] = warp->groups[--warp->n_groups];
}

/* Groups at one place become one; whoever waits there looks again at who is there. */
static void merge(cs_warp *warp) {
    for (uint32_t i = 0; i < warp->n_groups; i++) {
        for (uint32_t k = warp->n_groups; --k > i;) {
            if (warp->groups[k].pc != warp->groups[i].pc)
                continue;
            warp->groups[i].mask |= warp->groups[k].mask;
            warp->groups[i].is_waiting = false;
            remove_group(warp, k);
        }
    }
}

static void add_group(cs_warp *warp, uint32_t pc, uint32_t mask) {
    for (uint32_t i = 0; i < warp->n_groups; i++) {
        if (warp->groups[i].pc == pc) {
            warp->groups[i].mask |= mask;
            warp->groups[i].is_waiting = false;
            return;
        }
    }
    warp->groups[warp->n_groups++] = (cs_group){.pc = pc, .mask = mask};
}

/* The group to run: the lowest that does not wait. limit: where the next one stands. */
static cs_group *choose(cs_warp *warp, uint32_t *limit) {
    cs_group *chosen = NULL;
    *limit = UINT32_MAX;
    for (uint32_t i = 0; i < warp->n_groups; i++)
        if (!warp->groups[i].is_waiting && (!chosen || warp->groups[i].pc < chosen->pc))
            chosen = &warp->groups[i];
    for (uint32_t i = 0; chosen && i < warp->n_groups; i++)
        if (warp->groups[i].pc > chosen->pc && warp->groups[i].pc < *limit)
            *limit = warp->groups[i].pc;
    return chosen;
}

/* --- the program counter ------------------------------------------------------------------------- */

/* The lanes of taken go to target, those left go on. False: the group changed, look again. */
static bool jump(cs_warp *warp, cs_group *group, uint32_t target, uint32_t taken) {
    const uint32_t left = group->mask & ~taken;
    if (taken == 0) {
        group->pc++;
        return true;
    }
    if (left == 0) {
        group->pc = target;
        return true;
    }
    group->mask = left;
    group->pc++;
    add_group(warp, target, taken);
    return false;
}

/* An index past the table is undefined: the launch ends. */
static bool check_index(cs_warp *warp, const cs_instr *instr, uint32_t lane, uint32_t index) {
    if (index < instr->n_items)
        return true;
    cs_where where;
    cs_where_of(warp, warp->pc, lane, &where);
    cs_report(CS_TRAP, where.place, "brx.idx takes entry %u of %u, by %s", index, instr->n_items,
              where.thread);
    warp->block->run->is_trapped = true;
    return false;
}

static bool jump_table(cs_warp *warp, cs_group *group, const cs_instr *instr, uint32_t taken) {
    const uint32_t *index = CS_LANES_OF(warp, instr->a, const uint32_t);
    const uint32_t left = group->mask & ~taken, at = group->pc;
    warp->pc = at;
    if (taken == 0) {
        group->pc++;
        return true;
    }
    for (uint32_t lanes = taken; lanes; lanes &= lanes - 1)
        if (!check_index(warp, instr, (uint32_t)__builtin_ctz(lanes), index[__builtin_ctz(lanes)]))
            return false;
    remove_group(warp, (uint32_t)(group - warp->groups));
    if (left)
        add_group(warp, at + 1, left);
    for (uint32_t lanes = taken; lanes; lanes &= lanes - 1)
        add_group(warp, instr->items[index[__builtin_ctz(lanes)]], lanes & -lanes);
    return false;
}

static bool leave(cs_warp *warp, cs_group *group, uint32_t gone) {
    warp->live &= ~gone;
    group->mask &= ~gone;
    if (group->mask) {
        group->pc++;
        return true;
    }
    remove_group(warp, (uint32_t)(group - warp->groups));
    return false;
}

/* Lanes that the guard excludes go past the instruction; the others wait at it as a group of their own. */
static void wait_here(cs_warp *warp, cs_group *group, uint32_t waiting) {
    const uint32_t past = group->mask & ~waiting, at = group->pc;
    group->mask = waiting;
    group->is_waiting = true;
    if (past)
        add_group(warp, at + 1, past);
}

static bool meet(cs_warp *warp, cs_group *group, const cs_instr *instr, uint32_t active) {
    if (active == 0) {
        group->pc++;
        return true;
    }
    warp->pc = group->pc;
    const uint32_t waiting = active & ~cs_meet(warp, instr, active);
    if (waiting) {
        wait_here(warp, group, waiting);
        return false;
    }
    group->pc++;
    return true;
}

static bool flow(cs_warp *warp, cs_group *group, const cs_instr *instr, uint32_t active) {
    switch (instr->flow) {
    case CS_FLOW_JUMP:
        return jump(warp, group, instr->target, active);
    case CS_FLOW_TABLE:
        return jump_table(warp, group, instr, active);
    case CS_FLOW_EXIT:
        return leave(warp, group, active);
    case CS_FLOW_MEET:
        return meet(warp, group, instr, active);
    case CS_FLOW_BARRIER:
        if (active == 0) {
            group->pc++;
            return true;
        }
        wait_here(warp, group, active);
        return false;
    default: /* CS_FLOW_TRAP */
        warp->pc = group->pc++;
        if (active)
            instr->run(warp, instr, active);
        return active == 0;
    }
}

/* --- running ------------------------------------------------------------------------------------- */

/* Runs a group until it meets the next one, changes, or has used up its instructions. Returns those left. */
static uint64_t run_group(cs_warp *warp, cs_group *group, uint32_t limit, uint64_t instructions) {
    const cs_kernel *kernel = warp->block->run->kernel;
    while (instructions > 0) {
        const cs_instr *instr = &kernel->code[group->pc];
        uint32_t active = group->mask;
        if (instr->guard_kind) {
            const uint32_t guard = cs_mask_of(warp, instr->guard);
            active &= instr->guard_kind == 1 ? guard : ~guard;
        }
        instructions--;
        kernel->executed[group->pc] |= active != 0;
        if (instr->flow == CS_FLOW_NEXT) {
            if (active) {
                warp->pc = group->pc;
                instr->run(warp, instr, active);
            }
            group->pc++;
        } else if (!flow(warp, group, instr, active)) {
            break;
        }
        if (group->pc >= limit)
            break;
    }
    return instructions;
}

cs_stop cs_warp_run(cs_warp *warp, uint64_t quantum) {
    cs_run *run = warp->block->run;
    uint64_t left = quantum;
    while (left > 0 && !run->is_trapped) {
        uint32_t limit;
        merge(warp);
        cs_group *group = choose(warp, &limit);
        if (!group)
            break;
        left = run_group(warp, group, limit, left);
    }
    const uint64_t used = quantum - left;
    run->budget = run->budget > used ? run->budget - used : 0;
    if (warp->n_groups == 0)
        return CS_STOP_DONE;
    for (uint32_t i = 0; i < warp->n_groups; i++)
        if (!warp->groups[i].is_waiting)
            return CS_STOP_QUANTUM;
    return CS_STOP_WAITING;
}
