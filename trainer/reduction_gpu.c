/* Sums over ranks whose buffers are on GPUs. Three ways, one face:
 *   exact   all-to-all of slices, a kernel that adds them in the fixed tree, all-gather
 *   fast    NCCL's all-reduce of buckets
 *   staged  out to host memory, the sum of reduction.c there, and back
 * and with one rank nothing at all. The first two only queue: COMM waits for what COMPUTE has so far,
 * COMPUTE for the sum. */
#include <stdlib.h>
#include <string.h>

#include "trainer/reduction_private.h"

enum { FLOATS_PER_LINE = 16, BUCKET_FLOATS = 25 * 1024 * 1024 / 4 };

/* Bucket k is elements [k * size, (k + 1) * size) of the buffer. */
typedef struct buckets {
    int64_t size;
    int64_t count;
    int64_t *awaited; /* [count] elements that are not ready */
} buckets;

typedef struct ty_reduction_gpu {
    ty_device *dev;
    ty_clique *clique;    /* NULL: one rank, staged, or aborted */
    ty_reduction *staged; /* NULL: not staged */
    bool is_exact;
    int64_t slice;     /* floats of one rank's slice, whole lines; exact */
    float *x;          /* [ranks * slice], at least [n] */
    float *parts;      /* [ranks * slice] this rank's slice of everybody's buffer; exact */
    buckets buckets;   /* fast */
    bool is_under_way; /* something was queued on the clique that no wait has seen the end of */
} ty_reduction_gpu;

/* --- buckets ---------------------------------------------------------------------------------- */

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t bucket_count(const buckets *it, int64_t k, int64_t n) {
    return least(it->size, n - k * it->size);
}

static void reset_buckets(buckets *it, int64_t n) {
    for (int64_t k = 0; k < it->count; k++)
        it->awaited[k] = bucket_count(it, k, n);
}

static ty_status make_buckets(ty_ctx *ctx, buckets *it, int64_t n, int64_t size) {
    it->size = size > 0 ? size : BUCKET_FLOATS;
    it->count = (n + it->size - 1) / it->size;
    it->awaited = calloc((size_t)it->count + 1, sizeof *it->awaited);
    if (!it->awaited)
        return ty_fail_nomem(ctx, "the buckets of a reduction");
    reset_buckets(it, n);
    return TY_OK;
}

/* --- opening ---------------------------------------------------------------------------------- */

static ty_status allocate(ty_ctx *ctx, const ty_reduction *reduction,
                          const ty_reduction_options *options) {
    ty_reduction_gpu *gpu = reduction->gpu;
    const int64_t ranks = reduction->comm->size, n = reduction->n;
    const bool has_slices = ranks > 1 && !options->is_staged && options->is_exact;
    const int64_t lines = (n + FLOATS_PER_LINE - 1) / FLOATS_PER_LINE;
    gpu->slice = (lines + ranks - 1) / ranks * FLOATS_PER_LINE;
    const size_t bytes = (size_t)(ranks * gpu->slice) * sizeof(float);
    void *x = NULL, *parts = NULL;
    TY_TRY(ty_device_alloc(ctx, gpu->dev, bytes, &x));
    gpu->x = x;
    if (has_slices)
        TY_TRY(ty_device_alloc(ctx, gpu->dev, bytes, &parts));
    gpu->parts = parts;
    if (ranks > 1 && !options->is_staged && !options->is_exact)
        return make_buckets(ctx, &gpu->buckets, n, options->bucket_floats);
    return TY_OK;
}

/* Without NCCL there is still a way, which has to be asked for. */
static ty_status name_way_out(ty_ctx *ctx, ty_status st) {
    char own[TY_MESSAGE_BYTES];
    if (st != TY_ERR_DEVICE)
        return st;
    memcpy(own, ctx->message, sizeof own);
    return ty_fail(ctx, st, "%.*s; train.collectives=\"mpi\" sums through host memory instead",
                   (int)sizeof own - 80, own);
}

static ty_status connect(ty_ctx *ctx, ty_reduction *reduction,
                         const ty_reduction_options *options) {
    ty_reduction_gpu *gpu = reduction->gpu;
    if (reduction->comm->size == 1)
        return TY_OK;
    if (options->is_staged)
        return ty_reduction_open(ctx, reduction->comm, reduction->n, options->is_exact,
                                 &gpu->staged);
    if (!ty_device_has_cliques(gpu->dev))
        return ty_fail(ctx, TY_ERR_DEVICE, "%s has no sums over ranks of its own",
                       ty_device_describe(gpu->dev)->name);
    return name_way_out(ctx, ty_comm_clique_open(ctx, reduction->comm, gpu->dev, &gpu->clique));
}

