#include "cli/sweep/sweep_slots.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/launch.h"
#include "cli/signals.h"
#include "cli/sweep/trial.h"

/* One conversation: a process that connected, which belongs to a slot once it has said its trial, or
 * the stdout of one that is foreign. */
typedef struct talk {
    int fd;   /* -1: none */
    int slot; /* -1: not known yet */
    bool is_foreign;
    bool is_torn; /* foreign: the line is the end of one that was longer than any report */
    size_t used;
    char line[TRIAL_MAX_LINE];
} talk;

typedef struct slot {
    pid_t pid; /* 0: free */
    size_t trial;
    bool has_ended, is_foreign;
    bool was_stopped;     /* foreign: by a verdict; then it has ended as it was told to */
    bool was_interrupted; /* foreign: it is to go on another time */
    int log;              /* of a foreign one, which we write; -1 */
    long long reports;
    int wait_status;
    char end[16], reason[512], run[512], run_id[64];
} slot;

struct slots {
    int n, listener, signals;
    char address[64];
    slot *slots;
    talk *talks; /* [n + 1]: one more than slots, for a stranger who is shown out */
    json_t *metrics;
};

/* --- opening ------------------------------------------------------------------------------------ */

static sigset_t watched(void) {
    const int those[] = {SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGCHLD};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof those / sizeof *those; i++)
        sigaddset(&set, those[i]);
    if (!signals_is_ignored(SIGHUP))
        sigaddset(&set, SIGHUP);
    return set;
}

void slots_block_signals(void) {
    const sigset_t set = watched();
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
}

static int as_asked(int which) {
    return which == SIGHUP ? SIGTERM : which;
}

int slots_interruption(void) {
    sigset_t pending, asked = watched();
    (void)sigdelset(&asked, SIGCHLD);
    if (sigpending(&pending) != 0)
        return 0;
    for (int which = 1; which < SIGRTMIN; which++)
        if (sigismember(&asked, which) == 1 && sigismember(&pending, which) == 1)
            return as_asked(which);
    return 0;
}

bool slots_is_interrupted(void) {
    return slots_interruption() != 0;
}

static ty_status watch_signals(ty_ctx *ctx, slots *s) {
    const sigset_t set = watched();
    s->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return s->signals >= 0 ? TY_OK : ty_fail_errno(ctx, errno, "watching for signals");
}

/* An abstract address is nobody's file, and goes with the process. */
static ty_status listen_there(ty_ctx *ctx, slots *s) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(s->address, sizeof s->address, "tiltyard-sweep-%lld-%lld", (long long)getpid(),
                   (long long)ty_now_wall_ns(ctx));
    memcpy(address.sun_path + 1, s->address, strlen(s->address));
    const socklen_t bytes =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(s->address));
    s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->listener < 0 || bind(s->listener, (const struct sockaddr *)&address, bytes) != 0 ||
        listen(s->listener, SLOTS_MAX) != 0)
        return ty_fail_errno(ctx, errno, "listening for trials");
    return TY_OK;
}

ty_status slots_open(ty_ctx *ctx, int n, slots **out) {
    slots *s = calloc(1, sizeof *s);
    if (!s)
        return ty_fail_nomem(ctx, "the slots of a sweep");
    *s = (slots){.n = n, .listener = -1, .signals = -1};
    s->slots = calloc((size_t)n, sizeof *s->slots);
    s->talks = calloc((size_t)n + 1, sizeof *s->talks);
    ty_status st = s->slots && s->talks ? TY_OK : ty_fail_nomem(ctx, "the slots of a sweep");
    for (int i = 0; s->talks && i <= n; i++) /* or closing would hang up on descriptor 0 */
        s->talks[i] = (talk){.fd = -1, .slot = -1};
    if (st == TY_OK)
        st = watch_signals(ctx, s);
    if (st == TY_OK)
        st = listen_there(ctx, s);
    if (st != TY_OK) {
        slots_close(s);
        return st;
    }
    *out = s;
    return TY_OK;
}

