/* The wire format of protocol buffers (protobuf.dev/programming-guides/encoding), as far as ONNX
 * takes it: tag, then a varint, four or eight bytes, or a length and that many bytes. */
#ifndef TY_TRAINER_PROTOBUF_H
#define TY_TRAINER_PROTOBUF_H

#include "base/base.h"

/* Add one field to a message; where memory runs out, the text's is_short says so. */
void ty_pb_add_int(ty_text *message, int field, int64_t value);
void ty_pb_add_float(ty_text *message, int field, float value);
void ty_pb_add_bytes(ty_text *message, int field, const void *data, size_t bytes);
void ty_pb_add_string(ty_text *message, int field, const char *text);
void ty_pb_add_message(ty_text *message, int field, const ty_text *inner);
/* Tag and length alone: the bytes follow by other ways. */
void ty_pb_add_length(ty_text *message, int field, uint64_t bytes);

typedef enum ty_pb_wire {
    TY_PB_VARINT = 0,
    TY_PB_FIXED64 = 1,
    TY_PB_BYTES = 2,
    TY_PB_FIXED32 = 5
} ty_pb_wire;

/* Bytes that are read as one message. */
typedef struct ty_pb {
    const unsigned char *at, *end;
} ty_pb;

typedef struct ty_pb_field {
    int number;
    ty_pb_wire wire;
    uint64_t value;            /* VARINT, FIXED32, FIXED64 */
    const unsigned char *data; /* BYTES; borrowed */
    size_t bytes;
} ty_pb_field;

typedef enum ty_pb_step { TY_PB_FIELD, TY_PB_END, TY_PB_BROKEN } ty_pb_step;

/* The next field. BROKEN: a varint of more than 64 bits, a field number outside [1, 2^29), a wire
 * type that is none (groups are none), or a length that the message does not hold. */
ty_pb_step ty_pb_next(ty_pb *message, ty_pb_field *out);

/* A field's bytes as a message. */
ty_pb ty_pb_inner(const ty_pb_field *field);

#endif
