/* Who follows a holder that may wake up goes on with a copy of the journal (decision 14). Three orders make
 * it right, with pauses of any length between any two calls:
 *
 *   a holder       writes, syncs, looks at the lease, promises
 *   who follows    takes the lease, copies: what was promised is in the copy
 *   who copies     makes a temporary, looks at the lease, copies, renames; who follows it removes all
 *                  temporaries first: one that slept renames nothing over the journal any more */
#include "base/journal_frame.h"

static ty_status fill(ty_ctx *ctx, const char *path, const char *temp, int fd, ty_lease *lease) {
    TY_TRY(ty_lease_check(ctx, lease));
    TY_TRY(ty_file_copy_into(ctx, path, temp, fd));
    return ty_file_sync(ctx, temp, fd);
}

/* TY_ERR_NOT_FOUND: somebody removed the temporary. */
static ty_status copy_once(ty_ctx *ctx, const char *path, ty_lease *lease) {
    char *temp = NULL;
    int fd = -1;
    TY_TRY(ty_file_open_temp(ctx, path, &ctx->scratch, &temp, &fd));
    ty_status st = fill(ctx, path, temp, fd, lease);
    const ty_status closed = ty_file_close(ctx, temp, fd);
    st = st == TY_OK ? closed : st;
    if (st == TY_OK)
        st = ty_file_publish(ctx, temp, path);
    if (st != TY_OK)
        (void)ctx->io->unlink(ctx->io->self, temp);
    return st;
}

/* Who removed it has the lease by now, or had it once and slept while it removed others'. */
static ty_status copy(ty_ctx *ctx, const char *path, ty_lease *lease) {
    enum { TRIES = 20 };
    TY_TRY(ty_file_sweep_temps(ctx, path));
    ty_status st = copy_once(ctx, path, lease);
    for (int n = 1; n < TRIES && st == TY_ERR_NOT_FOUND; n++)
        st = copy_once(ctx, path, lease);
    return st;
}

ty_status ty_journal_fence(ty_ctx *ctx, const char *path, ty_lease *lease) {
    if (!ty_lease_may_wake(lease))
        return TY_OK;
    if (ty_file_exists(ctx, path)) {
        const ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
        const ty_status st = copy(ctx, path, lease);
        ty_arena_reset(&ctx->scratch, mark);
        TY_TRY(st);
    }
    return ty_lease_settle(ctx, lease);
}
