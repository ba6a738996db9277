/* A sweep under one mpirun: the ranks are divided into groups, each of which trains one trial at a time.
 * World rank 0 keeps study, parent run and console, and works too: while its own group trains, it
 * serves the others from its trial's observer, so that a leader waits at most one of its steps.
 * sweep_ranks.c divides the ranks, sweep_group.c trains, sweep_post.c is rank 0's side.
 *
 * Letters are JSON. Between a trial and rank 0 they are those of trial.h; besides:
 *
 *   to a leader: {"begin": 3, "name": "s-0003", "sets": ["model.width=64"], "log": "...",
 *                 "tags": {...}, "parent": "..."}
 *   both ways:   {"stop": 10}    a signal that only one of them heard; below 0: do not wait for a save
 *   to rank 0:   {"broken": "why"}   the group has lost a rank and what it trained is another's
 *   to anybody:  {"leave": 0}    the sweep is over, and with which status */
#ifndef TY_CLI_SWEEP_SWEEP_RANKS_H
#define TY_CLI_SWEEP_SWEEP_RANKS_H

#include "cli/facts.h"
#include "cli/signals.h"
#include "cli/sweep/sweep.h"
#include "cli/sweep/trial.h"

typedef struct sweep_ranks {
    cli *app;
    ty_comm *world;
    ty_comm *group; /* NULL: this rank is left over */
    ty_mail *mail;
    signals signals;
    facts facts;
    int per_trial, n_groups; /* group g is the ranks from g * per_trial on */
    char *config;            /* what the trials are trained from, the same text on all ranks */
    bool is_broken;          /* the group has lost a rank */
    bool has_told_broken;    /* to rank 0, as its leader */
    bool is_cut_off;         /* letters do not come any more */
    bool is_dismissed;       /* rank 0 wants this one to leave, with `left` */
    ty_status left;
    ty_text answer; /* the last one to this rank's trial */
} sweep_ranks;

/* Meets the other ranks and blocks signals. The sweep is rank 0's alone, opened between the two.
 * Ranks: collective. Errors: TY_ERR_COMM. */
ty_status sweep_ranks_open(cli *app, sweep_ranks *r) TY_MUST_USE;

/* Divides the ranks as rank 0's sweep wants it, into s->n_slots groups; st is what opening it returned
 * there, which all return. s: NULL elsewhere.
 * Ranks: collective. */
ty_status sweep_ranks_divide(sweep_ranks *r, sweep *s, ty_status st) TY_MUST_USE;
void sweep_ranks_close(sweep_ranks *r);

/* --- sweep_group.c --- */

/* What the ranks but 0 do until they are told to leave; returns what they are told. */
ty_status sweep_ranks_work(sweep_ranks *r);

/* Tells the others of the group that there is no trial to train yet, or that none will come any more.
 * They wait for the leader's word with a deadline, so one that has no order says at least the first.
 * Ranks: the leader's; r->is_broken says whether the group has lost one on the way. */
void sweep_group_rest(sweep_ranks *r);
void sweep_group_dismiss(sweep_ranks *r);

/* Trains a trial: order is a "begin" letter, way leads to the study, pump is told of all events. Its end
 * goes through way. Ranks: the leader's; passes the order on to its group. */
void sweep_group_train(sweep_ranks *r, const char *order, const trial_line *way,
                       const ty_observer *pump);

/* A letter of one key. */
ty_status sweep_send(sweep_ranks *r, int rank, json_t *take_json);

/* Hears {"stop": ...}; false where the letter is another one. */
bool sweep_hears_stop(sweep_ranks *r, const json_t *letter);

/* --- sweep_post.c --- */

/* Rank 0: runs trials until nothing is left to ask for or a signal comes, as sweep_run does, and sends
 * everybody home. */
ty_status sweep_post_run(sweep_ranks *r, sweep *s) TY_MUST_USE;

#endif
