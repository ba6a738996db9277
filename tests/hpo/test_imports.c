/* Trials of other searches: read from a sweep's journal and from Optuna's, and known to samplers from the
 * start. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <unistd.h>

#include <math.h>

#include "tests/hpo/study_case.h"

/* --- Optuna's lines ------------------------------------------------------------------------------ */

#define FLOAT                                                                                      \
    "\"distribution\":\"{\\\"name\\\": \\\"FloatDistribution\\\", \\\"attributes\\\": {}}\"}\n"
#define KIND                                                                                       \
    "\"distribution\":\"{\\\"name\\\": \\\"CategoricalDistribution\\\", \\\"attributes\\\": "      \
    "{\\\"choices\\\": [\\\"a\\\", 64, null, \\\"[3,4]\\\"]}}\"}\n"

/* Complete, pruned with its last report, failed, still running, and one made from a template. */
static const char lines[] =
    "{\"op_code\":0,\"study_name\":\"s\",\"directions\":[1]}\n"
    "{\"op_code\":4,\"study_id\":0,\"datetime_start\":null}\n"
    "{\"op_code\":5,\"trial_id\":0,\"param_name\":\"rate\",\"param_value_internal\":0.1," FLOAT
    "{\"op_code\":5,\"trial_id\":0,\"param_name\":\"kind\",\"param_value_internal\":3," KIND
    "{\"op_code\":9,\"trial_id\":0,\"system_attr\":{\"constraints\":[0.5,-1,0.25]}}\n"
    "{\"op_code\":6,\"trial_id\":0,\"state\":1,\"values\":[0.25]}\n"
    "{\"op_code\":6,\"trial_id\":0,\"state\":1,\"values\":[7]}\n"
    "{\"op_code\":4,\"study_id\":0,\"datetime_start\":null}\n"
    "{\"op_code\":5,\"trial_id\":1,\"param_name\":\"kind\",\"param_value_internal\":1," KIND
    "{\"op_code\":7,\"trial_id\":1,\"step\":3,\"intermediate_value\":Infinity}\n"
    "{\"op_code\":7,\"trial_id\":1,\"step\":5,\"intermediate_value\":2}\n"
    "{\"op_code\":6,\"trial_id\":1,\"state\":2,\"values\":null}\n"
    "{\"op_code\":4,\"study_id\":0,\"datetime_start\":null}\n"
    "{\"op_code\":6,\"trial_id\":2,\"state\":3,\"values\":null}\n"
    "{\"op_code\":4,\"study_id\":0,\"datetime_start\":null}\n"
    "{\"op_code\":4,\"study_id\":0,\"datetime_start\":null,\"params\":{\"rate\":0.5},"
    "\"distributions\":{\"rate\":\"{\\\"name\\\": \\\"FloatDistribution\\\"}\"},\"state\":1,"
    "\"value\":-Infinity,\"values\":null,\"intermediate_values\":{\"9\":NaN},\"system_attrs\":{}}\n"
    "{\"op_code\":2,\"study_id\":0,\"user_attr\":{\"note\":\"NaN, \\\"Infinity\\\"\"}}\n";

static const char wanted[] =
    "[{\"last_step\":0.0,\"number\":0,\"params\":{\"kind\":\"[3,4]\",\"rate\":0.10000000000000001},"
    "\"source\":\"x\",\"state\":\"complete\",\"value\":0.25,\"violation\":0.75},"
    "{\"last_step\":5.0,\"number\":1,\"params\":{\"kind\":64},\"source\":\"x\",\"state\":"
    "\"pruned\","
    "\"value\":2.0,\"violation\":0.0},"
    "{\"last_step\":9.0,\"number\":4,\"params\":{\"rate\":0.5},\"source\":\"x\",\"state\":"
    "\"complete\","
    "\"value\":\"-inf\",\"violation\":0.0}]";

static ty_status read_optuna(study_case *f, const char *text, size_t bytes, const char *study,
                             json_t *trials, size_t *unread) {
    return ty_import_optuna(&f->ctx, text, bytes, "x", study, false, trials, unread);
}

static void assert_trials(const json_t *trials, const char *text) {
    ty_text out = {0};
    ty_json_add_canonical(trials, &out);
    assert_string_equal(ty_text_string(&out), text);
    ty_text_clear(&out);
}

