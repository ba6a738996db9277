/* Whole runs of tiny models: what is learned, and what does not change what is learned. */
#include <math.h>

#include "tests/trainer/job_fixture.h"

static const char *const mlp =
    "{\"data\": {\"source\": \"synthetic:64x12x4\", \"val_fraction\": 0},"
    "\"model\": {\"layers\": [{\"type\": \"linear\", \"out\": 16}, \"tanh\", \"linear\"]},"
    "\"optimizer\": {\"type\": \"adamw\", \"learning_rate\": 0.01},"
    "\"train\": {\"duration\": \"4 steps\", \"global_batch_size\": 32, \"threads\": 1}}";

/* Everything that has state or draws numbers: batch norm, dropout, augmentation. */
static const char *const cnn =
    "{\"data\": {\"source\": \"synthetic:96x1x8x8x4\", \"val_fraction\": 0.2, \"flip\": 0.5,"
    "\"crop_padding\": 1},"
    "\"model\": {\"layers\": [{\"type\": \"conv2d\", \"out\": 8, \"bias\": false}, \"batch_norm\", "
    "\"relu\","
    "\"max_pool\", \"flatten\", {\"type\": \"dropout\", \"rate\": 0.2},"
    "{\"type\": \"linear\", \"out\": 16}, \"gelu\", \"linear\"]},"
    "\"train\": {\"duration\": \"6 steps\", \"global_batch_size\": 32, \"threads\": 1},"
    "\"tracking\": {\"log_every\": \"1 steps\"}}";

static uint64_t hash_of_run(world *w, const char *text, const char *set1, const char *set2) {
    job j;
    const job_options options = {.text = text, .sets = {set1, set1 ? set2 : NULL}, .comm = w->comm};
    job_open(&w->ctx, &j, &options);
    if (job_run(&j) != TY_OK)
        fail_msg("%s", w->ctx.message);
    const uint64_t hash = j.result.params_hash;
    job_close(&j);
    return hash;
}

static void a_small_set_is_learned_by_heart(void **state) {
    world *w = *state;
    job j;
    const job_options options = {
        .text = mlp, .sets = {"train.duration=60 epochs"}, .comm = w->comm};
    job_open(&w->ctx, &j, &options);
    if (job_run(&j) != TY_OK)
        fail_msg("%s", w->ctx.message);
    ty_eval_result result;
    assert_int_equal(ty_trainer_evaluate(&w->ctx, j.trainer, TY_SPLIT_TRAIN, false, &result),
                     TY_OK);
    if (result.accuracy < 1)
        fail_msg("accuracy %g, loss %g", result.accuracy, result.loss);
    assert_true(j.result.is_complete);
    assert_string_equal(j.result.reason, "duration reached");
    assert_int_equal(j.result.step, 120);
    job_close(&j);
}

static void a_cnn_learns(void **state) {
    world *w = *state;
    job j;
    const job_options options = {
        .text = cnn,
        .sets = {"train.duration=80 epochs", "data.flip=0", "data.crop_padding=0"},
        .comm = w->comm};
    job_open(&w->ctx, &j, &options);
    if (job_run(&j) != TY_OK)
        fail_msg("%s", w->ctx.message);
    ty_eval_result result;
    assert_int_equal(ty_trainer_evaluate(&w->ctx, j.trainer, TY_SPLIT_TRAIN, false, &result),
                     TY_OK);
    if (result.accuracy < 0.98)
        fail_msg("accuracy %g, loss %g", result.accuracy, result.loss);
    job_close(&j);
}

static void the_same_config_gives_the_same_bits(void **state) {
    assert_true(hash_of_run(*state, cnn, NULL, NULL) == hash_of_run(*state, cnn, NULL, NULL));
    assert_true(hash_of_run(*state, cnn, NULL, NULL) != hash_of_run(*state, cnn, "seed=2", NULL));
}

static void lanes_change_no_bit(void **state) {
    const uint64_t one = hash_of_run(*state, cnn, NULL, NULL);
    assert_true(hash_of_run(*state, cnn, "train.threads=2", NULL) == one);
    assert_true(hash_of_run(*state, cnn, "train.threads=3", NULL) == one);
    assert_true(hash_of_run(*state, cnn, "train.threads=8", NULL) == one);
}

/* Sums of the same numbers in another order: a gradient differs by a few ulp (6e-8 relative). SGD
 * with rate 0.05 passes that on to weights of size 1; four steps stay below 1e-6. */
static void accumulation_is_the_big_batch(void **state) {
    world *w = *state;
    job one, other;
    const job_options whole = {
        .text = mlp, .sets = {"optimizer=sgd", "train.reduction=fast"}, .comm = w->comm};
    const job_options parts = {
        .text = mlp,
        .sets = {"optimizer=sgd", "train.reduction=fast", "train.micro_batch_size=2"},
        .comm = w->comm};
    job_open(&w->ctx, &one, &whole);
    job_open(&w->ctx, &other, &parts);
    assert_int_equal(ty_trainer_report(one.trainer)->shards * 16,
                     ty_trainer_report(other.trainer)->shards);
    assert_int_equal(job_run(&one), TY_OK);
    assert_int_equal(job_run(&other), TY_OK);
    const ty_state *x = &one.trainer->state, *y = &other.trainer->state;
    for (int64_t i = 0; i < x->graph->params_count; i++) {
        if (fabs((double)x->params[i] - (double)y->params[i]) > 1e-6)
            fail_msg("element %lld: %g and %g", (long long)i, (double)x->params[i],
                     (double)y->params[i]);
    }
    job_close(&one);
    job_close(&other);
}

