/* The last block sums up what the others wrote, and they wrote without a fence before the counter. */
// zoo: kind=race grid=4 block=32 n=32
__device__ int arrived;

extern "C" __global__ void __launch_bounds__(256) faulty(float *data, int n, float *out) {
    __shared__ bool is_last;
    if (threadIdx.x == 0) {
        data[blockIdx.x] = (float)blockIdx.x; // fault
        is_last = atomicAdd(&arrived, 1) == (int)gridDim.x - 1;
        __threadfence();
    }
    __syncthreads();
    if (is_last && threadIdx.x < gridDim.x)
        out[threadIdx.x] = data[threadIdx.x]; // fault
}

extern "C" __global__ void __launch_bounds__(256) clean(float *data, int n, float *out) {
    __shared__ bool is_last;
    if (threadIdx.x == 0) {
        data[blockIdx.x] = (float)blockIdx.x;
        __threadfence();
        is_last = atomicAdd(&arrived, 1) == (int)gridDim.x - 1;
        __threadfence();
    }
    __syncthreads();
    if (is_last && threadIdx.x < gridDim.x)
        out[threadIdx.x] = data[threadIdx.x];
}
