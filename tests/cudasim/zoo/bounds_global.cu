/* The guard lets one thread too many through: data[n] is past the end. */
// zoo: kind=bounds grid=2 block=64 n=100

extern "C" __global__ void __launch_bounds__(256) faulty(float *data, int n, float *out) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i <= n)
        data[i] += 1.0f; // fault
}

extern "C" __global__ void __launch_bounds__(256) clean(float *data, int n, float *out) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n)
        data[i] += 1.0f;
}
