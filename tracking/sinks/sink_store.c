/* The embedded store as a sink: the journal is folded in short transactions (tracking/store/fold.h). */
#include <stdio.h>
#include <stdlib.h>

#include "tracking/store/fold.h"
#include "tracking/store/relocate.h"
#include "tracking/sinks/sink.h"

typedef struct sink {
    const ty_sink_place *place;
    ty_store *store;
    ty_fold *fold;
} sink;

static ty_status open_sink(ty_ctx *ctx, const ty_sink_place *place, void **out) {
    sink *s = calloc(1, sizeof *s);
    if (!s)
        return ty_fail_nomem(ctx, "folding a journal");
    s->place = place;
    *out = s;
    return TY_OK;
}

static ty_status reach_store(ty_ctx *ctx, sink *s) {
    if (s->store)
        return TY_OK;
    TY_TRY(ty_store_open_file(ctx, s->place->target->path, s->place->give_up_ns, &s->store));
    return ty_relocate(ctx, s->store, s->place->folder, false);
}

static ty_status fold_some(ty_ctx *ctx, sink *s, uint64_t up_to, bool *has_more) {
    ty_rebuild_report report = {0};
    TY_TRY(reach_store(ctx, s));
    if (!s->fold)
        TY_TRY(ty_fold_open(ctx, s->place->run_folder, &s->fold));
    return ty_fold_some(ctx, s->fold, s->store, up_to, &report, has_more);
}

/* After a failure everything is opened anew: the file may be another one by then. */
static ty_status take(ty_ctx *ctx, void *self, uint64_t up_to, bool is_last, bool *has_more) {
    sink *s = self;
    (void)is_last;
    const ty_status st = fold_some(ctx, s, up_to, has_more);
    if (st != TY_OK) {
        ty_store_close(s->store);
        s->store = NULL;
    }
    return st;
}

static ty_status read_tag(ty_ctx *ctx, void *self, const char *key, ty_text *out) {
    sink *s = self;
    TY_TRY(reach_store(ctx, s));
    return s->fold ? ty_store_read_tag(ctx, s->store, ty_fold_run_id(s->fold), key, out) : TY_OK;
}

static void describe(const void *self, ty_sink_facts *out) {
    const sink *s = self;
    const int64_t experiment = s->fold ? ty_fold_experiment(s->fold) : -1;
    *out = (ty_sink_facts){0};
    if (experiment < 0)
        return;
    (void)snprintf(out->experiment_id, sizeof out->experiment_id, "%lld", (long long)experiment);
    (void)snprintf(out->run_id, sizeof out->run_id, "%s", ty_fold_run_id(s->fold));
}

/* The store asks place->give_up_ns each time it waits. */
static void set_deadline(void *self, int64_t at_ns) {
    (void)self, (void)at_ns;
}

static void close_sink(ty_ctx *ctx, void *self) {
    sink *s = self;
    (void)ctx;
    if (!s)
        return;
    ty_fold_close(s->fold);
    ty_store_close(s->store);
    free(s);
}

const ty_sink_kind ty_sink_store = {.name = "the store",
                                    .open = open_sink,
                                    .take = take,
                                    .read_tag = read_tag,
                                    .describe = describe,
                                    .set_deadline = set_deadline,
                                    .close = close_sink};
