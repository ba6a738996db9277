/* Whose checkpoints go where those of a sweep's trials take more room than they may: the cheapest loss a
 * byte first, where a loss is the chance that the trial goes on times what it would then have to train
 * again. Trials that have ended lose nothing by it. */
#ifndef TY_HPO_STUDY_QUOTA_H
#define TY_HPO_STUDY_QUOTA_H

#include "hpo/study/study.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ty_quota_trial {
    size_t number;
    bool is_protected; /* it runs, or is the best one: never taken */
    double chance;     /* that it goes on, 0 to 1 */
    double trained;    /* how far it is, in the sweep's resource */
    double value;      /* turned: less is better; NAN: none */
    uint64_t bytes;    /* of its checkpoints */
} ty_quota_trial;

/* Who loses its checkpoints so that the others' take at most max_bytes: indices into v, in order, in
 * losers [n]; returns how many. Of equal losses the worse value goes first, then the lower number; a loss
 * that is no number is the greatest.
 * *left: the bytes that stay, above max_bytes where all that stays is protected. A pure function. */
size_t ty_quota_choose(const ty_quota_trial *v, size_t n, uint64_t max_bytes, size_t *losers,
                       uint64_t *left);

/* Fills all of v [ty_study_count] but the bytes, from all that is known now, whatever a decision may
 * see. */
ty_status ty_study_stakes(ty_ctx *ctx, ty_study *study, ty_quota_trial *v) TY_MUST_USE;

/* Records that a trial's checkpoints are taken: one that goes on begins anew, and what it trains again
 * is counted. No decision depends on it. Said before they are, so that whoever goes on after a crash
 * knows what to finish. Durable when it returns TY_OK.
 * Errors: TY_ERR_ARG it runs. */
ty_status ty_study_strip(ty_ctx *ctx, ty_study *study, size_t trial) TY_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
