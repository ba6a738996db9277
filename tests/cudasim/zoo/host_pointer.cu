/* A pointer of the host's reached the kernel. */
// zoo: kind=host-pointer grid=1 block=32 n=32 data=host

extern "C" __global__ void __launch_bounds__(256) faulty(float *data, int n, float *out) {
    out[threadIdx.x] = data[threadIdx.x]; // fault
}

extern "C" __global__ void __launch_bounds__(256) clean(float *data, int n, float *out) {
    out[threadIdx.x] = data ? (float)n : 0.0f;
}
