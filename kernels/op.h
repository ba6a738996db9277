/* The op table. An op maps input tensors, parameters and running statistics to one output; its
 * backward pass maps the output's gradient to theirs. Facts that hold on every device are in ty_op;
 * each device adds a ty_op_impl.
 *
 *   infer    shapes from shapes; pure
 *   prepare  once per call site: fills y.layout and y.bytes, aux.bytes, workspace_bytes and state
 *            (oneDNN primitives, cuDNN plans); a device that computes in bf16 may set y.dtype, and
 *            param[i].dtype where it wants to read the bf16 copy of a parameter
 *   forward, backward   queue the work; no allocation, no waiting
 *   release  frees state
 *
 * Parameter gradients are ACCUMULATED (+=) into d_param, which the planner zeroes once per shard;
 * input gradients are written (=) unless accumulates_dx is set. Everything an args struct holds may
 * be device memory, and nothing in it says when the work is done. */
#ifndef TY_KERNELS_OP_H
#define TY_KERNELS_OP_H

#include "kernels/device.h"
#include "kernels/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TY_OP_MAX_INPUTS = 3, TY_OP_MAX_PARAMS = 2, TY_OP_MAX_STATS = 2 };

typedef enum ty_op_id {
    TY_OP_NORMALIZE, /* x u8|f32 [B,...] -> f32; by channel, mean and inverse deviation */
    TY_OP_LINEAR, /* x [B,I] -> [B,O]; param weight [O,I], bias [O]; attrs: out, has_bias, activation */
    TY_OP_CONV2D,     /* x [B,C,H,W] -> [B,K,P,Q]; param weight [K,C/g,R,S], bias [K] */
    TY_OP_ACTIVATION, /* elementwise: relu, gelu, silu, tanh, sigmoid */
    TY_OP_POOL2D,     /* max or average; global average is a pool over the whole plane */
    TY_OP_BATCH_NORM, /* [B,C,H,W] or [B,C]; param gamma, beta [C]; stat mean, variance [C]; optional relu */
    TY_OP_DROPOUT,      /* keyed by (seed, step, op number, sample id, element) */
    TY_OP_RESHAPE,      /* canonical order kept; flatten is a reshape */
    TY_OP_ADD,          /* x0 + x1, same shape */
    TY_OP_SCALE,        /* x * factor */
    TY_OP_SOFTMAX_XENT, /* logits [B,K], target i32 [B], weight f32 [B] -> rows f32 [B,4] */
    TY_OP_MSE,          /* prediction [B,K], target f32 [B,K], weight f32 [B] -> rows f32 [B,4] */
    TY_OP_COUNT
} ty_op_id;

/* What backward reads besides dy: the planner keeps these alive until then. */
enum { TY_READS_X = 1, TY_READS_Y = 2, TY_READS_AUX = 4 };

/* How a parameter starts. */
typedef enum ty_init_kind {
    TY_INIT_ZEROS,
    TY_INIT_ONES,
    TY_INIT_NORMAL,
    TY_INIT_XAVIER,
    TY_INIT_KAIMING
} ty_init_kind;

typedef struct ty_param_spec {
    const char *name; /* "weight", "bias"; "running_mean" for a statistic */
    ty_shape shape;
    ty_init_kind init;
    int64_t fan_in, fan_out;
    bool has_weight_decay; /* matrices and filters yes; biases, gains no */
} ty_param_spec;

/* What infer answers. */
typedef struct ty_op_shapes {
    ty_shape y;
    ty_dtype y_dtype;
    int n_params, n_stats;
    ty_param_spec param[TY_OP_MAX_PARAMS];
    ty_param_spec stat[TY_OP_MAX_STATS];
    double flops_forward, flops_backward; /* for this batch */
} ty_op_shapes;

typedef struct ty_op {
    const char *name;
    int n_inputs;
    unsigned backward_reads; /* TY_READS_*; an op whose attrs ask for less may ignore more */
    size_t attrs_bytes;
    bool has_backward;
    /* Errors: TY_ERR_CONFIG with shapes seen and wanted. in[0..n_inputs) are the inputs' shapes and
     * dtypes. */
    ty_status (*infer)(ty_ctx *ctx, const void *attrs, const ty_tensor *in, ty_op_shapes *out);
} ty_op;

