/* cuBLASLt's handle and descriptors: created, set and read field by field, destroyed. */
#include "blaslt.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "leaks.h"
#include "memory.h"

#define VERSION 130100

bool cs_blas_is_alive(const char *kind, const void *object) {
    if (object && cs_leak_is_alive(kind, object))
        return true;
    cs_blas_report(CUBLAS_STATUS_INVALID_VALUE, "%p is no living %s", object, kind);
    return false;
}

cublasStatus_t cs_blas_report(cublasStatus_t status, const char *format, ...) {
    char text[256], where[160];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    snprintf(where, sizeof where, "%s in %s", cs_current_function(), cs_caller_name());
    cs_report(CS_BLAS, where, "%s", text);
    return status;
}

/* --- the library and its handle --------------------------------------------------------------- */

CS_API size_t cublasLtGetVersion(void) {
    return VERSION;
}

CS_API size_t cublasLtGetCudartVersion(void) {
    return 13000;
}

static const char *status_name(cublasStatus_t status) {
    switch (status) {
    case CUBLAS_STATUS_SUCCESS:
        return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_NOT_INITIALIZED:
        return "CUBLAS_STATUS_NOT_INITIALIZED";
    case CUBLAS_STATUS_ALLOC_FAILED:
        return "CUBLAS_STATUS_ALLOC_FAILED";
    case CUBLAS_STATUS_INVALID_VALUE:
        return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_ARCH_MISMATCH:
        return "CUBLAS_STATUS_ARCH_MISMATCH";
    case CUBLAS_STATUS_MAPPING_ERROR:
        return "CUBLAS_STATUS_MAPPING_ERROR";
    case CUBLAS_STATUS_EXECUTION_FAILED:
        return "CUBLAS_STATUS_EXECUTION_FAILED";
    case CUBLAS_STATUS_INTERNAL_ERROR:
        return "CUBLAS_STATUS_INTERNAL_ERROR";
    case CUBLAS_STATUS_NOT_SUPPORTED:
        return "CUBLAS_STATUS_NOT_SUPPORTED";
    case CUBLAS_STATUS_LICENSE_ERROR:
        return "CUBLAS_STATUS_LICENSE_ERROR";
    }
    return "unknown cublasStatus_t";
}

CS_API const char *cublasLtGetStatusName(cublasStatus_t status) {
    return status_name(status);
}

CS_API const char *cublasLtGetStatusString(cublasStatus_t status) {
    return status_name(status);
}

CS_API cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle) {
    BLAS_ENTER(CUBLAS_STATUS_NOT_INITIALIZED);
    if (!handle)
        return blas_leave(cs_blas_report(CUBLAS_STATUS_INVALID_VALUE, "no place for the handle"));
    if (cs_sim.sticky_error)
        return blas_leave(CUBLAS_STATUS_NOT_INITIALIZED);
    cs_blas_handle *made = cs_must_alloc(sizeof *made);
    made->device = cs_current_device();
    *handle = (cublasLtHandle_t)(void *)made;
    cs_leak_track(CS_BLAS_HANDLE, made, NULL);
    return blas_leave(CUBLAS_STATUS_SUCCESS);
}

/* Ends an object of a kind; an injected failure releases it too, as nobody could do so later. */
static cublasStatus_t destroy(const char *kind, void *object, int injected) {
    if (!object && strcmp(kind, CS_BLAS_HANDLE) != 0)
        return (cublasStatus_t)injected; /* as free(NULL) */
    if (!cs_blas_is_alive(kind, object))
        return CUBLAS_STATUS_INVALID_VALUE;
    cs_leak_release(kind, object);
    free(object);
    return (cublasStatus_t)injected;
}

CS_API cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
    int injected = cs_enter(CUBLAS_STATUS_INTERNAL_ERROR);
    return blas_leave(destroy(CS_BLAS_HANDLE, handle, injected));
}

/* --- fields ----------------------------------------------------------------------------------- */

typedef struct field {
    const char *name;
    uint32_t attribute;
    uint32_t bytes;
    size_t offset;
} field;

#define DESC(name, member)                                                                         \
    {                                                                                              \
        "CUBLASLT_MATMUL_DESC_" #name, CUBLASLT_MATMUL_DESC_##name,                                \
            sizeof(((cs_blas_desc *)0)->member), offsetof(cs_blas_desc, member)                    \
    }
