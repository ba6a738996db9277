/* Graphs: shapes and names, fusion, differentiation, and the plan's lifetimes. */
#include "trainer/graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "trainer/model.h"
#include "trainer/plan.h"

static const float zero = 0, one = 1;

static const ty_data_info images = {.x_is_u8 = true,
                                    .x_rank = 3,
                                    .x_dims = {1, 8, 8},
                                    .x_count = 64,
                                    .is_classification = true,
                                    .n_outputs = 5,
                                    .n_channels = 1,
                                    .mean = &zero,
                                    .inverse_std = &one};

typedef struct built {
    ty_doc *doc;
    ty_train_config config;
    ty_graph graph;
    ty_status status;
} built;

static built build(ty_ctx *ctx, const char *layers, const char *more, bool is_training) {
    built b = {0};
    char text[2048];
    (void)snprintf(text, sizeof text,
                   "{\"data\": {\"source\": \"synthetic\"}, \"model\": {\"layers\": [%s]}%s}",
                   layers, more);
    assert_int_equal(ty_doc_parse(ctx, "test.json", text, strlen(text), &b.doc), TY_OK);
    if (ty_train_config_load(ctx, b.doc, &b.config) != TY_OK)
        fail_msg("%s", ctx->message);
    b.status = ty_model_build(ctx, &b.config, &images, 4, is_training, &b.graph);
    return b;
}

static void clear(built *b) {
    ty_graph_clear(&b->graph);
    ty_doc_close(b->doc);
}

static const char *const cnn =
    "{\"type\": \"conv2d\", \"out\": 6}, \"batch_norm\", \"relu\", \"max_pool\","
    "{\"type\": \"conv2d\", \"out\": 8, \"bias\": false}, \"relu\", \"global_avg_pool\","
    "{\"type\": \"dropout\", \"rate\": 0.3}, {\"type\": \"linear\", \"out\": 7}, \"gelu\", "
    "\"linear\"";

static void a_model_knows_its_shapes_and_segments(void **state) {
    built b = build(*state, cnn, "", true);
    if (b.status != TY_OK)
        fail_msg("%s", ((ty_ctx *)*state)->message);
    assert_int_equal(b.graph.n_layers, 11);
    assert_int_equal(ty_graph_parameters(&b.graph),
                     6 * 9 + 6 + 2 * 6 + 8 * 6 * 9 + 8 * 7 + 7 + 7 * 5 + 5);
    assert_string_equal(b.graph.params[0].name, "layers.0.conv2d.weight");
    assert_string_equal(b.graph.params[b.graph.n_params - 1].name, "layers.10.linear.bias");
    assert_int_equal(b.graph.n_stats, 2);
    assert_true(b.graph.stats[0].learning_rate == 0.1);
    assert_int_equal(b.graph.layers[3].shape.dims[2], 4);
    assert_int_equal(b.graph.layers[6].shape.rank, 2);
    assert_int_equal(b.graph.layers[10].shape.dims[1], 5);
    for (int i = 0; i < b.graph.n_params; i++)
        assert_int_equal(b.graph.params[i].offset % 16, 0);
    assert_true(b.graph.params[0].weight_decay == 1 && b.graph.params[1].weight_decay == 0);
    clear(&b);
}

static int count_ops(const ty_graph *graph, ty_op_id op) {
    int n = 0;
    for (int i = 0; i < graph->n_nodes; i++)
        n += graph->nodes[i].op == op;
    return n;
}

static void activations_move_into_the_op_before(void **state) {
    built b = build(*state, cnn, "", true);
    assert_int_equal(b.status, TY_OK);
    assert_int_equal(count_ops(&b.graph, TY_OP_ACTIVATION), 1); /* gelu needs its x */
    for (int i = 0; i < b.graph.n_nodes; i++) {
        const ty_node *node = &b.graph.nodes[i];
        assert_int_equal(b.graph.values[node->y].producer, i);
        if (node->op == TY_OP_BATCH_NORM)
            assert_true(((const ty_batch_norm_attrs *)node->attrs)->has_relu);
    }
    clear(&b);
}

static void evaluation_has_the_same_segments_and_no_dropout(void **state) {
    built train = build(*state, cnn, "", true), eval = build(*state, cnn, "", false);
    assert_int_equal(train.status, TY_OK);
    assert_int_equal(eval.status, TY_OK);
    assert_int_equal(count_ops(&train.graph, TY_OP_DROPOUT), 1);
    assert_int_equal(count_ops(&eval.graph, TY_OP_DROPOUT), 0);
    assert_int_equal(train.graph.n_params, eval.graph.n_params);
    assert_int_equal(train.graph.params_count, eval.graph.params_count);
    for (int i = 0; i < train.graph.n_params; i++) {
        assert_string_equal(train.graph.params[i].name, eval.graph.params[i].name);
        assert_int_equal(train.graph.params[i].offset, eval.graph.params[i].offset);
    }
    clear(&train);
    clear(&eval);
}

static void nothing_is_differentiated_below_the_first_parameter(void **state) {
    built b = build(*state, cnn, "", true);
    assert_int_equal(b.status, TY_OK);
    assert_int_equal(b.graph.nodes[0].op, TY_OP_NORMALIZE);
    assert_false(b.graph.nodes[0].has_backward);
    assert_int_equal(b.graph.nodes[1].op, TY_OP_CONV2D);
    assert_true(b.graph.nodes[1].has_backward);
    assert_false(b.graph.nodes[1].wants_dx[0]);
    assert_true(b.graph.nodes[2].wants_dx[0]);
    clear(&b);
}

