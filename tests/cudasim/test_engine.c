/* What the engine promises beyond single instructions: refusals that name the thing, orders that a seed replays, errors
 * of approximations inside their bounds, mutants, coverage, places. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/cudasim/alone.h"

#define HEAD ".version 8.0\n.target sm_80\n.address_size 64\n"
#define REGISTERS                                                                                  \
    ".reg .b16 %h<4>; .reg .b32 %r<8>; .reg .b64 %l<8>; .reg .f32 %f<4>; .reg .pred %p<4>;\n"
#define KERNEL(body) HEAD ".visible .entry k(.param .u64 out) {\n" REGISTERS body "\nret; }\n"
#define OUT "ld.param.u64 %l0, [out];\n"

static char error[512];

static cs_module *try_load(const char *text) {
    return cs_module_load(0, text, strlen(text), error, sizeof error);
}

static cs_module *load(const char *text) {
    cs_module *module = try_load(text);
    if (!module)
        fail_msg("%s", error);
    return module;
}

static bool run(const cs_module *module, unsigned grid, unsigned block, uint64_t out) {
    const cs_launch launch = {.kernel = cs_module_kernel(module, "k"),
                              .grid = {grid, 1, 1},
                              .block = {block, 1, 1},
                              .params = (const uint8_t *)&out,
                              .launch_id = 1};
    assert_non_null(launch.kernel);
    return cs_launch_run(&launch);
}

static uint32_t word(uint64_t address, unsigned i) {
    uint32_t value;
    memcpy(&value, cs_alias(address) + 4 * i, sizeof value);
    return value;
}

static uint64_t zeroed(size_t bytes) {
    const uint64_t address = cs_memory_new(0, bytes, "zeroed");
    memset(cs_alias(address), 0, bytes);
    memset(cs_init_shadow(address), 1, bytes);
    return address;
}

/* --- refusals ------------------------------------------------------------------------------------ */

static void expect_refused(const char *text, const char *because) {
    cs_module *module = try_load(text);
    assert_null(module);
    if (!strstr(error, because))
        fail_msg("refused because of \"%s\", want \"%s\"", error, because);
}

static void an_unknown_instruction_is_refused_by_name_and_place(void **state) {
    (void)state;
    alone_start();
    expect_refused(KERNEL(".loc 1 33 5\nwmma.load.a.sync.aligned.row.m16n16k16.global.f16 {%r0}, "
                          "[%l0];") ".file 1 \"a/b.cu\"\n",
                   "a/b.cu:33: kernel k: 'wmma.load.a.sync.aligned.row.m16n16k16.global.f16': this "
                   "instruction");
    expect_refused(KERNEL("mov.u64 %l0, %clock64;"), "special register '%clock64' is not modelled");
    expect_refused(KERNEL("add.rn.f32.f64 %f0, %f1, %f2;"), "add.rn.f32.f64");
    expect_refused(KERNEL("add.f32 %f0, %f1;"), "2 operands, want 3");
    expect_refused(KERNEL("bar.sync 0, 64;"), "2 operands, want 1");
    alone_stop();
}

static void registers_of_another_width_are_refused(void **state) {
    (void)state;
    alone_start();
    expect_refused(KERNEL("add.s64 %l0, %r0, %l1;"), "a source register of 4 bytes, want 8");
    expect_refused(KERNEL("mov.u32 %l0, %r1;"), "a result register of 8 bytes, want 4");
    expect_refused(KERNEL("setp.lt.s32 %r0, %r1, %r2;"), "no predicate");
    expect_refused(KERNEL("ld.global.v4.f32 {%f0, %f1}, [%l0];"), "2 registers for a vector of 4");
    expect_refused(KERNEL("st.global.u64 [%l0], %r1;"), "a source register of 4 bytes, want 8");
    alone_stop();
}

