/* The launch gives half the shared memory that the kernel uses. */
// zoo: kind=bounds grid=1 block=64 n=64 shared=128

extern "C" __global__ void __launch_bounds__(256) faulty(float *data, int n, float *out) {
    extern __shared__ float dynamic[];
    dynamic[threadIdx.x] = data[threadIdx.x]; // fault
    __syncthreads();
    out[threadIdx.x] = dynamic[threadIdx.x / 2];
}

extern "C" __global__ void __launch_bounds__(256) clean(float *data, int n, float *out) {
    extern __shared__ float dynamic[];
    if (threadIdx.x < 32)
        dynamic[threadIdx.x] = data[threadIdx.x];
    __syncthreads();
    out[threadIdx.x] = dynamic[threadIdx.x / 2];
}
