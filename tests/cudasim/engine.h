/* Runs PTX kernels: what the runtime half of the simulator sees of the engine.
 *
 * A module is decoded once into functions over registers that are arrays of 32 lanes. A launch runs its blocks one
 * after another in the order of the schedule, the warps of a block in turns, the lanes of a warp from their lowest
 * program counter up, and checks each access (cs_sim.options.checks). All findings go to cs_report, with the .cu line
 * that the compiler noted. */
#ifndef TY_CUDASIM_ENGINE_H
#define TY_CUDASIM_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct cs_module cs_module;
typedef struct cs_kernel cs_kernel;

/* Parses and decodes a module for `device` (its variables live there) and gives each its first value. Errors: NULL,
 * and `error` says what: the line of the text that is not PTX, or the instruction that is not modelled with its place
 * in the source. */
cs_module *cs_module_load(int device, const char *ptx, size_t n, char *error, size_t room);
/* Also ends the module's variables' memory. */
void cs_module_unload(cs_module *module);

/* NULL: the module has no such entry. Lives as long as the module. */
const cs_kernel *cs_module_kernel(const cs_module *module, const char *name);
/* A __device__ or __constant__ variable; false: none of that name. */
bool cs_module_symbol(const cs_module *module, const char *name, uint64_t *address, size_t *bytes);

/* The sizes and offsets of a kernel's parameters in its parameter block. Returns their number. */
size_t cs_kernel_params(const cs_kernel *kernel, const uint32_t **sizes, const uint32_t **offsets);

typedef struct cs_kernel_info {
    const char *name;
    uint32_t param_bytes;
    uint32_t static_shared; /* bytes, as the hardware would lay them out */
    uint32_t local_bytes;   /* a thread */
    uint32_t max_threads;   /* __launch_bounds__; 0: not said */
    uint32_t min_blocks;    /* __launch_bounds__'s second; 0: not said */
    uint32_t required[3];   /* .reqntid; 0: not said */
} cs_kernel_info;
cs_kernel_info cs_kernel_describe(const cs_kernel *kernel);

typedef struct cs_launch {
    const cs_kernel *kernel;
    uint32_t grid[3], block[3];
    uint32_t dynamic_shared; /* bytes */
    const uint8_t *params;   /* param_bytes of them */
    uint64_t launch_id;      /* seeds the order of its warps together with the process's seed */
} cs_launch;

/* Runs a launch to its end. Limits of launches were checked by the caller. Returns false after a trap or a failed
 * assertion on the device, which ends the launch. */
bool cs_launch_run(const cs_launch *launch);

#endif
