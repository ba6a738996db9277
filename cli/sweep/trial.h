/* A training as one trial of a sweep. The sweep's process starts `tiltyard train` with
 * TILTYARD_TRIAL=NUMBER@ADDRESS, an abstract Unix socket of its own: no file, and it reaches ranks that
 * mpirun started. Rank 0 reports each evaluation there and waits for the decision, and the other ranks
 * with it (ty_observer.waits), so that a slow answer is no dead rank; a sweep that cannot answer any more
 * is gone, and the trial saves a checkpoint and leaves (PAUSE).
 *
 *   trial: {"trial": 3, "step": 100, "epoch": 1.5, "metrics": {"val/loss": 0.4, ...}}
 *   sweep: {"answer": "continue" | "stop" | "pause", "reason": "...", "reported": 0.4, "value": 0.3,
 *           "violation": 0}   what was reported now (null: no number), what the trial is worth so far,
 *           and, in a sweep with limits, by how much it is beyond them
 *   trial: {"trial": 3, "end": "...", "code": 0, "reason": "...", "run": "runs/a/b",
 *           "run_id": "..."}
 *
 * A line each; text that does not keep to this ends the conversation. Under mpirun the same texts go by
 * letter (sweep_ranks.h). */
#ifndef TY_CLI_SWEEP_TRIAL_H
#define TY_CLI_SWEEP_TRIAL_H

#include "base/base.h"

#define TRIAL_VARIABLE "TILTYARD_TRIAL"

enum { TRIAL_MAX_LINE = 65536 };

/* What listening for a moment brought. */
typedef enum trial_heard { TRIAL_HEARD_NOTHING, TRIAL_HEARD_WORD, TRIAL_HEARD_END } trial_heard;

/* The way to the sweep. hear waits 0.2 s at most: nothing yet, the next text, valid until the next
 * call, or that the sweep is gone. */
typedef struct trial_line {
    bool (*say)(void *self, const char *text, size_t bytes);
    trial_heard (*hear)(void *self, const char **text);
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
    json_t *reports; /* which are to be told, the oldest first */
    bool is_waiting; /* for the answer to the one that was told last */
    ty_answer answer;
    char reason[160];
    ty_observer run;  /* hears what the sweep makes of the run; notify is NULL: nobody does */
    bool was_stopped; /* it asked for its end */
    double value, violation; /* as the sweep has them now; NAN */
    int64_t step;            /* of the last report */
    size_t received;         /* of line */
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

/* The trial's run is told what the sweep makes of it: metrics and tags as MLflow's Optuna storage reads
 * them. Returns the observer to wire in its place, which notices where somebody stops the run there. */
ty_observer trial_lend(trial *t, ty_observer run);

/* What a training that returned st is for the sweep: one that somebody stopped in MLflow is stopped, one
 * that was not all trained (is_complete) goes on. */
typedef enum trial_end { TRIAL_COMPLETE, TRIAL_STOPPED, TRIAL_PAUSED, TRIAL_FAILED } trial_end;
trial_end trial_end_of(const trial *t, ty_status st, bool is_complete);

/* The last words of a trial. */
typedef struct trial_last {
    int code; /* the exit's */
    const char *reason, *run_folder, *run_id;
} trial_last;

/* Tells the trial's run what it is worth, before it ends as `end`. */
void trial_tell_run(trial *t, trial_end end, const char *reason);

/* Tells the sweep what became of it. Rank 0's of the run alone. */
void trial_tell_end(trial *t, trial_end end, const trial_last *last);
void trial_close(trial *t); /* accepts NULL */

#endif
