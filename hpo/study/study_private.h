/* The inside of a study. study_fold.c turns records into state, and is the only one to change
 * trials; study_view.c says what a leg may see; study.c decides and appends records. */
#ifndef TY_HPO_STUDY_STUDY_PRIVATE_H
#define TY_HPO_STUDY_STUDY_PRIVATE_H

#include "hpo/study/study.h"

enum { STUDY_VERSION = 1 };

typedef enum record_type {
    RECORD_BEGIN = 1, /* version, name, identity, seed, order, window, maximize, imports */
    RECORD_ASK,       /* leg, trial (null: idle), origin, worker, expires_ns; x, index if new */
    RECORD_REPORT,    /* trial, step, resource, value, answer, reason, expires_ns */
    RECORD_TELL,      /* trial, state, value, violation, reason; worker, if another one had it */
    RECORD_LOSE,      /* trial, reason */
    RECORD_QUEUE,     /* point; left_as, if it was left in a file of this name */
    RECORD_BOUND,     /* max_trials, target: other ones than before */
    RECORD_SPACE,     /* identity: with another space */
    RECORD_RENEW, /* trial, worker, expires_ns: its worker lives and has it, also if it was lost */
    RECORD_STRIP  /* trial: its checkpoints are taken */
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
    double *asked, *x, *step, *resource, *reported;
    size_t report_capacity;
    ty_leg *legs;
    size_t leg_capacity;
    char *reason, *worker;
    ty_answer last_answer; /* to the last report */
    char last_reason[160];
    size_t shown_at;    /* index into the history; NOT_SHOWN */
    int64_t expires_ns; /* until when it belongs to who asked; 0: as long as the study is open */
} trial_memory;

typedef struct study_version {
    ty_version seen;
    char *identity;
    ty_space space; /* in arena and json, or the options' */
    ty_arena arena;
    json_t *json;
} study_version;

typedef struct leg_place {
    size_t trial; /* NO_TRIAL: idle */
    size_t index; /* among the trial's legs */
} leg_place;

#define NO_TRIAL SIZE_MAX
#define NOT_SHOWN SIZE_MAX

struct ty_study {
    ty_study_options options; /* strings borrowed */
    ty_lease *lease;          /* beside the journal; NULL where that is */
    ty_journal *journal;      /* NULL while replaying */
    study_version **versions; /* their addresses stay */
    size_t version_count;
    const ty_version *version; /* the newest; NULL before the beginning */
    const ty_space *space;     /* its */
    ty_sampler *sampler;       /* of it; NULL: not opened yet */
    trial_memory **trials;     /* their addresses stay */
    size_t count, capacity;
    leg_place *legs;
    size_t leg_count, leg_capacity;
    json_t *imports;     /* trials from elsewhere; NULL: none */
    size_t import_count; /* samplers know trial i as import_count + i */
    bool has_shown_imports;
    json_t *queue;      /* a list of points; NULL: none */
    size_t queue_taken; /* of them, the first ones */
    json_t *taken; /* an object: of files that points were left in, true; false: not to be read */
    char *drops;   /* the folder that points are left in; NULL: nobody can */
    size_t combination; /* of a sampler with an end: the next one of the newest space */
    size_t consecutive_failures;
    size_t *told; /* legs in the order in which they ended */
    size_t told_count, told_capacity;
    size_t running;
    /* What the sampler sees: the first `shown` legs (WINDOW), or as many told ones, and the points
     * of the first `begun` legs. */
    ty_history history;
    size_t shown, begun;
    /* The board of the last judgement; its curves point into trials. */
    ty_curve *curves;
    size_t curve_capacity;
    bool has_begun, has_report;
    bool is_measured_otherwise; /* by its newest identity, which no result is of yet */
    int64_t max_trials;         /* as the journal has them, not as this opening wants them */
    double target;
    ty_study_differs *differs; /* replaying: whom to tell */
    void *differs_self;
    size_t decisions, differences;
};

extern const char *const study_orders[]; /* names by ty_order */
ty_order study_order_named(const char *name);

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

/* Whether folding takes x [space->count] for the point of a trial. */
bool study_could_be_asked(const ty_space *space, const double *x);

/* Nothing counts as shown; the idle legs at the end were none. */
void study_forget_history(ty_study *s);

/* --- study_versions.c --- */

/* Errors: TY_ERR_CONFIG they are of two sweeps, whatever their spaces; says in what. */
ty_status study_compare_identities(ty_ctx *ctx, const char *had, const char *wanted) TY_MUST_USE;

