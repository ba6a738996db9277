/* Devices: names, memory, copies and queues of every device present; on the CPU one thread a lane and
 * one instruction-set level a process; what a GPU refuses. */
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

#include "flat_bench.h"

typedef flat_bench fixture;

static void the_cpu_says_what_decides_its_bits(void **state) {
    const fixture *f = *state;
    const ty_device_info *info = ty_device_describe(f->dev);
    assert_string_equal(info->name, "cpu");
    assert_true(strlen(info->model) > 0);
    assert_int_equal(info->isa_level, ty_isa_best());
    assert_non_null(strstr(info->numeric, ty_isa_names[info->isa_level]));
    assert_non_null(strstr(info->numeric, "onednn-"));
    assert_non_null(strstr(info->numeric, "cache-"));
}

static void a_gpu_says_what_decides_its_bits(void **state) {
    const fixture *f = *state;
    const ty_device_info *info = ty_device_describe(f->dev);
    assert_string_equal(info->name, "cuda:0");
    assert_true(strlen(info->model) > 0 && info->memory_bytes > 0 && !info->is_described);
    assert_non_null(strstr(info->numeric, info->model));
    assert_non_null(strstr(info->numeric, "sm_"));
    assert_non_null(strstr(info->numeric, " processors-"));
    assert_non_null(strstr(info->numeric, "driver-"));
    assert_null(strstr(info->numeric, "tf32-override"));
}

static const char *forbid_tf32(const char *name) {
    return strcmp(name, "NVIDIA_TF32_OVERRIDE") == 0 ? "0" : getenv(name);
}

static void a_variable_that_changes_what_libraries_round_is_among_it(void **state) {
    fixture *f = *state;
    ty_device *other = NULL;
    const ty_device_options options = {.name = "cuda", .max_isa_level = -1};
    const ty_getenv_fn before = f->ctx.getenv;
    f->ctx.getenv = forbid_tf32;
    assert_int_equal(ty_device_open(&f->ctx, &options, &other), TY_OK);
    assert_non_null(strstr(ty_device_describe(other)->numeric, " tf32-override-0"));
    f->ctx.getenv = before;
    ty_device_close(other);
}

static void two_handles_of_a_process_describe_themselves_alike(void **state) {
    fixture *f = *state;
    ty_device *other = NULL;
    const ty_device_options options = {.name = ty_device_describe(f->dev)->name,
                                       .max_isa_level = -1};
    assert_int_equal(ty_device_open(&f->ctx, &options, &other), TY_OK);
    assert_string_equal(ty_device_describe(other)->numeric, ty_device_describe(f->dev)->numeric);
    ty_device_close(other);
}

/* Norms keep their partial sums in the handle's own memory. */
static void a_handle_waits_for_its_work_before_it_goes(void **state) {
    fixture *f = *state;
    ty_device *other = NULL;
    const ty_device_options options = {.name = "cuda", .max_isa_level = -1};
    const ty_segment segment = {.count = 5000};
    void *x = NULL, *norms = NULL;
    double got[2] = {-1, -1};
    assert_int_equal(ty_device_open(&f->ctx, &options, &other), TY_OK);
    assert_int_equal(ty_device_alloc(&f->ctx, f->dev, 5000 * sizeof(float), &x), TY_OK);
    assert_int_equal(ty_device_alloc(&f->ctx, f->dev, sizeof got, &norms), TY_OK);
    assert_int_equal(ty_flat_norms(&f->ctx, other, x, &segment, 1, norms), TY_OK);
    ty_device_close(other);
    assert_int_equal(ty_device_copy_out(&f->ctx, f->dev, got, norms, sizeof got), TY_OK);
    assert_int_equal(ty_device_sync(&f->ctx, f->dev), TY_OK);
    assert_true(got[0] == 0 && got[1] == 0);
    ty_device_free(f->dev, x);
    ty_device_free(f->dev, norms);
}

static bool is_gpu_test(const fixture *f) {
    return ty_device_describe(f->dev)->kind == TY_DEVICE_IS_CUDA;
}

static void expect_zeros(fixture *f, const void *device, size_t n) {
    char *bytes = malloc(n ? n : 1);
    assert_non_null(bytes);
    assert_int_equal(ty_device_copy_out(&f->ctx, f->dev, bytes, device, n), TY_OK);
    assert_int_equal(ty_device_sync(&f->ctx, f->dev), TY_OK);
    for (size_t k = 0; k < n; k++)
        if (bytes[k] != 0)
            fail_msg("byte %zu of %zu is not zero", k, n);
    free(bytes);
}

