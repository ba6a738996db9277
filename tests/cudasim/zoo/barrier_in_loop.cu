/* Warps go round a loop with a barrier different numbers of times. */
// zoo: kind=barrier grid=1 block=64 n=64

extern "C" __global__ void __launch_bounds__(256) faulty(float *data, int n, float *out) {
    __shared__ float part[64];
    for (int k = 0; k < 2 + (int)threadIdx.x / 32; k++) {
        part[threadIdx.x] = data[threadIdx.x] + k;
        __syncthreads(); // fault
    }
    out[threadIdx.x] = part[threadIdx.x];
}

extern "C" __global__ void __launch_bounds__(256) clean(float *data, int n, float *out) {
    __shared__ float part[64];
    for (int k = 0; k < 3; k++) {
        part[threadIdx.x] = data[threadIdx.x] + k;
        __syncthreads();
    }
    out[threadIdx.x] = part[threadIdx.x];
}
