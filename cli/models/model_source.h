/* MODEL on a command line: whatever a person may call a trained model, found, checked and brought
 * here as a file that ty_model_read (trainer/onnx.h) takes.
 *
 *     runs/fashion/cnn-1a2b, cnn-1a2b, 6 digits of its MLflow id     the run's best checkpoint,
 *                                                                    the newest where none is best
 *     step_000000001200.h5                                           that checkpoint
 *     exported/ (with MLmodel), exported/model.onnx                  that package's model
 *     models:/fashion@champion, models:/fashion/3, models:/m-...     the registry's, verified */
#ifndef TY_CLI_MODELS_MODEL_SOURCE_H
#define TY_CLI_MODELS_MODEL_SOURCE_H

#include "cli/cli.h"
#include "registry/registry.h"

typedef enum model_kind { MODEL_CHECKPOINT, MODEL_ONNX } model_kind;

typedef struct model_source {
    model_kind kind;
    const char *path;       /* the file: step_*.h5, model.onnx */
    const char *package;    /* the folder with MLmodel that it lies in; NULL: none */
    const char *run_folder; /* of the run that was named; NULL: none was */
    const char *name;       /* registered models, and m-... ids: "fashion"; NULL: of none */
    const char *version;    /* of the registered model: "3"; NULL: of none */
    bool is_verified;       /* all files of the package were compared with their SHA-256 */
} model_source;

/* Finds what `model` names; strings are in arena. What a registry has elsewhere is downloaded into
 * <working folder>/models/cache/<SHA-256 of its manifest> once, and verified each time.
 * Errors: TY_ERR_NOT_FOUND nothing is called so; TY_ERR_ARG more than one thing is, or a URI that is
 *         none; TY_ERR_INTEGRITY files that are not what was registered; TY_ERR_BUSY the registry
 *         cannot be reached now; TY_ERR_DATA a model without an ONNX graph. */
ty_status model_source_find(cli *app, const char *model, ty_arena *arena,
                            model_source *out) TY_MUST_USE;

#endif
