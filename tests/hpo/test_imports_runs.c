/* Runs as `tiltyard runs export` writes them, as trials that a sweep knows from its start. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/hpo/study_case.h"

#define ROW(run, kind, key, step, value)                                                           \
    run ",id-" run ",trials," kind "," key "," step ",1700000000000," value "\n"
#define HEADER "run,run_id,experiment,kind,key,step,time_ms,value\n"

/* In turns, as two files that were put behind each other would have it; c never had the metric. */
static const char table[] = HEADER ROW("a", "param", "rate", "", "0.125") /**/
    ROW("a", "param", "momentum.x", "", "8")                              /**/
    ROW("b", "param", "kind", "", "\"'-b, \"\"quoted\"\"\nand more\"")    /**/
    ROW("a", "tag", "mlflow.note.content", "", "\"val/loss\n\"")          /**/
    ROW("a", "metric", "val/loss", "1", "0.5")                            /**/
    ROW("b", "metric", "val/loss", "4", "Infinity")                       /**/
    ROW("a", "metric", "val/loss", "2", "0.25")                           /**/
    ROW("a", "metric", "val/loss", "3", "0.75")                           /**/
    ROW("c", "param", "rate", "", "0.5")                                  /**/
    ROW("c", "metric", "val/los", "1", "0.5");

static const char best[] =
    "[{\"last_step\":3.0,\"number\":0,\"params\":{\"rate\":\"0.125\"},\"source\":\"x\",\"state\":"
    "\"complete\",\"value\":0.25,\"violation\":0.0},"
    "{\"last_step\":4.0,\"number\":1,\"params\":{\"kind\":\"-b, \\\"quoted\\\"\\nand more\"},"
    "\"source\":\"x\",\"state\":\"complete\",\"value\":\"inf\",\"violation\":0.0}]";

#define LINE(run, state, params, metrics)                                                          \
    "{\"run\": \"" run "\", \"run_id\": \"" run "\", \"state\": \"" state                          \
    "\", \"params\": {" params "}, \"tags\": {}, \"metrics\": {" metrics "}}\n"

static const char lines[] =
    LINE("a", "finished", "\"rate\": \"0.125\", \"data.seed\": \"3\"",
         "\"val/loss\": [[1, 5, 0.5], [2, 6, 0.25], [3, 7, 0.75]], \"train/loss\": [[1, 5, 9]]")
        LINE("b", "killed", "\"kind\": \"-b, \\\"quoted\\\"\\nand more\"",
             "\"val/loss\": [[4, 5, \"Infinity\"]]")                      /**/
    LINE("c", "failed", "\"rate\": \"0.5\"", "\"val/loss\": [[4, 5, 1]]") /**/
    LINE("d", "running", "", "\"val/loss\": [[4, 5, 1]]")                 /**/
    LINE("e", "finished", "\"rate\": \"0.5\"", "\"val/los\": [[4, 5, 1]]")
        LINE("f", "finished", "\"rate\": \"0.5\"", "\"val/loss\": [[4, 5, \"NaN\"]]");

static void assert_imports(study_case *f, const char *text, size_t bytes,
                           const ty_import_metric *metric, const char *wanted,
                           const ty_import_left *wanted_left) {
    json_t *trials = json_array();
    ty_import_left left = {0};
    ty_text out = {0};
    study_case_ok(f, ty_import_runs(&f->ctx, text, bytes, "x", metric, trials, &left));
    ty_json_add_canonical(trials, &out);
    assert_string_equal(ty_text_string(&out), wanted);
    assert_int_equal(left.unread, wanted_left->unread);
    assert_int_equal(left.unfinished, wanted_left->unfinished);
    assert_int_equal(left.without_metric, wanted_left->without_metric);
    ty_text_clear(&out);
    json_decref(trials);
}

static ty_import_metric val_loss(const study_case *f) {
    return (ty_import_metric){.space = &f->hpo.space, .name = "val/loss"};
}

static void a_table_has_a_value_a_row(void **state) {
    study_case *f = *state;
    const ty_import_metric metric = val_loss(f);
    assert_true(ty_import_is_runs(table, strlen(table)));
    assert_imports(f, table, strlen(table), &metric, best, &(ty_import_left){.without_metric = 1});
}

/* As a spreadsheet saves it. */
static void rows_may_end_in_two_bytes(void **state) {
    study_case *f = *state;
    static const char saved[] = "run,run_id,experiment,kind,key,step,time_ms,value\r\n"
                                "a,1,e,param,rate,,,0.5\r\n"
                                "a,1,e,metric,val/loss,2,5,\"0.25\"\r\n";
    const ty_import_metric metric = val_loss(f);
    assert_true(ty_import_is_runs(saved, strlen(saved)));
    assert_imports(f, saved, strlen(saved), &metric,
                   "[{\"last_step\":2.0,\"number\":0,\"params\":{\"rate\":\"0.5\"},\"source\":"
                   "\"x\",\"state\":\"complete\",\"value\":0.25,\"violation\":0.0}]",
                   &(ty_import_left){0});
}

