/* Expressions between parameters: what they mean, and what is refused with its column. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <math.h>

#include "hpo/hpo.h"

typedef struct fixture {
    ty_ctx ctx;
    ty_arena arena;
    json_t *choices;
    ty_param params[4];
    ty_space space;
} fixture;

static int set_up(void **state) {
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    ty_ctx_init(&f->ctx);
    f->choices = json_pack("[s, s, i, b]", "adamw", "sgd", 5, 1);
    f->params[0] = (ty_param){.name = "a", .high = 10};
    f->params[1] = (ty_param){.name = "model.heads", .high = 64, .is_int = true};
    f->params[2] = (ty_param){
        .name = "kind", .prior = TY_PRIOR_CHOICE, .choices = f->choices, .choice_count = 4};
    f->params[3] = (ty_param){.name = "with-dash", .high = 10};
    f->params[0].prior = f->params[1].prior = f->params[3].prior = TY_PRIOR_UNIFORM;
    f->space = (ty_space){.params = f->params, .count = 4};
    assert_int_equal(ty_space_seal(&f->ctx, &f->space), TY_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    fixture *f = *state;
    json_decref(f->choices);
    ty_arena_clear(&f->arena);
    ty_ctx_clear(&f->ctx);
    free(f);
    return 0;
}

static bool holds(fixture *f, const char *text, const double x[4]) {
    const ty_expression *e = NULL;
    if (ty_expression_parse(&f->ctx, text, &f->space, &f->arena, &e) != TY_OK)
        fail_msg("%s", f->ctx.message);
    assert_string_equal(ty_expression_text(e), text);
    return ty_expression_holds(e, &f->space, x);
}

static void says_what_it_means(void **state) {
    fixture *f = *state;
    const double x[4] = {3, 12, 0, 2};
    static const struct {
        const char *text;
        bool holds;
    } cases[] = {
        {"a < model.heads", true},
        {"a*4 == model.heads", true},
        {"model.heads % 5 == 2 && a >= 3", true},
        {"1 + 2 * 3 - 4 / 2 == 5", true},
        {"(1 + 2) * 3 == 9", true},
        {"-a + 3 == 0", true},
        {"10 - 4 - 3 == 3", true},
        {"a > 3 || kind == 'adamw'", true},
        {"kind == \"sgd\"", false},
        {"kind != 'sgd'", true},
        {"!(kind == 'sgd')", true},
        {"! a == 3", false},
        {"`with-dash` == 2", true},
        {"a - `with-dash` == 1", true},
        {"kind < 3", false},       /* text has no order */
        {"kind == 0", false},      /* nor is it a number */
        {"a / 0 > 1e300", true},   /* infinity */
        {"0 / 0 == 0 / 0", false}, /* not a number */
        {"1e-4 < .5", true},
        {"a == 3 && a == 4 || a == 3", true},
        {"-7 % 3 == 2", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (holds(f, cases[i].text, x) != cases[i].holds)
            fail_msg("%s: want %d", cases[i].text, cases[i].holds);
}

static void a_choice_may_be_a_number_or_a_boolean(void **state) {
    fixture *f = *state;
    assert_true(holds(f, "kind == 5", (double[4]){0, 0, 2, 0}));
    assert_true(holds(f, "kind + 1 == 2", (double[4]){0, 0, 3, 0}));
}

static void holds_where_a_parameter_plays_no_part(void **state) {
    fixture *f = *state;
    assert_true(holds(f, "a > 100", (double[4]){NAN, 0, 0, 0}));
}

static void refuses_with_the_column(void **state) {
    fixture *f = *state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"a <", "column 4: the end, want a number, a parameter"},
        {"a < 3 b", "column 7: unexpected text, want an operator or the end"},
        {"(a < 3", "column 7: the end, want \")\""},
        {"lr > 0", "there is no parameter \"lr\""},
        {"kind == 'adam", "column 14: the end, want a closing quote"},
        {"0x10 == 16", "column 1: unexpected text, want a number"},
        {"1.2.3 < 4", "column 1: unexpected text, want a number"},
        {"1e999 > 0", "column 1: unexpected text, want a number"},
        {"a < 1 < 2", "column 7: unexpected text"},
        {"", "column 1: the end"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const ty_expression *e = NULL;
        assert_int_equal(ty_expression_parse(&f->ctx, cases[i].text, &f->space, &f->arena, &e),
                         TY_ERR_CONFIG);
        if (!strstr(f->ctx.message, cases[i].message))
            fail_msg("%s: %s", cases[i].text, f->ctx.message);
    }
}

static void depth_and_length_are_bounded(void **state) {
    fixture *f = *state;
    const ty_expression *e = NULL;
    char text[TY_EXPRESSION_MAX_BYTES + 2];
    memset(text, '(', sizeof text - 1);
    text[sizeof text - 1] = 0;
    assert_int_equal(ty_expression_parse(&f->ctx, text, &f->space, &f->arena, &e), TY_ERR_CONFIG);
    text[1000] = 0;
    assert_int_equal(ty_expression_parse(&f->ctx, text, &f->space, &f->arena, &e), TY_ERR_CONFIG);
    assert_non_null(strstr(f->ctx.message, "fewer parentheses"));
}

static void as_deep_as_it_may_be_is_evaluated(void **state) {
    fixture *f = *state;
    char text[2048] = "";
    for (int i = 0; i < TY_EXPRESSION_MAX_DEPTH; i++)
        strcat(text, "1 && 1 < 1 + 2*(");
    strcat(text, "1");
    for (int i = 0; i < TY_EXPRESSION_MAX_DEPTH; i++)
        strcat(text, ")");
    assert_true(holds(f, text, (double[4]){0}));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(says_what_it_means, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_choice_may_be_a_number_or_a_boolean, set_up, tear_down),
        cmocka_unit_test_setup_teardown(holds_where_a_parameter_plays_no_part, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_with_the_column, set_up, tear_down),
        cmocka_unit_test_setup_teardown(depth_and_length_are_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(as_deep_as_it_may_be_is_evaluated, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
