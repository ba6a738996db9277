/* The calls of comm.h, on any number of ranks: ctest runs this program alone and under mpirun, with
 * the ranks of one host really on one host or taken apart (TY_TEST_RANKS_PER_NODE). Each test is
 * run by every rank in step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "trainer/comm.h"

typedef struct world {
    ty_ctx ctx;
    ty_comm *comm;
    int rank, size;
} world;

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

static void sleep_ms(int ms) {
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    (void)nanosleep(&pause, NULL);
}

/* A float that depends on its index and on who brings it, with a full mantissa. */
static float noise(int64_t index, int who) {
    uint64_t x =
        ((uint64_t)index + 1) * 0x9e3779b97f4a7c15u ^ ((uint64_t)who + 1) * 0xbf58476d1ce4e5b9u;
    x ^= x >> 31;
    x *= 0x94d049bb133111ebu;
    x ^= x >> 29;
    int exponent = (int)(x & 15);
    return ((float)(int64_t)(x >> 40) / 16777216.0f - 0.5f) * (float)(1 << exponent);
}

static void assert_ok(world *w, ty_status st) {
    if (st != TY_OK)
        fail_msg("%s: %s", ty_status_name(st), w->ctx.message);
}

/* --- facts ------------------------------------------------------------------------------------ */

static void ranks_know_where_they_are(void **state) {
    world *w = *state;
    const char *launched = getenv("OMPI_COMM_WORLD_SIZE");
    assert_string_equal(ty_comm_kind(w->comm), launched ? "mpi" : "self");
    assert_int_equal(w->size, launched ? atoi(launched) : 1);
    assert_in_range(w->rank, 0, w->size - 1);
    assert_int_equal(w->ctx.rank, w->rank);
    assert_in_range(ty_comm_local_rank(w->comm), 0, ty_comm_local_size(w->comm) - 1);
    const char *ranks_per_node = getenv("TY_TEST_RANKS_PER_NODE");
    if (ranks_per_node)
        assert_int_equal(ty_comm_local_rank(w->comm), w->rank % atoi(ranks_per_node));
    else
        assert_int_equal(ty_comm_local_size(w->comm), w->size);
}

/* --- decisions -------------------------------------------------------------------------------- */

static void agree_is_ok_when_all_are(void **state) {
    world *w = *state;
    assert_int_equal(ty_comm_agree(&w->ctx, w->comm, TY_OK), TY_OK);
}

static void agree_gives_all_the_lowest_failing_ranks_message(void **state) {
    world *w = *state;
    int lowest = w->size / 2;
    ty_status mine = TY_OK;
    if (w->rank >= lowest)
        mine =
            ty_fail(&w->ctx, w->rank == lowest ? TY_ERR_DATA : TY_ERR_IO, "trouble of %d", w->rank);
    assert_int_equal(ty_comm_agree(&w->ctx, w->comm, mine), TY_ERR_DATA);
    char start[32];
    char end[32];
    (void)snprintf(start, sizeof start, "rank %d (", lowest);
    (void)snprintf(end, sizeof end, "trouble of %d", lowest);
    if (w->size > 1)
        assert_memory_equal(w->ctx.message, start, strlen(start));
    assert_non_null(strstr(w->ctx.message, end));
}

static void agree_carries_a_stop_as_it_is(void **state) {
    world *w = *state;
    ty_status mine = TY_OK;
    if (w->rank == w->size - 1)
        mine = ty_fail(&w->ctx, TY_STOP_REQUEUE, "asked to stop");
    assert_int_equal(ty_comm_agree(&w->ctx, w->comm, mine), TY_STOP_REQUEUE);
}

static void vote_is_the_or_of_all_flags(void **state) {
    world *w = *state;
    uint64_t any = 0;
    assert_ok(w, ty_comm_vote(&w->ctx, w->comm, (uint64_t)1 << w->rank, &any));
    assert_int_equal(any, ((uint64_t)1 << w->size) - 1);
    assert_ok(w, ty_comm_vote(&w->ctx, w->comm, 0, &any));
    assert_int_equal(any, 0);
}

static void min_is_the_least_also_below_zero(void **state) {
    world *w = *state;
    int64_t least = 0;
    assert_ok(w, ty_comm_min(&w->ctx, w->comm, -(int64_t)w->rank, &least));
    assert_int_equal(least, -(w->size - 1));
    assert_ok(w, ty_comm_min(&w->ctx, w->comm, INT64_MAX - w->rank, &least));
    assert_true(least == INT64_MAX - (w->size - 1));
}

