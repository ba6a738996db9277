/* What a device and a kernel allow of a launch, and how many blocks fit a multiprocessor. */
#ifndef TY_CUDASIM_LAUNCH_LIMITS_H
#define TY_CUDASIM_LAUNCH_LIMITS_H

#include <stddef.h>

#include "cuda_api.h"

#include "fatbin.h"

typedef struct cs_launch_request {
    dim3 grid, block;
    size_t dynamic_shared;
    cudaStream_t stream;
    int device;
} cs_launch_request;

/* 0, or the cudaError that the launch fails with, which is reported too. */
int cs_limits_check(const cs_function *function, const cs_kernel *kernel,
                    const cs_launch_request *request);

/* Resident blocks of n_threads each on one multiprocessor. */
int cs_limits_occupancy(const cs_function *function, const cs_kernel *kernel, int n_threads,
                        size_t dynamic_shared);

/* Dynamic shared memory that the function may be given on a device. */
size_t cs_limits_dynamic_shared(const cs_function *function, const cs_kernel *kernel, int device);

#endif
