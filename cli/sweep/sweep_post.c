/* Rank 0 of a sweep under mpirun: gives out trials, answers reports, notices who died, all between two
 * steps of its own trial. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/sweep/sweep_ranks.h"

typedef struct team {
    bool is_busy, is_closed;
    size_t trial;
} team;

typedef struct post {
    sweep_ranks *r;
    sweep *s;
    team *teams; /* [s->n_slots]; 0 is rank 0's own */
    char *own;   /* the order that rank 0's group has not begun yet; NULL: none */
    int64_t looked_ns;
    bool has_news;  /* since trials were given out last */
    int heard_stop; /* of r->signals.stop, what was passed on */
    ty_status st;   /* the first failure, which ends the sweep */
} post;

static int leader_of(const post *p, int at) {
    return at * p->r->per_trial;
}

/* --- signals ----------------------------------------------------------------------------------- */

static void tell_stop(post *p, int which) {
    for (int i = 1; i < p->s->n_slots; i++)
        if (p->teams[i].is_busy)
            (void)sweep_send(p->r, leader_of(p, i), json_pack("{s:i}", "stop", which));
}

static void look_for_signals(post *p) {
    const int stop = p->r->signals.stop;
    if (stop == p->heard_stop)
        return;
    if (!p->s->stop)
        console_say(&p->s->app->console, "stopping: %d trials save a checkpoint", p->s->n_running);
    p->s->stop = abs(stop);
    p->heard_stop = stop;
    tell_stop(p, stop);
}

/* --- giving out --------------------------------------------------------------------------------- */

static json_t *order_of(post *p, const ty_trial *next) {
    sweep *s = p->s;
    ty_ctx *ctx = &s->app->ctx;
    const ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const char *name = sweep_run_name(s, next->number, &ctx->scratch);
    const char *log = ty_arena_printf(&ctx->scratch, "%s/" SWEEP_LOG, s->folder, next->number);
    json_t *sets = sweep_sets(s, next, &ctx->scratch), *tags = sweep_trial_tags(s, next);
    json_t *order =
        name && log && sets && tags
            ? json_pack("{s:I, s:s, s:O, s:s, s:O, s:s}", "begin", (json_int_t)next->number, "name",
                        name, "sets", sets, "log", log, "tags", tags, "parent",
                        ty_tracker_describe(s->tracker)->run_id)
            : NULL;
    json_decref(sets);
    json_decref(tags);
    ty_arena_reset(&ctx->scratch, mark);
    return order;
}

static ty_status lose(post *p, int at, const char *reason) {
    const slot_news news = {.kind = SLOT_END,
                            .slot = at,
                            .trial = p->teams[at].trial,
                            .end = "",
                            .reason = reason,
                            .run = "",
                            .run_id = "",
                            .code = ty_status_exit_code(TY_ERR_COMM)};
    if (!p->teams[at].is_busy)
        return TY_OK;
    look_for_signals(p); /* as of an end */
    p->teams[at].is_busy = false;
    return sweep_hear_end(p->s, &news);
}

/* The group gets no more trials, and what it trains is another's now. */
static ty_status close_team(post *p, int at, const char *reason) {
    if (p->teams[at].is_closed)
        return TY_OK;
    p->teams[at].is_closed = true;
    console_say(&p->s->app->console, "group %d (ranks %d to %d) is closed: %s", at,
                leader_of(p, at), leader_of(p, at) + p->r->per_trial - 1, reason);
    return lose(p, at, reason);
}

