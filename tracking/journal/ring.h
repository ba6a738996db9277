/* A bounded queue between the threads that train and the one that writes (D. Vyukov's bounded MPMC
 * queue): pushing is a compare-and-swap and a copy of one fixed-size slot, and never waits. Any
 * thread may push; popping is one thread's at a time. */
#ifndef TY_TRACKING_JOURNAL_RING_H
#define TY_TRACKING_JOURNAL_RING_H

#include <stdatomic.h>

#include "base/base.h"

enum { TY_RING_KEY_BYTES = 80 }; /* longer keys go to the heap */

/* A metric point (type 0), or the encoded payload of a journal record of that type. */
typedef struct ty_ring_item {
    uint32_t type;
    int64_t step, time_ns;
    double value;
    /* Points: "" to TY_RING_KEY_BYTES - 1 bytes are copied, longer ones are duplicated. */
    const char *key;
    char *payload; /* records: malloc memory, the ring's after a successful push */
    size_t payload_bytes;
} ty_ring_item;

typedef struct ty_ring ty_ring;

/* capacity is a power of two. *out is the caller's to close. */
ty_status ty_ring_open(ty_ctx *ctx, size_t capacity, ty_ring **out) TY_MUST_USE;
void ty_ring_close(ty_ring *ring); /* frees what is still queued; accepts NULL */

/* false: the ring is full (or there is no memory for a long key) and the item is still the
 * caller's. */
bool ty_ring_push(ty_ring *ring, const ty_ring_item *item) TY_MUST_USE;

/* The oldest item, borrowed until it is popped; false: the ring is empty. */
bool ty_ring_peek(ty_ring *ring, ty_ring_item *out);
void ty_ring_pop(ty_ring *ring);

/* Roughly how many wait. */
size_t ty_ring_count(const ty_ring *ring);

#endif
