/* Golden values of instructions: what the text of the PTX ISA says about one instruction for one set of operands.
 * None was taken from the engine. */
#ifndef TY_CUDASIM_GOLDEN_H
#define TY_CUDASIM_GOLDEN_H

#include <stddef.h>
#include <stdint.h>

/* body is PTX with these registers, in the 16-, 32- and 64-bit form of each operand:
 *   %ha %hb %hc, %ra %rb %rc, %la %lb %lc   the operands' low bits     %pa %pb %pc   their bit 0
 *   %hd, %rd, %ld, %pd                      the result                 %pe           another predicate
 *   %lane   the lane's number               %mem   the address of 64 bytes of its own in global memory
 *   sh, lo  256 shared bytes, 64 local ones %out   where the result goes
 * result says which one is compared: h, r, l, p, or n where body stores to %out itself. */
typedef struct golden {
    char result;
    int8_t lane; /* compared; -1: all */
    const char *body;
    uint64_t a, b, c;
    uint64_t want;
} golden;

/* The rows of one subject. */
const golden *golden_integers(size_t *n);
const golden *golden_bits(size_t *n);
const golden *golden_floats(size_t *n);
const golden *golden_halves(size_t *n);
const golden *golden_compares(size_t *n);
const golden *golden_conversions(size_t *n);
const golden *golden_memory(size_t *n);
const golden *golden_warps(size_t *n);

#define GOLDEN_ROWS(name, rows)                                                                    \
    const golden *name(size_t *n) {                                                                \
        *n = sizeof rows / sizeof *rows;                                                           \
        return rows;                                                                               \
    }

/* Bits of floats that rows often need. */
#define F_ZERO 0x00000000u
#define F_NEG_ZERO 0x80000000u
#define F_ONE 0x3f800000u
#define F_NEG_ONE 0xbf800000u
#define F_TWO 0x40000000u
#define F_THREE 0x40400000u
#define F_HALF 0x3f000000u
#define F_INF 0x7f800000u
#define F_NEG_INF 0xff800000u
#define F_NAN 0x7fc00001u       /* some NaN */
#define F_CANONICAL 0x7fffffffu /* the one that f32 instructions return */
#define F_MAX 0x7f7fffffu
#define F_TINY 0x00000001u   /* the smallest subnormal */
#define F_NORMAL 0x00800000u /* the smallest normal number */
#define D_ONE 0x3ff0000000000000ull
#define D_NEG_ONE 0xbff0000000000000ull
#define D_TWO 0x4000000000000000ull
#define D_THREE 0x4008000000000000ull
#define D_HALF 0x3fe0000000000000ull
#define D_INF 0x7ff0000000000000ull
#define D_NAN 0x7ff8000000000000ull
#define D_NEG_ZERO 0x8000000000000000ull
#define D_TINY 0x0000000000000001ull
#define D_MAX 0x7fefffffffffffffull

#endif
