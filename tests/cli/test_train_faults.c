/* Runs on groups side by side, of which one loses a rank in the middle of training: the rest of it gets an
 * error from its run and goes on living, the others train on, and the lost run is trained to its end by
 * another group. Each test is one `mpirun --enable-recovery` of train_victim. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/trainer/victims.h"

/* The 16 digits behind these words. */
static const char *hash_behind(const victim_outcome *end, const char *words, char out[17]) {
    assert_victim_said(end, words);
    (void)snprintf(out, 17, "%s", strstr(end->said, words) + strlen(words));
    return out;
}

static void a_run_that_lost_a_rank_is_trained_to_its_end_by_others(void **state) {
    char whole[17], rescued[17];
    victim_outcome end = victim_run(state, "member_killed", 4, 0);
    assert_victim_said(&end, "rank 2 lost: rank 1 (");
    assert_victim_said(&end, ", world rank 3) died (its process is gone)");
    assert_string_equal(hash_behind(&end, "rank 0 rescued ", rescued),
                        hash_behind(&end, "rank 1 trained ", whole));
    assert_null(strstr(end.said, " fails: "));
    assert_null(strstr(end.said, "done in ")); /* no summary of each of many */
    for (int rank = 0; rank < 3; rank++) {
        char words[32];
        (void)snprintf(words, sizeof words, "rank %d left", rank);
        assert_victim_said(&end, words);
    }
    victim_clear(&end);
}

static void a_run_that_lost_who_records_it_ends_for_the_others_too(void **state) {
    victim_outcome end = victim_run(state, "leader_killed", 4, 0);
    assert_victim_said(&end, "rank 3 lost: rank 0 (");
    assert_victim_said(&end, "rank 0 trained ");
    assert_victim_said(&end, "rank 1 trained ");
    assert_null(strstr(end.said, " fails: "));
    assert_victim_said(&end, "rank 3 left");
    assert_victim_said(&end, "rank 0 left");
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
        FAULT(a_run_that_lost_a_rank_is_trained_to_its_end_by_others),
        FAULT(a_run_that_lost_who_records_it_ends_for_the_others_too),
    };
    return cmocka_run_group_tests_name("train_faults", tests, NULL, NULL);
}
