/* Load of the machine and of containers, from files that say what Linux says. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/base.h"
#include "tests/support/near.h"
#include "tests/support/temp_folder.h"

static const char stat_text[] = "cpu  1000 200 300 7000 500 10 20 30 40 50\n"
                                "cpu0 500 100 150 3500 250 5 10 15 20 25\n"
                                "cpu1 500 100 150 3500 250 5 10 15 20 25\n"
                                "intr 99 0\nctxt 12345\n";
static const char meminfo[] = "MemTotal:       16000 kB\nMemFree:         1000 kB\n"
                              "MemAvailable:    6000 kB\nBuffers:          100 kB\n";
static const char net_dev[] =
    "Inter-|   Receive                                                |  Transmit\n"
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs\n"
    "    lo: 555 1 0 0 0 0 0 0 555 1 0 0 0 0 0 0\n"
    "  eth0: 1000 2 0 0 0 0 0 0 300 2 0 0 0 0 0 0\n"
    "ib0:17 2 0 0 0 0 0 0 5 2 0 0 0 0 0 0\n";

typedef struct machine {
    temp_folder root;
    ty_ctx ctx;
    int64_t now_ns;
    ty_clock clock;
} machine;

static int64_t machine_now(void *self) {
    return ((const machine *)self)->now_ns;
}

static void put(const machine *m, const char *name, const char *text) {
    char path[2 * TEMP_FOLDER_BYTES];
    (void)temp_folder_path(&m->root, name, path);
    for (char *slash = path + strlen(m->root.path) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        (void)mkdir(path, 0755);
        *slash = '/';
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static int open_machine(void **state) {
    machine *m = calloc(1, sizeof *m);
    assert_non_null(m);
    m->root = temp_folder_make();
    ty_ctx_init(&m->ctx);
    m->now_ns = 100 * INT64_C(1000000000);
    m->clock = (ty_clock){.wall_ns = machine_now, .monotonic_ns = machine_now, .self = m};
    m->ctx.clock = &m->clock;
    put(m, "proc/stat", stat_text);
    put(m, "proc/meminfo", meminfo);
    put(m, "proc/net/dev", net_dev);
    put(m, "proc/self/statm", "5000 700 300 1 0 900 0\n");
    *state = m;
    return 0;
}

static int close_machine(void **state) {
    machine *m = *state;
    temp_folder_remove(&m->root);
    ty_ctx_clear(&m->ctx);
    free(m);
    return 0;
}

static ty_system_reading read_machine(machine *m) {
    ty_system_reading out;
    ty_system_read(&m->ctx, m->root.path, m->root.path, &out);
    return out;
}

static void assert_measured(const ty_system_reading *r, double memory_total, double memory_used,
                            double total_s, double busy_s) {
    assert_near(r->memory_total, memory_total);
    assert_near(r->memory_used, memory_used);
    assert_near(r->cpu_total_s, total_s);
    assert_near(r->cpu_busy_s, busy_s);
}

static void a_machine_without_limits_is_read_as_it_is(void **state) {
    machine *m = *state;
    const ty_system_reading r = read_machine(m);
    const double tick = 1.0 / (double)sysconf(_SC_CLK_TCK);
    /* Guests are within user. */
    assert_measured(&r, 16000 * 1024, 10000 * 1024, 9060 * tick, 1560 * tick);
    assert_near(r.network_received, 1017);
    assert_near(r.network_sent, 305);
    assert_near(r.process_memory, 700 * (double)sysconf(_SC_PAGESIZE));
    assert_true(r.disk_free > 0 && r.disk_used > 0 && r.process_cpu_s >= 0);
}

static void nothing_to_read_is_unknown_and_no_failure(void **state) {
    machine *m = *state;
    ty_system_reading r;
    ty_system_read(&m->ctx, "/nowhere", NULL, &r);
    assert_true(isnan(r.cpu_busy_s) && isnan(r.memory_used) && isnan(r.network_sent));
    assert_true(isnan(r.disk_used) && isnan(r.process_memory));
    assert_true(isnan(ty_system_cpu_percent(&r, &r)));
}

