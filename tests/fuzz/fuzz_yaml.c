/* Arbitrary bytes as a YAML document. What is read has places, and is read with the same value from
 * the JSON that jansson writes of it: as JSON, and as YAML, of which JSON is a part. */
#include "base/ctx.h"
#include "tests/fuzz/doc_places.h"
#include "tests/fuzz/memory_io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int no_open(void *self, const char *path, int flags, mode_t mode) {
    (void)self, (void)path, (void)flags, (void)mode;
    errno = ENOENT;
    return -1;
}

static int no_stat(void *self, const char *path, struct stat *out) {
    (void)self, (void)path, (void)out;
    errno = ENOENT;
    return -1;
}

static const char *fuzz_getenv(const char *name) {
    return name[0] == 'A' ? "value \xc3\xa9 ${env:A}" : name[0] == 'B' ? "\xff" : NULL;
}

static void assert_reads_as(ty_ctx *ctx, const char *name, const char *text, const json_t *wanted) {
    ty_doc *doc = NULL;
    if (ty_doc_parse(ctx, name, text, strlen(text), &doc) != TY_OK ||
        !json_equal((json_t *)(uintptr_t)wanted, (json_t *)(uintptr_t)ty_doc_at(doc, "")))
        abort();
    ty_doc_close(doc);
}

/* YAML has keys of 1024 characters at most, and characters that it only takes as escapes. */
static bool is_yaml(const char *text) {
    for (const char *at = text; *at; at++)
        if (*at == 0x7f || (unsigned char)*at >= 0x80)
            return false;
    return strlen(text) < 1000;
}

static void check_twins(ty_ctx *ctx, const json_t *root) {
    char *text = json_dumps(root, 0);
    if (!text)
        abort();
    if (!strstr(text, "${env:") && strlen(text) < TY_DOC_MAX_BYTES) {
        assert_reads_as(ctx, "twin.json", text, root);
        if (is_yaml(text))
            assert_reads_as(ctx, "twin.yaml", text, root);
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ty_io io = {.open = no_open, .stat = no_stat};
    char path[512] = "";
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    ctx.io = &io;
    ctx.getenv = fuzz_getenv;
    ty_doc *doc = NULL;
    const ty_status st = ty_doc_parse(&ctx, "fuzz.yaml", (const char *)data, size, &doc);
    if (st != TY_OK && strncmp(ctx.message, "error: ", 7) != 0)
        abort();
    if (doc) {
        check_places(doc, ty_doc_at(doc, ""), path, 0);
        check_twins(&ctx, ty_doc_at(doc, ""));
    }
    ty_doc_close(doc);
    ty_ctx_clear(&ctx);
    return 0;
}
