/* The sweep file: W&B's sweep schema and what is ours, JSON or YAML, read by rows
 * (`ty_sweep_rows`); `parameters` and `conditions` by the hand of sweep_params.c.
 *
 *   config: ../fashion_mnist.json      the training that is varied; relative to this file
 *   command: [python3, other.py, "${args}"]   or any other program (then no config)
 *   method: bayes | random | grid      as W&B; `sampler` says it more exactly
 *   metric: {name: val/loss, goal: minimize, target: 0.1}
 *   parameters: {optimizer.learning_rate: {distribution: log_uniform_values, min: 1e-5, max: 0.1}}
 *   conditions: [{when: {optimizer.type: sgd}, parameters: [optimizer.momentum]}]
 *   constraints: ["model.width % model.heads == 0", {metric: val/latency, max: 10}]
 *   sampler: {type: tpe}   pruner: {type: asha, eta: 3}   resources: {max_parallel: 4}
 *   points: [{optimizer.learning_rate: 0.01}]   tried first; the sampler chooses the rest
 *   run_cap: 30   seed: 1   reproducible: window   window: 8 */
#ifndef TY_HPO_SWEEP_FILE_SWEEP_FILE_H
#define TY_HPO_SWEEP_FILE_SWEEP_FILE_H

#include "hpo/study/study.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What one unit of a trial's resource is. */
typedef enum ty_resource { TY_RESOURCE_REPORTS, TY_RESOURCE_STEPS, TY_RESOURCE_EPOCHS } ty_resource;
extern const char *const ty_resource_names[]; /* ends with NULL */

/* Which of a trial's reports is its value. */
typedef enum ty_value_of { TY_VALUE_BEST, TY_VALUE_LAST } ty_value_of;

typedef enum ty_method {
    TY_METHOD_BAYES,
    TY_METHOD_RANDOM,
    TY_METHOD_GRID,
    TY_METHOD_CUSTOM
} ty_method;

/* A key that has one value in all trials. */
typedef struct ty_fixed {
    const char *name;
    const json_t *value;
    const char *path; /* where it stands in the document, for ty_rows_reject */
} ty_fixed;

/* A limit on a metric: a trial that passes it is infeasible by how much it does. */
typedef struct ty_limit {
    const char *metric;
    double min, max; /* NAN: none */
} ty_limit;

typedef struct ty_sweep_file {
    ty_doc *doc;
    ty_arena arena; /* of all that follows */
    json_t *made;   /* a list of what stands for something that was written otherwise; or NULL */
    /* --- filled by ty_sweep_rows --- */
    const char *name; /* NULL: the file's */
    const char *description;
    const char *config; /* as written; NULL where there is a command */
    const char *program;
    int method; /* ty_method */
    struct {
        const char *name;
        int goal;      /* 0 minimize, 1 maximize */
        double target; /* NAN */
        int value_of;  /* ty_value_of */
    } metric;
    int resource;        /* ty_resource */
    double max_resource; /* NAN: the trainer says */
    int64_t run_cap, seed, window;
    int order; /* ty_order */
    int64_t retries, max_consecutive_failures;
    double max_hours; /* NAN */
    struct {
        int64_t ranks_per_trial, gpus_per_trial, trials_per_gpu, max_parallel;
        ty_amount disk; /* of all checkpoints together; unit NONE: no bound */
    } resources;
    struct {
        const char *model, *alias; /* NULL: not said */
    } registered;
    ty_variant sampler, pruner, early_terminate; /* the last one is in pruner, too */
    ty_texts warm_start;
    const json_t *command_words, *parameters, *conditions, *constraints, *points; /* as written */
    struct {
        const char *text;
        const json_t *object, *list;
        int choice;
    } unused; /* what W&B's keys without a meaning here are read into */
    /* --- by hand --- */
    ty_space space; /* sealed */
    const char *const
        *param_paths; /* [space.count]: where each stands in doc, for ty_rows_reject */
    const ty_fixed *fixed;
    size_t fixed_count;
    json_t *given; /* points with our names: an array */
    const ty_limit *limits;
    size_t limit_count;
    ty_texts command;        /* its words as text */
    const char *config_path; /* beside the sweep file; NULL */
    const char *stem;        /* name, or the file's name without its ending */
    const char *identity; /* canonical JSON of space, fixed, metric, sampler, pruner, constraints */
} ty_sweep_file;

extern const ty_rows ty_sweep_rows;
extern const ty_foreign_name ty_sweep_foreign[]; /* ends with a NULL row */

/* Reads and checks path and applies `sets` (--set, for keys of the sweep file). What was understood
 * otherwise than it might have been meant (names of other tools, W&B's exponents) is logged as a
 * warning. out is the caller's to clear, whatever is returned.
 * Errors: TY_ERR_CONFIG with file:line:column, all findings at once; TY_ERR_NOT_FOUND. */
ty_status ty_sweep_file_read(ty_ctx *ctx, const char *path, const char *const *sets, int n_sets,
                             ty_sweep_file *out) TY_MUST_USE;
void ty_sweep_file_clear(ty_sweep_file *file);

/* The study that a sweep file describes: borrowed from it. */
void ty_sweep_file_options(const ty_sweep_file *file, ty_study_options *out);

#ifdef __cplusplus
}
#endif
#endif
