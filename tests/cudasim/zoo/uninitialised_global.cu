/* The output is read before anything wrote it. */
// zoo: kind=uninitialised grid=1 block=64 n=64

extern "C" __global__ void __launch_bounds__(256) faulty(float *data, int n, float *out) {
    out[threadIdx.x] += data[threadIdx.x]; // fault
}

extern "C" __global__ void __launch_bounds__(256) clean(float *data, int n, float *out) {
    out[threadIdx.x] = data[threadIdx.x];
}
