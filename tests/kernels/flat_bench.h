/* What the tests of flat kernels share: one device, and its memory between guard words. They run on
 * every device present: main() gives flat_run_tests its table. On a GPU they run once more without
 * guards, so that the simulator sees what is read beyond the data. */
#ifndef TY_TESTS_FLAT_BENCH_H
#define TY_TESTS_FLAT_BENCH_H

#include "op_harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FLAT_MAX_BLOCKS = 32, FLAT_GUARD = 256 /* bytes, so that data keep the alignment */ };

typedef struct flat_block {
    char *memory; /* on the device: guard, data, guard */
    size_t bytes;
} flat_block;

typedef struct flat_bench {
    ty_ctx ctx;
    ty_device *dev;
    size_t guard; /* bytes on either side of data, FLAT_GUARD or 0 */
    flat_block blocks[FLAT_MAX_BLOCKS];
    int n_blocks;
} flat_bench;

/* Runs the group on the CPU and, where there is one, on the GPU (or on TY_TEST_DEVICE alone); the
 * others on that device, where it is wanted and there. Answers how many failed. */
int flat_run_tests(const char *name, const struct CMUnitTest *tests, size_t n);
int flat_run_cpu_tests(const char *name, const struct CMUnitTest *tests, size_t n);
int flat_run_gpu_tests(const char *name, const struct CMUnitTest *tests, size_t n);

/* A copy of host on the device, freed after the test. */
void *flat_put(flat_bench *b, const void *host, size_t bytes);
/* New contents for a flat_put pointer. */
void flat_set(flat_bench *b, void *device, const void *host, size_t bytes);
/* Waits and copies out; no guard byte of any block may have changed. device lies inside a block. */
void flat_get(flat_bench *b, void *host, const void *device, size_t bytes);
/* Frees what was put so far, for tests that go through many sizes. */
void flat_free(flat_bench *b);

/* Standard normal, a function of both numbers. */
float flat_number(uint64_t stream, int64_t i);

/* The upper half of a float, rounded to the nearest, ties to even. */
uint16_t flat_bf16(float value);

/* Segments one behind the other at multiples of 16; answers how many elements they span. */
int64_t flat_lay_out(ty_segment *segments, int n_segments);

#define flat_tests(name, tests) flat_run_tests(name, tests, sizeof(tests) / sizeof(tests)[0])
#define flat_cpu_tests(name, tests)                                                                \
    flat_run_cpu_tests(name, tests, sizeof(tests) / sizeof(tests)[0])
#define flat_gpu_tests(name, tests)                                                                \
    flat_run_gpu_tests(name, tests, sizeof(tests) / sizeof(tests)[0])

#endif
