/* Letters to rank 0. The trainer does not know what is in them; it knows when all ranks are at the
 * same place, which is what a collective takes. */
#include "trainer/trainer_private.h"

#include <stdlib.h>

static const ty_post *post_of(const ty_trainer *trainer) {
    const ty_post *post = trainer->options.post;
    return post && post->bytes > 0 && trainer->geometry.ranks > 1 ? post : NULL;
}

bool ty_post_is_due(ty_ctx *ctx, const ty_trainer *trainer) {
    const ty_post *post = post_of(trainer);
    const double since = (double)(ty_now_ns(ctx) - trainer->times.post_ns) * 1e-9;
    return post && since >= post->every_s;
}

static void read_all(const ty_trainer *trainer, const ty_post *post, const char *letters) {
    for (int rank = 1; trainer->geometry.rank == 0 && rank < trainer->geometry.ranks; rank++)
        post->read(post->self, rank, letters + (size_t)rank * post->bytes);
}

ty_status ty_post_run(ty_ctx *ctx, ty_trainer *trainer) {
    const ty_post *post = post_of(trainer);
    trainer->asked[TY_WISH_POST] = trainer->wishes[TY_WISH_POST] = 0;
    trainer->times.post_ns = ty_now_ns(ctx);
    if (!post || ty_end_wishes(trainer, TY_WISH_ABANDON))
        return TY_OK;
    char *mine = calloc(1, post->bytes);
    char *all = calloc((size_t)trainer->geometry.ranks, post->bytes);
    ty_status st = mine && all ? TY_OK : ty_fail_nomem(ctx, "letters between ranks");
    if (st == TY_OK && trainer->geometry.rank != 0)
        post->write(post->self, mine);
    st = ty_comm_agree(ctx, trainer->comm, st);
    if (st == TY_OK)
        st = ty_comm_all_gather(ctx, trainer->comm, mine, post->bytes, all);
    if (st == TY_OK)
        read_all(trainer, post, all);
    free(mine);
    free(all);
    return st;
}
