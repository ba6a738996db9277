#include "cli/sweep/sweep_live.h"

#include <math.h>

#include "cli/console.h"
#include "cli/train/progress.h"
#include "cli/sweep/sweep.h"
#include "cli/table.h"

double sweep_live_left(const live_effort *e) {
    if (e->ended == 0)
        return NAN;
    const double mean = e->busy / (double)e->ended;
    double sum = mean * (double)e->to_begin;
    for (size_t i = 0; i < e->n_running; i++)
        sum += fmax(mean - e->running[i].seconds, 0);
    return sum / (double)e->slots;
}

/* --- text --------------------------------------------------------------------------------------- */

static void add_head(const live_sweep *l, ty_text *out) {
    char left[32];
    /* One that waits for its promotion has had its turn: under a pruner most of them are left so. */
    const size_t ended = l->done + l->stopped + l->failed + l->paused;
    if (l->max_trials > 0) {
        progress_add_bar(out, fmin((double)ended / (double)l->max_trials, 1));
        ty_text_addf(out, " %zu of %lld trials begun", l->begun, (long long)l->max_trials);
    } else
        ty_text_addf(out, "%zu trial%s begun", l->begun, console_plural((int64_t)l->begun));
    if (!isnan(l->seconds_left))
        ty_text_addf(out, ", about %s left", console_duration(l->seconds_left, left));
}

static void add_counts(const live_sweep *l, ty_text *out) {
    const struct {
        size_t n;
        const char *word;
    } counts[] = {{l->stopped, "stopped"}, {l->paused, "paused"}, {l->failed, "failed"}};
    ty_text_addf(out, "%zu done", l->done);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (counts[i].n > 0)
            ty_text_addf(out, ", %zu %s", counts[i].n, counts[i].word);
    if (l->has_best)
        ty_text_addf(out, "; best %s %.6g (trial %zu)", l->metric, l->best_value, l->best);
}

static void add_number(double v, int width, const char *format, ty_text *out) {
    char text[40] = "-";
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    if (!isnan(v))
        (void)snprintf(text, sizeof text, format, v);
#pragma GCC diagnostic pop
    ty_text_addf(out, "%*s", width, text);
}

static void add_trial(const live_trial *t, int width, ty_text *out) {
    char since[32];
    ty_text_addf(out, "\n%6zu", t->trial);
    add_number(t->epoch, 9, "%.2f", out);
    add_number(t->step, 10, "%.0f", out);
    add_number(t->value, width, "%.6g", out);
    ty_text_addf(out, "%9s", console_duration(t->seconds, since));
}

/* The metric is cut: its values stand beneath and are to be seen. */
static void add_running(const live_sweep *l, size_t room, ty_text *out) {
    enum { LEAST = 12, MOST = 30 };
    const size_t shown = l->n_trials <= room ? l->n_trials : room - 1;
    ty_text metric = {0};
    table_add_cut(&metric, l->metric, MOST);
    const int columns = console_columns(ty_text_string(&metric));
    const int width = (columns > LEAST ? columns : LEAST) + 2;
    ty_text_addf(out, "\n%6s%9s%10s%*s%s%9s", "trial", "epoch", "step", width - columns, "",
                 ty_text_string(&metric), "since");
    for (size_t i = 0; i < shown; i++)
        add_trial(&l->trials[i], width, out);
    if (shown < l->n_trials)
        ty_text_addf(out, "\n%6s and %zu more", "", l->n_trials - shown);
    ty_text_clear(&metric);
}

void sweep_live_text(const live_sweep *l, size_t most, ty_text *out) {
    const size_t above = 3; /* head, counts, names */
    add_head(l, out);
    ty_text_add(out, "\n");
    add_counts(l, out);
    if (l->n_trials > 0)
        add_running(l, most - above, out);
}

/* --- of a sweep --------------------------------------------------------------------------------- */

static double since(const sweep *s, int64_t ns) {
    return (double)(ty_now_ns(&s->app->ctx) - ns) / 1e9;
}

static size_t take_running(const sweep *s, live_trial *out) {
    size_t n = 0;
    for (int i = 0; i < s->n_slots; i++) {
        const running *r = &s->running[i];
        if (r->is_busy)
            out[n++] = (live_trial){.trial = r->trial,
                                    .epoch = r->epoch > 0 ? r->epoch : NAN,
                                    .step = r->step,
                                    .value = r->reported,
                                    .seconds = since(s, r->begun_ns)};
    }
    return n;
}

static void count(const sweep *s, live_sweep *l) {
    size_t counts[TY_TRIAL_FAILED + 1] = {0};
    for (size_t i = 0; i < l->begun; i++)
        counts[ty_study_trial(s->study, i)->state]++;
    l->done = counts[TY_TRIAL_COMPLETE];
    l->stopped = counts[TY_TRIAL_PRUNED];
    l->paused = counts[TY_TRIAL_PAUSED];
    l->failed = counts[TY_TRIAL_FAILED];
}

/* By the trials that are left, or by the clock where that ends the sweep before. */
static double left_of(const sweep *s, const live_sweep *l) {
    const live_effort effort = {
        .ended = s->n_ended,
        .busy = (double)s->busy_ns / 1e9,
        .to_begin = l->max_trials > (int64_t)l->begun ? (size_t)l->max_trials - l->begun : 0,
        .slots = (size_t)s->n_slots,
        .running = l->trials,
        .n_running = l->n_trials};
    const double by_trials = l->max_trials > 0 ? sweep_live_left(&effort) : NAN;
    return fmin(by_trials, 3600 * s->file.max_hours - since(s, s->begun_ns)); /* of numbers */
}

static void draw(sweep *s, live_trial *trials) {
    const ty_trial *best = ty_study_best(s->study);
    ty_text text = {0};
    live_sweep l = {.metric = s->file.metric.name,
                    .begun = ty_study_count(s->study),
                    .max_trials = s->options.max_trials,
                    .has_best = best != NULL,
                    .best = best ? best->number : 0,
                    .best_value = best ? best->value : NAN,
                    .trials = trials,
                    .n_trials = take_running(s, trials)};
    count(s, &l);
    l.seconds_left = left_of(s, &l);
    console_measure(&s->app->console);
    sweep_live_text(&l, (size_t)s->app->console.height - 1, &text);
    console_draw(&s->app->console, ty_text_string(&text));
    ty_text_clear(&text);
}

void sweep_tell_progress(sweep *s) {
    const int64_t redraw_ns = 100 * 1000000LL;
    const int64_t now_ns = ty_now_ns(&s->app->ctx);
    ty_arena *scratch = &s->app->ctx.scratch;
    const ty_arena_mark mark = ty_arena_mark_here(scratch);
    if (!s->app->console.is_terminal || now_ns - s->drawn_ns < redraw_ns)
        return;
    s->drawn_ns = now_ns;
    live_trial *trials = ty_arena_array(scratch, (size_t)s->n_slots, sizeof *trials);
    if (trials)
        draw(s, trials);
    ty_arena_reset(scratch, mark);
}
