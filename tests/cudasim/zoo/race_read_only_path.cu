/* A buffer is read through the read-only path and written in the same launch. */
// zoo: kind=race grid=1 block=64 n=64

extern "C" __global__ void __launch_bounds__(256) faulty(float *data, int n, float *out) {
    data[threadIdx.x] = (float)n;
    out[threadIdx.x] = __ldg(&data[threadIdx.x]); // fault
}

extern "C" __global__ void __launch_bounds__(256) clean(float *data, int n, float *out) {
    data[threadIdx.x] = (float)n;
    out[threadIdx.x] = data[threadIdx.x];
}
