/* Records, keys and artifact names: what goes into a journal and comes out of it. */
#include "tests/tracking/fixture.h"

#include <errno.h>
#include <math.h>

#include "tracking/artifact.h"
#include "tracking/limits.h"
#include "tracking/journal/points_scan.h"

static ty_status decode(fixture *f, uint32_t type, const char *payload, ty_track_record *out) {
    const ty_journal_record raw = {
        .type = type, .sequence = 7, .payload = payload, .payload_bytes = strlen(payload)};
    return ty_track_decode(&f->ctx, &raw, &f->arena, out);
}

static void what_is_encoded_is_decoded(void **state) {
    fixture *f = *state;
    ty_text text = {0};
    ty_track_record out;
    const ty_track_record in = {
        .type = TY_TRACK_DATASET,
        .time_ns = 1795397279720123456,
        .step = -1,
        .dataset = {.name = "f\xc3\xbc \"quoted\"\n", .digest = "abc", .context = "training"}};
    ty_track_encode(&in, &text);
    assert_ok(f, decode(f, in.type, ty_text_string(&text), &out));
    ty_text_clear(&text);
    assert_int_equal(out.sequence, 7);
    assert_true(out.time_ns == in.time_ns);
    assert_int_equal(out.step, -1);
    assert_string_equal(out.dataset.name, in.dataset.name);
    assert_string_equal(out.dataset.context, "training");
    assert_null(out.dataset.source);
}

static void a_package_names_its_files(void **state) {
    fixture *f = *state;
    ty_text text = {0};
    ty_track_record out;
    static const char sha[] = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    const ty_track_file files[] = {{"MLmodel", 12, sha}, {"data/model.onnx", 1LL << 40, sha}};
    const ty_track_record in = {.type = TY_TRACK_PACKAGE,
                                .time_ns = 5,
                                .step = 100,
                                .package = {.model_id = "m-0123456789abcdef0123456789abcdef",
                                            .name = "model",
                                            .folder = "models/m-0123456789abcdef0123456789abcdef",
                                            .note = "sorts *noise*",
                                            .files = files,
                                            .n_files = 2}};
    ty_track_encode(&in, &text);
    assert_ok(f, decode(f, in.type, ty_text_string(&text), &out));
    ty_text_clear(&text);
    assert_string_equal(out.package.model_id, in.package.model_id);
    assert_string_equal(out.package.folder, in.package.folder);
    assert_string_equal(out.package.note, in.package.note);
    assert_int_equal(out.step, 100);
    assert_int_equal(out.package.n_files, 2);
    assert_string_equal(out.package.files[1].path, "data/model.onnx");
    assert_string_equal(out.package.files[1].sha256, sha);
    assert_true(out.package.files[1].size == 1LL << 40);
}

static void points_may_be_nan_and_infinite(void **state) {
    fixture *f = *state;
    ty_track_record out;
    assert_ok(f, decode(f, TY_TRACK_METRICS,
                        "{\"keys\":[\"a\",\"b\"],\"points\":[[0,1,2,\"NaN\"],[1,3,4,\"Infinity\"],"
                        "[0,5,6,\"-Infinity\"],[0,7,8,0.1],[1,9,10,3]]}",
                        &out));
    assert_int_equal(out.points.n, 5);
    assert_true(isnan(out.points.v[0].value));
    assert_true(out.points.v[1].value == (double)INFINITY);
    assert_true(out.points.v[2].value == -(double)INFINITY);
    assert_true(out.points.v[3].value == 0.1);
    assert_string_equal(out.points.v[4].key, "b");
    assert_int_equal(out.points.v[4].step, 9);
}

/* A space before it sends a record to the reader of JSON; false: one says no, the other reads. */
static bool is_read_alike(fixture *f, const char *payload) {
    ty_text spaced = {0};
    ty_track_record quick, thorough;
    ty_text_addf(&spaced, " %s", payload);
    const ty_status first = decode(f, TY_TRACK_METRICS, payload, &quick);
    const ty_status second = decode(f, TY_TRACK_METRICS, ty_text_string(&spaced), &thorough);
    ty_text_clear(&spaced);
    if (first != TY_OK || second != TY_OK)
        return first == second;
    for (int64_t i = 0; i < quick.points.n && i < thorough.points.n; i++) {
        const ty_track_point *a = &quick.points.v[i], *b = &thorough.points.v[i];
        if (strcmp(a->key, b->key) != 0 || a->step != b->step || a->time_ns != b->time_ns ||
            memcmp(&a->value, &b->value, sizeof a->value) != 0)
            return false;
    }
    return quick.points.n == thorough.points.n;
}

