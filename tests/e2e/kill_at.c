/* kill_at N COMMAND...: runs it until its N-th system call and kills it there (0: to its end). Prints on
 * stderr's last line how many calls it made; exits as it did, 137 where it was killed, 126 where this
 * system lets nobody watch. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/kill_at.h"

enum { UNWATCHED = 126 };

int main(int argc, char **argv) {
    long long calls = 0;
    if (argc < 3) {
        (void)fprintf(stderr, "kill_at: want N COMMAND...\n");
        return 2;
    }
    const pid_t child = fork();
    if (child == 0) {
        if (!kill_at_wait())
            _exit(UNWATCHED);
        (void)execvp(argv[2], argv + 2);
        _exit(127);
    }
    const int status = child > 0 ? kill_at_call(child, strtoll(argv[1], NULL, 10), &calls) : -1;
    (void)fprintf(stderr, "%lld calls\n", calls);
    if (status < 0)
        return UNWATCHED;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
