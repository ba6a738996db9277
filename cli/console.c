/* One lock round every line, so that threads' messages and the redrawn line do not mix. */
#include "cli/console.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/table.h"
#include "trainer/trainer.h"

static bool is_set(ty_ctx *ctx, const char *name) {
    const char *value = ctx->getenv(name);
    return value && *value && strcmp(value, "0") != 0;
}

/* said: the variable in which a parent tells what it sees of the stream. */
static bool is_watched(ty_ctx *ctx, int fd, const char *said) {
    const char *term = ctx->getenv("TERM");
    if (is_set(ctx, "CI") || (term && strcmp(term, "dumb") == 0))
        return false;
    return ty_comm_is_launched(ctx) ? is_set(ctx, said) : isatty(fd) == 1;
}

static bool wants_color(ty_ctx *ctx, const char *color, bool is_terminal) {
    if (color && strcmp(color, "auto") != 0)
        return strcmp(color, "always") == 0;
    if (is_set(ctx, "NO_COLOR"))
        return false;
    return is_terminal || is_set(ctx, "CLICOLOR_FORCE");
}

enum { LEAST_COLUMNS = 21, LEAST_LINES = 5 };

static int at_least(int least, int said, int seen, int usual) {
    return said >= least ? said : seen >= least ? seen : seen > 0 ? least : usual;
}

/* What the environment says, else the terminal, else what one had long ago. What is narrower or lower than
 * anything can be laid out for is cut where it is drawn. */
void console_measure(console *c) {
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0)
        size = (struct winsize){0};
    c->width = at_least(LEAST_COLUMNS, c->said_columns, size.ws_col, 80);
    c->height = at_least(LEAST_LINES, c->said_lines, size.ws_row, 24);
    c->columns = size.ws_col > 0 && size.ws_col < c->width ? size.ws_col : c->width;
    c->rows = size.ws_row > 0 && size.ws_row < c->height ? size.ws_row : c->height;
}

static int number_in(ty_ctx *ctx, const char *name) {
    const char *text = ctx->getenv(name);
    return text ? atoi(text) : 0;
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
    c->is_terminal = is_watched(ctx, STDERR_FILENO, "TILTYARD_TERMINAL");
    c->prints_on_terminal = is_watched(ctx, STDOUT_FILENO, "TILTYARD_STDOUT_TERMINAL");
    c->has_color = wants_color(ctx, color, c->is_terminal);
    c->prints_color = wants_color(ctx, color, c->prints_on_terminal);
    c->said_columns = number_in(ctx, "COLUMNS");
    c->said_lines = number_in(ctx, "LINES");
    console_measure(c);
    pthread_mutex_init(&c->lock, NULL);
}

static const char bold[] = "\033[1m", dim[] = "\033[2m", red[] = "\033[31m", green[] = "\033[32m",
                  yellow[] = "\033[33m", blue[] = "\033[34m", magenta[] = "\033[35m",
                  cyan[] = "\033[36m", plain[] = "\033[0m";

/* Bytes of our own colour that text begins with; 0: none. */
static size_t own_escape(const char *text) {
    static const char *const all[] = {bold, dim, red, green, yellow, blue, magenta, cyan, plain};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (strncmp(text, all[i], strlen(all[i])) == 0)
            return strlen(all[i]);
    return 0;
}

/* Bytes of the printable character at text; 0: it is none. */
static size_t showable(const char *text) {
    const unsigned char first = (unsigned char)text[0];
    if (first < 0x80)
        return (first >= 0x20 && first < 0x7f) || first == '\n' || first == '\t';
    const bool is_c1 = first == 0xc2 && (unsigned char)text[1] < 0xa0;
    return is_c1 ? 0 : ty_text_utf8_length(text);
}