/* --- bytes ------------------------------------------------------------------------------------ */

static void check_broadcast(world *w, int root, size_t bytes) {
    unsigned char *data = malloc(bytes + 1);
    assert_non_null(data);
    for (size_t i = 0; i < bytes; i++)
        data[i] = (unsigned char)(w->rank == root ? i * 7 + 3 + (size_t)root : 0);
    data[bytes] = 0x5a;
    assert_ok(w, ty_comm_broadcast(&w->ctx, w->comm, root, data, bytes));
    for (size_t i = 0; i < bytes; i++)
        assert_int_equal(data[i], (unsigned char)(i * 7 + 3 + (size_t)root));
    assert_int_equal(data[bytes], 0x5a);
    free(data);
}

static void broadcast_gives_all_the_roots_bytes(void **state) {
    world *w = *state;
    const size_t sizes[] = {0, 1, 100, 16384, 16385, 100001};
    for (int root = 0; root < w->size; root++) {
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
            check_broadcast(w, root, sizes[i]);
    }
}

static void broadcast_refuses_a_root_that_does_not_exist(void **state) {
    world *w = *state;
    int word = 0;
    assert_int_equal(ty_comm_broadcast(&w->ctx, w->comm, w->size, &word, sizeof word), TY_ERR_ARG);
    assert_int_equal(ty_comm_broadcast(&w->ctx, w->comm, -1, &word, sizeof word), TY_ERR_ARG);
}

static void check_all_gather(world *w, size_t bytes) {
    unsigned char *mine = malloc(bytes + 1);
    unsigned char *all = malloc(bytes * (size_t)w->size + 1);
    assert_non_null(mine);
    assert_non_null(all);
    for (size_t i = 0; i < bytes; i++)
        mine[i] = (unsigned char)(i * 5 + (size_t)w->rank * 31);
    assert_ok(w, ty_comm_all_gather(&w->ctx, w->comm, mine, bytes, all));
    for (int rank = 0; rank < w->size; rank++) {
        for (size_t i = 0; i < bytes; i++)
            assert_int_equal(all[(size_t)rank * bytes + i],
                             (unsigned char)(i * 5 + (size_t)rank * 31));
    }
    free(mine);
    free(all);
}

