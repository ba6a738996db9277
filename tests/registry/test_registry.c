/* One suite for every kind of registry: mlflow.db of a folder, or the server whose URI is the
 * program's argument (tests/interop brings one). */
#include <stdio.h>
#include <sys/wait.h>

#include "tests/registry/fixture.h"

typedef struct suite {
    fixture base;
    const char *uri; /* NULL: embedded */
    char name[64];   /* a model's that nobody else has */
    ty_registry *registry;
} suite;

/* argv[1] of the program; the one way that cmocka leaves to its tests. */
static const char *server_uri(void) {
    const char *uri = getenv("TILTYARD_TEST_REGISTRY");
    return uri && *uri ? uri : NULL;
}

static ty_registry *open_registry(suite *s, ty_ctx *ctx) {
    ty_registry *r = NULL;
    const ty_status st = ty_registry_open(ctx, s->uri, s->base.folder.path, &r);
    if (st != TY_OK)
        print_error("%s\n", ctx->message);
    assert_int_equal(st, TY_OK);
    return r;
}

static const char *no_environment(const char *name) {
    return strcmp(name, "HOME") == 0 ? "/nonexistent" : NULL;
}

static int suite_set_up(void **state) {
    char random[33];
    suite *s = calloc(1, sizeof *s);
    assert_non_null(s);
    ty_ctx_init(&s->base.ctx);
    s->base.ctx.getenv = no_environment;
    s->base.folder = temp_folder_make();
    s->uri = server_uri();
    assert_ok(&s->base, ty_identity_random(&s->base.ctx, random));
    (void)snprintf(s->name, sizeof s->name, "net %.8s", random);
    s->registry = open_registry(s, &s->base.ctx);
    *state = s;
    return 0;
}

static int suite_tear_down(void **state) {
    suite *s = *state;
    ty_registry_close(s->registry);
    temp_folder_remove(&s->base.folder);
    ty_ctx_clear(&s->base.ctx);
    ty_arena_clear(&s->base.arena);
    free(s);
    return 0;
}

/* A model's id from a number, unique on a server that outlives the test. */
static const char *model_id(suite *s, int number) {
    char random[33];
    assert_ok(&s->base, ty_identity_random(&s->base.ctx, random));
    return ty_arena_printf(&s->base.arena, "m-%.28s%04d", random, number);
}

static const char *make_package(suite *s, const char *name, const char *content_text) {
    const char *folder = place(&s->base, name);
    package_in(&s->base, folder, model_id(s, 1), content_text);
    return folder;
}

static ty_mlflow_registered_version add(suite *s, const char *package, ty_mlflow_pairs tags) {
    ty_mlflow_registered_version v;
    const ty_registry_entry entry = {.name = s->name,
                                     .package = package,
                                     .experiment = "tiltyard-tests",
                                     .description = "a *card*",
                                     .tags = tags};
    assert_ok(&s->base, ty_registry_add(&s->base.ctx, s->registry, &entry, &s->base.arena, &v));
    return v;
}

static const char *tag_of(ty_mlflow_pairs tags, const char *key) {
    for (int64_t i = 0; i < tags.n; i++)
        if (strcmp(tags.v[i].key, key) == 0)
            return tags.v[i].value;
    return NULL;
}

static ty_status find(suite *s, const char *text, ty_mlflow_registered_version *out) {
    ty_model_ref ref;
    TY_TRY(ty_model_ref_parse(&s->base.ctx, text, &s->base.arena, &ref));
    return ty_registry_find(&s->base.ctx, s->registry, &ref, &s->base.arena, out);
}

static ty_status find_here(suite *s, const char *rest, ty_mlflow_registered_version *out) {
    return find(s, ty_arena_printf(&s->base.arena, "models:/%s%s", s->name, rest), out);
}

/* --- versions --------------------------------------------------------------------------------- */

