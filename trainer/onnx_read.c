/* model.onnx -> what a checkpoint holds. Only a file that this program wrote is understood: it says
 * its config and its data's fitted state in metadata_props, its tensors are f32 in raw_data or in
 * one file beside it, and their hash is known. Fields that we do not write are passed over, so that
 * a tool may have stored the file again; whatever concerns tensors is taken literally or refused.
 * The nodes are not read: the config says what the model is. */
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "trainer/checkpoint_private.h"
#include "trainer/onnx_private.h"

enum { MAX_TENSORS = 1 << 20, MAX_NAME = 1024, MAX_PLACE = 255, HASH_BYTES = 33, MAX_NESTING = 64 };
static const char prefix[] = "model/";

/* One tensor as the file describes it. */
typedef struct entry {
    const char *name; /* "model/<segment>", in the file's arena */
    ty_shape shape;
    size_t bytes;
    const unsigned char *raw; /* NULL: in the data file */
    uint64_t offset;          /* there */
} entry;

typedef struct onnx_file {
    ty_ctx *ctx;
    const char *path;
    unsigned char *bytes; /* the whole file */
    size_t n_bytes;
    ty_pb graph;
    const char *config, *data_state, *step, *hash; /* in out's arena; NULL: not there */
    entry *entries;
    int64_t n_entries;
    const char *place; /* the data file's name; NULL: none */
    uint64_t end;      /* of the data file's part that tensors claim */
    ty_checkpoint_file *out;
} onnx_file;

static ty_status damaged(const onnx_file *f, const char *what) {
    return ty_fail(f->ctx, TY_ERR_INTEGRITY, "%s is damaged or was changed: %s", f->path, what);
}

static ty_status no_memory(const onnx_file *f) {
    return ty_fail_nomem(f->ctx, f->path);
}

/* A field's bytes as a string of the file's arena; what has a NUL inside is none. */
static ty_status take_text(const onnx_file *f, const ty_pb_field *field, const char **out) {
    if (field->wire != TY_PB_BYTES || *out || memchr(field->data, '\0', field->bytes))
        return damaged(f, "a text is none, or said twice");
    *out = ty_arena_string_n(&f->out->arena, (const char *)field->data, field->bytes);
    return *out ? TY_OK : no_memory(f);
}

/* --- the model -------------------------------------------------------------------------------- */

static ty_status read_pair(const onnx_file *f, const ty_pb_field *field, const char **key,
                           const char **value) {
    ty_pb_field in;
    ty_pb_step step;
    *key = *value = NULL;
    if (field->wire != TY_PB_BYTES)
        return damaged(f, "a pair is no message");
    for (ty_pb pair = ty_pb_inner(field); (step = ty_pb_next(&pair, &in)) == TY_PB_FIELD;) {
        if (in.number == TY_ONNX_PAIR_KEY)
            TY_TRY(take_text(f, &in, key));
        if (in.number == TY_ONNX_PAIR_VALUE)
            TY_TRY(take_text(f, &in, value));
    }
    return step == TY_PB_END && *key && *value ? TY_OK : damaged(f, "a pair has no key or value");
}

static ty_status take_metadata(onnx_file *f, const ty_pb_field *field) {
    const struct {
        const char *key;
        const char **slot;
    } rows[] = {{TY_ONNX_KEY_CONFIG, &f->config},
                {TY_ONNX_KEY_DATA, &f->data_state},
                {TY_ONNX_KEY_STEP, &f->step},
                {TY_ONNX_KEY_HASH, &f->hash}};
    const char *key, *value;
    TY_TRY(read_pair(f, field, &key, &value));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(key, rows[i].key) != 0)
            continue;
        if (*rows[i].slot)
            return damaged(f, "a key is said twice");
        *rows[i].slot = value;
    }
    return TY_OK;
}

static ty_status read_model(onnx_file *f) {
    ty_pb model = {f->bytes, f->bytes + f->n_bytes};
    ty_pb_field field;
    ty_pb_step step;
    while ((step = ty_pb_next(&model, &field)) == TY_PB_FIELD) {
        if (field.number == TY_ONNX_MODEL_METADATA)
            TY_TRY(take_metadata(f, &field));
        if (field.number != TY_ONNX_MODEL_GRAPH)
            continue;
        if (field.wire != TY_PB_BYTES || f->graph.at)
            return damaged(f, "its graph is no message, or there twice");
        f->graph = ty_pb_inner(&field);
    }
    if (step == TY_PB_BROKEN)
        return ty_fail(f->ctx, TY_ERR_INTEGRITY,
                       "%s is no ONNX file, or damaged at byte %zu of %zu", f->path,
                       (size_t)(model.at - f->bytes), f->n_bytes);
    if (!f->config)
        return ty_fail(f->ctx, TY_ERR_DATA,
                       "%s was not written by tiltyard (it has no %s): want a model.onnx that a "
                       "run exported",
                       f->path, TY_ONNX_KEY_CONFIG);
    return f->graph.at && f->data_state && f->step && f->hash
               ? TY_OK
               : damaged(f, "it lacks its graph, data_state, step or hash");
}

