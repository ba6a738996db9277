/* A thread fills a ring of batches ahead of the one that trains.
 *
 *     slots 0 .. depth: one is held by the consumer, the others are filled in turn
 *     n_filled, n_taken, n_released only grow; slot of batch b is b mod n_slots
 *     invariant under lock: n_released <= n_taken <= n_filled <= n_released + n_slots
 *
 * The thread owns the slots in [n_filled, n_released + n_slots), so it fills them without the
 * lock. */
#include "data/loader.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "data/augment.h"
#include "data/set.h"

typedef struct slot {
    void *x, *y;
    float *weight;
    int64_t *sample;
    int64_t position;
} slot;

struct ty_loader {
    ty_loader_options options;
    ty_sampler sampler;
    ty_augment augment;
    int64_t n_samples, n_batches; /* n_batches: INT64_MAX in training */
    size_t x_bytes, y_bytes;      /* of a sample */
    slot *slots;
    int n_slots;
    void *unaugmented; /* one sample as stored */
    ty_ctx ctx;        /* the thread's */

    pthread_mutex_t lock;
    pthread_cond_t is_filled, is_released;
    bool has_sync, has_thread;
    pthread_t thread;
    /* Under lock. */
    int64_t n_filled, n_taken, n_released;
    bool is_stopping;
    ty_status st; /* why the thread gave up; the message is in ctx */
};

/* --- filling, on the thread ------------------------------------------------------------------- */

static ty_status fill_row(ty_loader *loader, const slot *to, int64_t row, int64_t position) {
    const ty_loader_options *o = &loader->options;
    uint8_t *x = (uint8_t *)to->x + (size_t)row * loader->x_bytes;
    uint8_t *y = (uint8_t *)to->y + (size_t)row * loader->y_bytes;
    if (!o->is_training && position >= loader->n_samples) {
        memset(x, 0, loader->x_bytes);
        memset(y, 0, loader->y_bytes);
        to->weight[row] = 0.0f;
        to->sample[row] = -1;
        return TY_OK;
    }
    const int64_t epoch = position / loader->n_samples, index = position % loader->n_samples;
    const int64_t sample = o->is_training ? ty_sampler_at(&loader->sampler, epoch, index) : index;
    const bool is_changed = o->is_training && !ty_augment_is_off(&loader->augment);
    TY_TRY(ty_dataset_sample(&loader->ctx, o->set, o->split, sample,
                             is_changed ? loader->unaugmented : x, y));
    if (is_changed)
        ty_augment_apply(&loader->augment, sample, epoch, loader->unaugmented, x);
    to->weight[row] = 1.0f;
    to->sample[row] = sample;
    return TY_OK;
}

static ty_status fill_slot(ty_loader *loader, slot *to, int64_t batch) {
    const ty_loader_options *o = &loader->options;
    to->position = o->start_position + batch * o->rows_all_ranks + o->first_row;
    for (int64_t row = 0; row < o->rows; row++)
        TY_TRY(fill_row(loader, to, row, to->position + row));
    return TY_OK;
}

/* Waits for a slot that nobody holds. False when there is nothing left to do. */
static bool await_free_slot(ty_loader *loader, int64_t *batch) {
    (void)pthread_mutex_lock(&loader->lock);
    while (!loader->is_stopping && loader->n_filled == loader->n_released + loader->n_slots)
        (void)pthread_cond_wait(&loader->is_released, &loader->lock);
    const bool goes_on = !loader->is_stopping && loader->n_filled < loader->n_batches;
    *batch = loader->n_filled;
    (void)pthread_mutex_unlock(&loader->lock);
    return goes_on;
}

static void *run_thread(void *argument) {
    ty_loader *loader = argument;
    int64_t batch = 0;
    ty_status st = TY_OK;
    while (st == TY_OK && await_free_slot(loader, &batch)) {
        st = fill_slot(loader, &loader->slots[batch % loader->n_slots], batch);
        (void)pthread_mutex_lock(&loader->lock);
        loader->n_filled += st == TY_OK;
        loader->st = st;
        (void)pthread_cond_signal(&loader->is_filled);
        (void)pthread_mutex_unlock(&loader->lock);
    }
    return NULL;
}

