/* What a model says of samples: the outputs that its evaluation was made of, the same bits for any
 * number of lanes and any size of blocks, from a trainer of its own too. */
#include <math.h>

#include "tests/trainer/job_fixture.h"

enum { SAMPLES = 96, CLASSES = 4 };

static const char *const cnn =
    "{\"data\": {\"source\": \"synthetic:96x1x8x8x4\", \"val_fraction\": 0},"
    "\"model\": {\"layers\": [{\"type\": \"conv2d\", \"out\": 8, \"bias\": false}, \"batch_norm\", "
    "\"relu\", \"max_pool\", \"flatten\", {\"type\": \"linear\", \"out\": 16}, \"gelu\", "
    "{\"type\": \"dropout\", \"rate\": 0.2}, \"linear\"]},"
    "\"train\": {\"duration\": \"6 steps\", \"global_batch_size\": 32, \"threads\": 1}}";

typedef struct heard {
    float outputs[SAMPLES][CLASSES];
    int64_t next, done;   /* blocks and samples of the batches so far */
    int batches, stop_at; /* batch that asks to stop; 0: none */
    _Atomic int64_t blocks;
} heard;

static ty_status hear_block(ty_ctx *ctx, void *self, int slot, int64_t first, int64_t n,
                            const float *outputs) {
    heard *h = self;
    (void)ctx, (void)slot;
    memcpy(h->outputs[first], outputs, (size_t)n * sizeof h->outputs[0]);
    h->blocks++;
    return TY_OK;
}

static ty_status hear_batch(ty_ctx *ctx, void *self, int n_slots, int64_t done) {
    heard *h = self;
    assert_in_range(done, h->done + 1, SAMPLES);
    h->done = done;
    assert_int_equal(h->blocks, h->next + n_slots);
    h->next = h->blocks;
    h->batches++;
    return h->batches == h->stop_at ? ty_fail(ctx, TY_STOP_TERMINATE, "enough") : TY_OK;
}

static ty_status infer(world *w, ty_trainer *trainer, const ty_dataset *data, heard *out) {
    const ty_infer_sink sink = {.block = hear_block, .batch = hear_batch, .self = out};
    return ty_trainer_infer(&w->ctx, trainer, data, TY_SPLIT_TRAIN, &sink);
}

static void train(world *w, job *j, const char *set1, const char *set2) {
    const job_options options = {.text = cnn, .sets = {set1, set1 ? set2 : NULL}, .comm = w->comm};
    job_open(&w->ctx, j, &options);
    if (job_run(j) != TY_OK)
        fail_msg("%s", w->ctx.message);
}

static void outputs_are_what_the_evaluation_scored(void **state) {
    world *w = *state;
    job j;
    heard h = {0};
    ty_eval_result result;
    train(w, &j, NULL, NULL);
    assert_int_equal(infer(w, j.trainer, j.data, &h), TY_OK);
    assert_int_equal(h.done, SAMPLES);
    assert_int_equal(ty_trainer_evaluate(&w->ctx, j.trainer, TY_SPLIT_TRAIN, false, &result),
                     TY_OK);
    int64_t confusion[CLASSES * CLASSES] = {0};
    double loss = 0;
    for (int64_t i = 0; i < SAMPLES; i++) {
        uint8_t x[64];
        int32_t truth;
        assert_int_equal(ty_dataset_sample(&w->ctx, j.data, TY_SPLIT_TRAIN, i, x, &truth), TY_OK);
        double sum = 0;
        int best = 0;
        for (int k = 0; k < CLASSES; k++) {
            sum += exp((double)h.outputs[i][k]);
            best = h.outputs[i][k] > h.outputs[i][best] ? k : best;
        }
        loss += log(sum) - (double)h.outputs[i][truth];
        confusion[truth * CLASSES + best]++;
    }
    assert_memory_equal(confusion, result.confusion, sizeof confusion);
    if (fabs(loss / SAMPLES - result.loss) > 1e-5)
        fail_msg("loss %.9g, evaluated %.9g", loss / SAMPLES, result.loss);
    job_close(&j);
}

