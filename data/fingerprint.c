/* Digests of files, their cache, and the tree over them. */
#include "data/fingerprint.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- the cache -------------------------------------------------------------------------------- */

#define CACHE_NAME "data-digests"
enum { MOST_ENTRIES = 1000, MOST_CACHE_BYTES = 1 << 20 };

/* What tells one state of a file from another without reading it. */
typedef struct file_state {
    uint64_t device, inode;
    int64_t mtime_ns, ctime_ns, size;
} file_state;

typedef struct cache_entry {
    file_state state;
    uint8_t digest[TY_SHA256_BYTES];
} cache_entry;

typedef struct digest_cache {
    const char *path; /* NULL: none is kept */
    cache_entry *v;   /* room for MOST_ENTRIES + TY_DATA_FILES */
    int n;
    bool is_changed;
} digest_cache;

static int64_t to_ns(struct timespec t) {
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static ty_status state_of(ty_ctx *ctx, const char *path, file_state *out) {
    struct stat info;
    if (ctx->io->stat(ctx->io->self, path, &info) != 0)
        return ty_fail_errno(ctx, errno, "looking at %s", path);
    *out = (file_state){.device = (uint64_t)info.st_dev,
                        .inode = (uint64_t)info.st_ino,
                        .mtime_ns = to_ns(info.st_mtim),
                        .ctime_ns = to_ns(info.st_ctim),
                        .size = (int64_t)info.st_size};
    return TY_OK;
}

static bool parse_hex(const char *hex, uint8_t out[TY_SHA256_BYTES]) {
    for (int i = 0; i < TY_SHA256_BYTES; i++) {
        char digits[3] = {hex[2 * i], hex[2 * i] ? hex[2 * i + 1] : '\0', '\0'}, *end = NULL;
        out[i] = (uint8_t)strtoul(digits, &end, 16);
        if (end != digits + 2)
            return false;
    }
    return true;
}

/* A line that is not as we write it is skipped: the worst that follows is reading a file again. */
static void parse_cache(char *text, digest_cache *cache) {
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line && cache->n < MOST_ENTRIES;
         line = strtok_r(NULL, "\n", &rest)) {
        cache_entry *entry = &cache->v[cache->n];
        char hex[TY_SHA256_HEX];
        const int fields =
            sscanf(line, "%" SCNu64 " %" SCNu64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %64[0-9a-f]",
                   &entry->state.device, &entry->state.inode, &entry->state.mtime_ns,
                   &entry->state.ctime_ns, &entry->state.size, hex);
        cache->n += fields == 6 && parse_hex(hex, entry->digest);
    }
}

static ty_status load_cache(ty_ctx *ctx, const char *folder, digest_cache *cache) {
    char *text = NULL;
    size_t bytes = 0;
    cache->path = ty_path_join(&ctx->scratch, folder, CACHE_NAME);
    cache->v = ty_arena_array(&ctx->scratch, MOST_ENTRIES + TY_DATA_FILES, sizeof *cache->v);
    if (!cache->path || !cache->v)
        return ty_fail_nomem(ctx, "the cache of digests");
    if (ty_file_exists(ctx, cache->path) &&
        ty_file_read_all(ctx, cache->path, MOST_CACHE_BYTES, &text, &bytes) == TY_OK)
        parse_cache(text, cache);
    free(text);
    return TY_OK;
}

static const cache_entry *find_entry(const digest_cache *cache, const file_state *state) {
    for (int i = cache->n - 1; cache->path && i >= 0; i--)
        if (memcmp(&cache->v[i].state, state, sizeof *state) == 0)
            return &cache->v[i];
    return NULL;
}

static void add_entry(const ty_ctx *ctx, digest_cache *cache, const file_state *state,
                      const uint8_t digest[TY_SHA256_BYTES]) {
    const int64_t settled_ns = 2000000000, now = ty_now_wall_ns(ctx);
    if (!cache->path || now - state->mtime_ns < settled_ns || now - state->ctime_ns < settled_ns)
        return;
    cache_entry *entry = &cache->v[cache->n++];
    entry->state = *state;
    memcpy(entry->digest, digest, TY_SHA256_BYTES);
    cache->is_changed = true;
}

static ty_status save_cache(ty_ctx *ctx, const char *folder, const digest_cache *cache) {
    ty_text text = {0};
    const int first = cache->n > MOST_ENTRIES ? cache->n - MOST_ENTRIES : 0;
    for (int i = first; i < cache->n; i++) {
        const file_state *s = &cache->v[i].state;
        char hex[TY_SHA256_HEX];
        ty_sha256_to_hex(cache->v[i].digest, hex);
        ty_text_addf(&text, "%" PRIu64 " %" PRIu64 " %" PRId64 " %" PRId64 " %" PRId64 " %s\n",
                     s->device, s->inode, s->mtime_ns, s->ctime_ns, s->size, hex);
    }
    ty_status st =
        text.is_short ? ty_fail_nomem(ctx, "the cache of digests") : ty_dir_make(ctx, folder);
    if (st == TY_OK)
        st = ty_file_write_atomic(ctx, cache->path, text.data, text.length);
    ty_text_clear(&text);
    return st;
}

