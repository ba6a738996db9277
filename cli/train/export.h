/* A run's model made into a package: model.onnx and model.safetensors (trainer/onnx.h), and what
 * makes MLflow load them (registry/package.h). Who exports the same model of the same run again
 * makes the same package, not a second one. */
#ifndef TY_CLI_TRAIN_EXPORT_H
#define TY_CLI_TRAIN_EXPORT_H

#include "registry/registry.h"
#include "trainer/trainer.h"

typedef struct export_wish {
    const char
        *run_folder; /* its best checkpoint, the newest where none is; NULL: checkpoint says */
    const char *checkpoint; /* this file instead, .h5 or a model.onnx of ours; NULL */
    const char *run_id;     /* as the run's journal has it; NULL: of no run */
    const char *name;       /* what MLflow calls the model; NULL: "model" */
    const char *folder;     /* the package's; NULL: run_folder/models/<model_id> */
    const ty_dataset *data; /* the input example is a row of its val part; NULL: of the means */
    int opset;              /* of the graph; 0: the newest that we write */
} export_wish;

typedef struct export_made {
    char model_id[TY_PACKAGE_ID]; /* of (run_id, step) or, without a run, of the content */
    const char *name, *folder;    /* in the caller's arena */
    int64_t step;
} export_made;

/* Writes the package's files, each published whole. In its place in the run's folder a package that
 * is whole already stays as it is, since others may have its digests; elsewhere what was there under
 * the files' names is replaced. arena is not the context's scratch memory.
 * Errors: TY_ERR_NOT_FOUND no checkpoint; TY_ERR_INTEGRITY a damaged one; TY_ERR_CONFIG one of
 *         another version; TY_ERR_IO; TY_ERR_NOMEM. */
ty_status export_model(ty_ctx *ctx, const export_wish *wish, ty_arena *arena,
                       export_made *out) TY_MUST_USE;

/* The same by a thread of rank 0 while all ranks keep meeting: one that waited for rank 0 in its next
 * collective call would give up at that call's deadline, and a large model on a slow disk takes
 * longer.
 * Ranks:  collective; wish is NULL but on rank 0 (there too: nothing is exported), which alone has
 *         out and *exported, how it went, with the message in ctx.
 * Errors: TY_ERR_COMM a rank is gone. */
ty_status export_model_apart(ty_ctx *ctx, ty_comm *comm, const export_wish *wish, ty_arena *arena,
                             export_made *out, ty_status *exported) TY_MUST_USE;

#endif
