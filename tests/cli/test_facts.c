/* What is told of where a run comes from, and what must not be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/tags.h"

static void assert_clean(const char *url, const char *wanted) {
    char out[256];
    facts_clean_url(url, out, sizeof out);
    assert_string_equal(out, wanted);
}

static void a_url_without_secrets_stays_as_it_is(void **state) {
    (void)state;
    assert_clean("https://example.org/a/b.git", "https://example.org/a/b.git");
    assert_clean("https://example.org:8443/@scope/b", "https://example.org:8443/@scope/b");
    assert_clean("ssh://[::1]:22/a", "ssh://[::1]:22/a");
    assert_clean("git@example.org:a/b.git\n", "git@example.org:a/b.git");
    assert_clean("example.org:a/b.git", "example.org:a/b.git");
    assert_clean("/srv/git/@home/b.git", "/srv/git/@home/b.git");
    assert_clean("../b.git", "../b.git");
    assert_clean("", "");
}

static void users_passwords_and_queries_are_taken_out_of_a_url(void **state) {
    (void)state;
    assert_clean("https://CANARY@example.org/a", "https://example.org/a");
    assert_clean("https://me:CANARY@example.org/a", "https://example.org/a");
    assert_clean("https://me:CAN@RY@example.org/a", "https://example.org/a");
    assert_clean("https://example.org/a?token=CANARY", "https://example.org/a");
    assert_clean("https://example.org/a#CANARY", "https://example.org/a");
    assert_clean("https://me:CAN/ARY@example.org/a", "");
    assert_clean("CANARY@example.org:a/b", "example.org:a/b");
    assert_clean("me:CANARY@example.org:a/b", "example.org:a/b");
    assert_clean("me:CAN@ARY@example.org:a/b", "example.org:a/b");
}

static void a_url_longer_than_its_room_is_cut(void **state) {
    (void)state;
    char out[12];
    facts_clean_url("https://example.org/a", out, sizeof out);
    assert_string_equal(out, "https://exa");
}

static void the_recorded_command_has_no_password(void **state) {
    (void)state;
    char *argv[] = {(char[]){"tiltyard"}, (char[]){"train"}, (char[]){"a b.json"},
                    (char[]){"--set"}, (char[]){"x=http://me:CANARY@example.org/a"}};
    const cli app = {.argc = 5, .argv = argv};
    ty_text out = {0};
    facts_command_line(&app, &out);
    assert_non_null(strstr(ty_text_string(&out), "tiltyard train 'a b.json' --set"));
    assert_non_null(strstr(ty_text_string(&out), "x=http://***@example.org/a"));
    assert_null(strstr(ty_text_string(&out), "CANARY"));
    ty_text_clear(&out);
}

/* --- tags ------------------------------------------------------------------------------------- */

static const char *context;

static const char *answer(const char *name) {
    if (strcmp(name, "MLFLOW_RUN_CONTEXT") == 0)
        return context;
    return strcmp(name, "MLFLOW_PARENT_RUN_ID") == 0 ? "0123" : NULL;
}

static void note_tag(void *self, const char *key, const char *value) {
    ty_text_addf(self, "%s=%s\n", key, value);
}

static void assert_tags(const facts *f, const char *given, const char *wanted) {
    ty_ctx ctx;
    ty_text out = {0};
    ty_ctx_init(&ctx);
    ctx.getenv = answer;
    context = given;
    tags_of_origin(&ctx, f, note_tag, &out);
    assert_string_equal(ty_text_string(&out), wanted);
    ty_text_clear(&out);
    ty_ctx_clear(&ctx);
}

static void tags_have_mlflows_names_and_the_context_has_the_last_word(void **state) {
    (void)state;
    const facts f = {.git_commit = "abc", .git_branch = "main", .git_url = "https://e.org/a"};
    assert_tags(&f, NULL,
                "mlflow.source.git.commit=abc\nmlflow.source.git.branch=main\n"
                "mlflow.source.git.repoURL=https://e.org/a\nmlflow.source.git.dirty=false\n"
                "mlflow.parentRunId=0123\n");
    const facts none = {0};
    assert_tags(&none, "{\"team\": \"vision\", \"n\": 3, \"gone\": \"\", \"ok\": true}",
                "mlflow.parentRunId=0123\nteam=vision\nn=3\nok=true\n");
    assert_tags(&none, "[1]", "mlflow.parentRunId=0123\n");
    assert_tags(&none, "{\"a\":", "mlflow.parentRunId=0123\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_url_without_secrets_stays_as_it_is),
        cmocka_unit_test(users_passwords_and_queries_are_taken_out_of_a_url),
        cmocka_unit_test(a_url_longer_than_its_room_is_cut),
        cmocka_unit_test(the_recorded_command_has_no_password),
        cmocka_unit_test(tags_have_mlflows_names_and_the_context_has_the_last_word),
    };
    return cmocka_run_group_tests_name("cli.facts", tests, NULL, NULL);
}
