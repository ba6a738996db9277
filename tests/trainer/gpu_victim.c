/* A job for test_gpu_faults: rounds of sums over GPUs, and a rank 1 that something happens to in the
 * middle of them.
 *   gpu_victim SCENARIO DEADLINE_S RANKS_PER_NODE FOLDER
 * On fakes of GPUs, or with TY_TEST_DEVICE=cuda on simulated ones, which rank 1's environment breaks.
 * Every rank that fails says "rank R fails: why", closes what it has, says "rank R leaks" if
 * something was left (a simulated GPU does so itself), and ends with its status's exit code. The
 * moment of the fault (CLOCK_MONOTONIC, seconds) goes to FOLDER/fault. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/trainer/fake_gpu.h"
#include "tests/trainer/victim_words.h"

enum { FAULT_ROUND = 5, ROUNDS = 10, ELEMENTS = 5000, BUCKET = 1500 };

typedef struct job {
    ty_ctx ctx;
    ty_comm *comm;
    ty_device *dev;
    bool has_fake;
    ty_reduction *reduction;
    float *brought, *kept; /* pinned */
    const char *folder;
    int rank;
} job;

typedef struct scenario {
    const char *name;
    void (*prepare)(fake_gpu_faults *faults, int rank, const fake_gpu_counts *now); /* fakes only */
    const char *environment; /* "NAME=value" of rank 1, for simulated GPUs */
    int signal;              /* that rank 1 gives itself when all wait; 0: none */
    bool is_exact, is_staged;
    bool fails_alone; /* rank 1 has a trouble of its own instead of its part */
    bool at_opening;  /* prepare is called before the reduction is open */
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
    {.name = "fails_alone", .fails_alone = true},
    {.name = "fails_alone_staged", .fails_alone = true, .is_staged = true},
    {.name = "dies_staged", .prepare = die, .is_staged = true},
    {.name = "connecting", .environment = "CUDASIM_FAIL=ncclCommInitRankConfig:1"},
    {.name = "all_reduce", .environment = "CUDASIM_FAIL=ncclAllReduce:7"},
    {.name = "all_to_all", .environment = "CUDASIM_FAIL=ncclSend:7", .is_exact = true},
    {.name = "all_gather", .environment = "CUDASIM_FAIL=ncclAllGather:4", .is_exact = true},
    {.name = "asking", .environment = "CUDASIM_FAIL=ncclCommGetAsyncError:60", .is_exact = true},
    {.name = "network", .environment = "CUDASIM_NCCL_ASYNC=1:7"},
    {.name = "dies_waiting", .signal = SIGKILL, .is_exact = true},
    {.name = "stops_waiting", .signal = SIGSTOP, .is_exact = true},
};

/* "any:17": the 17th call of CUDA or NCCL fails. */
static scenario failing_at(const char *nth) {
    static char text[64];
    (void)snprintf(text, sizeof text, "CUDASIM_FAIL=%s", nth);
    return (scenario){.name = "any", .environment = text, .is_exact = true};
}

static const scenario *find_scenario(const char *name) {
    static scenario any;
    any = failing_at(name);
    if (strncmp(name, "any:", 4) == 0)
        return &any;
    for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
        if (strcmp(scenarios[i].name, name) == 0)
            return &scenarios[i];
    }
    return NULL;
}

/* --- rounds ----------------------------------------------------------------------------------- */

/* What a step queues; the first bucket as early as it may be. */
static ty_status queue_sum(job *j) {
    const size_t bytes = ELEMENTS * sizeof(float);
    float *x = ty_reduction_in(j->reduction);
    TY_TRY(ty_device_copy_in(&j->ctx, j->dev, x, j->brought, bytes));
    TY_TRY(ty_reduction_ready(&j->ctx, j->reduction, ELEMENTS - ELEMENTS / 2, ELEMENTS / 2));
    TY_TRY(ty_reduction_run(&j->ctx, j->reduction));
    return ty_device_copy_out(&j->ctx, j->dev, j->kept, ty_reduction_out(j->reduction), bytes);
}

/* Everybody is told that this rank waits too, and then it is gone. */
static ty_status vanish(job *j, int signal) {
    TY_TRY(ty_comm_agree(&j->ctx, j->comm, TY_OK));
    return raise(signal) == 0 ? TY_OK : TY_ERR_INTERNAL;
}

/* odd: rank 1's round in which it happens; NULL: any other. */
static ty_status sum(job *j, const scenario *odd) {
    const bool fails_alone = odd && odd->fails_alone;
    ty_status mine = fails_alone ? ty_fail(&j->ctx, TY_ERR_IO, "a trouble of its own") : TY_OK;
    if (mine == TY_OK)
        mine = queue_sum(j);
    if (odd && odd->signal)
        TY_TRY(vanish(j, odd->signal));
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
    if (it->prepare && j->has_fake)
        it->prepare(fake_gpu_faults_of(j->dev), j->rank, fake_gpu_counts_of(j->dev));
}

