/* GPUs: finding one, its memory, its queues. */
#include "kernels/cuda/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/vendor.h"

/* --- errors ----------------------------------------------------------------------------------- */

ty_status ty_cuda_check(ty_ctx *ctx, cudaError_t error, const char *what) {
    if (error == cudaSuccess)
        return TY_OK;
    return ty_fail(ctx, TY_ERR_DEVICE, "%s: %s (%s)", what, cudaGetErrorString(error),
                   cudaGetErrorName(error));
}

ty_status ty_cuda_launched(ty_ctx *ctx, const char *kernel) {
    const cudaError_t error = cudaGetLastError();
    return error == cudaSuccess ? TY_OK : ty_cuda_check(ctx, error, kernel);
}

/* --- finding ---------------------------------------------------------------------------------- */

/* cudaGetDeviceCount leaves n alone where it fails, and fails in many ways: each of them is "no GPU". */
static ty_status count_devices(ty_ctx *ctx, int *out) {
    int n = 0, driver = 0;
    const cudaError_t error = cudaGetDeviceCount(&n);
    (void)cudaDriverGetVersion(&driver);
    if (error == cudaSuccess && n > 0) {
        *out = n;
        return TY_OK;
    }
    (void)cudaGetLastError();
    if (error == cudaErrorInsufficientDriver && driver == 0)
        return ty_fail(ctx, TY_ERR_DEVICE, "no GPU: there is no NVIDIA driver");
    if (error == cudaErrorInsufficientDriver)
        return ty_fail(
            ctx, TY_ERR_DEVICE, "no GPU: the NVIDIA driver is for CUDA %d.%d, want %d.%d or later",
            driver / 1000, driver % 1000 / 10, CUDART_VERSION / 1000, CUDART_VERSION % 1000 / 10);
    if (error == cudaSuccess || error == cudaErrorNoDevice)
        return ty_fail(ctx, TY_ERR_DEVICE,
                       "no GPU: this process sees none (CUDA_VISIBLE_DEVICES?)");
    return ty_cuda_check(ctx, error, "no GPU: cudaGetDeviceCount");
}

/* "cuda" is the device of this rank, "cuda:2" the third that this process sees. */
static ty_status choose_index(ty_ctx *ctx, const ty_device_options *options, int n, int *out) {
    if (strcmp(options->name, "cuda") == 0) {
        *out = options->local_rank % n;
        return TY_OK;
    }
    char *end = NULL;
    const char *digits = options->name + strlen("cuda:");
    const long index = strncmp(options->name, "cuda:", 5) == 0 ? strtol(digits, &end, 10) : -1;
    if (!end || end == digits || *end || index < 0)
        return ty_fail(ctx, TY_ERR_DEVICE, "unknown device %s, want cuda or cuda:<n>",
                       options->name);
    if (index >= n)
        return ty_fail(ctx, TY_ERR_DEVICE,
                       "there is no device %s: this process sees %d GPU%s, from cuda:0",
                       options->name, n, n == 1 ? "" : "s");
    *out = (int)index;
    return TY_OK;
}

static ty_status find_index(ty_ctx *ctx, const ty_device_options *options, int *index, int *n) {
    TY_TRY(count_devices(ctx, n));
    return choose_index(ctx, options, *n, index);
}

/* The oldest that the plug-in has code for. */
static ty_status check_capability(ty_ctx *ctx, const struct cudaDeviceProp *p) {
    enum { LEAST_MAJOR = 7, LEAST_MINOR = 5 };
    if (p->major > LEAST_MAJOR || (p->major == LEAST_MAJOR && p->minor >= LEAST_MINOR))
        return TY_OK;
    return ty_fail(ctx, TY_ERR_DEVICE, "%s has compute capability %d.%d, want %d.%d or later",
                   p->name, p->major, p->minor, LEAST_MAJOR, LEAST_MINOR);
}

static ty_status read_properties(ty_ctx *ctx, int index, struct cudaDeviceProp *out) {
    TY_TRY(ty_cuda_check(ctx, cudaGetDeviceProperties(out, index), "reading a GPU's properties"));
    return check_capability(ctx, out);
}

ty_status ty_cuda_find(ty_ctx *ctx, const ty_device_options *options, ty_device_found *out) {
    int index, n;
    struct cudaDeviceProp properties;
    if (ty_cuda_is_described(options->name))
        return ty_cuda_find_described(ctx, options, out);
    TY_TRY(find_index(ctx, options, &index, &n));
    TY_TRY(read_properties(ctx, index, &properties));
    *out = (ty_device_found){.kind = TY_DEVICE_IS_CUDA,
                             .n_devices = n,
                             .memory_bytes = (int64_t)properties.totalGlobalMem};
    (void)snprintf(out->name, sizeof out->name, "cuda:%d", index);
    (void)snprintf(out->model, sizeof out->model, "%.*s", (int)sizeof out->model - 1,
                   properties.name);
    memcpy(out->uuid, properties.uuid.bytes, sizeof out->uuid);
    return TY_OK;
}

