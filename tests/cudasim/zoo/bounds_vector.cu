/* The last vector of four reaches past a length that is no multiple of four. */
// zoo: kind=bounds grid=1 block=64 n=102

extern "C" __global__ void __launch_bounds__(256) faulty(float *data, int n, float *out) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i * 4 < n) {
        const float4 v = ((const float4 *)data)[i]; // fault
        out[i] = v.x + v.y + v.z + v.w;
    }
}

extern "C" __global__ void __launch_bounds__(256) clean(float *data, int n, float *out) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    float sum = 0.0f;
    if (i * 4 + 3 < n) {
        const float4 v = ((const float4 *)data)[i];
        sum = v.x + v.y + v.z + v.w;
    } else {
        for (int k = i * 4; k < n; k++)
            sum += data[k];
    }
    out[i] = sum;
}
