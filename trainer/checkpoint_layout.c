/* Content -> HDF5 structure. The library makes the structure and says where each dataset's bytes
 * belong; the bytes themselves never pass through it. Everything that would make equal content
 * unequal bytes (times, order, fill) is off. */
#include "trainer/checkpoint_private.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_NAME_BYTES = 1024, MAX_TEXT_BYTES = 1 << 30 };
#define MAX_STEP INT64_C(999999999999) /* what a file's name has digits for */

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "checkpoints are little-endian");

hid_t ty_ckpt_file_type(ty_dtype dtype) {
    switch (dtype) {
    case TY_DTYPE_F32:
        return H5T_IEEE_F32LE;
    case TY_DTYPE_F64:
        return H5T_IEEE_F64LE;
    case TY_DTYPE_U8:
        return H5T_STD_U8LE;
    case TY_DTYPE_I32:
        return H5T_STD_I32LE;
    case TY_DTYPE_I64:
        return H5T_STD_I64LE;
    case TY_DTYPE_BF16: /* a copy of f32 that never leaves a device */
    case TY_DTYPE_COUNT:
        break;
    }
    return H5I_INVALID_HID;
}

/* --- checks ----------------------------------------------------------------------------------- */

/* The three documents at the root; a tensor may not take their names. */
static bool is_reserved(const char *name) {
    return strcmp(name, "state") == 0 || strcmp(name, "config") == 0 ||
           strcmp(name, "data_state") == 0;
}

/* Parts between slashes are names of groups: none empty, none with a meaning in paths. */
static bool is_name(const char *name) {
    if (!name || strlen(name) > MAX_NAME_BYTES || is_reserved(name))
        return false;
    for (const char *part = name;; part++) {
        size_t length = strcspn(part, "/");
        if (length == 0 || length > 255 || (length == 1 && part[0] == '.') ||
            (length == 2 && part[0] == '.' && part[1] == '.'))
            return false;
        part += length;
        if (*part == '\0')
            return true;
    }
}

static bool tensor_bytes(const ty_ckpt_tensor *tensor, size_t *out) {
    int64_t count = 1;
    size_t elements;
    if (tensor->shape.rank < 1 || tensor->shape.rank > TY_MAX_RANK ||
        ty_ckpt_file_type(tensor->dtype) < 0)
        return false;
    for (int i = 0; i < tensor->shape.rank; i++)
        if (tensor->shape.dims[i] < 0 || !ty_mul_i64(count, tensor->shape.dims[i], &count))
            return false;
    return ty_size_of_i64(count, &elements) &&
           ty_mul_size(elements, ty_dtype_bytes(tensor->dtype), out);
}

size_t ty_ckpt_tensor_bytes(const ty_ckpt_tensor *tensor) {
    size_t bytes = 0;
    return tensor_bytes(tensor, &bytes) ? bytes : 0;
}

ty_status ty_ckpt_check_content(ty_ctx *ctx, const ty_checkpoint *content, size_t *out_bytes) {
    size_t total = 0;
    const char *const texts[] = {content->state, content->config, content->data_state};
    if (content->step < 0 || content->step > MAX_STEP || content->n_tensors < 0)
        return ty_fail(ctx, TY_ERR_ARG, "a checkpoint of step %jd, want 0 to %jd",
                       (intmax_t)content->step, (intmax_t)MAX_STEP);
    for (size_t i = 0; i < 3; i++)
        if (!texts[i] || strlen(texts[i]) > MAX_TEXT_BYTES)
            return ty_fail(ctx, TY_ERR_ARG, "a checkpoint without state, config or data_state");
    for (int64_t i = 0; i < content->n_tensors; i++) {
        const ty_ckpt_tensor *tensor = &content->tensors[i];
        size_t bytes = 0;
        if (!is_name(tensor->name))
            return ty_fail(ctx, TY_ERR_ARG, "a checkpoint cannot hold a tensor named \"%s\"",
                           tensor->name ? tensor->name : "");
        if (!tensor_bytes(tensor, &bytes) || (bytes > 0 && !tensor->data) ||
            __builtin_add_overflow(total, bytes, &total) || total > INT64_MAX / 2)
            return ty_fail(ctx, TY_ERR_ARG, "a checkpoint cannot hold the shape of tensor %s",
                           tensor->name);
    }
    *out_bytes = total;
    return TY_OK;
}

