#include "child.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static void clear_settings(void) {
    static const char *const names[] = {
        "CUDASIM_SEED",      "CUDASIM_SCHEDULE",    "CUDASIM_CHECKS", "CUDASIM_PROFILE",
        "CUDASIM_DEVICES",   "CUDASIM_MEMORY",      "CUDASIM_FAIL",   "CUDASIM_REPORT",
        "CUDASIM_MUTATE",    "CUDASIM_COVERAGE",    "CUDASIM_TRACE",  "CUDASIM_HANG_SECONDS",
        "CUDASIM_REGISTERS", "CUDA_VISIBLE_DEVICES"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
}

static _Noreturn void become(const child *c, int output) {
    char *argv[16] = {(char *)(uintptr_t)c->program};
    for (size_t i = 0; i < 8 && c->arguments[i]; i++)
        argv[i + 1] = (char *)(uintptr_t)c->arguments[i];
    clear_settings();
    setenv("LD_PRELOAD", CUDASIM_LIBRARY, 1);
    for (size_t i = 0; i < CHILD_SETTINGS_MAX && c->settings[i]; i++)
        putenv((char *)(uintptr_t)c->settings[i]);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    execv(c->program, argv);
    _exit(127);
}

static void read_all(child *c, int from) {
    size_t n = 0;
    char rest[4096];
    ssize_t got;
    do {
        size_t room = sizeof c->output - 1 - n;
        got = read(from, room ? c->output + n : rest, room ? room : sizeof rest);
        n += got > 0 && room ? (size_t)got : 0;
    } while (got > 0);
    c->output[n] = 0;
}

void child_run(child *c) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        become(c, ends[1]);
    close(ends[1]);
    read_all(c, ends[0]);
    close(ends[0]);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    c->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool child_reported(const child *c, const char *kind) {
    char line[64];
    snprintf(line, sizeof line, "cudasim: %s: ", kind);
    return strstr(c->output, line) != NULL;
}

bool child_reported_anything(const child *c) {
    return strstr(c->output, "cudasim: ") != NULL;
}
