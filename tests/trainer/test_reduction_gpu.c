/* Sums over ranks whose buffers are on GPUs (trainer/reduction_gpu.c), on fakes of them: ctest runs
 * this program alone and under mpirun. Each test is run by every rank in step. What goes wrong
 * between ranks is in test_gpu_faults.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/trainer/fake_gpu.h"
#include "trainer/comm.h"

typedef struct world {
    ty_ctx ctx;
    ty_comm *comm;
    ty_device *dev;
    int rank, size;
} world;

static void assert_ok(world *w, ty_status st) {
    if (st != TY_OK)
        fail_msg("%s: %s", ty_status_name(st), w->ctx.message);
}

static int open_world(void **state) {
    world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    ty_ctx_init(&w->ctx);
    const char *ranks_per_node = getenv("TY_TEST_RANKS_PER_NODE");
    const ty_comm_options options = {.deadline_s = 30,
                                     .ranks_per_node = ranks_per_node ? atoi(ranks_per_node) : 0};
    if (ty_comm_open(&w->ctx, &options, &w->comm) != TY_OK) {
        (void)fprintf(stderr, "%s\n", w->ctx.message);
        return -1;
    }
    w->rank = ty_comm_rank(w->comm);
    w->size = ty_comm_size(w->comm);
    *state = w;
    return 0;
}

static int close_world(void **state) {
    world *w = *state;
    ty_comm_close(w->comm);
    ty_ctx_clear(&w->ctx);
    free(w);
    return 0;
}

static int open_gpu(void **state) {
    world *w = *state;
    w->dev = fake_gpu_open(w->size > 1 ? MPI_COMM_WORLD : MPI_COMM_NULL, 7u + (unsigned)w->rank);
    return 0;
}

static int close_gpu(void **state) {
    world *w = *state;
    const fake_gpu_counts counts = *fake_gpu_counts_of(w->dev);
    fake_gpu_close(w->dev);
    return counts.live_memory || counts.live_cliques || counts.aborted_cliques ? -1 : 0;
}

/* A float that depends on its index and on who brings it, with a full mantissa. */
static float noise(int64_t index, int who) {
    uint64_t x =
        ((uint64_t)index + 1) * 0x9e3779b97f4a7c15u ^ ((uint64_t)who + 1) * 0xbf58476d1ce4e5b9u;
    x ^= x >> 31;
    x *= 0x94d049bb133111ebu;
    x ^= x >> 29;
    return ((float)(int64_t)(x >> 40) / 16777216.0f - 0.5f) * (float)(1 << (x & 15));
}

/* --- work for the GPU ------------------------------------------------------------------------- */

/* What a backward pass does to a range of the buffer, when its turn comes. */
typedef struct filling {
    float *x;
    int64_t first, count;
    int who;
} filling;

static void fill(void *arg) {
    const filling *it = arg;
    for (int64_t i = it->first; i < it->first + it->count; i++)
        it->x[i] = noise(i, it->who);
}

typedef struct keeping {
    const float *x;
    float *kept;
    int64_t n;
} keeping;

static void keep(void *arg) {
    const keeping *it = arg;
    memcpy(it->kept, it->x, (size_t)it->n * sizeof *it->x);
}

/* --- sums ------------------------------------------------------------------------------------- */

static float tree(int64_t i, int first, int width, int size, int turn) {
    if (width == 1)
        return noise(i, first + 100 * turn);
    const float left = tree(i, first, width / 2, size, turn);
    const int middle = first + width / 2;
    return middle < size ? left + tree(i, middle, width / 2, size, turn) : left;
}

static float tree_of_ranks(const world *w, int64_t i, int turn) {
    int width = 1;
    while (width < w->size)
        width *= 2;
    return tree(i, 0, width, w->size, turn);
}

static ty_reduction *open_reduction(world *w, const ty_reduction_options *options) {
    ty_reduction *reduction = NULL;
    ty_reduction_options on_gpu = *options;
    on_gpu.dev = w->dev;
    assert_ok(w, ty_reduction_open_on(&w->ctx, w->comm, &on_gpu, &reduction));
    return reduction;
}

