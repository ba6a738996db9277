/* The files that `predict` takes and makes: which input becomes which output, and whether that one
 * is there already, whole, and of the same model and input.
 *
 * Beside an output NAME lies .NAME.origin: one line of JSON with the hashes of the model, of the
 * input's bytes and of the output's. It is written after the output, so an output without one, or
 * with one that says something else, is made again; a job that was killed goes on where it was. */
#ifndef TY_CLI_MODELS_SHARDS_H
#define TY_CLI_MODELS_SHARDS_H

#include "cli/cli.h"
#include "data/data.h"

typedef struct shard {
    const char *input;  /* "-": standard input */
    const char *output; /* NULL: standard output */
    ty_predictions_format format;
} shard;

typedef struct shards {
    const shard *v;
    int64_t n;
    const char *folder; /* of the outputs, the caller's to make; NULL: there is none */
} shards;

/* From --input (files, folders, "-"), the operands behind the model, --output and --format. One input
 * goes to a file or to standard output, several ones to a folder, each under its own name with the
 * format's ending. Strings are in arena; nothing is written.
 * Errors: TY_ERR_ARG what does not go together, two inputs of one output, an output that is an input;
 *         TY_ERR_DATA a folder without files; TY_ERR_IO. */
ty_status shards_plan(cli *app, ty_arena *arena, shards *out) TY_MUST_USE;

/* What is done to an input besides: identity of model and options as one word or a few. */
typedef struct shard_origin {
    const char *model, *options;
    char input[33]; /* XXH3-128 of the bytes */
} shard_origin;

/* Hashes the input into origin. *is_complete: its output is there. Nothing of it for standard input
 * and output. Errors: TY_ERR_NOT_FOUND, TY_ERR_IO, TY_ERR_DATA the input is no file. */
ty_status shard_look(ty_ctx *ctx, const shard *s, shard_origin *origin,
                     bool *is_complete) TY_MUST_USE;

/* After the output was published. */
ty_status shard_note(ty_ctx *ctx, const shard *s, const shard_origin *origin) TY_MUST_USE;

#endif
