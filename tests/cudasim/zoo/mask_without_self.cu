/* A vote's mask leaves out lanes that take part in it. */
// zoo: kind=mask grid=1 block=32 n=32

extern "C" __global__ void __launch_bounds__(256) faulty(float *data, int n, float *out) {
    const unsigned votes = __ballot_sync(0x0000ffffu, data[threadIdx.x] > 3.0f); // fault
    out[threadIdx.x] = (float)votes;
}

extern "C" __global__ void __launch_bounds__(256) clean(float *data, int n, float *out) {
    const unsigned votes = __ballot_sync(0xffffffffu, data[threadIdx.x] > 3.0f);
    out[threadIdx.x] = (float)votes;
}