/* Two runs of everything queued at once; the sums as COMPUTE saw them. */
static void check_exact(world *w, int64_t n, bool is_staged) {
    const ty_reduction_options options = {.n = n, .is_exact = true, .is_staged = is_staged};
    ty_reduction *reduction = open_reduction(w, &options);
    float *kept[2];
    filling fillings[2];
    keeping keepings[2];
    for (int turn = 0; turn < 2; turn++) {
        kept[turn] = calloc((size_t)n + 1, sizeof(float));
        assert_non_null(kept[turn]);
        fillings[turn] = (filling){ty_reduction_in(reduction), 0, n, w->rank + 100 * turn};
        keepings[turn] = (keeping){ty_reduction_out(reduction), kept[turn], n};
        fake_gpu_queue(w->dev, TY_QUEUE_COMPUTE, fill, &fillings[turn]);
        assert_ok(w, ty_reduction_run(&w->ctx, reduction));
        fake_gpu_queue(w->dev, TY_QUEUE_COMPUTE, keep, &keepings[turn]);
    }
    assert_ok(w, ty_reduction_wait(&w->ctx, reduction, TY_OK));
    for (int turn = 0; turn < 2; turn++) {
        for (int64_t i = 0; i < n; i++) {
            const float wanted = tree_of_ranks(w, i, turn);
            if (memcmp(&kept[turn][i], &wanted, sizeof wanted) != 0)
                fail_msg("n %lld, turn %d, element %lld is %a, want %a", (long long)n, turn,
                         (long long)i, (double)kept[turn][i], (double)wanted);
        }
        free(kept[turn]);
    }
    ty_reduction_close(reduction);
}

static void exact_has_the_bits_of_the_tree_over_ranks(void **state) {
    static const int64_t sizes[] = {0, 1, 15, 16, 17, 63, 64, 65, 1000, 50021};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        check_exact(*state, sizes[i], false);
}

static void sums_through_host_memory_have_the_same_bits(void **state) {
    static const int64_t sizes[] = {1, 17, 50021};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        check_exact(*state, sizes[i], true);
}

static void assert_sums(const world *w, const float *kept, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        double sum = 0, size = 0;
        for (int rank = 0; rank < w->size; rank++) {
            const double x = (double)noise(i, rank);
            sum += x;
            size += x < 0 ? -x : x;
        }
        const double error = (double)kept[i] - sum;
        if (!((error < 0 ? -error : error) <= size * w->size * 6e-8))
            fail_msg("element %lld is %g, want %g", (long long)i, (double)kept[i], sum);
    }
}

enum { FAST_N = 10007, BUCKET = 1000, LAYER = 610 };

/* Layers become ready from the last to the first, as in a backward pass; all but n_early of them are
 * left to run. */
static void run_fast(world *w, ty_reduction *reduction, int n_early) {
    const int n_layers = FAST_N / LAYER + 1;
    float *x = ty_reduction_in(reduction), *kept = calloc(FAST_N, sizeof(float));
    assert_non_null(kept);
    filling fillings[FAST_N / LAYER + 1];
    for (int layer = n_layers - 1; layer >= 0; layer--) {
        const int64_t first = (int64_t)layer * LAYER;
        const int64_t count = first + LAYER < FAST_N ? LAYER : FAST_N - first;
        fillings[layer] = (filling){x, first, count, w->rank};
        fake_gpu_queue(w->dev, TY_QUEUE_COMPUTE, fill, &fillings[layer]);
        if (n_layers - layer <= n_early)
            assert_ok(w, ty_reduction_ready(&w->ctx, reduction, first, count));
    }
    keeping keeping_out = {ty_reduction_out(reduction), kept, FAST_N};
    assert_ok(w, ty_reduction_run(&w->ctx, reduction));
    fake_gpu_queue(w->dev, TY_QUEUE_COMPUTE, keep, &keeping_out);
    assert_ok(w, ty_reduction_wait(&w->ctx, reduction, TY_OK));
    assert_sums(w, kept, FAST_N);
    free(kept);
}

static void fast_sums_buckets_as_they_become_ready_or_when_run_is_called(void **state) {
    world *w = *state;
    const ty_reduction_options options = {.n = FAST_N, .bucket_floats = BUCKET};
    const int n_buckets = FAST_N / BUCKET + 1;
    static const int n_early[] = {0, 5, FAST_N / LAYER + 1, 1};
    ty_reduction *reduction = open_reduction(w, &options);
    for (int i = 0; i < 4; i++) {
        run_fast(w, reduction, n_early[i]);
        assert_int_equal(fake_gpu_counts_of(w->dev)->all_reduces,
                         w->size > 1 ? (i + 1) * n_buckets : 0);
    }
    ty_reduction_close(reduction);
}

static void a_bucket_begins_with_its_last_element_and_not_before(void **state) {
    world *w = *state;
    const ty_reduction_options options = {.n = 2500, .bucket_floats = 1000};
    ty_reduction *reduction = open_reduction(w, &options);
    const fake_gpu_counts *counts = fake_gpu_counts_of(w->dev);
    const int one = w->size > 1;
    assert_ok(w, ty_reduction_ready(&w->ctx, reduction, 2001, 499));
    assert_ok(w, ty_reduction_ready(&w->ctx, reduction, 1500, 500));
    assert_int_equal(counts->all_reduces, 0);
    assert_ok(w, ty_reduction_ready(&w->ctx, reduction, 2000, 1));
    assert_int_equal(counts->all_reduces, one);
    assert_ok(w, ty_reduction_ready(&w->ctx, reduction, 0, 1500));
    assert_int_equal(counts->all_reduces, 3 * one);
    assert_ok(w, ty_reduction_run(&w->ctx, reduction));
    assert_int_equal(counts->all_reduces, 3 * one);
    assert_ok(w, ty_reduction_wait(&w->ctx, reduction, TY_OK));
    ty_reduction_close(reduction);
}

