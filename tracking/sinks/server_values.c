/* Metrics, params and tags: in batches of as many as a server takes at once, halved where it refuses
 * one until the value that it does not want stands alone. A command that has much to send uses two
 * connections. */
#include <string.h>

#include "tracking/sinks/server.h"

enum { MAX_REFUSED = 32, BATCH_ITEMS = 1000, MUCH_ITEMS = 4 * BATCH_ITEMS };

/* What is sent of a parcel, and how it goes. */
typedef struct sending {
    ty_server *s;
    const ty_item **items; /* n of them, in arena; room for the parcel's */
    int64_t n, n_taken, n_refused;
    bool is_run_checked, is_run_read;
    ty_mlflow_run run; /* as it was before the parcel, where is_run_read */
    ty_arena arena;
} sending;

/* --- one batch -------------------------------------------------------------------------------- */

/* The models that a point speaks of: those of its step that the server has. */
static const char *model_of(const sending *w, const ty_item *item, int64_t *next) {
    const ty_keymap *packages = &ty_replay_known(w->s->replay)->packages;
    const ty_delivery_state *state = ty_server_state(w->s);
    while (*next < packages->n) {
        const ty_keymap_entry *entry = &packages->v[(*next)++];
        const ty_replay_package *package = entry->item;
        const ty_delivered_model *model = ty_keymap_find(&state->models, entry->key);
        if (package->step == item->metric.step && model && model->state == TY_DELIVERED_READY)
            return model->server_id;
    }
    return NULL;
}

/* The point, once for each model that it speaks of; a server writes it to the run once. */
static int64_t add_metric(const sending *w, const ty_item *item, ty_mlflow_metric *out) {
    int64_t n = 0, next = 0;
    const ty_replay_facts *facts = ty_replay_known(w->s->replay);
    const char *model = ty_track_is_of_model(item->key) ? model_of(w, item, &next) : NULL;
    do {
        out[n] = item->metric;
        out[n].model_id = model;
        out[n].dataset_name = model ? facts->test_name : NULL;
        out[n].dataset_digest = model ? facts->test_digest : NULL;
        n++;
    } while (model && (model = model_of(w, item, &next)));
    return n;
}

static ty_status build(ty_ctx *ctx, sending *w, int64_t from, int64_t to, ty_mlflow_batch *out) {
    const size_t n = (size_t)(to - from);
    const size_t n_models = (size_t)ty_replay_known(w->s->replay)->packages.n;
    ty_mlflow_metric *metrics =
        ty_arena_array(&w->arena, (n + 1) * (n_models + 1), sizeof *metrics);
    ty_mlflow_pair *params = ty_arena_array(&w->arena, n + 1, sizeof *params);
    ty_mlflow_pair *tags = ty_arena_array(&w->arena, n + 1, sizeof *tags);
    *out = (ty_mlflow_batch){.metrics = metrics, .params = {params, 0}, .tags = {tags, 0}};
    if (!metrics || !params || !tags)
        return ty_fail_nomem(ctx, "values on their way to a server");
    for (int64_t i = from; i < to; i++) {
        const ty_item *item = w->items[i];
        if (item->kind == TY_ITEM_METRIC)
            out->n_metrics += add_metric(w, item, metrics + out->n_metrics);
        else if (item->kind == TY_ITEM_PARAM)
            params[out->params.n++] = (ty_mlflow_pair){item->key, item->value};
        else
            tags[out->tags.n++] = (ty_mlflow_pair){item->key, item->value};
    }
    return TY_OK;
}

static ty_status send_range(ty_ctx *ctx, sending *w, int64_t from, int64_t to) {
    ty_mlflow_batch batch;
    ty_arena_mark mark = ty_arena_mark_here(&w->arena);
    ty_status st = build(ctx, w, from, to, &batch);
    if (st == TY_OK)
        st = ty_mlflow_log_batch(ctx, w->s->client, ty_server_state(w->s)->run_id, &batch);
    ty_arena_reset(&w->arena, mark);
    return st;
}

/* --- halving ---------------------------------------------------------------------------------- */

