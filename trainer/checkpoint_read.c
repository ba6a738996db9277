/* File -> memory -> content. The file is read once; its hash is checked before HDF5 sees a byte,
 * and what HDF5 parses is that very memory. Only what checkpoint_layout.c writes is understood:
 * hard links, groups, contiguous datasets of five types and fixed-length text. Tensors stay where
 * they lie in the memory. */
#include "trainer/checkpoint_private.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 32, MAX_PATH_BYTES = 2048 };

/* --- bytes ------------------------------------------------------------------------------------ */

static ty_status load_rest(ty_ctx *ctx, const char *path, int fd, ty_checkpoint_file *file,
                           ty_hash_stream *hash) {
    for (uint64_t at = TY_CKPT_BLOCK_BYTES; at < file->bytes; at += TY_CKPT_PIECE_BYTES) {
        uint64_t left = file->bytes - at;
        size_t now = left < TY_CKPT_PIECE_BYTES ? (size_t)left : (size_t)TY_CKPT_PIECE_BYTES;
        TY_TRY(ty_file_pread(ctx, path, fd, file->data + at, now, (int64_t)at));
        ty_hash_stream_update(hash, file->data + at, now);
    }
    return TY_OK;
}

/* The user block is left zero in memory: the library skips it. */
static ty_status load(ty_ctx *ctx, const char *path, ty_checkpoint_file *file,
                      ty_checkpoint_header *header) {
    int fd = -1;
    ty_hash_stream *hash = NULL;
    ty_status st = TY_OK;
    TY_TRY(ty_ckpt_block_open(ctx, path, header, &fd));
    file->bytes = header->bytes; /* what fstat says, too */
    size_t rounded =
        ((size_t)file->bytes + TY_CKPT_ALIGNMENT - 1) / TY_CKPT_ALIGNMENT * TY_CKPT_ALIGNMENT;
    if (!(file->data = aligned_alloc(TY_CKPT_ALIGNMENT, rounded))) {
        st = ty_fail_nomem(ctx, "reading a checkpoint");
        goto done;
    }
    memset(file->data, 0, TY_CKPT_BLOCK_BYTES);
    TY_TRY_GOTO(done, st, ty_hash_stream_open(ctx, &hash));
    TY_TRY_GOTO(done, st, load_rest(ctx, path, fd, file, hash));
    st = ty_ckpt_block_check(ctx, path, header, ty_hash_stream_finish(hash));
done:
    ty_hash_stream_close(hash);
    (void)ctx->io->close(ctx->io->self, fd);
    return st;
}

/* --- structure -------------------------------------------------------------------------------- */

typedef struct walk {
    ty_ctx *ctx;
    const char *path; /* of the file */
    ty_checkpoint_file *file;
    char name[MAX_PATH_BYTES]; /* of the object, from the root */
    int depth;
    ty_status st;
} walk;

static ty_status unexpected(walk *w, const char *what) {
    return ty_fail(w->ctx, TY_ERR_INTEGRITY, "%s: /%s is %s, want what %s holds", w->path, w->name,
                   what, TY_CKPT_SCHEMA);
}

/* Where a dataset's bytes lie, checked against the file and against their hash. */
static ty_status find_bytes(walk *w, hid_t dataset, size_t bytes, unsigned char **out) {
    uint64_t want = 0;
    hid_t attribute = H5Aopen(dataset, "xxh3_64", H5P_DEFAULT);
    bool has_hash = attribute >= 0 && H5Aread(attribute, H5T_NATIVE_UINT64, &want) >= 0;
    if (attribute >= 0)
        (void)H5Aclose(attribute);
    if (!has_hash)
        return unexpected(w, "without a hash");
    haddr_t address = bytes > 0 ? H5Dget_offset(dataset) : TY_CKPT_BLOCK_BYTES;
    if (address == HADDR_UNDEF || address < TY_CKPT_BLOCK_BYTES || address > w->file->bytes ||
        bytes > w->file->bytes - address || address % TY_CKPT_ALIGNMENT != 0)
        return unexpected(w, "outside of the file");
    *out = w->file->data + address;
    if (ty_hash64(*out, bytes) != want)
        return ty_fail(w->ctx, TY_ERR_INTEGRITY, "%s: /%s at offset %" PRIu64 " has a wrong hash",
                       w->path, w->name, (uint64_t)address);
    return TY_OK;
}

/* The document of that name at the root, NULL for any other name. */
static const char **text_slot(ty_checkpoint *content, const char *name) {
    if (strcmp(name, "state") == 0)
        return &content->state;
    if (strcmp(name, "config") == 0)
        return &content->config;
    return strcmp(name, "data_state") == 0 ? &content->data_state : NULL;
}

