#include "cli/train/monitor.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "cli/train/monitor_names.h"

static const char topic[] = "monitor";
static const double default_every_s = 10, least_every_s = 0.1, most_every_s = 1e6, first_s = 1;

/* Shares of a shorter time say nothing. */
static const int64_t shortest_ns = 50 * 1000000LL;

/* As many samples as a rank keeps until the next post; an evaluation may take that long. */
enum { KEPT = 16 };

typedef struct letter {
    int64_t n;
    load_sample v[KEPT];
} letter;

struct monitor {
    ty_ctx ctx; /* the thread's own, and of closing once that has ended */
    monitor_options options;
    char *folder;
    int rank, size;
    load_seat *seats; /* [size] */
    bool tells_host, tells_gpu;
    ty_nvml *nvml; /* NULL: no GPU is watched */
    ty_system_reading first, before;
    int64_t before_ns;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t wake;
    bool is_closing;
    letter kept; /* of ranks other than 0 */
};

/* --- the environment -------------------------------------------------------------------------- */

static bool is_off(const char *value) {
    return value && (strcasecmp(value, "false") == 0 || strcmp(value, "0") == 0);
}

double monitor_interval(const ty_ctx *ctx, double configured) {
    const char *asked = ctx->getenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL");
    double every = default_every_s;
    if (!isnan(configured))
        every = configured;
    else if (is_off(ctx->getenv("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING")))
        every = 0;
    else if (asked && strtod(asked, NULL) > 0)
        every = strtod(asked, NULL);
    if (every <= 0)
        return 0;
    return fmin(fmax(every, least_every_s), most_every_s);
}

/* --- samples ---------------------------------------------------------------------------------- */

static void take_sample(monitor *m, load_sample *out) {
    ty_system_reading now;
    ty_nvml_reading gpu;
    const int64_t now_ns = ty_now_ns(&m->ctx);
    *out = (load_sample){.time_ns = ty_now_wall_ns(&m->ctx)};
    for (int i = 0; i < LOAD_COLUMNS; i++)
        out->value[i] = NAN;
    ty_system_read(&m->ctx, "", m->folder, &now);
    load_of_system(&m->first, &m->before, &now, (double)(now_ns - m->before_ns) * 1e-9,
                   m->tells_host, out->value);
    if (m->tells_gpu) {
        ty_nvml_read(m->nvml, &gpu);
        load_of_gpu(&gpu, out->value);
    }
    m->before = now;
    m->before_ns = now_ns;
}

static void tell(const monitor *m, int rank, const load_sample *sample) {
    char key[LOAD_KEY_BYTES];
    const char *reason;
    for (int i = 0; i < LOAD_COLUMNS; i++) {
        if (!isfinite(sample->value[i]))
            continue;
        load_key(m->seats, m->size, rank, (load_column)i, key);
        const ty_event event = {.kind = TY_EVENT_METRIC,
                                .time_ns = sample->time_ns,
                                .step = -1,
                                .metric = {.key = key, .value = sample->value[i]}};
        (void)m->options.observer.notify(m->options.observer.self, &event, &reason);
    }
}

/* The oldest makes room: what is newest says most. */
static void keep(letter *kept, const load_sample *sample) {
    if (kept->n == KEPT)
        memmove(kept->v, kept->v + 1, (size_t)--kept->n * sizeof *kept->v);
    kept->v[kept->n++] = *sample;
}

/* --- the thread ------------------------------------------------------------------------------- */

static struct timespec later(double seconds) {
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    const double whole = floor(seconds);
    at.tv_sec += (time_t)whole;
    at.tv_nsec += (long)((seconds - whole) * 1e9);
    at.tv_sec += at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    return at;
}

/* Lock held. */
static bool wait_for(monitor *m, double seconds) {
    const struct timespec until = later(seconds);
    int code = 0;
    while (!m->is_closing && code != ETIMEDOUT)
        code = pthread_cond_timedwait(&m->wake, &m->lock, &until);
    return !m->is_closing;
}

static void sample_once(monitor *m) {
    load_sample sample;
    take_sample(m, &sample);
    if (m->rank == 0) {
        tell(m, 0, &sample);
        return;
    }
    (void)pthread_mutex_lock(&m->lock);
    keep(&m->kept, &sample);
    (void)pthread_mutex_unlock(&m->lock);
}

/* A short run has a point, too. */
static void *run_thread(void *self) {
    monitor *m = self;
    const double every = m->options.every_s;
    (void)pthread_mutex_lock(&m->lock);
    for (double wait = fmin(every, first_s); wait_for(m, wait); wait = every) {
        (void)pthread_mutex_unlock(&m->lock);
        sample_once(m);
        (void)pthread_mutex_lock(&m->lock);
    }
    (void)pthread_mutex_unlock(&m->lock);
    return NULL;
}

