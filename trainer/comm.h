/* Ranks talking to each other. Two implementations behind one face: self (one rank, no MPI call)
 * and MPI. Every call below is collective unless it says otherwise: all ranks make the same calls
 * in the same order. Each carries a sequence number and a deadline; on expiry the call fails with
 * TY_ERR_COMM naming the rank that is missing and what it was last seen doing. The deadline counts
 * only time in which this rank itself ran, so a suspended job may wake up again. A failure is
 * final: every later call fails with the same message, and the way out is ty_comm_abort (of a group:
 * ty_comm_close).
 * Ranks that are out of step (another call, root or size) fail, all of them, instead of mixing
 * their bytes. All calls on the thread that opened the comm (MPI_THREAD_FUNNELED). */
#ifndef TY_TRAINER_COMM_H
#define TY_TRAINER_COMM_H

#include "kernels/kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ty_comm ty_comm;

typedef struct ty_comm_options {
    double deadline_s;  /* > 0; 60 where 0 is given */
    int ranks_per_node; /* pretend that nodes hold this many ranks; 0: as they do */
} ty_comm_options;

/* Whether a launcher (mpirun, srun with PMI) started this process: OMPI_COMM_WORLD_SIZE, PMI_SIZE or
 * PMIX_RANK is set. Not collective; needs no comm. */
bool ty_comm_is_launched(const ty_ctx *ctx);

/* MPI is initialised only where a launcher started us;
 * before that, what killed jobs of this user left in /dev/shm is removed. Should starting MPI take
 * longer than the deadline and than 120 s, the process exits with TY_ERR_COMM's code: nothing else
 * ends that call.
 * *out is the caller's to close; ctx's log, clock and environment have to outlive it. Sets
 * ctx->rank. options may be NULL.
 * Errors: TY_ERR_COMM, also for a world of 1 inside a Slurm step of several tasks (no PMI). */
ty_status ty_comm_open(ty_ctx *ctx, const ty_comm_options *options, ty_comm **out) TY_MUST_USE;

/* Leaves in order: every rank has to come here or to ty_comm_abort, its reductions closed. After a
 * failure it leaves without the others and without MPI_Finalize, which would wait for them: the
 * process has to exit with a code then. Accepts NULL. */
void ty_comm_close(ty_comm *comm);

/* Not collective: ends the job with exit_code, within 2 s also where ranks are stopped or gone.
 * Who is stopped on this host is woken, to see it. Does not return where there is more than one rank.
 * A group's ends nothing: its members fail with "gave its group up", and it returns. */
void ty_comm_abort(ty_comm *comm, int exit_code);

/* Not collective. */
int ty_comm_rank(const ty_comm *comm);
int ty_comm_size(const ty_comm *comm);
int ty_comm_local_rank(const ty_comm *comm); /* on this host, the ranks of other groups included */
int ty_comm_local_size(const ty_comm *comm);
int ty_comm_node(const ty_comm *comm); /* this host; hosts are numbered by their lowest rank */
int ty_comm_nodes(const ty_comm *comm);
const char *ty_comm_kind(const ty_comm *comm); /* "self", "mpi" */

/* Every rank brings its own status; all get the same answer: TY_OK if all are, else the status and
 * message of the lowest failing rank, prefixed "rank 3 (host): ". The one way to a decision that
 * leads to another collective. */
ty_status ty_comm_agree(ty_ctx *ctx, ty_comm *comm, ty_status mine) TY_MUST_USE;

/* Bitwise OR of everybody's flags: stop requests, signals. */
ty_status ty_comm_vote(ty_ctx *ctx, ty_comm *comm, uint64_t mine, uint64_t *out_any) TY_MUST_USE;

typedef struct ty_comm_fact {
    const char *name;  /* "config", "data fingerprint", "numeric" */
    const char *value; /* compared as text */
} ty_comm_fact;

/* Start-up handshake: fails on every rank, naming the first rank and fact that differ from rank
 * 0's. */
ty_status ty_comm_handshake(ty_ctx *ctx, ty_comm *comm, const ty_comm_fact *facts,
                            int n_facts) TY_MUST_USE;

/* The least of everybody's numbers; waiting for all; root's bytes into everybody's data. */
ty_status ty_comm_min(ty_ctx *ctx, ty_comm *comm, int64_t mine, int64_t *out) TY_MUST_USE;
ty_status ty_comm_barrier(ty_ctx *ctx, ty_comm *comm) TY_MUST_USE;
ty_status ty_comm_broadcast(ty_ctx *ctx, ty_comm *comm, int root, void *data,
                            size_t bytes) TY_MUST_USE;

