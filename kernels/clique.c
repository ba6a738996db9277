/* Cliques, by device. */
#include "kernels/backend.h"

bool ty_device_has_cliques(const ty_device *dev) {
    return dev->backend->cliques != NULL;
}

ty_status ty_clique_new_id(ty_ctx *ctx, ty_device *dev, uint8_t id[TY_CLIQUE_ID_BYTES]) {
    return dev->backend->cliques->new_id(ctx, dev, id);
}

ty_status ty_clique_open(ty_ctx *ctx, ty_device *dev, const uint8_t id[TY_CLIQUE_ID_BYTES],
                         int rank, int size, ty_clique **out) {
    return dev->backend->cliques->open(ctx, dev, id, rank, size, out);
}

static const ty_clique_table *table_of(const ty_clique *clique) {
    return clique->dev->backend->cliques;
}

ty_status ty_clique_poll(ty_ctx *ctx, ty_clique *clique, bool *is_ready) {
    return table_of(clique)->poll(ctx, clique, is_ready);
}

void ty_clique_abort(ty_clique *clique) {
    if (clique)
        table_of(clique)->abort(clique);
}

void ty_clique_close(ty_clique *clique) {
    if (clique)
        table_of(clique)->close(clique);
}

ty_status ty_clique_all_reduce(ty_ctx *ctx, ty_clique *clique, float *x, int64_t n) {
    return table_of(clique)->all_reduce(ctx, clique, x, n);
}

ty_status ty_clique_all_to_all(ty_ctx *ctx, ty_clique *clique, const float *from, float *to,
                               int64_t slice) {
    return table_of(clique)->all_to_all(ctx, clique, from, to, slice);
}

ty_status ty_clique_all_gather(ty_ctx *ctx, ty_clique *clique, float *x, int64_t slice) {
    return table_of(clique)->all_gather(ctx, clique, x, slice);
}

ty_status ty_clique_sum_slices(ty_ctx *ctx, ty_clique *clique, const float *parts, float *to,
                               int64_t slice) {
    return table_of(clique)->sum_slices(ctx, clique, parts, to, slice);
}