/* Whether they are one sweep, whatever their spaces, but for its metric, goal, value and limits. */
bool study_measures_otherwise(const char *had, const char *wanted);

/* The newest identity that the journal has. */
const char *study_identity(const ty_study *s);

/* The identity's space is the newest from here on: trials are carried over. */
ty_status study_change_space(ty_ctx *ctx, ty_study *s, const char *identity) TY_MUST_USE;

/* Whether the newest space is this identity's. */
bool study_is_of_space(const ty_study *s, const char *identity);
size_t study_count_known(const ty_study *s);

/* What `asked` of one space is in another: x [to->space->count], NAN where nothing is known; false
 * where it is no point of it. */
bool study_carry(const ty_version *from, const double *asked, const ty_version *to, double *x);

/* Sets x and is_known of a trial by the newest space. */
ty_status study_carry_over(ty_ctx *ctx, ty_study *s, trial_memory *t) TY_MUST_USE;
void study_free_versions(ty_study *s);

/* --- study_view.c --- */

/* The same bits; two NANs are the same nothing. */
bool study_same_point(const double *a, const double *b, size_t dims);

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
    double *x;    /* [dims], of a new trial; scratch memory */
    size_t index; /* of the point in the queue, or of the combination */
} decision;

/* --- study_imports.c --- */

/* Errors: TY_ERR_INTEGRITY they are none. */
ty_status study_take_imports(ty_ctx *ctx, ty_study *s, const json_t *imports) TY_MUST_USE;

/* Those that are points of the newest space, before anything else is shown. */
ty_status study_show_imports(ty_ctx *ctx, ty_study *s) TY_MUST_USE;

/* --- imports.c --- */

/* TY_ERR_CONFIG: what is imported was to be the opposite. */
ty_status study_refuse_direction(ty_ctx *ctx, const char *source, bool maximize) TY_MUST_USE;

/* --- study_queue.c --- */

/* The next of the queue that is a point of the newest space, its values in given [dims]; the queue's length
 * where there is none. */
size_t study_find_queued(ty_ctx *ctx, const ty_study *s, double *given);

/* Sets x and index: the next combination that no trial has; index is the sampler's total where there is none. */
ty_status study_find_combination(ty_ctx *ctx, ty_study *s, decision *out) TY_MUST_USE;

/* Errors: TY_ERR_CONFIG it is no point of the newest space. */
ty_status study_check_point(ty_ctx *ctx, const ty_study *s, const json_t *point) TY_MUST_USE;

/* Checks and records it; left_as: the file's name, or NULL. */
ty_status study_enqueue(ty_ctx *ctx, ty_study *s, const json_t *point,
                        const char *left_as) TY_MUST_USE;

/* The points of the options that no opening has enqueued yet. */
ty_status study_enqueue_new(ty_ctx *ctx, ty_study *s) TY_MUST_USE;

/* --- study_drop.c --- */

/* Where points for the study of this journal are left; in arena. NULL: no memory. */
char *study_drop_folder(ty_arena *arena, const char *journal);

/* Records what was left, lets it last, and removes the files. */
ty_status study_take_drops(ty_ctx *ctx, ty_study *s) TY_MUST_USE;

/* Records one file's text, if the journal has none of its name. Errors: TY_ERR_CONFIG it is no point. */
ty_status study_take_point(ty_ctx *ctx, ty_study *s, const char *name, const char *text,
                           size_t bytes) TY_MUST_USE;

/* --- study.c --- */

/* An empty study: sampler open, no journal. */
ty_status study_new(ty_ctx *ctx, const ty_study_options *options, ty_study **out) TY_MUST_USE;

/* What leg `leg`, the next, is; the verdict on a report that is not recorded yet. Both depend on
 * nothing but what the leg may see. */
ty_status study_decide(ty_ctx *ctx, ty_study *s, size_t leg, decision *out) TY_MUST_USE;
ty_status study_judge(ty_ctx *ctx, ty_study *s, trial_memory *t, const ty_report *report,
                      ty_decision *out) TY_MUST_USE;

/* --- study_tell.c --- */

/* Until when a trial belongs to who speaks of it now; 0: as long as the study is open. */
json_t *study_expiry(const ty_study *s, int64_t now_ns);

/* Records that nobody runs it any more; counts: as one of its losses. */
ty_status study_lose(ty_ctx *ctx, ty_study *s, size_t trial, bool counts,
                     const char *reason) TY_MUST_USE;

/* A value as told, turned so that less is better, and back. */
double study_turn(const ty_study *s, double value);

#endif
