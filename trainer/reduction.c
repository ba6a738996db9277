/* The sum of a large buffer over the ranks of one host: each writes its part into shared memory,
 * each adds one slice of all parts, and the result is where everybody reads it. Nothing is
 * copied. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "trainer/reduction_private.h"

enum { FLOATS_PER_LINE = 16, FLOATS_PER_PAGE = 1024 };

ty_reduction_range ty_reduction_share(int64_t n, int index, int count) {
    int64_t lines = (n + FLOATS_PER_LINE - 1) / FLOATS_PER_LINE;
    int64_t first = lines * index / count * FLOATS_PER_LINE;
    int64_t end = lines * (index + 1) / count * FLOATS_PER_LINE;
    end = end < n ? end : n;
    return (ty_reduction_range){.first = first, .count = end - first};
}

/* --- opening ---------------------------------------------------------------------------------- */

static int leaf_of_rank(void *self, int first, int width) {
    (void)self;
    return width == 1 ? first : -1;
}

/* Memory that is not there is found out now, as a status and not as SIGBUS in some step; and pages
 * come to lie near the rank that writes them. */
static ty_status touch(ty_ctx *ctx, float *first, int64_t n_floats) {
    size_t bytes = (size_t)n_floats * sizeof *first;
    if (bytes == 0 || madvise(first, bytes, MADV_POPULATE_WRITE) == 0)
        return TY_OK;
    if (errno == EINVAL) { /* Linux before 5.14 */
        memset(first, 0, bytes);
        return TY_OK;
    }
    return ty_fail(ctx, TY_ERR_NOMEM, "no memory left for %zu bytes of shared gradients: %s", bytes,
                   strerror(errno));
}

static int64_t whole_pages(int64_t n) {
    return (n + FLOATS_PER_PAGE - 1) / FLOATS_PER_PAGE * FLOATS_PER_PAGE;
}

static ty_status touch_own(ty_ctx *ctx, ty_reduction *reduction, int64_t n_shared) {
    const ty_comm *comm = reduction->comm;
    TY_TRY(touch(ctx, reduction->in, reduction->stride));
    float *shared = reduction->window + comm->local_size * reduction->stride;
    int64_t pages = n_shared / FLOATS_PER_PAGE;
    int64_t first = pages * comm->local_rank / comm->local_size;
    int64_t end = pages * (comm->local_rank + 1) / comm->local_size;
    return touch(ctx, shared + first * FLOATS_PER_PAGE, (end - first) * FLOATS_PER_PAGE);
}

static ty_status open_alone(ty_ctx *ctx, ty_reduction *reduction) {
    reduction->window_bytes = (size_t)reduction->stride * sizeof(float);
    void *window = NULL;
    TY_TRY(ty_comm_window_open(ctx, reduction->comm, reduction->window_bytes, &window));
    reduction->window = reduction->in = reduction->out = window;
    return touch(ctx, reduction->in, reduction->stride);
}

static ty_status open_shared(ty_ctx *ctx, ty_reduction *reduction, bool is_exact) {
    ty_comm *comm = reduction->comm;
    const int n_parts = comm->local_size;
    ty_status st = TY_OK;
    void *window = NULL;
    reduction->parts = calloc((size_t)n_parts, sizeof *reduction->parts);
    reduction->leaves = calloc((size_t)n_parts, sizeof *reduction->leaves);
    if (!reduction->parts || !reduction->leaves)
        st = ty_fail_nomem(ctx, "the parts of a reduction");
    else if (comm->n_nodes == 1)
        st = ty_sum_tree_init(ctx, &reduction->tree, n_parts, leaf_of_rank, NULL);
    else
        st = ty_reduction_hosts_open(ctx, comm, reduction->n, is_exact, &reduction->hosts);
    TY_TRY(ty_comm_agree(ctx, comm, st));
    int64_t n_shared = reduction->stride * (1 + ty_reduction_hosts_sums(reduction->hosts));
    int64_t n_floats = reduction->stride * n_parts + n_shared;
    reduction->window_bytes = (size_t)n_floats * sizeof(float);
    TY_TRY(ty_comm_window_open(ctx, comm, reduction->window_bytes, &window));
    reduction->window = window;
    for (int i = 0; i < n_parts; i++)
        reduction->parts[i] = reduction->window + i * reduction->stride;
    reduction->in = reduction->window + comm->local_rank * reduction->stride;
    reduction->out = reduction->window + n_parts * reduction->stride;
    return ty_comm_agree(ctx, comm, touch_own(ctx, reduction, n_shared));
}

