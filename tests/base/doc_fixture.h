/* What the tests of documents share: a context with a made-up environment, a folder, and short ways
 * to read and compare. */
#ifndef TY_TESTS_BASE_DOC_FIXTURE_H
#define TY_TESTS_BASE_DOC_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"

typedef struct bad_text {
    const char *text, *message;
} bad_text;

static inline const char *fake_getenv(const char *name) {
    if (strcmp(name, "HOME") == 0)
        return "/home/ada";
    if (strcmp(name, "EMPTY") == 0)
        return "";
    return strcmp(name, "LATIN1") == 0 ? "\xe9" : NULL;
}

typedef struct fixture {
    ty_ctx ctx;
    ty_doc *doc;
    char folder[64];
} fixture;

static inline int setup(void **state) {
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    ty_ctx_init(&f->ctx);
    f->ctx.getenv = fake_getenv;
    (void)snprintf(f->folder, sizeof f->folder, "doc_XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    *state = f;
    return 0;
}

static inline int teardown(void **state) {
    fixture *f = *state;
    char command[128];
    (void)snprintf(command, sizeof command, "rm -r '%s'", f->folder);
    assert_int_equal(system(command), 0);
    ty_doc_close(f->doc);
    ty_ctx_clear(&f->ctx);
    free(f);
    return 0;
}

static inline ty_status parse(fixture *f, const char *text) {
    ty_doc_close(f->doc);
    f->doc = NULL;
    return ty_doc_parse(&f->ctx, "c.json", text, strlen(text), &f->doc);
}

static inline void assert_parses(fixture *f, const char *text) {
    ty_status st = parse(f, text);
    if (st != TY_OK)
        print_error("%s\n", f->ctx.message);
    assert_int_equal(st, TY_OK);
}

/* The caller frees it. */
static inline char *repeat(const char *head, const char *unit, int64_t times, const char *tail) {
    ty_text text = {0};
    ty_text_add(&text, head);
    for (int64_t i = 0; i < times; i++)
        ty_text_add(&text, unit);
    ty_text_add(&text, tail);
    assert_false(text.is_short);
    return text.data;
}

static inline void set(fixture *f, const char *assignment) {
    ty_status st = ty_doc_set(&f->ctx, f->doc, assignment);
    if (st != TY_OK)
        print_error("%s\n", f->ctx.message);
    assert_int_equal(st, TY_OK);
}

static inline void write_file(const fixture *f, const char *name, const char *text) {
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", f->folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fputs(text, file) >= 0, 1);
    assert_int_equal(fclose(file), 0);
}

static inline ty_status read_file(fixture *f, const char *name) {
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", f->folder, name);
    ty_doc_close(f->doc);
    f->doc = NULL;
    return ty_doc_read(&f->ctx, path, &f->doc);
}

static inline void assert_json(const fixture *f, const char *path, const char *wanted) {
    const json_t *json = ty_doc_at(f->doc, path);
    char *text = json ? json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    assert_non_null(text);
    assert_string_equal(text, wanted);
    free(text);
}

/* The message with the fixture's folder, which has another name each time, taken out. */
static inline void assert_message(fixture *f, const char *wanted) {
    char *at, got[TY_MESSAGE_BYTES];
    (void)snprintf(got, sizeof got, "%s", f->ctx.message);
    size_t length = strlen(f->folder);
    while ((at = strstr(got, f->folder)))
        memmove(at, at + length + 1, strlen(at + length + 1) + 1);
    assert_string_equal(got, wanted);
}

#endif
