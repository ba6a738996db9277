/* exact fixes the shards and lets ranks and lanes take them; fast lets ranks and lanes make the
 * shards. */
#include "trainer/geometry.h"

enum { EVAL_ROWS = 256, MOST_SHARDS = 1 << 20 };

static ty_status divide_exact(ty_ctx *ctx, const ty_train_config *config, int64_t threads,
                              ty_geometry *out) {
    const int64_t micro = config->train.micro_batch_size;
    out->rows = micro == TY_AUTO ? out->batch / config->train.shards : micro;
    const int64_t shards = out->batch / out->rows;
    if ((out->ranks & (out->ranks - 1)) != 0 || shards % out->ranks != 0 || shards > MOST_SHARDS)
        return ty_fail(ctx, TY_ERR_CONFIG,
                       "train.reduction \"exact\" divides the batch of %lld into %lld shards, "
                       "which %d ranks cannot "
                       "share in halves: want 1, 2, 4... ranks that divide train.shards, or "
                       "train.reduction \"fast\"",
                       (long long)out->batch, (long long)shards, out->ranks);
    out->shards = (int)shards;
    out->shards_of_rank = out->shards / out->ranks;
    out->lanes = (int)(threads < out->shards_of_rank ? threads : out->shards_of_rank);
    return TY_OK;
}

static int64_t largest_divisor(int64_t of, int64_t at_most) {
    int64_t divisor = at_most < of ? at_most : of;
    while (of % divisor != 0)
        divisor--;
    return divisor;
}

static ty_status divide_fast(ty_ctx *ctx, const ty_train_config *config, int64_t threads,
                             ty_geometry *out) {
    const int64_t micro = config->train.micro_batch_size;
    if (out->batch % out->ranks != 0)
        return ty_fail(
            ctx, TY_ERR_CONFIG,
            "train.global_batch_size %lld cannot be shared by %d ranks: want a multiple of %d",
            (long long)out->batch, out->ranks, out->ranks);
    const int64_t mine = out->batch / out->ranks;
    if (micro != TY_AUTO && (mine % micro != 0 || mine / micro > MOST_SHARDS))
        return ty_fail(ctx, TY_ERR_CONFIG,
                       "train.micro_batch_size is %lld, want a divisor of the %lld samples each of "
                       "%d ranks has",
                       (long long)micro, (long long)mine, out->ranks);
    out->rows = micro == TY_AUTO ? mine / largest_divisor(mine, threads) : micro;
    out->shards_of_rank = (int)(mine / out->rows);
    out->shards = out->shards_of_rank * out->ranks;
    out->lanes = (int)largest_divisor(out->shards_of_rank, threads);
    return TY_OK;
}

static int64_t eval_rows(const ty_train_config *config) {
    const int64_t batch = config->train.global_batch_size, block = config->eval.batch_size;
    if (block != TY_AUTO)
        return block;
    return batch < EVAL_ROWS ? batch : EVAL_ROWS;
}

ty_status ty_geometry_make(ty_ctx *ctx, const ty_train_config *config, int ranks, int rank,
                           int64_t threads, ty_geometry *out) {
    *out = (ty_geometry){.ranks = ranks,
                         .rank = rank,
                         .batch = config->train.global_batch_size,
                         .eval_rows = eval_rows(config)};
    return config->train.reduction == TY_REDUCE_EXACT ? divide_exact(ctx, config, threads, out)
                                                      : divide_fast(ctx, config, threads, out);
}

ty_geometry ty_geometry_for_eval(const ty_train_config *config, int ranks, int rank,
                                 int64_t threads) {
    return (ty_geometry){.ranks = ranks,
                         .rank = rank,
                         .lanes = (int)threads,
                         .batch = config->train.global_batch_size,
                         .eval_rows = eval_rows(config)};
}
