#include "tests/trainer/victims.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

double victim_now_s(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void victim_sleep_ms(int ms) {
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    (void)nanosleep(&pause, NULL);
}

/* --- running jobs ----------------------------------------------------------------------------- */

static void exec_mpirun(const char *scenario, int n, int ranks_per_node, const char *folder) {
    char count[16];
    char deadline[16];
    char per_node[16];
    char log[TEMP_FOLDER_BYTES + 64];
    (void)snprintf(count, sizeof count, "%d", n);
    (void)snprintf(deadline, sizeof deadline, "%g", victim_deadline_s);
    (void)snprintf(per_node, sizeof per_node, "%d", ranks_per_node);
    (void)snprintf(log, sizeof log, "%s/log", folder);
    int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    (void)dup2(fd, STDOUT_FILENO);
    (void)dup2(fd, STDERR_FILENO);
    (void)execl(TY_MPIEXEC, TY_MPIEXEC, "-n", count, TY_VICTIM, scenario, deadline, per_node,
                folder, (char *)NULL);
    _exit(127);
}

victim_job victim_launch(const temp_folder *folder, const char *scenario, int n,
                         int ranks_per_node) {
    victim_job job = {.folder = folder->path};
    job.pid = fork();
    assert_true(job.pid >= 0);
    if (job.pid == 0)
        exec_mpirun(scenario, n, ranks_per_node, job.folder);
    return job;
}

char *victim_read(const char *folder, const char *name) {
    char path[TEMP_FOLDER_BYTES + 64];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    char *text = calloc(1, 65536);
    assert_non_null(text);
    FILE *file = fopen(path, "r");
    if (file) {
        (void)!fread(text, 1, 65535, file);
        (void)fclose(file);
    }
    return text;
}

static double fault_time(const char *folder) {
    char *text = victim_read(folder, "fault");
    double at = atof(text);
    free(text);
    return at;
}

static victim_outcome wait_for(const victim_job *job) {
    const double limit = victim_now_s() + 240;
    int status = 0;
    while (waitpid(job->pid, &status, WNOHANG) == 0) {
        if (victim_now_s() > limit) {
            (void)kill(job->pid, SIGKILL);
            (void)waitpid(job->pid, &status, 0);
            fail_msg("the job hangs; it said: %s", victim_read(job->folder, "log"));
        }
        victim_sleep_ms(5);
    }
    victim_outcome end = {.said = victim_read(job->folder, "log")};
    end.after_s = victim_now_s() - fault_time(job->folder);
    end.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return end;
}

/* --- what is left ----------------------------------------------------------------------------- */

static bool is_of_job(const char *pid, const char *folder) {
    char path[TEMP_FOLDER_BYTES + 64];
    char line[4096];
    (void)snprintf(path, sizeof path, "/proc/%s/cmdline", pid);
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return false;
    ssize_t got = read(fd, line, sizeof line - 1);
    (void)close(fd);
    if (got <= 0)
        return false;
    line[got] = '\0';
    for (ssize_t i = 0; i < got; i++) {
        if (line[i] == '\0')
            line[i] = ' ';
    }
    return strstr(line, folder) != NULL;
}

static int processes_of(const char *folder) {
    int count = 0;
    DIR *proc = opendir("/proc");
    assert_non_null(proc);
    for (struct dirent *entry = readdir(proc); entry; entry = readdir(proc))
        count += isdigit((unsigned char)entry->d_name[0]) && is_of_job(entry->d_name, folder);
    (void)closedir(proc);
    return count;
}

static void assert_no_process_left(const char *folder) {
    for (int i = 0; i < 1000 && processes_of(folder) > 0; i++)
        victim_sleep_ms(20);
    assert_int_equal(processes_of(folder), 0);
}

/* --- jobs as tests see them ------------------------------------------------------------------- */

int victim_make_folder(void **state) {
    temp_folder *folder = malloc(sizeof *folder);
    assert_non_null(folder);
    *folder = temp_folder_make();
    *state = folder;
    return 0;
}

int victim_remove_folder(void **state) {
    temp_folder_remove(*state);
    free(*state);
    return 0;
}

victim_outcome victim_end(const victim_job *job) {
    victim_outcome end = wait_for(job);
    assert_no_process_left(job->folder);
    assert_null(strstr(end.said, "WRONG SUM"));
    /* Where mpirun lets the others go on, it exits with 0 whatever they exit with. */
    assert_null(strstr(end.said, "ERROR: AddressSanitizer"));
    assert_null(strstr(end.said, "runtime error: "));
    return end;
}

victim_outcome victim_run(void **state, const char *scenario, int n, int ranks_per_node) {
    victim_job job = victim_launch(*state, scenario, n, ranks_per_node);
    return victim_end(&job);
}

void assert_victim_said(const victim_outcome *end, const char *words) {
    if (!strstr(end->said, words))
        fail_msg("want \"%s\" among: %s", words, end->said);
}

/* Who ends too late does so by much: it has waited for a sleeper, or for ever. So a machine that is busy with other
 * things gets more time. */
void assert_victim_in_time(const victim_outcome *end, double limit_s) {
    static const double busy_s = 15;
    if (end->after_s > limit_s + busy_s)
        fail_msg("the job ended %.2f s after the fault, want <= %g s and %g on a busy machine: %s",
                 end->after_s, limit_s, limit_s + busy_s, end->said);
}

void assert_victims_say(const victim_outcome *end, int n, const char *words) {
    for (int rank = 0; rank < n; rank++) {
        char start[32];
        (void)snprintf(start, sizeof start, "rank %d fails: ", rank);
        const char *line = strstr(end->said, start);
        const char *line_end = line ? strchr(line, '\n') : NULL;
        const char *found = line ? strstr(line, words) : NULL;
        if (!found || !line_end || found > line_end)
            fail_msg("want rank %d to fail with \"%s\": %s", rank, words, end->said);
    }
}

void victim_clear(victim_outcome *end) {
    free(end->said);
}
