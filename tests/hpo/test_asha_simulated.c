/* ASHA in virtual time: trials whose learning curves are known, workers whose epochs take as long as we
 * say, so that a thousand epochs on 32 workers are over in milliseconds and come out the same each time.
 * Prints the table of docs/SEARCH.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "hpo/exact/exact.h"
#include "tests/hpo/hpo_fixture.h"

enum { WHOLE = 27, BUDGET = 40 * WHOLE, WORKERS_MAX = 32, TRIALS_MAX = BUDGET + WORKERS_MAX };
enum { SEEDS = 20 };

/* --- curves ------------------------------------------------------------------------------------- */

/* loss(e) = end + height * e^-rate, and noise that fades. The end is the point's, the rest the trial's. */
typedef struct course {
    double end, height, rate, epoch_s;
    uint64_t seed;
    size_t trial;
} course;

static course course_of(uint64_t seed, size_t trial, const double *x) {
    ty_draws draws = ty_draws_open(seed, TY_DRAW_MODEL, trial, 0);
    const double far = hpo_fixture_loss(x) - 0.1; /* 0.1 is the least */
    return (course){.end = far / (1 + far),
                    .height = 0.5 + ty_draw(&draws),
                    .rate = 0.3 + 0.7 * ty_draw(&draws),
                    .epoch_s = 0.5 + ty_draw(&draws),
                    .seed = seed,
                    .trial = trial};
}

static double smooth_loss(const course *c, int epoch) {
    return c->end + c->height * ty_exact_pow(epoch, -c->rate);
}

static double noisy_loss(const course *c, int epoch) {
    ty_draws draws = ty_draws_open(c->seed, TY_DRAW_MODEL, c->trial, (uint32_t)epoch);
    return smooth_loss(c, epoch) + 0.02 * ty_draw_normal(&draws) / sqrt(epoch);
}

/* --- workers ------------------------------------------------------------------------------------ */

typedef enum doing { ASKS, TRAINS, WAITS } doing;

typedef struct worker {
    doing doing;
    double at; /* when it has asked, or trained its epoch; in virtual seconds */
    course course;
    int epoch; /* that it trains */
} worker;

typedef struct simulation {
    ty_ctx ctx;
    hpo_fixture hpo;
    ty_study *study;
    int n_workers;
    worker workers[WORKERS_MAX];
    double now, busy;
    size_t trained, distinct;
    bool has_trained[TRIALS_MAX][WHOLE + 1];
    double least;    /* loss that was reported */
    course champion; /* whose it was */
} simulation;

static void must(simulation *s, ty_status st) {
    if (st != TY_OK)
        fail_msg("%s: %s", ty_status_name(st), s->ctx.message);
}

static void begin_epoch(simulation *s, worker *w) {
    w->doing = TRAINS;
    w->epoch++;
    w->at = s->now + w->course.epoch_s;
}

static void ask(simulation *s, worker *w) {
    ty_ask ask;
    must(s, ty_study_ask(&s->ctx, s->study, "w", &ask));
    assert_int_not_equal(ask.kind, TY_ASK_DONE);
    w->doing = WAITS;
    if (ask.kind == TY_ASK_WAIT)
        return;
    const ty_trial *t = ask.trial;
    w->course = course_of(s->hpo.options.seed, t->number, t->x);
    w->epoch = (int)t->reports; /* its checkpoint */
    begin_epoch(s, w);
}

static void end_leg(simulation *s, worker *w, ty_trial_state state) {
    const ty_told told = {.state = state, .value = NAN};
    must(s, ty_study_tell(&s->ctx, s->study, w->course.trial, &told));
    w->doing = WAITS;
    for (int i = 0; i < s->n_workers; i++)
        if (s->workers[i].doing == WAITS) {
            s->workers[i].doing = ASKS;
            s->workers[i].at = s->now;
        }
}

static void count_epoch(simulation *s, const worker *w, double loss) {
    bool *has_trained = &s->has_trained[w->course.trial][w->epoch];
    s->trained++;
    s->distinct += !*has_trained;
    *has_trained = true;
    if (loss >= s->least)
        return;
    s->least = loss;
    s->champion = w->course;
}

static void end_epoch(simulation *s, worker *w) {
    ty_decision verdict;
    const ty_report report = {
        .step = w->epoch, .resource = w->epoch, .value = noisy_loss(&w->course, w->epoch)};
    count_epoch(s, w, report.value);
    s->busy += w->course.epoch_s;
    must(s, ty_study_report(&s->ctx, s->study, w->course.trial, &report, &verdict));
    if (verdict.answer != TY_CONTINUE)
        end_leg(s, w, verdict.answer == TY_STOP ? TY_TRIAL_PRUNED : TY_TRIAL_PAUSED);
    else if (w->epoch == WHOLE)
        end_leg(s, w, TY_TRIAL_COMPLETE);
    else
        begin_epoch(s, w);
}

/* Of workers at the same time the first. */
static worker *next_worker(simulation *s) {
    worker *next = NULL;
    for (int i = 0; i < s->n_workers; i++) {
        worker *w = &s->workers[i];
        if (w->doing != WAITS && (!next || w->at < next->at))
            next = w;
    }
    assert_non_null(next);
    return next;
}

/* --- runs --------------------------------------------------------------------------------------- */

typedef struct outcome {
    double
        regret;  /* what the trial of the least reported loss ends with; the best point: almost 0 */
    double busy; /* share of the workers' time */
    double seconds;
} outcome;

