/* All blocks store the same flag: still two writes without order. */
// zoo: kind=race grid=4 block=32 n=32

extern "C" __global__ void __launch_bounds__(256) faulty(float *data, int n, float *out) {
    if (threadIdx.x == 0)
        out[0] = 1.0f; // fault
}

extern "C" __global__ void __launch_bounds__(256) clean(float *data, int n, float *out) {
    if (threadIdx.x == 0)
        out[blockIdx.x] = 1.0f;
}
