/* The face of comm: every collective written once over the one primitive, the exchange
 * (comm_private.h). */
#include "trainer/comm.h"

#include <stdlib.h>
#include <string.h>

#include "trainer/comm_private.h"

/* --- opening ---------------------------------------------------------------------------------- */

static bool is_set(const ty_ctx *ctx, const char *name) {
    const char *value = ctx->getenv(name);
    return value && *value;
}

static long number_of(const ty_ctx *ctx, const char *name) {
    const char *value = ctx->getenv(name);
    return value ? strtol(value, NULL, 10) : 0;
}

bool ty_comm_is_launched(const ty_ctx *ctx) {
    return is_set(ctx, "OMPI_COMM_WORLD_SIZE") || is_set(ctx, "PMI_SIZE") ||
           is_set(ctx, "PMIX_RANK");
}

/* How many tasks srun started beside this one. Only job steps count: a batch script has
 * SLURM_NTASKS and SLURM_PROCID too, but runs once. mpirun's ranks are excused: its daemons are
 * srun's tasks, and it says itself how many ranks. */
static long tasks_of_step(const ty_ctx *ctx) {
    if (!is_set(ctx, "SLURM_PROCID") || is_set(ctx, "OMPI_COMM_WORLD_SIZE"))
        return 0;
    if (is_set(ctx, "SLURM_STEP_NUM_TASKS"))
        return number_of(ctx, "SLURM_STEP_NUM_TASKS");
    return is_set(ctx, "SLURM_STEP_ID") ? number_of(ctx, "SLURM_NTASKS") : 0;
}

static ty_status refuse_lonely_step(ty_ctx *ctx) {
    long tasks = tasks_of_step(ctx);
    if (tasks <= 1)
        return TY_OK;
    return ty_fail(
        ctx, TY_ERR_COMM,
        "joining the other tasks: Slurm started %ld of this step, but without PMI each sees "
        "a world of 1 and would run the whole job; start it with srun --mpi=pmix or with "
        "mpirun",
        tasks);
}

ty_status ty_comm_open(ty_ctx *ctx, const ty_comm_options *options, ty_comm **out) {
    const ty_comm_options defaults = {0};
    options = options ? options : &defaults;
    if (options->deadline_s < 0 || options->ranks_per_node < 0)
        return ty_fail(ctx, TY_ERR_ARG, "comm: deadline_s is %g and ranks_per_node %d, want >= 0",
                       options->deadline_s, options->ranks_per_node);
    ty_comm *comm = NULL;
    if (ty_comm_is_launched(ctx))
        TY_TRY(ty_comm_mpi_open(ctx, options, &comm));
    else
        TY_TRY(ty_comm_self_open(ctx, options, &comm));
    ty_status st = comm->size == 1 ? refuse_lonely_step(ctx) : TY_OK;
    if (st != TY_OK) {
        ty_comm_close(comm);
        return st;
    }
    ctx->rank = comm->rank;
    *out = comm;
    return TY_OK;
}

void ty_comm_close(ty_comm *comm) {
    if (comm)
        comm->kind->close(comm);
}

void ty_comm_abort(ty_comm *comm, int exit_code) {
    if (comm)
        comm->kind->abort(comm, exit_code);
}

ty_status ty_comm_split(ty_ctx *ctx, ty_comm *comm, int group, ty_comm **out) {
    *out = NULL;
    if (comm->is_group)
        return ty_fail(ctx, TY_ERR_ARG, "dividing ranks: a group cannot be divided again");
    return comm->kind->split(ctx, comm, group, out);
}

void ty_comm_set_deadline(ty_comm *comm, double deadline_s) {
    if (deadline_s > 0)
        comm->deadline_ns = (int64_t)(deadline_s * 1e9);
}

void ty_comm_free(ty_comm *comm) {
    free(comm->peers);
    free(comm->node_first);
    free(comm->node_ranks);
    free(comm->own_part);
    ty_ctx_clear(&comm->ctx);
    free(comm);
}

/* --- facts ------------------------------------------------------------------------------------ */

int ty_comm_rank(const ty_comm *comm) {
    return comm->rank;
}

int ty_comm_size(const ty_comm *comm) {
    return comm->size;
}

int ty_comm_local_rank(const ty_comm *comm) {
    return comm->host_rank;
}

int ty_comm_local_size(const ty_comm *comm) {
    return comm->host_size;
}

