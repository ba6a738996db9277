#include "hpo/study/imports.h"

#include <math.h>
#include <stdlib.h>

#include "hpo/study/study_private.h"

bool ty_import_add(json_t *trials, const char *source, size_t number, json_t *params,
                   const ty_shown *shown) {
    json_t *trial = params ? json_pack("{s:s, s:I, s:o, s:s, s:o, s:o, s:o}", "source", source,
                                       "number", (json_int_t)number, "params", params, "state",
                                       shown->state == TY_TRIAL_COMPLETE ? "complete" : "pruned",
                                       "value", study_number_to_json(shown->value), "violation",
                                       study_number_to_json(shown->violation), "last_step",
                                       study_number_to_json(shown->last_step))
                           : NULL;
    return trial && json_array_append_new(trials, trial) == 0;
}

ty_status study_refuse_direction(ty_ctx *ctx, const char *source, bool maximize) {
    return ty_fail(ctx, TY_ERR_CONFIG, "%s was to be %s, and this sweep is to be %s", source,
                   maximize ? "minimized" : "maximized", maximize ? "maximized" : "minimized");
}

/* --- a sweep of ours ---------------------------------------------------------------------------- */

/* What the journal itself says of how it is to be opened; strings live in begin. */
static bool take_options(ty_study_options *o, const json_t *begin) {
    const char *seed = json_string_value(json_object_get(begin, "seed"));
    const char *window = json_string_value(json_object_get(begin, "window"));
    const char *order = json_string_value(json_object_get(begin, "order"));
    o->identity = json_string_value(json_object_get(begin, "identity"));
    if (!seed || !window || !order || !o->identity)
        return false;
    o->seed = strtoull(seed, NULL, 10);
    o->window = strtoll(window, NULL, 10);
    o->order = study_order_named(order);
    o->maximize = json_is_true(json_object_get(begin, "maximize"));
    return true;
}

static ty_status fold_record(ty_ctx *ctx, ty_study *s, const ty_journal_record *r, json_t **begin) {
    if (!*begin) {
        *begin = json_loadb(r->payload, r->payload_bytes, 0, NULL);
        if (!take_options(&s->options, *begin))
            return ty_fail(ctx, TY_ERR_INTEGRITY, "the sweep's journal has no beginning");
    }
    return study_fold(ctx, s, r->type, r->payload, r->payload_bytes);
}

static ty_status fold_all(ty_ctx *ctx, ty_study *s, ty_journal_reader *reader, json_t **begin) {
    ty_journal_record record;
    bool has_record = true;
    for (;;) {
        TY_TRY(ty_journal_reader_next(ctx, reader, &record, &has_record));
        if (!has_record)
            return TY_OK;
        TY_TRY(fold_record(ctx, s, &record, begin));
    }
}

/* As its own pruner and sampler were shown it. */
static ty_shown shown_of(const ty_trial *t, bool maximize) {
    const double last = t->reports > 0 ? t->reported[t->reports - 1] : NAN;
    ty_shown shown = {.state = t->state,
                      .value = t->value,
                      .last_step = t->reports > 0 ? t->resource[t->reports - 1] : 0,
                      .violation = t->violation};
    if (isnan(shown.value))
        shown.value = maximize ? -last : last;
    return shown;
}

static ty_status add_trials(ty_ctx *ctx, const ty_study *s, const char *source, json_t *trials) {
    for (size_t i = 0; i < ty_study_count(s); i++) {
        const ty_trial *t = ty_study_trial(s, i);
        const ty_shown shown = shown_of(t, s->options.maximize);
        if (t->state != TY_TRIAL_RUNNING && t->state != TY_TRIAL_FAILED &&
            !ty_import_add(trials, source, i, ty_trial_params(t), &shown))
            return ty_fail_nomem(ctx, "the trials of another sweep");
    }
    return TY_OK;
}

ty_status ty_import_sweep(ty_ctx *ctx, const char *path, const char *source, bool maximize,
                          json_t *trials) {
    static const ty_space nothing = {.params = NULL};
    ty_journal_reader *reader = NULL;
    json_t *begin = NULL;
    ty_status st = TY_OK;
    ty_study *s = calloc(1, sizeof *s);
    if (!s)
        return ty_fail_nomem(ctx, "another sweep");
    s->options = (ty_study_options){.name = source, .space = &nothing, .identity = ""};
    s->space = &nothing;
    TY_TRY_GOTO(done, st, ty_journal_reader_open(ctx, path, &reader));
    st = fold_all(ctx, s, reader, &begin);
    if (st == TY_OK && s->has_begun && s->options.maximize != maximize)
        st = study_refuse_direction(ctx, source, maximize);
    if (st == TY_OK)
        st = add_trials(ctx, s, source, trials);
    if (st != TY_OK && st != TY_ERR_NOMEM)
        st = ty_fail_within(ctx, st, "%s", path);
done:
    ty_journal_reader_close(reader);
    ty_study_close(s);
    json_decref(begin);
    return st;
}
