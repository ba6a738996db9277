/* The file that is written along with a sweep for Optuna's readers. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "hpo/optuna/optuna_private.h"

enum { MAX_BYTES = 1 << 30 };

struct ty_optuna_tee {
    ty_optuna_view view;
    optuna_cursor cursor;
    char *path;
    int fd;
    bool is_torn; /* a write failed: how far the file is has to be looked up again */
};

/* Readers skip an unfinished last line while it is written; one that stays breaks all that follow it,
 * so that it is cut off before. Published whole: who reads meanwhile sees the one or the other. */
static ty_status mend(ty_ctx *ctx, ty_optuna_tee *tee, const char *text, size_t bytes) {
    size_t good = 0;
    ty_text head = {0};
    ty_status st = TY_OK;
    TY_TRY(optuna_read(ctx, &tee->view, text, bytes, &tee->cursor, &good));
    if (good == 0)
        optuna_add_head(&tee->view, &head);
    if (head.is_short)
        st = ty_fail_nomem(ctx, "a journal for Optuna");
    else if (good == 0)
        st = ty_file_write_atomic(ctx, tee->path, head.data, head.length);
    else if (good < bytes)
        st = ty_file_write_atomic(ctx, tee->path, text, good);
    ty_text_clear(&head);
    return st;
}

/* Opens the file where it goes on. */
static ty_status find_end(ty_ctx *ctx, ty_optuna_tee *tee) {
    char *text = NULL;
    size_t bytes = 0;
    optuna_cursor_clear(&tee->cursor);
    if (ty_file_exists(ctx, tee->path))
        TY_TRY(ty_file_read_all(ctx, tee->path, MAX_BYTES, &text, &bytes));
    const ty_status st = mend(ctx, tee, text ? text : "", bytes);
    free(text);
    return st == TY_OK ? ty_file_open(ctx, tee->path, O_WRONLY | O_APPEND, 0, &tee->fd) : st;
}

static void close_file(ty_ctx *ctx, ty_optuna_tee *tee) {
    if (tee->fd >= 0)
        (void)!ty_file_close(ctx, tee->path, tee->fd);
    tee->fd = -1;
}

ty_status ty_optuna_tee_open(ty_ctx *ctx, const char *path, const ty_optuna_view *view,
                             ty_optuna_tee **out) {
    ty_optuna_tee *tee = calloc(1, sizeof *tee);
    *out = NULL;
    if (!tee)
        return ty_fail_nomem(ctx, "a journal for Optuna");
    *tee = (ty_optuna_tee){.view = *view, .fd = -1, .path = strdup(path)};
    ty_status st = tee->path ? find_end(ctx, tee) : ty_fail_nomem(ctx, "a path");
    if (st == TY_OK)
        st = ty_optuna_tee_write(ctx, tee);
    if (st != TY_OK) {
        ty_optuna_tee_close(ctx, tee);
        return st;
    }
    *out = tee;
    return TY_OK;
}

ty_status ty_optuna_tee_write(ty_ctx *ctx, ty_optuna_tee *tee) {
    ty_text news = {0};
    if (tee->is_torn || tee->fd < 0) {
        close_file(ctx, tee);
        TY_TRY(find_end(ctx, tee));
        tee->is_torn = false;
    }
    ty_status st = optuna_add_news(ctx, &tee->view, false, &tee->cursor, &news);
    if (st == TY_OK && news.length > 0)
        st = ty_file_write(ctx, tee->path, tee->fd, news.data, news.length);
    tee->is_torn = st != TY_OK;
    ty_text_clear(&news);
    return st;
}

void ty_optuna_tee_close(ty_ctx *ctx, ty_optuna_tee *tee) {
    if (!tee)
        return;
    close_file(ctx, tee);
    optuna_cursor_clear(&tee->cursor);
    free(tee->path);
    free(tee);
}
