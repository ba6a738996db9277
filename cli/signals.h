/* Signals as values: one thread waits for them (sigwait), so no handler runs and nothing has to be
 * global. */
#ifndef TY_CLI_SIGNALS_H
#define TY_CLI_SIGNALS_H

#include <pthread.h>
#include <signal.h>

#include "base/base.h"

typedef struct signals {
    /* 0; then the first of SIGINT, SIGTERM, SIGUSR1, SIGUSR2 that came; negative once a second one
     * did. A terminal that hangs up (SIGHUP) counts as SIGTERM, except under nohup. */
    _Atomic int stop;
    _Atomic bool
        is_training; /* before, there is nothing to save: the first signal ends the process */
    _Atomic bool is_ending; /* SIGUSR1 to the thread means that it is not needed any more */
    pthread_t thread;
    bool is_running;
} signals;

/* Blocks these signals for this and every later thread and starts the waiting one: call before
 * anything (MPI, lanes) starts threads. A third signal ends the process at once with 128 +
 * signal. */
ty_status signals_init(ty_ctx *ctx, signals *s) TY_MUST_USE;

/* Ends the waiting thread; the signals stay blocked. Accepts a zeroed one. */
void signals_clear(signals *s);

/* What a job that stopped for this signal answers with. */
ty_status signals_status(int which);

/* Whether this process was started to ignore a signal, as nohup does with SIGHUP. */
bool signals_is_ignored(int which);

#endif
