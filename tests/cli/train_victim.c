/* A job for test_train_faults: groups of two ranks train a run each, of which the second loses a rank in
 * the middle of its run; when rank 0 has heard of that, its group trains that run to its end.
 *   train_victim SCENARIO DEADLINE_S RANKS_PER_NODE FOLDER
 * Ranks say "rank R trained HASH", "rank R lost: why", "rank R rescued HASH", "rank R left". */
#include "cli/train/train_run.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { VICTIMS_GROUP = 1, FAULT_STEP = 4 };

static const char *const config =
    "{\"name\": \"rescue\", \"experiment\": \"rescue\","
    "\"data\": {\"source\": \"synthetic:150x6x3\", \"val_fraction\": 0.3},"
    "\"model\": {\"layers\": [{\"type\": \"linear\", \"out\": 9}, \"tanh\","
    "{\"type\": \"dropout\", \"rate\": 0.2}, \"linear\"]},"
    "\"device\": \"cpu\","
    "\"train\": {\"duration\": \"12 steps\", \"global_batch_size\": 24, \"threads\": 1,"
    "\"comm_deadline\": 20},"
    "\"eval\": {\"every\": \"2 steps\"}, \"checkpoint\": {\"every\": \"2 steps\", \"export\": "
    "false},"
    "\"tracking\": {\"system_every\": 0}}";

typedef struct victim {
    ty_ctx ctx;
    ty_comm *world, *group;
    ty_mail *mail;
    const char *folder;
    int rank, size;
    int64_t pids[2]; /* of the group's ranks */
    bool kills_leader;
    bool is_victims;
} victim;

/* On a group's rank 0. */
static ty_answer kill_somebody(void *self, const ty_event *event, const char **reason) {
    const victim *j = self;
    (void)reason;
    if (j->is_victims && event->kind == TY_EVENT_EVAL && event->step == FAULT_STEP)
        (void)kill((pid_t)j->pids[j->kills_leader ? 0 : 1], SIGKILL);
    return TY_CONTINUE;
}

static ty_status train(victim *j, int run, const char *what) {
    char name[32];
    train_outcome out;
    cli app = {.folder = j->folder};
    const ty_observer observer = {.notify = kill_somebody, .self = j};
    (void)snprintf(name, sizeof name, "run-%d", run);
    const train_wish wish = {.config = "config",
                             .text = config,
                             .name = name,
                             .comm = j->group,
                             .observers = &observer,
                             .n_observers = 1};
    ty_ctx_init_child(&app.ctx, &j->ctx);
    console_init(&app.console, &app.ctx, true, false, "never");
    const ty_status st = train_run_once(&app, &wish, &out);
    if (st == TY_OK)
        (void)fprintf(stderr, "rank %d %s %016" PRIx64 "\n", j->rank, what, out.params_hash);
    else
        (void)fprintf(stderr, "rank %d lost: %s\n", j->rank, app.ctx.message);
    console_clear(&app.console);
    ty_ctx_clear(&app.ctx);
    return st;
}

/* Until each rank of the other group has written, or is gone. */
static ty_status hear_of_all(victim *j) {
    bool heard[4] = {true, true};
    for (int rank = 2; rank < j->size; rank++) {
        while (!heard[rank] && !ty_comm_is_gone(j->world, rank)) {
            ty_letter letter;
            bool found;
            TY_TRY(ty_mail_take(&j->ctx, j->mail, 0.05, &letter, &found));
            if (found)
                heard[letter.rank] = true;
        }
    }
    return TY_OK;
}

/* The lost run goes on from its checkpoint, on ranks that never saw it. The other waits for rank 0 in
 * between no longer than the deadline. */
static ty_status rescue(victim *j) {
    if (j->rank == 0)
        TY_TRY(hear_of_all(j));
    TY_TRY(ty_comm_barrier(&j->ctx, j->group));
    return j->kills_leader ? TY_OK : train(j, VICTIMS_GROUP, "rescued");
}

static ty_status meet(victim *j, const char *deadline_s) {
    const ty_comm_options options = {.deadline_s = 10 * atof(deadline_s)};
    const int64_t pid = getpid();
    TY_TRY(ty_comm_open(&j->ctx, &options, &j->world));
    j->rank = ty_comm_rank(j->world);
    j->size = ty_comm_size(j->world);
    if (j->size != 4)
        return ty_fail(&j->ctx, TY_ERR_ARG, "want 4 ranks");
    TY_TRY(ty_comm_split(&j->ctx, j->world, j->rank / 2, &j->group));
    TY_TRY(ty_mail_open(&j->ctx, j->world, &j->mail));
    return ty_comm_all_gather(&j->ctx, j->group, &pid, sizeof pid, j->pids);
}

static ty_status run(victim *j) {
    const int group = j->rank / 2;
    j->is_victims = group == VICTIMS_GROUP;
    const ty_status st = train(j, group, "trained");
    if (group == 0)
        return st == TY_OK ? rescue(j) : st;
    return ty_mail_send(&j->ctx, j->mail, 0, "over", 5);
}

int main(int argc, char **argv) {
    victim j = {.folder = argc == 5 ? argv[4] : ""};
    if (argc != 5)
        return 2;
    j.kills_leader = strcmp(argv[1], "leader_killed") == 0;
    ty_ctx_init(&j.ctx);
    ty_status st = meet(&j, argv[2]);
    if (st == TY_OK)
        st = run(&j);
    if (st != TY_OK)
        (void)fprintf(stderr, "rank %d fails: %s\n", j.rank, j.ctx.message);
    ty_mail_close(j.mail);
    ty_comm_close(j.group);
    (void)fprintf(stderr, "rank %d left\n", j.rank);
    ty_comm_close(j.world);
    ty_ctx_clear(&j.ctx);
    return ty_status_exit_code(st);
}
