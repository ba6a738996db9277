#include "kernels/cuda/dnn.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PARTS = 32, MAX_CONFIGS = 64, ALIGNMENT = 16, MAX_NOTES = 32 };

/* Not a share of the memory that happens to be free: the choice would change with it, and the bits
 * of a run with the choice. */
static const int64_t workspace_limit = INT64_C(1) << 30;

struct ty_dnn_plan {
    ty_ctx *ctx; /* while it is built */
    ty_cuda *dev;
    const ty_vendor_dnn *dnn;
    char name[TY_DNN_NAME_BYTES];
    ty_status status;
    char refusal[320]; /* cuDNN's words, where it does not support what was described; "" */
    cudnnBackendDescriptor_t parts[MAX_PARTS]; /* in the order they were made */
    int n_parts;
    cudnnBackendDescriptor_t plan, gpu; /* the execution plan; what a described GPU is like */
    int64_t engine, workspace, n_offers;
    cudnnBackendDescriptor_t pack; /* binds the data of the last run */
    void *data[TY_DNN_MAX_DATA], *bound_workspace;
};

/* --- errors ----------------------------------------------------------------------------------- */

typedef struct words {
    char text[320];
} words;

static words words_of(const ty_dnn_plan *p, cudnnStatus_t status) {
    char last[256] = "";
    words out;
    p->dnn->cudnnGetLastErrorString(last, sizeof last);
    (void)snprintf(out.text, sizeof out.text, "%s%s%s", p->dnn->cudnnGetErrorString(status),
                   *last ? ": " : "", last);
    return out;
}

static ty_status fail(ty_ctx *ctx, const ty_dnn_plan *p, const char *doing, cudnnStatus_t status) {
    const words said = words_of(p, status);
    return ty_fail(ctx, TY_ERR_DEVICE, "%s %s with cuDNN: %s", doing, p->name, said.text);
}

static bool goes_on(const ty_dnn_plan *p) {
    return p->status == TY_OK && !p->refusal[0];
}

static bool is_refusal(cudnnStatus_t status) {
    return CUDNN_STATUS_CATEGORY(status) == CUDNN_STATUS_NOT_SUPPORTED;
}

/* "Not supported" is an answer, given when a descriptor is finished: there may be another graph. */
static void check(ty_dnn_plan *p, const char *doing, cudnnStatus_t status) {
    if (status == CUDNN_STATUS_SUCCESS || !goes_on(p))
        return;
    if (is_refusal(status))
        (void)snprintf(p->refusal, sizeof p->refusal, "%s", words_of(p, status).text);
    else
        p->status = fail(p->ctx, p, doing, status);
}

/* --- opening, closing ------------------------------------------------------------------------- */

