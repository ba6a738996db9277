#include "cli/pictures/png.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static void put_u32(uint8_t *to, uint32_t value) {
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* length | type | data | CRC of type and data. Returns where the next chunk starts. */
static uint8_t *put_chunk(uint8_t *to, const char type[4], const uint8_t *data, uint32_t bytes) {
    put_u32(to, bytes);
    memcpy(to + 4, type, 4);
    if (bytes)
        memcpy(to + 8, data, bytes);
    put_u32(to + 8 + bytes, (uint32_t)crc32(0, to + 4, bytes + 4));
    return to + 12 + bytes;
}

static void add_base64(ty_text *out, const uint8_t *data, size_t bytes) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes; i += 3) {
        uint32_t word = (uint32_t)data[i] << 16;
        word |= i + 1 < bytes ? (uint32_t)data[i + 1] << 8 : 0;
        word |= i + 2 < bytes ? data[i + 2] : 0;
        char quad[4] = {digits[word >> 18], digits[word >> 12 & 63], digits[word >> 6 & 63],
                        digits[word & 63]};
        for (size_t pad = i + 3 > bytes ? i + 3 - bytes : 0; pad > 0; pad--)
            quad[4 - pad] = '=';
        ty_text_add_n(out, quad, 4);
    }
}

/* PNG wants a filter byte (0: none) before each row. */
static void filter_rows(const uint8_t *pixels, size_t row_bytes, int height, uint8_t *out) {
    for (int y = 0; y < height; y++) {
        out[(size_t)y * (row_bytes + 1)] = 0;
        memcpy(out + (size_t)y * (row_bytes + 1) + 1, pixels + (size_t)y * row_bytes, row_bytes);
    }
}

ty_status png_encode(ty_ctx *ctx, const uint8_t *pixels, int width, int height, int channels,
                     ty_text *out) {
    static const uint8_t signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    size_t row_bytes = (size_t)width * (size_t)channels;
    size_t raw_bytes = (row_bytes + 1) * (size_t)height;
    uLongf packed_bytes = compressBound(raw_bytes);
    uint8_t *raw = malloc(raw_bytes);
    uint8_t *packed = malloc(packed_bytes);
    uint8_t *file = malloc(packed_bytes + 64);
    ty_status st = TY_OK;
    if (!raw || !packed || !file) {
        st = ty_fail_nomem(ctx, "a picture");
        goto done;
    }
    filter_rows(pixels, row_bytes, height, raw);
    if (compress2(packed, &packed_bytes, raw, raw_bytes, 6) != Z_OK) {
        st = ty_fail(ctx, TY_ERR_INTERNAL, "compressing a picture failed");
        goto done;
    }
    uint8_t head[13] = {[8] = 8, [9] = channels == 3 ? 2 : 0};
    put_u32(head, (uint32_t)width);
    put_u32(head + 4, (uint32_t)height);
    memcpy(file, signature, sizeof signature);
    uint8_t *end = put_chunk(file + sizeof signature, "IHDR", head, sizeof head);
    end = put_chunk(end, "IDAT", packed, (uint32_t)packed_bytes);
    end = put_chunk(end, "IEND", NULL, 0);
    ty_text_add_n(out, (const char *)file, (size_t)(end - file));
    if (out->is_short)
        st = ty_fail_nomem(ctx, "a picture");
done:
    free(raw);
    free(packed);
    free(file);
    return st;
}

ty_status png_data_uri(ty_ctx *ctx, const uint8_t *pixels, int width, int height, int channels,
                       ty_text *out) {
    ty_text file = {0};
    const ty_status st = png_encode(ctx, pixels, width, height, channels, &file);
    ty_text_add(out, "data:image/png;base64,");
    if (st == TY_OK)
        add_base64(out, (const uint8_t *)file.data, file.length);
    ty_text_clear(&file);
    return st;
}
