/* What test_models.py needs of the trainer, one command a call:
 *
 *   tables                             the types of layers and losses, one "layer NAME" a line
 *   make CONFIG SEED CHECKPOINT        a checkpoint of that config with random tensors
 *   export MODEL FOLDER BYTES OPSET    model.onnx (data file from BYTES on), model.safetensors
 *   predict MODEL ROWS X OUT           OUT: f32 [ROWS, outputs] of X's rows, as the data set has them
 *   rows CONFIG X                      X: all training samples, encoded; prints how many
 *   example MODEL                      the inputs of a sample of means, JSON
 *   tensors MODEL                      name, shape and bytes of each tensor, in hex */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trainer/layers/layers.h"
#include "trainer/losses/losses.h"
#include "trainer/model.h"
#include "trainer/onnx_private.h"
#include "trainer/plan.h"
#include "trainer/state.h"

/* A config and what it makes of its data. */
typedef struct setting {
    ty_doc *doc;
    ty_train_config config;
    ty_text json;
} setting;

static ty_status read_setting(ty_ctx *ctx, const char *path, setting *out) {
    TY_TRY(ty_doc_read(ctx, path, &out->doc));
    TY_TRY(ty_train_config_load(ctx, out->doc, &out->config));
    return ty_rows_dump(ctx, &ty_train_rows, out->doc, &out->json);
}

static void clear_setting(setting *s) {
    ty_doc_close(s->doc);
    ty_text_clear(&s->json);
}

static ty_status write_bytes(ty_ctx *ctx, const char *path, const void *data, size_t bytes) {
    return ty_file_write_atomic(ctx, path, data, bytes);
}

static ty_status say_tables(ty_ctx *ctx, char **words) {
    (void)ctx, (void)words;
    for (const ty_variant_row *row = ty_layer_variants; row->type; row++)
        printf("layer %s\n", row->type);
    for (const ty_variant_row *row = ty_loss_variants; row->type; row++)
        printf("loss %s\n", row->type);
    return TY_OK;
}

/* --- make ------------------------------------------------------------------------------------- */

/* Small enough that logits stay near 1; variances are positive. */
static void fill(float *to, const ty_segment *segment, uint64_t seed) {
    const ty_rng_key key = ty_rng_key_mix(ty_rng_key_of(seed, TY_STREAM_INIT),
                                          ty_hash64(segment->name, strlen(segment->name)));
    const bool is_variance = strstr(segment->name, "running_var") != NULL;
    const float fan = segment->fan_in > 0 ? (float)segment->fan_in : 1;
    const float scale = segment->shape.rank > 1 ? 2 / __builtin_sqrtf(fan) : 1;
    for (int64_t i = 0; i < segment->count; i++) {
        const float draw = ty_rng_uniform(ty_rng_draw(key, (uint64_t)i, 0).v[0]);
        to[i] = is_variance ? 0.25F + draw : scale * (2 * draw - 1);
    }
}

static void add_tensors(ty_arena *arena, const ty_segment *segments, int n, uint64_t seed,
                        ty_checkpoint *content, ty_ckpt_tensor *to) {
    for (int i = 0; i < n; i++) {
        float *data = ty_arena_array(arena, (size_t)segments[i].count, sizeof *data);
        const char *name = ty_arena_printf(arena, "model/%s", segments[i].name);
        if (!data || !name)
            abort();
        fill(data, &segments[i], seed);
        to[content->n_tensors++] = (ty_ckpt_tensor){name, TY_DTYPE_F32, segments[i].shape, data};
    }
}

static ty_status make_from(ty_ctx *ctx, const setting *s, const ty_dataset *set, uint64_t seed,
                           const char *path) {
    ty_graph graph;
    ty_arena arena = {0};
    ty_checkpoint content = {.step = 7,
                             .state = "{}",
                             .config = ty_text_string(&s->json),
                             .data_state = ty_dataset_state(set)};
    TY_TRY(ty_model_build(ctx, &s->config, ty_dataset_info(set), 1, false, &graph));
    ty_ckpt_tensor *tensors =
        ty_arena_array(&arena, (size_t)(graph.n_params + graph.n_stats), sizeof *tensors);
    if (!tensors)
        abort();
    content.tensors = tensors;
    add_tensors(&arena, graph.params, graph.n_params, seed, &content, tensors);
    add_tensors(&arena, graph.stats, graph.n_stats, seed, &content, tensors);
    const ty_status st = ty_checkpoint_write(ctx, path, &content);
    ty_arena_clear(&arena);
    ty_graph_clear(&graph);
    return st;
}