static ty_status bury(ty_ctx *ctx, sending *w, const ty_item *item) {
    static const char *const names[] = {"metric", "param", "tag"};
    w->n_refused++;
    if (w->n_refused >= MAX_REFUSED && w->n_taken == 0) {
        w->s->is_over = true;
        return ty_fail_within(ctx, TY_ERR_FAILED, "nothing of the run is taken");
    }
    return ty_server_bury(
        ctx, w->s,
        &(ty_dead_letter){.sequence = item->sequence,
                          .what = names[item->kind],
                          .key = item->key,
                          .step = item->kind == TY_ITEM_METRIC ? item->metric.step : -1});
}

/* Where the run itself is what they refuse, no halving helps. */
static ty_status check_run(ty_ctx *ctx, sending *w) {
    ty_arena arena = {0};
    ty_mlflow_run run;
    char kept[TY_MESSAGE_BYTES];
    memcpy(kept, ctx->message, sizeof kept);
    const ty_status st = ty_server_read_run(ctx, w->s, &arena, &run);
    ty_arena_clear(&arena);
    if (st == TY_OK) /* what was refused still wants to be told */
        memcpy(ctx->message, kept, sizeof kept);
    w->is_run_checked = st == TY_OK;
    return st;
}

static ty_status send_halving(ty_ctx *ctx, sending *w, int64_t from, int64_t to) {
    ty_status st = from < to ? send_range(ctx, w, from, to) : TY_OK;
    if (st == TY_OK)
        w->n_taken += to - from;
    if (st == TY_OK || !ty_server_is_refused(ctx, w->s, &st))
        return st;
    if (!w->is_run_checked)
        TY_TRY(check_run(ctx, w));
    if (to - from == 1)
        return bury(ctx, w, w->items[from]);
    const int64_t middle = from + (to - from) / 2;
    TY_TRY(send_halving(ctx, w, from, middle));
    return send_halving(ctx, w, middle, to);
}

/* --- tags ------------------------------------------------------------------------------------- */

static const char *value_of(const ty_mlflow_run *run, const char *key) {
    for (int64_t i = 0; i < run->tags.n; i++)
        if (strcmp(run->tags.v[i].key, key) == 0)
            return run->tags.v[i].value;
    return NULL;
}

/* A tag that was changed or taken away in MLflow since we wrote it stays so, as does one that was
 * there before ours. */
static bool is_ours_to_set(const ty_mlflow_run *run, const ty_item *item) {
    const char *now = value_of(run, item->key);
    return item->previous ? now && strcmp(now, item->previous) == 0 : !now;
}

static ty_status read_tags(ty_ctx *ctx, sending *w) {
    if (!w->is_run_read)
        TY_TRY(ty_server_read_run(ctx, w->s, &w->arena, &w->run));
    w->is_run_read = true;
    return TY_OK;
}

/* A tag that names another run names it as the server does. */
static ty_status translate(ty_ctx *ctx, sending *w, const ty_item **item) {
    if (strcmp((*item)->key, "mlflow.parentRunId") != 0)
        return TY_OK;
    ty_item *copy = ty_arena_array(&w->arena, 1, sizeof *copy);
    if (!copy)
        return ty_fail_nomem(ctx, "a tag");
    *copy = **item;
    *item = copy;
    return ty_server_parent(ctx, w->s, copy->value, &w->arena, &copy->value);
}

static ty_status choose_items(ty_ctx *ctx, sending *w, int64_t from, int64_t to) {
    w->n = 0;
    for (int64_t i = from; i < to; i++) {
        const ty_item *item = &w->s->parcel.items[i];
        if (item->kind == TY_ITEM_TAG) {
            TY_TRY(read_tags(ctx, w));
            TY_TRY(translate(ctx, w, &item));
        }
        if (item->kind != TY_ITEM_TAG || is_ours_to_set(&w->run, item))
            w->items[w->n++] = item;
    }
    return TY_OK;
}

/* --- the parcel --------------------------------------------------------------------------------- */

