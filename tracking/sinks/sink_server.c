/* An MLflow server as a sink: the journal is replayed parcel by parcel (tracking/sinks/replay.h), what the
 * server has is noted (tracking/sinks/delivery.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tracking/sinks/server.h"

/* A resend is harmless, so not every second of a run needs a record of its own. */
enum { NOTE_MS = 5000 };

/* A variable that is wrong must not keep a run from training: it is told when sending begins. */
static void open_client(ty_ctx *ctx, ty_server *s) {
    const ty_mlflow_options options = {
        .uri = s->place->target->given,
        .patience = {.kind = s->place->is_patient ? TY_PATIENCE_BOUNDED : TY_PATIENCE_NONE}};
    s->client_status = ty_mlflow_open(ctx, &options, &s->client);
    if (s->client_status != TY_OK)
        s->client_words = strdup(ctx->message);
}

static ty_status open_sink(ty_ctx *ctx, const ty_sink_place *place, void **out) {
    ty_server *s = calloc(1, sizeof *s);
    if (!s)
        return ty_fail_nomem(ctx, "a server's sink");
    s->place = place;
    open_client(ctx, s);
    *out = s;
    return TY_OK;
}

/* --- getting ready ---------------------------------------------------------------------------- */

static void forget_position(ty_ctx *ctx, ty_server *s) {
    ty_replay_close(s->replay);
    ty_delivery_close(ctx, s->delivery);
    s->replay = NULL;
    s->delivery = NULL;
    s->has_parcel = false;
    s->n_sent = 0;
    s->sent = 0;
}

static ty_status get_ready(ty_ctx *ctx, ty_server *s) {
    if (!s->client) {
        s->is_over = true;
        return ty_fail(ctx, s->client_status, "%s", s->client_words ? s->client_words : "");
    }
    if (s->delivery && ty_delivery_is_lost(s->delivery))
        forget_position(ctx, s);
    if (!s->delivery)
        TY_TRY(ty_delivery_open(ctx, s->place->run_folder, s->place->target->name, &s->delivery));
    if (!s->replay)
        TY_TRY(ty_replay_open(ctx, s->place->run_folder, ty_server_state(s)->acked, &s->replay));
    return TY_OK;
}

static ty_status note_sent(ty_ctx *ctx, ty_server *s) {
    if (s->sent <= ty_server_state(s)->acked)
        return TY_OK;
    s->noted_ns = ty_now_ns(ctx);
    return ty_delivery_note_ack(ctx, s->delivery, s->sent);
}

static bool is_worth_a_note(ty_ctx *ctx, const ty_server *s) {
    const bool is_single = s->parcel.kind != TY_PARCEL_VALUES || s->parcel.status;
    return is_single || ty_now_ns(ctx) - s->noted_ns >= NOTE_MS * 1000000ll;
}

/* --- taking ----------------------------------------------------------------------------------- */

static ty_status send_next(ty_ctx *ctx, ty_server *s, uint64_t up_to, bool is_last,
                           bool *has_sent) {
    if (!s->has_parcel) {
        TY_TRY(ty_replay_next(ctx, s->replay, up_to, is_last, &s->parcel));
        s->has_parcel = s->parcel.kind != TY_PARCEL_NONE;
    }
    *has_sent = s->has_parcel;
    if (!s->has_parcel)
        return TY_OK;
    TY_TRY(ty_server_send_parcel(ctx, s));
    s->has_parcel = false;
    s->n_sent = 0;
    s->sent = s->parcel.last;
    return is_worth_a_note(ctx, s) ? note_sent(ctx, s) : TY_OK;
}

static ty_status take(ty_ctx *ctx, void *self, uint64_t up_to, bool is_last, bool *has_more) {
    ty_server *s = self;
    *has_more = false;
    TY_TRY(get_ready(ctx, s));
    if (ty_server_state(s)->is_gone)
        return TY_OK;
    TY_TRY(send_next(ctx, s, up_to, is_last, has_more));
    if (!*has_more)
        TY_TRY(ty_server_send_file(ctx, s, is_last, has_more));
    return *has_more || !is_last ? TY_OK : note_sent(ctx, s);
}

static ty_status read_tag(ty_ctx *ctx, void *self, const char *key, ty_text *out) {
    ty_server *s = self;
    ty_arena arena = {0};
    ty_mlflow_run run = {0};
    if (!s->client || !s->delivery || !ty_server_state(s)->run_id)
        return TY_OK;
    const ty_status st =
        ty_mlflow_get_run(ctx, s->client, ty_server_state(s)->run_id, &arena, &run);
    for (int64_t i = 0; st == TY_OK && i < run.tags.n; i++)
        if (strcmp(run.tags.v[i].key, key) == 0)
            ty_text_add(out, run.tags.v[i].value);
    ty_arena_clear(&arena);
    return st;
}

static void describe(const void *self, ty_sink_facts *out) {
    const ty_server *s = self;
    *out = (ty_sink_facts){.is_over = s->is_over};
    if (s->client)
        out->next_try_ns = ty_mlflow_last_trouble(s->client).next_try_ns;
    if (!s->delivery || !ty_server_state(s)->run_id)
        return;
    const ty_delivery_state *state = ty_server_state(s);
    (void)snprintf(out->experiment_id, sizeof out->experiment_id, "%s", state->experiment_id);
    (void)snprintf(out->run_id, sizeof out->run_id, "%s", state->run_id);
}

static void set_deadline(void *self, int64_t at_ns) {
    const ty_server *s = self;
    if (s->client)
        ty_mlflow_set_deadline(s->client, at_ns);
}

static void close_sink(ty_ctx *ctx, void *self) {
    ty_server *s = self;
    if (!s)
        return;
    if (s->delivery && note_sent(ctx, s) != TY_OK)
        ty_log(ctx, TY_LOG_WARN, "tracking", "%s", ctx->message);
    forget_position(ctx, s);
    ty_beside_close(s->beside);
    ty_mlflow_close(s->client);
    free(s->client_words);
    free(s);
}

const ty_sink_kind ty_sink_server = {.name = "the server",
                                     .open = open_sink,
                                     .take = take,
                                     .read_tag = read_tag,
                                     .describe = describe,
                                     .set_deadline = set_deadline,
                                     .close = close_sink};
