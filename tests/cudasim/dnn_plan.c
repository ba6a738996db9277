/* Devices, heuristics, engines and plans. The engines are the kinds that the library has for these graphs (numbers,
 * notes and odd workspace sizes are of the sort that version 9.19 gives for sm_80 and sm_90): tensor cores that round
 * fp32 to TF32, Winograd's transforms, sums in any order, and plain ones. Which comes first depends on the shape. */
#include <stdlib.h>
#include <string.h>

#include "dnn.h"
#include "leaks.h"
#include "profile.h"

/* --- devices ---------------------------------------------------------------------------------- */

static const char *const json_keys[] = {"maxGridSize",
                                        "maxBlockSize",
                                        "deviceVer",
                                        "driverVer",
                                        "regsPerBlock",
                                        "multiProcessorCount",
                                        "warpSize",
                                        "maxSharedMemoryPerBlock",
                                        "maxSharedMemoryPerBlockOptin",
                                        "reservedSharedMemoryPerBlock",
                                        "maxRegistersPerSM",
                                        "maxCtasPerSM",
                                        "maxThreadsPerBlock",
                                        "maxThreadsPerSM",
                                        "pciDeviceId",
                                        "cudaDeviceId",
                                        "isTccDriver",
                                        "supportCoopLaunch",
                                        "totalGlobalMem",
                                        "smClockRateKHz",
                                        "memClockRateKHz",
                                        "l2CacheSize",
                                        "deviceName"};

/* What follows "key": in a JSON object without nested objects; NULL: it is not there. */
static const char *json_value(const char *json, const char *key) {
    size_t n = strlen(key);
    for (const char *at = strstr(json, key); at; at = strstr(at + 1, key))
        if (at > json && at[-1] == '"' && at[n] == '"') {
            at += n + 1 + strspn(at + n + 1, " \t\n");
            return *at == ':' ? at + 1 : NULL;
        }
    return NULL;
}

static cudnnStatus_t read_json(const char *json, cs_dnn_device *out) {
    for (size_t i = 0; i < sizeof json_keys / sizeof *json_keys; i++)
        if (!json_value(json, json_keys[i]))
            return cs_dnn_report(CUDNN_STATUS_BAD_PARAM, "the device's description lacks %s",
                                 json_keys[i]);
    *out = (cs_dnn_device){.device = -1, .capability = atoi(json_value(json, "deviceVer"))};
    if (out->capability < 500 || out->capability > 1299)
        return cs_dnn_report(CUDNN_STATUS_BAD_PARAM, "deviceVer %d", out->capability);
    return CUDNN_STATUS_SUCCESS;
}

static cs_dnn_device own_device(int device) {
    int capability = cs_sim.profile->major * 100 + cs_sim.profile->minor * 10;
    return (cs_dnn_device){.device = device, .capability = capability};
}

static cudnnStatus_t finalize_device(cs_dnn_desc *d) {
    const cs_dnn_value *json = cs_dnn_find(d, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION);
    const cs_dnn_value *handle = cs_dnn_find(d, CUDNN_ATTR_DEVICEPROP_HANDLE);
    const cs_dnn_value *id = cs_dnn_find(d, CUDNN_ATTR_DEVICEPROP_DEVICE_ID);
    if (!!json + !!handle + !!id != 1)
        return cs_dnn_report(CUDNN_STATUS_BAD_PARAM,
                             "a device is described by one of JSON, handle and number");
    if (json)
        return read_json(json->data, &d->device);
    int device = id ? *(const int32_t *)id->data : 0;
    if (handle) {
        const cs_dnn_handle *h = cs_dnn_handle_of(*(cudnnHandle_t const *)handle->data);
        if (!h)
            return CUDNN_STATUS_BAD_PARAM;
        device = h->device;
    }
    if (device < 0 || device >= cs_sim.n_devices)
        return cs_dnn_report(CUDNN_STATUS_BAD_PARAM, "there is no device %d", device);
    d->device = own_device(device);
    return CUDNN_STATUS_SUCCESS;
}

/* --- engines ---------------------------------------------------------------------------------- */

