#include "cli/train/progress.h"

#include <math.h>
#include <string.h>

static const int64_t redraw_ns = 100 * 1000000LL; /* ten times a second */
static const int64_t line_ns = 10 * 1000000000LL;

void progress_init(progress *p, ty_ctx *ctx, console *c, bool is_classification) {
    *p = (progress){.ctx = ctx,
                    .console = c,
                    .is_classification = is_classification,
                    .drawn_ns = ty_now_ns(ctx),
                    .train_loss = NAN,
                    .val_loss = NAN,
                    .val_accuracy = NAN};
}

void progress_add_bar(ty_text *text, double done) {
    enum { CELLS = 20 };
    int filled = (int)(done * CELLS + 0.5);
    ty_text_add(text, "[");
    for (int i = 0; i < CELLS; i++)
        ty_text_add(text, i < filled ? "=" : i == filled ? ">" : " ");
    ty_text_add(text, "]");
}

static void show_step(progress *p, const ty_event *e) {
    bool is_terminal = p->console->is_terminal;
    int64_t now = ty_now_ns(p->ctx);
    p->samples_per_s = e->progress.samples_per_s;
    p->epoch = e->progress.epoch;
    if (now - p->drawn_ns < (is_terminal ? redraw_ns : line_ns))
        return;
    p->drawn_ns = now;
    char left[32], rate[32];
    double done =
        e->progress.total_steps > 0 ? (double)e->step / (double)e->progress.total_steps : 0;
    ty_text line = {0};
    if (is_terminal)
        progress_add_bar(&line, done);
    ty_text_addf(&line, " step %lld/%lld  loss %.4f  lr %.3g  %s samples/s  %s left",
                 (long long)e->step, (long long)e->progress.total_steps, e->progress.loss,
                 e->progress.learning_rate, console_count((int64_t)e->progress.samples_per_s, rate),
                 console_duration(e->progress.seconds_left, left));
    if (is_terminal)
        console_draw(p->console, ty_text_string(&line));
    else
        console_say(p->console, "%s", ty_text_string(&line) + 1);
    ty_text_clear(&line);
}

static void keep_metric(progress *p, const ty_event *e) {
    if (strcmp(e->metric.key, "train/loss") == 0)
        p->train_loss = e->metric.value;
    else if (strcmp(e->metric.key, "val/loss") == 0)
        p->val_loss = e->metric.value;
    else if (strcmp(e->metric.key, "val/accuracy") == 0 ||
             strcmp(e->metric.key, "val/mean_absolute_error") == 0)
        p->val_accuracy = e->metric.value;
}

static void add_number(ty_text *text, int width, double value) {
    if (isnan(value))
        ty_text_addf(text, "%*s", width, "-");
    else
        ty_text_addf(text, "%*.4f", width, value);
}

static void show_eval(progress *p, const ty_event *e) {
    if (strcmp(e->eval.split, "val") != 0)
        return;
    if (!p->has_head)
        console_say(p->console, "%s%7s%9s%13s%11s%14s%13s  best%s", console_dim(p->console),
                    "epoch", "step", "train/loss", "val/loss",
                    p->is_classification ? "val/accuracy" : "val/mae", "samples/s",
                    console_plain(p->console));
    p->has_head = true;
    char rate[32];
    ty_text line = {0};
    ty_text_addf(&line, "%7.2f%9lld", p->epoch, (long long)e->step);
    add_number(&line, 13, p->train_loss);
    add_number(&line, 11, p->val_loss);
    add_number(&line, 14, p->val_accuracy);
    ty_text_addf(&line, "%13s  %s", console_count((int64_t)p->samples_per_s, rate),
                 e->eval.is_best ? "*" : "");
    console_say(p->console, "%s", ty_text_string(&line));
    ty_text_clear(&line);
    p->drawn_ns = ty_now_ns(p->ctx);
}

static void add_pair(ty_text *text, const char *key, const char *value) {
    ty_text_addf(text, ", \"%s\": ", key);
    ty_text_add_json(text, value);
}

