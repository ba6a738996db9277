/* Threads past the end leave before the barrier. */
// zoo: kind=barrier grid=1 block=64 n=50

extern "C" __global__ void __launch_bounds__(256) faulty(float *data, int n, float *out) {
    __shared__ float part[64];
    if (threadIdx.x >= n)
        return;
    part[threadIdx.x] = data[threadIdx.x];
    __syncthreads(); // fault
    out[threadIdx.x] = part[n - 1 - threadIdx.x];
}

extern "C" __global__ void __launch_bounds__(256) clean(float *data, int n, float *out) {
    __shared__ float part[64];
    if (threadIdx.x < n)
        part[threadIdx.x] = data[threadIdx.x];
    __syncthreads();
    if (threadIdx.x < n)
        out[threadIdx.x] = part[n - 1 - threadIdx.x];
}
