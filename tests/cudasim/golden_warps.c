/* PTX ISA 9.7.9.8, 9.7.12, 9.7.13: what lanes do together, and control flow. The lane is the one looked at. */
#include "tests/cudasim/golden.h"

static const golden rows[] = {
    /* shfl: c holds the clamp in bits 0 to 4, the segment mask in bits 8 to 12 */
    {'r', 5, "shfl.sync.up.b32 %rd, %lane, 2, 0, -1;", 0, 0, 0, 3},
    {'r', 1, "shfl.sync.up.b32 %rd, %lane, 2, 0, -1;", 0, 0, 0, 1},
    {'p', 1, "shfl.sync.up.b32 %rd|%pd, %lane, 2, 0, -1;", 0, 0, 0, 0},
    {'p', 2, "shfl.sync.up.b32 %rd|%pd, %lane, 2, 0, -1;", 0, 0, 0, 1},
    {'r', 30, "shfl.sync.down.b32 %rd, %lane, 4, 31, -1;", 0, 0, 0, 30},
    {'r', 3, "shfl.sync.down.b32 %rd, %lane, 4, 31, -1;", 0, 0, 0, 7},
    {'r', 3, "shfl.sync.bfly.b32 %rd, %lane, 16, 31, -1;", 0, 0, 0, 19},
    {'r', 9, "shfl.sync.idx.b32 %rd, %lane, 7, 31, -1;", 0, 0, 0, 7},
    /* width 8: segments of 8 lanes, mask 0x18 */
    {'r', 9, "shfl.sync.idx.b32 %rd, %lane, 7, 0x181f, -1;", 0, 0, 0, 15},
    {'r', 14, "shfl.sync.down.b32 %rd, %lane, 4, 0x181f, -1;", 0, 0, 0, 14},
    {'r', 9, "shfl.sync.up.b32 %rd, %lane, 4, 0x1800, -1;", 0, 0, 0, 9},
    {'r', 21,
     "setp.ge.u32 %pe, %lane, 16; mov.u32 %rd, 99; @%pe shfl.sync.idx.b32 %rd, %lane, 17, 31, "
     "0xffff0000;",
     0, 0, 0, 17},
    /* vote */
    {'p', -1, "setp.lt.u32 %pe, %lane, 32; vote.sync.all.pred %pd, %pe, -1;", 0, 0, 0, 1},
    {'p', -1, "setp.lt.u32 %pe, %lane, 31; vote.sync.all.pred %pd, %pe, -1;", 0, 0, 0, 0},
    {'p', -1, "setp.eq.u32 %pe, %lane, 31; vote.sync.any.pred %pd, %pe, -1;", 0, 0, 0, 1},
    {'p', -1, "setp.lt.u32 %pe, %lane, 32; vote.sync.any.pred %pd, !%pe, -1;", 0, 0, 0, 0},
    {'p', -1, "setp.eq.u32 %pe, %lane, 31; vote.sync.uni.pred %pd, %pe, -1;", 0, 0, 0, 0},
    {'p', -1, "setp.eq.u32 %pe, %lane, 99; vote.sync.uni.pred %pd, %pe, -1;", 0, 0, 0, 1},
    {'r', -1, "setp.lt.u32 %pe, %lane, 4; vote.sync.ballot.b32 %rd, %pe, -1;", 0, 0, 0, 15},
    {'r', -1, "setp.lt.u32 %pe, %lane, 4; vote.sync.ballot.b32 %rd, !%pe, -1;", 0, 0, 0,
     0xfffffff0},
    /* match, redux, activemask */
    {'r', 6, "and.b32 %re, %lane, 3; match.any.sync.b32 %rd, %re, -1;", 0, 0, 0, 0x44444444},
    {'r', -1, "match.any.sync.b64 %rd, %la, -1;", 5, 0, 0, 0xffffffff},
    {'r', -1, "match.all.sync.b32 %rd|%pe, %ra, -1;", 5, 0, 0, 0xffffffff},
    {'p', -1, "match.all.sync.b32 %rd|%pd, %lane, -1;", 0, 0, 0, 0},
    {'r', -1, "redux.sync.add.u32 %rd, %lane, -1;", 0, 0, 0, 496},
    {'r', -1, "sub.u32 %re, %lane, 5; redux.sync.min.s32 %rd, %re, -1;", 0, 0, 0, 0xfffffffb},
    {'r', -1, "sub.u32 %re, %lane, 5; redux.sync.min.u32 %rd, %re, -1;", 0, 0, 0, 0},
    {'r', -1, "sub.u32 %re, %lane, 5; redux.sync.max.s32 %rd, %re, -1;", 0, 0, 0, 26},
    {'r', -1, "redux.sync.and.b32 %rd, %lane, -1;", 0, 0, 0, 0},
    {'r', -1, "redux.sync.or.b32 %rd, %lane, -1;", 0, 0, 0, 31},
    {'r', -1, "redux.sync.xor.b32 %rd, %lane, -1;", 0, 0, 0, 0},
    {'r', -1, "activemask.b32 %rd;", 0, 0, 0, 0xffffffff},
    {'r', 2, "setp.lt.u32 %pe, %lane, 3; mov.u32 %rd, 1; @!%pe bra SKIP; activemask.b32 %rd; SKIP:",
     0, 0, 0, 7},
    {'r', 9, "setp.lt.u32 %pe, %lane, 3; mov.u32 %rd, 1; @!%pe bra SKIP; activemask.b32 %rd; SKIP:",
     0, 0, 0, 1},
    /* barriers */
    {'r', -1, "mov.u32 %rd, 3; bar.warp.sync 0xffffffff;", 0, 0, 0, 3},
    {'r', -1, "mov.u32 %rd, 3; bar.sync 0;", 0, 0, 0, 3},
    {'r', -1, "mov.u32 %rd, 3; barrier.sync.aligned 0;", 0, 0, 0, 3},
    {'r', -1, "setp.lt.u32 %pe, %lane, 5; bar.red.popc.u32 %rd, 0, %pe;", 0, 0, 0, 5},
    {'r', -1, "setp.lt.u32 %pe, %lane, 5; barrier.red.popc.aligned.u32 %rd, 0, !%pe;", 0, 0, 0, 27},
    {'p', -1, "setp.lt.u32 %pe, %lane, 5; bar.red.and.pred %pd, 0, %pe;", 0, 0, 0, 0},
    {'p', -1, "setp.lt.u32 %pe, %lane, 5; bar.red.or.pred %pd, 0, %pe;", 0, 0, 0, 1},
    {'p', -1, "setp.lt.u32 %pe, %lane, 32; barrier.red.and.aligned.pred %pd, 0, %pe;", 0, 0, 0, 1},
    /* jumps: lanes part and meet again */
    {'r', -1, "mov.u32 %rd, 1; bra.uni OVER; mov.u32 %rd, 2; OVER:", 0, 0, 0, 1},
    {'r', 7,
     "setp.gt.u32 %pe, %lane, 6; mov.u32 %rd, 1; @%pe bra FAR; mov.u32 %rd, 2; bra NEAR; FAR: "
     "mov.u32 %rd, 3;"
     " NEAR: add.u32 %rd, %rd, 10;",
     0, 0, 0, 13},
    {'r', 6,
     "setp.gt.u32 %pe, %lane, 6; mov.u32 %rd, 1; @%pe bra FAR; mov.u32 %rd, 2; bra NEAR; FAR: "
     "mov.u32 %rd, 3;"
     " NEAR: add.u32 %rd, %rd, 10;",
     0, 0, 0, 12},
    {'r', 9,
     "mov.u32 %rd, 0; AGAIN: add.u32 %rd, %rd, 1; setp.le.u32 %pe, %rd, %lane; @%pe bra AGAIN;", 0,
     0, 0, 10},
    {'r', 4,
     "and.b32 %re, %lane, 1; TABLE: .branchtargets EVEN, ODD; brx.idx %re, TABLE; EVEN: mov.u32 "
     "%rd, 20; bra "
     "END; ODD: mov.u32 %rd, 30; END:",
     0, 0, 0, 20},
    {'r', 5,
     "and.b32 %re, %lane, 1; TABLE: .branchtargets EVEN, ODD; brx.idx %re, TABLE; EVEN: mov.u32 "
     "%rd, 20; bra "
     "END; ODD: mov.u32 %rd, 30; END:",
     0, 0, 0, 30},
    {'r', -1,
     "{ .param .b32 given; .param .b32 got; st.param.b32 [given], %ra; call.uni (got), twice, "
     "(given);"
     " ld.param.b32 %rd, [got]; }",
     21, 0, 0, 42},
    {'r', 3,
     "mov.u32 %rd, 7; setp.eq.u32 %pe, %lane, 3; { .param .b32 given; .param .b32 got; "
     "st.param.b32 [given], %ra;"
     " st.param.b32 [got], 7; @%pe call (got), twice, (given); ld.param.b32 %rd, [got]; }",
     21, 0, 0, 42},
    {'r', 4,
     "mov.u32 %rd, 7; setp.eq.u32 %pe, %lane, 3; { .param .b32 given; .param .b32 got; "
     "st.param.b32 [given], %ra;"
     " st.param.b32 [got], 7; @%pe call (got), twice, (given); ld.param.b32 %rd, [got]; }",
     21, 0, 0, 7},
    {'n', -1, "st.global.u64 [%out], 5; ret; st.global.u64 [%out], 6;", 0, 0, 0, 5},
    {'n', -1, "st.global.u64 [%out], 5; exit; st.global.u64 [%out], 6;", 0, 0, 0, 5},
    {'n', 9,
     "st.global.u64 [%out], 5; setp.eq.u32 %pe, %lane, 3; @%pe exit; st.global.u64 [%out], 6; "
     "exit;",
     0, 0, 0, 6},
    {'r', -1, "mov.u32 %rd, 4; nanosleep.u32 100;", 0, 0, 0, 4},
    /* special registers */
    {'r', 3, "mov.u32 %rd, %tid.x;", 0, 0, 0, 3},
    {'r', -1, "mov.u32 %rd, %ntid.x;", 0, 0, 0, 32},
    {'r', -1, "mov.u32 %rd, %nctaid.y;", 0, 0, 0, 1},
    {'r', 3, "mov.u32 %rd, %lanemask_lt;", 0, 0, 0, 7},
    {'r', 3, "mov.u32 %rd, %lanemask_ge;", 0, 0, 0, 0xfffffff8},
    {'r', -1, "mov.u32 %rd, %nwarpid;", 0, 0, 0, 1},
};

GOLDEN_ROWS(golden_warps, rows)