static void lanes_and_blocks_change_no_bit(void **state) {
    world *w = *state;
    static const char *const sets[][2] = {{"train.threads=1", "eval.batch_size=96"},
                                          {"train.threads=1", "eval.batch_size=7"},
                                          {"train.threads=2", "eval.batch_size=32"},
                                          {"train.threads=3", "eval.batch_size=1"},
                                          {"train.threads=3", "eval.batch_size=50"}};
    heard first = {0};
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        job j;
        heard h = {0};
        train(w, &j, sets[i][0], sets[i][1]);
        assert_int_equal(infer(w, j.trainer, j.data, i ? &h : &first), TY_OK);
        if (i > 0)
            assert_memory_equal(h.outputs, first.outputs, sizeof h.outputs);
        assert_in_range(ty_trainer_infer_slots(j.trainer), 1, 3);
        job_close(&j);
    }
}

static void a_model_in_memory_says_what_the_trained_one_said(void **state) {
    world *w = *state;
    job j;
    heard trained = {0}, alone = {0};
    ty_ckpt_tensor *tensors;
    ty_dataset *fitted = NULL;
    ty_trainer *trainer = NULL;
    ty_arena arena = {0};
    train(w, &j, NULL, NULL);
    assert_int_equal(infer(w, j.trainer, j.data, &trained), TY_OK);
    ty_checkpoint model = {.step = 6};
    assert_int_equal(
        ty_state_tensors(&w->ctx, &j.trainer->state, &arena, &tensors, &model.n_tensors), TY_OK);
    model.tensors = tensors;
    assert_int_equal(ty_dataset_restore(&w->ctx, ty_dataset_state(j.data), &fitted), TY_OK);
    ty_trainer_options options = {.config = &j.config,
                                  .comm = w->comm,
                                  .data = fitted,
                                  .model = &model,
                                  .is_forward_only = true};
    if (ty_trainer_open(&w->ctx, &options, &trainer) != TY_OK)
        fail_msg("%s", w->ctx.message);
    assert_true(ty_trainer_model_hash(trainer) == ty_trainer_model_hash(j.trainer));
    assert_int_equal(infer(w, trainer, j.data, &alone), TY_OK);
    assert_memory_equal(alone.outputs, trained.outputs, sizeof alone.outputs);
    ty_trainer_close(trainer);
    trainer = NULL;
    model.n_tensors = 1;
    assert_int_equal(ty_trainer_open(&w->ctx, &options, &trainer), TY_ERR_CONFIG);
    assert_non_null(strstr(w->ctx.message, "no tensor model/"));
    ty_dataset_close(fitted);
    ty_arena_clear(&arena);
    job_close(&j);
}

static void what_the_sink_says_ends_the_pass(void **state) {
    world *w = *state;
    job j;
    heard h = {.stop_at = 2};
    train(w, &j, "eval.batch_size=16", NULL);
    assert_int_equal(infer(w, j.trainer, j.data, &h), TY_STOP_TERMINATE);
    assert_int_equal(h.batches, 2);
    job_close(&j);
}

static void samples_of_another_shape_are_refused(void **state) {
    world *w = *state;
    job j, other;
    heard h = {0};
    const job_options options = {
        .text = cnn, .sets = {"data.source=synthetic:96x1x6x6x4"}, .comm = w->comm};
    train(w, &j, NULL, NULL);
    job_open(&w->ctx, &other, &options);
    assert_int_equal(infer(w, j.trainer, other.data, &h), TY_ERR_ARG);
    assert_int_equal(h.batches, 0);
    job_close(&other);
    job_close(&j);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outputs_are_what_the_evaluation_scored),
        cmocka_unit_test(lanes_and_blocks_change_no_bit),
        cmocka_unit_test(a_model_in_memory_says_what_the_trained_one_said),
        cmocka_unit_test(what_the_sink_says_ends_the_pass),
        cmocka_unit_test(samples_of_another_shape_are_refused),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
