/* A job for test_group_faults: groups of two ranks at work, of which some rank ends badly, and rank 0,
 * which is also at work, hears of it by letter and in the end tells everybody to leave.
 *   group_victim SCENARIO DEADLINE_S RANKS_PER_NODE FOLDER
 * Ranks say "rank R done", "rank R lost: why", "rank 0 heard from rank R: text", "rank R left". */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "trainer/comm.h"

enum { FAULT_ROUND = 20, ROUNDS = 60, ELEMENTS = 20000, MOST_RANKS = 16, FLOOD = 400 };

typedef struct job {
    ty_ctx ctx;
    ty_comm *world, *group;
    ty_mail *mail;
    ty_reduction *reduction;
    const char *folder;
    int rank, size;
    bool heard[MOST_RANKS]; /* rank 0: from whom */
    bool lost[MOST_RANKS];  /* rank 0: groups that one of their ranks says to be lost */
} job;

static void note_fault(const job *j) {
    char path[512];
    (void)snprintf(path, sizeof path, "%s/fault", j->folder);
    FILE *file = fopen(path, "w");
    if (!file)
        return;
    (void)fprintf(file, "%.3f\n", (double)ty_now_ns(&j->ctx) / 1e9);
    (void)fclose(file);
}

static void say(const job *j, const char *what, const char *more) {
    (void)fprintf(stderr, "rank %d %s%s%s\n", j->rank, what, *more ? ": " : "", more);
}

/* --- how a rank ends badly -------------------------------------------------------------------- */

static void kill_itself(job *j) {
    (void)j;
    (void)raise(SIGKILL);
}

static void stop_itself(job *j) {
    (void)j;
    (void)raise(SIGSTOP);
}

static void leave_at_once(job *j) {
    (void)j;
    _exit(0);
}

/* In the middle of letters, of which some are larger than MPI sends at once. */
static void kill_itself_writing(job *j) {
    static char letter[TY_MAIL_BYTES];
    for (int i = 0; i < FLOOD; i++) {
        (void)snprintf(letter, sizeof letter, "letter %d", i);
        if (ty_mail_send(&j->ctx, j->mail, 0, letter, i % 3 ? 32 : sizeof letter) == TY_ERR_COMM)
            break;
    }
    (void)raise(SIGKILL);
}

static void give_up(job *j) {
    ty_comm_abort(j->group, 7);
}

typedef struct scenario {
    const char *name;
    uint64_t victims; /* a bit each, of world ranks */
    void (*end)(job *j);
} scenario;

static const scenario scenarios[] = {
    {"none", 0, NULL},
    {"member_killed", 1 << 3, kill_itself},
    {"leader_killed", 1 << 2, kill_itself},
    {"group_killed", 1 << 2 | 1 << 3, kill_itself},
    {"neighbour_killed", 1 << 1, kill_itself},
    {"scheduler_killed", 1 << 0, kill_itself},
    {"killed_writing", 1 << 3, kill_itself_writing},
    {"member_exits", 1 << 3, leave_at_once},
    {"member_stopped", 1 << 3, stop_itself},
    {"member_gives_up", 1 << 3, give_up},
};

/* --- work ------------------------------------------------------------------------------------- */

static ty_status one_round(job *j) {
    float *in = ty_reduction_in(j->reduction);
    for (int i = 0; i < ELEMENTS; i++)
        in[i] = 1.0f;
    TY_TRY(ty_reduction_run(&j->ctx, j->reduction));
    const float *out = ty_reduction_out(j->reduction);
    for (int i = 0; i < ELEMENTS; i++) {
        if (out[i] != (float)ty_comm_size(j->group))
            return ty_fail(&j->ctx, TY_ERR_INTERNAL, "WRONG SUM: element %d is %g", i,
                           (double)out[i]);
    }
    return ty_comm_agree(&j->ctx, j->group, TY_OK);
}

static ty_status work(job *j, const scenario *it) {
    TY_TRY(ty_reduction_open(&j->ctx, j->group, ELEMENTS, true, &j->reduction));
    for (int i = 0; i < ROUNDS; i++) {
        if (i == FAULT_ROUND && it->victims >> j->rank & 1) {
            note_fault(j);
            it->end(j);
        }
        TY_TRY(one_round(j));
    }
    return TY_OK;
}

/* --- letters ---------------------------------------------------------------------------------- */

