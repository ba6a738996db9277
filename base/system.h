/* How busy the machine is, or the container this process runs in: processor, memory, disk, network.
 * Where a control group (v2 or v1) allows less than the machine has, the group's limit and the group's
 * use are what counts, as they decide what happens to this process. */
#ifndef TY_BASE_SYSTEM_H
#define TY_BASE_SYSTEM_H

#include "base/ctx.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Counters and levels of one moment; NAN where unknown. Two readings make a rate. */
typedef struct ty_system_reading {
    double cpu_busy_s, cpu_total_s;        /* seconds of processors: used, and there to be used */
    double memory_used, memory_total;      /* bytes; what could be reclaimed is not used */
    double disk_used, disk_free;           /* bytes of the disk asked for; free to this user */
    double network_received, network_sent; /* bytes since boot, all interfaces but loopback */
    double process_cpu_s, process_memory;  /* this process: seconds of processors, resident bytes */
} ty_system_reading;

/* root: "" for this machine, or a folder that stands for "/" (/proc and /sys below it).
 * disk: any path on the disk; NULL: none is asked for. Never fails: what cannot be read is NAN. */
void ty_system_read(ty_ctx *ctx, const char *root, const char *disk, ty_system_reading *out);

/* In percent of what was there between two readings; NAN where that cannot be said. */
double ty_system_cpu_percent(const ty_system_reading *from, const ty_system_reading *to);

#ifdef __cplusplus
}
#endif
#endif