static const field desc_fields[] = {
    DESC(COMPUTE_TYPE, compute),
    DESC(SCALE_TYPE, scale),
    DESC(POINTER_MODE, pointer_mode),
    DESC(TRANSA, trans_a),
    DESC(TRANSB, trans_b),
    DESC(TRANSC, trans_c),
    DESC(FILL_MODE, fill),
    DESC(EPILOGUE, epilogue),
    DESC(BIAS_POINTER, bias),
    DESC(BIAS_BATCH_STRIDE, bias_stride),
    DESC(EPILOGUE_AUX_POINTER, aux),
    DESC(EPILOGUE_AUX_LD, aux_ld),
    DESC(EPILOGUE_AUX_BATCH_STRIDE, aux_stride),
    DESC(SM_COUNT_TARGET, sm_count),
    DESC(EPILOGUE_AUX_DATA_TYPE, aux_type),
    DESC(BIAS_DATA_TYPE, bias_type),
    {0},
};

#define LAYOUT(name, member)                                                                       \
    {                                                                                              \
        "CUBLASLT_MATRIX_LAYOUT_" #name, CUBLASLT_MATRIX_LAYOUT_##name,                            \
            sizeof(((cs_blas_layout *)0)->member), offsetof(cs_blas_layout, member)                \
    }
static const field layout_fields[] = {
    LAYOUT(TYPE, type),
    LAYOUT(ORDER, order),
    LAYOUT(ROWS, rows),
    LAYOUT(COLS, columns),
    LAYOUT(LD, ld),
    LAYOUT(BATCH_COUNT, batch),
    LAYOUT(STRIDED_BATCH_OFFSET, batch_stride),
    LAYOUT(PLANE_OFFSET, plane_offset),
    LAYOUT(BATCH_MODE, batch_mode),
    {0},
};

#define PREFERENCE(name, member)                                                                   \
    {                                                                                              \
        "CUBLASLT_MATMUL_PREF_" #name, CUBLASLT_MATMUL_PREF_##name,                                \
            sizeof(((cs_blas_preference *)0)->member), offsetof(cs_blas_preference, member)        \
    }
static const field preference_fields[] = {
    PREFERENCE(SEARCH_MODE, search),
    PREFERENCE(MAX_WORKSPACE_BYTES, workspace_max),
    PREFERENCE(REDUCTION_SCHEME_MASK, reductions),
    PREFERENCE(MIN_ALIGNMENT_A_BYTES, align_a),
    PREFERENCE(MIN_ALIGNMENT_B_BYTES, align_b),
    PREFERENCE(MIN_ALIGNMENT_C_BYTES, align_c),
    PREFERENCE(MIN_ALIGNMENT_D_BYTES, align_d),
    PREFERENCE(MAX_WAVES_COUNT, waves_max),
    PREFERENCE(IMPL_MASK, implementations),
    {0},
};

static const field *find_field(const field *fields, uint32_t attribute) {
    for (; fields->name; fields++)
        if (fields->attribute == attribute)
            return fields;
    cs_unknown(cs_current_function(), "attribute %u is not modelled", attribute);
}

/* Sets or reads one field of a living object. The size must be the field's own, to the byte. */
static cublasStatus_t access_field(const char *kind, void *object, const field *fields,
                                   uint32_t attribute, void *buffer, const void *value,
                                   size_t bytes) {
    if (!cs_blas_is_alive(kind, object))
        return CUBLAS_STATUS_INVALID_VALUE;
    const field *f = find_field(fields, attribute);
    if (!buffer && !value)
        return cs_blas_report(CUBLAS_STATUS_INVALID_VALUE, "no value for %s", f->name);
    if (bytes != f->bytes)
        return cs_blas_report(CUBLAS_STATUS_INVALID_VALUE, "%s takes %u bytes, not %zu", f->name,
                              f->bytes, bytes);
    uint8_t *at = (uint8_t *)object + f->offset;
    memcpy(buffer ? buffer : at, buffer ? at : value, bytes);
    return CUBLAS_STATUS_SUCCESS;
}

/* --- descriptors ------------------------------------------------------------------------------ */

CS_API cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *desc,
                                               cublasComputeType_t compute, cudaDataType_t scale) {
    BLAS_ENTER(CUBLAS_STATUS_ALLOC_FAILED);
    if (!desc)
        return blas_leave(cs_blas_report(CUBLAS_STATUS_INVALID_VALUE, "no place for it"));
    cs_blas_desc *made = cs_must_alloc(sizeof *made);
    *made = (cs_blas_desc){.compute = (int32_t)compute,
                           .scale = (int32_t)scale,
                           .fill = CUBLAS_FILL_MODE_FULL,
                           .epilogue = CUBLASLT_EPILOGUE_DEFAULT,
                           .aux_type = -1,
                           .bias_type = -1};
    *desc = (cublasLtMatmulDesc_t)(void *)made;
    cs_leak_track(CS_BLAS_DESC, made, NULL);
    return blas_leave(CUBLAS_STATUS_SUCCESS);
}

CS_API cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t desc) {
    int injected = cs_enter(CUBLAS_STATUS_INTERNAL_ERROR);
    return blas_leave(destroy(CS_BLAS_DESC, desc, injected));
}

