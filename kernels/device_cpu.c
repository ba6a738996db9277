/* The CPU device: one thread, its instruction-set level, its oneDNN lane. */
#include "kernels/cpu.h"

#include <cpuid.h>
#include <gnu/libc-version.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernels/loops.h"
#include "kernels/onednn.h"
#include "kernels/ops.h"

const char *const ty_isa_names[] = {[TY_ISA_SSE41] = "sse41",
                                    [TY_ISA_AVX2] = "avx2",
                                    [TY_ISA_AVX512] = "avx512",
                                    [TY_ISA_COUNT] = NULL};

/* The compiler's CPU test also asks whether the system saves the wide registers. */
int ty_isa_best(void) {
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        return TY_ISA_SSE41;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
        return TY_ISA_AVX512;
    return TY_ISA_AVX2;
}

/* The processor's brand string (cpuid 0x80000002..4), without the spaces it is padded with. */
static void read_model(char model[64]) {
    unsigned words[12] = {0};
    for (unsigned i = 0; i < 3; i++)
        if (!__get_cpuid(0x80000002 + i, &words[4 * i], &words[4 * i + 1], &words[4 * i + 2],
                         &words[4 * i + 3]))
            break;
    char brand[sizeof words + 1] = {0};
    memcpy(brand, words, sizeof words);
    const char *start = brand + strspn(brand, " ");
    size_t length = strlen(start);
    while (length > 0 && start[length - 1] == ' ')
        length--;
    (void)snprintf(model, 64, "%.*s", (int)length, length ? start : "");
    if (length == 0)
        (void)snprintf(model, 64, "unknown x86-64");
}

/* Cache sizes are part of it because oneDNN chooses its blocking, and with it the order of its
 * sums, by them; the C library not for our loops, which bring their own functions (loops_math.h),
 * but for the cos and pow of learning rates. */
static void write_numeric(ty_device *dev) {
    char version[32];
    (void)snprintf(dev->numeric, sizeof dev->numeric,
                   "cpu %s onednn-%s glibc-%s cache-%ldK-%ldK-%ldK", ty_isa_names[dev->isa_level],
                   ty_onednn_version(version), gnu_get_libc_version(),
                   sysconf(_SC_LEVEL1_DCACHE_SIZE) / 1024, sysconf(_SC_LEVEL2_CACHE_SIZE) / 1024,
                   sysconf(_SC_LEVEL3_CACHE_SIZE) / 1024);
}

ty_status ty_cpu_open(ty_ctx *ctx, int max_isa_level, ty_device **out) {
    const int best = ty_isa_best();
    ty_device *dev = calloc(1, sizeof *dev);
    if (!dev)
        return ty_fail_nomem(ctx, "a CPU device");
    dev->isa_level = max_isa_level >= 0 && max_isa_level < best ? max_isa_level : best;
    dev->loops = ty_loops_at(dev->isa_level);
    /* OpenMP's thread count is a property of the calling thread, and this thread is the lane. */
    omp_set_num_threads(1);
    const ty_status st = ty_onednn_open(ctx, dev->isa_level, &dev->dnn);
    if (st != TY_OK) {
        free(dev);
        return st;
    }
    read_model(dev->model);
    write_numeric(dev);
    dev->info = (ty_device_info){
        .name = "cpu", .model = dev->model, .numeric = dev->numeric, .isa_level = dev->isa_level};
    *out = dev;
    return TY_OK;
}

void ty_device_close(ty_device *dev) {
    if (!dev)
        return;
    ty_onednn_close(dev->dnn);
    free(dev);
}

const ty_device_info *ty_device_describe(const ty_device *dev) {
    return &dev->info;
}

enum { ALIGNMENT = 64, HUGE_PAGE = 2 << 20 };

ty_status ty_device_alloc(ty_ctx *ctx, ty_device *dev, size_t bytes, void **out) {
    (void)dev;
    const size_t alignment = bytes >= HUGE_PAGE ? HUGE_PAGE : ALIGNMENT;
    if (bytes > SIZE_MAX - alignment)
        return ty_fail(ctx, TY_ERR_NOMEM, "no memory left for %zu bytes on the device", bytes);
    const size_t rounded = (bytes + alignment - 1) / alignment * alignment;
    void *memory = aligned_alloc(alignment, rounded ? rounded : alignment);
    if (!memory)
        return ty_fail(ctx, TY_ERR_NOMEM, "no memory left for %zu bytes on the device", bytes);
    if (alignment == HUGE_PAGE) /* only a wish: small pages are as right */
        (void)madvise(memory, rounded, MADV_HUGEPAGE);
    memset(memory, 0, rounded); /* touched here, so that it lies near this thread's core */
    *out = memory;
    return TY_OK;
}

void ty_device_free(ty_device *dev, void *memory) {
    (void)dev;
    free(memory);
}

ty_status ty_device_copy_in(ty_ctx *ctx, ty_device *dev, void *to_device, const void *from_host,
                            size_t bytes) {
    (void)ctx, (void)dev;
    if (bytes)
        memcpy(to_device, from_host, bytes);
    return TY_OK;
}

ty_status ty_device_copy_out(ty_ctx *ctx, ty_device *dev, void *to_host, const void *from_device,
                             size_t bytes) {
    return ty_device_copy_in(ctx, dev, to_host, from_device, bytes);
}

ty_status ty_device_sync(ty_ctx *ctx, ty_device *dev) {
    (void)ctx, (void)dev; /* a lane computes in the calling thread: nothing is ever queued */
    return TY_OK;
}

ty_status ty_tensor_copy_out(ty_ctx *ctx, ty_device *dev, const ty_tensor *tensor, void *host) {
    if (tensor->layout) { /* only f32 activations have one */
        ty_layout_unpack(tensor->layout, tensor->shape, tensor->data, host);
        return TY_OK;
    }
    const size_t bytes = (size_t)ty_shape_count(tensor->shape) * ty_dtype_bytes(tensor->dtype);
    return ty_device_copy_out(ctx, dev, host, tensor->data, bytes);
}
