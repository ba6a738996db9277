/* A job for test_comm_faults: rounds of calls, and one rank that misbehaves in the middle of them.
 *   comm_victim SCENARIO DEADLINE_S RANKS_PER_NODE FOLDER
 * Every rank that fails says "rank R fails: why" and aborts the job with TY_ERR_COMM's exit code.
 * The moment of the fault (CLOCK_MONOTONIC, seconds) goes to FOLDER/fault, every rank's pid to
 * FOLDER/pid.R; FOLDER also marks the processes. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/trainer/victim_words.h"

/* LONG_S: who waits for a sleeper ends much later than a test allows. */
enum { FAULT_ROUND = 20, ROUNDS = 60, ELEMENTS = 50000, LONG_S = 60 };

typedef struct job {
    ty_ctx ctx;
    ty_comm *comm;
    ty_reduction *reduction;
    const char *folder;
    double deadline_s;
    int rank;
} job;

static void sleep_s(double seconds) {
    struct timespec pause = {.tv_sec = (time_t)seconds};
    pause.tv_nsec = (long)((seconds - (double)pause.tv_sec) * 1e9);
    while (nanosleep(&pause, &pause) != 0) {
    }
}

static FILE *open_in_folder(const job *j, const char *name) {
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", j->folder, name);
    return fopen(path, "w");
}

static void note_fault(const job *j) {
    FILE *file = open_in_folder(j, "fault");
    if (!file)
        return;
    (void)fprintf(file, "%.3f\n", (double)ty_now_ns(&j->ctx) / 1e9);
    (void)fclose(file);
}

static bool has_file(const job *j, const char *name) {
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", j->folder, name);
    return access(path, F_OK) == 0;
}

/* --- rounds ----------------------------------------------------------------------------------- */

static ty_status vote(job *j) {
    uint64_t any = 0;
    return ty_comm_vote(&j->ctx, j->comm, 0, &any);
}

static ty_status reduce(job *j) {
    float *in = ty_reduction_in(j->reduction);
    for (int i = 0; i < ELEMENTS; i++)
        in[i] = 1.0f;
    TY_TRY(ty_reduction_run(&j->ctx, j->reduction));
    const float *out = ty_reduction_out(j->reduction);
    for (int i = 0; i < ELEMENTS; i++) {
        if (out[i] != (float)ty_comm_size(j->comm))
            return ty_fail(&j->ctx, TY_ERR_INTERNAL, "WRONG SUM: element %d is %g", i,
                           (double)out[i]);
    }
    return TY_OK;
}

static ty_status round_of_calls(job *j) {
    TY_TRY(vote(j));
    TY_TRY(reduce(j));
    return ty_comm_agree(&j->ctx, j->comm, TY_OK);
}

/* --- what rank 1 does instead of a round's first calls ---------------------------------------- */

static ty_status stop_itself(job *j) {
    (void)raise(SIGSTOP);
    return vote(j);
}

static ty_status kill_itself(job *j) {
    (void)raise(SIGKILL);
    return vote(j);
}

/* A sanitizer would take the signal for a finding of its own. */
static ty_status crash(job *j) {
    (void)signal(SIGSEGV, SIG_DFL);
    (void)raise(SIGSEGV);
    return vote(j);
}

static ty_status exit_early(job *j) {
    (void)j;
    _exit(0);
}

static ty_status close_early(job *j) {
    ty_comm_close(j->comm);
    sleep_s(j->deadline_s + LONG_S);
    _exit(0);
}

static ty_status skip_a_call(job *j) {
    return reduce(j);
}

static ty_status call_another(job *j) {
    int64_t least = 0;
    return ty_comm_min(&j->ctx, j->comm, 0, &least);
}

static ty_status bring_another_size(job *j) {
    double values[2] = {0, 0};
    return ty_comm_sum(&j->ctx, j->comm, values, 2);
}

static ty_status sum_one(job *j) {
    double value = 0;
    return ty_comm_sum(&j->ctx, j->comm, &value, 1);
}

static ty_status name_another_root(job *j) {
    int word = 0;
    return ty_comm_broadcast(&j->ctx, j->comm, 1, &word, sizeof word);
}