/* A stranger's config must neither read other files nor the environment. */
static bool is_plain(const json_t *value, int depth) {
    const char *text = json_string_value(value);
    const char *reference = text ? strstr(text, "${env:") : NULL;
    for (; reference; reference = strstr(reference + 1, "${env:"))
        if (reference == text || reference[-1] != '$')
            return false;
    const char *key;
    json_t *inner;
    json_object_foreach((json_t *)(uintptr_t)value, key, inner) {
        if (strcmp(key, "extends") == 0 || depth == MAX_NESTING || !is_plain(inner, depth + 1))
            return false;
    }
    for (size_t i = 0; i < json_array_size(value); i++)
        if (depth == MAX_NESTING || !is_plain(json_array_get(value, i), depth + 1))
            return false;
    return true;
}

static bool take_number(const char *text, uint64_t *out) {
    if (!*text || strlen(text) > 18 || strspn(text, "0123456789") != strlen(text))
        return false;
    *out = strtoull(text, NULL, 10);
    return true;
}

static ty_status check_texts(onnx_file *f) {
    uint64_t step;
    json_t *config = json_loads(f->config, JSON_REJECT_DUPLICATES, NULL);
    const bool is_good = json_is_object(config) && is_plain(config, 0);
    json_decref(config);
    if (!is_good)
        return damaged(f, "its config is no JSON object that stands for itself");
    if (!take_number(f->step, &step))
        return damaged(f, "its step is no number");
    f->out->content = (ty_checkpoint){
        .step = (int64_t)step, .state = "{}", .config = f->config, .data_state = f->data_state};
    return TY_OK;
}

/* --- tensors ---------------------------------------------------------------------------------- */

static bool is_plain_name(const char *name) {
    return *name && *name != '.' && strlen(name) <= MAX_PLACE && !strchr(name, '/');
}

/* location, offset and length of data that lies elsewhere, each once. */
typedef struct place {
    const char *location, *offset, *length;
} place;

static ty_status take_place(onnx_file *f, const ty_pb_field *field, place *out) {
    const char *key, *value;
    TY_TRY(read_pair(f, field, &key, &value));
    const char **slot = strcmp(key, "location") == 0 ? &out->location
                        : strcmp(key, "offset") == 0 ? &out->offset
                        : strcmp(key, "length") == 0 ? &out->length
                                                     : NULL;
    if (!slot)
        return TY_OK;
    if (*slot)
        return damaged(f, "a tensor's place is said twice");
    *slot = value;
    return TY_OK;
}

/* Tensors follow each other in one file, so that they cannot claim more than it has. */
static ty_status settle_place(onnx_file *f, const place *at, entry *e) {
    uint64_t length = 0;
    if (!at->location || !at->offset || !at->length || !is_plain_name(at->location) ||
        (f->place && strcmp(f->place, at->location) != 0) || !take_number(at->offset, &e->offset) ||
        !take_number(at->length, &length) || length != e->bytes || e->offset < f->end)
        return damaged(f, "a tensor's place in another file is odd");
    f->place = at->location;
    f->end = e->offset + length;
    return TY_OK;
}

static ty_status take_dim(const onnx_file *f, const ty_pb_field *field, ty_shape *shape) {
    if (field->wire != TY_PB_VARINT || shape->rank == TY_MAX_RANK || field->value < 1 ||
        field->value > INT64_MAX)
        return damaged(f, "a tensor's shape is odd");
    shape->dims[shape->rank++] = (int64_t)field->value;
    return TY_OK;
}

static ty_status take_name(const onnx_file *f, const ty_pb_field *field, entry *e) {
    const char *name = NULL;
    TY_TRY(take_text(f, field, &name));
    if (e->name || !*name || strlen(name) > MAX_NAME)
        return damaged(f, "a tensor's name is odd");
    e->name = ty_arena_printf(&f->out->arena, "%s%s", prefix, name);
    return e->name ? TY_OK : no_memory(f);
}

static ty_status take_bytes(const onnx_file *f, const ty_pb_field *field, entry *e) {
    if (field->wire != TY_PB_BYTES || e->raw)
        return damaged(f, "a tensor's data is odd");
    e->raw = field->data;
    e->bytes = field->bytes;
    return TY_OK;
}

typedef struct tensor_fields {
    uint64_t type, location;
    place at;
} tensor_fields;