/* --- opening ---------------------------------------------------------------------------------- */

static ty_status check_precision(ty_ctx *ctx, const ty_cuda *dev, ty_precision precision) {
    static const char *const names[] = {"fp32", "tf32", "bf16"};
    if (precision == TY_PRECISION_FP32 || dev->facts.major >= 8)
        return TY_OK;
    return ty_fail(
        ctx, TY_ERR_CONFIG,
        "%s has compute capability %d.%d, and precision \"%s\" wants 8.0 or later: use \"fp32\"",
        dev->model, dev->facts.major, dev->facts.minor, names[precision]);
}

/* What decides bits before any library is asked. Heuristics look at the number of processors, which
 * differs between slices and yields of one model; the variable forbids libraries TF32. */
static void write_basis(const ty_ctx *ctx, ty_cuda *dev, const struct cudaDeviceProp *p,
                        int runtime, int driver) {
    const char *tf32 = ctx->getenv("NVIDIA_TF32_OVERRIDE");
    (void)snprintf(dev->basis, sizeof dev->basis,
                   "cuda sm_%d%d %s processors-%d runtime-%d.%d driver-%d.%d%s%.8s", p->major,
                   p->minor, dev->model, p->multiProcessorCount, runtime / 1000,
                   runtime % 1000 / 10, driver / 1000, driver % 1000 / 10,
                   tf32 ? " tf32-override-" : "", tf32 ? tf32 : "");
    memcpy(dev->numeric, dev->basis, sizeof dev->basis);
}

static ty_status read_facts(ty_ctx *ctx, ty_cuda *dev) {
    struct cudaDeviceProp p;
    size_t n_free = 0, total = 0;
    int runtime = 0, driver = 0;
    TY_TRY(read_properties(ctx, dev->index, &p));
    TY_TRY(ty_cuda_check(ctx, cudaMemGetInfo(&n_free, &total), "reading a GPU's free memory"));
    TY_TRY(
        ty_cuda_check(ctx, cudaRuntimeGetVersion(&runtime), "reading the CUDA runtime's version"));
    TY_TRY(ty_cuda_check(ctx, cudaDriverGetVersion(&driver), "reading the driver's version"));
    (void)snprintf(dev->model, sizeof dev->model, "%.*s", (int)sizeof dev->model - 1, p.name);
    write_basis(ctx, dev, &p, runtime, driver);
    dev->facts = (ty_gpu_facts){.major = p.major,
                                .minor = p.minor,
                                .multiprocessors = p.multiProcessorCount,
                                .max_threads_per_multiprocessor = p.maxThreadsPerMultiProcessor,
                                .memory_bytes = (int64_t)n_free,
                                .l2_bytes = p.l2CacheSize};
    memcpy(dev->facts.model, dev->model, sizeof dev->facts.model);
    return TY_OK;
}

static ty_status make_queues(ty_ctx *ctx, ty_cuda *dev) {
    for (int i = 0; i < TY_QUEUE_COUNT; i++) {
        TY_TRY(ty_cuda_check(ctx,
                             cudaStreamCreateWithFlags(&dev->streams[i], cudaStreamNonBlocking),
                             "making a queue of the GPU"));
        TY_TRY(ty_cuda_check(ctx, cudaEventCreateWithFlags(&dev->events[i], cudaEventDisableTiming),
                             "making an event of the GPU"));
    }
    return TY_OK;
}

static ty_status open_gpu(ty_ctx *ctx, const ty_device_options *options, ty_cuda *dev) {
    int n;
    TY_TRY(find_index(ctx, options, &dev->index, &n));
    (void)snprintf(dev->name, sizeof dev->name, "cuda:%d", dev->index);
    TY_TRY(ty_cuda_check(ctx, cudaSetDevice(dev->index), "taking a GPU"));
    TY_TRY(read_facts(ctx, dev));
    TY_TRY(check_precision(ctx, dev, options->precision));
    TY_TRY(make_queues(ctx, dev));
    dev->device = (ty_device){.backend = &ty_backend_plugin,
                              .info = {.kind = TY_DEVICE_IS_CUDA,
                                       .name = dev->name,
                                       .model = dev->model,
                                       .numeric = dev->numeric,
                                       .precision = options->precision,
                                       .memory_bytes = dev->facts.memory_bytes}};
    return ty_cuda_check(ctx, cudaMalloc(&dev->scratch, TY_CUDA_SCRATCH_BYTES),
                         "taking a GPU's scratch memory");
}

