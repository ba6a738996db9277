/* model.onnx and model.safetensors: what is written is read back bit for bit, what is damaged or
 * forged is refused with its reason, and a disk that fails leaves what was there before.
 * tests/interop/test_models.py has onnxruntime's word on what the nodes compute. */
#include "tests/trainer/onnx_fixture.h"

#include <unistd.h>

#include "tests/support/fault_io.h"

static const char *path_of(onnx_fixture *f, const char *name) {
    const char *path = ty_path_join(&f->arena, f->folder.path, name);
    assert_non_null(path);
    return path;
}

static void assert_ok(onnx_fixture *f, ty_status st) {
    if (st != TY_OK)
        fail_msg("%s", f->ctx.message);
}

static ty_checkpoint_file *read_back(onnx_fixture *f, const char *name) {
    ty_checkpoint_file *file = NULL;
    assert_ok(f, ty_onnx_read(&f->ctx, path_of(f, name), &file));
    return file;
}

static void assert_same_content(onnx_fixture *f, const ty_checkpoint_file *file) {
    const ty_checkpoint *got = ty_checkpoint_content(file), *want = &f->content;
    assert_int_equal(got->step, want->step);
    assert_string_equal(got->config, want->config);
    assert_string_equal(got->data_state, want->data_state);
    assert_int_equal(got->n_tensors, want->n_tensors);
    for (int64_t i = 0; i < want->n_tensors; i++) {
        const ty_ckpt_tensor *a = &want->tensors[i], *b = ty_checkpoint_tensor(got, a->name);
        assert_non_null(b);
        assert_int_equal(b->shape.rank, a->shape.rank);
        assert_int_equal((uintptr_t)b->data % 64, 0);
        assert_int_equal(ty_shape_count(b->shape), ty_shape_count(a->shape));
        assert_memory_equal(b->data, a->data, (size_t)ty_shape_count(a->shape) * sizeof(float));
    }
}

static void every_op_has_its_row(void **state) {
    (void)state;
    for (int id = 0; id < TY_OP_COUNT; id++)
        if (!ty_onnx_knows((ty_op_id)id))
            fail_msg("%s has no row in trainer/onnx_ops.c", ty_ops[id].name);
}

/* --- nodes of ops that no layer has ----------------------------------------------------------- */

/* What an op's nodes are called, one behind the other. */
static void assert_nodes(const ty_text *nodes, const char *want) {
    enum { NODE_OP = 4 };
    ty_text got = {0};
    ty_pb_field node, field;
    const unsigned char *bytes = (const unsigned char *)ty_text_string(nodes);
    for (ty_pb at = {bytes, bytes + nodes->length}; ty_pb_next(&at, &node) == TY_PB_FIELD;)
        for (ty_pb within = ty_pb_inner(&node); ty_pb_next(&within, &field) == TY_PB_FIELD;)
            if (field.number == NODE_OP)
                ty_text_addf(&got, " %.*s", (int)field.bytes, (const char *)field.data);
    assert_string_equal(ty_text_string(&got), want);
    ty_text_clear(&got);
}

static void assert_op_becomes(onnx_fixture *f, ty_op_id op, const void *attrs, const char *want) {
    static const ty_shape shape = {4, {1, 3, 4, 5}};
    ty_graph graph;
    int x[2], y;
    ty_graph_init(&graph, false, 1, 1);
    for (int i = 0; i < 2; i++)
        assert_ok(f, ty_graph_input(&f->ctx, &graph, TY_DTYPE_F32, shape, &x[i]));
    assert_ok(f, ty_graph_add(&f->ctx, &graph, op, attrs, x, &y));
    const char *names[] = {"a", "b", "y"};
    ty_onnx_graph g = {.model = &graph, .arena = &f->arena, .names = names};
    ty_onnx_emit(&g, &graph.nodes[0]);
    assert_nodes(&g.nodes, want);
    ty_onnx_graph_clear(&g);
    ty_graph_clear(&graph);
}

