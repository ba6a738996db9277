/* From rows of samples to the numbers of an evaluation. */
#include "trainer/score.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void classes_are_counted(void **state) {
    ty_ctx *ctx = *state;
    const ty_score_row rows[4] = {{.loss = 0.5f, .a = 1, .b = 0.9f, .c = 0, .truth = 1},
                                  {.loss = 2.0f, .a = 0, .b = 0.6f, .c = 1, .truth = 2},
                                  {.loss = 3.0f, .a = 0, .b = 0.8f, .c = 2, .truth = 1},
                                  {.loss = 0.5f, .a = 2, .b = 0.7f, .c = 0, .truth = 2}};
    ty_arena arena = {0};
    ty_eval_result result;
    assert_int_equal(ty_score(ctx, rows, 4, 3, 2, &arena, &result), TY_OK);
    assert_float_equal(result.loss, 1.5, 0);
    assert_float_equal(result.accuracy, 0.5, 0);
    assert_float_equal(result.top_k_accuracy, 0.75, 0);
    const int64_t confusion[9] = {0, 0, 0, 1, 1, 0, 1, 0, 1};
    assert_memory_equal(result.confusion, confusion, sizeof confusion);
    assert_int_equal(result.n_mistakes, 2);
    assert_int_equal(result.mistakes[0].sample, 2);
    assert_int_equal(result.mistakes[1].sample, 1);
    assert_int_equal(result.mistakes[1].truth, 2);
    assert_int_equal(result.mistakes[1].predicted, 0);
    ty_arena_clear(&arena);
}

static void the_worst_mistakes_stay(void **state) {
    ty_ctx *ctx = *state;
    enum { N = 100 };
    ty_score_row rows[N];
    for (int i = 0; i < N; i++)
        rows[i] = (ty_score_row){.loss = (float)((i * 37) % N), .a = 0, .c = 1, .truth = 1};
    ty_arena arena = {0};
    ty_eval_result result;
    assert_int_equal(ty_score(ctx, rows, N, 2, 1, &arena, &result), TY_OK);
    assert_int_equal(result.n_mistakes, TY_SCORE_MISTAKES);
    for (int i = 0; i < TY_SCORE_MISTAKES; i++) {
        assert_true(result.mistakes[i].loss == (double)(N - 1 - i));
        assert_int_equal((result.mistakes[i].sample * 37) % N, N - 1 - i);
    }
    ty_arena_clear(&arena);
}

static void a_regression_has_no_classes(void **state) {
    ty_ctx *ctx = *state;
    const ty_score_row rows[2] = {{.loss = 1, .b = 0.5f}, {.loss = 4, .b = 1.5f}};
    ty_arena arena = {0};
    ty_eval_result result;
    assert_int_equal(ty_score(ctx, rows, 2, 0, 1, &arena, &result), TY_OK);
    assert_float_equal(result.loss, 2.5, 0);
    assert_float_equal(result.mean_absolute_error, 1, 0);
    assert_null(result.confusion);
    ty_arena_clear(&arena);
}

static void a_class_that_is_none_is_refused(void **state) {
    ty_ctx *ctx = *state;
    const ty_score_row rows[1] = {{.loss = NAN, .a = -1, .truth = 0}};
    ty_arena arena = {0};
    ty_eval_result result;
    assert_int_equal(ty_score(ctx, rows, 1, 3, 1, &arena, &result), TY_ERR_DATA);
    ty_arena_clear(&arena);
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
        cmocka_unit_test(classes_are_counted),
        cmocka_unit_test(the_worst_mistakes_stay),
        cmocka_unit_test(a_regression_has_no_classes),
        cmocka_unit_test(a_class_that_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, open_ctx, close_ctx);
}
