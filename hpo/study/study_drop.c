/* Points for a study that another process runs. Each is a file of its own in queue/ beside the journal, named by
 * when it was left and by whom, so that names sort by time and come once. Who runs the study records a point
 * with that name and removes the file afterwards: killed in between, it finds the name in the journal. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hpo/study/study_private.h"

enum { MAX_POINT_BYTES = 1 << 20 };

char *study_drop_folder(ty_arena *arena, const char *journal) {
    const char *folder = ty_path_folder(arena, journal);
    return folder ? ty_path_join(arena, folder, "queue") : NULL;
}

/* --- leaving ------------------------------------------------------------------------------------ */

static ty_status leave(ty_ctx *ctx, const char *journal, const char *text) {
    const char *folder = study_drop_folder(&ctx->scratch, journal);
    const char *path = folder ? ty_arena_printf(&ctx->scratch, "%s/%020lld-%lld.json", folder,
                                                (long long)ty_now_wall_ns(ctx), (long long)getpid())
                              : NULL;
    if (!path)
        return ty_fail_nomem(ctx, "a path");
    TY_TRY(ty_dir_make(ctx, folder));
    return ty_file_write_atomic(ctx, path, text, strlen(text));
}

ty_status ty_study_leave_point(ty_ctx *ctx, const ty_study *s, const char *journal,
                               const json_t *point) {
    TY_TRY(study_check_point(ctx, s, point));
    char *text = json_dumps(point, JSON_COMPACT | JSON_REAL_PRECISION(17));
    if (!text)
        return ty_fail_nomem(ctx, "a point");
    const ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const ty_status st = leave(ctx, journal, text);
    ty_arena_reset(&ctx->scratch, mark);
    free(text);
    return st;
}

/* --- taking ------------------------------------------------------------------------------------- */

static bool is_text(const char *name) {
    size_t length;
    while ((length = ty_text_utf8_length(name)) > 0)
        name += length;
    return *name == '\0';
}

/* By another name than text the journal would not know it again. */
static bool is_point_file(const char *name) {
    static const char ending[] = ".json";
    const size_t length = strlen(name);
    return name[0] != '.' && length >= sizeof ending &&
           strcmp(name + length - (sizeof ending - 1), ending) == 0 && is_text(name);
}

ty_status study_take_point(ty_ctx *ctx, ty_study *s, const char *name, const char *text,
                           size_t bytes) {
    if (json_object_get(s->taken, name))
        return TY_OK;
    json_t *point = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, NULL);
    const ty_status st =
        point ? study_enqueue(ctx, s, point, name) : ty_fail(ctx, TY_ERR_CONFIG, "no JSON");
    json_decref(point);
    return st;
}

/* What cannot be read (a folder, another user's), or removed, is said once and stays, for the next opening. */
static ty_status put_off(ty_ctx *ctx, ty_study *s, const char *name) {
    ty_log(ctx, TY_LOG_WARN, "sweep", "no point is taken: %s", ctx->message);
    if (!s->taken)
        s->taken = json_object();
    return json_object_set_new(s->taken, name, json_false()) == 0 ? TY_OK
                                                                  : ty_fail_nomem(ctx, "a point");
}

static ty_status read_and_take(ty_ctx *ctx, ty_study *s, const char *name, const char *path) {
    char *text = NULL;
    size_t bytes = 0;
    ty_status st = ty_file_read_all(ctx, path, MAX_POINT_BYTES, &text, &bytes);
    if (st == TY_ERR_IO)
        return put_off(ctx, s, name);
    TY_TRY(st);
    st = study_take_point(ctx, s, name, text, bytes);
    free(text);
    return st;
}

/* One that is no point (the space is another one by now) keeps nobody waiting: said, and removed. */
static ty_status take_file(ty_ctx *ctx, ty_study *s, const char *name, const char *path) {
    const ty_status st = read_and_take(ctx, s, name, path);
    if (st == TY_ERR_NOT_FOUND)
        return TY_OK; /* its owner thought again */
    if (st != TY_ERR_CONFIG && st != TY_ERR_DATA)
        return st;
    ty_log(ctx, TY_LOG_WARN, "sweep", "%s is left out: %s", path, ctx->message);
    return ty_file_unlink(ctx, path) == TY_OK ? TY_OK : put_off(ctx, s, name);
}