static int by_name(const void *a, const void *b) {
    const ty_ckpt_tensor *const *left = a, *const *right = b;
    return strcmp((*left)->name, (*right)->name);
}

static ty_status sort_tensors(ty_ctx *ctx, const ty_checkpoint *content,
                              const ty_ckpt_tensor **sorted) {
    for (int64_t i = 0; i < content->n_tensors; i++)
        sorted[i] = &content->tensors[i];
    if (content->n_tensors > 0)
        qsort(sorted, (size_t)content->n_tensors, sizeof *sorted, by_name);
    for (int64_t i = 1; i < content->n_tensors; i++)
        if (strcmp(sorted[i - 1]->name, sorted[i]->name) == 0)
            return ty_fail(ctx, TY_ERR_ARG, "a checkpoint with two tensors named %s",
                           sorted[i]->name);
    return TY_OK;
}

/* --- structure -------------------------------------------------------------------------------- */

/* The ids that making datasets needs; negative ones were never opened. */
typedef struct builder {
    hid_t access, creation, file;
    hid_t group_creation, dataset_creation, scalar;
    char folder[MAX_NAME_BYTES + 1]; /* the groups of the tensor before; names come sorted */
    ty_ckpt_layout *layout;
} builder;

static ty_status refused(ty_ctx *ctx, const char *what) {
    return ty_fail(ctx, TY_ERR_INTERNAL, "HDF5 refused to make %s of a checkpoint", what);
}

static ty_status builder_open(ty_ctx *ctx, builder *b) {
    b->access = ty_ckpt_image_access(&b->layout->image);
    b->creation = H5Pcreate(H5P_FILE_CREATE);
    b->group_creation = H5Pcreate(H5P_GROUP_CREATE);
    b->dataset_creation = H5Pcreate(H5P_DATASET_CREATE);
    b->scalar = H5Screate(H5S_SCALAR);
    bool is_set = b->access >= 0 && b->scalar >= 0 &&
                  H5Pset_userblock(b->creation, TY_CKPT_BLOCK_BYTES) >= 0 &&
                  H5Pset_obj_track_times(b->creation, 0) >= 0 &&
                  H5Pset_obj_track_times(b->group_creation, 0) >= 0 &&
                  H5Pset_obj_track_times(b->dataset_creation, 0) >= 0 &&
                  H5Pset_layout(b->dataset_creation, H5D_CONTIGUOUS) >= 0 &&
                  H5Pset_alloc_time(b->dataset_creation, H5D_ALLOC_TIME_EARLY) >= 0 &&
                  H5Pset_fill_time(b->dataset_creation, H5D_FILL_TIME_NEVER) >= 0;
    if (is_set)
        b->file = H5Fcreate("checkpoint", H5F_ACC_TRUNC, b->creation, b->access);
    return b->file >= 0 ? TY_OK : refused(ctx, "the file");
}

/* Closing writes the structure into the image; its answer counts. */
static bool builder_close(builder *b) {
    bool is_closed = b->file < 0 || H5Fclose(b->file) >= 0;
    if (b->scalar >= 0)
        (void)H5Sclose(b->scalar);
    const hid_t lists[] = {b->access, b->creation, b->group_creation, b->dataset_creation};
    for (size_t i = 0; i < 4; i++)
        if (lists[i] >= 0)
            (void)H5Pclose(lists[i]);
    return is_closed;
}

static bool put_attribute(const builder *b, hid_t object, const char *name, hid_t file_type,
                          hid_t memory_type, const void *value) {
    hid_t attribute = H5Acreate2(object, name, file_type, b->scalar, H5P_DEFAULT, H5P_DEFAULT);
    bool is_put = attribute >= 0 && H5Awrite(attribute, memory_type, value) >= 0;
    if (attribute >= 0)
        is_put = H5Aclose(attribute) >= 0 && is_put;
    return is_put;
}

