/* From the ring to the journal: a thread gathers points into records, writes them each tenth of a
 * second, and syncs each second, or at once after anything but a point. Who finds the ring full
 * does the thread's work in line. */
#ifndef TY_TRACKING_JOURNAL_WRITER_H
#define TY_TRACKING_JOURNAL_WRITER_H

#include "tracking/journal/ring.h"
#include "tracking/journal/seen.h"

enum {
    TY_WRITER_TICK_MS = 100,
    TY_WRITER_SYNC_MS = 1000,
    TY_WRITER_RING_SLOTS = 16384,
    TY_WRITER_BATCH_POINTS = 256
};

typedef struct ty_writer ty_writer;

typedef struct ty_writer_options {
    const char *run_folder;
    ty_journal *journal; /* the writer's from here on, also where opening it fails */
    ty_lease *lease;     /* the journal's, for opening it again; NULL: none */
    ty_seen *seen;       /* borrowed, the writer's until it is closed */
    void (*on_sync)(void *self, uint64_t sequence); /* up to sequence all is durable; any thread,
                                                       with the writer's lock held */
    void *self;
} ty_writer_options;

/* Starts the thread. *out is the caller's to close. */
ty_status ty_writer_open(ty_ctx *ctx, const ty_writer_options *options,
                         ty_writer **out) TY_MUST_USE;

/* Takes item from any thread; payload is freed in any case. Costs a copy; waits for nothing unless
 * the ring is full. */
void ty_writer_push(ty_writer *writer, const ty_ring_item *item);

/* Everything pushed before is in the journal and synced. Errors: TY_ERR_IO. */
ty_status ty_writer_flush(ty_ctx *ctx, ty_writer *writer) TY_MUST_USE;

/* The last sequence that survives power loss. */
uint64_t ty_writer_synced(const ty_writer *writer);

/* Flushes, stops the thread, closes the journal. The close happens whatever the status says;
 * accepts NULL. */
ty_status ty_writer_close(ty_ctx *ctx, ty_writer *writer);

#endif
