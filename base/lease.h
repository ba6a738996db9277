/* A lease says "somebody is working here": host, boot id and an expiry that a heartbeat moves on.
 * It is no pid, since folders are shared between hosts and containers. */
#ifndef TY_BASE_LEASE_H
#define TY_BASE_LEASE_H

#include "base/io.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ty_lease ty_lease;

/* Takes the lease at path and keeps it alive from a thread of its own, which rewrites it each
 * ttl_ms / 4. A lease whose flock is held is never taken: its holder lives, be it suspended. One
 * whose flock is free is taken over where its holder is known dead: expired, or the same boot id
 * (so the flock says it), or the same host with another boot id. Where files have no locks, expiry
 * alone says it. ttl_ms >= 100. *out is the caller's to release.
 * Errors: TY_ERR_BUSY naming host, pid and age of the holder; TY_ERR_IO. */
ty_status ty_lease_acquire(ty_ctx *ctx, const char *path, int ttl_ms, ty_lease **out) TY_MUST_USE;

/* Whether a live holder has it; a missing or unreadable file is nobody. */
bool ty_lease_is_held(ty_ctx *ctx, const char *path);

/* True once somebody else took the lease over, or removed it, because this process was suspended or
 * cut off for longer than its ttl. It never becomes false again. */
bool ty_lease_is_lost(const ty_lease *lease);

/* The same asked now, of the file itself: before a write that only the holder may do. A process that was
 * suspended may not have had a heartbeat since.
 * Errors: TY_ERR_BUSY naming who has it now. */
ty_status ty_lease_check(ty_ctx *ctx, ty_lease *lease) TY_MUST_USE;

/* Whether one who had it before may yet wake up: no lock says that it is gone. What it has open for writing is not
 * safe from it. The lease remembers it, also for who takes it over after a kill, until it is settled. */
bool ty_lease_may_wake(const ty_lease *lease);

/* Nothing that the earlier ones have open is the holder's. Errors: TY_ERR_IO. */
ty_status ty_lease_settle(ty_ctx *ctx, ty_lease *lease) TY_MUST_USE;

/* Stops the heartbeat and removes the file, unless it is somebody else's by now or not settled. Accepts NULL. */
void ty_lease_release(ty_ctx *ctx, ty_lease *lease);

#ifdef __cplusplus
}
#endif
#endif