static void put(FILE *stream, bool has_color, const char *text) {
    while (*text) {
        size_t length = 0;
        for (size_t more = 1; more && text[length]; length += more)
            more = showable(text + length);
        (void)fwrite(text, 1, length, stream);
        text += length;
        const size_t escape = own_escape(text);
        if (escape && has_color)
            (void)fwrite(text, 1, escape, stream);
        else if (!escape && *text)
            (void)fputc('?', stream);
        text += escape ? escape : *text != '\0';
    }
}

/* How many rows the progress takes now: a terminal that became narrower has wrapped it. */
static int rows_drawn(const console *c) {
    int rows = 0;
    for (int i = 0; i < c->n_lines; i++)
        rows += c->drawn[i] > c->columns ? (c->drawn[i] + c->columns - 1) / c->columns : 1;
    return rows;
}

static void end_line(console *c) {
    if (c->n_lines > 0)
        console_measure(c);
    const int rows = rows_drawn(c);
    if (rows > 1)
        fprintf(stderr, "\r\033[%dA\033[J", rows - 1);
    else if (rows == 1)
        fputs("\r\033[K", stderr);
    c->n_lines = 0;
}

void console_clear(console *c) {
    end_line(c);
    fflush(stderr);
    fflush(stdout);
    pthread_mutex_destroy(&c->lock);
}

static void label(const console *c, const char *color, const char *word) {
    put(stderr, c->has_color, color);
    put(stderr, c->has_color, word);
    put(stderr, c->has_color, ":");
    put(stderr, c->has_color, plain);
    fputc(' ', stderr);
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
        label(c, red, "error");
    else if (level == TY_LOG_WARN)
        label(c, yellow, "warning");
    else
        label(c, dim, topic);
    put(stderr, c->has_color, line);
    fputc('\n', stderr);
    pthread_mutex_unlock(&c->lock);
}

ty_log_sink console_log_sink(console *c, ty_log_level verbosity) {
    return (ty_log_sink){.write = log_line, .self = c, .max_level = verbosity};
}

