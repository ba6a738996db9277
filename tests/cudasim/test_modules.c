/* Fat binaries that come and go, and what each GPU allows of a launch: at the limit and one over it. */
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

typedef struct asked {
    const char *what, *a, *b;
    const char *settings[3];
} asked;

static child *probe(const asked *how) {
    child *c = calloc(1, sizeof *c);
    assert_non_null(c);
    c->program = PROBE_MODULES;
    c->arguments[0] = how->what;
    c->arguments[1] = how->a;
    c->arguments[2] = how->b;
    memcpy(c->settings, how->settings, sizeof how->settings);
    child_run(c);
    return c;
}

static void assert_says(const asked *how, const char *want) {
    child *c = probe(how);
    if (!strstr(c->output, want))
        fail_msg("%s %s %s under %s: want \"%s\" in\n%s", how->what, how->a, how->b ? how->b : "",
                 how->settings[0] ? how->settings[0] : "-", want, c->output);
    free(c);
}

/* --- modules ---------------------------------------------------------------------------------- */

static void a_plugin_registers_when_opened_and_is_gone_when_closed(void **state) {
    (void)state;
    child *c = probe(&(asked){.what = "plugin", .a = TOY_PLUGIN});
    assert_int_equal(c->status, 0);
    /* The variable begins anew: the second opening is another module. */
    assert_string_equal(c->output, "counted 2, 5\ncounted 2, 5\n");
    free(c);
}

static void compressed_ptx_is_refused_by_its_option(void **state) {
    (void)state;
    child *c = probe(&(asked){.what = "plugin", .a = TOY_PLUGIN_COMPRESSED});
    assert_int_equal(c->status, 99);
    assert_non_null(strstr(c->output, "-compress-mode=none"));
    free(c);
}

static void every_profile_runs_the_same_kernel(void **state) {
    (void)state;
    static const char *const profiles[] = {"CUDASIM_PROFILE=t4", "CUDASIM_PROFILE=a100",
                                           "CUDASIM_PROFILE=h100"};
    for (size_t i = 0; i < 3; i++)
        assert_says(&(asked){.what = "plugin", .a = TOY_PLUGIN, .settings = {profiles[i]}},
                    "counted 2, 5\ncounted 2, 5\n");
}

static void variables_are_written_and_read_by_name(void **state) {
    (void)state;
    child *c = probe(&(asked){.what = "symbols", .a = "-"});
    assert_int_equal(c->status, 0);
    assert_string_equal(c->output, "2 3 1\n1 1, 16 bytes\n");
    free(c);
}

static void c_launches_without_the_compilers_stub(void **state) {
    (void)state;
    child *c = probe(&(asked){.what = "launches", .a = "-"});
    assert_int_equal(c->status, 0);
    assert_string_equal(c->output, "4 1, 1 4\n");
    free(c);
}

/* The registers are those of the machine code beside the PTX. */
static void a_kernel_tells_its_attributes(void **state) {
    (void)state;
    assert_says(&(asked){.what = "attributes", .a = "-"},
                "threads 1024 dynamic 49152 ptx 80 blocks 4 registers counted\n");
}

/* --- limits ----------------------------------------------------------------------------------- */

static void shared_memory_ends_where_the_gpu_says(void **state) {
    (void)state;
    static const struct {
        const char *profile;
        int limit;
    } rows[] = {{"CUDASIM_PROFILE=t4", 64 * 1024},
                {"CUDASIM_PROFILE=a100", 163 * 1024},
                {"CUDASIM_PROFILE=h100", 227 * 1024}};
    for (size_t i = 0; i < 3; i++) {
        char at[16], over[16];
        snprintf(at, sizeof at, "%d", rows[i].limit);
        snprintf(over, sizeof over, "%d", rows[i].limit + 1);
        assert_says(&(asked){.what = "shared", .a = at, .settings = {rows[i].profile}},
                    "opt in cudaSuccess\nlaunch cudaSuccess\n");
        assert_says(&(asked){.what = "shared", .a = over, .settings = {rows[i].profile}},
                    "opt in cudaErrorInvalidValue\nlaunch cudaErrorInvalidValue\n");
    }
}

static void make_register_table(char *path, int registers) {
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    dprintf(fd, "other_kernel 16\nturn_round %d\n", registers);
    close(fd);
}

/* Registers go to warps by 256: a warp of 72 takes 2304, 28 warps 64,512 and 29 warps 66,816 of 65,536. */
static void registers_times_threads_fit_the_register_file(void **state) {
    (void)state;
    char path[] = "/tmp/cudasim-registers-XXXXXX", setting[80];
    make_register_table(path, 72);
    snprintf(setting, sizeof setting, "CUDASIM_REGISTERS=%s", path);
    assert_says(&(asked){.what = "threads", .a = "896", .settings = {setting}},
                "launch cudaSuccess\n");
    assert_says(&(asked){.what = "threads", .a = "897", .settings = {setting}},
                "launch cudaErrorLaunchOutOfResources\n");
    unlink(path);
}

/* By hand from the compute capabilities' table: 1024 threads a T4 multiprocessor and 2048 another's; shared memory of
 * 64, 164 and 228 KiB, of which each block takes its own and, since 8.0, one more KiB. */
static void occupancy_is_what_the_tables_give(void **state) {
    (void)state;
    static const struct {
        const char *profile, *threads, *shared, *want;
    } rows[] = {
        {"CUDASIM_PROFILE=t4", "256", "0", "blocks 4\n"},
        {"CUDASIM_PROFILE=a100", "256", "0", "blocks 8\n"},
        {"CUDASIM_PROFILE=h100", "1024", "0", "blocks 2\n"},
        {"CUDASIM_PROFILE=a100", "32", "0", "blocks 32\n"},
        {"CUDASIM_PROFILE=t4", "32", "0", "blocks 16\n"},
        {"CUDASIM_PROFILE=t4", "64", "40960", "blocks 1\n"},
        {"CUDASIM_PROFILE=a100", "64", "40960", "blocks 4\n"},
        {"CUDASIM_PROFILE=h100", "64", "40960", "blocks 5\n"},
        {"CUDASIM_PROFILE=a100", "1025", "0", "blocks 0\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_says(&(asked){.what = "occupancy",
                             .a = rows[i].threads,
                             .b = rows[i].shared,
                             .settings = {rows[i].profile}},
                    rows[i].want);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plugin_registers_when_opened_and_is_gone_when_closed),
        cmocka_unit_test(compressed_ptx_is_refused_by_its_option),
        cmocka_unit_test(every_profile_runs_the_same_kernel),
        cmocka_unit_test(variables_are_written_and_read_by_name),
        cmocka_unit_test(c_launches_without_the_compilers_stub),
        cmocka_unit_test(a_kernel_tells_its_attributes),
        cmocka_unit_test(shared_memory_ends_where_the_gpu_says),
        cmocka_unit_test(registers_times_threads_fit_the_register_file),
        cmocka_unit_test(occupancy_is_what_the_tables_give),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
