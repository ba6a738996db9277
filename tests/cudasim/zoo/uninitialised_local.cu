/* A local array is filled for odd places alone and read at any. */
// zoo: kind=uninitialised grid=1 block=64 n=64

extern "C" __global__ void __launch_bounds__(256) faulty(float *data, int n, float *out) {
    float kept[8];
    for (int k = 1; k < 8; k += 2)
        kept[k] = data[(threadIdx.x + k) % 64];
    out[threadIdx.x] = kept[n % 7 + threadIdx.x % 2]; // fault
}

extern "C" __global__ void __launch_bounds__(256) clean(float *data, int n, float *out) {
    float kept[8];
    for (int k = 0; k < 8; k++)
        kept[k] = data[(threadIdx.x + k) % 64];
    out[threadIdx.x] = kept[n % 7 + threadIdx.x % 2];
}