static void a_text_that_is_no_ptx_is_refused_with_its_line(void **state) {
    (void)state;
    alone_start();
    expect_refused(HEAD ".visible .entry k() {\nbra", "line 5: ");
    expect_refused(HEAD ".texref t;\n", "line 4: directive '.texref' is not known");
    expect_refused(HEAD ".global .align 3 .b8 x;\n", "no power of two");
    expect_refused(HEAD ".global .b8 x[2] = {1, 2, 3};\n",
                   "an initialiser longer than its variable");
    expect_refused(KERNEL("bra NOWHERE;"), "a label that is not there");
    alone_stop();
}

static void calls_that_cannot_be_followed_are_refused(void **state) {
    (void)state;
    alone_start();
    expect_refused(HEAD ".func f() { call f; ret; }\n.visible .entry k() { call f; ret; }\n",
                   "calls nested more than");
    expect_refused(HEAD ".extern .func vprintf();\n.visible .entry k() { call vprintf; ret; }\n",
                   "function 'vprintf' is not modelled");
    expect_refused(KERNEL("call %l0;"), "a call by pointer");
    alone_stop();
}

/* --- orders -------------------------------------------------------------------------------------- */

/* Each block notes its number in the order in which blocks come. */
static const char order_of_blocks[] =
    KERNEL(OUT "mov.u32 %r1, %ctaid.x; atom.global.add.u32 %r2, [%l0], 1;\n"
               "mul.wide.u32 %l1, %r2, 4; add.u64 %l1, %l0, %l1; st.global.u32 [%l1+4], %r1;");

static void blocks_in_order(cs_schedule schedule, uint64_t seed, unsigned n, uint32_t *order) {
    alone_start();
    cs_sim.options.schedule = schedule;
    cs_sim.options.seed = seed;
    cs_module *module = load(order_of_blocks);
    const uint64_t out = zeroed(4 * (n + 1));
    assert_true(run(module, n, 1, out));
    assert_int_equal(alone_count(CS_KINDS), 0);
    for (unsigned i = 0; i < n; i++)
        order[i] = word(out, i + 1);
    cs_module_unload(module);
    alone_stop();
}

static void blocks_run_in_the_order_of_the_schedule(void **state) {
    (void)state;
    uint32_t order[10];
    blocks_in_order(CS_SCHEDULE_IN_ORDER, 1, 10, order);
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(order[i], i);
    blocks_in_order(CS_SCHEDULE_REVERSE, 1, 10, order);
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(order[i], 9 - i);
}

static void a_random_order_is_a_permutation_that_its_seed_replays(void **state) {
    (void)state;
    uint32_t first[100], again[100], other[100], seen[100] = {0};
    blocks_in_order(CS_SCHEDULE_RANDOM, 7, 100, first);
    blocks_in_order(CS_SCHEDULE_RANDOM, 7, 100, again);
    blocks_in_order(CS_SCHEDULE_RANDOM, 8, 100, other);
    assert_memory_equal(first, again, sizeof first);
    assert_memory_not_equal(first, other, sizeof first);
    for (int i = 0; i < 100; i++)
        seen[first[i]]++;
    for (int i = 0; i < 100; i++)
        assert_int_equal(seen[i], 1);
}

/* The first lane of each warp notes the warp before and after a barrier. */
static void one_warp_runs_ahead_of_the_others_through_a_barrier(void **state) {
    (void)state;
    static const char text[] = KERNEL(
        OUT
        "mov.u32 %r0, %tid.x; and.b32 %r1, %r0, 31; shr.u32 %r0, %r0, 5; setp.ne.u32 %p0, %r1, 0;\n"
        "@%p0 bra A; atom.global.add.u32 %r2, [%l0], 1; mul.wide.u32 %l1, %r2, 4; add.u64 %l1, "
        "%l0, %l1;\n"
        "st.global.u32 [%l1+4], %r0;\n"
        "A: bar.sync 0;\n"
        "@%p0 bra B; atom.global.add.u32 %r2, [%l0], 1; mul.wide.u32 %l1, %r2, 4; add.u64 %l1, "
        "%l0, %l1;\n"
        "st.global.u32 [%l1+4], %r0; B:");
    alone_start();
    cs_sim.options.schedule = CS_SCHEDULE_ONE_WARP;
    cs_module *module = load(text);
    const uint64_t out = zeroed(64);
    assert_true(run(module, 1, 96, out));
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(word(out, 1 + i), i);
    assert_int_equal(word(out, 4), word(out, 3)); /* the last to arrive goes on first */
    cs_module_unload(module);
    alone_stop();
}