ty_status ty_reduction_gpu_open(ty_ctx *ctx, ty_reduction *reduction,
                                const ty_reduction_options *options) {
    ty_status st = TY_OK;
    ty_reduction_gpu *gpu = calloc(1, sizeof *gpu);
    reduction->gpu = gpu;
    if (gpu) {
        *gpu = (ty_reduction_gpu){.dev = options->dev, .is_exact = options->is_exact};
        st = allocate(ctx, reduction, options);
        reduction->in = reduction->out = gpu->x;
    } else {
        st = ty_fail_nomem(ctx, "the reduction");
    }
    TY_TRY(ty_comm_agree(ctx, reduction->comm, st));
    return connect(ctx, reduction, options);
}

static void abort_clique(ty_reduction_gpu *gpu) {
    ty_clique_abort(gpu->clique);
    gpu->clique = NULL;
    gpu->is_under_way = false;
}

void ty_reduction_give_up(ty_reduction *reduction) {
    ty_reduction_gpu *gpu = reduction ? reduction->gpu : NULL;
    if (gpu && gpu->clique && gpu->is_under_way)
        abort_clique(gpu);
}

ty_status ty_reduction_fail(ty_ctx *ctx, ty_reduction *reduction, ty_status st) {
    const ty_reduction_gpu *gpu = reduction->gpu;
    const bool has_buckets = gpu && gpu->clique && !gpu->is_exact;
    return has_buckets ? ty_comm_fail_alone(ctx, reduction->comm, st) : st;
}

void ty_reduction_gpu_close(ty_reduction *reduction) {
    ty_reduction_gpu *gpu = reduction->gpu;
    if (!gpu)
        return;
    /* Work that may never end is given up, and so is what a broken job has queued. */
    if (gpu->is_under_way || reduction->comm->broken[0])
        abort_clique(gpu);
    ty_clique_close(gpu->clique);
    ty_reduction_close(gpu->staged);
    ty_device_free(gpu->dev, gpu->x);
    ty_device_free(gpu->dev, gpu->parts);
    free(gpu->buckets.awaited);
    free(gpu);
}

/* --- running ---------------------------------------------------------------------------------- */

/* A call of the clique that this rank alone fails at would leave the others waiting. */
static ty_status queued(ty_ctx *ctx, ty_reduction *reduction, ty_status st) {
    if (st != TY_OK)
        return ty_comm_fail_alone(ctx, reduction->comm, st);
    return ty_comm_clique_settle(ctx, reduction->comm, reduction->gpu->clique);
}

static ty_status check_unbroken(ty_ctx *ctx, const ty_reduction *reduction) {
    const char *broken = reduction->comm->broken;
    return broken[0] ? ty_fail(ctx, TY_ERR_COMM, "%s", broken) : TY_OK;
}

static ty_status told(ty_ctx *ctx, ty_reduction *reduction, ty_status st) {
    return st == TY_OK ? TY_OK : ty_comm_fail_alone(ctx, reduction->comm, st);
}

/* What COMM does next waits for what COMPUTE has so far. */
static ty_status follow_compute(ty_ctx *ctx, ty_reduction *reduction) {
    const ty_reduction_gpu *gpu = reduction->gpu;
    return told(ctx, reduction, ty_device_order(ctx, gpu->dev, TY_QUEUE_COMPUTE, TY_QUEUE_COMM));
}

/* What COMPUTE does next sees the sum. */
static ty_status precede_compute(ty_ctx *ctx, ty_reduction *reduction) {
    const ty_reduction_gpu *gpu = reduction->gpu;
    return told(ctx, reduction, ty_device_order(ctx, gpu->dev, TY_QUEUE_COMM, TY_QUEUE_COMPUTE));
}

static ty_status begin_bucket(ty_ctx *ctx, ty_reduction *reduction, int64_t k) {
    ty_reduction_gpu *gpu = reduction->gpu;
    const int64_t count = bucket_count(&gpu->buckets, k, reduction->n);
    gpu->buckets.awaited[k] = 0;
    gpu->is_under_way = true;
    TY_TRY(follow_compute(ctx, reduction));
    return queued(ctx, reduction,
                  ty_clique_all_reduce(ctx, gpu->clique, gpu->x + k * gpu->buckets.size, count));
}

/* From the end, where the backward pass begins. */
static ty_status run_fast(ty_ctx *ctx, ty_reduction *reduction) {
    buckets *it = &reduction->gpu->buckets;
    for (int64_t k = it->count - 1; k >= 0; k--) {
        if (it->awaited[k] > 0)
            TY_TRY(begin_bucket(ctx, reduction, k));
    }
    reset_buckets(it, reduction->n);
    return precede_compute(ctx, reduction);
}

