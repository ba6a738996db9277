/* What the onednn*.c files share; the only header that includes oneDNN's. */
#ifndef TY_KERNELS_ONEDNN_PRIVATE_H
#define TY_KERNELS_ONEDNN_PRIVATE_H

#include <dnnl.h>

#include "kernels/onednn.h"

struct ty_onednn {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
};

/* ty_fail with oneDNN's reason: "oneDNN could not <what>: unimplemented". */
ty_status ty_onednn_fail(ty_ctx *ctx, dnnl_status_t st, const char *what);

/* TY_TRY_GOTO for oneDNN's calls; ctx must be in scope. */
#define TY_DNNL_GOTO(label, st, call, what)                                                        \
    do {                                                                                           \
        const dnnl_status_t ty_dnnl_status_ = (call);                                              \
        if (ty_dnnl_status_ != dnnl_success) {                                                     \
            (st) = ty_onednn_fail(ctx, ty_dnnl_status_, what);                                     \
            goto label;                                                                            \
        }                                                                                          \
    } while (0)

/* One operand as its caller has it. */
typedef struct ty_operand {
    ty_role role;
    dnnl_memory_desc_t outer; /* zeroed: as the primitive has it */
    bool accumulates;         /* written operands: += */
} ty_operand;

/* Takes over the primitive descriptor: a call with these operands. Errors leave nothing behind. */
ty_status ty_onednn_call_open_take(ty_ctx *ctx, ty_onednn *dnn, dnnl_primitive_desc_t pd,
                                   const ty_operand *operands, int n,
                                   ty_onednn_call **out) TY_MUST_USE;

/* f32 in one of our layouts, canonical where layout is NULL, or in whatever layout is the
 * fastest. */
dnnl_memory_desc_t ty_onednn_md(ty_shape shape, const void *layout);
dnnl_memory_desc_t ty_onednn_md_any(ty_shape shape);

/* "jit:avx2"; the plain C++ loops that oneDNN falls back to begin with "ref" and are 1000 times
 * slower. */
bool ty_onednn_is_slow(const_dnnl_primitive_desc_t pd);

/* Two-dimensional windows as oneDNN takes them. */
typedef struct ty_window_dims {
    dnnl_dims_t kernel, stride, padding;
} ty_window_dims;
ty_window_dims ty_onednn_window(const int64_t kernel[2], const int64_t stride[2],
                                const int64_t padding[2]);

/* Attributes every primitive has: scratch memory is ours. NULL when memory is out. */
dnnl_primitive_attr_t ty_onednn_attr(void);

/* Adds relu, tanh or sigmoid as the primitive's last step; nothing for none. */
dnnl_status_t ty_onednn_add_activation(dnnl_primitive_attr_t attr, ty_activation activation);

/* A primitive descriptor of one pass with its activations in a layout; spec is the describing
 * file's own. */
typedef dnnl_status_t ty_describe(const ty_device *dev, const void *spec, ty_pass pass,
                                  const void *layout, dnnl_primitive_desc_t *out);

/* For ops whose passes share what forward keeps, and with it the layout: tries the one the values
 * are had in, blocks that the level has registers for, and canonical order, and takes the first in
 * which forward and (in training) backward are fast, else the last. */
typedef struct ty_choice {
    ty_describe *describe;
    const void *spec;
    const void *given; /* layout */
    bool is_training;
} ty_choice;
dnnl_status_t ty_onednn_choose(const ty_device *dev, const ty_choice *choice, ty_pass pass,
                               dnnl_primitive_desc_t *out);

/* dnnl_primitive_desc_create with ty_onednn_attr. */
dnnl_status_t ty_onednn_describe(const ty_device *dev, const_dnnl_op_desc_t desc,
                                 const_dnnl_primitive_desc_t hint, dnnl_primitive_desc_t *out);

#endif