int ty_comm_node(const ty_comm *comm) {
    return comm->node;
}

int ty_comm_nodes(const ty_comm *comm) {
    return comm->n_nodes;
}

const char *ty_comm_kind(const ty_comm *comm) {
    return comm->kind->name;
}

const char *ty_comm_op_name(uint32_t op) {
    static const char *const names[TY_COMM_OP_COUNT] = {
        [TY_COMM_NONE] = "start",
        [TY_COMM_AGREE] = "agree",
        [TY_COMM_REASON] = "agree (reason)",
        [TY_COMM_VOTE] = "vote",
        [TY_COMM_FACTS] = "handshake",
        [TY_COMM_MIN] = "min",
        [TY_COMM_BARRIER] = "barrier",
        [TY_COMM_BROADCAST] = "broadcast",
        [TY_COMM_ALL_GATHER] = "all_gather",
        [TY_COMM_SUM] = "sum",
        [TY_COMM_WINDOW] = "reduction open",
        [TY_COMM_REDUCE] = "all_reduce",
        [TY_COMM_REDUCE_PART] = "all_reduce (host's part)",
        [TY_COMM_REDUCE_END] = "all_reduce (end)",
        [TY_COMM_CLOSE] = "close",
        [TY_COMM_CONNECT_GPUS] = "connecting GPUs",
        [TY_COMM_GPU_WORK] = "GPU work",
    };
    return op < TY_COMM_OP_COUNT ? names[op] : "an unknown call";
}

/* --- the primitive ---------------------------------------------------------------------------- */

ty_status ty_comm_break(const ty_ctx *ctx, ty_comm *comm, ty_status st) {
    memcpy(comm->broken, ctx->message, sizeof comm->broken);
    if (comm->board)
        ty_comm_board_fail(comm, ctx->message);
    return st;
}

ty_status ty_comm_exchange(ty_ctx *ctx, ty_comm *comm, const ty_comm_call *call, const void *mine,
                           size_t bytes) {
    if (comm->broken[0])
        return ty_fail(ctx, TY_ERR_COMM, "%s", comm->broken);
    ty_status st = comm->kind->exchange(ctx, comm, call, mine, bytes);
    if (st != TY_OK)
        return ty_comm_break(ctx, comm, st);
    comm->last_call = *call;
    comm->last_seq = comm->seq;
    comm->last_ns = ty_now_ns(ctx);
    return TY_OK;
}

static const void *part_of(const ty_comm *comm, int rank) {
    return comm->kind->part(comm, rank);
}

/* A value that all bring and all see, for the small calls below. */
static ty_status exchange_word(ty_ctx *ctx, ty_comm *comm, ty_comm_op op, uint64_t mine) {
    const ty_comm_call call = {.op = op, .root = -1, .bytes = sizeof mine};
    return ty_comm_exchange(ctx, comm, &call, &mine, sizeof mine);
}

static uint64_t word_of(const ty_comm *comm, int rank) {
    uint64_t word;
    memcpy(&word, part_of(comm, rank), sizeof word);
    return word;
}

/* --- decisions -------------------------------------------------------------------------------- */

static int lowest_failing(const ty_comm *comm) {
    for (int rank = 0; rank < comm->size; rank++) {
        if (word_of(comm, rank) != TY_OK)
            return rank;
    }
    return -1;
}

/* The failing rank's message travels in a second exchange: decisions that all agree on pay only for
 * the first. */
static ty_status share_reason(ty_ctx *ctx, ty_comm *comm, int failing, ty_status st) {
    const ty_comm_call call = {.op = TY_COMM_REASON, .root = failing, .bytes = TY_MESSAGE_BYTES};
    TY_TRY(ty_comm_exchange(ctx, comm, &call, ctx->message, TY_MESSAGE_BYTES));
    char reason[TY_MESSAGE_BYTES];
    memcpy(reason, part_of(comm, failing), sizeof reason);
    return ty_fail(ctx, st, "rank %d (%s): %.*s", failing, comm->peers[failing].host,
                   (int)sizeof reason - 1, reason);
}