static void memory_is_zeroed_and_aligned(void **state) {
    fixture *f = *state;
    const size_t sizes[] = {0, 1, 100, 4096, (2 << 20) + 1, 5 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        void *memory = NULL;
        assert_int_equal(ty_device_alloc(&f->ctx, f->dev, sizes[i], &memory), TY_OK);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % (is_gpu_test(f) ? 256 : 64), 0);
        expect_zeros(f, memory, sizes[i]);
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
    if (!is_gpu_test(f)) /* rounding up must not wrap round */
        assert_int_equal(ty_device_alloc(&f->ctx, f->dev, SIZE_MAX - 8, &memory), TY_ERR_NOMEM);
    assert_int_equal(ty_device_alloc(&f->ctx, f->dev, (size_t)1 << 60, &memory),
                     is_gpu_test(f) ? TY_ERR_DEVICE : TY_ERR_NOMEM);
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

/* In through one queue, on within by another, out through a third, each waiting for the one before;
 * the buffer between is written again by the next round, which must wait for the last one. */
static void queues_wait_for_what_they_are_told_to(void **state) {
    enum { N = 1021, ROUNDS = 5 };
    fixture *f = *state;
    void *in = NULL, *out = NULL, *a = NULL, *b = NULL;
    assert_int_equal(ty_device_alloc_host(&f->ctx, f->dev, ROUNDS * N, &in), TY_OK);
    assert_int_equal(ty_device_alloc_host(&f->ctx, f->dev, ROUNDS * N, &out), TY_OK);
    assert_int_equal(ty_device_alloc(&f->ctx, f->dev, N, &a), TY_OK);
    assert_int_equal(ty_device_alloc(&f->ctx, f->dev, N, &b), TY_OK);
    for (int i = 0; i < ROUNDS * N; i++)
        ((uint8_t *)in)[i] = (uint8_t)(i * 31 % 251);
    for (int k = 0; k < ROUNDS; k++) {
        const char *from = (char *)in + k * N;
        char *to = (char *)out + k * N;
        assert_int_equal(ty_device_copy(&f->ctx, f->dev, TY_QUEUE_COPY_IN, TY_COPY_IN, a, from, N),
                         TY_OK);
        assert_int_equal(ty_device_order(&f->ctx, f->dev, TY_QUEUE_COPY_IN, TY_QUEUE_COMPUTE),
                         TY_OK);
        assert_int_equal(ty_device_order(&f->ctx, f->dev, TY_QUEUE_COPY_OUT, TY_QUEUE_COMPUTE),
                         TY_OK);
        assert_int_equal(ty_device_copy(&f->ctx, f->dev, TY_QUEUE_COMPUTE, TY_COPY_WITHIN, b, a, N),
                         TY_OK);
        assert_int_equal(ty_device_order(&f->ctx, f->dev, TY_QUEUE_COMPUTE, TY_QUEUE_COPY_IN),
                         TY_OK);
        assert_int_equal(ty_device_order(&f->ctx, f->dev, TY_QUEUE_COMPUTE, TY_QUEUE_COPY_OUT),
                         TY_OK);
        assert_int_equal(ty_device_copy(&f->ctx, f->dev, TY_QUEUE_COPY_OUT, TY_COPY_OUT, to, b, N),
                         TY_OK);
    }
    assert_int_equal(ty_device_sync(&f->ctx, f->dev), TY_OK);
    assert_memory_equal(in, out, ROUNDS * N);
    ty_device_free(f->dev, a);
    ty_device_free(f->dev, b);
    ty_device_free_host(f->dev, in);
    ty_device_free_host(f->dev, out);
}

static void polling_ends_when_all_is_done(void **state) {
    fixture *f = *state;
    void *host = NULL, *memory = NULL;
    bool is_idle = false;
    assert_int_equal(ty_device_alloc_host(&f->ctx, f->dev, 4096, &host), TY_OK);
    assert_int_equal(ty_device_alloc(&f->ctx, f->dev, 4096, &memory), TY_OK);
    memset(host, 7, 4096);
    assert_int_equal(ty_device_copy_in(&f->ctx, f->dev, memory, host, 4096), TY_OK);
    while (!is_idle)
        assert_int_equal(ty_device_poll(&f->ctx, f->dev, &is_idle), TY_OK);
    ty_device_free(f->dev, memory);
    ty_device_free_host(f->dev, host);
}

/* Freeing waits for what was queued, on whatever queue. */
static void memory_may_be_freed_while_it_is_copied(void **state) {
    fixture *f = *state;
    enum { N = 1 << 16 };
    void *host = NULL, *memory = NULL;
    assert_int_equal(ty_device_alloc_host(&f->ctx, f->dev, N, &host), TY_OK);
    assert_int_equal(ty_device_alloc(&f->ctx, f->dev, N, &memory), TY_OK);
    assert_int_equal(ty_device_copy(&f->ctx, f->dev, TY_QUEUE_COPY_IN, TY_COPY_IN, memory, host, N),
                     TY_OK);
    ty_device_free_host(f->dev, host);
    expect_zeros(f, memory, N);
    ty_device_free(f->dev, memory);
}

static void freeing_nothing_is_fine(void **state) {
    fixture *f = *state;
    ty_device_free(f->dev, NULL);
    ty_device_free_host(f->dev, NULL);
}

static void a_gpu_that_is_not_there_is_refused(void **state) {
    static const char *const names[] = {"cuda:64", "cuda:-1", "cuda:", "cuda:1x"};
    fixture *f = *state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        ty_device *dev = NULL;
        assert_int_equal(ty_device_open(&f->ctx, &(ty_device_options){.name = names[i]}, &dev),
                         TY_ERR_DEVICE);
        assert_non_null(strstr(f->ctx.message, names[i]));
        assert_null(dev);
    }
}