static ty_status broadcast_from_0(job *j) {
    int word = 0;
    return ty_comm_broadcast(&j->ctx, j->comm, 0, &word, sizeof word);
}

static ty_status be_too_late(job *j) {
    sleep_s(j->deadline_s + LONG_S);
    return vote(j);
}

static ty_status be_late(job *j) {
    sleep_s(j->deadline_s * 0.3);
    return vote(j);
}

/* Rounds until FOLDER/finish is there: for faults that come from outside, at any moment. */
static ty_status run_until_told(job *j) {
    for (uint64_t any = 0; !any;) {
        TY_TRY(round_of_calls(j));
        TY_TRY(ty_comm_vote(&j->ctx, j->comm, has_file(j, "finish"), &any));
    }
    return TY_OK;
}

static ty_status fail_alone(job *j) {
    return ty_fail(&j->ctx, TY_ERR_IO, "a trouble of its own");
}

typedef struct scenario {
    const char *name;
    ty_status (*odd)(job *j);   /* rank 1, in the middle */
    ty_status (*other)(job *j); /* the other ranks then */
    bool waits_before_abort;    /* so that every rank gets to say its reason */
} scenario;

static const scenario scenarios[] = {
    {"run", vote, vote, false},
    {"stop", stop_itself, vote, false},
    {"kill", kill_itself, vote, false},
    {"crash", crash, vote, false},
    {"exit", exit_early, vote, false},
    {"close", close_early, vote, true},
    {"skip", skip_a_call, vote, true},
    {"other_call", call_another, vote, true},
    {"other_size", bring_another_size, sum_one, true},
    {"other_root", name_another_root, broadcast_from_0, true},
    {"too_late", be_too_late, vote, false},
    {"late", be_late, vote, false},
    {"until_told", run_until_told, run_until_told, false},
    {"fail_alone", fail_alone, vote, false},
};

static const scenario *find_scenario(const char *name) {
    for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
        if (strcmp(scenarios[i].name, name) == 0)
            return &scenarios[i];
    }
    return NULL;
}

static ty_status run(job *j, const scenario *it) {
    TY_TRY(ty_reduction_open(&j->ctx, j->comm, ELEMENTS, true, &j->reduction));
    for (int i = 0; i < ROUNDS; i++) {
        bool is_odd = i == FAULT_ROUND && j->rank == 1;
        if (is_odd)
            note_fault(j);
        if (i == FAULT_ROUND)
            TY_TRY(is_odd ? it->odd(j) : it->other(j));
        TY_TRY(round_of_calls(j));
    }
    return TY_OK;
}

static void write_pid(const job *j) {
    char name[32];
    (void)snprintf(name, sizeof name, "pid.%d", j->rank);
    FILE *file = open_in_folder(j, name);
    if (!file)
        return;
    (void)fprintf(file, "%d\n", (int)getpid());
    (void)fclose(file);
}

static int give_up(job *j, const scenario *it, ty_status st) {
    (void)fprintf(stderr, "rank %d fails: %s\n", j->rank, j->ctx.message);
    if (it->waits_before_abort)
        victim_waits_for_words(j->folder, j->comm);
    ty_comm_abort(j->comm, ty_status_exit_code(st));
    return ty_status_exit_code(st);
}

int main(int argc, char **argv) {
    const scenario *it = argc == 5 ? find_scenario(argv[1]) : NULL;
    if (!it)
        return 2;
    job j = {.folder = argv[4], .deadline_s = atof(argv[2])};
    ty_ctx_init(&j.ctx);
    const ty_comm_options options = {.deadline_s = j.deadline_s, .ranks_per_node = atoi(argv[3])};
    if (ty_comm_open(&j.ctx, &options, &j.comm) != TY_OK) {
        (void)fprintf(stderr, "%s\n", j.ctx.message);
        return 8;
    }
    j.rank = ty_comm_rank(j.comm);
    write_pid(&j);
    ty_status st = run(&j, it);
    if (st != TY_OK)
        return give_up(&j, it, st);
    ty_reduction_close(j.reduction);
    ty_comm_close(j.comm);
    ty_ctx_clear(&j.ctx);
    return 0;
}
