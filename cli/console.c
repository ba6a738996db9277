/* One lock round every line, so that threads' messages and the redrawn line do not mix. */
#include "cli/console.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static bool is_set(ty_ctx *ctx, const char *name) {
    const char *value = ctx->getenv(name);
    return value && *value && strcmp(value, "0") != 0;
}

static bool is_launched(ty_ctx *ctx) {
    return ctx->getenv("OMPI_COMM_WORLD_SIZE") || ctx->getenv("PMI_SIZE") ||
           ctx->getenv("PMIX_RANK");
}

static bool is_watched(ty_ctx *ctx) {
    const char *term = ctx->getenv("TERM");
    if (is_set(ctx, "CI") || (term && strcmp(term, "dumb") == 0))
        return false;
    return is_launched(ctx) ? is_set(ctx, "TILTYARD_TERMINAL") : isatty(STDERR_FILENO) == 1;
}

static bool wants_color(ty_ctx *ctx, const char *color, bool is_terminal) {
    if (color && strcmp(color, "auto") != 0)
        return strcmp(color, "always") == 0;
    if (is_set(ctx, "NO_COLOR"))
        return false;
    return is_terminal || is_set(ctx, "CLICOLOR_FORCE");
}

static int terminal_width(ty_ctx *ctx) {
    struct winsize size;
    const char *columns = ctx->getenv("COLUMNS");
    if (columns && atoi(columns) > 20)
        return atoi(columns);
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20)
        return size.ws_col;
    return 80;
}

static int launched_rank(ty_ctx *ctx) {
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (ctx->getenv(names[i]))
            return atoi(ctx->getenv(names[i]));
    return 0;
}

void console_init(console *c, ty_ctx *ctx, bool is_quiet, bool is_json, const char *color) {
    *c = (console){.is_quiet = is_quiet, .is_json = is_json, .rank = launched_rank(ctx)};
    c->is_terminal = is_watched(ctx);
    c->has_color = wants_color(ctx, color, c->is_terminal);
    c->width = terminal_width(ctx);
    pthread_mutex_init(&c->lock, NULL);
}

static void end_line(console *c) {
    if (c->has_line)
        fputs("\r\033[K", stderr);
    c->has_line = false;
}

void console_clear(console *c) {
    end_line(c);
    fflush(stderr);
    fflush(stdout);
    pthread_mutex_destroy(&c->lock);
}

static void log_line(void *self, ty_log_level level, const char *topic, const char *line) {
    console *c = self;
    if (level > TY_LOG_WARN && (c->rank != 0 || c->is_quiet))
        return;
    pthread_mutex_lock(&c->lock);
    end_line(c);
    if (c->rank != 0)
        fprintf(stderr, "[rank %d] ", c->rank);
    if (level == TY_LOG_ERROR)
        fprintf(stderr, "%serror:%s ", console_red(c), console_plain(c));
    else if (level == TY_LOG_WARN)
        fprintf(stderr, "%swarning:%s ", console_yellow(c), console_plain(c));
    else
        fprintf(stderr, "%s%s:%s ", console_dim(c), topic, console_plain(c));
    fprintf(stderr, "%s\n", line);
    pthread_mutex_unlock(&c->lock);
}

ty_log_sink console_log_sink(console *c, ty_log_level verbosity) {
    return (ty_log_sink){.write = log_line, .self = c, .max_level = verbosity};
}

void console_say(console *c, const char *format, ...) {
    if (c->is_quiet || c->rank != 0)
        return;
    va_list args;
    va_start(args, format);
    pthread_mutex_lock(&c->lock);
    end_line(c);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    pthread_mutex_unlock(&c->lock);
    va_end(args);
}

void console_print(console *c, const char *text) {
    if (c->rank != 0)
        return;
    pthread_mutex_lock(&c->lock);
    end_line(c);
    fputs(text, stdout);
    fflush(stdout);
    pthread_mutex_unlock(&c->lock);
}

void console_error(console *c, const char *message) {
    pthread_mutex_lock(&c->lock);
    end_line(c);
    if (c->rank != 0)
        fprintf(stderr, "[rank %d] ", c->rank);
    const char *rest =
        strncmp(message, "error:", 6) == 0 ? message + 6 + (message[6] == ' ') : message;
    fprintf(stderr, "%serror:%s %s\n", console_red(c), console_plain(c), rest);
    pthread_mutex_unlock(&c->lock);
}

void console_draw(console *c, const char *line) {
    if (!c->is_terminal || c->is_quiet || c->rank != 0)
        return;
    pthread_mutex_lock(&c->lock);
    fprintf(stderr, "\r%.*s\033[K", c->width - 1, line);
    fflush(stderr);
    c->has_line = true;
    pthread_mutex_unlock(&c->lock);
}

static const char *escape(const console *c, const char *sequence) {
    return c->has_color ? sequence : "";
}

const char *console_bold(const console *c) {
    return escape(c, "\033[1m");
}

const char *console_dim(const console *c) {
    return escape(c, "\033[2m");
}

const char *console_red(const console *c) {
    return escape(c, "\033[31m");
}

const char *console_green(const console *c) {
    return escape(c, "\033[32m");
}

const char *console_yellow(const console *c) {
    return escape(c, "\033[33m");
}

const char *console_plain(const console *c) {
    return escape(c, "\033[0m");
}

const char *console_count(int64_t value, char out[32]) {
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%lld", (long long)value);
    int used = 0;
    for (int i = 0; i < length; i++) {
        bool is_group = i > 0 && (length - i) % 3 == 0 && digits[i - 1] != '-';
        if (is_group)
            out[used++] = ',';
        out[used++] = digits[i];
    }
    out[used] = '\0';
    return out;
}

const char *console_duration(double seconds, char out[32]) {
    long whole = seconds > 0 ? (long)(seconds + 0.5) : 0;
    if (whole < 60)
        (void)snprintf(out, 32, "%lds", whole);
    else if (whole < 3600)
        (void)snprintf(out, 32, "%ldm%02lds", whole / 60, whole % 60);
    else
        (void)snprintf(out, 32, "%ldh%02ldm", whole / 3600, whole % 3600 / 60);
    return out;
}

const char *console_bytes(double bytes, char out[32]) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    while (bytes >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
        bytes /= 1024;
        unit++;
    }
    (void)snprintf(out, 32, unit ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
    return out;
}