/* --- opening ---------------------------------------------------------------------------------- */

static void open_gpu(ty_ctx *ctx, monitor *m) {
    const uint8_t *uuid = m->options.gpu_uuid;
    if (uuid && ty_nvml_open(ctx, NULL, uuid, &m->nvml) != TY_OK)
        ty_log(ctx, TY_LOG_INFO, topic, "no metrics of the GPU: %s", ctx->message);
}

static load_seat my_seat(const ty_ctx *ctx, const monitor *m) {
    const char *id = ctx->getenv("MLFLOW_SYSTEM_METRICS_NODE_ID");
    load_seat seat;
    memset(&seat, 0, sizeof seat);
    (void)snprintf(seat.node_id, sizeof seat.node_id, "%.60s", id ? id : "");
    seat.node = ty_comm_node(m->options.comm);
    seat.gpu = m->nvml ? ty_nvml_index(m->nvml) : -1;
    return seat;
}

/* Everybody's place. Collective. */
static ty_status meet(ty_ctx *ctx, monitor *m) {
    const load_seat mine = my_seat(ctx, m);
    m->seats = calloc((size_t)m->size, sizeof *m->seats);
    m->folder = strdup(m->options.folder);
    const ty_status st = m->seats && m->folder ? TY_OK : ty_fail_nomem(ctx, "the machine's load");
    TY_TRY(ty_comm_agree(ctx, m->options.comm, st));
    TY_TRY(ty_comm_all_gather(ctx, m->options.comm, &mine, sizeof mine, m->seats));
    m->tells_host = load_tells_host(m->seats, m->rank);
    m->tells_gpu = load_tells_gpu(m->seats, m->rank);
    return TY_OK;
}

static ty_status start(ty_ctx *ctx, monitor *m) {
    pthread_condattr_t attributes;
    ty_system_read(&m->ctx, "", m->folder, &m->first);
    m->before = m->first;
    m->before_ns = ty_now_ns(&m->ctx);
    (void)pthread_mutex_init(&m->lock, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&m->wake, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    const int code = pthread_create(&m->thread, NULL, run_thread, m);
    return code == 0 ? TY_OK : ty_fail_errno(ctx, code, "starting the monitor's thread");
}

static void release(monitor *m) {
    ty_nvml_close(m->nvml);
    ty_ctx_clear(&m->ctx);
    free(m->seats);
    free(m->folder);
    free(m);
}

ty_status monitor_open(ty_ctx *ctx, const monitor_options *options, monitor **out) {
    monitor *m = calloc(1, sizeof *m);
    ty_status st = m ? TY_OK : ty_fail_nomem(ctx, "the machine's load");
    st = ty_comm_agree(ctx, options->comm, st);
    if (st != TY_OK) {
        free(m);
        return st;
    }
    m->options = *options;
    m->rank = ty_comm_rank(options->comm);
    m->size = ty_comm_size(options->comm);
    ty_ctx_init_child(&m->ctx, ctx);
    open_gpu(ctx, m);
    st = meet(ctx, m);
    if (st != TY_OK) {
        release(m);
        return st;
    }
    const ty_status mine = start(ctx, m);
    st = ty_comm_agree(ctx, options->comm, mine);
    if (st == TY_OK)
        *out = m;
    else if (mine == TY_OK)
        monitor_close(m);
    else
        release(m);
    return st;
}

/* --- post ------------------------------------------------------------------------------------- */

static void write_letter(void *self, void *to) {
    monitor *m = self;
    (void)pthread_mutex_lock(&m->lock);
    memcpy(to, &m->kept, sizeof m->kept);
    m->kept.n = 0;
    (void)pthread_mutex_unlock(&m->lock);
}

static void read_letter(void *self, int rank, const void *from) {
    const monitor *m = self;
    letter mail;
    memcpy(&mail, from, sizeof mail);
    for (int64_t i = 0; i < mail.n && i < KEPT; i++)
        tell(m, rank, &mail.v[i]);
}

ty_post monitor_post(monitor *m) {
    return (ty_post){.every_s = m->options.every_s,
                     .bytes = sizeof(letter),
                     .write = write_letter,
                     .read = read_letter,
                     .self = m};
}

void monitor_close(monitor *m) {
    if (!m)
        return;
    (void)pthread_mutex_lock(&m->lock);
    m->is_closing = true;
    (void)pthread_cond_signal(&m->wake);
    (void)pthread_mutex_unlock(&m->lock);
    (void)pthread_join(m->thread, NULL);
    if (m->rank == 0 && ty_now_ns(&m->ctx) - m->before_ns > shortest_ns)
        sample_once(m);
    (void)pthread_cond_destroy(&m->wake);
    (void)pthread_mutex_destroy(&m->lock);
    release(m);
}
