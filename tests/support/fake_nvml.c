/* A management library of GPUs that are not there. The first byte of a UUID says what is asked for:
 * 0xff is unknown, 0xee a part of a GPU (MIG), everything else a GPU whose number is its last byte. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct memory_info {
    unsigned long long total, free, used;
} memory_info;

typedef struct utilization {
    unsigned int gpu, memory;
} utilization;

enum { SUCCESS = 0, NOT_SUPPORTED = 3, NOT_FOUND = 6, PART = 1000 };

int nvmlInit_v2(void);
int nvmlShutdown(void);
const char *nvmlErrorString(int code);
int nvmlDeviceGetHandleByUUID(const char *uuid, void **out);
int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(void *part, void **out);
int nvmlDeviceGetIndex(void *device, unsigned int *out);
int nvmlDeviceGetMemoryInfo(void *device, memory_info *out);
int nvmlDeviceGetUtilizationRates(void *device, utilization *out);
int nvmlDeviceGetPowerUsage(void *device, unsigned int *out);
int nvmlDeviceGetEnforcedPowerLimit(void *device, unsigned int *out);

static uintptr_t number(void *device) {
    return (uintptr_t)device - 1;
}

int nvmlInit_v2(void) {
    return getenv("FAKE_NVML_INIT") ? atoi(getenv("FAKE_NVML_INIT")) : SUCCESS;
}

int nvmlShutdown(void) {
    return SUCCESS;
}

const char *nvmlErrorString(int code) {
    return code == NOT_FOUND ? "Not Found" : "Driver Not Loaded";
}

int nvmlDeviceGetHandleByUUID(const char *uuid, void **out) {
    unsigned int first, last;
    if (sscanf(uuid + 4, "%2x", &first) != 1 || strlen(uuid) != 40 ||
        sscanf(uuid + 38, "%2x", &last) != 1)
        return NOT_FOUND;
    const int is_part = strncmp(uuid, "MIG-", 4) == 0;
    if (first == 0xff || is_part != (first == 0xee))
        return NOT_FOUND;
    *out = (void *)(uintptr_t)(1 + last + (is_part ? PART : 0));
    return SUCCESS;
}

int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(void *part, void **out) {
    if (number(part) < PART)
        return NOT_SUPPORTED;
    *out = (void *)((uintptr_t)part - PART);
    return SUCCESS;
}

int nvmlDeviceGetIndex(void *device, unsigned int *out) {
    *out = (unsigned int)number(device);
    return number(device) < PART ? SUCCESS : NOT_SUPPORTED;
}

int nvmlDeviceGetMemoryInfo(void *device, memory_info *out) {
    const unsigned long long total = number(device) < PART ? 80000000000 : 10000000000;
    *out = (memory_info){.total = total, .free = total / 4 * 3, .used = total / 4};
    return SUCCESS;
}

int nvmlDeviceGetUtilizationRates(void *device, utilization *out) {
    *out = (utilization){.gpu = 97, .memory = 40};
    return number(device) < PART ? SUCCESS : NOT_SUPPORTED;
}

int nvmlDeviceGetPowerUsage(void *device, unsigned int *out) {
    *out = 350000;
    return number(device) < PART ? SUCCESS : NOT_SUPPORTED;
}

int nvmlDeviceGetEnforcedPowerLimit(void *device, unsigned int *out) {
    *out = 700000;
    return number(device) < PART ? SUCCESS : NOT_SUPPORTED;
}
