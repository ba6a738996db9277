/* How many blocks of a kernel an SM holds, by NVIDIA's own formula (cuda_occupancy.h), for GPUs described by hand from
 * the CUDA programming guide's table of compute capabilities. Reads lines "major minor registers shared threads",
 * writes for each "blocks percent", where percent is of the threads that the SM could hold. */
#include <stdio.h>

#include <cuda_occupancy.h>

/* By compute capability. 1 KB of each block's shared memory is the driver's from 8.0 on. */
static const cudaOccDeviceProp gpus[] = {
    {.computeMajor = 7,
     .computeMinor = 5,
     .maxThreadsPerMultiprocessor = 1024,
     .sharedMemPerMultiprocessor = 64 << 10,
     .sharedMemPerBlockOptin = 64 << 10},
    {.computeMajor = 8,
     .computeMinor = 0,
     .maxThreadsPerMultiprocessor = 2048,
     .sharedMemPerMultiprocessor = 164 << 10,
     .sharedMemPerBlockOptin = 163 << 10,
     .reservedSharedMemPerBlock = 1 << 10},
    {.computeMajor = 9,
     .computeMinor = 0,
     .maxThreadsPerMultiprocessor = 2048,
     .sharedMemPerMultiprocessor = 228 << 10,
     .sharedMemPerBlockOptin = 227 << 10,
     .reservedSharedMemPerBlock = 1 << 10},
    {.computeMajor = 10,
     .computeMinor = 0,
     .maxThreadsPerMultiprocessor = 2048,
     .sharedMemPerMultiprocessor = 228 << 10,
     .sharedMemPerBlockOptin = 227 << 10,
     .reservedSharedMemPerBlock = 1 << 10},
    {.computeMajor = 12,
     .computeMinor = 0,
     .maxThreadsPerMultiprocessor = 1536,
     .sharedMemPerMultiprocessor = 100 << 10,
     .sharedMemPerBlockOptin = 99 << 10,
     .reservedSharedMemPerBlock = 1 << 10},
};

static int find(int major, int minor, cudaOccDeviceProp *gpu) {
    for (size_t i = 0; i < sizeof gpus / sizeof *gpus; i++) {
        if (gpus[i].computeMajor == major && gpus[i].computeMinor == minor) {
            *gpu = gpus[i];
            gpu->maxThreadsPerBlock = 1024;
            gpu->regsPerBlock = gpu->regsPerMultiprocessor = 65536;
            gpu->warpSize = 32;
            gpu->sharedMemPerBlock = 48 << 10;
            gpu->numSms = 1;
            return 0;
        }
    }
    return 1;
}

int main(void) {
    int major, minor, registers, shared, threads;
    while (scanf("%d %d %d %d %d", &major, &minor, &registers, &shared, &threads) == 5) {
        cudaOccDeviceProp gpu;
        const cudaOccDeviceState state = {.carveoutConfig = SHAREDMEM_CARVEOUT_DEFAULT};
        const cudaOccFuncAttributes kernel = {.maxThreadsPerBlock = threads,
                                              .numRegs = registers,
                                              .sharedSizeBytes = (size_t)shared,
                                              .shmemLimitConfig = FUNC_SHMEM_LIMIT_DEFAULT};
        cudaOccResult result;
        if (find(major, minor, &gpu) ||
            cudaOccMaxActiveBlocksPerMultiprocessor(&result, &gpu, &kernel, &state, threads, 0)) {
            fprintf(stderr, "occupancy: cannot say for %d.%d\n", major, minor);
            return 1;
        }
        const int blocks = result.activeBlocksPerMultiprocessor;
        printf("%d %d\n", blocks, 100 * blocks * threads / gpu.maxThreadsPerMultiprocessor);
    }
    return 0;
}
