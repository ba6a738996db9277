/* The context's few verbs and its real clock. */
#include "base/ctx.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/io.h"

static int64_t read_clock(clockid_t id) {
    struct timespec now;
    (void)clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t real_wall_ns(void *self) {
    (void)self;
    return read_clock(CLOCK_REALTIME);
}

static int64_t real_monotonic_ns(void *self) {
    (void)self;
    return read_clock(CLOCK_MONOTONIC);
}

static const ty_clock real_clock = {.wall_ns = real_wall_ns, .monotonic_ns = real_monotonic_ns};

static const char *real_getenv(const char *name) {
    return getenv(name);
}

void ty_ctx_init(ty_ctx *ctx) {
    *ctx = (ty_ctx){.clock = &real_clock, .io = ty_io_posix(), .getenv = real_getenv};
}

void ty_ctx_init_child(ty_ctx *ctx, const ty_ctx *parent) {
    *ctx = (ty_ctx){.log = parent->log,
                    .clock = parent->clock,
                    .io = parent->io,
                    .getenv = parent->getenv,
                    .rank = parent->rank};
}

void ty_ctx_clear(ty_ctx *ctx) {
    ty_arena_clear(&ctx->scratch);
}

ty_status ty_fail(ty_ctx *ctx, ty_status st, const char *format, ...) {
    va_list args;
    va_start(args, format);
    (void)vsnprintf(ctx->message, sizeof ctx->message, format, args);
    va_end(args);
    return st;
}

ty_status ty_fail_within(ty_ctx *ctx, ty_status st, const char *format, ...) {
    char inner[TY_MESSAGE_BYTES];
    memcpy(inner, ctx->message, sizeof inner);
    va_list args;
    va_start(args, format);
    int used = vsnprintf(ctx->message, sizeof ctx->message, format, args);
    va_end(args);
    if (used >= 0 && (size_t)used < sizeof ctx->message - 2) {
        /* A message cut at the buffer's end is still a message. */
        int left = (int)sizeof ctx->message - used;
        (void)snprintf(ctx->message + used, (size_t)left, ": %.*s", left - 3, inner);
    }
    return st;
}

static ty_status status_of_errno(int errno_value) {
    if (errno_value == ENOENT)
        return TY_ERR_NOT_FOUND;
    return errno_value == ENOMEM ? TY_ERR_NOMEM : TY_ERR_IO;
}

ty_status ty_fail_errno(ty_ctx *ctx, int errno_value, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int used = vsnprintf(ctx->message, sizeof ctx->message, format, args);
    va_end(args);
    char text[128];
    const char *reason = strerror_r(errno_value, text, sizeof text);
    if (used >= 0 && (size_t)used < sizeof ctx->message)
        (void)snprintf(ctx->message + used, sizeof ctx->message - (size_t)used, ": %s", reason);
    return status_of_errno(errno_value);
}

ty_status ty_fail_nomem(ty_ctx *ctx, const char *what) {
    return ty_fail(ctx, TY_ERR_NOMEM, "no memory left for %s", what);
}

void ty_log(const ty_ctx *ctx, ty_log_level level, const char *topic, const char *format, ...) {
    if (!ctx->log.write || level > ctx->log.max_level)
        return;
    char line[TY_MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    ctx->log.write(ctx->log.self, level, topic, line);
}

int64_t ty_now_wall_ns(const ty_ctx *ctx) {
    return ctx->clock->wall_ns(ctx->clock->self);
}

int64_t ty_now_ns(const ty_ctx *ctx) {
    return ctx->clock->monotonic_ns(ctx->clock->self);
}
