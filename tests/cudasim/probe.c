/* Says one thing of the simulated machine, for test_process.c:  probe order|device|allocate BYTES|leave */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cuda_runtime_api.h>

static void put_letter(void *letter) {
    putchar(*(const char *)letter);
}

/* Prints the letters of three streams in the order in which their work ran: abc, def, ghi keep theirs. */
static int order(void) {
    static char letters[] = "abcdefghi";
    cudaStream_t streams[3];
    for (int i = 0; i < 3; i++)
        cudaStreamCreateWithFlags(&streams[i], cudaStreamNonBlocking);
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < 3; i++)
            cudaLaunchHostFunc(streams[i], put_letter, &letters[3 * i + k]);
    cudaDeviceSynchronize();
    for (int i = 0; i < 3; i++)
        cudaStreamDestroy(streams[i]);
    putchar('\n');
    return 0;
}

static int device(void) {
    int n = 0;
    if (cudaGetDeviceCount(&n) != cudaSuccess) {
        printf("none\n");
        return 8;
    }
    for (int i = 0; i < n; i++) {
        struct cudaDeviceProp p;
        char bus[16];
        cudaGetDeviceProperties(&p, i);
        cudaDeviceGetPCIBusId(bus, sizeof bus, i);
        printf("%s sm_%d%d sms %d shared %zu/%zu uuid ..%02x bus %s\n", p.name, p.major, p.minor,
               p.multiProcessorCount, p.sharedMemPerBlock, p.sharedMemPerBlockOptin,
               (unsigned)(unsigned char)p.uuid.bytes[15], bus);
    }
    return 0;
}

static int allocate(size_t bytes) {
    void *p = NULL;
    cudaError_t error = cudaMalloc(&p, bytes);
    printf("%s\n", cudaGetErrorName(error));
    cudaFree(p);
    return error ? 8 : 0;
}

/* Leaves memory behind and ends by itself with a status of its own. */
static int leave(void) {
    void *p = NULL;
    cudaMalloc(&p, 8);
    printf("left\n");
    return 3;
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "order") == 0)
        return order();
    if (strcmp(what, "device") == 0)
        return device();
    if (strcmp(what, "allocate") == 0)
        return allocate(strtoull(argv[2], NULL, 10));
    if (strcmp(what, "leave") == 0)
        return leave();
    return 2;
}