static void add_member(ty_text *text, const char *key, double value) {
    ty_text_addf(text, ", \"%s\": ", key);
    ty_text_add_number(text, value);
}

/* {"event": "metric", "step": 10, ...}; steps appear as often as the plain line would. */
static void print_json(progress *p, const ty_event *e) {
    static const char *const kinds[] = {
        [TY_EVENT_START] = "start",     [TY_EVENT_PARAM] = "param", [TY_EVENT_TAG] = "tag",
        [TY_EVENT_DATASET] = "dataset", [TY_EVENT_STEP] = "step",   [TY_EVENT_METRIC] = "metric",
        [TY_EVENT_EVAL] = "eval",       [TY_EVENT_FILE] = "file",   [TY_EVENT_MODEL] = "model",
        [TY_EVENT_PACKAGE] = "package", [TY_EVENT_STATE] = "state"};
    ty_text line = {0};
    ty_text_addf(&line, "{\"event\": \"%s\", \"time_ms\": %lld", kinds[e->kind],
                 (long long)(e->time_ns / 1000000));
    if (e->step >= 0)
        ty_text_addf(&line, ", \"step\": %lld", (long long)e->step);
    if (e->kind == TY_EVENT_METRIC) {
        add_pair(&line, "key", e->metric.key);
        add_member(&line, "value", e->metric.value);
    } else if (e->kind == TY_EVENT_STEP) {
        add_member(&line, "loss", e->progress.loss);
        add_member(&line, "learning_rate", e->progress.learning_rate);
        add_member(&line, "samples_per_s", e->progress.samples_per_s);
        add_member(&line, "seconds_left", e->progress.seconds_left);
    } else if (e->kind == TY_EVENT_EVAL) {
        add_pair(&line, "split", e->eval.split);
        ty_text_addf(&line, ", \"is_best\": %s", e->eval.is_best ? "true" : "false");
    } else if (e->kind == TY_EVENT_START) {
        ty_text_addf(&line, ", \"is_resumed\": %s, \"total_steps\": %lld",
                     e->start.is_resumed ? "true" : "false", (long long)e->start.total_steps);
    } else if (e->kind == TY_EVENT_PARAM || e->kind == TY_EVENT_TAG) {
        add_pair(&line, "key", e->text.key);
        add_pair(&line, "value", e->text.value);
    } else if (e->kind == TY_EVENT_DATASET) {
        add_pair(&line, "name", e->dataset.name);
        add_pair(&line, "digest", e->dataset.digest);
        add_pair(&line, "context", e->dataset.context);
    } else if (e->kind == TY_EVENT_FILE) {
        add_pair(&line, "path", e->file.path);
    } else if (e->kind == TY_EVENT_MODEL) {
        add_pair(&line, "name", e->model.name);
        add_pair(&line, "path", e->model.path);
    } else if (e->kind == TY_EVENT_PACKAGE) {
        add_pair(&line, "model_id", e->package.model_id);
        add_pair(&line, "name", e->package.name);
        add_pair(&line, "folder", e->package.folder);
    } else if (e->kind == TY_EVENT_STATE) {
        static const char *const states[] = {"running", "finished", "failed", "killed", "waiting"};
        add_pair(&line, "state", states[e->state.state]);
        add_pair(&line, "reason", e->state.reason ? e->state.reason : "");
    }
    ty_text_add(&line, "}\n");
    console_print(p->console, ty_text_string(&line));
    ty_text_clear(&line);
}

static ty_answer notify(void *self, const ty_event *e, const char **reason) {
    progress *p = self;
    (void)reason;
    bool is_due = e->kind != TY_EVENT_STEP || ty_now_ns(p->ctx) - p->drawn_ns >= line_ns;
    if (p->console->is_json && is_due)
        print_json(p, e);
    if (e->kind == TY_EVENT_STEP)
        show_step(p, e);
    else if (e->kind == TY_EVENT_METRIC)
        keep_metric(p, e);
    else if (e->kind == TY_EVENT_EVAL)
        show_eval(p, e);
    return TY_CONTINUE;
}

ty_observer progress_observer(progress *p) {
    return (ty_observer){.notify = notify, .self = p};
}