static ty_status take_tensor_field(onnx_file *f, const ty_pb_field *field, entry *e,
                                   tensor_fields *seen) {
    switch (field->number) {
    case TY_ONNX_TENSOR_DIM:
        return take_dim(f, field, &e->shape);
    case TY_ONNX_TENSOR_TYPE:
        seen->type = field->value;
        return TY_OK;
    case TY_ONNX_TENSOR_NAME:
        return take_name(f, field, e);
    case TY_ONNX_TENSOR_RAW:
        return take_bytes(f, field, e);
    case TY_ONNX_TENSOR_EXTERNAL:
        return take_place(f, field, &seen->at);
    case TY_ONNX_TENSOR_LOCATION:
        seen->location = field->value;
        return TY_OK;
    default:
        return TY_OK;
    }
}

static ty_status shape_bytes(const onnx_file *f, ty_shape shape, size_t *out) {
    int64_t count = 1;
    for (int i = 0; i < shape.rank; i++)
        if (!ty_mul_i64(count, shape.dims[i], &count))
            return damaged(f, "a tensor's shape overflows");
    return ty_size_of_i64(count, out) && ty_mul_size(*out, sizeof(float), out)
               ? TY_OK
               : damaged(f, "a tensor's shape overflows");
}

static ty_status read_tensor(onnx_file *f, const ty_pb_field *field, entry *e) {
    tensor_fields seen = {0};
    ty_pb_field in;
    ty_pb_step step;
    size_t bytes = 0;
    if (field->wire != TY_PB_BYTES)
        return damaged(f, "a tensor is no message");
    for (ty_pb tensor = ty_pb_inner(field); (step = ty_pb_next(&tensor, &in)) == TY_PB_FIELD;)
        TY_TRY(take_tensor_field(f, &in, e, &seen));
    TY_TRY(shape_bytes(f, e->shape, &bytes));
    if (step != TY_PB_END || !e->name || e->shape.rank == 0 || seen.type != TY_ONNX_FLOAT ||
        (e->raw != NULL) == (seen.location != 0) || (e->raw && e->bytes != bytes))
        return damaged(f, "a tensor is not f32 data of its shape");
    e->bytes = bytes;
    return e->raw ? TY_OK : settle_place(f, &seen.at, e);
}

static ty_status read_graph(onnx_file *f) {
    ty_pb_field field;
    ty_pb_step step;
    int64_t n = 0;
    for (ty_pb graph = f->graph; (step = ty_pb_next(&graph, &field)) == TY_PB_FIELD;)
        n += field.number == TY_ONNX_GRAPH_INITIALIZER;
    if (step == TY_PB_BROKEN || n == 0 || n > MAX_TENSORS)
        return damaged(f, "its graph has no readable tensors");
    f->entries = calloc((size_t)n, sizeof *f->entries);
    if (!f->entries)
        return no_memory(f);
    for (ty_pb graph = f->graph; ty_pb_next(&graph, &field) == TY_PB_FIELD;)
        if (field.number == TY_ONNX_GRAPH_INITIALIZER)
            TY_TRY(read_tensor(f, &field, &f->entries[f->n_entries++]));
    return TY_OK;
}

/* --- data ------------------------------------------------------------------------------------- */

/* A regular file of at most `most` bytes. */
static ty_status open_file(ty_ctx *ctx, const char *path, uint64_t most, int *fd, uint64_t *bytes) {
    struct stat info;
    TY_TRY(ty_file_open(ctx, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, fd));
    ty_status st = ty_file_stat_fd(ctx, path, *fd, &info);
    *bytes = st == TY_OK ? (uint64_t)info.st_size : 0;
    if (st == TY_OK && !S_ISREG(info.st_mode))
        st = ty_fail(ctx, TY_ERR_IO, "%s is no regular file", path);
    else if (st == TY_OK && *bytes > most)
        st = ty_fail(ctx, TY_ERR_INTEGRITY, "%s has %" PRIu64 " bytes, want at most %" PRIu64, path,
                     *bytes, most);
    if (st != TY_OK)
        (void)ctx->io->close(ctx->io->self, *fd);
    return st;
}

static ty_status load(onnx_file *f) {
    int fd;
    uint64_t bytes;
    TY_TRY(open_file(f->ctx, f->path, INT32_MAX, &fd, &bytes));
    f->n_bytes = (size_t)bytes;
    f->bytes = malloc(f->n_bytes + 1);
    const ty_status st =
        f->bytes ? ty_file_pread(f->ctx, f->path, fd, f->bytes, f->n_bytes, 0) : no_memory(f);
    (void)f->ctx->io->close(f->ctx->io->self, fd);
    return st;
}

static size_t rounded(size_t bytes) {
    return (bytes + TY_CKPT_ALIGNMENT - 1) / TY_CKPT_ALIGNMENT * TY_CKPT_ALIGNMENT;
}

