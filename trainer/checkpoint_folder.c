/* A run's folder of checkpoints: names, the newest valid one, and what may go. */
#include "trainer/checkpoint_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TEMP_PREFIX ".tmp-step_"
#define TRASH_PREFIX ".trash-"
enum { DIGITS = 12, NAME_BYTES = 5 + DIGITS + 3 }; /* step_ 12 digits .h5 */

const char *ty_checkpoint_path(ty_arena *arena, const char *folder, int64_t step) {
    return ty_arena_printf(arena, "%s/step_%0*" PRId64 ".h5", folder, DIGITS, step);
}

/* The step of a checkpoint's name, -1 for any other name. */
static int64_t step_of(const char *name) {
    int64_t step = 0;
    if (strlen(name) != NAME_BYTES || memcmp(name, "step_", 5) != 0 ||
        strcmp(name + 5 + DIGITS, ".h5") != 0)
        return -1;
    for (int i = 0; i < DIGITS; i++) {
        char digit = name[5 + i];
        if (digit < '0' || digit > '9')
            return -1;
        step = step * 10 + (digit - '0');
    }
    return step;
}

/* Names in scratch, oldest first; a missing folder has none. */
static ty_status list(ty_ctx *ctx, const char *folder, char ***out_names, size_t *out_count) {
    ty_status st = ty_dir_list(ctx, folder, &ctx->scratch, out_names, out_count);
    if (st == TY_ERR_NOT_FOUND) {
        *out_count = 0;
        return TY_OK;
    }
    return st;
}

static ty_status try_each(ty_ctx *ctx, const char *folder, ty_arena *arena, const char **out_path,
                          ty_checkpoint_header *out, bool *found) {
    char **names = NULL;
    size_t count = 0;
    TY_TRY(list(ctx, folder, &names, &count));
    while (count-- > 0 && !*found) {
        int64_t step = step_of(names[count]);
        if (step < 0)
            continue;
        const char *path = ty_path_join(&ctx->scratch, folder, names[count]);
        if (!path)
            return ty_fail_nomem(ctx, "a checkpoint's name");
        ty_status st = ty_checkpoint_verify(ctx, path, out);
        if (st == TY_OK && out->step != step)
            st = ty_fail(ctx, TY_ERR_INTEGRITY, "%s holds step %" PRId64, path, out->step);
        if (st == TY_ERR_NOMEM)
            return st;
        *found = st == TY_OK;
        if (!*found)
            ty_log(ctx, TY_LOG_WARN, "checkpoint", "%s; passing it over", ctx->message);
        else if (!(*out_path = ty_arena_string(arena, path)))
            return ty_fail_nomem(ctx, "a checkpoint's name");
    }
    return TY_OK;
}

ty_status ty_checkpoint_find(ty_ctx *ctx, const char *folder, ty_arena *arena,
                             const char **out_path, ty_checkpoint_header *out, bool *found) {
    *found = false;
    ty_arena own = {0}; /* arena may be scratch itself */
    const char *path = NULL;
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    ty_status st = try_each(ctx, folder, &own, &path, out, found);
    ty_arena_reset(&ctx->scratch, mark);
    if (st == TY_OK && *found && !(*out_path = ty_arena_string(arena, path)))
        st = ty_fail_nomem(ctx, "a checkpoint's name");
    ty_arena_clear(&own);
    return st;
}

static bool starts_with(const char *text, const char *prefix) {
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static ty_status sweep(ty_ctx *ctx, const char *folder) {
    char **names = NULL;
    size_t count = 0;
    TY_TRY(list(ctx, folder, &names, &count));
    for (size_t i = 0; i < count; i++) {
        if (!starts_with(names[i], TEMP_PREFIX) && !starts_with(names[i], TRASH_PREFIX "step_"))
            continue;
        const char *path = ty_path_join(&ctx->scratch, folder, names[i]);
        if (!path)
            return ty_fail_nomem(ctx, "a checkpoint's name");
        if (ty_file_unlink(ctx, path) != TY_OK)
            ty_log(ctx, TY_LOG_WARN, "checkpoint", "%s", ctx->message);
    }
    return TY_OK;
}

ty_status ty_ckpt_folder_sweep(ty_ctx *ctx, const char *folder) {
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    ty_status st = sweep(ctx, folder);
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}

static ty_status look_for_best(ty_ctx *ctx, const char *folder, int64_t *out_step) {
    char **names = NULL;
    size_t count = 0;
    TY_TRY(list(ctx, folder, &names, &count));
    while (count-- > 0 && *out_step < 0) {
        ty_checkpoint_header header;
        int fd = -1;
        const char *path = ty_path_join(&ctx->scratch, folder, names[count]);
        if (!path)
            return ty_fail_nomem(ctx, "a checkpoint's name");
        if (step_of(names[count]) < 0 || ty_ckpt_block_open(ctx, path, &header, &fd) != TY_OK)
            continue; /* who resumes has heard of a damaged one from ty_checkpoint_find */
        (void)ctx->io->close(ctx->io->self, fd);
        if (header.is_best)
            *out_step = step_of(names[count]);
    }
    return TY_OK;
}

ty_status ty_ckpt_folder_best(ty_ctx *ctx, const char *folder, int64_t *out_step) {
    *out_step = -1;
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    ty_status st = look_for_best(ctx, folder, out_step);
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}

ty_status ty_checkpoint_find_best(ty_ctx *ctx, const char *folder, ty_arena *arena,
                                  const char **out_path, ty_checkpoint_header *out, bool *found) {
    int64_t step;
    TY_TRY(ty_ckpt_folder_best(ctx, folder, &step));
    const char *path = step < 0 ? NULL : ty_checkpoint_path(arena, folder, step);
    if (step >= 0 && !path)
        return ty_fail_nomem(ctx, "a checkpoint's name");
    *found = path && ty_checkpoint_verify(ctx, path, out) == TY_OK;
    if (*found) {
        *out_path = path;
        return TY_OK;
    }
    if (path)
        ty_log(ctx, TY_LOG_WARN, "checkpoint", "%s; passing it over", ctx->message);
    return ty_checkpoint_find(ctx, folder, arena, out_path, out, found);
}

/* Out of sight first: a kill between the two leaves no half-removed checkpoint under a name that is
 * looked for. */
static ty_status remove_one(ty_ctx *ctx, const char *folder, const char *name) {
    const char *path = ty_path_join(&ctx->scratch, folder, name);
    const char *trash = ty_arena_printf(&ctx->scratch, "%s/" TRASH_PREFIX "%s", folder, name);
    if (!path || !trash)
        return ty_fail_nomem(ctx, "a checkpoint's name");
    TY_TRY(ty_file_rename(ctx, path, trash));
    return ty_file_unlink(ctx, trash);
}

static ty_status prune(ty_ctx *ctx, const char *folder, int64_t newest_step, int64_t best_step,
                       int keep_last) {
    char **names = NULL;
    size_t count = 0;
    int kept = 1; /* the one just published, whatever else is there */
    TY_TRY(list(ctx, folder, &names, &count));
    while (count-- > 0) {
        int64_t step = step_of(names[count]);
        if (step < 0 || step == newest_step)
            continue;
        if (kept < keep_last)
            kept++;
        else if (step != best_step)
            TY_TRY(remove_one(ctx, folder, names[count]));
    }
    return TY_OK;
}

ty_status ty_ckpt_folder_prune(ty_ctx *ctx, const char *folder, int64_t newest_step,
                               int64_t best_step, int keep_last) {
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    ty_status st = prune(ctx, folder, newest_step, best_step, keep_last);
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}