static ty_status send_status(ty_ctx *ctx, sending *w) {
    ty_server *s = w->s;
    if (!s->parcel.status)
        return TY_OK;
    ty_status st = ty_mlflow_update_run(ctx, s->client, ty_server_state(s)->run_id,
                                        s->parcel.status, s->parcel.end_ms, NULL);
    if (st == TY_OK || !ty_server_is_refused(ctx, s, &st))
        return st;
    TY_TRY(check_run(ctx, w));
    return ty_server_bury(
        ctx, s,
        &(ty_dead_letter){
            .sequence = s->parcel.last, .what = "status", .key = s->parcel.status, .step = -1});
}

/* What has arrived stays so, also where a later batch fails and the parcel comes again. */
static void note_arrived(ty_server *s, int64_t n) {
    s->n_sent = n;
    if (n < s->parcel.n_items)
        s->sent = s->parcel.items[n].sequence - 1; /* of that record some may have arrived */
}

static ty_status send_in_batches(ty_ctx *ctx, sending *w, int64_t from, int64_t to) {
    for (int64_t at = from; at < to; at += BATCH_ITEMS)
        TY_TRY(send_halving(ctx, w, at, to - at < BATCH_ITEMS ? to : at + BATCH_ITEMS));
    return TY_OK;
}

/* Whether the last n_beside items are under way over a second connection. Where there can be none (no
 * thread, no descriptor), one does. */
static bool is_sent_beside(ty_ctx *ctx, sending *w, int64_t n_beside) {
    ty_server *s = w->s;
    const char *run_id = ty_server_state(s)->run_id;
    return (s->beside || ty_beside_open(ctx, s->place->target->given, &s->beside) == TY_OK) &&
           ty_beside_start(ctx, s->beside, run_id, w->items + w->n - n_beside, n_beside) == TY_OK;
}

static ty_status send_both(ty_ctx *ctx, sending *w, int64_t n_beside) {
    if (!is_sent_beside(ctx, w, n_beside))
        return send_in_batches(ctx, w, 0, w->n);
    const int64_t n_here = w->n - n_beside;
    const ty_status st = send_in_batches(ctx, w, 0, n_here);
    const int64_t n_taken = ty_beside_join(w->s->beside, st != TY_OK);
    w->n_taken += n_taken;
    TY_TRY(st);
    return send_in_batches(ctx, w, n_here + n_taken, w->n);
}

/* The whole parcel over two connections, where that is worth it. */
static ty_status try_both(ty_ctx *ctx, sending *w) {
    ty_server *s = w->s;
    int64_t n_beside = 0;
    if (!s->place->is_patient || s->n_sent != 0 || s->parcel.n_items < MUCH_ITEMS)
        return TY_OK;
    TY_TRY(choose_items(ctx, w, 0, s->parcel.n_items));
    TY_TRY(ty_beside_choose(ctx, w->items, w->n, &n_beside));
    if (n_beside == 0)
        return TY_OK;
    TY_TRY(send_both(ctx, w, n_beside));
    note_arrived(s, s->parcel.n_items);
    return TY_OK;
}

static ty_status send_items(ty_ctx *ctx, sending *w) {
    ty_server *s = w->s;
    TY_TRY(try_both(ctx, w));
    while (s->n_sent < s->parcel.n_items) {
        const int64_t left = s->parcel.n_items - s->n_sent;
        const int64_t to = s->n_sent + (left < BATCH_ITEMS ? left : BATCH_ITEMS);
        TY_TRY(choose_items(ctx, w, s->n_sent, to));
        TY_TRY(send_halving(ctx, w, 0, w->n));
        note_arrived(s, to);
    }
    return TY_OK;
}

ty_status ty_server_send_values(ty_ctx *ctx, ty_server *s) {
    sending w = {.s = s, .n_taken = s->n_sent};
    w.items = ty_arena_array(&w.arena, (size_t)s->parcel.n_items + 1, sizeof(const ty_item *));
    ty_status st =
        w.items ? send_items(ctx, &w) : ty_fail_nomem(ctx, "values on their way to a server");
    if (st == TY_OK)
        st = send_status(ctx, &w);
    ty_arena_clear(&w.arena);
    return st;
}