/* --- the tree --------------------------------------------------------------------------------- */

typedef struct leaf {
    const ty_data_file *file;
    uint8_t digest[TY_SHA256_BYTES];
} leaf;

static ty_status digest_of_file(ty_ctx *ctx, digest_cache *cache, const char *path,
                                file_state *state, uint8_t out[TY_SHA256_BYTES]) {
    file_state after;
    TY_TRY(state_of(ctx, path, state));
    const cache_entry *known = find_entry(cache, state);
    if (known) {
        memcpy(out, known->digest, TY_SHA256_BYTES);
        return TY_OK;
    }
    TY_TRY(ty_sha256_of_file(ctx, path, out));
    TY_TRY(state_of(ctx, path, &after));
    if (memcmp(&after, state, sizeof after) != 0)
        return ty_fail(ctx, TY_ERR_DATA,
                       "%s changed while it was read; start again when it is complete", path);
    add_entry(ctx, cache, state, out);
    return TY_OK;
}

static ty_status hash_leaf(ty_ctx *ctx, digest_cache *cache, leaf *out, int64_t *total_bytes) {
    file_state state;
    uint8_t digest[TY_SHA256_BYTES];
    ty_text text = {0};
    TY_TRY(digest_of_file(ctx, cache, out->file->path, &state, digest));
    *total_bytes += state.size;
    ty_text_add_n(&text, "\0", 1);
    ty_text_addf(&text, "%s\n%" PRId64 "\n", out->file->name, state.size);
    ty_text_add_n(&text, (const char *)digest, sizeof digest);
    const ty_status st = text.is_short ? ty_fail_nomem(ctx, "a digest")
                                       : ty_sha256_of(ctx, text.data, text.length, out->digest);
    ty_text_clear(&text);
    return st;
}

static int compare_leaves(const void *a, const void *b) {
    return strcmp(((const leaf *)a)->file->name, ((const leaf *)b)->file->name);
}

/* The root over n >= 1 leaves: the left half is the largest power of two below n. */
static ty_status hash_tree(ty_ctx *ctx, const leaf *leaves, int n, uint8_t out[TY_SHA256_BYTES]) {
    uint8_t pair[1 + 2 * TY_SHA256_BYTES] = {1};
    if (n == 1) {
        memcpy(out, leaves[0].digest, TY_SHA256_BYTES);
        return TY_OK;
    }
    int left = 1;
    while (left * 2 < n)
        left *= 2;
    TY_TRY(hash_tree(ctx, leaves, left, pair + 1));
    TY_TRY(hash_tree(ctx, leaves + left, n - left, pair + 1 + TY_SHA256_BYTES));
    return ty_sha256_of(ctx, pair, sizeof pair, out);
}

static ty_status hash_files(ty_ctx *ctx, const ty_content *content, digest_cache *cache,
                            uint8_t root[TY_SHA256_BYTES], int64_t *bytes) {
    leaf leaves[TY_DATA_FILES];
    for (int i = 0; i < content->n_files; i++) {
        leaves[i].file = &content->files[i];
        TY_TRY(hash_leaf(ctx, cache, &leaves[i], bytes));
    }
    qsort(leaves, (size_t)content->n_files, sizeof *leaves, compare_leaves);
    return content->n_files > 0 ? hash_tree(ctx, leaves, content->n_files, root) : TY_OK;
}

static ty_status hash_all(ty_ctx *ctx, const uint8_t root[TY_SHA256_BYTES], const char *treatment,
                          char out[TY_SHA256_HEX]) {
    ty_text text = {0};
    uint8_t digest[TY_SHA256_BYTES];
    ty_text_addf(&text, "tiltyard data 1\n%s\n", treatment);
    ty_text_add_n(&text, (const char *)root, TY_SHA256_BYTES);
    const ty_status st = text.is_short ? ty_fail_nomem(ctx, "a digest")
                                       : ty_sha256_of(ctx, text.data, text.length, digest);
    ty_text_clear(&text);
    if (st == TY_OK)
        ty_sha256_to_hex(digest, out);
    return st;
}

ty_status ty_fingerprint(ty_ctx *ctx, const ty_content *content, const char *treatment,
                         const char *cache_folder, char out[TY_SHA256_HEX], int64_t *out_bytes) {
    const ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    uint8_t root[TY_SHA256_BYTES] = {0};
    digest_cache cache = {0};
    ty_status st = TY_OK;
    *out_bytes = 0;
    if (cache_folder)
        TY_TRY_GOTO(done, st, load_cache(ctx, cache_folder, &cache));
    TY_TRY_GOTO(done, st, hash_files(ctx, content, &cache, root, out_bytes));
    if (cache.is_changed && save_cache(ctx, cache_folder, &cache) != TY_OK)
        ty_log(ctx, TY_LOG_WARN, "data",
               "digests are not kept, the next start reads all files again: %s", ctx->message);
    st = hash_all(ctx, root, treatment, out);
done:
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}
