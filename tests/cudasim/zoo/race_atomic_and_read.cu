/* An atomic counter is read while others still add to it. */
// zoo: kind=race grid=1 block=64 n=64

extern "C" __global__ void __launch_bounds__(256) faulty(float *data, int n, float *out) {
    __shared__ int count;
    if (threadIdx.x == 0)
        count = 0;
    __syncthreads();
    atomicAdd(&count, 1); // fault
    out[threadIdx.x] = (float)*(volatile int *)&count; // fault
}

extern "C" __global__ void __launch_bounds__(256) clean(float *data, int n, float *out) {
    __shared__ int count;
    if (threadIdx.x == 0)
        count = 0;
    __syncthreads();
    atomicAdd(&count, 1);
    __syncthreads();
    out[threadIdx.x] = (float)*(volatile int *)&count;
}
