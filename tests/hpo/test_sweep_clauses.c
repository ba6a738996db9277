/* Sweep files: conditions, constraints, the names of other tools, and the files that are shipped. */
#include "tests/hpo/sweep_fixture.h"

/* --- conditions and constraints ------------------------------------------------------------------- */

static const char conditional[] =
    "parameters:\n"
    "  a.momentum: {min: 0.1, max: 0.9}\n"
    "  b.nesterov: {values: [true, false]}\n"
    "  layers: {min: 1, max: 4}\n"
    "  optimizer.type: {values: [sgd, adamw, [1, 2]]}\n"
    "conditions:\n"
    "- {when: {a.momentum: 0.5, layers: [1, 2]}, parameters: [b.nesterov]}\n"
    "- {when: {optimizer.type: sgd}, parameters: [a.momentum, b.nesterov]}\n";

static size_t index_of(const fixture *f, const char *name) {
    const size_t d = ty_space_find(&f->file.space, name);
    assert_true(d < f->file.space.count);
    return d;
}

static void parents_come_before_their_children(void **state) {
    fixture *f = *state;
    load_yaml(f, conditional);
    static const char *const names[] = {"layers", "optimizer.type", "a.momentum", "b.nesterov"};
    const ty_space *space = &f->file.space;
    assert_int_equal(space->count, 4);
    for (size_t d = 0; d < 4; d++) {
        assert_string_equal(space->params[d].name, names[d]);
        assert_string_equal(strchr(f->file.param_paths[d], '.') + 1, names[d]);
    }
    double x[4] = {2, 0, 0.5, 1};
    ty_space_settle(space, x);
    assert_true(x[2] == 0.5 && x[3] == 1);
    x[0] = 3; /* layers: only 1 and 2 bring nesterov */
    ty_space_settle(space, x);
    assert_true(x[2] == 0.5 && isnan(x[3]));
    double y[4] = {1, 1, 0.5, 1}; /* adamw: no momentum, and so nothing that hangs on it */
    ty_space_settle(space, y);
    assert_true(isnan(y[2]) && isnan(y[3]));
    assert_non_null(strstr(f->file.identity, "\"when\":[{\"parent\":1,\"accepted\":[0]}]"));
}

static void a_list_is_several_values_unless_it_is_one(void **state) {
    fixture *f = *state;
    load_yaml(
        f, "parameters: {o: {values: [a, b, [a, b]]}, x: {min: 1, max: 2}, y: {min: 1, max: 2}}\n"
           "conditions: [{when: {o: [a, b]}, parameters: [x]}, {when: {o: [b, a]}, "
           "parameters: [y]}]\n");
    const ty_param *x = &f->file.space.params[index_of(f, "x")];
    const ty_param *y = &f->file.space.params[index_of(f, "y")];
    assert_int_equal(x->clauses[0].accepted_count, 1);
    assert_true(x->clauses[0].accepted[0] == 2);
    assert_int_equal(y->clauses[0].accepted_count, 2);
    assert_true(y->clauses[0].accepted[0] == 1 && y->clauses[0].accepted[1] == 0);
}

static void constraints_are_expressions_or_limits_of_metrics(void **state) {
    fixture *f = *state;
    load_yaml(f, "parameters: {model.width: {min: 1, max: 64}, model.heads: {min: 1, max: 8}}\n"
                 "constraints:\n"
                 "- model.width % model.heads == 0\n"
                 "- {metric: val/latency, max: 10}\n"
                 "- {metric: val/recall, min: 0.5, max: 1}\n"
                 "- model.width > 2\n");
    double x[2] = {0};
    x[index_of(f, "model.width")] = 12;
    x[index_of(f, "model.heads")] = 3;
    assert_int_equal(f->file.space.constraint_count, 2);
    assert_true(ty_space_allows(&f->file.space, x));
    x[index_of(f, "model.heads")] = 5;
    assert_false(ty_space_allows(&f->file.space, x));
    assert_int_equal(f->file.limit_count, 2);
    assert_string_equal(f->file.limits[0].metric, "val/latency");
    assert_true(isnan(f->file.limits[0].min) && f->file.limits[0].max == 10);
    assert_true(f->file.limits[1].min == 0.5 && f->file.limits[1].max == 1);
}

