/* What train, eval and check have in common: a config read and checked, ranks that met, data
 * opened, a run folder chosen. */
#ifndef TY_CLI_JOB_H
#define TY_CLI_JOB_H

#include "cli/cli.h"
#include "cli/signals.h"
#include "tracking/tracking.h"
#include "trainer/trainer.h"

typedef struct job {
    bool writes_nothing; /* a plan: not even digests of data files are kept */
    bool saves_nothing;  /* a plan or an evaluation: a signal has nothing to wait for */
    signals signals;
    const char *text;        /* the config, which is no file then; NULL: a file */
    const char *const *sets; /* [n_sets] KEY=VALUE after those of the command line; borrowed */
    int n_sets;
    ty_doc *doc;
    ty_train_config config;
    ty_text config_json;  /* resolved; goes into the run folder and every checkpoint */
    uint64_t config_hash; /* of the keys that change the result */
    ty_comm *comm;
    bool lends_comm; /* comm is the caller's, and open already */
    ty_dataset *data;
    ty_arena arena;   /* what the strings below live in */
    ty_target target; /* where a run of this config is recorded; job_read_config's alone */
    const char *run_name;
    const char *run_folder;
    bool run_is_new;       /* its folder does not exist yet */
    bool names_experiment; /* the config does, so that no variable counts */
    const char
        *given_run_id; /* MLflow's run that a new one is recorded into; NULL: one of its own */
} job;

/* A status, and where the message is of a config key, the message with the key's place. */
ty_status job_place(cli *app, job *j, ty_status st) TY_MUST_USE;

/* Reads path with the command line's --set list, and chooses where its run would be recorded. Same
 * text, same verdict on every rank.
 * Errors: TY_ERR_CONFIG with all findings, or where there is no such file; TY_ERR_ARG what the
 * environment names is no place. */
ty_status job_read_config(cli *app, job *j, const char *path) TY_MUST_USE;

/* Where a run is recorded, for people: the working folder's own store is told as the folder was.
 * Borrowed, as long as the job is open. */
const char *job_target_name(cli *app, job *j);

/* As job_read_config from a run's own config.json, where the command line's --set may still change COST and
 * DISPLAY keys. */
ty_status job_read_run_config(cli *app, job *j, const char *run_folder) TY_MUST_USE;

/* The same from a model's own config; model: what it is called, for messages. */
ty_status job_read_model_config(cli *app, job *j, const char *model, const char *json) TY_MUST_USE;

/* Blocks signals and meets the other ranks; job_open does it where nobody has before. deadline_s: 0
 * for the default. */
ty_status job_meet(cli *app, job *j, double deadline_s) TY_MUST_USE;

/* Blocks signals, meets the other ranks, opens the data on each; all ranks agree. */
ty_status job_open(cli *app, job *j) TY_MUST_USE;

/* What a new run's config says that its data contradict, with its place; a run that exists goes on as
 * it began. After job_choose_run. The same on every rank. Errors: TY_ERR_CONFIG. */
ty_status job_check_data(cli *app, job *j) TY_MUST_USE;

/* runs/<experiment>/<run>: run is --name, or the config's name and 12 hex of the hash of (result
 * keys, data). is_fresh takes the next free attempt (".2", ".3"), otherwise the newest attempt is
 * taken, or the one that is recorded as given_run_id. Rank 0 decides.
 * Errors: TY_ERR_CONFIG the run that was named cannot be recorded into; those of the comm. */
ty_status job_choose_run(cli *app, job *j, const char *name, bool is_fresh) TY_MUST_USE;

/* Everything in reverse order; accepts a zeroed job. */
void job_close(job *j);

#endif