/* --- approximations ------------------------------------------------------------------------------ */

typedef struct approximation {
    const char *spelling;
    double (*exact)(double x);
    double low, high;
    double relative, absolute; /* documented; either suffices */
} approximation;

static double reciprocal(double x) {
    return 1 / x;
}
static double root_reciprocal(double x) {
    return 1 / sqrt(x);
}

static const approximation approximations[] = {
    {"ex2.approx.f32", exp2, -20, 20, 0x1p-22, 0},
    {"lg2.approx.f32", log2, 2, 1000, 0x1p-22, 0},
    {"lg2.approx.f32", log2, 0.5, 2, 0, 0x1p-22},
    {"rcp.approx.f32", reciprocal, 0.001, 1000, 0x1p-23, 0},
    {"rsqrt.approx.f32", root_reciprocal, 0.001, 1000, 0x1p-22, 0}, /* 2^-22.9 */
    {"sqrt.approx.f32", sqrt, 0.001, 1000, 0x1p-23, 0},
    {"sin.approx.f32", sin, -3.14, 3.14, 0, 0x1p-20}, /* 2^-20.5 */
    {"cos.approx.f32", cos, -3.14, 3.14, 0, 0x1p-20},
    {"tanh.approx.f32", tanh, -4, 4, 0x1p-11, 0},
};

enum { SAMPLES = 1024 };

static void check_approximation(const approximation *a, uint64_t seed, unsigned *n_inexact) {
    char text[1024];
    snprintf(text, sizeof text, "%s%s%s",
             HEAD ".visible .entry k(.param .u64 out) {\n" REGISTERS OUT
                  "mov.u32 %r0, %tid.x; mul.wide.u32 %l1, %r0, 4;\n"
                  "add.u64 %l1, %l0, %l1; ld.global.f32 %f0, [%l1];\n",
             a->spelling, " %f1, %f0; st.global.f32 [%l1], %f1; ret; }\n");
    alone_start();
    cs_sim.options.seed = seed;
    cs_module *module = load(text);
    const uint64_t out = zeroed(SAMPLES * 4);
    float *values = (float *)(void *)cs_alias(out), given[SAMPLES];
    for (int i = 0; i < SAMPLES; i++)
        values[i] = given[i] = (float)(a->low + (a->high - a->low) * (i + 0.5) / SAMPLES);
    assert_true(run(module, 1, SAMPLES, out));
    for (int i = 0; i < SAMPLES; i++) {
        const double exact = a->exact((double)given[i]),
                     error_seen = fabs((double)values[i] - exact);
        *n_inexact += values[i] != (float)exact;
        if (!(error_seen <= a->relative * fabs(exact) || error_seen <= a->absolute))
            fail_msg("%s of %.9g is %.9g with seed %llu, want %.9g", a->spelling, (double)given[i],
                     (double)values[i], (unsigned long long)seed, exact);
    }
    cs_module_unload(module);
    alone_stop();
}

static void approximations_err_but_stay_within_the_documented_bounds(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof approximations / sizeof *approximations; i++) {
        unsigned n_inexact = 0, n_exact = 0;
        for (uint64_t seed = 1; seed <= 8; seed++)
            check_approximation(&approximations[i], seed, &n_inexact);
        assert_true(n_inexact > SAMPLES); /* of eight times as many */
        check_approximation(&approximations[i], 0, &n_exact);
        assert_int_equal(n_exact, 0);
    }
}

/* --- modules ------------------------------------------------------------------------------------- */

