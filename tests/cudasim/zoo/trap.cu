/* An assertion on the device fails. */
// zoo: kind=trap grid=1 block=32 n=32
#include <assert.h>

extern "C" __global__ void __launch_bounds__(256) faulty(float *data, int n, float *out) {
    assert(threadIdx.x < 31 || n == 31); // fault
    out[threadIdx.x] = data[threadIdx.x];
}

extern "C" __global__ void __launch_bounds__(256) clean(float *data, int n, float *out) {
    assert(threadIdx.x < 32);
    out[threadIdx.x] = data[threadIdx.x];
}