static ty_status take_all(ty_ctx *ctx, ty_study *s, char *const *names, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const char *path = ty_path_join(&ctx->scratch, s->drops, names[i]);
        if (!path)
            return ty_fail_nomem(ctx, "a path");
        if (is_point_file(names[i]) && !json_object_get(s->taken, names[i]))
            TY_TRY(take_file(ctx, s, names[i], path));
    }
    return TY_OK;
}

/* What is recorded, and lasts by now. One that cannot be removed is known by its name. */
static void remove_taken(ty_ctx *ctx, const ty_study *s, char *const *names, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const char *path = ty_path_join(&ctx->scratch, s->drops, names[i]);
        if (path && json_is_true(json_object_get(s->taken, names[i])))
            (void)!ty_file_unlink(ctx, path);
    }
}

static ty_status take(ty_ctx *ctx, ty_study *s) {
    char **names = NULL;
    size_t n = 0;
    const size_t before = json_array_size(s->queue);
    TY_TRY(ty_dir_list(ctx, s->drops, &ctx->scratch, &names, &n));
    TY_TRY(take_all(ctx, s, names, n));
    const size_t taken = json_array_size(s->queue) - before;
    if (taken > 0) {
        TY_TRY(ty_journal_sync(ctx, s->journal));
        ty_log(ctx, TY_LOG_INFO, "sweep", "takes %zu enqueued point%s", taken,
               taken == 1 ? "" : "s");
    }
    remove_taken(ctx, s, names, n);
    return TY_OK;
}

ty_status study_take_drops(ty_ctx *ctx, ty_study *s) {
    if (!s->drops || !ty_file_exists(ctx, s->drops))
        return TY_OK;
    const ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const ty_status st = take(ctx, s);
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}

/* --- looking ------------------------------------------------------------------------------------ */

/* What is none, or gone by now, is passed over, as who takes it will. */
static ty_status add_left(ty_ctx *ctx, const char *path, json_t *points) {
    char *text = NULL;
    size_t bytes = 0;
    const ty_status st = ty_file_read_all(ctx, path, MAX_POINT_BYTES, &text, &bytes);
    json_t *point = st == TY_OK ? json_loadb(text, bytes, JSON_REJECT_DUPLICATES, NULL) : NULL;
    const bool is_added = !point || json_array_append(points, point) == 0;
    json_decref(point);
    free(text);
    return st != TY_ERR_NOMEM && is_added ? TY_OK : ty_fail_nomem(ctx, "a point");
}

static ty_status add_all_left(ty_ctx *ctx, const ty_study *s, const char *journal, json_t *points) {
    char **names = NULL;
    size_t n = 0;
    const char *folder = study_drop_folder(&ctx->scratch, journal);
    if (!folder)
        return ty_fail_nomem(ctx, "a path");
    if (!ty_file_exists(ctx, folder))
        return TY_OK;
    TY_TRY(ty_dir_list(ctx, folder, &ctx->scratch, &names, &n));
    for (size_t i = 0; i < n; i++) {
        const char *path = ty_path_join(&ctx->scratch, folder, names[i]);
        if (!path)
            return ty_fail_nomem(ctx, "a path");
        if (is_point_file(names[i]) && !json_object_get(s->taken, names[i]))
            TY_TRY(add_left(ctx, path, points));
    }
    return TY_OK;
}

ty_status ty_study_waiting(ty_ctx *ctx, const ty_study *s, const char *journal, json_t *points) {
    for (size_t i = s->queue_taken; i < json_array_size(s->queue); i++)
        if (json_array_append(points, json_array_get(s->queue, i)) != 0)
            return ty_fail_nomem(ctx, "a point");
    const ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const ty_status st = add_all_left(ctx, s, journal, points);
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}
