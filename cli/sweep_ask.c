/* Any other loop: `sweep ask` gives a trial out, `sweep tell` takes what became of it. Each opens the
 * sweep, writes one record and leaves; a trial belongs to who asked for an hour after its last word. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/sweep.h"

enum { LEASE_S = 3600 };

static ty_status open_for_asking(sweep *s, const char *what) {
    s->lease_s = LEASE_S;
    const char *kept =
        ty_arena_printf(&s->app->memory, "%s/sweeps/%s/sweep.json", s->app->folder, what);
    if (!kept)
        return ty_fail_nomem(&s->app->ctx, "a path");
    return sweep_open_study(s, ty_file_exists(&s->app->ctx, kept) ? kept : what);
}

static json_t *point_as_json(const sweep *s, const ty_trial *t) {
    json_t *all = json_object();
    for (size_t i = 0; i < s->file.fixed_count; i++)
        (void)json_object_set_new(all, s->file.fixed[i].name,
                                  json_deep_copy(s->file.fixed[i].value));
    for (size_t d = 0; d < s->file.space.count; d++)
        if (!isnan(t->x[d]))
            (void)json_object_set_new(all, s->file.space.params[d].name,
                                      ty_param_to_json(&s->file.space.params[d], t->x[d]));
    return all;
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
                                point_as_json(s, ask->trial)));
    else
        print(s->app, json_pack("{s:s, s:s}", "kind", kinds[ask->kind], "reason", ask->reason));
}

ty_status sweep_ask(cli *app) {
    sweep s = {.app = app};
    ty_ask ask;
    ty_status st = open_for_asking(&s, app->args.operand[1]);
    if (st == TY_OK)
        st = ty_study_ask(&app->ctx, s.study, "ask", &ask);
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

/* Where there is a --step the trial goes on, and the answer says whether it should. */
static ty_status report(sweep *s, size_t trial, double value, const char *step) {
    static const char *const answers[] = {"continue", "stop", "pause"};
    ty_report said = {.resource = NAN, .value = value};
    ty_decision decision;
    TY_TRY(read_number(s->app, "--step", step, &said.step));
    said.resource = s->file.resource == TY_RESOURCE_REPORTS ? NAN : said.step;
    TY_TRY(ty_study_report(&s->app->ctx, s->study, trial, &said, &decision));
    print(s->app, json_pack("{s:I, s:s, s:s}", "trial", (json_int_t)trial, "answer",
                            answers[decision.answer], "reason", decision.reason));
    return TY_OK;
}

static ty_status tell_end(sweep *s, size_t trial, double value, const char *state) {
    static const char *const names[] = {"running", "complete", "pruned", "paused", "failed"};
    int at = TY_TRIAL_COMPLETE;
    while (state && at <= TY_TRIAL_FAILED && strcmp(names[at], state) != 0)
        at++;
    if (at > TY_TRIAL_FAILED)
        return ty_fail(&s->app->ctx, TY_ERR_ARG,
                       "--state is \"%s\", want complete, pruned, paused or failed", state);
    const ty_told told = {.state = (ty_trial_state)at, .value = value, .reason = ""};
    TY_TRY(ty_study_tell(&s->app->ctx, s->study, trial, &told));
    sweep_tell_trial(s, ty_study_trial(s->study, trial));
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
    ty_status st = open_for_asking(&s, app->args.operand[1]);
    if (st == TY_OK)
        st = tell(&s);
    if (st == TY_OK)
        sweep_write_along(&s);
    sweep_close(&s);
    return st;
}
