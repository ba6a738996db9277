/* A small space and a study over it, for tests. */
#ifndef TY_TESTS_HPO_FIXTURE_H
#define TY_TESTS_HPO_FIXTURE_H

#include "hpo/hpo.h"

enum { FIXTURE_DIMS = 4 };

typedef struct hpo_fixture {
    ty_param params[FIXTURE_DIMS];
    ty_space space;
    json_t *choices;
    double one;
    ty_clause clause;
    ty_variant sampler, pruner;
    ty_doc *sampler_doc, *pruner_doc;
    ty_study_options options;
} hpo_fixture;

/* rate: log 1e-5..1; layers: 1..8; kind: "a" | "b" | "c"; momentum: 0..1 where kind is "b". */
void hpo_fixture_open(ty_ctx *ctx, hpo_fixture *f);
void hpo_fixture_close(hpo_fixture *f);

/* A smooth function of a point with one minimum. */
double hpo_fixture_loss(const double *x);

#endif
