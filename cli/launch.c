#include "cli/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/signals.h"

#define OUTCOME_VARIABLE "TILTYARD_OUTCOME"

static long count_cores(void) {
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores > 0 ? cores : 1;
}

char *launch_path(ty_arena *arena) {
    static const char gone[] = " (deleted)";
    char path[4096];
    const ssize_t got = readlink(LAUNCH_SELF, path, sizeof path);
    const size_t tail = sizeof gone - 1;
    size_t length = got > 0 && (size_t)got < sizeof path ? (size_t)got : 0;
    if (length > tail && memcmp(path + length - tail, gone, tail) == 0)
        length -= tail;
    return length > 0 ? ty_arena_string_n(arena, path, length) : NULL;
}

/* mpirun's words before our own command line. More ranks than cores is what was asked for: say so,
 * then do it. mpirun counts cores without their second threads, so it is always told that it may. */
static char **build_command(cli *app, int n, bool survives) {
    static const char *const fixed[] = {"--bind-to", "none",
                                        "--map-by",  "slot",
                                        "--quiet",   "--oversubscribe",
                                        "--mca",     "orte_forward_job_control",
                                        "1"};
    const size_t n_fixed = sizeof fixed / sizeof fixed[0];
    char **words =
        ty_arena_array(&app->ctx.scratch, n_fixed + (size_t)app->argc + 8, sizeof *words);
    char *count = ty_arena_printf(&app->ctx.scratch, "%d", n);
    char *program = launch_path(&app->ctx.scratch);
    if (!words || !count || !program)
        return NULL;
    size_t used = 0;
    words[used++] = (char *)(uintptr_t) "mpirun";
    for (size_t i = 0; i < n_fixed; i++)
        words[used++] = (char *)(uintptr_t)fixed[i];
    if (survives)
        words[used++] = (char *)(uintptr_t) "--enable-recovery";
    words[used++] = (char *)(uintptr_t) "-n";
    words[used++] = count;
    words[used++] = program;
    for (int i = 1; i < app->argc; i++)
        words[used++] = app->argv[i];
    return words;
}

static void set_environment(cli *app) {
    char width[16], height[16];
    (void)snprintf(width, sizeof width, "%d", app->console.width);
    (void)snprintf(height, sizeof height, "%d", app->console.height);
    (void)setenv("TILTYARD_TERMINAL", app->console.is_terminal ? "1" : "0", 1);
    (void)setenv("TILTYARD_STDOUT_TERMINAL", app->console.prints_on_terminal ? "1" : "0", 1);
    (void)setenv("COLUMNS", width, 1);
    (void)setenv("LINES", height, 1);
    if (geteuid() == 0) { /* OpenMPI asks root to say twice that it is meant */
        (void)setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
        (void)setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
    }
}

static sigset_t watched_signals(void) {
    sigset_t set;
    sigemptyset(&set);
    if (!signals_is_ignored(SIGHUP))
        sigaddset(&set, SIGHUP);
    const int watched[] = {SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGCHLD, SIGTSTP, SIGCONT};
    for (size_t i = 0; i < sizeof watched / sizeof watched[0]; i++)
        sigaddset(&set, watched[i]);
    return set;
}

/* The child: own process group, default signals, then mpirun. Ranks whose parent was killed are
 * asked to save and leave. */
static void become_mpirun(char **words, pid_t parent) {
    sigset_t none;
    sigemptyset(&none);
    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGUSR1);
    if (getppid() != parent)
        _exit(ty_status_exit_code(TY_ERR_COMM));
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)execvp(words[0], words);
    _exit(errno == ENOENT ? 127 : 126);
}

/* Waits for the job, passing signals on; *stop receives the signal that asked to stop, 0 for
 * none. */
