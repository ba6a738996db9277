/* Lanes that a shuffle names have left. */
// zoo: kind=mask grid=1 block=32 n=20

extern "C" __global__ void __launch_bounds__(256) faulty(float *data, int n, float *out) {
    if (threadIdx.x >= n)
        return;
    float v = data[threadIdx.x];
    v += __shfl_down_sync(0xffffffffu, v, 1); // fault
    out[threadIdx.x] = v;
}

extern "C" __global__ void __launch_bounds__(256) clean(float *data, int n, float *out) {
    float v = threadIdx.x < n ? data[threadIdx.x] : 0.0f;
    v += __shfl_down_sync(0xffffffffu, v, 1);
    if (threadIdx.x < n)
        out[threadIdx.x] = v;
}
