/* Every row of the opcode table against values from the text of the PTX ISA, one launch a value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/cudasim/alone.h"
#include "tests/cudasim/golden.h"
#include "tests/cudasim/opcodes.h"

enum { LANES = 32, LANE_BYTES = 64, MARK = 7 };

static const char before[] =
    ".version 8.0\n.target sm_80\n.address_size 64\n"
    ".const .align 4 .u32 table[4] = {10, 20, 30, 40};\n"
    ".func (.param .b32 result) twice(.param .b32 x) {\n"
    ".reg .b32 %a; ld.param.b32 %a, [x]; add.u32 %a, %a, %a; st.param.b32 [result], %a; ret; }\n"
    ".visible .entry golden(.param .u64 results, .param .u64 memory, .param .u64 a, .param .u64 b, "
    ".param .u64 c) {\n"
    ".reg .b16 %ha, %hb, %hc, %hd; .reg .b32 %ra, %rb, %rc, %rd, %re, %rf, %lane;\n"
    ".reg .b64 %la, %lb, %lc, %ld, %mem, %out; .reg .pred %pa, %pb, %pc, %pd, %pe;\n"
    ".shared .align 8 .b8 sh[256]; .local .align 8 .b8 lo[64];\n"
    "ld.param.u64 %out, [results]; ld.param.u64 %mem, [memory]; mov.u32 %lane, %laneid;\n"
    "ld.param.u64 %la, [a]; ld.param.u64 %lb, [b]; ld.param.u64 %lc, [c];\n"
    "cvt.u32.u64 %ra, %la; cvt.u32.u64 %rb, %lb; cvt.u32.u64 %rc, %lc;\n"
    "cvt.u16.u64 %ha, %la; cvt.u16.u64 %hb, %lb; cvt.u16.u64 %hc, %lc;\n"
    "and.b32 %rd, %ra, 1; setp.ne.u32 %pa, %rd, 0; and.b32 %rd, %rb, 1; setp.ne.u32 %pb, %rd, 0;\n"
    "and.b32 %rd, %rc, 1; setp.ne.u32 %pc, %rd, 0;\n"
    "mul.wide.u32 %ld, %lane, 8; add.u64 %out, %out, %ld; mul.wide.u32 %ld, %lane, 64; add.u64 "
    "%mem, %mem, %ld;\n"
    ".loc 7 1 0\n";

static const char *after(char result) {
    switch (result) {
    case 'h':
        return "\n.loc 1 1 0\ncvt.u64.u16 %ld, %hd; st.global.u64 [%out], %ld; ret; }\n";
    case 'r':
        return "\n.loc 1 1 0\ncvt.u64.u32 %ld, %rd; st.global.u64 [%out], %ld; ret; }\n";
    case 'p':
        return "\n.loc 1 1 0\nselp.u64 %ld, 1, 0, %pd; st.global.u64 [%out], %ld; ret; }\n";
    case 'l':
        return "\n.loc 1 1 0\nst.global.u64 [%out], %ld; ret; }\n";
    default:
        return "\n.loc 1 1 0\nret; }\n";
    }
}

/* The rows of the table that instructions of the body (not the frame around it) matched. */
static void note_covered(const cs_module *module, bool *covered) {
    size_t n;
    const cs_opcode *rows = cs_opcodes(&n);
    const cs_kernel *kernel = cs_module_kernel(module, "golden");
    for (uint32_t pc = 0; pc < kernel->n_code; pc++) {
        const cs_instr *instr = &kernel->code[pc];
        if (instr->opcode && module->ptx->locations[instr->location].file == MARK)
            covered[instr->opcode - rows] = true;
    }
}

static cs_module *load(const golden *row) {
    char text[4096], error[512];
    snprintf(text, sizeof text, "%s%s%s", before, row->body, after(row->result));
    cs_module *module = cs_module_load(0, text, strlen(text), error, sizeof error);
    if (!module)
        fail_msg("%s: %s", row->body, error);
    return module;
}

static void launch(const cs_module *module, const golden *row, uint64_t out, uint64_t memory) {
    const uint64_t params[] = {out, memory, row->a, row->b, row->c};
    const cs_launch launch = {.kernel = cs_module_kernel(module, "golden"),
                              .grid = {1, 1, 1},
                              .block = {LANES, 1, 1},
                              .params = (const uint8_t *)params};
    assert_true(cs_launch_run(&launch));
}

