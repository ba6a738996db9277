/* Arbitrary text as a filter, an order and a column of `runs ls`. What is taken is asked of a run,
 * and answers the same when it is read again. */
#include <stdlib.h>
#include <string.h>

#include "tracking/tracking.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const ty_run_value params[] = {{.key = "optimizer.type", .text = "adamw_w%"},
                                      {.key = "a/b", .text = "gr\xc3\xbc\xc3\x9f \xff"}};
static const ty_run_value metrics[] = {{.key = "val/loss", .value = 0.25},
                                       {.key = "a", .value = -1e300}};
static const ty_run_dataset datasets[] = {{"fashion", "0123", "training"}, {"kjv", "4567", NULL}};
static const ty_run_record run = {
    .info = {.run_id = "0123456789abcdef0123456789abcdef", .name = "one", .start_ns = 1},
    .params = params,
    .n_params = 2,
    .tags = params,
    .n_tags = 2,
    .metrics = metrics,
    .n_metrics = 2,
    .datasets = datasets,
    .n_datasets = 2};

static void ask(ty_ctx *ctx, const char *text, ty_arena *arena) {
    ty_filter first, again;
    int64_t n = 0;
    if (ty_filter_parse(ctx, text, arena, &first) != TY_OK)
        return;
    if (ty_filter_parse(ctx, text, arena, &again) != TY_OK)
        abort();
    if (ty_filter_matches(&first, &run) != ty_filter_matches(&again, &run))
        abort();
    if (!first.first && !ty_filter_matches(&first, &run))
        abort();
    if (!ty_filter_fields(&first, arena, &n) || ty_filter_parts(&first) > TY_RUN_ALL)
        abort();
}

static void ask_order(ty_ctx *ctx, const char *text, ty_arena *arena) {
    ty_run_order order;
    ty_run_record other = run;
    other.n_metrics = 1;
    other.info.name = "two";
    if (ty_run_order_parse(ctx, text, arena, &order) != TY_OK)
        return;
    const int up = ty_run_order_compare(&order, 1, &run, &other);
    const int down = ty_run_order_compare(&order, 1, &other, &run);
    if ((up > 0) != (down < 0) || (up < 0) != (down > 0))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ty_ctx ctx;
    ty_arena arena = {0};
    ty_run_field field;
    ty_ctx_init(&ctx);
    const char *text = ty_arena_string_n(&arena, size ? (const char *)data : "", size);
    if (text) {
        ask(&ctx, text, &arena);
        ask_order(&ctx, text, &arena);
        if (ty_run_field_parse(&ctx, text, &arena, &field) == TY_OK)
            (void)ty_run_field_of(&field, &run);
    }
    ty_arena_clear(&arena);
    ty_ctx_clear(&ctx);
    return 0;
}
