/* The bug zoo where host and kernels meet: launches past a limit, pointers of the wrong kind, kernels without an order
 * between them. What goes wrong inside a kernel is zoo_device.cu's.
 *
 *   zoo_launch NAME wrong|right    a row of test_zoo_launch.c */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cuda_runtime.h>

enum { N = 1024 };

struct room {
    cudaStream_t a, b; /* non-blocking */
    cudaEvent_t event;
    float *x, *y; /* N floats, written */
    float *pinned;
};

/* y[i] += x[i]; 12 bytes and 1 FLOP an element. A toy: of no interest to a roofline. */
__global__ void __launch_bounds__(1024) add(float *y, const float *x, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n)
        y[i] += x[i];
}

__global__ void __launch_bounds__(128) add_bounded(float *y, const float *x, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n)
        y[i] += x[i];
}

__global__ void __launch_bounds__(256) sum_shared(float *y, const float *x) {
    extern __shared__ float staged[];
    staged[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = staged[255 - threadIdx.x];
}

__global__ void __launch_bounds__(32) stop_here(int *x, bool is_wrong) {
    if (is_wrong)
        asm("trap;");
    x[threadIdx.x] = 1;
}

static void need(cudaError_t error) {
    if (error == cudaSuccess)
        return;
    fprintf(stderr, "zoo_launch: %s\n", cudaGetErrorName(error));
    exit(1);
}

static void open_room(room *r) {
    need(cudaStreamCreateWithFlags(&r->a, cudaStreamNonBlocking));
    need(cudaStreamCreateWithFlags(&r->b, cudaStreamNonBlocking));
    need(cudaEventCreateWithFlags(&r->event, cudaEventDisableTiming));
    need(cudaMalloc((void **)&r->x, N * sizeof(float)));
    need(cudaMalloc((void **)&r->y, N * sizeof(float)));
    need(cudaMallocHost((void **)&r->pinned, N * sizeof(float)));
    memset(r->pinned, 0, N * sizeof(float));
    need(cudaMemset(r->x, 0, N * sizeof(float)));
    need(cudaMemset(r->y, 0, N * sizeof(float)));
    need(cudaDeviceSynchronize());
}

static void close_room(room *r) {
    cudaDeviceSynchronize();
    cudaStreamDestroy(r->a);
    cudaStreamDestroy(r->b);
    cudaEventDestroy(r->event);
    cudaFree(r->x);
    cudaFree(r->y);
    cudaFreeHost(r->pinned);
}

/* Says which error a launch gave: the row asks for it. */
static void say_error(void) {
    printf("error %s\n", cudaGetErrorName(cudaGetLastError()));
}

/* --- limits ----------------------------------------------------------------------------------- */

static void too_many_threads(room *r, bool is_wrong) {
    add<<<1, is_wrong ? 1025 : 1024, 0, r->a>>>(r->y, r->x, N);
    say_error();
}

static void no_threads(room *r, bool is_wrong) {
    add<<<1, is_wrong ? 0 : 1, 0, r->a>>>(r->y, r->x, N);
    say_error();
}

static void no_blocks(room *r, bool is_wrong) {
    add<<<is_wrong ? 0 : 1, 32, 0, r->a>>>(r->y, r->x, N);
    say_error();
}

static void block_too_deep(room *r, bool is_wrong) {
    add<<<1, dim3(1, 1, is_wrong ? 65 : 64), 0, r->a>>>(r->y, r->x, 0);
    say_error();
}

static void grid_too_high(room *r, bool is_wrong) {
    add<<<dim3(1, is_wrong ? 65536 : 65535), 1, 0, r->a>>>(r->y, r->x, 0);
    say_error();
}

static void more_threads_than_launch_bounds(room *r, bool is_wrong) {
    add_bounded<<<1, is_wrong ? 129 : 128, 0, r->a>>>(r->y, r->x, N);
    say_error();
}

static void shared_memory_without_opting_in(room *r, bool is_wrong) {
    if (!is_wrong)
        need(cudaFuncSetAttribute((const void *)sum_shared,
                                  cudaFuncAttributeMaxDynamicSharedMemorySize, 60 * 1024));
    sum_shared<<<1, 256, 60 * 1024, r->a>>>(r->y, r->x);
    say_error();
}

/* --- pointers --------------------------------------------------------------------------------- */

static void plain_memory_in_a_kernel(room *r, bool is_wrong) {
    static float plain[N];
    add<<<1, 32, 0, r->a>>>(r->y, is_wrong ? plain : r->x, 32);
    need(cudaStreamSynchronize(r->a));
}

static void pinned_memory_in_a_kernel(room *r, bool is_wrong) {
    add<<<1, 32, 0, r->a>>>(r->y, is_wrong ? r->pinned : r->x, 32);
    need(cudaStreamSynchronize(r->a));
}

static void null_in_a_kernel(room *r, bool is_wrong) {
    add<<<1, 32, 0, r->a>>>(r->y, is_wrong ? NULL : r->x, 32);
    need(cudaStreamSynchronize(r->a));
}

static void freed_memory_in_a_kernel(room *r, bool is_wrong) {
    float *gone = NULL;
    need(cudaMalloc((void **)&gone, N * sizeof(float)));
    need(cudaMemset(gone, 0, N * sizeof(float)));
    need(cudaDeviceSynchronize());
    add<<<1, 32, 0, r->a>>>(r->y, gone, 32);
    if (!is_wrong)
        need(cudaStreamSynchronize(r->a));
    need(cudaFree(gone));
    need(cudaStreamSynchronize(r->a));
}

static void another_devices_memory_in_a_kernel(room *r, bool is_wrong) {
    float *there = NULL;
    need(cudaSetDevice(is_wrong ? 1 : 0));
    need(cudaMalloc((void **)&there, N * sizeof(float)));
    need(cudaMemset(there, 0, N * sizeof(float)));
    need(cudaDeviceSynchronize());
    need(cudaSetDevice(0));
    add<<<1, 32, 0, r->a>>>(r->y, there, 32);
    need(cudaStreamSynchronize(r->a));
    need(cudaFree(there));
}

static void a_stream_of_another_device(room *r, bool is_wrong) {
    need(cudaSetDevice(is_wrong ? 1 : 0));
    add<<<1, 32, 0, r->a>>>(r->y, r->x, 32);
    cudaGetLastError();
    need(cudaSetDevice(0));
}

/* --- order ------------------------------------------------------------------------------------ */

static void no_event_between_copy_and_kernel(room *r, bool is_wrong) {
    need(cudaMemcpyAsync(r->x, r->pinned, N * sizeof(float), cudaMemcpyHostToDevice, r->b));
    need(cudaEventRecord(r->event, r->b));
    if (!is_wrong)
        need(cudaStreamWaitEvent(r->a, r->event, 0));
    add<<<1, 64, 0, r->a>>>(r->y, r->x, 64);
}

static void no_event_between_kernel_and_copy(room *r, bool is_wrong) {
    add<<<4, 256, 0, r->a>>>(r->y, r->x, N);
    need(cudaEventRecord(r->event, r->a));
    if (!is_wrong)
        need(cudaStreamWaitEvent(r->b, r->event, 0));
    need(cudaMemcpyAsync(r->pinned, r->y, N * sizeof(float), cudaMemcpyDeviceToHost, r->b));
}

/* Neighbours in one page of the record: only bytes that both touch count. */
static void no_event_between_two_kernels(room *r, bool is_wrong) {
    add<<<1, 100, 0, r->a>>>(r->y, r->x, 100);
    add<<<1, 100, 0, r->b>>>(r->y + (is_wrong ? 99 : 100), r->x, 100);
}

static void two_kernels_may_read_the_same(room *r, bool is_wrong) {
    add<<<1, 100, 0, r->a>>>(r->y, r->x, 100);
    add<<<1, 100, 0, r->b>>>(is_wrong ? r->x : r->y + 512, r->x + 50, 50);
}

static void host_reads_before_the_kernel_ran(room *r, bool is_wrong) {
    add<<<4, 256, 0, r->a>>>(r->y, r->x, N);
    need(cudaMemcpyAsync(r->pinned, r->y, N * sizeof(float), cudaMemcpyDeviceToHost, r->a));
    if (!is_wrong)
        need(cudaStreamSynchronize(r->a));
    printf("%g\n", (double)*(volatile float *)r->pinned);
}

/* --- after an error --------------------------------------------------------------------------- */

static void launches_after_a_sticky_error(room *r, bool is_wrong) {
    stop_here<<<1, 32, 0, r->a>>>((int *)r->y, is_wrong);
    cudaError_t error = cudaStreamSynchronize(r->a);
    printf("error %s\n", cudaGetErrorName(error));
    add<<<1, 32, 0, r->a>>>(r->y, r->x, 32);
    printf("then %s\n", cudaGetErrorName(cudaGetLastError()));
}

#define ROW(name)                                                                                  \
    { #name, name }
static const struct {
    const char *name;
    void (*run)(room *, bool);
} rows[] = {
    ROW(too_many_threads),
    ROW(no_threads),
    ROW(no_blocks),
    ROW(block_too_deep),
    ROW(grid_too_high),
    ROW(more_threads_than_launch_bounds),
    ROW(shared_memory_without_opting_in),
    ROW(plain_memory_in_a_kernel),
    ROW(pinned_memory_in_a_kernel),
    ROW(null_in_a_kernel),
    ROW(freed_memory_in_a_kernel),
    ROW(another_devices_memory_in_a_kernel),
    ROW(a_stream_of_another_device),
    ROW(no_event_between_copy_and_kernel),
    ROW(no_event_between_kernel_and_copy),
    ROW(no_event_between_two_kernels),
    ROW(two_kernels_may_read_the_same),
    ROW(host_reads_before_the_kernel_ran),
    ROW(launches_after_a_sticky_error),
};

int main(int argc, char **argv) {
    room r = {};
    for (size_t i = 0; argc == 3 && i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].name, argv[1]) == 0) {
            open_room(&r);
            rows[i].run(&r, strcmp(argv[2], "wrong") == 0);
            close_room(&r);
            return 0;
        }
    fprintf(stderr, "zoo_launch: no such row\n");
    return 2;
}
