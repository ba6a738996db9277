/* What the calls of comm cost, beside MPI's own, on the ranks that mpirun gives it:
 *   mpirun -n 2 bench_comm
 * Rank 0 prints one line a measurement: the best of several repetitions, since others use the
 * machine too. Both sums alternate in one run, and each writes its input before, as a training step
 * does. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

#include "trainer/comm.h"

enum { REPEATS = 9 };

typedef struct bench {
    ty_ctx ctx;
    ty_comm *comm;
    int rank;
} bench;

static void must(bench *b, ty_status st) {
    if (st == TY_OK)
        return;
    (void)fprintf(stderr, "%s\n", b->ctx.message);
    ty_comm_abort(b->comm, ty_status_exit_code(st));
    exit(ty_status_exit_code(st));
}

static void one_vote(bench *b) {
    uint64_t any = 0;
    must(b, ty_comm_vote(&b->ctx, b->comm, 0, &any));
}

static void one_barrier(bench *b) {
    must(b, ty_comm_barrier(&b->ctx, b->comm));
}

static void one_agree(bench *b) {
    must(b, ty_comm_agree(&b->ctx, b->comm, TY_OK));
}

static void mpi_barrier(bench *b) {
    (void)b;
    (void)MPI_Barrier(MPI_COMM_WORLD);
}

static void mpi_vote(bench *b) {
    (void)b;
    uint64_t mine = 0;
    uint64_t any = 0;
    (void)MPI_Allreduce(&mine, &any, 1, MPI_UINT64_T, MPI_BOR, MPI_COMM_WORLD);
}

static void time_call(bench *b, const char *name, void (*call)(bench *b)) {
    enum { CALLS = 2000 };
    double best_us = 1e30;
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        one_barrier(b);
        int64_t start = ty_now_ns(&b->ctx);
        for (int i = 0; i < CALLS; i++)
            call(b);
        double us = (double)(ty_now_ns(&b->ctx) - start) / 1e3 / CALLS;
        best_us = us < best_us ? us : best_us;
    }
    if (b->rank == 0)
        (void)printf("%-16s %8.2f us\n", name, best_us);
}

static void fill(float *data, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        data[i] = (float)(i & 1023);
}

static double time_reduction(bench *b, ty_reduction *reduction, int64_t n) {
    fill(ty_reduction_in(reduction), n);
    one_barrier(b);
    int64_t start = ty_now_ns(&b->ctx);
    must(b, ty_reduction_run(&b->ctx, reduction));
    return (double)(ty_now_ns(&b->ctx) - start) / 1e9;
}

static double time_mpi(bench *b, float *in, float *out, int64_t n) {
    fill(in, n);
    one_barrier(b);
    int64_t start = ty_now_ns(&b->ctx);
    (void)MPI_Allreduce(in, out, (int)n, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
    one_barrier(b);
    return (double)(ty_now_ns(&b->ctx) - start) / 1e9;
}

static void time_sums(bench *b, int64_t bytes) {
    int64_t n = bytes / (int64_t)sizeof(float);
    double best = 1e30;
    double best_mpi = 1e30;
    ty_reduction *reduction = NULL;
    float *in = calloc((size_t)n, sizeof *in);
    float *out = calloc((size_t)n, sizeof *out);
    must(b, ty_comm_agree(&b->ctx, b->comm,
                          in && out ? TY_OK : ty_fail_nomem(&b->ctx, "the buffers")));
    must(b, ty_reduction_open(&b->ctx, b->comm, n, true, &reduction));
    for (int repeat = 0; repeat < REPEATS + 1; repeat++) {
        double s = time_reduction(b, reduction, n);
        double mpi_s = time_mpi(b, in, out, n);
        best = repeat && s < best ? s : best;
        best_mpi = repeat && mpi_s < best_mpi ? mpi_s : best_mpi;
    }
    if (b->rank == 0)
        (void)printf("%7.1f MB  reduction %6.2f GB/s  MPI_Allreduce %6.2f GB/s  ratio %5.1f\n",
                     (double)bytes / 1e6, (double)bytes / 1e9 / best,
                     (double)bytes / 1e9 / best_mpi, best_mpi / best);
    ty_reduction_close(reduction);
    free(in);
    free(out);
}

int main(void) {
    bench b = {0};
    ty_ctx_init(&b.ctx);
    const char *ranks_per_node = getenv("TY_TEST_RANKS_PER_NODE");
    const ty_comm_options options = {.ranks_per_node = ranks_per_node ? atoi(ranks_per_node) : 0};
    if (ty_comm_open(&b.ctx, &options, &b.comm) != TY_OK) {
        (void)fprintf(stderr, "%s\n", b.ctx.message);
        return 8;
    }
    b.rank = ty_comm_rank(b.comm);
    if (ty_comm_size(b.comm) == 1) {
        (void)fprintf(stderr,
                      "bench_comm: one rank has nobody to talk to; start it with mpirun -n 2\n");
        ty_comm_close(b.comm);
        return 2;
    }
    time_call(&b, "vote", one_vote);
    time_call(&b, "barrier", one_barrier);
    time_call(&b, "agree", one_agree);
    time_call(&b, "MPI_Barrier", mpi_barrier);
    time_call(&b, "MPI_Allreduce 8B", mpi_vote);
    const int64_t sizes[] = {400000, 4000000, 100000000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        time_sums(&b, sizes[i]);
    ty_comm_close(b.comm);
    ty_ctx_clear(&b.ctx);
    return 0;
}