static void a_package_becomes_a_version_once(void **state) {
    suite *s = *state;
    const ty_mlflow_pair tags[] = {{"tiltyard.data_fingerprint", "705d"},
                                   {"note", "gr\u00fc\u00df dich"}};
    const char *package = make_package(s, "p", "graph one");
    const ty_mlflow_registered_version first = add(s, package, (ty_mlflow_pairs){tags, 2});
    assert_string_equal(first.version, "1");
    assert_string_equal(first.name, s->name);
    assert_string_equal(first.description, "a *card*");
    assert_string_equal(first.status, "READY");
    assert_string_equal(tag_of(first.tags, "note"), "gr\u00fc\u00df dich");
    assert_string_equal(tag_of(first.tags, "tiltyard.data_fingerprint"), "705d");
    assert_int_equal(strlen(tag_of(first.tags, TY_MANIFEST_TAG)), 64);
    assert_true(first.created_ms > 1600000000000);
    assert_string_equal(add(s, package, (ty_mlflow_pairs){0}).version, "1");
    assert_string_equal(add(s, make_package(s, "q", "graph two"), (ty_mlflow_pairs){0}).version,
                        "2");
}

static void versions_are_found_by_number_alias_and_name(void **state) {
    suite *s = *state;
    ty_mlflow_registered_version v;
    ty_mlflow_version_list list;
    (void)add(s, make_package(s, "p", "graph one"), (ty_mlflow_pairs){0});
    (void)add(s, make_package(s, "q", "graph two"), (ty_mlflow_pairs){0});
    assert_ok(&s->base,
              ty_registry_move_alias(&s->base.ctx, s->registry, s->name, "champion", 0, 1, NULL));
    assert_ok(&s->base, find_here(s, "@champion", &v));
    assert_string_equal(v.version, "1");
    assert_int_equal(v.n_aliases, 1);
    assert_string_equal(v.aliases[0], "champion");
    assert_ok(&s->base, find_here(s, "/2", &v));
    assert_string_equal(v.version, "2");
    assert_int_equal(v.n_aliases, 0);
    assert_ok(&s->base, find_here(s, "", &v));
    assert_string_equal(v.version, "2");
    assert_fails(&s->base, TY_ERR_NOT_FOUND, "no version 3", find_here(s, "/3", &v));
    assert_fails(&s->base, TY_ERR_NOT_FOUND, "no alias", find_here(s, "@challenger", &v));
    assert_fails(&s->base, TY_ERR_NOT_FOUND, "did you mean", find_here(s, "x/1", &v));
    assert_ok(&s->base,
              ty_registry_versions(&s->base.ctx, s->registry, s->name, &s->base.arena, &list));
    assert_int_equal(list.n, 2);
    assert_string_equal(list.v[0].version, "2");
    assert_string_equal(list.v[1].aliases[0], "champion");
}

enum { N_PROCESSES = 8 };

/* A process of its own adds its own package. */
static void add_alone(suite *s, const char *package, const char *uid) {
    ty_ctx ctx;
    ty_arena arena = {0};
    ty_mlflow_registered_version v;
    ty_registry *r = NULL;
    const ty_registry_entry entry = {
        .name = s->name, .package = package, .uid = uid, .experiment = "tiltyard-tests"};
    ty_ctx_init(&ctx);
    ctx.getenv = no_environment;
    ty_status st = ty_registry_open(&ctx, s->uri, s->base.folder.path, &r);
    if (st == TY_OK)
        st = ty_registry_add(&ctx, r, &entry, &arena, &v);
    if (st != TY_OK)
        (void)fprintf(stderr, "%s\n", ctx.message);
    _exit(st == TY_OK ? 0 : 1);
}