ty_status ty_cuda_open(ty_ctx *ctx, const ty_device_options *options, ty_device **out) {
    if (ty_cuda_is_described(options->name))
        return ty_cuda_open_described(ctx, options, out);
    ty_cuda *dev = calloc(1, sizeof *dev);
    if (!dev)
        return ty_fail_nomem(ctx, "a GPU device");
    const ty_status st = open_gpu(ctx, options, dev);
    if (st != TY_OK) {
        ty_cuda_close(&dev->device);
        return st;
    }
    *out = &dev->device;
    return TY_OK;
}

/* Before memory is given back: cudaFree "may" wait for what is queued, so it is not leant on. An error will have been
 * told by whatever waited for the work. */
static void wait_for_all(const ty_cuda *dev) {
    for (int i = 0; i < TY_QUEUE_COUNT; i++)
        if (dev->streams[i])
            (void)cudaStreamSynchronize(dev->streams[i]);
}

/* Closing cannot fail: after an error the driver frees what is left with the process. */
void ty_cuda_close(ty_device *handle) {
    ty_cuda *dev = ty_cuda_of(handle);
    wait_for_all(dev);
    ty_cuda_release_vendors(dev);
    (void)cudaFree(dev->scratch);
    for (int i = 0; i < TY_QUEUE_COUNT; i++) {
        if (dev->events[i])
            (void)cudaEventDestroy(dev->events[i]);
        if (dev->streams[i])
            (void)cudaStreamDestroy(dev->streams[i]);
    }
    free(dev);
}

/* --- memory ----------------------------------------------------------------------------------- */

static ty_status refuse_described(ty_ctx *ctx, const ty_device *dev) {
    if (!dev->info.is_described)
        return TY_OK;
    return ty_fail(ctx, TY_ERR_DEVICE, "%s is only described here: it can be planned for, not used",
                   dev->info.model);
}

static ty_status zero(ty_ctx *ctx, ty_device *dev, void *memory, size_t bytes) {
    const cudaStream_t stream = ty_cuda_stream(dev);
    TY_TRY(ty_cuda_check(ctx, cudaMemsetAsync(memory, 0, bytes, stream),
                         "clearing memory on the GPU"));
    return ty_cuda_check(ctx, cudaStreamSynchronize(stream), "clearing memory on the GPU");
}

/* An allocation also fails for what went wrong on the GPU before it. */
static ty_status no_memory(ty_ctx *ctx, const ty_device *dev, cudaError_t error, size_t bytes,
                           const char *kind) {
    (void)cudaGetLastError();
    if (error != cudaErrorMemoryAllocation)
        return ty_cuda_check(ctx, error, "asking the GPU for memory");
    return ty_fail(ctx, TY_ERR_DEVICE, "no %s left for %zu bytes on %s (%s)", kind, bytes,
                   dev->info.name, dev->info.model);
}

ty_status ty_cuda_alloc(ty_ctx *ctx, ty_device *dev, size_t bytes, void **out) {
    void *memory = NULL;
    const size_t wanted = bytes ? bytes : 1;
    TY_TRY(refuse_described(ctx, dev));
    TY_TRY(no_memory(ctx, dev, cudaMalloc(&memory, wanted), bytes, "memory"));
    const ty_status st = zero(ctx, dev, memory, wanted);
    if (st != TY_OK)
        (void)cudaFree(memory);
    else
        *out = memory;
    return st;
}

void ty_cuda_free(ty_device *dev, void *memory) {
    wait_for_all(ty_cuda_of(dev));
    (void)cudaFree(memory);
}

ty_status ty_cuda_alloc_host(ty_ctx *ctx, ty_device *dev, size_t bytes, void **out) {
    void *memory = NULL;
    const size_t wanted = bytes ? bytes : 1;
    TY_TRY(refuse_described(ctx, dev));
    TY_TRY(no_memory(ctx, dev, cudaMallocHost(&memory, wanted), bytes, "pinned memory"));
    memset(memory, 0, wanted);
    *out = memory;
    return TY_OK;
}

void ty_cuda_free_host(ty_device *dev, void *memory) {
    wait_for_all(ty_cuda_of(dev));
    (void)cudaFreeHost(memory);
}

/* --- queues ----------------------------------------------------------------------------------- */

