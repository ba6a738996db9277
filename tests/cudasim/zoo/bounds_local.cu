/* A local array is indexed by data that may be its length. */
// zoo: kind=bounds grid=1 block=64 n=64

extern "C" __global__ void __launch_bounds__(256) faulty(float *data, int n, float *out) {
    float kept[4] = {1.0f, 2.0f, 3.0f, 4.0f};
    kept[threadIdx.x % 5] = data[threadIdx.x]; // fault
    out[threadIdx.x] = kept[(threadIdx.x + 1) % 4];
}

extern "C" __global__ void __launch_bounds__(256) clean(float *data, int n, float *out) {
    float kept[4] = {1.0f, 2.0f, 3.0f, 4.0f};
    kept[threadIdx.x % 4] = data[threadIdx.x];
    out[threadIdx.x] = kept[(threadIdx.x + 1) % 4];
}
