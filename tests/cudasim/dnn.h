/* What the files of the cuDNN fake share: the backend (graph) API of version 9 for the graphs that the library itself
 * plans without compiling at run time: one convolution, or a forward convolution with bias and ReLU behind it.
 * Everything else that is well formed gets no engine, as from the library; descriptors and attributes that are not in
 * dnn_attribute.c's table end the process. */
#ifndef TY_CUDASIM_DNN_H
#define TY_CUDASIM_DNN_H

#pragma GCC visibility push(default)
#include <cudnn_graph.h>
#pragma GCC visibility pop

#include <stdbool.h>

#include "gemm.h"
#include "sim.h"

#define CS_DNN_DIMS 8
#define CS_DNN_OPS 8
#define CS_DNN_TENSORS 16
#define CS_DNN_OFFERS 8
#define CS_DNN_HANDLE "cudnn handle"
#define CS_DNN_DESC "cudnn descriptor"

typedef struct cs_dnn_handle {
    int device;
    cudaStream_t stream;
} cs_dnn_handle;

typedef struct cs_dnn_tensor {
    int64_t uid, alignment;
    int32_t type; /* cudnnDataType_t */
    int n_dims;
    int64_t dims[CS_DNN_DIMS], strides[CS_DNN_DIMS];
    bool is_virtual;
} cs_dnn_tensor;

typedef struct cs_dnn_geometry {
    int32_t compute, mode;
    int64_t n_spatial;
    int64_t pre[2], post[2], stride[2], dilation[2];
} cs_dnn_geometry;

typedef struct cs_dnn_pointwise {
    int32_t mode, compute;
} cs_dnn_pointwise;

/* x, w, y: of a convolution, whichever of them it writes. x, b, y: of a pointwise operation (b: has_b). */
typedef struct cs_dnn_op {
    cudnnBackendDescriptorType_t kind;
    cs_dnn_tensor x, w, y, b;
    bool has_b;
    float alpha, beta;
    cs_dnn_geometry geometry;
    cs_dnn_pointwise pointwise;
} cs_dnn_op;

/* The tensor that an operation writes. */
const cs_dnn_tensor *cs_dnn_output(const cs_dnn_op *op);

/* What a graph computes, once it is known to be one that engines exist for. */
typedef struct cs_dnn_graph {
    int n_ops;
    cs_dnn_op ops[CS_DNN_OPS]; /* in an order in which they can run */
    int n_tensors;             /* that are not virtual */
    cs_dnn_tensor tensors[CS_DNN_TENSORS];
    int32_t device_from_handle; /* -1: no handle was set */
    bool has_engines;
    uint64_t hash;
} cs_dnn_graph;

/* One way to compute a graph. */
typedef struct cs_dnn_engine {
    int64_t index;
    int64_t workspace;
    int n_notes;
    int32_t notes[4]; /* cudnnBackendNumericalNote_t */
    bool is_rounding; /* f32 inputs to TF32: tensor cores, or transforms that lose as much */
    bool is_random;   /* another order of sums each time */
} cs_dnn_engine;

/* What is known of the device that is planned for. */
typedef struct cs_dnn_device {
    int device;     /* of this process; -1: only described */
    int capability; /* 800 */
} cs_dnn_device;

typedef struct cs_dnn_pack {
    int64_t n;
    int64_t uids[CS_DNN_TENSORS];
    uint64_t pointers[CS_DNN_TENSORS];
    uint64_t workspace;
} cs_dnn_pack;

/* What the program set, as it set it. Descriptors among the values are kept alive. */
typedef struct cs_dnn_value {
    int32_t attribute;
    int64_t count;
    void *data;
} cs_dnn_value;

