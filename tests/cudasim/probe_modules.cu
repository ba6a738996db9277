/* For test_modules.c:
 *
 *   probe_modules plugin FILE            opens FILE, adds 2 and 3 to its counter, closes it; all of it twice
 *   probe_modules shared BYTES           opts in to BYTES of dynamic shared memory and launches with them
 *   probe_modules threads N              launches N threads of a kernel
 *   probe_modules occupancy N BYTES      blocks a multiprocessor of N threads and BYTES of dynamic shared memory */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cuda_runtime.h>

/* Turns a block's values round; a toy. extern "C": CUDASIM_REGISTERS names it. */
extern "C" __global__ void __launch_bounds__(1024) turn_round(float *x) {
    extern __shared__ float staged[];
    staged[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    x[threadIdx.x] = staged[blockDim.x - 1 - threadIdx.x];
}

static const char *name_of(cudaError_t error) {
    return cudaGetErrorName(error);
}

static int open_plugin(const char *path) {
    for (int i = 0; i < 2; i++) {
        void *file = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        if (!file) {
            printf("%s\n", dlerror());
            return 1;
        }
        int (*add)(int) = (int (*)(int))dlsym(file, "toy_plugin_add");
        int first = add(2), second = add(3);
        printf("counted %d, %d\n", first, second);
        dlclose(file);
    }
    return 0;
}

static cudaError_t launch(int n_threads, size_t shared_bytes) {
    float *x = NULL;
    cudaMalloc((void **)&x, 1024 * sizeof *x);
    cudaMemset(x, 0, 1024 * sizeof *x);
    turn_round<<<1, n_threads, shared_bytes, cudaStreamLegacy>>>(x);
    cudaError_t error = cudaGetLastError();
    cudaDeviceSynchronize();
    cudaFree(x);
    return error;
}

int main(int argc, char **argv) {
    const char *what = argc > 2 ? argv[1] : "";
    const void *kernel = (const void *)turn_round;
    if (strcmp(what, "plugin") == 0)
        return open_plugin(argv[2]);
    size_t number = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
    if (strcmp(what, "shared") == 0) {
        cudaError_t error =
            cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)number);
        printf("opt in %s\n", name_of(error));
        printf("launch %s\n", name_of(launch(32, number)));
    } else if (strcmp(what, "threads") == 0) {
        printf("launch %s\n", name_of(launch((int)number, 4096)));
    } else if (strcmp(what, "occupancy") == 0 && argc > 3) {
        int n_blocks = -1;
        cudaOccupancyMaxActiveBlocksPerMultiprocessor(&n_blocks, kernel, (int)number,
                                                      strtoull(argv[3], NULL, 10));
        printf("blocks %d\n", n_blocks);
    } else {
        return 2;
    }
    return 0;
}
