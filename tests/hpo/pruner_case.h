/* What tests of pruners share: a board of curves, and the verdict on one more. */
#ifndef TY_TESTS_HPO_PRUNER_CASE_H
#define TY_TESTS_HPO_PRUNER_CASE_H

#include "hpo/pruners/pruner.h"

enum { CASE_CURVES = 64, CASE_REPORTS = 64 };

typedef struct pruner_case {
    ty_ctx ctx;
    ty_doc *doc;
    ty_variant pruner;
    ty_board board;
    ty_curve curves[CASE_CURVES];
    double resource[CASE_REPORTS]; /* 1, 2, 3, ... */
    double values[CASE_CURVES][CASE_REPORTS];
} pruner_case;

/* cmocka's set-up and tear-down: *state is a pruner_case without a pruner. */
int pruner_case_set_up(void **state);
int pruner_case_tear_down(void **state);

/* The pruner that the JSON describes; may be called again. */
void pruner_case_choose(pruner_case *c, const char *json);

/* One more curve, its values as they were reported (turned here where board.is_turned) and ending with
 * END; told is its last one. */
#define END 1e300
void pruner_case_add(pruner_case *c, ty_trial_state state, const double *values);

/* The verdict on a trial with these values; numbered as the next of the board. The text lives until the
 * next call. */
ty_decision pruner_case_judge(pruner_case *c, const double *values);

/* The answer, and that it is given for a reason that has `part` in it. */
void pruner_case_expect(pruner_case *c, const double *values, ty_answer answer, const char *part);

#define VALUES(...) ((const double[]){__VA_ARGS__, END})

#endif
