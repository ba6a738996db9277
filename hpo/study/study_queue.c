/* Points that come before the sampler's, and the combinations of a sampler that has an end. */
#include "hpo/space/points.h"
#include "hpo/study/study_private.h"

/* --- what is next ------------------------------------------------------------------------------- */

size_t study_find_queued(ty_ctx *ctx, const ty_study *s, double *given) {
    const size_t queued = json_array_size(s->queue);
    const char *key;
    size_t i = s->queue_taken;
    while (i < queued && ty_point_read(ctx, s->space, s->version->fixed,
                                       json_array_get(s->queue, i), given, &key) != TY_OK)
        i++;
    return i;
}

/* Whether a trial has this very point. Without a queue and in its first space, a sampler with an end has
 * none twice. */
static bool was_begun(const ty_study *s, const double *x) {
    bool was = false;
    if (!s->queue && s->version_count == 1)
        return false;
    for (size_t i = 0; !was && i < s->count; i++)
        was = s->trials[i]->seen.is_known && study_same_point(s->trials[i]->x, x, s->space->count);
    return was;
}

ty_status study_find_combination(ty_ctx *ctx, ty_study *s, decision *out) {
    const size_t total = ty_sampler_total(s->sampler);
    for (out->index = s->combination; out->index < total; out->index++) {
        TY_TRY(ty_sampler_suggest(ctx, s->sampler, &s->history, out->index, out->x));
        if (!was_begun(s, out->x))
            return TY_OK;
    }
    return TY_OK;
}

/* --- enqueueing --------------------------------------------------------------------------------- */

ty_status study_check_point(ty_ctx *ctx, const ty_study *s, const json_t *point) {
    const ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    double *given = ty_arena_array(&ctx->scratch, s->space->count + 1, sizeof *given);
    const char *key = NULL;
    ty_status st = given ? ty_point_read(ctx, s->space, s->version->fixed, point, given, &key)
                         : ty_fail_nomem(ctx, "a point");
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}

ty_status study_enqueue(ty_ctx *ctx, ty_study *s, const json_t *point, const char *left_as) {
    TY_TRY(study_check_point(ctx, s, point));
    return study_record(ctx, s, RECORD_QUEUE,
                        json_pack("{s:o, s:o*, s:I}", "point", json_deep_copy(point), "left_as",
                                  left_as ? ty_json_string(left_as) : NULL, "time_ns",
                                  (json_int_t)ty_now_wall_ns(ctx)));
}

ty_status ty_study_enqueue(ty_ctx *ctx, ty_study *s, const json_t *point) {
    TY_TRY(study_enqueue(ctx, s, point, NULL));
    return s->journal ? ty_journal_sync(ctx, s->journal) : TY_OK;
}

static bool was_enqueued(const ty_study *s, const json_t *point) {
    bool was = false;
    for (size_t i = 0; !was && i < json_array_size(s->queue); i++)
        was = json_equal(json_array_get(s->queue, i), point);
    return was;
}

ty_status study_enqueue_new(ty_ctx *ctx, ty_study *s) {
    size_t i;
    json_t *point;
    const size_t before = json_array_size(s->queue);
    json_array_foreach((json_t *)(uintptr_t)s->options.points, i, point)
        if (!was_enqueued(s, point))
            TY_TRY(study_enqueue(ctx, s, point, NULL));
    return s->journal && json_array_size(s->queue) > before ? ty_journal_sync(ctx, s->journal)
                                                            : TY_OK;
}

size_t ty_study_queued(const ty_study *s) {
    return json_array_size(s->queue) - s->queue_taken;
}
