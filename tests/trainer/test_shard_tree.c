/* Lanes and the tree of shards: the sum's bits are the tree's, whoever computed what and when. */
#include "trainer/shard_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "trainer/lanes.h"

enum { N = 1000 };

static void fill_leaf(float *to, int leaf) {
    for (int i = 0; i < N; i += 4) {
        const ty_rng_block block =
            ty_rng_draw(ty_rng_key_of(3, TY_STREAM_SYNTHETIC), (uint64_t)leaf, (uint64_t)i);
        ty_rng_normal2(block.v[0], block.v[1], to + i);
        ty_rng_normal2(block.v[2], block.v[3], to + i + 2);
    }
}

/* The definition: halves, down to single leaves. */
static void sum_by_definition(int from, int to, float *out) {
    if (to - from == 1) {
        fill_leaf(out, from);
        return;
    }
    float *right = malloc(N * sizeof *right);
    assert_non_null(right);
    sum_by_definition(from, from + (to - from) / 2, out);
    sum_by_definition(from + (to - from) / 2, to, right);
    for (int i = 0; i < N; i++)
        out[i] += right[i];
    free(right);
}

typedef struct job {
    ty_shard_tree *tree;
    int slow_lane; /* dawdles over each of its leaves; -1: none */
    int fail_at;   /* leaf that fails; -1: none */
    int given[64];
} job;

static ty_status work(ty_lane *lane, void *arg) {
    job *j = arg;
    int leaf;
    float *buffer;
    while (ty_shard_tree_take(j->tree, &leaf, &buffer)) {
        const struct timespec nap = {.tv_nsec = lane->index == j->slow_lane ? 3000000 : 100000};
        (void)nanosleep(&nap, NULL);
        if (leaf == j->fail_at) {
            ty_shard_tree_fail(j->tree);
            return ty_fail(lane->ctx, TY_ERR_DEVICE, "leaf %d broke", leaf);
        }
        j->given[leaf]++;
        fill_leaf(buffer, leaf);
        TY_TRY(ty_shard_tree_give(lane->ctx, lane->dev, j->tree, leaf));
    }
    return TY_OK;
}

typedef struct bench {
    ty_lanes *lanes;
    float **buffers;
    int n_buffers;
    job j;
} bench;

static void open_bench(ty_ctx *ctx, int n_leaves, int n_lanes, bench *b) {
    *b = (bench){.n_buffers = ty_shard_tree_buffers(n_leaves, n_lanes),
                 .j = {.slow_lane = -1, .fail_at = -1}};
    b->buffers = calloc((size_t)b->n_buffers, sizeof *b->buffers);
    for (int i = 0; i < b->n_buffers; i++)
        b->buffers[i] = aligned_alloc(64, 1024 * sizeof(float));
    if (ty_lanes_open(ctx, n_lanes, &(ty_device_options){.name = "cpu", .max_isa_level = -1},
                      &b->lanes) != TY_OK)
        fail_msg("%s", ctx->message);
    assert_int_equal(ty_shard_tree_open(ctx, n_leaves, n_lanes, b->buffers, N, &b->j.tree), TY_OK);
}

static void close_bench(bench *b) {
    ty_shard_tree_close(b->j.tree);
    ty_lanes_close(b->lanes);
    for (int i = 0; i < b->n_buffers; i++)
        free(b->buffers[i]);
    free(b->buffers);
}

static void check_sum(ty_ctx *ctx, int n_leaves, int n_lanes, int slow_lane) {
    bench b;
    float *wanted = malloc(N * sizeof *wanted);
    assert_non_null(wanted);
    sum_by_definition(0, n_leaves, wanted);
    open_bench(ctx, n_leaves, n_lanes, &b);
    b.j.slow_lane = slow_lane;
    for (int round = 1; round <= 3; round++) {
        ty_shard_tree_begin(b.j.tree);
        if (ty_lanes_run(ctx, b.lanes, work, &b.j) != TY_OK)
            fail_msg("%s", ctx->message);
        assert_memory_equal(b.buffers[0], wanted, N * sizeof *wanted);
        for (int leaf = 0; leaf < n_leaves; leaf++)
            assert_int_equal(b.j.given[leaf], round);
    }
    close_bench(&b);
    free(wanted);
}

static void the_sum_is_the_tree_for_any_number_of_leaves_and_lanes(void **state) {
    const int leaves[] = {1, 2, 3, 5, 8, 13, 32};
    for (size_t i = 0; i < sizeof leaves / sizeof leaves[0]; i++) {
        for (int lanes = 1; lanes <= 4; lanes++)
            check_sum(*state, leaves[i], lanes, -1);
    }
}

static void a_slow_lane_changes_no_bit(void **state) {
    for (int slow = 0; slow < 3; slow++)
        check_sum(*state, 16, 3, slow);
}

static void few_buffers_are_enough(void **state) {
    (void)state;
    assert_int_equal(ty_shard_tree_buffers(1, 1), 1);
    assert_int_equal(ty_shard_tree_buffers(8, 1), 4);
    assert_int_equal(ty_shard_tree_buffers(8, 2), 5);
    assert_int_equal(ty_shard_tree_buffers(4, 4), 4);
    assert_int_equal(ty_shard_tree_buffers(1024, 2), 12);
}

static void halves_are_nodes_of_the_whole_tree(void **state) {
    (void)state;
    double rows[12 * 2], whole[2], left[2], right[2];
    for (int i = 0; i < 24; i++)
        rows[i] = 1.0 / (i + 3);
    ty_shard_tree_sum(rows, 12, 2, whole);
    ty_shard_tree_sum(rows, 6, 2, left);
    ty_shard_tree_sum(rows + 12, 6, 2, right);
    assert_true(whole[0] == left[0] + right[0] && whole[1] == left[1] + right[1]);
}

static void a_lane_that_fails_lets_the_others_go(void **state) {
    ty_ctx *ctx = *state;
    bench b;
    open_bench(ctx, 16, 3, &b);
    b.j.fail_at = 5;
    ty_shard_tree_begin(b.j.tree);
    assert_int_equal(ty_lanes_run(ctx, b.lanes, work, &b.j), TY_ERR_DEVICE);
    assert_string_equal(ctx->message, "leaf 5 broke");
    b.j.fail_at = -1;
    ty_shard_tree_begin(b.j.tree);
    assert_int_equal(ty_lanes_run(ctx, b.lanes, work, &b.j), TY_OK);
    close_bench(&b);
}

static ty_ctx context;

static int open_ctx(void **state) {
    ty_ctx_init(&context);
    *state = &context;
    return 0;
}

static int close_ctx(void **state) {
    (void)state;
    ty_ctx_clear(&context);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sum_is_the_tree_for_any_number_of_leaves_and_lanes),
        cmocka_unit_test(a_slow_lane_changes_no_bit),
        cmocka_unit_test(few_buffers_are_enough),
        cmocka_unit_test(halves_are_nodes_of_the_whole_tree),
        cmocka_unit_test(a_lane_that_fails_lets_the_others_go),
    };
    return cmocka_run_group_tests(tests, open_ctx, close_ctx);
}
