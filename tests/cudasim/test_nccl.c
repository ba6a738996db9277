/* The NCCL fake: what collectives compute on 1, 2 and 4 ranks, and what it says when ranks disagree or end. */
#include <math.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cuda_api.h"
#include "ranks.h"
#include "rounding.h"

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

/* --- ranks ------------------------------------------------------------------------------------ */

static ncclResult_t settle(ncclComm_t comm) {
    ncclResult_t state = ncclInProgress;
    while (state == ncclInProgress && ncclCommGetAsyncError(comm, &state) == ncclSuccess)
        sched_yield();
    return state;
}

static int join_clique(const rank_setup *setup, bool is_blocking, ncclComm_t *comm) {
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = is_blocking;
    ncclResult_t result =
        ncclCommInitRankConfig(comm, setup->size, setup->id, setup->rank, &config);
    CHECK(result == ncclSuccess || (result == ncclInProgress && !is_blocking));
    CHECK(settle(*comm) == ncclSuccess);
    return 0;
}

static int leave_clique(ncclComm_t comm) {
    ncclResult_t result = ncclCommFinalize(comm);
    CHECK(result == ncclSuccess || result == ncclInProgress);
    CHECK(settle(comm) == ncclSuccess);
    CHECK(ncclCommDestroy(comm) == ncclSuccess);
    return 0;
}

static float contribution(int rank, size_t i) {
    return (float)((rank + 1) * 1000 + (int)(i % 97));
}

static float *upload(size_t n, int rank) {
    float *host = calloc(n, sizeof *host), *device = NULL;
    for (size_t i = 0; host && i < n; i++)
        host[i] = contribution(rank, i);
    if (!host || cudaMalloc((void **)&device, n * sizeof *device) ||
        cudaMemcpy(device, host, n * sizeof *device, cudaMemcpyHostToDevice))
        abort();
    free(host);
    return device;
}

static float *download(const float *device, size_t n) {
    float *host = calloc(n, sizeof *host);
    if (!host || cudaMemcpy(host, device, n * sizeof *host, cudaMemcpyDeviceToHost))
        abort();
    return host;
}

/* All ranks have come this far. */
static int meet(const rank_setup *setup, ncclComm_t comm) {
    float *x = upload(1, setup->rank);
    ncclResult_t result = ncclAllReduce(x, x, 1, ncclFloat, ncclSum, comm, NULL);
    CHECK(result == ncclSuccess || result == ncclInProgress);
    CHECK(settle(comm) == ncclSuccess);
    CHECK(cudaStreamSynchronize(NULL) == cudaSuccess);
    return cudaFree(x);
}

/* Expected: what(rank, size, i) for each of n elements. */
static int compare(const float *device, size_t n, const rank_setup *setup,
                   float (*what)(const rank_setup *, size_t, size_t)) {
    float *host = download(device, n);
    for (size_t i = 0; i < n; i++)
        if (!(host[i] == what(setup, n, i))) {
            fprintf(stderr, "element %zu is %g, want %g\n", i, (double)host[i],
                    (double)what(setup, n, i));
            return 1;
        }
    free(host);
    return 0;
}

static float sum_of(const rank_setup *s, size_t n, size_t i) {
    float sum = 0; /* whole numbers: exact in any order */
    (void)n;
    for (int r = 0; r < s->size; r++)
        sum += contribution(r, i);
    return sum;
}
static float mean_of(const rank_setup *s, size_t n, size_t i) {
    return sum_of(s, n, i) / (float)s->size;
}
static float most_of(const rank_setup *s, size_t n, size_t i) {
    (void)n;
    return contribution(s->size - 1, i);
}
static float least_of(const rank_setup *s, size_t n, size_t i) {
    (void)s;
    (void)n;
    return contribution(0, i);
}
static float gathered(const rank_setup *s, size_t n, size_t i) {
    size_t each = n / (size_t)s->size;
    return contribution((int)(i / each), i % each);
}
static float own_part(const rank_setup *s, size_t n, size_t i) {
    return sum_of(s, n, i + n * (size_t)s->rank);
}
static float of_last(const rank_setup *s, size_t n, size_t i) {
    (void)n;
    return contribution(s->size - 1, i);
}

