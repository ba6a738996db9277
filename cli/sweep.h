/* What the files of `sweep` share: cmd_sweep.c finds the verb, sweep_run.c runs trials in slots
 * and sweep_ranks.h on ranks, sweep_words.c says how a trial is started, sweep_tell.c shows what happens. */
#ifndef TY_CLI_SWEEP_H
#define TY_CLI_SWEEP_H

#include "cli/cli.h"
#include "cli/sweep_slots.h"
#include "hpo/hpo.h"
#include "tracking/tracking.h"
#include "trainer/trainer.h"

/* One trial that runs here and now. */
typedef struct running {
    size_t trial;
    int64_t begun_ns;
    ty_decision decision; /* the last one */
    double violation;     /* of the limits, by its last report */
} running;

typedef struct sweep {
    cli *app;
    ty_sweep_file file;
    ty_study_options options;
    ty_study *study;
    slots *slots;
    int n_ranks; /* of the mpirun that it runs in; 0: trials are processes */
    int n_slots; /* trials at once: processes, or groups of ranks */
    int n_running;
    running *running;       /* [n_slots] */
    const char *experiment; /* of the config, or "sweeps" */
    const char *folder;     /* sweeps/<name> */
    const char *journal;    /* <folder>/sweep.journal */
    ty_arena arena;         /* of the strings above */
    ty_tracker *tracker;    /* the parent run; NULL: none */
    ty_text config_json;    /* the config, resolved */
    uint64_t config_hash;
    bool says_threads; /* the config has train.threads */
    bool runs;         /* it will train, not only be asked or looked at */
    char **slot_gpus; /* [n_slots]: "CUDA_VISIBLE_DEVICES=..."; NULL: the sweep file says nothing */
    int stop;         /* the signal that asked to stop; 0: none */
    bool is_done;     /* nothing is left to ask for */
    const char *done_reason;
    double lease_s;        /* of a trial that is asked for by another process; 0: none */
    int64_t rest_until_ns; /* before which no trial is started */
    ty_optuna_tee *tee;    /* Optuna's journal; NULL: not opened yet */
    bool has_no_tee;       /* it could not be written: said once */
    int64_t begun_ns;
    int64_t busy_ns; /* of all slots together */
} sweep;

/* Opens the sweep of a file: reads it, checks its parameters against the trainer's keys, opens study
 * and parent run, makes its folder. sweep_close takes whatever came of it.
 * Errors: TY_ERR_CONFIG with all findings; TY_ERR_BUSY another process runs it. */
ty_status sweep_open(sweep *s, const char *path) TY_MUST_USE;

/* The same without a parent run: to ask and to tell one thing. */
ty_status sweep_open_study(sweep *s, const char *path) TY_MUST_USE;

/* Opens sweeps/<name> to look at, also while it runs: file, options and study.
 * Errors: TY_ERR_NOT_FOUND. */
ty_status sweep_open_named(sweep *s, const char *name) TY_MUST_USE;
void sweep_close(sweep *s);

/* Runs trials until nothing is left to ask for or a signal comes. */
ty_status sweep_run(sweep *s) TY_MUST_USE;

/* --- sweep_judge.c: the same whoever runs the trials --- */

/* The next trial to run; NULL: none now, or s->is_done. Borrowed until the next call. */
ty_status sweep_next(sweep *s, const char *worker, const ty_trial **out) TY_MUST_USE;
void sweep_begin(sweep *s, int slot, size_t trial);

/* Judges a report: s->running[news->slot].decision is the answer.
 * Errors: TY_ERR_CONFIG nobody logs the metric, with the names of those that are; those of the study. */
ty_status sweep_hear_report(sweep *s, const slot_news *news) TY_MUST_USE;

/* Tells the study how a trial ended: as it says itself, or lost, or failed. */
ty_status sweep_hear_end(sweep *s, const slot_news *news) TY_MUST_USE;