static ty_status make(ty_ctx *ctx, char **words) {
    setting s = {0};
    ty_dataset *set = NULL;
    ty_status st = read_setting(ctx, words[0], &s);
    if (st == TY_OK)
        st = ty_dataset_open(ctx, &s.config.data, NULL, &set);
    if (st == TY_OK)
        st = make_from(ctx, &s, set, strtoull(words[1], NULL, 10), words[2]);
    ty_dataset_close(set);
    clear_setting(&s);
    return st;
}

static ty_status write_rows(ty_ctx *ctx, const ty_dataset *set, const char *path) {
    const ty_data_info *info = ty_dataset_info(set);
    const size_t row = (size_t)info->x_count * (info->x_is_u8 ? 1 : sizeof(float));
    const int64_t n = info->count[TY_SPLIT_TRAIN];
    char *x = malloc((size_t)n * row);
    float y[64];
    ty_status st = x && info->n_outputs <= 64 ? TY_OK : TY_ERR_NOMEM;
    for (int64_t i = 0; st == TY_OK && i < n; i++)
        st = ty_dataset_sample(ctx, set, TY_SPLIT_TRAIN, i, x + (size_t)i * row, y);
    if (st == TY_OK)
        st = write_bytes(ctx, path, x, (size_t)n * row);
    free(x);
    printf("%" PRId64 "\n", n);
    return st;
}

static ty_status rows(ty_ctx *ctx, char **words) {
    setting s = {0};
    ty_dataset *set = NULL;
    ty_status st = read_setting(ctx, words[0], &s);
    if (st == TY_OK)
        st = ty_dataset_open(ctx, &s.config.data, NULL, &set);
    if (st == TY_OK)
        st = write_rows(ctx, set, words[1]);
    ty_dataset_close(set);
    clear_setting(&s);
    return st;
}

/* --- of a model ------------------------------------------------------------------------------- */

static ty_status export_model(ty_ctx *ctx, const ty_checkpoint *content, char **words) {
    const ty_onnx_options options = {.version = "0.0-probe",
                                     .external_bytes = strtoull(words[1], NULL, 10),
                                     .opset = atoi(words[2])};
    ty_onnx_signature signature = {0};
    ty_arena arena = {0};
    ty_status st = ty_onnx_write(ctx, content, words[0], &options, &arena, &signature);
    for (int64_t i = 0; st == TY_OK && i < signature.n_inputs; i++)
        printf("%s %s\n", signature.inputs[i].dtype, signature.inputs[i].name);
    ty_arena_clear(&arena);
    return st == TY_OK ? ty_safetensors_write(ctx, content, words[0], options.version) : st;
}

static ty_status say_example(ty_ctx *ctx, const ty_checkpoint *content, char **words) {
    ty_text text = {0};
    (void)words;
    const ty_status st = ty_onnx_example(ctx, content, NULL, &text);
    printf("%s\n", ty_text_string(&text));
    ty_text_clear(&text);
    return st;
}

static ty_status say_tensors(ty_ctx *ctx, const ty_checkpoint *content, char **words) {
    (void)ctx, (void)words;
    for (int64_t i = 0; i < content->n_tensors; i++) {
        const ty_ckpt_tensor *tensor = &content->tensors[i];
        const unsigned char *bytes = tensor->data;
        if (strncmp(tensor->name, "model/", 6) != 0)
            continue;
        printf("%s", tensor->name + 6);
        for (int d = 0; d < tensor->shape.rank; d++)
            printf("%c%" PRId64, d ? ',' : ' ', tensor->shape.dims[d]);
        printf(" ");
        for (size_t b = 0; b < (size_t)ty_shape_count(tensor->shape) * sizeof(float); b++)
            printf("%02x", bytes[b]);
        printf("\n");
    }
    return TY_OK;
}

/* One pass of our own over all rows. */
typedef struct pass {
    ty_onnx_source source;
    ty_graph graph;
    ty_device *dev;
    ty_plan plan;
    ty_state state;
    void *arena;
} pass;

