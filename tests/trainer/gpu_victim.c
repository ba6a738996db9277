/* A job for test_gpu_faults: rounds of sums over (fake) GPUs, and a rank 1 that something happens to
 * in the middle of them.
 *   gpu_victim SCENARIO DEADLINE_S RANKS_PER_NODE FOLDER
 * Every rank that fails says "rank R fails: why", closes what it has, says "rank R leaks" if
 * something was left, and aborts the job with its status's exit code. The moment of the fault
 * (CLOCK_MONOTONIC, seconds) goes to FOLDER/fault. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/trainer/fake_gpu.h"
#include "trainer/comm.h"

enum { FAULT_ROUND = 5, ROUNDS = 10, ELEMENTS = 5000, BUCKET = 1500 };

typedef struct job {
    ty_ctx ctx;
    ty_comm *comm;
    ty_device *dev;
    ty_reduction *reduction;
    float kept[ELEMENTS];
    const char *folder;
    int rank;
} job;

typedef struct scenario {
    const char *name;
    void (*prepare)(fake_gpu_faults *faults, int rank,
                    const fake_gpu_counts *now); /* of the round */
    bool is_exact, is_staged;
    bool fails_alone; /* rank 1 has a trouble of its own instead of its part */
    bool at_opening;  /* prepare is called before anything is open */
} scenario;

/* --- what happens ----------------------------------------------------------------------------- */

static void fail_call(fake_gpu_faults *faults, int rank, const fake_gpu_counts *now) {
    faults->failing_call = rank == 1 ? now->calls + 2 : 0;
}

static void fail_work(fake_gpu_faults *faults, int rank, const fake_gpu_counts *now) {
    faults->failing_work = rank == 1 ? now->work + 3 : 0;
}

static void hang(fake_gpu_faults *faults, int rank, const fake_gpu_counts *now) {
    faults->hanging_work = rank == 1 ? now->work + 3 : 0;
}

static void raise_at_work(fake_gpu_faults *faults, int rank, const fake_gpu_counts *now,
                          int number) {
    faults->signalling_work = rank == 1 ? now->work + 2 : 0;
    faults->signal = number;
}

static void die(fake_gpu_faults *faults, int rank, const fake_gpu_counts *now) {
    raise_at_work(faults, rank, now, SIGKILL);
}

static void stop(fake_gpu_faults *faults, int rank, const fake_gpu_counts *now) {
    raise_at_work(faults, rank, now, SIGSTOP);
}

static void report_error(fake_gpu_faults *faults, int rank, const fake_gpu_counts *now) {
    faults->failing_poll = rank == 1 ? now->polls + 6 : 0;
}

/* The others hear of it from NCCL first. */
static void die_and_be_reported(fake_gpu_faults *faults, int rank, const fake_gpu_counts *now) {
    die(faults, rank, now);
    faults->failing_poll = rank == 1 ? 0 : now->polls + 20;
}

/* Nobody is connected before all are. */
static void never_connect(fake_gpu_faults *faults, int rank, const fake_gpu_counts *now) {
    (void)rank, (void)now;
    faults->never_connects = true;
}

static void do_nothing(fake_gpu_faults *faults, int rank, const fake_gpu_counts *now) {
    (void)faults, (void)rank, (void)now;
}

static const scenario scenarios[] = {
    {.name = "call_fails", .prepare = fail_call, .is_exact = true},
    {.name = "call_fails_fast", .prepare = fail_call},
    {.name = "work_fails", .prepare = fail_work, .is_exact = true},
    {.name = "hangs", .prepare = hang, .is_exact = true},
    {.name = "dies", .prepare = die, .is_exact = true},
    {.name = "dies_fast", .prepare = die},
    {.name = "stops", .prepare = stop, .is_exact = true},
    {.name = "error", .prepare = report_error, .is_exact = true},
    {.name = "dies_reported", .prepare = die_and_be_reported, .is_exact = true},
    {.name = "never_connects", .prepare = never_connect, .at_opening = true},
    {.name = "fails_alone", .prepare = do_nothing, .fails_alone = true},
    {.name = "fails_alone_staged", .prepare = do_nothing, .fails_alone = true, .is_staged = true},
    {.name = "dies_staged", .prepare = die, .is_staged = true},
};

static const scenario *find_scenario(const char *name) {
    for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
        if (strcmp(scenarios[i].name, name) == 0)
            return &scenarios[i];
    }
    return NULL;
}

/* --- rounds ----------------------------------------------------------------------------------- */

static void fill(void *arg) {
    float *x = arg;
    for (int i = 0; i < ELEMENTS; i++)
        x[i] = 1.0f;
}

