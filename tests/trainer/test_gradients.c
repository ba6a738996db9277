/* The backward pass of whole nets against differences of their forward pass, segment by segment.
 *
 * Along a unit direction d, (f(p + h d) - f(p - h d)) / 2h is d . grad up to h^2 f''' / 6 and the
 * rounding of f. With h = 2^-6 the first is ~4e-5 |f'''|; f is a sum of ~10 in f32, rounded to
 * ~1e-6 after a few layers, which h divides to ~6e-5. So 2e-3 of the gradient's length (and of 1)
 * is a factor of ten above both, and a factor of hundreds below any wrong term. The nets are
 * smooth: no relu, no max. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "trainer/model.h"
#include "trainer/plan.h"
#include "trainer/trainer_private.h"

enum { ROWS = 6, MOST = 4096 };

static const float zero = 0, one = 1;

typedef struct net {
    ty_ctx *ctx;
    ty_doc *doc;
    ty_train_config config;
    ty_graph graph;
    ty_device *dev;
    ty_plan plan;
    char *arena;
    float *params, *stats, *gradients;
} net;

static uint32_t draw(uint64_t what, uint64_t index) {
    return ty_rng_draw(ty_rng_key_of(11, TY_STREAM_SYNTHETIC), what, index).v[0];
}

static float normal(uint64_t what, uint64_t index) {
    float pair[2];
    ty_rng_normal2(draw(what, 2 * index), draw(what, 2 * index + 1), pair);
    return pair[0];
}

static float *allocate(net *n, size_t floats) {
    void *memory;
    assert_int_equal(ty_device_alloc(n->ctx, n->dev, floats * sizeof(float), &memory), TY_OK);
    return memory;
}

static void open_net(ty_ctx *ctx, net *n, const char *layers, const ty_data_info *data) {
    char text[2048];
    *n = (net){.ctx = ctx};
    (void)snprintf(text, sizeof text,
                   "{\"data\": {\"source\": \"synthetic\"}, \"model\": {\"layers\": [%s]}}",
                   layers);
    assert_int_equal(ty_doc_parse(ctx, "test.json", text, strlen(text), &n->doc), TY_OK);
    if (ty_train_config_load(ctx, n->doc, &n->config) != TY_OK ||
        ty_model_build(ctx, &n->config, data, ROWS, true, &n->graph) != TY_OK ||
        ty_device_open(ctx, &(ty_device_options){.name = "cpu", .max_isa_level = -1}, &n->dev) !=
            TY_OK ||
        ty_plan_open(ctx, n->dev, &n->graph, &n->plan) != TY_OK)
        fail_msg("%s", ctx->message);
    assert_true(n->graph.params_count <= MOST);
    n->arena = (char *)allocate(n, n->plan.arena_bytes / sizeof(float) + 16);
    n->params = allocate(n, MOST);
    n->stats = allocate(n, MOST);
    n->gradients = allocate(n, 2 * MOST);
    ty_plan_bind(&n->plan, n->arena, &(ty_plan_buffers){.params = n->params, .stats = n->stats});
    ty_plan_bind_gradients(&n->plan, n->gradients);
    n->plan.env.seed = 5;
    for (int64_t i = 0; i < n->graph.params_count; i++)
        n->params[i] = 0.4f * normal(1, (uint64_t)i);
}

static void close_net(net *n) {
    ty_device_free(n->dev, n->arena);
    ty_device_free(n->dev, n->params);
    ty_device_free(n->dev, n->stats);
    ty_device_free(n->dev, n->gradients);
    ty_plan_close(&n->plan);
    ty_device_close(n->dev);
    ty_graph_clear(&n->graph);
    ty_doc_close(n->doc);
}

/* Samples, targets and weights of 1, 2, 3...: inputs share the arena, so they are written before
 * each pass. */
