#include "cli/pictures/gallery.h"

#include <stdio.h>
#include <string.h>

#include "cli/pictures/pictures.h"
#include "cli/pictures/samples.h"

static const char eval_key[] = "mistakes", samples_key[] = "training_samples";

bool gallery_is_due(int64_t step, int64_t newest) {
    return step > newest && step >= 2 * newest;
}

char *gallery_name(ty_arena *arena, const char *key, int64_t step, int64_t time_ns) {
    const long long ms = (long long)(time_ns / 1000000);
    char *name = ty_arena_printf(arena, "%s+step+%lld+timestamp+%lld", key, (long long)step, ms);
    if (!name)
        return NULL;
    const uint64_t hash = ty_hash64(name, strlen(name));
    return ty_arena_printf(arena, "%s+z%016llx", name, (unsigned long long)hash);
}

/* --- what is there ---------------------------------------------------------------------------- */

static bool ends_with(const char *text, const char *ending) {
    const size_t length = strlen(text), ending_length = strlen(ending);
    return length >= ending_length && strcmp(text + length - ending_length, ending) == 0;
}

/* -1: it is no picture of the key, or not wholly there: the small one is drawn last. */
static int64_t step_of(const char *name, const char *key) {
    const size_t length = strlen(key);
    long long step;
    return strncmp(name, key, length) == 0 && ends_with(name, "+compressed.png") &&
                   sscanf(name + length, "+step+%lld+", &step) == 1
               ? step
               : -1;
}

/* The last step that the folder has a picture of, or -1. */
static int64_t newest_step(ty_ctx *ctx, const char *folder, const char *key) {
    char **names = NULL;
    size_t n = 0;
    int64_t newest = -1;
    const ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    if (!ty_file_exists(ctx, folder) ||
        ty_dir_list(ctx, folder, &ctx->scratch, &names, &n) != TY_OK)
        n = 0;
    for (size_t i = 0; i < n; i++) {
        const int64_t step = step_of(names[i], key);
        newest = step > newest ? step : newest;
    }
    ty_arena_reset(&ctx->scratch, mark);
    return newest;
}

void gallery_init(gallery *g, ty_ctx *ctx, const ty_trainer *trainer, const ty_dataset *data,
                  const char *folder, ty_observer tracker) {
    *g = (gallery){.ctx = ctx,
                   .trainer = trainer,
                   .data = data,
                   .folder = folder,
                   .tracker = tracker,
                   .newest = newest_step(ctx, folder, eval_key),
                   .evaluated = -1};
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

/* The picture, and under a second name the one that the UI's overview loads: it is small enough. */
static ty_status publish(gallery *g, const ty_event *at, const char *key, const canvas *picture) {
    ty_ctx *ctx = g->ctx;
    const char *name = gallery_name(&ctx->scratch, key, at->step, at->time_ns);
    const char *path = name ? ty_arena_printf(&ctx->scratch, "%s/%s.png", g->folder, name) : NULL;
    const char *small =
        name ? ty_arena_printf(&ctx->scratch, "%s/%s+compressed.png", g->folder, name) : NULL;
    if (!path || !small)
        return ty_fail_nomem(ctx, "a picture's name");
    TY_TRY(canvas_write(ctx, picture, path));
    if (ctx->io->link(ctx->io->self, path, small) != 0)
        TY_TRY(canvas_write(ctx, picture, small));
    tell_file(g, at, path);
    tell_file(g, at, small);
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

/* Before the first step. */
static ty_status show_samples(gallery *g, const ty_event *at) {
    canvas picture = {0};
    if (!samples_are_images(ty_dataset_info(g->data)) ||
        newest_step(g->ctx, g->folder, samples_key) >= 0)
        return TY_OK;
    TY_TRY(ty_dir_make(g->ctx, g->folder));
    TY_TRY(
        picture_samples(g->ctx, g->data, TY_SPLIT_TRAIN, "samples of train, as stored", &picture));
    const ty_status st = publish(g, at, samples_key, &picture);
    canvas_clear(&picture);
    tell_tag(g, at);
    return st;
}

static ty_status show_eval(gallery *g, const ty_event *at) {
    const ty_eval_result *eval = ty_trainer_newest_eval(g->trainer);
    canvas picture = {0};
    char title[96];
    if (!picture_has_confusion(eval))
        return TY_OK;
    (void)snprintf(title, sizeof title, "val, step %lld: accuracy %.4f", (long long)at->step,
                   eval->accuracy);
    TY_TRY(ty_dir_make(g->ctx, g->folder));
    TY_TRY(picture_eval(g->ctx, g->data, TY_SPLIT_VAL, eval, title, &picture));
    const ty_status st = publish(g, at, eval_key, &picture);
    canvas_clear(&picture);
    TY_TRY(st);
    g->newest = at->step;
    tell_tag(g, at);
    return TY_OK;
}

/* --- when ------------------------------------------------------------------------------------- */

static void show(gallery *g, ty_status (*draw)(gallery *g, const ty_event *at),
                 const ty_event *at) {
    const ty_arena_mark mark = ty_arena_mark_here(&g->ctx->scratch);
    if (draw(g, at) != TY_OK && !g->has_failed) {
        g->has_failed = true;
        ty_log(g->ctx, TY_LOG_WARN, "pictures", "%s", g->ctx->message);
    }
    ty_arena_reset(&g->ctx->scratch, mark);
}

static ty_answer notify(void *self, const ty_event *event, const char **reason) {
    gallery *g = self;
    (void)reason;
    if (event->kind == TY_EVENT_START && !event->start.is_resumed)
        show(g, show_samples, event);
    if (event->kind != TY_EVENT_EVAL || strcmp(event->eval.split, "val") != 0)
        return TY_CONTINUE;
    g->evaluated = event->step;
    if (gallery_is_due(event->step, g->newest))
        show(g, show_eval, event);
    return TY_CONTINUE;
}

void gallery_finish(gallery *g) {
    if (g->evaluated <= g->newest)
        return;
    const ty_event last = {
        .kind = TY_EVENT_EVAL, .time_ns = ty_now_wall_ns(g->ctx), .step = g->evaluated};
    show(g, show_eval, &last);
}

ty_observer gallery_observer(gallery *g) {
    return (ty_observer){.notify = notify, .self = g};
}
