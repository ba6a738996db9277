#include "dnn_case.h"

#include <dlfcn.h>
#include <string.h>

#define DEVICE(version, multiprocessors, shared, name)                                             \
    "{\"maxGridSize\":[2147483647,65535,65535],\"maxBlockSize\":[1024,1024,64],"                   \
    "\"deviceVer\":" #version ",\"driverVer\":13000,\"regsPerBlock\":65536,"                       \
    "\"multiProcessorCount\":" #multiprocessors ",\"warpSize\":32,"                                \
    "\"maxSharedMemoryPerBlock\":49152,\"maxSharedMemoryPerBlockOptin\":" #shared ","              \
    "\"reservedSharedMemoryPerBlock\":1024,\"maxRegistersPerSM\":65536,\"maxCtasPerSM\":32,"       \
    "\"maxThreadsPerBlock\":1024,\"maxThreadsPerSM\":2048,\"pciDeviceId\":0,\"cudaDeviceId\":0,"   \
    "\"isTccDriver\":0,\"supportCoopLaunch\":1,\"totalGlobalMem\":42949672960,"                    \
    "\"smClockRateKHz\":1410000,\"memClockRateKHz\":1215000,\"l2CacheSize\":41943040,"             \
    "\"deviceName\":\"" name "\"}"
const char dnn_a100[] = DEVICE(800, 108, 166912, "described A100");
const char dnn_t4[] = DEVICE(750, 40, 65536, "described T4");

dnn_api dnn_fake(void) {
    return (dnn_api){cudnnBackendCreateDescriptor, cudnnBackendDestroyDescriptor,
                     cudnnBackendSetAttribute,     cudnnBackendGetAttribute,
                     cudnnBackendFinalize,         cudnnGetLastErrorString};
}