/* normalize -> linear -> v; (v, v) and (sum, v) are added: v has three readers. */
static void a_value_with_several_readers_collects_their_gradients(void **state) {
    ty_ctx *ctx = *state;
    ty_graph g;
    int x, v, sum, total, weight, target, rows;
    const ty_linear_attrs linear = {.out = 3, .has_bias = true};
    const ty_softmax_xent_attrs loss = {.ignore_index = INT32_MIN};
    ty_graph_init(&g, true, 4, 3);
    const ty_shape features = {.rank = 2, .dims = {4, 6}}, each = {.rank = 1, .dims = {4}};
    assert_int_equal(ty_graph_input(ctx, &g, TY_DTYPE_F32, features, &x), TY_OK);
    assert_int_equal(ty_graph_input(ctx, &g, TY_DTYPE_I32, each, &target), TY_OK);
    assert_int_equal(ty_graph_input(ctx, &g, TY_DTYPE_F32, each, &weight), TY_OK);
    assert_int_equal(ty_graph_add(ctx, &g, TY_OP_LINEAR, &linear, (int[]){x}, &v), TY_OK);
    assert_int_equal(ty_graph_add(ctx, &g, TY_OP_ADD, NULL, (int[]){v, v}, &sum), TY_OK);
    assert_int_equal(ty_graph_add(ctx, &g, TY_OP_ADD, NULL, (int[]){sum, v}, &total), TY_OK);
    assert_int_equal(
        ty_graph_add(ctx, &g, TY_OP_SOFTMAX_XENT, &loss, (int[]){total, target, weight}, &rows),
        TY_OK);
    g.loss_rows = rows;
    assert_int_equal(ty_graph_differentiate(ctx, &g), TY_OK);
    assert_int_equal(ty_graph_readers(&g, v), 3);
    assert_false(
        g.nodes[2].accumulates_dx[0]); /* total: first of the backward pass to reach sum... */
    assert_false(g.nodes[2].accumulates_dx[1]); /* ...and v */
    assert_true(g.nodes[1].accumulates_dx[0] && g.nodes[1].accumulates_dx[1]);
    assert_false(g.nodes[3].wants_dx[1] || g.nodes[3].wants_dx[2]);
    ty_graph_clear(&g);
}

static void a_wrong_model_is_told_by_its_layer(void **state) {
    ty_ctx *ctx = *state;
    built b = build(ctx, "\"linear\"", "", true);
    assert_int_equal(b.status, TY_ERR_CONFIG);
    assert_non_null(strstr(ctx->message, "model.layers.0 (linear)"));
    assert_non_null(strstr(ctx->message, "\"flatten\""));
    clear(&b);
    b = build(ctx, "\"flatten\", {\"type\": \"linear\", \"out\": 4}", "", true);
    assert_int_equal(b.status, TY_ERR_CONFIG);
    assert_non_null(strstr(ctx->message, "4 values a sample, want one for each of 5 classes"));
    clear(&b);
    b = build(ctx, "\"flatten\", \"linear\"", ", \"loss\": \"mse\"", true);
    assert_int_equal(b.status, TY_ERR_CONFIG);
    assert_non_null(strstr(ctx->message, "use cross_entropy"));
    clear(&b);
    b = build(ctx, "\"flatten\", \"relu\"", "", true);
    assert_int_equal(b.status, TY_ERR_CONFIG);
    clear(&b);
}

static void a_plan_binds_everything_inside_its_arena(void **state) {
    ty_ctx *ctx = *state;
    built b = build(ctx, cnn, "", true);
    ty_device *dev;
    ty_plan plan;
    assert_int_equal(b.status, TY_OK);
    assert_int_equal(
        ty_device_open(ctx, &(ty_device_options){.name = "cpu", .max_isa_level = -1}, &dev), TY_OK);
    if (ty_plan_open(ctx, dev, &b.graph, &plan) != TY_OK)
        fail_msg("%s", ctx->message);
    char *arena;
    float *params, *stats;
    assert_int_equal(ty_device_alloc(ctx, dev, plan.arena_bytes, (void **)&arena), TY_OK);
    assert_int_equal(ty_device_alloc(ctx, dev, 1 << 16, (void **)&params), TY_OK);
    assert_int_equal(ty_device_alloc(ctx, dev, 1 << 16, (void **)&stats), TY_OK);
    ty_plan_bind(&plan, arena, &(ty_plan_buffers){.params = params, .stats = stats});
    for (int v = 0; v < b.graph.n_values; v++) {
        const ty_tensor *value = &plan.values[v];
        if (b.graph.values[v].role == TY_VALUE_GONE) {
            assert_null(value->data);
            continue;
        }
        const char *at = value->data;
        assert_true(at >= arena && at + value->bytes <= arena + plan.arena_bytes);
    }
    size_t without_reuse = 0;
    for (int i = 0; i < plan.n_items; i++)
        without_reuse += plan.items[i].bytes;
    assert_true(plan.arena_bytes < without_reuse);
    ty_device_free(dev, arena);
    ty_device_free(dev, params);
    ty_device_free(dev, stats);
    ty_plan_close(&plan);
    ty_device_close(dev);
    clear(&b);
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
        cmocka_unit_test(a_model_knows_its_shapes_and_segments),
        cmocka_unit_test(activations_move_into_the_op_before),
        cmocka_unit_test(evaluation_has_the_same_segments_and_no_dropout),
        cmocka_unit_test(nothing_is_differentiated_below_the_first_parameter),
        cmocka_unit_test(a_value_with_several_readers_collects_their_gradients),
        cmocka_unit_test(a_wrong_model_is_told_by_its_layer),
        cmocka_unit_test(a_plan_binds_everything_inside_its_arena),
    };
    return cmocka_run_group_tests(tests, open_ctx, close_ctx);
}
