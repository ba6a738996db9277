/* What the sweep's own run in MLflow says of it while it goes on and at its end: how many trials came to
 * what, the best so far, and a description that leads to the best trial's run. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/sweep/sweep.h"
#include "cli/sweep/sweep_plot.h"

enum { NOTE_BYTES = 7500, DESCRIPTION_BYTES = 2000, STATES = TY_TRIAL_FAILED + 1 };

/* How many trials are in each state; returns how many legs came to an end, which only ever grows. */
static size_t count_trials(const sweep *s, size_t counts[STATES]) {
    size_t ended = 0;
    memset(counts, 0, STATES * sizeof *counts);
    for (size_t i = 0; i < ty_study_count(s->study); i++) {
        const ty_trial *t = ty_study_trial(s->study, i);
        counts[t->state]++;
        ended += t->leg_count - (t->state == TY_TRIAL_RUNNING && t->leg_count > 0);
    }
    return ended;
}

static void tell_best(sweep *s, int64_t step) {
    const ty_trial *best = ty_study_best(s->study);
    const char *name = best ? sweep_run_name(s, best->number, &s->app->ctx.scratch) : NULL;
    if (!best)
        return;
    sweep_tell_metric(s, "best_value", best->value, step);
    sweep_tell_metric(s, "best_trial", (double)best->number, step);
    if (name)
        sweep_tell_tag(s, "tiltyard.best_run", name);
}

void sweep_account(sweep *s) {
    static const char *const keys[STATES] = {[TY_TRIAL_COMPLETE] = "trials/complete",
                                             [TY_TRIAL_PRUNED] = "trials/stopped",
                                             [TY_TRIAL_PAUSED] = "trials/paused",
                                             [TY_TRIAL_FAILED] = "trials/failed"};
    size_t counts[STATES];
    const int64_t step = (int64_t)count_trials(s, counts);
    const ty_arena_mark mark = ty_arena_mark_here(&s->app->ctx.scratch);
    for (int i = 0; i < STATES; i++)
        if (keys[i])
            sweep_tell_metric(s, keys[i], (double)counts[i], step);
    tell_best(s, step);
    ty_arena_reset(&s->app->ctx.scratch, mark);
}

/* --- the description ---------------------------------------------------------------------------- */

/* Where MLflow shows the best trial's run, from any of its pages; NULL: that is not known (yet). */
static const char *link_to(sweep *s, const char *name, ty_arena *arena) {
    ty_ctx *ctx = &s->app->ctx;
    ty_target target;
    ty_sync_report there;
    const char *folder =
        ty_arena_printf(arena, "%s/runs/%s/%s", s->app->folder, s->experiment, name);
    const char *experiment = ty_tracker_describe(s->tracker)->experiment_id;
    if (!folder || !experiment || !ty_file_exists(ctx, folder) ||
        ty_target_choose(ctx, s->tracking_uri, s->app->folder, arena, &target) != TY_OK ||
        ty_sync_look(ctx, folder, &target, arena, &there) != TY_OK)
        return NULL;
    const char *run = target.kind == TY_TARGET_SERVER ? there.their_run_id : there.run_id;
    return run ? ty_arena_printf(arena, "#/experiments/%s/runs/%s", experiment, run) : NULL;
}

/* A value in a table of Markdown, whatever a choice is made of. */
static void add_cell(const ty_param *p, double v, ty_text *out) {
    ty_text value = {0};
    sweep_add_value(p, v, &value);
    for (const char *at = ty_text_string(&value); *at; at++) {
        ty_text_add(out, *at == '|' ? "\\" : "");
        ty_text_add_n(out, *at == '\n' || *at == '\r' ? " " : at, 1);
    }
    out->is_short |= value.is_short;
    ty_text_clear(&value);
}

static void add_best(sweep *s, const ty_trial *best, ty_arena *arena, ty_text *out) {
    const char *name = sweep_run_name(s, best->number, arena);
    const char *link = name ? link_to(s, name, arena) : NULL;
    const ty_space *space = best->version->space;
    ty_text_addf(out, "**%s %.6g**, trial %zu: ", s->file.metric.name, best->value, best->number);
    ty_text_addf(out, link ? "[%s](%s)\n\n" : "%s\n\n", name ? name : "", link);
    ty_text_add(out, "| parameter | best |\n|---|---|\n");
    for (size_t d = 0; d < space->count && out->length < NOTE_BYTES / 2; d++) {
        if (isnan(best->asked[d]))
            continue;
        ty_text_addf(out, "| `%s` | ", space->params[d].name);
        add_cell(&space->params[d], best->asked[d], out);
        ty_text_add(out, " |\n");
    }
    ty_text_add(out, "\n");
}

/* Said where the sweep begins and where it is over: nothing of it runs then. */
static void add_counts(sweep *s, ty_text *out) {
    size_t counts[LOOKS] = {0};
    const char *separator = " trials: ";
    sweep_view v;
    if (sweep_view_trials(s, &v) != TY_OK || v.n == 0)
        return;
    for (size_t i = 0; i < v.n; i++)
        counts[chart_look_of(&v, v.trials[i])]++;
    ty_text_addf(out, "%zu", v.n);
    for (int look = 0; look < LOOKS; look++) {
        if (counts[look] == 0)
            continue;
        ty_text_addf(out, "%s%zu %s", separator, counts[look], chart_look_words[look]);
        separator = ", ";
    }
    ty_text_add(out, "\n\n");
}

static void add_way(const sweep *s, ty_text *out) {
    ty_text_addf(out, "%s %s by %s, pruner %s, seed %lld\n\n",
                 s->options.maximize ? "Maximizes" : "Minimizes", s->file.metric.name,
                 s->file.sampler.row->type, s->file.pruner.row->type, (long long)s->file.seed);
    ty_text_addf(
        out,
        "`tiltyard sweep show %s` lists the trials, `tiltyard sweep resume %s` goes on, the "
        "tag `tiltyard.stop` stops it\n",
        s->file.stem, s->file.stem);
}

/* Cut between two characters. */
static void add_description(const char *text, ty_text *out) {
    size_t n = strlen(text);
    const bool is_long = n > DESCRIPTION_BYTES;
    if (is_long)
        n = DESCRIPTION_BYTES;
    while (is_long && n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--;
    ty_text_add_n(out, text, n);
    ty_text_add(out, is_long ? "\xe2\x80\xa6\n\n" : "\n\n");
}

/* What somebody wrote in MLflow's UI stays: the journal changes only what it wrote itself. */
void sweep_describe(sweep *s) {
    char kept[TY_MESSAGE_BYTES];
    ty_arena arena = {0};
    ty_text note = {0};
    const ty_trial *best = ty_study_best(s->study);
    memcpy(kept, s->app->ctx.message, sizeof kept);
    if (s->file.description)
        add_description(s->file.description, &note);
    if (best)
        add_best(s, best, &arena, &note);
    add_counts(s, &note);
    add_way(s, &note);
    if (!note.is_short && note.length <= NOTE_BYTES)
        sweep_tell_tag(s, "mlflow.note.content", ty_text_string(&note));
    ty_text_clear(&note);
    ty_arena_clear(&arena);
    memcpy(s->app->ctx.message, kept, sizeof kept);
}