static void slips_in_conditions_and_constraints_have_their_places(void **state) {
    static const struct {
        const char *text, *wanted;
    } slips[] = {
        {"conditions: [{when: {z: 1}, parameters: [a]}]",
         "s.yaml:2:25: there is no parameter \"z\""},
        {"conditions: [{when: {o: 1}, parameters: [a]}]", "s.yaml:2:25: o is never 1"},
        {"conditions: [{when: {o: [p, r]}, parameters: [a]}]", "s.yaml:2:25: o is never \"r\""},
        {"conditions: [{when: {a: 9}, parameters: [o]}]", "s.yaml:2:25: a is never 9"},
        {"conditions: [{when: {o: p}, parameters: [k]}]", "s.yaml:2:42: k has one value in all"},
        {"conditions: [{when: {o: p}, parameters: [3]}]", "s.yaml:2:42: this is no parameter's"},
        {"conditions: [{when: {o: p}}]", "s.yaml:2:14: a condition is no {\"when\""},
        {"conditions: [{when: {}, parameters: [a]}]", "s.yaml:2:14: a condition is no {\"when\""},
        {"conditions: [{when: {o: p}, parameters: [a], then: 1}]",
         "s.yaml:2:52: unknown key \"then\""},
        {"conditions: [{when: {a: 1}, parameters: [a]}]",
         "s.yaml:2:25: a waits for a, which waits for it"},
        {"conditions: [{when: {o: p}, parameters: [a]}, {when: {a: 1}, parameters: [o]}]",
         "conditions go round in a circle"},
        {"conditions: [{when: {o: p}, parameters: [a]}, {when: {o: q}, parameters: [a]}]",
         "s.yaml:1:17: a never plays a part: its conditions want o to be two things at once"},
        {"conditions: {o: p}", "conditions is an object, want a list"},
        {"constraints: [a > ]", "s.yaml:2:15: \"a >\": column 4: the end"},
        {"constraints: [b > 2]", "s.yaml:2:15: \"b > 2\": there is no parameter \"b\""},
        {"constraints: [3]", "s.yaml:2:15: a constraint is neither text nor"},
        {"constraints: [{max: 3}]", "s.yaml:2:15: a constraint names no \"metric\""},
        {"constraints: [{metric: m}]", "s.yaml:2:15: a constraint on m has no \"min\""},
        {"constraints: [{metric: m, max: x}]", "s.yaml:2:32: \"max\" of a constraint is no number"},
        {"constraints: [{metric: m, max: 1, min: 2}]", "nothing is >= 2 and <= 1"},
        {"constraints: [{metric: m, maxx: 1}]", "s.yaml:2:33: unknown key \"maxx\""},
    };
    for (size_t i = 0; i < sizeof slips / sizeof slips[0]; i++) {
        char text[256];
        (void)snprintf(
            text, sizeof text,
            "parameters: {a: {min: 1, max: 2}, o: {values: [p, q]}, k: {value: 1}}\n%s\n",
            slips[i].text);
        expect_finding(*state, text, slips[i].wanted);
    }
}

/* By what they hang on themselves, too; and what two conditions have in common is enough. */
static void what_conditions_rule_out_altogether_is_refused(void **state) {
    static const char chain[] = "parameters: {a: {values: [1, 2, 3]}, b: {values: [p, q]}, "
                                "c: {min: 1, max: 2}}\n"
                                "conditions: [{when: {a: [1, 2]}, parameters: [b]}, "
                                "{when: {b: p, a: %s}, parameters: [c]}]\n";
    char text[256];
    (void)snprintf(text, sizeof text, chain, "3");
    expect_finding(*state, text, "c never plays a part: its conditions want a to be two things");
    (void)snprintf(text, sizeof text, chain, "[2, 3]");
    load_yaml(*state, text);
}

/* --- names of other tools ------------------------------------------------------------------------- */

