/* A file written front to back and published at its end: what others see is all of it or what was
 * there before. Small pieces are gathered, so that a writer may add field by field. */
#ifndef TY_TRAINER_FILE_OUT_H
#define TY_TRAINER_FILE_OUT_H

#include "base/base.h"

typedef struct ty_file_out {
    const char *path; /* the final one; borrowed */
    char *temp;       /* in the context's scratch memory */
    int fd;
    unsigned char *buffer;
    size_t used;
    uint64_t offset; /* bytes so far */
} ty_file_out;

/* Opens a temporary beside path. The context's scratch memory must not be reset before
 * ty_file_out_end. */
ty_status ty_file_out_open(ty_ctx *ctx, const char *path, ty_file_out *out) TY_MUST_USE;

ty_status ty_file_out_add(ty_ctx *ctx, ty_file_out *out, const void *data,
                          size_t bytes) TY_MUST_USE;
/* Zeros up to the next multiple of alignment. */
ty_status ty_file_out_align(ty_ctx *ctx, ty_file_out *out, uint64_t alignment) TY_MUST_USE;

/* Ends it: flushes, syncs and renames where st is TY_OK, otherwise removes the temporary; answers
 * st or what went wrong. Accepts one that was not opened. */
ty_status ty_file_out_end(ty_ctx *ctx, ty_file_out *out, ty_status st) TY_MUST_USE;

#endif