static void write_inputs(net *n) {
    const ty_tensor *x = &n->plan.values[n->graph.x], *target = &n->plan.values[n->graph.target];
    float *weight = n->plan.values[n->graph.weight].data;
    const int64_t count = ty_shape_count(x->shape);
    for (int64_t i = 0; i < count; i++)
        ((float *)x->data)[i] = normal(2, (uint64_t)i);
    for (int64_t i = 0; i < ty_shape_count(target->shape); i++) {
        if (target->dtype == TY_DTYPE_I32)
            ((int32_t *)target->data)[i] =
                (int32_t)(draw(3, (uint64_t)i) % (uint32_t)n->graph.n_outputs);
        else
            ((float *)target->data)[i] = normal(3, (uint64_t)i);
    }
    for (int i = 0; i < ROWS; i++) {
        weight[i] = 0.25f * (float)(i + 1);
        n->plan.sample_ids[i] = 100 + i;
    }
}

static double loss_of(net *n) {
    double sum = 0;
    write_inputs(n);
    assert_int_equal(ty_plan_forward(n->ctx, &n->plan), TY_OK);
    const float *rows = n->plan.values[n->graph.loss_rows].data;
    for (int i = 0; i < ROWS; i++)
        sum += 0.25 * (double)(i + 1) * (double)rows[i * TY_LOSS_ROW];
    return sum;
}

static void compute_gradients(net *n) {
    memset(n->gradients, 0, 2 * MOST * sizeof(float));
    (void)loss_of(n);
    assert_int_equal(ty_plan_backward(n->ctx, &n->plan), TY_OK);
}

/* The slope of the loss along a direction of one segment. */
static double slope(net *n, const ty_segment *segment, const double *direction) {
    const double h = 0x1p-6;
    float *p = n->params + segment->offset, kept[MOST];
    double loss[2];
    memcpy(kept, p, (size_t)segment->count * sizeof *p);
    for (int side = 0; side < 2; side++) {
        for (int64_t i = 0; i < segment->count; i++)
            p[i] = (float)((double)kept[i] + (side ? h : -h) * direction[i]);
        loss[side] = loss_of(n);
    }
    memcpy(p, kept, (size_t)segment->count * sizeof *p);
    return (loss[1] - loss[0]) / (2 * h);
}

/* Direction 0 is the gradient's own, the others are random; all of length 1. */
static void make_direction(const float *gradient, int64_t count, int which, double *out) {
    double length = 0;
    for (int64_t i = 0; i < count; i++) {
        out[i] =
            which == 0 ? (double)gradient[i] : (double)normal(10 + (uint64_t)which, (uint64_t)i);
        length += out[i] * out[i];
    }
    for (int64_t i = 0; i < count; i++)
        out[i] /= sqrt(length) + 1e-30;
}

static void check_segment(net *n, const ty_segment *segment) {
    const float *gradient = n->gradients + segment->offset;
    double direction[MOST], length = 0;
    for (int64_t i = 0; i < segment->count; i++)
        length += (double)gradient[i] * (double)gradient[i];
    length = sqrt(length);
    for (int which = 0; which < 4; which++) {
        double wanted = 0;
        make_direction(gradient, segment->count, which, direction);
        for (int64_t i = 0; i < segment->count; i++)
            wanted += direction[i] * (double)gradient[i];
        const double seen = slope(n, segment, direction);
        if (fabs(seen - wanted) > 2e-3 * fmax(1, length))
            fail_msg("%s, direction %d: differences give %g, backward gives %g (|g| = %g)",
                     segment->name, which, seen, wanted, length);
    }
}

static void check_net(ty_ctx *ctx, const char *layers, const ty_data_info *data) {
    net n;
    float kept[MOST];
    open_net(ctx, &n, layers, data);
    compute_gradients(&n);
    memcpy(kept, n.gradients, sizeof kept);
    for (int i = 0; i < n.graph.n_params; i++) {
        memcpy(n.gradients, kept, sizeof kept);
        check_segment(&n, &n.graph.params[i]);
    }
    close_net(&n);
}

