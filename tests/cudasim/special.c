/* Special registers (PTX ISA 10). Clocks and numbers of multiprocessors are refused: nothing a test may build on. */
#include "tests/cudasim/special.h"

#include "tests/cudasim/decode.h"

/* By index of cs_kernel.special. */
static const char *const names[] = {
    "%tid.x",           "%tid.y",       "%tid.z",
    "%ntid.x",          "%ntid.y",      "%ntid.z",
    "%ctaid.x",         "%ctaid.y",     "%ctaid.z",
    "%nctaid.x",        "%nctaid.y",    "%nctaid.z",
    "%laneid",          "%warpid",      "%nwarpid",
    "%lanemask_eq",     "%lanemask_le", "%lanemask_lt",
    "%lanemask_ge",     "%lanemask_gt", "%dynamic_smem_size",
    "%total_smem_size",
};

enum {
    TID = 0,
    NTID = 3,
    CTAID = 6,
    NCTAID = 9,
    LANEID = 12,
    WARPID,
    NWARPID,
    EQ,
    LE,
    LT,
    GE,
    GT,
    DYNAMIC,
    TOTAL
};

_Static_assert(sizeof names / sizeof *names <= sizeof((cs_kernel *)0)->special / sizeof(uint32_t),
               "room");

uint32_t cs_decode_special(cs_decoder *d, cs_text name) {
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!cs_text_is(name, names[i]))
            continue;
        if (d->kernel->special[i] == 0)
            d->kernel->special[i] = cs_decode_register(d, 4);
        return d->kernel->special[i];
    }
    return 0;
}

static uint32_t value(const cs_warp *warp, int special, uint32_t lane) {
    const cs_block *block = warp->block;
    const cs_launch *launch = block->run->launch;
    if (special < NTID) {
        uint32_t thread[3];
        cs_where_thread(block, warp->index * CS_LANES + lane, thread);
        return thread[special - TID];
    }
    if (special < CTAID)
        return launch->block[special - NTID];
    if (special < NCTAID)
        return block->id[special - CTAID];
    if (special < LANEID)
        return launch->grid[special - NCTAID];
    const uint32_t self = 1u << lane, below = self - 1;
    const uint32_t others[] = {lane,
                               warp->index,
                               block->n_warps,
                               self,
                               below | self,
                               below,
                               ~below,
                               ~below & ~self,
                               launch->dynamic_shared,
                               launch->dynamic_shared + block->run->kernel->static_shared};
    return others[special - LANEID];
}

static void fill(cs_warp *warp, int first, int after) {
    const cs_kernel *kernel = warp->block->run->kernel;
    for (int i = first; i < after; i++) {
        if (kernel->special[i] == 0)
            continue;
        uint32_t *lanes = CS_LANES_OF(warp, kernel->special[i], uint32_t);
        for (uint32_t lane = 0; lane < CS_LANES; lane++)
            lanes[lane] = value(warp, i, lane);
    }
}

void cs_special_fill(cs_warp *warp) {
    fill(warp, 0, CTAID);
    fill(warp, NCTAID, TOTAL + 1);
}

void cs_special_fill_block(cs_warp *warp) {
    fill(warp, CTAID, NCTAID);
}