CS_API cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t desc,
                                                     cublasLtMatmulDescAttributes_t attribute,
                                                     const void *value, size_t bytes) {
    BLAS_ENTER(CUBLAS_STATUS_INVALID_VALUE);
    return blas_leave(access_field(CS_BLAS_DESC, desc, desc_fields, attribute, NULL, value, bytes));
}

static cublasStatus_t read_field(const char *kind, void *object, const field *fields,
                                 uint32_t attribute, void *value, size_t bytes, size_t *written) {
    cublasStatus_t status = access_field(kind, object, fields, attribute, value, NULL, bytes);
    if (written)
        *written = status ? 0 : bytes;
    return status;
}

CS_API cublasStatus_t cublasLtMatmulDescGetAttribute(cublasLtMatmulDesc_t desc,
                                                     cublasLtMatmulDescAttributes_t attribute,
                                                     void *value, size_t bytes, size_t *written) {
    BLAS_ENTER(CUBLAS_STATUS_INVALID_VALUE);
    return blas_leave(
        read_field(CS_BLAS_DESC, desc, desc_fields, attribute, value, bytes, written));
}

CS_API cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *layout, cudaDataType type,
                                                 uint64_t rows, uint64_t columns, int64_t ld) {
    BLAS_ENTER(CUBLAS_STATUS_ALLOC_FAILED);
    if (!layout)
        return blas_leave(cs_blas_report(CUBLAS_STATUS_INVALID_VALUE, "no place for it"));
    cs_blas_layout *made = cs_must_alloc(sizeof *made);
    *made = (cs_blas_layout){.type = type, .rows = rows, .columns = columns, .ld = ld, .batch = 1};
    *layout = (cublasLtMatrixLayout_t)(void *)made;
    cs_leak_track(CS_BLAS_LAYOUT, made, NULL);
    return blas_leave(CUBLAS_STATUS_SUCCESS);
}

CS_API cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
    int injected = cs_enter(CUBLAS_STATUS_INTERNAL_ERROR);
    return blas_leave(destroy(CS_BLAS_LAYOUT, layout, injected));
}

CS_API cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                                       cublasLtMatrixLayoutAttribute_t attribute,
                                                       const void *value, size_t bytes) {
    BLAS_ENTER(CUBLAS_STATUS_INVALID_VALUE);
    return blas_leave(
        access_field(CS_BLAS_LAYOUT, layout, layout_fields, attribute, NULL, value, bytes));
}

CS_API cublasStatus_t cublasLtMatrixLayoutGetAttribute(cublasLtMatrixLayout_t layout,
                                                       cublasLtMatrixLayoutAttribute_t attribute,
                                                       void *value, size_t bytes, size_t *written) {
    BLAS_ENTER(CUBLAS_STATUS_INVALID_VALUE);
    return blas_leave(
        read_field(CS_BLAS_LAYOUT, layout, layout_fields, attribute, value, bytes, written));
}

CS_API cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *preference) {
    BLAS_ENTER(CUBLAS_STATUS_ALLOC_FAILED);
    if (!preference)
        return blas_leave(cs_blas_report(CUBLAS_STATUS_INVALID_VALUE, "no place for it"));
    cs_blas_preference *made = cs_must_alloc(sizeof *made);
    *made = (cs_blas_preference){.reductions = CUBLASLT_REDUCTION_SCHEME_MASK,
                                 .align_a = 256,
                                 .align_b = 256,
                                 .align_c = 256,
                                 .align_d = 256,
                                 .implementations = UINT64_MAX};
    *preference = (cublasLtMatmulPreference_t)(void *)made;
    cs_leak_track(CS_BLAS_PREFERENCE, made, NULL);
    return blas_leave(CUBLAS_STATUS_SUCCESS);
}

CS_API cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
    int injected = cs_enter(CUBLAS_STATUS_INTERNAL_ERROR);
    return blas_leave(destroy(CS_BLAS_PREFERENCE, preference, injected));
}

CS_API cublasStatus_t cublasLtMatmulPreferenceSetAttribute(
    cublasLtMatmulPreference_t preference, cublasLtMatmulPreferenceAttributes_t attribute,
    const void *value, size_t bytes) {
    BLAS_ENTER(CUBLAS_STATUS_INVALID_VALUE);
    return blas_leave(access_field(CS_BLAS_PREFERENCE, preference, preference_fields, attribute,
                                   NULL, value, bytes));
}

CS_API cublasStatus_t cublasLtMatmulPreferenceGetAttribute(
    cublasLtMatmulPreference_t preference, cublasLtMatmulPreferenceAttributes_t attribute,
    void *value, size_t bytes, size_t *written) {
    BLAS_ENTER(CUBLAS_STATUS_INVALID_VALUE);
    return blas_leave(read_field(CS_BLAS_PREFERENCE, preference, preference_fields, attribute,
                                 value, bytes, written));
}
