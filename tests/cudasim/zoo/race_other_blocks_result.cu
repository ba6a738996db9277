/* A block reads what its neighbour writes in the same launch. */
// zoo: kind=race grid=4 block=32 n=128

extern "C" __global__ void __launch_bounds__(256) faulty(float *data, int n, float *out) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    data[i] = (float)i; // fault
    out[i] = data[(i + 32) % n]; // fault
}

extern "C" __global__ void __launch_bounds__(256) clean(float *data, int n, float *out) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    data[i] = (float)i;
    out[i] = data[i];
}
