/* Any other loop: `sweep ask` gives a trial out, `sweep tell` takes what became of it, `sweep enqueue` says
 * what is tried next. Each opens the sweep, writes one record and leaves; a trial belongs to who asked for
 * an hour after its last word. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/sweep/sweep.h"

enum { LEASE_S = 3600, PATIENCE_MS = 5000 };

static ty_status open_for_asking(sweep *s, const char *what) {
    s->lease_s = LEASE_S;
    const char *kept =
        ty_arena_printf(&s->app->memory, "%s/sweeps/%s/sweep.json", s->app->folder, what);
    if (!kept)
        return ty_fail_nomem(&s->app->ctx, "a path");
    return sweep_open_study(s, ty_file_exists(&s->app->ctx, kept) ? kept : what);
}

/* Another ask or tell takes a moment, which is waited for; who runs the trials itself has it for long. */
static ty_status open_alone(sweep *s, const char *what) {
    char words[TY_MESSAGE_BYTES / 2];
    s->patience_ms = PATIENCE_MS;
    const ty_status st = open_for_asking(s, what);
    if (st != TY_ERR_BUSY)
        return st;
    (void)snprintf(words, sizeof words, "%.*s", (int)sizeof words - 1, s->app->ctx.message);
    return ty_fail(&s->app->ctx, st,
                   "%s; another ask or tell is done in a moment: try again; one that runs its "
                   "trials itself ends by `tiltyard sweep stop %s`",
                   words, s->file.stem ? s->file.stem : what);
}

static void print(cli *app, json_t *line) {
    char *text = json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(17));
    console_print(&app->console, text ? text : "");
    console_print(&app->console, "\n");
    free(text);
    json_decref(line);
}

static void print_ask(sweep *s, const ty_ask *ask) {
    static const char *const kinds[] = {"trial", "wait", "done"};
    if (ask->kind == TY_ASK_TRIAL)
        print(s->app, json_pack("{s:s, s:I, s:b, s:o}", "kind", kinds[ask->kind], "trial",
                                (json_int_t)ask->trial->number, "goes_on", ask->goes_on, "params",
                                ty_trial_params(ask->trial)));
    else
        print(s->app, json_pack("{s:s, s:s}", "kind", kinds[ask->kind], "reason", ask->reason));
}

ty_status sweep_ask(cli *app) {
    sweep s = {.app = app};
    ty_ask ask;
    ty_status st = open_alone(&s, app->args.operand[1]);
    const char *worker = args_value(&app->args, "worker");
    if (st == TY_OK)
        st = ty_study_ask(&app->ctx, s.study, worker ? worker : "ask", &ask);
    if (st == TY_OK) {
        sweep_write_along(&s);
        print_ask(&s, &ask);
    }
    sweep_close(&s);
    return st;
}

/* --- tell --------------------------------------------------------------------------------------- */

static ty_status read_number(cli *app, const char *what, const char *text, double *out) {
    char *end = NULL;
    *out = strtod(text, &end);
    return end != text && *end == 0
               ? TY_OK
               : ty_fail(&app->ctx, TY_ERR_ARG, "%s is \"%s\", want a number", what, text);
}

/* What comes too late is nobody's error: it is said, and changes nothing. */
static const char *why_superseded(const sweep *s, const ty_trial *t, char *out, size_t size) {
    if (t->state == TY_TRIAL_RUNNING)
        (void)snprintf(out, size, "it is worker %s's by now", t->worker);
    else
        (void)snprintf(out, size, "it has ended: %s", sweep_word_of(t));
    return ty_study_is_superseded(s->study, t->number, args_value(&s->app->args, "worker")) ? out
                                                                                            : NULL;
}

static void print_answer(sweep *s, size_t trial, const char *answer, const char *reason) {
    print(s->app, json_pack("{s:I, s:s, s:o}", "trial", (json_int_t)trial, "answer", answer,
                            "reason", ty_json_string(reason)));
}

/* Where there is a --step the trial goes on, and the answer says whether it should. */
static ty_status report(sweep *s, size_t trial, double value, const char *step) {
    static const char *const answers[] = {"continue", "stop", "pause"};
    ty_report said = {
        .resource = NAN, .value = value, .worker = args_value(&s->app->args, "worker")};
    ty_decision decision;
    char words[160];
    TY_TRY(read_number(s->app, "--step", step, &said.step));
    if (!isfinite(said.step))
        return ty_fail(&s->app->ctx, TY_ERR_ARG, "--step is \"%s\", want a finite number", step);
    const char *late = why_superseded(s, ty_study_trial(s->study, trial), words, sizeof words);
    if (late) {
        print_answer(s, trial, answers[TY_STOP], late);
        return TY_OK;
    }
    said.resource = s->file.resource == TY_RESOURCE_REPORTS ? NAN : said.step;
    TY_TRY(ty_study_report(&s->app->ctx, s->study, trial, &said, &decision));
    print_answer(s, trial, answers[decision.answer], decision.reason);
    return TY_OK;
}

/* How far a trial is beyond the limits, its own loop has measured. */
static ty_status read_violation(const sweep *s, ty_trial_state state, double *out) {
    cli *app = s->app;
    const char *text = args_value(&app->args, "violation");
    *out = 0;
    if (!text && state == TY_TRIAL_COMPLETE && s->file.limit_count > 0)
        return ty_fail(&app->ctx, TY_ERR_ARG,
                       "%s has a limit: --violation says by how much the trial is beyond all "
                       "limits; 0 keeps them",
                       s->file.limits[0].metric);
    if (text)
        TY_TRY(read_number(app, "--violation", text, out));
    return *out >= 0
               ? TY_OK
               : ty_fail(&app->ctx, TY_ERR_ARG, "--violation is \"%s\", want 0 or more", text);
}

