/* fork, limits, wait. */
#include "data/isolate.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

void *ty_isolated_alloc(size_t bytes) {
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void ty_isolated_free(void *memory, size_t bytes) {
    if (memory)
        (void)munmap(memory, bytes);
}

/* Address space of this process; 0 where unknown. */
static size_t address_space(ty_ctx *ctx) {
    enum { MOST_BYTES = 4096 };
    char *text = NULL;
    size_t bytes = 0;
    if (ty_file_read_all(ctx, "/proc/self/statm", MOST_BYTES, &text, &bytes) != TY_OK)
        return 0;
    const unsigned long long pages = strtoull(text, NULL, 10);
    free(text);
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void set_limit(int which, rlim_t value) {
    (void)setrlimit((__rlimit_resource_t)which,
                    &(struct rlimit){.rlim_cur = value, .rlim_max = value});
}

/* The parent's handlers (MPI prints a backtrace on SIGSEGV, we save on SIGTERM) are not for a
 * child. */
static void reset_signals(void) {
    static const int signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE,  SIGILL, SIGTERM,
                                  SIGINT,  SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU};
    sigset_t none;
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        (void)signal(signals[i], SIG_DFL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void run_child(const ty_isolated *job, const ty_ctx *parent, size_t space) {
    ty_ctx ctx;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    reset_signals();
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) {
        (void)dup2(null, STDOUT_FILENO);
        (void)dup2(null, STDERR_FILENO);
    }
    set_limit(RLIMIT_CORE, 0);
    set_limit(RLIMIT_CPU, (rlim_t)ceil(job->cpu_seconds));
    if (space > 0)
        set_limit(RLIMIT_AS, space + job->extra_bytes);
    ty_ctx_init_child(&ctx, parent);
    job->answer->st = job->work(&ctx, job->self);
    memcpy(job->answer->message, ctx.message, sizeof ctx.message);
    job->answer->is_done = true;
    _exit(0);
}

static ty_status explain_death(ty_ctx *ctx, const ty_isolated *job, int status) {
    if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL))
        return ty_fail(ctx, TY_ERR_DATA,
                       "%s: reading it took more than %.0f s of CPU time: the file is damaged",
                       job->subject, job->cpu_seconds);
    return ty_fail(ctx, TY_ERR_DATA,
                   "%s: reading it crashed the library that reads it (%s %d): the file is damaged",
                   job->subject, WIFSIGNALED(status) ? "signal" : "exit",
                   WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

ty_status ty_isolated_run(ty_ctx *ctx, const ty_isolated *job) {
    const size_t space = address_space(ctx);
    int status = 0;
    *job->answer = (ty_isolated_answer){0};
    const pid_t child = fork();
    if (child < 0)
        return ty_fail_errno(ctx, errno, "starting a process to read %s", job->subject);
    if (child == 0)
        run_child(job, ctx, space);
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            break; /* somebody else waits for children: the answer tells all the same */
    if (!job->answer->is_done)
        return explain_death(ctx, job, status);
    const ty_status st = job->answer->st;
    if (st == TY_OK)
        return TY_OK;
    job->answer->message[TY_MESSAGE_BYTES - 1] = '\0'; /* whatever the child has become */
    return ty_fail(ctx, st < TY_STATUS_COUNT ? st : TY_ERR_DATA, "%s", job->answer->message);
}
