/* MLmodel, what lies beside it, and its digests. */
#include "tests/registry/fixture.h"

static void a_package_reads_back_as_it_was_told(void **state) {
    fixture *f = *state;
    const char *folder = place(f, "p");
    ty_package p;
    package_in(f, folder, FIXTURE_MODEL, "not a graph");
    assert_ok(f, ty_package_read(&f->ctx, folder, &f->arena, &p));
    assert_string_equal(p.model_id, FIXTURE_MODEL);
    assert_string_equal(p.run_id, FIXTURE_RUN);
    assert_string_equal(p.name, "best");
    assert_string_equal(p.data, "model.onnx");
    assert_int_equal(p.n_inputs, 1);
    assert_string_equal(p.inputs[0].name, "x");
    assert_string_equal(p.inputs[0].dtype, "float32");
    assert_int_equal(p.inputs[0].rank, 2);
    assert_int_equal(p.inputs[0].shape[0], -1);
    assert_int_equal(p.inputs[0].shape[1], 3);
    assert_string_equal(p.outputs[0].name, "probabilities");
    assert_int_equal(p.outputs[0].shape[1], 2);
    assert_string_equal(content(f, folder, "input_example.json"),
                        "{\"x\": [[0.5, -1, 2], [3, 4, 5.25]]}\n");
    assert_string_equal(content(f, folder, "serving_input_example.json"),
                        "{\"inputs\": {\"x\": [[0.5, -1, 2], [3, 4, 5.25]]}}\n");
}

static void facts_that_no_mlmodel_can_hold_are_refused(void **state) {
    fixture *f = *state;
    static const int64_t shape[] = {-1, 1};
    ty_package_tensor x = {"x", "float32", shape, 2}, y = {"y", "float32", shape, 2};
    ty_package_facts facts = {.model_id = "m-12",
                              .name = "n",
                              .inputs = &x,
                              .n_inputs = 1,
                              .outputs = &y,
                              .n_outputs = 1};
    const char *folder = place(f, "p");
    assert_fails(f, TY_ERR_ARG, "32 hex", ty_package_write(&f->ctx, folder, &facts));
    facts.model_id = FIXTURE_MODEL;
    facts.run_id = "run\nflavors: evil";
    assert_fails(f, TY_ERR_ARG, "no id", ty_package_write(&f->ctx, folder, &facts));
    facts.run_id = NULL;
    assert_fails(f, TY_ERR_NOT_FOUND, "model.onnx", ty_package_write(&f->ctx, folder, &facts));
    put(f, folder, "model.onnx", "graph");
    facts.example = "{\"z\": [[1]]}";
    assert_fails(f, TY_ERR_ARG, "no list for input x", ty_package_write(&f->ctx, folder, &facts));
    facts.example = "[1]";
    assert_fails(f, TY_ERR_ARG, "no JSON object", ty_package_write(&f->ctx, folder, &facts));
    x.name = "x\ny";
    assert_fails(f, TY_ERR_ARG, "printable", ty_package_write(&f->ctx, folder, &facts));
}

static void every_file_of_a_package_is_verified(void **state) {
    fixture *f = *state;
    const char *folder = place(f, "p");
    int64_t n = 0;
    package_in(f, folder, FIXTURE_MODEL, "graph");
    assert_ok(f, ty_manifest_verify(&f->ctx, folder, NULL, &n));
    assert_int_equal(n, 7);
    put(f, folder, "registered_model_meta", "what MLflow adds when it downloads");
    assert_ok(f, ty_manifest_verify(&f->ctx, folder, NULL, &n));
    put(f, folder, "model.onnx", "graqh");
    assert_fails(f, TY_ERR_INTEGRITY, "model.onnx has changed",
                 ty_manifest_verify(&f->ctx, folder, NULL, NULL));
    put(f, folder, "model.onnx", "graph");
    assert_int_equal(unlink(place(f, "p/requirements.txt")), 0);
    assert_fails(f, TY_ERR_INTEGRITY, "requirements.txt is missing",
                 ty_manifest_verify(&f->ctx, folder, NULL, NULL));
}

