/* Arbitrary records as a sweep's journal: a line each, a digit that says which kind, and JSON. What
 * could be folded is then asked, told and looked at as any study is. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hpo/hpo.h"
#include "hpo/study_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ty_param params[2] = {
    {.name = "rate", .prior = TY_PRIOR_LOG, .low = 1e-5, .high = 1},
    {.name = "layers", .prior = TY_PRIOR_UNIFORM, .is_int = true, .low = 1, .high = 8}};

/* As a study that is opened: what cannot be folded is the end of it. */
static bool fold_lines(ty_ctx *ctx, ty_study *s, const char *text, size_t size) {
    const char *end = text + size;
    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *stop = newline ? newline : end;
        if (stop > text && study_fold(ctx, s, (uint32_t)(*text - '0'), text + 1,
                                      (size_t)(stop - text - 1)) != TY_OK)
            return false;
        text = stop + 1;
    }
    return s->has_begun;
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
    if (fold_lines(ctx, s, (const char *)data, size))
        use(ctx, s);
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
