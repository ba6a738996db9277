/* A checkpoint's state as JSON: every field comes back to the last bit, and what contradicts the job is told. */
#include <math.h>

#include "tests/trainer/job_fixture.h"

static const ty_data_info data = {.fingerprint = "0123456789abcdef0123456789abcdef"};
static const ty_data_info other_data = {.fingerprint = "fedcba9876543210fedcba9876543210"};

static const ty_progress unlike_any_default = {.step = 7,
                                               .updates = 6,
                                               .skipped = 1,
                                               .skipped_in_row = 2,
                                               .eval_step = 5,
                                               .evaluations = 3,
                                               .stop_step = 4,
                                               .stop_value = 1.0 / 3,
                                               .best_step = 8,
                                               .best_value = 0.1,
                                               .window_loss = 1e300 / 7,
                                               .window_hits = 5e-324,
                                               .window_weight = -0.0,
                                               .window_steps = 9,
                                               .elapsed_s = 12345.6789,
                                               .is_finished = 1};

typedef struct fixture {
    ty_ctx ctx;
    ty_arena arena;
    ty_train_config config;
    ty_trainer trainer;
    int n_warnings;
} fixture;

static void count_warning(void *self, ty_log_level level, const char *topic, const char *line) {
    (void)topic, (void)line;
    ((fixture *)self)->n_warnings += level == TY_LOG_WARN;
}

static int open_fixture(void **state) {
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    ty_ctx_init(&f->ctx);
    f->ctx.log = (ty_log_sink){.write = count_warning, .self = f, .max_level = TY_LOG_DEBUG};
    f->config.seed = 3;
    f->trainer = (ty_trainer){.config = &f->config,
                              .data = &data,
                              .options = {.config_hash = 0xabcdef},
                              .geometry = {.batch = 32},
                              .report = {.numeric = "cpu avx2"},
                              .progress = unlike_any_default};
    *state = f;
    return 0;
}

static int close_fixture(void **state) {
    fixture *f = *state;
    ty_arena_clear(&f->arena);
    ty_ctx_clear(&f->ctx);
    free(f);
    return 0;
}

static ty_status read_back(fixture *f, const char *text, ty_progress *out) {
    bool is_same = false;
    const ty_status st = ty_progress_read(&f->ctx, &f->trainer, text, out, &is_same);
    if (st == TY_OK)
        assert_true(is_same);
    return st;
}

static void every_field_comes_back_to_the_last_bit(void **state) {
    fixture *f = *state;
    ty_progress back;
    memset(&back, 0x5a, sizeof back); /* a field that is not read shows */
    assert_int_equal(read_back(f, ty_progress_write(&f->trainer, &f->arena), &back), TY_OK);
    assert_memory_equal(&back, &unlike_any_default, sizeof back);
    assert_int_equal(f->n_warnings, 0);
}

static void another_seed_or_batch_contradicts(void **state) {
    fixture *f = *state;
    ty_progress back;
    const char *text = ty_progress_write(&f->trainer, &f->arena);
    f->config.seed = 4;
    assert_int_equal(read_back(f, text, &back), TY_ERR_INTEGRITY);
    f->config.seed = 3;
    f->trainer.geometry.batch = 64;
    assert_int_equal(read_back(f, text, &back), TY_ERR_INTEGRITY);
}

static void other_data_are_refused(void **state) {
    fixture *f = *state;
    ty_progress back;
    const char *text = ty_progress_write(&f->trainer, &f->arena);
    f->trainer.data = &other_data;
    assert_int_equal(read_back(f, text, &back), TY_ERR_DATA);
    assert_non_null(strstr(f->ctx.message, "other data"));
}

static void another_machine_is_told(void **state) {
    fixture *f = *state;
    ty_progress back;
    const char *text = ty_progress_write(&f->trainer, &f->arena);
    f->trainer.report.numeric = "cpu avx512";
    assert_int_equal(read_back(f, text, &back), TY_OK);
    assert_int_equal(f->n_warnings, 1);
}

static void another_config_is_only_noted(void **state) {
    fixture *f = *state;
    ty_progress back;
    bool is_same = true;
    const char *text = ty_progress_write(&f->trainer, &f->arena);
    f->trainer.options.config_hash++;
    assert_int_equal(ty_progress_read(&f->ctx, &f->trainer, text, &back, &is_same), TY_OK);
    assert_false(is_same);
}

static void a_state_that_is_none_is_refused(void **state) {
    fixture *f = *state;
    ty_progress back;
    bool is_same;
    const char *const texts[] = {"", "[]", "{", "{\"config_hash\":\"0000000000abcdef\"}",
                                 "{\"config_hash\":\"0000000000abcdef\",\"step\":\"7\"}"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(ty_progress_read(&f->ctx, &f->trainer, texts[i], &back, &is_same),
                         TY_ERR_INTEGRITY);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_field_comes_back_to_the_last_bit, open_fixture,
                                        close_fixture),
        cmocka_unit_test_setup_teardown(another_seed_or_batch_contradicts, open_fixture,
                                        close_fixture),
        cmocka_unit_test_setup_teardown(other_data_are_refused, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(another_machine_is_told, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(another_config_is_only_noted, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(a_state_that_is_none_is_refused, open_fixture,
                                        close_fixture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
