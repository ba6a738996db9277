/* Models that can leave: from the event to the journal, the store and those who read a run. */
#include "tests/tracking/fixture.h"

static const char first_id[] = "m-0123456789abcdef0123456789abcdef";
static const char second_id[] = "m-00000000000000000000000000000002";

static void add_file(fixture *f, const char *model_id, const char *name, const char *content) {
    char path[5 * TEMP_FOLDER_BYTES], folder[6 * TEMP_FOLDER_BYTES];
    (void)snprintf(path, sizeof path, "%s/models/%s/%s", f->run, model_id, name);
    (void)snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    assert_ok(f, ty_dir_make(&f->ctx, folder));
    assert_ok(f, ty_file_write_atomic(&f->ctx, path, content, strlen(content)));
}

static void make_package(fixture *f, const char *model_id) {
    add_file(f, model_id, "model.onnx", "abc");
    add_file(f, model_id, "MLmodel", "");
    add_file(f, model_id, "data/weights.bin", "weights");
}

static void tell_package(fixture *f, ty_tracker *t, const char *model_id, int64_t step) {
    char folder[5 * TEMP_FOLDER_BYTES];
    (void)snprintf(folder, sizeof folder, "%s/models/%s", f->run, model_id);
    tell(f, t,
         (ty_event){.kind = TY_EVENT_PACKAGE, .step = step, .package = {model_id, "net", folder}});
}

static void write_package(void *self, const ty_track_record *r) {
    ty_text *out = self;
    if (r->type != TY_TRACK_PACKAGE)
        return;
    ty_text_addf(out, "%s %s %s at %d\n", r->package.model_id, r->package.name, r->package.folder,
                 (int)r->step);
    for (int64_t i = 0; i < r->package.n_files; i++)
        ty_text_addf(out, "%s %d %.8s\n", r->package.files[i].path, (int)r->package.files[i].size,
                     r->package.files[i].sha256);
}

static void the_journal_lists_a_packages_files(void **state) {
    fixture *f = *state;
    ty_tracker *t = fixture_open(f);
    make_package(f, first_id);
    tell_start(f, t, 0);
    tell_package(f, t, first_id, 7);
    tell_package(f, t, first_id, 7); /* known */
    tell_end(f, t, TY_RUN_FINISHED, "");
    fixture_close(f, t);
    ty_text text = {0};
    each_record(f, write_package, &text);
    assert_string_equal(ty_text_string(&text), "m-0123456789abcdef0123456789abcdef net"
                                               " models/m-0123456789abcdef0123456789abcdef at 7\n"
                                               "MLmodel 0 e3b0c442\n"
                                               "data/weights.bin 7 9a129038\n"
                                               "model.onnx 3 ba7816bf\n");
    ty_text_clear(&text);
    assert_int_equal(f->n_warnings, 0);
}

static void a_package_that_is_none_is_said_and_left_out(void **state) {
    fixture *f = *state;
    char outside[2 * TEMP_FOLDER_BYTES];
    ty_tracker *t = fixture_open(f);
    tell_start(f, t, 0);
    temp_folder_path(&f->folder, "elsewhere", outside);
    assert_ok(f, ty_dir_make(&f->ctx, outside));
    tell(f, t, (ty_event){.kind = TY_EVENT_PACKAGE, .package = {first_id, "net", outside}});
    tell(f, t, (ty_event){.kind = TY_EVENT_PACKAGE, .package = {"m-1", "net", f->run}});
    tell_package(f, t, first_id, 7); /* not there */
    tell_end(f, t, TY_RUN_FINISHED, "");
    fixture_close(f, t);
    ty_text text = {0};
    each_record(f, write_package, &text);
    assert_string_equal(ty_text_string(&text), "");
    ty_text_clear(&text);
    assert_int_equal(fixture_said(f, "is not inside of"), 1);
    assert_int_equal(f->n_warnings, 3);
}

/* Points of the model's step, told before it and after. */
static void record_models(fixture *f) {
    ty_tracker *t = fixture_open(f);
    make_package(f, first_id);
    make_package(f, second_id);
    tell_start(f, t, 0);
    tell_text(f, t, TY_EVENT_PARAM, "optimizer.type", "adamw");
    tell_text(f, t, TY_EVENT_TAG, "tiltyard.version", "1");
    tell_text(f, t, TY_EVENT_TAG, "color", "red");
    tell(f, t, (ty_event){.kind = TY_EVENT_DATASET, .dataset = {"d", "1f", .context = "test"}});
    tell_metric(f, t, "test/loss", 5, 0.5);
    tell_metric(f, t, "test/loss", 7, 0.25);
    tell_metric(f, t, "val/loss", 7, 0.75);
    tell_package(f, t, first_id, 7);
    tell_package(f, t, second_id, 9);
    tell_metric(f, t, "test/accuracy", 7, 0.875);
    tell_metric(f, t, "test/accuracy", 9, 1.0 / 0.0);
    tell_end(f, t, TY_RUN_FINISHED, "");
    fixture_close(f, t);
}