/* --- opening ---------------------------------------------------------------------------------- */

static ty_status check_options(ty_ctx *ctx, const ty_loader_options *o, int64_t n) {
    if (o->rows < 1 || o->first_row < 0 || o->first_row + o->rows > o->rows_all_ranks ||
        o->depth < 2)
        return ty_fail(ctx, TY_ERR_ARG,
                       "a loader of rows %lld to %lld of %lld, depth %d; want rows within the "
                       "global batch and a "
                       "depth of at least 2",
                       (long long)o->first_row, (long long)(o->first_row + o->rows - 1),
                       (long long)o->rows_all_ranks, o->depth);
    if (o->start_position < 0 || o->start_position % o->rows_all_ranks != 0)
        return ty_fail(ctx, TY_ERR_ARG, "a loader from position %lld, want a multiple of %lld",
                       (long long)o->start_position, (long long)o->rows_all_ranks);
    if (n < 1)
        return ty_fail(ctx, TY_ERR_DATA, "the %s split has 0 samples", ty_split_names[o->split]);
    if (o->is_training && n < o->rows_all_ranks)
        return ty_fail(ctx, TY_ERR_CONFIG,
                       "the %s split has %lld samples, fewer than the global batch of %lld; use a "
                       "smaller batch, "
                       "fewer ranks or more data",
                       ty_split_names[o->split], (long long)n, (long long)o->rows_all_ranks);
    return TY_OK;
}

static ty_status alloc_bytes(ty_ctx *ctx, int64_t rows, size_t row_bytes, void *out) {
    enum { ALIGNMENT = 64 };
    size_t bytes = 0;
    void *memory = NULL;
    if (!ty_size_of_i64(rows, &bytes) || !ty_mul_size(bytes, row_bytes, &bytes) ||
        posix_memalign(&memory, ALIGNMENT, bytes) != 0)
        return ty_fail_nomem(ctx, "prefetched batches");
    memset(memory, 0, bytes);
    memcpy(out, &memory, sizeof memory);
    return TY_OK;
}

static ty_status alloc_slots(ty_ctx *ctx, ty_loader *loader) {
    const int64_t rows = loader->options.rows;
    loader->slots = calloc((size_t)loader->n_slots, sizeof *loader->slots);
    if (!loader->slots)
        return ty_fail_nomem(ctx, "prefetched batches");
    for (int i = 0; i < loader->n_slots; i++) {
        slot *s = &loader->slots[i];
        TY_TRY(alloc_bytes(ctx, rows, loader->x_bytes, &s->x));
        TY_TRY(alloc_bytes(ctx, rows, loader->y_bytes, &s->y));
        TY_TRY(alloc_bytes(ctx, rows, sizeof *s->weight, &s->weight));
        TY_TRY(alloc_bytes(ctx, rows, sizeof *s->sample, &s->sample));
    }
    return alloc_bytes(ctx, 1, loader->x_bytes, &loader->unaugmented);
}

static void set_up(ty_loader *loader, const ty_loader_options *o) {
    const ty_dataset *set = o->set;
    const ty_data_info *info = &set->info;
    const size_t element_bytes = info->x_is_u8 ? 1 : sizeof(float);
    loader->options = *o;
    loader->n_samples = info->count[o->split];
    loader->n_slots = o->depth + 1;
    loader->x_bytes = (size_t)info->x_count * element_bytes;
    loader->y_bytes =
        info->is_classification ? sizeof(int32_t) : (size_t)info->n_outputs * sizeof(float);
    loader->n_batches = INT64_MAX;
    if (!o->is_training) {
        const int64_t left = loader->n_samples - o->start_position;
        loader->n_batches = left > 0 ? (left + o->rows_all_ranks - 1) / o->rows_all_ranks : 0;
    }
    loader->augment = (ty_augment){.seed = o->seed,
                                   .flip = set->flip,
                                   .crop_padding = set->crop_padding,
                                   .element_bytes = element_bytes};
    memcpy(loader->augment.dims, info->x_dims, sizeof loader->augment.dims);
    ty_sampler_init(&loader->sampler, set, o->split, o->seed);
}