#define CS_DNN_VALUES 12
typedef struct cs_dnn_desc {
    cudnnBackendDescriptorType_t type;
    bool is_final;
    int n_owners; /* the program and the descriptors that it was set in */
    int n_values;
    cs_dnn_value values[CS_DNN_VALUES];
    union { /* by type, when final */
        cs_dnn_tensor tensor;
        cs_dnn_geometry geometry;
        cs_dnn_pointwise pointwise;
        cs_dnn_op op;
        cs_dnn_graph graph;
        cs_dnn_device device;
        cs_dnn_pack pack;
        struct {
            const cs_dnn_graph *graph; /* of graph_desc, which this owns a share of */
            struct cs_dnn_desc *graph_desc;
            cs_dnn_device device;
            int n_offers;
            cs_dnn_engine offers[CS_DNN_OFFERS]; /* engine, configuration and plan: the first */
        } choice;
    };
} cs_dnn_desc;

/* --- dnn_library.c ---------------------------------------------------------------------------- */

#define DNN_ENTER(natural)                                                                         \
    do {                                                                                           \
        int injected_ = cs_enter(natural);                                                         \
        if (injected_)                                                                             \
            return (cudnnStatus_t)cs_leave(injected_);                                             \
    } while (0)

static inline cudnnStatus_t dnn_leave(cudnnStatus_t status) {
    return (cudnnStatus_t)cs_library_leave((int)status);
}

/* Reports a broken rule of the function in progress, keeps the words for cudnnGetLastErrorString, returns status. */
cudnnStatus_t cs_dnn_report(cudnnStatus_t status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* NULL (and a report) where it is none. */
cs_dnn_handle *cs_dnn_handle_of(cudnnHandle_t handle);
/* A living descriptor of a type, final or not; NULL and a report otherwise. */
cs_dnn_desc *cs_dnn_desc_of(cudnnBackendDescriptor_t handle);

/* --- dnn_attribute.c -------------------------------------------------------------------------- */

const char *cs_dnn_type_name(cudnnBackendDescriptorType_t type);
/* What was set; NULL: nothing. */
const cs_dnn_value *cs_dnn_find(const cs_dnn_desc *d, cudnnBackendAttributeName_t attribute);
int64_t cs_dnn_int64(const cs_dnn_desc *d, cudnnBackendAttributeName_t attribute);
int32_t cs_dnn_int32(const cs_dnn_desc *d, cudnnBackendAttributeName_t attribute);
float cs_dnn_float(const cs_dnn_desc *d, cudnnBackendAttributeName_t attribute);
cs_dnn_desc *cs_dnn_part(const cs_dnn_desc *d, cudnnBackendAttributeName_t attribute);
void cs_dnn_own(cs_dnn_desc *d);
void cs_dnn_disown(cs_dnn_desc *d);

/* --- dnn_finalize.c, dnn_graph.c, dnn_plan.c, dnn_execute.c, dnn_compute.c ---------------------- */

cudnnStatus_t cs_dnn_finalize_part(cs_dnn_desc *d);  /* tensors, geometries, operations */
cudnnStatus_t cs_dnn_finalize_graph(cs_dnn_desc *d); /* the operation graph */
cudnnStatus_t cs_dnn_finalize_plan(cs_dnn_desc *d);  /* devices, heuristics, engines, plans */
cudnnStatus_t cs_dnn_finalize_pack(cs_dnn_desc *d);

/* Reads an attribute that is computed, not set: results of heuristics, engines, workspaces. false: it is none. */
bool cs_dnn_get_computed(cs_dnn_desc *d, cudnnBackendAttributeName_t attribute,
                         cudnnBackendAttributeType_t type, int64_t room, int64_t *count, void *out,
                         cudnnStatus_t *status);

size_t cs_dnn_type_bytes(int32_t type);
/* Elements from a tensor's first to behind its last. */
int64_t cs_dnn_extent(const cs_dnn_tensor *t);

typedef struct cs_dnn_call {
    cs_dnn_graph graph;
    cs_dnn_engine engine;
    cs_dnn_pack pack;
    uint64_t run; /* counts executions, for engines that differ each time */
    char what[96];
} cs_dnn_call;
uint64_t cs_dnn_pointer(const cs_dnn_pack *pack, int64_t uid);
void cs_dnn_compute(const cs_dnn_call *call);

#endif
