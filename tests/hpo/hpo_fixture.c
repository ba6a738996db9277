#include "tests/hpo/hpo_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

void hpo_fixture_open(ty_ctx *ctx, hpo_fixture *f) {
    *f = (hpo_fixture){.one = 1, .choices = json_pack("[s, s, s]", "a", "b", "c")};
    f->clause = (ty_clause){.parent = 2, .accepted = &f->one, .accepted_count = 1};
    f->params[0] = (ty_param){.name = "rate", .prior = TY_PRIOR_LOG, .low = 1e-5, .high = 1};
    f->params[1] = (ty_param){
        .name = "layers", .prior = TY_PRIOR_UNIFORM, .is_int = true, .low = 1, .high = 8};
    f->params[2] = (ty_param){
        .name = "kind", .prior = TY_PRIOR_CHOICE, .choices = f->choices, .choice_count = 3};
    f->params[3] = (ty_param){.name = "momentum",
                              .prior = TY_PRIOR_UNIFORM,
                              .high = 1,
                              .clauses = &f->clause,
                              .clause_count = 1};
    f->space = (ty_space){.params = f->params, .count = FIXTURE_DIMS};
    assert_int_equal(ty_space_seal(ctx, &f->space), TY_OK);
    assert_int_equal(ty_sampler_read_json(ctx, "{\"type\": \"tpe\", \"startup_trials\": 5}",
                                          &f->sampler_doc, &f->sampler),
                     TY_OK);
    assert_int_equal(ty_pruner_read_json(ctx, "\"none\"", &f->pruner_doc, &f->pruner), TY_OK);
    f->options = (ty_study_options){.name = "fixture",
                                    .space = &f->space,
                                    .sampler = &f->sampler,
                                    .pruner = &f->pruner,
                                    .identity = "{}",
                                    .seed = 7,
                                    .order = TY_ORDER_WINDOW,
                                    .window = 8,
                                    .max_resource = 9,
                                    .max_trials = 30,
                                    .target = NAN};
}

void hpo_fixture_close(hpo_fixture *f) {
    ty_doc_close(f->sampler_doc);
    ty_doc_close(f->pruner_doc);
    json_decref(f->choices);
}

double hpo_fixture_loss(const double *x) {
    const double rate = log10(x[0]) + 2, layers = (x[1] - 5) / 4;
    const double momentum = isnan(x[3]) ? 1 : x[3] - 0.9;
    return rate * rate + layers * layers + 0.1 * x[2] + momentum * momentum;
}