static void check_results(const golden *row, uint64_t out) {
    for (int lane = 0; lane < LANES; lane++) {
        uint64_t got;
        memcpy(&got, cs_alias(out) + 8 * lane, sizeof got);
        if ((row->lane < 0 || row->lane == lane) && got != row->want)
            fail_msg("%s with 0x%llx, 0x%llx, 0x%llx gives 0x%llx in lane %d, want 0x%llx",
                     row->body, (unsigned long long)row->a, (unsigned long long)row->b,
                     (unsigned long long)row->c, (unsigned long long)got, lane,
                     (unsigned long long)row->want);
    }
}

static void check_row(const golden *row, bool *covered) {
    alone_start();
    const uint64_t out = cs_memory_new(0, LANES * 8, "results"),
                   memory = cs_memory_new(0, LANES * LANE_BYTES, "memory");
    memset(cs_alias(memory), 0, LANES * LANE_BYTES);
    memset(cs_init_shadow(memory), 1, LANES * LANE_BYTES);
    cs_module *module = load(row);
    launch(module, row, out, memory);
    const alone_report *reports;
    if (alone_reports(&reports))
        fail_msg("%s: %s", row->body, reports[0].text);
    check_results(row, out);
    if (covered)
        note_covered(module, covered);
    cs_module_unload(module);
    alone_stop();
}

typedef const golden *rows_fn(size_t *n);

static void check_rows(rows_fn *fn) {
    size_t n;
    const golden *rows = fn(&n);
    for (size_t i = 0; i < n; i++)
        check_row(&rows[i], NULL);
}

static void integers_wrap_saturate_and_divide_as_the_isa_says(void **state) {
    (void)state;
    check_rows(golden_integers);
}

static void bits_shift_and_move_as_the_isa_says(void **state) {
    (void)state;
    check_rows(golden_bits);
}

static void floats_round_flush_and_hand_nan_on_as_the_isa_says(void **state) {
    (void)state;
    check_rows(golden_floats);
}

static void halves_round_once(void **state) {
    (void)state;
    check_rows(golden_halves);
}

static void comparisons_know_nan_and_signs(void **state) {
    (void)state;
    check_rows(golden_compares);
}

static void conversions_round_clamp_and_extend(void **state) {
    (void)state;
    check_rows(golden_conversions);
}

static void memory_keeps_what_was_stored(void **state) {
    (void)state;
    check_rows(golden_memory);
}

static void lanes_work_together_part_and_meet(void **state) {
    (void)state;
    check_rows(golden_warps);
}

static void every_row_of_the_table_has_golden_values(void **state) {
    (void)state;
    static rows_fn *const subjects[] = {golden_integers, golden_bits,     golden_floats,
                                        golden_halves,   golden_compares, golden_conversions,
                                        golden_memory,   golden_warps};
    bool covered[1024] = {false};
    size_t n_opcodes, n_missing = 0;
    const cs_opcode *opcodes = cs_opcodes(&n_opcodes);
    assert_true(n_opcodes <= sizeof covered);
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++) {
        size_t n;
        const golden *rows = subjects[i](&n);
        for (size_t k = 0; k < n; k++)
            check_row(&rows[k], covered);
    }
    for (size_t i = 0; i < n_opcodes; i++) {
        if (!covered[i] &&
            strcmp(opcodes[i].pattern, "trap") != 0) { /* test_engine.c: it ends the launch */
            print_message("no golden value for %s\n", opcodes[i].pattern);
            n_missing++;
        }
    }
    assert_int_equal(n_missing, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_wrap_saturate_and_divide_as_the_isa_says),
        cmocka_unit_test(bits_shift_and_move_as_the_isa_says),
        cmocka_unit_test(floats_round_flush_and_hand_nan_on_as_the_isa_says),
        cmocka_unit_test(halves_round_once),
        cmocka_unit_test(comparisons_know_nan_and_signs),
        cmocka_unit_test(conversions_round_clamp_and_extend),
        cmocka_unit_test(memory_keeps_what_was_stored),
        cmocka_unit_test(lanes_work_together_part_and_meet),
        cmocka_unit_test(every_row_of_the_table_has_golden_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
