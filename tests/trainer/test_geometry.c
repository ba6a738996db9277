/* How a batch is divided, and how many cores a rank has. */
#include "trainer/geometry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "trainer/cores.h"

static ty_train_config config_of(int64_t batch, int reduction, int64_t micro) {
    ty_train_config config = {0};
    config.train.global_batch_size = batch;
    config.train.reduction = reduction;
    config.train.shards = 8;
    config.train.micro_batch_size = micro;
    config.eval.batch_size = TY_AUTO;
    return config;
}

static void exact_has_the_same_shards_on_any_number_of_ranks(void **state) {
    ty_ctx *ctx = *state;
    const ty_train_config config = config_of(128, TY_REDUCE_EXACT, TY_AUTO);
    for (int ranks = 1; ranks <= 8; ranks *= 2) {
        ty_geometry geometry;
        assert_int_equal(ty_geometry_make(ctx, &config, ranks, 0, 3, &geometry), TY_OK);
        assert_int_equal(geometry.rows, 16);
        assert_int_equal(geometry.shards, 8);
        assert_int_equal(geometry.shards_of_rank, 8 / ranks);
        assert_int_equal(geometry.lanes, 8 / ranks < 3 ? 8 / ranks : 3);
        assert_int_equal(geometry.eval_rows, 128);
    }
}

static void exact_refuses_ranks_that_are_no_node_of_its_tree(void **state) {
    ty_ctx *ctx = *state;
    const ty_train_config config = config_of(128, TY_REDUCE_EXACT, TY_AUTO);
    ty_geometry geometry;
    assert_int_equal(ty_geometry_make(ctx, &config, 3, 0, 1, &geometry), TY_ERR_CONFIG);
    assert_non_null(strstr(ctx->message, "which 3 ranks cannot share"));
    assert_int_equal(ty_geometry_make(ctx, &config, 16, 0, 1, &geometry), TY_ERR_CONFIG);
}

static void smaller_micro_batches_become_more_shards(void **state) {
    ty_ctx *ctx = *state;
    ty_geometry geometry;
    const ty_train_config exact = config_of(128, TY_REDUCE_EXACT, 4);
    assert_int_equal(ty_geometry_make(ctx, &exact, 2, 1, 1, &geometry), TY_OK);
    assert_int_equal(geometry.rows, 4);
    assert_int_equal(geometry.shards, 32);
    const ty_train_config fast = config_of(90, TY_REDUCE_FAST, 5);
    assert_int_equal(ty_geometry_make(ctx, &fast, 3, 1, 4, &geometry), TY_OK);
    assert_int_equal(geometry.shards_of_rank, 6);
    assert_int_equal(geometry.lanes, 3); /* four would leave one idle every other round */
}

static void fast_makes_one_shard_a_lane(void **state) {
    ty_ctx *ctx = *state;
    ty_geometry geometry;
    const ty_train_config config = config_of(96, TY_REDUCE_FAST, TY_AUTO);
    assert_int_equal(ty_geometry_make(ctx, &config, 3, 0, 4, &geometry), TY_OK);
    assert_int_equal(geometry.rows, 8);
    assert_int_equal(geometry.lanes, 4);
    assert_int_equal(geometry.shards, 12);
    assert_int_equal(ty_geometry_make(ctx, &config, 5, 0, 4, &geometry), TY_ERR_CONFIG);
    assert_non_null(strstr(ctx->message, "want a multiple of 5"));
}

static void a_cgroup_quota_is_whole_cpus(void **state) {
    (void)state;
    assert_int_equal(ty_cores_quota("max 100000\n"), 0);
    assert_int_equal(ty_cores_quota("200000 100000\n"), 2);
    assert_int_equal(ty_cores_quota("250000 100000"), 2);
    assert_int_equal(ty_cores_quota("50000 100000"), 1);
    assert_int_equal(ty_cores_quota("-1 100000"), 0);
    assert_int_equal(ty_cores_quota(""), 0);
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
        cmocka_unit_test(exact_has_the_same_shards_on_any_number_of_ranks),
        cmocka_unit_test(exact_refuses_ranks_that_are_no_node_of_its_tree),
        cmocka_unit_test(smaller_micro_batches_become_more_shards),
        cmocka_unit_test(fast_makes_one_shard_a_lane),
        cmocka_unit_test(a_cgroup_quota_is_whole_cpus),
    };
    return cmocka_run_group_tests(tests, open_ctx, close_ctx);
}