static void keep(void *arg) {
    job *j = arg;
    memcpy(j->kept, ty_reduction_out(j->reduction), sizeof j->kept);
}

/* What a step queues; the first bucket as early as it may be. */
static ty_status queue_sum(job *j) {
    fake_gpu_queue(j->dev, TY_QUEUE_COMPUTE, fill, ty_reduction_in(j->reduction));
    TY_TRY(ty_reduction_ready(&j->ctx, j->reduction, ELEMENTS - ELEMENTS / 2, ELEMENTS / 2));
    TY_TRY(ty_reduction_run(&j->ctx, j->reduction));
    fake_gpu_queue(j->dev, TY_QUEUE_COMPUTE, keep, j);
    return TY_OK;
}

static ty_status sum(job *j, bool fails_alone) {
    ty_status mine = fails_alone ? ty_fail(&j->ctx, TY_ERR_IO, "a trouble of its own") : TY_OK;
    if (mine == TY_OK)
        mine = queue_sum(j);
    TY_TRY(ty_reduction_wait(&j->ctx, j->reduction, mine));
    for (int i = 0; i < ELEMENTS; i++) {
        if (j->kept[i] != (float)ty_comm_size(j->comm))
            return ty_fail(&j->ctx, TY_ERR_INTERNAL, "WRONG SUM: element %d is %g", i,
                           (double)j->kept[i]);
    }
    return TY_OK;
}

static void note_fault(const job *j) {
    char path[512];
    (void)snprintf(path, sizeof path, "%s/fault", j->folder);
    FILE *file = fopen(path, "w");
    if (!file)
        return;
    (void)fprintf(file, "%.3f\n", (double)ty_now_ns(&j->ctx) / 1e9);
    (void)fclose(file);
}

static void let_happen(job *j, const scenario *it) {
    if (j->rank == 1)
        note_fault(j);
    it->prepare(fake_gpu_faults_of(j->dev), j->rank, fake_gpu_counts_of(j->dev));
}

static ty_status run(job *j, const scenario *it) {
    const ty_reduction_options options = {.n = ELEMENTS,
                                          .is_exact = it->is_exact,
                                          .is_staged = it->is_staged,
                                          .dev = j->dev,
                                          .bucket_floats = BUCKET};
    if (it->at_opening)
        let_happen(j, it);
    TY_TRY(ty_reduction_open_on(&j->ctx, j->comm, &options, &j->reduction));
    for (int i = 0; i < ROUNDS; i++) {
        if (i == FAULT_ROUND && !it->at_opening)
            let_happen(j, it);
        TY_TRY(sum(j, i == FAULT_ROUND && j->rank == 1 && it->fails_alone));
    }
    return TY_OK;
}

/* --- ending ----------------------------------------------------------------------------------- */

static void close_gpu(job *j) {
    ty_reduction_close(j->reduction);
    const fake_gpu_counts *counts = fake_gpu_counts_of(j->dev);
    if (counts->live_memory || counts->live_cliques)
        (void)fprintf(stderr, "rank %d leaks %d pieces of memory, %d cliques\n", j->rank,
                      counts->live_memory, counts->live_cliques);
    fake_gpu_close(j->dev);
}

static int give_up(job *j, ty_status st) {
    char message[TY_MESSAGE_BYTES];
    memcpy(message, j->ctx.message, sizeof message);
    (void)fprintf(stderr, "rank %d fails: %s\n", j->rank, message);
    close_gpu(j);
    const struct timespec moment = {.tv_nsec = 700000000}; /* so that every rank gets to say it */
    (void)nanosleep(&moment, NULL);
    ty_comm_abort(j->comm, ty_status_exit_code(st));
    return ty_status_exit_code(st);
}

int main(int argc, char **argv) {
    const scenario *it = argc == 5 ? find_scenario(argv[1]) : NULL;
    if (!it)
        return 2;
    static job j;
    j.folder = argv[4];
    ty_ctx_init(&j.ctx);
    const ty_comm_options options = {.deadline_s = atof(argv[2]), .ranks_per_node = atoi(argv[3])};
    if (ty_comm_open(&j.ctx, &options, &j.comm) != TY_OK) {
        (void)fprintf(stderr, "%s\n", j.ctx.message);
        return 8;
    }
    j.rank = ty_comm_rank(j.comm);
    j.dev = fake_gpu_open(MPI_COMM_WORLD, 1u + (unsigned)j.rank);
    const ty_status st = run(&j, it);
    if (st != TY_OK)
        return give_up(&j, st);
    close_gpu(&j);
    ty_comm_close(j.comm);
    ty_ctx_clear(&j.ctx);
    return 0;
}
