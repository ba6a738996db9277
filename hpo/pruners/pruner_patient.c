/* Stops a trial whose last `patience` + 1 reports are all worse than the best before them; where it
 * wraps another pruner, only if that one would stop it, too. */
#include <math.h>
#include <stddef.h>

#include "hpo/pruners/pruner.h"

typedef struct patient_config {
    int64_t patience;
    double min_delta;
    ty_variant wrapped; /* row NULL: none */
} patient_config;

static const ty_row rows[] = {{.key = "patience",
                               .type = TY_ROW_INT,
                               .offset = offsetof(patient_config, patience),
                               .fallback = "5",
                               .min = 0,
                               .max = 1000000,
                               .help = "reports without improvement that are forgiven"},
                              {.key = "min_delta",
                               .type = TY_ROW_REAL,
                               .offset = offsetof(patient_config, min_delta),
                               .fallback = "0",
                               .min = 0,
                               .max = INFINITY,
                               .help = "how much worse is not worse yet"},
                              {.key = "wrapped",
                               .type = TY_ROW_VARIANT,
                               .offset = offsetof(patient_config, wrapped),
                               .fallback = "null",
                               .variants = ty_pruner_plain_variants,
                               .help = "a pruner that has to agree; null: none"}};
const ty_rows ty_pruner_patient_rows = TY_ROWS(rows);

static ty_status judge(ty_ctx *ctx, const void *config, const ty_board *board, const ty_curve *own,
                       ty_decision *out) {
    const patient_config *p = config;
    const size_t recent = (size_t)p->patience + 1;
    *out = (ty_decision){.answer = TY_CONTINUE};
    if (own->count <= recent)
        return TY_OK;
    ty_curve before = *own, after = *own;
    before.count -= recent;
    after.count = recent;
    after.value += before.count;
    const double best = ty_curve_best(&before);
    if (!(best + p->min_delta < ty_curve_best(&after)))
        return TY_OK;
    if (p->wrapped.row)
        return ty_pruner_of(&p->wrapped)->judge(ctx, p->wrapped.config, board, own, out);
    ty_decision_set(out, TY_STOP, "no better than %.6g for %zu reports",
                    ty_board_unturn(board, best), recent);
    return TY_OK;
}

static ty_status check(ty_ctx *ctx, const void *config, const ty_board *board) {
    const patient_config *p = config;
    const ty_pruner_type *wrapped = p->wrapped.row ? ty_pruner_of(&p->wrapped) : NULL;
    return wrapped && wrapped->check ? wrapped->check(ctx, p->wrapped.config, board) : TY_OK;
}

const ty_pruner_type ty_pruner_patient = {.judge = judge, .check = check};