static void an_optuna_journal_is_what_optuna_makes_of_it(void **state) {
    study_case *f = *state;
    json_t *trials = json_array();
    size_t unread = 0;
    study_case_ok(f, read_optuna(f, lines, strlen(lines), NULL, trials, &unread));
    assert_int_equal(unread, 0);
    assert_trials(trials, wanted);
    assert_true(ty_import_is_optuna(lines, strlen(lines)));
    assert_false(ty_import_is_optuna("{\"run\": 1}\n", 11));
    json_decref(trials);
}

/* Cut anywhere, and with a torn line in the middle, the whole lines count. */
static void torn_lines_are_counted_and_passed_over(void **state) {
    study_case *f = *state;
    const size_t head = strcspn(lines, "\n") + 1;
    for (size_t bytes = head; bytes <= strlen(lines); bytes++) {
        json_t *trials = json_array();
        size_t unread = 0;
        study_case_ok(f, read_optuna(f, lines, bytes, NULL, trials, &unread));
        const bool is_whole = lines[bytes - 1] == '\n' || lines[bytes] == '\n';
        assert_int_equal(unread, is_whole ? 0 : 1);
        json_decref(trials);
    }
    ty_text text = {0};
    json_t *trials = json_array();
    size_t unread = 0;
    ty_text_add_n(&text, lines, head);
    ty_text_addf(&text, "{\"op_code\":4,\"stu\n{\"op_code\":77}\n[]\n%s", lines + head);
    study_case_ok(f, read_optuna(f, ty_text_string(&text), text.length, NULL, trials, &unread));
    assert_int_equal(unread, 3);
    assert_trials(trials, wanted);
    json_decref(trials);
    ty_text_clear(&text);
}

static void one_of_several_studies_is_named(void **state) {
    study_case *f = *state;
    static const char more[] = "{\"op_code\":0,\"study_name\":\"t\",\"directions\":[2]}\n"
                               "{\"op_code\":0,\"study_name\":\"u\",\"directions\":[1,2]}\n"
                               "{\"op_code\":0,\"study_name\":\"v\",\"directions\":[1]}\n"
                               "{\"op_code\":1,\"study_id\":3}\n";
    static const struct {
        const char *study, *words;
    } cases[] = {{NULL, "x has the studies s, t, u: want FILE#STUDY"},
                 {"v", "x has the studies s, t, u: want FILE#STUDY"},
                 {"t", "x was to be maximized, and this sweep is to be minimized"},
                 {"u", "x has 2 objectives, want one"}};
    ty_text text = {0};
    json_t *trials = json_array();
    size_t unread = 0;
    ty_text_addf(&text, "%s%s", lines, more);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(
            read_optuna(f, ty_text_string(&text), text.length, cases[i].study, trials, &unread),
            TY_ERR_CONFIG);
        assert_string_equal(f->ctx.message, cases[i].words);
    }
    study_case_ok(f, read_optuna(f, ty_text_string(&text), text.length, "s", trials, &unread));
    assert_trials(trials, wanted);
    json_decref(trials);
    ty_text_clear(&text);
}

/* Who loads a study as one that may exist writes its creation again, which takes no number; the number of one
 * that was deleted is not given again, but its name is. */
static void a_study_created_again_is_the_same_and_a_deleted_one_is_another(void **state) {
    study_case *f = *state;
    static const char again[] = "{\"op_code\":0,\"study_name\":\"s\",\"directions\":[1]}\n";
    static const char anew[] = "{\"op_code\":0,\"study_name\":\"t\",\"directions\":[1]}\n"
                               "{\"op_code\":1,\"study_id\":0}\n"
                               "{\"op_code\":0,\"study_name\":\"s\",\"directions\":[1]}\n"
                               "{\"op_code\":4,\"study_id\":2,\"datetime_start\":null}\n"
                               "{\"op_code\":6,\"trial_id\":5,\"state\":1,\"values\":[3]}\n";
    ty_text text = {0};
    json_t *trials = json_array(), *newer = json_array();
    size_t unread = 0;
    ty_text_addf(&text, "%s%s", lines, again);
    study_case_ok(f, read_optuna(f, ty_text_string(&text), text.length, NULL, trials, &unread));
    assert_trials(trials, wanted);
    ty_text_add(&text, anew);
    study_case_ok(f, read_optuna(f, ty_text_string(&text), text.length, "s", newer, &unread));
    assert_trials(newer,
                  "[{\"last_step\":0.0,\"number\":0,\"params\":{},\"source\":\"x\",\"state\":"
                  "\"complete\",\"value\":3.0,\"violation\":0.0}]");
    assert_int_equal(unread, 0);
    json_decref(trials);
    json_decref(newer);
    ty_text_clear(&text);
}

