/* Parameters: their scales and lattices, what cannot be, conditions, JSON, and points of the priors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <math.h>

#include "hpo/hpo.h"

static void seal(ty_param *p) {
    ty_ctx ctx;
    ty_space space = {.params = p, .count = 1};
    ty_ctx_init(&ctx);
    if (ty_space_seal(&ctx, &space) != TY_OK)
        fail_msg("%s", ctx.message);
    ty_ctx_clear(&ctx);
}

static void refused(ty_param p, const char *words) {
    ty_ctx ctx;
    ty_space space = {.params = &p, .count = 1};
    p.name = "p";
    ty_ctx_init(&ctx);
    assert_int_equal(ty_space_seal(&ctx, &space), TY_ERR_CONFIG);
    if (!strstr(ctx.message, words) || strncmp(ctx.message, "p: ", 3) != 0)
        fail_msg("%s, want %s", ctx.message, words);
    ty_ctx_clear(&ctx);
}

static void what_cannot_be_is_refused(void **state) {
    (void)state;
    const double halves[2] = {0.5, 0.6}, below[2] = {-0.5, 1.5};
    refused((ty_param){.prior = TY_PRIOR_UNIFORM, .low = 2, .high = 1},
            "the range 2 to 1 is empty");
    refused((ty_param){.prior = TY_PRIOR_UNIFORM, .low = NAN, .high = 1}, "an infinite range");
    refused((ty_param){.prior = TY_PRIOR_UNIFORM, .low = 0, .high = INFINITY}, "an infinite range");
    refused((ty_param){.prior = TY_PRIOR_LOG, .low = 0, .high = 1}, "a logarithm over 0");
    refused((ty_param){.prior = TY_PRIOR_LOG, .low = -1, .high = 1}, "a logarithm over -1");
    refused((ty_param){.prior = TY_PRIOR_UNIFORM, .high = 1, .step = 0.3},
            "step 0.3 does not divide 0 to 1");
    refused((ty_param){.prior = TY_PRIOR_UNIFORM, .low = -0x1p53, .high = 0x1p53, .is_int = true},
            "more than 2^53 steps of 1");
    refused((ty_param){.prior = TY_PRIOR_LOG, .low = 1e300, .high = 1.0000000000000002e300},
            "too narrow to be searched");
    refused((ty_param){.prior = TY_PRIOR_UNIFORM, .low = -1e308, .high = 1e308},
            "too wide to be searched");
    refused((ty_param){.prior = TY_PRIOR_UNIFORM, .high = 1, .step = -1}, "step is -1");
    refused((ty_param){.prior = TY_PRIOR_UNIFORM, .high = 1e17, .is_int = true}, "beyond 2^53");
    refused((ty_param){.prior = TY_PRIOR_NORMAL, .low = -INFINITY, .high = INFINITY}, "sigma is 0");
    refused((ty_param){.prior = TY_PRIOR_BETA, .high = 1, .a = 1}, "b is 0");
    refused((ty_param){.prior = TY_PRIOR_CHOICE}, "no choice");
    refused((ty_param){.prior = TY_PRIOR_CHOICE, .choice_count = 2, .probabilities = halves},
            "add up to 1.1");
    refused((ty_param){.prior = TY_PRIOR_CHOICE, .choice_count = 2, .probabilities = below},
            "below 0");
}

static void check_scale(ty_param *p) {
    seal(p);
    for (int i = 0; i <= 1000; i++) {
        const double u = i / 1000.0;
        const double v = ty_param_quantile(p, u), z = ty_param_z(p, v);
        assert_true(ty_param_accepts(p, v));
        assert_true(z >= p->z_low && z <= p->z_high);
        const double again = ty_param_value(p, z);
        if (!(fabs(again - v) <= 1e-9 * (1e-300 + fabs(v)) + 1e-12))
            fail_msg("%g became %g", v, again);
    }
}

static void values_go_to_the_scale_and_back(void **state) {
    (void)state;
    check_scale(&(ty_param){.name = "u", .prior = TY_PRIOR_UNIFORM, .low = -3, .high = 5});
    check_scale(&(ty_param){.name = "l", .prior = TY_PRIOR_LOG, .low = 1e-9, .high = 1e3});
    check_scale(
        &(ty_param){.name = "i", .prior = TY_PRIOR_UNIFORM, .low = -4, .high = 9, .is_int = true});
    check_scale(
        &(ty_param){.name = "s", .prior = TY_PRIOR_UNIFORM, .low = 0.1, .high = 0.7, .step = 0.2});
    check_scale(
        &(ty_param){.name = "li", .prior = TY_PRIOR_LOG, .low = 1, .high = 1024, .is_int = true});
    check_scale(&(ty_param){.name = "ls", .prior = TY_PRIOR_LOG, .low = 1, .high = 10, .step = 3});
    check_scale(&(ty_param){.name = "b", .prior = TY_PRIOR_BETA, .high = 1, .a = 2, .b = 5});
    check_scale(&(ty_param){.name = "one", .prior = TY_PRIOR_UNIFORM, .low = 2, .high = 2});
}

static void normal_values_spread_as_they_should(void **state) {
    (void)state;
    ty_param p = {.name = "n",
                  .prior = TY_PRIOR_NORMAL,
                  .low = -INFINITY,
                  .high = INFINITY,
                  .mu = 3,
                  .sigma = 2};
    seal(&p);
    assert_true(fabs(ty_param_quantile(&p, 0.5) - 3) < 1e-12);
    assert_true(fabs(ty_param_quantile(&p, 0.8413447460685429) - 5) < 1e-9);
    ty_param l = p;
    l.prior = TY_PRIOR_LOG_NORMAL;
    l.low = 0;
    seal(&l);
    assert_true(fabs(ty_param_quantile(&l, 0.5) - exp(3)) < 1e-9);
    ty_param q = p;
    q.step = 0.5;
    q.from = q.to = 0;
    seal(&q);
    assert_true(ty_param_quantile(&q, 0.6) == 3.5);
}

/* Models search the ends of the scale, too: there a normal law's value is far out, and a number. */
static void ends_of_a_normal_scale_are_far_and_finite(void **state) {
    (void)state;
    for (int i = 0; i < 8; i++) {
        const bool is_log = i % 2, is_lattice = i / 2 % 2, is_wide = i / 4;
        ty_param p = {.name = "n",
                      .prior = is_log ? TY_PRIOR_LOG_NORMAL : TY_PRIOR_NORMAL,
                      .low = is_log       ? 0
                             : is_lattice ? -0x1p52
                                          : -INFINITY,
                      .high = is_lattice ? 0x1p52 : INFINITY,
                      .sigma = is_wide ? 1000 : 1,
                      .step = is_lattice ? 0.5 : 0};
        seal(&p);
        const double low = ty_param_value(&p, 0), high = ty_param_value(&p, 1);
        assert_true(isfinite(low) && isfinite(high));
        assert_true(ty_param_accepts(&p, low) && ty_param_accepts(&p, high));
        assert_true(low <= ty_param_quantile(&p, 1e-12));
        assert_true(high >= ty_param_quantile(&p, 1 - 1e-12));
        assert_false(ty_param_accepts(&p, INFINITY));
        assert_false(ty_param_accepts(&p, -INFINITY));
    }
}

