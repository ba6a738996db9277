/* What tests of studies share: a study in a folder of its own, and workers that run it. */
#ifndef TY_TESTS_HPO_STUDY_CASE_H
#define TY_TESTS_HPO_STUDY_CASE_H

#include "tests/hpo/hpo_fixture.h"
#include "tests/support/temp_folder.h"

enum { EPOCHS = 9, MAX_WORKERS = 8, MAX_TRIALS = 100 };

typedef struct study_case {
    ty_ctx ctx;
    hpo_fixture hpo;
    temp_folder folder;
    char path[2 * TEMP_FOLDER_BYTES];
    bool is_in_memory; /* without a journal: the disk takes most of the time */
    size_t trained;    /* epochs, by all workers */
    bool has_trained[MAX_TRIALS][EPOCHS + 1];
    void (*after_turn)(void *self, const ty_study *s); /* NULL: nobody wants to know */
    void *self;
} study_case;

/* cmocka's set-up and tear-down: *state is a study_case. */
int study_case_set_up(void **state);
int study_case_tear_down(void **state);

/* Fails the test with the context's message. */
void study_case_ok(study_case *f, ty_status st);

ty_study *study_case_open(study_case *f);

/* What a trial reports after an epoch. */
double study_case_loss(const ty_trial *t, int epoch);

/* Workers in an order drawn from `delays`, an epoch a turn; ends after `turns` turns, or when all is
 * done (true). A promoted trial goes on behind the epochs that its ended legs trained. */
bool study_case_run(study_case *f, ty_study *s, int workers, uint64_t delays, size_t turns);

/* All that must not depend on timing. */
void study_case_describe(const ty_study *s, ty_text *out);

/* Opens the study, runs it to its end and describes it. */
void study_case_run_all(study_case *f, int workers, uint64_t delays, ty_text *out);

#endif
