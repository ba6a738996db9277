/* A second connection. `mlflow server` runs several processes and spends a tenth of a millisecond on a
 * point, so two requests under way at once take half the time of one after the other. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tracking/sinks/server.h"

struct ty_beside {
    ty_ctx ctx; /* the thread's */
    ty_mlflow *client;
    ty_arena arena; /* run_id, metrics */
    const char *run_id;
    ty_mlflow_metric *metrics;
    int64_t n, n_taken;
    pthread_t thread;
};

enum { BATCH = 1000 };

/* --- life ------------------------------------------------------------------------------------- */

/* One try: whoever knows what a refusal means sends again. Its log is silent for the same reason, and
 * because the first connection has told what there is to tell of certificates. */
ty_status ty_beside_open(ty_ctx *ctx, const char *uri, ty_beside **out) {
    const ty_mlflow_options options = {.uri = uri, .patience = {.kind = TY_PATIENCE_NONE}};
    ty_beside *b = calloc(1, sizeof *b);
    if (!b)
        return ty_fail_nomem(ctx, "a second connection");
    ty_ctx_init_child(&b->ctx, ctx);
    b->ctx.log = (ty_log_sink){0};
    const ty_status st = ty_mlflow_open(&b->ctx, &options, &b->client);
    if (st == TY_OK) {
        *out = b;
        return TY_OK;
    }
    memcpy(ctx->message, b->ctx.message, sizeof ctx->message);
    ty_beside_close(b);
    return st;
}

void ty_beside_close(ty_beside *b) {
    if (!b)
        return;
    ty_mlflow_close(b->client);
    ty_arena_clear(&b->arena);
    ty_ctx_clear(&b->ctx);
    free(b);
}

/* --- sending ---------------------------------------------------------------------------------- */

static void *send_all(void *self) {
    ty_beside *b = self;
    while (b->n_taken < b->n) {
        const int64_t left = b->n - b->n_taken;
        const ty_mlflow_batch batch = {.metrics = b->metrics + b->n_taken,
                                       .n_metrics = left < BATCH ? left : BATCH};
        if (ty_mlflow_log_batch(&b->ctx, b->client, b->run_id, &batch) != TY_OK)
            break;
        b->n_taken += batch.n_metrics;
    }
    return NULL;
}

ty_status ty_beside_start(ty_ctx *ctx, ty_beside *b, const char *run_id, const ty_item **items,
                          int64_t n) {
    ty_arena_clear(&b->arena);
    b->run_id = ty_arena_string(&b->arena, run_id);
    b->metrics = ty_arena_array(&b->arena, (size_t)n, sizeof *b->metrics);
    if (!b->run_id || !b->metrics)
        return ty_fail_nomem(ctx, "values on their way to a server");
    for (int64_t i = 0; i < n; i++)
        b->metrics[i] = items[i]->metric;
    b->n = n;
    b->n_taken = 0;
    ty_mlflow_set_deadline(b->client, INT64_MAX);
    const int code = pthread_create(&b->thread, NULL, send_all, b);
    return code == 0 ? TY_OK : ty_fail_errno(ctx, code, "starting a thread that sends");
}

int64_t ty_beside_join(ty_beside *b, bool is_given_up) {
    if (is_given_up)
        ty_mlflow_set_deadline(b->client, 0);
    (void)pthread_join(b->thread, NULL);
    return b->n_taken;
}

/* --- what goes beside ------------------------------------------------------------------------- */

typedef struct key_share {
    int64_t n;
    bool is_beside;
} key_share;

/* Params, tags and what a model's curves get as well stay with whoever can judge a refusal. */
static bool may_go_beside(const ty_item *item) {
    return item->kind == TY_ITEM_METRIC && !ty_track_is_of_model(item->key);
}

static int compare_shares(const void *a, const void *b) {
    const key_share *x = ((const ty_keymap_entry *)a)->item,
                    *y = ((const ty_keymap_entry *)b)->item;
    return (x->n < y->n) - (x->n > y->n);
}

static ty_status count_keys(ty_ctx *ctx, const ty_item **items, int64_t n, ty_keymap *out) {
    for (int64_t i = 0; i < n; i++) {
        if (!may_go_beside(items[i]))
            continue;
        key_share *share = ty_keymap_put(out, items[i]->key);
        if (!share)
            return ty_fail_nomem(ctx, "values on their way to a server");
        share->n++;
    }
    return TY_OK;
}

/* The longest curve first, each to the side that has less (Graham 1969); the very longest stays, so that
 * one alone is sent as ever. Returns how many points go beside. */
static int64_t share_out(ty_ctx *ctx, const ty_keymap *keys, int64_t n_here) {
    int64_t n_beside = 0;
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    ty_keymap_entry *v = ty_arena_array(&ctx->scratch, (size_t)keys->n + 1, sizeof *v);
    if (!v)
        return 0;
    memcpy(v, keys->v, (size_t)keys->n * sizeof *v);
    qsort(v, (size_t)keys->n, sizeof *v, compare_shares);
    for (int64_t i = 0; i < keys->n; i++) {
        key_share *share = v[i].item;
        share->is_beside = i > 0 && n_beside < n_here;
        *(share->is_beside ? &n_beside : &n_here) += share->n;
    }
    ty_arena_reset(&ctx->scratch, mark);
    return n_beside;
}

/* What stays keeps its order in front, what goes beside its own behind. */
static ty_status part_items(ty_ctx *ctx, const ty_keymap *keys, const ty_item **items, int64_t n) {
    int64_t n_here = 0, n_beside = 0;
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const ty_item **beside = ty_arena_array(&ctx->scratch, (size_t)n + 1, sizeof(const ty_item *));
    if (!beside)
        return ty_fail_nomem(ctx, "values on their way to a server");
    for (int64_t i = 0; i < n; i++) {
        const key_share *share =
            may_go_beside(items[i]) ? ty_keymap_find(keys, items[i]->key) : NULL;
        if (share && share->is_beside)
            beside[n_beside++] = items[i];
        else
            items[n_here++] = items[i];
    }
    memcpy(items + n_here, beside, (size_t)n_beside * sizeof(const ty_item *));
    ty_arena_reset(&ctx->scratch, mark);
    return TY_OK;
}

ty_status ty_beside_choose(ty_ctx *ctx, const ty_item **items, int64_t n, int64_t *n_beside) {
    ty_keymap keys;
    int64_t n_staying = 0;
    ty_keymap_init(&keys, sizeof(key_share));
    for (int64_t i = 0; i < n; i++)
        n_staying += !may_go_beside(items[i]);
    ty_status st = count_keys(ctx, items, n, &keys);
    *n_beside = st == TY_OK ? share_out(ctx, &keys, n_staying) : 0;
    if (*n_beside < BATCH)
        *n_beside = 0;
    if (*n_beside != 0)
        st = part_items(ctx, &keys, items, n);
    ty_keymap_clear(&keys);
    return st;
}