ty_status ty_cuda_order(ty_ctx *ctx, ty_device *handle, ty_queue before, ty_queue after) {
    const ty_cuda *dev = ty_cuda_of(handle);
    TY_TRY(ty_cuda_check(ctx, cudaEventRecord(dev->events[before], dev->streams[before]),
                         "noting how far a queue of the GPU is"));
    return ty_cuda_check(ctx, cudaStreamWaitEvent(dev->streams[after], dev->events[before], 0),
                         "ordering queues of the GPU");
}

ty_status ty_cuda_copy(ty_ctx *ctx, ty_device *dev, ty_queue queue, ty_copy kind, void *to,
                       const void *from, size_t bytes) {
    static const enum cudaMemcpyKind kinds[] = {[TY_COPY_IN] = cudaMemcpyHostToDevice,
                                                [TY_COPY_OUT] = cudaMemcpyDeviceToHost,
                                                [TY_COPY_WITHIN] = cudaMemcpyDeviceToDevice};
    static const char *const what[] = {[TY_COPY_IN] = "copying to the GPU",
                                       [TY_COPY_OUT] = "copying from the GPU",
                                       [TY_COPY_WITHIN] = "copying on the GPU"};
    if (bytes == 0)
        return TY_OK;
    const cudaStream_t stream = ty_cuda_of(dev)->streams[queue];
    return ty_cuda_check(ctx, cudaMemcpyAsync(to, from, bytes, kinds[kind], stream), what[kind]);
}

ty_status ty_cuda_poll(ty_ctx *ctx, ty_device *dev, bool *is_idle) {
    *is_idle = true;
    for (int i = 0; i < TY_QUEUE_COUNT; i++) {
        const cudaError_t error = cudaStreamQuery(ty_cuda_of(dev)->streams[i]);
        if (error != cudaErrorNotReady) {
            TY_TRY(ty_cuda_check(ctx, error, "the GPU's work"));
            continue;
        }
        *is_idle = false;
        (void)cudaGetLastError(); /* or the next launch would be blamed for it */
    }
    return TY_OK;
}

ty_status ty_cuda_sync(ty_ctx *ctx, ty_device *dev) {
    for (int i = 0; i < TY_QUEUE_COUNT; i++)
        TY_TRY(ty_cuda_check(ctx, cudaStreamSynchronize(ty_cuda_of(dev)->streams[i]),
                             "the GPU's work"));
    return TY_OK;
}

/* --- values out ------------------------------------------------------------------------------- */

/* bf16 is the upper half of a float. */
static float value_at(const ty_tensor *tensor, const void *raw, int64_t i) {
    if (tensor->dtype == TY_DTYPE_F32)
        return ((const float *)raw)[i];
    const uint32_t bits = (uint32_t)((const uint16_t *)raw)[i] << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void unpack(const ty_tensor *tensor, const void *raw, float *out) {
    const int64_t *d = tensor->shape.dims;
    const bool is_image = ty_cuda_is_channels_last(tensor);
    const int64_t channels = is_image ? d[1] : 1, plane = is_image ? d[2] * d[3] : 1;
    for (int64_t i = 0, n = ty_shape_count(tensor->shape); i < n; i++) {
        const int64_t image = i / (channels * plane), c = i / plane % channels, at = i % plane;
        out[i] = value_at(tensor, raw, (image * plane + at) * channels + c);
    }
}

/* The device's own types and layouts are put in order on the host, which waits for them: only what
 * people look at comes this way. */
static ty_status copy_out_unpacked(ty_ctx *ctx, ty_device *dev, const ty_tensor *tensor,
                                   void *host) {
    void *raw = malloc(tensor->bytes ? tensor->bytes : 1);
    if (!raw)
        return ty_fail_nomem(ctx, "a value's copy");
    ty_status st =
        ty_cuda_copy(ctx, dev, TY_QUEUE_COMPUTE, TY_COPY_OUT, raw, tensor->data, tensor->bytes);
    if (st == TY_OK)
        st = ty_cuda_sync(ctx, dev);
    if (st == TY_OK)
        unpack(tensor, raw, host);
    free(raw);
    return st;
}

ty_status ty_cuda_tensor_copy_out(ty_ctx *ctx, ty_device *dev, const ty_tensor *tensor,
                                  void *host) {
    if (tensor->layout || tensor->dtype == TY_DTYPE_BF16)
        return copy_out_unpacked(ctx, dev, tensor, host);
    const size_t bytes = (size_t)ty_shape_count(tensor->shape) * ty_dtype_bytes(tensor->dtype);
    return ty_cuda_copy(ctx, dev, TY_QUEUE_COMPUTE, TY_COPY_OUT, host, tensor->data, bytes);
}
