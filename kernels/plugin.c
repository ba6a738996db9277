/* Finding and opening the CUDA plug-in. dlopen counts its own openings, so nothing is kept here: the
 * plug-in stays for the life of the process. */
#include "kernels/backend.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

static const char file_name[] = "libtiltyard_cuda.so";

/* The program's folder, without a slash at its end; empty where /proc does not tell. */
static void program_folder(char out[PATH_BYTES]) {
    const ssize_t n = readlink("/proc/self/exe", out, PATH_BYTES - 1);
    out[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(out, '/');
    if (slash)
        *slash = '\0';
}

/* The first of the places that exists; empty: none does. */
static void find_file(const ty_ctx *ctx, char out[PATH_BYTES]) {
    static const char *const places[] = {"", "/../lib/tiltyard"};
    const char *asked = ctx->getenv("TILTYARD_CUDA_PLUGIN");
    if (asked && *asked) {
        (void)snprintf(out, PATH_BYTES, "%.*s", PATH_BYTES - 1, asked);
        return;
    }
    char folder[PATH_BYTES];
    program_folder(folder);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        const int n = snprintf(out, PATH_BYTES, "%s%s/%s", folder, places[i], file_name);
        if (n < PATH_BYTES && access(out, R_OK) == 0)
            return;
    }
    out[0] = '\0';
}

/* A null pointer is no answer to dlsym's question, so its error decides. */
static const ty_backend *table_of(ty_ctx *ctx, void *library, const char *path) {
    const ty_backend *backend = dlsym(library, "ty_backend_plugin");
    const char *version = backend && backend->abi == TY_BACKEND_ABI ? backend->version : NULL;
    if (version && strcmp(version, TY_VERSION) == 0)
        return backend;
    (void)ty_fail(ctx, TY_ERR_DEVICE,
                  "the CUDA plug-in %s is of another build of tiltyard than this "
                  "one (%s): install both from one build",
                  path, TY_VERSION);
    return NULL;
}

const ty_backend *ty_backend_cuda(ty_ctx *ctx) {
    char path[PATH_BYTES];
    find_file(ctx, path);
    if (!path[0]) {
        (void)ty_fail(ctx, TY_ERR_DEVICE, "the CUDA plug-in %s is not installed (docs/GPU.md)",
                      file_name);
        return NULL;
    }
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        (void)ty_fail(ctx, TY_ERR_DEVICE, "the CUDA plug-in could not be opened: %s", dlerror());
        return NULL;
    }
    return table_of(ctx, library, path);
}
