/* Sweep files: every construct of W&B's schema and of ours, in JSON and in YAML, and every finding with
 * its place. */
#include "tests/hpo/sweep_fixture.h"

/* --- keys ----------------------------------------------------------------------------------------- */

static void a_small_file_has_everything_else_by_default(void **state) {
    fixture *f = *state;
    load_yaml(f, "method: random\nparameters: {lr: {min: 0.1, max: 1}}\n");
    const ty_sweep_file *file = &f->file;
    assert_string_equal(file->stem, "s");
    assert_string_equal(file->metric.name, "val/loss");
    assert_int_equal(file->metric.goal, 0);
    assert_true(isnan(file->metric.target));
    assert_int_equal(file->metric.value_of, TY_VALUE_BEST);
    assert_int_equal(file->method, TY_METHOD_RANDOM);
    assert_string_equal(file->sampler.row->type, "random");
    assert_string_equal(file->pruner.row->type, "none");
    assert_int_equal(file->order, TY_ORDER_WINDOW);
    assert_int_equal(file->window, 8);
    assert_int_equal(file->retries, 1);
    assert_int_equal(file->run_cap, 0);
    assert_true(isnan(file->max_hours) && isnan(file->max_resource));
    assert_null(file->config_path);
    assert_int_equal(file->command.n, 0);
    assert_int_equal(file->resources.ranks_per_trial, 1);
    assert_string_equal(ty_text_string(&f->log), "");
}

static const char whole_json[] =
    "{\"name\": \"a sweep/of mine\", \"description\": \"text\", \"config\": \"../c.json\",\n"
    " \"method\": \"random\", \"run_cap\": 30, \"seed\": 7, \"window\": 4, \"reproducible\": "
    "\"replay\",\n"
    " \"metric\": {\"name\": \"val/accuracy\", \"goal\": \"maximize\", \"target\": 0.9, \"value\": "
    "\"last\"},\n"
    " \"parameters\": {\"b\": {\"value\": [1, {\"k\": null}]}, \"a\": {\"min\": 1, \"max\": 4},\n"
    "  \"o\": {\"parameters\": {\"lr\": {\"distribution\": \"log_uniform_values\", \"min\": 1e-5, "
    "\"max\": 0.1}}}},\n"
    " \"sampler\": {\"type\": \"sobol\"}, \"pruner\": \"none\", \"resource\": \"epochs\", "
    "\"max_resource\": 81,\n"
    " \"retries\": 2, \"stop\": {\"max_hours\": 1.5, \"max_consecutive_failures\": 3},\n"
    " \"resources\": {\"ranks_per_trial\": 2, \"gpus_per_trial\": 1, \"trials_per_gpu\": 3, "
    "\"max_parallel\": 4},\n"
    " \"warm_start\": [\"sweeps/old\"]}\n";

static const char whole_yaml[] =
    "# the same\n"
    "parameters:\n"
    "  o.lr: {max: 1.0e-1, min: 0.00001, distribution: log_uniform_values}\n"
    "  a: {max: 4, min: 1}\n"
    "  b: {value: [1, {k: null}]}\n"
    "name: a sweep/of mine\ndescription: text\nconfig: ../c.json\nmethod: random\nrun_cap: 30\n"
    "seed: 7\nwindow: 4\nreproducible: replay\n"
    "metric: {name: val/accuracy, goal: maximize, target: 0.9, value: last}\n"
    "sampler: sobol\nresource: epochs\nmax_resource: 81\nretries: 2\n"
    "stop: {max_hours: 1.5, max_consecutive_failures: 3}\n"
    "resources: {ranks_per_trial: 2, gpus_per_trial: 1, trials_per_gpu: 3, max_parallel: 4}\n"
    "warm_start: sweeps/old\n";