static const cs_dnn_op *convolution_of(const cs_dnn_graph *g) {
    for (int i = 0; i < g->n_ops; i++)
        if (g->ops[i].kind != CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR)
            return &g->ops[i];
    abort(); /* graphs with engines have one */
}

static bool is_aligned(const cs_dnn_graph *g) {
    for (int i = 0; i < g->n_tensors; i++)
        if (g->tensors[i].alignment < 16)
            return false;
    return true;
}

static bool suits_winograd(const cs_dnn_op *op) {
    return op->kind != CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR &&
           op->w.dims[2] == 3 && op->w.dims[3] == 3 && op->w.dims[1] == op->x.dims[1] &&
           op->geometry.stride[0] == 1 && op->geometry.stride[1] == 1 &&
           op->geometry.dilation[0] == 1 && op->geometry.dilation[1] == 1;
}

typedef struct offers {
    int n;
    cs_dnn_engine all[CS_DNN_OFFERS];
} offers;

static cs_dnn_engine *offer(offers *o, int64_t index, int64_t workspace) {
    cs_dnn_engine *e = &o->all[o->n++];
    *e = (cs_dnn_engine){.index = index, .workspace = workspace};
    return e;
}

static void note(cs_dnn_engine *e, cudnnBackendNumericalNote_t value) {
    e->notes[e->n_notes++] = (int32_t)value;
}

static void offer_tensor_cores(offers *o, const cs_dnn_op *op, int64_t workspace) {
    bool is_wide = op->x.type == CUDNN_DATA_FLOAT;
    cs_dnn_engine *first = offer(o, is_wide ? 48 : 22, is_wide ? workspace : 0);
    note(first, CUDNN_NUMERICAL_NOTE_TENSOR_CORE);
    first->is_rounding = is_wide;
    cs_dnn_engine *second = offer(o, is_wide ? 46 : 45, is_wide ? 0 : workspace);
    note(second, CUDNN_NUMERICAL_NOTE_TENSOR_CORE);
    second->is_rounding = is_wide;
}

static void offer_transforms(offers *o, const cs_dnn_op *op, int64_t workspace) {
    if (op->x.type == CUDNN_DATA_FLOAT && suits_winograd(op)) {
        cs_dnn_engine *e = offer(o, 12, workspace);
        note(e, CUDNN_NUMERICAL_NOTE_WINOGRAD);
        note(e, CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4);
        e->is_rounding = true;
    }
    if (op->kind != CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR) {
        cs_dnn_engine *e = offer(o, 20, 0);
        note(e, CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC);
        e->is_random = true;
    }
}

static offers make_offers(const cs_dnn_graph *g, const cs_dnn_device *device, int32_t mode) {
    offers o = {0};
    if (!g->has_engines)
        return o;
    const cs_dnn_op *op = convolution_of(g);
    if (op->x.type == CUDNN_DATA_BFLOAT16 && device->capability < 800)
        return o;
    int64_t workspace = 4 * (cs_dnn_extent(&op->x) + cs_dnn_extent(&op->w)) + 131;
    bool is_first = g->hash & 1;
    if (mode == CUDNN_HEUR_MODE_FALLBACK)
        note(offer(&o, 0, 0), CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP);
    if (mode == CUDNN_HEUR_MODE_FALLBACK || is_first)
        offer(&o, 28, workspace);
    if (mode == CUDNN_HEUR_MODE_FALLBACK)
        return o;
    if (is_aligned(g))
        offer_tensor_cores(&o, op, workspace + 13);
    offer_transforms(&o, op, 2 * workspace);
    if (!is_first)
        offer(&o, 28, workspace);
    note(offer(&o, 0, 0), CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP);
    return o;
}

/* --- heuristics, engines, configurations, plans ----------------------------------------------- */

static cudnnStatus_t keep_choice(cs_dnn_desc *d, cs_dnn_desc *graph, const cs_dnn_device *device,
                                 const cs_dnn_engine *engines, int n) {
    cs_dnn_own(graph);
    d->choice.graph_desc = graph;
    d->choice.graph = &graph->graph;
    d->choice.device = *device;
    d->choice.n_offers = n;
    memcpy(d->choice.offers, engines, (size_t)n * sizeof *engines);
    return CUDNN_STATUS_SUCCESS;
}

