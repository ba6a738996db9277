/* Checkpoints publish or don't exist. One HDF5 file with a 512-byte user block in front that holds
 * magic, version, step, length and the hash of the rest, so that a damaged or foreign file never
 * reaches the HDF5 library; a hash per tensor inside. Written to a temporary, fsynced, renamed,
 * folder fsynced. h5py opens it as it is. Equal content is equal bytes. All HDF5 calls happen on
 * one thread at a time: the writer's while a writer is open. */
#ifndef TY_TRAINER_CHECKPOINT_H
#define TY_TRAINER_CHECKPOINT_H

#include "base/base.h"
#include "base/event.h"
#include "kernels/kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ty_ckpt_tensor {
    const char *name; /* "model/layers.0.conv2d.weight", "optimizer/m/..."; slashes are groups */
    ty_dtype dtype;
    ty_shape shape;
    void *data; /* host, canonical order */
} ty_ckpt_tensor;

/* Everything that continuing needs and nothing that ties it to a run, a world size or a server. */
typedef struct ty_checkpoint {
    int64_t step;
    const char *state; /* JSON object: seed, data, numeric fingerprint, every field of progress.c */
    const char *config;     /* resolved config as JSON */
    const char *data_state; /* ty_dataset_state */
    const ty_ckpt_tensor *tensors;
    int64_t n_tensors;
} ty_checkpoint;

/* Writes and publishes one file; on failure the path is as it was before, except that where only
 * the last flush of the folder failed the new file may be in place already, whole. The tensors'
 * order does not matter: they are laid out by name.
 * Errors: TY_ERR_ARG a name or shape that cannot be stored; TY_ERR_IO; TY_ERR_NOMEM. */
ty_status ty_checkpoint_write(ty_ctx *ctx, const char *path,
                              const ty_checkpoint *checkpoint) TY_MUST_USE;

/* What the user block says, after the whole file was hashed.
 * Errors: TY_ERR_INTEGRITY naming file and offset; TY_ERR_IO. */
typedef struct ty_checkpoint_header {
    int64_t step;
    uint64_t bytes;
    ty_hash128 hash;
    bool is_best; /* it was the best of its run when it was written */
} ty_checkpoint_header;
ty_status ty_checkpoint_verify(ty_ctx *ctx, const char *path,
                               ty_checkpoint_header *out) TY_MUST_USE;

/* Verifies, then reads everything into memory owned by *out (caller closes). Per-tensor hashes are
 * checked too. The file is read once, and what was hashed is what is parsed; tensors are sorted by
 * name and lie in that memory, aligned to 64 bytes. */
typedef struct ty_checkpoint_file ty_checkpoint_file;
ty_status ty_checkpoint_read(ty_ctx *ctx, const char *path, ty_checkpoint_file **out) TY_MUST_USE;
const ty_checkpoint *ty_checkpoint_content(const ty_checkpoint_file *file);
void ty_checkpoint_file_close(ty_checkpoint_file *file); /* accepts NULL */

/* The tensor of that name, in whatever order they are; NULL: none. */
const ty_ckpt_tensor *ty_checkpoint_tensor(const ty_checkpoint *content, const char *name);

/* folder/step_<12 digits>.h5 in arena, NULL: no memory. */
const char *ty_checkpoint_path(ty_arena *arena, const char *folder, int64_t step) TY_MUST_USE;

/* The newest valid checkpoint "step_<12 digits>.h5" of a folder; damaged ones are reported through
 * the log and passed over. path is in arena; *found false where there is none. */
ty_status ty_checkpoint_find(ty_ctx *ctx, const char *folder, ty_arena *arena,
                             const char **out_path, ty_checkpoint_header *out,
                             bool *found) TY_MUST_USE;

/* The same of the newest one that was its run's best when it was written; the newest valid one where
 * there is no valid best. */
ty_status ty_checkpoint_find_best(ty_ctx *ctx, const char *folder, ty_arena *arena,
                                  const char **out_path, ty_checkpoint_header *out,
                                  bool *found) TY_MUST_USE;

/* The background writer: one save in flight, from a staging copy made by submit. */
typedef struct ty_ckpt_writer ty_ckpt_writer;

typedef struct ty_ckpt_writer_options {
    const char *folder;    /* made where missing; leftover temporaries are swept */
    int keep_last;         /* >= 1 */
    bool keep_best;        /* the newest one submitted with is_best stays, also across restarts */
    size_t expected_bytes; /* of all tensors: their staging memory is made ready in the background,
                            * or else the first submit pays for it. 0: not known */
    const ty_observers *observers; /* keep what they were told before each save; NULL: none */
} ty_ckpt_writer_options;

typedef struct ty_ckpt_result {
    int64_t step;
    ty_status status;    /* of that save */
    const char *path;    /* valid until the next poll */
    const char *message; /* where it failed */
    bool is_best;
    double seconds;
} ty_ckpt_result;

/* Starts the thread. *out is the caller's to close. Errors: TY_ERR_ARG, TY_ERR_IO the folder,
 * TY_ERR_FAILED the library is not thread-safe. */
ty_status ty_ckpt_writer_open(ty_ctx *ctx, const ty_ckpt_writer_options *options,
                              ty_ckpt_writer **out) TY_MUST_USE;

/* Copies the content to staging memory and returns; waits first where a save is still in flight. A
 * failed save never fails the run: it shows in poll's result, and what was there before stays.
 * Errors: TY_ERR_NOMEM, TY_ERR_ARG. */
ty_status ty_ckpt_writer_submit(ty_ctx *ctx, ty_ckpt_writer *writer,
                                const ty_checkpoint *checkpoint, bool is_best) TY_MUST_USE;

/* True once for each finished save. wait: until the one in flight is finished. */
bool ty_ckpt_writer_poll(ty_ckpt_writer *writer, bool wait, ty_ckpt_result *out);

/* Finishes the save in flight. Accepts NULL. */
void ty_ckpt_writer_close(ty_ckpt_writer *writer);

#ifdef __cplusplus
}
#endif
#endif
