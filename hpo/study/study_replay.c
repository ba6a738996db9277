/* A journal's decisions, made again and compared. */
#include <math.h>
#include <string.h>

#include "hpo/study/study_private.h"

static void differ(ty_study *s, size_t trial, const char *what) {
    s->differences++;
    if (s->differs)
        s->differs(s->differs_self, trial, what);
}

static ty_status compare_point(ty_ctx *ctx, ty_study *s, const json_t *record,
                               const decision *now) {
    const size_t dims = s->space->count;
    double *had = ty_arena_array(&ctx->scratch, dims + 1, sizeof *had);
    if (!had)
        return ty_fail_nomem(ctx, "the point of a trial");
    if (!study_point_from_json(json_object_get(record, "x"), dims, had) ||
        !study_same_point(had, now->x, dims))
        differ(s, now->trial, "its point is another one");
    return TY_OK;
}

static ty_status check_ask(ty_ctx *ctx, ty_study *s, const json_t *record) {
    const ask_origin origin = (ask_origin)json_integer_value(json_object_get(record, "origin"));
    const json_t *trial = json_object_get(record, "trial");
    decision now;
    if (origin == ORIGIN_LOST)
        return TY_OK;
    s->decisions++;
    TY_TRY(study_decide(ctx, s, s->leg_count, &now));
    const size_t had = json_is_integer(trial) ? (size_t)json_integer_value(trial) : NO_TRIAL;
    if (now.origin != origin || now.trial != had)
        differ(s, had == NO_TRIAL ? now.trial : had, "another trial is chosen");
    else if (origin == ORIGIN_SAMPLER || origin == ORIGIN_QUEUE)
        return compare_point(ctx, s, record, &now);
    return TY_OK;
}

static ty_status check_report(ty_ctx *ctx, ty_study *s, const json_t *record) {
    const size_t trial = (size_t)json_integer_value(json_object_get(record, "trial"));
    ty_report report;
    ty_decision now;
    if (trial >= s->count || s->trials[trial]->seen.leg_count == 0 ||
        !study_report_from_json(record, &report))
        return TY_OK; /* folding says what is wrong with it */
    s->decisions++;
    TY_TRY(study_judge(ctx, s, s->trials[trial], &report, &now));
    if ((int)now.answer != (int)json_integer_value(json_object_get(record, "answer")))
        differ(s, trial, "the verdict on a report is another one");
    return TY_OK;
}

static ty_status replay_record(ty_ctx *ctx, ty_study *s, const ty_journal_record *r) {
    const ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    json_t *record = json_loadb(r->payload, r->payload_bytes, 0, NULL);
    ty_status st = TY_OK;
    if (record && s->has_begun && r->type == RECORD_ASK)
        st = check_ask(ctx, s, record);
    else if (record && s->has_begun && r->type == RECORD_REPORT)
        st = check_report(ctx, s, record);
    json_decref(record);
    ty_arena_reset(&ctx->scratch, mark);
    return st == TY_OK ? study_fold(ctx, s, r->type, r->payload, r->payload_bytes) : st;
}

static ty_status replay_all(ty_ctx *ctx, ty_study *s, ty_journal_reader *reader) {
    ty_journal_record record;
    bool has_record = true;
    for (;;) {
        TY_TRY(ty_journal_reader_next(ctx, reader, &record, &has_record));
        if (!has_record)
            return TY_OK;
        TY_TRY(replay_record(ctx, s, &record));
    }
}

ty_status ty_study_replay(ty_ctx *ctx, const char *path, const ty_study_options *options,
                          ty_study_differs *differs, void *self, size_t *decisions) {
    ty_journal_reader *reader = NULL;
    ty_study *s = NULL;
    ty_status st = TY_OK;
    TY_TRY_GOTO(done, st, study_new(ctx, options, &s));
    TY_TRY_GOTO(done, st, ty_journal_reader_open(ctx, path, &reader));
    s->differs = differs;
    s->differs_self = self;
    TY_TRY_GOTO(done, st, replay_all(ctx, s, reader));
    *decisions = s->decisions;
    if (s->differences > 0)
        st = ty_fail(ctx, TY_ERR_INTEGRITY, "%zu of %zu decisions are others now", s->differences,
                     s->decisions);
done:
    ty_journal_reader_close(reader);
    ty_study_close(s);
    return st;
}
