/* How the global batch is divided: over shards, ranks and lanes. */
#ifndef TY_TRAINER_GEOMETRY_H
#define TY_TRAINER_GEOMETRY_H

#include "trainer/config.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ty_geometry {
    int ranks, rank;
    int lanes;          /* of each rank, the same everywhere */
    int64_t batch;      /* global, rows */
    int64_t rows;       /* of one shard: the shape of the training plan */
    int shards;         /* of the global batch */
    int shards_of_rank; /* this rank has [rank * shards_of_rank, ...) */
    int64_t eval_rows;  /* of one block: the shape of the evaluation plan */
} ty_geometry;

/* Divides. threads: how many lanes a rank may have; lanes are never more than a rank's shards.
 *   exact   shards are the config's, whatever the ranks are; ranks have to be a power of two that
 *           divides them
 *   fast    one shard a lane, more where micro_batch_size asks for accumulation
 * Errors: TY_ERR_CONFIG saying what would fit. */
ty_status ty_geometry_make(ty_ctx *ctx, const ty_train_config *config, int ranks, int rank,
                           int64_t threads, ty_geometry *out) TY_MUST_USE;

/* The same for a trainer that only evaluates: any number of ranks, blocks of eval_rows. */
ty_geometry ty_geometry_for_eval(const ty_train_config *config, int ranks, int rank,
                                 int64_t threads);

#ifdef __cplusplus
}
#endif
#endif
