/* Names of the machine's load: MLflow's own on one host, with a folder a host on several. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/train/monitor.h"
#include "cli/train/monitor_names.h"
#include "tests/support/near.h"

static const char *key(const load_seat *seats, int n, int rank, load_column column) {
    static char out[LOAD_KEY_BYTES];
    load_key(seats, n, rank, column, out);
    return out;
}

static void one_rank_has_the_names_of_mlflow(void **state) {
    (void)state;
    const load_seat seat = {.gpu = 2};
    assert_string_equal(key(&seat, 1, 0, LOAD_CPU), "system/cpu_utilization_percentage");
    assert_string_equal(key(&seat, 1, 0, LOAD_MEMORY_MB), "system/system_memory_usage_megabytes");
    assert_string_equal(key(&seat, 1, 0, LOAD_DISK_FREE_MB), "system/disk_available_megabytes");
    assert_string_equal(key(&seat, 1, 0, LOAD_SENT_MB), "system/network_transmit_megabytes");
    assert_string_equal(key(&seat, 1, 0, LOAD_GPU_BUSY), "system/gpu_2_utilization_percentage");
    assert_string_equal(key(&seat, 1, 0, LOAD_GPU_WATTS_PERCENT),
                        "system/gpu_2_power_usage_percentage");
    assert_string_equal(key(&seat, 1, 0, LOAD_PROCESS_MB), "system/process_memory_megabytes");
}

static void a_host_is_told_of_once_and_a_gpu_by_its_first_rank(void **state) {
    (void)state;
    const load_seat seats[] = {
        {.node = 0, .gpu = 0}, {.node = 1, .gpu = 0}, {.node = 0, .gpu = 1}, {.node = 1, .gpu = 0}};
    const bool hosts[] = {true, true, false, false}, gpus[] = {true, true, true, false};
    for (int r = 0; r < 4; r++) {
        assert_int_equal(load_tells_host(seats, r), hosts[r]);
        assert_int_equal(load_tells_gpu(seats, r), gpus[r]);
    }
    assert_false(load_tells_gpu(&(const load_seat){.gpu = -1}, 0));
    assert_string_equal(key(seats, 4, 1, LOAD_CPU), "system/node_1/cpu_utilization_percentage");
    assert_string_equal(key(seats, 4, 2, LOAD_GPU_WATTS), "system/node_0/gpu_1_power_usage_watts");
    assert_string_equal(key(seats, 4, 3, LOAD_PROCESS_CPU), "system/rank_3/process_cpu_percentage");
}

static void a_host_has_the_name_it_was_given_unless_another_has_it_too(void **state) {
    (void)state;
    const load_seat own[] = {{.node_id = "east", .node = 0}, {.node_id = "west", .node = 1}};
    assert_string_equal(key(own, 2, 1, LOAD_CPU), "system/west/cpu_utilization_percentage");
    const load_seat same[] = {{.node_id = "east", .node = 0}, {.node_id = "east", .node = 1}};
    assert_string_equal(key(same, 2, 1, LOAD_CPU), "system/node_1/cpu_utilization_percentage");
    assert_string_equal(key(own, 1, 0, LOAD_CPU), "system/east/cpu_utilization_percentage");
}

static void columns_are_megabytes_and_percent_of_what_there_is(void **state) {
    (void)state;
    double v[LOAD_COLUMNS];
    const ty_system_reading first = {.network_received = 1e6},
                            before = {.network_received = 2e6, .process_cpu_s = 1},
                            now = {.cpu_busy_s = 3,
                                   .cpu_total_s = 12,
                                   .memory_used = 2e9,
                                   .memory_total = 8e9,
                                   .disk_used = 3e9,
                                   .disk_free = 1e9,
                                   .network_received = 4e6,
                                   .process_cpu_s = 16,
                                   .process_memory = 5e6};
    load_of_system(&first, &before, &now, 10, true, v);
    assert_near(v[LOAD_CPU], 25);
    assert_near(v[LOAD_MEMORY_PERCENT], 25);
    assert_near(v[LOAD_MEMORY_MB], 2000);
    assert_near(v[LOAD_DISK_PERCENT], 75);
    assert_near(v[LOAD_RECEIVED_MB], 3);
    assert_near(v[LOAD_PROCESS_CPU], 150);
    assert_near(v[LOAD_PROCESS_MB], 5);
    const ty_nvml_reading gpu = {20e9, 80e9, 97, 350, NAN};
    load_of_gpu(&gpu, v);
    assert_near(v[LOAD_GPU_MEMORY_PERCENT], 25);
    assert_true(isnan(v[LOAD_GPU_WATTS_PERCENT]));
}

static const char *enable, *interval;

static const char *answer(const char *name) {
    if (strcmp(name, "MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING") == 0)
        return enable;
    return strcmp(name, "MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL") == 0 ? interval : NULL;
}

static double asked(const char *enabled, const char *every, double configured) {
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    ctx.getenv = answer;
    enable = enabled;
    interval = every;
    const double got = monitor_interval(&ctx, configured);
    ty_ctx_clear(&ctx);
    return got;
}

static void the_config_says_how_often_then_the_environment(void **state) {
    (void)state;
    assert_near(asked(NULL, NULL, NAN), 10);
    assert_near(asked("true", "2.5", NAN), 2.5);
    assert_near(asked("false", "2.5", NAN), 0);
    assert_near(asked("FALSE", NULL, 3), 3);
    assert_near(asked(NULL, "nonsense", NAN), 10);
    assert_near(asked(NULL, "1e-9", NAN), 0.1);
    assert_near(asked(NULL, "inf", NAN), 1e6);
    assert_near(asked(NULL, "nan", NAN), 10);
    assert_near(asked(NULL, "2", 0), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_rank_has_the_names_of_mlflow),
        cmocka_unit_test(a_host_is_told_of_once_and_a_gpu_by_its_first_rank),
        cmocka_unit_test(a_host_has_the_name_it_was_given_unless_another_has_it_too),
        cmocka_unit_test(columns_are_megabytes_and_percent_of_what_there_is),
        cmocka_unit_test(the_config_says_how_often_then_the_environment),
    };
    return cmocka_run_group_tests_name("cli.monitor", tests, NULL, NULL);
}
