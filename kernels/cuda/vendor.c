#include "kernels/cuda/vendor.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 4096 };

typedef struct library {
    const char *name;  /* "cuBLASLt" */
    const char *file;  /* of this major version */
    const char *wheel; /* the folder of its own that a wheel may have */
    int major;
} library;

static const library blas_library = {"cuBLASLt", "libcublasLt.so.13", "cublas", CUBLAS_VER_MAJOR};
static const library dnn_library = {"cuDNN", "libcudnn.so.9", "cudnn", CUDNN_MAJOR};
static const library nccl_library = {"NCCL", "libnccl.so.2", "nccl", NCCL_MAJOR};

/* --- finding a library ------------------------------------------------------------------------ */

/* The folder that the runtime library is in, with "/" at its end; "" where nobody knows. */
static void runtime_folder(char out[PATH_BYTES]) {
    Dl_info info;
    void *symbol = dlsym(RTLD_DEFAULT, "cudaGetDeviceCount");
    const char *path = symbol && dladdr(symbol, &info) ? info.dli_fname : "";
    const char *slash = strrchr(path, '/');
    (void)snprintf(out, PATH_BYTES, "%.*s", slash ? (int)(slash - path + 1) : 0, path);
}

/* NULL: nowhere. Empty folders make paths that do not exist. */
static void *open_anywhere(const library *lib) {
    char folder[PATH_BYTES], beside[2 * PATH_BYTES], wheel[2 * PATH_BYTES];
    runtime_folder(folder);
    (void)snprintf(beside, sizeof beside, "%s%s", folder, lib->file);
    (void)snprintf(wheel, sizeof wheel, "%s../../%s/lib/%s", folder, lib->wheel, lib->file);
    const char *const places[] = {lib->file, beside, wheel};
    void *handle = NULL;
    for (size_t i = 0; i < sizeof places / sizeof places[0] && !handle; i++)
        handle = dlopen(places[i], RTLD_NOW | RTLD_LOCAL);
    return handle;
}

/* Where to take functions from: what the process has, or the library. It stays open: its code may
 * have registered itself for the process's end. */
static ty_status find_library(ty_ctx *ctx, const library *lib, const char *probe, void **out) {
    *out = RTLD_DEFAULT;
    if (dlsym(RTLD_DEFAULT, probe))
        return TY_OK;
    *out = open_anywhere(lib);
    if (*out)
        return TY_OK;
    return ty_fail(ctx, TY_ERR_DEVICE, "%s %d is not installed: no %s was found (docs/GPU.md)",
                   lib->name, lib->major, lib->file);
}

static ty_status find_function(ty_ctx *ctx, const library *lib, void *handle, const char *name,
                               void *out) {
    void *symbol = dlsym(handle, name);
    if (!symbol)
        return ty_fail(ctx, TY_ERR_DEVICE, "%s has no function %s: want version %d", lib->name,
                       name, lib->major);
    memcpy(out, &symbol,
           sizeof symbol); /* ISO C has no cast from an object's to a function's pointer */
    return TY_OK;
}

static ty_status check_major(ty_ctx *ctx, const library *lib, int major) {
    if (major == lib->major)
        return TY_OK;
    return ty_fail(ctx, TY_ERR_DEVICE, "%s is of version %d, want %d", lib->name, major,
                   lib->major);
}

