/* A model that leaves: a folder that MLflow loads (`mlflow.onnx`, `mlflow.pyfunc`), that serving
 * stacks take, and whose every byte can be checked.
 *
 *     MLmodel                     flavors onnx and python_function, signature, ids
 *     model.onnx                  and its external data, where it has some
 *     model.safetensors           the same weights for everybody else
 *     conda.yaml, python_env.yaml, requirements.txt
 *     input_example.json, serving_input_example.json
 *     tiltyard.json               the SHA-256 of all of these (registry/manifest.h)
 *
 * Who exports puts model.onnx (and what else there is) into the folder; ty_package_write adds the
 * rest. */
#ifndef TY_REGISTRY_PACKAGE_H
#define TY_REGISTRY_PACKAGE_H

#include "base/base.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    TY_PACKAGE_MAX_RANK = 16,
    TY_PACKAGE_MAX_TENSORS = 4096,
    TY_PACKAGE_ID = 35 /* "m-", 32 hex digits, NUL */
};

/* One input or output of the graph. */
typedef struct ty_package_tensor {
    const char *name;     /* the graph's: UTF-8 without control characters */
    const char *dtype;    /* numpy's word: "float32", "int64", "str" */
    const int64_t *shape; /* -1: any size; the first one is the batch */
    int64_t rank;         /* at most TY_PACKAGE_MAX_RANK */
} ty_package_tensor;

typedef struct ty_package_value {
    const char *key, *text;
} ty_package_value;

typedef struct ty_package_facts {
    const char *model_id; /* "m-" and 32 hex digits */
    const char *run_id;   /* NULL: of no run */
    const char *name;     /* what MLflow calls the model: "best", "fashion-cnn" */
    const char *data;     /* the graph's file in the folder; NULL: model.onnx */
    int64_t created_ns;   /* wall clock */
    const ty_package_tensor *inputs, *outputs;
    int64_t n_inputs, n_outputs;
    const char *example;              /* JSON, {"x": [[...]]}: a list an input; NULL: none */
    const ty_package_value *metadata; /* step, config hash, whatever is worth knowing */
    int64_t n_metadata;
} ty_package_facts;

/* Writes MLmodel and the files beside it into folder, each atomically and tiltyard.json last, so
 * that a package with one is whole. Writing again replaces.
 * Errors: TY_ERR_ARG a fact that no MLmodel can hold; TY_ERR_NOT_FOUND the graph's file is not
 * there; TY_ERR_IO. */
ty_status ty_package_write(ty_ctx *ctx, const char *folder,
                           const ty_package_facts *facts) TY_MUST_USE;

/* "m-" and 32 random hex digits. Errors: TY_ERR_IO. */
ty_status ty_package_new_id(ty_ctx *ctx, char out[TY_PACKAGE_ID]) TY_MUST_USE;

/* What an MLmodel says, as far as we need it. NULL: it does not say. Strings live in the arena. */
typedef struct ty_package {
    const char *model_id, *run_id, *name;
    const char *data; /* flavors.onnx.data, relative and safe; NULL: not an ONNX model */
    const ty_package_tensor *inputs, *outputs; /* of tensors; examples are left out */
    int64_t n_inputs, n_outputs;
} ty_package;

/* Reads folder/MLmodel, ours or anybody's.
 * Errors: TY_ERR_NOT_FOUND no MLmodel; TY_ERR_INTEGRITY no YAML, or names that lead elsewhere;
 * TY_ERR_DATA longer than 1 MiB. */
ty_status ty_package_read(ty_ctx *ctx, const char *folder, ty_arena *arena,
                          ty_package *out) TY_MUST_USE;

/* The same from memory. */
ty_status ty_package_parse(ty_ctx *ctx, const char *text, size_t bytes, ty_arena *arena,
                           ty_package *out) TY_MUST_USE;

/* Lays the package out for Triton and what speaks its language: folder/NAME/1/model.onnx (and
 * external data) with NAME/config.pbtxt.
 * Errors: TY_ERR_DATA not an ONNX model, or without signature; TY_ERR_ARG name; TY_ERR_IO. */
ty_status ty_package_export_triton(ty_ctx *ctx, const char *package, const char *name,
                                   const char *folder) TY_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