static void points_are_read_without_json_where_they_are_spelled_as_ours(void **state) {
    fixture *f = *state;
    static const struct {
        const char *point;
        bool is_ours;
    } rows[] = {{"[0,1,1795397279720123456,0.5]", true},
                {"[0,9223372036854775807,-9223372036854775807,1e300]", true},
                {"[0,0,0,-1.7976931348623157e+308],[1,1,1,-0.0]", true},
                {"[0,1,2,\"NaN\"],[0,1,2,\"Infinity\"],[1,1,2,\"-Infinity\"]", true},
                {"[0,1,2,3],[1,1,2,-0],[1,-5,2,9007199254740993]", true},
                {"[0,1,2,5e-324],[0,1,2,1E5],[0,1,2,1e-400],[0,1,2,0e7]", true},
                {"[0,1,2,9223372036854775807.0]", true},
                {"[0,1,2,9223372036854775808]", false},
                {"[0,9223372036854775808,2,3]", false},
                {"[0,-9223372036854775808,2,3]", false},
                {"[0,1,2,1e400]", false},
                {"[0,01,2,3]", false},
                {"[0,1,2,00.5]", false},
                {"[0,1,2,.5]", false},
                {"[0,1,2,5.]", false},
                {"[0,1,2,1e]", false},
                {"[0,1,2,+1]", false},
                {"[0,1,2,0x10]", false},
                {"[0,1,2,inf]", false},
                {"[0,1,2,\"nan\"]", false},
                {"[0,1,2,null]", false},
                {"[2,1,2,3]", false},
                {"[-1,1,2,3]", false},
                {"[0,1.0,2,3]", false},
                {"[0,1,2,3,4]", false},
                {"[0,1,2]", false},
                {"[0, 1,2,3]", false},
                {"[0,1,2,3],", false},
                {"", false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ty_text payload = {0};
        ty_track_record out;
        ty_text_addf(&payload, "{\"keys\":[\"a b\",\"val/f1\"],\"points\":[%s]}", rows[i].point);
        const bool is_ours =
            ty_points_scan(ty_text_string(&payload), payload.length, &f->arena, &out);
        const bool is_alike = is_read_alike(f, ty_text_string(&payload));
        ty_text_clear(&payload);
        if (is_ours != rows[i].is_ours || !is_alike)
            fail_msg("%s: %d %d", rows[i].point, is_ours, is_alike);
    }
}

static void other_spellings_and_cut_records_are_read_as_json(void **state) {
    fixture *f = *state;
    static const char whole[] = "{\"keys\":[\"a\",\"b\"],\"points\":[[0,1,2,0.25],[1,2,3,-4e-9]]}";
    static const char *const others[] = {"{\"keys\":[\"\\u0061\"],\"points\":[[0,1,2,3]]}",
                                         "{\"keys\":[\"\xc3\xbc\"],\"points\":[[0,1,2,3]]}",
                                         "{\"points\":[[0,1,2,3]],\"keys\":[\"a\"]}",
                                         "{\"keys\":[\"a\"],\"points\":[[0,1,2,3]],\"more\":1}",
                                         "{\"keys\":[],\"points\":[]}",
                                         "{\"keys\":[\"a\",],\"points\":[[0,1,2,3]]}"};
    ty_track_record out;
    assert_true(ty_points_scan(whole, sizeof whole - 1, &f->arena, &out));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_false(ty_points_scan(others[i], strlen(others[i]), &f->arena, &out));
        assert_true(is_read_alike(f, others[i]));
    }
    for (size_t length = 0; length < sizeof whole - 1; length++) {
        char *cut = malloc(length + 1); /* so that reading on is seen by sanitizers */
        memcpy(cut, whole, length);
        assert_false(ty_points_scan(cut, length, &f->arena, &out));
        free(cut);
    }
}

