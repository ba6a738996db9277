#include "cli/train/export.h"

#include <inttypes.h>
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_METADATA = 8 };

typedef struct exporting {
    ty_ctx *ctx;
    const export_wish *wish;
    ty_arena *arena;
    export_made *out;
    const ty_checkpoint *content;
    ty_onnx_signature signature;
    ty_text example;
    ty_package_value metadata[MAX_METADATA];
    int64_t n_metadata;
} exporting;

static ty_status no_memory(const exporting *e) {
    return ty_fail_nomem(e->ctx, "a package");
}

/* --- which and where -------------------------------------------------------------------------- */

static ty_status choose_checkpoint(ty_ctx *ctx, const export_wish *wish, ty_arena *arena,
                                   const char **out) {
    *out = wish->checkpoint;
    if (*out)
        return TY_OK;
    bool found = false;
    ty_checkpoint_header header;
    const char *folder = ty_path_join(arena, wish->run_folder, "checkpoints");
    if (!folder)
        return ty_fail_nomem(ctx, "a path");
    if (ty_file_exists(ctx, folder))
        TY_TRY(ty_checkpoint_find_best(ctx, folder, arena, out, &header, &found));
    return found ? TY_OK
                 : ty_fail(ctx, TY_ERR_NOT_FOUND, "there is no checkpoint in %s to export", folder);
}

/* What tells this model from others: its run and step, or all that it holds. */
static ty_status choose_id(exporting *e) {
    const ty_checkpoint *content = e->content;
    ty_hash_stream *stream = NULL;
    TY_TRY(ty_hash_stream_open(e->ctx, &stream));
    if (e->wish->run_id) {
        ty_hash_stream_update(stream, e->wish->run_id, strlen(e->wish->run_id));
    } else {
        ty_hash_stream_update(stream, content->config, strlen(content->config));
        for (int64_t i = 0; i < content->n_tensors; i++)
            ty_hash_stream_update(stream, content->tensors[i].data,
                                  (size_t)ty_shape_count(content->tensors[i].shape) *
                                      ty_dtype_bytes(content->tensors[i].dtype));
    }
    ty_hash_stream_update(stream, &content->step, sizeof content->step);
    const ty_hash128 hash = ty_hash_stream_finish(stream);
    ty_hash_stream_close(stream);
    (void)snprintf(e->out->model_id, sizeof e->out->model_id, "m-%016" PRIx64 "%016" PRIx64,
                   hash.high, hash.low);
    return TY_OK;
}

static ty_status choose_folder(exporting *e) {
    const export_wish *wish = e->wish;
    e->out->step = e->content->step;
    e->out->name = ty_arena_string(e->arena, wish->name ? wish->name : "model");
    e->out->folder = wish->folder ? ty_arena_string(e->arena, wish->folder)
                                  : ty_arena_printf(e->arena, "%s/models/%s", wish->run_folder,
                                                    e->out->model_id);
    return e->out->name && e->out->folder ? TY_OK : no_memory(e);
}

/* Verified, and the one that would be made. */
static bool is_made(const exporting *e) {
    ty_package there = {0};
    ty_arena arena = {0};
    int64_t n_files;
    const bool is_whole = ty_manifest_verify(e->ctx, e->out->folder, NULL, &n_files) == TY_OK &&
                          ty_package_read(e->ctx, e->out->folder, &arena, &there) == TY_OK &&
                          there.model_id && strcmp(there.model_id, e->out->model_id) == 0;
    ty_arena_clear(&arena);
    return is_whole;
}

/* --- what is in it ---------------------------------------------------------------------------- */

/* The first row of val, or of train where there is none; NULL: it cannot be had. The caller frees
 * it. */
static void *read_sample(const exporting *e) {
    const ty_data_info *info = ty_dataset_info(e->wish->data);
    const ty_split split = info->count[TY_SPLIT_VAL] > 0 ? TY_SPLIT_VAL : TY_SPLIT_TRAIN;
    void *x = malloc((size_t)info->x_count * (info->x_is_u8 ? 1 : sizeof(float)));
    void *y = calloc((size_t)info->n_outputs, sizeof(float));
    const bool is_read = x && y && info->count[split] > 0 &&
                         ty_dataset_sample(e->ctx, e->wish->data, split, 0, x, y) == TY_OK;
    free(y);
    if (is_read)
        return x;
    free(x);
    return NULL;
}

static ty_status make_example(exporting *e) {
    void *x = e->wish->data ? read_sample(e) : NULL;
    const ty_status st = ty_onnx_example(e->ctx, e->content, x, &e->example);
    free(x);
    return st;
}

static ty_status add_metadata(exporting *e, const char *key, const char *text) {
    if (!text)
        return TY_OK;
    const char *kept = ty_arena_string(e->arena, text);
    e->metadata[e->n_metadata++] = (ty_package_value){key, kept};
    return kept ? TY_OK : no_memory(e);
}

/* Lineage, as far as the checkpoint's state knows it. */
static ty_status make_metadata(exporting *e) {
    char step[32];
    (void)snprintf(step, sizeof step, "%" PRId64, e->content->step);
    TY_TRY(add_metadata(e, "tiltyard.step", step));
    TY_TRY(add_metadata(e, "tiltyard.version", TY_VERSION_TEXT));
    json_t *state = json_loads(e->content->state, 0, NULL);
    ty_status st = add_metadata(e, "tiltyard.config_hash",
                                json_string_value(json_object_get(state, "config_hash")));
    if (st == TY_OK)
        st = add_metadata(e, "tiltyard.data_fingerprint",
                          json_string_value(json_object_get(state, "data")));
    json_decref(state);
    return st;
}

