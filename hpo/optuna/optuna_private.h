/* What the files of hpo/optuna/optuna.h share: optuna_distribution.c, optuna_lines.c,
 * optuna_tee.c; and importance.c, which has the same ranges. */
#ifndef TY_HPO_OPTUNA_OPTUNA_PRIVATE_H
#define TY_HPO_OPTUNA_OPTUNA_PRIVATE_H

#include "hpo/optuna/optuna.h"

#define OPTUNA_WORKER "tiltyard"

/* Optuna's op codes; what others do beside these concerns us where it moves trial numbers. */
typedef enum optuna_op {
    OPTUNA_CREATE_STUDY = 0,
    OPTUNA_DELETE_STUDY = 1,
    OPTUNA_SET_STUDY_SYSTEM_ATTR = 3,
    OPTUNA_CREATE_TRIAL = 4,
    OPTUNA_SET_STATE_VALUES = 6,
    OPTUNA_SET_INTERMEDIATE = 7,
    OPTUNA_SET_USER_ATTR = 8,
    OPTUNA_SET_SYSTEM_ATTR = 9
} optuna_op;

/* What a journal has of one trial. */
typedef struct optuna_seen {
    size_t reports;
    bool has_reason, has_limits, has_ended; /* in this order */
} optuna_seen;

typedef struct optuna_cursor {
    optuna_seen *trials;
    size_t count, capacity;
    size_t first_open; /* all trials below it have ended */
} optuna_cursor;

/* A numeric parameter as Optuna has one: finite; step 0 is none; is_log: flat in the logarithm. */
typedef struct optuna_range {
    double low, high, step;
    bool is_int, is_log;
} optuna_range;
optuna_range optuna_range_of(const ty_param *p);

/* A number as Python's json writes it, which knows NaN and Infinity. */
void optuna_add_number(ty_text *out, double v);

/* The lines that begin a journal. */
void optuna_add_head(const ty_optuna_view *view, ty_text *out);

/* The lines of all that cursor has not; it then has them. is_last: nothing follows, so that what is
 * paused has ended. */
ty_status optuna_add_news(ty_ctx *ctx, const ty_optuna_view *view, bool is_last,
                          optuna_cursor *cursor, ty_text *out) TY_MUST_USE;

/* Reads what a journal has; *good is how many of its bytes are whole lines of this study (0: it is
 * another's). cursor is the caller's to clear. */
ty_status optuna_read(ty_ctx *ctx, const ty_optuna_view *view, const char *text, size_t bytes,
                      optuna_cursor *cursor, size_t *good) TY_MUST_USE;
void optuna_cursor_clear(optuna_cursor *cursor);

#endif
