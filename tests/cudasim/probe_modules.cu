/* For test_modules.c:
 *
 *   probe_modules plugin FILE            opens FILE, adds 2 and 3 to its counter, closes it; all of it twice
 *   probe_modules shared BYTES           opts in to BYTES of dynamic shared memory and launches with them
 *   probe_modules symbols -              writes a variable and reads it back, by every way there is
 *   probe_modules launches -             turns values round by both functions that launch
 *   probe_modules attributes -           what the runtime says of a kernel
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

__device__ int numbers[4];

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

static int go_through_symbols(void) {
    int in[4] = {1, 2, 3, 4}, out[4] = {0};
    void *address = NULL;
    size_t bytes = 0;
    cudaError_t errors[6];
    errors[0] = cudaMemcpyToSymbol(numbers, in, sizeof in, 0, cudaMemcpyHostToDevice);
    errors[1] =
        cudaMemcpyToSymbolAsync(numbers, in, 4, 12, cudaMemcpyHostToDevice, cudaStreamLegacy);
    errors[2] = cudaMemcpyFromSymbol(out, numbers, 12, 4, cudaMemcpyDeviceToHost);
    printf("%d %d %d\n", out[0], out[1], out[2]);
    errors[3] = cudaGetSymbolAddress(&address, numbers);
    errors[4] = cudaGetSymbolSize(&bytes, numbers);
    errors[5] = cudaMemcpy(out, address, bytes, cudaMemcpyDeviceToHost);
    printf("%d %d, %zu bytes\n", out[0], out[3], bytes);
    for (int i = 0; i < 6; i++)
        if (errors[i] != cudaSuccess)
            return 8;
    return 0;
}

/* As C does it, without <<<>>>. */
static int launch_by_function(void) {
    float in[4] = {1, 2, 3, 4}, once[4], twice[4];
    float *x = NULL;
    void *arguments[] = {&x};
    cudaLaunchConfig_t config = {};
    config.gridDim = dim3(1);
    config.blockDim = dim3(4);
    config.dynamicSmemBytes = sizeof in;
    cudaMalloc((void **)&x, sizeof in);
    cudaMemcpy(x, in, sizeof in, cudaMemcpyHostToDevice);
    cudaError_t first = cudaLaunchKernel((const void *)turn_round, dim3(1), dim3(4), arguments,
                                         sizeof in, cudaStreamLegacy);
    cudaMemcpy(once, x, sizeof once, cudaMemcpyDeviceToHost);
    cudaError_t second = cudaLaunchKernelExC(&config, (const void *)turn_round, arguments);
    cudaMemcpy(twice, x, sizeof twice, cudaMemcpyDeviceToHost);
    cudaFree(x);
    printf("%g %g, %g %g\n", (double)once[0], (double)once[3], (double)twice[0], (double)twice[3]);
    return first == cudaSuccess && second == cudaSuccess ? 0 : 8;
}

static int ask_attributes(void) {
    struct cudaFuncAttributes is;
    int n_blocks = -1;
    const void *kernel = (const void *)turn_round;
    cudaError_t error = cudaFuncGetAttributes(&is, kernel);
    if (error == cudaSuccess)
        error = cudaFuncSetAttribute(kernel, cudaFuncAttributePreferredSharedMemoryCarveout, 50);
    if (error == cudaSuccess)
        error = cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(&n_blocks, kernel, 512, 0,
                                                                       cudaOccupancyDefault);
    if (error != cudaSuccess)
        return 8;
    printf("threads %d dynamic %d ptx %d blocks %d registers %s\n", is.maxThreadsPerBlock,
           is.maxDynamicSharedSizeBytes, is.ptxVersion, n_blocks,
           is.numRegs > 0 && is.numRegs <= 255 ? "counted" : "unknown");
    return 0;
}

int main(int argc, char **argv) {
    const char *what = argc > 2 ? argv[1] : "";
    const void *kernel = (const void *)turn_round;
    if (strcmp(what, "plugin") == 0)
        return open_plugin(argv[2]);
    if (strcmp(what, "symbols") == 0)
        return go_through_symbols();
    if (strcmp(what, "launches") == 0)
        return launch_by_function();
    if (strcmp(what, "attributes") == 0)
        return ask_attributes();
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