static void ops_that_no_layer_has_become_nodes_too(void **state) {
    const ty_scale_attrs half = {.factor = 0.5};
    const ty_pool2d_attrs largest = {.is_max = true, .is_global = true};
    const ty_dropout_attrs some = {.rate = 0.5};
    assert_op_becomes(*state, TY_OP_ADD, NULL, " Add");
    assert_op_becomes(*state, TY_OP_SCALE, &half, " Constant Mul");
    assert_op_becomes(*state, TY_OP_POOL2D, &largest, " GlobalMaxPool");
    assert_op_becomes(*state, TY_OP_DROPOUT, &some, " Identity");
}

static void what_is_written_is_read_back(void **state) {
    onnx_fixture *f = *state;
    for (uint64_t external = 0; external < 2; external++) {
        assert_ok(f, onnx_fixture_write(f, &f->ctx, external));
        assert_int_equal(ty_file_exists(&f->ctx, path_of(f, TY_ONNX_DATA_FILE)), external == 1);
        ty_checkpoint_file *file = read_back(f, TY_ONNX_FILE);
        assert_same_content(f, file);
        ty_checkpoint_file_close(file);
    }
}

static void a_file_without_its_tensors_is_refused(void **state) {
    onnx_fixture *f = *state;
    ty_checkpoint_file *file = NULL;
    assert_ok(f, onnx_fixture_write(f, &f->ctx, 1));
    assert_int_equal(truncate(path_of(f, TY_ONNX_DATA_FILE), 4096), 0);
    assert_int_equal(ty_onnx_read(&f->ctx, path_of(f, TY_ONNX_FILE), &file), TY_ERR_INTEGRITY);
    assert_non_null(strstr(f->ctx.message, "short"));
    assert_int_equal(unlink(path_of(f, TY_ONNX_DATA_FILE)), 0);
    assert_int_equal(ty_onnx_read(&f->ctx, path_of(f, TY_ONNX_FILE), &file), TY_ERR_NOT_FOUND);
}

/* Each is refused whole; none crashes. */
static void a_file_cut_anywhere_is_refused(void **state) {
    onnx_fixture *f = *state;
    char *bytes = NULL;
    size_t n = 0;
    ty_checkpoint_file *file = NULL;
    assert_ok(f, onnx_fixture_write(f, &f->ctx, 0));
    assert_ok(f, ty_file_read_all(&f->ctx, path_of(f, TY_ONNX_FILE), 1 << 20, &bytes, &n));
    for (size_t cut = 0; cut < n; cut++) {
        assert_ok(f, ty_file_write_atomic(&f->ctx, path_of(f, "cut.onnx"), bytes, cut));
        const ty_status st = ty_onnx_read(&f->ctx, path_of(f, "cut.onnx"), &file);
        if (st != TY_ERR_INTEGRITY && st != TY_ERR_DATA)
            fail_msg("cut at %zu of %zu: %d", cut, n, (int)st);
    }
    free(bytes);
}

/* --- forged files ----------------------------------------------------------------------------- */

/* One tensor [2] and all that belongs to it; each test spoils one thing. */
typedef struct forgery {
    const char *config, *data_state, *step, *hash; /* NULL: good ones; "": left out */
    const char *name;
    int64_t dims[2];
    int64_t type;
    size_t raw_bytes;
    const char *location, *offset, *length; /* in place of raw data */
    int copies;                             /* of the tensor */
    bool has_two_graphs, has_two_configs;
} forgery;

static const float forged_data[2] = {1.5F, -2};

static void add_pair(ty_text *message, int field, const char *key, const char *value) {
    ty_text pair = {0};
    ty_pb_add_string(&pair, TY_ONNX_PAIR_KEY, key);
    ty_pb_add_string(&pair, TY_ONNX_PAIR_VALUE, value);
    ty_pb_add_message(message, field, &pair);
    ty_text_clear(&pair);
}