typedef struct reduction {
    ncclRedOp_t op;
    float (*what)(const rank_setup *, size_t, size_t);
} reduction;

static int reduce_all(const rank_setup *s, ncclComm_t comm, cudaStream_t stream) {
    static const reduction all[] = {
        {ncclSum, sum_of}, {ncclAvg, mean_of}, {ncclMax, most_of}, {ncclMin, least_of}};
    static const size_t sizes[] = {1, 7, 1000, 300000};
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < 4; j++) {
            float *x = upload(sizes[j], s->rank);
            CHECK(cudaDeviceSynchronize() == cudaSuccess);
            ncclResult_t result = ncclAllReduce(x, x, sizes[j], ncclFloat, all[i].op, comm, stream);
            CHECK(result == ncclSuccess || result == ncclInProgress);
            CHECK(settle(comm) == ncclSuccess);
            CHECK(cudaStreamSynchronize(stream) == cudaSuccess);
            CHECK(compare(x, sizes[j], s, all[i].what) == 0);
            CHECK(cudaFree(x) == cudaSuccess);
        }
    return 0;
}

static int other_collectives(const rank_setup *s, ncclComm_t comm, cudaStream_t stream) {
    size_t each = 513, n = each * (size_t)s->size;
    float *x = upload(n, s->rank), *y = upload(n, s->rank), *z = upload(each, s->rank), *all = NULL;
    int last = s->size - 1;
    CHECK(cudaMalloc((void **)&all, n * sizeof *all) == cudaSuccess);
    CHECK(cudaDeviceSynchronize() == cudaSuccess);
    CHECK(ncclReduceScatter(x, x + each * (size_t)s->rank, each, ncclFloat, ncclSum, comm,
                            stream) == ncclSuccess);
    CHECK(ncclAllGather(z, all, each, ncclFloat, comm, stream) == ncclSuccess);
    CHECK(ncclBroadcast(y, y, n, ncclFloat, last, comm, stream) == ncclSuccess);
    CHECK(ncclReduce(z, z, each, ncclFloat, ncclSum, last, comm, stream) == ncclSuccess);
    CHECK(cudaStreamSynchronize(stream) == cudaSuccess);
    CHECK(compare(x + each * (size_t)s->rank, each, s, own_part) == 0);
    CHECK(compare(all, n, s, gathered) == 0);
    CHECK(compare(y, n, s, of_last) == 0);
    if (s->rank == last)
        CHECK(compare(z, each, s, sum_of) == 0);
    CHECK(cudaFree(x) == 0 && cudaFree(y) == 0 && cudaFree(z) == 0 && cudaFree(all) == 0);
    return 0;
}

static int run_blocking(const rank_setup *s) {
    ncclComm_t comm;
    cudaStream_t stream;
    int rank = -1, size = -1, device = -1;
    CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == cudaSuccess);
    CHECK(join_clique(s, true, &comm) == 0);
    CHECK(ncclCommCount(comm, &size) == 0 && ncclCommUserRank(comm, &rank) == 0 &&
          ncclCommCuDevice(comm, &device) == 0);
    CHECK(size == s->size && rank == s->rank && device == s->rank);
    CHECK(reduce_all(s, comm, stream) == 0 && other_collectives(s, comm, stream) == 0);
    CHECK(leave_clique(comm) == 0);
    return cudaStreamDestroy(stream);
}

static int run_not_blocking(const rank_setup *s) {
    ncclComm_t comm;
    cudaStream_t stream;
    CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == cudaSuccess);
    CHECK(join_clique(s, false, &comm) == 0);
    CHECK(reduce_all(s, comm, stream) == 0);
    CHECK(leave_clique(comm) == 0);
    return cudaStreamDestroy(stream);
}