/* max_hours over: nothing more is asked for. */
void sweep_look_at_clock(sweep *s);

/* --- sweep_words.c --- */

/* Every value that a parameter may take must be one that the trainer's key may have. All findings at
 * once, with their places in the sweep file. Errors: TY_ERR_CONFIG. */
ty_status sweep_check_params(sweep *s) TY_MUST_USE;

/* The command line of a trial, NULL at the end, in arena. */
ty_status sweep_words(sweep *s, const ty_trial *trial, ty_arena *arena,
                      char *const **out) TY_MUST_USE;

/* The config keys of a trial as --set takes them, a new JSON array of strings; NULL: no memory. */
json_t *sweep_sets(const sweep *s, const ty_trial *trial, ty_arena *arena);

/* The same for another program (sweep_command.c). */
ty_status sweep_command(sweep *s, const ty_trial *trial, ty_arena *arena,
                        char *const **out) TY_MUST_USE;

/* What its environment has besides ours: the parent run, this slot's GPUs. */
ty_status sweep_environment(sweep *s, int slot, const ty_trial *trial, ty_arena *arena,
                            char *const **out) TY_MUST_USE;

/* "fashion-0007": the run of a trial. */
const char *sweep_run_name(const sweep *s, size_t trial, ty_arena *arena);

/* --- sweep_gpus.c --- */

/* Shares the GPUs out among the slots, where resources.gpus_per_trial says so.
 * Errors: TY_ERR_CONFIG there are too few. */
ty_status sweep_share_gpus(sweep *s) TY_MUST_USE;

/* --- sweep_tell.c --- */

ty_status sweep_open_tracker(sweep *s) TY_MUST_USE;
void sweep_tell_begin(sweep *s);
void sweep_tell_trial(sweep *s, const ty_trial *trial);
void sweep_tell_progress(sweep *s);
void sweep_tell_end(sweep *s, ty_status st);
void sweep_say_best(sweep *s);
extern const char *const sweep_state_words[]; /* by ty_trial_state */

void sweep_tell_metric(sweep *s, const char *key, double value, int64_t step);

/* --- sweep_test.c --- */

/* The best trial on the test data: kept, said and told. A sweep of another program has none, and one
 * that cannot be tested (no test data) is a good sweep all the same: it is said. */
void sweep_test_best(sweep *s);

/* --- sweep_share.c --- */

extern const char *const sweep_state_names[]; /* by ty_trial_state, for other programs */

/* Adds to sweeps/<name>/optuna.journal what is new. A copy: where it can't be written, that is said,
 * and the sweep goes on without. */
void sweep_write_along(sweep *s);

/* Writes --output, a format by its ending. */
ty_status sweep_export_trials(sweep *s) TY_MUST_USE;

/* Prints each parameter's share. Errors: TY_ERR_NOT_FOUND too few trials. */
ty_status sweep_say_importance(sweep *s) TY_MUST_USE;

/* --- sweep_ask.c: verbs --- */

ty_status sweep_ask(cli *app) TY_MUST_USE;
ty_status sweep_tell(cli *app) TY_MUST_USE;

/* --- sweep_look.c: verbs --- */

ty_status sweep_list(cli *app) TY_MUST_USE;
ty_status sweep_show_trials(cli *app) TY_MUST_USE;
ty_status sweep_best(cli *app) TY_MUST_USE;
ty_status sweep_replay(cli *app) TY_MUST_USE;

ty_status sweep_export(cli *app) TY_MUST_USE;
ty_status sweep_importance(cli *app) TY_MUST_USE;

/* A running sweep looks for this wish twice a second. */
ty_status sweep_ask_to_stop(cli *app) TY_MUST_USE;
bool sweep_is_asked_to_stop(sweep *s);

/* "optimizer.learning_rate=0.003 model.width=64": the parameters that play a part. */
void sweep_add_point(const ty_space *space, const double *x, ty_text *out);

#endif
