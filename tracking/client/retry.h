/* When to ask a server again. Waits grow from 0.5 s to 60 s with full jitter (M. Brooker,
 * "Exponential Backoff and Jitter", 2015), so that a thousand jobs whose server comes back do not
 * all return in the same second; what the server itself asks for (Retry-After) comes first. After
 * a failure the circuit is open: the next call, whichever it is, waits as well. Time is ctx's clock. */
#ifndef TY_TRACKING_CLIENT_RETRY_H
#define TY_TRACKING_CLIENT_RETRY_H

#include "base/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ty_patience_kind {
    TY_PATIENCE_BOUNDED, /* commands: at most max_retries more tries */
    TY_PATIENCE_ENDLESS, /* threads with a journal behind them: until a deadline is set */
    TY_PATIENCE_NONE     /* one try; the caller comes again, not before ty_retry_next_ns */
} ty_patience_kind;

/* Zeros and NULLs choose the default in brackets. */
typedef struct ty_patience {
    ty_patience_kind kind;
    int max_retries;    /* BOUNDED only; [MLFLOW_HTTP_REQUEST_MAX_RETRIES, else 7] */
    double backoff;     /* each wait's bound is the last one's times this;
                             [MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR, else 2] */
    int64_t request_ms; /* one request, or a file's standing still, may take this long;
                           [MLFLOW_HTTP_REQUEST_TIMEOUT in seconds, else 120 s] */
} ty_patience;

typedef struct ty_retry ty_retry;

/* Fills in the defaults. *out is the caller's to close.
 * Errors: TY_ERR_ARG a variable that is no number, naming it. */
ty_status ty_retry_open(ty_ctx *ctx, const ty_patience *patience, ty_retry **out) TY_MUST_USE;
void ty_retry_close(ty_retry *retry); /* accepts NULL */

/* What holds after the defaults. Borrowed. */
const ty_patience *ty_retry_patience(const ty_retry *retry);

/* From then on (monotonic, ctx's clock) nothing waits any more and requests under way are given up;
 * INT64_MAX: no deadline, as at first; 0: now. From any thread; wakes whoever waits. */
void ty_retry_set_deadline(ty_retry *retry, int64_t at_ns);
int64_t ty_retry_deadline(const ty_retry *retry);

/* A call begins. Waits while the circuit is open, where the patience has room for that.
 * Errors: TY_ERR_BUSY the deadline or TY_PATIENCE_NONE came before the circuit's next try. */
ty_status ty_retry_begin(ty_ctx *ctx, ty_retry *retry) TY_MUST_USE;

/* The server answered, whatever it said: the count of failures begins anew. */
void ty_retry_answered(ty_retry *retry);

/* The call's try number `tries` (1, 2, ...) failed for a while; retry_after_ns is what the server
 * asked for, 0 where it did not. Says when the next try is welcome. */
void ty_retry_failed(ty_ctx *ctx, ty_retry *retry, int tries, int64_t retry_after_ns);

/* Waits until then. true: try again; false: the patience or the deadline ended, the caller fails
 * with what it has. */
bool ty_retry_wait(ty_ctx *ctx, ty_retry *retry, int tries) TY_MUST_USE;

/* When (ctx's clock) the next try is welcome; 0: at once. For TY_PATIENCE_NONE's callers. */
int64_t ty_retry_next_ns(const ty_retry *retry);

/* Seconds or an HTTP date in Retry-After, as nanoseconds from wall_now_ns on, between 0 and an hour;
 * 0 where text is neither. */
int64_t ty_retry_after_ns(const char *text, int64_t wall_now_ns);

#ifdef __cplusplus
}
#endif
#endif
