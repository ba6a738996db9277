/* The two streams: results on stdout, messages on stderr. Knows whether anybody watches (a
 * terminal), colour, verbosity. */
#ifndef TY_CLI_CONSOLE_H
#define TY_CLI_CONSOLE_H

#include <pthread.h>
#include <stdio.h>

#include "base/base.h"

typedef struct console {
    bool is_quiet; /* only errors and results */
    bool is_json;  /* events as JSON lines on stdout */
    bool has_color;
    bool is_terminal; /* stderr is watched: lines may be redrawn */
    int width;        /* of the terminal */
    int rank;         /* others than 0 speak only of errors, with their rank in front */
    bool has_line;    /* a progress line stands unfinished on the terminal */
    pthread_mutex_t lock;
} console;

/* color: "auto", "always", "never". Environment: NO_COLOR, CLICOLOR_FORCE, TERM, CI, COLUMNS and
 * what the launcher says (TILTYARD_TERMINAL), since under mpirun the streams cannot be trusted to
 * look like what they are. */
void console_init(console *c, ty_ctx *ctx, bool is_quiet, bool is_json, const char *color);
void console_clear(console *c);

/* The log sink that writes to this console. verbosity: the highest level shown. */
ty_log_sink console_log_sink(console *c, ty_log_level verbosity);

/* A message line on stderr; rank 0 only, not when quiet. */
void console_say(console *c, const char *format, ...) TY_PRINTF(2, 3);

/* A result on stdout, as it is; rank 0 only. */
void console_print(console *c, const char *text);

/* "error: message" on stderr, from any rank. A message that already starts with "error:" stays as
 * it is. */
void console_error(console *c, const char *message);

/* Redraws the progress line; only on a terminal. */
void console_draw(console *c, const char *line);

/* Escape sequences, "" where colour is off. */
const char *console_bold(const console *c);
const char *console_dim(const console *c);
const char *console_red(const console *c);
const char *console_green(const console *c);
const char *console_yellow(const console *c);
const char *console_plain(const console *c);

/* 54000 -> "54,000"; out has room for 32. */
const char *console_count(int64_t value, char out[32]);
/* 63 -> "1m03s"; 4000 -> "1h06m". */
const char *console_duration(double seconds, char out[32]);
/* 1536 -> "1.5 KiB". */
const char *console_bytes(double bytes, char out[32]);

#endif