static void collectives_are_their_definitions(void **state) {
    (void)state;
    static const int sizes[] = {1, 2, 4};
    caught ended[4];
    for (int i = 0; i < 3; i++) {
        ranks_run(sizes[i], sizes[i], run_blocking, NULL, ended);
        assert_clean(ended, sizes[i]);
        ranks_run(sizes[i], sizes[i], run_not_blocking, NULL, ended);
        assert_clean(ended, sizes[i]);
    }
}

/* All-to-all from sends and receives in one group, with one's own part among them. */
static int run_all_to_all(const rank_setup *s) {
    ncclComm_t comm;
    size_t each = 129, n = each * (size_t)s->size;
    float *from = upload(n, s->rank), *to = NULL;
    CHECK(join_clique(s, false, &comm) == 0);
    CHECK(cudaMalloc((void **)&to, n * sizeof *to) == cudaSuccess);
    CHECK(ncclGroupStart() == ncclSuccess);
    for (int r = 0; r < s->size; r++) {
        CHECK(ncclSend(from + each * (size_t)r, each, ncclFloat, r, comm, NULL) == ncclSuccess);
        CHECK(ncclRecv(to + each * (size_t)r, each, ncclFloat, r, comm, NULL) == ncclSuccess);
    }
    ncclResult_t result = ncclGroupEnd();
    CHECK(result == ncclSuccess || result == ncclInProgress);
    CHECK(settle(comm) == ncclSuccess);
    float *host = download(to, n);
    for (size_t i = 0; i < n; i++)
        CHECK(host[i] == contribution((int)(i / each), i % each + each * (size_t)s->rank));
    free(host);
    CHECK(cudaFree(from) == 0 && cudaFree(to) == 0);
    return leave_clique(comm);
}

static void groups_of_sends_and_receives_go_at_once(void **state) {
    (void)state;
    caught ended[4];
    for (int size = 1; size <= 4; size++) {
        ranks_run(size, size, run_all_to_all, NULL, ended);
        assert_clean(ended, size);
    }
}

/* bf16 is rounded at each addition. The first rank of a sum differs from call to call, never from rank to rank. */
static int run_bf16(const rank_setup *s) {
    ncclComm_t comm;
    uint16_t one = cs_to_bf16(s->rank == 0 ? 256.0f : 1.0f), sums[2] = {0};
    void *x[2];
    CHECK(join_clique(s, true, &comm) == 0);
    for (int i = 0; i < 2; i++) {
        CHECK(cudaMalloc(&x[i], 2) == 0 && cudaMemcpy(x[i], &one, 2, cudaMemcpyHostToDevice) == 0);
        CHECK(ncclAllReduce(x[i], x[i], 1, ncclBfloat16, ncclSum, comm, NULL) == ncclSuccess);
        CHECK(cudaMemcpy(&sums[i], x[i], 2, cudaMemcpyDeviceToHost) == 0 && cudaFree(x[i]) == 0);
    }
    /* 256 + 1 + 1 + 1 is 256 in bf16 from the left, 258 when the ones come first. */
    CHECK(sums[0] != sums[1]);
    fprintf(stderr, "%x %x", sums[0], sums[1]);
    return leave_clique(comm);
}

static void order_of_sums_is_the_seed_s_and_all_ranks_the_same(void **state) {
    (void)state;
    caught ended[4];
    ranks_run(4, 4, run_bf16, NULL, ended);
    assert_clean(ended, 4);
    for (int i = 1; i < 4; i++)
        assert_string_equal(ended[0].text, ended[i].text);
}

/* --- what ranks do wrong ---------------------------------------------------------------------- */

typedef struct wrong {
    const char *name;
    rank_fn *run;
    int exit_code;     /* of rank 0 */
    const char *words; /* in what rank 0 writes */
} wrong;

