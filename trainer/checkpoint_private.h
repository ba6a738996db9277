/* What the parts of the checkpoint share.
 *
 *   checkpoint_block.c   the user block: read, write, verify before anything is parsed
 *   checkpoint_image.c   the HDF5 file driver: the library sees memory and never a disk
 *   checkpoint_layout.c  content -> HDF5 structure in an image, and where each tensor's bytes go
 *   checkpoint_write.c   image and tensors -> temporary -> published file
 *   checkpoint_read.c    file -> memory -> checked content
 *   checkpoint_folder.c  names, the newest valid one, what may go
 *   checkpoint_writer.c  the background thread */
#ifndef TY_TRAINER_CHECKPOINT_PRIVATE_H
#define TY_TRAINER_CHECKPOINT_PRIVATE_H

#include <hdf5.h>

#include "trainer/checkpoint.h"

enum { TY_CKPT_BLOCK_BYTES = 512, TY_CKPT_PIECE_BYTES = 1024 * 1024, TY_CKPT_ALIGNMENT = 64 };
#define TY_CKPT_SCHEMA "tiltyard.checkpoint/1"

/* What was read, from a checkpoint or from what else holds a model (onnx_read.c). */
struct ty_checkpoint_file {
    ty_checkpoint content;
    ty_ckpt_tensor *tensors; /* malloc, sorted by name */
    size_t capacity;
    ty_arena arena;      /* names and texts */
    unsigned char *data; /* malloc; what the tensors point into: the whole file */
    uint64_t bytes;
};

/* --- user block ------------------------------------------------------------------------------- */

/* The 512 bytes that say what header says. */
void ty_ckpt_block_encode(const ty_checkpoint_header *header,
                          unsigned char block[TY_CKPT_BLOCK_BYTES]);

/* Opens path, reads and checks its first 512 bytes against the file's length. *out_fd is the
 * caller's.
 * Errors: TY_ERR_INTEGRITY with file and offset; TY_ERR_IO; TY_ERR_NOT_FOUND. */
ty_status ty_ckpt_block_open(ty_ctx *ctx, const char *path, ty_checkpoint_header *out,
                             int *out_fd) TY_MUST_USE;

/* TY_ERR_INTEGRITY unless hash is what the header wants. */
ty_status ty_ckpt_block_check(ty_ctx *ctx, const char *path, const ty_checkpoint_header *header,
                              ty_hash128 hash) TY_MUST_USE;

/* --- image ------------------------------------------------------------------------------------ */

/* Memory that plays a file: whole (data set, only read), or sparse pages that the library fills.
 * Running out of memory is remembered, not answered: HDF5 may crash on a write that fails, so it is
 * told that all is well, and who made the image looks at is_short before using it. */
typedef struct ty_ckpt_page {
    uint64_t number; /* address / TY_CKPT_PAGE_BYTES */
    unsigned char *bytes;
} ty_ckpt_page;

enum { TY_CKPT_PAGE_BYTES = 4096 };

typedef struct ty_ckpt_image {
    const unsigned char *data; /* NULL: sparse */
    uint64_t bytes;            /* of data, or as far as the library claimed space */
    ty_ckpt_page *pages;       /* sorted by number */
    size_t n_pages, capacity;
    bool is_short;
} ty_ckpt_image;

void ty_ckpt_image_clear(ty_ckpt_image *image);

/* The bytes of a sparse image; what was never written is zero. */
void ty_ckpt_image_read(const ty_ckpt_image *image, uint64_t address, void *data, size_t bytes);

/* A file access list whose files are the image, or a negative id. The caller closes it with
 * H5Pclose, and the image outlives every file opened with it. */
hid_t ty_ckpt_image_access(ty_ckpt_image *image);

/* HDF5 prints nothing and loads no plug-ins between begin and end. */
typedef struct ty_ckpt_quiet {
    H5E_auto2_t print;
    void *data;
} ty_ckpt_quiet;

void ty_ckpt_quiet_begin(ty_ckpt_quiet *quiet);
void ty_ckpt_quiet_end(const ty_ckpt_quiet *quiet);

/* --- layout ----------------------------------------------------------------------------------- */

/* Bytes that go to the file at address without passing the library. */
typedef struct ty_ckpt_piece {
    uint64_t address;
    const void *data; /* borrowed from the content */
    size_t bytes;
} ty_ckpt_piece;

typedef struct ty_ckpt_layout {
    ty_ckpt_image image;   /* everything else */
    ty_ckpt_piece *pieces; /* by rising address */
    size_t n_pieces;
    uint64_t file_bytes;
} ty_ckpt_layout;

/* Names, shapes and pointers: TY_ERR_ARG where the content cannot be stored. *out_bytes: all
 * tensors together. */
ty_status ty_ckpt_check_content(ty_ctx *ctx, const ty_checkpoint *content,
                                size_t *out_bytes) TY_MUST_USE;
/* The bytes of one checked tensor. */
size_t ty_ckpt_tensor_bytes(const ty_ckpt_tensor *tensor);

ty_status ty_ckpt_layout_init(ty_ctx *ctx, const ty_checkpoint *content,
                              ty_ckpt_layout *layout) TY_MUST_USE;
void ty_ckpt_layout_clear(ty_ckpt_layout *layout);

/* The file's type of a dtype; a constant of the library, or negative. */
hid_t ty_ckpt_file_type(ty_dtype dtype);

/* --- files ------------------------------------------------------------------------------------ */

/* ty_checkpoint_write with the best mark. */
ty_status ty_ckpt_publish(ty_ctx *ctx, const char *path, const ty_checkpoint *content,
                          bool is_best) TY_MUST_USE;

/* Removes what a killed writer left half done. */
ty_status ty_ckpt_folder_sweep(ty_ctx *ctx, const char *folder) TY_MUST_USE;

/* The newest step whose user block says it was the best; -1: none. */
ty_status ty_ckpt_folder_best(ty_ctx *ctx, const char *folder, int64_t *out_step) TY_MUST_USE;

/* Keeps newest_step (just published), best_step (-1: none) and as many of the others that keep_last
 * are there. */
ty_status ty_ckpt_folder_prune(ty_ctx *ctx, const char *folder, int64_t newest_step,
                               int64_t best_step, int keep_last) TY_MUST_USE;

#endif
