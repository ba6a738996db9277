#include "cli/signals.h"

#include <string.h>
#include <unistd.h>

bool signals_is_ignored(int which) {
    struct sigaction action;
    return sigaction(which, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static sigset_t stop_set(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    if (!signals_is_ignored(SIGHUP))
        sigaddset(&set, SIGHUP);
    return set;
}

ty_status signals_status(int which) {
    return which == SIGINT    ? TY_STOP_INTERRUPT
           : which == SIGTERM ? TY_STOP_TERMINATE
                              : TY_STOP_REQUEUE;
}

static void *wait_for_signals(void *argument) {
    signals *s = argument;
    sigset_t set = stop_set();
    for (;;) {
        int which = 0;
        if (sigwait(&set, &which) != 0)
            continue;
        if (s->is_ending)
            return NULL;
        if (which == SIGHUP)
            which = SIGTERM;
        if (!s->is_training)
            _exit(ty_status_exit_code(signals_status(which)));
        if (s->stop < 0)
            _exit(128 + which); /* asked three times: saving is not wanted any more */
        s->stop = s->stop ? -which : which;
    }
}

ty_status signals_init(ty_ctx *ctx, signals *s) {
    *s = (signals){0};
    sigset_t set = stop_set();
    int error = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (!error)
        error = pthread_create(&s->thread, NULL, wait_for_signals, s);
    if (error)
        return ty_fail(ctx, TY_ERR_INTERNAL, "starting the signal thread: %s", strerror(error));
    s->is_running = true;
    return TY_OK;
}

void signals_clear(signals *s) {
    if (!s->is_running)
        return;
    s->is_ending = true;
    pthread_kill(s->thread, SIGUSR1); /* it waits in sigwait, where it hears this at once */
    pthread_join(s->thread, NULL);
    s->is_running = false;
}