static void describe_gpu(ty_dnn_plan *p) {
    const char *json = p->dev->facts.dnn_json;
    if (!json)
        return;
    p->gpu = ty_dnn_add(p, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
    ty_dnn_set(p, p->gpu, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
               (int64_t)strlen(json), json);
    ty_dnn_finish(p, p->gpu);
}

ty_status ty_dnn_plan_open(ty_ctx *ctx, ty_cuda *dev, const char *name, ty_dnn_plan **out) {
    TY_TRY(ty_cuda_want_dnn(ctx, dev));
    ty_dnn_plan *p = calloc(1, sizeof *p);
    if (!p)
        return ty_fail_nomem(ctx, "a cuDNN plan");
    p->ctx = ctx;
    p->dev = dev;
    p->dnn = dev->dnn;
    (void)snprintf(p->name, sizeof p->name, "%s", name);
    describe_gpu(p);
    *out = p;
    return TY_OK;
}

void ty_dnn_plan_close(ty_dnn_plan *p) {
    if (!p)
        return;
    if (p->pack)
        (void)p->dnn->cudnnBackendDestroyDescriptor(p->pack);
    while (p->n_parts > 0)
        (void)p->dnn->cudnnBackendDestroyDescriptor(p->parts[--p->n_parts]);
    ty_cuda_forget_error();
    free(p);
}

/* --- building --------------------------------------------------------------------------------- */

cudnnBackendDescriptor_t ty_dnn_add(ty_dnn_plan *p, cudnnBackendDescriptorType_t type) {
    cudnnBackendDescriptor_t part = NULL;
    if (!goes_on(p))
        return NULL;
    assert(p->n_parts < MAX_PARTS);
    check(p, "describing", p->dnn->cudnnBackendCreateDescriptor(type, &part));
    if (part)
        p->parts[p->n_parts++] = part;
    return part;
}

void ty_dnn_set(ty_dnn_plan *p, cudnnBackendDescriptor_t part, cudnnBackendAttributeName_t name,
                cudnnBackendAttributeType_t type, int64_t count, const void *values) {
    if (goes_on(p))
        check(p, "describing", p->dnn->cudnnBackendSetAttribute(part, name, type, count, values));
}

void ty_dnn_set_part(ty_dnn_plan *p, cudnnBackendDescriptor_t part,
                     cudnnBackendAttributeName_t name, cudnnBackendDescriptor_t value) {
    ty_dnn_set(p, part, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value);
}

void ty_dnn_finish(ty_dnn_plan *p, cudnnBackendDescriptor_t part) {
    if (goes_on(p))
        check(p, "describing", p->dnn->cudnnBackendFinalize(part));
}

cudnnDataType_t ty_dnn_type(ty_dtype dtype) {
    return dtype == TY_DTYPE_BF16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
}

cudnnBackendDescriptor_t ty_dnn_add_tensor(ty_dnn_plan *p, const ty_dnn_tensor *tensor) {
    const int64_t *d = tensor->dims, alignment = ALIGNMENT;
    const int64_t last[] = {d[1] * d[2] * d[3], 1, d[3] * d[1], d[1]};
    const int64_t canonical[] = {d[1] * d[2] * d[3], d[2] * d[3], d[3], 1};
    const cudnnDataType_t type = ty_dnn_type(tensor->dtype);
    cudnnBackendDescriptor_t t = ty_dnn_add(p, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    ty_dnn_set(p, t, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &tensor->id);
    ty_dnn_set(p, t, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
    ty_dnn_set(p, t, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment);
    ty_dnn_set(p, t, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, d);
    ty_dnn_set(p, t, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4,
               tensor->is_channels_last ? last : canonical);
    if (tensor->is_virtual)
        ty_dnn_set(p, t, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &tensor->is_virtual);
    ty_dnn_finish(p, t);
    return t;
}

/* --- choosing an engine ----------------------------------------------------------------------- */

/* Engines that the heuristics offered, best first. */
typedef struct offers {
    cudnnBackendDescriptor_t config[MAX_CONFIGS];
    int64_t n;
} offers;

static void forget(const ty_dnn_plan *p, offers *o) {
    for (int i = 0; i < MAX_CONFIGS; i++)
        if (o->config[i])
            (void)p->dnn->cudnnBackendDestroyDescriptor(o->config[i]);
    *o = (offers){0};
}

static cudnnBackendDescriptor_t make_graph(ty_dnn_plan *p, const cudnnBackendDescriptor_t *ops,
                                           int64_t n) {
    cudnnHandle_t handle = p->dev->dnn_handle;
    cudnnBackendDescriptor_t graph = ty_dnn_add(p, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    ty_dnn_set(p, graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, n, ops);
    if (handle)
        ty_dnn_set(p, graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &handle);
    ty_dnn_finish(p, graph);
    return graph;
}

static cudnnStatus_t take_offers(const ty_dnn_plan *p, cudnnBackendDescriptor_t heuristics,
                                 offers *o) {
    cudnnStatus_t st = CUDNN_STATUS_SUCCESS;
    for (int i = 0; i < MAX_CONFIGS && st == CUDNN_STATUS_SUCCESS; i++)
        st =
            p->dnn->cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, &o->config[i]);
    if (st != CUDNN_STATUS_SUCCESS)
        return st;
    st = p->dnn->cudnnBackendGetAttribute(heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                          CUDNN_TYPE_BACKEND_DESCRIPTOR, MAX_CONFIGS, &o->n,
                                          o->config);
    /* It counts what there is, not what was asked for. */
    o->n = o->n < MAX_CONFIGS ? o->n : MAX_CONFIGS;
    return st;
}

/* Heuristics that know nothing of a graph are no failure: the next mode may. */
static void ask(ty_dnn_plan *p, cudnnBackendDescriptor_t graph, cudnnBackendHeurMode_t mode,
                offers *o) {
    cudnnBackendDescriptor_t h = ty_dnn_add(p, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    ty_dnn_set_part(p, h, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
    ty_dnn_set(p, h, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
    if (p->gpu)
        ty_dnn_set_part(p, h, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, p->gpu);
    if (!goes_on(p))
        return;
    if (p->dnn->cudnnBackendFinalize(h) == CUDNN_STATUS_SUCCESS)
        check(p, "asking for engines of", take_offers(p, h, o));
}

/* Engines whose sums come in any order give other bits each time; Winograd's and Fourier's
 * transforms, conversions of inputs and short accumulators round more than the sums themselves. In
 * fp32 tensor cores would round inputs to TF32. */
static bool is_allowed(const ty_dnn_plan *p, cudnnBackendNumericalNote_t note) {
    if (note == CUDNN_NUMERICAL_NOTE_TENSOR_CORE)
        return p->dev->device.info.precision != TY_PRECISION_FP32;
    return note == CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP;
}

static bool keeps_promises(const ty_dnn_plan *p, cudnnBackendDescriptor_t engine) {
    cudnnBackendNumericalNote_t notes[MAX_NOTES];
    int64_t n = 0;
    if (p->dnn->cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                                         CUDNN_TYPE_NUMERICAL_NOTE, MAX_NOTES, &n,
                                         notes) != CUDNN_STATUS_SUCCESS ||
        n > MAX_NOTES)
        return false;
    for (int64_t i = 0; i < n; i++)
        if (!is_allowed(p, notes[i]))
            return false;
    return true;
}

static int64_t read_int(const ty_dnn_plan *p, cudnnBackendDescriptor_t part,
                        cudnnBackendAttributeName_t name) {
    int64_t n = 0, value = -1;
    (void)p->dnn->cudnnBackendGetAttribute(part, name, CUDNN_TYPE_INT64, 1, &n, &value);
    return value;
}

/* Whether the offer's engine may be used; notes its number. */
static bool accept_engine(ty_dnn_plan *p, cudnnBackendDescriptor_t config) {
    cudnnBackendDescriptor_t engine = NULL;
    int64_t n = 0;
    if (p->dnn->cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR, &engine) !=
        CUDNN_STATUS_SUCCESS)
        return false;
    const bool is_known = p->dnn->cudnnBackendGetAttribute(config, CUDNN_ATTR_ENGINECFG_ENGINE,
                                                           CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &n,
                                                           &engine) == CUDNN_STATUS_SUCCESS;
    const bool is_accepted = is_known && keeps_promises(p, engine);
    if (is_accepted)
        p->engine = read_int(p, engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX);
    (void)p->dnn->cudnnBackendDestroyDescriptor(engine);
    return is_accepted;
}

static cudnnStatus_t finish_plan(ty_dnn_plan *p, cudnnBackendDescriptor_t plan,
                                 cudnnBackendDescriptor_t config) {
    cudnnHandle_t handle = p->dev->dnn_handle;
    cudnnStatus_t st = p->dnn->cudnnBackendSetAttribute(
        plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &config);
    if (st == CUDNN_STATUS_SUCCESS && handle)
        st = p->dnn->cudnnBackendSetAttribute(plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE,
                                              CUDNN_TYPE_HANDLE, 1, &handle);
    if (st == CUDNN_STATUS_SUCCESS && p->gpu)
        st = p->dnn->cudnnBackendSetAttribute(plan, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP,
                                              CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &p->gpu);
    return st == CUDNN_STATUS_SUCCESS ? p->dnn->cudnnBackendFinalize(plan) : st;
}

/* Takes the offer if it becomes a plan within the workspace. Engines may refuse what heuristics
 * thought of, so that is no failure. */
static bool accept_plan(ty_dnn_plan *p, cudnnBackendDescriptor_t config) {
    cudnnBackendDescriptor_t plan = NULL;
    if (p->dnn->cudnnBackendCreateDescriptor(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, &plan) !=
        CUDNN_STATUS_SUCCESS)
        return false;
    if (finish_plan(p, plan, config) == CUDNN_STATUS_SUCCESS) {
        p->workspace = read_int(p, plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE);
        if (p->workspace >= 0 && p->workspace <= workspace_limit) {
            p->plan = plan;
            return true;
        }
    }
    (void)p->dnn->cudnnBackendDestroyDescriptor(plan);
    return false;
}

/* The configuration lives as long as the plan that was made of it. */
static bool take_first(ty_dnn_plan *p, offers *o) {
    for (int64_t i = 0; i < o->n && goes_on(p); i++) {
        if (!accept_engine(p, o->config[i]) || !accept_plan(p, o->config[i]))
            continue;
        assert(p->n_parts + 2 <= MAX_PARTS);
        p->parts[p->n_parts++] = o->config[i];
        p->parts[p->n_parts++] = p->plan;
        o->config[i] = NULL;
        return true;
    }
    return false;
}

static const char *precision_name(const ty_dnn_plan *p) {
    static const char *const names[] = {
        [TY_PRECISION_FP32] = "fp32", [TY_PRECISION_TF32] = "tf32", [TY_PRECISION_BF16] = "bf16"};
    return names[p->dev->device.info.precision];
}

ty_status ty_dnn_choose(ty_dnn_plan *p, const cudnnBackendDescriptor_t *operations, int64_t n,
                        bool *is_planned) {
    static const cudnnBackendHeurMode_t modes[] = {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK};
    cudnnBackendDescriptor_t graph = make_graph(p, operations, n);
    for (size_t i = 0; i < sizeof modes / sizeof modes[0] && !p->plan; i++) {
        offers o = {0};
        ask(p, graph, modes[i], &o);
        p->n_offers += o.n;
        (void)take_first(p, &o);
        forget(p, &o);
    }
    p->ctx = NULL;
    *is_planned = p->plan != NULL;
    if (*is_planned)
        ty_cuda_note_engine(p->dev, p->engine, p->workspace);
    ty_cuda_forget_error();
    return p->status;
}

ty_status ty_dnn_fail_unplanned(ty_ctx *ctx, const ty_dnn_plan *p) {
    if (p->refusal[0])
        return ty_fail(ctx, TY_ERR_DEVICE, "cuDNN %zu has no engine for %s on %s in %s: %s",
                       p->dnn->cudnnGetVersion(), p->name, p->dev->model, precision_name(p),
                       p->refusal);
    return ty_fail(ctx, TY_ERR_DEVICE,
                   "cuDNN %zu has no engine for %s on %s in %s: it offered %lld, none of them "
                   "deterministic, exact enough and within %lld MiB of workspace",
                   p->dnn->cudnnGetVersion(), p->name, p->dev->model, precision_name(p),
                   (long long)p->n_offers, (long long)(workspace_limit >> 20));
}

size_t ty_dnn_workspace(const ty_dnn_plan *p) {
    return p ? (size_t)p->workspace : 0;
}

void ty_dnn_describe(const ty_dnn_plan *p, char *out, size_t room) {
    (void)snprintf(out, room, "cudnn engine %lld, %.1f MiB workspace", (long long)p->engine,
                   (double)p->workspace / (1 << 20));
}

/* --- running ---------------------------------------------------------------------------------- */

static bool is_bound(const ty_dnn_plan *p, void *const data[TY_DNN_MAX_DATA],
                     const void *workspace) {
    return p->pack && p->bound_workspace == workspace && memcmp(p->data, data, sizeof p->data) == 0;
}

static cudnnStatus_t fill_pack(const ty_dnn_plan *p) {
    int64_t ids[TY_DNN_MAX_DATA], n = 0;
    void *data[TY_DNN_MAX_DATA];
    for (int i = 0; i < TY_DNN_MAX_DATA; i++) {
        if (p->data[i]) {
            ids[n] = i + 1;
            data[n++] = p->data[i];
        }
    }
    const ty_vendor_dnn *dnn = p->dnn;
    cudnnStatus_t st = dnn->cudnnBackendSetAttribute(p->pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS,
                                                     CUDNN_TYPE_INT64, n, ids);
    if (st == CUDNN_STATUS_SUCCESS)
        st = dnn->cudnnBackendSetAttribute(p->pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS,
                                           CUDNN_TYPE_VOID_PTR, n, data);
    if (st == CUDNN_STATUS_SUCCESS)
        st = dnn->cudnnBackendSetAttribute(p->pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE,
                                           CUDNN_TYPE_VOID_PTR, 1, &p->bound_workspace);
    return st == CUDNN_STATUS_SUCCESS ? dnn->cudnnBackendFinalize(p->pack) : st;
}

/* A call's pointers stay the same from step to step, so this is done once. */
static cudnnStatus_t bind(ty_dnn_plan *p, void *const data[TY_DNN_MAX_DATA], void *workspace) {
    if (p->pack)
        (void)p->dnn->cudnnBackendDestroyDescriptor(p->pack);
    p->pack = NULL;
    memcpy(p->data, data, sizeof p->data);
    p->bound_workspace = workspace;
    const cudnnStatus_t st =
        p->dnn->cudnnBackendCreateDescriptor(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &p->pack);
    return st == CUDNN_STATUS_SUCCESS ? fill_pack(p) : st;
}

ty_status ty_dnn_run(ty_ctx *ctx, const ty_cuda *dev, ty_dnn_plan *p,
                     void *const data[TY_DNN_MAX_DATA], void *workspace) {
    cudnnStatus_t st = CUDNN_STATUS_SUCCESS;
    if (!is_bound(p, data, workspace))
        st = bind(p, data, workspace);
    if (st == CUDNN_STATUS_SUCCESS)
        st = p->dnn->cudnnBackendExecute(dev->dnn_handle, p->plan, p->pack);
    ty_cuda_forget_error();
    return st == CUDNN_STATUS_SUCCESS ? TY_OK : fail(ctx, p, "queueing", st);
}
