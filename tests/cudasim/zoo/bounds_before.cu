/* Each thread reads its left neighbour, the first one too. */
// zoo: kind=bounds grid=2 block=64 n=128

extern "C" __global__ void __launch_bounds__(256) faulty(float *data, int n, float *out) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    out[i] = data[i - 1]; // fault
}

extern "C" __global__ void __launch_bounds__(256) clean(float *data, int n, float *out) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    out[i] = i > 0 ? data[i - 1] : 0.0f;
}