static ty_status open_pass(ty_ctx *ctx, const ty_checkpoint *content, int64_t n, pass *p) {
    ty_train_config config;
    const ty_device_options cpu = {.name = "cpu", .max_isa_level = -1};
    TY_TRY(ty_onnx_source_init(ctx, content, &p->source));
    TY_TRY(ty_train_config_load(ctx, p->source.doc, &config));
    TY_TRY(ty_model_build(ctx, &config, &p->source.info, n, false, &p->graph));
    TY_TRY(ty_device_open(ctx, &cpu, &p->dev));
    TY_TRY(ty_plan_open(ctx, p->dev, &p->graph, &p->plan));
    TY_TRY(ty_state_open(ctx, p->dev, &p->graph, NULL, &p->state));
    TY_TRY(ty_device_alloc(ctx, p->dev, p->plan.arena_bytes, &p->arena));
    const ty_plan_buffers buffers = {.params = p->state.params, .stats = p->state.stats};
    ty_plan_bind(&p->plan, p->arena, &buffers);
    return TY_OK;
}

static ty_status run_pass(ty_ctx *ctx, pass *p, const ty_checkpoint_file *file, char **words) {
    const ty_tensor *x = &p->plan.values[p->graph.x];
    const ty_node *loss = &p->graph.nodes[p->graph.n_nodes - 1];
    const ty_tensor *head = &p->plan.values[loss->x[0]];
    const size_t bytes = (size_t)ty_shape_count(head->shape) * sizeof(float);
    int fd;
    TY_TRY(ty_state_load(ctx, &p->state, ty_checkpoint_content(file), true));
    TY_TRY(ty_file_open(ctx, words[1], O_RDONLY, 0, &fd));
    TY_TRY(ty_file_pread(ctx, words[1], fd, x->data,
                         (size_t)ty_shape_count(x->shape) * ty_dtype_bytes(x->dtype), 0));
    TY_TRY(ty_file_close(ctx, words[1], fd));
    TY_TRY(ty_plan_forward(ctx, &p->plan));
    void *out = malloc(bytes);
    if (!out)
        return TY_ERR_NOMEM;
    ty_status st = ty_tensor_copy_out(ctx, p->dev, head, out);
    if (st == TY_OK)
        st = write_bytes(ctx, words[2], out, bytes);
    free(out);
    return st;
}

static void close_pass(pass *p) {
    ty_plan_close(&p->plan);
    ty_state_close(&p->state);
    ty_device_free(p->dev, p->arena);
    ty_device_close(p->dev);
    ty_graph_clear(&p->graph);
    ty_onnx_source_clear(&p->source);
}

static ty_status predict(ty_ctx *ctx, const ty_checkpoint_file *file, char **words) {
    pass p = {0};
    ty_status st = open_pass(ctx, ty_checkpoint_content(file), strtoll(words[0], NULL, 10), &p);
    if (st == TY_OK)
        st = run_pass(ctx, &p, file, words);
    close_pass(&p);
    return st;
}

static ty_status with_model(ty_ctx *ctx, const char *command, char **words) {
    ty_checkpoint_file *file = NULL;
    ty_status st = ty_model_read(ctx, words[0], &file);
    if (st != TY_OK)
        return st;
    const ty_checkpoint *content = ty_checkpoint_content(file);
    if (strcmp(command, "export") == 0)
        st = export_model(ctx, content, words + 1);
    else if (strcmp(command, "example") == 0)
        st = say_example(ctx, content, words + 1);
    else if (strcmp(command, "tensors") == 0)
        st = say_tensors(ctx, content, words + 1);
    else
        st = predict(ctx, file, words + 1);
    ty_checkpoint_file_close(file);
    return st;
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        int words;
        ty_status (*run)(ty_ctx *ctx, char **words); /* NULL: of a model */
    } commands[] = {{"tables", 0, say_tables}, {"make", 3, make},    {"rows", 2, rows},
                    {"export", 4, NULL},       {"predict", 4, NULL}, {"example", 1, NULL},
                    {"tensors", 1, NULL}};
    ty_ctx ctx;
    ty_status st = TY_ERR_ARG;
    ty_ctx_init(&ctx);
    for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(argv[1], commands[i].name) == 0 && argc == 2 + commands[i].words)
            st = commands[i].run ? commands[i].run(&ctx, argv + 2)
                                 : with_model(&ctx, argv[1], argv + 2);
    if (st != TY_OK)
        (void)fprintf(stderr, "%s\n", ctx.message);
    ty_ctx_clear(&ctx);
    return ty_status_exit_code(st);
}
