/* Several processes of one test, each a rank with a GPU of its own. */
#ifndef TY_CUDASIM_RANKS_H
#define TY_CUDASIM_RANKS_H

#include "caught.h"
#include "nccl_fake.h"

typedef struct rank_setup {
    int rank, size;
    ncclUniqueId id;
    const void *arg;
} rank_setup;

/* A rank's exit code: 0 means all was as it should be. */
typedef int rank_fn(const rank_setup *setup);

/* Runs a function on `size` ranks at once, each on device rank % n_devices; how each of them ended. */
void ranks_run(int size, int n_devices, rank_fn *body, const void *arg, caught *ended);

/* Fails unless all ranks ended with 0 and the simulator found nothing. */
void assert_clean(const caught *ended, int size);

#endif
