#include "tracking/client/retry.h"

#include <curl/curl.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    DEFAULT_RETRIES = 7,
    MOST_RETRIES = 100,
    DEFAULT_REQUEST_S = 120,
    MOST_REQUEST_S = 86400,
    MOST_RETRY_AFTER_S = 3600,
    MOST_DOUBLINGS = 64
};

#define NS_PER_S INT64_C(1000000000)
#define FIRST_WAIT_S 0.5
#define LONGEST_WAIT_S 60.0
/* How long a sleep lasts before ctx's clock, which may be a test's, is looked at again. */
#define NAP_NS (NS_PER_S / 20)

struct ty_retry {
    ty_patience patience;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* the deadline */
    atomic_int_least64_t deadline_ns;
    uint64_t seed, draws;
    int failures; /* in a row, over all calls */
    int64_t next_ns;
};

/* --- what the environment says --- */

/* value: its default; left alone where the variable is not set. */
static ty_status read_number(ty_ctx *ctx, const char *name, double least, double most,
                             double *value) {
    const char *text = ctx->getenv(name);
    if (!text || text[0] == '\0')
        return TY_OK;
    char *end = NULL;
    const double number = strtod(text, &end);
    if (*end != '\0' || !(number >= least && number <= most))
        return ty_fail(ctx, TY_ERR_ARG, "%s is \"%.40s\", want a number from %g to %g", name, text,
                       least, most);
    *value = number;
    return TY_OK;
}

static ty_status fill_in(ty_ctx *ctx, ty_patience *patience) {
    double retries = DEFAULT_RETRIES, backoff = 2, request_s = DEFAULT_REQUEST_S;
    TY_TRY(read_number(ctx, "MLFLOW_HTTP_REQUEST_MAX_RETRIES", 0, MOST_RETRIES, &retries));
    TY_TRY(read_number(ctx, "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", 0, 100, &backoff));
    TY_TRY(read_number(ctx, "MLFLOW_HTTP_REQUEST_TIMEOUT", 0.001, MOST_REQUEST_S, &request_s));
    if (patience->max_retries == 0)
        patience->max_retries = (int)retries;
    if (patience->backoff <= 0)
        patience->backoff = backoff;
    if (patience->request_ms <= 0)
        patience->request_ms = (int64_t)ceil(request_s * 1000);
    return TY_OK;
}

/* --- the handle --- */

static bool start_condition(ty_retry *retry) {
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0)
        return false;
    const bool is_started = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
                            pthread_cond_init(&retry->changed, &attributes) == 0;
    (void)pthread_condattr_destroy(&attributes);
    return is_started;
}

/* Other jobs on this machine and this one's other handles must not wait equally long. */
static uint64_t seed_of(ty_ctx *ctx, const ty_retry *retry) {
    const int64_t parts[] = {ty_now_wall_ns(ctx), ty_now_ns(ctx), (int64_t)(uintptr_t)retry};
    return ty_hash64(parts, sizeof parts);
}

ty_status ty_retry_open(ty_ctx *ctx, const ty_patience *patience, ty_retry **out) {
    ty_patience filled = *patience;
    TY_TRY(fill_in(ctx, &filled));
    ty_retry *retry = calloc(1, sizeof *retry);
    if (!retry || !start_condition(retry)) {
        free(retry);
        return ty_fail_nomem(ctx, "a client's patience");
    }
    (void)pthread_mutex_init(&retry->lock, NULL);
    retry->patience = filled;
    retry->seed = seed_of(ctx, retry);
    atomic_init(&retry->deadline_ns, INT64_MAX);
    *out = retry;
    return TY_OK;
}

void ty_retry_close(ty_retry *retry) {
    if (!retry)
        return;
    (void)pthread_cond_destroy(&retry->changed);
    (void)pthread_mutex_destroy(&retry->lock);
    free(retry);
}

const ty_patience *ty_retry_patience(const ty_retry *retry) {
    return &retry->patience;
}

void ty_retry_set_deadline(ty_retry *retry, int64_t at_ns) {
    (void)pthread_mutex_lock(&retry->lock);
    atomic_store(&retry->deadline_ns, at_ns);
    (void)pthread_cond_broadcast(&retry->changed);
    (void)pthread_mutex_unlock(&retry->lock);
}

int64_t ty_retry_deadline(const ty_retry *retry) {
    return atomic_load(&retry->deadline_ns);
}

