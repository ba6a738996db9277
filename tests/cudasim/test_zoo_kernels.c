/* The device half of the bug zoo: each file of zoo/ has a kernel with one fault and its twin without. The fault must be
 * reported with its kind, at a line that the source marks, under every schedule; the twin must not be.
 *
 * A file says how it is launched: `// zoo: kind=race grid=4 block=32 n=128 shared=0 data=floats`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/cudasim/alone.h"

enum { SCHEDULES = 8, OUT_FLOATS = 1024, SOURCE_MAX = 4096 };

typedef struct specimen {
    char name[64], kind[32], data[16];
    unsigned grid, block, n, shared;
    char source[SOURCE_MAX];
    char *ptx;
    size_t ptx_bytes;
} specimen;

static char *read_file(const char *folder, const char *name, const char *suffix, size_t *bytes) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s%s", folder, name, suffix);
    FILE *file = fopen(path, "re");
    if (!file)
        fail_msg("cannot read %s", path);
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    *bytes = fread(text, 1, (1 << 20) - 1, file);
    fclose(file);
    return text;
}

static unsigned number_after(const char *spec, const char *key) {
    const char *at = strstr(spec, key);
    return at ? (unsigned)strtoul(at + strlen(key), NULL, 10) : 0;
}

static void word_after(const char *spec, const char *key, const char *otherwise, char *word,
                       size_t room) {
    const char *at = strstr(spec, key);
    const char *from = at ? at + strlen(key) : otherwise;
    const size_t n = strcspn(from, " \n");
    snprintf(word, room, "%.*s", (int)n, from);
}

static void open_specimen(const char *name, specimen *s) {
    size_t bytes;
    char *source = read_file(ZOO_SOURCES, name, ".cu", &bytes);
    assert_true(bytes < SOURCE_MAX);
    snprintf(s->name, sizeof s->name, "%s", name);
    memcpy(s->source, source, bytes + 1);
    free(source);
    const char *begin = strstr(s->source, "// zoo: ");
    assert_non_null(begin);
    char spec[256];
    snprintf(spec, sizeof spec, "%.*s", (int)strcspn(begin, "\n"), begin);
    word_after(spec, "kind=", "?", s->kind, sizeof s->kind);
    word_after(spec, "data=", "floats", s->data, sizeof s->data);
    s->grid = number_after(spec, "grid=");
    s->block = number_after(spec, "block=");
    s->n = number_after(spec, " n=");
    s->shared = number_after(spec, "shared=");
    s->ptx = read_file(ZOO_PTX, name, ".ptx", &s->ptx_bytes);
}

static const char *name_of_kind(cs_kind kind) {
    static const char *const names[CS_KINDS] = {
        [CS_BOUNDS] = "bounds",   [CS_ALIGNMENT] = "alignment",
        [CS_RACE] = "race",       [CS_UNINITIALISED] = "uninitialised",
        [CS_BARRIER] = "barrier", [CS_USE_AFTER_FREE] = "use-after-free",
        [CS_MASK] = "mask",       [CS_HOST_POINTER] = "host-pointer",
        [CS_NULL] = "null",       [CS_HANG] = "hang",
        [CS_TRAP] = "trap"};
    return names[kind] ? names[kind] : "another";
}

/* Whether the source's line (from 1) is marked as a fault. */
static bool is_marked(const specimen *s, unsigned line) {
    const char *at = s->source;
    for (unsigned i = 1; i < line && at; i++) {
        at = strchr(at, '\n');
        at = at ? at + 1 : NULL;
    }
    if (!at)
        return false;
    const char *mark = strstr(at, "// fault");
    return mark && mark < at + strcspn(at, "\n");
}

/* The place is "name.cu:line" of a marked line. */
static bool is_right_place(const specimen *s, const char *where) {
    char prefix[80];
    snprintf(prefix, sizeof prefix, "%s.cu:", s->name);
    const size_t n = strlen(prefix);
    return strncmp(where, prefix, n) == 0 && is_marked(s, (unsigned)strtoul(where + n, NULL, 10));
}

/* --- launches ------------------------------------------------------------------------------------ */

