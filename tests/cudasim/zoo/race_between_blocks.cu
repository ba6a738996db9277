/* Blocks add to one number without an atomic. */
// zoo: kind=race grid=4 block=32 n=32

extern "C" __global__ void __launch_bounds__(256) faulty(float *data, int n, float *out) {
    if (threadIdx.x == 0)
        data[0] += 1.0f; // fault
    out[blockIdx.x * 32 + threadIdx.x] = 0.0f;
}

extern "C" __global__ void __launch_bounds__(256) clean(float *data, int n, float *out) {
    if (threadIdx.x == 0)
        atomicAdd(&data[0], 1.0f);
    out[blockIdx.x * 32 + threadIdx.x] = 0.0f;
}
