/* The GPUs that the simulator can be: limits from NVIDIA's tables of compute capabilities, the rest from the boards'
 * data sheets. */
#ifndef TY_CUDASIM_PROFILE_H
#define TY_CUDASIM_PROFILE_H

#include <stddef.h>

typedef struct cs_profile {
    const char *key;  /* CUDASIM_PROFILE */
    const char *name; /* as cudaDeviceProp has it */
    int major, minor;
    int n_multiprocessors;
    size_t memory_bytes;
    size_t shared_per_block; /* without opting in */
    size_t shared_opt_in;    /* with cudaFuncAttributeMaxDynamicSharedMemorySize */
    size_t shared_per_sm;
    size_t shared_reserved; /* per block, by the driver */
    int registers_per_block, registers_per_sm;
    int threads_per_block, threads_per_sm, blocks_per_sm;
    int block_max[3];
    int grid_max[3];
    int l2_bytes;
    int clock_khz, memory_clock_khz, memory_bus_bits;
    int n_copy_engines;
    int fp64_ratio; /* fp32 rate over fp64 rate */
} cs_profile;

/* NULL: there is none of that name. */
const cs_profile *cs_profile_find(const char *key);

/* The names there are, as a message can list them. */
const char *cs_profile_names(void);

#endif
