/* The table of pruners: what stops a trial early, pauses it, or lets a paused one go on. A pruner is
 * a pure function of its config and the curves on the board: no state, so that a sweep that goes on
 * decides what it would have decided. One file and one row each. */
#ifndef TY_HPO_PRUNERS_PRUNER_H
#define TY_HPO_PRUNERS_PRUNER_H

#include "hpo/space/history.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a trial reported so far. Values are turned so that less is better; a NAN value was reported as
 * such. Resources ascend (reports, steps or epochs, as the sweep file says). */
typedef struct ty_curve {
    size_t number;
    ty_trial_state state;
    double told; /* what a complete trial is worth; NAN for others */
    size_t count;
    const double *resource; /* [count] */
    const double *value;    /* [count] */
} ty_curve;

/* Everything that a decision may be made from. */
typedef struct ty_board {
    const char *sweep;   /* its name: brackets are drawn by it */
    double max_resource; /* of a whole trial; NAN where nobody knows */
    bool is_turned;      /* values were negated: a sweep that maximizes */
    bool starts_over;    /* no trial can go on from where it ended: they are another program's */
    bool is_last;        /* asked for a promotion: no new trial will begin */
    double to_come;      /* asked for a chance: how many may still begin; INFINITY: nobody knows */
    const ty_curve
        *curves; /* in the order in which trials were asked for; without the judged one */
    size_t count;
} ty_board;

typedef struct ty_decision {
    ty_answer
        answer; /* CONTINUE, STOP or PAUSE (a checkpoint, then another trial may have the slot) */
    char reason[160]; /* "" for CONTINUE */
} ty_decision;

/* X(name, help): pruner_<name>.c has ty_pruner_<name> and ty_pruner_<name>_rows (median's are with
 * percentile's); one line here. The first ones judge a report whatever was judged before it: patient
 * can wrap them. */
#define TY_PRUNER_PLAIN_ROWS(X)                                                                    \
    X(none, "every trial runs to its end")                                                         \
    X(median, "stops a trial whose best is worse than the median of the others there")             \
    X(percentile, "the same with another percentile")                                              \
    X(threshold, "stops a trial whose metric leaves a range, or is no number")                     \
    X(wilcoxon, "stops a trial whose reports are probably worse than those of the best")
#define TY_PRUNER_ROWS(X)                                                                          \
    TY_PRUNER_PLAIN_ROWS(X)                                                                        \
    X(patient, "stops a trial that has not improved for a while")                                  \
    X(halving, "at each rung the best of those that came so far go on, the others end")            \
    X(asha, "the same, but the others wait with their checkpoints until they are among the best")  \
    X(hyperband, "brackets of successive halving that begin at different rungs")                   \
    X(wandb, "W&B's early_terminate of type hyperband")

enum { TY_PRUNER_CONFIG_BYTES = 128 };

typedef struct ty_pruner_type {
    /* After a report, which is the last of own. */
    ty_status (*judge)(ty_ctx *ctx, const void *config, const ty_board *board, const ty_curve *own,
                       ty_decision *out);
    /* Index into board->curves of the paused trial that is to go on before a new one begins;
     * board->count for none. NULL where the pruner never pauses. */
    size_t (*promote)(const void *config, const ty_board *board);
    /* The chance that the paused trial at this index of board->curves will go on, 0 to 1, from what is
     * known now. NULL where the pruner never pauses. */
    double (*chance)(const void *config, const ty_board *board, size_t index);
    /* Of a board without curves. May be NULL.
     * Errors: TY_ERR_CONFIG keys that contradict each other. */
    ty_status (*check)(ty_ctx *ctx, const void *config, const ty_board *board);
} ty_pruner_type;

#define TY_PRUNER_DECLARE(name, help)                                                              \
    extern const ty_pruner_type ty_pruner_##name;                                                  \
    extern const ty_rows ty_pruner_##name##_rows;
TY_PRUNER_ROWS(TY_PRUNER_DECLARE)
#undef TY_PRUNER_DECLARE

/* For the sweep file's rows, and for what patient can wrap; both end with a row of type NULL. */
extern const ty_variant_row ty_pruner_variants[];
extern const ty_variant_row ty_pruner_plain_variants[];

/* --- what pruners share ------------------------------------------------------------------------- */

/* Index of the first report at this resource or behind it; count where there is none. */
size_t ty_curve_from(const ty_curve *curve, double resource);

/* Index of the report at exactly this resource; count where there is none. */
size_t ty_curve_at(const ty_curve *curve, double resource);

/* The least value; NAN where all are. */
double ty_curve_best(const ty_curve *curve);

/* Whether a report at its resource is the first in its interval: intervals begin at warmup and are
 * `interval` long, and one report in each is judged. */
bool ty_curve_is_due(const ty_curve *curve, double warmup, double interval);

/* A value as it was reported. */
double ty_board_unturn(const ty_board *board, double value);

/* An answer with its reason. */
void ty_decision_set(ty_decision *out, ty_answer answer, const char *format, ...) TY_PRINTF(3, 4);

/* The functions of the chosen variant (of ty_pruner_variants). */
const ty_pruner_type *ty_pruner_of(const ty_variant *chosen);

/* The same from JSON text, for callers without a sweep file: "\"median\"", {"type": "asha", "eta": 3}.
 * Strings and config live as long as *doc, which is the caller's to close. */
ty_status ty_pruner_read_json(ty_ctx *ctx, const char *json, ty_doc **doc,
                              ty_variant *out) TY_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
