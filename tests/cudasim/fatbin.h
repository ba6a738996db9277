/* What nvcc's start-up code registers: fat binaries, kernels by the address of their host stub, variables by the
 * address of their host shadow. A binary's PTX becomes a module a device when it is first needed. */
#ifndef TY_CUDASIM_FATBIN_H
#define TY_CUDASIM_FATBIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine.h"
#include "sim.h"

typedef struct cs_binary cs_binary;

/* A kernel as registered; cudaKernel_t handles point to these. */
typedef struct cs_function {
    cs_binary *binary;
    const void *stub; /* the host function that programs name it by */
    char *name;       /* mangled */
    int dynamic_shared_max
        [CS_MAX_DEVICES]; /* cudaFuncAttributeMaxDynamicSharedMemorySize; -1: not set */
    int n_registers; /* a thread, from the machine code beside the PTX or CUDASIM_REGISTERS; 0: unknown */
    int ptx_capability; /* of the PTX chosen; 0 until a module was loaded */
    struct cs_function *next;
} cs_function;

/* NULL: nothing registered that stub. A cudaKernel_t is accepted as well, as CUDA does. */
cs_function *cs_function_of(const void *stub);

/* The kernel on a device; loads the module. A module that cannot be loaded ends the process (CS_UNKNOWN). */
const cs_kernel *cs_function_kernel(const cs_function *function, int device);

/* Where a registered variable lies on the current device; false: nothing registered it. */
bool cs_variable_of(const void *host, uint64_t *address, size_t *bytes);

/* Picks the PTX with the highest compute capability <= wanted (80, 90, ...) out of a fat binary's bytes: its place and
 * length, its capability in *chosen. Where there is only newer PTX, but machine code for wanted, the oldest PTX. NULL:
 * error says why. Exposed for its test. */
const char *cs_fatbin_ptx(const uint8_t *bytes, int wanted, size_t *n, int *chosen, char *error,
                          size_t room);

/* The machine code (an ELF image) for the same major capability, the highest <= wanted; NULL: none. */
const uint8_t *cs_fatbin_cubin(const uint8_t *bytes, int wanted, size_t *n);

/* Registers a thread that a kernel of a cubin takes; 0: it is not in there. */
int cs_cubin_registers(const uint8_t *cubin, size_t n, const char *kernel);

#endif