static void foreign_records_are_refused_with_their_number(void **state) {
    fixture *f = *state;
    static const struct {
        uint32_t type;
        const char *payload;
    } bad[] = {
        {TY_TRACK_RUN, "{\"run_id\":\"../../etc\",\"experiment\":\"e\",\"run\":\"r\"}"},
        {TY_TRACK_RUN, "{\"run_id\":\"0123456789abcdef0123456789abcdef\",\"run\":\"r\"}"},
        {TY_TRACK_PARAM, "{\"key\":\"a\",\"value\":1}"},
        {TY_TRACK_PARAM, "[]"},
        {TY_TRACK_PARAM, ""},
        {TY_TRACK_STATE, "{\"state\":\"SLEEPING\"}"},
        {TY_TRACK_START, "{\"is_resumed\":1.5}"},
        {TY_TRACK_METRICS, "{\"keys\":[\"a\"],\"points\":[[1,0,0,0]]}"},
        {TY_TRACK_METRICS, "{\"keys\":[\"a\"],\"points\":[[-1,0,0,0]]}"},
        {TY_TRACK_METRICS, "{\"keys\":[\"a\"],\"points\":[[0,0,0,\"nan\"]]}"},
        {TY_TRACK_METRICS, "{\"keys\":[1],\"points\":[]}"},
        {TY_TRACK_PACKAGE, "{\"model_id\":\"m-../../etc\",\"name\":\"n\",\"folder\":\"f\"}"},
        {TY_TRACK_PACKAGE,
         "{\"model_id\":\"m-0123456789abcdef0123456789abcdef\",\"name\":\"n\","
         "\"folder\":\"f\",\"files\":[{\"path\":\"../a\",\"size\":1,\"sha256\":"
         "\"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"}]}"},
        {TY_TRACK_PACKAGE,
         "{\"model_id\":\"m-0123456789abcdef0123456789abcdef\",\"name\":\"n\","
         "\"folder\":\"f\",\"files\":[{\"path\":\"a\",\"size\":1,\"sha256\":\"9f\"}]}"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ty_track_record out;
        assert_int_equal(decode(f, bad[i].type, bad[i].payload, &out), TY_ERR_INTEGRITY);
        assert_non_null(strstr(f->ctx.message, "record 7"));
    }
}

static void types_of_a_newer_program_are_left_alone(void **state) {
    fixture *f = *state;
    ty_track_record out;
    assert_ok(f, decode(f, 4711, "whatever", &out));
    assert_int_equal(out.type, 4711);
    assert_ok(f, decode(f, TY_TRACK_PARAM, "{\"key\":\"k\",\"value\":\"v\",\"new\":[1]}", &out));
}

static void keys_become_what_mlflow_takes(void **state) {
    (void)state;
    static const char *const keys[][2] = {
        {"train/loss", "train/loss"},
        {"a b.c-d:e_f", "a b.c-d:e_f"},
        {"k\xc3\xa9y", "k\xc3\xa9y"},
        {"a[0]@x%=", "a_0__x__"},
        {"/a", "_a"},
        {"a/", "a_"},
        {"a//b", "a_/b"},
        {"../x", "_./x"},
        {"a/./b", "a/_/b"},
        {".", "_"},
        {"", "_"},
        {"/", "_"},
        {"a\nb", "a_b"},
        {"//", "__"},
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        char out[TY_LIMIT_KEY_BYTES];
        ty_limit_key(keys[i][0], out);
        assert_string_equal(out, keys[i][1]);
    }
}

static void long_texts_are_cut_between_characters(void **state) {
    (void)state;
    char key[3 * 300 + 1] = "", out[TY_LIMIT_KEY_BYTES];
    for (int i = 0; i < 300; i++)
        memcpy(key + 3 * i, "\xe2\x82\xac", 4);
    ty_limit_key(key, out);
    assert_int_equal(strlen(out), 3 * 250);
    assert_int_equal(ty_limit_bytes("a\xc3\xa9z", 2), 3);
    assert_int_equal(ty_limit_bytes("abc", 9), 3);
}

static void model_names_are_what_mlflow_takes(void **state) {
    (void)state;
    char out[TY_LIMIT_MODEL_BYTES];
    ty_limit_model("a/b:c.d%e\"f'g h\xc3\xa9", out);
    assert_string_equal(out, "a_b_c_d_e_f_g h\xc3\xa9");
    ty_limit_model("", out);
    assert_string_equal(out, "_");
}