/* Fixed-length UTF-8, padded with NUL so that h5py gives back the exact text. */
static hid_t text_type(size_t bytes) {
    hid_t type = H5Tcopy(H5T_C_S1);
    if (type >= 0 && H5Tset_size(type, bytes) >= 0 && H5Tset_cset(type, H5T_CSET_UTF8) >= 0 &&
        H5Tset_strpad(type, H5T_STR_NULLPAD) >= 0)
        return type;
    if (type >= 0)
        (void)H5Tclose(type);
    return H5I_INVALID_HID;
}

static ty_status put_root_attributes(ty_ctx *ctx, const builder *b, int64_t step) {
    hid_t type = text_type(strlen(TY_CKPT_SCHEMA));
    bool is_put = type >= 0 && put_attribute(b, b->file, "schema", type, type, TY_CKPT_SCHEMA) &&
                  put_attribute(b, b->file, "step", H5T_STD_I64LE, H5T_NATIVE_INT64, &step);
    if (type >= 0)
        (void)H5Tclose(type);
    return is_put ? TY_OK : refused(ctx, "the attributes");
}

/* Makes the groups in front of the last slash that are not there yet. */
static bool make_groups(builder *b, const char *name) {
    char prefix[MAX_NAME_BYTES + 1];
    const char *last = strrchr(name, '/');
    size_t folder_length = last ? (size_t)(last - name) : 0;
    if (strlen(b->folder) == folder_length && memcmp(b->folder, name, folder_length) == 0)
        return true;
    for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
        size_t length = (size_t)(slash - name);
        memcpy(prefix, name, length);
        prefix[length] = '\0';
        htri_t is_there = H5Lexists(b->file, prefix, H5P_DEFAULT);
        if (is_there > 0)
            continue;
        hid_t group =
            is_there < 0 ? H5I_INVALID_HID
                         : H5Gcreate2(b->file, prefix, H5P_DEFAULT, b->group_creation, H5P_DEFAULT);
        if (group < 0 || H5Gclose(group) < 0)
            return false;
    }
    memcpy(b->folder, name, folder_length);
    b->folder[folder_length] = '\0';
    return true;
}

/* One dataset: its place goes into the pieces, its hash beside it. */
static bool put_dataset(builder *b, const char *name, hid_t type, hid_t space, const void *data,
                        size_t bytes) {
    uint64_t hash = ty_hash64(data, bytes);
    hid_t dataset =
        H5Dcreate2(b->file, name, type, space, H5P_DEFAULT, b->dataset_creation, H5P_DEFAULT);
    if (dataset < 0)
        return false;
    bool is_put = put_attribute(b, dataset, "xxh3_64", H5T_STD_U64LE, H5T_NATIVE_UINT64, &hash);
    haddr_t address = bytes > 0 ? H5Dget_offset(dataset) : 0;
    if (bytes > 0)
        b->layout->pieces[b->layout->n_pieces++] =
            (ty_ckpt_piece){.address = address, .data = data, .bytes = bytes};
    return H5Dclose(dataset) >= 0 && is_put && address != HADDR_UNDEF;
}

static ty_status put_text(ty_ctx *ctx, builder *b, const char *name, const char *text) {
    size_t bytes = strlen(text) > 0 ? strlen(text) : 1; /* "" is one NUL of padding */
    hid_t type = text_type(bytes);
    bool is_put = type >= 0 && put_dataset(b, name, type, b->scalar, text, bytes);
    if (type >= 0)
        (void)H5Tclose(type);
    return is_put ? TY_OK : refused(ctx, name);
}