static int other_count(const rank_setup *s) {
    ncclComm_t comm;
    float *x = upload(16, s->rank);
    CHECK(join_clique(s, true, &comm) == 0);
    CHECK(ncclAllReduce(x, x, s->rank ? 16 : 8, ncclFloat, ncclSum, comm, NULL) == ncclSuccess);
    CHECK(cudaDeviceSynchronize() == cudaSuccess);
    return 0;
}
static int other_kind(const rank_setup *s) {
    ncclComm_t comm;
    float *x = upload(16, s->rank), *y = upload(16, s->rank);
    CHECK(join_clique(s, true, &comm) == 0);
    for (int i = 0; i < 2; i++) /* the two calls in other orders */
        CHECK((i == s->rank ? ncclAllReduce(x, x, 8, ncclFloat, ncclSum, comm, NULL)
                            : ncclAllGather(y + 8 * s->rank, y, 8, ncclFloat, comm, NULL)) == 0);
    CHECK(cudaDeviceSynchronize() == cudaSuccess);
    return 0;
}
static int other_reduction(const rank_setup *s) {
    ncclComm_t comm;
    float *x = upload(16, s->rank);
    CHECK(join_clique(s, true, &comm) == 0);
    CHECK(ncclAllReduce(x, x, 16, ncclFloat, s->rank ? ncclSum : ncclAvg, comm, NULL) == 0);
    CHECK(cudaDeviceSynchronize() == cudaSuccess);
    return 0;
}
static int bytes_for_elements(const rank_setup *s) {
    ncclComm_t comm;
    float *x = upload(1, s->rank);
    CHECK(join_clique(s, true, &comm) == 0 && meet(s, comm) == 0);
    CHECK(ncclAllReduce(x, x, sizeof(float), ncclFloat, ncclSum, comm, NULL) ==
          ncclInvalidArgument);
    return 0;
}
static int early_call(const rank_setup *s) {
    ncclComm_t comm;
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;
    float *x = upload(1, s->rank);
    while (ncclCommInitRankConfig(&comm, s->size, s->id, s->rank, &config) != ncclInProgress)
        return 1;
    return ncclAllReduce(x, x, 1, ncclFloat, ncclSum, comm, NULL) == ncclInvalidUsage ? 0 : 1;
}
static int overlapping(const rank_setup *s) {
    ncclComm_t comm;
    float *x = upload(16, s->rank);
    CHECK(join_clique(s, true, &comm) == 0 && meet(s, comm) == 0);
    CHECK(ncclAllReduce(x, x + 4, 8, ncclFloat, ncclSum, comm, NULL) == ncclInvalidArgument);
    return 0;
}
static int never_left(const rank_setup *s) {
    ncclComm_t comm;
    CHECK(join_clique(s, false, &comm) == 0 && meet(s, comm) == 0);
    CHECK(ncclCommDestroy(comm) == ncclInvalidUsage);
    return 0;
}
static int unwritten(const rank_setup *s) {
    ncclComm_t comm;
    float *x = NULL;
    CHECK(cudaMalloc((void **)&x, 64) == cudaSuccess && join_clique(s, true, &comm) == 0);
    CHECK(ncclAllReduce(x, x, 16, ncclFloat, ncclSum, comm, NULL) == ncclSuccess);
    CHECK(cudaDeviceSynchronize() == cudaSuccess);
    return 0;
}
static int lonely_group_end(const rank_setup *s) {
    (void)s;
    return ncclGroupEnd() == ncclInvalidUsage ? 0 : 1;
}
static int unknown_reduction(const rank_setup *s) {
    ncclComm_t comm;
    float *x = upload(1, s->rank);
    CHECK(join_clique(s, true, &comm) == 0 && meet(s, comm) == 0);
    return (int)ncclAllReduce(x, x, 1, ncclFloat64, ncclSum, comm, NULL);
}
static int missing_event(const rank_setup *s) {
    ncclComm_t comm;
    cudaStream_t one, two;
    float *x = upload(16, s->rank);
    CHECK(join_clique(s, true, &comm) == 0 && cudaDeviceSynchronize() == 0);
    CHECK(cudaStreamCreateWithFlags(&one, cudaStreamNonBlocking) == 0 &&
          cudaStreamCreateWithFlags(&two, cudaStreamNonBlocking) == 0);
    CHECK(cudaMemsetAsync(x, 0, 64, one) == cudaSuccess);
    CHECK(ncclAllReduce(x, x, 16, ncclFloat, ncclSum, comm, two) == ncclSuccess);
    CHECK(cudaDeviceSynchronize() == cudaSuccess);
    return 0;
}

