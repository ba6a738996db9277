/* Arbitrary bytes as a config of every type of row; behind a NUL, as a --set. What loads has to
 * survive being dumped and loaded again with the same hash; what does not has to be refused in
 * words. */
#include <stdlib.h>
#include <string.h>

#include "tests/base/rows_fixture.h"
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
    return name[0] == 'A' ? "auto" : NULL;
}

static ty_status touch(void *self, const ty_resolved *key) {
    size_t *bytes = self;
    *bytes += strlen(key->path) + strlen(key->value) + strlen(key->json);
    return key->row && key->effect <= TY_EFFECT_DISPLAY ? TY_OK : TY_ERR_INTERNAL;
}

static void must(ty_status st) {
    if (st != TY_OK)
        abort();
}

static void check_loaded(ty_ctx *ctx, const ty_doc *doc) {
    ty_text first = {0}, second = {0};
    fixture_config config = {0};
    uint64_t before = 0, after = 1;
    size_t bytes = 0;
    ty_doc *again = NULL;
    must(ty_rows_walk(ctx, &fixture_rows, doc, touch, &bytes));
    must(ty_rows_dump(ctx, &fixture_rows, doc, &first));
    must(ty_rows_hash(ctx, &fixture_rows, doc, &before));
    must(ty_doc_parse(ctx, "dump.json", ty_text_string(&first), first.length, &again));
    must(ty_rows_load(ctx, &fixture_rows, fixture_foreign, again, &config));
    must(ty_rows_hash(ctx, &fixture_rows, again, &after));
    must(ty_rows_dump(ctx, &fixture_rows, again, &second));
    if (before != after || strcmp(ty_text_string(&first), ty_text_string(&second)) != 0)
        abort();
    ty_doc_close(again);
    ty_text_clear(&first);
    ty_text_clear(&second);
}

static void check_refused(const ty_ctx *ctx) {
    static const char last_words[] = ", nothing was run";
    size_t length = strlen(ctx->message);
    bool is_said = strncmp(ctx->message, "error: ", 7) == 0 && length > sizeof last_words &&
                   strcmp(ctx->message + length - (sizeof last_words - 1), last_words) == 0;
    if (!is_said || strspn(ctx->message, "\n") > 0)
        abort();
}

static ty_status set(ty_ctx *ctx, ty_doc *doc, const char *assignment, size_t bytes) {
    char *copy = strndup(assignment, bytes);
    if (!copy)
        abort();
    ty_status st = ty_doc_set(ctx, doc, copy);
    free(copy);
    return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *text = (const char *)data;
    const char *nul = size ? memchr(text, 0, size) : NULL;
    size_t bytes = nul ? (size_t)(nul - text) : size;
    ty_io io = {.open = no_open, .stat = no_stat};
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    ctx.io = &io;
    ctx.getenv = fuzz_getenv;
    ty_doc *doc = NULL;
    fixture_config config = {0};
    ty_status st = ty_doc_parse(&ctx, "fuzz.json", text, bytes, &doc);
    if (st == TY_OK && nul)
        st = set(&ctx, doc, nul + 1, size - bytes - 1);
    if (st == TY_OK) {
        st = ty_rows_load(&ctx, &fixture_rows, fixture_foreign, doc, &config);
        if (st == TY_OK)
            check_loaded(&ctx, doc);
        else
            check_refused(&ctx);
    }
    ty_doc_close(doc);
    ty_ctx_clear(&ctx);
    return 0;
}
