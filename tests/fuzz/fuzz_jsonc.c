/* Arbitrary bytes as a JSONC document; behind a NUL, a --set; behind another, what every file holds
 * that "extends" names. What jansson accepts as strict JSON has to be accepted with the same value,
 * and each number has to be where it is said to be. */
#include <stdlib.h>

#include "tests/fuzz/doc_places.h"
#include "tests/fuzz/memory_io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *fuzz_getenv(const char *name) {
    return name[0] == 'A' ? "value \xc3\xa9 ${env:A}" : name[0] == 'B' ? "\xff" : NULL;
}

/* The same bytes in every file, read from the start after each open. */
typedef struct every_file {
    memory_file memory; /* first: the functions of memory_io.h see only this */
    size_t at;
} every_file;

static int rewinding_open(void *self, const char *path, int flags, mode_t mode) {
    ((every_file *)self)->at = 0;
    return memory_open(self, path, flags, mode);
}

static ssize_t next_read(void *self, int fd, void *data, size_t bytes) {
    every_file *file = self;
    ssize_t n = memory_pread(self, fd, data, bytes, (off_t)file->at);
    file->at += (size_t)n;
    return n;
}

static int any_stat(void *self, const char *path, struct stat *out) {
    (void)path;
    return memory_fstat(self, 0, out);
}

static bool has(const char *text, size_t bytes, const char *word) {
    return memmem(text, bytes, word, strlen(word)) != NULL;
}

/* Strict JSON without our extensions is what jansson says it is. */
static void compare(const ty_ctx *ctx, const ty_doc *doc, const char *text, size_t bytes) {
    bool is_extended =
        has(text, bytes, "extends") || has(text, bytes, "\\u") || has(text, bytes, "${env:");
    if (is_extended || strstr(ctx->message, "nested deeper"))
        return;
    json_t *json = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, NULL);
    if (json && (!doc || !json_equal(json, ty_doc_at(doc, ""))))
        abort();
    json_decref(json);
}

static void check_set(ty_ctx *ctx, ty_doc *doc, const char *assignment, size_t bytes) {
    char *copy = strndup(assignment, bytes);
    char path[512] = "";
    if (!copy)
        abort();
    if (ty_doc_set(ctx, doc, copy) == TY_OK)
        check_places(doc, ty_doc_at(doc, ""), path, 0);
    else if (strncmp(ctx->message, "error: --set", 12) != 0)
        abort();
    free(copy);
}

typedef struct part {
    const char *text;
    size_t bytes;
} part;

/* What stands before the next NUL; rest moves behind it. */
static part cut(part *rest) {
    const char *nul = rest->bytes ? memchr(rest->text, 0, rest->bytes) : NULL;
    part first = {.text = rest->text, .bytes = nul ? (size_t)(nul - rest->text) : rest->bytes};
    size_t taken = first.bytes + (nul ? 1 : 0);
    *rest = (part){.text = rest->text + taken, .bytes = rest->bytes - taken};
    return first;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    part rest = {.text = (const char *)data, .bytes = size};
    part text = cut(&rest), assignment = cut(&rest);
    every_file file = {.memory = {.data = (const unsigned char *)rest.text, .bytes = rest.bytes}};
    ty_io io = memory_io(&file.memory);
    io.open = rewinding_open;
    io.read = next_read;
    io.stat = any_stat;
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    ctx.io = &io;
    ctx.getenv = fuzz_getenv;
    ty_doc *doc = NULL;
    ty_status st = ty_doc_parse(&ctx, "fuzz.json", text.text, text.bytes, &doc);
    compare(&ctx, doc, text.text, text.bytes);
    if (st != TY_OK && strncmp(ctx.message, "error: ", 7) != 0)
        abort();
    char path[512] = "";
    if (doc)
        check_places(doc, ty_doc_at(doc, ""), path, 0);
    if (doc && assignment.bytes)
        check_set(&ctx, doc, assignment.text, assignment.bytes);
    ty_doc_close(doc);
    ty_ctx_clear(&ctx);
    return 0;
}
