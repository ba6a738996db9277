/* What the files of `sweep` share: cmd_sweep.c finds the verb, sweep_run.c runs trials in slots
 * and sweep_ranks.h on ranks, sweep_words.c says how a trial is started, sweep_tell.c shows what happens. */
#ifndef TY_CLI_SWEEP_SWEEP_H
#define TY_CLI_SWEEP_SWEEP_H

#include "cli/cli.h"
#include "cli/sweep/sweep_slots.h"
#include "hpo/hpo.h"
#include "tracking/tracking.h"
#include "trainer/trainer.h"

/* What a trial of this number (%zu) prints, in the sweep's folder. */
#define SWEEP_LOG "logs/trial_%04zu.log"

/* One trial that runs here and now. */
typedef struct running {
    size_t trial;
    bool is_busy; /* false: it has ended, and the slot is free */
    int64_t begun_ns;
    double step, epoch;   /* of its last report; NAN before */
    ty_decision decision; /* the last one */
    double reported;      /* what it was on */
    double *limited; /* [file.limit_count]: each limit's metric, as reported last; NAN: no number */
    double violation;  /* of the limits, by these */
    char printed[128]; /* names in the last line without the metric, of another program */
} running;

typedef struct sweep {
    cli *app;
    ty_sweep_file file;
    ty_study_options options;
    ty_study *study;
    json_t *imports; /* trials from elsewhere, of a sweep that begins; NULL: none */
    slots *slots;
    int n_ranks; /* of the mpirun that it runs in; 0: trials are processes */
    int n_slots; /* trials at once: processes, or groups of ranks */
    int n_running;
    running *running;         /* [n_slots] */
    const char *experiment;   /* of all its runs; of another program's "sweeps", if nobody says */
    const char *tracking_uri; /* of the config, where runs are recorded; NULL: it says nothing */
    const char *folder;       /* sweeps/<name> */
    const char *journal;      /* <folder>/sweep.journal */
    ty_arena arena;           /* of the strings above */
    ty_tracker *tracker;      /* the parent run; NULL: none */
    bool has_told_measure;    /* which metric and goal, to that run */
    struct sweep_child *children; /* [n_slots], of other programs; NULL: none */
    bool is_away;                 /* where they are recorded nobody answers: nobody waits */
    ty_text config_json; /* the config as written, in one file: a default might be another type's */
    uint64_t config_hash;
    bool says_threads; /* the config has train.threads */
    bool runs;         /* it will train, not only be asked or looked at */
    char **slot_gpus; /* [n_slots]: "CUDA_VISIBLE_DEVICES=..."; NULL: the sweep file says nothing */
    int stop;         /* the signal that asked to stop; 0: none */
    bool is_told_twice; /* to stop, by a second signal */
    int64_t left_ns;    /* after it: how long the ends of programs' runs were waited for */
    bool is_done;       /* nothing is left to ask for */
    bool has_failed;    /* it is done because too many trials in a row failed */
    const char *done_reason;
    int64_t patience_ms;   /* so long it waits for another process that has the sweep */
    double lease_s;        /* of a trial that is asked for by another process; 0: none */
    int64_t rest_until_ns; /* before which no trial is started */
    ty_optuna_tee *tee;    /* Optuna's journal; NULL: not opened yet */
    bool has_no_tee;       /* it could not be written: said once */
    struct {
        int64_t *sizes; /* [count], of the checkpoints of trials that ended; -1: not known */
        size_t count;
        bool has_said;      /* that resources.disk cannot be kept */
        bool has_said_held; /* that what was given up is still in use */
    } disk;
    int64_t begun_ns, ended_ns; /* of running trials */
    size_t n_ended;             /* trials, or legs of them, since it was begun or continued */
    int64_t drawn_ns;           /* when the terminal was shown something last */
    int64_t busy_ns;            /* of all slots together */
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

/* The answer to the last report of a slot's trial, as trial.h has it; the caller's to free. NULL: no
 * memory. */
char *sweep_answer(const sweep *s, int slot);

/* Tells the study how a trial ended: as it says itself, or lost, or failed. */
ty_status sweep_hear_end(sweep *s, const slot_news *news) TY_MUST_USE;

/* max_hours over: nothing more is asked for. */
void sweep_look_at_clock(sweep *s);

/* --- sweep_outcome.c --- */

/* What running trials came to, where st is how the loop over them ended.
 * Errors: st; the signal's status; TY_ERR_FAILED too many trials in a row have failed, or all that there
 * are: with the last one's reason and log. */
ty_status sweep_outcome(sweep *s, ty_status st) TY_MUST_USE;

/* --- sweep_words.c --- */

/* Every value that a parameter may take must be one that the trainer's key may have. All findings at
 * once, with their places in the sweep file. Errors: TY_ERR_CONFIG. */
ty_status sweep_check_params(sweep *s) TY_MUST_USE;

/* --- sweep_place.c --- */

/* Sets experiment and tracking_uri, and the experiment's name in doc, the config, where it has none: the
 * environment of a later start then gives trials no other one.
 * Errors: TY_ERR_CONFIG what is wrong with the config, or they are to be searched over; TY_ERR_BUSY
 * MLFLOW_EXPERIMENT_ID names one, and nobody answers. */
ty_status sweep_choose_place(sweep *s, ty_doc *doc) TY_MUST_USE;

/* The same for another program, whose sweep was begun in an experiment or is to be. */
ty_status sweep_choose_programs_place(sweep *s) TY_MUST_USE;

/* Takes experiment and tracking.uri from the kept config, whichever the one that was given says by now:
 * trials are started from the kept one. */
ty_status sweep_take_kept_place(sweep *s) TY_MUST_USE;

/* The command line of a trial, NULL at the end, in arena. */
ty_status sweep_words(sweep *s, const ty_trial *trial, ty_arena *arena,
                      char *const **out) TY_MUST_USE;

/* The config keys of a trial as --set takes them, a new JSON array of strings; NULL: no memory. */
json_t *sweep_sets(const sweep *s, const ty_trial *trial, ty_arena *arena);

/* The same for another program (sweep_command.c). */
ty_status sweep_command(sweep *s, const ty_trial *trial, ty_arena *arena,
                        char *const **out) TY_MUST_USE;

/* Whether the program that trials are is there and may be executed (sweep_program.c). A path is taken from
 * the working folder, where trials are started, a name without a slash from PATH; what only a trial's
 * parameters say is not known yet. Errors: TY_ERR_CONFIG with the place in the sweep file. */
ty_status sweep_check_program(sweep *s) TY_MUST_USE;

/* What its environment has besides ours: the parent run, this slot's GPUs. */
ty_status sweep_environment(sweep *s, int slot, const ty_trial *trial, ty_arena *arena,
                            char *const **out) TY_MUST_USE;

/* The tags of a trial's run (sweep_tags.c), a new JSON object of strings; NULL: no memory. */
json_t *sweep_trial_tags(const sweep *s, const ty_trial *trial);

/* "fashion-0007": the run of a trial. */
const char *sweep_run_name(const sweep *s, size_t trial, ty_arena *arena);

/* --- sweep_child.c: the runs of trials that are other programs --- */

ty_status sweep_children_open(sweep *s) TY_MUST_USE;
void sweep_children_close(sweep *s); /* ends what still runs */

/* Makes the run of a slot's trial. Adds to out (at most 3, in arena) the variables that name it to a
 * program: none where MLflow is away, which no trial waits for. */
ty_status sweep_child_begin(sweep *s, int slot, const ty_trial *trial, ty_arena *arena,
                            char **out) TY_MUST_USE;

/* After sweep_hear_report: its run hears it, and may have been asked to stop. */
void sweep_child_report(sweep *s, const slot_news *news);

/* Before sweep_hear_end: a program that printed no report may have logged the metric to its run.
 * Errors: as sweep_hear_report's. */
ty_status sweep_child_complete(sweep *s, const slot_news *news) TY_MUST_USE;

/* After sweep_hear_end: the run ends as the trial did. */
void sweep_child_end(sweep *s, const slot_news *news);

/* --- sweep_gpus.c --- */

/* Shares the GPUs out among the slots, where resources.gpus_per_trial says so.
 * Errors: TY_ERR_CONFIG there are too few. */
ty_status sweep_share_gpus(sweep *s) TY_MUST_USE;

/* --- sweep_tell.c --- */

ty_status sweep_open_tracker(sweep *s) TY_MUST_USE;
void sweep_tell_begin(sweep *s);
void sweep_tell_trial(sweep *s, const ty_trial *trial);
void sweep_tell_end(sweep *s, ty_status st);
void sweep_say_best(sweep *s);

/* What has become of a trial that has ended, or that this process asked for: "done", "lost". */
const char *sweep_word_of(const ty_trial *trial);

/* Whether somebody has set tiltyard.stop on the sweep's own run; said. */
bool sweep_is_stopped_in_mlflow(sweep *s);

void sweep_tell_metric(sweep *s, const char *key, double value, int64_t step);
void sweep_tell_tag(sweep *s, const char *key, const char *value);
void sweep_tell_file(sweep *s, const char *path, const char *folder); /* an artifact, and where */

/* --- sweep_account.c --- */

/* Tells the sweep's own run how many trials came to what, and the best so far: after each end. */
void sweep_account(sweep *s);

/* Tells it its description as of now, with a link to the best trial's run. */
void sweep_describe(sweep *s);

/* --- sweep_live.c --- */

/* On a terminal: how far the sweep is, and what runs, redrawn ten times a second at most. */
void sweep_tell_progress(sweep *s);

/* --- sweep_test.c --- */

/* The best trial on the test data: kept, said and told. A sweep of another program has none, and one
 * that cannot be tested (no test data) is a good sweep all the same: it is said. */
void sweep_test_best(sweep *s);

/* --- sweep_disk.c --- */

/* Checkpoints are given up where they take more than resources.disk: before the first trial, and after
 * each end. Errors: TY_ERR_IO what was given up cannot be removed; those of the journal. */
ty_status sweep_keep_disk(sweep *s) TY_MUST_USE;

/* A trial begins, or goes on: its checkpoints will be measured again. */
void sweep_forget_size(sweep *s, size_t trial);

/* A trial that was to go on begins anew. */
void sweep_say_anew(const sweep *s, const ty_trial *trial);

/* How much room checkpoints take, who gave them up, and what was trained again for that. */
void sweep_say_disk(sweep *s);

/* --- sweep_register.c --- */

/* Registers the best trial's model, once, where the sweep file says so. A registry that cannot be reached
 * costs no more than the version: it is said, and the same command again registers it. */
void sweep_register_best(sweep *s);

/* --- sweep_share.c --- */

extern const char *const sweep_state_names[]; /* by ty_trial_state, for other programs */

/* Adds to sweeps/<name>/optuna.journal what is new. A copy: where it can't be written, that is said,
 * and the sweep goes on without. */
void sweep_write_along(sweep *s);

/* Writes --output, a format by its ending. */
ty_status sweep_export_trials(sweep *s) TY_MUST_USE;

/* --- sweep_plot.c --- */

/* Whether a live process has its lease. */
bool sweep_is_run(sweep *s);

/* Prints each parameter's share. Errors: TY_ERR_NOT_FOUND too few trials. */
ty_status sweep_say_importance(sweep *s) TY_MUST_USE;

/* Draws --what: to --svg, or in characters; or all to --html. */
ty_status sweep_draw(sweep *s) TY_MUST_USE;

/* --- sweep_warm.c --- */

/* Reads what warm_start names, where the sweep is to begin. Errors: TY_ERR_CONFIG with the place. */
ty_status sweep_import_trials(sweep *s) TY_MUST_USE;

/* How many trials from elsewhere the sweep knows, where it does. */
void sweep_say_imported(sweep *s);

/* --- sweep_ask.c: verbs --- */

ty_status sweep_ask(cli *app) TY_MUST_USE;
ty_status sweep_tell(cli *app) TY_MUST_USE;
ty_status sweep_enqueue(cli *app) TY_MUST_USE;

/* --- sweep_look.c: verbs --- */

ty_status sweep_list(cli *app) TY_MUST_USE;
ty_status sweep_show_trials(cli *app) TY_MUST_USE;
ty_status sweep_best(cli *app) TY_MUST_USE;
ty_status sweep_replay(cli *app) TY_MUST_USE;

ty_status sweep_export(cli *app) TY_MUST_USE;
ty_status sweep_importance(cli *app) TY_MUST_USE;
ty_status sweep_plot(cli *app) TY_MUST_USE;

/* A running sweep looks for this wish twice a second, and for the tag of its run. */
ty_status sweep_ask_to_stop(cli *app) TY_MUST_USE;
bool sweep_is_asked_to_stop(sweep *s);

/* "optimizer.learning_rate=0.003 model.width=64": the parameters that play a part, as it runs. */
void sweep_add_point(const ty_trial *trial, ty_text *out);
void sweep_add_value(const ty_param *p, double v, ty_text *out);

#endif
