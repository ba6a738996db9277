#include "cli/pictures/shown.h"

#include <stdio.h>
#include <string.h>

#include "cli/train/note.h"
#include "cli/pictures/pictures.h"

static void say(const shown *s, const char *name) {
    ty_log(s->ctx, TY_LOG_WARN, "run", "%s was not written: %s", name, s->ctx->message);
}

void shown_note(const shown *s, const report *r) {
    ty_text note = {0};
    if (note_write(s->ctx, r, &note) == TY_OK)
        s->tell_tag(s->self, "mlflow.note.content", ty_text_string(&note));
    else
        say(s, "the description");
    ty_text_clear(&note);
}

/* --- files ------------------------------------------------------------------------------------ */

static const char *artifact(const shown *s, const report *r, const char *name) {
    return ty_arena_printf(s->arena, "%s/artifacts/%s", r->run_folder, name);
}

/* One more file among the artifacts: st says how its content came about. */
static void publish_text(const shown *s, const report *r, const char *name, ty_status st,
                         const ty_text *content) {
    const char *path = artifact(s, r, name);
    if (st == TY_OK && !path)
        st = ty_fail_nomem(s->ctx, "a path");
    if (st == TY_OK)
        st = ty_file_write_atomic(s->ctx, path, ty_text_string(content), content->length);
    if (st == TY_OK)
        s->tell_file(s->self, path);
    else
        say(s, name);
}

static void publish_picture(const shown *s, const report *r, const char *name, ty_status st,
                            canvas *picture) {
    const char *path = artifact(s, r, name);
    if (st == TY_OK && !path)
        st = ty_fail_nomem(s->ctx, "a path");
    if (st == TY_OK)
        st = canvas_write(s->ctx, picture, path);
    if (st == TY_OK)
        s->tell_file(s->self, path);
    else
        say(s, name);
    canvas_clear(picture);
}

static void show_tables(const shown *s, const report *r, const csv_timing *timings) {
    ty_text text = {0};
    const ty_status st = csv_curves(s->ctx, r->run, &text);
    publish_text(s, r, "metrics.csv", st, &text);
    ty_text_clear(&text);
    csv_timings(timings, r->ranks, &text);
    publish_text(s, r, "timings.csv", TY_OK, &text);
    ty_text_clear(&text);
}

static void show_confusion(const shown *s, const report *r) {
    ty_text text = {0};
    canvas picture = {0};
    char title[96];
    const ty_data_info *info = ty_dataset_info(r->data);
    publish_text(s, r, "confusion_matrix.csv", csv_confusion(s->ctx, info, r->test, &text), &text);
    ty_text_clear(&text);
    if (!picture_has_confusion(r->test))
        return;
    (void)snprintf(title, sizeof title, "%s: accuracy %.4f of %lld samples", r->test_split,
                   r->test->accuracy, (long long)r->test->samples);
    const ty_status st = picture_confusion(s->ctx, info, r->test, title, &picture);
    publish_picture(s, r, "confusion_matrix.png", st, &picture);
}

static void show_mistakes(const shown *s, const report *r) {
    canvas picture = {0};
    char title[96];
    if (!picture_has_mistakes(ty_dataset_info(r->data), r->test))
        return;
    (void)snprintf(title, sizeof title, "%s, worst first", r->test_split);
    const ty_status st = picture_mistakes(s->ctx, r->data, r->split, r->test, title, &picture);
    publish_picture(s, r, "worst_mistakes.png", st, &picture);
}

static const char *show_report(const shown *s, const report *r) {
    const char *path = ty_path_join(s->arena, r->run_folder, "report.html");
    ty_status st = path ? report_write(s->ctx, r, path) : ty_fail_nomem(s->ctx, "a path");
    if (st != TY_OK) {
        say(s, "report.html");
        return NULL;
    }
    s->tell_file(s->self, path);
    return path;
}

const char *shown_result(const shown *s, const report *r, const csv_timing *timings) {
    shown_note(s, r);
    show_tables(s, r, timings);
    if (r->test && r->test->confusion)
        show_confusion(s, r);
    show_mistakes(s, r);
    return show_report(s, r);
}