/* The device of a description, or of the graph's handle. */
static cudnnStatus_t find_device(const cs_dnn_desc *description, const cs_dnn_desc *graph,
                                 cs_dnn_device *out) {
    if (!description && graph->graph.device_from_handle < 0)
        return cs_dnn_report(CUDNN_STATUS_BAD_PARAM,
                             "neither the graph's handle nor a description says for which device");
    *out = description ? description->device : own_device(graph->graph.device_from_handle);
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t finalize_heuristics(cs_dnn_desc *d) {
    cs_dnn_desc *graph = cs_dnn_part(d, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH);
    int32_t mode = cs_dnn_int32(d, CUDNN_ATTR_ENGINEHEUR_MODE);
    cs_dnn_device device;
    if (mode != CUDNN_HEUR_MODE_A && mode != CUDNN_HEUR_MODE_B && mode != CUDNN_HEUR_MODE_FALLBACK)
        cs_unknown(cs_current_function(), "heuristics mode %d is not modelled", mode);
    if (find_device(cs_dnn_part(d, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP), graph, &device))
        return CUDNN_STATUS_BAD_PARAM;
    offers o = make_offers(&graph->graph, &device, mode);
    return keep_choice(d, graph, &device, o.all, o.n);
}

static cudnnStatus_t finalize_engine(cs_dnn_desc *d) {
    cs_dnn_desc *graph = cs_dnn_part(d, CUDNN_ATTR_ENGINE_OPERATION_GRAPH);
    int64_t index = cs_dnn_int64(d, CUDNN_ATTR_ENGINE_GLOBAL_INDEX);
    static const int32_t modes[] = {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK};
    cs_dnn_device device;
    if (find_device(cs_dnn_part(d, CUDNN_ATTR_ENGINE_DEVICEPROP), graph, &device))
        return CUDNN_STATUS_BAD_PARAM;
    for (int i = 0; i < 2; i++) {
        offers o = make_offers(&graph->graph, &device, modes[i]);
        for (int j = 0; j < o.n; j++)
            if (o.all[j].index == index)
                return keep_choice(d, graph, &device, &o.all[j], 1);
    }
    return CUDNN_STATUS_NOT_SUPPORTED;
}

static cudnnStatus_t finalize_config(cs_dnn_desc *d) {
    const cs_dnn_desc *engine = cs_dnn_part(d, CUDNN_ATTR_ENGINECFG_ENGINE);
    return keep_choice(d, engine->choice.graph_desc, &engine->choice.device, engine->choice.offers,
                       1);
}

static cudnnStatus_t finalize_execution_plan(cs_dnn_desc *d) {
    const cs_dnn_desc *config = cs_dnn_part(d, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
    const cs_dnn_desc *description = cs_dnn_part(d, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP);
    const cs_dnn_value *handle = cs_dnn_find(d, CUDNN_ATTR_EXECUTION_PLAN_HANDLE);
    const cs_dnn_handle *h = handle ? cs_dnn_handle_of(*(cudnnHandle_t const *)handle->data) : NULL;
    if (!description && !h)
        return cs_dnn_report(CUDNN_STATUS_BAD_PARAM,
                             "neither a handle nor a description says for which device");
    cs_dnn_device device = description ? description->device : own_device(h->device);
    const cs_dnn_device *planned = &config->choice.device;
    if (device.device != planned->device || device.capability != planned->capability)
        return cs_dnn_report(CUDNN_STATUS_NOT_SUPPORTED_ARCH_MISMATCH,
                             "the configuration was made for another device");
    return keep_choice(d, config->choice.graph_desc, &device, config->choice.offers, 1);
}

cudnnStatus_t cs_dnn_finalize_plan(cs_dnn_desc *d) {
    switch (d->type) {
    case CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR:
        return finalize_device(d);
    case CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR:
        return finalize_heuristics(d);
    case CUDNN_BACKEND_ENGINE_DESCRIPTOR:
        return finalize_engine(d);
    case CUDNN_BACKEND_ENGINECFG_DESCRIPTOR:
        return finalize_config(d);
    default:
        return finalize_execution_plan(d);
    }
}

/* --- reading ---------------------------------------------------------------------------------- */

/* Fills a descriptor that the program has made for it with one of the offers. */
static cudnnStatus_t fill(const cs_dnn_desc *from, int i, cudnnBackendDescriptorType_t type,
                          cudnnBackendDescriptor_t to) {
    cs_dnn_desc *d = cs_dnn_desc_of(to);
    if (!d)
        return CUDNN_STATUS_BAD_PARAM;
    if (d->type != type || d->is_final || d->n_values > 0)
        return cs_dnn_report(CUDNN_STATUS_BAD_PARAM, "a %s%s is no place for a %s",
                             d->is_final ? "finalized " : "", cs_dnn_type_name(d->type),
                             cs_dnn_type_name(type));
    d->is_final = true;
    return keep_choice(d, from->choice.graph_desc, &from->choice.device, &from->choice.offers[i],
                       1);
}

static cudnnStatus_t give_descriptors(cs_dnn_desc *d, cudnnBackendDescriptorType_t type,
                                      int64_t room, int64_t *count, void *out) {
    int64_t n = d->choice.n_offers;
    if (room > 0)
        n = n < room ? n : room;
    if (count)
        *count = n;
    for (int i = 0; room > 0 && i < n; i++)
        if (fill(d, i, type, ((cudnnBackendDescriptor_t *)out)[i]))
            return CUDNN_STATUS_BAD_PARAM;
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t give_numbers(const void *numbers, size_t bytes_each, int64_t n, int64_t room,
                                  int64_t *count, void *out) {
    n = n < room ? n : room;
    if (count)
        *count = n;
    if (n > 0)
        memcpy(out, numbers, (size_t)n * bytes_each);
    return CUDNN_STATUS_SUCCESS;
}

static bool is_of(const cs_dnn_desc *d, cudnnBackendDescriptorType_t type,
                  cudnnBackendAttributeName_t attribute, cudnnBackendAttributeName_t wanted) {
    return d->type == type && attribute == wanted;
}

bool cs_dnn_get_computed(cs_dnn_desc *d, cudnnBackendAttributeName_t attribute,
                         cudnnBackendAttributeType_t type, int64_t room, int64_t *count, void *out,
                         cudnnStatus_t *status) {
    const cs_dnn_engine *e = &d->choice.offers[0];
    cudnnBackendAttributeType_t right = CUDNN_TYPE_INT64;
    if (is_of(d, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, attribute, CUDNN_ATTR_ENGINEHEUR_RESULTS) ||
        is_of(d, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, attribute, CUDNN_ATTR_ENGINECFG_ENGINE)) {
        bool is_config = d->type == CUDNN_BACKEND_ENGINECFG_DESCRIPTOR;
        right = CUDNN_TYPE_BACKEND_DESCRIPTOR;
        if (type == right)
            *status = give_descriptors(
                d, is_config ? CUDNN_BACKEND_ENGINE_DESCRIPTOR : CUDNN_BACKEND_ENGINECFG_DESCRIPTOR,
                room, count, out);
    } else if (is_of(d, CUDNN_BACKEND_ENGINE_DESCRIPTOR, attribute, CUDNN_ATTR_ENGINE_GLOBAL_INDEX))
        *status = give_numbers(&e->index, sizeof e->index, 1, room, count, out);
    else if (is_of(d, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, attribute,
                   CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE))
        *status = give_numbers(&e->workspace, sizeof e->workspace, 1, room, count, out);
    else if (is_of(d, CUDNN_BACKEND_ENGINE_DESCRIPTOR, attribute,
                   CUDNN_ATTR_ENGINE_NUMERICAL_NOTE)) {
        right = CUDNN_TYPE_NUMERICAL_NOTE;
        *status = give_numbers(e->notes, sizeof *e->notes, e->n_notes, room, count, out);
    } else if (is_of(d, CUDNN_BACKEND_ENGINE_DESCRIPTOR, attribute,
                     CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE)) {
        right = CUDNN_TYPE_BEHAVIOR_NOTE; /* none of them has any */
        *status = give_numbers(NULL, 0, 0, room, count, out);
    } else
        return false;
    if (type != right)
        *status = cs_dnn_report(CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE,
                                "attribute %d is of type %d, not %d", (int)attribute, (int)right,
                                (int)type);
    return true;
}
