/* What a process sees of the simulator: its options, its order of work, its devices, how it ends. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "child.h"

/* Runs `probe what` under up to three settings; the caller frees it. */
static child *probe(const char *what, const char *a, const char *b, const char *c_setting) {
    child *c = calloc(1, sizeof *c);
    assert_non_null(c);
    c->program = PROBE;
    c->arguments[0] = what;
    c->settings[0] = a;
    c->settings[1] = b;
    c->settings[2] = c_setting;
    child_run(c);
    return c;
}

static void assert_says(const char *want, const char *what, const char *a, const char *b) {
    child *c = probe(what, a, b, NULL);
    if (!strstr(c->output, want))
        fail_msg("probe %s with %s, %s: want \"%s\" in\n%s", what, a ? a : "-", b ? b : "-", want,
                 c->output);
    free(c);
}

/* --- order ------------------------------------------------------------------------------------ */

static void fixed_schedules_run_in_their_order(void **state) {
    (void)state;
    assert_says("adgbehcfi\n", "order", "CUDASIM_SCHEDULE=in_order", NULL);
    assert_says("ghidefabc\n", "order", "CUDASIM_SCHEDULE=reverse", NULL);
    assert_says("abcdefghi\n", "order", "CUDASIM_SCHEDULE=one_warp", NULL);
}

static bool keeps_each_stream(const char *output) {
    for (const char *pair = "abbcdeefghhi"; *pair; pair += 2) {
        const char *first = strchr(output, pair[0]), *second = strchr(output, pair[1]);
        if (!first || !second || first > second)
            return false;
    }
    return true;
}

static void a_seed_replays_and_another_differs(void **state) {
    (void)state;
    size_t n_others = 0;
    char first[32] = "";
    for (int seed = 1; seed <= 8; seed++) {
        char setting[32];
        snprintf(setting, sizeof setting, "CUDASIM_SEED=%d", seed);
        child *once = probe("order", setting, NULL, NULL),
              *again = probe("order", setting, NULL, NULL);
        assert_string_equal(once->output, again->output);
        assert_true(keeps_each_stream(once->output));
        if (seed == 1)
            snprintf(first, sizeof first, "%.20s", once->output);
        n_others += strcmp(first, once->output) != 0;
        free(once);
        free(again);
    }
    assert_true(n_others >= 6);
}

/* --- devices ---------------------------------------------------------------------------------- */

static void profiles_are_the_gpus_they_say(void **state) {
    (void)state;
    assert_says("Tesla T4 sm_75 sms 40 shared 49152/65536", "device", "CUDASIM_PROFILE=t4", NULL);
    assert_says("NVIDIA A100-SXM4-80GB sm_80 sms 108 shared 49152/166912", "device", NULL, NULL);
    assert_says("NVIDIA H100 80GB HBM3 sm_90 sms 132 shared 49152/232448", "device",
                "CUDASIM_PROFILE=h100", NULL);
}

static void processes_see_the_same_device_by_the_same_uuid(void **state) {
    (void)state;
    assert_says("uuid ..01 bus 0000:10:00.0", "device", "CUDASIM_DEVICES=2", NULL);
    assert_says("uuid ..02 bus 0000:21:00.0", "device", "CUDASIM_DEVICES=2", NULL);
    /* The second device alone, as Slurm's --gpus-per-task=1 shows it to the second rank. */
    child *c = probe("device", "CUDASIM_DEVICES=2", "CUDA_VISIBLE_DEVICES=1", NULL);
    assert_non_null(strstr(c->output, "uuid ..02"));
    assert_null(strstr(c->output, "uuid ..01"));
    free(c);
}

static void a_machine_may_have_no_device(void **state) {
    (void)state;
    assert_says("none\n", "device", "CUDASIM_DEVICES=0", NULL);
    assert_says("none\n", "device", "CUDA_VISIBLE_DEVICES=", NULL);
}

static void memory_ends_at_its_limit(void **state) {
    (void)state;
    child *c = calloc(1, sizeof *c);
    assert_non_null(c);
    c->program = PROBE;
    c->arguments[0] = "allocate";
    c->arguments[1] = "1048576";
    c->settings[0] = "CUDASIM_MEMORY=1048576";
    child_run(c);
    assert_int_equal(c->status, 0);
    c->arguments[1] = "1048577";
    child_run(c);
    assert_int_equal(c->status, 8);
    assert_non_null(strstr(c->output, "cudaErrorMemoryAllocation"));
    free(c);
}

/* --- ends and words --------------------------------------------------------------------------- */

static void a_report_decides_how_the_process_ends(void **state) {
    (void)state;
    child *c = probe("leave", NULL, NULL, NULL);
    assert_int_equal(c->status, 99);
    assert_non_null(strstr(c->output, "left\n")); /* what it printed is not lost */
    free(c);
    c = probe("leave", "CUDASIM_CHECKS=bounds,init", NULL, NULL);
    assert_int_equal(c->status, 3);
    assert_false(child_reported_anything(c));
    free(c);
}

static void reports_go_to_a_file_too(void **state) {
    (void)state;
    char path[] = "/tmp/cudasim-report-XXXXXX", setting[64], line[256] = "";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    snprintf(setting, sizeof setting, "CUDASIM_REPORT=%s", path);
    free(probe("leave", setting, NULL, NULL));
    assert_true(read(fd, line, sizeof line - 1) > 0);
    assert_non_null(strstr(line, "cudasim: leak: cudaMalloc in leave: device memory"));
    close(fd);
    unlink(path);
}

static void calls_are_traced_and_counted(void **state) {
    (void)state;
    assert_says("cudasim: call cudaStreamDestroy from order\n", "order", "CUDASIM_TRACE=1", NULL);
    assert_says("cudasim: calls cudaLaunchHostFunc 9\n", "order", "CUDASIM_TRACE=1", NULL);
}

static void options_that_are_none_are_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"CUDASIM_SEED=x",      "CUDASIM_SCHEDULE=sometimes",
                                      "CUDASIM_CHECKS=luck", "CUDASIM_PROFILE=v100",
                                      "CUDASIM_DEVICES=9",   "CUDASIM_MEMORY=-1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        child *c = probe("device", bad[i], NULL, NULL);
        assert_int_equal(c->status, 99);
        assert_true(child_reported(c, "unknown"));
        free(c);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_schedules_run_in_their_order),
        cmocka_unit_test(a_seed_replays_and_another_differs),
        cmocka_unit_test(profiles_are_the_gpus_they_say),
        cmocka_unit_test(processes_see_the_same_device_by_the_same_uuid),
        cmocka_unit_test(a_machine_may_have_no_device),
        cmocka_unit_test(memory_ends_at_its_limit),
        cmocka_unit_test(a_report_decides_how_the_process_ends),
        cmocka_unit_test(reports_go_to_a_file_too),
        cmocka_unit_test(calls_are_traced_and_counted),
        cmocka_unit_test(options_that_are_none_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
