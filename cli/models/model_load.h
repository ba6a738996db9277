/* A model that a command line names, read once and brought to all ranks. */
#ifndef TY_CLI_MODELS_MODEL_LOAD_H
#define TY_CLI_MODELS_MODEL_LOAD_H

#include "cli/models/model_source.h"
#include "trainer/trainer.h"

typedef struct loaded_model {
    model_source source;          /* rank 0's */
    ty_checkpoint_file *file;     /* rank 0's */
    const ty_checkpoint *content; /* rank 0's, for ty_trainer_options.model; NULL elsewhere */
    int64_t step;
    const char *config, *data_state; /* everybody's, in the arena */
} loaded_model;

/* Rank 0 finds and reads what `model` names (cli/models/model_source.h); all receive its texts.
 * Ranks:  collective; all agree.
 * Owns:   *out is the caller's to unload, also after a failure.
 * Errors: model_source_find's; TY_ERR_INTEGRITY a damaged file; TY_ERR_DATA one without the fitted
 *         state of its training's data. */
ty_status model_load(cli *app, ty_comm *comm, const char *model, ty_arena *arena,
                     loaded_model *out) TY_MUST_USE;
void model_unload(loaded_model *model);

#endif