static ty_status run_exact(ty_ctx *ctx, ty_reduction *reduction) {
    ty_reduction_gpu *gpu = reduction->gpu;
    float *own = gpu->x + reduction->comm->rank * gpu->slice;
    gpu->is_under_way = true;
    TY_TRY(follow_compute(ctx, reduction));
    TY_TRY(queued(ctx, reduction,
                  ty_clique_all_to_all(ctx, gpu->clique, gpu->x, gpu->parts, gpu->slice)));
    /* The slices were sent before this kernel begins, so the sum may lie where one of them was. */
    TY_TRY(queued(ctx, reduction,
                  ty_clique_sum_slices(ctx, gpu->clique, gpu->parts, own, gpu->slice)));
    TY_TRY(queued(ctx, reduction, ty_clique_all_gather(ctx, gpu->clique, gpu->x, gpu->slice)));
    return precede_compute(ctx, reduction);
}

static ty_status copy(ty_ctx *ctx, ty_reduction *reduction, ty_copy kind, void *to,
                      const void *from) {
    const size_t bytes = (size_t)reduction->n * sizeof(float);
    return ty_device_copy(ctx, reduction->gpu->dev, TY_QUEUE_COMPUTE, kind, to, from, bytes);
}

static ty_status copy_out(ty_ctx *ctx, ty_reduction *reduction) {
    ty_reduction_gpu *gpu = reduction->gpu;
    TY_TRY(copy(ctx, reduction, TY_COPY_OUT, ty_reduction_in(gpu->staged), gpu->x));
    return ty_comm_wait_device(ctx, reduction->comm, gpu->dev);
}

/* The wait in front also ends the copy in of the last run, whose source is about to change. */
static ty_status run_staged(ty_ctx *ctx, ty_reduction *reduction) {
    ty_reduction_gpu *gpu = reduction->gpu;
    const ty_status all = ty_comm_agree(ctx, reduction->comm, copy_out(ctx, reduction));
    if (all != TY_OK)
        return ty_comm_break(ctx, reduction->comm, all);
    TY_TRY(ty_reduction_run(ctx, gpu->staged));
    return told(ctx, reduction,
                copy(ctx, reduction, TY_COPY_IN, gpu->x, ty_reduction_out(gpu->staged)));
}

ty_status ty_reduction_gpu_run(ty_ctx *ctx, ty_reduction *reduction) {
    const ty_reduction_gpu *gpu = reduction->gpu;
    if (reduction->comm->size == 1)
        return TY_OK;
    TY_TRY(check_unbroken(ctx, reduction));
    if (gpu->staged)
        return run_staged(ctx, reduction);
    return gpu->is_exact ? run_exact(ctx, reduction) : run_fast(ctx, reduction);
}

static ty_status note_ready(ty_ctx *ctx, ty_reduction *reduction, int64_t k, int64_t count) {
    buckets *it = &reduction->gpu->buckets;
    if (count > it->awaited[k])
        return ty_fail(ctx, TY_ERR_ARG,
                       "reduction: %lld elements of bucket %lld are ready where %lld are awaited",
                       (long long)count, (long long)k, (long long)it->awaited[k]);
    it->awaited[k] -= count;
    return it->awaited[k] == 0 ? begin_bucket(ctx, reduction, k) : TY_OK;
}

ty_status ty_reduction_ready(ty_ctx *ctx, ty_reduction *reduction, int64_t first, int64_t count) {
    if (first < 0 || count < 0 || first > reduction->n - count)
        return ty_fail(ctx, TY_ERR_ARG, "reduction: %lld elements from %lld are ready, of %lld",
                       (long long)count, (long long)first, (long long)reduction->n);
    if (!reduction->gpu || !reduction->gpu->clique || reduction->gpu->is_exact)
        return TY_OK;
    TY_TRY(check_unbroken(ctx, reduction));
    const buckets *it = &reduction->gpu->buckets;
    for (int64_t at = first, end = first + count; at < end;) {
        const int64_t k = at / it->size, stop = least(end, (k + 1) * it->size);
        TY_TRY(note_ready(ctx, reduction, k, stop - at));
        at = stop;
    }
    return TY_OK;
}

/* --- waiting ---------------------------------------------------------------------------------- */

static ty_status wait_for_clique(ty_ctx *ctx, ty_reduction *reduction, ty_status mine) {
    ty_reduction_gpu *gpu = reduction->gpu;
    ty_status st = ty_comm_agree(ctx, reduction->comm, mine);
    if (st == TY_OK)
        st = ty_comm_clique_wait(ctx, reduction->comm, gpu->dev, gpu->clique);
    if (st == TY_OK)
        gpu->is_under_way = false;
    else
        abort_clique(gpu);
    return st;
}

ty_status ty_reduction_gpu_wait(ty_ctx *ctx, ty_reduction *reduction, ty_status mine) {
    if (mine != TY_OK && reduction->comm->broken[0]) { /* all know already, or are told */
        abort_clique(reduction->gpu);
        return mine;
    }
    if (reduction->gpu->clique)
        return wait_for_clique(ctx, reduction, mine);
    if (mine == TY_OK)
        mine = ty_comm_wait_device(ctx, reduction->comm, reduction->gpu->dev);
    return ty_comm_agree(ctx, reduction->comm, mine);
}
