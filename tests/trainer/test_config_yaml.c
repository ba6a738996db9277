/* Every shipped config, written again as YAML, is the same document and the same run. */
#include "trainer/config.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PATH = 512 };

/* --- a document as YAML ----------------------------------------------------------------------- */

static void add_indent(ty_text *out, int depth) {
    ty_text_add(out, "\n");
    for (int i = 0; i < depth; i++)
        ty_text_add(out, "  ");
}

/* Words of letters stand plain, as people write them, but for those that are no strings. */
static bool is_plain(const char *text) {
    const bool is_word = *text && text[strspn(text, "abcdefghijklmnopqrstuvwxyz-/_.")] == '\0';
    const bool is_letter = *text >= 'a' && *text <= 'z';
    return is_word && is_letter && strcmp(text, "true") != 0 && strcmp(text, "false") != 0 &&
           strcmp(text, "null") != 0;
}

static void add_string(ty_text *out, const char *text) {
    if (is_plain(text))
        ty_text_add(out, text);
    else
        ty_text_add_json(out, text);
}

static void add_scalar(ty_text *out, const ty_doc *doc, const char *path) {
    const json_t *json = ty_doc_at(doc, path);
    if (json_is_string(json))
        add_string(out, json_string_value(json));
    else if (json_is_number(json))
        ty_text_add(out, ty_doc_number_text(doc, path));
    else
        ty_text_add(out, json_is_null(json) ? "~" : json_is_true(json) ? "True" : "false");
}

static void add_value(ty_text *out, const ty_doc *doc, const char *path, int depth);

static void add_object(ty_text *out, const ty_doc *doc, const char *path, int depth) {
    json_t *object = (json_t *)(uintptr_t)ty_doc_at(doc, path);
    for (void *it = json_object_iter(object); it; it = json_object_iter_next(object, it)) {
        char below[PATH];
        (void)snprintf(below, sizeof below, "%s%s%s", path, *path ? "." : "",
                       json_object_iter_key(it));
        add_indent(out, depth);
        add_string(out, json_object_iter_key(it));
        ty_text_add(out, ": ");
        add_value(out, doc, below, depth + 1);
    }
}

static void add_value(ty_text *out, const ty_doc *doc, const char *path, int depth) {
    const json_t *json = ty_doc_at(doc, path);
    const size_t n = json_array_size(json);
    if (json_object_size(json) > 0) {
        add_object(out, doc, path, depth);
    } else if (n > 0) {
        for (size_t i = 0; i < n; i++) {
            char below[PATH];
            (void)snprintf(below, sizeof below, "%s.%zu", path, i);
            add_indent(out, depth);
            ty_text_add(out, "- ");
            add_value(out, doc, below, depth + 1);
        }
    } else if (json_is_object(json) || json_is_array(json)) {
        ty_text_add(out, json_is_object(json) ? "{}" : "[]");
    } else {
        add_scalar(out, doc, path);
    }
}

/* --- what both are ---------------------------------------------------------------------------- */

static void resolve(ty_ctx *ctx, ty_doc *doc, ty_text *out, uint64_t *hash) {
    ty_train_config config;
    ty_status st = ty_train_config_load(ctx, doc, &config);
    if (st == TY_OK)
        st = ty_rows_dump(ctx, &ty_train_rows, doc, out);
    if (st == TY_OK)
        st = ty_rows_hash(ctx, &ty_train_rows, doc, hash);
    if (st != TY_OK)
        fail_msg("%s", ctx->message);
}

static void assert_one_run(ty_ctx *ctx, ty_doc *json, ty_doc *yaml) {
    ty_text a = {0}, b = {0};
    uint64_t hash_a = 0, hash_b = 1;
    assert_true(json_equal(ty_doc_at(json, ""), ty_doc_at(yaml, "")));
    resolve(ctx, json, &a, &hash_a);
    resolve(ctx, yaml, &b, &hash_b);
    assert_string_equal(ty_text_string(&a), ty_text_string(&b));
    assert_int_equal(hash_a, hash_b);
    ty_text_clear(&a);
    ty_text_clear(&b);
}

static void compare(ty_ctx *ctx, const char *path) {
    ty_doc *json = NULL, *yaml = NULL;
    ty_text text = {0};
    if (ty_doc_read(ctx, path, &json) != TY_OK)
        fail_msg("%s", ctx->message);
    add_value(&text, json, "", 0);
    assert_false(text.is_short);
    if (ty_doc_parse(ctx, "twin.yaml", ty_text_string(&text), text.length, &yaml) != TY_OK)
        fail_msg("%s\n%s", ctx->message, ty_text_string(&text));
    assert_one_run(ctx, json, yaml);
    ty_doc_close(json);
    ty_doc_close(yaml);
    ty_text_clear(&text);
}

