/* What must hold between the parameters of a trial: "model.width % model.heads == 0",
 * "train.warmup + 2 < train.epochs", "optimizer.type == 'adamw' || optimizer.momentum > 0".
 *
 *   or      = and { "||" and }              and  = not { "&&" not }       not = [ "!" ] compare
 *   compare = sum [ ("<" | "<=" | ">" | ">=" | "==" | "!=") sum ]
 *   sum     = product { ("+" | "-") product }    product = sign { ("*" | "/" | "%") sign }
 *   sign    = [ "-" ] atom
 *   atom    = number | 'text' | "text" | name | `name` | "(" or ")"
 *
 * A name is a parameter's; one with a "-" in it is written between backticks. Text is only compared
 * with == and !=. A choice that is a number or a boolean (0, 1) counts as a number. */
#ifndef TY_HPO_SPACE_EXPRESSION_H
#define TY_HPO_SPACE_EXPRESSION_H

#include "hpo/space/space.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TY_EXPRESSION_MAX_BYTES = 4096, TY_EXPRESSION_MAX_DEPTH = 64 };

/* Everything lives in the arena; names are looked up in space, whose parameters must be final.
 * Errors: TY_ERR_CONFIG with the column and what was expected there, or the unknown name. */
ty_status ty_expression_parse(ty_ctx *ctx, const char *text, const ty_space *space, ty_arena *arena,
                              const ty_expression **out) TY_MUST_USE;

/* Whether it holds at x [space->count]; it does where a parameter in it plays no part. Division by
 * zero is IEEE's, and no comparison with NAN holds. */
bool ty_expression_holds(const ty_expression *expression, const ty_space *space, const double *x);

/* As it was written. */
const char *ty_expression_text(const ty_expression *expression);

#ifdef __cplusplus
}
#endif
#endif
