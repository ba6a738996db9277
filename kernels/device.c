/* Names of devices to the code that opens them. */
#include "kernels/cpu.h"

#include <string.h>

ty_status ty_device_open(ty_ctx *ctx, const char *name, int max_isa_level, ty_device **out) {
    if (strcmp(name, "cpu") == 0)
        return ty_cpu_open(ctx, max_isa_level, out);
    if (strcmp(name, "auto") == 0) {
        ty_log(ctx, TY_LOG_DEBUG, "device", "auto is cpu: this build has no CUDA backend");
        return ty_cpu_open(ctx, max_isa_level, out);
    }
    if (strncmp(name, "cuda", 4) == 0)
        return ty_fail(
            ctx, TY_ERR_DEVICE,
            "device %s was asked for, but this build has no CUDA backend; use cpu or auto", name);
    return ty_fail(ctx, TY_ERR_DEVICE, "unknown device %s, want cpu, cuda or auto", name);
}
