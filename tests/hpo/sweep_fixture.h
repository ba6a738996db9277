/* What tests of sweep files share: a folder to write one into, its log, and its findings. */
#ifndef TY_TESTS_SWEEP_FIXTURE_H
#define TY_TESTS_SWEEP_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <math.h>

#include "hpo/exact/exact.h"
#include "hpo/hpo.h"
#include "tests/support/temp_folder.h"

typedef struct fixture {
    ty_ctx ctx;
    temp_folder folder;
    char path[2 * TEMP_FOLDER_BYTES];
    ty_text log;
    ty_sweep_file file;
} fixture;

static inline void write_log(void *self, ty_log_level level, const char *topic, const char *line) {
    ty_text_addf(self, "%d %s: %s\n", (int)level, topic, line);
}

static inline int set_up(void **state) {
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    ty_ctx_init(&f->ctx);
    f->ctx.log = (ty_log_sink){.write = write_log, .self = &f->log, .max_level = TY_LOG_INFO};
    f->folder = temp_folder_make();
    *state = f;
    return 0;
}

static inline int tear_down(void **state) {
    fixture *f = *state;
    ty_sweep_file_clear(&f->file);
    temp_folder_remove(&f->folder);
    ty_text_clear(&f->log);
    ty_ctx_clear(&f->ctx);
    free(f);
    return 0;
}

static inline ty_status read_set(fixture *f, const char *name, const char *text, const char *set) {
    ty_sweep_file_clear(&f->file);
    ty_text_clear(&f->log);
    (void)snprintf(f->path, sizeof f->path, "%s/%s", f->folder.path, name);
    assert_int_equal(ty_file_write_atomic(&f->ctx, f->path, text, strlen(text)), TY_OK);
    return ty_sweep_file_read(&f->ctx, f->path, &set, set ? 1 : 0, &f->file);
}

static inline void load(fixture *f, const char *name, const char *text) {
    if (read_set(f, name, text, NULL) != TY_OK)
        fail_msg("%s", f->ctx.message);
}

static inline void load_yaml(fixture *f, const char *text) {
    load(f, "s.yaml", text);
}

/* The message without the folder's name, and without source and caret lines where is_short. */
static inline const char *findings(fixture *f, const char *name, const char *text, char out[2048]) {
    const ty_status st = read_set(f, name, text, NULL);
    assert_int_equal(st, TY_ERR_CONFIG);
    const size_t folder = strlen(f->folder.path) + 1;
    char *to = out;
    for (const char *at = f->ctx.message; *at && to < out + 2000;) {
        if (strncmp(at, f->folder.path, folder - 1) == 0)
            at += folder;
        else
            *to++ = *at++;
    }
    *to = '\0';
    return out;
}

static inline void expect_finding(fixture *f, const char *text, const char *wanted) {
    char said[2048];
    if (!strstr(findings(f, "s.yaml", text, said), wanted))
        fail_msg("%s\ngives:\n%s\nwanted:\n%s", text, said, wanted);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
