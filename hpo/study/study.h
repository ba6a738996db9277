/* A sweep's memory: which trials there are, what they reported, what was decided. Its whole state is
 * a fold over sweep.journal; asking and telling append a record and fold it, so what goes on after a
 * crash is what would have gone on without one.
 *
 * A trial runs in legs: one, or several where it was paused and promoted. Legs are numbered as they
 * are asked for. With order WINDOW, leg j is decided from the results of the legs up to j - window,
 * and waits until these are final: nothing then depends on how many workers there are or how fast. A
 * trial that is lost (a worker died, the sweep was killed) runs its leg again under its number.
 *
 * The space may change between two openings. What was asked for runs on as it was asked for; in the new
 * space a trial is known where each of its parameters has a value of the new one there (a new
 * parameter's: its default). Samplers see these alone, pruners all. */
#ifndef TY_HPO_STUDY_STUDY_H
#define TY_HPO_STUDY_STUDY_H

#include "hpo/pruners/pruner.h"
#include "hpo/samplers/sampler.h"

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
    /* What the sweep is: canonical JSON of sampler, pruner and metric, with any words before it; a
     * later opening must have the same. Its members params, fixed and constraints (space_json.h) are
     * the space, which may be another one: the journal then says from where on. Without params the
     * space is whatever the study is opened with. While no trial has reported or ended, metric.name,
     * metric.goal, metric.value and limits may be others, too. */
    const char *identity;
    uint64_t seed;
    bool maximize;
    ty_order order;
    int64_t window;                   /* >= 1 */
    double max_resource;              /* NAN: nobody knows */
    bool starts_over;                 /* no trial can go on from where it ended */
    int64_t max_trials;               /* in all; 0: no bound */
    int64_t max_consecutive_failures; /* 0: no bound */
    double target;                    /* the sweep is done where a trial reaches it; NAN: none */
    /* How long a trial belongs to who asked for it without a word of it; 0: as long as this study is
     * open. */
    double lease_s;
    /* A sweep that begins: trials from elsewhere that its samplers know (imports.h), copied into its journal; NULL:
     * none. */
    const json_t *imports;
    const json_t *points; /* a list of points to be enqueued that were not before; NULL: none */
    /* Called before another space is recorded, with what is known of it; what it fails with is the
     * opening's error, and nothing is recorded. NULL: nobody wants to know. */
    ty_status (*changes)(ty_ctx *ctx, void *self);
    void *changes_self;
} ty_study_options;

/* A space that the sweep was searched in, and from which trial on. */
typedef struct ty_version {
    size_t number; /* from 1 */
    const ty_space *space;
    const json_t *fixed; /* an object of constants; NULL: none */
    size_t first_trial;
} ty_version;

typedef struct ty_leg {
    size_t number;        /* among all legs of the sweep */
    size_t reports;       /* of the trial at its end (or so far) */
    ty_trial_state state; /* RUNNING, or what it ended as */
    double value;         /* what was told at its end, not turned; NAN before */
    double violation;
    int64_t asked_ns, told_ns; /* wall clock; 0 before */
} ty_leg;

typedef struct ty_trial {
    size_t number; /* from 0 */
    ty_trial_state state;
    const double *x; /* in the newest space; NAN where its value is none of it */
    bool is_known;   /* x is a point of the newest space, and samplers see it */
    const ty_version *version;
    const double *asked; /* [version->space->count]: the point that it runs with */
    double value;        /* as told (not turned); NAN before */
    double violation;
    size_t reports;
    /* [reports], ascending steps; reported is turned: less is better */
    const double *step, *resource, *reported;
    size_t leg_count;
    const ty_leg *legs;
    bool is_lost;       /* RUNNING, and nobody runs it: the next ask gives it out again */
    int64_t times_lost; /* how often */
    bool is_stripped;   /* its checkpoints were taken (quota.h): where it goes on it begins anew */
    double retrained;   /* how much it did train again for that, in the sweep's resource */
    int64_t asked_ns, told_ns; /* wall clock; 0 before */
    const char *reason;        /* why it ended as it did; "" */
    const char *worker;        /* who runs it, or ran it last; "" */
} ty_trial;

typedef struct ty_study ty_study;

/* Opens path, folds what is there, or begins it, and records the space where it is another one. Trials
 * that were running belong to nobody now.
 * *out is the caller's to close; one writer at a time, which holds sweep.lease beside path. One that
 * lost it (suspended, cut off) records nothing any more: asking, reporting and telling then fail with
 * TY_ERR_BUSY.
 * Errors: TY_ERR_BUSY another process has it, with host, pid and age; TY_ERR_CONFIG it is a sweep
 * of another identity, seed or order (said which), or its pruner's keys contradict each other;
 * TY_ERR_INTEGRITY; TY_ERR_IO; what opening the sampler fails with. */
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
    bool has_failed;       /* DONE: max_consecutive_failures is reached */
    bool begins_anew;      /* promoted, but its checkpoints were taken */
    const char *reason;
} ty_ask;

