#include "profile.h"

#include <limits.h>
#include <string.h>

#define KIB ((size_t)1024)
#define MIB (KIB * 1024)

static const cs_profile profiles[] = {
    {
        .key = "t4",
        .name = "Tesla T4",
        .major = 7,
        .minor = 5,
        .n_multiprocessors = 40,
        .memory_bytes = 15095 * MIB,
        .shared_per_block = 48 * KIB,
        .shared_opt_in = 64 * KIB,
        .shared_per_sm = 64 * KIB,
        .shared_reserved = 0,
        .registers_per_block = 65536,
        .registers_per_sm = 65536,
        .threads_per_block = 1024,
        .threads_per_sm = 1024,
        .blocks_per_sm = 16,
        .block_max = {1024, 1024, 64},
        .grid_max = {INT_MAX, 65535, 65535},
        .l2_bytes = (int)(4 * MIB),
        .clock_khz = 1590000,
        .memory_clock_khz = 5001000,
        .memory_bus_bits = 256,
        .n_copy_engines = 3,
        .fp64_ratio = 32,
    },
    {
        .key = "a100",
        .name = "NVIDIA A100-SXM4-80GB",
        .major = 8,
        .minor = 0,
        .n_multiprocessors = 108,
        .memory_bytes = 81154 * MIB,
        .shared_per_block = 48 * KIB,
        .shared_opt_in = 163 * KIB,
        .shared_per_sm = 164 * KIB,
        .shared_reserved = 1 * KIB,
        .registers_per_block = 65536,
        .registers_per_sm = 65536,
        .threads_per_block = 1024,
        .threads_per_sm = 2048,
        .blocks_per_sm = 32,
        .block_max = {1024, 1024, 64},
        .grid_max = {INT_MAX, 65535, 65535},
        .l2_bytes = (int)(40 * MIB),
        .clock_khz = 1410000,
        .memory_clock_khz = 1593000,
        .memory_bus_bits = 5120,
        .n_copy_engines = 3,
        .fp64_ratio = 2,
    },
    {
        .key = "h100",
        .name = "NVIDIA H100 80GB HBM3",
        .major = 9,
        .minor = 0,
        .n_multiprocessors = 132,
        .memory_bytes = 81079 * MIB,
        .shared_per_block = 48 * KIB,
        .shared_opt_in = 227 * KIB,
        .shared_per_sm = 228 * KIB,
        .shared_reserved = 1 * KIB,
        .registers_per_block = 65536,
        .registers_per_sm = 65536,
        .threads_per_block = 1024,
        .threads_per_sm = 2048,
        .blocks_per_sm = 32,
        .block_max = {1024, 1024, 64},
        .grid_max = {INT_MAX, 65535, 65535},
        .l2_bytes = (int)(50 * MIB),
        .clock_khz = 1980000,
        .memory_clock_khz = 2619000,
        .memory_bus_bits = 5120,
        .n_copy_engines = 3,
        .fp64_ratio = 2,
    },
};

const cs_profile *cs_profile_find(const char *key) {
    for (size_t i = 0; i < sizeof profiles / sizeof *profiles; i++)
        if (strcmp(profiles[i].key, key) == 0)
            return &profiles[i];
    return NULL;
}

const char *cs_profile_names(void) {
    return "t4, a100, h100";
}
