/* What stream.c, event.c, order.c and guard.c share. */
#ifndef TY_CUDASIM_STREAM_PARTS_H
#define TY_CUDASIM_STREAM_PARTS_H

#include "stream.h"

typedef struct cs_range {
    uint64_t address;
    size_t bytes;
    bool is_write;
} cs_range;

struct cs_op {
    int slot; /* of its stream: which count of a clock is its own */
    uint32_t count;
    cs_clock clock; /* what came before it, itself included */
    int device;
    uint64_t issued; /* the how manieth operation of the process */
    char what[96];
    char caller[64];
    cs_run_fn *run;
    void *arg;
    void (*drop)(void *arg);
    bool is_kernel;
    cs_range *ranges;
    size_t n_ranges, room;
    int n_users; /* its queue, the history, the guards */
    cs_op *next;
};

/* Whether a came before b. */
static inline bool cs_op_before(const cs_op *a, const cs_op *b) {
    return b->clock.count[a->slot] >= a->count;
}

static inline void cs_clock_join(cs_clock *to, const cs_clock *from) {
    for (int i = 0; i < CS_MAX_STREAMS; i++)
        to->count[i] = from->count[i] > to->count[i] ? from->count[i] : to->count[i];
}

static inline bool cs_clock_covers(const cs_clock *a, const cs_clock *b) {
    for (int i = 0; i < CS_MAX_STREAMS; i++)
        if (a->count[i] < b->count[i])
            return false;
    return true;
}

void cs_op_release(cs_op *op);

/* The stream's clock as it stands, events that it was told to wait for included; NULL (and a report) for a handle
 * that is none. */
cs_clock *cs_stream_clock(cudaStream_t stream, int *device);

/* Lets queued work run until all that clock covers has run, and the host know of it. */
int cs_wait_for(const cs_clock *clock, const char *what);
bool cs_has_run(const cs_clock *clock);
void cs_host_knows(const cs_clock *clock);

/* The simulated time of the devices: each operation takes a microsecond. */
uint64_t cs_device_time_ns(void);

/* order.c: an operation has run; its ranges are held against all that may run beside it. */
void cs_order_record(cs_op *op, uint64_t address, size_t bytes, bool is_write);
void cs_order_collect_kernel(cs_op *op);
/* Forgets operations that whatever is queued (its oldest clocks) and whatever will be comes after. */
void cs_order_forget(const cs_clock *host, cs_op *const *oldest, size_t n_oldest);

/* guard.c: closes the pinned ranges of a queued operation, opens those that the host now knows the end of. */
void cs_guard_close(cs_op *op, const cs_range *range);
void cs_guard_open_known(const cs_clock *host);
/* The queued operation that still uses a pinned range, or NULL. */
const cs_op *cs_guard_user(uint64_t address, size_t bytes);

#endif
