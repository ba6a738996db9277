/* Points that are given by hand, whole or in part: {"optimizer.learning_rate": 0.01, "kind": "b"}. What is
 * not given is chosen as any other value is. */
#ifndef TY_HPO_SPACE_POINTS_H
#define TY_HPO_SPACE_POINTS_H

#include "hpo/samplers/sampler.h"

#ifdef __cplusplus
extern "C" {
#endif

/* given [space->count]: the values of a point, NAN where there is none (or null). fixed is an object of
 * constants, or NULL; a point may name one with its value.
 * Errors: TY_ERR_CONFIG saying what is wrong with the member *key (NULL: with them all together: no point
 * of the space has these values). */
ty_status ty_point_read(ty_ctx *ctx, const ty_space *space, const json_t *fixed,
                        const json_t *point, double *given, const char **key) TY_MUST_USE;

/* What is given, and for the rest what the sampler suggests for this trial; where what is given asks for
 * more (another choice with parameters of its own), or constraints refuse it all, from the priors.
 * Errors: TY_ERR_CONFIG no point was found, which ty_point_read would have said. */
ty_status ty_point_complete(ty_ctx *ctx, ty_sampler *sampler, const ty_history *history,
                            uint64_t seed, size_t trial, const double *given,
                            double *x) TY_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
