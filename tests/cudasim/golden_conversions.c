/* PTX ISA: mov, cvt, cvta, isspacep. Conversions to integers clamp, and round as the modifier says; NaN gives 0, or
 * the highest bit where 64 bits take part. */
#include "tests/cudasim/golden.h"

static const golden rows[] = {
    {'h', -1, "mov.u16 %hd, %ha;", 0x1234, 0, 0, 0x1234},
    {'r', -1, "mov.u32 %rd, %ra;", 0x12345678, 0, 0, 0x12345678},
    {'r', -1, "mov.f32 %rd, 0f3F800000;", 0, 0, 0, F_ONE},
    {'r', -1, "mov.b32 %rd, -1;", 0, 0, 0, 0xffffffff},
    {'l', -1, "mov.f64 %ld, 0d4008000000000000;", 0, 0, 0, D_THREE},
    {'l', -1, "mov.b64 %ld, %la;", 0x123456789abcdef0, 0, 0, 0x123456789abcdef0},
    {'p', -1, "mov.pred %pd, %pa;", 1, 0, 0, 1},
    {'r', -1, "mov.b32 %rd, {%ha, %hb};", 0x1234, 0x5678, 0, 0x56781234},
    {'l', -1, "mov.b64 %ld, {%ra, %rb};", 0x12345678, 0x9abcdef0, 0, 0x9abcdef012345678},
    {'l', -1, "mov.b64 %ld, {%ha, %hb, %hc, %ha};", 1, 2, 3, 0x0001000300020001},
    {'h', -1, "mov.b32 {_, %hd}, %ra;", 0x12345678, 0, 0, 0x1234},
    {'r', -1, "mov.b64 {%rd, _}, %la;", 0x123456789abcdef0, 0, 0, 0x9abcdef0},
    {'r', -1, "mov.b64 {_, %rd}, %la;", 0x123456789abcdef0, 0, 0, 0x12345678},
    /* integers: extended by the source's sign, cut off, or clamped */
    {'r', -1, "cvt.s32.s8 %rd, %ra;", 0x1280, 0, 0, 0xffffff80},
    {'r', -1, "cvt.u32.u8 %rd, %ra;", 0x1280, 0, 0, 0x80},
    {'r', -1, "cvt.u32.u16 %rd, %ha;", 0xffff, 0, 0, 0xffff},
    {'r', -1, "cvt.s32.s16 %rd, %ha;", 0xffff, 0, 0, 0xffffffff},
    {'l', -1, "cvt.s64.s32 %ld, %ra;", 0x80000000, 0, 0, 0xffffffff80000000},
    {'l', -1, "cvt.u64.u32 %ld, %ra;", 0x80000000, 0, 0, 0x80000000},
    {'r', -1, "cvt.u32.u64 %rd, %la;", 0x123456789abcdef0, 0, 0, 0x9abcdef0},
    {'h', -1, "cvt.u16.u32 %hd, %ra;", 0x12345678, 0, 0, 0x5678},
    {'r', -1, "cvt.u8.u32 %rd, %ra;", 0x12345678, 0, 0, 0x78},
    {'r', -1, "cvt.s8.s32 %rd, %ra;", 0x123456f8, 0, 0, 0xfffffff8},
    {'r', -1, "cvt.sat.u8.s32 %rd, %ra;", 0xffffffff, 0, 0, 0},
    {'r', -1, "cvt.sat.u8.s32 %rd, %ra;", 300, 0, 0, 255},
    {'r', -1, "cvt.sat.s8.s32 %rd, %ra;", 0xffffff00, 0, 0, 0xffffff80},
    {'r', -1, "cvt.sat.s32.u32 %rd, %ra;", 0xffffffff, 0, 0, 0x7fffffff},
    {'r', -1, "cvt.sat.s32.u64 %rd, %la;", UINT64_MAX, 0, 0, 0x7fffffff},
    {'l', -1, "cvt.sat.s64.u64 %ld, %la;", UINT64_MAX, 0, 0, 0x7fffffffffffffff},
    {'l', -1, "cvt.sat.u64.s32 %ld, %ra;", 0xffffffff, 0, 0, 0},
    /* float to integer */
    {'r', -1, "cvt.rni.s32.f32 %rd, %ra;", 0x40200000, 0, 0, 2}, /* 2.5 */
    {'r', -1, "cvt.rni.s32.f32 %rd, %ra;", 0x40600000, 0, 0, 4}, /* 3.5 */
    {'r', -1, "cvt.rzi.s32.f32 %rd, %ra;", 0xc0200000, 0, 0, 0xfffffffe},
    {'r', -1, "cvt.rmi.s32.f32 %rd, %ra;", 0xc0200000, 0, 0, 0xfffffffd},
    {'r', -1, "cvt.rpi.s32.f32 %rd, %ra;", 0x40200000, 0, 0, 3},
    {'r', -1, "cvt.rzi.s32.f32 %rd, %ra;", F_INF, 0, 0, 0x7fffffff},
    {'r', -1, "cvt.rzi.s32.f32 %rd, %ra;", F_NEG_INF, 0, 0, 0x80000000},
    {'r', -1, "cvt.rzi.s32.f32 %rd, %ra;", F_NAN, 0, 0, 0},
    {'r', -1, "cvt.rzi.u32.f32 %rd, %ra;", F_NEG_ONE, 0, 0, 0},
    {'r', -1, "cvt.rzi.u32.f32 %rd, %ra;", 0x4f800000, 0, 0, 0xffffffff}, /* 2^32 */
    {'r', -1, "cvt.rpi.ftz.u32.f32 %rd, %ra;", F_TINY, 0, 0, 0},
    {'r', -1, "cvt.rpi.u32.f32 %rd, %ra;", F_TINY, 0, 0, 1},
    {'l', -1, "cvt.rzi.s64.f32 %ld, %ra;", F_NAN, 0, 0, 0x8000000000000000},
    {'l', -1, "cvt.rzi.u64.f64 %ld, %la;", 0x43f0000000000000, 0, 0, UINT64_MAX}, /* 2^64 */
    {'l', -1, "cvt.rzi.u64.f64 %ld, %la;", 0x43e0000000000000, 0, 0, 1ull << 63},
    {'l', -1, "cvt.rzi.s64.f64 %ld, %la;", 0x43e0000000000000, 0, 0, 0x7fffffffffffffff},
    {'r', -1, "cvt.rzi.s32.f64 %rd, %la;", D_NAN, 0, 0, 0x80000000},
    {'h', -1, "cvt.rzi.u16.f32 %hd, %ra;", 0x47800000, 0, 0, 0xffff},    /* 65536 */
    {'r', -1, "cvt.rzi.s8.f32 %rd, %ra;", 0xc3480000, 0, 0, 0xffffff80}, /* -200 */
    {'r', -1, "cvt.rni.s32.f16 %rd, %ha;", 0x4100, 0, 0, 2},             /* 2.5 */
    /* integer to float */
    {'r', -1, "cvt.rn.f32.s32 %rd, %ra;", 0xffffffff, 0, 0, F_NEG_ONE},
    {'r', -1, "cvt.rn.f32.u32 %rd, %ra;", 0xffffffff, 0, 0, 0x4f800000},
    {'r', -1, "cvt.rz.f32.u32 %rd, %ra;", 0xffffffff, 0, 0, 0x4f7fffff},
    {'r', -1, "cvt.rn.f32.s32 %rd, %ra;", 0x01000001, 0, 0,
     0x4b800000}, /* 2^24 + 1: a tie to even */
    {'r', -1, "cvt.rp.f32.s32 %rd, %ra;", 0x01000001, 0, 0, 0x4b800001},
    {'r', -1, "cvt.rn.f32.u64 %rd, %la;", UINT64_MAX, 0, 0, 0x5f800000},
    {'r', -1, "cvt.rm.f32.s64 %rd, %la;", UINT64_MAX, 0, 0, F_NEG_ONE},
    {'r', -1, "cvt.rn.f32.u8 %rd, %ra;", 0x1ff, 0, 0, 0x437f0000},
    {'r', -1, "cvt.rn.f32.u16 %rd, %ha;", 0xffff, 0, 0, 0x477fff00},
    {'l', -1, "cvt.rn.f64.s32 %ld, %ra;", 0x80000000, 0, 0, 0xc1e0000000000000},
    {'l', -1, "cvt.rn.f64.u64 %ld, %la;", UINT64_MAX, 0, 0, 0x43f0000000000000},
    {'l', -1, "cvt.rz.f64.u64 %ld, %la;", UINT64_MAX, 0, 0, 0x43efffffffffffff},
    {'h', -1, "cvt.rn.f16.s32 %hd, %ra;", 100000, 0, 0, 0x7c00},
    {'h', -1, "cvt.rz.f16.s32 %hd, %ra;", 100000, 0, 0, 0x7bff},
    /* float to float */
    {'r', -1, "cvt.rn.f32.f64 %rd, %la;", 0x3ff0000010000000, 0, 0, F_ONE}, /* 1 + 2^-24: a tie */
    {'r', -1, "cvt.rp.f32.f64 %rd, %la;", 0x3ff0000010000000, 0, 0, 0x3f800001},
    {'r', -1, "cvt.rn.f32.f64 %rd, %la;", D_MAX, 0, 0, F_INF},
    {'r', -1, "cvt.rz.f32.f64 %rd, %la;", D_MAX, 0, 0, F_MAX},
    {'r', -1, "cvt.rn.f32.f64 %rd, %la;", D_NAN, 0, 0, F_CANONICAL},
    {'r', -1, "cvt.rn.ftz.f32.f64 %rd, %la;", 0x3800000000000000, 0, 0, 0}, /* 2^-127 */
    {'l', -1, "cvt.f64.f32 %ld, %ra;", F_TINY, 0, 0, 0x36a0000000000000},   /* 2^-149 */
    {'l', -1, "cvt.f64.f32 %ld, %ra;", F_NEG_INF, 0, 0, 0xfff0000000000000},
    {'r', -1, "cvt.sat.f32.f32 %rd, %ra;", F_TWO, 0, 0, F_ONE},
    {'r', -1, "cvt.sat.f32.f32 %rd, %ra;", F_NAN, 0, 0, 0},
    {'r', -1, "cvt.sat.f32.f32 %rd, %ra;", F_NEG_ONE, 0, 0, 0},
    {'r', -1, "cvt.rni.f32.f32 %rd, %ra;", 0x40200000, 0, 0, F_TWO},
    {'r', -1, "cvt.rmi.f32.f32 %rd, %ra;", 0xbf000000, 0, 0, F_NEG_ONE},
    {'r', -1, "cvt.rpi.f32.f32 %rd, %ra;", 0xbf000000, 0, 0, F_NEG_ZERO},
    {'r', -1, "cvt.rzi.f32.f32 %rd, %ra;", 0xbfc00000, 0, 0, F_NEG_ONE},
    {'l', -1, "cvt.rni.f64.f64 %ld, %la;", 0x4004000000000000, 0, 0, D_TWO},
    {'h', -1, "cvt.rn.f16.f32 %hd, %ra;", F_ONE, 0, 0, 0x3c00},
    {'h', -1, "cvt.rn.f16.f32 %hd, %ra;", 0x477ff000, 0, 0,
     0x7c00}, /* 65520 rounds past the largest */
    {'h', -1, "cvt.rz.f16.f32 %hd, %ra;", 0x477ff000, 0, 0, 0x7bff},
    {'h', -1, "cvt.rn.f16.f32 %hd, %ra;", 0x33800000, 0, 0, 0x0001}, /* 2^-24 */
    {'h', -1, "cvt.rn.relu.f16.f32 %hd, %ra;", F_NEG_ONE, 0, 0, 0},
    {'h', -1, "cvt.rn.f16.f32 %hd, %ra;", F_NAN, 0, 0, 0x7fff},
    {'r', -1, "cvt.f32.f16 %rd, %ha;", 0x0001, 0, 0, 0x33800000},
    {'r', -1, "cvt.f32.f16 %rd, %ha;", 0xfc00, 0, 0, F_NEG_INF},
    {'r', -1, "cvt.f32.bf16 %rd, %ha;", 0x3f80, 0, 0, F_ONE},
    {'h', -1, "cvt.rz.bf16.f32 %hd, %ra;", 0x3fffffff, 0, 0, 0x3fff},
    {'h', -1, "cvt.rn.bf16.f32 %hd, %ra;", 0x3f808000, 0, 0, 0x3f80}, /* a tie to even */
    {'h', -1, "cvt.rn.bf16.f32 %hd, %ra;", 0x3f818000, 0, 0, 0x3f82},
    {'h', -1, "cvt.rn.bf16.f32 %hd, %ra;", 0x3f808001, 0, 0, 0x3f81},
    {'h', -1, "cvt.rn.bf16.f32 %hd, %ra;", F_MAX, 0, 0, 0x7f80},
    {'h', -1, "cvt.rn.bf16.f32 %hd, %ra;", F_NAN, 0, 0, 0x7fff},
    {'h', -1, "cvt.rn.bf16.f32 %hd, %ra;", F_NEG_INF, 0, 0, 0xff80},
    {'h', -1, "cvt.rn.bf16.f32 %hd, %ra;", F_NEG_ZERO, 0, 0, 0x8000},
    {'r', -1, "cvt.rn.bf16x2.f32 %rd, %ra, %rb;", F_ONE, F_TWO, 0, 0x3f804000},
    {'r', -1, "cvt.rz.bf16x2.f32 %rd, %ra, %rb;", 0x3fffffff, F_NAN, 0, 0x3fff7fff},
    {'r', -1, "cvt.rn.relu.bf16x2.f32 %rd, %ra, %rb;", F_NEG_ONE, F_TWO, 0, 0x00004000},
    {'r', -1, "cvt.rn.f16x2.f32 %rd, %ra, %rb;", F_ONE, F_TWO, 0, 0x3c004000},
    {'r', -1, "cvt.rna.tf32.f32 %rd, %ra;", 0x3f801000, 0, 0,
     0x3f802000}, /* a tie away from zero */
    {'r', -1, "cvt.rna.tf32.f32 %rd, %ra;", 0x3f800fff, 0, 0, 0x3f800000},
    {'r', -1, "cvt.rn.tf32.f32 %rd, %ra;", 0x3f801000, 0, 0, 0x3f800000},
    /* addresses: to generic and back is the same; spaces tell themselves apart */
    {'r', -1,
     "setp.eq.u32 %pe, %lane, 0; @%pe st.shared.u32 [sh], %ra; bar.sync 0; mov.u64 %ld, sh; "
     "cvta.shared.u64 %ld, %ld; ld.u32 %rd, [%ld];"
     " bar.sync 0;",
     7, 0, 0, 7},
    {'l', -1,
     "mov.u64 %la, lo; cvta.local.u64 %lb, %la; cvta.to.local.u64 %lb, %lb; sub.s64 %ld, %la, %lb;",
     0, 0, 0, 0},
    {'l', -1, "cvta.to.global.u64 %ld, %mem; sub.s64 %ld, %ld, %mem;", 0, 0, 0, 0},
    {'p', -1, "isspacep.global %pd, %mem;", 0, 0, 0, 1},
    {'p', -1, "isspacep.shared %pd, %mem;", 0, 0, 0, 0},
    {'p', -1, "mov.u64 %la, sh; cvta.shared.u64 %la, %la; isspacep.shared %pd, %la;", 0, 0, 0, 1},
    {'p', -1, "mov.u64 %la, lo; cvta.local.u64 %la, %la; isspacep.local %pd, %la;", 0, 0, 0, 1},
};

GOLDEN_ROWS(golden_conversions, rows)
