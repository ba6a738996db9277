/* What registry's tests share: a folder, a context, and a package in it. */
#ifndef TY_TESTS_REGISTRY_FIXTURE_H
#define TY_TESTS_REGISTRY_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include "registry/registry.h"
#include "tests/support/temp_folder.h"

typedef struct fixture {
    ty_ctx ctx;
    ty_arena arena;
    temp_folder folder;
} fixture;

static inline int fixture_set_up(void **state) {
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    ty_ctx_init(&f->ctx);
    f->folder = temp_folder_make();
    *state = f;
    return 0;
}

static inline int fixture_tear_down(void **state) {
    fixture *f = *state;
    temp_folder_remove(&f->folder);
    ty_ctx_clear(&f->ctx);
    ty_arena_clear(&f->arena);
    free(f);
    return 0;
}

#define assert_ok(f, call)                                                                         \
    do {                                                                                           \
        const ty_status assert_ok_ = (call);                                                       \
        if (assert_ok_ != TY_OK)                                                                   \
            print_error("%s: %s\n", ty_status_name(assert_ok_), (f)->ctx.message);                 \
        assert_int_equal(assert_ok_, TY_OK);                                                       \
    } while (0)

/* Fails with that status and says so in these words. */
#define assert_fails(f, status, words, call)                                                       \
    do {                                                                                           \
        assert_int_equal(call, status);                                                            \
        if (!strstr((f)->ctx.message, words))                                                      \
            fail_msg("\"%s\" says nothing of \"%s\"", (f)->ctx.message, words);                    \
    } while (0)

/* <folder>/name, in the arena. */
static inline char *place(fixture *f, const char *name) {
    char *path = ty_path_join(&f->arena, f->folder.path, name);
    assert_non_null(path);
    return path;
}

static inline void put(fixture *f, const char *folder, const char *name, const char *content) {
    assert_ok(f, ty_dir_make(&f->ctx, folder));
    const char *path = ty_path_join(&f->arena, folder, name);
    assert_non_null(path);
    const char *parent = ty_path_folder(&f->arena, path);
    assert_non_null(parent);
    assert_ok(f, ty_dir_make(&f->ctx, parent));
    assert_ok(f, ty_file_write_atomic(&f->ctx, path, content, strlen(content)));
}

static inline const char *content(fixture *f, const char *folder, const char *name) {
    char *data = NULL;
    size_t bytes = 0;
    const char *path = ty_path_join(&f->arena, folder, name);
    assert_non_null(path);
    assert_ok(f, ty_file_read_all(&f->ctx, path, 1 << 20, &data, &bytes));
    const char *copy = ty_arena_string_n(&f->arena, data, bytes);
    free(data);
    assert_non_null(copy);
    return copy;
}

#define FIXTURE_MODEL "m-0123456789abcdef0123456789abcdef"
#define FIXTURE_RUN "fedcba9876543210fedcba9876543210"

/* A package in folder whose model.onnx says `model`. */
static inline void package_in(fixture *f, const char *folder, const char *model_id,
                              const char *model) {
    static const int64_t in_shape[] = {-1, 3}, out_shape[] = {-1, 2};
    const ty_package_tensor x = {"x", "float32", in_shape, 2},
                            y = {"probabilities", "float32", out_shape, 2};
    const ty_package_value metadata[] = {{"step", "12"},
                                         {"config: name", "gr\u00fc\u00df \"dich\"\n"}};
    const ty_package_facts facts = {.model_id = model_id,
                                    .run_id = FIXTURE_RUN,
                                    .name = "best",
                                    .created_ns = 1800000000123456789,
                                    .inputs = &x,
                                    .outputs = &y,
                                    .n_inputs = 1,
                                    .n_outputs = 1,
                                    .example = "{\"x\": [[0.5, -1, 2], [3, 4, 5.25]]}",
                                    .metadata = metadata,
                                    .n_metadata = 2};
    put(f, folder, "model.onnx", model);
    assert_ok(f, ty_package_write(&f->ctx, folder, &facts));
}

#endif
