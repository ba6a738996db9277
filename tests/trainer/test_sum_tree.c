/* The fixed tree itself, at shapes that no test job has ranks for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "trainer/sum_tree.h"

enum { MAX_LEAVES = 33 };

static float value(int leaf, int64_t i) {
    uint32_t x = ((uint32_t)i * 2654435761u) ^ ((uint32_t)leaf * 40503u + 77u);
    x ^= x >> 15;
    x *= 2246822519u;
    x ^= x >> 13;
    return ((float)(x >> 8) / 16777216.0f - 0.5f) * (float)(1u << (x & 15u));
}

static int leaf_of_place(void *self, int first, int width) {
    (void)self;
    return width == 1 ? first : -1;
}

/* Pairs of places are leaves, as where two ranks share a host. */
static int leaf_of_pair(void *self, int first, int width) {
    (void)self;
    return width <= 2 ? first / 2 : -1;
}

static float sum_places(int first, int width, int n, int64_t i) {
    if (width == 1)
        return value(first, i);
    float left = sum_places(first, width / 2, n, i);
    return first + width / 2 < n ? left + sum_places(first + width / 2, width / 2, n, i) : left;
}

static int width_of(int n) {
    int width = 1;
    while (width < n)
        width *= 2;
    return width;
}

static float **make_leaves(int n, int64_t count) {
    float **leaves = calloc((size_t)n, sizeof *leaves);
    assert_non_null(leaves);
    for (int leaf = 0; leaf < n; leaf++) {
        leaves[leaf] = malloc((size_t)(count + 1) * sizeof **leaves);
        assert_non_null(leaves[leaf]);
        for (int64_t i = 0; i < count; i++)
            leaves[leaf][i] = value(leaf, i);
    }
    return leaves;
}

static void free_leaves(float **leaves, int n) {
    for (int leaf = 0; leaf < n; leaf++)
        free(leaves[leaf]);
    free(leaves);
}

static void check_sum(ty_ctx *ctx, int n, int64_t count) {
    const float guard = 12345.0f;
    float **leaves = make_leaves(n, count);
    float *out = malloc((size_t)(count + 1) * sizeof *out);
    assert_non_null(out);
    out[count] = guard;
    ty_sum_tree tree;
    assert_int_equal(ty_sum_tree_init(ctx, &tree, n, leaf_of_place, NULL), TY_OK);
    ty_sum_tree_run(&tree, (const float *const *)leaves, count, out);
    for (int64_t i = 0; i < count; i++) {
        float wanted = sum_places(0, width_of(n), n, i);
        assert_memory_equal(&out[i], &wanted, sizeof wanted);
    }
    assert_memory_equal(&out[count], &guard, sizeof guard);
    ty_sum_tree_clear(&tree);
    free(out);
    free_leaves(leaves, n);
}

static void every_number_of_leaves_is_summed_in_the_tree(void **state) {
    (void)state;
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    for (int n = 1; n <= MAX_LEAVES; n++)
        check_sum(&ctx, n, 100 + n);
    ty_ctx_clear(&ctx);
}

static void vectors_longer_than_a_chunk_are_summed_whole(void **state) {
    (void)state;
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    const int64_t counts[] = {0, 1, 2047, 2048, 2049, 10000};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        check_sum(&ctx, 4, counts[i]);
        check_sum(&ctx, 8, counts[i]);
        check_sum(&ctx, 13, counts[i]);
    }
    ty_ctx_clear(&ctx);
}

static void leaves_that_stand_for_subtrees_give_the_same_bits(void **state) {
    (void)state;
    enum { N = 7, COUNT = 300 };
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    float **leaves = make_leaves((N + 1) / 2, COUNT);
    for (int pair = 0; pair < (N + 1) / 2; pair++) {
        for (int64_t i = 0; i < COUNT; i++)
            leaves[pair][i] = sum_places(2 * pair, 2, N, i);
    }
    float out[COUNT];
    ty_sum_tree tree;
    assert_int_equal(ty_sum_tree_init(&ctx, &tree, N, leaf_of_pair, NULL), TY_OK);
    ty_sum_tree_run(&tree, (const float *const *)leaves, COUNT, out);
    for (int64_t i = 0; i < COUNT; i++) {
        float wanted = sum_places(0, 8, N, i);
        assert_memory_equal(&out[i], &wanted, sizeof wanted);
    }
    ty_sum_tree_clear(&tree);
    free_leaves(leaves, (N + 1) / 2);
    ty_ctx_clear(&ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_of_leaves_is_summed_in_the_tree),
        cmocka_unit_test(vectors_longer_than_a_chunk_are_summed_whole),
        cmocka_unit_test(leaves_that_stand_for_subtrees_give_the_same_bits),
    };
    return cmocka_run_group_tests_name("sum_tree", tests, NULL, NULL);
}
