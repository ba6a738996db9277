#include "cli/program.h"

#include <string.h>
#include <unistd.h>

static bool may_run(ty_ctx *ctx, const char *path) {
    struct stat there;
    return ty_file_stat(ctx, path, &there) == TY_OK && S_ISREG(there.st_mode) &&
           access(path, X_OK) == 0;
}

/* In a folder of PATH; an empty name is that of the folder we are in. */
static bool is_there(ty_ctx *ctx, const char *folder, int length, const char *program) {
    const char *file = ty_arena_printf(&ctx->scratch, "%.*s%s%s", length, folder,
                                       length > 0 ? "/" : "./", program);
    return file && may_run(ctx, file);
}

bool program_is_found(ty_ctx *ctx, const char *program) {
    const char *path = ctx->getenv("PATH");
    const ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    bool is_found = strchr(program, '/') && may_run(ctx, program);
    if (strchr(program, '/') || !*program)
        return is_found;
    for (const char *at = path ? path : "/bin:/usr/bin"; at && !is_found;) {
        const size_t length = strcspn(at, ":");
        is_found = is_there(ctx, at, (int)length, program);
        at = at[length] == ':' ? at + length + 1 : NULL;
    }
    ty_arena_reset(&ctx->scratch, mark);
    return is_found;
}