static void add_metadata(ty_text *model, const char *key, const char *value, const char *good) {
    if (!value || *value)
        add_pair(model, TY_ONNX_MODEL_METADATA, key, value ? value : good);
}

static void add_tensor(ty_text *graph, const forgery *of) {
    ty_text tensor = {0};
    for (int i = 0; i < 2 && of->dims[i]; i++)
        ty_pb_add_int(&tensor, TY_ONNX_TENSOR_DIM, of->dims[i]);
    ty_pb_add_int(&tensor, TY_ONNX_TENSOR_TYPE, of->type);
    ty_pb_add_string(&tensor, TY_ONNX_TENSOR_NAME, of->name);
    if (of->location) {
        add_pair(&tensor, TY_ONNX_TENSOR_EXTERNAL, "location", of->location);
        add_pair(&tensor, TY_ONNX_TENSOR_EXTERNAL, "offset", of->offset);
        add_pair(&tensor, TY_ONNX_TENSOR_EXTERNAL, "length", of->length);
        ty_pb_add_int(&tensor, TY_ONNX_TENSOR_LOCATION, 1);
    }
    if (of->raw_bytes)
        ty_pb_add_bytes(&tensor, TY_ONNX_TENSOR_RAW, forged_data, of->raw_bytes);
    ty_pb_add_message(graph, TY_ONNX_GRAPH_INITIALIZER, &tensor);
    ty_text_clear(&tensor);
}

static void add_model(ty_text *model, const forgery *of) {
    char hash[33];
    ty_text graph = {0};
    const ty_hash128 good = ty_hash_128(forged_data, sizeof forged_data);
    (void)snprintf(hash, sizeof hash, "%016" PRIx64 "%016" PRIx64, good.high, good.low);
    add_metadata(model, TY_ONNX_KEY_CONFIG, of->config, ONNX_CONFIG);
    if (of->has_two_configs)
        add_metadata(model, TY_ONNX_KEY_CONFIG, NULL, ONNX_CONFIG);
    add_metadata(model, TY_ONNX_KEY_DATA, of->data_state, ONNX_DATA);
    add_metadata(model, TY_ONNX_KEY_STEP, of->step, "5");
    add_metadata(model, TY_ONNX_KEY_HASH, of->hash, hash);
    for (int i = 0; i < of->copies; i++)
        add_tensor(&graph, of);
    for (int i = 0; i <= of->has_two_graphs; i++)
        ty_pb_add_message(model, TY_ONNX_MODEL_GRAPH, &graph);
    ty_text_clear(&graph);
}

static const forgery good = {
    .name = "t", .dims = {2}, .type = TY_ONNX_FLOAT, .raw_bytes = 8, .copies = 1};

static void assert_refused(onnx_fixture *f, const forgery *of, ty_status want, const char *why) {
    ty_text model = {0};
    ty_checkpoint_file *file = NULL;
    add_model(&model, of);
    assert_ok(f, ty_file_write_atomic(&f->ctx, path_of(f, "forged.onnx"), ty_text_string(&model),
                                      model.length));
    ty_text_clear(&model);
    const ty_status st = ty_onnx_read(&f->ctx, path_of(f, "forged.onnx"), &file);
    if (st == TY_OK)
        ty_checkpoint_file_close(file);
    if (st != want || (why && !strstr(f->ctx.message, why)))
        fail_msg("status %d, want %d with \"%s\": %s", (int)st, (int)want, why, f->ctx.message);
}

/* A good one with something else in its members. */
#define REFUSED(f, want, why, ...)                                                                 \
    do {                                                                                           \
        forgery bad = good;                                                                        \
        __VA_ARGS__;                                                                               \
        assert_refused(f, &bad, want, why);                                                        \
    } while (0)

static void what_is_forged_well_is_read(void **state) {
    assert_refused(*state, &good, TY_OK, NULL);
}

