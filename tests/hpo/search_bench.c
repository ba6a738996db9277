/* How samplers search, and how long they think. For scripts/bench-search.
 *
 *   search_bench problems                        a line of JSON each: name, ranges, least value
 *   search_bench value PROBLEM                   lines of numbers in, lines of values out
 *   search_bench run PROBLEM SAMPLER FIRST SEEDS TRIALS
 *                                                a line of JSON a seed from FIRST on: {"seed", "best": [...]},
 *                                                the regret of the best so far after each trial
 *   search_bench time DIMS SAMPLER TRIALS...     a line of JSON a count: milliseconds of processor time that
 *                                                a suggestion and the telling of its value take there,
 *                                                counts ascending
 *
 * SAMPLER is JSON: '"random"', '{"type": "tpe", "candidates": 48}'. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "analytic.h"
#include "hpo/samplers/sampler.h"

static const analytic *problem_of(const char *name) {
    for (int i = 0; i < ANALYTIC_COUNT; i++)
        if (strcmp(analytic_problems[i].name, name) == 0)
            return &analytic_problems[i];
    return NULL;
}

static ty_status print_problems(void) {
    for (int i = 0; i < ANALYTIC_COUNT; i++) {
        const analytic *p = &analytic_problems[i];
        printf("{\"name\": \"%s\", \"least\": %.17g, \"ranges\": [", p->name, p->least);
        for (size_t d = 0; d < p->dims; d++)
            printf("%s[%.17g, %.17g]", d ? ", " : "", p->low[d], p->high[d]);
        printf("]}\n");
    }
    return TY_OK;
}

static ty_status print_values(const analytic *problem) {
    double x[ANALYTIC_MAX_DIMS];
    for (;;) {
        for (size_t d = 0; d < problem->dims; d++)
            if (scanf("%lf", &x[d]) != 1)
                return TY_OK;
        printf("%.17g\n", problem->value(x, problem->dims));
        fflush(stdout);
    }
}

/* --- a study without its journal ------------------------------------------------------------------ */

typedef struct study {
    ty_space space;
    ty_param params[64];
    char names[64][24];
    ty_history history;
    ty_sampler *sampler;
} study;

static ty_status open_study(ty_ctx *ctx, study *s, const double *low, const double *high,
                            size_t dims, const char *sampler, uint64_t seed) {
    memset(s, 0, sizeof *s);
    for (size_t d = 0; d < dims; d++) {
        snprintf(s->names[d], sizeof s->names[d], "x%02zu", d);
        s->params[d] = (ty_param){
            .name = s->names[d], .prior = TY_PRIOR_UNIFORM, .low = low[d], .high = high[d]};
    }
    s->space = (ty_space){.params = s->params, .count = dims};
    ty_history_init(&s->history, &s->space);
    TY_TRY(ty_space_seal(ctx, &s->space));
    return ty_sampler_open_json(ctx, sampler, &s->space, seed, &s->sampler);
}

static void close_study(study *s) {
    ty_sampler_close(s->sampler);
    ty_history_clear(&s->history);
}

static ty_status tell(ty_ctx *ctx, study *s, size_t trial, const double *x, double value) {
    const ty_shown shown = {.number = trial, .state = TY_TRIAL_COMPLETE, .value = value};
    return ty_history_show(ctx, &s->history, &shown, x);
}

static ty_status run_seed(ty_ctx *ctx, study *s, const analytic *problem, size_t trials) {
    double best = INFINITY, x[ANALYTIC_MAX_DIMS];
    for (size_t trial = 0; trial < trials; trial++) {
        TY_TRY(ty_sampler_suggest(ctx, s->sampler, &s->history, trial, x));
        const double value = problem->value(x, problem->dims);
        best = fmin(best, value - problem->least);
        printf("%s%.17g", trial ? ", " : "", best);
        TY_TRY(tell(ctx, s, trial, x, value));
    }
    return TY_OK;
}