static const ty_data_info images = {.x_rank = 3,
                                    .x_dims = {3, 7, 6},
                                    .is_classification = true,
                                    .n_outputs = 5,
                                    .n_channels = 1,
                                    .mean = &zero,
                                    .inverse_std = &one};
static const ty_data_info numbers = {.x_rank = 1,
                                     .x_dims = {9},
                                     .n_outputs = 3,
                                     .n_channels = 1,
                                     .mean = &zero,
                                     .inverse_std = &one};

static void a_convolutional_classifier(void **state) {
    check_net(*state,
              "{\"type\": \"conv2d\", \"out\": 5}, \"tanh\","
              "{\"type\": \"conv2d\", \"out\": 6, \"kernel\": 3, \"stride\": 2, \"bias\": false}, "
              "\"batch_norm\","
              "\"gelu\", {\"type\": \"avg_pool\", \"kernel\": 2}, \"flatten\","
              "{\"type\": \"dropout\", \"rate\": 0.3}, {\"type\": \"linear\", \"out\": 8}, "
              "\"sigmoid\", \"linear\"",
              &images);
}

static void a_net_that_pools_globally(void **state) {
    check_net(*state,
              "{\"type\": \"conv2d\", \"out\": 6, \"groups\": 3, \"padding\": 0}, \"silu\", "
              "\"global_avg_pool\","
              "\"linear\"",
              &images);
}

static void a_regression_with_batch_norm(void **state) {
    check_net(*state,
              "{\"type\": \"linear\", \"out\": 12, \"bias\": false}, \"batch_norm\", \"tanh\","
              "{\"type\": \"linear\", \"out\": 7}, \"gelu\", \"linear\"",
              &numbers);
}

/* --- what a step tells of its rows ------------------------------------------------------------- */

/* {loss, predicted class, its probability, rank of the true class}, as the loss ops write them. */
static float told[ROWS][TY_LOSS_ROW] = {
    {0.25f, 2, 0.75f, 0}, /* right */
    {2, 1, 0.5f, 1},      /* wrong */
    {0, -1, 0, 0},        /* of no class: ignored */
    {0.5f, 0, 0.5f, 0},   /* right, weighs 2 */
    {1, 3, 0.5f, 0},      /* right, weighs nothing */
    {3, 0, 0.5f, 4},
};

static void a_row_without_a_class_is_no_hit(void **state) {
    static const float weight[ROWS] = {1, 1, 1, 2, 0, 1};
    const ty_batch batch = {.rows = ROWS, .weight = weight};
    double of_shard[TY_SUM_COUNT], sums[TY_SUM_COUNT];
    ty_trainer trainer = {.geometry = {.rows = ROWS, .shards_of_rank = 1},
                          .loss_rows = &told[0][0],
                          .shard_sums = of_shard};
    net n;
    open_net(*state, &n, "\"linear\"", &numbers);
    assert_int_equal(ty_feed_open(n.ctx, n.dev, &n.graph, ROWS, &trainer.feed), TY_OK);
    assert_int_equal(ty_feed_send(n.ctx, trainer.feed, &batch), TY_OK);
    assert_int_equal(ty_feed_turn(n.ctx, trainer.feed), TY_OK);
    ty_gradient_sums(&trainer, sums);
    assert_float_equal(sums[TY_SUM_HITS], 3, 0);
    assert_float_equal(sums[TY_SUM_WEIGHT], 6, 0);
    assert_float_equal(sums[TY_SUM_LOSS], 0.25 + 2 + 2 * 0.5 + 3, 0);
    ty_feed_close(trainer.feed);
    close_net(&n);
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
        cmocka_unit_test(a_convolutional_classifier),
        cmocka_unit_test(a_net_that_pools_globally),
        cmocka_unit_test(a_regression_with_batch_norm),
        cmocka_unit_test(a_row_without_a_class_is_no_hit),
    };
    return cmocka_run_group_tests(tests, open_ctx, close_ctx);
}
