/* How many cores this rank may use. */
#ifndef TY_TRAINER_CORES_H
#define TY_TRAINER_CORES_H

#include "trainer/comm.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The cores this process may run on, each divided among the ranks that may run there too, and no
 * more than its cgroup's CPU quota divided among the ranks of the host. At least 1. Launchers bind
 * ranks in many ways (Open MPI: one core each where there are two ranks, a whole socket where there
 * are more), so the masks themselves are compared.
 * Ranks: collective; each gets its own answer. */
ty_status ty_cores_share(ty_ctx *ctx, ty_comm *comm, int64_t *out) TY_MUST_USE;

/* Whole CPUs of a cgroup v2 "cpu.max" text ("200000 100000"); 0: no limit. */
int64_t ty_cores_quota(const char *cpu_max);

#ifdef __cplusplus
}
#endif
#endif