static void artifact_names_stay_in_their_folder(void **state) {
    (void)state;
    assert_true(ty_artifact_name_is_safe("artifacts/checkpoints/best model \xc3\xbc.h5"));
    static const char *const bad[] = {"",       "/a", "a/",   "a//b", "../a",
                                      "a/../b", ".",  "a\\b", "a\nb"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(ty_artifact_name_is_safe(bad[i]));
}

static void write_text(fixture *f, const char *path, const char *text) {
    assert_ok(f, ty_file_write_atomic(&f->ctx, path, text, strlen(text)));
}

static void assert_content(fixture *f, const char *path, const char *wanted) {
    char *data = NULL;
    size_t bytes;
    assert_ok(f, ty_file_read_all(&f->ctx, path, 100, &data, &bytes));
    assert_string_equal(data, wanted);
    free(data);
}

static void an_artifact_follows_its_file_and_costs_no_space(void **state) {
    fixture *f = *state;
    char from[2 * TEMP_FOLDER_BYTES], to[2 * TEMP_FOLDER_BYTES];
    struct stat a, b;
    temp_folder_path(&f->folder, "best.h5", from);
    temp_folder_path(&f->folder, "artifacts/checkpoints/best.h5", to);
    write_text(f, from, "one");
    assert_ok(f, ty_artifact_publish(&f->ctx, from, to));
    assert_ok(f, ty_artifact_publish(&f->ctx, from, to)); /* once more is fine */
    assert_content(f, to, "one");
    assert_int_equal(stat(from, &a) | stat(to, &b), 0);
    assert_true(a.st_ino == b.st_ino && a.st_nlink == 2);
    write_text(f, from, "two");
    assert_content(f, to, "one");
    assert_ok(f, ty_artifact_publish(&f->ctx, from, to));
    assert_content(f, to, "two");
}

static int refuse_link(void *self, const char *from, const char *to) {
    (void)self, (void)from, (void)to;
    errno = EPERM;
    return -1;
}

static void without_links_an_artifact_is_a_copy(void **state) {
    fixture *f = *state;
    char from[2 * TEMP_FOLDER_BYTES], to[2 * TEMP_FOLDER_BYTES];
    ty_io io = *ty_io_posix();
    io.link = refuse_link;
    f->ctx.io = &io;
    temp_folder_path(&f->folder, "best.h5", from);
    temp_folder_path(&f->folder, "artifacts/best.h5", to);
    write_text(f, from, "one");
    assert_ok(f, ty_artifact_publish(&f->ctx, from, to));
    write_text(f, from, "two");
    assert_ok(f, ty_artifact_publish(&f->ctx, from, to));
    assert_content(f, to, "two");
    f->ctx.io = ty_io_posix();
}

static void a_file_that_is_gone_is_no_artifact(void **state) {
    fixture *f = *state;
    char from[2 * TEMP_FOLDER_BYTES], to[2 * TEMP_FOLDER_BYTES];
    temp_folder_path(&f->folder, "best.h5", from);
    temp_folder_path(&f->folder, "artifacts/best.h5", to);
    assert_int_equal(ty_artifact_publish(&f->ctx, from, to), TY_ERR_NOT_FOUND);
    assert_false(ty_file_exists(&f->ctx, to));
}

int main(void) {
#define ROW(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        ROW(what_is_encoded_is_decoded),
        ROW(a_package_names_its_files),
        ROW(points_may_be_nan_and_infinite),
        ROW(points_are_read_without_json_where_they_are_spelled_as_ours),
        ROW(other_spellings_and_cut_records_are_read_as_json),
        ROW(foreign_records_are_refused_with_their_number),
        ROW(types_of_a_newer_program_are_left_alone),
        ROW(keys_become_what_mlflow_takes),
        ROW(long_texts_are_cut_between_characters),
        ROW(model_names_are_what_mlflow_takes),
        ROW(artifact_names_stay_in_their_folder),
        ROW(an_artifact_follows_its_file_and_costs_no_space),
        ROW(without_links_an_artifact_is_a_copy),
        ROW(a_file_that_is_gone_is_no_artifact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
