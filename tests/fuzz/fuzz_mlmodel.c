/* Arbitrary bytes as an MLmodel, or, where the first byte is odd, as a package's manifest: both come
 * from servers. What is understood names nothing outside of the package. */
#include <stdlib.h>
#include <string.h>

#include "registry/registry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each byte that a name or a shape claims is there. */
static size_t touch(const ty_package_tensor *v, int64_t n) {
    size_t sum = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += strlen(v[i].name) + strlen(v[i].dtype);
        if (v[i].rank < 0 || v[i].rank > TY_PACKAGE_MAX_RANK)
            abort();
        for (int64_t d = 0; d < v[i].rank; d++)
            if (v[i].shape[d] < -1)
                abort();
    }
    return sum;
}

static void read_mlmodel(ty_ctx *ctx, const char *text, size_t bytes, ty_arena *arena) {
    ty_package p;
    if (ty_package_parse(ctx, text, bytes, arena, &p) != TY_OK)
        return;
    if (p.data && !ty_artifact_name_is_safe(p.data))
        abort();
    if (touch(p.inputs, p.n_inputs) + touch(p.outputs, p.n_outputs) > 16 * bytes)
        abort();
}

static void read_manifest(ty_ctx *ctx, const char *text, size_t bytes, ty_arena *arena) {
    ty_manifest m;
    if (ty_manifest_parse(ctx, "fuzz", text, bytes, arena, &m) != TY_OK)
        return;
    for (int64_t i = 0; i < m.n_files; i++)
        if (!ty_artifact_name_is_safe(m.files[i].path) || strlen(m.files[i].sha256) != 64)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1)
        return 0;
    ty_ctx ctx;
    ty_arena arena = {0};
    ty_ctx_init(&ctx);
    const char *text = (const char *)data + 1;
    if (data[0] & 1)
        read_manifest(&ctx, text, size - 1, &arena);
    else
        read_mlmodel(&ctx, text, size - 1, &arena);
    ty_arena_clear(&arena);
    ty_ctx_clear(&ctx);
    return 0;
}
