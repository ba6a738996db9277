/* A block reduction in a loop: the next round's write passes the last round's reads. */
// zoo: kind=race grid=1 block=64 n=64

extern "C" __global__ void __launch_bounds__(256) faulty(float *data, int n, float *out) {
    __shared__ float part[2];
    for (int round = 0; round < 3; round++) {
        float sum = data[threadIdx.x] + round;
        for (int offset = 16; offset; offset /= 2)
            sum += __shfl_xor_sync(0xffffffffu, sum, offset);
        if (threadIdx.x % 32 == 0)
            part[threadIdx.x / 32] = sum; // fault
        __syncthreads();
        out[round * 64 + threadIdx.x] = part[0] + part[1]; // fault
    }
}

extern "C" __global__ void __launch_bounds__(256) clean(float *data, int n, float *out) {
    __shared__ float part[2];
    for (int round = 0; round < 3; round++) {
        float sum = data[threadIdx.x] + round;
        for (int offset = 16; offset; offset /= 2)
            sum += __shfl_xor_sync(0xffffffffu, sum, offset);
        if (threadIdx.x % 32 == 0)
            part[threadIdx.x / 32] = sum;
        __syncthreads();
        out[round * 64 + threadIdx.x] = part[0] + part[1];
        __syncthreads();
    }
}