static ty_status report(job *j, ty_status worked) {
    char text[TY_MESSAGE_BYTES + 16] = "done";
    if (worked != TY_OK)
        (void)snprintf(text, sizeof text, "lost: %s", j->ctx.message);
    say(j, text, "");
    if (ty_comm_is_gone(j->world, 0))
        return TY_OK;
    return ty_mail_send(&j->ctx, j->mail, 0, text, strlen(text) + 1);
}

/* A rank of another host is not seen to be gone: that it is lost is what the rest of its group says. */
static bool is_accounted_for(const job *j, int rank) {
    return j->heard[rank] || j->lost[rank / 2] || ty_comm_is_gone(j->world, rank);
}

static bool is_all_accounted_for(const job *j) {
    for (int rank = 0; rank < j->size; rank++) {
        if (!is_accounted_for(j, rank))
            return false;
    }
    return true;
}

static void hear(job *j, const ty_letter *letter) {
    const char *text = letter->data;
    const bool is_lost = strncmp(text, "lost", 4) == 0;
    if (!is_lost && strncmp(text, "done", 4) != 0)
        return; /* one of a flood */
    j->heard[letter->rank] = true;
    j->lost[letter->rank / 2] |= is_lost;
    (void)fprintf(stderr, "rank 0 heard from rank %d: %s\n", letter->rank, text);
}

static ty_status schedule(job *j) {
    while (!is_all_accounted_for(j)) {
        ty_letter letter;
        bool found;
        TY_TRY(ty_mail_take(&j->ctx, j->mail, 0.1, &letter, &found));
        if (found)
            hear(j, &letter);
    }
    for (int rank = 1; rank < j->size; rank++) {
        if (ty_comm_is_gone(j->world, rank))
            (void)fprintf(stderr, "rank 0 sees that rank %d is gone\n", rank);
        else
            TY_TRY(ty_mail_send(&j->ctx, j->mail, rank, "leave", 6));
    }
    return TY_OK;
}

static ty_status wait_to_leave(job *j) {
    ty_letter letter;
    bool found = false;
    while (!found && !ty_comm_is_gone(j->world, 0))
        TY_TRY(ty_mail_take(&j->ctx, j->mail, 0.1, &letter, &found));
    if (!found)
        say(j, "sees that rank 0 is gone", "");
    return TY_OK;
}

/* --- all -------------------------------------------------------------------------------------- */

static ty_status meet(job *j, char **argv) {
    const ty_comm_options options = {.deadline_s = atof(argv[2]), .ranks_per_node = atoi(argv[3])};
    TY_TRY(ty_comm_open(&j->ctx, &options, &j->world));
    j->rank = ty_comm_rank(j->world);
    j->size = ty_comm_size(j->world);
    TY_TRY(ty_comm_split(&j->ctx, j->world, j->rank / 2, &j->group));
    return ty_mail_open(&j->ctx, j->world, &j->mail);
}

static ty_status run(job *j, const scenario *it) {
    TY_TRY(report(j, work(j, it)));
    return j->rank == 0 ? schedule(j) : wait_to_leave(j);
}

/* Nobody else ends a stopped rank: rank 0 leaves last, and not alone. */
static void end_the_stopped(job *j, uint64_t stopped) {
    for (int rank = 1; rank < j->size; rank++) {
        while (!(stopped >> rank & 1) && !ty_comm_is_gone(j->world, rank))
            (void)usleep(20000);
    }
    ty_comm_abort(j->world, 5);
}

int main(int argc, char **argv) {
    const scenario *it = NULL;
    for (size_t i = 0; argc == 5 && i < sizeof scenarios / sizeof scenarios[0]; i++)
        it = strcmp(scenarios[i].name, argv[1]) == 0 ? &scenarios[i] : it;
    if (!it)
        return 2;
    job j = {.folder = argv[4]};
    ty_ctx_init(&j.ctx);
    ty_status st = meet(&j, argv);
    if (st == TY_OK)
        st = run(&j, it);
    if (st != TY_OK)
        say(&j, "fails", j.ctx.message);
    ty_reduction_close(j.reduction);
    ty_mail_close(j.mail);
    ty_comm_close(j.group);
    say(&j, "left", "");
    if (it->end == stop_itself && j.rank == 0)
        end_the_stopped(&j, it->victims);
    ty_comm_close(j.world);
    ty_ctx_clear(&j.ctx);
    return ty_status_exit_code(st);
}
