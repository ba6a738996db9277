/* Reads an IDX file without trusting its header. */
#include "data/idx.h"

#include <stdlib.h>
#include <string.h>

#include "data/reader.h"

static uint32_t big_u32(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static size_t bytes_of_type(uint8_t type) {
    switch (type) {
    case TY_IDX_U8:
    case TY_IDX_I8:
        return 1;
    case TY_IDX_I16:
        return 2;
    case TY_IDX_I32:
    case TY_IDX_F32:
        return 4;
    case TY_IDX_F64:
        return 8;
    default:
        return 0;
    }
}

static ty_status read_exactly(ty_ctx *ctx, ty_input *input, void *out, size_t bytes,
                              size_t offset) {
    size_t got = 0;
    TY_TRY(ty_input_read(ctx, input, out, bytes, &got));
    if (got < bytes)
        return ty_fail(ctx, TY_ERR_DATA, "%s:@%zu: the IDX file ends here, want %zu byte%s more",
                       ty_input_name(input), offset + got, bytes - got,
                       bytes - got == 1 ? "" : "s");
    return TY_OK;
}

static ty_status read_magic(ty_ctx *ctx, ty_input *input, ty_idx *out) {
    const char *name = ty_input_name(input);
    uint8_t magic[4];
    TY_TRY(read_exactly(ctx, input, magic, sizeof magic, 0));
    if (magic[0] != 0 || magic[1] != 0)
        return ty_fail(ctx, TY_ERR_DATA,
                       "%s:@0: the magic number is %02x%02x, want 0000: this is no IDX file", name,
                       magic[0], magic[1]);
    out->element_bytes = bytes_of_type(magic[2]);
    if (out->element_bytes == 0)
        return ty_fail(ctx, TY_ERR_DATA,
                       "%s:@2: the element type is 0x%02x, want 08, 09, 0b, 0c, 0d or 0e", name,
                       magic[2]);
    if (magic[3] < 1 || magic[3] > TY_IDX_MAX_RANK)
        return ty_fail(ctx, TY_ERR_DATA, "%s:@3: the rank is %d, want 1 to %d", name, magic[3],
                       TY_IDX_MAX_RANK);
    out->type = (ty_idx_type)magic[2];
    out->rank = magic[3];
    return TY_OK;
}

static ty_status read_dims(ty_ctx *ctx, ty_input *input, ty_idx *out) {
    uint8_t dims[4 * TY_IDX_MAX_RANK];
    TY_TRY(read_exactly(ctx, input, dims, 4 * (size_t)out->rank, 4));
    out->header_bytes = 4 + 4 * (size_t)out->rank;
    out->count = 1;
    for (int d = 0; d < out->rank; d++) {
        out->dims[d] = big_u32(dims + 4 * d);
        if (out->dims[d] == 0)
            return ty_fail(ctx, TY_ERR_DATA, "%s:@%d: dimension %d is 0: the file holds 0 samples",
                           ty_input_name(input), 4 + 4 * d, d);
        if (!ty_mul_i64(out->count, out->dims[d], &out->count))
            return ty_fail(ctx, TY_ERR_DATA, "%s:@%d: the dimensions' product overflows",
                           ty_input_name(input), 4 + 4 * d);
    }
    return TY_OK;
}

/* The header's promise against what the file can hold, before any memory is taken. */
static ty_status check_size(ty_ctx *ctx, const ty_input *input, const ty_idx *idx, int64_t *bytes) {
    int64_t total = 0;
    if (!ty_mul_i64(idx->count, (int64_t)idx->element_bytes, bytes) ||
        !ty_add_i64(*bytes, (int64_t)idx->header_bytes, &total))
        return ty_fail(ctx, TY_ERR_DATA, "%s:@4: the dimensions' product overflows",
                       ty_input_name(input));
    const int64_t stored = ty_input_stored_bytes(input), most = ty_input_most_bytes(input);
    if (total > most)
        return ty_fail(ctx, TY_ERR_DATA,
                       "%s:@4: the header promises %lld bytes, but the file of %lld bytes can hold "
                       "at most %lld",
                       ty_input_name(input), (long long)total, (long long)stored, (long long)most);
    if (!ty_input_is_compressed(input) && total < stored)
        return ty_fail(ctx, TY_ERR_DATA,
                       "%s:@%lld: %lld byte%s follow the end that the header promises",
                       ty_input_name(input), (long long)total, (long long)(stored - total),
                       stored - total == 1 ? "" : "s");
    return TY_OK;
}

static ty_status check_end(ty_ctx *ctx, ty_input *input, size_t total) {
    uint8_t more;
    size_t got = 0;
    TY_TRY(ty_input_read(ctx, input, &more, 1, &got));
    if (got > 0)
        return ty_fail(ctx, TY_ERR_DATA, "%s:@%zu: bytes follow the end that the header promises",
                       ty_input_name(input), total);
    return TY_OK;
}

ty_status ty_idx_read(ty_ctx *ctx, ty_input *input, ty_idx *out) {
    int64_t bytes = 0;
    void *memory = NULL;
    *out = (ty_idx){0};
    TY_TRY(read_magic(ctx, input, out));
    TY_TRY(read_dims(ctx, input, out));
    TY_TRY(check_size(ctx, input, out, &bytes));
    TY_TRY(ty_content_alloc(ctx, ty_input_name(input), bytes, 1, &memory));
    out->data = memory;
    TY_TRY(read_exactly(ctx, input, out->data, (size_t)bytes, out->header_bytes));
    return check_end(ctx, input, out->header_bytes + (size_t)bytes);
}

void ty_idx_clear(ty_idx *idx) {
    free(idx->data);
    *idx = (ty_idx){0};
}

double ty_idx_at(const ty_idx *idx, int64_t i) {
    const uint8_t *at = idx->data + (size_t)i * idx->element_bytes;
    switch (idx->type) {
    case TY_IDX_U8:
        return at[0];
    case TY_IDX_I8:
        return (int8_t)at[0];
    case TY_IDX_I16:
        return (int16_t)(uint16_t)(at[0] << 8 | at[1]);
    case TY_IDX_I32:
        return (int32_t)big_u32(at);
    case TY_IDX_F32: {
        const uint32_t bits = big_u32(at);
        float value;
        memcpy(&value, &bits, sizeof value);
        return (double)value;
    }
    default: {
        const uint64_t bits = (uint64_t)big_u32(at) << 32 | big_u32(at + 4);
        double value;
        memcpy(&value, &bits, sizeof value);
        return value;
    }
    }
}
