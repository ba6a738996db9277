/* What takes a run's journal to where MLflow looks. One interface, one row for each kind of place;
 * the feeder (tracking/sinks/feeder.h) calls it from a thread while the run lasts, and sync
 * (tracking/sinks/sync.h) afterwards. A sink remembers for itself how far it has come, also across
 * processes, so that whoever comes next goes on there and nothing arrives twice. */
#ifndef TY_TRACKING_SINKS_SINK_H
#define TY_TRACKING_SINKS_SINK_H

#include <stdatomic.h>

#include "tracking/target.h"

typedef struct ty_sink_place {
    const char *folder;     /* the working folder; absolute */
    const char *run_folder; /* with run.journal; absolute */
    const ty_target *target;
    const _Atomic int64_t *give_up_ns; /* ty_now_ns; nothing waits beyond. Another thread may change
                                          it, and then calls set_deadline */
    bool is_patient;                   /* commands wait for a server; threads come again */
} ty_sink_place;

/* What a sink knows beyond a status. */
typedef struct ty_sink_facts {
    char experiment_id[68], run_id[68]; /* as the place calls them; "" until known */
    int64_t next_try_ns;                /* after TY_ERR_BUSY: not before (ty_now_ns); 0: whenever */
    bool is_over;                       /* after a failure: nothing more will be taken */
    bool is_away;                       /* the feeder's: the last attempt failed */
} ty_sink_facts;

typedef struct ty_sink_kind {
    const char *name; /* "the store", for messages */

    /* Reaches for nothing yet: that is take's. All of place is borrowed, as long as the sink is
     * open. *out is the caller's to close. */
    ty_status (*open)(ty_ctx *ctx, const ty_sink_place *place, void **out);

    /* Takes some of what the journal has up to a sequence; *has_more says to come again. is_last:
     * whoever calls has told all that there is, so nothing is held back. After a failure the same call may be
     * made again.
     * Errors: TY_ERR_BUSY come again; others want more than patience. */
    ty_status (*take)(ty_ctx *ctx, void *self, uint64_t up_to, bool is_last, bool *has_more);

    /* The value that the run's tag has there; "" where it has none. */
    ty_status (*read_tag)(ty_ctx *ctx, void *self, const char *key, ty_text *out);

    void (*describe)(const void *self, ty_sink_facts *out);

    /* From any thread: what waits or is under way ends then. */
    void (*set_deadline)(void *self, int64_t at_ns);

    void (*close)(ty_ctx *ctx, void *self); /* accepts NULL */
} ty_sink_kind;

extern const ty_sink_kind ty_sink_store, ty_sink_server;

/* The row for a target; NULL for offline. */
const ty_sink_kind *ty_sink_for(const ty_target *target);

#endif
