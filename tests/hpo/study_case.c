#include "tests/hpo/study_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <math.h>

int study_case_set_up(void **state) {
    study_case *f = calloc(1, sizeof *f);
    assert_non_null(f);
    ty_ctx_init(&f->ctx);
    hpo_fixture_open(&f->ctx, &f->hpo);
    f->folder = temp_folder_make();
    temp_folder_path(&f->folder, "sweep.journal", f->path);
    *state = f;
    return 0;
}

int study_case_tear_down(void **state) {
    study_case *f = *state;
    temp_folder_remove(&f->folder);
    hpo_fixture_close(&f->hpo);
    ty_ctx_clear(&f->ctx);
    free(f);
    return 0;
}

void study_case_ok(study_case *f, ty_status st) {
    if (st != TY_OK)
        fail_msg("%s: %s", ty_status_name(st), f->ctx.message);
}

ty_study *study_case_open(study_case *f) {
    ty_study *s = NULL;
    study_case_ok(f, ty_study_open(&f->ctx, f->is_in_memory ? NULL : f->path, &f->hpo.options, &s));
    return s;
}

double study_case_loss(const ty_trial *t, int epoch) {
    return hpo_fixture_loss(t->asked) + 1.0 / (epoch + (double)(t->number % 3));
}

/* A worker that trains an epoch a turn. */
typedef struct worker {
    size_t trial;
    int epoch;
    bool is_busy;
} worker;

static void end_leg(study_case *f, ty_study *s, worker *w, ty_told told) {
    study_case_ok(f, ty_study_tell(&f->ctx, s, w->trial, &told));
    w->is_busy = false;
}

static void train_epoch(study_case *f, ty_study *s, worker *w) {
    const ty_trial *t = ty_study_trial(s, w->trial);
    ty_decision verdict;
    w->epoch++;
    f->trained++;
    f->has_trained[w->trial][w->epoch] = true;
    const ty_report report = {
        .step = 10 * w->epoch, .resource = w->epoch, .value = study_case_loss(t, w->epoch)};
    study_case_ok(f, ty_study_report(&f->ctx, s, w->trial, &report, &verdict));
    if (verdict.answer == TY_STOP)
        end_leg(f, s, w,
                (ty_told){.state = TY_TRIAL_PRUNED, .value = NAN, .reason = verdict.reason});
    else if (verdict.answer == TY_PAUSE)
        end_leg(f, s, w,
                (ty_told){.state = TY_TRIAL_PAUSED, .value = NAN, .reason = verdict.reason});
    else if (w->epoch == EPOCHS)
        end_leg(f, s, w, (ty_told){.state = TY_TRIAL_COMPLETE, .value = NAN});
}

/* Where a trial goes on: behind the epochs that an ended leg trained (its checkpoint). */
static int checkpoint_of(const ty_trial *t) {
    return t->leg_count > 1 ? (int)t->resource[t->legs[t->leg_count - 2].reports - 1] : 0;
}

static ty_ask_kind take(study_case *f, ty_study *s, worker *w) {
    ty_ask ask;
    study_case_ok(f, ty_study_ask(&f->ctx, s, "w", &ask));
    if (ask.kind == TY_ASK_TRIAL)
        *w = (worker){.trial = ask.trial->number,
                      .epoch = ask.begins_anew ? 0 : checkpoint_of(ask.trial),
                      .is_busy = true};
    return ask.kind;
}

bool study_case_run(study_case *f, ty_study *s, int workers, uint64_t delays, size_t turns) {
    worker w[MAX_WORKERS] = {0};
    ty_draws draws = ty_draws_open(delays, TY_DRAW_PRIOR, 0, 0);
    int done = 0;
    for (size_t turn = 0; turn < turns && done < 1; turn++) {
        worker *one = &w[ty_draw_below(&draws, (size_t)workers)];
        if (one->is_busy)
            train_epoch(f, s, one);
        else
            done += take(f, s, one) == TY_ASK_DONE;
        if (f->after_turn)
            f->after_turn(f->self, s);
    }
    return done > 0;
}

void study_case_describe(const ty_study *s, ty_text *out) {
    for (size_t i = 0; i < ty_study_count(s); i++) {
        const ty_trial *t = ty_study_trial(s, i);
        ty_text_addf(out, "%zu %d %a:", i, (int)t->state, t->value);
        for (size_t d = 0; d < FIXTURE_DIMS; d++)
            ty_text_addf(out, " %a", t->asked[d]);
        for (size_t r = 0; r < t->reports; r++)
            ty_text_addf(out, " %g=%a", t->resource[r], t->reported[r]);
        for (size_t l = 0; l < t->leg_count; l++)
            ty_text_addf(out, " leg %zu", t->legs[l].number);
        ty_text_addf(out, " %s\n", t->reason);
    }
}

void study_case_run_all(study_case *f, int workers, uint64_t delays, ty_text *out) {
    ty_study *s = study_case_open(f);
    assert_true(study_case_run(f, s, workers, delays, 1000000));
    study_case_describe(s, out);
    ty_study_close(s);
}