static ty_status run(ty_ctx *ctx, const analytic *problem, const char *sampler, size_t first,
                     size_t seeds, size_t trials) {
    ty_status st = TY_OK;
    for (size_t seed = first; seed < first + seeds && st == TY_OK; seed++) {
        study s;
        st = open_study(ctx, &s, problem->low, problem->high, problem->dims, sampler, seed);
        printf("{\"seed\": %zu, \"best\": [", seed);
        if (st == TY_OK)
            st = run_seed(ctx, &s, problem, trials);
        printf("]}\n");
        close_study(&s);
    }
    return st;
}

/* --- time ------------------------------------------------------------------------------------------ */

static double cpu_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

static double bowl(const double *x, size_t dims) {
    double sum = 0;
    for (size_t d = 0; d < dims; d++)
        sum += (x[d] - 0.3) * (x[d] - 0.3);
    return sum;
}

/* A history that no sampler made, the same for all: normal around 0.3, deviation 0.2, within the cube. */
static ty_status grow_history(ty_ctx *ctx, study *s, size_t trials) {
    double x[64];
    for (size_t trial = s->history.count; trial < trials; trial++) {
        ty_draws draws = ty_draws_open(1, TY_DRAW_PRIOR, trial, 0);
        for (size_t d = 0; d < s->space.count; d++)
            x[d] = fmin(fmax(0.3 + 0.2 * ty_draw_normal(&draws), 0), 1);
        TY_TRY(tell(ctx, s, trial, x, bowl(x, s->space.count)));
    }
    return TY_OK;
}

/* The median of 21 suggestions and tells, one after the other, from this many trials on. */
static ty_status time_at(ty_ctx *ctx, study *s, size_t trials, double *median) {
    enum { N = 21 };
    double ms[N], x[64];
    TY_TRY(grow_history(ctx, s, trials));
    for (size_t i = 0; i < N; i++) {
        const double begin = cpu_ms();
        TY_TRY(ty_sampler_suggest(ctx, s->sampler, &s->history, trials + i, x));
        TY_TRY(tell(ctx, s, trials + i, x, bowl(x, s->space.count)));
        const double took = cpu_ms() - begin;
        size_t at = i;
        for (; at > 0 && ms[at - 1] > took; at--)
            ms[at] = ms[at - 1];
        ms[at] = took;
    }
    *median = ms[N / 2];
    return TY_OK;
}

static ty_status time_all(ty_ctx *ctx, size_t dims, const char *sampler, char **counts, int n) {
    double low[64], high[64], median = 0;
    for (size_t d = 0; d < dims; d++) {
        low[d] = 0;
        high[d] = 1;
    }
    study s;
    ty_status st = open_study(ctx, &s, low, high, dims, sampler, 0);
    for (int i = 0; i < n && st == TY_OK; i++) {
        st = time_at(ctx, &s, strtoul(counts[i], NULL, 10), &median);
        if (st == TY_OK)
            printf("{\"trials\": %s, \"ms\": %.6f}\n", counts[i], median);
        fflush(stdout);
    }
    close_study(&s);
    return st;
}

static unsigned long count_of(const char *word) {
    return strtoul(word, NULL, 10);
}

static ty_status do_verb(ty_ctx *ctx, int argc, char **argv, bool *known) {
    const char *verb = argc > 1 ? argv[1] : "";
    const analytic *problem = argc > 2 ? problem_of(argv[2]) : NULL;
    *known = true;
    if (strcmp(verb, "problems") == 0)
        return print_problems();
    if (strcmp(verb, "value") == 0 && problem)
        return print_values(problem);
    if (strcmp(verb, "run") == 0 && problem && argc == 7)
        return run(ctx, problem, argv[3], count_of(argv[4]), count_of(argv[5]), count_of(argv[6]));
    if (strcmp(verb, "time") == 0 && argc > 4 && count_of(argv[2]) <= 64)
        return time_all(ctx, count_of(argv[2]), argv[3], argv + 4, argc - 4);
    *known = false;
    return TY_OK;
}

int main(int argc, char **argv) {
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    bool known;
    const ty_status st = do_verb(&ctx, argc, argv, &known);
    if (st != TY_OK || !known)
        fprintf(stderr, "search_bench: %s\n",
                known ? ctx.message : "see the top of tests/hpo/search_bench.c");
    ty_ctx_clear(&ctx);
    return st != TY_OK || !known;
}
