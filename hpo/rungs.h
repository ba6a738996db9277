/* Rungs of successive halving, for the pruners that stop or pause at them. Rung k lies at base * eta^k;
 * about one in eta of the trials that come to a rung leaves it upwards (Jamieson & Talwalkar 2016; as
 * trials come, without waiting: Li et al. 2018, arXiv 1810.05934).
 *
 * A trial's value at a rung is that of its first report at or behind it. So its rungs can be read from
 * its curve, and nothing else has to be remembered. */
#ifndef TY_HPO_RUNGS_H
#define TY_HPO_RUNGS_H

#include "hpo/pruner.h"

#ifdef __cplusplus
extern "C" {
#endif

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

/* A sweep that is at its end and has no complete trial carries the one on that came furthest, the
 * better of equals; board->count where there is nothing to do. */
size_t ty_rungs_finish(const ty_board *board);

#ifdef __cplusplus
}
#endif
#endif
