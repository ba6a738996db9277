#include "tests/trainer/fake_gpu.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_WORK = 4096, POLLS_TO_QUEUE = 3 };

typedef enum work_kind { CALL, COPY, RECORD, AWAIT, ALL_REDUCE, ALL_TO_ALL, ALL_GATHER } work_kind;

typedef struct work {
    work_kind kind;
    void (*call)(void *);
    void *arg;
    float *to;
    const float *from;
    int64_t n;
    size_t event; /* of RECORD and AWAIT */
    bool has_begun;
    MPI_Request request;
} work;

typedef struct queue {
    work items[MAX_WORK];
    int first, end;
} queue;

typedef struct fake_gpu {
    ty_device device; /* first */
    queue queues[TY_QUEUE_COUNT];
    bool *events; /* [n_events] whether they were reached */
    size_t n_events;
    unsigned seed;
    MPI_Comm world;
    bool has_failed; /* a piece of work did */
    fake_gpu_faults faults;
    fake_gpu_counts counts;
} fake_gpu;

typedef struct fake_clique {
    ty_clique base; /* first */
    int polls_left; /* until the last call is queued */
} fake_clique;

static fake_gpu *of(ty_device *dev) {
    return (fake_gpu *)dev;
}

fake_gpu_faults *fake_gpu_faults_of(ty_device *dev) {
    return &of(dev)->faults;
}

const fake_gpu_counts *fake_gpu_counts_of(const ty_device *dev) {
    return &((const fake_gpu *)dev)->counts;
}

static void refuse(const char *what) {
    (void)fprintf(stderr, "fake GPU: %s\n", what);
    abort();
}

/* --- queues ----------------------------------------------------------------------------------- */

static work *add(fake_gpu *gpu, ty_queue where, work item) {
    queue *q = &gpu->queues[where];
    if (q->end == MAX_WORK)
        refuse("too much work between two waits");
    q->items[q->end] = item;
    return &q->items[q->end++];
}

static bool is_idle(const fake_gpu *gpu) {
    for (int i = 0; i < TY_QUEUE_COUNT; i++) {
        if (gpu->queues[i].first < gpu->queues[i].end)
            return false;
    }
    return true;
}

static void begin_mpi(fake_gpu *gpu, work *item) {
    const int n = (int)item->n;
    int st = MPI_SUCCESS;
    if (item->kind == ALL_REDUCE)
        st = MPI_Iallreduce(MPI_IN_PLACE, item->to, n, MPI_FLOAT, MPI_SUM, gpu->world,
                            &item->request);
    if (item->kind == ALL_TO_ALL)
        st = MPI_Ialltoall(item->from, n, MPI_FLOAT, item->to, n, MPI_FLOAT, gpu->world,
                           &item->request);
    if (item->kind == ALL_GATHER)
        st = MPI_Iallgather(MPI_IN_PLACE, 0, MPI_FLOAT, item->to, n, MPI_FLOAT, gpu->world,
                            &item->request);
    if (st != MPI_SUCCESS)
        refuse("MPI failed");
}

static void begin(fake_gpu *gpu, work *item) {
    item->has_begun = true;
    item->request = MPI_REQUEST_NULL;
    if (item->kind == CALL)
        item->call(item->arg);
    if (item->kind == COPY)
        memcpy(item->to, item->from, (size_t)item->n);
    if (item->kind == RECORD)
        gpu->events[item->event] = true;
    if (item->kind >= ALL_REDUCE)
        begin_mpi(gpu, item);
}

/* Whether the piece in front of the queue is done now. */
static bool advance(fake_gpu *gpu, work *item) {
    if (item->kind == AWAIT && !gpu->events[item->event])
        return false;
    if (!item->has_begun) {
        if (++gpu->counts.work == gpu->faults.failing_work)
            gpu->has_failed = true;
        if (gpu->counts.work == gpu->faults.signalling_work)
            (void)raise(gpu->faults.signal);
        if (gpu->faults.hanging_work && gpu->counts.work >= gpu->faults.hanging_work)
            return false;
        begin(gpu, item);
    }
    int is_done = 1;
    if (item->kind >= ALL_REDUCE)
        (void)MPI_Test(&item->request, &is_done, MPI_STATUS_IGNORE);
    return is_done;
}

static void forget_done(fake_gpu *gpu) {
    for (int i = 0; i < TY_QUEUE_COUNT; i++)
        gpu->queues[i].first = gpu->queues[i].end = 0;
    gpu->n_events = 0;
}

/* Looks once at the front of every queue, beginning with any. */
static void make_progress(fake_gpu *gpu) {
    const unsigned first = (unsigned)rand_r(&gpu->seed);
    for (unsigned i = 0; i < TY_QUEUE_COUNT && !gpu->has_failed; i++) {
        queue *q = &gpu->queues[(first + i) % TY_QUEUE_COUNT];
        if (q->first < q->end && advance(gpu, &q->items[q->first]))
            q->first++;
    }
    if (is_idle(gpu))
        forget_done(gpu);
}