static ty_status open_on_host(ty_ctx *ctx, ty_reduction *reduction, bool is_exact) {
    reduction->stride = whole_pages(reduction->n > 0 ? reduction->n : 1);
    return reduction->comm->size == 1 ? open_alone(ctx, reduction)
                                      : open_shared(ctx, reduction, is_exact);
}

ty_status ty_reduction_open_on(ty_ctx *ctx, ty_comm *comm, const ty_reduction_options *options,
                               ty_reduction **out) {
    const int64_t n = options->n, most = INT64_MAX / 8 / (3 * ((int64_t)comm->size + 1));
    const bool is_on_gpu =
        options->dev && ty_device_describe(options->dev)->kind != TY_DEVICE_IS_CPU;
    if (n < 0 || n > most)
        return ty_fail(ctx, TY_ERR_ARG, "reduction: n is %lld, want 0..%lld", (long long)n,
                       (long long)most);
    ty_reduction *reduction = calloc(1, sizeof *reduction);
    if (!reduction)
        return ty_fail_nomem(ctx, "the reduction");
    reduction->comm = comm;
    reduction->n = n;
    const ty_status st = is_on_gpu ? ty_reduction_gpu_open(ctx, reduction, options)
                                   : open_on_host(ctx, reduction, options->is_exact);
    if (st != TY_OK) {
        ty_reduction_close(reduction);
        return st;
    }
    *out = reduction;
    return TY_OK;
}

ty_status ty_reduction_open(ty_ctx *ctx, ty_comm *comm, int64_t n, bool is_exact,
                            ty_reduction **out) {
    const ty_reduction_options options = {.n = n, .is_exact = is_exact};
    return ty_reduction_open_on(ctx, comm, &options, out);
}

void ty_reduction_close(ty_reduction *reduction) {
    if (!reduction)
        return;
    ty_reduction_gpu_close(reduction);
    ty_comm_window_close(reduction->comm, reduction->window, reduction->window_bytes);
    ty_reduction_hosts_close(reduction->hosts);
    ty_sum_tree_clear(&reduction->tree);
    free(reduction->parts);
    free(reduction->leaves);
    free(reduction);
}

float *ty_reduction_in(ty_reduction *reduction) {
    return reduction->in;
}

const float *ty_reduction_out(ty_reduction *reduction) {
    return reduction->out;
}

/* --- running ---------------------------------------------------------------------------------- */

static ty_status run_on_host(ty_ctx *ctx, ty_reduction *reduction) {
    ty_comm *comm = reduction->comm;
    const uint64_t bytes = (uint64_t)reduction->n * sizeof(float);
    const ty_comm_call start = {.op = TY_COMM_REDUCE, .root = -1, .bytes = bytes};
    const ty_comm_call end = {.op = TY_COMM_REDUCE_END, .root = -1, .bytes = bytes};
    TY_TRY(ty_comm_exchange(ctx, comm, &start, NULL, 0));
    ty_reduction_range own = ty_reduction_share(reduction->n, comm->local_rank, comm->local_size);
    for (int i = 0; i < comm->local_size; i++)
        reduction->leaves[i] = reduction->parts[i] + own.first;
    ty_sum_tree_run(&reduction->tree, reduction->leaves, own.count, reduction->out + own.first);
    return ty_comm_exchange(ctx, comm, &end, NULL, 0);
}

ty_status ty_reduction_run(ty_ctx *ctx, ty_reduction *reduction) {
    if (reduction->gpu)
        return ty_reduction_gpu_run(ctx, reduction);
    if (reduction->comm->size == 1)
        return TY_OK;
    return reduction->hosts ? ty_reduction_hosts_run(ctx, reduction) : run_on_host(ctx, reduction);
}

ty_status ty_reduction_wait(ty_ctx *ctx, ty_reduction *reduction, ty_status mine) {
    return reduction->gpu ? ty_reduction_gpu_wait(ctx, reduction, mine)
                          : ty_comm_agree(ctx, reduction->comm, mine);
}
