/* Protocol buffers' wire format, written and read; see protobuf.h. */
#include "trainer/protobuf.h"

#include <string.h>

enum { MAX_FIELD = (1 << 29) - 1 };

static void add_varint(ty_text *to, uint64_t value) {
    char bytes[10];
    size_t n = 0;
    while (value >= 0x80) {
        bytes[n++] = (char)(value | 0x80);
        value >>= 7;
    }
    bytes[n++] = (char)value;
    ty_text_add_n(to, bytes, n);
}

static void add_tag(ty_text *to, int field, ty_pb_wire wire) {
    add_varint(to, (uint64_t)field << 3 | (uint64_t)wire);
}

void ty_pb_add_int(ty_text *message, int field, int64_t value) {
    add_tag(message, field, TY_PB_VARINT);
    add_varint(message, (uint64_t)value);
}

void ty_pb_add_float(ty_text *message, int field, float value) {
    char bytes[sizeof value];
    memcpy(bytes, &value, sizeof value);
    add_tag(message, field, TY_PB_FIXED32);
    ty_text_add_n(message, bytes, sizeof bytes);
}

void ty_pb_add_length(ty_text *message, int field, uint64_t bytes) {
    add_tag(message, field, TY_PB_BYTES);
    add_varint(message, bytes);
}

void ty_pb_add_bytes(ty_text *message, int field, const void *data, size_t bytes) {
    ty_pb_add_length(message, field, bytes);
    if (bytes > 0)
        ty_text_add_n(message, data, bytes);
}

void ty_pb_add_string(ty_text *message, int field, const char *text) {
    ty_pb_add_bytes(message, field, text, strlen(text));
}

/* What the inner one lacks, the outer one lacks too. */
void ty_pb_add_message(ty_text *message, int field, const ty_text *inner) {
    ty_pb_add_bytes(message, field, ty_text_string(inner), inner->length);
    message->is_short |= inner->is_short;
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool take_varint(ty_pb *message, uint64_t *out) {
    *out = 0;
    for (int shift = 0; shift < 64 && message->at < message->end; shift += 7) {
        const uint64_t byte = *message->at++;
        if (shift == 63 && byte > 1)
            return false;
        *out |= (byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

static bool take_fixed(ty_pb *message, size_t bytes, uint64_t *out) {
    if ((size_t)(message->end - message->at) < bytes)
        return false;
    *out = 0;
    memcpy(out, message->at, bytes); /* little-endian, as we are */
    message->at += bytes;
    return true;
}

static bool take_bytes(ty_pb *message, ty_pb_field *out) {
    uint64_t bytes;
    if (!take_varint(message, &bytes) || bytes > (uint64_t)(message->end - message->at))
        return false;
    out->data = message->at;
    out->bytes = (size_t)bytes;
    message->at += bytes;
    return true;
}

static bool take_content(ty_pb *message, ty_pb_field *out) {
    switch (out->wire) {
    case TY_PB_VARINT:
        return take_varint(message, &out->value);
    case TY_PB_FIXED64:
        return take_fixed(message, 8, &out->value);
    case TY_PB_FIXED32:
        return take_fixed(message, 4, &out->value);
    case TY_PB_BYTES:
        return take_bytes(message, out);
    }
    return false;
}

ty_pb_step ty_pb_next(ty_pb *message, ty_pb_field *out) {
    uint64_t tag;
    if (message->at == message->end)
        return TY_PB_END;
    *out = (ty_pb_field){0};
    if (!take_varint(message, &tag) || tag >> 3 == 0 || tag >> 3 > MAX_FIELD)
        return TY_PB_BROKEN;
    out->number = (int)(tag >> 3);
    out->wire = (ty_pb_wire)(tag & 7);
    return take_content(message, out) ? TY_PB_FIELD : TY_PB_BROKEN;
}

ty_pb ty_pb_inner(const ty_pb_field *field) {
    return (ty_pb){.at = field->data, .end = field->data + field->bytes};
}