static void somebody_elses_model_is_refused_in_one_line(void **state) {
    onnx_fixture *f = *state;
    REFUSED(f, TY_ERR_DATA, "was not written by tiltyard", bad.config = "");
    assert_null(strchr(f->ctx.message, '\n'));
}

static void metadata_that_is_odd_is_refused(void **state) {
    onnx_fixture *f = *state;
    REFUSED(f, TY_ERR_INTEGRITY, "lacks", bad.data_state = "");
    REFUSED(f, TY_ERR_INTEGRITY, "lacks", bad.step = "");
    REFUSED(f, TY_ERR_INTEGRITY, "lacks", bad.hash = "");
    REFUSED(f, TY_ERR_INTEGRITY, "another hash", bad.hash = "0");
    REFUSED(f, TY_ERR_INTEGRITY, "step", bad.step = "-1");
    REFUSED(f, TY_ERR_INTEGRITY, "step", bad.step = "9999999999999999999");
    REFUSED(f, TY_ERR_INTEGRITY, "twice", bad.has_two_configs = true);
    REFUSED(f, TY_ERR_INTEGRITY, "twice", bad.has_two_graphs = true);
    REFUSED(f, TY_ERR_INTEGRITY, "no readable tensors", bad.copies = 0);
    REFUSED(f, TY_ERR_INTEGRITY, "hash", bad.copies = 2);
}

/* What a config may say in a user's file it may not in one that came from elsewhere. */
static void a_config_that_reaches_out_is_refused(void **state) {
    static const char *const configs[] = {"[]",
                                          "{",
                                          "{\"extends\": \"/etc/passwd\"}",
                                          "{\"a\": {\"extends\": \"x\"}}",
                                          "{\"a\": \"${env:HOME}\"}",
                                          "{\"a\": [{\"b\": \"x\\u0024{env:HOME}\"}]}",
                                          "{\"a\": \"$${env:A} ${env:B}\"}"};
    for (size_t i = 0; i < sizeof configs / sizeof configs[0]; i++)
        REFUSED(*state, TY_ERR_INTEGRITY, "config", bad.config = configs[i]);
    REFUSED(*state, TY_OK, NULL, bad.config = "{\"a\": \"$${env:A}\"}");
}

static void a_tensor_that_is_odd_is_refused(void **state) {
    onnx_fixture *f = *state;
    REFUSED(f, TY_ERR_INTEGRITY, "name", bad.name = "");
    REFUSED(f, TY_ERR_INTEGRITY, "f32", bad.type = TY_ONNX_DOUBLE);
    REFUSED(f, TY_ERR_INTEGRITY, "f32", bad.raw_bytes = 4);
    REFUSED(f, TY_ERR_INTEGRITY, "f32", bad.raw_bytes = 0);
    REFUSED(f, TY_ERR_INTEGRITY, "f32", bad.dims[0] = 3);
    REFUSED(f, TY_ERR_INTEGRITY, "shape", bad.dims[0] = -2);
    REFUSED(f, TY_ERR_INTEGRITY, "overflows", bad.dims[0] = INT64_MAX, bad.dims[1] = 2);
    REFUSED(f, TY_ERR_INTEGRITY, "overflows", bad.dims[0] = INT64_C(1) << 62, bad.dims[1] = 1);
    REFUSED(f, TY_ERR_INTEGRITY, "f32", bad.dims[0] = 0);
}

