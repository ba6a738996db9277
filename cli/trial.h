/* A training as one trial of a sweep. The sweep's process starts `tiltyard train` with
 * TILTYARD_TRIAL=NUMBER@ADDRESS, an abstract Unix socket of its own: no file, and it reaches ranks that
 * mpirun started. Rank 0 reports each evaluation there and waits for the decision; a sweep that does
 * not answer any more is gone, and the trial saves a checkpoint and leaves (PAUSE).
 *
 *   trial: {"trial": 3, "step": 100, "epoch": 1.5, "metrics": {"val/loss": 0.4, ...}}
 *   sweep: {"answer": "continue" | "stop" | "pause", "reason": "..."}
 *   trial: {"trial": 3, "end": "...", "code": 0, "reason": "...", "run": "runs/a/b",
 *           "run_id": "..."}
 *
 * A line each; text that does not keep to this ends the conversation. Under mpirun the same texts go by
 * letter (sweep_ranks.h). */
#ifndef TY_CLI_TRIAL_H
#define TY_CLI_TRIAL_H

#include "base/base.h"

#define TRIAL_VARIABLE "TILTYARD_TRIAL"

enum { TRIAL_MAX_LINE = 65536 };

/* The way to the sweep. hear: the next text, valid until the next call; NULL where it is gone. */
typedef struct trial_line {
    bool (*say)(void *self, const char *text, size_t bytes);
    const char *(*hear)(void *self);
    void *self;
} trial_line;

typedef struct trial {
    ty_ctx *ctx;
    trial_line way;
    int socket; /* -1: nothing was said yet, or it goes another way */
    char address[104];
    long long number;
    int64_t samples_per_epoch, samples_per_step;
    json_t *metrics; /* since the last report, the newest of each */
    ty_answer answer;
    char reason[160];
    size_t received; /* of line */
    char line[TRIAL_MAX_LINE];
} trial;

/* Whether this process was started as a trial. Errors of open: TY_ERR_ARG the variable is not what a
 * sweep writes. */
bool trial_is_one(const ty_ctx *ctx);
ty_status trial_open(ty_ctx *ctx, trial **out) TY_MUST_USE;

/* Trial number of a sweep that is reached in another way. */
ty_status trial_open_on(ty_ctx *ctx, long long number, const trial_line *way,
                        trial **out) TY_MUST_USE;
ty_observer trial_observer(trial *t);

/* What became of it. st is what training returned. Rank 0's of the run alone. */
void trial_tell_end(trial *t, ty_status st, const char *reason, const char *run_folder,
                    const char *run_id);
void trial_close(trial *t); /* accepts NULL */

#endif