static void versions_of_many_processes_have_no_gap_and_no_double(void **state) {
    suite *s = *state;
    pid_t children[N_PROCESSES];
    bool is_seen[N_PROCESSES + 1] = {false};
    ty_mlflow_version_list list;
    const char *uids[N_PROCESSES], *packages[N_PROCESSES];
    for (int i = 0; i < N_PROCESSES; i++) {
        uids[i] = ty_arena_printf(&s->base.arena, "%s-%d", s->name + 4, i);
        packages[i] = make_package(s, ty_arena_printf(&s->base.arena, "p%d", i), uids[i]);
    }
    ty_registry_close(s->registry); /* SQLite's handles do not cross a fork */
    s->registry = NULL;
    for (int i = 0; i < N_PROCESSES; i++)
        if ((children[i] = fork()) == 0)
            add_alone(s, packages[i], uids[i]);
    for (int i = 0; i < N_PROCESSES; i++) {
        int status = -1;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    s->registry = open_registry(s, &s->base.ctx);
    assert_ok(&s->base,
              ty_registry_versions(&s->base.ctx, s->registry, s->name, &s->base.arena, &list));
    assert_int_equal(list.n, N_PROCESSES);
    for (int64_t i = 0; i < list.n; i++) {
        const int64_t number = strtoll(list.v[i].version, NULL, 10);
        assert_in_range(number, 1, N_PROCESSES);
        assert_false(is_seen[number]);
        is_seen[number] = true;
    }
}

/* --- aliases and words ------------------------------------------------------------------------ */

static void aliases_move_only_from_where_they_are_expected(void **state) {
    suite *s = *state;
    ty_ctx *ctx = &s->base.ctx;
    ty_mlflow_registered_version v;
    int64_t was = -7;
    (void)add(s, make_package(s, "p", "graph one"), (ty_mlflow_pairs){0});
    (void)add(s, make_package(s, "q", "graph two"), (ty_mlflow_pairs){0});
    assert_ok(&s->base, ty_registry_move_alias(ctx, s->registry, s->name, "champion", 0, 1, &was));
    assert_int_equal(was, 0);
    assert_fails(&s->base, TY_ERR_BUSY, "is at 1, expected nowhere",
                 ty_registry_move_alias(ctx, s->registry, s->name, "champion", 0, 2, &was));
    assert_int_equal(was, 1);
    assert_fails(&s->base, TY_ERR_BUSY, "is at 1, expected 2",
                 ty_registry_move_alias(ctx, s->registry, s->name, "champion", 2, 2, &was));
    assert_ok(&s->base, find_here(s, "@champion", &v));
    assert_string_equal(v.version, "1");
    assert_ok(&s->base, ty_registry_move_alias(ctx, s->registry, s->name, "champion", 1, 2, &was));
    assert_ok(&s->base, ty_registry_move_alias(ctx, s->registry, s->name, "champion", -1, 1, &was));
    assert_int_equal(was, 2);
    assert_fails(&s->base, TY_ERR_NOT_FOUND, "",
                 ty_registry_move_alias(ctx, s->registry, s->name, "champion", -1, 99, &was));
    assert_ok(&s->base, ty_registry_move_alias(ctx, s->registry, s->name, "champion", 1, 0, &was));
    assert_int_equal(find_here(s, "@champion", &v), TY_ERR_NOT_FOUND);
}

static void tags_and_descriptions_are_kept(void **state) {
    suite *s = *state;
    ty_ctx *ctx = &s->base.ctx;
    ty_mlflow_registered model;
    ty_mlflow_registered_version v;
    (void)add(s, make_package(s, "p", "graph"), (ty_mlflow_pairs){0});
    assert_ok(&s->base, ty_registry_tag(ctx, s->registry, s->name, 0, "team", "vision"));
    assert_ok(&s->base, ty_registry_tag(ctx, s->registry, s->name, 1, "checked by", "me"));
    assert_ok(&s->base, ty_registry_tag(ctx, s->registry, s->name, 1, "checked by", "you"));
    assert_ok(&s->base, ty_registry_describe(ctx, s->registry, s->name, 0, "sorts clothes"));
    assert_ok(&s->base, ty_registry_describe(ctx, s->registry, s->name, 1, "the first one"));
    assert_ok(&s->base, ty_registry_model(ctx, s->registry, s->name, &s->base.arena, &model));
    assert_string_equal(tag_of(model.tags, "team"), "vision");
    assert_string_equal(model.description, "sorts clothes");
    assert_ok(&s->base, find_here(s, "/1", &v));
    assert_string_equal(tag_of(v.tags, "checked by"), "you");
    assert_string_equal(v.description, "the first one");
    assert_ok(&s->base, ty_registry_tag(ctx, s->registry, s->name, 1, "checked by", NULL));
    assert_ok(&s->base, ty_registry_tag(ctx, s->registry, s->name, 0, "team", NULL));
    assert_ok(&s->base, find_here(s, "/1", &v));
    assert_null(tag_of(v.tags, "checked by"));
    assert_int_equal(ty_registry_tag(ctx, s->registry, s->name, 9, "a", "b"), TY_ERR_NOT_FOUND);
    assert_int_equal(ty_registry_describe(ctx, s->registry, "nobody has this", 0, "b"),
                     TY_ERR_NOT_FOUND);
}

static void names_that_mlflow_would_refuse_go_nowhere(void **state) {
    suite *s = *state;
    ty_ctx *ctx = &s->base.ctx;
    ty_mlflow_registered_version v;
    const ty_registry_entry entry = {.name = "a/b", .package = make_package(s, "p", "graph")};
    assert_int_equal(ty_registry_add(ctx, s->registry, &entry, &s->base.arena, &v), TY_ERR_ARG);
    assert_int_equal(ty_registry_move_alias(ctx, s->registry, s->name, "v3", -1, 1, NULL),
                     TY_ERR_ARG);
    assert_int_equal(ty_registry_move_alias(ctx, s->registry, s->name, "latest", -1, 1, NULL),
                     TY_ERR_ARG);
    assert_int_equal(ty_registry_tag(ctx, s->registry, s->name, 1, "../x", "y"), TY_ERR_ARG);
    assert_int_equal(find(s, "models:/net/one", &v), TY_ERR_ARG);
    assert_int_equal(find(s, "models:/net/0", &v), TY_ERR_ARG);
    assert_int_equal(find(s, "models:/@champion", &v), TY_ERR_ARG);
}

/* --- files ------------------------------------------------------------------------------------ */

static void files_are_brought_whole_and_compared(void **state) {
    suite *s = *state;
    ty_ctx *ctx = &s->base.ctx;
    ty_registry_files files;
    const ty_mlflow_registered_version v =
        add(s, make_package(s, "p", "graph one"), (ty_mlflow_pairs){0});
    const char *target = place(&s->base, "out/net");
    assert_ok(&s->base, ty_registry_get(ctx, s->registry, &v, target, &s->base.arena, &files));
    assert_true(files.is_verified);
    assert_int_equal(files.n_files, 7);
    assert_string_equal(content(&s->base, target, "model.onnx"), "graph one");
    assert_non_null(strstr(content(&s->base, target, "MLmodel"), "flavors:"));
    assert_fails(&s->base, TY_ERR_ARG, "is there already",
                 ty_registry_get(ctx, s->registry, &v, target, &s->base.arena, &files));
    assert_ok(&s->base, ty_registry_verify(ctx, s->registry, &v, &s->base.arena, &files));
    assert_int_equal(files.n_files, 7);
    const char *cache = place(&s->base, "cache");
    for (int i = 0; i < 2; i++) {
        assert_ok(&s->base,
                  ty_registry_open_files(ctx, s->registry, &v, cache, &s->base.arena, &files));
        assert_string_equal(content(&s->base, files.folder, "model.onnx"), "graph one");
    }
}

static void a_package_that_changed_is_not_registered(void **state) {
    suite *s = *state;
    ty_mlflow_registered_version v;
    const ty_registry_entry entry = {.name = s->name, .package = make_package(s, "p", "graph")};
    put(&s->base, entry.package, "model.onnx", "graqh");
    assert_fails(&s->base, TY_ERR_INTEGRITY, "model.onnx has changed",
                 ty_registry_add(&s->base.ctx, s->registry, &entry, &s->base.arena, &v));
    assert_int_equal(find_here(s, "", &v), TY_ERR_NOT_FOUND);
}

/* What the embedded store has lies on this disk, where anybody may damage it. */
static void damaged_files_are_noticed(void **state) {
    suite *s = *state;
    ty_ctx *ctx = &s->base.ctx;
    ty_registry_files files;
    if (s->uri)
        skip();
    const ty_mlflow_registered_version v =
        add(s, make_package(s, "p", "graph one"), (ty_mlflow_pairs){0});
    assert_ok(&s->base, ty_registry_verify(ctx, s->registry, &v, &s->base.arena, &files));
    const char *folder = files.folder;
    put(&s->base, folder, "model.onnx", "graph 0ne");
    const char *target = place(&s->base, "out/net");
    assert_fails(&s->base, TY_ERR_INTEGRITY, "model.onnx has changed",
                 ty_registry_verify(ctx, s->registry, &v, &s->base.arena, &files));
    assert_fails(&s->base, TY_ERR_INTEGRITY, "model.onnx has changed",
                 ty_registry_get(ctx, s->registry, &v, target, &s->base.arena, &files));
    assert_false(ty_file_exists(ctx, target));
    assert_ok(&s->base, ty_manifest_write(ctx, folder));
    assert_fails(&s->base, TY_ERR_INTEGRITY, "not the registered one",
                 ty_registry_verify(ctx, s->registry, &v, &s->base.arena, &files));
}

static void a_model_goes_from_one_registry_to_another(void **state) {
    suite *s = *state;
    ty_ctx *ctx = &s->base.ctx;
    ty_registry *other = NULL;
    ty_registry_files files;
    ty_mlflow_registered_version copy;
    const ty_mlflow_registered_version v =
        add(s, make_package(s, "p", "graph one"), (ty_mlflow_pairs){0});
    assert_ok(&s->base, ty_dir_make(ctx, place(&s->base, "other")));
    assert_ok(&s->base, ty_registry_open(ctx, "offline", place(&s->base, "other"), &other));
    assert_ok(&s->base, ty_registry_open_files(ctx, s->registry, &v, place(&s->base, "cache"),
                                               &s->base.arena, &files));
    const ty_registry_entry entry = {.name = "copied", .package = files.folder, .tags = v.tags};
    assert_ok(&s->base, ty_registry_add(ctx, other, &entry, &s->base.arena, &copy));
    assert_string_equal(tag_of(copy.tags, TY_MANIFEST_TAG), tag_of(v.tags, TY_MANIFEST_TAG));
    assert_ok(&s->base, ty_registry_verify(ctx, other, &copy, &s->base.arena, &files));
    assert_int_equal(files.n_files, 7);
    ty_registry_close(other);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, suite_set_up, suite_tear_down)

int main(int argc, char **argv) {
    if (argc > 1)
        (void)setenv("TILTYARD_TEST_REGISTRY", argv[1], 1);
    else
        (void)unsetenv("TILTYARD_TEST_REGISTRY");
    const struct CMUnitTest tests[] = {
        CASE(a_package_becomes_a_version_once),
        CASE(versions_are_found_by_number_alias_and_name),
        CASE(versions_of_many_processes_have_no_gap_and_no_double),
        CASE(aliases_move_only_from_where_they_are_expected),
        CASE(tags_and_descriptions_are_kept),
        CASE(names_that_mlflow_would_refuse_go_nowhere),
        CASE(files_are_brought_whole_and_compared),
        CASE(a_package_that_changed_is_not_registered),
        CASE(damaged_files_are_noticed),
        CASE(a_model_goes_from_one_registry_to_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
