/* One training run, from a config to its end: train_run.c opens, runs and closes, train_tell.c tells
 * the tracker. All of train_tell.c is rank 0's but where it says otherwise. */
#ifndef TY_CLI_TRAIN_TRAIN_RUN_H
#define TY_CLI_TRAIN_TRAIN_RUN_H

#include "cli/facts.h"
#include "cli/pictures/gallery.h"
#include "cli/job.h"
#include "cli/train/monitor.h"
#include "cli/train/progress.h"
#include "cli/pictures/shown.h"
#include "cli/sweep/trial.h"

typedef struct train_tag {
    const char *key, *value;
} train_tag;

/* What is to be trained, and how; all of it borrowed, zeros are the rule. */
typedef struct train_wish {
    const char *config;      /* a file, or what messages call text */
    const char *text;        /* the config itself; NULL: config is read */
    const char *const *sets; /* KEY=VALUE each, after those of the command line */
    int n_sets;
    const char *name;       /* of the run; NULL: of config and data */
    bool is_fresh;          /* a new attempt instead of going on */
    const char *from;       /* a checkpoint to start from; NULL */
    bool leaves_test_alone; /* the test data are not looked at: choosing goes on by val */
    /* Ranks that have met and stay together, for a run among many in one process (a group of
     * ty_comm_split); its deadline becomes the config's. NULL: train meets the ranks, and parts. */
    ty_comm *comm;
    const _Atomic int *stop_signal; /* as ty_trainer_options has it; NULL: signals are waited for */
    const facts *facts;             /* read once for many runs; NULL: they are read */
    /* Rank 0's of the run: told after console and journal; tags of the run. */
    const ty_observer *observers;
    int64_t n_observers;
    trial
        *trial; /* the sweep's side of the run: it tells the run what it is worth; NULL: no trial */
    const train_tag *tags;
    int64_t n_tags;
} train_wish;

/* How it ended; strings are "" and numbers NAN or -1 where there is nothing to tell. Metrics of all
 * splits and steps are in the run's folder (ty_runs_read). */
typedef struct train_outcome {
    bool is_complete; /* everything was trained; with TY_OK and false: an observer paused it */
    int64_t step, best_step;
    double epoch, best_value;      /* best by checkpoint.best */
    double val_loss, val_accuracy; /* of the newest evaluation in this sitting */
    uint64_t params_hash;
    char reason[512];
    char run_folder[2048], run_id[64]; /* the id on rank 0 */
} train_outcome;

/* Trains, or goes on with, one run, records and evaluates it, and leaves nothing behind in the
 * process: may be called as often as one likes, with a wish of its own each time. What it says goes to
 * app's console, but the summary of a run among many, which out tells. app's scratch memory grows: an
 * app of a child context gives it back.
 * Ranks:  collective over wish->comm; there, the same status on all of them. After TY_ERR_COMM its
 *         ranks cannot go on together, without comm the job was aborted.
 * Errors: as `train` has exit codes; TY_STOP_* where a signal stopped it, with a checkpoint saved where
 *         there was time. out is filled in any case. */
ty_status train_run_once(cli *app, const train_wish *wish, train_outcome *out) TY_MUST_USE;

/* --- what its files share ----------------------------------------------------------------------- */

typedef struct train_run {
    cli *app;
    const train_wish *wish;
    job job;
    ty_trainer *trainer;

    ty_tracker *tracker; /* rank 0 only */
    bool is_only_read;   /* the run is over, and its folder takes no lease: there is no tracker */
    const char *report;  /* NULL: not written */
    const char *package; /* of the best model; NULL: none */
    bool lacks_config;   /* the run's folder has no config.json, or a damaged one */
    progress progress;
    monitor *monitor; /* NULL: none */
    ty_post post;     /* the monitor's */
    gallery gallery;
    ty_observers observers;
    facts facts;
    ty_text command_line;
} train_run;

/* One event to all observers, its time being now. */
void train_tell(train_run *t, ty_event event);

/* A text file in the run's folder that MLflow shows too. A failure is told and costs nothing but the
 * file. */
void train_publish(train_run *t, const char *name, const char *text);

/* What is known before the first step: config keys, facts, data sets, files, the description. */
ty_status train_tell_start(train_run *t) TY_MUST_USE;

/* The scores of the model that is left, as metrics of the split at step. */
void train_tell_scores(train_run *t, const ty_eval_result *eval, const char *split, int64_t step);

/* Where each rank's time went, in rank order in the job's arena. Ranks: collective. */
ty_status train_gather_timings(train_run *t, const ty_train_result *result,
                               csv_timing **out) TY_MUST_USE;

/* What the journal has of the run by now, in the job's arena; NULL, and said, where it cannot be
 * read: then there is nothing to show. */
const ty_run_record *train_read_record(train_run *t);

/* Description, report, tables and pictures of a complete run. test: NULL where there was no data. */
void train_show_result(train_run *t, const ty_train_result *result, const ty_eval_result *test,
                       ty_split split, const csv_timing *timings, const ty_run_record *record);

/* How the run ended: st is what training returned. */
void train_tell_state(train_run *t, ty_status st, const ty_train_result *result,
                      const char *reason);

#endif
