/* What a run's journal already holds, so that a resumed run writes nothing twice: MLflow would draw
 * a point twice. Points of a curve come in rising steps, so its last step says which of them are
 * known. */
#ifndef TY_TRACKING_JOURNAL_SEEN_H
#define TY_TRACKING_JOURNAL_SEEN_H

#include "tracking/sinks/feeder.h"
#include "tracking/journal/keymap.h"
#include "tracking/journal/record.h"

typedef struct ty_seen_curve {
    bool has_points;
    int64_t last_step;
    uint64_t batch; /* the writer's: the record being gathered that has this key, and the key's
                       place in it */
    int64_t index;
} ty_seen_curve;

typedef struct ty_seen {
    ty_keymap curves; /* ty_seen_curve by key */
    ty_keymap values; /* hash of the last value, by type and key */
    bool has_run;
    char run_id[33];
    bool is_open; /* started and not ended */
    int64_t last_step, last_time_ns;
    char stopped_by
        [TY_FEEDER_VALUE_BYTES]; /* the last value of the tag tiltyard.stopped; "" for none */
} ty_seen;

/* Nothing seen yet; clear accepts a zeroed one. */
void ty_seen_init(ty_seen *seen);
void ty_seen_clear(ty_seen *seen);

/* Whether the curve at key has no point at step yet; then it has. A step below 0 has no meaning and
 * becomes the next one of its curve. *out_curve is borrowed.
 * Errors: TY_ERR_NOMEM. */
ty_status ty_seen_point(ty_ctx *ctx, ty_seen *seen, const char *key, int64_t *step, bool *is_new,
                        ty_seen_curve **out_curve) TY_MUST_USE;

/* Whether the record says something new; RUN, START and STATE always do. */
bool ty_seen_is_new(const ty_seen *seen, const ty_track_record *record);

/* The record is in the journal. Errors: TY_ERR_NOMEM. */
ty_status ty_seen_note(ty_ctx *ctx, ty_seen *seen, const ty_track_record *record) TY_MUST_USE;

/* Notes every record of the journal at path. Errors: TY_ERR_INTEGRITY, TY_ERR_IO. */
ty_status ty_seen_replay(ty_ctx *ctx, ty_seen *seen, const char *path) TY_MUST_USE;

#endif
