/* Affinity masks of all ranks, compared; and the quota of a container. */
#include "trainer/cores.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "trainer/comm_private.h"

typedef struct seat {
    uint64_t host; /* hash of the host's name */
    cpu_set_t cpus;
} seat;

static seat my_seat(void) {
    seat mine;
    memset(&mine, 0, sizeof mine);
    char host[256] = "";
    (void)gethostname(host, sizeof host - 1);
    mine.host = ty_hash64(host, strlen(host));
    if (sched_getaffinity(0, sizeof mine.cpus, &mine.cpus) != 0)
        CPU_SET(0, &mine.cpus);
    return mine;
}

static bool may_use(const seat *who, uint64_t host, int cpu) {
    return who->host == host && CPU_ISSET((size_t)cpu, &who->cpus);
}

/* Sum over my CPUs of 1 / (ranks that may use it). */
static double share_of(const seat *seats, int n, int mine) {
    double share = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        int users = 0;
        for (int r = 0; r < n; r++)
            users += may_use(&seats[r], seats[mine].host, cpu);
        if (may_use(&seats[mine], seats[mine].host, cpu))
            share += 1.0 / users;
    }
    return share;
}

int64_t ty_cores_quota(const char *cpu_max) {
    long long quota, period;
    if (sscanf(cpu_max, "%lld %lld", &quota, &period) != 2 || quota <= 0 || period <= 0)
        return 0;
    return quota < period ? 1 : quota / period;
}

static int64_t cgroup_quota(ty_ctx *ctx) {
    char *text = NULL;
    size_t bytes;
    if (ty_file_read_all(ctx, "/sys/fs/cgroup/cpu.max", 4096, &text, &bytes) != TY_OK)
        return 0; /* no cgroup v2, or not in one: no limit is known */
    const int64_t quota = ty_cores_quota(text);
    free(text);
    return quota;
}

ty_status ty_cores_share(ty_ctx *ctx, ty_comm *comm, int64_t *out) {
    if (comm->cores > 0) { /* a group: other groups' ranks share the host too */
        *out = comm->cores;
        return TY_OK;
    }
    const int n = ty_comm_size(comm);
    const seat mine = my_seat();
    seat *seats = calloc((size_t)n, sizeof *seats);
    if (!seats)
        return ty_fail_nomem(ctx, "the ranks' cores");
    const ty_status st = ty_comm_all_gather(ctx, comm, &mine, sizeof mine, seats);
    if (st == TY_OK) {
        const int64_t quota = cgroup_quota(ctx) / ty_comm_local_size(comm);
        int64_t cores = (int64_t)(share_of(seats, n, ty_comm_rank(comm)) + 1e-6);
        cores = quota > 0 && quota < cores ? quota : cores;
        *out = cores > 1 ? cores : 1;
    }
    free(seats);
    return st;
}