static const wrong wrongs[] = {
    {"another count", other_count, 99, "call 1 of rank 0 is ncclAllReduce of 8 elements"},
    {"another order of calls", other_kind, 99, "call 1 of rank 1 is ncclAllGather"},
    {"another reduction", other_reduction, 99, "reduction 4"},
    {"bytes for elements", bytes_for_elements, 99, "bounds"},
    {"a call while connecting", early_call, 99, "is still connecting"},
    {"buffers that overlap", overlapping, 99, "otherwise than in place"},
    {"destroyed without being finalized", never_left, 99, "was not finalized"},
    {"data never written", unwritten, 99, "uninitialised"},
    {"a group's end without a start", lonely_group_end, 99, "no group was started"},
    {"a type that is not modelled", unknown_reduction, 99, "data type 8 is not modelled"},
    {"no event before a collective", missing_event, 99, "missing-event"},
};

static void wrong_calls_are_caught(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        caught ended[2];
        ranks_run(2, 2, wrongs[i].run, NULL, ended);
        if (ended[0].exit_code != wrongs[i].exit_code || !strstr(ended[0].text, wrongs[i].words))
            fail_msg("%s: rank 0 ended with %d; stderr wants \"%s\" and is:\n%s\nrank 1 (%d):\n%s",
                     wrongs[i].name, ended[0].exit_code, wrongs[i].words, ended[0].text,
                     ended[1].exit_code, ended[1].text);
    }
}

static int share_device(const rank_setup *s) {
    ncclComm_t comm;
    CHECK(ncclCommInitRank(&comm, s->size, s->id, s->rank) == ncclInvalidUsage);
    CHECK(strstr(ncclGetLastError(comm), "Duplicate GPU"));
    return ncclCommAbort(comm) == ncclSuccess ? 0 : 1;
}

static void two_ranks_on_one_gpu_are_refused(void **state) {
    (void)state;
    caught ended[2];
    ranks_run(2, 1, share_device, NULL, ended);
    assert_clean(ended, 2);
}

/* --- what happens to ranks -------------------------------------------------------------------- */

/* Rank 1 ends in the middle; the other sees it, is never stuck, and can leave. */
static int lose_a_peer(const rank_setup *s) {
    ncclComm_t comm;
    float *x = upload(16, s->rank);
    CHECK(join_clique(s, false, &comm) == 0 && meet(s, comm) == 0);
    if (s->rank == 1)
        raise(SIGKILL);
    ncclResult_t result = ncclAllReduce(x, x, 16, ncclFloat, ncclSum, comm, NULL);
    CHECK(result == ncclSuccess || result == ncclInProgress || result == ncclRemoteError);
    for (int i = 0; i < 100000 && result != ncclRemoteError; i++) {
        (void)cudaStreamQuery(NULL);
        CHECK(ncclCommGetAsyncError(comm, &result) == ncclSuccess);
    }
    CHECK(result == ncclRemoteError);
    CHECK(strstr(ncclGetLastError(comm), "closed by rank 1"));
    CHECK(ncclCommAbort(comm) == ncclSuccess);
    CHECK(cudaDeviceSynchronize() == cudaSuccess); /* what waited for the peer is over */
    return cudaFree(x);
}

static void a_dead_peer_is_told_of_and_never_waited_for(void **state) {
    (void)state;
    caught ended[2];
    ranks_run(2, 2, lose_a_peer, NULL, ended);
    assert_int_equal(ended[1].exit_code, 1000 + SIGKILL);
    assert_caught(&ended[0], 0, NULL);
}

