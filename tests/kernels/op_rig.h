/* What op_harness.c checks ops with: one prepared call on one device, its memory between guard words.
 * Out of memory aborts: a test program has nothing better to do. */
#ifndef TY_TESTS_OP_RIG_H
#define TY_TESTS_OP_RIG_H

#include "op_harness.h"

enum { MAX_BUFFERS = 24, JUNK_BYTE = 0xff /* what outputs and workspace hold before */ };

typedef struct buffer {
    const char *what;
    int index;
    char *block; /* guard bytes, the data, guard bytes */
    size_t bytes, guard;
    char *before; /* a copy of the data for inputs, which must not change */
} buffer;

/* Where and how a case runs. */
typedef struct place {
    const char *device;
    ty_precision precision;
    bool is_channels_last; /* a GPU: images of the case that are canonical come channels last */
    char text[48];         /* "cuda bf16 channels last" */
} place;

/* One prepared call with its memory on one device. */
typedef struct rig {
    ty_ctx ctx;
    ty_device *dev;
    place place;
    const op_case *of;
    ty_op_shapes shapes;
    ty_op_args args;
    ty_op_env env;
    buffer buffers[MAX_BUFFERS];
    int n_buffers;
    bool is_prepared;
    bool is_tight; /* no guards, so that the simulated GPU sees reads beyond the data, too */
} rig;

/* Prepares the case's call and fills its inputs with v, and d_y where the op reads one; accumulates:
 * gradients of inputs are added to. Everything that is only read is remembered. Fails as the op's
 * prepare does; close r in any case. */
ty_status rig_open(const op_case *c, const place *where, const op_values *v, const double *d_y,
                   bool accumulates, rig *r) TY_MUST_USE;
void rig_close(rig *r);
bool is_gpu(const rig *r);

/* Copies, waited for. */
void to_device(rig *r, void *to, const void *from, size_t bytes);
void from_device(const rig *r, void *to, const void *from, size_t bytes);
void fill_with_junk(rig *r, void *to, size_t bytes);

/* No guard byte and no input changed; says what broke in text otherwise. */
bool buffers_are_whole(const rig *r, char *text, size_t room);

/* Canonical doubles to the device's dtype and layout, and back; what load returns is the caller's to
 * free. */
void store(rig *r, const ty_tensor *tensor, const double *values);
double *load(rig *r, const ty_tensor *tensor);

/* n zeros, the caller's to free. */
double *new_values(int64_t n);

/* Uniform in [low, high), rounded to float, so that the reference starts from exactly what the
 * device sees; is_whole: rounded down. *state moves on. */
void fill(double *to, int64_t n, double low, double high, bool is_whole, uint64_t *state);

/* Values become what this precision reads exactly: floats with 23, 10 or 7 bits behind the first. */
void round_values(double *values, int64_t n, ty_precision precision);

/* The case's inputs, parameters and statistics by its seed, rounded. */
void values_open(const op_case *c, const ty_op_shapes *shapes, ty_precision precision,
                 op_values *v);
void values_close(op_values *v);

ty_tensor tensor_of(ty_shape shape, ty_dtype dtype, const void *layout);

#endif
