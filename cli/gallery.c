#include "cli/gallery.h"

#include <stdio.h>
#include <string.h>

#include "cli/pictures.h"

enum { EACH = 16 }; /* pictures before every second evaluation is left out, and again */

void gallery_init(gallery *g, ty_ctx *ctx, const ty_trainer *trainer, const ty_dataset *data,
                  const char *folder, ty_observer tracker, int64_t n_before) {
    *g = (gallery){.ctx = ctx,
                   .trainer = trainer,
                   .data = data,
                   .folder = folder,
                   .tracker = tracker,
                   .n_evaluations = n_before};
}

bool gallery_is_due(int64_t n) {
    int64_t every = 1;
    for (int64_t last = EACH; n > last && every < INT64_C(1) << 40; last += EACH * every)
        every *= 2;
    return n % every == 0;
}

char *gallery_name(ty_arena *arena, const char *key, int64_t step, int64_t time_ns) {
    const long long ms = (long long)(time_ns / 1000000);
    char *name =
        ty_arena_printf(arena, "%s%%step%%%lld%%timestamp%%%lld", key, (long long)step, ms);
    if (!name)
        return NULL;
    const uint64_t hash = ty_hash64(name, strlen(name));
    return ty_arena_printf(arena, "%s%%z%016llx", name, (unsigned long long)hash);
}

/* --- files ------------------------------------------------------------------------------------ */

static void tell_file(gallery *g, const ty_event *at, const char *path) {
    const ty_event event = {.kind = TY_EVENT_FILE,
                            .time_ns = at->time_ns,
                            .step = at->step,
                            .file = {.path = path, .folder = "images"}};
    const char *reason;
    (void)g->tracker.notify(g->tracker.self, &event, &reason);
}

/* The picture, and the one that the UI's overview loads, which is the same: it is small. */
static ty_status publish(gallery *g, const ty_event *at, const char *key, const canvas *picture) {
    ty_arena *arena = &g->ctx->scratch;
    const char *name = gallery_name(arena, key, at->step, at->time_ns);
    static const char *const endings[] = {".png", "%compressed.png"};
    for (int i = 0; name && i < 2; i++) {
        const char *path = ty_arena_printf(arena, "%s/%s%s", g->folder, name, endings[i]);
        if (!path)
            break;
        TY_TRY(canvas_write(g->ctx, picture, path));
        tell_file(g, at, path);
    }
    return TY_OK;
}

static void tell_tag(gallery *g, const ty_event *at) {
    const ty_event event = {.kind = TY_EVENT_TAG,
                            .time_ns = at->time_ns,
                            .step = -1,
                            .text = {.key = "mlflow.loggedImages", .value = "True"}};
    const char *reason;
    (void)g->tracker.notify(g->tracker.self, &event, &reason);
}

static ty_status show_confusion(gallery *g, const ty_event *at, const ty_eval_result *eval,
                                const char *title) {
    canvas picture = {0};
    TY_TRY(picture_confusion(g->ctx, ty_dataset_info(g->data), eval, title, &picture));
    const ty_status st = publish(g, at, "confusion_matrix", &picture);
    canvas_clear(&picture);
    return st;
}

static ty_status show_mistakes(gallery *g, const ty_event *at, const ty_eval_result *eval,
                               const char *title) {
    canvas picture = {0};
    TY_TRY(picture_mistakes(g->ctx, g->data, TY_SPLIT_VAL, eval, title, &picture));
    const ty_status st = publish(g, at, "worst_mistakes", &picture);
    canvas_clear(&picture);
    return st;
}

static ty_status show(gallery *g, const ty_event *at) {
    const ty_eval_result *eval = ty_trainer_newest_eval(g->trainer);
    char title[96];
    if (!picture_has_confusion(eval))
        return TY_OK;
    (void)snprintf(title, sizeof title, "val, step %lld: accuracy %.4f", (long long)at->step,
                   eval->accuracy);
    TY_TRY(ty_dir_make(g->ctx, g->folder));
    TY_TRY(show_confusion(g, at, eval, title));
    if (picture_has_mistakes(ty_dataset_info(g->data), eval))
        TY_TRY(show_mistakes(g, at, eval, title));
    tell_tag(g, at);
    return TY_OK;
}

static ty_answer notify(void *self, const ty_event *event, const char **reason) {
    gallery *g = self;
    (void)reason;
    if (event->kind != TY_EVENT_EVAL || strcmp(event->eval.split, "val") != 0)
        return TY_CONTINUE;
    if (!gallery_is_due(++g->n_evaluations))
        return TY_CONTINUE;
    const ty_arena_mark mark = ty_arena_mark_here(&g->ctx->scratch);
    if (show(g, event) != TY_OK && !g->has_failed) {
        g->has_failed = true;
        ty_log(g->ctx, TY_LOG_WARN, "pictures", "%s", g->ctx->message);
    }
    ty_arena_reset(&g->ctx->scratch, mark);
    return TY_CONTINUE;
}

ty_observer gallery_observer(gallery *g) {
    return (ty_observer){.notify = notify, .self = g};
}
