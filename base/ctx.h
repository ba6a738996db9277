/* The context: one per thread. It holds the last failure's message and everything that would
 * otherwise be global: logger, files, clock, environment, scratch memory. Rooms below cli/ reach
 * the world only through it. */
#ifndef TY_BASE_CTX_H
#define TY_BASE_CTX_H

#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct ty_io; /* base/io.h */

typedef enum ty_log_level { TY_LOG_ERROR, TY_LOG_WARN, TY_LOG_INFO, TY_LOG_DEBUG } ty_log_level;

/* Where log lines go; write may be called from any thread that has a ctx. */
typedef struct ty_log_sink {
    void (*write)(void *self, ty_log_level level, const char *topic, const char *line);
    void *self;
    ty_log_level max_level;
} ty_log_sink;

/* Both in nanoseconds. Tests put their own here. */
typedef struct ty_clock {
    int64_t (*wall_ns)(void *self);      /* since 1970-01-01 UTC */
    int64_t (*monotonic_ns)(void *self); /* since some fixed moment; stands still while suspended */
    void *self;
} ty_clock;

/* Returns a borrowed value, or NULL where the variable is not set. */
typedef const char *(*ty_getenv_fn)(const char *name);

enum { TY_MESSAGE_BYTES = 4096 };

typedef struct ty_ctx {
    char message[TY_MESSAGE_BYTES]; /* why the last failing call failed */
    ty_arena scratch;               /* mark before, reset after */
    ty_log_sink log;
    const ty_clock *clock;
    const struct ty_io *io;
    ty_getenv_fn getenv;
    int rank; /* for messages; 0 until a comm is open */
} ty_ctx;

/* A context on the real clock, files and environment that logs nowhere. Owns its scratch arena. */
void ty_ctx_init(ty_ctx *ctx);

/* A context for another thread: the parent's log, clock, files and environment; own message and
 * scratch. */
void ty_ctx_init_child(ty_ctx *ctx, const ty_ctx *parent);

/* Frees the scratch arena. Accepts a zeroed context. */
void ty_ctx_clear(ty_ctx *ctx);

/* Writes the message and returns st, so that a failing line reads `return ty_fail(ctx, TY_ERR_X,
 * "...")`. The message says what was attempted, what was seen and what was wanted. */
ty_status ty_fail(ty_ctx *ctx, ty_status st, const char *format, ...) TY_PRINTF(3, 4);

/* Puts "prefix: " before the message that is already there. Returns st. */
ty_status ty_fail_within(ty_ctx *ctx, ty_status st, const char *format, ...) TY_PRINTF(3, 4);

/* ty_fail with ": strerror(errno_value)" at the end and the status that errno stands for:
 * ENOENT -> TY_ERR_NOT_FOUND, ENOMEM -> TY_ERR_NOMEM, all others TY_ERR_IO. */
ty_status ty_fail_errno(ty_ctx *ctx, int errno_value, const char *format, ...) TY_PRINTF(3, 4);

/* ty_fail(TY_ERR_NOMEM) naming what the memory was for. */
ty_status ty_fail_nomem(ty_ctx *ctx, const char *what);

/* One line for the log sink, where there is one; topic is a word in front ("checkpoint"). */
void ty_log(const ty_ctx *ctx, ty_log_level level, const char *topic, const char *format, ...)
    TY_PRINTF(4, 5);

/* ns since 1970, for people; ns since whenever, never going back, for measuring and deadlines. */
int64_t ty_now_wall_ns(const ty_ctx *ctx);
int64_t ty_now_ns(const ty_ctx *ctx);

#ifdef __cplusplus
}
#endif
#endif
