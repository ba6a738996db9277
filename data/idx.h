/* The IDX file format (Y. LeCun, "THE IDX FILE FORMAT", at the end of the MNIST page): two zero
 * bytes, a type byte, the rank, big-endian u32 dims, then the elements, big-endian. Private to
 * data/. */
#ifndef TY_DATA_IDX_H
#define TY_DATA_IDX_H

#include "data/input.h"

enum { TY_IDX_MAX_RANK = 4 };

typedef enum ty_idx_type {
    TY_IDX_U8 = 0x08,
    TY_IDX_I8 = 0x09,
    TY_IDX_I16 = 0x0b,
    TY_IDX_I32 = 0x0c,
    TY_IDX_F32 = 0x0d,
    TY_IDX_F64 = 0x0e
} ty_idx_type;

typedef struct ty_idx {
    ty_idx_type type;
    int rank;
    int64_t dims[TY_IDX_MAX_RANK];
    int64_t count; /* elements */
    size_t element_bytes;
    size_t header_bytes;
    uint8_t *data; /* as stored; malloc */
} ty_idx;

/* Reads and checks a whole file. Allocates no more than the file can hold.
 * Owns: out->data, released by ty_idx_clear also after a failure.
 * Errors: TY_ERR_DATA naming the file and the offset: magic, type, rank, a size of 0, less or more
 * bytes than the header promises. */
ty_status ty_idx_read(ty_ctx *ctx, ty_input *input, ty_idx *out) TY_MUST_USE;
void ty_idx_clear(ty_idx *idx);

/* Element i as a number. */
double ty_idx_at(const ty_idx *idx, int64_t i);

#endif
