/* Jobs in which one rank dies, stops or goes its own way: all others end in time and say who it
 * was, no sum is ever wrong, and nothing is left behind. Each test is one mpirun of comm_victim. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base.h"
#include "tests/support/temp_folder.h"

static const double deadline_s = 2;

typedef struct outcome {
    int exit_code;  /* mpirun's; 128 + signal */
    double after_s; /* from the fault to mpirun's end */
    char *said;     /* stdout and stderr */
} outcome;

typedef struct launched {
    pid_t pid;
    const char *folder;
} launched;

static double now_s(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void sleep_ms(int ms) {
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
    (void)snprintf(deadline, sizeof deadline, "%g", deadline_s);
    (void)snprintf(per_node, sizeof per_node, "%d", ranks_per_node);
    (void)snprintf(log, sizeof log, "%s/log", folder);
    int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    (void)dup2(fd, STDOUT_FILENO);
    (void)dup2(fd, STDERR_FILENO);
    (void)execl(TY_MPIEXEC, TY_MPIEXEC, "-n", count, TY_VICTIM, scenario, deadline, per_node,
                folder, (char *)NULL);
    _exit(127);
}

static launched launch(const temp_folder *folder, const char *scenario, int n, int ranks_per_node) {
    launched job = {.folder = folder->path};
    job.pid = fork();
    assert_true(job.pid >= 0);
    if (job.pid == 0)
        exec_mpirun(scenario, n, ranks_per_node, job.folder);
    return job;
}

static char *read_text(const char *folder, const char *name) {
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
    char *text = read_text(folder, "fault");
    double at = atof(text);
    free(text);
    return at;
}

static outcome wait_for(const launched *job) {
    const double limit = now_s() + 60;
    int status = 0;
    while (waitpid(job->pid, &status, WNOHANG) == 0) {
        if (now_s() > limit) {
            (void)kill(job->pid, SIGKILL);
            (void)waitpid(job->pid, &status, 0);
            fail_msg("the job hangs; it said: %s", read_text(job->folder, "log"));
        }
        sleep_ms(5);
    }
    outcome end = {.said = read_text(job->folder, "log")};
    end.after_s = now_s() - fault_time(job->folder);
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
    for (int i = 0; i < 50 && processes_of(folder) > 0; i++)
        sleep_ms(20);
    assert_int_equal(processes_of(folder), 0);
}

/* --- jobs as tests see them ------------------------------------------------------------------- */

static int make_folder(void **state) {
    temp_folder *folder = malloc(sizeof *folder);
    assert_non_null(folder);
    *folder = temp_folder_make();
    *state = folder;
    return 0;
}

static int remove_folder(void **state) {
    temp_folder_remove(*state);
    free(*state);
    return 0;
}

static outcome end_of(const launched *job) {
    outcome end = wait_for(job);
    assert_no_process_left(job->folder);
    assert_null(strstr(end.said, "WRONG SUM"));
    return end;
}

static outcome run_job(void **state, const char *scenario, int n, int ranks_per_node) {
    launched job = launch(*state, scenario, n, ranks_per_node);
    return end_of(&job);
}

static void assert_said(const outcome *end, const char *words) {
    if (!strstr(end->said, words))
        fail_msg("want \"%s\" among: %s", words, end->said);
}

static void assert_in_time(const outcome *end, double limit_s) {
    if (end->after_s > limit_s)
        fail_msg("the job ended %.2f s after the fault, want <= %g s: %s", end->after_s, limit_s,
                 end->said);
}

static void assert_all_say(const outcome *end, int n, const char *words) {
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

static void clear(outcome *end) {
    free(end->said);
}

/* --- a rank that stops ------------------------------------------------------------------------ */

static void check_stopped(void **state, int n, int ranks_per_node, const char *words) {
    outcome end = run_job(state, "stop", n, ranks_per_node);
    assert_int_equal(end.exit_code, 8);
    assert_said(&end, words);
    assert_in_time(&end, deadline_s + 2);
    clear(&end);
}

static void a_stopped_rank_ends_a_job_of_two(void **state) {
    check_stopped(state, 2, 0, "process is stopped (T), last seen after agree #");
}

static void a_stopped_rank_ends_a_job_of_four(void **state) {
    check_stopped(state, 4, 0, "process is stopped (T)");
}

static void a_stopped_host_is_named_by_the_others(void **state) {
    check_stopped(state, 2, 1, "another host) did not answer in vote #");
}

static void a_stopped_rank_of_another_host_is_named_by_its_own(void **state) {
    check_stopped(state, 4, 2, "process is stopped (T)");
}

/* --- a rank that ends ------------------------------------------------------------------------- */

static void check_ended(void **state, const char *scenario, int n, int ranks_per_node) {
    outcome end = run_job(state, scenario, n, ranks_per_node);
    assert_int_not_equal(end.exit_code, 0);
    if (!ranks_per_node) {
        assert_said(&end, "rank 0 fails: rank 1 (");
        assert_said(&end, "died (its process is gone) before the end of vote #");
    }
    assert_in_time(&end, deadline_s + 2);
    clear(&end);
}

static void a_killed_rank_ends_the_job(void **state) {
    check_ended(state, "kill", 2, 0);
}

static void a_killed_rank_among_hosts_ends_the_job(void **state) {
    check_ended(state, "kill", 4, 1);
}

static void a_crashed_rank_ends_the_job(void **state) {
    check_ended(state, "crash", 3, 0);
}

static void a_rank_that_exits_ends_the_job(void **state) {
    check_ended(state, "exit", 3, 0);
}

static void a_rank_that_fails_alone_ends_the_job(void **state) {
    outcome end = run_job(state, "fail_alone", 2, 0);
    assert_int_not_equal(end.exit_code, 0);
    assert_said(&end, "rank 1 fails: a trouble of its own");
    assert_in_time(&end, deadline_s + 2);
    clear(&end);
}

/* --- a rank out of step ----------------------------------------------------------------------- */

static void check_out_of_step(void **state, const char *scenario, int n, int ranks_per_node) {
    outcome end = run_job(state, scenario, n, ranks_per_node);
    assert_int_equal(end.exit_code, 8);
    assert_all_say(&end, n, "ranks are out of step: rank ");
    assert_in_time(&end, 3);
    clear(&end);
}

static void a_rank_that_skips_a_call_is_found_out(void **state) {
    check_out_of_step(state, "skip", 3, 0);
}

static void a_rank_that_skips_a_call_is_found_out_between_hosts(void **state) {
    check_out_of_step(state, "skip", 4, 2);
}

static void a_rank_that_calls_another_is_found_out(void **state) {
    check_out_of_step(state, "other_call", 2, 0);
}

static void a_rank_that_calls_another_is_found_out_between_hosts(void **state) {
    check_out_of_step(state, "other_call", 3, 1);
}

static void a_rank_that_brings_another_size_is_found_out(void **state) {
    check_out_of_step(state, "other_size", 3, 0);
}

static void a_rank_that_names_another_root_is_found_out(void **state) {
    check_out_of_step(state, "other_root", 3, 2);
}

static void a_rank_that_closes_early_is_found_out(void **state) {
    outcome end = run_job(state, "close", 2, 0);
    assert_int_equal(end.exit_code, 8);
    assert_said(&end, "rank 0 fails: ");
    assert_said(&end, "calls close #");
    assert_in_time(&end, deadline_s + 2);
    clear(&end);
}

/* --- late ranks ------------------------------------------------------------------------------- */

static void a_rank_late_within_the_deadline_is_fine(void **state) {
    outcome end = run_job(state, "late", 2, 0);
    if (end.exit_code != 0)
        fail_msg("exit code %d: %s", end.exit_code, end.said);
    clear(&end);
}

static void a_rank_late_beyond_the_deadline_is_said_to_be_running(void **state) {
    outcome end = run_job(state, "too_late", 2, 0);
    assert_int_equal(end.exit_code, 8);
    assert_said(&end, "did not reach vote #");
    assert_said(&end, "within 2 s: process is running (S)");
    assert_in_time(&end, deadline_s + 2);
    clear(&end);
}

/* --- faults from outside ---------------------------------------------------------------------- */

static pid_t pid_of_rank(const launched *job, int rank) {
    char name[32];
    (void)snprintf(name, sizeof name, "pid.%d", rank);
    for (int i = 0; i < 1000; i++) {
        char *text = read_text(job->folder, name);
        bool is_whole = strchr(text, '\n') != NULL;
        pid_t pid = is_whole ? (pid_t)atoi(text) : 0;
        free(text);
        if (pid > 0)
            return pid;
        sleep_ms(10);
    }
    fail_msg("rank %d never started: %s", rank, read_text(job->folder, "log"));
    return 0;
}

static void write_file(const char *folder, const char *name, const char *text) {
    char path[TEMP_FOLDER_BYTES + 64];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs(text, file);
    (void)fclose(file);
}

static void signal_rank_at_some_moment(int signal_number, unsigned seed) {
    temp_folder folder = temp_folder_make();
    launched job = launch(&folder, "until_told", 3, 0);
    pid_t pids[3];
    for (int rank = 0; rank < 3; rank++)
        pids[rank] = pid_of_rank(&job, rank);
    int victim = (int)(seed % 3);
    sleep_ms((int)(200 + seed % 97));
    char moment[32];
    (void)snprintf(moment, sizeof moment, "%.3f\n", now_s());
    write_file(job.folder, "fault", moment);
    assert_int_equal(kill(pids[victim], signal_number), 0);
    outcome end = end_of(&job);
    char words[32];
    (void)snprintf(words, sizeof words, "fails: rank %d (", victim);
    assert_int_not_equal(end.exit_code, 0);
    assert_said(&end, words);
    assert_in_time(&end, deadline_s + 2);
    clear(&end);
    temp_folder_remove(&folder);
}

static unsigned seed_of_now(void) {
    unsigned seed = (unsigned)(now_s() * 1e6);
    print_message("seed %u\n", seed);
    return seed;
}

static void a_rank_stopped_at_any_moment_is_named(void **state) {
    (void)state;
    for (unsigned i = 0, seed = seed_of_now(); i < 3; i++)
        signal_rank_at_some_moment(SIGSTOP, seed + i * 31);
}

static void a_rank_killed_at_any_moment_is_named(void **state) {
    (void)state;
    for (unsigned i = 0, seed = seed_of_now(); i < 3; i++)
        signal_rank_at_some_moment(SIGKILL, seed + i * 31);
}

static void a_job_suspended_longer_than_the_deadline_goes_on(void **state) {
    const temp_folder *folder = *state;
    launched job = launch(folder, "until_told", 2, 0);
    pid_t pids[3] = {job.pid, pid_of_rank(&job, 0), pid_of_rank(&job, 1)};
    sleep_ms(300);
    for (int i = 0; i < 3; i++)
        assert_int_equal(kill(pids[i], SIGSTOP), 0);
    sleep_ms((int)(deadline_s * 1000) + 1000);
    for (int i = 0; i < 3; i++)
        assert_int_equal(kill(pids[i], SIGCONT), 0);
    sleep_ms(300);
    write_file(job.folder, "finish", "");
    outcome end = end_of(&job);
    if (end.exit_code != 0)
        fail_msg("exit code %d: %s", end.exit_code, end.said);
    clear(&end);
}

/* --- what killed jobs leave ------------------------------------------------------------------- */

typedef struct segments {
    char names[64][128];
    int count;
} segments;

static segments list_segments(void) {
    segments list = {.count = 0};
    DIR *dir = opendir("/dev/shm");
    assert_non_null(dir);
    for (struct dirent *entry = readdir(dir); entry && list.count < 64; entry = readdir(dir)) {
        bool is_ours = strstr(entry->d_name, "vader_segment") || strstr(entry->d_name, "tiltyard");
        if (is_ours)
            (void)snprintf(list.names[list.count++], 128, "%.127s", entry->d_name);
    }
    (void)closedir(dir);
    return list;
}

static bool has_name(const segments *list, const char *name) {
    for (int i = 0; i < list->count; i++) {
        if (strcmp(list->names[i], name) == 0)
            return true;
    }
    return false;
}

static void what_a_killed_job_left_is_swept_by_the_next_start(void **state) {
    const temp_folder *folder = *state;
    segments before = list_segments();
    launched job = launch(folder, "until_told", 2, 0);
    pid_t pids[3] = {pid_of_rank(&job, 0), pid_of_rank(&job, 1), job.pid};
    for (int i = 0; i < 3; i++)
        (void)kill(pids[i], SIGKILL);
    outcome killed = end_of(&job);
    clear(&killed);
    segments left = list_segments();
    outcome end = run_job(state, "run", 2, 0);
    assert_int_equal(end.exit_code, 0);
    clear(&end);
    segments after = list_segments();
    for (int i = 0; i < left.count; i++) {
        /* Other jobs of this machine come and go; what was there before this one is not its
         * doing. */
        if (!has_name(&before, left.names[i]) && has_name(&after, left.names[i]))
            fail_msg("%s is left", left.names[i]);
    }
    for (int i = 0; i < after.count; i++)
        assert_null(strstr(after.names[i], "tiltyard"));
}

int main(void) {
    (void)setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 0);
    (void)setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 0);
    (void)setenv("OMPI_MCA_rmaps_base_oversubscribe", "1", 0);
    (void)setenv("OMPI_MCA_hwloc_base_binding_policy", "none", 0);
#define FAULT(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        FAULT(a_stopped_rank_ends_a_job_of_two),
        FAULT(a_stopped_rank_ends_a_job_of_four),
        FAULT(a_stopped_host_is_named_by_the_others),
        FAULT(a_stopped_rank_of_another_host_is_named_by_its_own),
        FAULT(a_killed_rank_ends_the_job),
        FAULT(a_killed_rank_among_hosts_ends_the_job),
        FAULT(a_crashed_rank_ends_the_job),
        FAULT(a_rank_that_exits_ends_the_job),
        FAULT(a_rank_that_fails_alone_ends_the_job),
        FAULT(a_rank_that_skips_a_call_is_found_out),
        FAULT(a_rank_that_skips_a_call_is_found_out_between_hosts),
        FAULT(a_rank_that_calls_another_is_found_out),
        FAULT(a_rank_that_calls_another_is_found_out_between_hosts),
        FAULT(a_rank_that_brings_another_size_is_found_out),
        FAULT(a_rank_that_names_another_root_is_found_out),
        FAULT(a_rank_that_closes_early_is_found_out),
        FAULT(a_rank_late_within_the_deadline_is_fine),
        FAULT(a_rank_late_beyond_the_deadline_is_said_to_be_running),
        FAULT(a_rank_stopped_at_any_moment_is_named),
        FAULT(a_rank_killed_at_any_moment_is_named),
        FAULT(a_job_suspended_longer_than_the_deadline_goes_on),
        FAULT(what_a_killed_job_left_is_swept_by_the_next_start),
    };
    return cmocka_run_group_tests_name("comm_faults", tests, NULL, NULL);
}
