/* Arbitrary records as a sweep's journal: a line each, a digit that says which kind (0: a point that was left
 * for it), and JSON. What
 * could be folded is then asked, told and looked at as any study is. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hpo/hpo.h"
#include "hpo/study/study_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ty_param params[2] = {
    {.name = "rate", .prior = TY_PRIOR_LOG, .low = 1e-5, .high = 1},
    {.name = "layers", .prior = TY_PRIOR_UNIFORM, .is_int = true, .low = 1, .high = 8}};

/* What is no point is left out, and is no reason not to go on. */
static bool take_line(ty_ctx *ctx, ty_study *s, const char *line, size_t size) {
    if (*line != '0')
        return study_fold(ctx, s, (uint32_t)(*line - '0'), line + 1, size - 1) == TY_OK;
    const ty_status st =
        s->has_begun ? study_take_point(ctx, s, "p", line + 1, size - 1) : TY_ERR_CONFIG;
    return st == TY_OK || st == TY_ERR_CONFIG;
}

/* As a study that is opened: what cannot be folded is the end of it. */
static bool fold_lines(ty_ctx *ctx, ty_study *s, const char *text, size_t size) {
    const char *end = text + size;
    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *stop = newline ? newline : end;
        if (stop > text && !take_line(ctx, s, text, (size_t)(stop - text)))
            return false;
        text = stop + 1;
    }
    return s->has_begun;
}

/* Who was given up and speaks before somebody else has the trial has it back, and what it tells counts. */
static void speak_late(ty_ctx *ctx, ty_study *s) {
    ty_decision decision;
    const ty_report report = {.step = 1e6, .resource = NAN, .value = 0.5, .worker = "late"};
    const ty_told told = {.state = TY_TRIAL_COMPLETE, .value = 1, .worker = "later"};
    for (size_t i = 0; i < ty_study_count(s); i++) {
        const ty_trial *t = ty_study_trial(s, i);
        if (!t->is_lost)
            continue;
        if (ty_study_report(ctx, s, i, &report, &decision) != TY_OK || t->is_lost ||
            ty_study_is_superseded(s, i, "late") || !ty_study_is_superseded(s, i, "later"))
            abort();
        if (ty_study_tell(ctx, s, i, &told) != TY_OK || t->state != TY_TRIAL_RUNNING)
            abort(); /* it is the other one's again */
    }
}

static void use(ty_ctx *ctx, ty_study *s) {
    ty_ask ask;
    ty_decision decision;
    const ty_report report = {.step = 1e6, .resource = NAN, .value = 0.5};
    if (ty_study_ask(ctx, s, "w", &ask) != TY_OK || ask.kind != TY_ASK_TRIAL)
        return;
    const size_t trial = ask.trial->number;
    if (ty_study_report(ctx, s, trial, &report, &decision) != TY_OK ||
        ty_study_tell(ctx, s, trial, &(ty_told){.state = TY_TRIAL_COMPLETE, .value = NAN}) != TY_OK)
        abort(); /* what was given out can be told */
    if (ty_study_trial(s, trial)->state == TY_TRIAL_RUNNING)
        abort();
    (void)ty_study_best(s);
}

static void try_order(ty_ctx *ctx, const ty_study_options *options, const uint8_t *data,
                      size_t size) {
    ty_study *s = NULL;
    if (study_new(ctx, options, &s) != TY_OK)
        abort();
    if (fold_lines(ctx, s, (const char *)data, size)) {
        speak_late(ctx, s);
        use(ctx, s);
    }
    ty_study_close(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ty_ctx ctx;
    ty_space space = {.params = params, .count = 2};
    ty_doc *docs[2] = {NULL};
    ty_variant sampler, pruner;
    ty_ctx_init(&ctx);
    if (ty_space_seal(&ctx, &space) != TY_OK ||
        ty_sampler_read_json(&ctx, "\"random\"", &docs[0], &sampler) != TY_OK ||
        ty_pruner_read_json(&ctx, "\"none\"", &docs[1], &pruner) != TY_OK)
        abort();
    const ty_study_options options = {.name = "fuzz",
                                      .space = &space,
                                      .sampler = &sampler,
                                      .pruner = &pruner,
                                      .identity = "{}",
                                      .order = size % 2 ? TY_ORDER_WINDOW : TY_ORDER_REPLAY,
                                      .window = 2,
                                      .max_trials = 1000,
                                      .target = NAN};
    try_order(&ctx, &options, data, size);
    ty_doc_close(docs[0]);
    ty_doc_close(docs[1]);
    ty_ctx_clear(&ctx);
    return 0;
}
