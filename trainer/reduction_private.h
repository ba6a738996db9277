/* What reduction.c (one host) and reduction_hosts.c (several) share. */
#ifndef TY_TRAINER_REDUCTION_PRIVATE_H
#define TY_TRAINER_REDUCTION_PRIVATE_H

#include "trainer/comm_private.h"
#include "trainer/sum_tree.h"

typedef struct ty_reduction_range {
    int64_t first, count;
} ty_reduction_range;

struct ty_reduction_hosts;
struct ty_reduction_gpu;

/* The window, shared by the ranks of a host: their parts [local_size][stride], the result [stride],
 * and with several hosts the sums of this host's blocks [n][stride]. */
struct ty_reduction {
    ty_comm *comm;
    int64_t n;
    int64_t stride; /* floats, whole pages */
    float *window;
    size_t window_bytes;
    float *in, *out;
    const float **parts;  /* [local_size] */
    const float **leaves; /* [local_size] room for one run's slice */
    ty_sum_tree tree;     /* over the ranks of one host, where there is only one */
    struct ty_reduction_hosts *hosts;
    struct ty_reduction_gpu *gpu; /* NULL: in host memory; else only comm, n, in, out count */
};

/* Share `index` of `count` of n elements, cut at whole cache lines. */
ty_reduction_range ty_reduction_share(int64_t n, int index, int count);

/* What only several hosts need; run is ty_reduction_run among them. */
ty_status ty_reduction_hosts_open(ty_ctx *ctx, ty_comm *comm, int64_t n, bool is_exact,
                                  struct ty_reduction_hosts **out) TY_MUST_USE;
void ty_reduction_hosts_close(struct ty_reduction_hosts *hosts);
/* How many sums the window has to hold. */
int ty_reduction_hosts_sums(const struct ty_reduction_hosts *hosts);
ty_status ty_reduction_hosts_run(ty_ctx *ctx, ty_reduction *reduction) TY_MUST_USE;

/* What only GPUs need; run and wait are ty_reduction_run and _wait on them. Fills in and out. */
ty_status ty_reduction_gpu_open(ty_ctx *ctx, ty_reduction *reduction,
                                const ty_reduction_options *options) TY_MUST_USE;
void ty_reduction_gpu_close(ty_reduction *reduction);
ty_status ty_reduction_gpu_run(ty_ctx *ctx, ty_reduction *reduction) TY_MUST_USE;
ty_status ty_reduction_gpu_wait(ty_ctx *ctx, ty_reduction *reduction, ty_status mine) TY_MUST_USE;

#endif
