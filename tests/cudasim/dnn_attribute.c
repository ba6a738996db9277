/* Descriptors of the backend API: what each may be told, in one table, and the functions that create, set, read and
 * end them. As in the library a descriptor that is set in another is copied; here it is shared, which is the same
 * since it can no longer change. */
#include <stdlib.h>
#include <string.h>

#include "dnn.h"
#include "leaks.h"

typedef struct rule {
    cudnnBackendDescriptorType_t descriptor;
    cudnnBackendAttributeName_t attribute;
    const char *name;
    cudnnBackendAttributeType_t type;
    int64_t min, max; /* elements */
    bool is_required;
    int32_t part; /* the type of descriptor it takes; -1: it takes none */
} rule;

#define NEED true
#define MAY false
#define PLAIN(descriptor, attribute, type, min, max, need)                                         \
    {                                                                                              \
        CUDNN_BACKEND_##descriptor##_DESCRIPTOR, CUDNN_ATTR_##attribute, #attribute,               \
            CUDNN_TYPE_##type, min, max, need, -1                                                  \
    }
#define PART(descriptor, attribute, part, min, max, need)                                          \
    {                                                                                              \
        CUDNN_BACKEND_##descriptor##_DESCRIPTOR, CUDNN_ATTR_##attribute, #attribute,               \
            CUDNN_TYPE_BACKEND_DESCRIPTOR, min, max, need, CUDNN_BACKEND_##part##_DESCRIPTOR       \
    }
#define ANY_OPERATION 1000

