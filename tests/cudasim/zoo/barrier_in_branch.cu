/* One half waits in one branch, the other half in the other. */
// zoo: kind=barrier grid=1 block=64 n=64

extern "C" __global__ void __launch_bounds__(256) faulty(float *data, int n, float *out) {
    __shared__ float part[64];
    part[threadIdx.x] = data[threadIdx.x];
    if (threadIdx.x < 32) {
        __syncthreads(); // fault
        out[threadIdx.x] = part[threadIdx.x + 32];
    } else {
        __syncthreads(); // fault
        out[threadIdx.x] = part[threadIdx.x - 32] * 2.0f;
    }
}

extern "C" __global__ void __launch_bounds__(256) clean(float *data, int n, float *out) {
    __shared__ float part[64];
    part[threadIdx.x] = data[threadIdx.x];
    __syncthreads();
    if (threadIdx.x < 32)
        out[threadIdx.x] = part[threadIdx.x + 32];
    else
        out[threadIdx.x] = part[threadIdx.x - 32] * 2.0f;
}
