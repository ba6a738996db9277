/* PTX ISA 9.7.4: half precision and bf16, alone and in pairs. f16: 1 is 0x3c00, 2 0x4000, 3 0x4200, the largest 65504
 * 0x7bff, infinity 0x7c00; bf16: the upper half of a float. NaN is 0x7fff. */
#include "tests/cudasim/golden.h"

static const golden rows[] = {
    {'h', -1, "add.f16 %hd, %ha, %hb;", 0x3c00, 0x4000, 0, 0x4200},
    {'h', -1, "add.rn.f16 %hd, %ha, %hb;", 0x3c00, 0x1000, 0,
     0x3c00}, /* 1 + 2^-11: a tie to even */
    {'h', -1, "add.f16 %hd, %ha, %hb;", 0x7bff, 0x7bff, 0, 0x7c00},
    {'h', -1, "add.f16 %hd, %ha, %hb;", 0x7c00, 0xfc00, 0, 0x7fff},
    {'h', -1, "add.f16 %hd, %ha, %hb;", 0x0001, 0x0001, 0, 0x0002},
    {'h', -1, "add.ftz.f16 %hd, %ha, %hb;", 0x0001, 0x0001, 0, 0x0000},
    {'h', -1, "add.sat.f16 %hd, %ha, %hb;", 0x3c00, 0x3c00, 0, 0x3c00},
    {'r', -1, "add.f16x2 %rd, %ra, %rb;", 0x3c004000, 0x40003c00, 0, 0x42004200},
    {'h', -1, "add.bf16 %hd, %ha, %hb;", 0x3f80, 0x4000, 0, 0x4040},
    {'h', -1, "sub.f16 %hd, %ha, %hb;", 0x4200, 0x4000, 0, 0x3c00},
    {'r', -1, "sub.bf16x2 %rd, %ra, %rb;", 0x40403f80, 0x40003f80, 0, 0x3f800000},
    {'h', -1, "mul.f16 %hd, %ha, %hb;", 0x4200, 0x3800, 0, 0x3e00},
    {'h', -1, "mul.f16 %hd, %ha, %hb;", 0x0001, 0x3800, 0, 0x0000}, /* 2^-25: a tie to even */
    {'r', -1, "mul.bf16x2 %rd, %ra, %rb;", 0x40403f80, 0x40003f00, 0, 0x40c03f00},
    {'h', -1, "fma.rn.f16 %hd, %ha, %hb, %hc;", 0x4000, 0x4200, 0xbc00, 0x4500},
    {'h', -1, "fma.rn.relu.f16 %hd, %ha, %hb, %hc;", 0x3c00, 0xc000, 0x3c00, 0x0000},
    {'h', -1, "fma.rn.bf16 %hd, %ha, %hb, %hc;", 0x3f80, 0x4000, 0x3f80, 0x4040},
    /* 1.0078125^2 = 1.01568603515625; less 1 it is halfway between two values of bf16: a tie to even, 2^-6 */
    {'h', -1, "fma.rn.bf16 %hd, %ha, %hb, %hc;", 0x3f81, 0x3f81, 0xbf80, 0x3c80},
    {'r', -1, "fma.rn.bf16x2 %rd, %ra, %rb, %rc;", 0x40003f80, 0x40004000, 0x3f803f80, 0x40a04040},
    {'h', -1, "min.f16 %hd, %ha, %hb;", 0x7e00, 0x3c00, 0, 0x3c00},
    {'h', -1, "min.NaN.f16 %hd, %ha, %hb;", 0x7e00, 0x3c00, 0, 0x7fff},
    {'h', -1, "min.bf16 %hd, %ha, %hb;", 0x0000, 0x8000, 0, 0x8000},
    {'h', -1, "max.bf16 %hd, %ha, %hb;", 0x7fc0, 0xbf80, 0, 0xbf80},
    {'r', -1, "max.NaN.bf16x2 %rd, %ra, %rb;", 0x7fc03f80, 0x3f804000, 0, 0x7fff4000},
    {'h', -1, "neg.f16 %hd, %ha;", 0x3c00, 0, 0, 0xbc00},
    {'r', -1, "neg.bf16x2 %rd, %ra;", 0x3f80bf80, 0, 0, 0xbf803f80},
    {'h', -1, "abs.bf16 %hd, %ha;", 0xbf80, 0, 0, 0x3f80},
    {'h', -1, "ex2.approx.f16 %hd, %ha;", 0x4200, 0, 0, 0x4800},
    {'h', -1, "ex2.approx.ftz.bf16 %hd, %ha;", 0xff80, 0, 0, 0x0000},
    {'h', -1, "tanh.approx.f16 %hd, %ha;", 0x7c00, 0, 0, 0x3c00},
    {'r', -1, "tanh.approx.bf16x2 %rd, %ra;", 0xff808000, 0, 0, 0xbf808000},
};

GOLDEN_ROWS(golden_halves, rows)