int slots_free(const slots *s) {
    for (int i = 0; i < s->n; i++)
        if (s->slots[i].pid == 0)
            return i;
    return -1;
}

int slots_busy(const slots *s) {
    int busy = 0;
    for (int i = 0; i < s->n; i++)
        busy += s->slots[i].pid != 0;
    return busy;
}

/* --- processes ---------------------------------------------------------------------------------- */

/* The child: its own process group, so that a terminal's Ctrl-C reaches the sweep alone, which asks
 * the trials to save; and the same where the sweep is killed. */
static void become(const slot_start *start, const int streams[2], pid_t parent) {
    const char *program = start->is_foreign ? start->words[0] : LAUNCH_SELF;
    sigset_t none;
    sigemptyset(&none);
    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, start->is_foreign ? SIGTERM : SIGUSR1);
    if (getppid() != parent)
        _exit(ty_status_exit_code(TY_STOP_REQUEUE));
    const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    (void)dup2(null, 0);
    (void)dup2(streams[0], 1);
    (void)dup2(streams[1], 2);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)execvp(program, start->words);
    dprintf(2, "error: %s: %s\n", start->words[0], strerror(errno));
    _exit(127);
}

static pid_t start_process(const slots *s, const slot_start *start, const int streams[2]) {
    char self[128];
    (void)snprintf(self, sizeof self, "%zu@%s", start->trial, s->address);
    const pid_t parent = getpid(), child = fork();
    if (child != 0)
        return child;
    if (!start->is_foreign)
        (void)setenv(TRIAL_VARIABLE, self, 1);
    (void)unsetenv("MLFLOW_RUN_ID"); /* it names one run, not each of many */
    for (char *const *e = start->environment; *e; e++)
        (void)putenv(*e);
    become(start, streams, parent);
    return -1;
}

static int free_talk(const slots *s) {
    int i = 0;
    while (i <= s->n && s->talks[i].fd >= 0)
        i++;
    return i <= s->n ? i : -1;
}