/* Every rank brings `bytes` bytes; all receive size * bytes in rank order. */
ty_status ty_comm_all_gather(ty_ctx *ctx, ty_comm *comm, const void *mine, size_t bytes,
                             void *out) TY_MUST_USE;

/* Sum of a few doubles in the fixed tree over ranks (((0+1)+(2+3))+...): in place, same bits
 * everywhere, and, where size is a power of two, the same as when one rank had summed everybody's
 * parts in that tree. */
ty_status ty_comm_sum(ty_ctx *ctx, ty_comm *comm, double *values, int n) TY_MUST_USE;

/* Not collective: waits until all that is queued on dev is done. Fails early where the job broke or
 * a rank of this host is gone; has no deadline, since those who wait for this rank have theirs. */
ty_status ty_comm_wait_device(ty_ctx *ctx, ty_comm *comm, ty_device *dev) TY_MUST_USE;

/* The sum of a large f32 buffer, without copies where ranks share a host (a shared-memory window
 * each rank writes its part into); between hosts in pieces of at most 4 MB. The order for each
 * element is the fixed tree of ty_comm_sum; without is_exact a host's ranks are summed first also
 * where they are no subtree of it: less to send, and still the same bits on every rank and in every
 * run of that layout.
 * Errors of open, agreed on by all ranks: TY_ERR_ARG n < 0; TY_ERR_NOMEM; TY_ERR_COMM. */
typedef struct ty_reduction ty_reduction;
ty_status ty_reduction_open(ty_ctx *ctx, ty_comm *comm, int64_t n, bool is_exact,
                            ty_reduction **out) TY_MUST_USE;
void ty_reduction_close(ty_reduction *reduction); /* not collective; accepts NULL */
float *ty_reduction_in(ty_reduction *reduction);  /* [n], this rank's part; written between runs */
const float *
ty_reduction_out(ty_reduction *reduction); /* [n], the sum; valid until the next run starts */

/* Sums everybody's in into everybody's out. Collective; nobody writes to its in meanwhile. */
ty_status ty_reduction_run(ty_ctx *ctx, ty_reduction *reduction) TY_MUST_USE;

/* --- sums on GPUs --------------------------------------------------------------------------------
 * in and out are then one buffer on the device, run queues the sum and returns: what is queued on
 * COMPUTE before it is summed, what is queued there after it sees the sum. No rank ever blocks in
 * NCCL; ty_reduction_wait is where failures of queued sums surface.
 *
 * is_exact: each rank gets its slice of everybody's buffer, adds it up in the tree, and gives the
 * result to all (2 (ranks - 1) / ranks buffers are sent, as by a ring; one buffer more of memory).
 * Otherwise NCCL's all-reduce, whose order is its own, over buckets of the buffer: each as soon as
 * the backward pass is done with it (ty_reduction_ready), the rest when run is called. */
typedef struct ty_reduction_options {
    int64_t n;
    bool is_exact;
    ty_device *dev;        /* borrowed; a CPU's: the same as ty_reduction_open */
    bool is_staged;        /* through host memory and MPI, which run then waits for */
    int64_t bucket_floats; /* of one all-reduce; 0: 25 MB */
} ty_reduction_options;

/* Connects the GPUs where there are several ranks.
 * Errors, agreed on by all ranks: as ty_reduction_open; TY_ERR_DEVICE NCCL cannot be had. */
ty_status ty_reduction_open_on(ty_ctx *ctx, ty_comm *comm, const ty_reduction_options *options,
                               ty_reduction **out) TY_MUST_USE;

/* Elements [first, first + count) of in are final once COMPUTE has done what is queued there now, and
 * will not be touched before run. Where that completes a bucket, its sum begins beside the rest of
 * the backward pass. Each element at most once between two runs, and all ranks in the same order;
 * what was never ready is summed by run. Without buckets it does nothing.
 * Errors: TY_ERR_ARG a range twice or outside; TY_ERR_COMM. */
ty_status ty_reduction_ready(ty_ctx *ctx, ty_reduction *reduction, int64_t first,
                             int64_t count) TY_MUST_USE;

/* Not collective. After a failure elsewhere: what is under way in NCCL may never end, and everything
 * that waits for the device would wait for it, so it is aborted. Only ty_reduction_close is left. */
void ty_reduction_give_up(ty_reduction *reduction); /* accepts NULL */

