/* A float4 from an address that is a multiple of four bytes only. */
// zoo: kind=alignment grid=1 block=16 n=128

extern "C" __global__ void __launch_bounds__(256) faulty(float *data, int n, float *out) {
    const float4 v = *(const float4 *)(data + 1 + 4 * threadIdx.x); // fault
    out[threadIdx.x] = v.x + v.w;
}

extern "C" __global__ void __launch_bounds__(256) clean(float *data, int n, float *out) {
    const float4 v = *(const float4 *)(data + 4 * threadIdx.x);
    out[threadIdx.x] = v.x + v.w;
}