/* Of the device: fakes are open already. */
static ty_status open_gpu(job *j) {
    const ty_device_options cuda = {.name = "cuda", .local_rank = ty_comm_local_rank(j->comm)};
    void *brought = NULL, *kept = NULL;
    if (!j->has_fake)
        TY_TRY(ty_device_open(&j->ctx, &cuda, &j->dev));
    TY_TRY(ty_device_alloc_host(&j->ctx, j->dev, ELEMENTS * sizeof(float), &brought));
    j->brought = brought;
    TY_TRY(ty_device_alloc_host(&j->ctx, j->dev, ELEMENTS * sizeof(float), &kept));
    j->kept = kept;
    for (int i = 0; i < ELEMENTS; i++)
        j->brought[i] = 1.0f;
    return TY_OK;
}

static ty_status run(job *j, const scenario *it) {
    TY_TRY(ty_comm_agree(&j->ctx, j->comm, open_gpu(j)));
    const ty_reduction_options options = {.n = ELEMENTS,
                                          .is_exact = it->is_exact,
                                          .is_staged = it->is_staged,
                                          .dev = j->dev,
                                          .bucket_floats = BUCKET};
    const int fault_round = it->at_opening || it->environment ? 0 : FAULT_ROUND;
    if (fault_round == 0)
        let_happen(j, it);
    TY_TRY(ty_reduction_open_on(&j->ctx, j->comm, &options, &j->reduction));
    for (int i = 0; i < ROUNDS; i++) {
        if (i == fault_round && i > 0)
            let_happen(j, it);
        TY_TRY(sum(j, i == FAULT_ROUND && j->rank == 1 ? it : NULL));
    }
    return TY_OK;
}

/* --- ending ----------------------------------------------------------------------------------- */

static void close_gpu(job *j) {
    ty_reduction_close(j->reduction);
    if (!j->dev)
        return;
    ty_device_free_host(j->dev, j->brought);
    ty_device_free_host(j->dev, j->kept);
    if (!j->has_fake) {
        ty_device_close(j->dev);
        return;
    }
    const fake_gpu_counts *counts = fake_gpu_counts_of(j->dev);
    if (counts->live_memory || counts->live_cliques)
        (void)fprintf(stderr, "rank %d leaks %d pieces of memory, %d cliques\n", j->rank,
                      counts->live_memory, counts->live_cliques);
    fake_gpu_close(j->dev);
}

static int give_up(job *j, ty_status st) {
    (void)fprintf(stderr, "rank %d fails: %s\n", j->rank, j->ctx.message);
    close_gpu(j);
    victim_waits_for_words(j->folder, j->comm);
    if (j->has_fake) /* MPI may be in sums that nobody ends */
        ty_comm_abort(j->comm, ty_status_exit_code(st));
    ty_comm_close(j->comm);
    return ty_status_exit_code(st);
}

/* Before the first call of CUDA. */
static void spoil_environment(const scenario *it) {
    static char text[64];
    const char *rank = getenv("OMPI_COMM_WORLD_RANK");
    if (!it->environment || !rank || strcmp(rank, "1") != 0)
        return;
    (void)snprintf(text, sizeof text, "%s", it->environment);
    (void)putenv(text);
}

int main(int argc, char **argv) {
    const scenario *it = argc == 5 ? find_scenario(argv[1]) : NULL;
    if (!it)
        return 2;
    const char *device = getenv("TY_TEST_DEVICE");
    job j = {.folder = argv[4], .has_fake = !device || strcmp(device, "cuda") != 0};
    spoil_environment(it);
    ty_ctx_init(&j.ctx);
    const ty_comm_options options = {.deadline_s = atof(argv[2]), .ranks_per_node = atoi(argv[3])};
    if (ty_comm_open(&j.ctx, &options, &j.comm) != TY_OK) {
        (void)fprintf(stderr, "%s\n", j.ctx.message);
        return 8;
    }
    j.rank = ty_comm_rank(j.comm);
    if (j.has_fake)
        j.dev = fake_gpu_open(MPI_COMM_WORLD, 1u + (unsigned)j.rank);
    const ty_status st = run(&j, it);
    if (st != TY_OK)
        return give_up(&j, st);
    close_gpu(&j);
    victim_has_said(j.folder, j.rank);
    ty_comm_close(j.comm);
    ty_ctx_clear(&j.ctx);
    return 0;
}
