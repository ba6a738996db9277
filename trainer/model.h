/* From a config's layers to a graph. */
#ifndef TY_TRAINER_MODEL_H
#define TY_TRAINER_MODEL_H

#include "trainer/config.h"
#include "trainer/graph.h"

/* input -> normalize -> layers -> loss, fused; differentiated where is_training. rows is the batch
 * of one shard or block. *out is the caller's to clear, also after a failure.
 * Errors: TY_ERR_CONFIG naming the layer. */
ty_status ty_model_build(ty_ctx *ctx, const ty_train_config *config, const ty_data_info *data,
                         int64_t rows, bool is_training, ty_graph *out) TY_MUST_USE;

#endif