/* Where the others cannot be told any more, the caller still learns what went wrong here. */
static ty_status bring_status(ty_ctx *ctx, ty_comm *comm, ty_status mine) {
    if (mine == TY_OK)
        return exchange_word(ctx, comm, TY_COMM_AGREE, TY_OK);
    char own[TY_MESSAGE_BYTES];
    memcpy(own, ctx->message, sizeof own);
    ty_status st = exchange_word(ctx, comm, TY_COMM_AGREE, (uint64_t)mine);
    if (st != TY_OK)
        return ty_fail_within(ctx, st, "%.*s; and the other ranks could not be told",
                              (int)sizeof own - 1, own);
    memcpy(ctx->message, own, sizeof own);
    return TY_OK;
}

ty_status ty_comm_agree(ty_ctx *ctx, ty_comm *comm, ty_status mine) {
    if (comm->size == 1)
        return mine;
    TY_TRY(bring_status(ctx, comm, mine));
    int failing = lowest_failing(comm);
    if (failing < 0)
        return TY_OK;
    uint64_t word = word_of(comm, failing);
    ty_status st = word < TY_STATUS_COUNT ? (ty_status)word : TY_ERR_INTERNAL;
    return share_reason(ctx, comm, failing, st);
}

ty_status ty_comm_vote(ty_ctx *ctx, ty_comm *comm, uint64_t mine, uint64_t *out_any) {
    TY_TRY(exchange_word(ctx, comm, TY_COMM_VOTE, mine));
    uint64_t any = 0;
    for (int rank = 0; rank < comm->size; rank++)
        any |= word_of(comm, rank);
    *out_any = any;
    return TY_OK;
}

ty_status ty_comm_min(ty_ctx *ctx, ty_comm *comm, int64_t mine, int64_t *out) {
    TY_TRY(exchange_word(ctx, comm, TY_COMM_MIN, (uint64_t)mine));
    int64_t least = mine;
    for (int rank = 0; rank < comm->size; rank++) {
        int64_t theirs = (int64_t)word_of(comm, rank);
        least = theirs < least ? theirs : least;
    }
    *out = least;
    return TY_OK;
}

ty_status ty_comm_barrier(ty_ctx *ctx, ty_comm *comm) {
    const ty_comm_call call = {.op = TY_COMM_BARRIER, .root = -1};
    return ty_comm_exchange(ctx, comm, &call, NULL, 0);
}

/* --- bytes ------------------------------------------------------------------------------------ */

static size_t piece_at(size_t at, size_t bytes) {
    return bytes - at < TY_COMM_PART_BYTES ? bytes - at : TY_COMM_PART_BYTES;
}

static ty_status broadcast(ty_ctx *ctx, ty_comm *comm, ty_comm_op op, int root, void *data,
                           size_t bytes) {
    const ty_comm_call call = {.op = op, .root = root, .bytes = bytes};
    size_t at = 0;
    do {
        char *here = bytes ? (char *)data + at : NULL;
        size_t piece = piece_at(at, bytes);
        TY_TRY(ty_comm_exchange(ctx, comm, &call, here, piece));
        if (comm->rank != root && piece)
            memcpy(here, part_of(comm, root), piece);
        at += piece;
    } while (at < bytes);
    return TY_OK;
}

ty_status ty_comm_broadcast(ty_ctx *ctx, ty_comm *comm, int root, void *data, size_t bytes) {
    if (root < 0 || root >= comm->size)
        return ty_fail(ctx, TY_ERR_ARG, "broadcast: root is %d, want a rank of 0..%d", root,
                       comm->size - 1);
    return broadcast(ctx, comm, TY_COMM_BROADCAST, root, data, bytes);
}

ty_status ty_comm_all_gather(ty_ctx *ctx, ty_comm *comm, const void *mine, size_t bytes,
                             void *out) {
    const ty_comm_call call = {.op = TY_COMM_ALL_GATHER, .root = -1, .bytes = bytes};
    size_t at = 0;
    do {
        size_t piece = piece_at(at, bytes);
        const char *here = bytes ? (const char *)mine + at : NULL;
        TY_TRY(ty_comm_exchange(ctx, comm, &call, here, piece));
        for (int rank = 0; rank < comm->size && piece; rank++)
            memcpy((char *)out + (size_t)rank * bytes + at, part_of(comm, rank), piece);
        at += piece;
    } while (at < bytes);
    return TY_OK;
}

/* --- the start-up handshake ------------------------------------------------------------------- */

