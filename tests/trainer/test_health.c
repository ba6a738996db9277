/* A number that is not finite never reaches the weights. The poison is real data: one feature near
 * the end of float's range, whose product with a weight overflows in the forward pass of exactly
 * one sample. */
#include <math.h>

#include "tests/trainer/job_fixture.h"

static const char *const config =
    "{\"data\": {\"source\": \"poison.csv\", \"val_fraction\": 0, \"normalize\": \"none\"},"
    "\"model\": {\"layers\": [{\"type\": \"linear\", \"out\": 8}, \"gelu\", \"linear\"]},"
    "\"optimizer\": {\"type\": \"sgd\", \"learning_rate\": 0.01, \"momentum\": 0.5},"
    "\"train\": {\"duration\": \"16 steps\", \"global_batch_size\": 16, \"threads\": 1}}";

/* 64 samples of two classes, n_poisoned of them poisoned. */
static void write_csv(const char *path, int n_poisoned) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fprintf(file, "a,b,c,class\n");
    for (int i = 0; i < 64; i++)
        (void)fprintf(file, "%s,%d.%d,%d.25,%s\n", i < n_poisoned ? "3.1e38" : "0.5", i % 3, i % 7,
                      i % 5, i % 2 ? "yes" : "no");
    assert_int_equal(fclose(file), 0);
}

static void open_poisoned(world *w, job *j, const temp_folder *folder, int n_poisoned,
                          const char *set1, const char *set2) {
    char path[2 * TEMP_FOLDER_BYTES], source[2 * TEMP_FOLDER_BYTES + 32];
    (void)temp_folder_path(folder, "poison.csv", path);
    write_csv(path, n_poisoned);
    (void)snprintf(source, sizeof source, "data.source=%s", path);
    const job_options options = {.text = config, .sets = {source, set1, set2}, .comm = w->comm};
    job_open(&w->ctx, j, &options);
}

static void assert_weights_are_finite(const job *j) {
    const ty_state *state = &j->trainer->state;
    for (int64_t i = 0; i < state->graph->params_count; i++) {
        assert_true(isfinite(state->params[i]));
        assert_true(isfinite(state->slots[0][i]));
    }
}

/* 64 samples in batches of 16: 16 steps are 4 epochs, and each visits the poisoned sample once. */
static void a_poisoned_step_is_skipped(void **state) {
    const temp_folder folder = temp_folder_make();
    job j;
    open_poisoned(*state, &j, &folder, 1, NULL, NULL);
    assert_int_equal(job_run(&j), TY_OK);
    assert_int_equal(j.trainer->progress.skipped, 4);
    assert_int_equal(j.trainer->progress.updates, 12);
    assert_int_equal(j.result.step, 16);
    assert_weights_are_finite(&j);
    job_close(&j);
    temp_folder_remove(&folder);
}

static void a_poisoned_step_stops_the_run_where_that_is_asked(void **state) {
    world *w = *state;
    const temp_folder folder = temp_folder_make();
    job j;
    open_poisoned(w, &j, &folder, 1, "train.on_nonfinite=stop", NULL);
    assert_int_equal(job_run(&j), TY_ERR_DIVERGED);
    assert_non_null(strstr(w->ctx.message, "training diverged at step "));
    assert_non_null(strstr(w->ctx.message, "layers.0.linear.weight"));
    assert_weights_are_finite(&j);
    job_close(&j);
    temp_folder_remove(&folder);
}

static void too_many_in_a_row_end_the_run(void **state) {
    world *w = *state;
    const temp_folder folder = temp_folder_make();
    job j;
    open_poisoned(w, &j, &folder, 64, "train.max_skipped=3", NULL);
    assert_int_equal(job_run(&j), TY_ERR_DIVERGED);
    assert_int_equal(j.trainer->progress.skipped, 4);
    assert_int_equal(j.trainer->progress.updates, 0);
    assert_weights_are_finite(&j);
    job_close(&j);
    temp_folder_remove(&folder);
}

/* Plain SGD with rate 1 moves by the clipped gradient itself: 1e-3, up to the rounding of 50
 * weights. */
static void clipping_bounds_what_a_step_may_do(void **state) {
    world *w = *state;
    const temp_folder folder = temp_folder_make();
    job j;
    float start[128];
    open_poisoned(w, &j, &folder, 0,
                  "optimizer={\"type\": \"sgd\", \"learning_rate\": 1, \"momentum\": 0, "
                  "\"nesterov\": false, \"weight_decay\": 0}",
                  "train={\"duration\": \"1 steps\", \"global_batch_size\": 16, \"threads\": 1, "
                  "\"max_grad_norm\": 1e-3}");
    const int64_t n = j.trainer->state.graph->params_count;
    assert_true(n <= 128);
    memcpy(start, j.trainer->state.params, (size_t)n * sizeof *start);
    assert_int_equal(job_run(&j), TY_OK);
    double moved = 0;
    for (int64_t i = 0; i < n; i++)
        moved += pow((double)j.trainer->state.params[i] - (double)start[i], 2);
    if (fabs(sqrt(moved) - 1e-3) > 1e-6)
        fail_msg("moved by %g, want 1e-3", sqrt(moved));
    job_close(&j);
    temp_folder_remove(&folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_poisoned_step_is_skipped),
        cmocka_unit_test(a_poisoned_step_stops_the_run_where_that_is_asked),
        cmocka_unit_test(too_many_in_a_row_end_the_run),
        cmocka_unit_test(clipping_bounds_what_a_step_may_do),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
