/* The one door to oneDNN: lanes, and primitives as calls. Only onednn*.c see its header, so that
 * moving to oneDNN 3 (which has no op descriptors) touches nothing else.
 *
 * A call is one primitive with its operands. Callers name operands by role and say how they have
 * them (shape, layout); where the fastest implementation wants another layout, the call reorders
 * through the workspace, before it for what is read and after it for what is written. So ops never
 * see a library's layouts. */
#ifndef TY_KERNELS_ONEDNN_H
#define TY_KERNELS_ONEDNN_H

#include "kernels/attrs.h"
#include "kernels/cpu.h"

typedef struct ty_onednn ty_onednn; /* engine and stream of one lane */

/* Caps the process's instruction set to the level (once for all: another level later is
 * TY_ERR_DEVICE) and keeps f32 maths in f32 whatever the environment says. */
ty_status ty_onednn_open(ty_ctx *ctx, int isa_level, ty_onednn **out) TY_MUST_USE;
void ty_onednn_close(ty_onednn *dnn);

/* "2.6.3" of the library that is loaded. */
const char *ty_onednn_version(char text[32]);

typedef enum ty_role {
    TY_ROLE_X,
    TY_ROLE_WEIGHT,
    TY_ROLE_BIAS,
    TY_ROLE_Y,
    TY_ROLE_DX,
    TY_ROLE_DWEIGHT,
    TY_ROLE_DBIAS,
    TY_ROLE_DY,
    TY_ROLE_MEAN,
    TY_ROLE_VARIANCE,
    TY_ROLE_SCALE,
    TY_ROLE_SHIFT,
    TY_ROLE_DSCALE,
    TY_ROLE_DSHIFT,
    TY_ROLE_KEPT, /* what a forward primitive keeps for its backward: opaque bytes in aux */
    TY_ROLE_COUNT
} ty_role;

typedef enum ty_pass { TY_PASS_FORWARD, TY_PASS_BACKWARD_X, TY_PASS_BACKWARD_PARAMS } ty_pass;

/* A primitive with its operands, from one of the opens below: *out is the caller's to close, on the
 * lane's thread. Errors of all opens: TY_ERR_DEVICE with oneDNN's reason, TY_ERR_NOMEM. */
typedef struct ty_onednn_call ty_onednn_call;

/* Bytes of scratch that ty_onednn_run wants. */
size_t ty_onednn_call_workspace(const ty_onednn_call *call);
size_t ty_onednn_call_kept(const ty_onednn_call *call); /* bytes of TY_ROLE_KEPT; 0: none */
void ty_onednn_call_close(ty_onednn_call *call);        /* accepts NULL */

/* data[role] for each operand of the call; the others are not read. No allocation of ours, no
 * waiting. */
ty_status ty_onednn_run(ty_ctx *ctx, ty_onednn *dnn, ty_onednn_call *call,
                        void *const data[TY_ROLE_COUNT], void *workspace) TY_MUST_USE;

/* x, y: how the caller has them (or their gradients). Parameters are canonical, their gradients
 * added to. */
typedef struct ty_conv_spec {
    ty_pass pass;
    bool is_training;
    ty_tensor x, y;
    bool chooses_y; /* forward: y.layout is the library's to choose and is set */
    const ty_conv2d_attrs *attrs;
    bool accumulates; /* d_x += */
} ty_conv_spec;

ty_status ty_onednn_conv_open(ty_ctx *ctx, ty_device *dev, ty_conv_spec *spec,
                              ty_onednn_call **out) TY_MUST_USE;

/* y has x's layout. */
typedef struct ty_pool_spec {
    ty_pass pass; /* forward or backward_x */
    bool is_training;
    ty_tensor x, y;
    const ty_pool2d_attrs *attrs; /* kernel, stride and padding resolved, not global */
    bool accumulates;
} ty_pool_spec;

ty_status ty_onednn_pool_open(ty_ctx *ctx, ty_device *dev, const ty_pool_spec *spec,
                              ty_onednn_call **out) TY_MUST_USE;

/* Rank 4; y has x's shape and layout. Backward gives d_x, d_scale and d_shift in one pass; the
 * parameters' gradients are added to. */
typedef struct ty_norm_spec {
    ty_pass pass;
    bool is_training; /* batch statistics are written; otherwise mean and variance are read */
    ty_tensor x;
    double epsilon;
    bool has_relu;
    bool accumulates;
} ty_norm_spec;

ty_status ty_onednn_norm_open(ty_ctx *ctx, ty_device *dev, const ty_norm_spec *spec,
                              ty_onednn_call **out) TY_MUST_USE;

/* y [batch, out] = act(x [batch, in] weight^T [out, in] + bias). */
typedef struct ty_affine_spec {
    int64_t batch, in, out;
    bool has_bias;
    ty_activation activation; /* none, relu, tanh, sigmoid */
} ty_affine_spec;

ty_status ty_onednn_affine_open(ty_ctx *ctx, ty_device *dev, const ty_affine_spec *spec,
                                ty_onednn_call **out) TY_MUST_USE;

/* c [m, n] = or += op(a) op(b), all row-major and dense; op transposes where told (a is then [k,
 * m], b [n, k]). */
typedef struct ty_gemm_args {
    int64_t m, n, k;
    bool transposes_a, transposes_b, accumulates;
    const float *a, *b;
    float *c;
} ty_gemm_args;

/* On the calling thread, at once. Errors: TY_ERR_DEVICE. */
ty_status ty_onednn_gemm(ty_ctx *ctx, const ty_gemm_args *args) TY_MUST_USE;

#endif
