/* What NVML says of a GPU, with a library of our own in its place (tests/support/fake_nvml.c). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"
#include "tests/support/near.h"

static const uint8_t gpu_3[TY_NVML_UUID_BYTES] = {0xab, [15] = 3};
static const uint8_t part_of_2[TY_NVML_UUID_BYTES] = {0xee, [15] = 2};
static const uint8_t unknown[TY_NVML_UUID_BYTES] = {0xff, [15] = 1};

static void a_gpu_tells_its_number_memory_use_and_power(void **state) {
    ty_ctx *ctx = *state;
    ty_nvml *nvml = NULL;
    ty_nvml_reading r;
    assert_int_equal(ty_nvml_open(ctx, FAKE_NVML, gpu_3, &nvml), TY_OK);
    assert_int_equal(ty_nvml_index(nvml), 3);
    ty_nvml_read(nvml, &r);
    assert_near(r.memory_total, 80e9);
    assert_near(r.memory_used, 20e9);
    assert_near(r.busy_percent, 97);
    assert_near(r.watts, 350);
    assert_near(r.watts_limit, 700);
    ty_nvml_close(nvml);
}

static void a_part_of_a_gpu_has_memory_of_its_own_and_the_power_of_all(void **state) {
    ty_ctx *ctx = *state;
    ty_nvml *nvml = NULL;
    ty_nvml_reading r;
    assert_int_equal(ty_nvml_open(ctx, FAKE_NVML, part_of_2, &nvml), TY_OK);
    assert_int_equal(ty_nvml_index(nvml), 2);
    ty_nvml_read(nvml, &r);
    assert_near(r.memory_total, 10e9);
    assert_true(isnan(r.busy_percent));
    assert_near(r.watts, 350);
    ty_nvml_close(nvml);
}

static void what_is_not_there_is_refused_with_its_reason(void **state) {
    ty_ctx *ctx = *state;
    ty_nvml *nvml = NULL;
    assert_int_equal(ty_nvml_open(ctx, FAKE_NVML, unknown, &nvml), TY_ERR_NOT_FOUND);
    assert_non_null(strstr(ctx->message, "GPU-ff000000-0000-0000-0000-000000000001: Not Found"));
    assert_int_equal(ty_nvml_open(ctx, "/nowhere/libnvidia-ml.so.1", gpu_3, &nvml),
                     TY_ERR_NOT_FOUND);
    assert_int_equal(ty_nvml_open(ctx, "libm.so.6", gpu_3, &nvml), TY_ERR_NOT_FOUND);
    assert_non_null(strstr(ctx->message, "nvmlInit_v2"));
    assert_int_equal(setenv("FAKE_NVML_INIT", "9", 1), 0);
    assert_int_equal(ty_nvml_open(ctx, FAKE_NVML, gpu_3, &nvml), TY_ERR_FAILED);
    assert_non_null(strstr(ctx->message, "Driver Not Loaded"));
    assert_int_equal(unsetenv("FAKE_NVML_INIT"), 0);
    assert_null(nvml);
    ty_nvml_close(NULL);
}

static int open_ctx(void **state) {
    static ty_ctx ctx;
    ty_ctx_init(&ctx);
    *state = &ctx;
    return 0;
}

static int close_ctx(void **state) {
    ty_ctx_clear(*state);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gpu_tells_its_number_memory_use_and_power),
        cmocka_unit_test(a_part_of_a_gpu_has_memory_of_its_own_and_the_power_of_all),
        cmocka_unit_test(what_is_not_there_is_refused_with_its_reason),
    };
    return cmocka_run_group_tests_name("base.nvml", tests, open_ctx, close_ctx);
}