static void cells_cover_the_scale_without_a_gap(void **state) {
    (void)state;
    ty_param p = {.name = "i", .prior = TY_PRIOR_LOG, .low = 1, .high = 9, .is_int = true};
    double end = 0, low = 0, high = 0;
    seal(&p);
    end = p.z_low;
    for (double v = 1; v <= 9; v++) {
        ty_param_cell(&p, v, &low, &high);
        assert_true(low == end && high > low);
        assert_true(ty_param_value(&p, low + 0.001) == v && ty_param_value(&p, high - 0.001) == v);
        end = high;
    }
    assert_true(end == p.z_high);
    assert_int_equal(ty_param_cardinality(&p), 9);
}

static void choices_come_as_often_as_they_should(void **state) {
    (void)state;
    const double probabilities[3] = {0.5, 0.2, 0.3};
    ty_param p = {
        .name = "c", .prior = TY_PRIOR_CHOICE, .choice_count = 3, .probabilities = probabilities};
    int seen[3] = {0};
    seal(&p);
    for (int i = 0; i < 1000; i++)
        seen[(int)ty_param_quantile(&p, i / 1000.0)]++;
    assert_int_equal(seen[0], 500);
    assert_int_equal(seen[1], 200);
    p.probabilities = NULL;
    assert_true(ty_param_quantile(&p, 0.34) == 1 && ty_param_quantile(&p, 0.9999) == 2);
}

