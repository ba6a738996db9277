/* Schedules against closed forms. */
#include "trainer/schedules/schedules.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

typedef struct keys {
    ty_schedule_base base;
    union {
        struct {
            ty_amount every;
            double factor;
        } step;
        struct {
            ty_amount decay;
            int shape;
        } wsd;
        double divisor;
    };
} keys;

static const ty_extent hundred = {
    .samples_per_epoch = 250, .samples_per_step = 10, .total_steps = 100};

static void assert_near(double seen, double wanted) {
    if (fabs(seen - wanted) > 1e-12 * fmax(1, fabs(wanted)))
        fail_msg("%.17g, want %.17g", seen, wanted);
}

static ty_amount percent(double value) {
    return (ty_amount){.value = value, .unit = TY_UNIT_PERCENT};
}

static ty_amount steps(double value) {
    return (ty_amount){.value = value, .unit = TY_UNIT_STEPS};
}

static void amounts_become_whole_steps(void **state) {
    (void)state;
    assert_int_equal(ty_amount_steps(percent(30), &hundred), 30);
    assert_int_equal(ty_amount_steps(percent(0), &hundred), 0);
    assert_int_equal(ty_amount_steps((ty_amount){.value = 1, .unit = TY_UNIT_EPOCHS}, &hundred),
                     25);
    assert_int_equal(ty_amount_steps((ty_amount){.value = 0.1, .unit = TY_UNIT_EPOCHS}, &hundred),
                     3);
    assert_int_equal(ty_amount_steps((ty_amount){.value = 101, .unit = TY_UNIT_SAMPLES}, &hundred),
                     11);
    assert_int_equal(ty_amount_steps((ty_amount){.unit = TY_UNIT_NONE}, &hundred), 0);
}

static int count_due(ty_amount every, const ty_extent *extent, int64_t to) {
    int due = 0;
    for (int64_t step = 1; step <= to; step++)
        due += ty_amount_is_due(every, extent, step);
    return due;
}

static void what_is_due_each_epoch_comes_once_an_epoch(void **state) {
    (void)state;
    const ty_extent odd = {.samples_per_epoch = 997, .samples_per_step = 64, .total_steps = 1000};
    const ty_amount epoch = {.value = 1, .unit = TY_UNIT_EPOCHS};
    assert_int_equal(count_due(epoch, &odd, 1000), 1000 * 64 / 997);
    assert_int_equal(count_due(steps(7), &odd, 1000), 1000 / 7);
    assert_int_equal(count_due((ty_amount){.unit = TY_UNIT_NONE}, &odd, 1000), 0);
    assert_false(ty_amount_is_due(epoch, &odd, 15));
    assert_true(ty_amount_is_due(epoch, &odd, 16)); /* 1024 samples: the first step past 997 */
}

static void warmup_grows_linearly_and_never_starts_at_zero(void **state) {
    (void)state;
    const keys config = {.base.warmup = steps(10)};
    assert_near(ty_schedule_constant(&config, &hundred, 0), 0.1);
    assert_near(ty_schedule_constant(&config, &hundred, 4), 0.5);
    assert_near(ty_schedule_constant(&config, &hundred, 9), 1);
    assert_near(ty_schedule_constant(&config, &hundred, 99), 1);
}

static void linear_falls_along_a_line_to_its_floor(void **state) {
    (void)state;
    const keys config = {.base = {.min_lr = percent(10)}};
    assert_near(ty_schedule_linear(&config, &hundred, 0), 1);
    assert_near(ty_schedule_linear(&config, &hundred, 50), 0.55);
    assert_near(ty_schedule_linear(&config, &hundred, 100), 0.1);
    assert_near(ty_schedule_linear(&config, &hundred, 1000), 0.1);
}

static void cosine_is_half_way_in_the_middle(void **state) {
    (void)state;
    const keys config = {.base = {.warmup = percent(20), .min_lr = percent(10)}};
    assert_near(ty_schedule_cosine(&config, &hundred, 19), 1);
    assert_near(ty_schedule_cosine(&config, &hundred, 20), 1);
    assert_near(ty_schedule_cosine(&config, &hundred, 60), 0.55);
    assert_near(ty_schedule_cosine(&config, &hundred, 40), 0.1 + 0.9 * (1 + sqrt(0.5)) / 2);
    assert_near(ty_schedule_cosine(&config, &hundred, 100), 0.1);
}

static void step_multiplies_after_each_period(void **state) {
    (void)state;
    const keys config = {.step = {.every = percent(30), .factor = 0.5}};
    assert_near(ty_schedule_step(&config, &hundred, 29), 1);
    assert_near(ty_schedule_step(&config, &hundred, 30), 0.5);
    assert_near(ty_schedule_step(&config, &hundred, 89), 0.25);
    assert_near(ty_schedule_step(&config, &hundred, 90), 0.125);
}

/* The rule of PyTorch's OneCycleLR(max_lr=1, total_steps=10, pct_start=0.3): its phases end at
 * steps 2 and 9, cosine annealing 0.04 -> 1 -> 4e-6. */
static void one_cycle_anneals_up_and_far_down(void **state) {
    (void)state;
    const ty_extent ten = {.samples_per_epoch = 10, .samples_per_step = 1, .total_steps = 10};
    const keys config = {.base = {.warmup = percent(30), .min_lr = percent(0.0004)}, .divisor = 25};
    const double wanted[10] = {0.04,
                               0.52,
                               1,
                               0.9504846320134737,
                               0.8117456539497631,
                               0.6112620219362893,
                               0.38874197806371075,
                               0.18825834605023697,
                               0.049519367986526286,
                               4e-6};
    for (int i = 0; i < 10; i++) {
        const double seen = ty_schedule_one_cycle(&config, &ten, i);
        if (fabs(seen - wanted[i]) > 1e-12)
            fail_msg("step %d: %.10f, want %.10f", i, seen, wanted[i]);
    }
}

static void wsd_stays_until_its_decay(void **state) {
    (void)state;
    const keys line = {.base = {.warmup = percent(5)}, .wsd = {.decay = percent(20)}};
    const keys root = {.base = {.min_lr = percent(10)}, .wsd = {.decay = percent(20), .shape = 1}};
    assert_near(ty_schedule_wsd(&line, &hundred, 0), 0.2);
    assert_near(ty_schedule_wsd(&line, &hundred, 80), 1);
    assert_near(ty_schedule_wsd(&line, &hundred, 90), 0.5);
    assert_near(ty_schedule_wsd(&line, &hundred, 100), 0);
    assert_near(ty_schedule_wsd(&root, &hundred, 85), 1 - 0.5 * 0.9);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(amounts_become_whole_steps),
        cmocka_unit_test(what_is_due_each_epoch_comes_once_an_epoch),
        cmocka_unit_test(warmup_grows_linearly_and_never_starts_at_zero),
        cmocka_unit_test(linear_falls_along_a_line_to_its_floor),
        cmocka_unit_test(cosine_is_half_way_in_the_middle),
        cmocka_unit_test(step_multiplies_after_each_period),
        cmocka_unit_test(one_cycle_anneals_up_and_far_down),
        cmocka_unit_test(wsd_stays_until_its_decay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