void fake_gpu_queue(ty_device *dev, ty_queue where, void (*call)(void *), void *arg) {
    (void)add(of(dev), where, (work){.kind = CALL, .call = call, .arg = arg});
}

static ty_status order(ty_ctx *ctx, ty_device *dev, ty_queue before, ty_queue after) {
    fake_gpu *gpu = of(dev);
    bool *events = realloc(gpu->events, gpu->n_events + 1);
    if (!events)
        return ty_fail_nomem(ctx, "an event");
    gpu->events = events;
    events[gpu->n_events] = false;
    (void)add(gpu, before, (work){.kind = RECORD, .event = gpu->n_events});
    (void)add(gpu, after, (work){.kind = AWAIT, .event = gpu->n_events});
    gpu->n_events++;
    return TY_OK;
}

static ty_status copy(ty_ctx *ctx, ty_device *dev, ty_queue where, ty_copy kind, void *to,
                      const void *from, size_t bytes) {
    (void)ctx, (void)kind;
    (void)add(of(dev), where, (work){.kind = COPY, .to = to, .from = from, .n = (int64_t)bytes});
    return TY_OK;
}

static ty_status poll_work(ty_ctx *ctx, ty_device *dev, bool *out) {
    make_progress(of(dev));
    if (of(dev)->has_failed)
        return ty_fail(ctx, TY_ERR_DEVICE, "the GPU's work: it fell off the bus");
    *out = is_idle(of(dev));
    return TY_OK;
}

static ty_status sync_work(ty_ctx *ctx, ty_device *dev) {
    for (bool is_done = false; !is_done;)
        TY_TRY(poll_work(ctx, dev, &is_done));
    return TY_OK;
}

/* --- memory ----------------------------------------------------------------------------------- */

static ty_status alloc(ty_ctx *ctx, ty_device *dev, size_t bytes, void **out) {
    fake_gpu *gpu = of(dev);
    const size_t rounded = (bytes + 256) / 256 * 256;
    if (++gpu->counts.allocations == gpu->faults.failing_alloc)
        return ty_fail(ctx, TY_ERR_NOMEM, "no memory left for %zu bytes on fake", bytes);
    *out = aligned_alloc(256, rounded);
    if (!*out)
        return ty_fail_nomem(ctx, "the fake GPU");
    memset(*out, 0, rounded);
    gpu->counts.live_memory++;
    return TY_OK;
}

static void free_memory(ty_device *dev, void *memory) {
    if (!is_idle(of(dev)))
        refuse("memory freed under queued work");
    of(dev)->counts.live_memory--;
    if (!of(dev)->counts.aborted_cliques) /* else MPI may still write to it */
        free(memory);
}

/* --- cliques ---------------------------------------------------------------------------------- */

static fake_clique *clique_of(ty_clique *base) {
    return (fake_clique *)base;
}

static ty_status new_id(ty_ctx *ctx, ty_device *dev, uint8_t id[TY_CLIQUE_ID_BYTES]) {
    if (of(dev)->faults.lacks_nccl)
        return ty_fail(ctx, TY_ERR_DEVICE, "NCCL 2 is not installed");
    memset(id, 0x5a, TY_CLIQUE_ID_BYTES);
    return TY_OK;
}

static ty_status open_clique(ty_ctx *ctx, ty_device *dev, const uint8_t id[TY_CLIQUE_ID_BYTES],
                             int rank, int size, ty_clique **out) {
    if (of(dev)->faults.lacks_nccl)
        return ty_fail(ctx, TY_ERR_DEVICE, "NCCL 2 is not installed");
    if (id[0] != 0x5a || id[TY_CLIQUE_ID_BYTES - 1] != 0x5a)
        refuse("the id is not rank 0's");
    fake_clique *it = calloc(1, sizeof *it);
    if (!it)
        return ty_fail_nomem(ctx, "a clique");
    *it = (fake_clique){.base = {.dev = dev, .rank = rank, .size = size},
                        .polls_left = POLLS_TO_QUEUE};
    of(dev)->counts.live_cliques++;
    *out = &it->base;
    return TY_OK;
}

static ty_status poll_clique(ty_ctx *ctx, ty_clique *base, bool *is_ready) {
    fake_gpu *gpu = of(base->dev);
    const int n = ++gpu->counts.polls;
    if (gpu->faults.failing_poll && n >= gpu->faults.failing_poll)
        return ty_fail(ctx, TY_ERR_COMM, "NCCL: remote process exited");
    if (!gpu->faults.never_connects && clique_of(base)->polls_left > 0)
        clique_of(base)->polls_left--;
    *is_ready = clique_of(base)->polls_left == 0;
    return TY_OK;
}