static ty_status list_tensors(const exporting *e, const ty_onnx_value *from, int64_t n,
                              const ty_package_tensor **out) {
    ty_package_tensor *tensors = ty_arena_array(e->arena, (size_t)n, sizeof *tensors);
    if (!tensors)
        return no_memory(e);
    for (int64_t i = 0; i < n; i++)
        tensors[i] = (ty_package_tensor){.name = from[i].name,
                                         .dtype = from[i].dtype,
                                         .shape = from[i].shape,
                                         .rank = from[i].rank};
    *out = tensors;
    return TY_OK;
}

static ty_status write_package(exporting *e) {
    ty_package_facts facts = {.model_id = e->out->model_id,
                              .run_id = e->wish->run_id,
                              .name = e->out->name,
                              .created_ns = ty_now_wall_ns(e->ctx),
                              .n_inputs = e->signature.n_inputs,
                              .n_outputs = e->signature.n_outputs,
                              .example = e->example.length ? ty_text_string(&e->example) : NULL,
                              .metadata = e->metadata,
                              .n_metadata = e->n_metadata};
    TY_TRY(list_tensors(e, e->signature.inputs, facts.n_inputs, &facts.inputs));
    TY_TRY(list_tensors(e, e->signature.outputs, facts.n_outputs, &facts.outputs));
    return ty_package_write(e->ctx, e->out->folder, &facts);
}

/* What a killed writer left half done would be taken for part of the package. */
static ty_status sweep(exporting *e) {
    char **names = NULL;
    size_t n = 0;
    TY_TRY(ty_dir_list(e->ctx, e->out->folder, e->arena, &names, &n));
    for (size_t i = 0; i < n; i++) {
        if (strncmp(names[i], ".tmp-", 5) != 0)
            continue;
        const char *path = ty_path_join(e->arena, e->out->folder, names[i]);
        if (!path)
            return no_memory(e);
        TY_TRY(ty_file_unlink(e->ctx, path));
    }
    return TY_OK;
}

static ty_status write_files(exporting *e) {
    const ty_onnx_options options = {.version = TY_VERSION_TEXT, .opset = e->wish->opset};
    const char *folder = e->out->folder;
    TY_TRY(ty_dir_make(e->ctx, folder));
    TY_TRY(sweep(e));
    TY_TRY(ty_onnx_write(e->ctx, e->content, folder, &options, e->arena, &e->signature));
    TY_TRY(ty_safetensors_write(e->ctx, e->content, folder, TY_VERSION_TEXT));
    TY_TRY(make_example(e));
    TY_TRY(make_metadata(e));
    return write_package(e);
}

static ty_status export_content(exporting *e) {
    TY_TRY(choose_id(e));
    TY_TRY(choose_folder(e));
    return !e->wish->folder && is_made(e) ? TY_OK : write_files(e);
}

ty_status export_model(ty_ctx *ctx, const export_wish *wish, ty_arena *arena, export_made *out) {
    const char *path = NULL;
    ty_checkpoint_file *file = NULL;
    exporting e = {.ctx = ctx, .wish = wish, .arena = arena, .out = out};
    TY_TRY(choose_checkpoint(ctx, wish, arena, &path));
    TY_TRY(ty_model_read(ctx, path, &file));
    e.content = ty_checkpoint_content(file);
    const ty_status st = export_content(&e);
    ty_text_clear(&e.example);
    ty_checkpoint_file_close(file);
    return st == TY_OK ? TY_OK : ty_fail_within(ctx, st, "exporting %s", path);
}

/* --- while others wait ------------------------------------------------------------------------ */

typedef struct apart {
    ty_ctx ctx; /* the thread's */
    const export_wish *wish;
    ty_arena *arena;
    export_made *out;
    ty_status st;
    atomic_bool is_done;
} apart;

static void *export_in_thread(void *arg) {
    apart *a = arg;
    a->st = export_model(&a->ctx, a->wish, a->arena, a->out);
    atomic_store(&a->is_done, true);
    return NULL;
}

static ty_status wait_together(ty_ctx *ctx, ty_comm *comm, const apart *a) {
    static const struct timespec pause = {.tv_nsec = 20000000};
    uint64_t is_busy = 1;
    while (is_busy) {
        const bool is_mine = !atomic_load(&a->is_done);
        TY_TRY(ty_comm_vote(ctx, comm, is_mine, &is_busy));
        if (is_busy)
            (void)nanosleep(&pause, NULL);
    }
    return TY_OK;
}

ty_status export_model_apart(ty_ctx *ctx, ty_comm *comm, const export_wish *wish, ty_arena *arena,
                             export_made *out, ty_status *exported) {
    pthread_t thread;
    apart a = {.wish = wish, .arena = arena, .out = out};
    const bool is_alone = ty_comm_size(comm) == 1;
    ty_ctx_init_child(&a.ctx, ctx);
    atomic_init(&a.is_done, !wish);
    const bool has_thread =
        wish && !is_alone && pthread_create(&thread, NULL, export_in_thread, &a) == 0;
    if (wish && !has_thread)
        (void)export_in_thread(&a);
    const ty_status st = is_alone ? TY_OK : wait_together(ctx, comm, &a);
    if (has_thread)
        (void)pthread_join(thread, NULL);
    *exported = a.st;
    if (st == TY_OK && a.st != TY_OK)
        (void)ty_fail(ctx, a.st, "%s", a.ctx.message);
    ty_ctx_clear(&a.ctx);
    return st;
}
