/* The background writer. The caller's thread copies into one staging buffer; the writer's thread
 * lays out, writes, publishes and prunes. One save is in flight at a time, so there is one buffer,
 * and it belongs to whoever has the job. */
#include "trainer/checkpoint_private.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { HUGE_PAGE_BYTES = 2 * 1024 * 1024, TOUCH_BYTES = 4096 };

/* A finished save, waiting for poll. */
typedef struct finished {
    struct finished *next;
    ty_ckpt_result result;
    char *path;
    char message[TY_MESSAGE_BYTES];
} finished;

/* A deep copy of what was submitted. */
typedef struct staging {
    ty_checkpoint content;
    ty_arena arena; /* names, texts, tensor rows */
    unsigned char *bytes;
    size_t capacity;
    bool is_best;
} staging;

struct ty_ckpt_writer {
    ty_ctx ctx; /* the thread's */
    char *folder;
    ty_ckpt_writer_options options;
    int64_t best_step; /* the thread's; -1: none */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* Under lock: */
    bool has_job, must_stop;
    bool is_preparing; /* the staging memory is being touched for the first time */
    finished *job;     /* where the save in flight will be told */
    finished *first, **last;
    /* The caller's, while there is no job; the thread's, while there is one. */
    staging staged;
    finished *polled; /* the caller's */
};

/* --- staging memory --------------------------------------------------------------------------- */

static size_t round_up(size_t bytes, size_t to) {
    return (bytes + to - 1) / to * to;
}

/* Large buffers ask for huge pages: 512 times fewer faults when they are touched first. */
static ty_status reserve(ty_ctx *ctx, staging *to, size_t bytes) {
    if (bytes <= to->capacity)
        return TY_OK;
    free(to->bytes); /* nothing in it is wanted any more */
    to->capacity = 0;
    to->bytes = NULL;
    if (bytes > SIZE_MAX / 2 ||
        !(to->bytes = aligned_alloc(HUGE_PAGE_BYTES, round_up(bytes, HUGE_PAGE_BYTES))))
        return ty_fail_nomem(ctx, "the staging copy of a checkpoint");
    (void)madvise(to->bytes, round_up(bytes, HUGE_PAGE_BYTES), MADV_HUGEPAGE);
    to->capacity = bytes;
    return TY_OK;
}

/* --- the thread ------------------------------------------------------------------------------- */

static void prune(ty_ckpt_writer *writer, int64_t step) {
    ty_ctx *ctx = &writer->ctx;
    ty_status st = ty_ckpt_folder_prune(ctx, writer->folder, step,
                                        writer->options.keep_best ? writer->best_step : -1,
                                        writer->options.keep_last);
    if (st != TY_OK)
        ty_log(ctx, TY_LOG_WARN, "checkpoint", "%s; it is kept", ctx->message);
}

static void save(ty_ckpt_writer *writer, finished *job) {
    ty_ctx *ctx = &writer->ctx;
    const ty_checkpoint *content = &writer->staged.content;
    int64_t start = ty_now_ns(ctx);
    if (writer->options.observers)
        ty_observers_keep(ctx, writer->options.observers);
    job->result.status = ty_ckpt_publish(ctx, job->path, content, writer->staged.is_best);
    if (job->result.status == TY_OK) {
        if (writer->staged.is_best)
            writer->best_step = content->step;
        prune(writer, content->step);
    } else {
        memcpy(job->message, ctx->message, sizeof job->message);
    }
    job->result.seconds = (double)(ty_now_ns(ctx) - start) * 1e-9;
}

/* Fresh memory costs several times its copying, so it is touched while training starts. Failing is
 * no harm: submit tries again and can say so. */
static void prepare_staging(ty_ckpt_writer *writer) {
    staging *to = &writer->staged;
    if (reserve(&writer->ctx, to, writer->options.expected_bytes) == TY_OK)
        for (size_t at = 0; at < to->capacity; at += TOUCH_BYTES)
            to->bytes[at] = 0;
}

