/* A shared counter without an atomic. */
// zoo: kind=race grid=1 block=64 n=64

extern "C" __global__ void __launch_bounds__(256) faulty(float *data, int n, float *out) {
    __shared__ int count;
    if (threadIdx.x == 0)
        count = 0;
    __syncthreads();
    if (data[threadIdx.x] > 10.0f)
        count += 1; // fault
    __syncthreads();
    out[threadIdx.x] = (float)count;
}

extern "C" __global__ void __launch_bounds__(256) clean(float *data, int n, float *out) {
    __shared__ int count;
    if (threadIdx.x == 0)
        count = 0;
    __syncthreads();
    if (data[threadIdx.x] > 10.0f)
        atomicAdd(&count, 1);
    __syncthreads();
    out[threadIdx.x] = (float)count;
}
