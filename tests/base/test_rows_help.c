/* What rows say of themselves: to editors, to docs/CONFIG.md and to the terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rows_fixture.h"

/* --- the schema ------------------------------------------------------------------------------- */

static json_t *schema(void) {
    ty_text text = {0};
    ty_rows_schema(&fixture_rows, "Fixture", &text);
    assert_false(text.is_short);
    json_t *json = json_loads(ty_text_string(&text), JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    ty_text_clear(&text);
    return json;
}

static void assert_property(const char *const path[], const char *wanted) {
    json_t *root = schema(), *at = root;
    for (int i = 0; path[i] && at; i++)
        at = json_is_array(at) ? json_array_get(at, (size_t)atoi(path[i]))
                               : json_object_get(at, path[i]);
    char *text =
        at ? json_dumps(at, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    assert_non_null(text);
    assert_string_equal(text, wanted);
    free(text);
    json_decref(root);
}

#define PATH(...) ((const char *const[]){__VA_ARGS__, NULL})

static void the_schema_knows_every_kind_of_row(void **state) {
    (void)state;
    assert_property(PATH("properties", "deterministic"),
                    "{\"type\":\"boolean\",\"description\":\"Same bits.\",\"default\":true}");
    assert_property(PATH("properties", "threads", "anyOf"),
                    "[{\"type\":\"integer\",\"minimum\":1,\"maximum\":1024},{\"const\":\"auto\"}]");
    assert_property(PATH("properties", "dropout"),
                    "{\"type\":\"number\",\"minimum\":0,\"exclusiveMaximum\":1,"
                    "\"description\":\"Of the activations. [ratio]\",\"default\":0}");
    assert_property(PATH("properties", "best", "anyOf"),
                    "[{\"type\":\"string\"},{\"type\":\"null\"}]");
    assert_property(PATH("properties", "device", "enum"), "[\"auto\",\"cpu\",\"cuda\"]");
    assert_property(PATH("properties", "tags", "anyOf"),
                    "[{\"type\":\"string\"},{\"type\":\"array\",\"items\":{\"type\":\"string\"}}]");
    assert_property(
        PATH("properties", "train", "properties", "every", "pattern"),
        "\"^(never|none|[0-9]+(\\\\.[0-9]+)?([eE][+-]?[0-9]+)? *(steps|step|epochs|epoch))$\"");
    assert_property(PATH("properties", "train", "properties", "deadline", "anyOf", "1"),
                    "{\"type\":\"number\",\"minimum\":1,\"maximum\":3600}");
}

static void the_schema_refuses_unknown_keys_everywhere(void **state) {
    (void)state;
    assert_property(PATH("additionalProperties"), "false");
    assert_property(PATH("properties", "train", "additionalProperties"), "false");
    assert_property(PATH("properties", "train", "properties", "early_stop", "additionalProperties"),
                    "false");
    assert_property(PATH("$defs", "optimizer", "oneOf", "1", "additionalProperties"), "false");
}

static void the_schema_requires_what_has_no_default_unless_a_file_extends(void **state) {
    (void)state;
    assert_property(PATH("anyOf"),
                    "[{\"required\":[\"extends\"]},{\"required\":[\"train\",\"model\"]}]");
    assert_property(PATH("properties", "train", "required"), "[\"duration\"]");
    assert_property(PATH("$defs", "layers", "oneOf", "1", "required"), "[\"type\",\"out\"]");
}

static void forms_are_one_of_their_names_or_objects(void **state) {
    (void)state;
    assert_property(PATH("$defs", "layers", "oneOf", "0"),
                    "{\"enum\":[\"relu\"]}"); /* conv2d needs keys */
    assert_property(PATH("$defs", "optimizer", "oneOf", "0"), "{\"enum\":[\"sgd\",\"adamw\"]}");
    assert_property(PATH("$defs", "optimizer", "oneOf", "1", "required"), "[\"type\"]");
    json_t *root = schema();
    json_t *forms =
        json_object_get(json_object_get(json_object_get(root, "$defs"), "optimizer"), "oneOf");
    assert_null(json_object_get(json_array_get(forms, 2), "required")); /* adamw is the default */
    json_decref(root);
}

static void layers_in_layers_refer_to_themselves(void **state) {
    (void)state;
    assert_property(PATH("$defs", "layers", "oneOf", "3", "properties", "layers", "items"),
                    "{\"$ref\":\"#/$defs/layers\"}");
    assert_property(PATH("properties", "model", "properties", "layers", "items"),
                    "{\"$ref\":\"#/$defs/layers\"}");
    assert_property(PATH("properties", "schedule", "anyOf"),
                    "[{\"$ref\":\"#/$defs/schedule\"},{\"type\":\"null\"}]");
}

static void forms_with_another_default_are_another_definition(void **state) {
    (void)state;
    static const ty_row v[] = {
        {.key = "optimizer",
         .type = TY_ROW_VARIANT,
         .variants = optimizer_forms,
         .fallback = "\"sgd\"",
         .help = ""},
        {.key = "optimizers",
         .type = TY_ROW_VARIANTS,
         .variants = optimizer_forms,
         .fallback = "[]",
         .help = ""},
        {.key = "opt",
         .type = TY_ROW_VARIANT,
         .variants = optimizer_forms,
         .fallback = "{\"type\": \"sgd\"}"},
    };
    const ty_rows rows = TY_ROWS(v);
    ty_text text = {0};
    ty_rows_schema(&rows, "Two", &text);
    json_t *root = json_loads(ty_text_string(&text), 0, NULL);
    assert_int_equal(json_object_size(json_object_get(root, "$defs")), 2);
    const json_t *opt = json_object_get(json_object_get(root, "properties"), "opt");
    assert_string_equal(json_string_value(json_object_get(opt, "$ref")), "#/$defs/optimizer");
    json_decref(root);
    ty_text_clear(&text);
}

/* --- Markdown --------------------------------------------------------------------------------- */

static void markdown_has_a_line_for_every_key(void **state) {
    (void)state;
    static const char *const lines[] = {
        "| `dropout` | a number >= 0 and < 1 | `0` | result | Of the activations. [ratio] |\n",
        "| `train.duration` | an amount: \"N epochs\", \"N steps\", \"N samples\", \"N s\", \"N "
        "min\", \"N h\" | "
        "required | result | How long to train. |\n",
        "| `train.early_stop.metric` | a string, or null | `null` | result | What is watched. |\n",
        "| `train.micro_batch_size` | an integer >= 1, or \"auto\" | `\"auto\"` | cost | Of one "
        "plan \\| one rank. |\n",
        "| `display.log_every` | an integer >= 1 | `1` | display | Points. |\n",
        "\n### `optimizer`: \"adamw\"\n\nAdam with decoupled decay.\n\n",
        "| `betas` | a list of numbers >= 0 and < 1 | `[0.9, 0.999]` | result | Decay of the two "
        "moments. |\n",
        "\n### `model.layers`: \"relu\"\n\nmax(0, x).\n\n### `model.layers`: \"residual\"",
        "| `skip.scale` | a number | `1` | result | Of the skip. |\n",
    };
    ty_text text = {0};
    ty_rows_markdown(&fixture_rows, &text);
    assert_false(text.is_short);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        if (!strstr(ty_text_string(&text), lines[i]))
            print_error("missing: %s", lines[i]);
        assert_non_null(strstr(ty_text_string(&text), lines[i]));
    }
    ty_text_clear(&text);
}

/* --- the terminal ----------------------------------------------------------------------------- */

static void assert_explained(const char *path, const char *wanted) {
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    ty_text text = {0};
    assert_int_equal(ty_rows_explain(&ctx, &fixture_rows, NULL, path, &text), TY_OK);
    assert_string_equal(ty_text_string(&text), wanted);
    ty_text_clear(&text);
    ty_ctx_clear(&ctx);
}

static void a_key_is_explained_with_its_form(void **state) {
    (void)state;
    assert_explained("threads",
                     "threads\n    Of a rank.\n    an integer >= 1 and <= 1024, or \"auto\"\n"
                     "    default \"auto\"; changes only speed or memory\n");
    assert_explained("model.layers.12.out",
                     "model.layers.out  (with type \"conv2d\")\n    Output channels. [channels]\n"
                     "    an integer >= 1\n    required; changes the result\n");
    assert_explained(
        "optimizer.learning_rate",
        "optimizer.learning_rate  (with type \"sgd\")\n    Step size.\n    a number > 0\n"
        "    default 0.1; changes the result\n\n"
        "optimizer.learning_rate  (with type \"adamw\")\n    Step size.\n    a number > 0\n"
        "    default 0.001; changes the result\n");
}

static void a_section_is_explained_with_its_keys(void **state) {
    (void)state;
    assert_explained("train.early_stop",
                     "train.early_stop\n    When to stop early.\n\n"
                     "train.early_stop.metric\n    What is watched.\n    a string, or null\n"
                     "    default null; changes the result\n\n"
                     "train.early_stop.patience\n    How long it may not improve. [evaluations]\n"
                     "    an integer >= 1\n    default 3; changes the result\n");
    assert_explained("schedule.type",
                     "schedule\n    Of the learning rate.\n    \"cosine\", or null\n"
                     "    default null; changes the result\n");
}

static int count(const char *text, const char *word) {
    int n = 0;
    for (; (text = strstr(text, word)); text += strlen(word))
        n++;
    return n;
}

static void without_a_path_every_key_is_explained_once(void **state) {
    (void)state;
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    ty_text text = {0};
    assert_int_equal(ty_rows_explain(&ctx, &fixture_rows, NULL, NULL, &text), TY_OK);
    assert_int_equal(count(ty_text_string(&text), "\ntrain.duration\n"), 1);
    assert_int_equal(
        count(ty_text_string(&text), "\nmodel.layers.skip.scale  (with type \"residual\")\n"), 1);
    ty_text_clear(&text);
    ty_ctx_clear(&ctx);
}

static void an_unknown_key_is_answered_with_the_nearest(void **state) {
    (void)state;
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    ty_text text = {0};
    static const struct {
        const char *path, *wanted;
    } cases[] = {
        {"train.duraton", "did you mean \"train.duration\"?"},
        {"micro_batch_size", "did you mean \"train.micro_batch_size\"?"},
        {"lr", "called \"optimizer.learning_rate\" here"},
        {"optimizer.lr", "called \"optimizer.learning_rate\" here"},
        {"zzzzzzzzzz", "there are name, best, seed, threads, device, deterministic, dropout, floor, "
                       "train, optimizer, schedule, model, milestones, tags, display"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char wanted[256];
        assert_int_equal(
            ty_rows_explain(&ctx, &fixture_rows, fixture_foreign, cases[i].path, &text),
            TY_ERR_ARG);
        (void)snprintf(wanted, sizeof wanted, "there is no key \"%s\"; %s", cases[i].path,
                       cases[i].wanted);
        assert_string_equal(ctx.message, wanted);
    }
    char long_path[1000];
    memset(long_path, 'x', sizeof long_path);
    long_path[999] = '\0';
    assert_int_equal(ty_rows_explain(&ctx, &fixture_rows, NULL, long_path, &text), TY_ERR_ARG);
    assert_string_equal(ty_text_string(&text), "");
    ty_text_clear(&text);
    ty_ctx_clear(&ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_schema_knows_every_kind_of_row),
        cmocka_unit_test(the_schema_refuses_unknown_keys_everywhere),
        cmocka_unit_test(the_schema_requires_what_has_no_default_unless_a_file_extends),
        cmocka_unit_test(forms_are_one_of_their_names_or_objects),
        cmocka_unit_test(layers_in_layers_refer_to_themselves),
        cmocka_unit_test(forms_with_another_default_are_another_definition),
        cmocka_unit_test(markdown_has_a_line_for_every_key),
        cmocka_unit_test(a_key_is_explained_with_its_form),
        cmocka_unit_test(a_section_is_explained_with_its_keys),
        cmocka_unit_test(without_a_path_every_key_is_explained_once),
        cmocka_unit_test(an_unknown_key_is_answered_with_the_nearest),
    };
    return cmocka_run_group_tests_name("base.rows_help", tests, NULL, NULL);
}