/* As above, but nothing tells of it: what is queued stays so until the communicator is aborted. */
static int wait_for_the_silent(const rank_setup *s) {
    ncclComm_t comm;
    float *x = upload(16, s->rank);
    setenv("CUDASIM_NCCL_SILENT", "1", 1);
    CHECK(join_clique(s, false, &comm) == 0 && meet(s, comm) == 0);
    if (s->rank == 1)
        raise(SIGKILL);
    ncclResult_t result = ncclAllReduce(x, x, 16, ncclFloat, ncclSum, comm, NULL);
    CHECK(settle(comm) == ncclSuccess && (result == ncclSuccess || result == ncclInProgress));
    for (int i = 0; i < 20000; i++) {
        CHECK(cudaStreamQuery(NULL) == cudaErrorNotReady);
        CHECK(ncclCommGetAsyncError(comm, &result) == ncclSuccess && result == ncclSuccess);
    }
    CHECK(ncclCommAbort(comm) == ncclSuccess && cudaDeviceSynchronize() == cudaSuccess);
    return cudaFree(x);
}

static void a_peer_that_ends_in_silence_leaves_work_pending(void **state) {
    (void)state;
    caught ended[2];
    ranks_run(2, 2, wait_for_the_silent, NULL, ended);
    assert_caught(&ended[0], 0, NULL);
}

static int break_network(const rank_setup *s) {
    ncclComm_t comm;
    float *x = upload(16, s->rank);
    setenv("CUDASIM_NCCL_ASYNC", "0:2", 1);
    CHECK(join_clique(s, false, &comm) == 0);
    for (int i = 0; i < 2; i++) {
        ncclResult_t result = ncclAllReduce(x, x, 16, ncclFloat, ncclSum, comm, NULL);
        CHECK(result == ncclSuccess || result == ncclInProgress);
        for (int j = 0; j < 50000; j++) {
            (void)cudaStreamQuery(NULL);
            (void)ncclCommGetAsyncError(comm, &result);
        }
        CHECK(result == (i == 0 ? ncclSuccess : ncclRemoteError));
    }
    CHECK(ncclAllReduce(x, x, 16, ncclFloat, ncclSum, comm, NULL) == ncclRemoteError);
    CHECK(ncclCommAbort(comm) == ncclSuccess && cudaDeviceSynchronize() == cudaSuccess);
    return cudaFree(x);
}

/* Rank 0's network breaks at its second collective; rank 1 learns of it when rank 0 leaves. */
static void a_broken_network_is_an_asynchronous_error(void **state) {
    (void)state;
    caught ended[2];
    ranks_run(2, 2, break_network, NULL, ended);
    assert_caught(&ended[0], 0, NULL);
}

static int leave_open(const rank_setup *s) {
    ncclComm_t comm;
    CHECK(join_clique(s, true, &comm) == 0 && meet(s, comm) == 0);
    exit(0); /* by the way that runs destructors */
}

static void open_communicators_are_leaks(void **state) {
    (void)state;
    caught ended[2];
    ranks_run(2, 2, leave_open, NULL, ended);
    assert_caught(&ended[0], 99, "nccl communicator");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(collectives_are_their_definitions),
        cmocka_unit_test(groups_of_sends_and_receives_go_at_once),
        cmocka_unit_test(order_of_sums_is_the_seed_s_and_all_ranks_the_same),
        cmocka_unit_test(wrong_calls_are_caught),
        cmocka_unit_test(two_ranks_on_one_gpu_are_refused),
        cmocka_unit_test(a_dead_peer_is_told_of_and_never_waited_for),
        cmocka_unit_test(a_peer_that_ends_in_silence_leaves_work_pending),
        cmocka_unit_test(a_broken_network_is_an_asynchronous_error),
        cmocka_unit_test(open_communicators_are_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