static void a_place_that_leads_elsewhere_is_refused(void **state) {
    static const char *const places[][3] = {{"../secret", "0", "8"},
                                            {"/etc/passwd", "0", "8"},
                                            {"..", "0", "8"},
                                            {".hidden", "0", "8"},
                                            {"", "0", "8"},
                                            {"data", "-1", "8"},
                                            {"data", "0", "7"},
                                            {"data", "0x0", "8"},
                                            {"data", "", "8"},
                                            {"data", "0", ""},
                                            {"data", "9999999999999999999", "8"}};
    onnx_fixture *f = *state;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        REFUSED(f, TY_ERR_INTEGRITY, "place", bad.raw_bytes = 0, bad.location = places[i][0],
                bad.offset = places[i][1], bad.length = places[i][2]);
    /* Both of two tensors at one place; more than the file has; raw data too. */
    assert_ok(f, ty_file_write_atomic(&f->ctx, path_of(f, "data"), forged_data, 8));
    REFUSED(f, TY_ERR_INTEGRITY, "place", bad.raw_bytes = 0, bad.location = "data",
            bad.offset = "0", bad.length = "8", bad.copies = 2);
    REFUSED(f, TY_ERR_INTEGRITY, "short", bad.raw_bytes = 0, bad.location = "data",
            bad.offset = "1", bad.length = "8");
    REFUSED(f, TY_ERR_INTEGRITY, "f32", bad.location = "data", bad.offset = "0", bad.length = "8");
    REFUSED(f, TY_OK, NULL, bad.raw_bytes = 0, bad.location = "data", bad.offset = "0",
            bad.length = "8");
}

/* --- a content that contradicts itself -------------------------------------------------------- */

static void an_opset_that_we_do_not_write_is_refused(void **state) {
    onnx_fixture *f = *state;
    ty_onnx_signature signature;
    for (int opset = TY_ONNX_OLDEST_OPSET - 1; opset <= TY_ONNX_OPSET + 1; opset++) {
        const ty_onnx_options options = {.version = "test", .opset = opset};
        const bool is_ours = opset >= TY_ONNX_OLDEST_OPSET && opset <= TY_ONNX_OPSET;
        assert_int_equal(
            ty_onnx_write(&f->ctx, &f->content, f->folder.path, &options, &f->arena, &signature),
            is_ours ? TY_OK : TY_ERR_ARG);
    }
}

static void a_content_that_contradicts_itself_is_not_written(void **state) {
#define STATE(x, y, rest) "{\"version\":1,\"format\":\"csv\",\"x\":{" x "},\"y\":{" y "}," rest "}"
#define REGRESSION "\"task\":\"regression\",\"outputs\":1"
#define IDENTITY "\"mean\":[0],\"inverse_std\":[1]"
#define TABLE                                                                                      \
    IDENTITY                                                                                       \
        ",\"target\":\"y\",\"header\":true,\"standardised\":true,\"columns\":[{\"name\":\"a\","    \
        "\"kind\":\"numeric\",\"mean\":0,\"std\":"
    static const char *const data_states[] = {
        "{}",
        "[",
        "null",
        STATE("\"dtype\":\"uint8\",\"shape\":[0,2,2]", REGRESSION, IDENTITY),
        STATE("\"dtype\":\"uint8\",\"shape\":[4611686018427387904,4,1]", REGRESSION, IDENTITY),
        STATE("\"dtype\":\"uint8\",\"shape\":[4]", REGRESSION,
              "\"mean\":[0,0],\"inverse_std\":[1,1]"),
        STATE("\"dtype\":\"uint8\",\"shape\":[4]", REGRESSION,
              "\"mean\":[\"NaN\"],\"inverse_std\":[1]"),
        STATE("\"dtype\":\"uint8\",\"shape\":[4]", "\"task\":\"classification\",\"outputs\":2",
              IDENTITY),
        STATE("\"dtype\":\"float32\",\"shape\":[2]", REGRESSION, TABLE "1}]"),
        STATE("\"dtype\":\"float32\",\"shape\":[1]", REGRESSION, TABLE "-1}]")};
#undef STATE
#undef REGRESSION
#undef IDENTITY
#undef TABLE
    onnx_fixture *f = *state;
    ty_text example = {0};
    for (size_t i = 0; i < sizeof data_states / sizeof data_states[0]; i++) {
        f->content.data_state = data_states[i];
        if (onnx_fixture_write(f, &f->ctx, 0) != TY_ERR_INTEGRITY)
            fail_msg("%s: %s", data_states[i], f->ctx.message);
        assert_int_equal(ty_onnx_example(&f->ctx, &f->content, NULL, &example), TY_ERR_INTEGRITY);
    }
    f->content.data_state = ONNX_DATA;
    f->content.n_tensors--;
    assert_int_equal(onnx_fixture_write(f, &f->ctx, 0), TY_ERR_INTEGRITY);
    assert_non_null(strstr(f->ctx.message, "running_var"));
    assert_false(ty_file_exists(&f->ctx, path_of(f, TY_ONNX_FILE)));
}