static const rule rules[] = {
    PLAIN(TENSOR, TENSOR_DATA_TYPE, DATA_TYPE, 1, 1, NEED),
    PLAIN(TENSOR, TENSOR_DIMENSIONS, INT64, 1, CS_DNN_DIMS, NEED),
    PLAIN(TENSOR, TENSOR_STRIDES, INT64, 1, CS_DNN_DIMS, NEED),
    PLAIN(TENSOR, TENSOR_UNIQUE_ID, INT64, 1, 1, NEED),
    PLAIN(TENSOR, TENSOR_BYTE_ALIGNMENT, INT64, 1, 1, NEED),
    PLAIN(TENSOR, TENSOR_IS_VIRTUAL, BOOLEAN, 1, 1, MAY),
    PLAIN(CONVOLUTION, CONVOLUTION_COMP_TYPE, DATA_TYPE, 1, 1, NEED),
    PLAIN(CONVOLUTION, CONVOLUTION_CONV_MODE, CONVOLUTION_MODE, 1, 1, NEED),
    PLAIN(CONVOLUTION, CONVOLUTION_SPATIAL_DIMS, INT64, 1, 1, NEED),
    PLAIN(CONVOLUTION, CONVOLUTION_PRE_PADDINGS, INT64, 1, 3, NEED),
    PLAIN(CONVOLUTION, CONVOLUTION_POST_PADDINGS, INT64, 1, 3, NEED),
    PLAIN(CONVOLUTION, CONVOLUTION_FILTER_STRIDES, INT64, 1, 3, NEED),
    PLAIN(CONVOLUTION, CONVOLUTION_DILATIONS, INT64, 1, 3, NEED),
    PLAIN(OPERATION_CONVOLUTION_FORWARD, OPERATION_CONVOLUTION_FORWARD_ALPHA, FLOAT, 1, 1, NEED),
    PLAIN(OPERATION_CONVOLUTION_FORWARD, OPERATION_CONVOLUTION_FORWARD_BETA, FLOAT, 1, 1, NEED),
    PART(OPERATION_CONVOLUTION_FORWARD, OPERATION_CONVOLUTION_FORWARD_CONV_DESC, CONVOLUTION, 1, 1,
         NEED),
    PART(OPERATION_CONVOLUTION_FORWARD, OPERATION_CONVOLUTION_FORWARD_W, TENSOR, 1, 1, NEED),
    PART(OPERATION_CONVOLUTION_FORWARD, OPERATION_CONVOLUTION_FORWARD_X, TENSOR, 1, 1, NEED),
    PART(OPERATION_CONVOLUTION_FORWARD, OPERATION_CONVOLUTION_FORWARD_Y, TENSOR, 1, 1, NEED),
    PLAIN(OPERATION_CONVOLUTION_BACKWARD_DATA, OPERATION_CONVOLUTION_BWD_DATA_ALPHA, FLOAT, 1, 1,
          NEED),
    PLAIN(OPERATION_CONVOLUTION_BACKWARD_DATA, OPERATION_CONVOLUTION_BWD_DATA_BETA, FLOAT, 1, 1,
          NEED),
    PART(OPERATION_CONVOLUTION_BACKWARD_DATA, OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, CONVOLUTION,
         1, 1, NEED),
    PART(OPERATION_CONVOLUTION_BACKWARD_DATA, OPERATION_CONVOLUTION_BWD_DATA_W, TENSOR, 1, 1, NEED),
    PART(OPERATION_CONVOLUTION_BACKWARD_DATA, OPERATION_CONVOLUTION_BWD_DATA_DX, TENSOR, 1, 1,
         NEED),
    PART(OPERATION_CONVOLUTION_BACKWARD_DATA, OPERATION_CONVOLUTION_BWD_DATA_DY, TENSOR, 1, 1,
         NEED),
    PLAIN(OPERATION_CONVOLUTION_BACKWARD_FILTER, OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, FLOAT, 1,
          1, NEED),
    PLAIN(OPERATION_CONVOLUTION_BACKWARD_FILTER, OPERATION_CONVOLUTION_BWD_FILTER_BETA, FLOAT, 1, 1,
          NEED),
    PART(OPERATION_CONVOLUTION_BACKWARD_FILTER, OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
         CONVOLUTION, 1, 1, NEED),
    PART(OPERATION_CONVOLUTION_BACKWARD_FILTER, OPERATION_CONVOLUTION_BWD_FILTER_DW, TENSOR, 1, 1,
         NEED),
    PART(OPERATION_CONVOLUTION_BACKWARD_FILTER, OPERATION_CONVOLUTION_BWD_FILTER_X, TENSOR, 1, 1,
         NEED),
    PART(OPERATION_CONVOLUTION_BACKWARD_FILTER, OPERATION_CONVOLUTION_BWD_FILTER_DY, TENSOR, 1, 1,
         NEED),
    PLAIN(POINTWISE, POINTWISE_MODE, POINTWISE_MODE, 1, 1, NEED),
    PLAIN(POINTWISE, POINTWISE_MATH_PREC, DATA_TYPE, 1, 1, NEED),
    PART(OPERATION_POINTWISE, OPERATION_POINTWISE_PW_DESCRIPTOR, POINTWISE, 1, 1, NEED),
    PART(OPERATION_POINTWISE, OPERATION_POINTWISE_XDESC, TENSOR, 1, 1, NEED),
    PART(OPERATION_POINTWISE, OPERATION_POINTWISE_BDESC, TENSOR, 1, 1, MAY),
    PART(OPERATION_POINTWISE, OPERATION_POINTWISE_YDESC, TENSOR, 1, 1, NEED),
    {CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, CUDNN_ATTR_OPERATIONGRAPH_OPS, "OPERATIONGRAPH_OPS",
     CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, CS_DNN_OPS, NEED, ANY_OPERATION},
    PLAIN(OPERATIONGRAPH, OPERATIONGRAPH_HANDLE, HANDLE, 1, 1, MAY),
    PLAIN(DEVICEPROP, DEVICEPROP_DEVICE_ID, INT32, 1, 1, MAY),
    PLAIN(DEVICEPROP, DEVICEPROP_HANDLE, HANDLE, 1, 1, MAY),
    PLAIN(DEVICEPROP, DEVICEPROP_JSON_REPRESENTATION, CHAR, 1, 65536, MAY),
    PLAIN(ENGINEHEUR, ENGINEHEUR_MODE, HEUR_MODE, 1, 1, NEED),
    PART(ENGINEHEUR, ENGINEHEUR_OPERATION_GRAPH, OPERATIONGRAPH, 1, 1, NEED),
    PART(ENGINEHEUR, ENGINEHEUR_DEVICEPROP, DEVICEPROP, 1, 1, MAY),
    PART(ENGINE, ENGINE_OPERATION_GRAPH, OPERATIONGRAPH, 1, 1, NEED),
    PLAIN(ENGINE, ENGINE_GLOBAL_INDEX, INT64, 1, 1, NEED),
    PART(ENGINE, ENGINE_DEVICEPROP, DEVICEPROP, 1, 1, MAY),
    PART(ENGINECFG, ENGINECFG_ENGINE, ENGINE, 1, 1, NEED),
    PART(EXECUTION_PLAN, EXECUTION_PLAN_ENGINE_CONFIG, ENGINECFG, 1, 1, NEED),
    PLAIN(EXECUTION_PLAN, EXECUTION_PLAN_HANDLE, HANDLE, 1, 1, MAY),
    PART(EXECUTION_PLAN, EXECUTION_PLAN_DEVICEPROP, DEVICEPROP, 1, 1, MAY),
    PLAIN(VARIANT_PACK, VARIANT_PACK_UNIQUE_IDS, INT64, 1, CS_DNN_TENSORS, NEED),
    PLAIN(VARIANT_PACK, VARIANT_PACK_DATA_POINTERS, VOID_PTR, 1, CS_DNN_TENSORS, NEED),
    PLAIN(VARIANT_PACK, VARIANT_PACK_WORKSPACE, VOID_PTR, 1, 1, NEED),
};
#define N_RULES (sizeof rules / sizeof *rules)

