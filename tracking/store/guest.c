#include "tracking/store/guest.h"

#include <stdlib.h>
#include <string.h>

#include "tracking/artifact.h"
#include "tracking/tags.h"

static const char topic[] = "tracking";
enum { MAX_DEPTH = 8 };

typedef struct place {
    const char *from, *to; /* folders */
    ty_arena arena;
} place;

static int hex_of(char c) {
    const char *digits = "0123456789abcdef", *at = c != '\0' ? strchr(digits, c | 0x20) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* A folder of this machine, as MLflow writes one: a path or a file: URI, with %-escapes; NULL: it is
 * none, or no memory. */
static char *path_of(ty_arena *arena, const char *uri) {
    if (strncmp(uri, "file://", 7) == 0)
        uri += 7;
    char *path = uri[0] == '/' ? ty_arena_string(arena, uri) : NULL;
    char *out = path;
    for (const char *in = path; in && *in != '\0'; out++) {
        const int high = in[0] == '%' ? hex_of(in[1]) : -1;
        const int low = high >= 0 ? hex_of(in[2]) : -1;
        *out = low > 0 || high > 0 ? (char)(16 * high + low) : *in;
        in += low >= 0 ? 3 : 1;
    }
    if (out)
        *out = '\0';
    return path;
}

static ty_status publish(ty_ctx *ctx, place *p, const char *name) {
    const char *from = ty_path_join(&p->arena, p->from, name);
    const char *to = ty_path_join(&p->arena, p->to, name);
    return from && to ? ty_artifact_publish(ctx, from, to) : ty_fail_nomem(ctx, "an artifact");
}

static ty_status publish_folder(ty_ctx *ctx, place *p, const char *folder, int depth);

static ty_status publish_entry(ty_ctx *ctx, place *p, const char *name, int depth) {
    struct stat info;
    const char *path = ty_path_join(&p->arena, p->from, name);
    if (!path)
        return ty_fail_nomem(ctx, "an artifact");
    if (ctx->io->stat(ctx->io->self, path, &info) != 0)
        return TY_OK; /* it was replaced, and is told again */
    return S_ISDIR(info.st_mode) ? publish_folder(ctx, p, name, depth + 1) : publish(ctx, p, name);
}

static ty_status publish_folder(ty_ctx *ctx, place *p, const char *folder, int depth) {
    char **names = NULL;
    size_t n = 0;
    const char *path = folder[0] != '\0' ? ty_path_join(&p->arena, p->from, folder) : p->from;
    if (!path)
        return ty_fail_nomem(ctx, "a folder of artifacts");
    if (depth > MAX_DEPTH)
        return TY_OK;
    TY_TRY(ty_dir_list(ctx, path, &p->arena, &names, &n));
    for (size_t i = 0; i < n; i++) {
        const char *name = folder[0] != '\0' ? ty_path_join(&p->arena, folder, names[i]) : names[i];
        if (!name)
            return ty_fail_nomem(ctx, "an artifact");
        TY_TRY(publish_entry(ctx, p, name, depth));
    }
    return TY_OK;
}

static ty_status publish_there(ty_ctx *ctx, ty_store *store, const char *run_id, place *p,
                               const char *run_folder, const char *artifact) {
    char *uri = NULL;
    TY_TRY(ty_store_artifact_uri(ctx, store, run_id, &p->arena, &uri));
    p->from = ty_track_artifacts_path(&p->arena, run_folder);
    p->to = uri ? path_of(&p->arena, uri) : NULL;
    if (!p->from)
        return ty_fail_nomem(ctx, "a folder of artifacts");
    if (!p->to)
        return ty_fail(ctx, TY_ERR_IO, "%s is no folder of this machine", uri ? uri : "no place");
    if (strcmp(p->from, p->to) == 0)
        return TY_OK;
    return artifact ? publish(ctx, p, ty_track_artifact_name(artifact))
                    : publish_folder(ctx, p, "", 0);
}

void ty_guest_publish(ty_ctx *ctx, ty_store *store, const char *run_id, const char *run_folder,
                      const char *artifact) {
    place p = {0};
    if (publish_there(ctx, store, run_id, &p, run_folder, artifact) != TY_OK)
        ty_log(ctx, artifact ? TY_LOG_DEBUG : TY_LOG_WARN, topic,
               "%s: its artifacts do not show in run %s: %s", run_folder, run_id, ctx->message);
    ty_arena_clear(&p.arena);
}
