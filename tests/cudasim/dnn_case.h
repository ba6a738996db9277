/* One convolution as the tests of the cuDNN fake describe it, built through a table of functions: the fake's, or those
 * of the real library, whose validation works without a GPU. */
#ifndef TY_CUDASIM_DNN_CASE_H
#define TY_CUDASIM_DNN_CASE_H

#include <stdbool.h>
#include <stdint.h>

#include <cudnn_graph.h>

typedef struct dnn_api {
    __typeof__(cudnnBackendCreateDescriptor) *create;
    __typeof__(cudnnBackendDestroyDescriptor) *destroy;
    __typeof__(cudnnBackendSetAttribute) *set;
    __typeof__(cudnnBackendGetAttribute) *get;
    __typeof__(cudnnBackendFinalize) *finalize;
    __typeof__(cudnnGetLastErrorString) *last_error;
} dnn_api;

/* The fake's functions. */
dnn_api dnn_fake(void);
/* The real library's; false: it is not installed. */
bool dnn_real(dnn_api *out);

enum { CASE_FORWARD, CASE_DATA, CASE_FILTER };
enum { CASE_X = 1, CASE_W, CASE_Y, CASE_BIAS }; /* ids of tensors that are not virtual */

typedef struct dnn_case {
    const char *name;
    int pass;
    int64_t n, c, h, w, k, r, s, pad, stride, groups;
    cudnnDataType_t type;
    bool is_last[3]; /* channels last: x, w, y */
    bool has_bias, has_relu;
    float alpha, beta;
    int64_t alignment;
    /* What a wrong case changes; 0 (or CUDNN_DATA_FLOAT of other_type_of 0) leaves a thing right. */
    int64_t y_more;     /* added to y's height */
    int64_t y_channels; /* added to y's channels */
    int64_t w_channels; /* added to the filters' channels */
    int64_t bias_more;  /* added to the bias's channels */
    int other_type_of;  /* CASE_X .. CASE_BIAS: that tensor has other_type */
    cudnnDataType_t other_type;
    int other_uid_of; /* that tensor has the id CASE_X */
    int virtual_of;   /* that tensor is virtual */
    int missing;      /* CASE_X .. CASE_Y: not set in the operation */
    cudnnDataType_t compute;
    bool reverses_ops;
    bool has_residual; /* the bias is as large as y */
} dnn_case;

/* 3x3, stride 1, groups 1, padding 1, alignment 16, alpha 1. */
dnn_case dnn_right_case(int pass, cudnnDataType_t type);

typedef enum dnn_stage {
    STAGE_PARTS,
    STAGE_OP,
    STAGE_GRAPH,
    STAGE_HEURISTICS,
    STAGE_ENGINES
} dnn_stage;

/* How far a case came: the stage that refused it, or STAGE_ENGINES with the number of configurations. */
typedef struct dnn_outcome {
    dnn_stage stage;
    cudnnStatus_t status;
    int64_t n_configs;
} dnn_outcome;

/* Descriptors made for a case, and what they lead to. */
typedef struct dnn_made {
    cudnnBackendDescriptor_t parts[32];
    int n_parts;
    cudnnBackendDescriptor_t device, graph, heuristics;
    dnn_outcome outcome;
} dnn_made;

/* Builds graph and heuristics for a device that JSON describes, or (NULL) that the handle has. */
dnn_made dnn_build(const dnn_api *api, const dnn_case *c, const char *json, cudnnHandle_t handle,
                   cudnnBackendHeurMode_t mode);
void dnn_release(const dnn_api *api, dnn_made *made);

/* A finalized plan of the i-th configuration; NULL: it could not be. */
cudnnBackendDescriptor_t dnn_plan(const dnn_api *api, const dnn_made *made, int i,
                                  cudnnHandle_t handle);

int64_t dnn_out_size(const dnn_case *c, int64_t in, int64_t window);
void dnn_dims(const dnn_case *c, int which, int64_t dims[4]);
void dnn_strides(const int64_t dims[4], bool is_last, int64_t strides[4]);

extern const char dnn_a100[], dnn_t4[];

#endif