int64_t ty_retry_next_ns(const ty_retry *retry) {
    return retry->next_ns;
}

/* --- waiting --- */

static void nap(ty_retry *retry, int64_t ns) {
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    const int64_t at = until.tv_nsec + (ns < NAP_NS ? ns : NAP_NS);
    until.tv_sec += (time_t)(at / NS_PER_S);
    until.tv_nsec = (long)(at % NS_PER_S);
    (void)pthread_cond_timedwait(&retry->changed, &retry->lock, &until);
}

/* Until the next try is welcome; false: the deadline comes first. */
static bool sleep_until_next(ty_ctx *ctx, ty_retry *retry) {
    (void)pthread_mutex_lock(&retry->lock);
    int64_t now = ty_now_ns(ctx);
    while (now < retry->next_ns && retry->next_ns < atomic_load(&retry->deadline_ns)) {
        nap(retry, retry->next_ns - now);
        now = ty_now_ns(ctx);
    }
    const bool is_welcome = now >= retry->next_ns;
    (void)pthread_mutex_unlock(&retry->lock);
    return is_welcome && now < atomic_load(&retry->deadline_ns);
}

ty_status ty_retry_begin(ty_ctx *ctx, ty_retry *retry) {
    const bool may_wait = retry->patience.kind != TY_PATIENCE_NONE;
    const int64_t now = ty_now_ns(ctx);
    if (now >= atomic_load(&retry->deadline_ns))
        return ty_fail(ctx, TY_ERR_BUSY, "its time is over");
    if (now >= retry->next_ns || (may_wait && sleep_until_next(ctx, retry)))
        return TY_OK;
    return ty_fail(ctx, TY_ERR_BUSY, "it failed just now and is not asked again before %.1f s",
                   (double)(retry->next_ns - now) / (double)NS_PER_S);
}

void ty_retry_answered(ty_retry *retry) {
    retry->failures = 0;
    retry->next_ns = 0;
}

/* [0, 1) */
static double draw(ty_retry *retry) {
    const uint64_t counter = retry->draws++;
    return (double)(ty_hash64_pair(&retry->seed, sizeof retry->seed, &counter, sizeof counter) >>
                    11) *
           0x1p-53;
}

static int64_t next_wait_ns(ty_retry *retry, int tries, int64_t retry_after_ns) {
    const int failures = retry->failures > tries - 1 ? retry->failures : tries - 1;
    const int power = failures < MOST_DOUBLINGS ? failures : MOST_DOUBLINGS;
    const double bound =
        fmin(LONGEST_WAIT_S, FIRST_WAIT_S * pow(retry->patience.backoff, (double)power));
    const int64_t jitter = (int64_t)(draw(retry) * bound * (double)NS_PER_S);
    /* What the server asks for it gets, and then not from all at once. */
    if (retry_after_ns > 0)
        return retry_after_ns + (jitter < NS_PER_S ? jitter : NS_PER_S);
    return jitter;
}

static bool has_room(const ty_retry *retry, int tries) {
    switch (retry->patience.kind) {
    case TY_PATIENCE_ENDLESS:
        return true;
    case TY_PATIENCE_BOUNDED:
        return tries <= retry->patience.max_retries;
    default:
        return false;
    }
}

void ty_retry_failed(ty_ctx *ctx, ty_retry *retry, int tries, int64_t retry_after_ns) {
    retry->next_ns = ty_now_ns(ctx) + next_wait_ns(retry, tries, retry_after_ns);
    retry->failures++;
}

bool ty_retry_wait(ty_ctx *ctx, ty_retry *retry, int tries) {
    return has_room(retry, tries) && sleep_until_next(ctx, retry);
}

int64_t ty_retry_after_ns(const char *text, int64_t wall_now_ns) {
    char *end = NULL;
    double seconds = 0;
    if (text[0] >= '0' && text[0] <= '9') {
        seconds = strtod(text, &end);
        if (*end != '\0' && *end != ' ')
            return 0;
    } else {
        const time_t date = text[0] != '\0' ? curl_getdate(text, NULL) : -1;
        if (date < 0)
            return 0;
        seconds = (double)date - (double)wall_now_ns / (double)NS_PER_S;
    }
    return (int64_t)(fmin(fmax(seconds, 0), MOST_RETRY_AFTER_S) * (double)NS_PER_S);
}
