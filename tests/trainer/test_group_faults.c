/* Groups side by side of which one loses a rank: its other rank is told why, the other groups work on,
 * rank 0 hears of it, everybody who is left leaves. Each test is one `mpirun --enable-recovery` of
 * group_victim, groups of two on four or six ranks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/trainer/victims.h"

static void assert_rank_said(const victim_outcome *end, int rank, const char *words) {
    char text[128];
    (void)snprintf(text, sizeof text, "rank %d %s", rank, words);
    assert_victim_said(end, text);
}

/* gone: a bit for each rank that does not leave by itself; lost: for each that is told why its group
 * is over. All others work to the end. */
static victim_outcome run_groups(void **state, const char *scenario, int n, int ranks_per_node,
                                 unsigned gone, unsigned lost) {
    victim_outcome end = victim_run(state, scenario, n, ranks_per_node);
    for (int rank = 0; rank < n; rank++) {
        if (gone >> rank & 1)
            continue;
        assert_rank_said(&end, rank, lost >> rank & 1 ? "lost: " : "done");
        assert_rank_said(&end, rank, "left");
    }
    assert_null(strstr(end.said, " fails: "));
    return end;
}

static void heard(const victim_outcome *end, int rank, const char *words) {
    char text[64];
    (void)snprintf(text, sizeof text, "heard from rank %d: %s", rank, words);
    assert_rank_said(end, 0, text);
}

static void groups_that_lose_nobody_come_to_their_end(void **state) {
    victim_outcome end = run_groups(state, "none", 6, 0, 0, 0);
    for (int rank = 0; rank < 6; rank++)
        heard(&end, rank, "done");
    victim_clear(&end);
}

static void a_killed_member_ends_its_group_alone(void **state) {
    victim_outcome end = run_groups(state, "member_killed", 6, 0, 1 << 3, 1 << 2);
    heard(&end, 2, "lost: rank 1 (");
    assert_victim_said(&end, ", world rank 3) died (its process is gone) before the end of ");
    assert_rank_said(&end, 0, "sees that rank 3 is gone");
    heard(&end, 4, "done");
    victim_clear(&end);
}

static void a_killed_leader_ends_its_group_alone(void **state) {
    victim_outcome end = run_groups(state, "leader_killed", 4, 0, 1 << 2, 1 << 3);
    heard(&end, 3, "lost: rank 0 (");
    heard(&end, 1, "done");
    victim_clear(&end);
}

static void a_member_that_just_exits_ends_its_group_alone(void **state) {
    victim_outcome end = run_groups(state, "member_exits", 4, 0, 1 << 3, 1 << 2);
    heard(&end, 2, "lost: rank 1 (");
    victim_clear(&end);
}

static void a_group_that_is_gone_whole_is_seen(void **state) {
    victim_outcome end = run_groups(state, "group_killed", 6, 0, 1 << 2 | 1 << 3, 0);
    assert_rank_said(&end, 0, "sees that rank 2 is gone");
    assert_rank_said(&end, 0, "sees that rank 3 is gone");
    victim_clear(&end);
}

static void a_scheduler_that_loses_its_own_group_hears_the_others(void **state) {
    victim_outcome end = run_groups(state, "neighbour_killed", 4, 0, 1 << 1, 1 << 0);
    heard(&end, 2, "done");
    heard(&end, 3, "done");
    victim_clear(&end);
}

static void ranks_without_a_scheduler_finish_and_leave(void **state) {
    victim_outcome end = run_groups(state, "scheduler_killed", 4, 0, 1 << 0, 1 << 1);
    victim_clear(&end);
}

static void a_rank_killed_in_the_middle_of_letters_harms_nobody_elses(void **state) {
    victim_outcome end = run_groups(state, "killed_writing", 4, 0, 1 << 3, 1 << 2);
    heard(&end, 1, "done");
    heard(&end, 2, "lost: ");
    victim_clear(&end);
}

static void a_stopped_member_ends_its_group_by_the_deadline(void **state) {
    victim_outcome end = run_groups(state, "member_stopped", 4, 0, 1 << 3, 1 << 2);
    heard(&end, 2, "lost: rank 1 (");
    assert_victim_said(&end, "process is stopped (T)");
    victim_clear(&end);
}

static void a_member_that_gives_up_is_told_to_its_group_alone(void **state) {
    victim_outcome end = run_groups(state, "member_gives_up", 4, 0, 0, 1 << 2 | 1 << 3);
    heard(&end, 1, "done");
    assert_rank_said(&end, 2, "lost: rank 1 (");
    assert_victim_said(&end, ") gave its group up (7)");
    victim_clear(&end);
}

static void a_killed_member_between_hosts_ends_its_group_alone(void **state) {
    victim_outcome end = run_groups(state, "member_killed", 4, 1, 1 << 3, 1 << 2);
    heard(&end, 2, "lost: rank 1 (");
    assert_victim_said(&end, ", world rank 3, another host) did not answer in ");
    heard(&end, 1, "done");
    victim_clear(&end);
}

static void a_killed_host_member_is_named_by_its_own_host(void **state) {
    victim_outcome end = run_groups(state, "member_killed", 4, 2, 1 << 3, 1 << 2);
    heard(&end, 2, "lost: rank 1 (");
    assert_victim_said(&end, ", world rank 3) died (its process is gone)");
    victim_clear(&end);
}

/* What leaves a host goes over TCP here, as it does between real ones. */
static void a_killed_member_over_tcp_ends_its_group_alone(void **state) {
    (void)setenv("OMPI_MCA_btl", "tcp,self", 1);
    victim_outcome end = run_groups(state, "killed_writing", 4, 1, 1 << 3, 1 << 2);
    (void)unsetenv("OMPI_MCA_btl");
    heard(&end, 2, "lost: ");
    heard(&end, 1, "done");
    victim_clear(&end);
}

int main(void) {
    (void)setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 0);
    (void)setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 0);
    (void)setenv("OMPI_MCA_rmaps_base_oversubscribe", "1", 0);
    (void)setenv("OMPI_MCA_hwloc_base_binding_policy", "none", 0);
    (void)setenv("OMPI_MCA_orte_enable_recovery", "1", 1); /* mpirun's --enable-recovery */
#define FAULT(test) cmocka_unit_test_setup_teardown(test, victim_make_folder, victim_remove_folder)
    const struct CMUnitTest tests[] = {
        FAULT(groups_that_lose_nobody_come_to_their_end),
        FAULT(a_killed_member_ends_its_group_alone),
        FAULT(a_killed_leader_ends_its_group_alone),
        FAULT(a_member_that_just_exits_ends_its_group_alone),
        FAULT(a_group_that_is_gone_whole_is_seen),
        FAULT(a_scheduler_that_loses_its_own_group_hears_the_others),
        FAULT(ranks_without_a_scheduler_finish_and_leave),
        FAULT(a_rank_killed_in_the_middle_of_letters_harms_nobody_elses),
        FAULT(a_stopped_member_ends_its_group_by_the_deadline),
        FAULT(a_member_that_gives_up_is_told_to_its_group_alone),
        FAULT(a_killed_member_between_hosts_ends_its_group_alone),
        FAULT(a_killed_host_member_is_named_by_its_own_host),
        FAULT(a_killed_member_over_tcp_ends_its_group_alone),
    };
    return cmocka_run_group_tests_name("group_faults", tests, NULL, NULL);
}
