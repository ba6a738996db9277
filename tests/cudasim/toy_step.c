/* A training step's skeleton with no kernel in it: copies in, work, copies out on three streams ordered by events. Any
 * error ends it with exit status 8 after everything was given back: what the product does, in small. */
#include <stdio.h>
#include <string.h>

#include <cuda_runtime_api.h>

enum { N = 1024, STEPS = 3 };

typedef struct toy {
    cudaStream_t in, compute, out;
    cudaEvent_t arrived, computed, used, left;
    unsigned char *device, *result;
    unsigned char *batch, *loss;
} toy;

#define TRY(call)                                                                                  \
    do {                                                                                           \
        cudaError_t error_ = (call);                                                               \
        if (error_ != cudaSuccess) {                                                               \
            fprintf(stderr, "toy: %s: %s\n", #call, cudaGetErrorString(error_));                   \
            return 8;                                                                              \
        }                                                                                          \
    } while (0)

static int open_toy(toy *t) {
    struct cudaDeviceProp is;
    size_t free_bytes, total;
    int n = 0, driver, runtime;
    TRY(cudaDriverGetVersion(&driver));
    TRY(cudaRuntimeGetVersion(&runtime));
    TRY(cudaGetDeviceCount(&n));
    TRY(cudaSetDevice(0));
    TRY(cudaGetDeviceProperties(&is, 0));
    TRY(cudaMemGetInfo(&free_bytes, &total));
    TRY(cudaStreamCreateWithFlags(&t->in, cudaStreamNonBlocking));
    TRY(cudaStreamCreateWithFlags(&t->compute, cudaStreamNonBlocking));
    TRY(cudaStreamCreateWithFlags(&t->out, cudaStreamNonBlocking));
    TRY(cudaEventCreateWithFlags(&t->arrived, cudaEventDisableTiming));
    TRY(cudaEventCreateWithFlags(&t->computed, cudaEventDisableTiming));
    TRY(cudaEventCreateWithFlags(&t->used, cudaEventDisableTiming));
    TRY(cudaEventCreateWithFlags(&t->left, cudaEventDisableTiming));
    TRY(cudaMalloc((void **)&t->device, N));
    TRY(cudaMalloc((void **)&t->result, N));
    TRY(cudaMallocHost((void **)&t->batch, N));
    TRY(cudaMallocHost((void **)&t->loss, N));
    return 0;
}

static int step(toy *t, int which) {
    TRY(cudaEventSynchronize(t->arrived)); /* the batch's buffer is free again */
    memset(t->batch, which + 1, N);
    TRY(cudaStreamWaitEvent(t->in, t->used, 0));
    TRY(cudaMemcpyAsync(t->device, t->batch, N, cudaMemcpyHostToDevice, t->in));
    TRY(cudaEventRecord(t->arrived, t->in));
    TRY(cudaStreamWaitEvent(t->compute, t->arrived, 0));
    TRY(cudaStreamWaitEvent(t->compute, t->left, 0));
    TRY(cudaMemsetAsync(t->result, 0, N, t->compute));
    TRY(cudaMemcpyAsync(t->result, t->device, N, cudaMemcpyDeviceToDevice, t->compute));
    TRY(cudaEventRecord(t->used, t->compute));
    TRY(cudaEventRecord(t->computed, t->compute));
    TRY(cudaStreamWaitEvent(t->out, t->computed, 0));
    TRY(cudaMemcpyAsync(t->loss, t->result, N, cudaMemcpyDeviceToHost, t->out));
    TRY(cudaEventRecord(t->left, t->out));
    TRY(cudaStreamSynchronize(t->out));
    printf("step %d: %d\n", which, t->loss[N - 1]);
    return t->loss[N - 1] == which + 1 ? 0 : 3;
}

static int run(toy *t) {
    int status = open_toy(t);
    for (int i = 0; !status && i < STEPS; i++)
        status = step(t, i);
    return status;
}

static void close_toy(toy *t) {
    cudaDeviceSynchronize();
    cudaFree(t->device);
    cudaFree(t->result);
    cudaFreeHost(t->batch);
    cudaFreeHost(t->loss);
    const cudaEvent_t events[] = {t->arrived, t->computed, t->used, t->left};
    const cudaStream_t streams[] = {t->in, t->compute, t->out};
    for (int i = 0; i < 4; i++)
        if (events[i])
            cudaEventDestroy(events[i]);
    for (int i = 0; i < 3; i++)
        if (streams[i])
            cudaStreamDestroy(streams[i]);
}

int main(void) {
    toy t = {0};
    int status = run(&t);
    close_toy(&t);
    return status;
}