static void set_schedule(int number) {
    static const cs_schedule first[] = {CS_SCHEDULE_IN_ORDER, CS_SCHEDULE_REVERSE,
                                        CS_SCHEDULE_ONE_WARP};
    cs_sim.options.schedule = number < 3 ? first[number] : CS_SCHEDULE_RANDOM;
    cs_sim.options.seed = number < 3 ? 1 : (uint64_t)number;
    cs_sim.options.hang_s = 0.02;
}

static uint64_t make_data(const specimen *s, void *host) {
    const uint64_t data = cs_memory_new(0, s->n * sizeof(float), "data");
    float *values = (float *)(void *)cs_alias(data);
    for (unsigned i = 0; i < s->n; i++)
        values[i] = (float)i;
    memset(cs_init_shadow(data), 1, s->n * sizeof(float));
    if (strcmp(s->data, "freed") == 0)
        cs_memory_free(data);
    return strcmp(s->data, "null") == 0   ? 0
           : strcmp(s->data, "host") == 0 ? (uint64_t)(uintptr_t)host
                                          : data;
}

static void run_kernel(const specimen *s, const char *kernel, int schedule) {
    static float host[32];
    char error[512];
    struct {
        uint64_t data;
        int32_t n, unused;
        uint64_t out;
    } params = {0};
    alone_start();
    set_schedule(schedule);
    cs_module *module = cs_module_load(0, s->ptx, s->ptx_bytes, error, sizeof error);
    if (!module)
        fail_msg("%s: %s", s->name, error);
    params.data = make_data(s, host);
    params.n = (int32_t)s->n;
    params.out = cs_memory_new(0, OUT_FLOATS * sizeof(float), "out");
    const cs_launch launch = {.kernel = cs_module_kernel(module, kernel),
                              .grid = {s->grid, 1, 1},
                              .block = {s->block, 1, 1},
                              .dynamic_shared = s->shared,
                              .params = (const uint8_t *)&params,
                              .launch_id = 1};
    cs_launch_run(&launch);
    cs_module_unload(module);
    alone_stop();
}

static void expect_caught(const specimen *s, int schedule) {
    const alone_report *reports;
    const size_t n = alone_reports(&reports);
    for (size_t i = 0; i < n; i++)
        if (strcmp(name_of_kind(reports[i].kind), s->kind) == 0 &&
            is_right_place(s, reports[i].where))
            return;
    for (size_t i = 0; i < n; i++)
        print_message("%s: %s: %s\n", name_of_kind(reports[i].kind), reports[i].where,
                      reports[i].text);
    fail_msg("%s: not reported as %s at a marked line under schedule %d", s->name, s->kind,
             schedule);
}

static void expect_nothing(const specimen *s, int schedule) {
    const alone_report *reports;
    if (alone_reports(&reports))
        fail_msg("%s's twin under schedule %d: %s: %s", s->name, schedule, reports[0].where,
                 reports[0].text);
}

static const char *const names[] = {ZOO_NAMES};

static void each_specimen(const char *kernel, void (*expect)(const specimen *s, int schedule)) {
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        specimen *s = calloc(1, sizeof *s);
        assert_non_null(s);
        open_specimen(names[i], s);
        for (int schedule = 0; schedule < SCHEDULES; schedule++) {
            run_kernel(s, kernel, schedule);
            expect(s, schedule);
        }
        free(s->ptx);
        free(s);
    }
}

static void every_fault_is_caught_at_its_line_under_every_schedule(void **state) {
    (void)state;
    each_specimen("faulty", expect_caught);
}

static void no_twin_without_the_fault_is_reported(void **state) {
    (void)state;
    each_specimen("clean", expect_nothing);
}

static void the_zoo_holds_at_least_thirty_faults_of_devices(void **state) {
    (void)state;
    assert_true(sizeof names / sizeof *names >= 30);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_fault_is_caught_at_its_line_under_every_schedule),
        cmocka_unit_test(no_twin_without_the_fault_is_reported),
        cmocka_unit_test(the_zoo_holds_at_least_thirty_faults_of_devices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