static void a_package_is_a_logged_model(void **state) {
    fixture *f = *state;
    char place[6 * TEMP_FOLDER_BYTES];
    record_models(f);
    (void)snprintf(place, sizeof place, "net 2 active %s/models/%s", f->run, first_id);
    assert_string_equal(
        ask_store(f, "SELECT name || ' ' || status || ' ' || lifecycle_stage || ' ' ||"
                     " artifact_location FROM logged_models WHERE model_id LIKE 'm-01%'"),
        place);
    assert_string_equal(ask_store(f, "SELECT count(*) FROM logged_models JOIN runs"
                                     " ON source_run_id = run_uuid"),
                        "2");
    assert_string_equal(ask_store(f, "SELECT param_key || '=' || param_value FROM"
                                     " logged_model_params WHERE model_id LIKE 'm-01%'"),
                        "optimizer.type=adamw");
    assert_string_equal(ask_store(f, "SELECT tag_key FROM logged_model_tags"
                                     " WHERE model_id LIKE 'm-01%' ORDER BY tag_key"),
                        "mlflow.source.name|mlflow.source.type|mlflow.user|tiltyard.version");
    assert_string_equal(ask_store(f, "SELECT destination_id || ' ' || step FROM inputs"
                                     " WHERE source_type = 'RUN_OUTPUT' ORDER BY step"),
                        "m-0123456789abcdef0123456789abcdef 7|"
                        "m-00000000000000000000000000000002 9");
    assert_string_equal(ask_store(f, "PRAGMA foreign_key_check"), "");
}

static void a_models_note_is_its_description_and_an_edited_one_stays(void **state) {
    static const char ask[] = "SELECT model_id || ' ' || tag_value FROM logged_model_tags"
                              " WHERE tag_key = 'mlflow.note.content'";
    fixture *f = *state;
    ty_rebuild_report report = {0};
    char folder[5 * TEMP_FOLDER_BYTES];
    ty_tracker *t = fixture_open(f);
    make_package(f, first_id);
    make_package(f, second_id);
    (void)snprintf(folder, sizeof folder, "%s/models/%s", f->run, second_id);
    tell_start(f, t, 0);
    tell_package(f, t, first_id, 7); /* nothing is said of it */
    tell(f, t,
         (ty_event){.kind = TY_EVENT_PACKAGE,
                    .step = 9,
                    .package = {second_id, "net", folder, .note = "sorts *noise*"}});
    tell_end(f, t, TY_RUN_FINISHED, "");
    fixture_close(f, t);
    assert_string_equal(ask_store(f, ask), "m-00000000000000000000000000000002 sorts *noise*");
    change_store(f, "UPDATE logged_model_tags SET tag_value = 'mine'"
                    " WHERE tag_key = 'mlflow.note.content'; DELETE FROM tiltyard_folded");
    assert_ok(f, ty_runs_rebuild(&f->ctx, f->folder.path, &report));
    assert_string_equal(ask_store(f, ask), "m-00000000000000000000000000000002 mine");
}

static void a_models_metrics_are_those_of_its_step(void **state) {
    fixture *f = *state;
    record_models(f);
    assert_string_equal(
        ask_store(f, "SELECT substr(model_id, 3, 2) || ' ' || metric_name || ' ' || metric_step ||"
                     " ' ' || metric_value || ' ' || dataset_name || dataset_digest"
                     " FROM logged_model_metrics ORDER BY 1"),
        "00 test/accuracy 9 1.79769313486232e+308 d1f|01 test/accuracy 7 0.875 d1f|"
        "01 test/loss 7 0.25 d1f");
}

static const char *dump_models(fixture *f) {
    return ask_store(f, "SELECT model_id || name || artifact_location || creation_timestamp_ms"
                        " FROM logged_models UNION ALL"
                        " SELECT model_id || param_key || param_value FROM logged_model_params"
                        " UNION ALL SELECT model_id || tag_key || tag_value FROM logged_model_tags"
                        " UNION ALL SELECT model_id || metric_name || metric_value || run_id"
                        " FROM logged_model_metrics ORDER BY 1");
}

static void folding_again_changes_no_model(void **state) {
    fixture *f = *state;
    ty_rebuild_report report = {0};
    record_models(f);
    const char *before = dump_models(f);
    change_store(f, "DELETE FROM tiltyard_folded");
    assert_ok(f, ty_runs_rebuild(&f->ctx, f->folder.path, &report));
    assert_string_equal(dump_models(f), before);
}

static void a_model_that_was_deleted_in_mlflow_stays_away(void **state) {
    fixture *f = *state;
    record_models(f);
    change_store(f, "UPDATE logged_models SET lifecycle_stage = 'deleted'");
    ty_tracker *t = fixture_open(f);
    tell_start(f, t, 9);
    tell_metric(f, t, "test/top_k_accuracy", 9, 1);
    tell_end(f, t, TY_RUN_FINISHED, "");
    fixture_close(f, t);
    assert_string_equal(ask_store(f, "SELECT DISTINCT lifecycle_stage FROM logged_models"),
                        "deleted");
}

static void a_run_is_read_with_its_packages(void **state) {
    fixture *f = *state;
    ty_run_record run = {0};
    record_models(f);
    assert_ok(f, ty_runs_read(&f->ctx, f->run, &f->arena, &run));
    assert_int_equal(run.n_packages, 2);
    assert_string_equal(run.packages[0].model_id, first_id);
    assert_string_equal(run.packages[0].name, "net");
    assert_string_equal(run.packages[0].folder, "models/m-0123456789abcdef0123456789abcdef");
    assert_int_equal(run.packages[0].step, 7);
    assert_int_equal(run.packages[1].n_files, 3);
    assert_string_equal(run.packages[1].files[2].path, "model.onnx");
    assert_int_equal(run.packages[1].files[2].size, 3);
}

int main(void) {
#define ROW(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        ROW(the_journal_lists_a_packages_files),
        ROW(a_package_that_is_none_is_said_and_left_out),
        ROW(a_package_is_a_logged_model),
        ROW(a_models_metrics_are_those_of_its_step),
        ROW(folding_again_changes_no_model),
        ROW(a_model_that_was_deleted_in_mlflow_stays_away),
        ROW(a_run_is_read_with_its_packages),
        ROW(a_models_note_is_its_description_and_an_edited_one_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
