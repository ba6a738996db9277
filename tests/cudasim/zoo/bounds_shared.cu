/* Shared memory of one element less than threads. */
// zoo: kind=bounds grid=1 block=64 n=64

extern "C" __global__ void __launch_bounds__(256) faulty(float *data, int n, float *out) {
    __shared__ float part[63];
    part[threadIdx.x] = data[threadIdx.x]; // fault
    __syncthreads();
    out[threadIdx.x] = part[(threadIdx.x + 1) % 63];
}

extern "C" __global__ void __launch_bounds__(256) clean(float *data, int n, float *out) {
    __shared__ float part[64];
    part[threadIdx.x] = data[threadIdx.x];
    __syncthreads();
    out[threadIdx.x] = part[(threadIdx.x + 1) % 63];
}
