/* A space as JSON: written into the journals of sweeps and read back from there, so that what was
 * decided in a space can be derived again when the sweep file has long been another one. What is read
 * back has the bits of what was written. */
#ifndef TY_HPO_SPACE_SPACE_JSON_H
#define TY_HPO_SPACE_SPACE_JSON_H

#include "base/text.h"
#include "hpo/space/space.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Adds "params":[...] of a sealed space, without braces round it. */
void ty_space_add_params(const ty_space *space, ty_text *out);

/* Adds "constraints":[...], their texts. */
void ty_space_add_constraints(const ty_space *space, ty_text *out);

/* Equal, where 1 and 1.0 are the same. */
bool ty_json_same_value(const json_t *a, const json_t *b);

/* Adds json as compact text with sorted keys, the numbers with all their digits. */
void ty_json_add_canonical(const json_t *json, ty_text *out);

/* A sealed space from an object with these two members. All of it lives in arena and in json, which the
 * caller keeps as long.
 * Errors: TY_ERR_INTEGRITY it is none; what ty_space_seal and ty_expression_parse fail with. */
ty_status ty_space_from_json(ty_ctx *ctx, const json_t *json, ty_arena *arena,
                             ty_space *out) TY_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