/* --- a sweep of ours ----------------------------------------------------------------------------- */

static void describe_identity(study_case *f, ty_text *out) {
    ty_text_clear(out);
    ty_text_add(out, "{");
    ty_space_add_params(&f->hpo.space, out);
    ty_text_add(out, "}");
    f->hpo.options.identity = ty_text_string(out);
}

/* A finished sweep's trials; its journal is gone then. */
static json_t *earlier(study_case *f, ty_text *identity) {
    json_t *trials = json_array();
    ty_text text = {0};
    describe_identity(f, identity);
    study_case_run_all(f, 2, 1, &text);
    study_case_ok(f, ty_import_sweep(&f->ctx, f->path, "sweeps/old", false, trials));
    assert_int_equal(json_array_size(trials), 30);
    assert_int_equal(unlink(f->path), 0);
    ty_text_clear(&text);
    return trials;
}

static void a_sweeps_trials_are_what_its_journal_says(void **state) {
    study_case *f = *state;
    ty_text identity = {0};
    json_t *trials = json_array();
    describe_identity(f, &identity);
    ty_study *s = study_case_open(f);
    assert_true(study_case_run(f, s, 2, 1, 100000));
    study_case_ok(f, ty_import_sweep(&f->ctx, f->path, "old", false, trials));
    for (size_t i = 0; i < 30; i++) {
        const json_t *trial = json_array_get(trials, i);
        json_t *params = ty_trial_params(ty_study_trial(s, i));
        assert_true(json_equal(json_object_get(trial, "params"), params));
        assert_true(json_number_value(json_object_get(trial, "value")) ==
                    ty_study_trial(s, i)->value);
        assert_int_equal(json_number_value(json_object_get(trial, "last_step")), EPOCHS);
        json_decref(params);
    }
    assert_int_equal(ty_import_sweep(&f->ctx, f->path, "old", true, trials), TY_ERR_CONFIG);
    assert_non_null(strstr(f->ctx.message, "old was to be minimized"));
    ty_study_close(s);
    json_decref(trials);
    ty_text_clear(&identity);
}

/* --- known from the start ------------------------------------------------------------------------ */

/* Without the list, as a sweep that goes on has none: the journal has the trials. */
static void run_pieces(study_case *f, json_t *trials, int workers, ty_text *out) {
    bool is_done = false;
    for (uint64_t sitting = 1; !is_done; sitting++) {
        f->hpo.options.imports = sitting == 1 ? trials : NULL;
        ty_study *s = study_case_open(f);
        is_done = study_case_run(f, s, workers, sitting, 120);
        if (is_done)
            study_case_describe(s, out);
        ty_study_close(s);
    }
}

static void a_sweep_with_imports_is_the_same_through_kills_and_workers(void **state) {
    static const char *const samplers[] = {"\"tpe\"", "\"cma\"", "\"gp\""};
    study_case *f = *state;
    ty_text identity = {0};
    json_t *trials = earlier(f, &identity);
    for (size_t i = 0; i < sizeof samplers / sizeof *samplers; i++) {
        ty_doc *doc = NULL;
        ty_text one = {0}, many = {0}, without = {0};
        size_t decisions = 0;
        study_case_ok(f, ty_sampler_read_json(&f->ctx, samplers[i], &doc, &f->hpo.sampler));
        f->hpo.options.max_trials = 15;
        run_pieces(f, trials, 1, &one);
        study_case_ok(f,
                      ty_study_replay(&f->ctx, f->path, &f->hpo.options, NULL, NULL, &decisions));
        assert_true(decisions >= 15 + 15 * EPOCHS);
        assert_int_equal(unlink(f->path), 0);
        run_pieces(f, trials, 4, &many);
        assert_string_equal(ty_text_string(&one), ty_text_string(&many));
        assert_int_equal(unlink(f->path), 0);
        run_pieces(f, NULL, 4, &without);
        assert_string_not_equal(ty_text_string(&one), ty_text_string(&without));
        assert_int_equal(unlink(f->path), 0);
        ty_text_clear(&one);
        ty_text_clear(&many);
        ty_text_clear(&without);
        ty_doc_close(doc);
    }
    json_decref(trials);
    ty_text_clear(&identity);
}