bool dnn_real(dnn_api *out) {
    void *library = dlopen("libcudnn.so.9", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        library = dlopen(CUDNN_PATH, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return false;
    const char *const names[] = {"cudnnBackendCreateDescriptor", "cudnnBackendDestroyDescriptor",
                                 "cudnnBackendSetAttribute",     "cudnnBackendGetAttribute",
                                 "cudnnBackendFinalize",         "cudnnGetLastErrorString"};
    void *symbols[6];
    for (int i = 0; i < 6; i++)
        symbols[i] = dlsym(library, names[i]);
    _Static_assert(sizeof symbols == sizeof *out, "one pointer a function");
    memcpy(out, symbols, sizeof *out);
    return symbols[0] && symbols[1] && symbols[2] && symbols[3] && symbols[4] && symbols[5];
}

dnn_case dnn_right_case(int pass, cudnnDataType_t type) {
    return (dnn_case){.name = "right",
                      .pass = pass,
                      .n = 2,
                      .c = 8,
                      .h = 6,
                      .w = 6,
                      .k = 16,
                      .r = 3,
                      .s = 3,
                      .pad = 1,
                      .stride = 1,
                      .groups = 1,
                      .type = type,
                      .is_last = {true, true, true},
                      .alpha = 1,
                      .alignment = 16};
}

int64_t dnn_out_size(const dnn_case *c, int64_t in, int64_t window) {
    return (in + 2 * c->pad - window) / c->stride + 1;
}

void dnn_dims(const dnn_case *c, int which, int64_t dims[4]) {
    const int64_t all[4][4] = {{c->n, c->c, c->h, c->w},
                               {c->k, c->c / c->groups + c->w_channels, c->r, c->s},
                               {c->n, c->k + c->y_channels, dnn_out_size(c, c->h, c->r) + c->y_more,
                                dnn_out_size(c, c->w, c->s)},
                               {1, c->k + c->bias_more, 1, 1}};
    memcpy(dims, which == CASE_BIAS && c->has_residual ? all[2] : all[which - 1], sizeof all[0]);
}

void dnn_strides(const int64_t dims[4], bool is_last, int64_t strides[4]) {
    strides[0] = dims[1] * dims[2] * dims[3];
    strides[1] = is_last ? 1 : dims[2] * dims[3];
    strides[2] = is_last ? dims[1] * dims[3] : dims[3];
    strides[3] = is_last ? dims[1] : 1;
}

/* --- building --------------------------------------------------------------------------------- */

typedef struct builder {
    const dnn_api *api;
    const dnn_case *c;
    dnn_made *made;
} builder;

static void check(builder *b, dnn_stage stage, cudnnStatus_t status) {
    if (status && !b->made->outcome.status)
        b->made->outcome = (dnn_outcome){.stage = stage, .status = status};
}

static cudnnBackendDescriptor_t add(builder *b, cudnnBackendDescriptorType_t type) {
    cudnnBackendDescriptor_t d = NULL;
    check(b, STAGE_PARTS, b->api->create(type, &d));
    b->made->parts[b->made->n_parts++] = d;
    return d;
}

static void set(builder *b, dnn_stage stage, cudnnBackendDescriptor_t d, int attribute, int type,
                int64_t count, const void *values) {
    if (!b->made->outcome.status)
        check(b, stage,
              b->api->set(d, (cudnnBackendAttributeName_t)attribute,
                          (cudnnBackendAttributeType_t)type, count, values));
}

static void set_part(builder *b, dnn_stage stage, cudnnBackendDescriptor_t d, int attribute,
                     cudnnBackendDescriptor_t part) {
    set(b, stage, d, attribute, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &part);
}

static void finish(builder *b, dnn_stage stage, cudnnBackendDescriptor_t d) {
    if (!b->made->outcome.status)
        check(b, stage, b->api->finalize(d));
}

static cudnnBackendDescriptor_t add_tensor(builder *b, int which, int64_t uid, bool is_virtual) {
    const dnn_case *c = b->c;
    int64_t dims[4], strides[4], id = c->other_uid_of == which ? CASE_X : uid;
    cudnnDataType_t type = is_virtual ? CUDNN_DATA_FLOAT : c->type;
    if (c->other_type_of == which)
        type = c->other_type;
    bool is_hidden = is_virtual || c->virtual_of == which;
    dnn_dims(c, which, dims);
    dnn_strides(dims, c->is_last[which == CASE_BIAS ? 2 : which - 1], strides);
    cudnnBackendDescriptor_t t = add(b, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    set(b, STAGE_PARTS, t, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
    set(b, STAGE_PARTS, t, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, dims);
    set(b, STAGE_PARTS, t, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, strides);
    set(b, STAGE_PARTS, t, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &id);
    set(b, STAGE_PARTS, t, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &c->alignment);
    if (is_hidden)
        set(b, STAGE_PARTS, t, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &is_hidden);
    finish(b, STAGE_PARTS, t);
    return t;
}

static cudnnBackendDescriptor_t add_geometry(builder *b) {
    const dnn_case *c = b->c;
    int64_t rank = 2, pad[] = {c->pad, c->pad}, stride[] = {c->stride, c->stride}, one[] = {1, 1};
    cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
    cudnnBackendDescriptor_t d = add(b, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    set(b, STAGE_PARTS, d, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, &rank);
    set(b, STAGE_PARTS, d, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &c->compute);
    set(b, STAGE_PARTS, d, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
    set(b, STAGE_PARTS, d, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2, pad);
    set(b, STAGE_PARTS, d, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2, pad);
    set(b, STAGE_PARTS, d, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2, stride);
    set(b, STAGE_PARTS, d, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, one);
    finish(b, STAGE_PARTS, d);
    return d;
}

static cudnnBackendDescriptor_t add_convolution(builder *b, cudnnBackendDescriptor_t y) {
    static const cudnnBackendDescriptorType_t types[] = {
        CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
        CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
        CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR};
    const dnn_case *c = b->c;
    int first = CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA + 6 * c->pass;
    cudnnBackendDescriptor_t geometry = add_geometry(b), x = add_tensor(b, CASE_X, CASE_X, false);
    cudnnBackendDescriptor_t w = add_tensor(b, CASE_W, CASE_W, false);
    cudnnBackendDescriptor_t op = add(b, types[c->pass]);
    set(b, STAGE_OP, op, first, CUDNN_TYPE_FLOAT, 1, &c->alpha);
    set(b, STAGE_OP, op, first + 1, CUDNN_TYPE_FLOAT, 1, &c->beta);
    set_part(b, STAGE_OP, op, first + 2, geometry);
    if (c->missing != CASE_W)
        set_part(b, STAGE_OP, op, first + 3, w);
    if (c->missing != CASE_X)
        set_part(b, STAGE_OP, op, first + 4, x);
    if (c->missing != CASE_Y)
        set_part(b, STAGE_OP, op, first + 5, y);
    finish(b, STAGE_OP, op);
    return op;
}

static cudnnBackendDescriptor_t add_pointwise(builder *b, cudnnPointwiseMode_t mode,
                                              cudnnBackendDescriptor_t x,
                                              cudnnBackendDescriptor_t other,
                                              cudnnBackendDescriptor_t y) {
    cudnnDataType_t compute = CUDNN_DATA_FLOAT;
    cudnnBackendDescriptor_t kind = add(b, CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
    set(b, STAGE_PARTS, kind, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode);
    set(b, STAGE_PARTS, kind, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &compute);
    finish(b, STAGE_PARTS, kind);
    cudnnBackendDescriptor_t op = add(b, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
    set_part(b, STAGE_OP, op, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, kind);
    set_part(b, STAGE_OP, op, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x);
    if (other)
        set_part(b, STAGE_OP, op, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, other);
    set_part(b, STAGE_OP, op, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
    finish(b, STAGE_OP, op);
    return op;
}

static int add_ops(builder *b, cudnnBackendDescriptor_t ops[3]) {
    const dnn_case *c = b->c;
    bool is_alone = !c->has_bias && !c->has_relu;
    int n = 0;
    cudnnBackendDescriptor_t y = add_tensor(b, CASE_Y, is_alone ? CASE_Y : 100, !is_alone);
    ops[n++] = add_convolution(b, y);
    if (c->has_bias) {
        cudnnBackendDescriptor_t bias = add_tensor(b, CASE_BIAS, CASE_BIAS, false);
        cudnnBackendDescriptor_t sum =
            add_tensor(b, CASE_Y, c->has_relu ? 101 : CASE_Y, c->has_relu);
        ops[n++] = add_pointwise(b, CUDNN_POINTWISE_ADD, y, bias, sum);
        y = sum;
    }
    if (c->has_relu)
        ops[n++] = add_pointwise(b, CUDNN_POINTWISE_RELU_FWD, y, NULL,
                                 add_tensor(b, CASE_Y, CASE_Y, false));
    for (int i = 0; c->reverses_ops && i < n / 2; i++) {
        cudnnBackendDescriptor_t swapped = ops[i];
        ops[i] = ops[n - 1 - i];
        ops[n - 1 - i] = swapped;
    }
    return n;
}

/* Asked for none, the library says how many there may be; given room, how many there are. */
static int64_t count_configs(const dnn_api *api, cudnnBackendDescriptor_t heuristics) {
    cudnnBackendDescriptor_t configs[16] = {NULL};
    int64_t n = 0;
    for (int i = 0; i < 16; i++)
        (void)api->create(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, &configs[i]);
    (void)api->get(heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, 16, &n,
                   configs);
    for (int i = 0; i < 16; i++)
        (void)api->destroy(configs[i]);
    return n;
}

static void add_heuristics(builder *b, const char *json, cudnnBackendHeurMode_t mode) {
    dnn_made *m = b->made;
    if (json) {
        m->device = add(b, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
        set(b, STAGE_PARTS, m->device, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
            (int64_t)strlen(json) + 1, json);
        finish(b, STAGE_PARTS, m->device);
    }
    m->heuristics = add(b, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    set_part(b, STAGE_HEURISTICS, m->heuristics, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, m->graph);
    set(b, STAGE_HEURISTICS, m->heuristics, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1,
        &mode);
    if (m->device)
        set_part(b, STAGE_HEURISTICS, m->heuristics, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, m->device);
    finish(b, STAGE_HEURISTICS, m->heuristics);
    if (m->outcome.status)
        return;
    m->outcome.stage = STAGE_ENGINES;
    m->outcome.n_configs = count_configs(b->api, m->heuristics);
}

dnn_made dnn_build(const dnn_api *api, const dnn_case *c, const char *json, cudnnHandle_t handle,
                   cudnnBackendHeurMode_t mode) {
    dnn_made made = {0};
    builder b = {api, c, &made};
    cudnnBackendDescriptor_t ops[3];
    int n = add_ops(&b, ops);
    made.graph = add(&b, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    set(&b, STAGE_GRAPH, made.graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
        n, ops);
    if (handle)
        set(&b, STAGE_GRAPH, made.graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1,
            &handle);
    finish(&b, STAGE_GRAPH, made.graph);
    add_heuristics(&b, json, mode);
    return made;
}

void dnn_release(const dnn_api *api, dnn_made *made) {
    while (made->n_parts > 0)
        (void)api->destroy(made->parts[--made->n_parts]);
}

cudnnBackendDescriptor_t dnn_plan(const dnn_api *api, const dnn_made *made, int i,
                                  cudnnHandle_t handle) {
    cudnnBackendDescriptor_t configs[64] = {NULL}, plan = NULL;
    int64_t n = 0;
    for (int j = 0; j <= i; j++)
        (void)api->create(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, &configs[j]);
    cudnnStatus_t status = api->get(made->heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                    CUDNN_TYPE_BACKEND_DESCRIPTOR, i + 1, &n, configs);
    (void)api->create(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, &plan);
    if (!status)
        status = api->set(plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG,
                          CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &configs[i]);
    if (!status && handle)
        status = api->set(plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, &handle);
    if (!status && made->device)
        status = api->set(plan, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                          1, &made->device);
    if (!status)
        status = api->finalize(plan);
    for (int j = 0; j <= i; j++)
        (void)api->destroy(configs[j]);
    if (!status)
        return plan;
    (void)api->destroy(plan);
    return NULL;
}
