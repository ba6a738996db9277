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
static void write_numeric(ty_cpu *cpu, int isa_level) {
    char version[32];
    (void)snprintf(cpu->numeric, sizeof cpu->numeric,
                   "cpu %s onednn-%s glibc-%s cache-%ldK-%ldK-%ldK", ty_isa_names[isa_level],
                   ty_onednn_version(version), gnu_get_libc_version(),
                   sysconf(_SC_LEVEL1_DCACHE_SIZE) / 1024, sysconf(_SC_LEVEL2_CACHE_SIZE) / 1024,
                   sysconf(_SC_LEVEL3_CACHE_SIZE) / 1024);
}

static ty_status open_lane(ty_ctx *ctx, int isa_level, ty_cpu *cpu) {
    cpu->loops = ty_loops_at(isa_level);
    /* OpenMP's thread count is a property of the calling thread, and this thread is the lane. */
    omp_set_num_threads(1);
    TY_TRY(ty_onednn_open(ctx, isa_level, &cpu->dnn));
    read_model(cpu->model);
    write_numeric(cpu, isa_level);
    cpu->device = (ty_device){.backend = &ty_backend_cpu,
                              .info = {.kind = TY_DEVICE_IS_CPU,
                                       .name = "cpu",
                                       .model = cpu->model,
                                       .numeric = cpu->numeric,
                                       .isa_level = isa_level}};
    return TY_OK;
}

static ty_status open_cpu(ty_ctx *ctx, const ty_device_options *options, ty_device **out) {
    const int best = ty_isa_best(), cap = options->max_isa_level;
    if (options->precision != TY_PRECISION_FP32)
        return ty_fail(ctx, TY_ERR_CONFIG,
                       "the CPU computes in fp32 only, want precision \"fp32\"");
    ty_cpu *cpu = calloc(1, sizeof *cpu);
    if (!cpu)
        return ty_fail_nomem(ctx, "a CPU device");
    const ty_status st = open_lane(ctx, cap >= 0 && cap < best ? cap : best, cpu);
    if (st != TY_OK) {
        free(cpu);
        return st;
    }
    *out = &cpu->device;
    return TY_OK;
}

static ty_status find_cpu(ty_ctx *ctx, const ty_device_options *options, ty_device_found *out) {
    (void)ctx, (void)options;
    *out = (ty_device_found){.kind = TY_DEVICE_IS_CPU, .name = "cpu"};
    read_model(out->model);
    return TY_OK;
}

static void close_cpu(ty_device *dev) {
    ty_onednn_close(ty_cpu_dnn(dev));
    free(dev);
}

enum { ALIGNMENT = 64, HUGE_PAGE = 2 << 20 };

static ty_status alloc(ty_ctx *ctx, ty_device *dev, size_t bytes, void **out) {
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

static void free_memory(ty_device *dev, void *memory) {
    (void)dev;
    free(memory);
}

static ty_status copy(ty_ctx *ctx, ty_device *dev, ty_queue queue, ty_copy kind, void *to,
                      const void *from, size_t bytes) {
    (void)ctx, (void)dev, (void)queue, (void)kind;
    if (bytes)
        memcpy(to, from, bytes);
    return TY_OK;
}

/* A lane computes in the calling thread: nothing is ever queued. */
static ty_status order(ty_ctx *ctx, ty_device *dev, ty_queue before, ty_queue after) {
    (void)ctx, (void)dev, (void)before, (void)after;
    return TY_OK;
}

static ty_status poll_nothing(ty_ctx *ctx, ty_device *dev, bool *is_idle) {
    (void)ctx, (void)dev;
    *is_idle = true;
    return TY_OK;
}

static ty_status sync_nothing(ty_ctx *ctx, ty_device *dev) {
    (void)ctx, (void)dev;
    return TY_OK;
}

static ty_status tensor_copy_out(ty_ctx *ctx, ty_device *dev, const ty_tensor *tensor, void *host) {
    if (tensor->layout) { /* only f32 activations have one */
        ty_layout_unpack(tensor->layout, tensor->shape, tensor->data, host);
        return TY_OK;
    }
    const size_t bytes = (size_t)ty_shape_count(tensor->shape) * ty_dtype_bytes(tensor->dtype);
    return copy(ctx, dev, TY_QUEUE_COMPUTE, TY_COPY_OUT, host, tensor->data, bytes);
}

const ty_backend ty_backend_cpu = {.abi = TY_BACKEND_ABI,
                                   .version = TY_VERSION,
                                   .find = find_cpu,
                                   .open = open_cpu,
                                   .close = close_cpu,
                                   .alloc = alloc,
                                   .free = free_memory,
                                   .alloc_host = alloc,
                                   .free_host = free_memory,
                                   .order = order,
                                   .copy = copy,
                                   .poll = poll_nothing,
                                   .sync = sync_nothing,
                                   .tensor_copy_out = tensor_copy_out,
                                   .ops = ty_cpu_ops,
                                   .flat = &ty_flat_cpu};