static void end_clique(ty_clique *base) {
    of(base->dev)->counts.live_cliques--;
    free(base);
}

/* What MPI has begun it cannot give up: those requests are left to the end of the process. */
static void abort_clique(ty_clique *base) {
    fake_gpu *gpu = of(base->dev);
    gpu->counts.aborted_cliques++;
    forget_done(gpu);
    end_clique(base);
}

static void close_clique(ty_clique *base) {
    of(base->dev)->counts.closed_cliques++;
    end_clique(base);
}

static ty_status queue_together(ty_ctx *ctx, ty_clique *base, work item) {
    fake_gpu *gpu = of(base->dev);
    if (clique_of(base)->polls_left > 0)
        refuse("a call before the one before it was queued");
    if (++gpu->counts.calls == gpu->faults.failing_call)
        return ty_fail(ctx, TY_ERR_COMM, "NCCL: unhandled cuda error");
    clique_of(base)->polls_left = POLLS_TO_QUEUE;
    (void)add(gpu, TY_QUEUE_COMM, item);
    return TY_OK;
}

static ty_status all_reduce(ty_ctx *ctx, ty_clique *base, float *x, int64_t n) {
    of(base->dev)->counts.all_reduces++;
    return queue_together(ctx, base, (work){.kind = ALL_REDUCE, .to = x, .n = n});
}

static ty_status all_to_all(ty_ctx *ctx, ty_clique *base, const float *from, float *to,
                            int64_t slice) {
    return queue_together(ctx, base,
                          (work){.kind = ALL_TO_ALL, .to = to, .from = from, .n = slice});
}

static ty_status all_gather(ty_ctx *ctx, ty_clique *base, float *x, int64_t slice) {
    return queue_together(ctx, base, (work){.kind = ALL_GATHER, .to = x, .n = slice});
}

typedef struct slices {
    const float *parts;
    float *to;
    int64_t slice;
    int size;
} slices;

static float tree(const slices *it, int64_t i, int first, int width) {
    if (width == 1)
        return it->parts[first * it->slice + i];
    const float left = tree(it, i, first, width / 2);
    const int middle = first + width / 2;
    return middle < it->size ? left + tree(it, i, middle, width / 2) : left;
}

static void add_slices(void *arg) {
    const slices *it = arg;
    int width = 1;
    while (width < it->size)
        width *= 2;
    for (int64_t i = 0; i < it->slice; i++)
        it->to[i] = tree(it, i, 0, width);
    free(arg);
}

static ty_status sum_slices(ty_ctx *ctx, ty_clique *base, const float *parts, float *to,
                            int64_t slice) {
    fake_gpu *gpu = of(base->dev);
    slices *it = malloc(sizeof *it);
    if (!it)
        return ty_fail_nomem(ctx, "a kernel");
    *it = (slices){.parts = parts, .to = to, .slice = slice, .size = base->size};
    (void)add(gpu, TY_QUEUE_COMM, (work){.kind = CALL, .call = add_slices, .arg = it});
    return TY_OK;
}

static const ty_clique_table cliques = {.new_id = new_id,
                                        .open = open_clique,
                                        .poll = poll_clique,
                                        .abort = abort_clique,
                                        .close = close_clique,
                                        .all_reduce = all_reduce,
                                        .all_to_all = all_to_all,
                                        .all_gather = all_gather,
                                        .sum_slices = sum_slices};

/* --- the device ------------------------------------------------------------------------------- */

static const ty_backend backend = {.abi = TY_BACKEND_ABI,
                                   .alloc = alloc,
                                   .free = free_memory,
                                   .alloc_host = alloc,
                                   .free_host = free_memory,
                                   .order = order,
                                   .copy = copy,
                                   .poll = poll_work,
                                   .sync = sync_work,
                                   .cliques = &cliques};

ty_device *fake_gpu_open(MPI_Comm world, unsigned seed) {
    fake_gpu *gpu = calloc(1, sizeof *gpu);
    if (!gpu)
        refuse("no memory");
    gpu->device = (ty_device){
        .backend = &backend,
        .info = {.kind = TY_DEVICE_IS_CUDA, .name = "fake", .model = "fake", .numeric = "fake"}};
    gpu->seed = seed;
    gpu->world = MPI_COMM_NULL;
    if (world != MPI_COMM_NULL && MPI_Comm_dup(world, &gpu->world) != MPI_SUCCESS)
        refuse("MPI failed");
    return &gpu->device;
}

void fake_gpu_close(ty_device *dev) {
    fake_gpu *gpu = of(dev);
    if (gpu->world != MPI_COMM_NULL && !gpu->counts.aborted_cliques)
        (void)MPI_Comm_free(&gpu->world);
    free(gpu->events);
    free(gpu);
}