typedef struct wish {
    const char *sampler, *pruner; /* JSON */
    size_t budget;                /* epochs */
    int n_workers;
    ty_order order;
    int64_t window;
    uint64_t seed;
} wish;

static void open_all(simulation *s, const wish *as) {
    ty_ctx_init(&s->ctx);
    hpo_fixture_open(&s->ctx, &s->hpo);
    ty_doc_close(s->hpo.sampler_doc);
    ty_doc_close(s->hpo.pruner_doc);
    must(s, ty_sampler_read_json(&s->ctx, as->sampler, &s->hpo.sampler_doc, &s->hpo.sampler));
    must(s, ty_pruner_read_json(&s->ctx, as->pruner, &s->hpo.pruner_doc, &s->hpo.pruner));
    s->hpo.options.seed = as->seed;
    s->hpo.options.order = as->order;
    s->hpo.options.window = as->window;
    s->hpo.options.max_trials = 0;
    s->hpo.options.max_resource = WHOLE;
    s->n_workers = as->n_workers;
    s->least = INFINITY;
    must(s, ty_study_open(&s->ctx, NULL, &s->hpo.options, &s->study));
}

static outcome simulate(const wish *as) {
    simulation *s = calloc(1, sizeof *s);
    assert_non_null(s);
    open_all(s, as);
    while (s->trained < as->budget) {
        worker *w = next_worker(s);
        s->now = w->at;
        if (w->doing == ASKS)
            ask(s, w);
        else
            end_epoch(s, w);
    }
    assert_int_equal(s->trained, s->distinct);
    const outcome out = {.regret = smooth_loss(&s->champion, WHOLE),
                         .busy = s->busy / (s->now * s->n_workers),
                         .seconds = s->now};
    ty_study_close(s->study);
    hpo_fixture_close(&s->hpo);
    ty_ctx_clear(&s->ctx);
    free(s);
    return out;
}

static outcome mean_over_seeds(wish as) {
    outcome mean = {0};
    for (as.seed = 0; as.seed < SEEDS; as.seed++) {
        const outcome one = simulate(&as);
        mean.regret += one.regret / SEEDS;
        mean.busy += one.busy / SEEDS;
        mean.seconds += one.seconds / SEEDS;
    }
    return mean;
}

/* --- random search against ASHA ----------------------------------------------------------------- */

enum { RANDOM, STOP, PROMOTE, KINDS };

static const char *const pruners[KINDS] = {
    [RANDOM] = "\"none\"",
    [STOP] = "{\"type\": \"asha\", \"mode\": \"stop\"}",
    [PROMOTE] = "{\"type\": \"asha\", \"mode\": \"promote\"}",
};

static void print_row(const wish *as, const outcome of[KINDS]) {
    if (as->order == TY_ORDER_WINDOW)
        printf("| window %lld | %d |", (long long)as->window, as->n_workers);
    else
        printf("| replay | %d |", as->n_workers);
    for (int i = 0; i < KINDS; i++)
        printf(" %.4f |", of[i].regret);
    for (int i = 0; i < KINDS; i++)
        printf(" %.0f %% |", 100 * of[i].busy);
    printf("\n");
}

/* What a sweep that would wait is told to take instead (cli/sweep/sweep_tell.c, decision 13). */
static void expect_busy(const wish *as, const outcome of[KINDS]) {
    if (as->order == TY_ORDER_REPLAY || as->window >= 8 * (int64_t)as->n_workers)
        assert_true(of[STOP].busy >= 0.95 && of[PROMOTE].busy >= 0.95);
}

static void compare(ty_order order, int n_workers, int64_t window) {
    wish as = {.sampler = "\"random\"",
               .budget = BUDGET,
               .n_workers = n_workers,
               .order = order,
               .window = window};
    outcome of[KINDS];
    for (int kind = 0; kind < KINDS; kind++) {
        as.pruner = pruners[kind];
        of[kind] = mean_over_seeds(as);
    }
    print_row(&as, of);
    expect_busy(&as, of);
    assert_true(of[PROMOTE].regret <= of[RANDOM].regret);
}

static void at_equal_epochs_promotion_finds_no_worse_than_random_search(void **state) {
    static const int workers[] = {1, 4, 8, 32};
    (void)state;
    printf("| order | workers | random | stop | promote | random busy | stop | promote |\n"
           "|---|---|---|---|---|---|---|---|\n");
    for (int64_t window = 8; window <= 128; window *= 4)
        for (size_t i = 0; i < sizeof workers / sizeof *workers; i++)
            compare(TY_ORDER_WINDOW, workers[i], window);
    for (size_t i = 0; i < sizeof workers / sizeof *workers; i++)
        compare(TY_ORDER_REPLAY, workers[i], 8);
}

/* --- models of trials most of which were stopped ------------------------------------------------ */

static void a_model_finds_more_among_promoted_trials_than_chance_does(void **state) {
    static const char *const models[] = {"\"tpe\"", "\"gp\"", "\"auto\""};
    wish as = {.sampler = "\"random\"",
               .pruner = pruners[PROMOTE],
               .budget = 8 * WHOLE,
               .n_workers = 2,
               .window = 8};
    (void)state;
    const double chance = mean_over_seeds(as).regret;
    printf("random %.4f\n", chance);
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        as.sampler = models[i];
        const double found = mean_over_seeds(as).regret;
        printf("%s %.4f\n", as.sampler, found);
        assert_true(found < 0.9 * chance);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_finds_more_among_promoted_trials_than_chance_does),
        cmocka_unit_test(at_equal_epochs_promotion_finds_no_worse_than_random_search)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