ty_status slots_begin(ty_ctx *ctx, slots *s, int at, const slot_start *start) {
    int ends[2] = {-1, -1};
    const int heard = start->is_foreign ? free_talk(s) : -1;
    const int log = open(start->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (log < 0)
        return ty_fail_errno(ctx, errno, "%s", start->log_path);
    if (start->is_foreign && (heard < 0 || pipe2(ends, O_CLOEXEC) != 0)) {
        (void)close(log);
        return ty_fail(ctx, TY_ERR_IO, "starting trial %zu: no more descriptors", start->trial);
    }
    const int streams[2] = {start->is_foreign ? ends[1] : log, log};
    const pid_t child = start_process(s, start, streams);
    const int error = errno;
    if (ends[1] >= 0)
        (void)close(ends[1]);
    if (child < 0) {
        (void)close(log);
        if (ends[0] >= 0)
            (void)close(ends[0]);
        return ty_fail_errno(ctx, error, "starting trial %zu", start->trial);
    }
    (void)setpgid(child, child);
    s->slots[at] =
        (slot){.pid = child, .trial = start->trial, .is_foreign = start->is_foreign, .log = log};
    if (heard >= 0)
        s->talks[heard] = (talk){.fd = ends[0], .slot = at, .is_foreign = true};
    else {
        (void)close(log);
        s->slots[at].log = -1;
    }
    return TY_OK;
}

static void hang_up(talk *t) {
    (void)close(t->fd);
    t->fd = t->slot = -1;
    t->used = 0;
    t->is_foreign = t->is_torn = false;
}

/* A training that waits for an answer, or calls now, is to notice that nobody gives one any more. */
static void stop_listening(slots *s) {
    for (int i = 0; s->talks && i <= s->n; i++)
        if (s->talks[i].fd >= 0 && !s->talks[i].is_foreign)
            hang_up(&s->talks[i]);
    if (s->listener >= 0)
        (void)close(s->listener);
    s->listener = -1;
}

/* Every process of a foreign program, which may be a script that only waits for another one. Only ours
 * know what SIGUSR1 means. */
static void signal_foreign(const slot *one, int which) {
    (void)kill(-one->pid, which == SIGKILL ? SIGKILL : SIGTERM);
}

void slots_signal(slots *s, int which) {
    for (int i = 0; i < s->n; i++) {
        slot *one = &s->slots[i];
        if (one->pid == 0 || one->has_ended)
            continue;
        one->was_interrupted = true;
        if (one->is_foreign)
            signal_foreign(one, which);
        else
            (void)kill(one->pid, which);
    }
}

static void reap(slots *s) {
    for (int i = 0; i < s->n; i++) {
        slot *one = &s->slots[i];
        if (one->pid != 0 && !one->has_ended)
            one->has_ended = waitpid(one->pid, &one->wait_status, WNOHANG) == one->pid;
    }
}

static bool all_ended(const slots *s) {
    for (int i = 0; i < s->n; i++)
        if (s->slots[i].pid != 0 && !s->slots[i].has_ended)
            return false;
    return true;
}

static void end_all(slots *s) {
    enum { patience_ms = 30000, step_ms = 20 };
    slots_signal(s, SIGUSR1);
    for (int waited = 0; waited < patience_ms && !all_ended(s); waited += step_ms) {
        (void)poll(NULL, 0, step_ms);
        reap(s);
    }
    slots_signal(s, SIGKILL);
    for (int i = 0; i < s->n; i++)
        if (s->slots[i].pid != 0 && !s->slots[i].has_ended)
            (void)waitpid(s->slots[i].pid, NULL, 0);
}

void slots_close(slots *s) {
    if (!s)
        return;
    stop_listening(s);
    if (s->slots)
        end_all(s);
    for (int i = 0; s->talks && i <= s->n; i++)
        if (s->talks[i].fd >= 0)
            hang_up(&s->talks[i]);
    if (s->signals >= 0)
        (void)close(s->signals);
    json_decref(s->metrics);
    free(s->slots);
    free(s->talks);
    free(s);
}

/* --- the conversation --------------------------------------------------------------------------- */

/* An abstract address has no owner whom the kernel would ask for, and anybody may list them. */
static bool is_of_our_user(int fd) {
    struct ucred peer;
    socklen_t bytes = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) == 0 && peer.uid == geteuid();
}

static void take_call(slots *s) {
    const int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    const int i = is_of_our_user(fd) ? free_talk(s) : -1;
    if (i < 0) {
        (void)close(fd);
        return;
    }
    s->talks[i].fd = fd;
    s->talks[i].slot = -1;
    s->talks[i].used = 0;
}

static int slot_of(const slots *s, const json_t *line) {
    const json_t *number = json_object_get(line, "trial");
    for (int i = 0; json_is_integer(number) && i < s->n; i++)
        if (s->slots[i].pid != 0 && s->slots[i].trial == (size_t)json_integer_value(number))
            return i;
    return -1;
}

static void copy(char *to, size_t size, const json_t *line, const char *key) {
    const char *text = json_string_value(json_object_get(line, key));
    (void)snprintf(to, size, "%s", text ? text : "");
}

static void keep_end(slot *one, const json_t *line) {
    copy(one->end, sizeof one->end, line, "end");
    copy(one->reason, sizeof one->reason, line, "reason");
    copy(one->run, sizeof one->run, line, "run");
    copy(one->run_id, sizeof one->run_id, line, "run_id");
}