static void variables_hold_their_first_values_and_addresses(void **state) {
    (void)state;
    uint64_t table, place, held;
    size_t bytes;
    alone_start();
    cs_module *module = load(HEAD ".global .align 4 .f32 table[3] = {1.5, 0f40000000};\n"
                                  ".global .align 8 .u64 place[2] = {generic(table)+4, 7};\n");
    assert_true(cs_module_symbol(module, "table", &table, &bytes));
    assert_int_equal(bytes, 12);
    assert_int_equal(word(table, 0), 0x3fc00000);
    assert_int_equal(word(table, 1), 0x40000000);
    assert_int_equal(word(table, 2), 0);
    assert_true(cs_module_symbol(module, "place", &place, &bytes));
    memcpy(&held, cs_alias(place), sizeof held);
    assert_int_equal(held, table + 4);
    assert_int_equal(word(place, 2), 7);
    assert_false(cs_module_symbol(module, "nothing", &place, &bytes));
    cs_module_unload(module);
    alone_stop();
}

static void a_kernel_says_what_it_needs(void **state) {
    (void)state;
    const uint32_t *sizes, *offsets;
    alone_start();
    cs_module *module =
        load(HEAD ".visible .entry k(.param .u32 a, .param .align 8 .b8 b[20], .param .u64 "
                  "c)\n.maxntid 128, 2, 1\n"
                  ".minnctapersm 3\n{ .shared .align 4 .b8 s[12]; .shared .align 8 .b8 t[8]; "
                  ".local .align 4 .b8 l[20];\n"
                  ".reg .u32 %r; ld.shared.u32 %r, [s]; ld.shared.u32 %r, [t]; ret; }\n");
    const cs_kernel *kernel = cs_module_kernel(module, "k");
    const cs_kernel_info info = cs_kernel_describe(kernel);
    assert_int_equal(cs_kernel_params(kernel, &sizes, &offsets), 3);
    assert_int_equal(offsets[1], 8);
    assert_int_equal(offsets[2], 32);
    assert_int_equal(sizes[1], 20);
    assert_int_equal(info.param_bytes, 40);
    assert_int_equal(info.max_threads, 256);
    assert_int_equal(info.min_blocks, 3);
    assert_int_equal(info.static_shared, 24);
    assert_null(cs_module_kernel(module, "other"));
    cs_module_unload(module);
    alone_stop();
}

static void a_report_names_the_line_that_called_into_the_toolkit(void **state) {
    (void)state;
    const alone_report *reports;
    alone_start();
    cs_module *module = load(KERNEL(
        OUT ".loc 1 20 3\n.loc 2 84 9, function_name f, inlined_at 1 20 3\natom.global.add.f32 "
            "%f0, [%l0], 0f0;") ".file 1 \"/home/me/step.cu\"\n.file 2 "
                                "\"/opt/targets/x86_64-linux/include/sm_20_atomics.hpp\"\n");
    run(module, 1, 1, 0);
    assert_int_equal(alone_reports(&reports), 1);
    assert_int_equal(reports[0].kind, CS_NULL);
    assert_string_equal(reports[0].where, "step.cu:20");
    assert_non_null(strstr(reports[0].text, "k block (0,0,0) thread (0,0,0)"));
    cs_module_unload(module);
    alone_stop();
}

static void a_trap_ends_the_launch(void **state) {
    (void)state;
    alone_start();
    cs_module *module = load(KERNEL(OUT "trap; st.global.u32 [%l0], 1;"));
    const uint64_t out = zeroed(4);
    assert_false(run(module, 1, 32, out));
    assert_int_equal(alone_count(CS_TRAP), 1);
    assert_int_equal(word(out, 0), 0);
    cs_module_unload(module);
    alone_stop();
}

/* --- mutants and coverage ------------------------------------------------------------------------ */

/* Each thread hands its number to its mirror image through shared memory. */
static const char mirror[] = HEAD
    ".visible .entry k(.param .u64 out) {\n" REGISTERS ".shared .align 4 .b8 s[256];\n"
    ".loc 1 2 1\n" OUT
    "mov.u32 %r0, %tid.x; setp.gt.u32 %p0, %r0, 61; shl.b32 %r1, %r0, 2; mov.u32 %r2, s;\n"
    "add.u32 %r3, %r2, %r1;\n.loc 1 3 1\nst.shared.u32 [%r3], %r0;\n.loc 1 4 1\nbar.sync 0;\n"
    ".loc 1 5 1\nsub.u32 %r4, 252, %r1; add.u32 %r4, %r4, %r2; ld.shared.u32 %r5, [%r4];\n"
    ".loc 1 6 1\n@%p0 bra END;\n.loc 1 7 1\ncvt.u64.u32 %l1, %r1; add.u64 %l0, %l0, %l1; "
    "st.global.u32 [%l0], %r5;\n"
    "membar.gl;\n.loc 1 8 1\nred.global.add.u32 [%l0], 0;\nEND: ret; }\n.file 1 \"mirror.cu\"\n";

