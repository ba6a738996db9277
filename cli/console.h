/* The two streams: results on stdout, messages on stderr. Knows whether anybody watches (a
 * terminal), colour, verbosity. */
#ifndef TY_CLI_CONSOLE_H
#define TY_CLI_CONSOLE_H

#include <pthread.h>
#include <stdio.h>

#include "base/base.h"

/* Lines of progress, at most. */
enum { CONSOLE_MOST = 512 };

typedef struct console {
    bool is_quiet;     /* only errors and results */
    bool is_json;      /* events as JSON lines on stdout */
    bool has_color;    /* on stderr */
    bool prints_color; /* on stdout */
    bool prints_on_terminal;
    bool is_terminal; /* stderr is watched: lines may be redrawn */
    int width; /* of the terminal, and no less than what can be laid out for: 21 columns, 5 lines */
    int height;
    int columns, rows;            /* of it as it is */
    int said_columns, said_lines; /* by the environment; 0: nothing */
    int rank;        /* others than 0 speak only of errors, with their rank in front */
    int n_lines;     /* of progress that stand unfinished on the terminal */
    int drawn[CONSOLE_MOST]; /* [n_lines]: columns of each */
    int print_errno; /* why a result could not be written; 0: all were, or nobody reads them */
    pthread_mutex_t lock;
} console;

/* color: "auto", "always", "never". Environment: NO_COLOR, CLICOLOR_FORCE, TERM, CI, COLUMNS, LINES and
 * what the launcher says (TILTYARD_TERMINAL), since under mpirun the streams cannot be trusted to
 * look like what they are. */
void console_init(console *c, ty_ctx *ctx, bool is_quiet, bool is_json, const char *color);
void console_clear(console *c);

/* How large the terminal is now, as each drawing sees it: people change their windows. */
void console_measure(console *c);

/* Whether all results reached stdout; a reader who left (`| head -1`) wanted no more. Errors:
 * TY_ERR_IO with the reason. */
ty_status console_finish(console *c, ty_ctx *ctx) TY_MUST_USE;

/* The log sink that writes to this console. verbosity: the highest level shown. */
ty_log_sink console_log_sink(console *c, ty_log_level verbosity);

/* What goes out may hold words of files and of data: control characters and invalid UTF-8 are shown
 * as "?", but for newlines, tabs and the colours below. */

/* A message line on stderr; rank 0 only, not when quiet. */
void console_say(console *c, const char *format, ...) TY_PRINTF(2, 3);

/* A result on stdout, as it is; rank 0 only. */
void console_print(console *c, const char *text);

/* A JSON document on one line of stdout, however it is laid out. */
void console_print_json(console *c, const char *json);

/* "error: message" on stderr, from any rank. A message that already starts with "error:" stays as
 * it is. */
void console_error(console *c, const char *message);

/* The same for the end of a command. What ranks have agreed on, or all have seen (a peer that is
 * gone), is told by rank 0 alone; what one rank suffered, and that rank 0 is gone, by those who
 * know. */
void console_fail(console *c, ty_status st, const char *message);

/* A message without "rank 0 (host): " in front, which rank 0 need not say of itself. Borrowed. */
const char *console_own_words(const char *message);

/* Redraws the progress, one line or several (fewer than the terminal has), each cut to its width; only
 * on a terminal. Whatever is said next takes its place. */
void console_draw(console *c, const char *lines);

/* Takes it away, before another process writes to the terminal. */
void console_undraw(console *c);

/* Escape sequences, "" where colour is off. */
const char *console_bold(const console *c);
const char *console_dim(const console *c);
const char *console_red(const console *c);
const char *console_green(const console *c);
const char *console_yellow(const console *c);
const char *console_blue(const console *c);
const char *console_magenta(const console *c);
const char *console_cyan(const console *c);
const char *console_plain(const console *c);

/* 54000 -> "54,000"; out has room for 32. */
const char *console_count(int64_t value, char out[32]);
/* 0.42 -> "0.4s"; 63 -> "1m03s"; 4000 -> "1h06m". */
const char *console_duration(double seconds, char out[32]);
/* 1536 -> "1.5 KiB". */
const char *console_bytes(double bytes, char out[32]);
/* "" for one, "s" for more. */
const char *console_plural(int64_t n);
/* Columns that text takes on a terminal, all of its characters being narrow ones. */
int console_columns(const char *text);

#endif
