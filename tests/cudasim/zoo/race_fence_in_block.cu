/* Fences and atomics on a word of shared memory order the threads of one block, not those of two. */
// zoo: kind=race grid=4 block=32 n=128

extern "C" __global__ void __launch_bounds__(256) faulty(float *data, int n, float *out) {
    __shared__ int arrived;
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (threadIdx.x == 0)
        arrived = 0;
    __syncthreads();
    data[i] = (float)i; // fault
    __threadfence();
    atomicAdd(&arrived, 1);
    __threadfence();
    __syncthreads();
    out[i] = i >= 32 ? data[i - 32] : 0.0f; // fault
}

extern "C" __global__ void __launch_bounds__(256) clean(float *data, int n, float *out) {
    __shared__ int arrived;
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (threadIdx.x == 0)
        arrived = 0;
    __syncthreads();
    data[i] = (float)i;
    __threadfence();
    atomicAdd(&arrived, 1);
    __threadfence();
    __syncthreads();
    out[i] = data[i];
}
