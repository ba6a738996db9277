/* A kernel for each rule of rules.py, which it breaks: test_rules.py wants it found. Nothing links this. */

__global__ void __launch_bounds__(1024) spilling(const float *x, float *y, int n) {
    float a[96];
#pragma unroll
    for (int i = 0; i < 96; i++) {
        a[i] = x[i * 1024 + threadIdx.x];
    }
    for (int round = 0; round < n; round++) {
#pragma unroll
        for (int i = 0; i < 96; i++) {
            a[i] = a[i] * a[(i + 37) % 96] + 1.0f;
        }
    }
#pragma unroll
    for (int i = 0; i < 96; i++) {
        y[i * 1024 + threadIdx.x] = a[i];
    }
}

__global__ void __launch_bounds__(256) indexing(const float *x, float *y, const int *order, int n) {
    float a[16];
    for (int i = 0; i < 16; i++) {
        a[i] = x[i];
    }
    for (int i = 0; i < n; i++) {
        a[order[i]] += a[order[i + 1]];
    }
    y[threadIdx.x] = a[n & 15];
}

__global__ void unbounded(float *y) {
    y[threadIdx.x] = 1.0f;
}

__global__ void __launch_bounds__(256) doubling(const float *x, float *y) {
    y[threadIdx.x] = (float)(0.1 * x[threadIdx.x]);
}

__global__ void __launch_bounds__(256) narrow(const float *x, float *y) {
    y[threadIdx.x] = x[threadIdx.x] + 1.0f;
}

__global__ void __launch_bounds__(256) good(const float4 *x, float4 *y) {
    y[threadIdx.x] = x[threadIdx.x];
}