#define FIND_MEMBER(function)                                                                      \
    if (st == TY_OK)                                                                               \
        st = find_function(ctx, lib, handle, #function, &table->function);

/* --- the three libraries ---------------------------------------------------------------------- */

static void write_numeric(ty_cuda *dev) {
    char engines[40] = "";
    if (dev->engines)
        (void)snprintf(engines, sizeof engines, " engines-%016" PRIx64, dev->engines);
    (void)snprintf(dev->numeric, sizeof dev->numeric, "%s%s", dev->basis, engines);
}

static void note_version(ty_cuda *dev, const char *name, size_t version) {
    const size_t used = strlen(dev->basis);
    (void)snprintf(dev->basis + used, sizeof dev->basis - used, " %s-%zu", name, version);
    write_numeric(dev);
}

void ty_cuda_note_engine(ty_cuda *dev, int64_t engine, int64_t workspace) {
    const int64_t choice[] = {engine, workspace};
    dev->engines = ty_hash64_pair(&dev->engines, sizeof dev->engines, choice, sizeof choice);
    write_numeric(dev);
}

static ty_status fill_blas(ty_ctx *ctx, ty_vendor_blas *table) {
    const library *lib = &blas_library;
    void *handle;
    ty_status st = find_library(ctx, lib, "cublasLtCreate", &handle);
    TY_VENDOR_BLAS(FIND_MEMBER)
    return st == TY_OK ? check_major(ctx, lib, (int)(table->cublasLtGetVersion() / 10000)) : st;
}

static ty_status make_blas_handle(ty_ctx *ctx, ty_cuda *dev) {
    if (dev->device.info.is_described || dev->blas_handle)
        return TY_OK;
    cublasLtHandle_t handle = NULL;
    const cublasStatus_t status = dev->blas->cublasLtCreate(&handle);
    ty_cuda_forget_error();
    if (status != CUBLAS_STATUS_SUCCESS)
        return ty_fail(ctx, TY_ERR_DEVICE, "starting cuBLASLt: %s",
                       dev->blas->cublasLtGetStatusString(status));
    dev->blas_handle = handle;
    return TY_OK;
}

ty_status ty_cuda_want_blas(ty_ctx *ctx, ty_cuda *dev) {
    if (dev->blas)
        return make_blas_handle(ctx, dev);
    ty_vendor_blas *table = calloc(1, sizeof *table);
    if (!table)
        return ty_fail_nomem(ctx, "cuBLASLt's functions");
    const ty_status st = fill_blas(ctx, table);
    if (st != TY_OK) {
        free(table);
        return st;
    }
    dev->blas = table;
    note_version(dev, "cublasLt", table->cublasLtGetVersion());
    return make_blas_handle(ctx, dev);
}

static ty_status fill_dnn(ty_ctx *ctx, ty_vendor_dnn *table) {
    const library *lib = &dnn_library;
    void *handle;
    ty_status st = find_library(ctx, lib, "cudnnBackendCreateDescriptor", &handle);
    TY_VENDOR_DNN(FIND_MEMBER)
    return st == TY_OK ? check_major(ctx, lib, (int)(table->cudnnGetVersion() / 10000)) : st;
}

static ty_status make_dnn_handle(ty_ctx *ctx, ty_cuda *dev) {
    if (dev->device.info.is_described || dev->dnn_handle)
        return TY_OK;
    cudnnHandle_t handle = NULL;
    cudnnStatus_t status = dev->dnn->cudnnCreate(&handle);
    if (status == CUDNN_STATUS_SUCCESS)
        status = dev->dnn->cudnnSetStream(handle, ty_cuda_stream(&dev->device));
    ty_cuda_forget_error();
    if (status == CUDNN_STATUS_SUCCESS) {
        dev->dnn_handle = handle;
        return TY_OK;
    }
    if (handle)
        (void)dev->dnn->cudnnDestroy(handle);
    return ty_fail(ctx, TY_ERR_DEVICE, "starting cuDNN: %s", dev->dnn->cudnnGetErrorString(status));
}

ty_status ty_cuda_want_dnn(ty_ctx *ctx, ty_cuda *dev) {
    if (dev->dnn)
        return make_dnn_handle(ctx, dev);
    ty_vendor_dnn *table = calloc(1, sizeof *table);
    if (!table)
        return ty_fail_nomem(ctx, "cuDNN's functions");
    const ty_status st = fill_dnn(ctx, table);
    if (st != TY_OK) {
        free(table);
        return st;
    }
    dev->dnn = table;
    note_version(dev, "cudnn", table->cudnnGetVersion());
    return make_dnn_handle(ctx, dev);
}

static ty_status fill_nccl(ty_ctx *ctx, ty_vendor_nccl *table) {
    const library *lib = &nccl_library;
    void *handle;
    int version = 0;
    ty_status st = find_library(ctx, lib, "ncclGetVersion", &handle);
    TY_VENDOR_NCCL(FIND_MEMBER)
    if (st == TY_OK && table->ncclGetVersion(&version) != ncclSuccess)
        return ty_fail(ctx, TY_ERR_DEVICE, "NCCL does not tell its version");
    return st == TY_OK ? check_major(ctx, lib, version / 10000) : st;
}

ty_status ty_cuda_want_nccl(ty_ctx *ctx, ty_cuda *dev) {
    if (dev->nccl)
        return TY_OK;
    ty_vendor_nccl *table = calloc(1, sizeof *table);
    if (!table)
        return ty_fail_nomem(ctx, "NCCL's functions");
    const ty_status st = fill_nccl(ctx, table);
    if (st != TY_OK) {
        free(table);
        return st;
    }
    dev->nccl = table; /* of no version in numeric: exact sums are ours, NCCL compares its own */
    return TY_OK;
}

/* --- for people ------------------------------------------------------------------------------- */

typedef struct words {
    char *out;
    size_t room;
} words;

/* "cuDNN 9.19.0", or why there is none. version is decimal with the given weights. */
static void say(words *to, const ty_ctx *ctx, const char *name, ty_status st, size_t version,
                size_t major_weight, size_t minor_weight) {
    const int n =
        st == TY_OK ? snprintf(to->out, to->room, "%s %zu.%zu.%zu\n", name, version / major_weight,
                               version % major_weight / minor_weight, version % minor_weight)
                    : snprintf(to->out, to->room, "%s: %s\n", name, ctx->message);
    if (n > 0 && (size_t)n < to->room) {
        to->out += n;
        to->room -= (size_t)n;
    }
}

void ty_cuda_say_libraries(ty_ctx *ctx, char *out, size_t room) {
    words to = {.out = out, .room = room};
    ty_vendor_blas blas = {0};
    ty_vendor_dnn dnn = {0};
    ty_vendor_nccl nccl = {0};
    int nccl_version = 0;
    ty_status st = fill_blas(ctx, &blas);
    say(&to, ctx, "cuBLASLt", st, st == TY_OK ? blas.cublasLtGetVersion() : 0, 10000, 100);
    st = fill_dnn(ctx, &dnn);
    say(&to, ctx, "cuDNN", st, st == TY_OK ? dnn.cudnnGetVersion() : 0, 10000, 100);
    st = fill_nccl(ctx, &nccl);
    if (st == TY_OK)
        (void)nccl.ncclGetVersion(&nccl_version);
    say(&to, ctx, "NCCL", st, (size_t)nccl_version, 10000, 100);
}

/* The tables are only read through dev, so nobody else has them. */
static void free_table(const void *table) {
    void *memory;
    memcpy(&memory, &table, sizeof memory);
    free(memory);
}

void ty_cuda_release_vendors(ty_cuda *dev) {
    if (dev->blas && dev->blas_handle)
        (void)dev->blas->cublasLtDestroy(dev->blas_handle);
    if (dev->dnn && dev->dnn_handle)
        (void)dev->dnn->cudnnDestroy(dev->dnn_handle);
    free_table(dev->blas);
    free_table(dev->dnn);
    free_table(dev->nccl);
    dev->blas = NULL;
    dev->dnn = NULL;
    dev->nccl = NULL;
}