static void ranks_of_a_host_share_out_its_gpus(void **state) {
    fixture *f = *state;
    ty_device_found found;
    assert_int_equal(ty_device_find(&f->ctx, &(ty_device_options){.name = "cuda"}, &found), TY_OK);
    const int n = found.n_devices;
    for (int rank = 0; rank < 2 * n; rank++) {
        char want[32];
        const ty_device_options options = {.name = "auto", .local_rank = rank};
        assert_int_equal(ty_device_find(&f->ctx, &options, &found), TY_OK);
        (void)snprintf(want, sizeof want, "cuda:%d", rank % n);
        assert_string_equal(found.name, want);
        assert_string_equal(found.reason, "");
    }
}

static void unknown_devices_are_refused_by_name(void **state) {
    fixture *f = *state;
    ty_device *dev = NULL;
    assert_int_equal(
        ty_device_open(&f->ctx, &(ty_device_options){.name = "tpu", .max_isa_level = -1}, &dev),
        TY_ERR_DEVICE);
    assert_non_null(strstr(f->ctx.message, "tpu"));
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
    const struct CMUnitTest everywhere[] = {
        cmocka_unit_test(two_handles_of_a_process_describe_themselves_alike),
        cmocka_unit_test(memory_is_zeroed_and_aligned),
        cmocka_unit_test(too_much_memory_is_an_error_that_names_the_bytes),
        cmocka_unit_test(bytes_go_in_and_come_out),
        cmocka_unit_test(queues_wait_for_what_they_are_told_to),
        cmocka_unit_test(polling_ends_when_all_is_done),
        cmocka_unit_test(memory_may_be_freed_while_it_is_copied),
        cmocka_unit_test(freeing_nothing_is_fine),
        cmocka_unit_test(unknown_devices_are_refused_by_name),
        cmocka_unit_test(closing_nothing_is_fine),
    };
    const struct CMUnitTest cpu[] = {
        cmocka_unit_test(the_cpu_says_what_decides_its_bits),
        cmocka_unit_test(auto_falls_back_to_the_cpu_and_says_why),
        cmocka_unit_test(the_cpu_computes_in_fp32_alone),
        cmocka_unit_test(a_lane_computes_on_its_own_thread_alone),
        cmocka_unit_test(a_process_has_one_instruction_set_level),
    };
    const struct CMUnitTest gpu[] = {
        cmocka_unit_test(a_gpu_says_what_decides_its_bits),
        cmocka_unit_test(a_variable_that_changes_what_libraries_round_is_among_it),
        cmocka_unit_test(a_handle_waits_for_its_work_before_it_goes),
        cmocka_unit_test(a_gpu_that_is_not_there_is_refused),
        cmocka_unit_test(ranks_of_a_host_share_out_its_gpus),
    };
    int failed = flat_cpu_tests("cpu", cpu); /* first: a GPU's runtime has threads of its own */
    failed += flat_tests("device", everywhere);
    return failed + flat_gpu_tests("gpu", gpu);
}
