/* What all loops share: the promise that iterations don't depend on each other, and sums over 16
 * fixed partial sums. LOOPS_BYTES is the width of the level's vector registers. */
#ifndef TY_KERNELS_LOOPS_LANES_H
#define TY_KERNELS_LOOPS_LANES_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/* Before a loop whose iterations are independent although its pointers may be equal. */
#ifdef __clang__
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define INDEPENDENT _Pragma("GCC ivdep")
#endif

/* For a buffer that is filled before it is read: the build zeroes all others, and 4 KB cost more
 * than a short row. */
#define UNINITIALIZED __attribute__((uninitialized))

enum { N_LANES = 16, N_WIDE = LOOPS_BYTES / 8, N_REGISTERS = N_LANES / N_WIDE };

typedef double wide_doubles __attribute__((vector_size(LOOPS_BYTES)));
typedef uint64_t wide_words __attribute__((vector_size(LOOPS_BYTES)));
typedef float half_floats __attribute__((vector_size(LOOPS_BYTES / 2)));

/* 16 partial sums in double, in as many registers as they take. */
typedef struct lanes {
    wide_doubles part[N_REGISTERS];
} lanes;

/* The 16 numbers at x in double. */
static inline lanes lanes_of(const float *x) {
    lanes wide;
    for (int r = 0; r < N_REGISTERS; r++) {
        half_floats narrow;
        memcpy(&narrow, x + r * N_WIDE, sizeof narrow);
        wide.part[r] = __builtin_convertvector(narrow, wide_doubles);
    }
    return wide;
}

static inline void lanes_add(lanes *sum, lanes x) {
    for (int r = 0; r < N_REGISTERS; r++)
        sum->part[r] += x.part[r];
}

static inline void lanes_add_squares(lanes *sum, lanes x) {
    for (int r = 0; r < N_REGISTERS; r++)
        sum->part[r] += x.part[r] * x.part[r];
}

/* ((0 + 8) + (4 + 12)) + ...: the same tree whatever the registers are. */
static inline double lanes_total(const lanes *sum) {
    double lane[N_LANES];
    memcpy(lane, sum, sizeof lane);
    for (int width = N_LANES / 2; width > 0; width /= 2)
        for (int j = 0; j < width; j++)
            lane[j] += lane[j + width];
    return lane[0];
}

/* The `left` < 16 numbers at x, then padding. */
static inline void load_rest(float rest[N_LANES], const float *x, int64_t left, float padding) {
    for (int j = 0; j < N_LANES; j++)
        rest[j] = j < left ? x[j] : padding;
}

#endif
