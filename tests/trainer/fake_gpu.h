/* A GPU that is none: memory of the host, queues on which nothing happens before somebody polls, and
 * cliques over MPI. For what trainer does with GPUs, without CUDA and without a simulator of it.
 *
 * Stricter than the real one: of all work that may run next a random piece does; a call of a clique
 * before poll has said that the one before is queued ends the process, and so does memory freed under
 * queued work. */
#ifndef TY_TESTS_TRAINER_FAKE_GPU_H
#define TY_TESTS_TRAINER_FAKE_GPU_H

#include <mpi.h>

#include "kernels/backend.h"

/* Numbers count from 1; 0: never. */
typedef struct fake_gpu_faults {
    int failing_call;    /* the n-th call of a clique fails on this rank */
    int failing_poll;    /* from the n-th poll of a clique on NCCL reports an error */
    int failing_work;    /* the n-th piece of work that begins fails, and all polls after it */
    int hanging_work;    /* the n-th piece of work that begins never ends */
    int failing_alloc;   /* the n-th allocation fails */
    int signalling_work; /* the n-th piece of work that begins raises this process's signal */
    int signal;
    bool lacks_nccl;
    bool never_connects;
} fake_gpu_faults;

typedef struct fake_gpu_counts {
    int calls, polls, work, allocations;
    int all_reduces;               /* that were called */
    int live_memory, live_cliques; /* not freed, not closed */
    int closed_cliques, aborted_cliques;
} fake_gpu_counts;

/* world: MPI's for cliques; the fake makes a copy of it, so all ranks have to come. MPI_COMM_NULL:
 * one rank. */
ty_device *fake_gpu_open(MPI_Comm world, unsigned seed);
void fake_gpu_close(ty_device *dev);

fake_gpu_faults *fake_gpu_faults_of(ty_device *dev);
const fake_gpu_counts *fake_gpu_counts_of(const ty_device *dev);

/* Queues a call, as a kernel would be queued. */
void fake_gpu_queue(ty_device *dev, ty_queue queue, void (*call)(void *arg), void *arg);

#endif
