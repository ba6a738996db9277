/* Jobs in which something happens to one rank, or to its GPU, while all wait for a sum over GPUs:
 * nobody hangs, everybody says who it was, nothing is left allocated. Each test is one mpirun of
 * gpu_victim: on fakes of GPUs, or with TY_TEST_DEVICE=cuda on simulated ones, where calls of CUDA
 * and NCCL fail and the simulator reports what is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/trainer/victims.h"

/* Longer than a look at /proc, NCCL's grace and the victims' pause before they abort. */
static const double at_once_s = 2.5;

static bool is_simulated(void) {
    const char *device = getenv("TY_TEST_DEVICE");
    return device && strcmp(device, "cuda") == 0;
}

/* A simulated GPU computes on the cores that its process has, also while the job ends. */
static double simulation_s(void) {
    return is_simulated() ? 6 : 0;
}

/* Where nothing is to wait for the deadline, nobody says that it did. */
static void assert_in_time(const victim_outcome *end, double limit_s) {
    if (limit_s <= at_once_s && strstr(end->said, "within 2 s"))
        fail_msg("the deadline was waited for: %s", end->said);
    assert_victim_in_time(end, limit_s + simulation_s());
}

static void check(void **state, const char *scenario, int n, int ranks_per_node, int exit_code,
                  const char *words, double limit_s) {
    victim_outcome end = victim_run(state, scenario, n, ranks_per_node);
    if (end.exit_code != exit_code)
        fail_msg("exit code %d, want %d: %s", end.exit_code, exit_code, end.said);
    assert_victims_say(&end, n, words);
    assert_null(strstr(end.said, "leaks"));
    assert_in_time(&end, limit_s);
    victim_clear(&end);
}

/* The victim itself says nothing. */
static void check_without_victim(void **state, const char *scenario, int n, const char *words,
                                 double limit_s) {
    victim_outcome end = victim_run(state, scenario, n, 0);
    assert_int_not_equal(end.exit_code, 0);
    assert_victim_said(&end, "rank 0 fails: rank 1 (");
    assert_victim_said(&end, words);
    assert_null(strstr(end.said, "leaks"));
    assert_in_time(&end, limit_s);
    victim_clear(&end);
}

static void a_call_that_fails_on_one_rank_is_told_to_all(void **state) {
    check(state, "call_fails", 2, 0, 8, "NCCL: unhandled cuda error", at_once_s);
    check(state, "call_fails", 4, 0, 8, "rank 1 (", at_once_s);
}

static void a_call_that_fails_beside_the_backward_pass_is_told_to_all(void **state) {
    check(state, "call_fails_fast", 3, 0, 8, "NCCL: unhandled cuda error", at_once_s);
}

static void a_call_that_fails_is_told_to_other_hosts(void **state) {
    check(state, "call_fails", 4, 2, 8, "NCCL: unhandled cuda error", at_once_s);
}

static void work_that_fails_on_one_gpu_is_told_to_all(void **state) {
    check(state, "work_fails", 2, 0, 8, "the GPU's work: it fell off the bus", at_once_s);
    check(state, "work_fails", 4, 0, 8, "rank 1 (", at_once_s);
}

static void work_that_fails_is_told_to_other_hosts(void **state) {
    check(state, "work_fails", 4, 2, 8, "the GPU's work: it fell off the bus", at_once_s);
}

static void an_error_that_nccl_reports_is_told_to_all(void **state) {
    check(state, "error", 3, 0, 8, "NCCL: remote process exited", at_once_s);
}

static void a_gpu_that_hangs_ends_all_by_the_deadline(void **state) {
    check(state, "hangs", 2, 0, 8, "did not end within 2 s, though every rank of this host runs",
          victim_deadline_s + 2);
}

static void a_rank_killed_while_all_wait_for_gpus_is_named(void **state) {
    check_without_victim(state, "dies", 2, "died (its process is gone) before the end of GPU work",
                         at_once_s);
    check_without_victim(state, "dies_fast", 3,
                         "died (its process is gone) before the end of GPU work", at_once_s);
}

static void a_rank_killed_in_a_sum_through_host_memory_is_named(void **state) {
    check_without_victim(state, "dies_staged", 3, "died (its process is gone)", at_once_s);
}

static void a_rank_that_died_is_named_though_nccl_speaks_first(void **state) {
    check_without_victim(state, "dies_reported", 2,
                         "died (its process is gone) before the end of GPU work", at_once_s);
}

static void a_rank_stopped_while_all_wait_for_gpus_is_named(void **state) {
    check_without_victim(state, "stops", 2, "process is stopped (T)", victim_deadline_s + 2.5);
}

static void gpus_that_do_not_connect_end_the_job_by_the_deadline(void **state) {
    check(state, "never_connects", 2, 0, 8, "connecting GPUs", victim_deadline_s + 2);
}

static void a_rank_with_a_trouble_of_its_own_does_not_leave_the_others_in_nccl(void **state) {
    check(state, "fails_alone", 2, 0, 1, "a trouble of its own", at_once_s);
    check(state, "fails_alone", 4, 2, 1, "a trouble of its own", at_once_s);
}

static void a_trouble_of_one_rank_in_staged_sums_is_told_to_all(void **state) {
    check(state, "fails_alone_staged", 3, 0, 1, "a trouble of its own", at_once_s);
}

/* --- simulated GPUs --------------------------------------------------------------------------- */

static int count_of(const char *text, const char *words) {
    int n = 0;
    for (const char *at = strstr(text, words); at; at = strstr(at + 1, words))
        n++;
    return n;
}