static void points_of_the_priors_are_legal_and_their_own(void **state) {
    (void)state;
    ty_ctx ctx;
    json_t *choices = json_pack("[s, s]", "x", "y");
    const double y = 1;
    const ty_clause clause = {.parent = 0, .accepted = &y, .accepted_count = 1};
    ty_param params[3] = {
        {.name = "kind", .prior = TY_PRIOR_CHOICE, .choices = choices, .choice_count = 2},
        {.name = "rate",
         .prior = TY_PRIOR_LOG,
         .low = 1e-4,
         .high = 1,
         .clauses = &clause,
         .clause_count = 1},
        {.name = "layers", .prior = TY_PRIOR_UNIFORM, .low = 1, .high = 4, .is_int = true}};
    ty_space space = {.params = params, .count = 3};
    double x[3], again[3], sum = 0;
    int active = 0;
    ty_ctx_init(&ctx);
    assert_int_equal(ty_space_seal(&ctx, &space), TY_OK);
    for (size_t trial = 0; trial < 2000; trial++) {
        ty_draws_point(&space, 42, trial, 0, x);
        ty_draws_point(&space, 42, trial, 0, again);
        assert_memory_equal(x, again, sizeof x);
        assert_true(isnan(x[1]) == (x[0] != 1));
        assert_true(ty_param_accepts(&params[0], x[0]) && ty_param_accepts(&params[2], x[2]));
        active += !isnan(x[1]);
        sum += x[2];
        ty_draws_point(&space, 42, trial, 1, again);
        assert_true(memcmp(x, again, sizeof x) != 0 || isnan(x[1]));
    }
    assert_true(active > 850 && active < 1150);
    assert_true(fabs(sum / 2000 - 2.5) < 0.1);
    json_decref(choices);
    ty_ctx_clear(&ctx);
}

static void json_and_back(void **state) {
    (void)state;
    json_t *choices = json_pack("[s, n, [i, i], b]", "x", 1, 2, 1);
    ty_param c = {.name = "c", .prior = TY_PRIOR_CHOICE, .choices = choices, .choice_count = 4};
    ty_param i = {
        .name = "i", .prior = TY_PRIOR_UNIFORM, .low = 0, .high = 8, .step = 2, .is_int = true};
    double v = 0;
    seal(&c);
    seal(&i);
    for (int n = 0; n < 4; n++) {
        json_t *json = ty_param_to_json(&c, n);
        assert_true(ty_param_from_json(&c, json, &v) && v == n);
        json_decref(json);
    }
    json_t *json = ty_param_to_json(&i, 6);
    assert_true(json_is_integer(json) && json_integer_value(json) == 6);
    assert_true(ty_param_from_json(&i, json, &v) && v == 6);
    json_decref(json);
    json = json_integer(3);
    assert_false(ty_param_from_json(&i, json, &v)); /* off the lattice */
    json_decref(json);
    json = json_integer(10);
    assert_false(ty_param_from_json(&i, json, &v));
    json_decref(json);
    assert_false(ty_param_from_json(&i, json_null(), &v));
    json_decref(choices);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(values_go_to_the_scale_and_back),
        cmocka_unit_test(normal_values_spread_as_they_should),
        cmocka_unit_test(ends_of_a_normal_scale_are_far_and_finite),
        cmocka_unit_test(cells_cover_the_scale_without_a_gap),
        cmocka_unit_test(choices_come_as_often_as_they_should),
        cmocka_unit_test(points_of_the_priors_are_legal_and_their_own),
        cmocka_unit_test(json_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
