/* What the files of `train` share: cmd_train.c opens, runs and closes, train_tell.c tells the tracker.
 * All of train_tell.c is rank 0's but where it says otherwise. */
#ifndef TY_CLI_TRAIN_RUN_H
#define TY_CLI_TRAIN_RUN_H

#include "cli/gallery.h"
#include "cli/job.h"
#include "cli/monitor.h"
#include "cli/progress.h"
#include "cli/shown.h"

typedef struct train_run {
    cli *app;
    job job;
    ty_trainer *trainer;

    ty_tracker *tracker; /* rank 0 only */
    const char *report;  /* NULL: not written */
    const char *package; /* of the best model; NULL: none */
    bool lacks_config;   /* the run's folder has no config.json, or a damaged one */
    progress progress;
    monitor *monitor; /* NULL: none */
    ty_post post;     /* the monitor's */
    gallery gallery;
    ty_observer observer_rows[3];
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
void train_tell_state(train_run *t, ty_status st, int64_t step, const char *reason);

#endif