/* Besides what was asked of it the simulator has nothing to say. */
static void assert_nothing_reported(const victim_outcome *end) {
    if (end->exit_code == 99 ||
        count_of(end->said, "cudasim: ") != count_of(end->said, "cudasim: made call"))
        fail_msg("the simulator reports: %s", end->said);
}

static void check_simulated(void **state, const char *scenario, int n, const char *words) {
    victim_outcome end = victim_run(state, scenario, n, 0);
    if (end.exit_code != 8)
        fail_msg("exit code %d, want 8: %s", end.exit_code, end.said);
    assert_victims_say(&end, n, words);
    assert_nothing_reported(&end);
    victim_clear(&end);
}

static void calls_of_nccl_that_fail_on_one_rank_are_told_to_all(void **state) {
    check_simulated(state, "connecting", 2, "connecting GPUs by NCCL");
    check_simulated(state, "all_reduce", 3, "all-reduce by NCCL");
    check_simulated(state, "all_to_all", 2, "all-to-all by NCCL");
    check_simulated(state, "all_gather", 2, "all-gather by NCCL");
    check_simulated(state, "asking", 2, "asking NCCL");
}

static void a_network_that_breaks_is_told_to_all(void **state) {
    check_simulated(state, "network", 2, "rank 1 (");
}

static void a_rank_killed_while_its_gpu_works_is_named(void **state) {
    check_without_victim(state, "dies_waiting", 2,
                         "died (its process is gone) before the end of GPU work", at_once_s);
    (void)setenv("CUDASIM_NCCL_SILENT", "1", 1);
    check_without_victim(state, "dies_waiting", 3,
                         "died (its process is gone) before the end of GPU work", at_once_s);
    (void)unsetenv("CUDASIM_NCCL_SILENT");
}

static void a_rank_stopped_while_its_gpu_works_is_named(void **state) {
    check_without_victim(state, "stops_waiting", 2, "process is stopped (T)",
                         victim_deadline_s + 2.5);
}

static void a_trouble_beside_simulated_gpus_is_told_to_all(void **state) {
    victim_outcome end = victim_run(state, "fails_alone", 2, 0);
    assert_int_equal(end.exit_code, 1);
    assert_victims_say(&end, 2, "a trouble of its own");
    assert_nothing_reported(&end);
    victim_clear(&end);
}

/* Calls of CUDA and NCCL that one rank makes: until none is left to fail. */
static void whatever_call_fails_the_job_ends_in_order(void **state) {
    int n_failed = 0;
    for (int nth = 1, step = 1; nth < 2000; nth += step, step += 1 + step / 2) {
        char scenario[32];
        (void)snprintf(scenario, sizeof scenario, "any:%d", nth);
        victim_outcome end = victim_run(state, scenario, 2, 0);
        const bool is_told = strstr(end.said, "fails: ") != NULL;
        n_failed += is_told;
        assert_nothing_reported(&end);
        if ((end.exit_code != 0) != is_told)
            fail_msg("call %d fails: exit code %d: %s", nth, end.exit_code, end.said);
        victim_clear(&end);
    }
    assert_true(n_failed >= 10);
}

int main(void) {
    (void)setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 0);
    (void)setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 0);
    (void)setenv("OMPI_MCA_rmaps_base_oversubscribe", "1", 0);
    (void)setenv("OMPI_MCA_hwloc_base_binding_policy", "none", 0);
#define FAULT(test) cmocka_unit_test_setup_teardown(test, victim_make_folder, victim_remove_folder)
    const struct CMUnitTest on_fakes[] = {
        FAULT(a_call_that_fails_on_one_rank_is_told_to_all),
        FAULT(a_call_that_fails_beside_the_backward_pass_is_told_to_all),
        FAULT(a_call_that_fails_is_told_to_other_hosts),
        FAULT(work_that_fails_on_one_gpu_is_told_to_all),
        FAULT(work_that_fails_is_told_to_other_hosts),
        FAULT(an_error_that_nccl_reports_is_told_to_all),
        FAULT(a_gpu_that_hangs_ends_all_by_the_deadline),
        FAULT(a_rank_killed_while_all_wait_for_gpus_is_named),
        FAULT(a_rank_killed_in_a_sum_through_host_memory_is_named),
        FAULT(a_rank_that_died_is_named_though_nccl_speaks_first),
        FAULT(a_rank_stopped_while_all_wait_for_gpus_is_named),
        FAULT(gpus_that_do_not_connect_end_the_job_by_the_deadline),
        FAULT(a_rank_with_a_trouble_of_its_own_does_not_leave_the_others_in_nccl),
        FAULT(a_trouble_of_one_rank_in_staged_sums_is_told_to_all),
    };
    const struct CMUnitTest on_simulated[] = {
        FAULT(calls_of_nccl_that_fail_on_one_rank_are_told_to_all),
        FAULT(a_network_that_breaks_is_told_to_all),
        FAULT(a_rank_killed_while_its_gpu_works_is_named),
        FAULT(a_rank_stopped_while_its_gpu_works_is_named),
        FAULT(a_trouble_beside_simulated_gpus_is_told_to_all),
        FAULT(whatever_call_fails_the_job_ends_in_order),
    };
    if (is_simulated())
        return cmocka_run_group_tests_name("gpu_faults_simulated", on_simulated, NULL, NULL);
    return cmocka_run_group_tests_name("gpu_faults", on_fakes, NULL, NULL);
}