static void names_of_other_tools_are_the_trainers_where_the_config_is(void **state) {
    fixture *f = *state;
    static const char text[] =
        "config: c.json\n"
        "parameters: {lr: {min: 0.1, max: 1}, batch_size: {values: [32, 64]},\n"
        "  epochs: {value: 5}, warmup_steps: {values: [10, 5 steps]},\n"
        "  seed: {values: [1, 2]}, my_key: {values: [1, 2]}}\n"
        "conditions: [{when: {batch_size: 32}, parameters: [lr]}]\n";
    load_yaml(f, text);
    assert_int_equal(f->file.space.count, 5);
    const size_t lr = index_of(f, "optimizer.learning_rate");
    assert_string_equal(f->file.param_paths[lr], "parameters.lr");
    assert_int_equal(f->file.space.params[lr].clause_count, 1);
    (void)index_of(f, "train.global_batch_size");
    (void)index_of(f, "my_key");
    (void)index_of(f, "seed");
    assert_string_equal(f->file.fixed[0].name, "train.duration");
    assert_string_equal(json_string_value(f->file.fixed[0].value), "5 epochs");
    const ty_param *warmup = &f->file.space.params[index_of(f, "schedule.warmup")];
    assert_string_equal(json_string_value(json_array_get(warmup->choices, 0)), "10 steps");
    assert_string_equal(json_string_value(json_array_get(warmup->choices, 1)), "5 steps");
    assert_non_null(strstr(ty_text_string(&f->log),
                           "1 sweep: lr is called optimizer.learning_rate here, and searched as "
                           "that\n"));
    expect_finding(f, "config: c\nparameters: {epochs: {min: 1, max: 5}}\n",
                   "s.yaml:2:22: train.duration is an amount, which has no range");
    expect_finding(
        f,
        "config: c\nparameters: {lr: {min: 1, max: 5}, optimizer.learning_rate: {min: 1, "
        "max: 5}}\n",
        "optimizer.learning_rate is a parameter twice");
}

static void another_program_has_its_own_names(void **state) {
    fixture *f = *state;
    load_yaml(f, "command: [a]\nparameters: {lr: {min: 0.1, max: 1}}\n");
    assert_string_equal(f->file.space.params[0].name, "lr");
    assert_string_equal(ty_text_string(&f->log), "");
}

/* --- shipped files -------------------------------------------------------------------------------- */

static void shipped_sweeps_are_read(void **state) {
    fixture *f = *state;
    static const char *const names[] = {"fashion_mlp_random", "fashion_cnn_asha"};
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(f->path, sizeof f->path, "%s/configs/sweeps/%s.yaml", TY_SOURCE, names[i]);
        ty_sweep_file_clear(&f->file);
        if (ty_sweep_file_read(&f->ctx, f->path, NULL, 0, &f->file) != TY_OK)
            fail_msg("%s", f->ctx.message);
        assert_string_equal(f->file.stem, names[i]);
        assert_true(ty_file_exists(&f->ctx, f->file.config_path));
        assert_string_equal(ty_text_string(&f->log), "");
    }
}

static void points_are_read_with_the_place_of_each_slip(void **state) {
    fixture *f = *state;
    load_yaml(f, "parameters: {o.lr: {min: 0.1, max: 1.0}, n: {min: 1, max: 8}, k: {value: 3}}\n"
                 "points:\n"
                 "- {o.lr: 0.5, n: 4}\n"
                 "- {o: {lr: 1}, k: 3.0}\n");
    char *text = json_dumps(f->file.given, JSON_COMPACT);
    assert_string_equal(text, "[{\"o.lr\":0.5,\"n\":4},{\"o.lr\":1,\"k\":3.0}]");
    free(text);
    static const char head[] = "parameters: {a: {min: 1, max: 8}, b: {values: [x, y]}, c: {min: 1, "
                               "max: 2}, k: {value: 3}}\n"
                               "conditions: [{when: {b: x}, parameters: [c]}]\n"
                               "points:\n- {a: 2}\n- ";
    static const struct {
        const char *point, *words;
    } cases[] = {
        {"{a: 9}\n", "s.yaml:5:7: a is never 9"},
        {"{b: z}\n", "s.yaml:5:7: b is never \"z\""},
        {"{aa: 9}\n", "there is no parameter \"aa\""},
        {"{k: 4}\n", "s.yaml:5:7: k is 3 in all trials, not 4"},
        {"{b: y, c: 1}\n", "s.yaml:5:3: no trial can have these values together"},
        {"7\n", "s.yaml:5:3: a point is no {\"NAME\": VALUE, ...}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char whole[512];
        (void)snprintf(whole, sizeof whole, "%s%s", head, cases[i].point);
        expect_finding(f, whole, cases[i].words);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(parents_come_before_their_children),
        TEST(a_list_is_several_values_unless_it_is_one),
        TEST(constraints_are_expressions_or_limits_of_metrics),
        TEST(slips_in_conditions_and_constraints_have_their_places),
        TEST(what_conditions_rule_out_altogether_is_refused),
        TEST(names_of_other_tools_are_the_trainers_where_the_config_is),
        TEST(another_program_has_its_own_names),
        TEST(shipped_sweeps_are_read),
        TEST(points_are_read_with_the_place_of_each_slip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