static ty_status begin(post *p, int at, const ty_trial *next) {
    json_t *order = order_of(p, next);
    ty_status st = TY_OK;
    if (!order)
        return ty_fail_nomem(&p->s->app->ctx, "a trial's order");
    p->teams[at].is_busy = true;
    p->teams[at].trial = next->number;
    sweep_begin(p->s, at, next->number);
    if (at > 0) {
        st = sweep_send(p->r, leader_of(p, at), order);
        if (st != TY_OK && st != TY_ERR_COMM) /* no end comes of what never came */
            p->teams[at].is_busy = false;
        if (st == TY_ERR_ARG)
            return ty_fail_within(&p->s->app->ctx, st,
                                  "trial %zu's parameters do not go into a letter to its ranks: "
                                  "put what is constant and large into the config",
                                  next->number);
        return st == TY_ERR_COMM ? close_team(p, at, p->s->app->ctx.message) : st;
    }
    p->own = json_dumps(order, JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_decref(order);
    return p->own ? TY_OK : ty_fail_nomem(&p->s->app->ctx, "a trial's order");
}

/* The others first: rank 0 hears nobody while its own trial is opened. -1: none is free. */
static int free_team(const post *p) {
    for (int i = p->s->n_slots - 1; i >= 0; i--)
        if (!p->teams[i].is_busy && !p->teams[i].is_closed)
            return i;
    return -1;
}

static ty_status give_out(post *p) {
    int at = free_team(p);
    while (at >= 0) {
        const ty_trial *next = NULL;
        char worker[32];
        (void)snprintf(worker, sizeof worker, "group %d", at);
        TY_TRY(sweep_next(p->s, worker, &next));
        if (!next)
            return TY_OK;
        TY_TRY(begin(p, at, next));
        at = free_team(p);
    }
    return TY_OK;
}

/* --- letters ------------------------------------------------------------------------------------ */

static double number_at(const json_t *letter, const char *key) {
    const json_t *value = json_object_get(letter, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static const char *text_at(const json_t *letter, const char *key) {
    const char *text = json_string_value(json_object_get(letter, key));
    return text ? text : "";
}

static ty_status hear_end(post *p, int at, const json_t *letter) {
    const slot_news news = {.kind = SLOT_END,
                            .slot = at,
                            .trial = p->teams[at].trial,
                            .end = text_at(letter, "end"),
                            .reason = text_at(letter, "reason"),
                            .run = text_at(letter, "run"),
                            .run_id = text_at(letter, "run_id"),
                            .code = (int)json_integer_value(json_object_get(letter, "code"))};
    look_for_signals(p); /* it may have ended for one: then it goes on with the sweep */
    p->teams[at].is_busy = false;
    return sweep_hear_end(p->s, &news);
}

static ty_status judge(post *p, int at, const json_t *letter) {
    const slot_news news = {.kind = SLOT_REPORT,
                            .slot = at,
                            .trial = p->teams[at].trial,
                            .step = number_at(letter, "step"),
                            .epoch = number_at(letter, "epoch"),
                            .metrics = json_object_get(letter, "metrics")};
    return sweep_hear_report(p->s, &news);
}

static ty_status answer(post *p, int at) {
    char *text = sweep_answer(p->s, at);
    const ty_status st =
        sweep_send(p->r, leader_of(p, at), text ? json_loads(text, 0, NULL) : NULL);
    free(text);
    return st == TY_ERR_COMM ? close_team(p, at, p->s->app->ctx.message) : st;
}

/* What is late, of a trial that is another group's by now, says nothing. */
static bool is_of_its_trial(const post *p, int at, const json_t *letter) {
    const json_t *number = json_object_get(letter, "trial");
    return p->teams[at].is_busy && json_is_integer(number) &&
           (size_t)json_integer_value(number) == p->teams[at].trial;
}

static ty_status hear(post *p, int at, const json_t *letter) {
    p->has_news = true;
    if (json_object_get(letter, "broken"))
        return close_team(p, at, text_at(letter, "broken"));
    if (sweep_hears_stop(p->r, letter) || !is_of_its_trial(p, at, letter))
        return TY_OK;
    if (json_is_string(json_object_get(letter, "end")))
        return hear_end(p, at, letter);
    TY_TRY(judge(p, at, letter));
    return answer(p, at);
}

static ty_status take_letters(post *p, double wait_s) {
    for (bool found = true; found; wait_s = 0) {
        ty_letter letter;
        TY_TRY(ty_mail_take(&p->s->app->ctx, p->r->mail, wait_s, &letter, &found));
        const int at = found ? letter.rank / p->r->per_trial : 0;
        json_t *json =
            found && at < p->s->n_slots ? json_loadb(letter.data, letter.bytes, 0, NULL) : NULL;
        const ty_status st = json ? hear(p, at, json) : TY_OK;
        json_decref(json);
        TY_TRY(st);
    }
    return TY_OK;
}

/* --- deaths ------------------------------------------------------------------------------------ */

/* Where only a member died, the leader says so: until then it has the run. */
static ty_status look_for_the_dead(post *p) {
    for (int i = 1; i < p->s->n_slots; i++) {
        char words[64];
        (void)snprintf(words, sizeof words, "rank %d is gone", leader_of(p, i));
        if (!p->teams[i].is_closed && ty_comm_is_gone(p->r->world, leader_of(p, i)))
            TY_TRY(close_team(p, i, words));
    }
    return TY_OK;
}

/* --- turns -------------------------------------------------------------------------------------- */

/* What looks at files and processes is not for every step. */
static ty_status keep_house(post *p) {
    enum { pause_ms = 250 };
    const int64_t now_ns = ty_now_ns(&p->s->app->ctx);
    if (now_ns - p->looked_ns < (int64_t)pause_ms * 1000000)
        return TY_OK;
    p->looked_ns = now_ns;
    p->has_news = true; /* a rest may be over */
    if (p->r->signals.stop == 0 && sweep_is_asked_to_stop(p->s))
        p->r->signals.stop = SIGUSR1;
    sweep_look_at_clock(p->s);
    sweep_tell_progress(p->s);
    sweep_write_along(p->s);
    return look_for_the_dead(p);
}

static ty_status turn(post *p, double wait_s) {
    TY_TRY(keep_house(p));
    look_for_signals(p);
    if (p->has_news)
        TY_TRY(give_out(p));
    p->has_news = false;
    return take_letters(p, p->own ? 0 : wait_s);
}

static ty_answer serve(void *self, const ty_event *event, const char **reason) {
    post *p = self;
    if (p->st == TY_OK && (event->kind == TY_EVENT_STEP || event->kind == TY_EVENT_EVAL))
        p->st = turn(p, 0);
    if (p->st == TY_OK)
        return TY_CONTINUE;
    *reason = "the sweep has failed";
    return TY_PAUSE;
}

static ty_status judge_here(post *p, const json_t *letter) {
    TY_TRY(judge(p, 0, letter));
    char *text = sweep_answer(p->s, 0);
    ty_text_clear(&p->r->answer);
    ty_text_add(&p->r->answer, text ? text : "");
    free(text);
    return TY_OK;
}

/* Rank 0's own trial needs no letter. */
static bool say_here(void *self, const char *text, size_t bytes) {
    post *p = self;
    json_t *letter = json_loadb(text, bytes, 0, NULL);
    if (p->st == TY_OK && is_of_its_trial(p, 0, letter))
        p->st = json_object_get(letter, "end") ? hear_end(p, 0, letter) : judge_here(p, letter);
    json_decref(letter);
    return p->st == TY_OK;
}

static trial_heard hear_here(void *self, const char **text) {
    post *p = self;
    *text = ty_text_string(&p->r->answer);
    return TRIAL_HEARD_WORD;
}

static ty_status train_own(post *p) {
    const trial_line way = {.say = say_here, .hear = hear_here, .self = p};
    const ty_observer pump = {.notify = serve, .self = p};
    char *order = p->own;
    p->own = NULL;
    sweep_group_train(p->r, order, &way, &pump);
    p->has_news = true;
    free(order);
    return p->st;
}

/* A group that waits is told that there is nothing, and one that has lost a rank is closed. */
static ty_status rest(post *p) {
    if (!p->r->is_broken)
        sweep_group_rest(p->r);
    return p->r->is_broken ? close_team(p, 0, p->s->app->ctx.message) : TY_OK;
}

static ty_status one_turn(post *p) {
    const double wait_s = 0.2;
    TY_TRY(turn(p, wait_s));
    if (p->own)
        TY_TRY(train_own(p));
    return rest(p);
}

static bool has_teams(const post *p) {
    for (int i = 0; i < p->s->n_slots; i++)
        if (!p->teams[i].is_closed)
            return true;
    return false;
}

static ty_status run(post *p) {
    sweep *s = p->s;
    while (p->st == TY_OK && (s->n_running > 0 || !(s->is_done || s->stop))) {
        p->st = one_turn(p);
        if (p->st == TY_OK && !has_teams(p))
            p->st = ty_fail(&s->app->ctx, TY_ERR_COMM,
                            "every group has lost a rank; the same command goes on");
    }
    sweep_write_along(s);
    return sweep_outcome(s, p->st);
}

/* --- the end ------------------------------------------------------------------------------------ */

static void tell_pause(post *p, int rank) {
    (void)sweep_send(p->r, rank,
                     json_pack("{s:s, s:s}", "answer", "pause", "reason", "the sweep failed"));
}

/* What trials say of a sweep that has failed is for the next start. False: no letters come any more. */
static bool hear_the_last(post *p) {
    ty_letter letter;
    bool found = false;
    if (ty_mail_take(&p->s->app->ctx, p->r->mail, 0.2, &letter, &found) != TY_OK)
        return false;
    if (!found)
        return true;
    const int at = letter.rank / p->r->per_trial;
    json_t *json = json_loadb(letter.data, letter.bytes, 0, NULL);
    if (at < p->s->n_slots && json_object_get(json, "end"))
        p->teams[at].is_busy = false;
    else if (at < p->s->n_slots && json_object_get(json, "metrics"))
        tell_pause(p, letter.rank);
    json_decref(json);
    return true;
}

static bool others_are_busy(const post *p) {
    for (int i = 1; i < p->s->n_slots; i++)
        if (p->teams[i].is_busy && !ty_comm_is_gone(p->r->world, leader_of(p, i)))
            return true;
    return false;
}

static void wait_for_the_busy(post *p) {
    enum { patience_s = 30 };
    const int64_t end_ns = ty_now_ns(&p->s->app->ctx) + (int64_t)patience_s * 1000000000;
    bool has_mail = true;
    tell_stop(p, SIGUSR1);
    for (int i = 1; i < p->s->n_slots; i++) /* it may wait for the answer that failed */
        if (p->teams[i].is_busy)
            tell_pause(p, leader_of(p, i));
    while (has_mail && others_are_busy(p) && ty_now_ns(&p->s->app->ctx) < end_ns)
        has_mail = hear_the_last(p);
}

static void send_home(post *p, ty_status st) {
    for (int rank = 1; rank < ty_comm_size(p->r->world); rank++)
        (void)sweep_send(p->r, rank, json_pack("{s:i}", "leave", (int)st));
    sweep_group_dismiss(p->r);
}

ty_status sweep_post_run(sweep_ranks *r, sweep *s) {
    char kept[TY_MESSAGE_BYTES];
    post p = {.r = r, .s = s};
    s->begun_ns = ty_now_ns(&s->app->ctx);
    p.teams = ty_arena_array(&s->arena, (size_t)s->n_slots, sizeof *p.teams);
    p.st = p.teams ? sweep_keep_disk(s) : ty_fail_nomem(&s->app->ctx, "the groups of a sweep");
    const ty_status st = run(&p);
    memcpy(kept, s->app->ctx.message, sizeof kept);
    if (p.st != TY_OK && p.teams)
        wait_for_the_busy(&p);
    send_home(&p, st);
    memcpy(s->app->ctx.message, kept, sizeof kept);
    free(p.own);
    return st;
}
