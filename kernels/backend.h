/* What a kind of device brings: the CPU's table is linked in, CUDA's is the one symbol of the plug-in
 * libtiltyard_cuda.so. Private to kernels and to the plug-in. */
#ifndef TY_KERNELS_BACKEND_H
#define TY_KERNELS_BACKEND_H

#include "kernels/clique.h"
#include "kernels/device.h"
#include "kernels/flat.h"
#include "kernels/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Of this file and of every struct that it reaches, because the plug-in is a file of its own and may
 * be an old one: the revision is raised with each change, and the length of the table of ops belongs
 * to it. */
enum { TY_BACKEND_REVISION = 4, TY_BACKEND_ABI = TY_BACKEND_REVISION * 1000 + TY_OP_COUNT };

/* Each function is the twin of the ty_flat_ function of its name (kernels/flat.h). */
typedef struct ty_flat_table {
    ty_status (*fill)(ty_ctx *, ty_device *, float *to, int64_t n, float value);
    ty_status (*copy)(ty_ctx *, ty_device *, float *to, const float *from, int64_t n);
    ty_status (*scale)(ty_ctx *, ty_device *, float *x, int64_t n, float factor);
    ty_status (*cast)(ty_ctx *, ty_device *, const ty_cast_args *);
    ty_status (*add)(ty_ctx *, ty_device *, float *to, const float *a, const float *b, int64_t n);
    ty_status (*blend)(ty_ctx *, ty_device *, const ty_blend_args *);
    ty_status (*norms)(ty_ctx *, ty_device *, const float *x, const ty_segment *segments,
                       int64_t n_segments, double *out);
    ty_status (*loss)(ty_ctx *, ty_device *, const float *rows, const float *weight, int64_t n,
                      float *out);
    ty_status (*judge)(ty_ctx *, ty_device *, const ty_judge_args *);
    ty_status (*init)(ty_ctx *, ty_device *, const ty_init_args *);
    ty_status (*sgd)(ty_ctx *, ty_device *, const ty_sgd_args *);
    ty_status (*adamw)(ty_ctx *, ty_device *, const ty_adamw_args *);
} ty_flat_table;

/* Each function is the twin of the ty_clique_ function of its name (kernels/clique.h). */
typedef struct ty_clique_table {
    ty_status (*new_id)(ty_ctx *, ty_device *, uint8_t id[TY_CLIQUE_ID_BYTES]);
    ty_status (*open)(ty_ctx *, ty_device *, const uint8_t id[TY_CLIQUE_ID_BYTES], int rank,
                      int size, ty_clique **out);
    ty_status (*poll)(ty_ctx *, ty_clique *, bool *is_ready);
    void (*abort)(ty_clique *);
    void (*close)(ty_clique *);
    ty_status (*all_reduce)(ty_ctx *, ty_clique *, float *x, int64_t n);
    ty_status (*all_to_all)(ty_ctx *, ty_clique *, const float *from, float *to, int64_t slice);
    ty_status (*all_gather)(ty_ctx *, ty_clique *, float *x, int64_t slice);
    ty_status (*sum_slices)(ty_ctx *, ty_clique *, const float *parts, float *to, int64_t slice);
} ty_clique_table;

/* Each function is the twin of the ty_device_ function of its name (kernels/device.h). */
typedef struct ty_backend {
    int abi;             /* TY_BACKEND_ABI of the build; first, for ever */
    const char *version; /* TY_VERSION of the build */
    ty_status (*find)(ty_ctx *, const ty_device_options *, ty_device_found *out);
    void (*say_libraries)(ty_ctx *, char *out, size_t room);
    ty_status (*open)(ty_ctx *, const ty_device_options *, ty_device **out);
    void (*close)(ty_device *);
    ty_status (*alloc)(ty_ctx *, ty_device *, size_t bytes, void **out);
    void (*free)(ty_device *, void *memory);
    ty_status (*alloc_host)(ty_ctx *, ty_device *, size_t bytes, void **out);
    void (*free_host)(ty_device *, void *memory);
    ty_status (*order)(ty_ctx *, ty_device *, ty_queue before, ty_queue after);
    ty_status (*copy)(ty_ctx *, ty_device *, ty_queue queue, ty_copy kind, void *to,
                      const void *from, size_t bytes);
    ty_status (*poll)(ty_ctx *, ty_device *, bool *is_idle);
    ty_status (*sync)(ty_ctx *, ty_device *);
    ty_status (*tensor_copy_out)(ty_ctx *, ty_device *, const ty_tensor *tensor, void *host);
    /* Fills registers and occupancy of a cost that names a kernel; NULL: nothing is known. */
    void (*note_kernel)(const ty_device *, ty_op_cost *);
    const ty_op_impl *const *ops; /* [TY_OP_COUNT] */
    const ty_flat_table *flat;
    const ty_clique_table *cliques; /* NULL: has none */
} ty_backend;

/* The first member of each backend's own device. */
struct ty_device {
    const ty_backend *backend;
    ty_device_info info;
};

/* The first member of each backend's own clique. */
struct ty_clique {
    ty_device *dev;
    int rank, size;
};

extern const ty_backend ty_backend_cpu;

/* The plug-in's table: opened at the first call, kept for the process. NULL and the reason in ctx's
 * message where it can't be had. It lies at $TILTYARD_CUDA_PLUGIN, beside the program, or in
 * ../lib/tiltyard of the program's folder. */
const ty_backend *ty_backend_cuda(ty_ctx *ctx);

#ifdef __cplusplus
}
#endif
#endif
