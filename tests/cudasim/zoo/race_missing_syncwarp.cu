/* Lanes exchange through shared memory without a warp barrier. */
// zoo: kind=race grid=1 block=32 n=32

extern "C" __global__ void __launch_bounds__(256) faulty(float *data, int n, float *out) {
    __shared__ float part[32];
    part[threadIdx.x] = data[threadIdx.x]; // fault
    out[threadIdx.x] = part[31 - threadIdx.x]; // fault
}

extern "C" __global__ void __launch_bounds__(256) clean(float *data, int n, float *out) {
    __shared__ float part[32];
    part[threadIdx.x] = data[threadIdx.x];
    __syncwarp();
    out[threadIdx.x] = part[31 - threadIdx.x];
}
