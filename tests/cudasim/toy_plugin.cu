/* A plug-in with a kernel and a variable, for test_modules.c: what it registers when it is opened is gone when it is
 * closed. */
#include <cuda_runtime.h>

__device__ int n_calls;

/* One atomic a launch: a toy. */
__global__ void __launch_bounds__(32) count_call(int by) {
    if (threadIdx.x == 0)
        atomicAdd(&n_calls, by);
}

/* Adds to the module's variable and gives its value; a negative error otherwise. */
extern "C" __attribute__((visibility("default"))) int toy_plugin_add(int by) {
    int value = 0;
    cudaStream_t stream;
    if (cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) != cudaSuccess)
        return -1000;
    count_call<<<1, 32, 0, stream>>>(by);
    cudaError_t error = cudaGetLastError();
    if (error == cudaSuccess)
        error = cudaMemcpyFromSymbolAsync(&value, n_calls, sizeof value, 0, cudaMemcpyDeviceToHost,
                                          stream);
    cudaStreamDestroy(stream);
    return error == cudaSuccess ? value : -(int)error;
}