static size_t reports_of_mutant(const char *mutant, cs_kind kind) {
    alone_start();
    cs_sim.options.mutate = mutant;
    cs_module *module = load(mirror);
    run(module, 1, 64, zeroed(62 * 4));
    const size_t n = alone_count(kind);
    cs_module_unload(module);
    alone_stop();
    return n;
}

static void mutants_are_listed_with_their_lines(void **state) {
    (void)state;
    alone_start();
    cs_sim.options.mutate = "list";
    cs_module *module = load(mirror);
    assert_string_equal(alone_notes(),
                        "barrier:k:0 mirror.cu:4\nguard:k:0 mirror.cu:6\nfence:k:0 mirror.cu:7\n"
                        "atomic:k:0 mirror.cu:8\n");
    cs_module_unload(module);
    alone_stop();
}

static void a_mutant_is_what_its_name_says(void **state) {
    (void)state;
    assert_int_equal(reports_of_mutant("none", CS_KINDS), 0);
    assert_int_equal(reports_of_mutant("barrier:k:0", CS_RACE),
                     2); /* read before write, write before read */
    assert_int_equal(reports_of_mutant("guard:k:0", CS_BOUNDS), 2); /* the store and the atomic */
    assert_int_equal(reports_of_mutant("fence:k:0", CS_KINDS), 0);  /* nothing here needs it */
}

static void coverage_counts_what_ran_of_each_line(void **state) {
    (void)state;
    char path[] = "/tmp/cudasim_coverage_XXXXXX", text[1024] = "";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    alone_start();
    cs_sim.options.coverage = path;
    cs_module *module = load(KERNEL(
        OUT
        ".loc 1 5 1\nmov.u32 %r0, 1; setp.eq.u32 %p0, %r0, 2;\n@%p0 bra A;\n.loc 1 6 1\nbra B;\n"
        ".loc 1 7 1\nA: mov.u32 %r0, 2;\nmov.u32 %r0, 3;\n.loc 1 8 1\nB:") ".file 1 \"x.cu\"\n");
    assert_true(run(module, 1, 1, 0));
    cs_module_unload(module);
    alone_stop();
    assert_true(read(fd, text, sizeof text - 1) > 0);
    close(fd);
    unlink(path);
    assert_string_equal(text, "k x.cu 5 2 3\nk x.cu 6 1 1\nk x.cu 7 0 2\nk x.cu 8 1 1\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_instruction_is_refused_by_name_and_place),
        cmocka_unit_test(registers_of_another_width_are_refused),
        cmocka_unit_test(a_text_that_is_no_ptx_is_refused_with_its_line),
        cmocka_unit_test(calls_that_cannot_be_followed_are_refused),
        cmocka_unit_test(blocks_run_in_the_order_of_the_schedule),
        cmocka_unit_test(a_random_order_is_a_permutation_that_its_seed_replays),
        cmocka_unit_test(one_warp_runs_ahead_of_the_others_through_a_barrier),
        cmocka_unit_test(approximations_err_but_stay_within_the_documented_bounds),
        cmocka_unit_test(variables_hold_their_first_values_and_addresses),
        cmocka_unit_test(a_kernel_says_what_it_needs),
        cmocka_unit_test(a_report_names_the_line_that_called_into_the_toolkit),
        cmocka_unit_test(a_trap_ends_the_launch),
        cmocka_unit_test(mutants_are_listed_with_their_lines),
        cmocka_unit_test(a_mutant_is_what_its_name_says),
        cmocka_unit_test(coverage_counts_what_ran_of_each_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