/* Indexed by ty_op_id. */
extern const ty_op ty_ops[TY_OP_COUNT];

/* What changes from step to step. One struct per lane, filled before each shard; calls point to
 * it. */
typedef struct ty_op_env {
    uint64_t seed;
    int64_t step;
    const int64_t *sample_ids; /* on the device, [B] */
} ty_op_env;

/* One planned call: the whole signature of prepare, forward, backward and of a device's
 * launchers. */
typedef struct ty_op_args {
    ty_op_id id;
    const void *attrs;
    int64_t op_number; /* position in the graph; a key for random numbers */
    bool is_training;  /* batch statistics, dropout; a backward pass follows */
    bool wants_dx[TY_OP_MAX_INPUTS];
    bool accumulates_dx
        [TY_OP_MAX_INPUTS]; /* d_x += instead of = (the value has more than one reader) */
    ty_tensor x[TY_OP_MAX_INPUTS], d_x[TY_OP_MAX_INPUTS];
    ty_tensor y, d_y;
    ty_tensor aux; /* what forward keeps for backward; u8, opaque */
    ty_tensor param[TY_OP_MAX_PARAMS], d_param[TY_OP_MAX_PARAMS];
    ty_tensor
        stat[TY_OP_MAX_STATS]; /* running statistics: read in evaluation, never written by an op */
    ty_tensor
        batch_stat[TY_OP_MAX_STATS]; /* in training: this shard's statistics are written here */
    void *workspace;                 /* workspace_bytes of scratch, shared by all calls of a plan */
    size_t workspace_bytes;
    const ty_op_env *env;
    void *state; /* the device's */
} ty_op_args;

/* What one call moves and computes, and with what: for predictions. */
typedef struct ty_op_cost {
    double flops, bytes; /* of this call; bytes of device memory that must move */
    bool is_matrix;      /* flops are matrix products: the device's peak for its precision counts */
    const char *kernel;  /* of our own, a row of kernels/cuda/resources.tsv; NULL: a library's */
    char engine[96];     /* "cublasLt", "cudnn engine 47, 12.5 MiB workspace" */
    int registers;       /* of a thread, of our own kernels; 0: unknown */
    double occupancy;    /* part of the device's threads that can be resident; 0: unknown */
} ty_op_cost;

enum { TY_OP_MAX_COSTS = 6 };

typedef struct ty_op_impl {
    /* Sees shapes, dtypes and layouts (data pointers are not set yet).
     * Errors: TY_ERR_DEVICE, TY_ERR_NOMEM. */
    ty_status (*prepare)(ty_ctx *ctx, ty_device *dev, ty_op_args *args);
    ty_status (*forward)(ty_ctx *ctx, ty_device *dev, const ty_op_args *args);
    ty_status (*backward)(ty_ctx *ctx, ty_device *dev, const ty_op_args *args); /* NULL: has none */
    void (*release)(ty_device *dev, ty_op_args *args);
    /* What one pass launches, at most TY_OP_MAX_COSTS; answers how many. NULL: no predictions on this
     * device. */
    int (*cost)(const ty_device *dev, const ty_op_args *args, bool is_backward,
                ty_op_cost out[TY_OP_MAX_COSTS]);
} ty_op_impl;

/* The device's row for an op. Never NULL for an op that the device has; NULL says it has none. */
const ty_op_impl *ty_device_op(const ty_device *dev, ty_op_id id);

/* What one pass of a planned call launches (ty_op_impl.cost), with what is known of our own kernels;
 * answers how many, 0 on devices that predict nothing. */
int ty_op_costs(const ty_device *dev, const ty_op_args *args, bool is_backward,
                ty_op_cost out[TY_OP_MAX_COSTS]);

/* Fills registers and occupancy of a cost that names a kernel of this device's. */
void ty_op_note_kernel(const ty_device *dev, ty_op_cost *cost);

/* Copies a value out in canonical order, whatever its layout, and bf16 as f32. host has room for
 * count elements; they are there after the device's next sync. */
ty_status ty_tensor_copy_out(ty_ctx *ctx, ty_device *dev, const ty_tensor *tensor,
                             void *host) TY_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
