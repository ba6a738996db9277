/* The warp barrier names half the lanes, the exchange crosses the halves. */
// zoo: kind=race grid=1 block=32 n=32

extern "C" __global__ void __launch_bounds__(256) faulty(float *data, int n, float *out) {
    __shared__ float part[32];
    part[threadIdx.x] = data[threadIdx.x]; // fault
    __syncwarp(threadIdx.x < 16 ? 0x0000ffffu : 0xffff0000u);
    out[threadIdx.x] = part[31 - threadIdx.x]; // fault
}

extern "C" __global__ void __launch_bounds__(256) clean(float *data, int n, float *out) {
    __shared__ float part[32];
    part[threadIdx.x] = data[threadIdx.x];
    __syncwarp(threadIdx.x < 16 ? 0x0000ffffu : 0xffff0000u);
    out[threadIdx.x] = part[threadIdx.x ^ 7];
}
