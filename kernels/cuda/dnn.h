/* cuDNN's graphs: descriptors of tensors and operations make a graph, heuristics offer engines for
 * it, the first engine that keeps our promises becomes the plan that runs. The same calls plan for a
 * GPU that is here and for one that is only described. */
#ifndef TY_KERNELS_CUDA_DNN_H
#define TY_KERNELS_CUDA_DNN_H

#include "kernels/cuda/vendor.h"

/* A graph and, once chosen, its plan. Descriptors belong to it. The first failure while it is built
 * is kept, and what follows does nothing, so that only ty_dnn_choose has to be asked. */
typedef struct ty_dnn_plan ty_dnn_plan;

enum { TY_DNN_NAME_BYTES = 192, TY_DNN_MAX_DATA = 4 };

/* name says what is computed, for errors: "conv2d forward of ...". Loads cuDNN. *out is the caller's
 * to close. */
ty_status ty_dnn_plan_open(ty_ctx *ctx, ty_cuda *dev, const char *name,
                           ty_dnn_plan **out) TY_MUST_USE;
void ty_dnn_plan_close(ty_dnn_plan *plan); /* accepts NULL */

/* --- building --------------------------------------------------------------------------------- */

cudnnBackendDescriptor_t ty_dnn_add(ty_dnn_plan *plan, cudnnBackendDescriptorType_t type);
void ty_dnn_set(ty_dnn_plan *plan, cudnnBackendDescriptor_t part, cudnnBackendAttributeName_t name,
                cudnnBackendAttributeType_t type, int64_t count, const void *values);
void ty_dnn_set_part(ty_dnn_plan *plan, cudnnBackendDescriptor_t part,
                     cudnnBackendAttributeName_t name, cudnnBackendDescriptor_t value);
void ty_dnn_finish(ty_dnn_plan *plan, cudnnBackendDescriptor_t part);

cudnnDataType_t ty_dnn_type(ty_dtype dtype);

/* A tensor [n, c, h, w]. Real ones have an id >= 1 and data when the plan runs; virtual ones exist
 * inside the graph alone. */
typedef struct ty_dnn_tensor {
    int64_t id;
    ty_dtype dtype;
    const int64_t *dims;
    bool is_channels_last, is_virtual;
} ty_dnn_tensor;
cudnnBackendDescriptor_t ty_dnn_add_tensor(ty_dnn_plan *plan, const ty_dnn_tensor *tensor);

/* --- planning --------------------------------------------------------------------------------- */

/* Plans the graph of n operations: the first engine in the heuristics' order that gives the same
 * bits each time, rounds as the device's precision says and is satisfied with the workspace we give.
 * Once a shape; nothing is timed, so equal GPUs choose alike. That there is no such engine, or that
 * cuDNN does not support the graph, is an answer, *is_planned false; ty_dnn_fail_unplanned makes an
 * error of it.
 * Errors: TY_ERR_DEVICE what failed while the graph was built or planned. */
ty_status ty_dnn_choose(ty_dnn_plan *plan, const cudnnBackendDescriptor_t *operations, int64_t n,
                        bool *is_planned) TY_MUST_USE;
ty_status ty_dnn_fail_unplanned(ty_ctx *ctx, const ty_dnn_plan *plan);

size_t ty_dnn_workspace(const ty_dnn_plan *plan); /* 0 for NULL */
/* "cudnn engine 47, 12.5 MiB workspace" */
void ty_dnn_describe(const ty_dnn_plan *plan, char *out, size_t room);

/* --- running ---------------------------------------------------------------------------------- */

/* Queues the plan on COMPUTE: data[i] is the tensor with id i + 1 (NULL: the graph has none). */
ty_status ty_dnn_run(ty_ctx *ctx, const ty_cuda *dev, ty_dnn_plan *plan,
                     void *const data[TY_DNN_MAX_DATA], void *workspace) TY_MUST_USE;

#endif