static void another_manifest_than_the_registered_one_is_noticed(void **state) {
    fixture *f = *state;
    const char *folder = place(f, "p");
    ty_manifest manifest;
    package_in(f, folder, FIXTURE_MODEL, "graph");
    assert_ok(f, ty_manifest_read(&f->ctx, folder, &f->arena, &manifest));
    assert_ok(f, ty_manifest_verify(&f->ctx, folder, manifest.sha256, NULL));
    package_in(f, folder, FIXTURE_MODEL, "another graph");
    assert_ok(f, ty_manifest_verify(&f->ctx, folder, NULL, NULL));
    assert_fails(f, TY_ERR_INTEGRITY, "not the registered one",
                 ty_manifest_verify(&f->ctx, folder, manifest.sha256, NULL));
}

static void a_model_has_one_manifest_whatever_its_id(void **state) {
    fixture *f = *state;
    ty_manifest a, b, c;
    package_in(f, place(f, "a"), FIXTURE_MODEL, "graph");
    package_in(f, place(f, "b"), FIXTURE_MODEL, "graph");
    ty_text corrected = {0};
    const char *text = content(f, place(f, "b"), "MLmodel");
    const char *id = strstr(text, "model_id: ");
    assert_non_null(id);
    ty_text_add_n(&corrected, text, (size_t)(id - text));
    ty_text_add(&corrected, "model_id: m-ffffffffffffffffffffffffffffffff");
    ty_text_add(&corrected, strchr(id, '\n'));
    put(f, place(f, "b"), "MLmodel", ty_text_string(&corrected));
    ty_text_clear(&corrected);
    assert_ok(f, ty_manifest_verify(&f->ctx, place(f, "b"), NULL, NULL));
    put(f, place(f, "c"), "MLmodel", "flavors: {}\n");
    assert_ok(f, ty_manifest_write(&f->ctx, place(f, "c")));
    assert_ok(f, ty_manifest_read(&f->ctx, place(f, "a"), &f->arena, &a));
    assert_ok(f, ty_manifest_read(&f->ctx, place(f, "b"), &f->arena, &b));
    assert_ok(f, ty_manifest_read(&f->ctx, place(f, "c"), &f->arena, &c));
    assert_string_equal(a.sha256, b.sha256);
    assert_string_not_equal(a.sha256, c.sha256);
}

static void a_package_has_no_links(void **state) {
    fixture *f = *state;
    const char *folder = place(f, "p");
    package_in(f, folder, FIXTURE_MODEL, "graph");
    assert_int_equal(symlink("/etc/passwd", place(f, "p/more")), 0);
    assert_fails(f, TY_ERR_INTEGRITY, "neither a file nor a folder",
                 ty_manifest_write(&f->ctx, folder));
}

static ty_status parse_manifest(fixture *f, const char *text) {
    ty_manifest out;
    return ty_manifest_parse(&f->ctx, "tiltyard.json", text, strlen(text), &f->arena, &out);
}

static void a_lying_manifest_is_refused(void **state) {
    fixture *f = *state;
    static const char *const paths[] = {"../x", "/etc/passwd", "a//b",  "a/../b",       "",
                                        ".",    "a\\\\b",      "a\\nb", "tiltyard.json"};
    char digest[TY_SHA256_HEX] = {0};
    memset(digest, 'a', TY_SHA256_HEX - 1);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        const char *text = ty_arena_printf(&f->arena,
                                           "{\"format\": \"tiltyard package 1\", \"files\": "
                                           "[{\"path\": \"%s\", \"size\": 1, \"sha256\": \"%s\"}]}",
                                           paths[i], digest);
        assert_fails(f, TY_ERR_INTEGRITY, "names a file", parse_manifest(f, text));
    }
    assert_fails(f, TY_ERR_INTEGRITY, "no manifest", parse_manifest(f, "{}"));
    assert_fails(f, TY_ERR_INTEGRITY, ":1:", parse_manifest(f, "<html>"));
    const char *twice =
        ty_arena_printf(&f->arena,
                        "{\"format\": \"tiltyard package 1\", \"files\": [{\"path\": \"a\", "
                        "\"size\": 1, \"sha256\":"
                        " \"%s\"}, {\"path\": \"a\", \"size\": 1, \"sha256\": \"%s\"}]}",
                        digest, digest);
    assert_fails(f, TY_ERR_INTEGRITY, "out of order", parse_manifest(f, twice));
}

