/* The CPU device: names, memory, one thread a lane, one instruction-set level a process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernels/kernels.h"

typedef struct fixture {
    ty_ctx ctx;
    ty_device *dev;
} fixture;

static int open_cpu(void **state) {
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    ty_ctx_init(&f->ctx);
    assert_int_equal(
        ty_device_open(&f->ctx, &(ty_device_options){.name = "cpu", .max_isa_level = -1}, &f->dev),
        TY_OK);
    *state = f;
    return 0;
}

static int close_cpu(void **state) {
    fixture *f = *state;
    ty_device_close(f->dev);
    ty_ctx_clear(&f->ctx);
    free(f);
    return 0;
}

static void a_device_says_what_decides_its_bits(void **state) {
    const fixture *f = *state;
    const ty_device_info *info = ty_device_describe(f->dev);
    assert_string_equal(info->name, "cpu");
    assert_true(strlen(info->model) > 0);
    assert_int_equal(info->isa_level, ty_isa_best());
    assert_non_null(strstr(info->numeric, ty_isa_names[info->isa_level]));
    assert_non_null(strstr(info->numeric, "onednn-"));
    assert_non_null(strstr(info->numeric, "cache-"));
}

static void two_lanes_of_a_process_describe_themselves_alike(void **state) {
    fixture *f = *state;
    ty_device *other = NULL;
    assert_int_equal(
        ty_device_open(&f->ctx, &(ty_device_options){.name = "cpu", .max_isa_level = -1}, &other),
        TY_OK);
    assert_string_equal(ty_device_describe(other)->numeric, ty_device_describe(f->dev)->numeric);
    ty_device_close(other);
}

static void memory_is_zeroed_and_aligned(void **state) {
    fixture *f = *state;
    const size_t sizes[] = {0, 1, 100, 4096, (2 << 20) + 1, 5 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        void *memory = NULL;
        assert_int_equal(ty_device_alloc(&f->ctx, f->dev, sizes[i], &memory), TY_OK);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % 64, 0);
        for (size_t k = 0; k < sizes[i]; k++)
            if (((char *)memory)[k] != 0)
                fail_msg("byte %zu of %zu is not zero", k, sizes[i]);
        ty_device_free(f->dev, memory);
    }
}

/* Sanitizers' allocators end the process where malloc would answer NULL, unless told. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "allocator_may_return_null=1";
}
const char *__tsan_default_options(void);
const char *__tsan_default_options(void) {
    return "allocator_may_return_null=1";
}

static void too_much_memory_is_an_error_that_names_the_bytes(void **state) {
    fixture *f = *state;
    void *memory = NULL;
    assert_int_equal(ty_device_alloc(&f->ctx, f->dev, SIZE_MAX - 8, &memory), TY_ERR_NOMEM);
    assert_int_equal(ty_device_alloc(&f->ctx, f->dev, (size_t)1 << 60, &memory), TY_ERR_NOMEM);
    assert_non_null(strstr(f->ctx.message, "1152921504606846976 bytes"));
}

static void bytes_go_in_and_come_out(void **state) {
    fixture *f = *state;
    const float in[] = {1, -2, 3};
    float out[3] = {0};
    void *memory = NULL;
    assert_int_equal(ty_device_alloc(&f->ctx, f->dev, sizeof in, &memory), TY_OK);
    assert_int_equal(ty_device_copy_in(&f->ctx, f->dev, memory, in, sizeof in), TY_OK);
    assert_int_equal(ty_device_copy_out(&f->ctx, f->dev, out, memory, sizeof in), TY_OK);
    assert_int_equal(ty_device_sync(&f->ctx, f->dev), TY_OK);
    assert_memory_equal(in, out, sizeof in);
    ty_device_free(f->dev, memory);
}

static void unknown_devices_are_refused_by_name(void **state) {
    fixture *f = *state;
    ty_device *dev = NULL;
    assert_int_equal(
        ty_device_open(&f->ctx, &(ty_device_options){.name = "tpu", .max_isa_level = -1}, &dev),
        TY_ERR_DEVICE);
    assert_non_null(strstr(f->ctx.message, "tpu"));
    assert_int_equal(
        ty_device_open(&f->ctx, &(ty_device_options){.name = "cuda:1", .max_isa_level = -1}, &dev),
        TY_ERR_DEVICE);
    assert_non_null(strstr(f->ctx.message, "CUDA plug-in"));
    assert_null(dev);
}

static const char *no_plugin(const char *name) {
    return strcmp(name, "TILTYARD_CUDA_PLUGIN") == 0 ? "/nowhere/libtiltyard_cuda.so" : NULL;
}

static void auto_falls_back_to_the_cpu_and_says_why(void **state) {
    fixture *f = *state;
    ty_device_found found;
    f->ctx.getenv = no_plugin;
    assert_int_equal(ty_device_find(&f->ctx, &(ty_device_options){.name = "auto"}, &found), TY_OK);
    assert_string_equal(found.name, "cpu");
    assert_non_null(strstr(found.reason, "/nowhere/libtiltyard_cuda.so"));
    assert_int_equal(ty_device_find(&f->ctx, &(ty_device_options){.name = "cuda"}, &found),
                     TY_ERR_DEVICE);
}

static void the_cpu_computes_in_fp32_alone(void **state) {
    fixture *f = *state;
    ty_device *dev = NULL;
    const ty_device_options options = {.name = "cpu", .precision = TY_PRECISION_BF16};
    assert_int_equal(ty_device_open(&f->ctx, &options, &dev), TY_ERR_CONFIG);
    assert_non_null(strstr(f->ctx.message, "fp32"));
}

static void closing_nothing_is_fine(void **state) {
    (void)state;
    ty_device_close(NULL);
}

static int count_threads(void) {
    DIR *folder = opendir("/proc/self/task");
    assert_non_null(folder);
    int n = 0;
    for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder))
        n += entry->d_name[0] != '.';
    (void)closedir(folder);
    return n;
}

/* A product that oneDNN would share among all cores if it were let. */
static void a_lane_computes_on_its_own_thread_alone(void **state) {
    fixture *f = *state;
    const ty_linear_attrs attrs = {.out = 256};
    const ty_shape x = {2, {256, 256}};
    void *memory = NULL;
    const size_t bytes = (size_t)ty_shape_count(x) * sizeof(float);
    assert_int_equal(ty_device_alloc(&f->ctx, f->dev, 4 * bytes, &memory), TY_OK);
    float *data = memory;
    const ty_op_impl *impl = ty_device_op(f->dev, TY_OP_LINEAR);
    ty_op_args args = {.id = TY_OP_LINEAR,
                       .attrs = &attrs,
                       .x = {{.data = data, .shape = x, .bytes = bytes}},
                       .param = {{.data = data + 65536, .shape = x, .bytes = bytes}},
                       .y = {.data = data + 131072, .shape = x}};
    assert_int_equal(impl->prepare(&f->ctx, f->dev, &args), TY_OK);
    assert_true(args.workspace_bytes <= bytes);
    args.workspace = data + 196608;
    assert_int_equal(impl->forward(&f->ctx, f->dev, &args), TY_OK);
    impl->release(f->dev, &args);
    ty_device_free(f->dev, memory);
    assert_int_equal(count_threads(), 1);
}

