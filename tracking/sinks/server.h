/* The inside of the server sink: tracking/sinks/sink_server.c says when, server_*.c send. Nothing here
 * decides how long to wait; TY_ERR_BUSY goes up to whoever does. */
#ifndef TY_TRACKING_SINKS_SERVER_H
#define TY_TRACKING_SINKS_SERVER_H

#include "tracking/sinks/delivery.h"
#include "tracking/sinks/replay.h"
#include "tracking/sinks/sink.h"

typedef struct ty_beside ty_beside;

typedef struct ty_server {
    const ty_sink_place *place;
    ty_mlflow *client; /* NULL: it could not be opened, and why */
    ty_status client_status;
    char *client_words;
    ty_delivery *delivery;
    ty_replay *replay;
    ty_parcel parcel; /* on its way, where has_parcel */
    bool has_parcel;
    int64_t n_sent; /* of the parcel's items: those that need not be sent again */
    uint64_t sent;  /* acknowledged by the server; noted every few seconds */
    int64_t noted_ns;
    bool is_over;
    int64_t n_dead_said;
    ty_beside *beside; /* NULL until there is much to send, to somebody who waits for it */
} ty_server;

/* Sends the parcel. What the server refuses for good becomes a dead letter and is no failure.
 * Errors: TY_ERR_BUSY; TY_ERR_FAILED with is_over set: not allowed, or the run is deleted. */
ty_status ty_server_send_parcel(ty_ctx *ctx, ty_server *s) TY_MUST_USE;
ty_status ty_server_send_values(ty_ctx *ctx, ty_server *s) TY_MUST_USE;
ty_status ty_server_send_package(ty_ctx *ctx, ty_server *s) TY_MUST_USE;

/* Uploads one file that the server lacks; *has_sent: there may be more. Checkpoints, which change
 * often and are big, wait for the run's end or with_models. */
ty_status ty_server_send_file(ty_ctx *ctx, ty_server *s, bool with_models,
                              bool *has_sent) TY_MUST_USE;

/* Whether a failed call said that the server will never take this, while others are welcome. Where
 * all are unwelcome (401, 403), or the run is deleted, is_over is set, *st is what to fail with. */
bool ty_server_is_refused(ty_ctx *ctx, ty_server *s, ty_status *st);

/* Notes what was refused with ctx's message. */
ty_status ty_server_bury(ty_ctx *ctx, ty_server *s, const ty_dead_letter *letter) TY_MUST_USE;

/* The run as the server has it by now. Errors: as ty_server_send_parcel's. */
ty_status ty_server_read_run(ty_ctx *ctx, ty_server *s, ty_arena *arena,
                             ty_mlflow_run *out) TY_MUST_USE;

/* What the server calls the run whose id is own_id: that of a sweep in this folder has another id there,
 * any other is what it is. In arena, or own_id. Errors: TY_ERR_BUSY it is not there yet. */
ty_status ty_server_parent(ty_ctx *ctx, const ty_server *s, const char *own_id, ty_arena *arena,
                           const char **out) TY_MUST_USE;

/* The run's points of a model's quality at step, as metrics of that model; in arena. */
ty_status ty_server_quality(ty_ctx *ctx, ty_server *s, int64_t step, const char *server_model_id,
                            ty_arena *arena, ty_mlflow_metric **out, int64_t *out_n) TY_MUST_USE;

/* Removes a file that helped; ctx's message stays. */
void ty_server_remove(ty_ctx *ctx, const char *path);

/* --- points over a second connection, while the first one sends the rest (server_beside.c) ------ */

/* Points that go beside have keys of their own: a server that takes two batches with the same key at
 * once may be left with the older of its latest values. Nothing depends on this connection: what did
 * not go well is sent again by the first one, as after any answer that was lost, and only that one
 * judges refusals. */

/* *out is the caller's to close. Errors: as ty_mlflow_open's. */
ty_status ty_beside_open(ty_ctx *ctx, const char *uri, ty_beside **out) TY_MUST_USE;
void ty_beside_close(ty_beside *beside); /* accepts NULL */

/* Orders items so that the last *n_beside of them are those that go beside; 0 where it is not worth it. */
ty_status ty_beside_choose(ty_ctx *ctx, const ty_item **items, int64_t n,
                           int64_t *n_beside) TY_MUST_USE;

/* Begins to send n points, in order; they stay the caller's and live until the join. What was started
 * is joined. */
ty_status ty_beside_start(ty_ctx *ctx, ty_beside *beside, const char *run_id, const ty_item **items,
                          int64_t n) TY_MUST_USE;

/* Waits until all are sent, or one was not; is_given_up: no longer than it must. Returns how many the
 * server has. */
int64_t ty_beside_join(ty_beside *beside, bool is_given_up);

/* What is delivered by now. */
static inline const ty_delivery_state *ty_server_state(const ty_server *s) {
    return ty_delivery_now(s->delivery);
}

#endif
