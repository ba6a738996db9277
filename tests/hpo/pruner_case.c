#include "tests/hpo/pruner_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <math.h>

int pruner_case_set_up(void **state) {
    pruner_case *c = calloc(1, sizeof *c);
    assert_non_null(c);
    ty_ctx_init(&c->ctx);
    c->board = (ty_board){.sweep = "sweep", .max_resource = NAN, .curves = c->curves};
    for (int i = 0; i < CASE_REPORTS; i++)
        c->resource[i] = i + 1;
    *state = c;
    return 0;
}

int pruner_case_tear_down(void **state) {
    pruner_case *c = *state;
    ty_doc_close(c->doc);
    ty_ctx_clear(&c->ctx);
    free(c);
    return 0;
}

void pruner_case_choose(pruner_case *c, const char *json) {
    ty_doc_close(c->doc);
    c->doc = NULL;
    if (ty_pruner_read_json(&c->ctx, json, &c->doc, &c->pruner) != TY_OK)
        fail_msg("%s", c->ctx.message);
}

static ty_curve curve_of(pruner_case *c, size_t slot, const double *values) {
    ty_curve curve = {
        .number = slot, .told = NAN, .resource = c->resource, .value = c->values[slot]};
    for (; values[curve.count] != END; curve.count++)
        c->values[slot][curve.count] = ty_board_unturn(&c->board, values[curve.count]);
    return curve;
}

void pruner_case_add(pruner_case *c, ty_trial_state state, const double *values) {
    ty_curve curve = curve_of(c, c->board.count, values);
    curve.state = state;
    if (state == TY_TRIAL_COMPLETE && curve.count > 0)
        curve.told = curve.value[curve.count - 1];
    c->curves[c->board.count++] = curve;
}

ty_decision pruner_case_judge(pruner_case *c, const double *values) {
    ty_decision verdict;
    const ty_curve own = curve_of(c, c->board.count, values);
    const ty_status st =
        ty_pruner_of(&c->pruner)->judge(&c->ctx, c->pruner.config, &c->board, &own, &verdict);
    if (st != TY_OK)
        fail_msg("%s", c->ctx.message);
    return verdict;
}

void pruner_case_expect(pruner_case *c, const double *values, ty_answer answer, const char *part) {
    const ty_decision verdict = pruner_case_judge(c, values);
    if (verdict.answer != answer || !strstr(verdict.reason, part))
        fail_msg("answer %d \"%s\", want %d \"%s\"", (int)verdict.answer, verdict.reason,
                 (int)answer, part);
}
