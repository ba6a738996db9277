/* Names of devices to the backends that open them, and each call to its backend. */
#include "kernels/backend.h"

#include <stdio.h>
#include <string.h>

/* GPUs that can be planned for where there is none (kernels/cuda/described.c). */
static bool is_described(const char *name) {
    return strcmp(name, "a100") == 0 || strcmp(name, "h100") == 0;
}

/* NULL, with the reason in ctx's message: no backend has such a device. */
static const ty_backend *backend_of(ty_ctx *ctx, const char *name) {
    if (strcmp(name, "cpu") == 0)
        return &ty_backend_cpu;
    if (strncmp(name, "cuda", 4) == 0 || is_described(name))
        return ty_backend_cuda(ctx);
    (void)ty_fail(
        ctx, TY_ERR_DEVICE,
        "unknown device %s, want cpu, cuda, cuda:<n> or auto; to plan for, also a100 or h100",
        name);
    return NULL;
}

static ty_status find(ty_ctx *ctx, const ty_device_options *options, ty_device_found *out) {
    const ty_backend *backend = backend_of(ctx, options->name);
    if (!backend)
        return TY_ERR_DEVICE;
    return backend->find(ctx, options, out);
}

ty_status ty_device_find(ty_ctx *ctx, const ty_device_options *options, ty_device_found *out) {
    if (strcmp(options->name, "auto") != 0)
        return find(ctx, options, out);
    ty_device_options wanted = *options;
    wanted.name = "cuda";
    if (find(ctx, &wanted, out) == TY_OK)
        return TY_OK;
    wanted.name = "cpu";
    TY_TRY(find(ctx, &wanted, out));
    (void)snprintf(out->reason, sizeof out->reason, "%.*s", (int)sizeof out->reason - 1,
                   ctx->message);
    return TY_OK;
}

void ty_device_say_libraries(ty_ctx *ctx, char *out, size_t room) {
    const ty_backend *backend = ty_backend_cuda(ctx);
    out[0] = '\0';
    if (backend)
        backend->say_libraries(ctx, out, room);
}

ty_status ty_device_open(ty_ctx *ctx, const ty_device_options *options, ty_device **out) {
    const ty_backend *backend = backend_of(ctx, options->name);
    return backend ? backend->open(ctx, options, out) : TY_ERR_DEVICE;
}

void ty_device_close(ty_device *dev) {
    if (dev)
        dev->backend->close(dev);
}

const ty_device_info *ty_device_describe(const ty_device *dev) {
    return &dev->info;
}

ty_status ty_device_alloc(ty_ctx *ctx, ty_device *dev, size_t bytes, void **out) {
    return dev->backend->alloc(ctx, dev, bytes, out);
}

void ty_device_free(ty_device *dev, void *memory) {
    if (memory)
        dev->backend->free(dev, memory);
}

ty_status ty_device_alloc_host(ty_ctx *ctx, ty_device *dev, size_t bytes, void **out) {
    return dev->backend->alloc_host(ctx, dev, bytes, out);
}

void ty_device_free_host(ty_device *dev, void *memory) {
    if (memory)
        dev->backend->free_host(dev, memory);
}

ty_status ty_device_order(ty_ctx *ctx, ty_device *dev, ty_queue before, ty_queue after) {
    return dev->backend->order(ctx, dev, before, after);
}

ty_status ty_device_copy(ty_ctx *ctx, ty_device *dev, ty_queue queue, ty_copy kind, void *to,
                         const void *from, size_t bytes) {
    return dev->backend->copy(ctx, dev, queue, kind, to, from, bytes);
}

ty_status ty_device_copy_in(ty_ctx *ctx, ty_device *dev, void *to_device, const void *from_host,
                            size_t bytes) {
    return ty_device_copy(ctx, dev, TY_QUEUE_COMPUTE, TY_COPY_IN, to_device, from_host, bytes);
}

ty_status ty_device_copy_out(ty_ctx *ctx, ty_device *dev, void *to_host, const void *from_device,
                             size_t bytes) {
    return ty_device_copy(ctx, dev, TY_QUEUE_COMPUTE, TY_COPY_OUT, to_host, from_device, bytes);
}

ty_status ty_device_poll(ty_ctx *ctx, ty_device *dev, bool *is_idle) {
    return dev->backend->poll(ctx, dev, is_idle);
}

ty_status ty_device_sync(ty_ctx *ctx, ty_device *dev) {
    return dev->backend->sync(ctx, dev);
}

ty_status ty_tensor_copy_out(ty_ctx *ctx, ty_device *dev, const ty_tensor *tensor, void *host) {
    return dev->backend->tensor_copy_out(ctx, dev, tensor, host);
}
