/* A value of another warp is read without a barrier behind its write. */
// zoo: kind=race grid=1 block=64 n=64

extern "C" __global__ void __launch_bounds__(256) faulty(float *data, int n, float *out) {
    __shared__ float part[64];
    part[threadIdx.x] = 0.0f;
    __syncthreads();
    part[threadIdx.x] = data[threadIdx.x]; // fault
    out[threadIdx.x] = part[63 - threadIdx.x]; // fault
}

extern "C" __global__ void __launch_bounds__(256) clean(float *data, int n, float *out) {
    __shared__ float part[64];
    part[threadIdx.x] = 0.0f;
    __syncthreads();
    part[threadIdx.x] = data[threadIdx.x];
    __syncthreads();
    out[threadIdx.x] = part[63 - threadIdx.x];
}
