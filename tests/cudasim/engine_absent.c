/* Stands in for the PTX engine: a module with no kernels in it, so that the runtime's own tests need no engine. */
#include "engine.h"

#include <stdio.h>

#include "report.h"

cs_module *cs_module_load(int device, const char *ptx, size_t n, char *error, size_t room) {
    (void)device;
    (void)ptx;
    snprintf(error, room, "no engine runs these %zu bytes of PTX", n);
    return NULL;
}

void cs_module_unload(cs_module *module) {
    (void)module;
}

const cs_kernel *cs_module_kernel(const cs_module *module, const char *name) {
    (void)module;
    (void)name;
    return NULL;
}

bool cs_module_symbol(const cs_module *module, const char *name, uint64_t *address, size_t *bytes) {
    (void)module;
    (void)name;
    (void)address;
    (void)bytes;
    return false;
}

size_t cs_kernel_params(const cs_kernel *kernel, const uint32_t **sizes, const uint32_t **offsets) {
    (void)kernel;
    *sizes = *offsets = NULL;
    return 0;
}

cs_kernel_info cs_kernel_describe(const cs_kernel *kernel) {
    (void)kernel;
    return (cs_kernel_info){0};
}

bool cs_launch_run(const cs_launch *launch) {
    (void)launch;
    cs_unknown("cs_launch_run", "no engine");
}