static const char *const type_names[] = {
    [CUDNN_BACKEND_POINTWISE_DESCRIPTOR] = "POINTWISE",
    [CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR] = "CONVOLUTION",
    [CUDNN_BACKEND_ENGINE_DESCRIPTOR] = "ENGINE",
    [CUDNN_BACKEND_ENGINECFG_DESCRIPTOR] = "ENGINECFG",
    [CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR] = "ENGINEHEUR",
    [CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR] = "EXECUTION_PLAN",
    [CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR] = "OPERATION_CONVOLUTION_FORWARD",
    [CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR] =
        "OPERATION_CONVOLUTION_BACKWARD_FILTER",
    [CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR] =
        "OPERATION_CONVOLUTION_BACKWARD_DATA",
    [CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR] = "OPERATION_POINTWISE",
    [CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR] = "OPERATIONGRAPH",
    [CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR] = "VARIANT_PACK",
    [CUDNN_BACKEND_TENSOR_DESCRIPTOR] = "TENSOR",
    [CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR] = "DEVICEPROP",
};

const char *cs_dnn_type_name(cudnnBackendDescriptorType_t type) {
    size_t n = sizeof type_names / sizeof *type_names;
    return (size_t)type < n && type_names[type] ? type_names[type] : NULL;
}

static const rule *find_rule(const cs_dnn_desc *d, cudnnBackendAttributeName_t attribute) {
    for (size_t i = 0; i < N_RULES; i++)
        if (rules[i].descriptor == d->type && rules[i].attribute == attribute)
            return &rules[i];
    cs_unknown(cs_current_function(), "attribute %d of a %s descriptor is not modelled",
               (int)attribute, cs_dnn_type_name(d->type));
}

static size_t bytes_each(cudnnBackendAttributeType_t type) {
    switch (type) {
    case CUDNN_TYPE_CHAR:
        return 1;
    case CUDNN_TYPE_BOOLEAN:
        return sizeof(bool);
    case CUDNN_TYPE_INT64:
        return sizeof(int64_t);
    case CUDNN_TYPE_HANDLE:
    case CUDNN_TYPE_VOID_PTR:
    case CUDNN_TYPE_BACKEND_DESCRIPTOR:
        return sizeof(void *);
    default: /* floats and enumerations */
        return 4;
    }
}

/* --- values ----------------------------------------------------------------------------------- */

const cs_dnn_value *cs_dnn_find(const cs_dnn_desc *d, cudnnBackendAttributeName_t attribute) {
    for (int i = 0; i < d->n_values; i++)
        if (d->values[i].attribute == (int32_t)attribute)
            return &d->values[i];
    return NULL;
}

int64_t cs_dnn_int64(const cs_dnn_desc *d, cudnnBackendAttributeName_t attribute) {
    return *(const int64_t *)cs_dnn_find(d, attribute)->data;
}

int32_t cs_dnn_int32(const cs_dnn_desc *d, cudnnBackendAttributeName_t attribute) {
    return *(const int32_t *)cs_dnn_find(d, attribute)->data;
}

float cs_dnn_float(const cs_dnn_desc *d, cudnnBackendAttributeName_t attribute) {
    return *(const float *)cs_dnn_find(d, attribute)->data;
}

cs_dnn_desc *cs_dnn_part(const cs_dnn_desc *d, cudnnBackendAttributeName_t attribute) {
    const cs_dnn_value *value = cs_dnn_find(d, attribute);
    return value ? *(cs_dnn_desc *const *)value->data : NULL;
}

void cs_dnn_own(cs_dnn_desc *d) {
    d->n_owners++;
}

static bool is_choice(cudnnBackendDescriptorType_t type) {
    return type == CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR || type == CUDNN_BACKEND_ENGINE_DESCRIPTOR ||
           type == CUDNN_BACKEND_ENGINECFG_DESCRIPTOR ||
           type == CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR;
}

static void drop_value(const cs_dnn_desc *d, cs_dnn_value *value) {
    bool has_parts = find_rule(d, value->attribute)->type == CUDNN_TYPE_BACKEND_DESCRIPTOR;
    for (int64_t i = 0; has_parts && i < value->count; i++)
        cs_dnn_disown(((cs_dnn_desc **)value->data)[i]);
    free(value->data);
}

