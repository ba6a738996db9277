#include "cli/trial.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/trial_past.h"

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
    *t = (trial){.ctx = ctx, .way = *way, .socket = -1, .number = number, .metrics = json_object()};
    if (!t->metrics) {
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
static const char *hear_by_socket(void *self) {
    trial *t = self;
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

static void pause_for(trial *t, const char *reason) {
    t->answer = TY_PAUSE;
    (void)snprintf(t->reason, sizeof t->reason, "%s", reason);
}

static void hear_decision(trial *t) {
    const char *line = t->way.hear(t->way.self);
    json_t *json = line ? json_loads(line, 0, NULL) : NULL;
    const char *answer = json_string_value(json_object_get(json, "answer"));
    const char *reason = json_string_value(json_object_get(json, "reason"));
    if (!answer)
        pause_for(t, "the sweep is gone");
    else if (strcmp(answer, "continue") != 0) {
        pause_for(t, reason ? reason : "");
        t->answer = strcmp(answer, "stop") == 0 ? TY_STOP : TY_PAUSE;
    }
    json_decref(json);
}

/* JSON has no NAN: null stands for what is no number. */
static void keep_metric(trial *t, const ty_event *e) {
    const double v = e->metric.value;
    json_t *value = isfinite(v) ? json_real(v) : json_null();
    (void)json_object_set_new(t->metrics, e->metric.key, value);
}

static void report(trial *t, int64_t step, double epoch, json_t *metrics) {
    json_t *line =
        json_pack("{s:I, s:I, s:f, s:O}", "trial", (json_int_t)t->number, "step", (json_int_t)step,
                  "epoch", isnan(epoch) ? 0 : epoch, "metrics", metrics);
    if (send_line(t, line))
        hear_decision(t);
    else
        pause_for(t, "the sweep is gone");
}

static void report_past(void *self, int64_t step, double epoch, json_t *metrics) {
    trial *t = self;
    if (t->answer == TY_CONTINUE)
        report(t, step, epoch, metrics);
}

static void begin(trial *t, const ty_event *e) {
    t->samples_per_epoch = e->start.samples_per_epoch;
    t->samples_per_step = e->start.samples_per_step;
    if (trial_past(t->ctx, e, report_past, t) != TY_OK)
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
    if (t->answer != TY_CONTINUE)
        *reason = t->reason;
    return t->answer;
}

ty_observer trial_observer(trial *t) {
    return (ty_observer){.notify = notify, .self = t};
}

void trial_tell_end(trial *t, ty_status st, const char *reason, const char *run_folder,
                    const char *run_id) {
    static const char *const ends[] = {
        [TY_CONTINUE] = "complete", [TY_STOP] = "stopped", [TY_PAUSE] = "paused"};
    const bool is_paused = st == TY_STOP_REQUEUE;
    const char *end = st == TY_OK ? ends[t->answer] : is_paused ? "paused" : "failed";
    (void)send_line(t, json_pack("{s:I, s:s, s:i, s:s, s:s, s:s}", "trial", (json_int_t)t->number,
                                 "end", end, "code", ty_status_exit_code(st), "reason",
                                 reason ? reason : "", "run", run_folder ? run_folder : "",
                                 "run_id", run_id ? run_id : ""));
}
