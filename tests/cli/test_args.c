/* The command-line parser: what is understood, what is refused and how that is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "cli/args.h"

static const option_row own[] = {{"set", 's', "KEY=VALUE", "change a key"},
                                 {"ranks", 'n', "N", "how many"},
                                 {"fresh", 0, NULL, "anew"},
                                 {0}};
static const option_row common[] = {{"quiet", 'q', NULL, "less"}, {0}};

typedef struct fixture {
    ty_ctx ctx;
    args args;
} fixture;

static int set_up(void **state) {
    static fixture f;
    f = (fixture){0};
    ty_ctx_init(&f.ctx);
    *state = &f;
    return 0;
}

static int tear_down(void **state) {
    fixture *f = *state;
    ty_ctx_clear(&f->ctx);
    return 0;
}

static ty_status parse(fixture *f, int n, const char *const *words) {
    char *argv[16];
    for (int i = 0; i < n; i++)
        argv[i] = (char *)(uintptr_t)words[i];
    return args_parse(&f->ctx, own, common, n, argv, &f->args);
}

#define PARSE(f, ...)                                                                              \
    parse((f), (int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)),                      \
          (const char *[]){__VA_ARGS__})

static void values_may_stand_alone_behind_equals_or_behind_the_letter(void **state) {
    fixture *f = *state;
    int64_t n = 0;
    assert_int_equal(PARSE(f, "a.json", "--set", "x=1", "--set=y=2", "-n4", "-q"), TY_OK);
    assert_int_equal(f->args.n_operands, 1);
    assert_string_equal(f->args.operand[0], "a.json");
    assert_string_equal(f->args.option[0].value, "x=1");
    assert_string_equal(args_value(&f->args, "set"), "y=2");
    assert_int_equal(args_int(&f->ctx, &f->args, "ranks", 1, 1, 8, &n), TY_OK);
    assert_int_equal(n, 4);
    assert_true(args_has(&f->args, "quiet"));
}

static void two_dashes_end_the_options(void **state) {
    fixture *f = *state;
    assert_int_equal(PARSE(f, "--", "--fresh", "-n"), TY_OK);
    assert_int_equal(f->args.n_operands, 2);
    assert_false(args_has(&f->args, "fresh"));
}

static void a_lone_dash_is_an_operand(void **state) {
    fixture *f = *state;
    assert_int_equal(PARSE(f, "-"), TY_OK);
    assert_string_equal(f->args.operand[0], "-");
}

static void a_negative_number_is_an_operand(void **state) {
    fixture *f = *state;
    assert_int_equal(PARSE(f, "tell", "-0.7", "-.5e3"), TY_OK);
    assert_int_equal(f->args.n_operands, 3);
    assert_string_equal(f->args.operand[1], "-0.7");
}

static void an_unknown_option_is_answered_with_the_nearest(void **state) {
    fixture *f = *state;
    assert_int_equal(PARSE(f, "--rank=4"), TY_ERR_ARG);
    assert_non_null(strstr(f->ctx.message, "did you mean --ranks?"));
}

static void a_missing_value_shows_how_it_is_written(void **state) {
    fixture *f = *state;
    assert_int_equal(PARSE(f, "--set"), TY_ERR_ARG);
    assert_non_null(strstr(f->ctx.message, "--set KEY=VALUE"));
}

static void a_switch_refuses_a_value(void **state) {
    fixture *f = *state;
    assert_int_equal(PARSE(f, "--fresh=1"), TY_ERR_ARG);
}

static void numbers_out_of_range_or_with_tails_are_refused(void **state) {
    static const char *const bad[] = {"0", "9", "-1", "4x", "", "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        fixture *f = *state;
        int64_t n = 0;
        f->args = (args){0};
        assert_int_equal(PARSE(f, "--ranks", bad[i]), TY_OK);
        assert_int_equal(args_int(&f->ctx, &f->args, "ranks", 1, 1, 8, &n), TY_ERR_ARG);
    }
}

static void too_many_operands_are_refused(void **state) {
    fixture *f = *state;
    static char word[] = "x";
    static char *argv[ARGS_MAX_OPERANDS + 1];
    for (int i = 0; i <= ARGS_MAX_OPERANDS; i++)
        argv[i] = word;
    assert_int_equal(args_parse(&f->ctx, own, common, ARGS_MAX_OPERANDS, argv, &f->args), TY_OK);
    f->args = (args){0};
    assert_int_equal(args_parse(&f->ctx, own, common, ARGS_MAX_OPERANDS + 1, argv, &f->args),
                     TY_ERR_ARG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(values_may_stand_alone_behind_equals_or_behind_the_letter,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_dashes_end_the_options, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lone_dash_is_an_operand, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_negative_number_is_an_operand, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_unknown_option_is_answered_with_the_nearest, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_missing_value_shows_how_it_is_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_switch_refuses_a_value, set_up, tear_down),
        cmocka_unit_test_setup_teardown(numbers_out_of_range_or_with_tails_are_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(too_many_operands_are_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("cli.args", tests, NULL, NULL);
}
