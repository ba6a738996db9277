/* A sweep's memory: which trials there are, what they reported, what was decided. Its whole state is
 * a fold over sweep.journal; asking and telling append a record and fold it, so what goes on after a
 * crash is what would have gone on without one.
 *
 * A trial runs in legs: one, or several where it was paused and promoted. Legs are numbered as they
 * are asked for. With order WINDOW, leg j is decided from the results of the legs up to j - window,
 * and waits until these are final: nothing then depends on how many workers there are or how fast. A
 * trial that is lost (a worker died, the sweep was killed) runs its leg again under its number. */
#ifndef TY_HPO_STUDY_H
#define TY_HPO_STUDY_H

#include "hpo/pruner.h"
#include "hpo/sampler.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ty_order {
    TY_ORDER_WINDOW, /* decisions see the legs up to j - window */
    TY_ORDER_REPLAY, /* decisions see all that was told before them; the journal says what that was */
    TY_ORDER_OFF     /* the same, without keeping account */
} ty_order;

typedef struct ty_study_options {
    const char *name;
    const ty_space *space;              /* sealed; borrowed */
    const ty_variant *sampler, *pruner; /* borrowed */
    /* What the sweep is, for the journal's first record: a later opening must have the same.
     * Canonical JSON of space, sampler, pruner, metric. */
    const char *identity;
    uint64_t seed;
    bool maximize;
    ty_order order;
    int64_t window;                   /* >= 1 */
    double max_resource;              /* NAN: nobody knows */
    int64_t max_trials;               /* in all; 0: no bound */
    int64_t max_consecutive_failures; /* 0: no bound */
    double target;                    /* the sweep is done where a trial reaches it; NAN: none */
    /* How long a trial belongs to who asked for it without a word of it; 0: as long as this study is
     * open. */
    double lease_s;
} ty_study_options;

typedef struct ty_leg {
    size_t number;        /* among all legs of the sweep */
    size_t reports;       /* of the trial at its end (or so far) */
    ty_trial_state state; /* RUNNING, or what it ended as */
    double value;         /* what was told at its end, not turned; NAN before */
    double violation;
} ty_leg;

typedef struct ty_trial {
    size_t number; /* from 0 */
    ty_trial_state state;
    const double *x; /* [dims] */
    double value;    /* as told (not turned); NAN before */
    double violation;
    size_t reports;
    /* [reports], ascending steps; reported is turned: less is better */
    const double *step, *resource, *reported;
    size_t leg_count;
    const ty_leg *legs;
    bool is_lost;              /* RUNNING, and nobody runs it: the next ask gives it out again */
    int64_t times_lost;        /* how often */
    int64_t asked_ns, told_ns; /* wall clock; 0 before */
    const char *reason;        /* why it ended as it did; "" */
    const char *worker;        /* who runs it, or ran it last; "" */
} ty_trial;

typedef struct ty_study ty_study;

/* Opens path, folds what is there, or begins it. Trials that were running belong to nobody now.
 * *out is the caller's to close; one writer at a time.
 * Errors: TY_ERR_BUSY another process has it; TY_ERR_CONFIG it is a sweep of another identity, seed
 * or order (said which), or its pruner's keys contradict each other; TY_ERR_INTEGRITY; TY_ERR_IO; what
 * opening the sampler fails with. */
ty_status ty_study_open(ty_ctx *ctx, const char *path, const ty_study_options *options,
                        ty_study **out) TY_MUST_USE;
void ty_study_close(ty_study *study);

/* The same for looking at it, also while another process runs it: nothing is written, and nothing may
 * be asked or told. */
ty_status ty_study_read(ty_ctx *ctx, const char *path, const ty_study_options *options,
                        ty_study **out) TY_MUST_USE;

typedef enum ty_ask_kind {
    TY_ASK_TRIAL, /* run this */
    TY_ASK_WAIT,  /* nothing until another trial ends */
    TY_ASK_DONE   /* nothing any more; reason says why */
} ty_ask_kind;

typedef struct ty_ask {
    ty_ask_kind kind;
    const ty_trial *trial; /* TRIAL; borrowed until the next ask */
    bool goes_on;          /* it may have checkpoints: promoted, or lost before */
    const char *reason;
} ty_ask;

/* What the worker of this name is to run next. Durable when it returns TY_OK.
 * Errors: those of the sampler and of the journal. */
ty_status ty_study_ask(ty_ctx *ctx, ty_study *study, const char *worker, ty_ask *out) TY_MUST_USE;

/* What a trial says of itself now. */
typedef struct ty_report {
    double step;     /* the trial's own count; ascending */
    double resource; /* NAN: how many reports there are with this one */
    double value;    /* the metric, not turned */
} ty_report;

/* *out says what the trial is to do. A step that was reported before (a leg that ran again) changes
 * nothing and gets the verdict it got.
 * Errors: TY_ERR_NOT_FOUND no such trial; TY_ERR_ARG it does not run. */
ty_status ty_study_report(ty_ctx *ctx, ty_study *study, size_t trial, const ty_report *report,
                          ty_decision *out) TY_MUST_USE;

/* How a leg ended: COMPLETE with its value, PRUNED, PAUSED or FAILED. A COMPLETE one without a number
 * as value fails. Told a second time, the first counts. Durable when it returns TY_OK. */
typedef struct ty_told {
    ty_trial_state state;
    double value; /* not turned; NAN: the last reported one */
    double violation;
    const char *reason;
} ty_told;
ty_status ty_study_tell(ty_ctx *ctx, ty_study *study, size_t trial,
                        const ty_told *told) TY_MUST_USE;

/* Nobody runs it any more (its worker died): it is given out again, or, after `retries` losses, has
 * failed. retries < 0: nobody's loss, it only could not run yet. */
ty_status ty_study_lose(ty_ctx *ctx, ty_study *study, size_t trial, int64_t retries,
                        const char *reason) TY_MUST_USE;

/* A point to be tried before the sampler's. */
ty_status ty_study_enqueue(ty_ctx *ctx, ty_study *study, const double *x) TY_MUST_USE;

size_t ty_study_count(const ty_study *study);
const ty_trial *ty_study_trial(const ty_study *study, size_t number);
/* The best feasible complete trial; NULL where there is none. */
const ty_trial *ty_study_best(const ty_study *study);

/* Derives every decision of the journal at path again, in order, and compares bit for bit. differs is
 * called for each that is another now; *decisions counts all.
 * Errors: as ty_study_open; TY_ERR_INTEGRITY where something differs. */
typedef void ty_study_differs(void *self, size_t trial, const char *what);
ty_status ty_study_replay(ty_ctx *ctx, const char *path, const ty_study_options *options,
                          ty_study_differs *differs, void *self, size_t *decisions) TY_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
