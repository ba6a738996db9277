/* Metrics, params and tags: in batches, halved where the server refuses one until the value that it
 * does not want stands alone. */
#include <string.h>

#include "tracking/server.h"

enum { MAX_REFUSED = 32 };

/* What is sent of a parcel, and how it goes. */
typedef struct sending {
    ty_server *s;
    const ty_item **items;
    int64_t n, n_taken, n_refused;
    bool is_run_checked;
    ty_arena arena; /* of one batch */
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

static ty_status choose_items(ty_ctx *ctx, sending *w, const ty_parcel *parcel) {
    ty_mlflow_run run = {0};
    bool has_tags = false;
    w->items = ty_arena_array(&w->arena, (size_t)parcel->n_items + 1, sizeof(ty_item *));
    if (!w->items)
        return ty_fail_nomem(ctx, "values on their way to a server");
    for (int64_t i = 0; i < parcel->n_items; i++)
        has_tags = has_tags || parcel->items[i].kind == TY_ITEM_TAG;
    if (has_tags)
        TY_TRY(ty_server_read_run(ctx, w->s, &w->arena, &run));
    for (int64_t i = 0; i < parcel->n_items; i++)
        if (parcel->items[i].kind != TY_ITEM_TAG || is_ours_to_set(&run, &parcel->items[i]))
            w->items[w->n++] = &parcel->items[i];
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

ty_status ty_server_send_values(ty_ctx *ctx, ty_server *s) {
    sending w = {.s = s};
    ty_status st = choose_items(ctx, &w, &s->parcel);
    if (st == TY_OK)
        st = send_halving(ctx, &w, 0, w.n);
    if (st == TY_OK)
        st = send_status(ctx, &w);
    ty_arena_clear(&w.arena);
    return st;
}
