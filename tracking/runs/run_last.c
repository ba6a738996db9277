#include "tracking/runs/run_last.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "tracking/journal/record.h"

/* One METRICS record, kept as long as it is some key's last one. */
typedef struct batch {
    int64_t n_keys; /* that refer to it */
    ty_journal_record raw;
    char payload[];
} batch;

void ty_run_last_init(ty_run_last *last) {
    ty_keymap_init(&last->newest, sizeof(batch *));
}

static void let_go(batch *b) {
    if (b && --b->n_keys == 0)
        free(b);
}

void ty_run_last_clear(ty_run_last *last) {
    for (int64_t i = 0; i < last->newest.n; i++)
        let_go(*(batch **)last->newest.v[i].item);
    ty_keymap_clear(&last->newest);
}

static ty_status refer(ty_ctx *ctx, ty_run_last *last, const char *key, batch *b) {
    batch **newest = ty_keymap_put(&last->newest, key);
    if (!newest)
        return ty_fail_nomem(ctx, "a run's metrics");
    b->n_keys++;
    let_go(*newest);
    *newest = b;
    return TY_OK;
}

/* A quote within a JSON string has a backslash before it, so this text can only stand between the
 * members. */
static const char behind_keys[] = "],\"points\":[";

/* The record's keys as a JSON list of the caller's; NULL: it is not laid out as we write it. */
static json_t *keys_of(const ty_journal_record *raw) {
    static const char before_keys[] = "{\"keys\":";
    const size_t before = sizeof before_keys - 1;
    if (raw->payload_bytes < before || memcmp(raw->payload, before_keys, before) != 0)
        return NULL;
    const char *begin = (const char *)raw->payload + before;
    const char *end =
        memmem(begin, raw->payload_bytes - before, behind_keys, sizeof behind_keys - 1);
    if (!end)
        return NULL;
    return json_loadb(begin, (size_t)(end + 1 - begin), 0, NULL);
}

static ty_status refer_listed(ty_ctx *ctx, ty_run_last *last, const json_t *keys, batch *b) {
    size_t i;
    json_t *key;
    json_array_foreach(keys, i, key) {
        if (!json_is_string(key))
            return ty_fail(ctx, TY_ERR_INTEGRITY,
                           "record %llu of the journal is no run's: a metric's key is no text",
                           (unsigned long long)b->raw.sequence);
        TY_TRY(refer(ctx, last, json_string_value(key), b));
    }
    return TY_OK;
}

static ty_status refer_decoded(ty_ctx *ctx, ty_run_last *last, batch *b) {
    ty_arena arena = {0};
    ty_track_record record;
    ty_status st = ty_track_decode(ctx, &b->raw, &arena, &record);
    for (int64_t i = 0; st == TY_OK && i < record.points.n; i++)
        st = refer(ctx, last, record.points.v[i].key, b);
    ty_arena_clear(&arena);
    return st;
}

ty_status ty_run_last_note(ty_ctx *ctx, ty_run_last *last, const ty_journal_record *raw) {
    batch *b = malloc(sizeof *b + raw->payload_bytes + 1);
    if (!b)
        return ty_fail_nomem(ctx, "a run's metrics");
    memcpy(b->payload, raw->payload, raw->payload_bytes);
    b->payload[raw->payload_bytes] = '\0';
    b->raw = *raw;
    b->raw.payload = b->payload;
    b->n_keys = 1; /* ours, until all its keys are told */
    json_t *keys = keys_of(raw);
    const ty_status st =
        json_is_array(keys) ? refer_listed(ctx, last, keys, b) : refer_decoded(ctx, last, b);
    json_decref(keys);
    let_go(b);
    return st;
}

/* --- giving ----------------------------------------------------------------------------------- */

typedef struct giving {
    const ty_run_last *last;
    ty_run_value *values;
    bool *has_value;
    int64_t step;
} giving;

/* Of keys whose last record this is, the points; a later point of the same step is the newer one. */
static void give_points(giving *g, const batch *b, const ty_track_record *record) {
    for (int64_t i = 0; i < record->points.n; i++) {
        const ty_track_point *point = &record->points.v[i];
        g->step = point->step > g->step ? point->step : g->step;
        for (int64_t k = 0; k < g->last->newest.n; k++) {
            if (*(batch **)g->last->newest.v[k].item != b ||
                strcmp(g->last->newest.v[k].key, point->key) != 0)
                continue;
            if (g->has_value[k] && point->step < g->values[k].step)
                break;
            g->values[k].value = point->value;
            g->values[k].step = point->step;
            g->has_value[k] = true;
            break;
        }
    }
}

/* Each record that is still referred to is decoded once, when its first key comes by. */
static ty_status give_batches(ty_ctx *ctx, giving *g) {
    const ty_keymap *newest = &g->last->newest;
    ty_arena passing = {0};
    ty_status st = TY_OK;
    for (int64_t k = 0; st == TY_OK && k < newest->n; k++) {
        const batch *b = *(batch **)newest->v[k].item;
        ty_track_record record;
        if (g->has_value[k])
            continue;
        st = ty_track_decode(ctx, &b->raw, &passing, &record);
        if (st == TY_OK)
            give_points(g, b, &record);
        ty_arena_clear(&passing);
    }
    return st;
}

ty_status ty_run_last_give(ty_ctx *ctx, const ty_run_last *last, ty_arena *arena,
                           const ty_run_value **out, int64_t *out_n, int64_t *out_step) {
    const size_t n = (size_t)last->newest.n;
    giving g = {.last = last, .step = -1};
    g.values = ty_arena_array(arena, n + 1, sizeof *g.values);
    g.has_value = ty_arena_array(arena, n + 1, sizeof *g.has_value);
    if (!g.values || !g.has_value)
        return ty_fail_nomem(ctx, "a run's metrics");
    TY_TRY(give_batches(ctx, &g));
    int64_t used = 0;
    for (size_t k = 0; k < n; k++) {
        if (!g.has_value[k])
            continue; /* a key without a point */
        g.values[used] = g.values[k];
        g.values[used].key = ty_arena_string(arena, last->newest.v[k].key);
        if (!g.values[used++].key)
            return ty_fail_nomem(ctx, "a run's metrics");
    }
    *out = g.values;
    *out_n = used;
    *out_step = g.step;
    return TY_OK;
}
