/* GPUs that are not here, as their data sheets describe them: enough to plan a model for one and to
 * predict what it takes. */
#include "kernels/cuda/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct described {
    const char *name;
    ty_gpu_facts facts;
} described;

/* What cuDNN asks of a GPU before it plans without one. The names are cuDNN's own, written nowhere
 * but in its messages about the ones that are missing; the numbers are those of the CUDA programming
 * guide for a compute capability and of the data sheets: SXM boards at their boost clocks. */
#define DNN_JSON(capability, processors, shared, sm_khz, memory_khz, l2, memory, name)             \
    "{\"cudaDeviceId\":0,\"deviceVer\":" capability ",\"driverVer\":13000,"                        \
    "\"deviceName\":\"" name "\",\"multiProcessorCount\":" processors ",\"warpSize\":32,"          \
    "\"maxGridSize\":[2147483647,65535,65535],\"maxBlockSize\":[1024,1024,64],"                    \
    "\"maxThreadsPerBlock\":1024,\"maxThreadsPerSM\":2048,\"maxCtasPerSM\":32,"                    \
    "\"regsPerBlock\":65536,\"maxRegistersPerSM\":65536,"                                          \
    "\"maxSharedMemoryPerBlock\":49152,\"reservedSharedMemoryPerBlock\":1024,"                     \
    "\"maxSharedMemoryPerBlockOptin\":" shared ",\"l2CacheSize\":" l2 ","                          \
    "\"totalGlobalMem\":" memory ",\"smClockRateKHz\":" sm_khz ","                                 \
    "\"memClockRateKHz\":" memory_khz ",\"pciDeviceId\":0,\"isTccDriver\":0,"                      \
    "\"supportCoopLaunch\":1}"

/* NVIDIA A100 and H100 Tensor Core GPU data sheets; dense rates. */
static const described table[] = {
    {"a100",
     {.model = "NVIDIA A100-SXM4-80GB",
      .major = 8,
      .minor = 0,
      .multiprocessors = 108,
      .max_threads_per_multiprocessor = 2048,
      .memory_bytes = INT64_C(80) << 30,
      .l2_bytes = 40 << 20,
      .bandwidth = 2039e9,
      .flops_fp32 = 19.5e12,
      .flops_tf32 = 156e12,
      .flops_bf16 = 312e12,
      .dnn_json = DNN_JSON("800", "108", "166912", "1410000", "1593000", "41943040", "85899345920",
                           "NVIDIA A100-SXM4-80GB")}},
    {"h100",
     {.model = "NVIDIA H100 80GB HBM3",
      .major = 9,
      .minor = 0,
      .multiprocessors = 132,
      .max_threads_per_multiprocessor = 2048,
      .memory_bytes = INT64_C(80) << 30,
      .l2_bytes = 50 << 20,
      .bandwidth = 3350e9,
      .flops_fp32 = 67e12,
      .flops_tf32 = 494.7e12,
      .flops_bf16 = 989.4e12,
      .dnn_json = DNN_JSON("900", "132", "232448", "1980000", "2619000", "52428800", "85899345920",
                           "NVIDIA H100 80GB HBM3")}},
};

static const ty_gpu_facts *facts_of(const char *name) {
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i].facts;
    return NULL;
}

bool ty_cuda_is_described(const char *name) {
    return facts_of(name) != NULL;
}

ty_status ty_cuda_find_described(ty_ctx *ctx, const ty_device_options *options,
                                 ty_device_found *out) {
    (void)ctx;
    const ty_gpu_facts *facts = facts_of(options->name);
    *out = (ty_device_found){.kind = TY_DEVICE_IS_CUDA, .memory_bytes = facts->memory_bytes};
    (void)snprintf(out->name, sizeof out->name, "%s", options->name);
    memcpy(out->model, facts->model, sizeof out->model);
    return TY_OK;
}

ty_status ty_cuda_open_described(ty_ctx *ctx, const ty_device_options *options, ty_device **out) {
    ty_cuda *dev = calloc(1, sizeof *dev);
    if (!dev)
        return ty_fail_nomem(ctx, "a described GPU");
    dev->facts = *facts_of(options->name);
    memcpy(dev->model, dev->facts.model, sizeof dev->model);
    (void)snprintf(dev->name, sizeof dev->name, "%s", options->name);
    (void)snprintf(dev->basis, sizeof dev->basis, "described %s", dev->model);
    memcpy(dev->numeric, dev->basis, sizeof dev->basis);
    dev->device =
        (ty_device){.backend = &ty_backend_plugin,
                    .info = {.kind = TY_DEVICE_IS_CUDA,
                             .name = dev->name,
                             .model = dev->model,
                             .numeric = dev->numeric,
                             .precision = options->precision,
                             .memory_bytes = dev->facts.memory_bytes,
                             .is_described = true,
                             .peak_bandwidth = dev->facts.bandwidth,
                             .peak_flops = {[TY_PRECISION_FP32] = dev->facts.flops_fp32,
                                            [TY_PRECISION_TF32] = dev->facts.flops_tf32,
                                            [TY_PRECISION_BF16] = dev->facts.flops_bf16}}};
    *out = &dev->device;
    return TY_OK;
}