/* This rank cannot queue its part, st says why. Where the others may wait inside NCCL for it already
 * (buckets), they are told by breaking the comm; elsewhere it does nothing. Returns st, or what the
 * others will hear. */
ty_status ty_reduction_fail(ty_ctx *ctx, ty_reduction *reduction, ty_status st) TY_MUST_USE;

/* Agrees on everybody's status so far and waits until all that is queued on the device is done.
 * Collective: every rank has to come here after what it queued, also with a failure of its own or of
 * run and ready, or the others would wait for its part. The comm's deadline counts the GPUs' work.
 * After a failure NCCL's work is aborted, and only ty_reduction_close is left. */
ty_status ty_reduction_wait(ty_ctx *ctx, ty_reduction *reduction, ty_status mine) TY_MUST_USE;

/* --- groups of ranks -----------------------------------------------------------------------------
 * Several jobs side by side under one mpirun: the world is divided once, each group has a comm of its
 * own, and letters go between any two ranks. Under `mpirun --enable-recovery` a rank may die: its
 * group's calls fail with TY_ERR_COMM on the members that are left, the other groups go on. For that,
 * nothing collective may be called on the world after the split but ty_comm_close: a rank without work
 * waits for a letter, not for the world. Among a group's members one waits for the letter, each time
 * for less than the deadline, and tells the others (ty_comm_broadcast), also that none came.
 *
 * At the end rank 0 tells everybody by letter to leave; then mail, group and world are closed. Where
 * a rank is gone, closing the world leaves without MPI_Finalize; a rank that is stopped stays unless
 * the last one leaves by ty_comm_abort. With --enable-recovery mpirun itself exits with 0 whatever the
 * ranks return: who started it has to learn the outcome elsewhere. */

/* Divides the ranks of comm: those that name the same group >= 0 become one comm, ranked as they are
 * in comm, with its deadline and sequence numbers of its own; in messages its ranks are "rank 1 (host,
 * world rank 3)". *out is NULL for a rank of group < 0, otherwise the caller's to close, before comm.
 * ctx->rank stays the world's.
 * Ranks:  collective over comm, the idle ones included.
 * Errors: the same on all ranks: TY_ERR_ARG comm is a group; TY_ERR_NOMEM; TY_ERR_COMM. */
ty_status ty_comm_split(ty_ctx *ctx, ty_comm *comm, int group, ty_comm **out) TY_MUST_USE;

/* For the calls from here on; deadline_s <= 0 leaves it as it is. Not collective, but all ranks want
 * the same. */
void ty_comm_set_deadline(ty_comm *comm, double deadline_s);

/* Not collective: whether that rank's process is seen to have ended. False also where that cannot be
 * seen, on another host: what counts is that its letters stay away. */
bool ty_comm_is_gone(const ty_comm *comm, int rank);

/* Letters between ranks of the world, not collective, on the thread that opened comm. Nothing here
 * waits for another rank but ty_mail_take, as long as it is told to. Letters of one sender come in its
 * order. What a rank sent before it died may come or not. */
typedef struct ty_mail ty_mail;
enum { TY_MAIL_BYTES = 65536, TY_MAIL_MOST = 64 };

typedef struct ty_letter {
    int rank; /* who sent it */
    size_t bytes;
    const void *data; /* until the next call with this mail */
} ty_letter;

/* comm is the world, and has to outlive *out, which is the caller's to close. */
ty_status ty_mail_open(ty_ctx *ctx, ty_comm *comm, ty_mail **out) TY_MUST_USE;

/* Waits until what was sent is on its way, at most for comm's deadline, and not for ranks that are
 * seen to be gone. Letters that nobody took are lost. Accepts NULL. */
void ty_mail_close(ty_mail *mail);

/* Copies bytes <= TY_MAIL_BYTES and returns; rank may be this one.
 * Errors: TY_ERR_ARG; TY_ERR_NOMEM; TY_ERR_BUSY TY_MAIL_MOST letters to that rank are under way: it
 * takes none; TY_ERR_COMM that rank is gone, or MPI failed. */
ty_status ty_mail_send(ty_ctx *ctx, ty_mail *mail, int rank, const void *data,
                       size_t bytes) TY_MUST_USE;

/* The next letter, waiting for one at most wait_s (0: not at all). *found tells whether there was one.
 * Errors: TY_ERR_NOMEM; TY_ERR_COMM MPI failed. */
ty_status ty_mail_take(ty_ctx *ctx, ty_mail *mail, double wait_s, ty_letter *out,
                       bool *found) TY_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