static ty_status take_text(walk *w, hid_t dataset, hid_t type, const char **slot) {
    unsigned char *bytes = NULL;
    size_t length = H5Tget_size(type);
    if (H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) != 0)
        return unexpected(w, "no fixed-length text");
    TY_TRY(find_bytes(w, dataset, length, &bytes));
    *slot = ty_arena_string_n(&w->file->arena, (const char *)bytes, length);
    return *slot ? TY_OK : ty_fail_nomem(w->ctx, "a checkpoint's text");
}

static bool read_dtype(hid_t type, ty_dtype *out) {
    static const ty_dtype all[] = {TY_DTYPE_F32, TY_DTYPE_U8, TY_DTYPE_I32, TY_DTYPE_I64,
                                   TY_DTYPE_F64};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        *out = all[i];
        if (H5Tequal(type, ty_ckpt_file_type(all[i])) > 0)
            return true;
    }
    return false;
}

static bool read_shape(hid_t space, ty_shape *out) {
    hsize_t dims[TY_MAX_RANK];
    int rank = H5Sget_simple_extent_ndims(space);
    if (rank < 1 || rank > TY_MAX_RANK || H5Sget_simple_extent_dims(space, dims, NULL) != rank)
        return false;
    *out = (ty_shape){.rank = rank};
    for (int i = 0; i < rank; i++) {
        if (dims[i] > INT64_MAX)
            return false;
        out->dims[i] = (int64_t)dims[i];
    }
    return true;
}

static ty_status add_tensor(walk *w, const ty_ckpt_tensor *tensor) {
    ty_checkpoint_file *file = w->file;
    if ((size_t)file->content.n_tensors == file->capacity) {
        size_t capacity = file->capacity ? file->capacity * 2 : 64;
        ty_ckpt_tensor *tensors = reallocarray(file->tensors, capacity, sizeof *tensors);
        if (!tensors)
            return ty_fail_nomem(w->ctx, "a checkpoint's tensors");
        file->tensors = tensors;
        file->capacity = capacity;
    }
    file->tensors[file->content.n_tensors++] = *tensor;
    return TY_OK;
}

static ty_status take_tensor(walk *w, hid_t dataset, hid_t type, hid_t space) {
    ty_ckpt_tensor tensor = {0};
    unsigned char *bytes = NULL;
    size_t ignored;
    if (!read_dtype(type, &tensor.dtype) || !read_shape(space, &tensor.shape))
        return unexpected(w, "of another type or rank");
    tensor.data = &ignored; /* any address: the check wants one */
    tensor.name = ty_arena_string(&w->file->arena, w->name);
    if (!tensor.name)
        return ty_fail_nomem(w->ctx, "a tensor's name");
    const ty_checkpoint one = {
        .state = "", .config = "", .data_state = "", .tensors = &tensor, .n_tensors = 1};
    TY_TRY(ty_ckpt_check_content(w->ctx, &one, &ignored) == TY_OK
               ? TY_OK
               : unexpected(w, "of a shape that overflows"));
    TY_TRY(find_bytes(w, dataset, ty_ckpt_tensor_bytes(&tensor), &bytes));
    tensor.data = bytes;
    return add_tensor(w, &tensor);
}

static ty_status take_dataset(walk *w, hid_t dataset) {
    hid_t type = H5Dget_type(dataset), space = H5Dget_space(dataset);
    hid_t creation = H5Dget_create_plist(dataset);
    const char **slot = text_slot(&w->file->content, w->name);
    ty_status st;
    if (type < 0 || space < 0 || creation < 0 || H5Pget_layout(creation) != H5D_CONTIGUOUS ||
        H5Pget_external_count(creation) != 0)
        st = unexpected(w, "no contiguous dataset");
    else
        st = slot ? take_text(w, dataset, type, slot) : take_tensor(w, dataset, type, space);
    if (creation >= 0)
        (void)H5Pclose(creation);
    if (space >= 0)
        (void)H5Sclose(space);
    if (type >= 0)
        (void)H5Tclose(type);
    return st;
}

static herr_t visit(hid_t group, const char *name, const H5L_info_t *link, void *data);

static ty_status take_group(walk *w, hid_t group) {
    if (w->depth == MAX_DEPTH)
        return unexpected(w, "too deep");
    w->depth++;
    herr_t result = H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, visit, w);
    w->depth--;
    if (result < 0 && w->st == TY_OK)
        return unexpected(w, "no readable group");
    return w->st;
}