static void elements_that_are_ready_twice_or_outside_are_refused(void **state) {
    world *w = *state;
    const ty_reduction_options options = {.n = 2500, .bucket_floats = 1000};
    ty_reduction *reduction = open_reduction(w, &options);
    assert_int_equal(ty_reduction_ready(&w->ctx, reduction, 2400, 101), TY_ERR_ARG);
    assert_int_equal(ty_reduction_ready(&w->ctx, reduction, -1, 1), TY_ERR_ARG);
    assert_int_equal(ty_reduction_ready(&w->ctx, reduction, 0, INT64_MAX), TY_ERR_ARG);
    assert_ok(w, ty_reduction_ready(&w->ctx, reduction, 0, 600));
    if (w->size > 1) {
        assert_int_equal(ty_reduction_ready(&w->ctx, reduction, 100, 600), TY_ERR_ARG);
        assert_non_null(strstr(w->ctx.message, "600 elements of bucket 0 are ready where 400"));
    }
    ty_reduction_close(reduction);
}

static void one_rank_needs_no_clique(void **state) {
    world *w = *state;
    if (w->size > 1)
        return;
    const ty_reduction_options options = {.n = 100};
    ty_reduction *reduction = open_reduction(w, &options);
    assert_ptr_equal(ty_reduction_in(reduction), ty_reduction_out(reduction));
    assert_ok(w, ty_reduction_run(&w->ctx, reduction));
    assert_ok(w, ty_reduction_wait(&w->ctx, reduction, TY_OK));
    ty_reduction_close(reduction);
    assert_int_equal(fake_gpu_counts_of(w->dev)->closed_cliques, 0);
}

static void a_wait_brings_everybody_the_status_of_the_lowest_failing_rank(void **state) {
    world *w = *state;
    const ty_reduction_options options = {.n = 100, .is_exact = true};
    ty_reduction *reduction = NULL;
    assert_ok(w, ty_reduction_open(&w->ctx, w->comm, options.n, true, &reduction));
    const bool is_odd = w->rank == w->size - 1;
    const ty_status mine = is_odd ? ty_fail(&w->ctx, TY_ERR_IO, "a disk is gone") : TY_OK;
    assert_int_equal(ty_reduction_wait(&w->ctx, reduction, mine), TY_ERR_IO);
    assert_non_null(strstr(w->ctx.message, "a disk is gone"));
    ty_reduction_close(reduction);
}

static void memory_that_one_rank_lacks_fails_the_opening_on_all(void **state) {
    world *w = *state;
    const ty_reduction_options options = {.n = 100, .is_exact = true, .dev = w->dev};
    ty_reduction *reduction = NULL;
    fake_gpu_faults_of(w->dev)->failing_alloc = w->rank == w->size - 1 ? 1 : 0;
    assert_int_equal(ty_reduction_open_on(&w->ctx, w->comm, &options, &reduction), TY_ERR_NOMEM);
    assert_null(reduction);
}

static void nccl_that_one_rank_lacks_fails_the_opening_on_all(void **state) {
    world *w = *state;
    const ty_reduction_options options = {.n = 100, .is_exact = true, .dev = w->dev};
    ty_reduction *reduction = NULL;
    if (w->size == 1)
        return;
    fake_gpu_faults_of(w->dev)->lacks_nccl = w->rank == 0;
    assert_int_equal(ty_reduction_open_on(&w->ctx, w->comm, &options, &reduction), TY_ERR_DEVICE);
    assert_non_null(strstr(w->ctx.message, "rank 0 ("));
    assert_non_null(strstr(w->ctx.message, "NCCL 2 is not installed"));
}

int main(void) {
#define ON_GPU(test) cmocka_unit_test_setup_teardown(test, open_gpu, close_gpu)
    const struct CMUnitTest tests[] = {
        ON_GPU(exact_has_the_bits_of_the_tree_over_ranks),
        ON_GPU(sums_through_host_memory_have_the_same_bits),
        ON_GPU(fast_sums_buckets_as_they_become_ready_or_when_run_is_called),
        ON_GPU(a_bucket_begins_with_its_last_element_and_not_before),
        ON_GPU(elements_that_are_ready_twice_or_outside_are_refused),
        ON_GPU(one_rank_needs_no_clique),
        ON_GPU(a_wait_brings_everybody_the_status_of_the_lowest_failing_rank),
        ON_GPU(memory_that_one_rank_lacks_fails_the_opening_on_all),
        ON_GPU(nccl_that_one_rank_lacks_fails_the_opening_on_all),
    };
    return cmocka_run_group_tests_name("reduction_gpu", tests, open_world, close_world);
}