/* The facts as "name\0value\0name\0value\0", in malloc memory. */
static char *pack_facts(const ty_comm_fact *facts, int n_facts, size_t *out_bytes) {
    size_t bytes = 0;
    for (int i = 0; i < n_facts; i++)
        bytes += strlen(facts[i].name) + strlen(facts[i].value) + 2;
    char *packed = malloc(bytes + 1);
    char *at = packed;
    for (int i = 0; packed && i < n_facts; i++) {
        at = stpcpy(at, facts[i].name) + 1;
        at = stpcpy(at, facts[i].value) + 1;
    }
    *out_bytes = bytes;
    return packed;
}

static ty_status compare_facts(ty_ctx *ctx, const ty_comm_fact *facts, int n_facts,
                               const char *theirs, size_t bytes) {
    const char *end = theirs + bytes;
    for (int i = 0; i < n_facts; i++) {
        if (theirs >= end)
            return ty_fail(ctx, TY_ERR_COMM, "%s is %s, which rank 0 does not bring at all",
                           facts[i].name, facts[i].value);
        const char *name = theirs;
        const char *value = name + strlen(name) + 1;
        theirs = value + strlen(value) + 1;
        if (strcmp(name, facts[i].name) != 0)
            return ty_fail(ctx, TY_ERR_COMM, "brings %s where rank 0 brings %s", facts[i].name,
                           name);
        if (strcmp(value, facts[i].value) != 0)
            return ty_fail(ctx, TY_ERR_COMM, "%s is %s, but %s on rank 0", name, facts[i].value,
                           value);
    }
    if (theirs < end)
        return ty_fail(ctx, TY_ERR_COMM, "does not bring %s, which rank 0 does", theirs);
    return TY_OK;
}

ty_status ty_comm_handshake(ty_ctx *ctx, ty_comm *comm, const ty_comm_fact *facts, int n_facts) {
    ty_status st = TY_OK;
    uint64_t n_bytes = 0;
    char *theirs = NULL;
    size_t bytes = 0;
    char *mine = pack_facts(facts, n_facts, &bytes);
    st = ty_comm_agree(ctx, comm, mine ? TY_OK : ty_fail_nomem(ctx, "the handshake"));
    if (st != TY_OK)
        goto done;
    n_bytes = bytes;
    TY_TRY_GOTO(done, st, broadcast(ctx, comm, TY_COMM_FACTS, 0, &n_bytes, sizeof n_bytes));
    theirs = malloc(n_bytes + 1);
    st = ty_comm_agree(ctx, comm, theirs ? TY_OK : ty_fail_nomem(ctx, "the handshake"));
    if (st != TY_OK)
        goto done;
    if (comm->rank == 0)
        memcpy(theirs, mine, bytes);
    TY_TRY_GOTO(done, st, broadcast(ctx, comm, TY_COMM_FACTS, 0, theirs, n_bytes));
    st = ty_comm_agree(ctx, comm, compare_facts(ctx, facts, n_facts, theirs, n_bytes));
done:
    free(mine);
    free(theirs);
    return st;
}

/* --- the sum of a few doubles ----------------------------------------------------------------- */

static double value_of(const ty_comm *comm, int rank, int i) {
    double value;
    memcpy(&value, (const char *)part_of(comm, rank) + (size_t)i * sizeof value, sizeof value);
    return value;
}

/* Of ranks [first, first + width), width a power of two; a half without ranks is left out. */
static double sum_ranks(const ty_comm *comm, int first, int width, int i) {
    if (width == 1)
        return value_of(comm, first, i);
    int half = width / 2;
    double sum = sum_ranks(comm, first, half, i);
    if (first + half < comm->size)
        sum += sum_ranks(comm, first + half, half, i);
    return sum;
}

ty_status ty_comm_sum(ty_ctx *ctx, ty_comm *comm, double *values, int n) {
    if (n < 0)
        return ty_fail(ctx, TY_ERR_ARG, "sum: n is %d, want >= 0", n);
    int width = 1;
    while (width < comm->size)
        width *= 2;
    const int at_once = TY_COMM_PART_BYTES / (int)sizeof(double);
    const ty_comm_call call = {.op = TY_COMM_SUM, .root = -1, .bytes = (size_t)n * sizeof(double)};
    int at = 0;
    do {
        int count = n - at < at_once ? n - at : at_once;
        TY_TRY(ty_comm_exchange(ctx, comm, &call, values ? values + at : NULL,
                                (size_t)count * sizeof(double)));
        for (int i = 0; i < count; i++)
            values[at + i] = sum_ranks(comm, 0, width, i);
        at += count;
    } while (at < n);
    return TY_OK;
}