static void assert_whole(const fixture *f) {
    const ty_sweep_file *file = &f->file;
    char config[2 * TEMP_FOLDER_BYTES];
    (void)snprintf(config, sizeof config, "%s/../c.json", f->folder.path);
    assert_string_equal(file->stem, "a-sweep-of-mine");
    assert_string_equal(file->config_path, config);
    assert_int_equal(file->max_resource, 81);
    assert_int_equal(file->resource, TY_RESOURCE_EPOCHS);
    assert_int_equal(file->metric.value_of, TY_VALUE_LAST);
    assert_int_equal(file->retries, 2);
    assert_true(file->max_hours == 1.5);
    assert_int_equal(file->resources.ranks_per_trial, 2);
    assert_int_equal(file->resources.gpus_per_trial, 1);
    assert_int_equal(file->resources.trials_per_gpu, 3);
    assert_int_equal(file->resources.max_parallel, 4);
    assert_int_equal(file->warm_start.n, 1);
    assert_int_equal(file->space.count, 2);
    assert_string_equal(file->space.params[0].name, "a");
    assert_string_equal(file->space.params[1].name, "o.lr");
    assert_int_equal(file->fixed_count, 1);
    assert_string_equal(file->fixed[0].name, "b");
    assert_true(json_is_array(file->fixed[0].value));
}

static void every_key_is_read_and_both_formats_are_the_same_sweep(void **state) {
    fixture *f = *state;
    load(f, "s.json", whole_json);
    assert_whole(f);
    ty_study_options options;
    ty_sweep_file_options(&f->file, &options);
    assert_string_equal(options.name, "a-sweep-of-mine");
    assert_ptr_equal(options.space, &f->file.space);
    assert_true(options.maximize && options.seed == 7 && options.target == 0.9);
    assert_int_equal(options.order, TY_ORDER_REPLAY);
    assert_int_equal(options.max_trials, 30);
    assert_int_equal(options.max_consecutive_failures, 3);
    char *identity = strdup(options.identity);
    load(f, "s.yaml", whole_yaml);
    assert_whole(f);
    assert_string_equal(f->file.identity, identity);
    assert_non_null(strstr(identity, "\"sampler.type\":\"sobol\""));
    free(identity);
}

static void room_for_checkpoints_has_its_unit(void **state) {
    static const struct {
        const char *written;
        double bytes;
    } cases[] = {{"20GB", 20e9},        {"20 GB", 20e9}, {"1.5 MB", 1.5e6}, {"512 MiB", 0x1p29},
                 {"3 GiB", 3 * 0x1p30}, {"64 kB", 64e3}, {"64 KiB", 65536}, {"2 TB", 2e12},
                 {"1 TiB", 0x1p40},     {"500 B", 500},  {"500 bytes", 500}};
    fixture *f = *state;
    load(f, "s.json", whole_json);
    assert_int_equal(f->file.resources.disk.unit, TY_UNIT_NONE);
    char *identity = strdup(f->file.identity);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char set[64];
        (void)snprintf(set, sizeof set, "resources.disk=%s", cases[i].written);
        assert_int_equal(read_set(f, "s.json", whole_json, set), TY_OK);
        assert_int_equal(f->file.resources.disk.unit, TY_UNIT_BYTES);
        assert_true(f->file.resources.disk.value == cases[i].bytes);
        assert_string_equal(f->file.identity, identity); /* it may be another one later */
    }
    free(identity);
    assert_int_equal(read_set(f, "s.json", whole_json, "resources.disk=1e9"), TY_OK);
    assert_true(f->file.resources.disk.value == 1e9);
    assert_int_equal(read_set(f, "s.json", whole_json, "resources.disk=none"), TY_OK);
    assert_int_equal(f->file.resources.disk.unit, TY_UNIT_NONE);
}