static json_t *points_near(double rate, size_t n) {
    json_t *trials = json_array();
    for (size_t i = 0; i < n; i++) {
        const double off = ((double)i - (double)n / 2) / (double)n;
        const ty_shown shown = {.state = TY_TRIAL_COMPLETE, .value = fabs(off)};
        assert_true(ty_import_add(trials, "near", i,
                                  json_pack("{s:f, s:f, s:s}", "rate", rate * exp(off), "layers",
                                            (double)(1 + i % 8), "kind", i % 2 ? "a" : "c"),
                                  &shown));
    }
    return trials;
}

/* Its first generation lies where the best of them do: at the ends of a range that it would have begun in the
 * middle of. */
static void cma_begins_where_imported_trials_were_best(void **state) {
    study_case *f = *state;
    ty_doc *doc = NULL;
    json_t *trials = points_near(0.5, 60);
    double sum = 0;
    size_t known = 0;
    study_case_ok(f, ty_sampler_read_json(&f->ctx, "\"cma\"", &doc, &f->hpo.sampler));
    f->hpo.options.imports = trials;
    ty_study *s = study_case_open(f);
    assert_int_equal(ty_study_imported(s, &known), 60);
    assert_int_equal(known, 60);
    for (int i = 0; i < 6; i++) {
        ty_ask ask;
        study_case_ok(f, ty_study_ask(&f->ctx, s, "w", &ask));
        sum += log(ask.trial->x[0]);
    }
    assert_true(exp(sum / 6) > 0.2); /* the middle is 0.003 */
    ty_study_close(s);
    ty_doc_close(doc);
    json_decref(trials);
}

static void what_others_reached_is_no_target_reached(void **state) {
    study_case *f = *state;
    json_t *trials = points_near(0.5, 20);
    ty_ask ask;
    f->hpo.options.imports = trials;
    f->hpo.options.target = 0.01;
    ty_study *s = study_case_open(f);
    study_case_ok(f, ty_study_ask(&f->ctx, s, "w", &ask));
    assert_int_equal(ask.kind, TY_ASK_TRIAL);
    assert_int_equal(ask.trial->number, 0);
    assert_null(ty_study_best(s));
    ty_study_close(s);
    json_decref(trials);
}

/* Text that is JSON is its value (MLflow has all as text); what lacks a parameter has its default; what is no
 * point of the space is left out, and known again where the space has it. */
static void imports_are_carried_into_each_space(void **state) {
    study_case *f = *state;
    ty_text identity = {0}, wide = {0};
    size_t known = 0;
    json_t *trials =
        json_pack("[{s:s, s:i, s:{s:s, s:s, s:s, s:s}, s:s, s:f, s:f, s:f}]", "source", "run",
                  "number", 0, "params", "rate", "0.01", "layers", "9", "kind", "b", "other", "x",
                  "state", "complete", "value", 0.5, "violation", 0.0, "last_step", 3.0);
    assert_non_null(trials);
    f->hpo.params[3].fallback = 0.5;
    f->hpo.params[3].has_fallback = true;
    describe_identity(f, &identity);
    f->hpo.options.imports = trials;
    ty_study *s = study_case_open(f);
    assert_int_equal(ty_study_imported(s, &known), 1);
    assert_int_equal(known, 0);
    ty_study_close(s);
    f->hpo.params[1].high = 16;
    f->hpo.params[1].from = f->hpo.params[1].to = 0;
    study_case_ok(f, ty_space_seal(&f->ctx, &f->hpo.space));
    describe_identity(f, &wide);
    s = study_case_open(f);
    assert_int_equal(ty_study_imported(s, &known), 1);
    assert_int_equal(known, 1);
    ty_study_close(s);
    json_decref(trials);
    ty_text_clear(&identity);
    ty_text_clear(&wide);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, study_case_set_up, study_case_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_optuna_journal_is_what_optuna_makes_of_it),
        TEST(torn_lines_are_counted_and_passed_over),
        TEST(one_of_several_studies_is_named),
        TEST(a_study_created_again_is_the_same_and_a_deleted_one_is_another),
        TEST(a_sweeps_trials_are_what_its_journal_says),
        TEST(a_sweep_with_imports_is_the_same_through_kills_and_workers),
        TEST(cma_begins_where_imported_trials_were_best),
        TEST(what_others_reached_is_no_target_reached),
        TEST(imports_are_carried_into_each_space),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