/* Which step of "level 0 opens, another level is refused, level 0 still opens" failed; 0: none. */
static int try_two_levels(ty_ctx *ctx, ty_device **low, ty_device **high) {
    if (ty_device_open(ctx, &(ty_device_options){.name = "cpu", .max_isa_level = 0}, low) !=
            TY_OK ||
        ty_device_describe(*low)->isa_level != 0)
        return 1;
    if (!strstr(ty_device_describe(*low)->numeric, "sse41"))
        return 2;
    if (ty_device_open(ctx, &(ty_device_options){.name = "cpu", .max_isa_level = 1}, high) !=
            TY_ERR_DEVICE ||
        !strstr(ctx->message, "avx2"))
        return 3;
    return ty_device_open(ctx, &(ty_device_options){.name = "cpu", .max_isa_level = 0}, high) ==
                   TY_OK
               ? 0
               : 4;
}

/* In a child, because a process has one level for good. */
static int open_two_levels(void) {
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    ty_device *low = NULL, *high = NULL;
    const int failed_step = try_two_levels(&ctx, &low, &high);
    ty_device_close(low);
    ty_device_close(high);
    ty_ctx_clear(&ctx);
    return failed_step;
}

static void a_process_has_one_instruction_set_level(void **state) {
    (void)state;
    if (ty_isa_best() < 1) {
        print_message("skipped: this CPU has one level only\n");
        skip();
    }
    char self[4096] = "";
    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    const pid_t child = fork(); /* the fresh program image has an oneDNN that nobody asked yet */
    assert_true(child >= 0);
    if (child == 0) {
        (void)execl(self, self, "two-levels", (char *)NULL);
        _exit(9);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "two-levels") == 0)
        return open_two_levels();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_says_what_decides_its_bits),
        cmocka_unit_test(two_lanes_of_a_process_describe_themselves_alike),
        cmocka_unit_test(memory_is_zeroed_and_aligned),
        cmocka_unit_test(too_much_memory_is_an_error_that_names_the_bytes),
        cmocka_unit_test(bytes_go_in_and_come_out),
        cmocka_unit_test(unknown_devices_are_refused_by_name),
        cmocka_unit_test(auto_falls_back_to_the_cpu_and_says_why),
        cmocka_unit_test(the_cpu_computes_in_fp32_alone),
        cmocka_unit_test(closing_nothing_is_fine),
        cmocka_unit_test(a_lane_computes_on_its_own_thread_alone),
        cmocka_unit_test(a_process_has_one_instruction_set_level),
    };
    return cmocka_run_group_tests(tests, open_cpu, close_cpu);
}
