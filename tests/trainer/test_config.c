/* The rows of a training config: defaults that train, keys that contradict each other, names of
 * other tools. */
#include "trainer/config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "trainer/optimizers/optimizers.h"
#include "trainer/schedules/schedules.h"

typedef struct loaded {
    ty_doc *doc;
    ty_train_config config;
} loaded;

static ty_status load(ty_ctx *ctx, const char *text, loaded *out) {
    *out = (loaded){0};
    assert_int_equal(ty_doc_parse(ctx, "test.json", text, strlen(text), &out->doc), TY_OK);
    return ty_train_config_load(ctx, out->doc, &out->config);
}

static void assert_rejects(ty_ctx *ctx, const char *text, const char *message) {
    loaded l;
    assert_int_equal(load(ctx, text, &l), TY_ERR_CONFIG);
    if (!strstr(ctx->message, message))
        fail_msg("\"%s\" is not in \"%s\"", message, ctx->message);
    ty_doc_close(l.doc);
}

#define TINY                                                                                       \
    "\"data\": {\"source\": \"synthetic\"}, \"model\": {\"layers\": [\"flatten\", \"linear\"]}"

static void data_and_model_are_enough(void **state) {
    ty_ctx *ctx = *state;
    loaded l;
    if (load(ctx, "{" TINY "}", &l) != TY_OK)
        fail_msg("%s", ctx->message);
    assert_string_equal(l.config.optimizer.row->type, "adamw");
    assert_string_equal(l.config.schedule.row->type, "cosine");
    assert_string_equal(l.config.loss.row->type, "auto");
    assert_int_equal(l.config.model.layers.n, 2);
    assert_string_equal(l.config.model.layers.v[1].row->type, "linear");
    assert_int_equal(l.config.train.reduction, TY_REDUCE_EXACT);
    assert_int_equal(l.config.train.global_batch_size % l.config.train.shards, 0);
    assert_true(l.config.train.micro_batch_size == TY_AUTO);
    const ty_optimizer_base *optimizer = l.config.optimizer.config;
    assert_true(optimizer->learning_rate == 1e-3);
    ty_doc_close(l.doc);
}

static void the_whole_form_is_read(void **state) {
    ty_ctx *ctx = *state;
    loaded l;
    const char *text =
        "{\"experiment\": \"e\", \"name\": \"n\", \"seed\": 3,"
        "\"data\": {\"source\": \"fashion-mnist\", \"val_fraction\": 0.1, \"normalize\": "
        "\"standard\"},"
        "\"model\": {\"layers\": [{\"type\": \"conv2d\", \"out\": 16, \"kernel\": 3, \"bias\": "
        "false},"
        "\"batch_norm\", \"relu\", {\"type\": \"max_pool\", \"kernel\": 2}, \"flatten\","
        "{\"type\": \"dropout\", \"rate\": 0.25}, \"linear\"]},"
        "\"loss\": {\"type\": \"cross_entropy\", \"label_smoothing\": 0.1},"
        "\"optimizer\": {\"type\": \"sgd\", \"learning_rate\": 3e-3},"
        "\"schedule\": {\"type\": \"one_cycle\", \"warmup\": \"200 steps\"},"
        "\"train\": {\"duration\": \"4 epochs\", \"global_batch_size\": 256,"
        "\"early_stop\": {\"metric\": \"val/loss\", \"patience\": 2}},"
        "\"eval\": {\"every\": \"500 steps\"}, \"checkpoint\": {\"every\": \"10 min\", \"best\": "
        "\"none\"}}";
    if (load(ctx, text, &l) != TY_OK)
        fail_msg("%s", ctx->message);
    const ty_schedule_base *schedule = l.config.schedule.config;
    assert_int_equal(schedule->warmup.unit, TY_UNIT_STEPS);
    assert_true(schedule->warmup.value == 200);
    assert_int_equal(l.config.train.early_stop.patience, 2);
    assert_int_equal(l.config.checkpoint.every.unit, TY_UNIT_SECONDS);
    assert_true(l.config.checkpoint.every.value == 600);
    assert_null(l.config.checkpoint.best);
    ty_doc_close(l.doc);
}

static void keys_that_contradict_each_other_are_refused(void **state) {
    ty_ctx *ctx = *state;
    assert_rejects(ctx, "{" TINY ", \"train\": {\"global_batch_size\": 100}}",
                   "train.global_batch_size is 100, want a multiple of train.shards 8");
    assert_rejects(ctx, "{" TINY ", \"train\": {\"micro_batch_size\": 5}}",
                   "want a divisor of train.global_batch_size 128");
    assert_rejects(ctx, "{" TINY ", \"train\": {\"duration\": \"30 min\"}}",
                   "schedule cosine cannot know how many steps there are");
    assert_rejects(ctx, "{" TINY ", \"checkpoint\": {\"best\": \"val/f1\"}}",
                   "checkpoint.best is \"val/f1\"");
}

static void two_contradictions_are_told_at_once(void **state) {
    ty_ctx *ctx = *state;
    const char *text = "{" TINY ", \"train\": {\"global_batch_size\": 100,"
                       "\"early_stop\": {\"metric\": \"loss\"}}}";
    assert_rejects(ctx, text, "want a multiple of train.shards");
    assert_rejects(ctx, text, "train.early_stop.metric is \"loss\"");
}

static void other_tools_names_are_translated(void **state) {
    ty_ctx *ctx = *state;
    assert_rejects(ctx, "{" TINY ", \"lr\": 0.1}", "optimizer.learning_rate");
    assert_rejects(ctx, "{" TINY ", \"batch_size\": 32}", "train.global_batch_size");
    assert_rejects(ctx, "{" TINY ", \"train\": {\"num_epochs\": 3}}", "train.duration");
    assert_rejects(ctx, "{" TINY ", \"optimizer\": {\"type\": \"adamw\", \"betas\": [0.9, 0.95]}}",
                   "optimizer.beta1");
}

static void a_time_goes_with_a_constant_rate(void **state) {
    ty_ctx *ctx = *state;
    loaded l;
    if (load(ctx, "{" TINY ", \"train\": {\"duration\": \"30 min\"}, \"schedule\": \"constant\"}",
             &l) != TY_OK)
        fail_msg("%s", ctx->message);
    assert_true(l.config.train.duration.value == 1800);
    ty_doc_close(l.doc);
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
        cmocka_unit_test(data_and_model_are_enough),
        cmocka_unit_test(the_whole_form_is_read),
        cmocka_unit_test(keys_that_contradict_each_other_are_refused),
        cmocka_unit_test(two_contradictions_are_told_at_once),
        cmocka_unit_test(other_tools_names_are_translated),
        cmocka_unit_test(a_time_goes_with_a_constant_rate),
    };
    return cmocka_run_group_tests(tests, open_ctx, close_ctx);
}
