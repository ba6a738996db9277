#include "tests/support/kill_at.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

bool kill_at_is_allowed(void) {
    long long calls = 0;
    const pid_t child = fork();
    if (child == 0)
        _exit(kill_at_wait() ? 0 : 1);
    return child > 0 && kill_at_call(child, 0, &calls) == 0;
}

bool kill_at_wait(void) {
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 && raise(SIGSTOP) == 0;
}

static bool is_call(int status) {
    return WIFSTOPPED(status) && WSTOPSIG(status) == (SIGTRAP | 0x80);
}

/* A signal of its own is passed on; what ptrace made up (an exec, a new thread's first stop) is not. */
static int signal_of(int status, bool is_new) {
    const int which = WSTOPSIG(status);
    return is_call(status) || which == SIGTRAP || (is_new && which == SIGSTOP) ? 0 : which;
}

static void go_on(pid_t thread, int which) {
    (void)ptrace(PTRACE_SYSCALL, thread, NULL, (void *)(intptr_t)which);
}

/* Whether this stop is the beginning of a call rather than its end. */
static bool is_entry(pid_t thread) {
    struct __ptrace_syscall_info info = {0};
    return ptrace(PTRACE_GET_SYSCALL_INFO, thread, (void *)sizeof info, &info) > 0 &&
           info.op == PTRACE_SYSCALL_INFO_ENTRY;
}

int kill_at_call(pid_t child, long long at, long long *calls) {
    const long wanted = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
    int status = 0;
    *calls = 0;
    if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status) ||
        ptrace(PTRACE_SETOPTIONS, child, NULL, (void *)wanted) != 0)
        return -1;
    go_on(child, 0);
    for (;;) {
        const pid_t thread = waitpid(-1, &status, __WALL);
        if (thread < 0 && errno == EINTR)
            continue;
        if (thread < 0)
            return -1;
        if (thread == child && !WIFSTOPPED(status))
            return status;
        if (!WIFSTOPPED(status))
            continue;
        *calls += is_call(status) && is_entry(thread);
        if (at > 0 && *calls >= at)
            (void)kill(child, SIGKILL);
        else
            go_on(thread, signal_of(status, thread != child));
    }
}
