/* The sum of ranks' slices on a GPU, bit for bit the tree over ranks. The kernel needs no ranks: one
 * device holds everybody's slices. Run on simulated or real GPUs (TY_TEST_DEVICE); what takes ranks
 * is in tests/trainer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/backend.h"

enum { GUARD = 64 }; /* floats after the result that nobody may touch */

typedef struct bench {
    ty_ctx ctx;
    ty_device *dev;
} bench;

static void assert_ok(bench *b, ty_status st) {
    if (st != TY_OK)
        fail_msg("%s: %s", ty_status_name(st), b->ctx.message);
}

static int open_bench(void **state) {
    bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    ty_ctx_init(&b->ctx);
    assert_ok(b, ty_device_open(&b->ctx, &(ty_device_options){.name = "cuda"}, &b->dev));
    *state = b;
    return 0;
}

static int close_bench(void **state) {
    bench *b = *state;
    ty_device_close(b->dev);
    ty_ctx_clear(&b->ctx);
    free(b);
    return 0;
}

/* Full mantissas, 16 orders of magnitude in base 2; zeros of both signs and denormals now and then. */
static float number(int64_t i, int rank) {
    uint64_t x =
        ((uint64_t)i + 1) * 0x9e3779b97f4a7c15u ^ ((uint64_t)rank + 1) * 0xbf58476d1ce4e5b9u;
    x ^= x >> 31;
    x *= 0x94d049bb133111ebu;
    x ^= x >> 29;
    if (i % 61 == 3)
        return i % 2 ? -0.0f : 0.0f;
    const float value = ((float)(int64_t)(x >> 40) / 16777216.0f - 0.5f) * (float)(1 << (x & 15));
    return i % 61 == 2 ? value * 1e-41f : value;
}

static float tree(int64_t i, int first, int width, int size) {
    if (width == 1)
        return number(i, first);
    const float left = tree(i, first, width / 2, size);
    const int middle = first + width / 2;
    return middle < size ? left + tree(i, middle, width / 2, size) : left;
}

static float tree_of(int64_t i, int size) {
    int width = 1;
    while (width < size)
        width *= 2;
    return tree(i, 0, width, size);
}

static float *make_parts(int size, int64_t slice) {
    float *parts = malloc((size_t)(size * slice) * sizeof *parts);
    assert_non_null(parts);
    for (int rank = 0; rank < size; rank++) {
        for (int64_t i = 0; i < slice; i++)
            parts[rank * slice + i] = number(i, rank);
    }
    return parts;
}

static void assert_tree(const float *sum, int size, int64_t slice, const float *guard) {
    for (int64_t i = 0; i < slice; i++) {
        const float wanted = tree_of(i, size);
        if (memcmp(&sum[i], &wanted, sizeof wanted) != 0)
            fail_msg("%d ranks, slice %lld, element %lld is %a, want %a", size, (long long)slice,
                     (long long)i, (double)sum[i], (double)wanted);
    }
    if (memcmp(sum + slice, guard, GUARD * sizeof *guard) != 0)
        fail_msg("%d ranks, slice %lld: written past the end", size, (long long)slice);
}

static void check(bench *b, int size, int64_t slice) {
    ty_clique clique = {.dev = b->dev, .size = size};
    const size_t bytes = (size_t)(size * slice) * sizeof(float);
    const size_t sum_bytes = (size_t)(slice + GUARD) * sizeof(float);
    float *parts = make_parts(size, slice);
    void *parts_on = NULL, *sum_on = NULL, *pinned = NULL;
    assert_ok(b, ty_device_alloc_host(&b->ctx, b->dev, sum_bytes, &pinned));
    float *sum = pinned;
    memset(sum, 0xff, sum_bytes); /* NaNs */
    float guard[GUARD];
    memcpy(guard, sum + slice, sizeof guard);
    assert_ok(b, ty_device_alloc(&b->ctx, b->dev, bytes, &parts_on));
    assert_ok(b, ty_device_alloc(&b->ctx, b->dev, sum_bytes, &sum_on));
    assert_ok(b, ty_device_copy_in(&b->ctx, b->dev, parts_on, parts, bytes));
    assert_ok(b, ty_device_copy_in(&b->ctx, b->dev, sum_on, sum, sum_bytes));
    assert_ok(b, ty_device_order(&b->ctx, b->dev, TY_QUEUE_COMPUTE, TY_QUEUE_COMM));
    assert_ok(b, ty_clique_sum_slices(&b->ctx, &clique, parts_on, sum_on, slice));
    assert_ok(b, ty_device_order(&b->ctx, b->dev, TY_QUEUE_COMM, TY_QUEUE_COMPUTE));
    assert_ok(b, ty_device_copy_out(&b->ctx, b->dev, sum, sum_on, sum_bytes));
    assert_ok(b, ty_device_sync(&b->ctx, b->dev));
    assert_tree(sum, size, slice, guard);
    ty_device_free(b->dev, parts_on);
    ty_device_free(b->dev, sum_on);
    ty_device_free_host(b->dev, pinned);
    free(parts);
}

static void every_number_of_ranks_up_to_two_eights_has_its_tree(void **state) {
    for (int size = 1; size <= 17; size++)
        check(*state, size, 16);
}

static void many_ranks_have_their_tree(void **state) {
    static const int sizes[] = {24, 31, 32, 33, 63, 64, 65, 128, 129, 256, 257};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        check(*state, sizes[i], 16);
}

/* Every level of the counter alone, and all of them; 8192 is the most there may be. */
static void as_many_ranks_as_there_may_be_have_their_tree(void **state) {
    for (int size = 512; size <= 8192; size *= 2)
        check(*state, size, 4);
    check(*state, 8191, 4);
    check(*state, 8184, 4);
}

/* A vector, a prime number of them, one below, at and above a block's. */
static void slices_of_any_length_are_summed(void **state) {
    static const int64_t slices[] = {0, 4, 4 * 37, 4 * 255, 4 * 256, 4 * 257};
    for (size_t i = 0; i < sizeof slices / sizeof slices[0]; i++) {
        check(*state, 2, slices[i]);
        check(*state, 11, slices[i]);
    }
}

/* More vectors than threads are launched. */
static void a_slice_of_more_than_one_wave_is_summed(void **state) {
    check(*state, 2, 4 * (4 * 8 * 108 * 256 + 77));
}

/* An argument is a pattern for the tests to run. */
int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_of_ranks_up_to_two_eights_has_its_tree),
        cmocka_unit_test(many_ranks_have_their_tree),
        cmocka_unit_test(as_many_ranks_as_there_may_be_have_their_tree),
        cmocka_unit_test(slices_of_any_length_are_summed),
        cmocka_unit_test(a_slice_of_more_than_one_wave_is_summed),
    };
    cmocka_set_test_filter(argc > 1 ? argv[1] : NULL);
    return cmocka_run_group_tests_name("clique", tests, open_bench, close_bench);
}