static void every_shipped_config_is_the_same_run_in_yaml(void **state) {
    int n = 0;
    DIR *folder = opendir(TY_CONFIGS);
    assert_non_null(folder);
    for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        const char *suffix = strrchr(entry->d_name, '.');
        if (!suffix || strcmp(suffix, ".json") != 0)
            continue;
        char path[PATH];
        (void)snprintf(path, sizeof path, "%s/%s", TY_CONFIGS, entry->d_name);
        compare(*state, path);
        n++;
    }
    (void)closedir(folder);
    assert_true(n >= 4);
}

/* What only YAML can write: the run of the JSON on its right. */
static void other_spellings_of_a_number_are_the_same_run(void **state) {
    static const char json_text[] =
        "{\"data\": {\"source\": \"synthetic\", \"val_fraction\": 0.5},"
        " \"model\": {\"layers\": [\"flatten\", {\"type\": \"dropout\", \"rate\": 0.25}, "
        "\"linear\"]},"
        " \"seed\": 31, \"train\": {\"global_batch_size\": 64},"
        " \"optimizer\": {\"type\": \"adamw\", \"learning_rate\": 1e-4}}";
    static const char yaml_text[] = "data: {source: synthetic, val_fraction: .5}\n"
                                    "model:\n"
                                    "  layers: [flatten, {type: dropout, rate: +0.25}, linear]\n"
                                    "seed: 0x1F\n"
                                    "train: {global_batch_size: 0o100}\n"
                                    "optimizer:\n"
                                    "  type: adamw\n"
                                    "  learning_rate: 1e-4\n";
    ty_ctx *ctx = *state;
    ty_doc *json = NULL, *yaml = NULL;
    assert_int_equal(ty_doc_parse(ctx, "a.json", json_text, sizeof json_text - 1, &json), TY_OK);
    assert_int_equal(ty_doc_parse(ctx, "a.yaml", yaml_text, sizeof yaml_text - 1, &yaml), TY_OK);
    assert_one_run(ctx, json, yaml);
    ty_doc_close(json);
    ty_doc_close(yaml);
}

static void a_slip_in_yaml_is_said_as_one_in_json_is(void **state) {
    static const char text[] = "data: {source: synthetic}\n"
                               "model: {layers: [linear]}\n"
                               "optimizer:\n"
                               "  learnig_rate: 1e-3 # a slip\n"
                               "train:\n"
                               "  duration: 4 parsecs\n"
                               "seed: yes\n";
    ty_ctx *ctx = *state;
    ty_doc *doc = NULL;
    ty_train_config config;
    assert_int_equal(ty_doc_parse(ctx, "a.yaml", text, sizeof text - 1, &doc), TY_OK);
    assert_int_equal(ty_train_config_load(ctx, doc, &config), TY_ERR_CONFIG);
    static const char *const words[] = {
        "error: a.yaml:4:3: unknown key \"optimizer.learnig_rate\"\n"
        "    4 |   learnig_rate: 1e-3 # a slip\n"
        "      |   ^~~~~~~~~~~~ did you mean \"learning_rate\"?\n",
        "error: a.yaml:6:13: train.duration is \"4 parsecs\"",
        "    6 |   duration: 4 parsecs\n      |             ^~~~~~~~~",
        "error: a.yaml:7:7: seed is \"yes\", want an integer", "3 errors"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (!strstr(ctx->message, words[i]))
            fail_msg("\"%s\" is not in \"%s\"", words[i], ctx->message);
    ty_doc_close(doc);
}

static int open_ctx(void **state) {
    static ty_ctx ctx;
    ty_ctx_init(&ctx);
    *state = &ctx;
    return 0;
}

static int close_ctx(void **state) {
    ty_ctx_clear(*state);
    return 0;
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_ctx, close_ctx)
    const struct CMUnitTest tests[] = {
        TEST(every_shipped_config_is_the_same_run_in_yaml),
        TEST(other_spellings_of_a_number_are_the_same_run),
        TEST(a_slip_in_yaml_is_said_as_one_in_json_is),
    };
    return cmocka_run_group_tests_name("trainer.config_yaml", tests, NULL, NULL);
}
