#include "cli/sweep/trial.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/sweep/trial_past.h"

bool trial_is_one(const ty_ctx *ctx) {
    const char *text = ctx->getenv(TRIAL_VARIABLE);
    return text && *text;
}

static ty_status connect_to(ty_ctx *ctx, const char *name, int *out) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const size_t length = strlen(name);
    if (length + 2 > sizeof address.sun_path)
        return ty_fail(ctx, TY_ERR_ARG, TRIAL_VARIABLE " names no address of a sweep");
    memcpy(address.sun_path + 1, name, length); /* an abstract one: a 0 in front */
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return ty_fail_errno(ctx, errno, "opening a socket");
    const socklen_t bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
    if (connect(fd, (const struct sockaddr *)&address, bytes) != 0) {
        (void)close(fd);
        return ty_fail(ctx, TY_ERR_IO, "no sweep listens where " TRIAL_VARIABLE " says");
    }
    *out = fd;
    return TY_OK;
}

ty_status trial_open_on(ty_ctx *ctx, long long number, const trial_line *way, trial **out) {
    trial *t = calloc(1, sizeof *t);
    if (!t)
        return ty_fail_nomem(ctx, "a trial");
    *t = (trial){.ctx = ctx,
                 .way = *way,
                 .socket = -1,
                 .number = number,
                 .metrics = json_object(),
                 .reports = json_array(),
                 .value = NAN,
                 .violation = NAN};
    if (!t->metrics || !t->reports) {
        trial_close(t);
        return ty_fail_nomem(ctx, "a trial");
    }
    *out = t;
    return TY_OK;
}

void trial_close(trial *t) {
    if (!t)
        return;
    if (t->socket >= 0)
        (void)close(t->socket);
    json_decref(t->metrics);
    json_decref(t->reports);
    free(t);
}

/* --- the conversation --------------------------------------------------------------------------- */

