/* The loop of a sweep whose trials are processes: free slots are given trials, reports are answered. */
#include <signal.h>

#include "cli/signals.h"
#include "cli/sweep.h"

/* --- giving out --------------------------------------------------------------------------------- */

static ty_status start_trial(sweep *s, int slot, const ty_trial *trial) {
    ty_ctx *ctx = &s->app->ctx;
    const ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    slot_start start = {.trial = trial->number, .is_foreign = !s->file.config_path};
    start.log_path =
        ty_arena_printf(&ctx->scratch, "%s/logs/trial_%04zu.log", s->folder, trial->number);
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
    while (slot >= 0) {
        TY_TRY(sweep_next(s, "local", &trial));
        if (!trial)
            return TY_OK;
        TY_TRY(start_trial(s, slot, trial));
        slot = slots_free(s->slots);
    }
    return TY_OK;
}

/* --- the loop ----------------------------------------------------------------------------------- */

static void stop_for(sweep *s, int which) {
    if (!s->stop)
        console_say(&s->app->console, "stopping: %d trials save a checkpoint",
                    slots_busy(s->slots));
    slots_signal(s->slots, s->stop ? SIGTERM : SIGUSR1);
    s->stop = which;
}

static ty_status one_turn(sweep *s) {
    slot_news news;
    bool has_news = false;
    int stop = 0;
    TY_TRY(fill_slots(s));
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
        return sweep_hear_end(s, &news);
    TY_TRY(sweep_hear_report(s, &news));
    const ty_decision *decision = &s->running[news.slot].decision;
    slots_answer(s->slots, news.slot, decision->answer, decision->reason);
    return TY_OK;
}

ty_status sweep_run(sweep *s) {
    ty_status st = TY_OK;
    s->begun_ns = ty_now_ns(&s->app->ctx);
    TY_TRY(slots_open(&s->app->ctx, s->n_slots, &s->slots));
    while (st == TY_OK && (slots_busy(s->slots) > 0 || !(s->is_done || s->stop))) {
        st = one_turn(s);
        if (st == TY_OK)
            sweep_write_along(s);
    }
    return st == TY_OK && s->stop ? signals_status(s->stop) : st;
}
