/* One slot of the scratch is summed that no warp filled. */
// zoo: kind=uninitialised grid=1 block=64 n=64

extern "C" __global__ void __launch_bounds__(256) faulty(float *data, int n, float *out) {
    __shared__ float part[3];
    if (threadIdx.x % 32 == 0)
        part[threadIdx.x / 32] = data[threadIdx.x];
    __syncthreads();
    if (threadIdx.x == 0)
        out[0] = part[0] + part[1] + part[2]; // fault
}

extern "C" __global__ void __launch_bounds__(256) clean(float *data, int n, float *out) {
    __shared__ float part[3];
    if (threadIdx.x % 32 == 0)
        part[threadIdx.x / 32] = data[threadIdx.x];
    __syncthreads();
    if (threadIdx.x == 0)
        out[0] = part[0] + part[1];
}