void cs_dnn_disown(cs_dnn_desc *d) {
    if (!d || --d->n_owners > 0)
        return;
    for (int i = 0; i < d->n_values; i++)
        drop_value(d, &d->values[i]);
    if (is_choice(d->type))
        cs_dnn_disown(d->choice.graph_desc);
    free(d);
}

/* --- the API ---------------------------------------------------------------------------------- */

CS_API cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type,
                                                  cudnnBackendDescriptor_t *descriptor) {
    DNN_ENTER(CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED);
    if (!cs_dnn_type_name(type))
        cs_unknown(cs_current_function(), "descriptor type %d is not modelled", (int)type);
    if (!descriptor)
        return dnn_leave(cs_dnn_report(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "no place for it"));
    cs_dnn_desc *made = calloc(1, sizeof *made);
    if (!made)
        abort();
    made->type = type;
    made->n_owners = 1;
    *descriptor = made;
    cs_leak_track(CS_DNN_DESC, made, cs_dnn_type_name(type));
    return dnn_leave(CUDNN_STATUS_SUCCESS);
}

CS_API cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t descriptor) {
    int injected = cs_enter(CUDNN_STATUS_INTERNAL_ERROR);
    cs_dnn_desc *d = cs_dnn_desc_of(descriptor);
    if (!d)
        return dnn_leave(descriptor ? CUDNN_STATUS_BAD_PARAM : CUDNN_STATUS_BAD_PARAM_NULL_POINTER);
    cs_leak_release(CS_DNN_DESC, d);
    cs_dnn_disown(d);
    return dnn_leave((cudnnStatus_t)injected);
}

static bool is_operation(cudnnBackendDescriptorType_t type) {
    const char *name = cs_dnn_type_name(type);
    return name && strncmp(name, "OPERATION_", strlen("OPERATION_")) == 0;
}

static cudnnStatus_t check_parts(const rule *r, int64_t count, const void *values) {
    for (int64_t i = 0; i < count; i++) {
        cs_dnn_desc *part = ((cs_dnn_desc *const *)values)[i];
        if (!cs_dnn_desc_of(part))
            return CUDNN_STATUS_BAD_PARAM;
        if (r->part == ANY_OPERATION ? !is_operation(part->type) : (int32_t)part->type != r->part)
            return cs_dnn_report(CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE, "%s takes no %s", r->name,
                                 cs_dnn_type_name(part->type));
        if (!part->is_final)
            return cs_dnn_report(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED,
                                 "%s is set to a %s that is not finalized", r->name,
                                 cs_dnn_type_name(part->type));
    }
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t check_value(const cs_dnn_desc *d, const rule *r,
                                 cudnnBackendAttributeType_t type, int64_t count,
                                 const void *values) {
    if (d->is_final)
        return cs_dnn_report(CUDNN_STATUS_BAD_PARAM, "%s is set after its descriptor was finalized",
                             r->name);
    if (type != r->type)
        return cs_dnn_report(CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE, "%s is of type %d, not %d",
                             r->name, (int)r->type, (int)type);
    if (count < r->min || count > r->max)
        return cs_dnn_report(CUDNN_STATUS_BAD_PARAM, "%s takes %lld to %lld elements, not %lld",
                             r->name, (long long)r->min, (long long)r->max, (long long)count);
    if (!values)
        return cs_dnn_report(CUDNN_STATUS_BAD_PARAM, "no value for %s", r->name);
    if (r->type == CUDNN_TYPE_HANDLE && !cs_dnn_handle_of(*(cudnnHandle_t const *)values))
        return CUDNN_STATUS_BAD_PARAM;
    return r->type == CUDNN_TYPE_BACKEND_DESCRIPTOR ? check_parts(r, count, values)
                                                    : CUDNN_STATUS_SUCCESS;
}

static void keep_value(cs_dnn_desc *d, const rule *r, int64_t count, const void *values) {
    size_t bytes = (size_t)count * bytes_each(r->type);
    const cs_dnn_value *found = cs_dnn_find(d, r->attribute);
    cs_dnn_value *slot = &d->values[found ? found - d->values : d->n_values++];
    for (int64_t i = 0; r->type == CUDNN_TYPE_BACKEND_DESCRIPTOR && i < count; i++)
        cs_dnn_own(((cs_dnn_desc *const *)values)[i]);
    if (found)
        drop_value(d, slot);
    *slot = (cs_dnn_value){.attribute = (int32_t)r->attribute, .count = count};
    slot->data = cs_must_alloc(bytes + 1);
    memcpy(slot->data, values, bytes);
    ((char *)slot->data)[bytes] = 0;
}

CS_API cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t descriptor,
                                              cudnnBackendAttributeName_t attribute,
                                              cudnnBackendAttributeType_t type, int64_t count,
                                              const void *values) {
    DNN_ENTER(CUDNN_STATUS_BAD_PARAM);
    cs_dnn_desc *d = cs_dnn_desc_of(descriptor);
    if (!d)
        return dnn_leave(descriptor ? CUDNN_STATUS_BAD_PARAM : CUDNN_STATUS_BAD_PARAM_NULL_POINTER);
    const rule *r = find_rule(d, attribute);
    cudnnStatus_t status = check_value(d, r, type, count, values);
    if (status == CUDNN_STATUS_SUCCESS)
        keep_value(d, r, count, values);
    return dnn_leave(status);
}

