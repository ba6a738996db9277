#include "cli/gallery.h"

#include <stdio.h>
#include <string.h>

#include "cli/pictures.h"
#include "cli/samples.h"

static const char matrix_key[] = "confusion_matrix", samples_key[] = "training_samples";

enum { EACH = 16 }; /* pictures before every second evaluation is left out, and again */

bool gallery_is_due(int64_t n) {
    int64_t every = 1;
    for (int64_t last = EACH; n > last && every < INT64_C(1) << 40; last += EACH * every)
        every *= 2;
    return n % every == 0;
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

/* Pictures of a key in the folder, those of one step or (-1) of all. */
static int64_t count_pictures(ty_ctx *ctx, const char *folder, const char *key, int64_t step) {
    char prefix[96];
    char **names = NULL;
    size_t n = 0;
    int64_t count = 0;
    const ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    (void)snprintf(prefix, sizeof prefix, "%s+step+", key);
    if (step >= 0)
        (void)snprintf(prefix, sizeof prefix, "%s+step+%lld+", key, (long long)step);
    if (!ty_file_exists(ctx, folder) ||
        ty_dir_list(ctx, folder, &ctx->scratch, &names, &n) != TY_OK)
        n = 0;
    for (size_t i = 0; i < n; i++)
        count += ends_with(names[i], "+compressed.png") &&
                 strncmp(names[i], prefix, strlen(prefix)) == 0;
    ty_arena_reset(&ctx->scratch, mark);
    return count;
}

void gallery_init(gallery *g, ty_ctx *ctx, const ty_trainer *trainer, const ty_dataset *data,
                  const char *folder, ty_observer tracker) {
    *g = (gallery){
        .ctx = ctx, .trainer = trainer, .data = data, .folder = folder, .tracker = tracker};
    for (int64_t left = count_pictures(ctx, folder, matrix_key, -1); left > 0;)
        left -= gallery_is_due(++g->n_evaluations);
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

static ty_status show_confusion(gallery *g, const ty_event *at, const ty_eval_result *eval,
                                const char *title) {
    canvas picture = {0};
    TY_TRY(picture_confusion(g->ctx, ty_dataset_info(g->data), eval, title, &picture));
    const ty_status st = publish(g, at, matrix_key, &picture);
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

/* Before the first step, so that the sliders' first place is not empty. */
static ty_status show_samples(gallery *g, const ty_event *at) {
    canvas picture = {0};
    if (!samples_are_images(ty_dataset_info(g->data)) ||
        count_pictures(g->ctx, g->folder, samples_key, at->step) > 0)
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
    char title[96];
    if (!picture_has_confusion(eval) || count_pictures(g->ctx, g->folder, matrix_key, at->step) > 0)
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
    const bool is_eval = event->kind == TY_EVENT_EVAL && strcmp(event->eval.split, "val") == 0;
    const bool is_begin = event->kind == TY_EVENT_START && !event->start.is_resumed;
    if (!is_begin && !(is_eval && gallery_is_due(++g->n_evaluations)))
        return TY_CONTINUE;
    const ty_arena_mark mark = ty_arena_mark_here(&g->ctx->scratch);
    const ty_status st = is_begin ? show_samples(g, event) : show_eval(g, event);
    if (st != TY_OK && !g->has_failed) {
        g->has_failed = true;
        ty_log(g->ctx, TY_LOG_WARN, "pictures", "%s", g->ctx->message);
    }
    ty_arena_reset(&g->ctx->scratch, mark);
    return TY_CONTINUE;
}

ty_observer gallery_observer(gallery *g) {
    return (ty_observer){.notify = notify, .self = g};
}
