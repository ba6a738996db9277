/* A trained model as files that others read: model.onnx with normalisation inside, and
 * model.safetensors with the bare tensors. Both are made from a checkpoint's content alone (config,
 * fitted state of the data, tensors), and the first one is read back into one.
 *
 * The graph takes what the data's files hold and encodes it itself: bytes or floats of one sample's
 * shape as input "x"; a table as one input [batch] a column, by the columns' names, doubles with NaN
 * where a cell is missing or texts; a table of numbers that has no names, or more than 256, as "x"
 * [batch, columns]. It answers "logits" and "probabilities" for classes, "prediction" for numbers. The
 * batch may have any size.
 *
 *   onnx_ops.c     which nodes an op becomes: one row an op
 *   onnx_input.c   from the data's fitted state to inputs and their encoding
 *   onnx_graph.c   nodes, constants, shapes
 *   onnx_source.c  what a checkpoint's texts say, checked
 *   onnx_write.c   the whole file      onnx_read.c   and back
 *   onnx_example.c one sample in JSON  safetensors.c the bare tensors
 *   protobuf.c     bytes
 *
 * Opset 17, IR 8 (github.com/onnx/onnx, onnx/onnx.proto, docs/Operators.md, docs/Versioning.md);
 * tables with texts take OneHotEncoder of ai.onnx.ml too. No node that we write has changed its
 * meaning since opset 13, which older runtimes read. */
#ifndef TY_TRAINER_ONNX_H
#define TY_TRAINER_ONNX_H

#include "trainer/checkpoint.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    TY_ONNX_OPSET = 17,
    TY_ONNX_OLDEST_OPSET = 13,
    TY_ONNX_MAX_RANK = 5,
    TY_ONNX_EXAMPLE_ELEMENTS = 200000
};

#define TY_ONNX_FILE "model.onnx"
#define TY_ONNX_DATA_FILE "model.onnx.data" /* beside it, where the tensors are too large */
#define TY_SAFETENSORS_FILE "model.safetensors"

/* One input or output of the graph. */
typedef struct ty_onnx_value {
    const char *name;
    const char *dtype; /* numpy's word: "uint8", "float32", "float64", "object" for texts */
    int rank;
    int64_t shape[TY_ONNX_MAX_RANK]; /* [0] is -1: the batch */
} ty_onnx_value;

/* What an export has made; arrays and strings are in the caller's arena, which is not the context's
 * scratch memory. */
typedef struct ty_onnx_signature {
    const ty_onnx_value *inputs, *outputs;
    int64_t n_inputs, n_outputs;
    bool has_data_file; /* TY_ONNX_DATA_FILE was written */
} ty_onnx_signature;

typedef struct ty_onnx_options {
    const char *version;     /* of this program, for the reader's eyes */
    uint64_t external_bytes; /* tensors of more bytes go to TY_ONNX_DATA_FILE; 0: 1.5 GB */
    int opset;               /* TY_ONNX_OLDEST_OPSET to TY_ONNX_OPSET; 0: TY_ONNX_OPSET */
} ty_onnx_options;

/* Writes TY_ONNX_FILE (and TY_ONNX_DATA_FILE) into folder, which exists; each is published whole,
 * the data before the graph. Equal content makes equal bytes.
 * Errors: TY_ERR_INTEGRITY the content contradicts itself; TY_ERR_CONFIG its config is not one of
 *         this version; TY_ERR_ARG the opset; TY_ERR_IO; TY_ERR_NOMEM. */
ty_status ty_onnx_write(ty_ctx *ctx, const ty_checkpoint *content, const char *folder,
                        const ty_onnx_options *options, ty_arena *arena,
                        ty_onnx_signature *out) TY_MUST_USE;

/* Adds one sample as JSON, as the exported graph's inputs take it: {"x": [[...]]}, or a member a
 * column. x: as ty_dataset_sample gives it; encoded columns are turned back into what the table
 * had. NULL: a sample of the means. Nothing is added where a sample has more than
 * TY_ONNX_EXAMPLE_ELEMENTS: nobody reads it.
 * Errors: TY_ERR_INTEGRITY; TY_ERR_NOMEM. */
ty_status ty_onnx_example(ty_ctx *ctx, const ty_checkpoint *content, const void *x,
                          ty_text *out) TY_MUST_USE;

/* Writes TY_SAFETENSORS_FILE into folder: the tensors of the model, named as in the graph.
 * Errors: as ty_onnx_write. */
ty_status ty_safetensors_write(ty_ctx *ctx, const ty_checkpoint *content, const char *folder,
                               const char *version) TY_MUST_USE;

/* Reads a model.onnx of ours, external data included, as if it were a checkpoint of step
 * tiltyard.step: config, data_state and "model/..." tensors; the state is empty.
 * Owns:   *out is the caller's to close.
 * Errors: TY_ERR_DATA somebody else's; TY_ERR_INTEGRITY damaged or changed; TY_ERR_NOT_FOUND;
 *         TY_ERR_IO; TY_ERR_NOMEM. */
ty_status ty_onnx_read(ty_ctx *ctx, const char *path, ty_checkpoint_file **out) TY_MUST_USE;

/* A checkpoint or a model.onnx: path's ending ".onnx" decides. */
ty_status ty_model_read(ty_ctx *ctx, const char *path, ty_checkpoint_file **out) TY_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