static void a_line_has_a_run_and_says_how_it_ended(void **state) {
    study_case *f = *state;
    const ty_import_metric metric = val_loss(f);
    ty_text killed = {0};
    const char *second = strstr(best, "inf") - strlen("complete\",\"value\":\"");
    ty_text_add_n(&killed, best, (size_t)(second - best));
    ty_text_addf(&killed, "pruned%s", second + strlen("complete"));
    assert_true(ty_import_is_runs(lines, strlen(lines)));
    assert_imports(f, lines, strlen(lines), &metric, ty_text_string(&killed),
                   &(ty_import_left){.unfinished = 2, .without_metric = 2});
    ty_text_clear(&killed);
}

static void the_value_is_the_best_or_the_last_point(void **state) {
    study_case *f = *state;
    static const struct {
        bool maximize, takes_last;
        double value;
    } cases[] = {{false, false, 0.25}, {true, false, 0.75}, {false, true, 0.75}};
    static const struct {
        const char *text;
        size_t bytes;
    } forms[] = {{table, sizeof table - 1}, {lines, sizeof lines - 1}};
    for (size_t i = 0; i < 6; i++) {
        ty_import_metric metric = val_loss(f);
        ty_import_left left = {0};
        json_t *trials = json_array();
        metric.maximize = cases[i / 2].maximize;
        metric.takes_last = cases[i / 2].takes_last;
        study_case_ok(f, ty_import_runs(&f->ctx, forms[i % 2].text, forms[i % 2].bytes, "x",
                                        &metric, trials, &left));
        const json_t *value = json_object_get(json_array_get(trials, 0), "value");
        assert_true(json_number_value(value) == cases[i / 2].value);
        json_decref(trials);
    }
}

/* Not within quotes, where a line of a text ends. */
static bool ends_a_record(const char *text, size_t bytes) {
    size_t quotes = 0;
    for (size_t i = 0; i < bytes; i++)
        quotes += text[i] == '"';
    return text[bytes - 1] == '\n' && quotes % 2 == 0;
}

/* Cut anywhere: what was cut is counted. A row whose number lacks its last digits is torn, too, while JSON says
 * itself where it ends. */
static void what_is_torn_is_counted(void **state) {
    study_case *f = *state;
    const ty_import_metric metric = val_loss(f);
    const char *texts[] = {table, lines};
    for (size_t i = 0; i < 2; i++)
        for (size_t bytes = strcspn(texts[i], "\n") + 1; bytes < strlen(texts[i]); bytes++) {
            json_t *trials = json_array();
            ty_import_left left = {0};
            study_case_ok(f, ty_import_runs(&f->ctx, texts[i], bytes, "x", &metric, trials, &left));
            const bool is_whole =
                ends_a_record(texts[i], bytes) || (i == 1 && texts[i][bytes] == '\n');
            assert_int_equal(left.unread, is_whole ? 0 : 1);
            json_decref(trials);
        }
}

static void rows_and_lines_of_another_kind_are_counted(void **state) {
    study_case *f = *state;
    static const char rows[] = HEADER ROW("a", "metric", "val/loss", "1", "high") /**/
        ROW("a", "metric", "val/loss", "one", "1")                                /**/
        ROW("a", "note", "val/loss", "1",
            "1") "a,b\n\n" /**/
                 "a,1,e,param,rate,,,1,2\n"
                 "a,\xff,e,param,rate,,,1\n" ROW("a", "metric", "val/loss", "1", "\"1\"");
    static const char others[] =
        "\n[]\n{\"run\": 1}\n" LINE("a", "finished", "\"rate\": 5", "") /**/
        LINE("b", "finished", "", "\"val/loss\": [[1, 2]]")             /**/
        LINE("c", "finished", "", "\"val/loss\": [[1, 2, true]]")       /**/
        LINE("d", "finished", "", "\"val/loss\": [[1, 2, 1]]");
    static const char wanted[] =
        "[{\"last_step\":1.0,\"number\":0,\"params\":{},\"source\":\"x\",\"state\":\"complete\","
        "\"value\":1.0,\"violation\":0.0}]";
    const ty_import_metric metric = val_loss(f);
    assert_imports(f, rows, strlen(rows), &metric, wanted, &(ty_import_left){.unread = 7});
    assert_imports(f, others, strlen(others), &metric, wanted, &(ty_import_left){.unread = 6});
}

static void what_others_write_is_no_export(void **state) {
    static const char *const texts[] = {"",
                                        "run,run_id\n",
                                        "{\"run\": 1}\n",
                                        "{\"op_code\":0,\"study_name\":\"s\",\"directions\":[1]}\n",
                                        "run,run_id,experiment,state,step,start_ms,end_ms,folder\n",
                                        "run,run_id,experiment,kind,key,step,time_ms,values\n"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_false(ty_import_is_runs(texts[i], strlen(texts[i])));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, study_case_set_up, study_case_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_table_has_a_value_a_row),
        TEST(rows_may_end_in_two_bytes),
        TEST(a_line_has_a_run_and_says_how_it_ended),
        TEST(the_value_is_the_best_or_the_last_point),
        TEST(what_is_torn_is_counted),
        TEST(rows_and_lines_of_another_kind_are_counted),
        TEST(what_others_write_is_no_export),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