/* --- faults ----------------------------------------------------------------------------------- */

static bool is_first(onnx_fixture *f) {
    ty_checkpoint_file *file = read_back(f, TY_ONNX_FILE);
    const bool is_old = ty_checkpoint_content(file)->step == 12;
    ty_checkpoint_file_close(file);
    return is_old;
}

static size_t files_in(onnx_fixture *f) {
    char **names = NULL;
    size_t n = 0;
    assert_ok(f, ty_dir_list(&f->ctx, f->folder.path, &f->arena, &names, &n));
    return n;
}

static ty_status write_both(onnx_fixture *f, ty_ctx *ctx) {
    TY_TRY(onnx_fixture_write(f, ctx, 0));
    return ty_safetensors_write(ctx, &f->content, f->folder.path, "test");
}

/* Whatever fails: the old model or the new one is there, whole, and nothing besides. */
static bool fail_one(onnx_fixture *f, ty_ctx *faulty, fault_io *fault, fault_kind kind,
                     long long at) {
    f->content.step = 12;
    assert_ok(f, write_both(f, &f->ctx));
    f->content.step = 13;
    fault_io_arm(fault, kind, at, false);
    faulty->message[0] = '\0';
    const bool is_done = write_both(f, faulty) == TY_OK;
    if (!is_done && !faulty->message[0])
        fail_msg("%s at operation %lld fails without a word", fault_kind_name(kind), at);
    if (is_first(f) && is_done)
        fail_msg("%s at operation %lld: the old model is there", fault_kind_name(kind), at);
    if (files_in(f) != 2)
        fail_msg("%s at operation %lld leaves a temporary", fault_kind_name(kind), at);
    return is_done && fault_io_count(fault) < at;
}

static void a_disk_that_fails_leaves_a_whole_model(void **state) {
    static const fault_kind kinds[] = {FAULT_EIO, FAULT_ENOSPC, FAULT_EINTR, FAULT_SHORT};
    onnx_fixture *f = *state;
    ty_ctx faulty;
    fault_io fault;
    ty_ctx_init(&faulty);
    fault_io_init(&fault);
    faulty.io = &fault.io;
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        long long at = 1;
        while (!fail_one(f, &faulty, &fault, kinds[k], at))
            at++;
        assert_true(at > 10);
    }
    ty_ctx_clear(&faulty);
}

#define WITH_FIXTURE(test)                                                                         \
    cmocka_unit_test_setup_teardown(test, onnx_fixture_open, onnx_fixture_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_op_has_its_row),
        WITH_FIXTURE(ops_that_no_layer_has_become_nodes_too),
        WITH_FIXTURE(what_is_written_is_read_back),
        WITH_FIXTURE(a_file_without_its_tensors_is_refused),
        WITH_FIXTURE(a_file_cut_anywhere_is_refused),
        WITH_FIXTURE(what_is_forged_well_is_read),
        WITH_FIXTURE(somebody_elses_model_is_refused_in_one_line),
        WITH_FIXTURE(metadata_that_is_odd_is_refused),
        WITH_FIXTURE(a_config_that_reaches_out_is_refused),
        WITH_FIXTURE(a_tensor_that_is_odd_is_refused),
        WITH_FIXTURE(a_place_that_leads_elsewhere_is_refused),
        WITH_FIXTURE(an_opset_that_we_do_not_write_is_refused),
        WITH_FIXTURE(a_content_that_contradicts_itself_is_not_written),
        WITH_FIXTURE(a_disk_that_fails_leaves_a_whole_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
