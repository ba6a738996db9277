/* The few functions of nvml.h that are needed, declared here as NVIDIA's API reference has them
 * (docs.nvidia.com/deploy/nvml-api; the ABI of a versioned name never changes). */
#include "base/nvml.h"

#include <dlfcn.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct nvml_device *device; /* opaque */

typedef struct memory_info {
    unsigned long long total, free, used; /* bytes */
} memory_info;

typedef struct utilization {
    unsigned int gpu, memory; /* percent */
} utilization;

typedef struct calls {
    int (*init)(void);
    int (*shutdown)(void);
    const char *(*error_string)(int);
    int (*handle_by_uuid)(const char *, device *);
    int (*index)(device, unsigned int *);
    int (*memory_info)(device, memory_info *);
    int (*utilization)(device, utilization *);
    int (*power_usage)(device, unsigned int *); /* milliwatts */
    int (*power_limit)(device, unsigned int *);
    int (*parent)(device, device *); /* of a MIG device; may be missing in an old driver */
} calls;

struct ty_nvml {
    void *library;
    calls call;
    device gpu;  /* what was asked for: a GPU or a part of one */
    device card; /* the whole GPU, which alone has power */
    unsigned int index;
};

enum { SUCCESS = 0, UUID_TEXT = 48 };

static ty_status load(ty_ctx *ctx, const char *name, ty_nvml *nvml) {
    calls *c = &nvml->call;
    const struct {
        const char *name;
        void *to; /* a function pointer's place */
        bool is_needed;
    } rows[] = {{"nvmlInit_v2", &c->init, true},
                {"nvmlShutdown", &c->shutdown, true},
                {"nvmlErrorString", &c->error_string, true},
                {"nvmlDeviceGetHandleByUUID", &c->handle_by_uuid, true},
                {"nvmlDeviceGetIndex", &c->index, true},
                {"nvmlDeviceGetMemoryInfo", &c->memory_info, true},
                {"nvmlDeviceGetUtilizationRates", &c->utilization, true},
                {"nvmlDeviceGetPowerUsage", &c->power_usage, true},
                {"nvmlDeviceGetEnforcedPowerLimit", &c->power_limit, true},
                {"nvmlDeviceGetDeviceHandleFromMigDeviceHandle", &c->parent, false}};
    nvml->library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!nvml->library)
        return ty_fail(ctx, TY_ERR_NOT_FOUND, "%s", dlerror());
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        void *symbol = dlsym(nvml->library, rows[i].name);
        if (!symbol && rows[i].is_needed)
            return ty_fail(ctx, TY_ERR_NOT_FOUND, "%s has no %s", name, rows[i].name);
        /* ISO C has no cast from an object's to a function's pointer. */
        memcpy(rows[i].to, &symbol, sizeof symbol);
    }
    return TY_OK;
}

/* "GPU-xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx" */
static void write_uuid(const char *prefix, const uint8_t uuid[TY_NVML_UUID_BYTES],
                       char out[UUID_TEXT]) {
    int at = snprintf(out, UUID_TEXT, "%s", prefix);
    for (int i = 0; i < TY_NVML_UUID_BYTES; i++)
        at += snprintf(out + at, (size_t)(UUID_TEXT - at), "%s%02x",
                       i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", uuid[i]);
}

static ty_status find(ty_ctx *ctx, ty_nvml *nvml, const uint8_t uuid[TY_NVML_UUID_BYTES]) {
    char whole[UUID_TEXT], part[UUID_TEXT];
    write_uuid("GPU-", uuid, whole);
    write_uuid("MIG-", uuid, part);
    int code = nvml->call.handle_by_uuid(whole, &nvml->gpu);
    if (code != SUCCESS && nvml->call.handle_by_uuid(part, &nvml->gpu) == SUCCESS)
        code = SUCCESS;
    if (code != SUCCESS)
        return ty_fail(ctx, TY_ERR_NOT_FOUND, "NVML knows no %s: %s", whole,
                       nvml->call.error_string(code));
    nvml->card = nvml->gpu;
    device card;
    if (nvml->call.parent && nvml->call.parent(nvml->gpu, &card) == SUCCESS)
        nvml->card = card;
    code = nvml->call.index(nvml->card, &nvml->index);
    return code == SUCCESS ? TY_OK
                           : ty_fail(ctx, TY_ERR_FAILED, "NVML does not number %s: %s", whole,
                                     nvml->call.error_string(code));
}

ty_status ty_nvml_open(ty_ctx *ctx, const char *library, const uint8_t uuid[TY_NVML_UUID_BYTES],
                       ty_nvml **out) {
    ty_nvml *nvml = calloc(1, sizeof *nvml);
    if (!nvml)
        return ty_fail_nomem(ctx, "NVML");
    ty_status st = load(ctx, library ? library : "libnvidia-ml.so.1", nvml);
    const int code = st == TY_OK ? nvml->call.init() : SUCCESS;
    if (code != SUCCESS) {
        st = ty_fail(ctx, TY_ERR_FAILED, "NVML: %s", nvml->call.error_string(code));
        nvml->call.shutdown = NULL;
    }
    if (st == TY_OK)
        st = find(ctx, nvml, uuid);
    if (st == TY_OK)
        *out = nvml;
    else
        ty_nvml_close(nvml);
    return st;
}

void ty_nvml_close(ty_nvml *nvml) {
    if (!nvml)
        return;
    if (nvml->call.shutdown)
        (void)nvml->call.shutdown();
    if (nvml->library)
        (void)dlclose(nvml->library);
    free(nvml);
}

int ty_nvml_index(const ty_nvml *nvml) {
    return (int)nvml->index;
}

void ty_nvml_read(const ty_nvml *nvml, ty_nvml_reading *out) {
    memory_info memory;
    utilization used;
    unsigned int milliwatts;
    *out = (ty_nvml_reading){NAN, NAN, NAN, NAN, NAN};
    if (nvml->call.memory_info(nvml->gpu, &memory) == SUCCESS) {
        out->memory_used = (double)memory.used;
        out->memory_total = (double)memory.total;
    }
    if (nvml->call.utilization(nvml->gpu, &used) == SUCCESS)
        out->busy_percent = used.gpu;
    if (nvml->call.power_usage(nvml->card, &milliwatts) == SUCCESS)
        out->watts = 1e-3 * milliwatts;
    if (nvml->call.power_limit(nvml->card, &milliwatts) == SUCCESS)
        out->watts_limit = 1e-3 * milliwatts;
}