static bool send_all(int fd, const char *text, size_t bytes) {
    while (bytes > 0) {
        const ssize_t sent = send(fd, text, bytes, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        text += sent;
        bytes -= (size_t)sent;
    }
    return true;
}

/* Rank 0 alone has something to say, and only it connects. */
static bool is_connected(trial *t) {
    return t->socket >= 0 || connect_to(t->ctx, t->address, &t->socket) == TY_OK;
}

static bool say_by_socket(void *self, const char *text, size_t bytes) {
    trial *t = self;
    return is_connected(t) && send_all(t->socket, text, bytes) && send_all(t->socket, "\n", 1);
}

/* The next line, without its end. */
static const char *read_line(trial *t) {
    for (t->received = 0; t->received < sizeof t->line - 1;) {
        const ssize_t got = recv(t->socket, t->line + t->received, 1, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return NULL;
        if (t->line[t->received] == '\n') {
            t->line[t->received] = 0;
            return t->line;
        }
        t->received++;
    }
    return NULL;
}

/* A line is sent whole: of one that has begun, the rest is there. */
static trial_heard hear_by_socket(void *self, const char **text) {
    enum { moment_ms = 200 };
    trial *t = self;
    struct pollfd one = {.fd = t->socket, .events = POLLIN};
    if (poll(&one, 1, moment_ms) <= 0)
        return TRIAL_HEARD_NOTHING;
    *text = read_line(t);
    return *text ? TRIAL_HEARD_WORD : TRIAL_HEARD_END;
}

ty_status trial_open(ty_ctx *ctx, trial **out) {
    char *end = NULL;
    const char *text = ctx->getenv(TRIAL_VARIABLE);
    const long long number = strtoll(text, &end, 10);
    const trial_line way = {.say = say_by_socket, .hear = hear_by_socket};
    if (end == text || *end != '@' || number < 0)
        return ty_fail(ctx, TY_ERR_ARG, TRIAL_VARIABLE " is not what a sweep writes there");
    TY_TRY(trial_open_on(ctx, number, &way, out));
    (*out)->way.self = *out;
    (void)snprintf((*out)->address, sizeof(*out)->address, "%s", end + 1);
    return TY_OK;
}

/* Takes json. */
static bool send_line(trial *t, json_t *json) {
    char *text = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    const bool is_sent = text && t->way.say(t->way.self, text, strlen(text));
    free(text);
    json_decref(json);
    return is_sent;
}

/* Nothing more is told but the end. */
static void end_for(trial *t, ty_answer answer, const char *reason) {
    t->answer = answer;
    (void)snprintf(t->reason, sizeof t->reason, "%s", reason);
    (void)json_array_clear(t->reports);
}

/* --- what the run is told ----------------------------------------------------------------------- */

static void tell(trial *t, ty_event event) {
    const char *reason = NULL;
    event.time_ns = ty_now_wall_ns(t->ctx);
    if (t->run.notify)
        (void)t->run.notify(t->run.self, &event, &reason);
}

static void tell_metric(trial *t, const char *key, double value) {
    if (isfinite(value))
        tell(t, (ty_event){.kind = TY_EVENT_METRIC,
                           .step = t->step,
                           .metric = {.key = key, .value = value}});
}

static void tell_tag(trial *t, const char *key, const char *value) {
    tell(t, (ty_event){.kind = TY_EVENT_TAG, .step = -1, .text = {.key = key, .value = value}});
}

static ty_answer pass_on(void *self, const ty_event *event, const char **reason) {
    trial *t = self;
    const ty_answer answer = t->run.notify(t->run.self, event, reason);
    t->was_stopped = t->was_stopped || answer == TY_STOP;
    return answer;
}

ty_observer trial_lend(trial *t, ty_observer run) {
    t->run = run;
    return (ty_observer){.notify = pass_on, .self = t};
}

static void tell_reason(trial *t, const char *reason) {
    ty_text json = {0};
    ty_text_add_json(&json, reason);
    if (*reason && !json.is_short)
        tell_tag(t, "user_reason", ty_text_string(&json));
    ty_text_clear(&json);
}

void trial_tell_run(trial *t, trial_end end, const char *reason) {
    char constraints[64];
    (void)snprintf(constraints, sizeof constraints, "[%.17g]", t->violation);
    if (end == TRIAL_PAUSED)
        return;
    if (isfinite(t->violation))
        tell_tag(t, "sys_constraints", constraints);
    tell_reason(t, end == TRIAL_COMPLETE ? "" : reason);
    if (end != TRIAL_FAILED)
        tell_metric(t, "value", t->value);
}

/* --- the answer --------------------------------------------------------------------------------- */

static double number_at(const json_t *json, const char *key) {
    const json_t *value = json_object_get(json, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* A sweep that says nothing of it leaves what was known. */
static void hear_worth(trial *t, const json_t *answer) {
    tell_metric(t, "intermediate_value", number_at(answer, "reported"));
    t->value = json_object_get(answer, "value") ? number_at(answer, "value") : t->value;
    t->violation = number_at(answer, "violation");
}

static void take_decision(trial *t, const json_t *json) {
    const char *answer = json_string_value(json_object_get(json, "answer"));
    const char *reason = json_string_value(json_object_get(json, "reason"));
    if (!answer)
        end_for(t, TY_PAUSE, "the sweep is gone");
    else if (strcmp(answer, "continue") != 0)
        end_for(t, strcmp(answer, "stop") == 0 ? TY_STOP : TY_PAUSE, reason ? reason : "");
    hear_worth(t, json);
}

static void listen_for_decision(trial *t) {
    const char *line = NULL;
    const trial_heard heard = t->way.hear(t->way.self, &line);
    if (heard == TRIAL_HEARD_NOTHING)
        return;
    json_t *json = heard == TRIAL_HEARD_WORD ? json_loads(line, 0, NULL) : NULL;
    t->is_waiting = false;
    take_decision(t, json);
    json_decref(json);
}

/* JSON has no NAN: null stands for what is no number. */
static void keep_metric(trial *t, const ty_event *e) {
    const double v = e->metric.value;
    json_t *value = isfinite(v) ? json_real(v) : json_null();
    (void)json_object_set_new(t->metrics, e->metric.key, value);
}

/* One at a time: whoever is told to stop has said no more than it had to. */
static void tell_next(trial *t) {
    if (t->is_waiting || json_array_size(t->reports) == 0)
        return;
    json_t *line = json_incref(json_array_get(t->reports, 0));
    (void)json_array_remove(t->reports, 0);
    t->step = json_integer_value(json_object_get(line, "step"));
    t->is_waiting = send_line(t, line);
    if (!t->is_waiting)
        end_for(t, TY_PAUSE, "the sweep is gone");
}

static void report(void *self, int64_t step, double epoch, json_t *metrics) {
    trial *t = self;
    json_t *line =
        json_pack("{s:I, s:I, s:f, s:o}", "trial", (json_int_t)t->number, "step", (json_int_t)step,
                  "epoch", isnan(epoch) ? 0 : epoch, "metrics", json_copy(metrics));
    if (!line || json_array_append_new(t->reports, line) != 0)
        end_for(t, TY_PAUSE, "no memory for what is to be reported");
}

static void begin(trial *t, const ty_event *e) {
    t->samples_per_epoch = e->start.samples_per_epoch;
    t->samples_per_step = e->start.samples_per_step;
    if (trial_past(t->ctx, e, report, t) != TY_OK)
        ty_log(t->ctx, TY_LOG_WARN, "trial", "what was evaluated before is not told: %s",
               t->ctx->message);
}

static double epoch_of(const trial *t, int64_t step) {
    return (double)(step * t->samples_per_step) / (double)t->samples_per_epoch;
}

static ty_answer notify(void *self, const ty_event *e, const char **reason) {
    trial *t = self;
    if (e->kind == TY_EVENT_START)
        begin(t, e);
    else if (e->kind == TY_EVENT_METRIC)
        keep_metric(t, e);
    else if (e->kind == TY_EVENT_EVAL && t->answer == TY_CONTINUE) {
        report(t, e->step, epoch_of(t, e->step), t->metrics);
        json_object_clear(t->metrics);
    }
    tell_next(t);
    if (t->answer != TY_CONTINUE)
        *reason = t->reason;
    return t->answer;
}

static bool waits(void *self, ty_answer *answer, const char **reason) {
    trial *t = self;
    if (t->is_waiting)
        listen_for_decision(t);
    tell_next(t);
    *answer = t->answer;
    *reason = t->reason;
    return t->is_waiting;
}

ty_observer trial_observer(trial *t) {
    return (ty_observer){.notify = notify, .waits = waits, .self = t};
}

/* --- the end ------------------------------------------------------------------------------------ */

trial_end trial_end_of(const trial *t, ty_status st, bool is_complete) {
    static const trial_end ends[] = {
        [TY_CONTINUE] = TRIAL_COMPLETE, [TY_STOP] = TRIAL_STOPPED, [TY_PAUSE] = TRIAL_PAUSED};
    if (st != TY_OK)
        return st >= TY_STOP_REQUEUE ? TRIAL_PAUSED : TRIAL_FAILED;
    if (t->was_stopped)
        return TRIAL_STOPPED;
    return t->answer == TY_CONTINUE && !is_complete ? TRIAL_PAUSED : ends[t->answer];
}

void trial_tell_end(trial *t, trial_end end, const trial_last *last) {
    static const char *const words[] = {[TRIAL_COMPLETE] = "complete",
                                        [TRIAL_STOPPED] = "stopped",
                                        [TRIAL_PAUSED] = "paused",
                                        [TRIAL_FAILED] = "failed"};
    (void)send_line(t, json_pack("{s:I, s:s, s:i, s:o, s:o, s:s}", "trial", (json_int_t)t->number,
                                 "end", words[end], "code", last->code, "reason",
                                 ty_json_string(last->reason), "run",
                                 ty_json_string(last->run_folder), "run_id", last->run_id));
}