static void *run(void *argument) {
    ty_ckpt_writer *writer = argument;
    prepare_staging(writer);
    (void)pthread_mutex_lock(&writer->lock);
    writer->is_preparing = false;
    (void)pthread_cond_broadcast(&writer->changed);
    for (;;) {
        while (!writer->has_job && !writer->must_stop)
            (void)pthread_cond_wait(&writer->changed, &writer->lock);
        if (!writer->has_job)
            break;
        finished *job = writer->job;
        (void)pthread_mutex_unlock(&writer->lock);
        save(writer, job);
        (void)pthread_mutex_lock(&writer->lock);
        *writer->last = job;
        writer->last = &job->next;
        writer->job = NULL;
        writer->has_job = false;
        (void)pthread_cond_broadcast(&writer->changed);
    }
    (void)pthread_mutex_unlock(&writer->lock);
    return NULL;
}

/* Signals are the main thread's business. */
static ty_status start_thread(ty_ctx *ctx, ty_ckpt_writer *writer) {
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = pthread_create(&writer->thread, NULL, run, writer);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result == 0 ? TY_OK : ty_fail_errno(ctx, result, "cannot start the checkpoint thread");
}

/* --- open and close --------------------------------------------------------------------------- */

static ty_status check_library(ty_ctx *ctx) {
    hbool_t is_threadsafe = 0;
    if (H5is_library_threadsafe(&is_threadsafe) < 0 || !is_threadsafe)
        return ty_fail(
            ctx, TY_ERR_FAILED,
            "this HDF5 library is not thread-safe; want Debian's serial build (libhdf5-103-1)");
    return TY_OK;
}

static ty_status prepare_folder(ty_ctx *ctx, ty_ckpt_writer *writer) {
    TY_TRY(ty_dir_make(ctx, writer->folder));
    TY_TRY(ty_ckpt_folder_sweep(ctx, writer->folder));
    return ty_ckpt_folder_best(ctx, writer->folder, &writer->best_step);
}

static void release(ty_ckpt_writer *writer) {
    while (writer->first) {
        finished *next = writer->first->next;
        free(writer->first->path);
        free(writer->first);
        writer->first = next;
    }
    if (writer->polled)
        free(writer->polled->path);
    free(writer->polled);
    ty_arena_clear(&writer->staged.arena);
    free(writer->staged.bytes);
    (void)pthread_cond_destroy(&writer->changed);
    (void)pthread_mutex_destroy(&writer->lock);
    ty_ctx_clear(&writer->ctx);
    free(writer->folder);
    free(writer);
}

ty_status ty_ckpt_writer_open(ty_ctx *ctx, const ty_ckpt_writer_options *options,
                              ty_ckpt_writer **out) {
    if (options->keep_last < 1)
        return ty_fail(ctx, TY_ERR_ARG, "keeping %d checkpoints, want at least 1",
                       options->keep_last);
    TY_TRY(check_library(ctx));
    ty_ckpt_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return ty_fail_nomem(ctx, "the checkpoint writer");
    ty_ctx_init_child(&writer->ctx, ctx);
    (void)pthread_mutex_init(&writer->lock, NULL);
    (void)pthread_cond_init(&writer->changed, NULL);
    writer->options = *options;
    writer->last = &writer->first;
    writer->best_step = -1;
    writer->is_preparing = true;
    writer->folder = strdup(options->folder);
    ty_status st = writer->folder ? TY_OK : ty_fail_nomem(ctx, "the checkpoint writer");
    if (st == TY_OK)
        st = prepare_folder(ctx, writer);
    if (st == TY_OK)
        st = start_thread(ctx, writer);
    if (st != TY_OK) {
        release(writer);
        return st;
    }
    *out = writer;
    return TY_OK;
}

void ty_ckpt_writer_close(ty_ckpt_writer *writer) {
    if (!writer)
        return;
    (void)pthread_mutex_lock(&writer->lock);
    writer->must_stop = true;
    (void)pthread_cond_broadcast(&writer->changed);
    (void)pthread_mutex_unlock(&writer->lock);
    (void)pthread_join(writer->thread, NULL);
    release(writer);
}

/* --- submit ----------------------------------------------------------------------------------- */

static void wait_until_idle(ty_ckpt_writer *writer) {
    (void)pthread_mutex_lock(&writer->lock);
    while (writer->has_job || writer->is_preparing)
        (void)pthread_cond_wait(&writer->changed, &writer->lock);
    (void)pthread_mutex_unlock(&writer->lock);
}

