/* One group of ranks: its leader waits for letters, all train what it is told. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/sweep/sweep_ranks.h"
#include "cli/train/train_run.h"

/* What the leader tells its group before the order itself. */
enum { REST = 0, DISMISS = -1 };

/* How long is waited for a letter at a time: the group waits too, with a deadline. */
static const double patience_s = 0.2;

/* --- letters ------------------------------------------------------------------------------------ */

ty_status sweep_send(sweep_ranks *r, int rank, json_t *take_json) {
    char *text = take_json ? json_dumps(take_json, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    const ty_status st = text ? ty_mail_send(&r->app->ctx, r->mail, rank, text, strlen(text))
                              : ty_fail_nomem(&r->app->ctx, "a letter");
    free(text);
    json_decref(take_json);
    return st;
}

bool sweep_hears_stop(sweep_ranks *r, const json_t *letter) {
    const json_t *stop = json_object_get(letter, "stop");
    if (!json_is_integer(stop))
        return false;
    if (r->signals.stop == 0 || json_integer_value(stop) < 0)
        r->signals.stop = (int)json_integer_value(stop);
    return true;
}

/* The next letter from rank 0; NULL: none came in time. */
static json_t *take_letter(sweep_ranks *r, double wait_s) {
    ty_letter letter;
    bool found = false;
    r->is_cut_off = ty_mail_take(&r->app->ctx, r->mail, wait_s, &letter, &found) != TY_OK;
    if (r->is_cut_off || !found)
        return NULL;
    return json_loadb(letter.data, letter.bytes, 0, NULL);
}

/* What may come at any time. */
static void hear(sweep_ranks *r, const json_t *letter) {
    const json_t *leave = json_object_get(letter, "leave");
    (void)sweep_hears_stop(r, letter);
    if (!json_is_integer(leave))
        return;
    r->is_dismissed = true;
    r->left = (ty_status)json_integer_value(leave);
    r->signals.stop = r->signals.stop ? (int)r->signals.stop : SIGUSR1;
}

static bool scheduler_is_gone(const sweep_ranks *r) {
    return r->is_cut_off || ty_comm_is_gone(r->world, 0);
}

/* --- a trial ------------------------------------------------------------------------------------ */

static void log_line(void *self, ty_log_level level, const char *topic, const char *line) {
    (void)level;
    (void)fprintf(self, "%s: %s\n", topic, line);
    (void)fflush(self);
}

static const char *text_of(const json_t *order, const char *key) {
    const char *text = json_string_value(json_object_get(order, key));
    return text ? text : "";
}

/* An app that says nothing: a trial's words go into its log. */
static void open_app(const sweep_ranks *r, cli *app, FILE *log) {
    *app = (cli){.folder = r->app->folder, .argc = r->app->argc, .argv = r->app->argv};
    ty_ctx_init_child(&app->ctx, &r->app->ctx);
    app->ctx.rank = r->app->ctx.rank;
    app->ctx.log = (ty_log_sink){.write = log ? log_line : NULL,
                                 .self = log,
                                 .max_level = log ? r->app->ctx.log.max_level : TY_LOG_ERROR};
    console_init(&app->console, &app->ctx, true, false, "never");
    app->console.rank = -1; /* nobody's */
}

static void close_app(cli *app) {
    console_clear(&app->console);
    ty_arena_clear(&app->memory);
    ty_ctx_clear(&app->ctx);
}

/* NULL: no memory. */
static const train_tag *tags_of(ty_arena *arena, const json_t *order, int64_t *n) {
    json_t *tags = json_object_get(order, "tags");
    train_tag *v = ty_arena_array(arena, json_object_size(tags) + 1, sizeof *v);
    const char *key;
    json_t *value;
    if (!v)
        return NULL;
    v[(*n)++] = (train_tag){"mlflow.parentRunId", text_of(order, "parent")};
    json_object_foreach(tags, key, value)
        v[(*n)++] = (train_tag){key, json_string_value(value)};
    return v;
}

static ty_status train(sweep_ranks *r, cli *app, const json_t *order, const ty_observers *observers,
                       trial *t, train_outcome *out) {
    const json_t *sets = json_object_get(order, "sets");
    const size_t n = json_array_size(sets);
    int64_t n_tags = 0;
    const char **words = ty_arena_array(&app->memory, n + 1, sizeof *words);
    const train_tag *tags = tags_of(&app->memory, order, &n_tags);
    if (!words || !tags)
        return ty_comm_agree(&app->ctx, r->group, ty_fail_nomem(&app->ctx, "a trial"));
    for (size_t i = 0; i < n; i++)
        words[i] = json_string_value(json_array_get(sets, i));
    const train_wish wish = {.config = "config.json",
                             .text = r->config,
                             .sets = words,
                             .n_sets = (int)n,
                             .name = text_of(order, "name"),
                             .leaves_test_alone = true,
                             .comm = r->group,
                             .stop_signal = &r->signals.stop,
                             .facts = &r->facts,
                             .observers = observers->v,
                             .n_observers = observers->n,
                             .trial = t,
                             .tags = tags,
                             .n_tags = n_tags};
    return train_run_once(app, &wish, out);
}

/* A signal that this rank alone heard is for everybody. */
static void pass_stop_on(sweep_ranks *r, ty_status st) {
    if (r->app->ctx.rank != 0 && r->signals.stop != 0 && st != TY_OK)
        (void)sweep_send(r, 0, json_pack("{s:i}", "stop", (int)r->signals.stop));
}

/* Rank 0 knows it of its own group. */
static void tell_broken(sweep_ranks *r, const char *why) {
    if (!r->is_broken || r->has_told_broken || r->app->ctx.rank == 0)
        return;
    r->has_told_broken = sweep_send(r, 0, json_pack("{s:s}", "broken", why)) == TY_OK;
}

/* That the group is broken goes first: after the end alone it would be given the trial again. */
static void tell_end(sweep_ranks *r, trial *t, ty_status st, const cli *app,
                     const train_outcome *out) {
    pass_stop_on(r, st);
    tell_broken(r, app->ctx.message);
    const trial_last last = {ty_status_exit_code(st), st == TY_OK ? out->reason : app->ctx.message,
                             out->run_folder, out->run_id};
    trial_tell_end(t, trial_end_of(t, st, out->is_complete), &last);
}

/* Of a trial that could not even be opened: rank 0 would wait for its end. */
static void tell_unbegun(const trial_line *way, const json_t *order) {
    char text[128];
    (void)snprintf(
        text, sizeof text,
        "{\"trial\": %lld, \"end\": \"failed\", \"code\": %d, \"reason\": \"no memory\"}",
        (long long)json_integer_value(json_object_get(order, "begin")),
        ty_status_exit_code(TY_ERR_NOMEM));
    (void)way->say(way->self, text, strlen(text));
}

/* Ranks: of the group. way and pump: the leader's alone. */
static void train_order(sweep_ranks *r, const json_t *order, const trial_line *way,
                        const ty_observer *pump) {
    cli app;
    train_outcome out = {0};
    trial *t = NULL;
    ty_observer both[2];
    ty_observers observers = {.v = both, .n = way ? 2 : 0};
    FILE *log = way ? fopen(text_of(order, "log"), "a") : NULL;
    const int no_log = errno;
    open_app(r, &app, log);
    ty_status st = TY_OK;
    if (way)
        st = trial_open_on(&app.ctx, json_integer_value(json_object_get(order, "begin")), way, &t);
    if (way && !log && st == TY_OK)
        st = ty_fail_errno(&app.ctx, no_log, "%s", text_of(order, "log"));
    st = ty_comm_agree(&app.ctx, r->group, st);
    if (t) {
        both[0] = trial_observer(t);
        both[1] = *pump;
    }
    if (st == TY_OK)
        st = train(r, &app, order, &observers, t, &out);
    r->is_broken = st == TY_ERR_COMM;
    if (log && st != TY_OK)
        (void)fprintf(log, "%s\n", app.ctx.message);
    if (t)
        tell_end(r, t, st, &app, &out);
    else if (way)
        tell_unbegun(way, order);
    trial_close(t);
    close_app(&app);
    if (log)
        (void)fclose(log);
}

/* --- the leader --------------------------------------------------------------------------------- */

static ty_status tell_group(sweep_ranks *r, int64_t what) {
    const ty_status st = ty_comm_size(r->group) > 1
                             ? ty_comm_broadcast(&r->app->ctx, r->group, 0, &what, sizeof what)
                             : TY_OK;
    r->is_broken = r->is_broken || st != TY_OK;
    return st;
}

void sweep_group_rest(sweep_ranks *r) {
    (void)tell_group(r, REST);
}

void sweep_group_dismiss(sweep_ranks *r) {
    if (r->group && !r->is_broken)
        (void)tell_group(r, DISMISS);
}

void sweep_group_train(sweep_ranks *r, const char *order, const trial_line *way,
                       const ty_observer *pump) {
    json_t *json = json_loads(order, 0, NULL);
    const int64_t bytes = (int64_t)strlen(order);
    ty_status st = tell_group(r, bytes);
    if (st == TY_OK && ty_comm_size(r->group) > 1)
        st = ty_comm_broadcast(&r->app->ctx, r->group, 0, (void *)(uintptr_t)order, (size_t)bytes);
    r->is_broken = r->is_broken || st != TY_OK;
    if (st == TY_OK)
        train_order(r, json, way, pump);
    json_decref(json);
}

/* --- a leader that is not rank 0 ---------------------------------------------------------------- */

static bool say_by_letter(void *self, const char *text, size_t bytes) {
    sweep_ranks *r = self;
    return ty_mail_send(&r->app->ctx, r->mail, 0, text, bytes) == TY_OK;
}

static void keep_answer(sweep_ranks *r, const json_t *letter) {
    char *text = json_dumps(letter, JSON_COMPACT);
    ty_text_clear(&r->answer);
    ty_text_add(&r->answer, text ? text : "");
    free(text);
}

/* Rank 0 answers between two of its own steps. */
static trial_heard hear_by_letter(void *self, const char **text) {
    sweep_ranks *r = self;
    json_t *letter = take_letter(r, patience_s);
    const bool is_silent = !letter, is_answer = json_object_get(letter, "answer") != NULL;
    if (is_answer)
        keep_answer(r, letter);
    else
        hear(r, letter);
    json_decref(letter);
    *text = is_answer ? ty_text_string(&r->answer) : NULL;
    if (is_answer)
        return TRIAL_HEARD_WORD;
    return r->is_dismissed || (is_silent && scheduler_is_gone(r)) ? TRIAL_HEARD_END
                                                                  : TRIAL_HEARD_NOTHING;
}

static ty_answer look_for_letters(void *self, const ty_event *event, const char **reason) {
    sweep_ranks *r = self;
    (void)reason;
    json_t *letter = event->kind == TY_EVENT_STEP ? take_letter(r, 0) : NULL;
    hear(r, letter);
    json_decref(letter);
    return TY_CONTINUE;
}

static void follow(sweep_ranks *r, const json_t *order) {
    const trial_line way = {.say = say_by_letter, .hear = hear_by_letter, .self = r};
    const ty_observer pump = {.notify = look_for_letters, .self = r};
    char *text = json_dumps(order, JSON_COMPACT);
    if (text)
        sweep_group_train(r, text, &way, &pump);
    else
        tell_unbegun(&way, order);
    free(text);
}

/* What rank 0 wants of a rank that has nothing to train, or leads. */
static void obey(sweep_ranks *r, const json_t *letter) {
    if (json_object_get(letter, "begin") && r->group && !r->is_broken)
        follow(r, letter);
    else
        hear(r, letter);
}

static ty_status lose_scheduler(sweep_ranks *r) {
    return ty_fail(&r->app->ctx, TY_ERR_COMM,
                   "rank 0, which runs the sweep, is gone; the same command goes on");
}

/* Obeys a letter, if one comes in time; false: it is over. */
static bool obey_next(sweep_ranks *r, bool *was_idle) {
    json_t *letter = take_letter(r, patience_s);
    *was_idle = !letter;
    if (letter)
        obey(r, letter);
    json_decref(letter);
    return !r->is_dismissed && !(*was_idle && scheduler_is_gone(r));
}

static void lead(sweep_ranks *r) {
    bool is_idle = false;
    while (obey_next(r, &is_idle)) {
        if (is_idle && !r->is_broken)
            sweep_group_rest(r);
        tell_broken(r, "a rank of it is gone");
    }
    sweep_group_dismiss(r);
}

/* --- everybody else ----------------------------------------------------------------------------- */

static ty_status train_passed_on(sweep_ranks *r, int64_t bytes) {
    char *text = calloc(1, (size_t)bytes + 1);
    if (!text)
        return ty_fail_nomem(&r->app->ctx, "a trial's order");
    const ty_status st = ty_comm_broadcast(&r->app->ctx, r->group, 0, text, (size_t)bytes);
    json_t *order = st == TY_OK ? json_loads(text, 0, NULL) : NULL;
    if (order)
        train_order(r, order, NULL, NULL);
    json_decref(order);
    free(text);
    return st;
}

static void follow_leader(sweep_ranks *r) {
    int64_t what = REST;
    while (!r->is_broken && what != DISMISS) {
        ty_status st = ty_comm_broadcast(&r->app->ctx, r->group, 0, &what, sizeof what);
        if (st == TY_OK && what > 0)
            st = train_passed_on(r, what);
        r->is_broken = r->is_broken || st != TY_OK;
    }
}

static void wait_for_the_end(sweep_ranks *r) {
    bool is_idle = false;
    while (obey_next(r, &is_idle))
        continue;
}

ty_status sweep_ranks_work(sweep_ranks *r) {
    const bool leads = r->group && ty_comm_rank(r->group) == 0;
    if (leads)
        lead(r);
    else if (r->group)
        follow_leader(r);
    if (!leads)
        wait_for_the_end(r);
    if (!r->is_dismissed)
        return lose_scheduler(r);
    if (r->left != TY_OK) /* rank 0 says why */
        (void)ty_fail(&r->app->ctx, r->left, "rank 0 has ended the sweep");
    return r->left;
}
