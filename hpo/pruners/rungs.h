/* Rungs of successive halving, for the pruners that stop or pause at them. Rung k lies at base * eta^k;
 * about one in eta of the trials that come to a rung leaves it upwards (Jamieson & Talwalkar 2016; as
 * trials come, without waiting: Li et al. 2018, arXiv 1810.05934).
 *
 * A trial's value at a rung is that of its first report at or behind it. So its rungs can be read from
 * its curve, and nothing else has to be remembered. */
#ifndef TY_HPO_PRUNERS_RUNGS_H
#define TY_HPO_PRUNERS_RUNGS_H

#include <math.h>
#include <stddef.h>

#include "hpo/pruners/pruner.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- keys that pruners with rungs share; config is the struct, with a member of each key's name ------ */

#define TY_RUNGS_ETA_ROW(config, one_in)                                                           \
    {                                                                                              \
        .key = "eta", .type = TY_ROW_INT, .offset = offsetof(config, eta), .fallback = one_in,     \
        .min = 2, .max = 1000, .help = "one in so many goes on from a rung"                        \
    }
#define TY_RUNGS_MIN_ROW(config)                                                                   \
    {                                                                                              \
        .key = "min_resource", .type = TY_ROW_REAL, .offset = offsetof(config, min_resource),      \
        .fallback = "1", .min = 0, .max = INFINITY, .min_is_open = true,                           \
        .help = "resource of the first rung"                                                       \
    }
/* auto is NAN. */
#define TY_RUNGS_MAX_ROW(config)                                                                   \
    {                                                                                              \
        .key = "max_resource", .type = TY_ROW_REAL, .offset = offsetof(config, max_resource),      \
        .fallback = "\"auto\"", .allows_auto = true, .min = 0, .max = INFINITY,                    \
        .min_is_open = true, .help = "resource of a whole trial; auto: as the sweep says"          \
    }
#define TY_RUNGS_SKIP_ROW(config)                                                                  \
    {                                                                                              \
        .key = "early_stopping_rate", .type = TY_ROW_INT,                                          \
        .offset = offsetof(config, early_stopping_rate), .fallback = "0", .min = 0, .max = 60,     \
        .help = "rungs that are left out below the first"                                          \
    }
#define TY_RUNGS_BOOTSTRAP_ROW(config)                                                             \
    {                                                                                              \
        .key = "bootstrap", .type = TY_ROW_INT, .offset = offsetof(config, bootstrap),             \
        .fallback = "0", .min = 0, .max = 1000000,                                                 \
        .help = "trials that are stopped at a rung before one goes on"                             \
    }
#define TY_RUNGS_MODE_ROW(config, usual)                                                           \
    {                                                                                              \
        .key = "mode", .type = TY_ROW_CHOICE, .offset = offsetof(config, mode), .fallback = usual, \
        .choices = ty_rungs_modes,                                                                 \
        .help = "whether who does not go on from a rung waits for its promotion, or ends; auto: "  \
                "waits, but for other programs' trials"                                            \
    }
enum { TY_RUNGS_PROMOTE, TY_RUNGS_STOP, TY_RUNGS_AUTO };
extern const char *const ty_rungs_modes[]; /* ends with NULL */

/* Whether who does not go on from a rung waits there. */
bool ty_rungs_pauses(int mode, const ty_board *board);

/* Errors: TY_ERR_CONFIG trials that cannot go on are to wait for it. */
ty_status ty_rungs_check_mode(ty_ctx *ctx, int mode, const ty_board *board);

/* --- rungs -------------------------------------------------------------------------------------- */

/* Which trials compete: those whose draw is in [from, to). */
typedef struct ty_bracket {
    uint64_t total; /* of draws; 0: all trials compete */
    uint64_t from, to;
} ty_bracket;

/* A trial's draw, below total: CRC-32 of "<sweep>_<number>". */
uint64_t ty_bracket_draw(const char *sweep, size_t number, uint64_t total);

typedef struct ty_rungs {
    double base; /* resource of rung 0; NAN: there are none */
    int64_t eta; /* >= 2 */
    double top;  /* rungs lie below: a whole trial is not judged. INFINITY where nobody knows */
    /* Whether who does not go on is paused, or stopped. Paused ones wait until they are among the best
     * floor(n / eta) of n. Where nobody ever waits, the best one goes on even while n < eta. */
    bool pauses;
    int64_t bootstrap; /* so many are stopped before one goes on; pauses is false */
    ty_bracket bracket;
} ty_rungs;

/* Judges own's last report, at each rung that it has come to with it. */
void ty_rungs_judge(const ty_rungs *rungs, const ty_board *board, const ty_curve *own,
                    ty_decision *out);

/* The paused trial that is to go on, the best of the highest rung where there is one; board->count for
 * none. */
size_t ty_rungs_promote(const ty_rungs *rungs, const ty_board *board);

/* The chance that paused trial i is among the best 1/eta of its rung once all have come that will: those
 * that run below it, board->to_come more, and of each rung one in eta to the next. 0 where it does not
 * compete or wait. */
double ty_rungs_chance(const ty_rungs *rungs, const ty_board *board, size_t i);

/* A sweep that is at its end and has no complete trial carries the one on that came furthest, the
 * better of equals; board->count where there is nothing to do. */
size_t ty_rungs_finish(const ty_board *board);

#ifdef __cplusplus
}
#endif
#endif