/* Signals are the main thread's: this one blocks them all. */
static ty_status start_thread(ty_ctx *ctx, ty_loader *loader) {
    sigset_t all, before;
    if (pthread_mutex_init(&loader->lock, NULL) != 0 ||
        pthread_cond_init(&loader->is_filled, NULL) != 0 ||
        pthread_cond_init(&loader->is_released, NULL) != 0)
        return ty_fail(ctx, TY_ERR_FAILED, "the loader's locks could not be made");
    loader->has_sync = true;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    const int rc = pthread_create(&loader->thread, NULL, run_thread, loader);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return ty_fail_errno(ctx, rc, "starting the loader's thread");
    loader->has_thread = true;
    return TY_OK;
}

ty_status ty_loader_open(ty_ctx *ctx, const ty_loader_options *options, ty_loader **out) {
    TY_TRY(check_options(ctx, options, ty_dataset_info(options->set)->count[options->split]));
    ty_loader *loader = calloc(1, sizeof *loader);
    if (!loader)
        return ty_fail_nomem(ctx, "a loader");
    ty_ctx_init_child(&loader->ctx, ctx);
    set_up(loader, options);
    ty_status st = alloc_slots(ctx, loader);
    if (st == TY_OK)
        st = start_thread(ctx, loader);
    if (st != TY_OK) {
        ty_loader_close(loader);
        return st;
    }
    *out = loader;
    return TY_OK;
}

void ty_loader_close(ty_loader *loader) {
    if (!loader)
        return;
    if (loader->has_thread) {
        (void)pthread_mutex_lock(&loader->lock);
        loader->is_stopping = true;
        (void)pthread_cond_signal(&loader->is_released);
        (void)pthread_mutex_unlock(&loader->lock);
        (void)pthread_join(loader->thread, NULL);
    }
    if (loader->has_sync) {
        (void)pthread_cond_destroy(&loader->is_released);
        (void)pthread_cond_destroy(&loader->is_filled);
        (void)pthread_mutex_destroy(&loader->lock);
    }
    for (int i = 0; loader->slots && i < loader->n_slots; i++) {
        free(loader->slots[i].x);
        free(loader->slots[i].y);
        free(loader->slots[i].weight);
        free(loader->slots[i].sample);
    }
    free(loader->slots);
    free(loader->unaugmented);
    ty_ctx_clear(&loader->ctx);
    free(loader);
}

/* --- taking ----------------------------------------------------------------------------------- */

/* Gives back what the last call handed out and waits for the next batch. Under lock. */
static bool await_batch(ty_loader *loader) {
    if (loader->n_released < loader->n_taken) {
        loader->n_released = loader->n_taken;
        (void)pthread_cond_signal(&loader->is_released);
    }
    while (loader->n_filled == loader->n_taken && loader->st == TY_OK &&
           loader->n_taken < loader->n_batches)
        (void)pthread_cond_wait(&loader->is_filled, &loader->lock);
    return loader->n_filled > loader->n_taken;
}

ty_status ty_loader_next(ty_ctx *ctx, ty_loader *loader, ty_batch *out, bool *has_batch,
                         int64_t *wait_ns) {
    const int64_t start = wait_ns ? ty_now_ns(ctx) : 0;
    (void)pthread_mutex_lock(&loader->lock);
    *has_batch = await_batch(loader);
    const int64_t batch = loader->n_taken;
    loader->n_taken += *has_batch;
    const ty_status st = *has_batch ? TY_OK : loader->st;
    (void)pthread_mutex_unlock(&loader->lock);
    if (wait_ns)
        *wait_ns = ty_now_ns(ctx) - start;
    if (st != TY_OK) /* the thread has ended: its message stands still */
        return ty_fail(ctx, st, "%s", loader->ctx.message);
    if (!*has_batch)
        return TY_OK;
    const slot *s = &loader->slots[batch % loader->n_slots];
    *out = (ty_batch){.rows = loader->options.rows,
                      .x = s->x,
                      .y = s->y,
                      .weight = s->weight,
                      .sample = s->sample,
                      .position = s->position};
    return TY_OK;
}
