/* The inside of the server sink: tracking/sink_server.c says when, server_*.c send. Nothing here
 * decides how long to wait; TY_ERR_BUSY goes up to whoever does. */
#ifndef TY_TRACKING_SERVER_H
#define TY_TRACKING_SERVER_H

#include "tracking/delivery.h"
#include "tracking/replay.h"
#include "tracking/sink.h"

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

/* The run's points of a model's quality at step, as metrics of that model; in arena. */
ty_status ty_server_quality(ty_ctx *ctx, ty_server *s, int64_t step, const char *server_model_id,
                            ty_arena *arena, ty_mlflow_metric **out, int64_t *out_n) TY_MUST_USE;

/* Removes a file that helped; ctx's message stays. */
void ty_server_remove(ty_ctx *ctx, const char *path);

/* What is delivered by now. */
static inline const ty_delivery_state *ty_server_state(const ty_server *s) {
    return ty_delivery_now(s->delivery);
}

#endif