/* Room for all tensors, each aligned, and the table of them. */
static ty_status make_room(onnx_file *f) {
    ty_checkpoint_file *out = f->out;
    for (int64_t i = 0; i < f->n_entries; i++)
        out->bytes += rounded(f->entries[i].bytes);
    out->data = aligned_alloc(TY_CKPT_ALIGNMENT, (size_t)out->bytes);
    out->tensors = calloc((size_t)f->n_entries, sizeof *out->tensors);
    if (!out->data || !out->tensors)
        return no_memory(f);
    unsigned char *at = out->data;
    for (int64_t i = 0; i < f->n_entries; i++) {
        const entry *e = &f->entries[i];
        out->tensors[i] = (ty_ckpt_tensor){e->name, TY_DTYPE_F32, e->shape, at};
        at += rounded(e->bytes);
    }
    out->content.tensors = out->tensors;
    out->content.n_tensors = f->n_entries;
    return TY_OK;
}

static ty_status read_place(onnx_file *f, const char *path, int fd) {
    for (int64_t i = 0; i < f->n_entries; i++)
        if (!f->entries[i].raw)
            TY_TRY(ty_file_pread(f->ctx, path, fd, f->out->tensors[i].data, f->entries[i].bytes,
                                 (int64_t)f->entries[i].offset));
    return TY_OK;
}

static ty_status copy_data(onnx_file *f) {
    for (int64_t i = 0; i < f->n_entries; i++)
        if (f->entries[i].raw)
            memcpy(f->out->tensors[i].data, f->entries[i].raw, f->entries[i].bytes);
    return TY_OK;
}

/* Memory is asked for once the file beside is seen to have as much. */
static ty_status fill(onnx_file *f) {
    ty_ctx *ctx = f->ctx;
    int fd;
    uint64_t bytes;
    if (!f->place) {
        TY_TRY(make_room(f));
        return copy_data(f);
    }
    const char *folder = ty_path_folder(&f->out->arena, f->path);
    const char *path = folder ? ty_path_join(&f->out->arena, folder, f->place) : NULL;
    if (!path)
        return no_memory(f);
    TY_TRY(open_file(ctx, path, INT64_MAX, &fd, &bytes));
    ty_status st =
        f->end <= bytes ? make_room(f) : damaged(f, "the file with its tensors is short");
    if (st == TY_OK)
        st = copy_data(f);
    if (st == TY_OK)
        st = read_place(f, path, fd);
    (void)ctx->io->close(ctx->io->self, fd);
    return st;
}

static ty_status check_hash(const onnx_file *f) {
    char hex[HASH_BYTES];
    ty_hash_stream *stream = NULL;
    TY_TRY(ty_hash_stream_open(f->ctx, &stream));
    for (int64_t i = 0; i < f->n_entries; i++)
        ty_hash_stream_update(stream, f->out->tensors[i].data, f->entries[i].bytes);
    const ty_hash128 hash = ty_hash_stream_finish(stream);
    ty_hash_stream_close(stream);
    (void)snprintf(hex, sizeof hex, "%016" PRIx64 "%016" PRIx64, hash.high, hash.low);
    return strcmp(hex, f->hash) == 0 ? TY_OK : damaged(f, "its tensors have another hash");
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const ty_ckpt_tensor *)a)->name, ((const ty_ckpt_tensor *)b)->name);
}

static ty_status sort(onnx_file *f) {
    ty_ckpt_tensor *tensors = f->out->tensors;
    qsort(tensors, (size_t)f->n_entries, sizeof *tensors, by_name);
    for (int64_t i = 1; i < f->n_entries; i++)
        if (strcmp(tensors[i - 1].name, tensors[i].name) == 0)
            return damaged(f, "two tensors have one name");
    return TY_OK;
}

static ty_status read_all(onnx_file *f) {
    TY_TRY(load(f));
    TY_TRY(read_model(f));
    TY_TRY(check_texts(f));
    TY_TRY(read_graph(f));
    TY_TRY(fill(f));
    TY_TRY(check_hash(f));
    return sort(f);
}

ty_status ty_onnx_read(ty_ctx *ctx, const char *path, ty_checkpoint_file **out) {
    onnx_file f = {.ctx = ctx, .path = path, .out = calloc(1, sizeof *f.out)};
    if (!f.out)
        return ty_fail_nomem(ctx, "a model");
    const ty_status st = read_all(&f);
    free(f.entries);
    free(f.bytes);
    if (st == TY_OK)
        *out = f.out;
    else
        ty_checkpoint_file_close(f.out);
    return st;
}

ty_status ty_model_read(ty_ctx *ctx, const char *path, ty_checkpoint_file **out) {
    static const char ending[] = ".onnx";
    const size_t length = strlen(path), tail = sizeof ending - 1;
    if (length >= tail && strcmp(path + length - tail, ending) == 0)
        return ty_onnx_read(ctx, path, out);
    return ty_checkpoint_read(ctx, path, out);
}
