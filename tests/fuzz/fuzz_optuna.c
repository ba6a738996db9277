/* Arbitrary lines as an Optuna journal, and as what `tiltyard runs export` wrote. What is taken is what a study can
 * begin with: it shows each trial that is a point of its space to a sampler, and chooses a point by them. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hpo/hpo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ty_param params[2] = {{.name = "x",
                              .prior = TY_PRIOR_UNIFORM,
                              .low = -10,
                              .high = 10,
                              .fallback = 1,
                              .has_fallback = true},
                             {.name = "kind", .prior = TY_PRIOR_CHOICE, .choice_count = 3}};

static void begin(ty_ctx *ctx, const ty_study_options *options) {
    ty_study *s = NULL;
    ty_ask ask;
    size_t known = 0;
    if (ty_study_open(ctx, NULL, options, &s) != TY_OK)
        abort(); /* what was imported can be begun with */
    if (ty_study_imported(s, &known) != json_array_size(options->imports))
        abort();
    if (ty_study_ask(ctx, s, "w", &ask) != TY_OK || ask.kind != TY_ASK_TRIAL)
        abort();
    ty_study_close(s);
}

/* Every run is taken or counted, and what is no export is neither. */
static void import_runs(ty_ctx *ctx, const ty_study_options *options, json_t *trials,
                        const char *text, size_t bytes) {
    const ty_import_metric metric = {.space = options->space,
                                     .name = "loss",
                                     .maximize = options->maximize,
                                     .takes_last = bytes % 3 == 0};
    ty_import_left left = {0};
    if (ty_import_runs(ctx, text, bytes, "fuzz", &metric, trials, &left) != TY_OK)
        abort();
    const bool is_counted = left.unread + left.unfinished + left.without_metric > 0;
    if (!is_counted && json_array_size(trials) == 0 && !ty_import_is_runs(text, bytes) && bytes > 0)
        abort();
    begin(ctx, options);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ty_ctx ctx;
    ty_space space = {.params = params, .count = 2};
    ty_doc *docs[2] = {NULL};
    ty_variant sampler, pruner;
    json_t *choices = json_pack("[s, i, b]", "a", 64, 1), *trials = json_array();
    size_t unread = 0;
    ty_ctx_init(&ctx);
    params[1].choices = choices;
    if (ty_space_seal(&ctx, &space) != TY_OK ||
        ty_sampler_read_json(&ctx, "{\"type\": \"tpe\", \"startup_trials\": 1}", &docs[0],
                             &sampler) != TY_OK ||
        ty_pruner_read_json(&ctx, "\"none\"", &docs[1], &pruner) != TY_OK)
        abort();
    const ty_study_options options = {.name = "fuzz",
                                      .space = &space,
                                      .sampler = &sampler,
                                      .pruner = &pruner,
                                      .identity = "{}",
                                      .window = 2,
                                      .max_trials = 9,
                                      .target = NAN,
                                      .maximize = size % 2,
                                      .imports = trials};
    if (ty_import_optuna(&ctx, (const char *)data, size, "fuzz", NULL, size % 2, trials, &unread) ==
        TY_OK)
        begin(&ctx, &options);
    (void)ty_import_is_optuna((const char *)data, size);
    json_array_clear(trials);
    import_runs(&ctx, &options, trials, (const char *)data, size);
    json_decref(trials);
    json_decref(choices);
    ty_doc_close(docs[0]);
    ty_doc_close(docs[1]);
    ty_ctx_clear(&ctx);
    return 0;
}