static void a_container_of_version_2_is_measured_by_its_tightest_limit(void **state) {
    machine *m = *state;
    put(m, "proc/self/cgroup", "0::/box/job\n");
    put(m, "sys/fs/cgroup/cpuset.cpus.effective", "0-1\n");
    put(m, "sys/fs/cgroup/box/memory.max", "4000000\n");
    put(m, "sys/fs/cgroup/box/memory.current", "3000000\n");
    put(m, "sys/fs/cgroup/box/memory.stat", "anon 5\ninactive_file 400000\nactive_file 1\n");
    put(m, "sys/fs/cgroup/box/cpu.max", "150000 100000\n");
    put(m, "sys/fs/cgroup/box/cpu.stat", "usage_usec 30000000\nuser_usec 1\n");
    put(m, "sys/fs/cgroup/box/job/memory.max", "max\n");
    put(m, "sys/fs/cgroup/box/job/cpu.max", "max 100000\n");
    const ty_system_reading r = read_machine(m);
    assert_measured(&r, 4000000, 2600000, 150, 30); /* 1.5 processors for 100 s */
    put(m, "sys/fs/cgroup/box/cpu.stat", "usage_usec 33000000\nuser_usec 1\n");
    m->now_ns += 4 * INT64_C(1000000000);
    const ty_system_reading later = read_machine(m);
    assert_near(ty_system_cpu_percent(&r, &later), 50);
}

static void a_container_that_may_use_one_processor_is_measured_by_it(void **state) {
    machine *m = *state;
    put(m, "proc/self/cgroup", "0::/\n");
    put(m, "sys/fs/cgroup/cpuset.cpus.effective", "1\n");
    put(m, "sys/fs/cgroup/cpu.stat", "usage_usec 7000000\n");
    put(m, "sys/fs/cgroup/memory.max", "999999999999\n"); /* more than there is */
    const ty_system_reading r = read_machine(m);
    assert_measured(&r, 16000 * 1024, 10000 * 1024, 100, 7);
}

/* Two processors, of which a quota of each 100 ms may be used. */
static void put_processors_v1(const machine *m, const char *quota_us) {
    put(m, "sys/fs/cgroup/cpu/cpu.cfs_quota_us", quota_us);
    put(m, "sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    put(m, "sys/fs/cgroup/cpuset/cpuset.effective_cpus", "0-1\n");
    put(m, "sys/fs/cgroup/cpuacct/cpuacct.usage", "9000000000\n");
}

/* Docker without a namespace of control groups: the path is the host's, the files are ours. */
static void a_container_of_version_1_is_found_under_a_path_that_is_not_there(void **state) {
    machine *m = *state;
    put(m, "proc/self/cgroup",
        "11:memory:/docker/0123\n4:cpu,cpuacct:/docker/0123\n3:cpuset:/docker/0123\n0::/\n");
    put(m, "sys/fs/cgroup/memory/memory.limit_in_bytes", "8000000\n");
    put(m, "sys/fs/cgroup/memory/memory.usage_in_bytes", "5000000\n");
    put(m, "sys/fs/cgroup/memory/memory.stat", "inactive_file 7\ntotal_inactive_file 1000000\n");
    put_processors_v1(m, "50000\n");
    const ty_system_reading r = read_machine(m);
    assert_measured(&r, 8000000, 4000000, 50, 9);
}

static void groups_of_version_1_without_limits_change_nothing(void **state) {
    machine *m = *state;
    const ty_system_reading plain = read_machine(m);
    put(m, "proc/self/cgroup", "4:memory:/a\n3:cpuset:/\n2:cpuacct:/\n1:cpu:/\n0::/\n");
    put(m, "sys/fs/cgroup/memory/a/memory.limit_in_bytes", "9223372036854771712\n");
    put_processors_v1(m, "-1\n");
    const ty_system_reading r = read_machine(m);
    assert_measured(&r, plain.memory_total, plain.memory_used, plain.cpu_total_s, plain.cpu_busy_s);
}

static void this_machine_says_something(void **state) {
    machine *m = *state;
    ty_system_reading r;
    ty_system_read(&m->ctx, "", ".", &r);
    assert_true(r.cpu_total_s > 0 && r.cpu_busy_s > 0);
    assert_true(r.memory_total > r.memory_used && r.memory_used > 0);
    assert_true(r.process_memory > 0 && r.disk_free + r.disk_used > 0);
}

#define WITH_MACHINE(name) cmocka_unit_test_setup_teardown(name, open_machine, close_machine)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_MACHINE(a_machine_without_limits_is_read_as_it_is),
        WITH_MACHINE(nothing_to_read_is_unknown_and_no_failure),
        WITH_MACHINE(a_container_of_version_2_is_measured_by_its_tightest_limit),
        WITH_MACHINE(a_container_that_may_use_one_processor_is_measured_by_it),
        WITH_MACHINE(a_container_of_version_1_is_found_under_a_path_that_is_not_there),
        WITH_MACHINE(groups_of_version_1_without_limits_change_nothing),
        WITH_MACHINE(this_machine_says_something),
    };
    return cmocka_run_group_tests_name("base.system", tests, NULL, NULL);
}
