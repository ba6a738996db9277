/* The buffer was never allocated. */
// zoo: kind=null grid=1 block=32 n=32 data=null

extern "C" __global__ void __launch_bounds__(256) faulty(float *data, int n, float *out) {
    out[threadIdx.x] = data[threadIdx.x]; // fault
}

extern "C" __global__ void __launch_bounds__(256) clean(float *data, int n, float *out) {
    out[threadIdx.x] = data ? data[threadIdx.x] : 0.0f;
}
