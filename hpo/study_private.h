/* The inside of a study. study_fold.c turns records into state, and is the only one to change
 * trials; study_view.c says what a leg may see; study.c decides and appends records. */
#ifndef TY_HPO_STUDY_PRIVATE_H
#define TY_HPO_STUDY_PRIVATE_H

#include "hpo/study.h"

enum { STUDY_VERSION = 1 };

typedef enum record_type {
    RECORD_BEGIN = 1, /* version, name, identity, seed, order, window, maximize */
    RECORD_ASK,       /* leg, trial (null: an idle leg), kind, worker, x of a new trial */
    RECORD_REPORT,    /* trial, resource, value, answer, reason */
    RECORD_TELL,      /* trial, state, value, violation, reason */
    RECORD_LOSE,      /* trial, reason */
    RECORD_QUEUE,     /* x */
    RECORD_BOUND      /* max_trials, target: other ones than before */
} record_type;

/* What a leg was asked for. */
typedef enum ask_origin {
    ORIGIN_SAMPLER,
    ORIGIN_QUEUE,
    ORIGIN_PROMOTION,
    ORIGIN_LOST, /* the same leg again */
    ORIGIN_IDLE  /* a leg without a trial: nothing could be asked for then */
} ask_origin;

/* A ty_trial with what grows behind its pointers. */
typedef struct trial_memory {
    ty_trial seen;
    double *x, *step, *resource, *reported;
    size_t report_capacity;
    ty_leg *legs;
    size_t leg_capacity;
    char *reason, *worker;
    ty_answer last_answer; /* to the last report */
    char last_reason[160];
    size_t shown_at;    /* index into the history; NOT_SHOWN */
    int64_t expires_ns; /* until when it belongs to who asked; 0: as long as the study is open */
} trial_memory;

typedef struct leg_place {
    size_t trial; /* NO_TRIAL: idle */
    size_t index; /* among the trial's legs */
} leg_place;

#define NO_TRIAL SIZE_MAX
#define NOT_SHOWN SIZE_MAX

struct ty_study {
    ty_study_options options; /* strings borrowed */
    ty_journal *journal;      /* NULL while replaying */
    ty_sampler *sampler;
    trial_memory **trials; /* their addresses stay */
    size_t count, capacity;
    leg_place *legs;
    size_t leg_count, leg_capacity;
    double *queue; /* [queued][dims] */
    size_t queued, queue_taken, queue_capacity;
    size_t consecutive_failures;
    size_t *told; /* legs in the order in which they ended */
    size_t told_count, told_capacity;
    size_t ended; /* all legs below it have ended */
    size_t running;
    /* What the sampler sees: the first `shown` legs (WINDOW), or as many told ones, and the points
     * of the first `begun` legs. */
    ty_history history;
    size_t shown, begun;
    /* The board of the last judgement; its curves point into trials. */
    ty_curve *curves;
    size_t curve_capacity;
    bool has_begun;
    int64_t max_trials; /* as the journal has them, not as this opening wants them */
    double target;
    ty_study_differs *differs; /* replaying: whom to tell */
    void *differs_self;
    size_t decisions, differences;
};

extern const char *const study_orders[]; /* names by ty_order */

/* --- study_fold.c --- */

/* Folds one record. Errors: TY_ERR_INTEGRITY it is none of ours, or contradicts what was before. */
ty_status study_fold(ty_ctx *ctx, ty_study *s, uint32_t type, const void *payload,
                     size_t bytes) TY_MUST_USE;

/* Appends a record and folds it. Takes json. */
ty_status study_record(ty_ctx *ctx, ty_study *s, record_type type, json_t *json) TY_MUST_USE;

/* Writes a report behind the others without counting it yet, so that it can be judged before it is
 * recorded; false when memory is out. */
bool study_place_report(const ty_study *s, trial_memory *t, const ty_report *report);
/* The three numbers of a REPORT record. */
bool study_report_from_json(const json_t *record, ty_report *out);

bool study_number_from_json(const json_t *json, double *out);
bool study_point_from_json(const json_t *json, size_t dims, double *x);
json_t *study_number_to_json(double v); /* null for NAN, "inf" and "-inf" */
json_t *study_point_to_json(const double *x, size_t dims);
void study_free_trials(ty_study *s);

/* --- study_view.c --- */

/* How many of the first legs leg `leg` may see the end of (WINDOW). */
size_t study_horizon(const ty_study *s, size_t leg);

/* Whether everything that leg `leg` may see has ended. */
bool study_is_decidable(const ty_study *s, size_t leg);

/* Brings the history to what leg `leg`, the next to be asked, may see. */
ty_status study_show_history(ty_ctx *ctx, ty_study *s, size_t leg) TY_MUST_USE;

/* The board that leg `leg` may see, without the trial `without` (NO_TRIAL: with all). Lives until the
 * next call. */
ty_status study_board(ty_ctx *ctx, ty_study *s, size_t leg, size_t without,
                      ty_board *out) TY_MUST_USE;

/* --- study.c --- */

/* A leg that is to be asked for. */
typedef struct decision {
    ask_origin origin;
    size_t trial;
    double *x; /* [dims], of a new trial; scratch memory */
} decision;

/* An empty study: sampler open, no journal. */
ty_status study_new(ty_ctx *ctx, const ty_study_options *options, ty_study **out) TY_MUST_USE;

/* What leg `leg`, the next, is; the verdict on a report that is not recorded yet. Both depend on
 * nothing but what the leg may see. */
ty_status study_decide(ty_ctx *ctx, ty_study *s, size_t leg, decision *out) TY_MUST_USE;
ty_status study_judge(ty_ctx *ctx, ty_study *s, trial_memory *t, const ty_report *report,
                      ty_decision *out) TY_MUST_USE;

/* A value as told, turned so that less is better, and back. */
double study_turn(const ty_study *s, double value);

#endif
