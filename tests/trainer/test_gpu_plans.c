/* Every shipped config's graphs, planned by the real cuDNN for GPUs that are not here: each
 * convolution has an engine for each of its passes in every precision. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "trainer/model.h"
#include "trainer/plan.h"

static const float zero = 0, one = 1;

/* What the data of a config looks like. Every file of configs/ has a row, and every row a file. */
static const struct {
    const char *file;
    ty_data_info data;
    int n_convolutions;
} configs[] = {
#define PIXELS .mean = &zero, .inverse_std = &one, .n_channels = 1
    {"fashion_mlp.json",
     {.x_is_u8 = true,
      .x_rank = 3,
      .x_dims = {1, 28, 28},
      .x_count = 784,
      .is_classification = true,
      .n_outputs = 10,
      PIXELS},
     0},
    {"fashion_mnist.json",
     {.x_is_u8 = true,
      .x_rank = 3,
      .x_dims = {1, 28, 28},
      .x_count = 784,
      .is_classification = true,
      .n_outputs = 10,
      PIXELS},
     2},
    {"synthetic.json",
     {.x_is_u8 = true,
      .x_rank = 3,
      .x_dims = {1, 8, 8},
      .x_count = 64,
      .is_classification = true,
      .n_outputs = 4,
      PIXELS},
     1},
    {"tabular.json", {.x_rank = 1, .x_dims = {13}, .x_count = 13, .n_outputs = 1, PIXELS}, 0},
#undef PIXELS
};
enum { N_CONFIGS = sizeof configs / sizeof configs[0] };

static void every_shipped_config_has_a_row(void **state) {
    (void)state;
    int n = 0;
    DIR *folder = opendir(TY_CONFIGS);
    assert_non_null(folder);
    for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        const char *suffix = strrchr(entry->d_name, '.');
        if (!suffix || strcmp(suffix, ".json") != 0)
            continue;
        n++;
        int row = 0;
        while (row < N_CONFIGS && strcmp(configs[row].file, entry->d_name) != 0)
            row++;
        if (row == N_CONFIGS)
            fail_msg("configs/%s has no row here", entry->d_name);
    }
    (void)closedir(folder);
    assert_int_equal(n, N_CONFIGS);
}

/* How many passes of convolutions the plan has, each by an engine of cuDNN. */
static int count_engines(const ty_plan *plan) {
    int n_engines = 0;
    for (int i = 0; i < plan->graph->n_nodes; i++) {
        const ty_node *node = &plan->graph->nodes[i];
        if (node->op != TY_OP_CONV2D)
            continue;
        for (int is_backward = 0; is_backward <= node->has_backward; is_backward++) {
            ty_op_cost costs[TY_OP_MAX_COSTS];
            const int n = ty_device_op(plan->dev, node->op)
                              ->cost(plan->dev, &plan->calls[i], is_backward, costs);
            for (int k = 0; k < n; k++)
                n_engines += strncmp(costs[k].engine, "cudnn engine ", 13) == 0;
        }
    }
    return n_engines;
}

/* Forward, the gradient of the filters and, but for the first layer, that of the input. */
static int engines_wanted(int n_convolutions, bool is_training) {
    if (!is_training)
        return n_convolutions;
    return n_convolutions ? 3 * n_convolutions - 1 : 0;
}

static void check_plan(ty_ctx *ctx, ty_device *dev, int row, const ty_train_config *config,
                       bool is_training) {
    ty_graph graph;
    ty_plan plan;
    const int64_t shard = config->train.global_batch_size / 8;
    const char *gpu = ty_device_describe(dev)->model;
    if (ty_model_build(ctx, config, &configs[row].data, shard, is_training, &graph) != TY_OK ||
        ty_plan_open(ctx, dev, &graph, &plan) != TY_OK)
        fail_msg("%s on %s: %s", configs[row].file, gpu, ctx->message);
    assert_true(plan.arena_bytes > 0);
    assert_int_equal(count_engines(&plan),
                     engines_wanted(configs[row].n_convolutions, is_training));
    ty_plan_close(&plan);
    ty_graph_clear(&graph);
}

static void check_config(ty_ctx *ctx, int row, const char *gpu, ty_precision precision) {
    char path[512];
    ty_doc *doc = NULL;
    ty_train_config config;
    ty_device *dev = NULL;
    const ty_device_options options = {.name = gpu, .max_isa_level = -1, .precision = precision};
    (void)snprintf(path, sizeof path, "%s/%s", TY_CONFIGS, configs[row].file);
    if (ty_doc_read(ctx, path, &doc) != TY_OK || ty_train_config_load(ctx, doc, &config) != TY_OK ||
        ty_device_open(ctx, &options, &dev) != TY_OK)
        fail_msg("%s on %s: %s", configs[row].file, gpu, ctx->message);
    check_plan(ctx, dev, row, &config, true);
    check_plan(ctx, dev, row, &config, false);
    ty_device_close(dev);
    ty_doc_close(doc);
}

static void every_shipped_config_is_planned_for_every_described_gpu(void **state) {
    static const char *const gpus[] = {"a100", "h100"};
    for (int row = 0; row < N_CONFIGS; row++)
        for (int g = 0; g < 2; g++)
            for (int p = TY_PRECISION_FP32; p <= TY_PRECISION_BF16; p++)
                check_config(*state, row, gpus[g], (ty_precision)p);
}

static int set_up(void **state) {
    static ty_ctx ctx;
    ty_ctx_init(&ctx);
    *state = &ctx;
    return 0;
}

static int tear_down(void **state) {
    ty_ctx_clear(*state);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shipped_config_has_a_row),
        cmocka_unit_test(every_shipped_config_is_planned_for_every_described_gpu),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
