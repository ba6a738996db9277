/* The loop of a sweep whose trials are processes: free slots are given trials, reports are answered. */
#include <signal.h>
#include <stdlib.h>

#include "cli/sweep/sweep.h"

/* --- giving out --------------------------------------------------------------------------------- */

static ty_status start_trial(sweep *s, int slot, const ty_trial *trial) {
    ty_ctx *ctx = &s->app->ctx;
    const ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    slot_start start = {.trial = trial->number, .is_foreign = !s->file.config_path};
    start.log_path = ty_arena_printf(&ctx->scratch, "%s/" SWEEP_LOG, s->folder, trial->number);
    ty_status st = start.log_path ? TY_OK : ty_fail_nomem(ctx, "the name of a log");
    if (st == TY_OK)
        st = sweep_words(s, trial, &ctx->scratch, &start.words);
    if (st == TY_OK)
        st = sweep_environment(s, slot, trial, &ctx->scratch, &start.environment);
    if (st == TY_OK)
        st = slots_begin(ctx, s->slots, slot, &start);
    ty_arena_reset(&ctx->scratch, mark);
    if (st == TY_OK)
        sweep_begin(s, slot, trial->number);
    return st;
}

static ty_status fill_slots(sweep *s) {
    const ty_trial *trial = NULL;
    int slot = slots_free(s->slots);
    while (slot >= 0 && !slots_is_interrupted()) {
        TY_TRY(sweep_next(s, "local", &trial));
        if (!trial)
            return TY_OK;
        TY_TRY(start_trial(s, slot, trial));
        slot = slots_free(s->slots);
    }
    return TY_OK;
}

/* --- the loop ----------------------------------------------------------------------------------- */

/* A training ends by itself at its third signal; a program may ignore all but one. */
static void stop_for(sweep *s, int which) {
    const bool is_deaf = s->is_told_twice && !s->file.config_path;
    if (!s->stop)
        console_say(&s->app->console, "stopping: %d trials save a checkpoint",
                    slots_busy(s->slots));
    else if (is_deaf)
        console_say(&s->app->console, "stopping: what still runs is killed");
    slots_signal(s->slots, is_deaf ? SIGKILL : s->stop ? SIGTERM : SIGUSR1);
    s->is_told_twice = s->stop != 0;
    s->stop = which;
}

static ty_status answer(sweep *s, int slot) {
    char *line = sweep_answer(s, slot);
    if (!line)
        return ty_fail_nomem(&s->app->ctx, "an answer to a trial");
    slots_answer(s->slots, slot, s->running[slot].decision.answer, line);
    free(line);
    return TY_OK;
}

static ty_status hear_end(sweep *s, const slot_news *news) {
    if (!s->children)
        return sweep_hear_end(s, news);
    TY_TRY(sweep_child_complete(s, news));
    TY_TRY(sweep_hear_end(s, news));
    sweep_child_end(s, news);
    return TY_OK;
}

static ty_status one_turn(sweep *s) {
    slot_news news;
    bool has_news = false;
    int stop = 0;
    TY_TRY(fill_slots(s));
    if (s->is_done && slots_busy(s->slots) == 0)
        return TY_OK; /* nothing is left to wait for */
    sweep_look_at_clock(s);
    TY_TRY(slots_wait(&s->app->ctx, s->slots, 500, &news, &has_news, &stop));
    if (!stop && !s->stop && sweep_is_asked_to_stop(s))
        stop = SIGUSR1;
    if (stop)
        stop_for(s, stop);
    sweep_tell_progress(s);
    if (!has_news)
        return TY_OK;
    if (news.kind == SLOT_END)
        return hear_end(s, &news);
    TY_TRY(sweep_hear_report(s, &news));
    if (s->children)
        sweep_child_report(s, &news);
    return answer(s, news.slot);
}

ty_status sweep_run(sweep *s) {
    ty_status st = TY_OK;
    s->begun_ns = ty_now_ns(&s->app->ctx);
    if (!s->file.config_path)
        TY_TRY(sweep_children_open(s));
    TY_TRY(sweep_keep_disk(s));
    TY_TRY(slots_open(&s->app->ctx, s->n_slots, &s->slots));
    while (st == TY_OK && (slots_busy(s->slots) > 0 || !(s->is_done || s->stop))) {
        st = one_turn(s);
        if (st == TY_OK)
            sweep_write_along(s);
    }
    return sweep_outcome(s, st);
}
