/* A block waits for a flag that another block of the same launch would have to set. */
// zoo: kind=hang grid=2 block=32 n=32

extern "C" __global__ void __launch_bounds__(256) faulty(float *data, int n, float *out) {
    out[blockIdx.x * 32 + threadIdx.x] = 0.0f;
    while (atomicAdd((int *)data, 0) != -1) // fault
        ;
}

extern "C" __global__ void __launch_bounds__(256) clean(float *data, int n, float *out) {
    out[blockIdx.x * 32 + threadIdx.x] = 0.0f;
    if (atomicAdd((int *)data, 0) == -1)
        out[0] = data[1];
}
