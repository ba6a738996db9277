#include "caught.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

caught run_apart(int (*body)(const void *arg), const void *arg) {
    caught c = {.exit_code = -1};
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        _exit(body(arg));
    }
    close(ends[1]);
    size_t n = 0;
    char spill[512];
    for (;;) {
        size_t room = sizeof c.text - 1 - n;
        ssize_t got = read(ends[0], room ? c.text + n : spill, room ? room : sizeof spill);
        if (got <= 0)
            break;
        n += room ? (size_t)got : 0;
    }
    close(ends[0]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    c.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
    return c;
}

void assert_caught(const caught *c, int expected, const char *words) {
    if (c->exit_code == expected && (!words || strstr(c->text, words)))
        return;
    fail_msg("exit code %d, want %d; stderr wants \"%s\" and is:\n%s", c->exit_code, expected,
             words ? words : "", c->text);
}