static bool copy_texts(staging *to, const ty_checkpoint *from) {
    ty_arena_clear(&to->arena);
    to->content = (ty_checkpoint){
        .step = from->step,
        .state = ty_arena_string(&to->arena, from->state),
        .config = ty_arena_string(&to->arena, from->config),
        .data_state = ty_arena_string(&to->arena, from->data_state),
    };
    return to->content.state && to->content.config && to->content.data_state;
}

static ty_status copy_content(ty_ctx *ctx, staging *to, const ty_checkpoint *from) {
    size_t total = 0, count = (size_t)from->n_tensors, at = 0;
    TY_TRY(ty_ckpt_check_content(ctx, from, &total));
    TY_TRY(reserve(ctx, to, total + count * TY_CKPT_ALIGNMENT));
    ty_ckpt_tensor *tensors = NULL;
    if (!copy_texts(to, from) ||
        !(tensors = ty_arena_array(&to->arena, count + 1, sizeof *tensors)))
        return ty_fail_nomem(ctx, "the staging copy of a checkpoint");
    for (size_t i = 0; i < count; i++) {
        size_t bytes = ty_ckpt_tensor_bytes(&from->tensors[i]);
        tensors[i] = from->tensors[i];
        tensors[i].data = to->bytes + at;
        if (!(tensors[i].name = ty_arena_string(&to->arena, from->tensors[i].name)))
            return ty_fail_nomem(ctx, "the staging copy of a checkpoint");
        if (bytes > 0)
            memcpy(tensors[i].data, from->tensors[i].data, bytes);
        at += round_up(bytes, TY_CKPT_ALIGNMENT);
    }
    to->content.tensors = tensors;
    to->content.n_tensors = from->n_tensors;
    return TY_OK;
}

static ty_status make_job(ty_ctx *ctx, const ty_ckpt_writer *writer, int64_t step, bool is_best,
                          finished **out) {
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const char *path = ty_checkpoint_path(&ctx->scratch, writer->folder, step);
    finished *job = calloc(1, sizeof *job);
    char *copy = path ? strdup(path) : NULL;
    ty_arena_reset(&ctx->scratch, mark);
    if (!job || !copy) {
        free(job);
        free(copy);
        return ty_fail_nomem(ctx, "a checkpoint");
    }
    job->path = copy;
    job->result = (ty_ckpt_result){.step = step, .is_best = is_best};
    *out = job;
    return TY_OK;
}

ty_status ty_ckpt_writer_submit(ty_ctx *ctx, ty_ckpt_writer *writer,
                                const ty_checkpoint *checkpoint, bool is_best) {
    finished *job = NULL;
    wait_until_idle(writer);
    TY_TRY(copy_content(ctx, &writer->staged, checkpoint));
    TY_TRY(make_job(ctx, writer, checkpoint->step, is_best, &job));
    writer->staged.is_best = is_best;
    (void)pthread_mutex_lock(&writer->lock);
    writer->job = job;
    writer->has_job = true;
    (void)pthread_cond_broadcast(&writer->changed);
    (void)pthread_mutex_unlock(&writer->lock);
    return TY_OK;
}

/* --- poll ------------------------------------------------------------------------------------- */

static finished *take_first(ty_ckpt_writer *writer, bool wait) {
    (void)pthread_mutex_lock(&writer->lock);
    while (wait && writer->has_job)
        (void)pthread_cond_wait(&writer->changed, &writer->lock);
    finished *taken = writer->first;
    if (taken) {
        writer->first = taken->next;
        if (!writer->first)
            writer->last = &writer->first;
    }
    (void)pthread_mutex_unlock(&writer->lock);
    return taken;
}

bool ty_ckpt_writer_poll(ty_ckpt_writer *writer, bool wait, ty_ckpt_result *out) {
    finished *taken = take_first(writer, wait);
    if (writer->polled)
        free(writer->polled->path);
    free(writer->polled);
    writer->polled = taken;
    if (!taken)
        return false;
    *out = taken->result;
    out->path = taken->path;
    out->message = taken->message;
    return true;
}