void console_say(console *c, const char *format, ...) {
    if (c->is_quiet || c->rank != 0)
        return;
    char line[TY_MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    pthread_mutex_lock(&c->lock);
    end_line(c);
    put(stderr, c->has_color, line);
    fputc('\n', stderr);
    pthread_mutex_unlock(&c->lock);
}

void console_print(console *c, const char *text) {
    if (c->rank != 0)
        return;
    pthread_mutex_lock(&c->lock);
    end_line(c);
    errno = 0;
    put(stdout, c->prints_color, text);
    const bool has_failed = fflush(stdout) != 0 || ferror(stdout);
    if (has_failed && !c->print_errno && errno != EPIPE)
        c->print_errno = errno ? errno : EIO;
    clearerr(stdout);
    pthread_mutex_unlock(&c->lock);
}

/* In JSON a newline only stands between tokens. */
void console_print_json(console *c, const char *json) {
    ty_text line = {0};
    for (const char *at = json; *at;) {
        const size_t length = strcspn(at, "\n");
        ty_text_add_n(&line, at, length);
        at += length;
        const size_t gap = strspn(at, "\n ");
        ty_text_add(&line,
                    gap && at[gap] && line.data && line.data[line.length - 1] == ',' ? " " : "");
        at += gap;
    }
    ty_text_add(&line, "\n");
    console_print(c, ty_text_string(&line));
    ty_text_clear(&line);
}

ty_status console_finish(console *c, ty_ctx *ctx) {
    if (!c->print_errno)
        return TY_OK;
    (void)ty_fail_errno(ctx, c->print_errno, "writing results to standard output");
    return TY_ERR_IO;
}

void console_error(console *c, const char *message) {
    pthread_mutex_lock(&c->lock);
    end_line(c);
    if (c->rank != 0)
        fprintf(stderr, "[rank %d] ", c->rank);
    const char *rest =
        strncmp(message, "error:", 6) == 0 ? message + 6 + (message[6] == ' ') : message;
    label(c, red, "error");
    put(stderr, c->has_color, rest);
    fputc('\n', stderr);
    pthread_mutex_unlock(&c->lock);
}

const char *console_own_words(const char *message) {
    const char *end = strncmp(message, "rank 0 (", 8) == 0 ? strstr(message, "): ") : NULL;
    return end ? end + 3 : message;
}

/* mpirun ends all ranks as soon as one leaves with an error, so who keeps silent lets rank 0 speak first. */
enum { SILENT_US = 700000 };

void console_fail(console *c, ty_status st, const char *message) {
    const bool is_own = st == TY_ERR_INTERNAL || st == TY_ERR_NOMEM;
    const bool is_of_peer = strstr(message, "rank ") && !strstr(message, "rank 0 (");
    if (c->rank == 0 || is_own || (st == TY_ERR_COMM && !is_of_peer))
        console_error(c, c->rank == 0 ? console_own_words(message) : message);
    else
        (void)usleep(SILENT_US);
}

/* Returns how many columns it takes. */
static int draw_line(const console *c, const char *line, size_t length) {
    ty_text whole = {0}, cut = {0};
    ty_text_add_n(&whole, line, length);
    table_add_cut(&cut, ty_text_string(&whole), c->columns - 1);
    put(stderr, c->has_color, ty_text_string(&cut));
    fputs("\033[K", stderr);
    const int columns = console_columns(ty_text_string(&cut));
    ty_text_clear(&whole);
    ty_text_clear(&cut);
    return columns;
}

/* Where the lines stand that are to be drawn over. */
static void go_up(int rows) {
    fputs("\r", stderr);
    if (rows > 1)
        fprintf(stderr, "\033[%dA", rows - 1);
}

void console_draw(console *c, const char *lines) {
    if (!c->is_terminal || c->is_quiet || c->rank != 0)
        return;
    pthread_mutex_lock(&c->lock);
    console_measure(c);
    const int before = rows_drawn(c), most = c->rows < CONSOLE_MOST ? c->rows : CONSOLE_MOST;
    go_up(before);
    c->n_lines = 0;
    for (const char *at = lines; at && c->n_lines < most; c->n_lines++) {
        const size_t length = strcspn(at, "\n");
        fputs(c->n_lines > 0 ? "\n" : "", stderr);
        c->drawn[c->n_lines] = draw_line(c, at, length);
        at = at[length] ? at + length + 1 : NULL;
    }
    fputs(c->n_lines < before ? "\033[J" : "", stderr);
    fflush(stderr);
    pthread_mutex_unlock(&c->lock);
}

void console_undraw(console *c) {
    pthread_mutex_lock(&c->lock);
    end_line(c);
    fflush(stderr);
    pthread_mutex_unlock(&c->lock);
}

/* What goes to a stream without colour loses it on the way out. */
static const char *escape(const console *c, const char *sequence) {
    return c->has_color || c->prints_color ? sequence : "";
}

const char *console_bold(const console *c) {
    return escape(c, bold);
}

const char *console_dim(const console *c) {
    return escape(c, dim);
}

const char *console_red(const console *c) {
    return escape(c, red);
}

const char *console_green(const console *c) {
    return escape(c, green);
}

const char *console_yellow(const console *c) {
    return escape(c, yellow);
}

const char *console_blue(const console *c) {
    return escape(c, blue);
}

const char *console_magenta(const console *c) {
    return escape(c, magenta);
}

const char *console_cyan(const console *c) {
    return escape(c, cyan);
}

const char *console_plain(const console *c) {
    return escape(c, plain);
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
    if (seconds > 0 && seconds < 9.95 && seconds != (double)(long)seconds)
        (void)snprintf(out, 32, "%.1fs", seconds);
    else if (whole < 60)
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

const char *console_plural(int64_t n) {
    return n == 1 ? "" : "s";
}

int console_columns(const char *text) {
    int columns = 0;
    for (; *text; text++)
        columns += ((unsigned char)*text & 0xc0) != 0x80;
    return columns;
}