static void all_gather_is_in_rank_order(void **state) {
    world *w = *state;
    const size_t sizes[] = {0, 1, 8, 1000, 16384, 40000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        check_all_gather(w, sizes[i]);
}

/* --- the handshake ---------------------------------------------------------------------------- */

static void handshake_passes_equal_facts(void **state) {
    world *w = *state;
    const ty_comm_fact facts[] = {{"build", "0.1.0"}, {"config", "f00d"}, {"empty", ""}};
    assert_ok(w, ty_comm_handshake(&w->ctx, w->comm, facts, 3));
    assert_ok(w, ty_comm_handshake(&w->ctx, w->comm, NULL, 0));
}

static void handshake_names_rank_and_fact_that_differ(void **state) {
    world *w = *state;
    bool is_odd = w->size > 1 && w->rank >= w->size - 1;
    const ty_comm_fact facts[] = {{"config", "f00d"},
                                  {"data fingerprint", is_odd ? "beef" : "cafe"}};
    ty_status st = ty_comm_handshake(&w->ctx, w->comm, facts, 2);
    if (w->size == 1) {
        assert_int_equal(st, TY_OK);
        return;
    }
    assert_int_equal(st, TY_ERR_COMM);
    char start[32];
    (void)snprintf(start, sizeof start, "rank %d (", w->size - 1);
    assert_memory_equal(w->ctx.message, start, strlen(start));
    assert_non_null(strstr(w->ctx.message, "data fingerprint is beef, but cafe on rank 0"));
}

static void handshake_names_a_fact_that_is_missing(void **state) {
    world *w = *state;
    const ty_comm_fact facts[] = {{"config", "f00d"}, {"numeric", "avx2"}};
    ty_status st = ty_comm_handshake(&w->ctx, w->comm, facts, w->rank == 0 ? 2 : 1);
    assert_int_equal(st, w->size == 1 ? TY_OK : TY_ERR_COMM);
    if (w->size > 1)
        assert_non_null(strstr(w->ctx.message, "does not bring numeric, which rank 0 does"));
    st = ty_comm_handshake(&w->ctx, w->comm, facts, w->rank == 0 ? 1 : 2);
    assert_int_equal(st, w->size == 1 ? TY_OK : TY_ERR_COMM);
    if (w->size > 1)
        assert_non_null(strstr(w->ctx.message, "numeric is avx2, which rank 0 does not bring"));
}

/* --- sums ------------------------------------------------------------------------------------- */

enum { LEAVES = 8 };

/* Leaves [first, first + width) of element i, in the tree. */
static double tree_of_doubles(int64_t i, int first, int width) {
    if (width == 1)
        return (double)noise(i, first) * 1.1;
    return tree_of_doubles(i, first, width / 2) + tree_of_doubles(i, first + width / 2, width / 2);
}

static void sum_has_the_same_bits_for_1_2_4_and_8_ranks(void **state) {
    world *w = *state;
    if (LEAVES % w->size != 0)
        return; /* the promise is for powers of two */
    enum { N = 5000 };
    double *values = malloc(N * sizeof *values);
    assert_non_null(values);
    int width = LEAVES / w->size;
    for (int i = 0; i < N; i++)
        values[i] = tree_of_doubles(i, w->rank * width, width);
    assert_ok(w, ty_comm_sum(&w->ctx, w->comm, values, N));
    for (int i = 0; i < N; i++) {
        double wanted = tree_of_doubles(i, 0, LEAVES);
        assert_memory_equal(&values[i], &wanted, sizeof wanted);
    }
    free(values);
}

static void sum_leaves_missing_ranks_out(void **state) {
    world *w = *state;
    double values[2] = {w->rank + 1, 0.5};
    assert_ok(w, ty_comm_sum(&w->ctx, w->comm, values, 2));
    assert_true(values[0] == w->size * (w->size + 1) / 2);
    assert_true(values[1] == 0.5 * w->size);
    assert_ok(w, ty_comm_sum(&w->ctx, w->comm, NULL, 0));
}

static float tree_of_floats(int64_t i, int first, int width, int n) {
    if (width == 1)
        return noise(i, first);
    float sum = tree_of_floats(i, first, width / 2, n);
    if (first + width / 2 < n)
        sum += tree_of_floats(i, first + width / 2, width / 2, n);
    return sum;
}

static int power_of_two_from(int n) {
    int width = 1;
    while (width < n)
        width *= 2;
    return width;
}

static void check_reduction(world *w, int64_t n, bool is_exact, bool has_tree_bits) {
    ty_reduction *reduction = NULL;
    assert_ok(w, ty_reduction_open(&w->ctx, w->comm, n, is_exact, &reduction));
    for (int round = 0; round < 3; round++) {
        float *in = ty_reduction_in(reduction);
        for (int64_t i = 0; i < n; i++)
            in[i] = noise(i + round, w->rank);
        assert_ok(w, ty_reduction_run(&w->ctx, reduction));
        const float *out = ty_reduction_out(reduction);
        for (int64_t i = 0; i < n; i++) {
            float wanted = tree_of_floats(i + round, 0, power_of_two_from(w->size), w->size);
            if (has_tree_bits)
                assert_memory_equal(&out[i], &wanted, sizeof wanted);
            else
                assert_true(out[i] - wanted < 0.05f && wanted - out[i] < 0.05f);
        }
    }
    ty_reduction_close(reduction);
}

static void reduction_sums_in_the_tree_for_every_size(void **state) {
    const int64_t sizes[] = {0, 1, 15, 16, 17, 1000, 4096, 70001};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        check_reduction(*state, sizes[i], true, true);
}

static void reduction_sums_messages_longer_than_one_piece(void **state) {
    check_reduction(*state, (int64_t)5 << 20, true, true);
}

/* With one host fast and exact are the same sum; between hosts its order is free. */
static void fast_reduction_is_near(void **state) {
    check_reduction(*state, 70001, false, false);
}

static void reduction_has_the_same_bits_for_1_2_4_and_8_ranks(void **state) {
    world *w = *state;
    if (LEAVES % w->size != 0)
        return;
    const int64_t n = 30011;
    int width = LEAVES / w->size;
    ty_reduction *reduction = NULL;
    assert_ok(w, ty_reduction_open(&w->ctx, w->comm, n, true, &reduction));
    float *in = ty_reduction_in(reduction);
    for (int64_t i = 0; i < n; i++)
        in[i] = tree_of_floats(i, w->rank * width, width, LEAVES);
    assert_ok(w, ty_reduction_run(&w->ctx, reduction));
    const float *out = ty_reduction_out(reduction);
    for (int64_t i = 0; i < n; i++) {
        float wanted = tree_of_floats(i, 0, LEAVES, LEAVES);
        assert_memory_equal(&out[i], &wanted, sizeof wanted);
    }
    ty_reduction_close(reduction);
}

static void reductions_live_side_by_side(void **state) {
    world *w = *state;
    ty_reduction *both[2] = {NULL, NULL};
    for (int k = 0; k < 2; k++)
        assert_ok(w, ty_reduction_open(&w->ctx, w->comm, 100 + k, true, &both[k]));
    for (int k = 0; k < 2; k++)
        ty_reduction_in(both[k])[99] = (float)(w->rank + 10 * k);
    for (int k = 0; k < 2; k++)
        assert_ok(w, ty_reduction_run(&w->ctx, both[k]));
    for (int k = 0; k < 2; k++) {
        float wanted = (float)(w->size * (w->size - 1)) / 2 + (float)(10 * k * w->size);
        assert_true(ty_reduction_out(both[k])[99] == wanted);
        ty_reduction_close(both[k]);
    }
}

static void reduction_refuses_a_negative_size(void **state) {
    world *w = *state;
    ty_reduction *reduction = NULL;
    assert_int_equal(ty_reduction_open(&w->ctx, w->comm, -1, true, &reduction), TY_ERR_ARG);
    assert_null(reduction);
}

/* --- order ------------------------------------------------------------------------------------ */

static void late_ranks_are_waited_for(void **state) {
    world *w = *state;
    for (int late = 0; late < w->size; late++) {
        uint64_t any = 0;
        if (w->rank == late)
            sleep_ms(150);
        assert_ok(w, ty_comm_vote(&w->ctx, w->comm, w->rank == late, &any));
        assert_int_equal(any, 1);
    }
}

/* Fast and slow ranks are at most a call apart: no call may see the next one's bytes. */
static void many_calls_in_a_row_keep_their_bytes_apart(void **state) {
    world *w = *state;
    for (int i = 0; i < 3000; i++) {
        int64_t least = -1;
        double value = i;
        if ((i * 7 + w->rank) % 501 == 0)
            sleep_ms(1);
        assert_ok(w, ty_comm_min(&w->ctx, w->comm, i + w->rank, &least));
        assert_int_equal(least, i);
        assert_ok(w, ty_comm_sum(&w->ctx, w->comm, &value, 1));
        assert_true(value == (double)i * w->size);
        if (i % 10 == 0)
            assert_ok(w, ty_comm_barrier(&w->ctx, w->comm));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_know_where_they_are),
        cmocka_unit_test(agree_is_ok_when_all_are),
        cmocka_unit_test(agree_gives_all_the_lowest_failing_ranks_message),
        cmocka_unit_test(agree_carries_a_stop_as_it_is),
        cmocka_unit_test(vote_is_the_or_of_all_flags),
        cmocka_unit_test(min_is_the_least_also_below_zero),
        cmocka_unit_test(broadcast_gives_all_the_roots_bytes),
        cmocka_unit_test(broadcast_refuses_a_root_that_does_not_exist),
        cmocka_unit_test(all_gather_is_in_rank_order),
        cmocka_unit_test(handshake_passes_equal_facts),
        cmocka_unit_test(handshake_names_rank_and_fact_that_differ),
        cmocka_unit_test(handshake_names_a_fact_that_is_missing),
        cmocka_unit_test(sum_has_the_same_bits_for_1_2_4_and_8_ranks),
        cmocka_unit_test(sum_leaves_missing_ranks_out),
        cmocka_unit_test(reduction_sums_in_the_tree_for_every_size),
        cmocka_unit_test(reduction_sums_messages_longer_than_one_piece),
        cmocka_unit_test(fast_reduction_is_near),
        cmocka_unit_test(reduction_has_the_same_bits_for_1_2_4_and_8_ranks),
        cmocka_unit_test(reductions_live_side_by_side),
        cmocka_unit_test(reduction_refuses_a_negative_size),
        cmocka_unit_test(late_ranks_are_waited_for),
        cmocka_unit_test(many_calls_in_a_row_keep_their_bytes_apart),
    };
    return cmocka_run_group_tests_name("comm", tests, open_world, close_world);
}