static void room_that_is_none_is_refused(void **state) {
    static const char begins[] = "parameters: {x: {min: 0.0, max: 1.0}}\nresources: {disk: ";
    static const char *const cases[][2] = {{"0 GB", "want > 0"},
                                           {"-1", "want > 0"},
                                           {"2 hours", "want an amount"},
                                           {"'20'", "write its unit"},
                                           {"20 gib", "did you mean \"20 GiB\"?"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        (void)snprintf(text, sizeof text, "%s%s}\n", begins, cases[i][0]);
        expect_finding(*state, text, "s.yaml:2:19: resources.disk");
        expect_finding(*state, text, cases[i][1]);
    }
}

static void a_set_changes_a_key_of_the_sweep_also_one_with_dots_in_it(void **state) {
    fixture *f = *state;
    assert_int_equal(read_set(f, "s.json", whole_json, "run_cap=3"), TY_OK);
    assert_int_equal(f->file.run_cap, 3);
    assert_int_equal(read_set(f, "s.yaml", whole_yaml, "parameters.o.lr.max=0.5"), TY_OK);
    assert_true(f->file.space.params[1].high == 0.5);
    assert_int_equal(read_set(f, "s.yaml", whole_yaml, "config=here.json"), TY_OK);
    assert_string_equal(f->file.config_path, "here.json");
}

static void what_wb_means_and_we_do_not_is_named_once(void **state) {
    fixture *f = *state;
    load_yaml(f, "method: random\nproject: p\nentity: e\nkind: sweep\napiVersion: v\n"
                 "controller: {type: local, port: 1}\nimage_uri: i\njob: j\nprogram: train.py\n"
                 "metric: {name: loss, impute: best, impute_while_running: latest}\n"
                 "command: ['${env}', python3, '${program}', '${args}', 3, 0.5]\n"
                 "parameters: {x: {values: [1, 2]}}\n");
    assert_string_equal(ty_text_string(&f->log),
                        "1 sweep: means nothing here and is ignored: project, entity, job, "
                        "image_uri, apiVersion, controller, metric.impute, "
                        "metric.impute_while_running\n");
    assert_int_equal(f->file.command.n, 6);
    assert_string_equal(f->file.command.v[2], "${program}");
    assert_string_equal(f->file.command.v[4], "3");
    assert_string_equal(f->file.command.v[5], "0.5");
    assert_string_equal(f->file.program, "train.py");
}

static void a_method_is_a_sampler(void **state) {
    fixture *f = *state;
    load_yaml(f, "method: grid\nparameters: {x: {values: [1, 2]}}\n");
    assert_string_equal(f->file.sampler.row->type, "grid");
    load_yaml(f, "method: custom\nparameters: {x: {values: [1, 2]}}\n");
    assert_string_equal(f->file.sampler.row->type, "random");
    load_yaml(f, "parameters: {x: {values: [1, 2]}}\nsampler: null\n");
    assert_int_equal(f->file.method, TY_METHOD_BAYES);
    assert_non_null(f->file.sampler.row);
    expect_finding(f, "method: grid\nsampler: sobol\nparameters: {x: {values: [1, 2]}}\n",
                   "error: s.yaml:2:10: sampler \"sobol\" contradicts method \"grid\"");
}

static void early_terminate_is_our_pruner_of_wbs_rule(void **state) {
    fixture *f = *state;
    load_yaml(f, "parameters: {x: {min: 1, max: 9}}\n"
                 "early_terminate: {type: hyperband, min_iter: 3, eta: 2, strict: false}\n");
    assert_string_equal(f->file.pruner.row->type, "wandb");
    assert_ptr_equal(f->file.pruner.config, f->file.early_terminate.config);
    assert_non_null(strstr(f->file.identity, "\"early_terminate.min_iter\":3"));
    load_yaml(f, "parameters: {x: {min: 1, max: 9}}\n"
                 "pruner: {type: wandb, max_iter: 27, s: 2}\n");
    assert_string_equal(f->file.pruner.row->type, "wandb");
    load_yaml(f, "parameters: {x: {min: 1, max: 9}}\npruner: hyperband\n");
    assert_string_equal(f->file.pruner.row->type, "hyperband");
    expect_finding(f, "parameters: {x: {min: 1, max: 9}}\nearly_terminate: {type: hyperband}\n",
                   "s.yaml:2:18: where the bands are is not said: want min_iter");
    expect_finding(f,
                   "parameters: {x: {min: 1, max: 9}}\npruner: median\n"
                   "early_terminate: {type: hyperband, min_iter: 3}\n",
                   "s.yaml:3:18: \"pruner\" says already what stops a trial early");
    expect_finding(f, "parameters: {x: {min: 1, max: 9}}\nearly_terminate: {type: median}\n",
                   "s.yaml:2:25: early_terminate.type is \"median\", want \"hyperband\"");
}

/* --- parameters ----------------------------------------------------------------------------------- */

/* The one parameter of a file. */
static const ty_param *only(fixture *f, const char *text) {
    char yaml[1024];
    (void)snprintf(yaml, sizeof yaml, "parameters: {x: %s}", text);
    load_yaml(f, yaml);
    assert_int_equal(f->file.space.count, 1);
    assert_string_equal(f->file.space.params[0].name, "x");
    return &f->file.space.params[0];
}

static void numbers_without_a_distribution_are_what_they_look_like(void **state) {
    fixture *f = *state;
    const ty_param *p = only(f, "{min: 1, max: 5}");
    assert_true(p->is_int && p->low == 1 && p->high == 5 && p->step == 1);
    p = only(f, "{min: 1.0, max: 5}");
    assert_true(!p->is_int && p->low == 1 && p->high == 5 && p->step == 0);
    p = only(f, "{min: 1, max: 64, log: true}");
    assert_true(p->is_int && p->prior == TY_PRIOR_LOG && p->low == 1 && p->high == 64);
    p = only(f, "{min: 32, max: 128, step: 32}");
    assert_true(p->is_int && p->step == 32 && ty_param_cardinality(p) == 4);
    p = only(f, "{min: 0.1, max: 0.5, step: 0.1}");
    assert_true(!p->is_int && p->step == 0.1 && ty_param_cardinality(p) == 5);
    p = only(f, "{min: 1.0e-4, max: 0.1, log: true}");
    assert_true(!p->is_int && p->prior == TY_PRIOR_LOG && p->low == 1e-4);
}

static void choices_are_as_they_were_written(void **state) {
    fixture *f = *state;
    const ty_param *p = only(f, "{values: [a, 1, 1.5, null, [2], {k: v}]}");
    assert_int_equal(p->prior, TY_PRIOR_CHOICE);
    assert_int_equal(p->choice_count, 6);
    assert_null(p->probabilities);
    p = only(f, "{values: [a, b], probabilities: [0.25, 0.75]}");
    assert_true(p->probabilities[0] == 0.25 && p->probabilities[1] == 0.75);
    p = only(f, "{values: [a, b], distribution: categorical}");
    assert_int_equal(p->choice_count, 2);
}

static void log_distributions_have_values_or_exponents(void **state) {
    fixture *f = *state;
    const ty_param *p = only(f, "{distribution: log_uniform_values, min: 1.0e-5, max: 0.1}");
    assert_true(p->prior == TY_PRIOR_LOG && p->low == 1e-5 && p->high == 0.1);
    assert_string_equal(ty_text_string(&f->log), "");
    p = only(f, "{distribution: inv_log_uniform_values, min: 0.5, max: 2}");
    assert_true(p->prior == TY_PRIOR_LOG && p->low == 0.5 && p->high == 2);
    p = only(f, "{distribution: log_uniform, min: -2, max: 1}");
    assert_true(p->low == ty_exact_exp(-2) && p->high == ty_exact_exp(1));
    assert_string_equal(ty_text_string(&f->log),
                        "2 sweep: x: min and max of log_uniform are exponents of e, so that it is "
                        "0.1353 to 2.718; log_uniform_values takes the values themselves\n");
    p = only(f, "{distribution: log_uniform, min: 1.0e-5, max: 0.1}");
    assert_non_null(strstr(ty_text_string(&f->log), "1 sweep: x: min and max"));
    p = only(f, "{distribution: inv_log_uniform, min: -2, max: 1}");
    assert_true(p->low == ty_exact_exp(-1) && p->high == ty_exact_exp(2));
}

static void q_rounds_to_its_multiples(void **state) {
    fixture *f = *state;
    const ty_param *p = only(f, "{distribution: q_uniform, min: 1, max: 10, q: 2}");
    assert_true(p->is_int && p->step == 2 && p->low == 2 && p->high == 10);
    assert_true(p->from == 1 && p->to == 10);
    p = only(f, "{distribution: q_uniform, min: 0, max: 1, q: 0.25}");
    assert_true(!p->is_int && p->low == 0 && p->high == 1 && ty_param_cardinality(p) == 5);
    p = only(f, "{distribution: q_uniform, min: 0, max: 3}");
    assert_true(!p->is_int && p->step == 1 && p->high == 3);
    p = only(f, "{distribution: q_log_uniform_values, min: 1, max: 100, q: 10}");
    assert_true(p->prior == TY_PRIOR_LOG && p->low == 0 && p->high == 100 && p->from == 1);
    assert_true(ty_param_quantile(p, 0) == 0 && ty_param_quantile(p, 0.9999) == 100);
    p = only(f, "{distribution: q_log_uniform, min: 0, max: 3, q: 1}");
    assert_true(p->is_int && p->low == 1 && p->high == 20);
    p = only(f, "{distribution: q_normal, mu: 10, sigma: 2, q: 1}");
    assert_true(p->is_int && ty_param_quantile(p, 0.5) == 10 && ty_param_quantile(p, 0.84) == 12);
    p = only(f, "{distribution: q_log_normal, q: 0.5}");
    assert_true(ty_param_quantile(p, 0.5) == 1 && ty_param_quantile(p, 1e-9) == 0);
    p = only(f, "{distribution: q_beta, a: 2, b: 2, q: 0.25}");
    assert_true(p->low == 0 && p->high == 1 && ty_param_quantile(p, 0.5) == 0.5);
}

static void bells_and_beta_have_their_own_ends(void **state) {
    fixture *f = *state;
    const ty_param *p = only(f, "{distribution: normal, mu: 3, sigma: 0.5}");
    assert_true(p->prior == TY_PRIOR_NORMAL && p->mu == 3 && p->sigma == 0.5);
    p = only(f, "{distribution: normal}");
    assert_true(p->mu == 0 && p->sigma == 1 && p->low == -INFINITY && p->high == INFINITY);
    p = only(f, "{distribution: log_normal, mu: 1}");
    assert_true(p->prior == TY_PRIOR_LOG_NORMAL && p->mu == 1 && p->low == 0);
    p = only(f, "{distribution: beta, a: 2, b: 3}");
    assert_true(p->prior == TY_PRIOR_BETA && p->a == 2 && p->b == 3 && p->high == 1);
}

/* --- findings ------------------------------------------------------------------------------------- */

static void each_slip_is_said_with_its_place(void **state) {
    static const struct {
        const char *text, *wanted;
    } slips[] = {
        {"{distribution: loguniform, min: 1, max: 2}",
         "s.yaml:1:32: x: there is no distribution \"loguniform\""},
        {"{distribution: loguniform, min: 1, max: 2}", "did you mean \"log_uniform\"?"},
        {"{}", "s.yaml:1:17: x says nothing of its values"},
        {"{min: 1}", "s.yaml:1:17: x: \"max\" is missing, which uniform wants"},
        {"{min: 1, max: 2, q: 3}", "s.yaml:1:37: x: \"q\" does not belong to int_uniform"},
        {"{min: 1, max: 2, stepp: 3}", "s.yaml:1:41: x: unknown key \"stepp\""},
        {"{min: 1, max: 2, stepp: 3}", "did you mean \"step\"?"},
        {"{min: a, max: 2}", "s.yaml:1:23: x: \"min\" is \"a\", want a number"},
        {"{min: 3, max: 2}", "s.yaml:1:31: x: \"max\" is 2 and \"min\" is 3, want more"},
        {"{min: 2, max: 2}", "one value alone is written as \"value\""},
        {"{min: 0, max: 5, step: 2}", "s.yaml:1:17: x: step 2 does not divide 0 to 5"},
        {"{min: 0, max: 5, step: 0.5}", "x: \"step\" is 0.5, want an integer"},
        {"{min: 0, max: 5, step: 0}", "x: \"step\" is 0, want > 0"},
        {"{min: 0, max: 5, log: 1}", "x: \"log\" is no true or false"},
        {"{min: 0, max: 5, log: true}", "x: a logarithm over 0, want > 0"},
        {"{distribution: log_uniform_values, min: 0, max: 1}", "x: a logarithm over 0"},
        {"{distribution: log_uniform, min: 1, max: 1000}", "x: e^1 to e^1000 is no range"},
        {"{distribution: int_uniform, min: 0.5, max: 2}", "x: \"min\" is 0.5, want an integer"},
        {"{distribution: int_uniform, min: 0, max: 1.0e17}", "x: whole numbers beyond 2^53"},
        {"{min: -1.0e+308, max: 1.0e+308}", "x: the range -1e+308 to 1e+308 is too wide"},
        {"{distribution: normal, sigma: 0}", "x: \"sigma\" is 0, want > 0"},
        {"{distribution: beta, a: -1}", "x: \"a\" is -1, want > 0"},
        {"{distribution: q_uniform, min: 0, max: 1, q: -1}", "x: \"q\" is -1, want > 0"},
        {"{values: []}", "s.yaml:1:26: x: \"values\" is [], want a list of one value at least"},
        {"{values: 3}", "x: \"values\" is 3, want a list"},
        {"{values: [1, 2], probabilities: [1]}", "x: 1 probabilities for 2 values"},
        {"{values: [1, 2], probabilities: [1, -1]}", "x: probability 1 is no number >= 0"},
        {"{values: [1, 2], probabilities: [1, 1]}", "x: the probabilities add up to 2, want 1"},
        {"{parameters: {y: {value: 1}}, min: 1}", "x has \"parameters\", want an object"},
        {"{parameters: 1}", "x has \"parameters\", want an object of parameters there"},
        {"3", "s.yaml:1:17: x is 3, want an object"},
        {"{value: 3}", "s.yaml:1:13: nothing is searched"},
    };
    for (size_t i = 0; i < sizeof slips / sizeof slips[0]; i++) {
        char text[256];
        (void)snprintf(text, sizeof text, "parameters: {x: %s}\n", slips[i].text);
        expect_finding(*state, text, slips[i].wanted);
    }
    expect_finding(*state, "parameters: {1x: {value: 1}}\n", "a parameter is called \"1x\"");
    expect_finding(*state,
                   "parameters: {a.b: {min: 1, max: 2}, a: {parameters: {b: {value: 1}}}}\n",
                   "s.yaml:1:57: a.b is a parameter twice, here and as parameters.a.b");
    expect_finding(*state, "method: random\n", "missing key \"parameters\", want an object");
    expect_finding(*state, "parameters: [1]\n", "parameters is a list, want an object");
    expect_finding(*state, "n_trials: 3\nparameters: {x: {min: 1, max: 2}}\n",
                   "called \"run_cap\" here");
    expect_finding(*state, "config: c\ncommand: [d]\nparameters: {x: {min: 1, max: 2}}\n",
                   "s.yaml:2:10: \"config\" and \"command\" exclude each other");
    expect_finding(*state, "command: [a, [b]]\nparameters: {x: {min: 1, max: 2}}\n",
                   "s.yaml:1:14: this is no word of a command");
}

static void all_findings_are_said_at_once_in_both_formats(void **state) {
    fixture *f = *state;
    char said[2048];
    assert_string_equal(
        findings(f, "s.json",
                 "{\"method\": \"beyes\",\n \"parameters\": {\n  \"a\": {\"min\": 2, \"max\": 1},\n"
                 "  \"o.lr\": {\"mni\": 1, \"max\": 2}}}\n",
                 said),
        "error: s.json:1:12: method is \"beyes\", want one of \"bayes\", \"random\", \"grid\", "
        "\"custom\"\n"
        "    1 | {\"method\": \"beyes\",\n"
        "      |            ^~~~~~~ did you mean \"bayes\"?\n"
        "error: s.json:3:26: a: \"max\" is 1 and \"min\" is 2, want more\n"
        "    3 |   \"a\": {\"min\": 2, \"max\": 1},\n"
        "      |                          ^\n"
        "error: s.json:4:11: o.lr: \"min\" is missing, which uniform wants\n"
        "    4 |   \"o.lr\": {\"mni\": 1, \"max\": 2}}}\n"
        "      |           ^\n"
        "error: s.json:4:19: o.lr: unknown key \"mni\"\n"
        "    4 |   \"o.lr\": {\"mni\": 1, \"max\": 2}}}\n"
        "      |                   ^\n"
        "4 errors, nothing was run");
    ty_sweep_file_clear(&f->file);
    assert_int_equal(ty_sweep_file_read(&f->ctx, "no/such.yaml", NULL, 0, &f->file),
                     TY_ERR_NOT_FOUND);
}

static void a_default_is_one_of_a_parameters_values(void **state) {
    fixture *f = *state;
    load_yaml(f, "parameters:\n"
                 "  a: {min: 1, max: 8, default: 3}\n"
                 "  b: {values: [x, y, [1]], default: [1]}\n"
                 "  c: {min: 0.5, max: 2.0}\n");
    const ty_param *p = f->file.space.params;
    assert_true(p[0].has_fallback && p[0].fallback == 3);
    assert_true(p[1].has_fallback && p[1].fallback == 2);
    assert_false(p[2].has_fallback);
    expect_finding(f, "parameters:\n  a: {min: 1, max: 8, default: 3.5}\n",
                   "s.yaml:2:32: a: \"default\" is 3.5, which is none of its values");
    expect_finding(f, "parameters:\n  a: {values: [1, 2], default: null}\n",
                   "\"default\" is null, which is none of its values");
    expect_finding(f, "parameters:\n  a: {value: 1, default: 1}\n  b: {values: [1, 2]}\n",
                   "\"default\" does not belong to constant");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_small_file_has_everything_else_by_default),
        TEST(every_key_is_read_and_both_formats_are_the_same_sweep),
        TEST(room_for_checkpoints_has_its_unit),
        TEST(room_that_is_none_is_refused),
        TEST(a_set_changes_a_key_of_the_sweep_also_one_with_dots_in_it),
        TEST(what_wb_means_and_we_do_not_is_named_once),
        TEST(a_method_is_a_sampler),
        TEST(early_terminate_is_our_pruner_of_wbs_rule),
        TEST(numbers_without_a_distribution_are_what_they_look_like),
        TEST(choices_are_as_they_were_written),
        TEST(log_distributions_have_values_or_exponents),
        TEST(q_rounds_to_its_multiples),
        TEST(bells_and_beta_have_their_own_ends),
        TEST(each_slip_is_said_with_its_place),
        TEST(all_findings_are_said_at_once_in_both_formats),
        TEST(a_default_is_one_of_a_parameters_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