static void a_plan_says_what_a_run_takes(void **state) {
    world *w = *state;
    job planned, run;
    const job_options dry = {.text = cnn, .comm = w->comm, .is_plan_only = true};
    const job_options real = {.text = cnn, .comm = w->comm};
    job_open(&w->ctx, &planned, &dry);
    job_open(&w->ctx, &run, &real);
    const ty_train_report *a = ty_trainer_report(planned.trainer),
                          *b = ty_trainer_report(run.trainer);
    assert_int_equal(a->parameters, 8 * 9 + 16 + 8 * 16 * 16 + 16 + 16 * 4 + 4);
    assert_int_equal(a->parameters, b->parameters);
    assert_int_equal(a->bytes_total, b->bytes_total);
    assert_true(a->bytes_activations > 0 && a->bytes_total > a->bytes_activations);
    assert_int_equal(a->total_steps, 6);
    assert_int_equal(a->shards, 8);
    assert_true(a->flops_per_step > 0);
    int64_t n;
    const ty_layer_row *layers = ty_trainer_layers(planned.trainer, &n);
    assert_int_equal(n, 9);
    assert_string_equal(layers[3].output_shape, "8x4x4");
    assert_int_equal(job_run(&planned), TY_ERR_ARG);
    job_close(&planned);
    job_close(&run);
}

static void curves_are_told(void **state) {
    world *w = *state;
    job j;
    const job_options options = {.text = cnn, .comm = w->comm};
    job_open(&w->ctx, &j, &options);
    assert_int_equal(job_run(&j), TY_OK);
    if (ty_comm_rank(w->comm) == 0) {
        assert_int_equal(j.rec.n_steps, 6);
        assert_int_equal(j.rec.n_starts, 1);
        /* 77 samples: epochs end in steps 3 and 5, and then comes the last step. */
        assert_int_equal(j.rec.n_evals, 3);
        assert_true(job_metric(&j, "train/loss", 1) > 0);
        assert_true(job_metric(&j, "train/gradient_norm", 6) > 0);
        assert_true(job_metric(&j, "val/loss", 3) > 0);
        assert_true(job_metric(&j, "val/accuracy", 6) >= 0);
        assert_true(job_metric(&j, "train/learning_rate", 1) == 1e-3);
    }
    job_close(&j);
}

static void an_observer_may_end_a_run(void **state) {
    world *w = *state;
    job j;
    const job_options options = {.text = cnn, .comm = w->comm};
    job_open(&w->ctx, &j, &options);
    j.rec.answer_at = 2;
    j.rec.answer = TY_STOP;
    assert_int_equal(job_run(&j), TY_OK);
    assert_int_equal(j.result.step, 3); /* agreed on in the step after */
    assert_true(j.result.is_complete);
    if (ty_comm_rank(w->comm) == 0)
        assert_string_equal(j.result.reason, "the test said so");
    job_close(&j);
    job_open(&w->ctx, &j, &options);
    j.rec.answer_at = 2;
    j.rec.answer = TY_PAUSE;
    assert_int_equal(job_run(&j), TY_OK);
    assert_false(j.result.is_complete);
    job_close(&j);
}

static void nothing_improves_so_it_stops(void **state) {
    world *w = *state;
    job j;
    const job_options options = {.text = cnn,
                                 .sets = {"train.duration=50 steps", "eval.every=2 steps",
                                          "train.early_stop.metric=val/loss",
                                          "train.early_stop.patience=2",
                                          "train.early_stop.min_delta=100"},
                                 .comm = w->comm};
    job_open(&w->ctx, &j, &options);
    assert_int_equal(job_run(&j), TY_OK);
    assert_int_equal(j.result.step,
                     6); /* the first evaluation counts, the next two bring nothing */
    assert_non_null(strstr(j.result.reason, "early stop: val/loss has not improved"));
    assert_true(j.result.is_complete);
    job_close(&j);
}

static void a_run_may_be_bounded_by_time(void **state) {
    world *w = *state;
    job j;
    const job_options options = {
        .text = cnn,
        .sets = {"train.duration=0.3 s", "schedule=constant", "eval.every=none"},
        .comm = w->comm};
    job_open(&w->ctx, &j, &options);
    assert_int_equal(ty_trainer_report(j.trainer)->total_steps, 0);
    assert_int_equal(job_run(&j), TY_OK);
    assert_true(j.result.step > 0 && j.result.seconds >= 0.3);
    assert_string_equal(j.result.reason, "duration reached");
    job_close(&j);
}

static void early_stopping_wants_samples_to_look_at(void **state) {
    world *w = *state;
    job j;
    const job_options options = {
        .text = mlp, .sets = {"train.early_stop.metric=val/loss"}, .comm = w->comm};
    assert_int_equal(job_try_open(&w->ctx, &j, &options), TY_ERR_CONFIG);
    assert_non_null(strstr(w->ctx.message, "data.val_fraction"));
    job_close(&j);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_set_is_learned_by_heart),
        cmocka_unit_test(a_cnn_learns),
        cmocka_unit_test(the_same_config_gives_the_same_bits),
        cmocka_unit_test(lanes_change_no_bit),
        cmocka_unit_test(accumulation_is_the_big_batch),
        cmocka_unit_test(a_plan_says_what_a_run_takes),
        cmocka_unit_test(curves_are_told),
        cmocka_unit_test(an_observer_may_end_a_run),
        cmocka_unit_test(nothing_improves_so_it_stops),
        cmocka_unit_test(a_run_may_be_bounded_by_time),
        cmocka_unit_test(early_stopping_wants_samples_to_look_at),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