static ty_status parse(fixture *f, const char *text, ty_package *out) {
    return ty_package_parse(&f->ctx, text, strlen(text), &f->arena, out);
}

static void mlmodels_of_others_are_read(void **state) {
    fixture *f = *state;
    ty_package p;
    /* As PyYAML folds long lines. */
    assert_ok(f, parse(f,
                       "artifact_path: /tmp/models/m-1/artifacts\nflavors:\n  onnx:\n    data: "
                       "model.onnx\n  python_function:\n    loader_module: mlflow.onnx\nmodel_id: "
                       "null\nsignature:\n  inputs: '[{\"type\": \"tensor\", \"tensor-spec\": "
                       "{\"dtype\":\n    \"float32\", \"shape\": [-1, 4]}}]'\n  outputs: null\n",
                       &p));
    assert_null(p.model_id);
    assert_string_equal(p.name, "artifacts");
    assert_int_equal(p.n_inputs, 1);
    assert_int_equal(p.inputs[0].shape[1], 4);
    assert_string_equal(p.inputs[0].name, "");
    assert_int_equal(p.n_outputs, 0);
    assert_ok(f, parse(f,
                       "flavors:\n  sklearn:\n    pickled_model: model.pkl\nsignature:\n  inputs: "
                       "'[{\"name\": \"a\", \"type\": \"double\"}]'\n",
                       &p));
    assert_null(p.data);
    assert_int_equal(p.n_inputs, 0);
}

static void hostile_mlmodels_are_refused(void **state) {
    fixture *f = *state;
    ty_package p;
    static char deep[400001];
    memset(deep, 0x5b, sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    assert_fails(f, TY_ERR_INTEGRITY, "within the package",
                 parse(f, "flavors: {onnx: {data: ../../etc/passwd}}", &p));
    assert_fails(f, TY_ERR_INTEGRITY, "id that is none",
                 parse(f, "flavors: {}\nmodel_id: ../../x", &p));
    assert_fails(f, TY_ERR_INTEGRITY, "no mapping", parse(f, "[1, 2]", &p));
    assert_fails(f, TY_ERR_INTEGRITY, "no mapping", parse(f, "", &p));
    assert_fails(f, TY_ERR_INTEGRITY, "MLmodel:", parse(f, "a: [", &p));
    assert_fails(f, TY_ERR_INTEGRITY, "MLmodel:", parse(f, deep, &p));
    assert_ok(f, parse(f,
                       "signature:\n  inputs: '[{\"tensor-spec\": {\"dtype\": \"float32\", "
                       "\"shape\": [1e3]}}]'\n",
                       &p));
    assert_int_equal(p.n_inputs, 0);
}

static void triton_gets_its_layout(void **state) {
    fixture *f = *state;
    package_in(f, place(f, "p"), FIXTURE_MODEL, "graph");
    put(f, place(f, "p"), "model.onnx.data", "weights");
    assert_ok(f, ty_package_export_triton(&f->ctx, place(f, "p"), "net", place(f, "repository")));
    assert_string_equal(content(f, place(f, "repository/net/1"), "model.onnx"), "graph");
    assert_string_equal(content(f, place(f, "repository/net/1"), "model.onnx.data"), "weights");
    const char *config = content(f, place(f, "repository/net"), "config.pbtxt");
    assert_non_null(strstr(config, "max_batch_size: 256\n"));
    assert_non_null(strstr(config, "{ name: \"x\", data_type: TYPE_FP32, dims: [ 3 ] }"));
    assert_fails(f, TY_ERR_ARG, "no name",
                 ty_package_export_triton(&f->ctx, place(f, "p"), "../net", place(f, "r")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_package_reads_back_as_it_was_told, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(facts_that_no_mlmodel_can_hold_are_refused, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(every_file_of_a_package_is_verified, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(another_manifest_than_the_registered_one_is_noticed,
                                        fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(a_model_has_one_manifest_whatever_its_id, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(a_package_has_no_links, fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(a_lying_manifest_is_refused, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(mlmodels_of_others_are_read, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(hostile_mlmodels_are_refused, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(triton_gets_its_layout, fixture_set_up, fixture_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
