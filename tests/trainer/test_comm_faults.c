/* Jobs in which one rank dies, stops or goes its own way: all others end in time and say who it
 * was, no sum is ever wrong, and nothing is left behind. Each test is one mpirun of comm_victim. */
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/trainer/victims.h"

/* --- a rank that stops ------------------------------------------------------------------------ */

static void check_stopped(void **state, int n, int ranks_per_node, const char *words) {
    victim_outcome end = victim_run(state, "stop", n, ranks_per_node);
    assert_int_equal(end.exit_code, 8);
    assert_victim_said(&end, words);
    assert_victim_in_time(&end, victim_deadline_s + 2);
    victim_clear(&end);
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
    victim_outcome end = victim_run(state, scenario, n, ranks_per_node);
    assert_int_not_equal(end.exit_code, 0);
    if (!ranks_per_node) {
        assert_victim_said(&end, "rank 0 fails: rank 1 (");
        assert_victim_said(&end, "died (its process is gone) before the end of vote #");
    }
    assert_victim_in_time(&end, victim_deadline_s + 2);
    victim_clear(&end);
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
    victim_outcome end = victim_run(state, "fail_alone", 2, 0);
    assert_int_not_equal(end.exit_code, 0);
    assert_victim_said(&end, "rank 1 fails: a trouble of its own");
    assert_victim_in_time(&end, victim_deadline_s + 2);
    victim_clear(&end);
}

/* --- a rank out of step ----------------------------------------------------------------------- */

static void check_out_of_step(void **state, const char *scenario, int n, int ranks_per_node) {
    victim_outcome end = victim_run(state, scenario, n, ranks_per_node);
    assert_int_equal(end.exit_code, 8);
    assert_victims_say(&end, n, "ranks are out of step: rank ");
    assert_victim_in_time(&end, 3);
    victim_clear(&end);
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
    victim_outcome end = victim_run(state, "close", 2, 0);
    assert_int_equal(end.exit_code, 8);
    assert_victim_said(&end, "rank 0 fails: ");
    assert_victim_said(&end, "calls close #");
    assert_victim_in_time(&end, victim_deadline_s + 2);
    victim_clear(&end);
}

/* --- late ranks ------------------------------------------------------------------------------- */

static void a_rank_late_within_the_deadline_is_fine(void **state) {
    victim_outcome end = victim_run(state, "late", 2, 0);
    if (end.exit_code != 0)
        fail_msg("exit code %d: %s", end.exit_code, end.said);
    victim_clear(&end);
}

static void a_rank_late_beyond_the_deadline_is_said_to_be_running(void **state) {
    victim_outcome end = victim_run(state, "too_late", 2, 0);
    assert_int_equal(end.exit_code, 8);
    assert_victim_said(&end, "did not reach vote #");
    assert_victim_said(&end, "within 2 s: process is running (S)");
    assert_victim_in_time(&end, victim_deadline_s + 2);
    victim_clear(&end);
}

/* --- faults from outside ---------------------------------------------------------------------- */

static pid_t pid_of_rank(const victim_job *job, int rank) {
    char name[32];
    (void)snprintf(name, sizeof name, "pid.%d", rank);
    for (int i = 0; i < 12000; i++) {
        char *text = victim_read(job->folder, name);
        bool is_whole = strchr(text, '\n') != NULL;
        pid_t pid = is_whole ? (pid_t)atoi(text) : 0;
        free(text);
        if (pid > 0)
            return pid;
        victim_sleep_ms(10);
    }
    fail_msg("rank %d never started: %s", rank, victim_read(job->folder, "log"));
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
    victim_job job = victim_launch(&folder, "until_told", 3, 0);
    pid_t pids[3];
    for (int rank = 0; rank < 3; rank++)
        pids[rank] = pid_of_rank(&job, rank);
    int victim = (int)(seed % 3);
    victim_sleep_ms((int)(200 + seed % 97));
    char moment[32];
    (void)snprintf(moment, sizeof moment, "%.3f\n", victim_now_s());
    write_file(job.folder, "fault", moment);
    assert_int_equal(kill(pids[victim], signal_number), 0);
    victim_outcome end = victim_end(&job);
    char words[32];
    (void)snprintf(words, sizeof words, "fails: rank %d (", victim);
    assert_int_not_equal(end.exit_code, 0);
    assert_victim_said(&end, words);
    assert_victim_in_time(&end, victim_deadline_s + 2);
    victim_clear(&end);
    temp_folder_remove(&folder);
}

static unsigned seed_of_now(void) {
    unsigned seed = (unsigned)(victim_now_s() * 1e6);
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
    victim_job job = victim_launch(folder, "until_told", 2, 0);
    pid_t pids[3] = {job.pid, pid_of_rank(&job, 0), pid_of_rank(&job, 1)};
    victim_sleep_ms(300);
    for (int i = 0; i < 3; i++)
        assert_int_equal(kill(pids[i], SIGSTOP), 0);
    victim_sleep_ms((int)(victim_deadline_s * 1000) + 1000);
    for (int i = 0; i < 3; i++)
        assert_int_equal(kill(pids[i], SIGCONT), 0);
    victim_sleep_ms(300);
    write_file(job.folder, "finish", "");
    victim_outcome end = victim_end(&job);
    if (end.exit_code != 0)
        fail_msg("exit code %d: %s", end.exit_code, end.said);
    victim_clear(&end);
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
    victim_job job = victim_launch(folder, "until_told", 2, 0);
    pid_t pids[3] = {pid_of_rank(&job, 0), pid_of_rank(&job, 1), job.pid};
    for (int i = 0; i < 3; i++)
        (void)kill(pids[i], SIGKILL);
    victim_outcome killed = victim_end(&job);
    victim_clear(&killed);
    segments left = list_segments();
    victim_outcome end = victim_run(state, "run", 2, 0);
    assert_int_equal(end.exit_code, 0);
    victim_clear(&end);
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
#define FAULT(test) cmocka_unit_test_setup_teardown(test, victim_make_folder, victim_remove_folder)
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
