/* A shuffle among half the lanes reads one of the other half. */
// zoo: kind=mask grid=1 block=32 n=32

extern "C" __global__ void __launch_bounds__(256) faulty(float *data, int n, float *out) {
    float v = data[threadIdx.x];
    if (threadIdx.x < 16)
        v = __shfl_sync(0x0000ffffu, v, 20); // fault
    out[threadIdx.x] = v;
}

extern "C" __global__ void __launch_bounds__(256) clean(float *data, int n, float *out) {
    float v = data[threadIdx.x];
    if (threadIdx.x < 16)
        v = __shfl_sync(0x0000ffffu, v, 10);
    out[threadIdx.x] = v;
}
