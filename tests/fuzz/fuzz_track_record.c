/* Arbitrary bytes as one record of a run's journal: the first byte is its type. What is understood
 * must survive being written and read again, and points must be the same whoever reads them. */
#include <stdlib.h>
#include <string.h>

#include "tracking/limits.h"
#include "tracking/journal/points_scan.h"
#include "tracking/journal/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ty_status decode(ty_ctx *ctx, uint32_t type, const void *payload, size_t bytes,
                        ty_arena *arena, ty_track_record *out) {
    const ty_journal_record raw = {
        .type = type, .sequence = 1, .payload = payload, .payload_bytes = bytes};
    return ty_track_decode(ctx, &raw, arena, out);
}

static void check_points(const ty_track_record *record) {
    for (int64_t i = 0; i < record->points.n; i++) {
        char key[TY_LIMIT_KEY_BYTES];
        ty_limit_key(record->points.v[i].key, key);
        if (key[0] == '\0')
            abort();
    }
}

static bool is_same(const ty_track_point *a, const ty_track_point *b) {
    return strcmp(a->key, b->key) == 0 && a->step == b->step && a->time_ns == b->time_ns &&
           memcmp(&a->value, &b->value, sizeof a->value) == 0;
}

/* With a space in front, only the reader of JSON takes a record. */
static void check_readers(ty_ctx *ctx, const uint8_t *data, size_t size, ty_arena *arena) {
    ty_text spaced = {0};
    ty_track_record quick, thorough;
    ty_text_add(&spaced, " ");
    ty_text_add_n(&spaced, (const char *)data, size);
    if (spaced.length <= TY_TRACK_MAX_PAYLOAD &&
        ty_points_scan((const char *)data, size, arena, &quick)) {
        if (decode(ctx, TY_TRACK_METRICS, spaced.data, spaced.length, arena, &thorough) != TY_OK ||
            quick.points.n != thorough.points.n)
            abort();
        for (int64_t i = 0; i < quick.points.n; i++)
            if (!is_same(&quick.points.v[i], &thorough.points.v[i]))
                abort();
    }
    ty_text_clear(&spaced);
}

static void check_again(ty_ctx *ctx, const ty_track_record *record, ty_arena *arena) {
    ty_text first = {0}, second = {0};
    ty_track_record again;
    ty_track_encode(record, &first);
    if (first.length <= TY_TRACK_MAX_PAYLOAD) {
        if (decode(ctx, record->type, ty_text_string(&first), first.length, arena, &again) != TY_OK)
            abort();
        ty_track_encode(&again, &second);
        if (strcmp(ty_text_string(&first), ty_text_string(&second)) != 0)
            abort();
    }
    ty_text_clear(&first);
    ty_text_clear(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ty_ctx ctx;
    ty_arena arena = {0};
    ty_track_record record;
    if (size == 0)
        return 0;
    ty_ctx_init(&ctx);
    const uint32_t type = data[0] % (TY_TRACK_END + 1);
    if (type == TY_TRACK_METRICS)
        check_readers(&ctx, data + 1, size - 1, &arena);
    if (decode(&ctx, type, data + 1, size - 1, &arena, &record) == TY_OK) {
        if (type == TY_TRACK_METRICS)
            check_points(&record);
        else if (type != 0 && type < TY_TRACK_END)
            check_again(&ctx, &record, &arena);
    }
    ty_arena_clear(&arena);
    ty_ctx_clear(&ctx);
    return 0;
}