static int watch_job(pid_t child, int *stop) {
    const sigset_t set = watched_signals();
    for (;;) {
        int state = 0;
        pid_t got = waitpid(child, &state, WNOHANG);
        if (got == child)
            return state;
        int which = 0;
        if (sigwait(&set, &which) != 0 || which == SIGCHLD)
            continue;
        if (which == SIGTSTP) { /* mpirun stops the ranks, which have process groups of their own */
            (void)kill(child, SIGTSTP);
            (void)raise(SIGSTOP);
        } else if (which == SIGCONT) {
            (void)kill(child, SIGCONT);
        } else {
            bool is_third = *stop < 0;
            which = which == SIGHUP ? SIGTERM : which;
            *stop = *stop ? -abs(*stop) : which;
            (void)kill(child, is_third ? SIGKILL : which == SIGUSR2 ? SIGUSR2 : SIGUSR1);
        }
    }
}

/* Where ranks may survive others, mpirun's own code is 0, and rank 0's word counts. */
static int code_of(int state, int stop, int outcome) {
    const int code = WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
    int word = -1;
    if (code != 0 || outcome < 0)
        return code;
    if (pread(outcome, &word, sizeof word, 0) == (ssize_t)sizeof word)
        return word;
    return stop ? 128 + abs(stop) : -1;
}

static ty_status status_of(ty_ctx *ctx, int code, int stop) {
    if (code < 0)
        return ty_fail(ctx, TY_ERR_COMM, "rank 0 ended without a word; the same command goes on");
    if (code == 127 || code == 126)
        return ty_fail(
            ctx, TY_ERR_COMM,
            "-n starts the ranks through mpirun, which is not here: apt install openmpi-bin");
    const bool is_stopped =
        code == ty_status_exit_code(TY_STOP_REQUEUE) || (code > 128 && stop != 0);
    if (is_stopped && abs(stop) == SIGINT)
        return TY_STOP_INTERRUPT;
    if (is_stopped && abs(stop) == SIGTERM)
        return TY_STOP_TERMINATE;
    const bool is_told = code == ty_status_exit_code(TY_STOP_INTERRUPT) ||
                         code == ty_status_exit_code(TY_STOP_TERMINATE);
    if (code > 128 && !is_told)
        return ty_fail(
            ctx, TY_ERR_COMM,
            "a rank was ended by signal %d (%s); the same command continues from the last "
            "checkpoint",
            code - 128, strsignal(code - 128));
    exit(code); /* the ranks have told the rest */
}

/* outcome: where rank 0 of ranks that survive others leaves its word; -1: mpirun's code says it. */
static ty_status launch(cli *app, int n, int outcome) {
    char **words = build_command(app, n, outcome >= 0);
    if (!words)
        return ty_fail_nomem(&app->ctx, "mpirun's command line");
    if (n > count_cores())
        console_say(&app->console, "note: %d ranks share %ld cores", n, count_cores());
    set_environment(app);
    sigset_t set = watched_signals();
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    pid_t parent = getpid(), child = fork();
    if (child < 0)
        return ty_fail_errno(&app->ctx, errno, "starting mpirun");
    if (child == 0)
        become_mpirun(words, parent);
    (void)setpgid(child, child);
    int stop = 0;
    const int state = watch_job(child, &stop);
    return status_of(&app->ctx, code_of(state, stop, outcome), stop);
}

ty_status launch_ranks(cli *app, int n) {
    return launch(app, n, -1);
}

/* Memory that rank 0, which mpirun starts on this machine, finds through /proc. */
ty_status launch_surviving_ranks(cli *app, int n) {
    char path[64];
    const int outcome = memfd_create("tiltyard outcome", MFD_CLOEXEC);
    if (outcome < 0)
        return ty_fail_errno(&app->ctx, errno, "starting ranks");
    (void)snprintf(path, sizeof path, "/proc/%lld/fd/%d", (long long)getpid(), outcome);
    (void)setenv(OUTCOME_VARIABLE, path, 1);
    const ty_status st = launch(app, n, outcome);
    (void)close(outcome);
    return st;
}

void launch_tell_outcome(ty_ctx *ctx, ty_status st) {
    const char *path = ctx->getenv(OUTCOME_VARIABLE);
    const int code = ty_status_exit_code(st);
    const int fd = path && *path ? open(path, O_WRONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    if (write(fd, &code, sizeof code) != (ssize_t)sizeof code)
        ty_log(ctx, TY_LOG_WARN, "ranks", "telling how the sweep ended: %s", strerror(errno));
    (void)close(fd);
}