static ty_status put_tensor(ty_ctx *ctx, builder *b, const ty_ckpt_tensor *tensor) {
    hsize_t dims[TY_MAX_RANK];
    for (int i = 0; i < tensor->shape.rank; i++)
        dims[i] = (hsize_t)tensor->shape.dims[i];
    hid_t space = H5Screate_simple(tensor->shape.rank, dims, NULL);
    bool is_put = space >= 0 && make_groups(b, tensor->name) &&
                  put_dataset(b, tensor->name, ty_ckpt_file_type(tensor->dtype), space,
                              tensor->data, ty_ckpt_tensor_bytes(tensor));
    if (space >= 0)
        (void)H5Sclose(space);
    if (!is_put)
        return ty_fail(ctx, TY_ERR_ARG,
                       "HDF5 cannot hold tensor %s: is another one inside its name?", tensor->name);
    return TY_OK;
}

static ty_status build(ty_ctx *ctx, builder *b, const ty_checkpoint *content,
                       const ty_ckpt_tensor *const *sorted) {
    TY_TRY(builder_open(ctx, b));
    TY_TRY(put_root_attributes(ctx, b, content->step));
    TY_TRY(put_text(ctx, b, "config", content->config));
    TY_TRY(put_text(ctx, b, "data_state", content->data_state));
    TY_TRY(put_text(ctx, b, "state", content->state));
    for (int64_t i = 0; i < content->n_tensors; i++)
        TY_TRY(put_tensor(ctx, b, sorted[i]));
    return TY_OK;
}

/* --- the whole -------------------------------------------------------------------------------- */

static int by_address(const void *a, const void *b) {
    const ty_ckpt_piece *left = a, *right = b;
    return (left->address > right->address) - (left->address < right->address);
}

/* The library's word for where things go is checked before anything is written there. */
static ty_status finish(ty_ctx *ctx, ty_ckpt_layout *layout) {
    uint64_t end = TY_CKPT_BLOCK_BYTES;
    qsort(layout->pieces, layout->n_pieces, sizeof *layout->pieces, by_address);
    layout->file_bytes = layout->image.bytes;
    if (layout->image.is_short)
        return ty_fail_nomem(ctx, "the structure of a checkpoint");
    for (size_t i = 0; i < layout->n_pieces; i++) {
        const ty_ckpt_piece *piece = &layout->pieces[i];
        if (piece->address < end || piece->address > layout->file_bytes ||
            piece->bytes > layout->file_bytes - piece->address)
            return refused(ctx, "a layout without overlaps");
        end = piece->address + piece->bytes;
    }
    return TY_OK;
}

ty_status ty_ckpt_layout_init(ty_ctx *ctx, const ty_checkpoint *content, ty_ckpt_layout *layout) {
    enum { TEXTS = 3 };
    *layout = (ty_ckpt_layout){0};
    builder b = {.access = H5I_INVALID_HID,
                 .creation = H5I_INVALID_HID,
                 .file = H5I_INVALID_HID,
                 .group_creation = H5I_INVALID_HID,
                 .dataset_creation = H5I_INVALID_HID,
                 .scalar = H5I_INVALID_HID,
                 .layout = layout};
    size_t bytes, count = (size_t)content->n_tensors;
    TY_TRY(ty_ckpt_check_content(ctx, content, &bytes));
    const ty_ckpt_tensor **sorted = calloc(count + 1, sizeof(const ty_ckpt_tensor *));
    layout->pieces = calloc(count + TEXTS, sizeof *layout->pieces);
    ty_status st = sorted && layout->pieces ? TY_OK : ty_fail_nomem(ctx, "a checkpoint's layout");
    if (st == TY_OK)
        st = sort_tensors(ctx, content, sorted);
    if (st == TY_OK) {
        ty_ckpt_quiet quiet;
        ty_ckpt_quiet_begin(&quiet);
        st = build(ctx, &b, content, sorted);
        if (!builder_close(&b) && st == TY_OK)
            st = refused(ctx, "the end");
        ty_ckpt_quiet_end(&quiet);
    }
    if (st == TY_OK)
        st = finish(ctx, layout);
    free(sorted);
    if (st != TY_OK)
        ty_ckpt_layout_clear(layout);
    return st;
}

void ty_ckpt_layout_clear(ty_ckpt_layout *layout) {
    ty_ckpt_image_clear(&layout->image);
    free(layout->pieces);
    *layout = (ty_ckpt_layout){0};
}
