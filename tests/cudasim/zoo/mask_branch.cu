/* A shuffle of all lanes inside a branch of some. */
// zoo: kind=mask grid=1 block=32 n=32

extern "C" __global__ void __launch_bounds__(256) faulty(float *data, int n, float *out) {
    float v = data[threadIdx.x];
    if (v > 10.0f)
        v += __shfl_xor_sync(0xffffffffu, v, 1); // fault
    out[threadIdx.x] = v;
}

extern "C" __global__ void __launch_bounds__(256) clean(float *data, int n, float *out) {
    float v = data[threadIdx.x];
    const float other = __shfl_xor_sync(0xffffffffu, v, 1);
    if (v > 10.0f)
        v += other;
    out[threadIdx.x] = v;
}
