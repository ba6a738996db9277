/* MLflow's search grammar over one run. That MLflow answers the same is tests/interop's to show. */
#include "tests/tracking/fixture.h"

#include <math.h>

static const ty_run_value params[] = {{.key = "optimizer.type", .text = "adamw"},
                                      {.key = "model/width", .text = "100%_wide"},
                                      {.key = "odd@key", .text = "x"},
                                      {.key = "greeting", .text = "Gr\xc3\xbc\xc3\x9f' dich"}};
static const ty_run_value tags[] = {{.key = "mlflow.note.content", .text = "A good one"},
                                    {.key = "empty", .text = ""}};
static const ty_run_value metrics[] = {{.key = "val/loss", .value = 0.25, .step = 30},
                                       {.key = "nan", .value = (double)NAN},
                                       {.key = "inf", .value = (double)INFINITY},
                                       {.key = "negative", .value = -1.5e-7}};
static const ty_run_dataset datasets[] = {
    {"fashion train", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c", "training"},
    {"fashion test", "60303ae22b998861bce3b28f33eec1be758a213c", NULL}};
static const ty_run_record run = {.info = {.run_id = "0123456789abcdef0123456789abcdef",
                                           .name = "cnn-3f2a",
                                           .user = "ada",
                                           .state = TY_RUN_FINISHED,
                                           .artifact_uri = "/data/runs/exp/cnn-3f2a/artifacts",
                                           .start_ns = 1700000000123456789,
                                           .end_ns = 1700000060000000000},
                                  .params = params,
                                  .n_params = 4,
                                  .tags = tags,
                                  .n_tags = 2,
                                  .metrics = metrics,
                                  .n_metrics = 4,
                                  .datasets = datasets,
                                  .n_datasets = 2};

static bool matches(fixture *f, const char *text, const ty_run_record *of) {
    ty_filter filter;
    assert_ok(f, ty_filter_parse(&f->ctx, text, &f->arena, &filter));
    return ty_filter_matches(&filter, of);
}

static void expect(fixture *f, const char *const *texts, bool wanted) {
    for (; *texts; texts++)
        if (matches(f, *texts, &run) != wanted)
            fail_msg("%s: want %s", *texts, wanted ? "a match" : "none");
}

static void clauses_on_metrics_compare_the_last_value(void **state) {
    const char *const yes[] = {"metrics.val/loss < 1",          "metrics.`val/loss`<=.25",
                               "metric.\"val/loss\" >= 2.5e-1", "metrics.'val/loss' = 0.25",
                               "metrics.val/loss != -0.25",     "metrics.negative<-1e-7",
                               "metrics.inf > 1e308",           NULL};
    const char *const no[] = {"metrics.val/loss > 0.25", "metrics.loss < 1", "metrics.loss != 1",
                              "metrics.inf > 1.7976931348623157e308", NULL};
    expect(*state, yes, true);
    expect(*state, no, false);
}

static void nan_answers_to_unequal_alone(void **state) {
    const char *const yes[] = {"metrics.nan != 0", "metrics.nan != 1", NULL};
    const char *const no[] = {"metrics.nan = 0", "metrics.nan < 1", "metrics.nan >= 0", NULL};
    expect(*state, yes, true);
    expect(*state, no, false);
}

static void texts_compare_byte_by_byte(void **state) {
    const char *const yes[] = {"params.optimizer.type = 'adamw'",
                               "parameters.`optimizer.type` = \"adamw\"",
                               "param.optimizer.type != 'sgd'",
                               "params.greeting = \"Gr\xc3\xbc\xc3\x9f' dich\"",
                               "tags.empty = ''",
                               "attributes.status = 'FINISHED'",
                               "status != 'FAILED'",
                               "run_name = 'cnn-3f2a'",
                               "`run name` = 'cnn-3f2a'",
                               "attr.user_id = 'ada'",
                               "run.artifact_uri LIKE '/data/%'",
                               NULL};
    const char *const no[] = {"params.optimizer.type = 'AdamW'", "params.missing != 'x'",
                              "tags.missing != 'x'", "status = 'finished'", NULL};
    expect(*state, yes, true);
    expect(*state, no, false);
}

static void patterns_take_percent_and_underscore(void **state) {
    const char *const yes[] = {"params.optimizer.type LIKE 'adam_'",
                               "params.optimizer.type LIKE '%'",
                               "params.optimizer.type LIKE '%dam%'",
                               "params.optimizer.type like 'a%w'",
                               "params.optimizer.type ILIKE 'ADAM%'",
                               "params.model/width LIKE '100%wide'",

                               "params.greeting LIKE \"Gr__' dich\"",
                               "tags.mlflow.note.content ILIKE '%GOOD%'",
                               "tags.empty LIKE '%%'",
                               NULL};
    const char *const no[] = {"params.optimizer.type LIKE 'ADAM%'",
                              "params.optimizer.type LIKE 'adam'",
                              "params.optimizer.type LIKE 'adamw_'",
                              "params.greeting LIKE \"gr%\"",
                              "params.greeting ILIKE \"GR\xc3\x9c%\"",
                              "tags.empty LIKE '_'",
                              NULL};
    expect(*state, yes, true);
    expect(*state, no, false);
}

static void presence_is_asked_of_params_and_tags(void **state) {
    const char *const yes[] = {"params.optimizer.type IS NOT NULL", "tags.missing is null",
                               "tags.empty IS NOT NULL", NULL};
    const char *const no[] = {"params.optimizer.type IS NULL", "tags.missing IS NOT NULL", NULL};
    expect(*state, yes, true);
    expect(*state, no, false);
}

static void lists_are_for_run_ids_and_data_sets(void **state) {
    const char *const yes[] = {"run_id IN ('x', '0123456789abcdef0123456789abcdef')",
                               "run_id NOT IN ('x')", "dataset.name IN (\"fashion test\")",
                               "datasets.context IN ('training','test')", NULL};
    const char *const no[] = {"run_id IN ('x')", "dataset.name IN ('fashion')",
                              "dataset.context NOT IN ('training')", NULL};
    expect(*state, yes, true);
    expect(*state, no, false);
}

static void one_data_set_has_to_fit(void **state) {
    const char *const yes[] = {"dataset.name = 'fashion test'",
                               "dataset.name LIKE '%train'",
                               "dataset.name != 'fashion test'",
                               "dataset.context = 'training'",
                               "dataset.name = 'fashion test' AND dataset.name = 'fashion train'",
                               NULL};
    const char *const no[] = {"dataset.name = 'fashion'", "dataset.context = 'test'", NULL};
    expect(*state, yes, true);
    expect(*state, no, false);
}

static void values_are_as_long_as_mlflow_keeps_them(void **state) {
    const char *const yes[] = {"dataset.digest = '9f86d081884c7d659a2feaa0c55ad015a3bf'",
                               "params.odd_key = 'x'", NULL};
    const char *const no[] = {"dataset.digest = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c'",
                              NULL};
    expect(*state, yes, true);
    expect(*state, no, false);
}

static void times_are_milliseconds_and_a_live_run_has_no_end(void **state) {
    fixture *f = *state;
    ty_run_record live = run;
    live.info.end_ns = 0;
    assert_true(matches(f, "start_time = 1700000000123 AND end_time > 1.5", &run));
    assert_true(matches(f, "attributes.Created >= 1700000000123", &run));
    assert_false(matches(f, "end_time > 0", &live));
    assert_false(matches(f, "end_time != 0", &live));
}

static void no_filter_is_every_run(void **state) {
    assert_true(matches(*state, "", &run));
    assert_true(matches(*state, " \t\n", &run));
}

static void clauses_are_joined_by_and(void **state) {
    const char *const yes[] = {
        "metrics.val/loss < 1 AND params.optimizer.type = 'adamw' and status='FINISHED'",
        "status='FINISHED'AND\nuser_id='ada'", NULL};
    const char *const no[] = {"metrics.val/loss < 1 AND status = 'FAILED'", NULL};
    expect(*state, yes, true);
    expect(*state, no, false);
}

static void what_is_no_filter_is_refused_with_its_column(void **state) {
    static const char *const slips[][2] = {
        {"(metrics.a < 1)", "filter, column 1: MLflow's filters have no OR, no NOT and no paren"},
        {"metrics.a < 1 OR metrics.b < 1", "column 15: MLflow's filters have no OR"},
        {"NOT metrics.a < 1", "column 1: MLflow's filters have no OR, no NOT"},
        {"metrics.a < 1 AND", "column 18: it ends here, want a name"},
        {"AND metrics.a < 1", "column 1: \"AND\", want run_id"},
        {"metrics.a < 1 metrics.b", "column 15: \"metrics.b\", want AND or the end"},
        {"metrics.a < 1;", "column 14: \";\", want AND"},
        {"loss < 1", "column 1: \"loss\", want run_id, run_name"},
        {"metrcs.loss < 1", "column 1: \"metrcs.loss\", want metrics., params."},
        {"metrics.a < '1'", "column 13: a text, want a number"},
        {"metrics.a < x", "column 13: \"x\", want a number"},
        {"metrics.a < 0x1", "column 13: \"0x1\", want a number"},
        {"metrics.a < 1e", "column 13: \"1e\", want a number"},
        {"metrics.a < 1.2.3", "column 13: \"1.2.3\", want a number"},
        {"metrics.a < nan", "column 13: \"nan\", want a number"},
        {"metrics.a LIKE 1", "column 11: \"LIKE\", want =, !=, <"},
        {"metrics.a IS NULL", "column 11: IS NULL asks for params and tags alone"},
        {"params.a = 3", "column 12: \"3\", want a text in quotes"},
        {"params.a = `x`", "column 12: \"`x`\", want a text in quotes"},
        {"params.a > 'x'", "column 10: \">\", want =, !=, LIKE or ILIKE"},
        {"params.a == 'x'", "column 10: \"==\", want one ="},
        {"params.a <> 'x'", "column 10: \"<>\", want !="},
        {"params.a IN ('x')", "column 10: lists are for run_id and dataset. alone"},
        {"params.a NOT LIKE 'x'", "column 10: MLflow's filters know no NOT but"},
        {"params.a = 'x", "column 12: this quote is never closed"},
        {"params.a = 'it''s'", "column 15: a quote within quotes"},
        {"params.a = 'it\\'s'", "column 16: a quote within quotes"},
        {"params.`a = 'x'", "column 8: this quote is never closed"},
        {"params.`` = 'x'", "column 1: the name is empty"},
        {"params. a = 'x'", "column 8: it ends here, want a name"},
        {"run_id IN ()", "column 12: \")\", want a text in quotes"},
        {"run_id IN ('a' 'b')", "column 16: \"'b')\", want a comma or the list's )"},
        {"run_id = ('a')", "column 10: a list, want IN before it"},
        {"dataset.profile = 'x'", "column 1: \"dataset.profile\", want dataset.name"},
        {"status", "column 7: it ends here, want =, !="},
        {"= 3", "column 1: \"=\", want a name"},
    };
    fixture *f = *state;
    for (size_t i = 0; i < sizeof slips / sizeof slips[0]; i++) {
        ty_filter filter;
        const ty_status st = ty_filter_parse(&f->ctx, slips[i][0], &f->arena, &filter);
        if (st != TY_ERR_ARG || !strstr(f->ctx.message, slips[i][1]))
            fail_msg("%s: status %s, \"%s\", want \"%s\"", slips[i][0], ty_status_name(st),
                     st == TY_OK ? "" : f->ctx.message, slips[i][1]);
    }
}

static int compared(fixture *f, const char *text, const ty_run_record *a, const ty_run_record *b) {
    ty_run_order order;
    assert_ok(f, ty_run_order_parse(&f->ctx, text, &f->arena, &order));
    const int by = ty_run_order_compare(&order, 1, a, b);
    assert_int_equal(ty_run_order_compare(&order, 1, b, a) > 0, by < 0);
    return by;
}

static void orders_put_what_is_missing_last(void **state) {
    fixture *f = *state;
    ty_run_record better = run, without = run;
    const ty_run_value better_metrics[] = {{.key = "val/loss", .value = 0.125}};
    better.metrics = better_metrics;
    better.n_metrics = 1;
    without.n_metrics = 0;
    assert_true(compared(f, "metrics.val/loss ASC", &better, &run) < 0);
    assert_true(compared(f, "metrics.`val/loss`", &better, &run) < 0);
    assert_true(compared(f, "metrics.val/loss desc", &better, &run) > 0);
    assert_true(compared(f, "metrics.val/loss ASC", &run, &without) < 0);
    assert_true(compared(f, "metrics.val/loss DESC", &run, &without) < 0);
    ty_run_record with_nan = run;
    const ty_run_value nan_metrics[] = {{.key = "val/loss", .value = (double)NAN}};
    with_nan.metrics = nan_metrics;
    with_nan.n_metrics = 1;
    assert_true(compared(f, "metrics.val/loss DESC", &run, &with_nan) < 0);
    assert_true(compared(f, "metrics.val/loss DESC", &with_nan, &without) < 0);
}

static void ties_are_newest_first_and_then_by_id(void **state) {
    fixture *f = *state;
    ty_run_record newer = run, other = run;
    newer.info.start_ns += 1000000000;
    other.info.run_id = "1123456789abcdef0123456789abcdef";
    assert_true(compared(f, "params.optimizer.type", &newer, &run) < 0);
    assert_true(compared(f, "status ASC", &run, &other) < 0);
    assert_true(ty_run_order_compare(NULL, 0, &newer, &other) < 0);
}

static void what_is_no_order_is_refused(void **state) {
    fixture *f = *state;
    ty_run_order order;
    assert_int_equal(ty_run_order_parse(&f->ctx, "metrics.a down", &f->arena, &order), TY_ERR_ARG);
    assert_non_null(strstr(f->ctx.message, "order, column 11: \"down\", want ASC or DESC"));
    assert_int_equal(ty_run_order_parse(&f->ctx, "dataset.name", &f->arena, &order), TY_ERR_ARG);
}

/* What runs ls asks: a filter reads no more than it needs, and gives what the whole record gives. */
static void a_selection_reads_last_points_as_a_whole_reading_does(void **state) {
    fixture *f = *state;
    ty_run_record *found = NULL, whole;
    int64_t n = 0;
    record_run(f, 1, 3007);
    const ty_run_query query = {.parts = TY_RUN_METRICS | TY_RUN_PARAMS};
    assert_ok(f, ty_runs_select(&f->ctx, f->folder.path, &query, &f->arena, &found, &n));
    assert_ok(f, ty_runs_read(&f->ctx, f->run, &f->arena, &whole));
    assert_int_equal(n, 1);
    assert_int_equal(found->n_metrics, whole.n_metrics);
    for (int64_t i = 0; i < whole.n_metrics; i++) {
        assert_string_equal(found->metrics[i].key, whole.metrics[i].key);
        assert_int_equal(found->metrics[i].step, whole.metrics[i].step);
        assert_true(found->metrics[i].value == whole.metrics[i].value);
    }
    assert_int_equal(found->info.last_step, whole.info.last_step);
    assert_int_equal(found->n_curves, 0);
    assert_string_equal(found->params[0].text, "adamw");
}

static void select_by(fixture *f, const char *text, ty_run_view view, int64_t wanted) {
    ty_filter filter;
    ty_run_record *found = NULL;
    int64_t n = -1;
    assert_ok(f, ty_filter_parse(&f->ctx, text, &f->arena, &filter));
    const ty_run_query query = {.filter = &filter, .view = view};
    assert_ok(f, ty_runs_select(&f->ctx, f->folder.path, &query, &f->arena, &found, &n));
    if (n != wanted)
        fail_msg("%s: %d runs, want %d", text, (int)n, (int)wanted);
}

static void edits_made_in_mlflow_count(void **state) {
    fixture *f = *state;
    record_run(f, 1, 20);
    select_by(f, "tags.color = 'green' AND tags.mlflow.source.type = 'LOCAL'", TY_RUNS_ACTIVE, 1);
    change_store(f, "UPDATE tags SET value = 'red' WHERE \"key\" = 'color'");
    change_store(f, "INSERT INTO tags (run_uuid, \"key\", value)"
                    " SELECT run_uuid, 'mine', 'yes' FROM runs");
    change_store(f, "UPDATE runs SET name = 'renamed'");
    select_by(f, "tags.color = 'red' AND tags.mine = 'yes'", TY_RUNS_ACTIVE, 1);
    select_by(f, "run_name = 'renamed'", TY_RUNS_ACTIVE, 1);
    change_store(f, "UPDATE runs SET lifecycle_stage = 'deleted'");
    select_by(f, "", TY_RUNS_ACTIVE, 0);
    select_by(f, "tags.mine = 'yes'", TY_RUNS_DELETED, 1);
    select_by(f, "", TY_RUNS_ALL, 1);
}

static void a_store_that_cannot_be_read_costs_the_edits_alone(void **state) {
    fixture *f = *state;
    char path[2 * TEMP_FOLDER_BYTES];
    record_run(f, 1, 20);
    (void)snprintf(path, sizeof path, "%s/mlflow.db", f->folder.path);
    assert_ok(f, ty_file_write_atomic(&f->ctx, path, "this is no database at all......", 32));
    select_by(f, "tags.color = 'green' AND run_name = 'one'", TY_RUNS_ACTIVE, 1);
    assert_int_equal(fixture_said(f, "what was deleted, renamed or tagged in MLflow is not seen"),
                     1);
}

int main(void) {
#define ROW(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        ROW(clauses_on_metrics_compare_the_last_value),
        ROW(nan_answers_to_unequal_alone),
        ROW(texts_compare_byte_by_byte),
        ROW(patterns_take_percent_and_underscore),
        ROW(presence_is_asked_of_params_and_tags),
        ROW(lists_are_for_run_ids_and_data_sets),
        ROW(one_data_set_has_to_fit),
        ROW(values_are_as_long_as_mlflow_keeps_them),
        ROW(times_are_milliseconds_and_a_live_run_has_no_end),
        ROW(no_filter_is_every_run),
        ROW(clauses_are_joined_by_and),
        ROW(what_is_no_filter_is_refused_with_its_column),
        ROW(orders_put_what_is_missing_last),
        ROW(ties_are_newest_first_and_then_by_id),
        ROW(what_is_no_order_is_refused),
        ROW(a_selection_reads_last_points_as_a_whole_reading_does),
        ROW(edits_made_in_mlflow_count),
        ROW(a_store_that_cannot_be_read_costs_the_edits_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