static ty_status tell_end(sweep *s, size_t trial, double value, const char *state) {
    static const char *const names[] = {"running", "complete", "pruned", "paused", "failed"};
    int at = TY_TRIAL_COMPLETE;
    while (state && at <= TY_TRIAL_FAILED && strcmp(names[at], state) != 0)
        at++;
    if (at > TY_TRIAL_FAILED)
        return ty_fail(&s->app->ctx, TY_ERR_ARG,
                       "--state is \"%s\", want complete, pruned, paused or failed", state);
    ty_told told = {.state = (ty_trial_state)at,
                    .value = value,
                    .reason = "",
                    .worker = args_value(&s->app->args, "worker")};
    const ty_trial *t = ty_study_trial(s->study, trial);
    char words[160];
    TY_TRY(read_violation(s, told.state, &told.violation));
    const char *late = why_superseded(s, t, words, sizeof words);
    if (late) {
        console_say(&s->app->console, "trial %zu: %s; what is told now is left out", trial, late);
        return TY_OK;
    }
    TY_TRY(ty_study_tell(&s->app->ctx, s->study, trial, &told));
    sweep_tell_trial(s, t);
    return TY_OK;
}

static ty_status tell(sweep *s) {
    const args *a = &s->app->args;
    double trial = 0, value = NAN;
    TY_TRY(read_number(s->app, "the trial", a->operand[2], &trial));
    if (!(trial >= 0 && trial < (double)ty_study_count(s->study) && floor(trial) == trial))
        return ty_fail(&s->app->ctx, TY_ERR_NOT_FOUND, "there is no trial %s; the sweep has %zu",
                       a->operand[2], ty_study_count(s->study));
    if (a->n_operands > 3)
        TY_TRY(read_number(s->app, "the value", a->operand[3], &value));
    return args_has(a, "step") ? report(s, (size_t)trial, value, args_value(a, "step"))
                               : tell_end(s, (size_t)trial, value, args_value(a, "state"));
}

ty_status sweep_tell(cli *app) {
    sweep s = {.app = app};
    ty_status st = open_alone(&s, app->args.operand[1]);
    if (st == TY_OK)
        st = tell(&s);
    if (st == TY_OK)
        sweep_write_along(&s);
    sweep_close(&s);
    return st;
}

/* --- enqueue ------------------------------------------------------------------------------------ */

/* "key=value": the value is read as JSON and, where it is none, is text. */
static ty_status add_member(ty_ctx *ctx, const char *word, json_t *point) {
    const char *equals = strchr(word, '=');
    if (!equals || equals == word)
        return ty_fail(ctx, TY_ERR_ARG, "\"%.80s\" is no NAME=VALUE", word);
    json_t *value = json_loads(equals + 1, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    char *name = strndup(word, (size_t)(equals - word));
    const int failed =
        name ? json_object_set_new(point, name, value ? value : json_string(equals + 1)) : -1;
    free(name);
    return failed == 0 ? TY_OK : ty_fail_nomem(ctx, "a point");
}

static ty_status read_point(cli *app, json_t **out) {
    json_t *point = json_object();
    ty_status st = point ? TY_OK : ty_fail_nomem(&app->ctx, "a point");
    for (int i = 2; st == TY_OK && i < app->args.n_operands; i++)
        st = add_member(&app->ctx, app->args.operand[i], point);
    *out = point;
    return st;
}

static ty_status as_argument(ty_status st) {
    return st == TY_ERR_CONFIG ? TY_ERR_ARG : st;
}

static ty_status enqueue(sweep *s, const json_t *point) {
    TY_TRY(as_argument(ty_study_enqueue(&s->app->ctx, s->study, point)));
    const size_t n = ty_study_queued(s->study);
    console_say(&s->app->console, "%s tries it next; %zu point%s", s->file.stem, n,
                n == 1 ? " waits" : "s wait");
    return TY_OK;
}

/* For the process that runs it now. */
static ty_status leave(cli *app, const char *name, const json_t *point) {
    sweep s = {.app = app};
    ty_status st = sweep_open_named(&s, name);
    if (st == TY_OK)
        st = as_argument(ty_study_leave_point(&app->ctx, s.study, s.journal, point));
    if (st == TY_OK)
        console_say(&app->console, "queued; the running sweep takes it at its next trial");
    sweep_close(&s);
    return st;
}

static ty_status enqueue_somehow(cli *app, const json_t *point) {
    sweep s = {.app = app};
    ty_status st = open_for_asking(&s, app->args.operand[1]);
    const char *name = s.file.stem ? ty_arena_string(&app->memory, s.file.stem) : NULL;
    if (st == TY_OK)
        st = enqueue(&s, point);
    sweep_close(&s);
    return st == TY_ERR_BUSY && name ? leave(app, name, point) : st;
}

ty_status sweep_enqueue(cli *app) {
    json_t *point = NULL;
    ty_status st = read_point(app, &point);
    if (st == TY_OK)
        st = enqueue_somehow(app, point);
    json_decref(point);
    return st;
}