/* One link: w->name grows by its name while what it leads to is looked at. */
static herr_t visit(hid_t group, const char *name, const H5L_info_t *link, void *data) {
    walk *w = data;
    size_t length = strlen(w->name);
    int added =
        snprintf(w->name + length, sizeof w->name - length, "%s%s", length > 0 ? "/" : "", name);
    hid_t object = H5I_INVALID_HID;
    if (added < 0 || (size_t)added >= sizeof w->name - length || link->type != H5L_TYPE_HARD)
        w->st = unexpected(w, "no plain link");
    else if ((object = H5Oopen(group, name, H5P_DEFAULT)) < 0)
        w->st = unexpected(w, "unreadable");
    else if (H5Iget_type(object) == H5I_GROUP)
        w->st = take_group(w, object);
    else if (H5Iget_type(object) == H5I_DATASET)
        w->st = take_dataset(w, object);
    else
        w->st = unexpected(w, "neither group nor dataset");
    if (object >= 0)
        (void)H5Oclose(object);
    w->name[length] = '\0';
    return w->st == TY_OK ? 0 : -1;
}

/* schema and step, as the root says them. */
static ty_status check_root(walk *w, hid_t root, int64_t want_step) {
    char schema[sizeof TY_CKPT_SCHEMA] = "";
    int64_t step = -1;
    hid_t attribute = H5Aopen(root, "schema", H5P_DEFAULT);
    hid_t type = attribute >= 0 ? H5Aget_type(attribute) : H5I_INVALID_HID;
    bool is_ours = type >= 0 && H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0 &&
                   H5Tget_size(type) == strlen(TY_CKPT_SCHEMA) &&
                   H5Aread(attribute, type, schema) >= 0 && strcmp(schema, TY_CKPT_SCHEMA) == 0;
    if (type >= 0)
        (void)H5Tclose(type);
    if (attribute >= 0)
        (void)H5Aclose(attribute);
    if (!is_ours)
        return unexpected(w, "of another schema");
    attribute = H5Aopen(root, "step", H5P_DEFAULT);
    bool has_step = attribute >= 0 && H5Aread(attribute, H5T_NATIVE_INT64, &step) >= 0;
    if (attribute >= 0)
        (void)H5Aclose(attribute);
    return has_step && step == want_step ? TY_OK : unexpected(w, "of another step");
}

static ty_status parse(ty_ctx *ctx, const char *path, ty_checkpoint_file *file, int64_t step) {
    ty_ckpt_image image = {.data = file->data, .bytes = file->bytes};
    walk w = {.ctx = ctx, .path = path, .file = file};
    hid_t access = ty_ckpt_image_access(&image);
    hid_t root = access < 0 ? H5I_INVALID_HID : H5Fopen("checkpoint", H5F_ACC_RDONLY, access);
    ty_status st;
    if (root < 0)
        st = unexpected(&w, "unreadable");
    else
        st = check_root(&w, root, step);
    if (st == TY_OK)
        st = take_group(&w, root);
    if (root >= 0)
        (void)H5Fclose(root);
    if (access >= 0)
        (void)H5Pclose(access);
    return st;
}

/* --- the file --------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b) {
    return strcmp(((const ty_ckpt_tensor *)a)->name, ((const ty_ckpt_tensor *)b)->name);
}

static ty_status finish(ty_ctx *ctx, const char *path, ty_checkpoint_file *file, int64_t step) {
    ty_checkpoint *content = &file->content;
    if (!content->state || !content->config || !content->data_state)
        return ty_fail(ctx, TY_ERR_INTEGRITY, "%s lacks state, config or data_state", path);
    if (content->n_tensors > 0)
        qsort(file->tensors, (size_t)content->n_tensors, sizeof *file->tensors, by_name);
    content->tensors = file->tensors;
    content->step = step;
    return TY_OK;
}

ty_status ty_checkpoint_read(ty_ctx *ctx, const char *path, ty_checkpoint_file **out) {
    ty_checkpoint_header header;
    ty_checkpoint_file *file = calloc(1, sizeof *file);
    if (!file)
        return ty_fail_nomem(ctx, "a checkpoint");
    ty_status st = load(ctx, path, file, &header);
    if (st == TY_OK) {
        ty_ckpt_quiet quiet;
        ty_ckpt_quiet_begin(&quiet);
        st = parse(ctx, path, file, header.step);
        ty_ckpt_quiet_end(&quiet);
    }
    if (st == TY_OK)
        st = finish(ctx, path, file, header.step);
    if (st != TY_OK) {
        ty_checkpoint_file_close(file);
        return st;
    }
    *out = file;
    return TY_OK;
}

const ty_checkpoint *ty_checkpoint_content(const ty_checkpoint_file *file) {
    return &file->content;
}

const ty_ckpt_tensor *ty_checkpoint_tensor(const ty_checkpoint *content, const char *name) {
    for (int64_t i = 0; i < content->n_tensors; i++)
        if (strcmp(content->tensors[i].name, name) == 0)
            return &content->tensors[i];
    return NULL;
}

void ty_checkpoint_file_close(ty_checkpoint_file *file) {
    if (!file)
        return;
    ty_arena_clear(&file->arena);
    free(file->tensors);
    free(file->data);
    free(file);
}
