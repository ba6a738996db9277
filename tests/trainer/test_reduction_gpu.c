/* Sums over ranks whose buffers are on GPUs (trainer/reduction_gpu.c): on fakes of them, or with
 * TY_TEST_DEVICE=cuda on simulated or real ones. ctest runs this program alone and under mpirun; each
 * test is run by every rank in step. What goes wrong between ranks is in test_gpu_faults.c. */
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
    bool has_fake;
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
    const char *device = getenv("TY_TEST_DEVICE");
    w->has_fake = !device || strcmp(device, "cuda") != 0;
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
    const ty_device_options cuda = {.name = "cuda", .local_rank = ty_comm_local_rank(w->comm)};
    if (w->has_fake)
        w->dev =
            fake_gpu_open(w->size > 1 ? MPI_COMM_WORLD : MPI_COMM_NULL, 7u + (unsigned)w->rank);
    else
        assert_ok(w, ty_device_open(&w->ctx, &cuda, &w->dev));
    return 0;
}

/* A simulated GPU reports what is left by itself. */
static int close_gpu(void **state) {
    world *w = *state;
    if (!w->has_fake) {
        ty_device_close(w->dev);
        return 0;
    }
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

/* Pinned memory of n floats. */
static float *host_floats(world *w, int64_t n) {
    void *memory = NULL;
    assert_ok(w, ty_device_alloc_host(&w->ctx, w->dev, (size_t)n * sizeof(float), &memory));
    return memory;
}

/* What a backward pass would do to a range of the buffer when its turn comes. */
static void queue_filling(world *w, float *x, const float *host, int64_t first, int64_t count) {
    assert_ok(
        w, ty_device_copy_in(&w->ctx, w->dev, x + first, host + first, (size_t)count * sizeof *x));
}

/* What an update would read. */
static void queue_keeping(world *w, float *host, const float *x, int64_t n) {
    assert_ok(w, ty_device_copy_out(&w->ctx, w->dev, host, x, (size_t)n * sizeof *x));
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

static void assert_tree(const world *w, const float *kept, int64_t n, int turn) {
    for (int64_t i = 0; i < n; i++) {
        const float wanted = tree_of_ranks(w, i, turn);
        if (memcmp(&kept[i], &wanted, sizeof wanted) != 0)
            fail_msg("n %lld, turn %d, element %lld is %a, want %a", (long long)n, turn,
                     (long long)i, (double)kept[i], (double)wanted);
    }
}

/* Two runs of everything queued at once; the sums as COMPUTE saw them. */
static void check_exact(world *w, int64_t n, bool is_staged) {
    const ty_reduction_options options = {.n = n, .is_exact = true, .is_staged = is_staged};
    ty_reduction *reduction = open_reduction(w, &options);
    float *brought[2], *kept[2];
    for (int turn = 0; turn < 2; turn++) {
        brought[turn] = host_floats(w, n);
        kept[turn] = host_floats(w, n);
        for (int64_t i = 0; i < n; i++)
            brought[turn][i] = noise(i, w->rank + 100 * turn);
        queue_filling(w, ty_reduction_in(reduction), brought[turn], 0, n);
        assert_ok(w, ty_reduction_run(&w->ctx, reduction));
        queue_keeping(w, kept[turn], ty_reduction_out(reduction), n);
    }
    assert_ok(w, ty_reduction_wait(&w->ctx, reduction, TY_OK));
    for (int turn = 0; turn < 2; turn++) {
        assert_tree(w, kept[turn], n, turn);
        ty_device_free_host(w->dev, brought[turn]);
        ty_device_free_host(w->dev, kept[turn]);
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
    float *x = ty_reduction_in(reduction);
    float *brought = host_floats(w, FAST_N), *kept = host_floats(w, FAST_N);
    for (int64_t i = 0; i < FAST_N; i++)
        brought[i] = noise(i, w->rank);
    for (int layer = n_layers - 1; layer >= 0; layer--) {
        const int64_t first = (int64_t)layer * LAYER;
        const int64_t count = first + LAYER < FAST_N ? LAYER : FAST_N - first;
        queue_filling(w, x, brought, first, count);
        if (n_layers - layer <= n_early)
            assert_ok(w, ty_reduction_ready(&w->ctx, reduction, first, count));
    }
    assert_ok(w, ty_reduction_run(&w->ctx, reduction));
    queue_keeping(w, kept, ty_reduction_out(reduction), FAST_N);
    assert_ok(w, ty_reduction_wait(&w->ctx, reduction, TY_OK));
    assert_sums(w, kept, FAST_N);
    ty_device_free_host(w->dev, brought);
    ty_device_free_host(w->dev, kept);
}

/* Only a fake counts. */
static void assert_all_reduces(const world *w, int wanted) {
    if (w->has_fake)
        assert_int_equal(fake_gpu_counts_of(w->dev)->all_reduces, w->size > 1 ? wanted : 0);
}

static void fast_sums_buckets_as_they_become_ready_or_when_run_is_called(void **state) {
    world *w = *state;
    const ty_reduction_options options = {.n = FAST_N, .bucket_floats = BUCKET};
    const int n_buckets = FAST_N / BUCKET + 1;
    static const int n_early[] = {0, 5, FAST_N / LAYER + 1, 1};
    ty_reduction *reduction = open_reduction(w, &options);
    for (int i = 0; i < 4; i++) {
        run_fast(w, reduction, n_early[i]);
        assert_all_reduces(w, (i + 1) * n_buckets);
    }
    ty_reduction_close(reduction);
}

static void a_bucket_begins_with_its_last_element_and_not_before(void **state) {
    world *w = *state;
    const ty_reduction_options options = {.n = 2500, .bucket_floats = 1000};
    ty_reduction *reduction = open_reduction(w, &options);
    assert_ok(w, ty_reduction_ready(&w->ctx, reduction, 2001, 499));
    assert_ok(w, ty_reduction_ready(&w->ctx, reduction, 1500, 500));
    assert_all_reduces(w, 0);
    assert_ok(w, ty_reduction_ready(&w->ctx, reduction, 2000, 1));
    assert_all_reduces(w, 1);
    assert_ok(w, ty_reduction_ready(&w->ctx, reduction, 0, 1500));
    assert_all_reduces(w, 3);
    assert_ok(w, ty_reduction_run(&w->ctx, reduction));
    assert_all_reduces(w, 3);
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
    if (w->has_fake)
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
    if (!w->has_fake)
        return;
    fake_gpu_faults_of(w->dev)->failing_alloc = w->rank == w->size - 1 ? 1 : 0;
    assert_int_equal(ty_reduction_open_on(&w->ctx, w->comm, &options, &reduction), TY_ERR_NOMEM);
    assert_null(reduction);
}

static void nccl_that_one_rank_lacks_fails_the_opening_on_all(void **state) {
    world *w = *state;
    const ty_reduction_options options = {.n = 100, .is_exact = true, .dev = w->dev};
    ty_reduction *reduction = NULL;
    if (w->size == 1 || !w->has_fake)
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