static double number_at(const json_t *line, const char *key) {
    const json_t *value = json_object_get(line, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* A log is for people: what cannot be written (the disk is full) is left out. */
static void keep_in_log(const slot *one, const char *bytes, size_t n) {
    while (n > 0) {
        const ssize_t put = write(one->log, bytes, n);
        if (put < 0 && errno != EINTR)
            return;
        bytes += put > 0 ? put : 0;
        n -= put > 0 ? (size_t)put : 0;
    }
}

/* One line of a foreign program's stdout, which ends with a 0 at length: into its log, and a report where
 * it is a JSON object. */
static bool overhear(slots *s, talk *t, size_t length, slot_news *out) {
    slot *one = &s->slots[t->slot];
    json_t *line = t->is_torn ? NULL : json_loads(t->line, 0, NULL);
    t->is_torn = false;
    t->line[length] = '\n';
    keep_in_log(one, t->line, length + 1);
    if (!json_is_object(line) || json_object_size(line) == 0) {
        json_decref(line);
        return false;
    }
    one->reports++;
    const double step = number_at(line, "step");
    json_decref(s->metrics);
    s->metrics = line;
    *out = (slot_news){.kind = SLOT_REPORT,
                       .slot = t->slot,
                       .trial = one->trial,
                       .step = isnan(step) ? (double)one->reports : step,
                       .epoch = number_at(line, "epoch"),
                       .metrics = line};
    return true;
}

/* One line of a trial; true where it is a report, which is news. */
static bool understand(slots *s, talk *t, slot_news *out) {
    json_t *line = json_loads(t->line, 0, NULL);
    const json_t *metrics = json_object_get(line, "metrics");
    t->slot = slot_of(s, line);
    const bool is_end = json_is_string(json_object_get(line, "end"));
    const bool is_report = t->slot >= 0 && json_is_object(metrics);
    if (t->slot >= 0 && is_end)
        keep_end(&s->slots[t->slot], line);
    else if (is_report) {
        json_decref(s->metrics);
        s->metrics = json_deep_copy(metrics);
        *out = (slot_news){.kind = SLOT_REPORT,
                           .slot = t->slot,
                           .trial = s->slots[t->slot].trial,
                           .step = number_at(line, "step"),
                           .epoch = number_at(line, "epoch"),
                           .metrics = s->metrics};
    } else
        hang_up(t);
    json_decref(line);
    return is_report;
}

/* A line longer than any report: not ours to understand. */
static void pass_over(const slots *s, talk *t) {
    keep_in_log(&s->slots[t->slot], t->line, t->used);
    t->used = 0;
    t->is_torn = true;
}

static ssize_t read_some(const slots *s, talk *t) {
    struct pollfd one = {.fd = t->fd, .events = POLLIN};
    if (t->is_foreign && t->used == sizeof t->line - 1)
        pass_over(s, t);
    if (poll(&one, 1, 0) > 0)
        return read(t->fd, t->line + t->used, sizeof t->line - 1 - t->used);
    errno = EAGAIN;
    return -1;
}

/* Gone, or a line longer than any of ours. A foreign program need not end its last line. */
static bool end_talk(slots *s, talk *t, slot_news *out) {
    bool is_news = false;
    if (t->is_foreign && t->used > 0) {
        t->line[t->used] = 0;
        is_news = overhear(s, t, t->used, out);
    }
    hang_up(t);
    return is_news;
}

/* What a program wrote was there when it had ended. Whoever else holds its stdout (a process that it
 * left behind) is not waited for. */
static bool has_said_all(const slots *s, const talk *t) {
    return t->is_foreign && s->slots[t->slot].has_ended;
}

static bool take_line(slots *s, talk *t, char *end, slot_news *out) {
    const size_t length = (size_t)(end - t->line);
    *end = 0;
    const bool is_news = t->is_foreign ? overhear(s, t, length, out) : understand(s, t, out);
    if (t->fd >= 0) {
        memmove(t->line, end + 1, t->used - length - 1);
        t->used -= length + 1;
    }
    return is_news;
}

/* Takes the whole lines that were read, up to one that is news; what follows it stays. The others are not
 * waited with: nothing more may come behind them for a long time. */
static bool take_lines(slots *s, talk *t, slot_news *out) {
    bool is_news = false;
    char *end = memchr(t->line, '\n', t->used);
    while (end && !is_news) {
        is_news = take_line(s, t, end, out);
        end = memchr(t->line, '\n', t->used);
    }
    return is_news;
}

/* Reads what is there, once nothing of what was read before is news. */
static bool hear(slots *s, talk *t, slot_news *out) {
    if (take_lines(s, t, out))
        return true;
    if (t->fd < 0)
        return false;
    const ssize_t got = read_some(s, t);
    if (got < 0 && (errno == EINTR || (errno == EAGAIN && !has_said_all(s, t))))
        return false;
    if (got <= 0)
        return end_talk(s, t, out);
    t->used += (size_t)got;
    return take_lines(s, t, out);
}

/* A foreign program goes on unless it is stopped. */
static void answer_foreign(slot *one, ty_answer answer) {
    if (answer == TY_CONTINUE || one->has_ended)
        return;
    one->was_stopped = true;
    signal_foreign(one, SIGTERM);
}

void slots_answer(slots *s, int at, ty_answer answer, const char *line) {
    if (s->slots[at].is_foreign) {
        answer_foreign(&s->slots[at], answer);
        return;
    }
    ty_text whole = {0};
    ty_text_addf(&whole, "%s\n", line);
    for (int i = 0; i <= s->n; i++)
        if (s->talks[i].fd >= 0 && s->talks[i].slot == at)
            (void)send(s->talks[i].fd, ty_text_string(&whole), whole.length, MSG_NOSIGNAL);
    ty_text_clear(&whole);
}

/* --- waiting ------------------------------------------------------------------------------------ */

static void take_signals(slots *s, int *stop) {
    struct signalfd_siginfo info;
    while (read(s->signals, &info, sizeof info) == (ssize_t)sizeof info)
        if (info.ssi_signo != SIGCHLD)
            *stop = as_asked((int)info.ssi_signo);
    reap(s);
}

static bool is_talking(const slots *s, int at) {
    for (int i = 0; i <= s->n; i++)
        if (s->talks[i].fd >= 0 && s->talks[i].slot == at)
            return true;
    return false;
}

static void end_foreign(slot *one) {
    const bool is_fine = WIFEXITED(one->wait_status) && WEXITSTATUS(one->wait_status) == 0;
    (void)close(one->log);
    if (one->was_stopped || (is_fine && !one->was_interrupted))
        (void)snprintf(one->end, sizeof one->end, "%s", one->was_stopped ? "stopped" : "complete");
}

static int code_of(int wait_status) {
    return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -WTERMSIG(wait_status);
}

/* A process that has ended and whose words were all heard. */
static bool find_end(slots *s, slot_news *out) {
    for (int i = 0; i < s->n; i++) {
        slot *one = &s->slots[i];
        if (one->pid == 0 || !one->has_ended || is_talking(s, i))
            continue;
        if (one->is_foreign)
            end_foreign(one);
        *out = (slot_news){.kind = SLOT_END,
                           .slot = i,
                           .trial = one->trial,
                           .end = one->end,
                           .reason = one->reason,
                           .run = one->run,
                           .run_id = one->run_id,
                           .code = code_of(one->wait_status)};
        one->pid = 0;
        return true;
    }
    return false;
}

static void poll_all(const slots *s, int timeout_ms) {
    struct pollfd fds[SLOTS_MAX + 3] = {{.fd = s->signals, .events = POLLIN},
                                        {.fd = s->listener, .events = POLLIN}};
    for (int i = 0; i <= s->n; i++)
        fds[2 + i] = (struct pollfd){.fd = s->talks[i].fd, .events = POLLIN};
    (void)poll(fds, (nfds_t)s->n + 3, timeout_ms);
}

ty_status slots_wait(ty_ctx *ctx, slots *s, int timeout_ms, slot_news *out, bool *has_news,
                     int *stop) {
    const int64_t end_ns = ty_now_ns(ctx) + (int64_t)timeout_ms * 1000000;
    *has_news = false;
    *stop = 0;
    for (;;) {
        take_signals(s, stop);
        take_call(s);
        for (int i = 0; i <= s->n && !*has_news; i++)
            if (s->talks[i].fd >= 0)
                *has_news = hear(s, &s->talks[i], out);
        if (!*has_news)
            *has_news = find_end(s, out);
        const int64_t left_ms = (end_ns - ty_now_ns(ctx)) / 1000000;
        if (*has_news || *stop || left_ms <= 0)
            return TY_OK;
        poll_all(s, (int)left_ms);
    }
}