static cudnnStatus_t check_required(const cs_dnn_desc *d) {
    for (size_t i = 0; i < N_RULES; i++)
        if (rules[i].descriptor == d->type && rules[i].is_required &&
            !cs_dnn_find(d, rules[i].attribute))
            return cs_dnn_report(CUDNN_STATUS_BAD_PARAM, "%s was not set", rules[i].name);
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t finalize(cs_dnn_desc *d) {
    if (d->is_final)
        return cs_dnn_report(CUDNN_STATUS_BAD_PARAM, "the %s is finalized already",
                             cs_dnn_type_name(d->type));
    cudnnStatus_t status = check_required(d);
    if (status)
        return status;
    if (d->type == CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR)
        return cs_dnn_finalize_graph(d);
    if (d->type == CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR)
        return cs_dnn_finalize_pack(d);
    return is_choice(d->type) || d->type == CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR
               ? cs_dnn_finalize_plan(d)
               : cs_dnn_finalize_part(d);
}

CS_API cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t descriptor) {
    DNN_ENTER(CUDNN_STATUS_NOT_SUPPORTED);
    cs_dnn_desc *d = cs_dnn_desc_of(descriptor);
    if (!d)
        return dnn_leave(descriptor ? CUDNN_STATUS_BAD_PARAM : CUDNN_STATUS_BAD_PARAM_NULL_POINTER);
    cudnnStatus_t status = finalize(d);
    d->is_final = status == CUDNN_STATUS_SUCCESS;
    return dnn_leave(status);
}

static cudnnStatus_t get_value(const cs_dnn_desc *d, cudnnBackendAttributeName_t attribute,
                               cudnnBackendAttributeType_t type, int64_t room, int64_t *count,
                               void *out) {
    const rule *r = find_rule(d, attribute);
    const cs_dnn_value *value = cs_dnn_find(d, attribute);
    if (type != r->type)
        return cs_dnn_report(CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE, "%s is of type %d, not %d",
                             r->name, (int)r->type, (int)type);
    if (r->type == CUDNN_TYPE_BACKEND_DESCRIPTOR)
        cs_unknown(cs_current_function(), "reading %s back is not modelled", r->name);
    int64_t n = value ? value->count : 0;
    n = n < room ? n : room;
    if (n > 0)
        memcpy(out, value->data, (size_t)n * bytes_each(r->type));
    if (count)
        *count = n;
    return CUDNN_STATUS_SUCCESS;
}

CS_API cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t const descriptor,
                                              cudnnBackendAttributeName_t attribute,
                                              cudnnBackendAttributeType_t type, int64_t room,
                                              int64_t *count, void *out) {
    DNN_ENTER(CUDNN_STATUS_BAD_PARAM);
    cudnnStatus_t status = CUDNN_STATUS_SUCCESS;
    cs_dnn_desc *d = cs_dnn_desc_of(descriptor);
    if (!d)
        return dnn_leave(descriptor ? CUDNN_STATUS_BAD_PARAM : CUDNN_STATUS_BAD_PARAM_NULL_POINTER);
    if (!d->is_final)
        return dnn_leave(cs_dnn_report(CUDNN_STATUS_NOT_INITIALIZED,
                                       "attribute %d of a %s that is not finalized", (int)attribute,
                                       cs_dnn_type_name(d->type)));
    if (room < 0 || (room > 0 && !out))
        return dnn_leave(
            cs_dnn_report(CUDNN_STATUS_BAD_PARAM, "no room for attribute %d", (int)attribute));
    if (!cs_dnn_get_computed(d, attribute, type, room, count, out, &status))
        status = get_value(d, attribute, type, room, count, out);
    return dnn_leave(status);
}