/* What the worker of this name is to run next. Durable when it returns TY_OK.
 * Errors: those of the sampler and of the journal; TY_ERR_INTERNAL the sampler's point is none of the space. */
ty_status ty_study_ask(ty_ctx *ctx, ty_study *study, const char *worker, ty_ask *out) TY_MUST_USE;

/* What a trial says of itself now. */
typedef struct ty_report {
    double step;        /* the trial's own count; ascending */
    double resource;    /* NAN: how many reports there are with this one */
    double value;       /* the metric, not turned */
    const char *worker; /* who says so; NULL: whoever has it */
} ty_report;

/* *out says what the trial is to do. A step that was reported before (a leg that ran again) gets the verdict
 * it got. Any report begins the trial's lease again; one that was lost is who reports it's again.
 * Errors: TY_ERR_NOT_FOUND no such trial; TY_ERR_ARG it does not run, or is another worker's. */
ty_status ty_study_report(ty_ctx *ctx, ty_study *study, size_t trial, const ty_report *report,
                          ty_decision *out) TY_MUST_USE;

/* How a leg ended: COMPLETE with its value, PRUNED, PAUSED or FAILED. A COMPLETE one without a number
 * as value fails. Of a trial that is lost it counts, whoever says it; what is superseded changes nothing.
 * Durable when it returns TY_OK. */
typedef struct ty_told {
    ty_trial_state state;
    double value; /* not turned; NAN: the last reported one */
    double violation;
    const char *reason;
    const char *worker; /* who says so; NULL: whoever has it */
} ty_told;
ty_status ty_study_tell(ty_ctx *ctx, ty_study *study, size_t trial,
                        const ty_told *told) TY_MUST_USE;

/* Whether what this worker (NULL: any) says of a trial comes too late to count: it has ended, or was given
 * to another worker, whose word counts. */
bool ty_study_is_superseded(const ty_study *study, size_t trial, const char *worker);

/* Nobody runs it any more (its worker died): it is given out again, or, after `retries` losses, has
 * failed. retries < 0: nobody's loss, it only could not run yet. */
ty_status ty_study_lose(ty_ctx *ctx, ty_study *study, size_t trial, int64_t retries,
                        const char *reason) TY_MUST_USE;

/* A point to be tried before the sampler's, {"name": value, ...}, whole or in part (points.h). One that is
 * no point any more when its turn comes (the space has changed) is passed over. Durable when it returns
 * TY_OK.
 * Errors: TY_ERR_CONFIG it is no point of the newest space. */
ty_status ty_study_enqueue(ty_ctx *ctx, ty_study *study, const json_t *point) TY_MUST_USE;

/* The same for a study that another process has open: study is as ty_study_read gives it. The point is left in
 * queue/ beside the journal; who has the study records it before its next ask, or who opens it next when it is
 * opened, once however often either is killed. Durable when it returns TY_OK.
 * Errors: TY_ERR_CONFIG it is no point of the newest space; TY_ERR_IO. */
ty_status ty_study_leave_point(ty_ctx *ctx, const ty_study *study, const char *journal,
                               const json_t *point) TY_MUST_USE;

/* Appends the points that are still to be tried to the array points: the journal's in their order, then those
 * that were left beside it. Some may be no points of the space any more.
 * Errors: TY_ERR_IO the folder cannot be read. */
ty_status ty_study_waiting(ty_ctx *ctx, const ty_study *study, const char *journal,
                           json_t *points) TY_MUST_USE;

/* How many of the journal's are still to be tried. */
size_t ty_study_queued(const ty_study *study);

/* All that it runs with, constants first: {"name": value, ...}. NULL when memory is out; the caller's
 * to decref. */
json_t *ty_trial_params(const ty_trial *trial);

/* The newest of the spaces. */
const ty_version *ty_study_version(const ty_study *study);

/* How many trials from elsewhere the journal has; *known: that are points of the newest space. */
size_t ty_study_imported(const ty_study *study, size_t *known);

size_t ty_study_count(const ty_study *study);
const ty_trial *ty_study_trial(const ty_study *study, size_t number);
/* Until when a RUNNING trial belongs to who asked for it, by the wall clock; 0: to who has the study open. */
int64_t ty_study_expires_ns(const ty_study *study, size_t number);
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
