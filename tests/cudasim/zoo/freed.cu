/* The buffer was freed before the launch. */
// zoo: kind=use-after-free grid=1 block=32 n=32 data=freed

extern "C" __global__ void __launch_bounds__(256) faulty(float *data, int n, float *out) {
    out[threadIdx.x] = data[threadIdx.x]; // fault
}

extern "C" __global__ void __launch_bounds__(256) clean(float *data, int n, float *out) {
    out[threadIdx.x] = data ? (float)n : 0.0f;
}
